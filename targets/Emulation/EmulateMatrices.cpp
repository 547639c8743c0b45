//===- EmulateMatrices.cpp - Matrix instructions by their definition ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the manuals say that an element of a matrix is: written from them, not from the code
// that makes the instructions (targets/GPU/MatrixProduct.cpp), which it is there to check.
//
//===----------------------------------------------------------------------===//

#include "targets/Emulation/EmulateOps.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace weft;
using namespace weft::cpu;
using namespace weft::emulation;

namespace {
/// An instruction, and what is written of it.
struct MatrixOp {
  enum Kind { MMASync, MFMA, MFMA4, WMMA11, WMMA12 };
  Kind kind;
  Type element;                ///< f16, bf16 or f32
  SmallVector<Value> operands; ///< of the left, then of the right matrix
  SmallVector<Value> sums;
  int64_t lanes;
  int64_t leftItems; ///< elements of the left matrix in a lane
  int64_t depth = 16;
};

/// An element of an operand: item `item` of what `lane` has.
struct Place {
  Value lane, item;
};

class MatrixWriter {
public:
  MatrixWriter(ImplicitLocOpBuilder &b, const MatrixOp &op) : b(b), op(op) {}

  /// A[row, k], B[k, column]: (lane, item).
  Place placeOfLeft(Value row, Value k);
  Place placeOfRight(Value k, Value column);
  /// The row and the column of D that item `item` of `lane` is.
  std::pair<Value, Value> positionOf(Value lane, int64_t item);

  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, value); }
  Value add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(x, y); }
  Value mul(Value x, int64_t y) { return b.createOrFold<arith::MulIOp>(x, constant(y)); }
  Value div(Value x, int64_t y) { return b.createOrFold<arith::DivUIOp>(x, constant(y)); }
  Value rem(Value x, int64_t y) { return b.createOrFold<arith::RemUIOp>(x, constant(y)); }

private:
  ImplicitLocOpBuilder &b;
  const MatrixOp &op;
};
} // namespace

/// PTX ISA, "Matrix Fragments for mma.m16n8k16", .f16 and .bf16, has a0 ... a7 at
///   groupID = lane >> 2, threadID_in_group = lane % 4
///   row = groupID for a0, a1, a4, a5, else groupID + 8
///   col = threadID_in_group * 2 + (i & 1), + 8 for i >= 4.
/// "AMD Matrix Instruction Calculator", and the manuals' tables, have A[i][k] of
///   v_mfma_f32_16x16x16 in lane i + 16 * (k / 4), item k % 4,
///   v_mfma_f32_16x16x4 in lane i + 16 * k,
///   v_wmma_f32_16x16x16 of RDNA 3 in lanes i and i + 16, item k,
///   that of RDNA 4 in lane i + 16 * (k / 8), item k % 8.
Place MatrixWriter::placeOfLeft(Value row, Value k) {
  switch (op.kind) {
  case MatrixOp::MMASync: {
    Value lane = add(mul(rem(row, 8), 4), div(rem(k, 8), 2));
    return {lane, add(add(rem(k, 2), mul(div(row, 8), 2)), mul(div(k, 8), 4))};
  }
  case MatrixOp::MFMA:
    return {add(row, mul(div(k, 4), 16)), rem(k, 4)};
  case MatrixOp::MFMA4:
    return {add(row, mul(k, 16)), constant(0)};
  case MatrixOp::WMMA11:
    // From the one or the other half: kernels must give both the same.
    return {add(row, mul(rem(k, 2), 16)), k};
  case MatrixOp::WMMA12:
    return {add(row, mul(div(k, 8), 16)), rem(k, 8)};
  }
  llvm_unreachable("all kinds are handled");
}

/// b0 ... b3 of `mma.sync`: row = threadID_in_group * 2 + (i & 1), + 8 for i >= 2; col =
/// groupID. AMD's B[k][j] are where A[j][k] is.
Place MatrixWriter::placeOfRight(Value k, Value column) {
  if (op.kind != MatrixOp::MMASync)
    return placeOfLeft(column, k);
  return {add(mul(column, 4), div(rem(k, 8), 2)), add(rem(k, 2), mul(div(k, 8), 2))};
}

