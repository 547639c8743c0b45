//===- StateSpaceMethods.cpp - State-space models as configurations -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/MethodBuilder.h"
#include "dialects/SSM/IR/SSMRecurrence.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weft::ssm;

using utils::IteratorType;
using weft::IndexMath;

Result weft::ssm::buildMamba(OpBuilder &b, Location loc, Value u, Value delta, Value rate,
                             Value inject, Value read, Value skip, Value bias, Value gate,
                             const Sequences &sequences) {
  MethodBuilder m(b, loc, u);
  Type element = typeOf(u).getElementType();
  Value step =
      discretize(m, Rule::ExponentialEuler, delta, {}, {}, bias, {}, {}, true, delta, 2)[0];
  ScanOperands o;
  o.query = m.expand(read, 2);
  o.key = m.expand(inject, 2);
  o.value = m.expand(m.product("btd,btd->btd", {step, u}), 3);
  o.decay = step;
  o.rate = rate;
  Result result = createScan(m, State::Outer, Transition::Diagonal, o, sequences, m.compute);
  result.output = m.collapse(result.output, 3);
  if (skip)
    result.output = addSkip(m, "btd,d,btd->btd", result.output, skip, u, m.compute);
  auto gated = [](OpBuilder &b, Location loc, ValueRange args) -> Value {
    if (args.size() == 1)
      return args[0];
    Value silu = arith::MulFOp::create(b, loc, args[1], sigmoid(b, loc, args[1]));
    return arith::MulFOp::create(b, loc, args[0], silu);
  };
  if (gate)
    result.output = m.einsum("btd,btd->btd", {result.output, gate}, gated, element);
  else if (element != m.compute)
    result.output = m.einsum("btd->btd", result.output, gated, element);
  return result;
}

Result weft::ssm::buildMamba2(OpBuilder &b, Location loc, Value x, Value delta, Value rate,
                              Value bias, Value inject, Value read, Value skip,
                              const Sequences &sequences) {
  MethodBuilder m(b, loc, x);
  Type element = typeOf(x).getElementType();
  Value step =
      discretize(m, Rule::ExponentialEuler, delta, {}, {}, bias, {}, {}, true, delta, 2)[0];
  ScanOperands o;
  o.query = read;
  o.key = inject;
  o.value = m.product("bth,bthv->bthv", {step, x});
  o.decay = step;
  o.rate = rate;
  // The groups of keys are fewer than the heads of values.
  Result result =
      createScan(m, State::Outer, Transition::Scalar, o, sequences, skip ? m.compute : element);
  if (skip)
    result.output = addSkip(m, "bthv,h,bthv->bthv", result.output, skip, x, element);
  return result;
}

namespace {
/// Keys and values of Mamba-3: of each token those of the one before, decayed and rotated
/// as the state is, and its own.
struct TrapezoidTokens {
  Value x, inject, angle, decay, here, before;

  /// Element (b, t, h, k) of the key of the token before, in its state after the
  /// transition of token t.
  Value rotatedKey(OpBuilder &b, Location loc, Type type, ArrayRef<Value> at, Value previous) const;
};
} // namespace

static Value readFloat(OpBuilder &b, Location loc, Value tensor, ArrayRef<Value> at, Type type) {
  return convertFloat(b, loc, tensor::ExtractOp::create(b, loc, tensor, at), type);
}

Value TrapezoidTokens::rotatedKey(OpBuilder &b, Location loc, Type type, ArrayRef<Value> at,
                                  Value previous) const {
  IndexMath m{b, loc};
  Value two = m.constant(2), pair = m.div(at[3], two), odd = m.rem(at[3], two);
  Value first = m.mul(pair, two), second = m.add(first, m.constant(1));
  Value re = readFloat(b, loc, inject, {at[0], previous, at[2], first}, type);
  Value im = readFloat(b, loc, inject, {at[0], previous, at[2], second}, type);
  Value turn = readFloat(b, loc, angle, {at[0], at[1], at[2], pair}, type);
  Value cosine = math::CosOp::create(b, loc, turn), sine = math::SinOp::create(b, loc, turn);
  auto mul = [&](Value x, Value y) -> Value { return arith::MulFOp::create(b, loc, x, y); };
  Value real = arith::SubFOp::create(b, loc, mul(cosine, re), mul(sine, im));
  Value imaginary = arith::AddFOp::create(b, loc, mul(sine, re), mul(cosine, im));
  Value isEven = m.cmp(arith::CmpIPredicate::eq, odd, m.constant(0));
  Value key = m.select(isEven, real, imaginary);
  Value weight = mul(math::ExpOp::create(b, loc, readFloat(b, loc, decay, at.take_front(3), type)),
                     readFloat(b, loc, before, at.take_front(3), type));
  return mul(weight, key);
}

