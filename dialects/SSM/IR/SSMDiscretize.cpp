//===- SSMDiscretize.cpp - The arithmetic of discretization rules ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMRecurrence.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace weft::ssm;

using weft::IndexMath;

/// What the softplus of a larger number is: the number itself (Mamba, `F.softplus`).
static constexpr double kSoftplusThreshold = 20.0;

/// Griffin's exponent (arXiv 2402.19427, equation 4).
static constexpr double kRecurrenceGate = -8.0;

namespace {
/// Floating-point arithmetic with short names.
struct FloatMath {
  OpBuilder &b;
  Location loc;
  Type type;

  Value number(double x) const {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, x));
  }
  Value add(Value x, Value y) const { return arith::AddFOp::create(b, loc, x, y); }
  Value sub(Value x, Value y) const { return arith::SubFOp::create(b, loc, x, y); }
  Value mul(Value x, Value y) const { return arith::MulFOp::create(b, loc, x, y); }
  Value div(Value x, Value y) const { return arith::DivFOp::create(b, loc, x, y); }
  Value select(Value c, Value x, Value y) const { return arith::SelectOp::create(b, loc, c, x, y); }
  Value isZero(Value x) const {
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, x, number(0));
  }
  Value expm1(Value x) const { return math::ExpM1Op::create(b, loc, x); }
  Value sigmoid(Value x) const {
    Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
    return div(number(1), add(number(1), e));
  }
  Value softplus(Value x) const {
    Value large =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, number(kSoftplusThreshold));
    return select(large, x, math::Log1pOp::create(b, loc, math::ExpOp::create(b, loc, x)));
  }
};

/// The operands at one position; null where there are none.
struct Sample {
  Value delta, rate, imag, bias, gate;
};
} // namespace

/// (x + i y) / (u + i v), 0 for 0 / 0.
static std::pair<Value, Value> divideComplex(const FloatMath &f, Value x, Value y, Value u,
                                             Value v) {
  Value norm = f.add(f.mul(u, u), f.mul(v, v));
  Value re = f.add(f.mul(x, u), f.mul(y, v)), im = f.sub(f.mul(y, u), f.mul(x, v));
  return {f.div(re, norm), f.div(im, norm)};
}

/// Decay, angle and factor of a complex rate a + ib.
static SmallVector<Value> discretizeComplex(const FloatMath &f, Rule rule, Value x, Value a,
                                            Value b) {
  Value re = f.mul(x, a), im = f.mul(x, b), half = f.number(0.5), one = f.number(1);
  if (rule == Rule::Bilinear) {
    Value hr = f.mul(half, re), hi = f.mul(half, im);
    Value down = f.sub(one, hr), negative = f.sub(f.number(0), hi);
    auto [decay, angle] = divideComplex(f, f.add(one, hr), hi, down, negative);
    auto [factor, factorIm] = divideComplex(f, x, f.number(0), down, negative);
    return {decay, angle, factor, factorIm};
  }
  // exp(z) - 1 without cancellation, for z = re + i im.
  Value sine = math::SinOp::create(f.b, f.loc, im), cosine = math::CosOp::create(f.b, f.loc, im);
  Value halfSine = math::SinOp::create(f.b, f.loc, f.mul(half, im));
  Value real = f.sub(f.mul(f.expm1(re), cosine), f.mul(f.number(2), f.mul(halfSine, halfSine)));
  Value imaginary = f.mul(math::ExpOp::create(f.b, f.loc, re), sine);
  auto [factor, factorIm] = divideComplex(f, real, imaginary, a, b);
  Value still = arith::AndIOp::create(f.b, f.loc, f.isZero(a), f.isZero(b));
  return {re, im, f.select(still, x, factor), f.select(still, f.number(0), factorIm)};
}

/// The results of a rule for the step `x` with a real rate.
static SmallVector<Value> discretizeReal(const FloatMath &f, Rule rule, Value x, Value rate,
                                         Value gate) {
  Value z = rate ? f.mul(x, rate) : x, one = f.number(1), half = f.number(0.5);
  switch (rule) {
  case Rule::ZeroOrderHold:
    return {z, f.select(f.isZero(rate), x, f.div(f.expm1(z), rate))};
  case Rule::ExponentialEuler:
    return {z, x};
  case Rule::Euler:
    return {f.add(one, z), x};
  case Rule::Bilinear: {
    Value down = f.sub(one, f.mul(half, z));
    return {f.div(f.add(one, f.mul(half, z)), down), f.div(x, down)};
  }
  case Rule::Trapezoid: {
    Value here = f.mul(x, f.sigmoid(gate));
    Value before = f.mul(x, f.sigmoid(arith::NegFOp::create(f.b, f.loc, gate)));
    return {z, here, before};
  }
  case Rule::RGLRU: {
    Value decay = f.mul(f.mul(f.number(kRecurrenceGate), f.sigmoid(x)), f.softplus(rate));
    Value rest = f.expm1(f.mul(f.number(2), decay));
    return {decay, math::SqrtOp::create(f.b, f.loc, f.sub(f.number(0), rest))};
  }
  }
  llvm_unreachable("all rules are above");
}