/// c0 ... c3 of `mma.sync`: row = groupID, + 8 for i >= 2; col = threadID_in_group * 2 + (i &
/// 1). AMD's D[i][j] of MFMA are in lane j + 16 * (i / 4), item i % 4; of RDNA 3 in lane
/// j + 16 * (i % 2), item i / 2; of RDNA 4 in lane j + 16 * (i / 8), item i % 8.
std::pair<Value, Value> MatrixWriter::positionOf(Value lane, int64_t item) {
  Value half = div(lane, 16);
  switch (op.kind) {
  case MatrixOp::MMASync:
    return {add(div(lane, 4), constant(item >= 2 ? 8 : 0)),
            add(mul(rem(lane, 4), 2), constant(item & 1))};
  case MatrixOp::MFMA:
  case MatrixOp::MFMA4:
    return {add(mul(half, 4), constant(item)), rem(lane, 16)};
  case MatrixOp::WMMA11:
    return {add(half, constant(2 * item)), rem(lane, 16)};
  case MatrixOp::WMMA12:
    return {add(mul(half, 8), constant(item)), rem(lane, 16)};
  }
  llvm_unreachable("all kinds are handled");
}

//===----------------------------------------------------------------------===//
// Which instruction it is
//===----------------------------------------------------------------------===//

static std::optional<MatrixOp> matchMMASync(NVVM::MmaOp mma) {
  NVVM::MMAShapeAttr shape = mma.getShape();
  auto type = mma.getMultiplicandAPtxType();
  bool isHalf = type == NVVM::MMATypes::f16, isBFloat = type == NVVM::MMATypes::bf16;
  auto result = dyn_cast<LLVM::LLVMStructType>(mma.getType());
  if (shape.getM() != 16 || shape.getN() != 8 || shape.getK() != 16 || !(isHalf || isBFloat) ||
      !result || result.getBody().size() != 4 || !result.getBody().front().isF32())
    return std::nullopt;
  Builder b(mma.getContext());
  MatrixOp op{MatrixOp::MMASync, isHalf ? Type(b.getF16Type()) : b.getBF16Type(), {}, {}, 32, 8};
  llvm::append_range(op.operands, mma.getOperandA());
  llvm::append_range(op.operands, mma.getOperandB());
  llvm::append_range(op.sums, mma.getOperandC());
  return op;
}

static std::optional<MatrixOp> matchMatrix(ImplicitLocOpBuilder &b, Operation *op) {
  if (auto mma = dyn_cast<NVVM::MmaOp>(op))
    return matchMMASync(mma);
  MatrixOp result;
  bool isMFMA4 = isa<ROCDL::mfma_f32_16x16x4f32>(op);
  bool isMFMA = isMFMA4 || isa<ROCDL::mfma_f32_16x16x16f16, ROCDL::mfma_f32_16x16x16bf16_1k>(op);
  if (!isMFMA && !isa<ROCDL::wmma_f32_16x16x16_f16, ROCDL::wmma_f32_16x16x16_bf16>(op))
    return std::nullopt;
  bool isHalf = isa<ROCDL::mfma_f32_16x16x16f16, ROCDL::wmma_f32_16x16x16_f16>(op);
  auto left = dyn_cast<VectorType>(op->getOperand(0).getType());
  auto sums = dyn_cast<VectorType>(op->getResult(0).getType());
  if ((!left && !isMFMA4) || !sums)
    return std::nullopt;
  result.leftItems = isMFMA4 ? 1 : left.getNumElements();
  result.depth = isMFMA4 ? 4 : 16;
  result.kind = isMFMA4                  ? MatrixOp::MFMA4
                : isMFMA                 ? MatrixOp::MFMA
                : result.leftItems == 16 ? MatrixOp::WMMA11
                                         : MatrixOp::WMMA12;
  result.lanes = isMFMA ? 64 : 32;
  if (sums.getNumElements() != 256 / result.lanes ||
      (isMFMA && !llvm::all_of(op->getOperands().drop_front(3),
                               [](Value value) { return getConstantIntValue(value) == 0; })))
    return std::nullopt;
  result.element = isMFMA4 ? b.getF32Type() : isHalf ? Type(b.getF16Type()) : b.getBF16Type();
  result.operands = {op->getOperand(0), op->getOperand(1)};
  llvm::append_range(result.sums, vector::ToElementsOp::create(b, op->getOperand(2)).getResults());
  return result;
}

