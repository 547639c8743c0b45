//===- MathBuilder.cpp - Arithmetic on values under construction ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Vector/MathBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace weft;

/// `like` with another element type.
static Type withElementType(Type like, Type element) {
  if (auto vector = dyn_cast<VectorType>(like))
    return vector.clone(element);
  return element;
}

static Num constantOf(Num like, TypedAttr element) {
  TypedAttr attribute = element;
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    attribute = DenseElementsAttr::get(vector, Attribute(element));
  ImplicitLocOpBuilder &builder = like.getBuilder();
  return Num(builder, arith::ConstantOp::create(builder, attribute));
}

bool Num::isFloat() const { return isa<FloatType>(getElementTypeOrSelf(value)); }

unsigned Num::getWidth() const { return getElementTypeOrSelf(value).getIntOrFloatBitWidth(); }

Num Num::constant(double number) const {
  Type element = getElementTypeOrSelf(value);
  assert(isa<FloatType>(element) && "a float constant of an integer type");
  return constantOf(*this, FloatAttr::get(element, number));
}

Num Num::constant(int64_t number) const {
  Type element = getElementTypeOrSelf(value);
  if (isa<FloatType>(element))
    return constant(static_cast<double>(number));
  APInt bits(getWidth(), static_cast<uint64_t>(number), /*isSigned=*/false,
             /*implicitTrunc=*/true);
  return constantOf(*this, IntegerAttr::get(element, bits));
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

template <typename OpTy, typename... Args> static Num make(Num first, Args... rest) {
  ImplicitLocOpBuilder &builder = first.getBuilder();
  return Num(builder, OpTy::create(builder, first.get(), rest...).getResult());
}

template <typename OpTy> static Num convert(Num x, Type element) {
  ImplicitLocOpBuilder &builder = x.getBuilder();
  Type type = withElementType(x.getType(), element);
  return Num(builder, OpTy::create(builder, type, x.get()).getResult());
}

template <typename FloatOp, typename IntegerOp> static Num makeByType(Num a, Num b) {
  return a.isFloat() ? make<FloatOp>(a, b.get()) : make<IntegerOp>(a, b.get());
}

static Num compare(Num a, Num b, arith::CmpFPredicate forFloats, arith::CmpIPredicate forIntegers) {
  ImplicitLocOpBuilder &builder = a.getBuilder();
  if (a.isFloat())
    return Num(builder, arith::CmpFOp::create(builder, forFloats, a.get(), b.get()));
  return Num(builder, arith::CmpIOp::create(builder, forIntegers, a.get(), b.get()));
}

namespace weft {

Num operator+(Num a, Num b) { return makeByType<arith::AddFOp, arith::AddIOp>(a, b); }
Num operator-(Num a, Num b) { return makeByType<arith::SubFOp, arith::SubIOp>(a, b); }
Num operator*(Num a, Num b) { return makeByType<arith::MulFOp, arith::MulIOp>(a, b); }
Num operator/(Num a, Num b) { return make<arith::DivFOp>(a, b.get()); }
Num operator-(Num a) { return a.isFloat() ? make<arith::NegFOp>(a) : a.constant(0) - a; }
Num operator&(Num a, Num b) { return make<arith::AndIOp>(a, b.get()); }
Num operator|(Num a, Num b) { return make<arith::OrIOp>(a, b.get()); }
Num operator^(Num a, Num b) { return make<arith::XOrIOp>(a, b.get()); }
Num operator!(Num a) { return a ^ a.constant(-1); }

Num operator<(Num a, Num b) {
  return compare(a, b, arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt);
}
Num operator<=(Num a, Num b) {
  return compare(a, b, arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle);
}
Num operator>(Num a, Num b) {
  return compare(a, b, arith::CmpFPredicate::OGT, arith::CmpIPredicate::sgt);
}
Num operator>=(Num a, Num b) {
  return compare(a, b, arith::CmpFPredicate::OGE, arith::CmpIPredicate::sge);
}
Num operator==(Num a, Num b) {
  return compare(a, b, arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq);
}
Num operator!=(Num a, Num b) {
  return compare(a, b, arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne);
}

Num fma(Num a, Num b, Num c) { return make<math::FmaOp>(a, b.get(), c.get()); }

Num select(Num condition, Num a, Num b) {
  return make<arith::SelectOp>(condition, a.get(), b.get());
}

Num abs(Num x) { return make<math::AbsFOp>(x); }
Num sqrt(Num x) { return make<math::SqrtOp>(x); }
Num truncate(Num x) { return make<math::TruncOp>(x); }
Num roundEven(Num x) { return make<math::RoundEvenOp>(x); }
Num copySign(Num magnitude, Num sign) { return make<math::CopySignOp>(magnitude, sign.get()); }
Num isNaN(Num x) {
  ImplicitLocOpBuilder &builder = x.getBuilder();
  return Num(builder, arith::CmpFOp::create(builder, arith::CmpFPredicate::UNO, x.get(), x.get()));
}

// The order of the operands lets x86 select one vminps or vmaxps, which give
// their second operand where one is NaN.
Num atMost(Num x, double bound) {
  Num limit = x.constant(bound);
  return select(limit < x, limit, x);
}
Num atLeast(Num x, double bound) {
  Num limit = x.constant(bound);
  return select(limit > x, limit, x);
}

Num toBits(Num x) {
  return convert<arith::BitcastOp>(x, x.getBuilder().getIntegerType(x.getWidth()));
}
Num fromBits(Num x) {
  ImplicitLocOpBuilder &builder = x.getBuilder();
  return convert<arith::BitcastOp>(x, x.getWidth() == 64 ? Type(builder.getF64Type())
                                                         : Type(builder.getF32Type()));
}
Num shiftLeft(Num x, int amount) { return make<arith::ShLIOp>(x, x.constant(amount).get()); }
Num shiftRight(Num x, int amount) { return make<arith::ShRUIOp>(x, x.constant(amount).get()); }

// There is no conversion of i64 before AVX-512: the integer becomes the low
// bits of a number in [2^52, 2^53).
Num exponentToFloat(Num x) {
  if (x.getWidth() == 64)
    return fromBits(x | x.constant(0x4330000000000000)) - (0x1p52 + 1023);
  return convert<arith::SIToFPOp>(x, x.getBuilder().getF32Type()) - 127;
}
Num toDouble(Num x) { return convert<arith::SIToFPOp>(x, x.getBuilder().getF64Type()); }
Num extend(Num x) { return convert<arith::ExtFOp>(x, x.getBuilder().getF64Type()); }
Num narrow(Num x) { return convert<arith::TruncFOp>(x, x.getBuilder().getF32Type()); }

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

/// Whether an i1 holds in some lane.
static Value anyLane(Num condition) {
  ImplicitLocOpBuilder &builder = condition.getBuilder();
  auto type = dyn_cast<VectorType>(condition.getType());
  if (!type)
    return condition.get();
  Value flat = condition.get();
  if (type.getRank() != 1) {
    auto flatType = VectorType::get({type.getNumElements()}, type.getElementType());
    flat = vector::ShapeCastOp::create(builder, flatType, flat);
  }
  return vector::ReductionOp::create(builder, vector::CombiningKind::OR, flat);
}

static SmallVector<Value> valuesOf(ArrayRef<Num> nums) {
  return llvm::map_to_vector(nums, [](Num num) { return num.get(); });
}

static SmallVector<Num> numsOf(ImplicitLocOpBuilder &builder, ValueRange values) {
  return llvm::map_to_vector(values, [&](Value value) { return Num(builder, value); });
}

SmallVector<Num> replaceWhereRare(Num condition, ArrayRef<Num> usual,
                                  llvm::function_ref<SmallVector<Num>()> rare) {
  ImplicitLocOpBuilder &builder = condition.getBuilder();
  SmallVector<Value> usualValues = valuesOf(usual);
  auto branch = scf::IfOp::create(builder, ValueRange(usualValues).getTypes(), anyLane(condition),
                                  /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(branch.thenBlock());
  SmallVector<Value> merged;
  for (auto [replacement, value] : llvm::zip_equal(rare(), usual))
    merged.push_back(select(condition, replacement, value).get());
  scf::YieldOp::create(builder, merged);
  builder.setInsertionPointToEnd(branch.elseBlock());
  scf::YieldOp::create(builder, usualValues);
  return numsOf(builder, branch.getResults());
}

static SmallVector<Num> loop(int64_t count, ArrayRef<Num> initial,
                             llvm::function_ref<SmallVector<Num>(Value, ArrayRef<Num>)> body) {
  ImplicitLocOpBuilder &builder = initial.front().getBuilder();
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  Value end = arith::ConstantIndexOp::create(builder, count);
  SmallVector<Value> start = valuesOf(initial);
  auto loop = scf::ForOp::create(builder, zero, end, one, start);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(loop.getBody());
  SmallVector<Num> carried =
      body(loop.getInductionVar(), numsOf(builder, loop.getRegionIterArgs()));
  scf::YieldOp::create(builder, valuesOf(carried));
  return numsOf(builder, loop.getResults());
}

SmallVector<Num> forEachEntry(ArrayRef<double> table, ArrayRef<Num> initial,
                              llvm::function_ref<SmallVector<Num>(Num, ArrayRef<Num>)> body) {
  Num first = initial.front();
  ImplicitLocOpBuilder &builder = first.getBuilder();
  auto tableType = VectorType::get({static_cast<int64_t>(table.size())}, builder.getF64Type());
  Value entries = arith::ConstantOp::create(builder, DenseElementsAttr::get(tableType, table));
  Type type = withElementType(first.getType(), builder.getF64Type());
  return loop(table.size(), initial, [&](Value index, ArrayRef<Num> carried) {
    Value entry = vector::ExtractOp::create(builder, entries, OpFoldResult(index));
    if (isa<VectorType>(type))
      entry = vector::BroadcastOp::create(builder, type, entry);
    return body(Num(builder, entry), carried);
  });
}

SmallVector<Num> repeat(int64_t count, ArrayRef<Num> initial,
                        llvm::function_ref<SmallVector<Num>(ArrayRef<Num>)> body) {
  return loop(count, initial, [&](Value, ArrayRef<Num> carried) { return body(carried); });
}

//===----------------------------------------------------------------------===//
// Compositions
//===----------------------------------------------------------------------===//

Num polynomial(Num x, ArrayRef<double> coefficients) {
  Num result = x.constant(coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    result = fma(result, x, x.constant(coefficient));
  return result;
}

DoubleNum twoSum(Num a, Num b) {
  Num hi = a + b;
  Num bPart = hi - a;
  return {hi, (a - (hi - bPart)) + (b - bPart)};
}

DoubleNum fastTwoSum(Num a, Num b) {
  Num hi = a + b;
  return {hi, b - (hi - a)};
}

DoubleNum twoProduct(Num a, Num b) {
  Num hi = a * b;
  return {hi, fma(a, b, -hi)};
}

DoubleNum multiply(DoubleNum a, DoubleNum b) {
  DoubleNum product = twoProduct(a.hi, b.hi);
  Num lo = fma(a.hi, b.lo, fma(a.lo, b.hi, product.lo));
  return fastTwoSum(product.hi, lo);
}

} // namespace weft