static SmallVector<Value> discretize(const FloatMath &f, DiscretizeOp op, const Sample &at) {
  Value x = at.bias ? f.add(at.delta, at.bias) : at.delta;
  if (op.getSoftplus())
    x = f.softplus(x);
  if (op.getLow())
    x = arith::MaximumFOp::create(f.b, f.loc, x, f.number(op.getLow()->convertToDouble()));
  if (op.getHigh())
    x = arith::MinimumFOp::create(f.b, f.loc, x, f.number(op.getHigh()->convertToDouble()));
  if (at.imag)
    return discretizeComplex(f, op.getRule(), x, at.rate, at.imag);
  return discretizeReal(f, op.getRule(), x, at.rate, at.gate);
}

/// Sets the factor of the first token of each sequence to 1.
static Value resetFactors(OpBuilder &b, DiscretizeOp op, Value factor) {
  Location loc = op.getLoc();
  IndexMath m{b, loc};
  RankedTensorType type = typeOf(factor);
  if (isStaticallyEmpty(type))
    return factor;
  Value count = m.sub(m.dim(op.getOffsets(), 0), m.constant(1)), tokens = m.dim(factor, 1);
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1),
               width = tensor::getMixedSize(b, loc, factor, 2);
  auto loop = scf::ForOp::create(
      b, loc, m.constant(0), count, m.constant(1), factor,
      [&](OpBuilder &b, Location loc, Value sequence, ValueRange args) {
        IndexMath m{b, loc};
        Value raw = tensor::ExtractOp::create(b, loc, op.getOffsets(), sequence);
        Value token = arith::IndexCastOp::create(b, loc, b.getIndexType(), raw);
        Value exists = m.both(m.cmp(arith::CmpIPredicate::sge, token, m.constant(0)),
                              m.cmp(arith::CmpIPredicate::slt, token, tokens));
        auto set = scf::IfOp::create(
            b, loc, exists,
            [&](OpBuilder &b, Location loc) {
              OpFoldResult offsets[] = {zero, token, zero}, sizes[] = {one, one, width},
                           strides[] = {one, one, one};
              Value row =
                  tensor::ExtractSliceOp::create(b, loc, sliceType(type.getElementType(), {width}),
                                                 args[0], offsets, sizes, strides);
              Value number =
                  arith::ConstantOp::create(b, loc, b.getFloatAttr(type.getElementType(), 1.0));
              Value ones = linalg::FillOp::create(b, loc, number, row).getResult(0);
              Value written =
                  tensor::InsertSliceOp::create(b, loc, ones, args[0], offsets, sizes, strides);
              scf::YieldOp::create(b, loc, written);
            },
            [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, args); });
        scf::YieldOp::create(b, loc, set.getResults());
      });
  return loop.getResult(0);
}

FailureOr<SmallVector<Value>> DiscretizeOp::lowerToReference(OpBuilder &b) {
  MLIRContext *context = getContext();
  int64_t rank = typeOf(getInits()[0]).getRank();
  Type compute = computeTypeOf(typeOf(getDelta()).getElementType());
  AffineExpr batch = getAffineDimExpr(0, context), token = getAffineDimExpr(1, context),
             channel = getAffineDimExpr(2, context);
  auto map = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(rank, 0, exprs, context); };
  AffineMap tokens = map({batch, token, channel}), channels = map(channel);
  AffineMap rates = rank == 4 ? map({channel, getAffineDimExpr(3, context)}) : channels;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (auto [value, map] : {std::pair<Value, AffineMap>(getDelta(), tokens),
                            {getRate(), rates},
                            {getImag(), rates},
                            {getBias(), channels},
                            {getGate(), tokens}})
    if (value) {
      inputs.push_back(value);
      maps.push_back(map);
    }
  maps.append(getInits().size(), AffineMap::getMultiDimIdentityMap(rank, context));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      b, getLoc(), TypeRange(getInits()), inputs, getInits(), maps, loops,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        unsigned next = 0;
        auto take = [&](Value operand) -> Value {
          return operand ? convertFloat(b, loc, args[next++], compute) : Value();
        };
        Sample at;
        at.delta = take(getDelta());
        at.rate = take(getRate());
        at.imag = take(getImag());
        at.bias = take(getBias());
        at.gate = take(getGate());
        SmallVector<Value> results = discretize(FloatMath{b, loc, compute}, *this, at);
        for (auto [result, init] : llvm::zip(results, getInits()))
          result = convertFloat(b, loc, result, typeOf(init).getElementType());
        linalg::YieldOp::create(b, loc, results);
      });
  SmallVector<Value> results(generic.getResults());
  if (getOffsets())
    results[1] = resetFactors(b, *this, results[1]);
  return results;
}
