//===- ExpandRemainders.cpp - Exact remainders of floats ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace weft {
#define GEN_PASS_DEF_EXPANDREMAINDERS
#include "targets/GPU/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// Writes x mod y for f32 or f64, on 64-bit integers.
class RemainderWriter {
public:
  RemainderWriter(ImplicitLocOpBuilder &b, FloatType type)
      : b(b), type(type), width(type.getWidth()),
        fraction(static_cast<int>(type.getFPMantissaWidth()) - 1) {}
  Value run(Value x, Value y);

private:
  /// The value is significand * 2^(exponent - bias - fraction).
  struct Parts {
    Value significand, exponent;
  };
  Value constant(int64_t value) { return arith::ConstantIntOp::create(b, value, 64); }
  Value bitsOf(Value x);
  Parts split(Value magnitude);
  Value reduce(Value significand, Value divisor, Value shift);
  Value join(Value significand, Value exponent);

  ImplicitLocOpBuilder &b;
  FloatType type;
  unsigned width;
  int fraction; ///< bits of a significand after its first one
};
} // namespace

Value RemainderWriter::bitsOf(Value x) {
  Value bits = arith::BitcastOp::create(b, b.getIntegerType(width), x);
  return width == 64 ? bits : Value(arith::ExtUIOp::create(b, b.getI64Type(), bits));
}

RemainderWriter::Parts RemainderWriter::split(Value magnitude) {
  Value biased = arith::ShRUIOp::create(b, magnitude, constant(fraction));
  Value low = arith::AndIOp::create(b, magnitude, constant((int64_t(1) << fraction) - 1));
  Value isSubnormal = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, biased, constant(0));
  Value whole = arith::OrIOp::create(b, low, constant(int64_t(1) << fraction));
  return {arith::SelectOp::create(b, isSubnormal, low, whole),
          arith::MaxUIOp::create(b, biased, constant(1))};
}

/// significand * 2^shift mod divisor, as many bits at a time as 64 have room for.
Value RemainderWriter::reduce(Value significand, Value divisor, Value shift) {
  Value start = arith::RemUIOp::create(b, significand, divisor);
  Value most = constant(64 - fraction - 1);
  auto loop = scf::WhileOp::create(
      b, TypeRange{b.getI64Type(), b.getI64Type()}, ValueRange{start, shift},
      [&](OpBuilder &, Location, ValueRange args) {
        Value goesOn = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, args[1], constant(0));
        scf::ConditionOp::create(b, goesOn, args);
      },
      [&](OpBuilder &, Location, ValueRange args) {
        Value step = arith::MinSIOp::create(b, args[1], most);
        Value shifted = arith::ShLIOp::create(b, args[0], step);
        Value rest = arith::RemUIOp::create(b, shifted, divisor);
        Value left = arith::SubIOp::create(b, args[1], step);
        scf::YieldOp::create(b, ValueRange{rest, left});
      });
  return loop.getResult(0);
}

/// The bits of significand * 2^exponent, as far to the left as it is normal.
Value RemainderWriter::join(Value significand, Value exponent) {
  Value zeros = math::CountLeadingZerosOp::create(b, significand);
  Value room = arith::SubIOp::create(b, zeros, constant(64 - fraction - 1));
  Value least = arith::SubIOp::create(b, exponent, constant(1));
  Value shift = arith::MinSIOp::create(b, room, least);
  Value shifted = arith::ShLIOp::create(b, significand, shift);
  // The first bit of a normal number adds 1 to the exponent.
  Value rest = arith::SubIOp::create(b, least, shift);
  Value high = arith::ShLIOp::create(b, rest, constant(fraction));
  Value bits = arith::AddIOp::create(b, shifted, high);
  Value isZero = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, significand, constant(0));
  return arith::SelectOp::create(b, isZero, constant(0), bits);
}

Value RemainderWriter::run(Value x, Value y) {
  int64_t signBit = width == 64 ? std::numeric_limits<int64_t>::min() : int64_t(1) << 31;
  int64_t infinity = width == 64 ? int64_t(0x7FF) << 52 : int64_t(0xFF) << 23;
  Value xBits = bitsOf(x),
        mask = constant(~signBit & (width == 64 ? int64_t(-1) : int64_t(0xFFFFFFFF)));
  Value sign = arith::AndIOp::create(b, xBits, constant(signBit));
  Value xMagnitude = arith::AndIOp::create(b, xBits, mask);
  Value yMagnitude = arith::AndIOp::create(b, bitsOf(y), mask);
  auto compare = [&](arith::CmpIPredicate predicate, Value a, Value c) -> Value {
    return arith::CmpIOp::create(b, predicate, a, c);
  };
  using P = arith::CmpIPredicate;
  // NaN, an infinite dividend, or a divisor of 0; what is computed besides is safe.
  Value isNone =
      arith::OrIOp::create(b, compare(P::eq, yMagnitude, constant(0)),
                           arith::OrIOp::create(b, compare(P::uge, xMagnitude, constant(infinity)),
                                                compare(P::ugt, yMagnitude, constant(infinity))));
  Value isSmall = compare(P::ult, xMagnitude, yMagnitude);
  Value keeps = arith::OrIOp::create(b, isNone, isSmall);
  Parts xParts = split(arith::SelectOp::create(b, keeps, constant(0), xMagnitude));
  Parts yParts = split(arith::SelectOp::create(b, keeps, constant(1), yMagnitude));
  Value shift = arith::SubIOp::create(b, xParts.exponent, yParts.exponent);
  Value rest = reduce(xParts.significand, yParts.significand, shift);
  Value bits = arith::OrIOp::create(b, join(rest, yParts.exponent), sign);
  if (width != 64)
    bits = arith::TruncIOp::create(b, b.getIntegerType(width), bits);
  Value result = arith::BitcastOp::create(b, type, bits);
  result = arith::SelectOp::create(b, isSmall, x, result);
  Value nan =
      arith::ConstantOp::create(b, b.getFloatAttr(type, APFloat::getNaN(type.getFloatSemantics())));
  return arith::SelectOp::create(b, isNone, nan, result);
}

namespace {
struct ExpandRemainders : weft::impl::ExpandRemaindersBase<ExpandRemainders> {
  void runOnOperation() override {
    SmallVector<arith::RemFOp> ops;
    getOperation()->walk([&](arith::RemFOp op) {
      if (isa<FloatType>(op.getType()))
        ops.push_back(op);
    });
    for (arith::RemFOp op : ops) {
      ImplicitLocOpBuilder b(op.getLoc(), op);
      auto type = cast<FloatType>(op.getType());
      Value x = op.getLhs(), y = op.getRhs();
      FloatType wide = type.getWidth() < 32 ? FloatType(b.getF32Type()) : type;
      if (wide != type) {
        // A remainder has no more bits than its divisor or dividend: both ways are exact.
        x = arith::ExtFOp::create(b, wide, x);
        y = arith::ExtFOp::create(b, wide, y);
      }
      Value result = RemainderWriter(b, wide).run(x, y);
      if (wide != type)
        result = arith::TruncFOp::create(b, type, result);
      op.replaceAllUsesWith(result);
      op.erase();
    }
  }
};
} // namespace