/// A tensor [B, 2 T, H, last], the two substeps of each token.
static Value
createSubsteps(MethodBuilder m, Value like,
               llvm::function_ref<Value(OpBuilder &, Location, ArrayRef<Value>, Value)> before,
               llvm::function_ref<Value(OpBuilder &, Location, ArrayRef<Value>)> here) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(m.b, m.loc, like);
  sizes.insert(sizes.begin() + 2, m.b.getIndexAttr(2));
  SmallVector<IteratorType> loops(5, IteratorType::parallel);
  Value both =
      createGeneric(m.b, m.loc, {}, m.empty(sizes), m.b.getMultiDimIdentityMap(5), loops, m.compute,
                    [&](OpBuilder &b, Location loc, ValueRange) {
                      IndexMath index{b, loc};
                      SmallVector<Value> at;
                      for (int64_t i : {0, 1, 3, 4})
                        at.push_back(linalg::IndexOp::create(b, loc, i));
                      Value zero = index.constant(0), substep = linalg::IndexOp::create(b, loc, 2);
                      Value isFirst = index.cmp(arith::CmpIPredicate::eq, at[1], zero);
                      Value previous =
                          arith::MaxSIOp::create(b, loc, index.sub(at[1], index.constant(1)), zero);
                      Value none = arith::ConstantOp::create(b, loc, b.getZeroAttr(m.compute));
                      Value old = index.select(isFirst, none, before(b, loc, at, previous));
                      Value isOld = index.cmp(arith::CmpIPredicate::eq, substep, zero);
                      return index.select(isOld, old, here(b, loc, at));
                    });
  return m.collapse(both, 2);
}

Result weft::ssm::buildMamba3(OpBuilder &b, Location loc, Value x, Value delta, Value gate,
                              Value rate, Value inject, Value read, Value angle,
                              const Sequences &sequences) {
  MethodBuilder m(b, loc, x);
  TrapezoidTokens tokens{x, inject, angle};
  tokens.decay = m.product("bth,bth->bth", {delta, rate});
  auto weigh = [](bool here) {
    return [here](OpBuilder &b, Location loc, ValueRange args) -> Value {
      Value gate = here ? args[1] : Value(arith::NegFOp::create(b, loc, args[1]));
      return arith::MulFOp::create(b, loc, args[0], sigmoid(b, loc, gate));
    };
  };
  tokens.here = m.einsum("bth,bth->bth", {delta, gate}, weigh(true));
  tokens.before = m.einsum("bth,bth->bth", {delta, gate}, weigh(false));
  ScanOperands o;
  o.substeps = 2;
  o.query = read;
  o.key = createSubsteps(
      m, inject,
      [&](OpBuilder &b, Location loc, ArrayRef<Value> at, Value previous) {
        return tokens.rotatedKey(b, loc, m.compute, at, previous);
      },
      [&](OpBuilder &b, Location loc, ArrayRef<Value> at) -> Value {
        return arith::MulFOp::create(b, loc, readFloat(b, loc, inject, at, m.compute),
                                     readFloat(b, loc, tokens.here, at.take_front(3), m.compute));
      });
  o.value = createSubsteps(
      m, x,
      [&](OpBuilder &b, Location loc, ArrayRef<Value> at, Value previous) {
        return readFloat(b, loc, x, {at[0], previous, at[2], at[3]}, m.compute);
      },
      [&](OpBuilder &b, Location loc, ArrayRef<Value> at) {
        return readFloat(b, loc, x, at, m.compute);
      });
  o.decay = tokens.decay;
  o.angle = angle;
  return createScan(m, State::Outer, Transition::Rotation, o, sequences,
                    typeOf(x).getElementType());
}

