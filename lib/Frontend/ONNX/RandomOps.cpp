//===- RandomOps.cpp - Random numbers by position -------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/RandomOps.h"

#include "Frontend/ONNX/Importer.h"

#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace weft::onnx;

uint64_t weft::onnx::randomKey(NodeContext &node) {
  if (const NodeAttribute *seed = node.getAttribute("seed")) {
    if (seed->kind == AttributeKind::Int)
      return static_cast<uint64_t>(seed->i);
    return llvm::bit_cast<uint32_t>(node.getFloat("seed", 0));
  }
  // FNV-1a
  uint64_t key = 0xcbf29ce484222325;
  for (char c : node.name())
    key = (key ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return key;
}

std::array<Value, 4> weft::onnx::randomWords(OpBuilder &b, Location loc, uint64_t key,
                                             Value position, Value stream) {
  auto i32 = b.getI32Type(), i64 = b.getI64Type();
  auto word = [&](uint32_t number) -> Value {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(i32, APInt(32, number)));
  };
  Value half = arith::ConstantIntOp::create(b, loc, 32, 64);
  auto lowWord = [&](Value wide) -> Value { return arith::TruncIOp::create(b, loc, i32, wide); };
  auto highWord = [&](Value wide) -> Value {
    return lowWord(arith::ShRUIOp::create(b, loc, wide, half));
  };
  auto widen = [&](Value x) -> Value { return arith::ExtUIOp::create(b, loc, i64, x); };
  auto mix = [&](Value x, Value y) -> Value { return arith::XOrIOp::create(b, loc, x, y); };

  Value counter = arith::IndexCastOp::create(b, loc, i64, position);
  std::array<Value, 4> c{lowWord(counter), highWord(counter),
                         lowWord(arith::IndexCastOp::create(b, loc, i64, stream)), word(0)};
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    Value p0 = arith::MulIOp::create(b, loc, widen(c[0]), widen(word(0xD2511F53)));
    Value p1 = arith::MulIOp::create(b, loc, widen(c[2]), widen(word(0xCD9E8D57)));
    c = {mix(mix(highWord(p1), c[1]), word(k0)), lowWord(p1),
         mix(mix(highWord(p0), c[3]), word(k1)), lowWord(p0)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

Value weft::onnx::uniformFromWords(OpBuilder &b, Location loc, mlir::Type type, Value high,
                                   Value low) {
  auto shifted = [&](Value x, int64_t amount) -> Value {
    Value bits = arith::ShRUIOp::create(b, loc, x, makeIntScalar(b, loc, x.getType(), amount));
    // Below 2^31: the signed conversion is the one that machines have.
    return arith::SIToFPOp::create(b, loc, type, bits);
  };
  auto scaled = [&](Value x, double factor) -> Value {
    return arith::MulFOp::create(b, loc, x, makeScalar(b, loc, type, factor));
  };
  if (type.isF32())
    return scaled(shifted(high, 8), 0x1p-24);
  // 27 bits and 26 bits.
  Value upper = scaled(shifted(high, 5), 0x1p26);
  return scaled(arith::AddFOp::create(b, loc, upper, shifted(low, 6)), 0x1p-53);
}