//===----------------------------------------------------------------------===//
// What it computes
//===----------------------------------------------------------------------===//

/// Products of 16 bits are exact in f32; they are added in the order of k, which manuals leave
/// open.
LogicalResult ThreadLowering::lowerMatrix(Operation *op) {
  ImplicitLocOpBuilder builder(op->getLoc(), b);
  std::optional<MatrixOp> matched = matchMatrix(builder, op);
  if (!matched)
    return op->emitOpError("cannot be emulated");
  if (matched->lanes != subgroupSize)
    return op->emitOpError("needs subgroups of ")
           << matched->lanes << " lanes, which are " << subgroupSize;
  if (blockThreads == 0 || blockThreads % subgroupSize != 0)
    return op->emitOpError("needs all lanes of a subgroup: blocks of a known size, a multiple of ")
           << subgroupSize;
  Location loc = op->getLoc();
  MatrixWriter writer(builder, *matched);
  Value slots = exchange(loc, matched->operands, index(loc, subgroupSize));
  Value lane = field(loc, ThreadOffset::Lane);
  SmallVector<std::pair<Value, Value>> positions;
  for (size_t i = 0; i < matched->sums.size(); ++i)
    positions.push_back(writer.positionOf(lane, static_cast<int64_t>(i)));

  int64_t bytes = matched->element.getIntOrFloatBitWidth() / 8;
  auto load = [&](Place place, int64_t first) -> Value {
    ABIBuilder abi = at(loc);
    Value offset = writer.add(writer.mul(place.lane, WEFT_EMULATED_SLOT),
                              writer.mul(writer.add(place.item, index(loc, first)), bytes));
    Value address = LLVM::GEPOp::create(b, loc, abi.ptr(), b.getI8Type(), slots,
                                        ArrayRef<LLVM::GEPArg>{abi.fromIndex(offset)});
    Value value = LLVM::LoadOp::create(b, loc, matched->element, address);
    return matched->element.isF32() ? value
                                    : Value(arith::ExtFOp::create(b, loc, b.getF32Type(), value));
  };
  auto loop = scf::ForOp::create(b, loc, index(loc, 0), index(loc, matched->depth), index(loc, 1),
                                 matched->sums);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    builder.setInsertionPointToStart(loop.getBody());
    Value k = loop.getInductionVar();
    SmallVector<Value> next;
    for (auto [position, sum] : llvm::zip(positions, loop.getRegionIterArgs())) {
      builder.setInsertionPointToEnd(loop.getBody());
      b.setInsertionPointToEnd(loop.getBody());
      Value left = load(writer.placeOfLeft(position.first, k), 0);
      Value right = load(writer.placeOfRight(k, position.second), matched->leftItems);
      Value product = arith::MulFOp::create(b, loc, left, right);
      next.push_back(arith::AddFOp::create(b, loc, sum, product));
    }
    scf::YieldOp::create(b, loc, next);
  }
  if (matched->kind != MatrixOp::MMASync) {
    b.replaceOpWithNewOp<vector::FromElementsOp>(op, op->getResult(0).getType(), loop.getResults());
    return success();
  }
  Value result = LLVM::PoisonOp::create(b, loc, op->getResult(0).getType());
  for (auto [i, value] : llvm::enumerate(loop.getResults()))
    result = LLVM::InsertValueOp::create(b, loc, result, value, static_cast<int64_t>(i));
  b.replaceOp(op, result);
  return success();
}