namespace {
/// A discretized complex diagonal system: of shapes [1, 1, ...] of the rate.
struct DiagonalSystem {
  Value decay, angle;
  Complex factor;
};
} // namespace

static DiagonalSystem discretizeDiagonal(MethodBuilder m, Rule rule, Value delta, Complex rate) {
  Value like = m.expand(m.expand(rate.re, 0), 0);
  Value steps = m.expand(m.expand(delta, 0), 0);
  ValueRange results =
      discretize(m, rule, steps, rate.re, rate.im, {}, {}, {}, /*softplus=*/false, like, 4);
  return {results[0], results[1], {results[2], results[3]}};
}

/// The product of complex numbers, elementwise.
static Complex multiplyComplex(MethodBuilder m, StringRef spec, Complex x, Complex y) {
  std::string terms = (spec.split("->").first + "," + spec).str();
  auto combine = [&](bool real) {
    return [real](OpBuilder &b, Location loc, ValueRange args) -> Value {
      Value p = arith::MulFOp::create(b, loc, args[0], args[real ? 1 : 3]);
      Value q = arith::MulFOp::create(b, loc, args[2], args[real ? 3 : 1]);
      if (real)
        return arith::SubFOp::create(b, loc, p, q);
      return arith::AddFOp::create(b, loc, p, q);
    };
  };
  Value operands[] = {x.re, y.re, x.im, y.im};
  return {m.einsum(terms, operands, combine(true)), m.einsum(terms, operands, combine(false))};
}

/// (2 Re C, -2 Im C), alternating: what reads twice the real part of C h.
static Value readingVector(MethodBuilder m, Complex read) {
  auto scaled = [&](Value x, double factor) {
    return m.einsum("ab->ab", x, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
      Value number = arith::ConstantOp::create(b, loc, b.getFloatAttr(m.compute, factor));
      return arith::MulFOp::create(b, loc, args[0], number);
    });
  };
  return m.interleave(scaled(read.re, 2), scaled(read.im, -2));
}

Result weft::ssm::buildS4D(OpBuilder &b, Location loc, Value u, Value delta, Complex rate,
                           Complex inject, Complex read, Value skip, Rule rule,
                           const Sequences &sequences) {
  MethodBuilder m(b, loc, u);
  Type element = typeOf(u).getElementType();
  DiagonalSystem system = discretizeDiagonal(m, rule, delta, rate);
  Complex key = multiplyComplex(m, "11dn,dn->dn", system.factor, inject);
  auto forAll = [&](Value x) { return m.expand(m.expand(x, 0), 0); };
  ScanOperands o;
  o.query = forAll(readingVector(m, read));
  o.key = forAll(m.interleave(key.re, key.im));
  o.value = m.expand(u, 3);
  o.decay = system.decay;
  o.angle = system.angle;
  o.linear = rule == Rule::Bilinear;
  Result result = createScan(m, State::Outer, Transition::ComplexDiagonal, o, sequences,
                             skip ? m.compute : element);
  result.output = m.collapse(result.output, 3);
  if (skip)
    result.output = addSkip(m, "btd,d,btd->btd", result.output, skip, u, element);
  return result;
}

Result weft::ssm::buildS5(OpBuilder &b, Location loc, Value u, Value delta, Complex rate,
                          Complex inject, Complex read, Value skip, Rule rule,
                          const Sequences &sequences) {
  MethodBuilder m(b, loc, u);
  Type element = typeOf(u).getElementType();
  DiagonalSystem system = discretizeDiagonal(m, rule, delta, rate);
  Complex factors = multiplyComplex(m, "11p,pu->pu", system.factor, inject);
  auto contracted = [&](Value matrix) { return m.product("pu,btu->btp", {matrix, u}); };
  ScanOperands o;
  o.value = m.expand(m.interleave(contracted(factors.re), contracted(factors.im)), 2);
  o.decay = m.expand(system.decay, 2);
  o.angle = m.expand(system.angle, 2);
  o.linear = rule == Rule::Bilinear;
  Result result =
      createScan(m, State::Vector, Transition::ComplexDiagonal, o, sequences, m.compute);
  Value states = m.collapse(result.output, 2);
  result.output = m.product("btp,up->btu", {states, readingVector(m, read)});
  if (skip)
    result.output = addSkip(m, "btu,u,btu->btu", result.output, skip, u, element);
  else if (element != m.compute)
    result.output = m.product("btu->btu", result.output, element);
  return result;
}

/// exp of a square matrix by scaling, Taylor's series and squaring.
static SmallVector<double> exponential(SmallVector<double> matrix, int64_t size) {
  double norm = 0;
  for (double x : matrix)
    norm = std::max(norm, std::abs(x) * size);
  int halvings = norm > 0.25 ? static_cast<int>(std::ceil(std::log2(norm * 4))) : 0;
  for (double &x : matrix)
    x = std::ldexp(x, -halvings);
  auto multiply = [&](ArrayRef<double> x, ArrayRef<double> y) {
    SmallVector<double> result(size * size, 0.0);
    for (int64_t i = 0; i < size; ++i)
      for (int64_t k = 0; k < size; ++k)
        for (int64_t j = 0; j < size; ++j)
          result[i * size + j] += x[i * size + k] * y[k * size + j];
    return result;
  };
  SmallVector<double> result(size * size, 0.0), term;
  for (int64_t i = 0; i < size; ++i)
    result[i * size + i] = 1;
  term = result;
  for (int n = 1; n <= 18; ++n) {
    term = multiply(term, matrix);
    for (auto [sum, x] : llvm::zip(result, term)) {
      x /= n;
      sum += x;
    }
  }
  for (int i = 0; i < halvings; ++i)
    result = multiply(result, result);
  return result;
}

Result weft::ssm::buildLMU(OpBuilder &b, Location loc, Value u, int64_t order, double theta,
                           Rule rule, const Sequences &sequences) {
  MethodBuilder m(b, loc, u);
  // [A B; 0 0]: its exponential has both matrices of the zero-order hold.
  int64_t size = order + 1;
  SmallVector<double> system(size * size, 0.0);
  for (int64_t i = 0; i < order; ++i) {
    double scale = static_cast<double>(2 * i + 1) / theta;
    for (int64_t j = 0; j < order; ++j)
      system[i * size + j] = scale * (i < j || (i - j) % 2 == 0 ? -1 : 1);
    system[i * size + order] = scale * (i % 2 == 0 ? 1 : -1);
  }
  SmallVector<double> steps = system;
  if (rule == Rule::Euler) {
    for (int64_t i = 0; i < size; ++i)
      steps[i * size + i] += 1;
  } else {
    steps = exponential(system, size);
  }
  SmallVector<double> matrix, inject;
  for (int64_t i = 0; i < order; ++i) {
    matrix.append(steps.begin() + i * size, steps.begin() + i * size + order);
    inject.push_back(steps[i * size + order]);
  }
  ScanOperands o;
  o.matrix = m.constant({1, order, order}, matrix);
  o.key = m.constant({1, 1, 1, order}, inject);
  o.value = m.expand(u, 2);
  Result result =
      createScan(m, State::Outer, Transition::DenseLTI, o, sequences, typeOf(u).getElementType());
  result.output = m.collapse(result.output, 2);
  return result;
}

Result weft::ssm::buildRGLRU(OpBuilder &b, Location loc, Value x, Value recurrenceGate,
                             Value inputGate, Value lambda, const Sequences &sequences) {
  MethodBuilder m(b, loc, x);
  ValueRange steps = discretize(m, Rule::RGLRU, recurrenceGate, lambda, {}, {}, {},
                                sequences.offsets, /*softplus=*/false, recurrenceGate, 2);
  Value value = m.einsum("btd,btd,btd->btd", {steps[1], inputGate, x},
                         [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                           Value gated =
                               arith::MulFOp::create(b, loc, sigmoid(b, loc, args[1]), args[2]);
                           return arith::MulFOp::create(b, loc, args[0], gated);
                         });
  ScanOperands o;
  o.value = m.expand(value, 2);
  o.decay = m.expand(steps[0], 2);
  Result result =
      createScan(m, State::Vector, Transition::Diagonal, o, sequences, typeOf(x).getElementType());
  result.output = m.collapse(result.output, 2);
  return result;
}
