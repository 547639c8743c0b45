//===- Methods.cpp - Published methods as configurations ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/Methods.h"
#include "dialects/SSM/IR/SSMRecurrence.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weft::ssm;

using utils::IteratorType;
using weft::IndexMath;

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

namespace {
/// Builds what surrounds the scans. Intermediate tensors have the compute type.
struct MethodBuilder {
  OpBuilder &b;
  Location loc;
  Type compute;

  using Body = llvm::function_ref<Value(OpBuilder &, Location, ValueRange)>;

  MethodBuilder(OpBuilder &b, Location loc, Value like)
      : b(b), loc(loc), compute(computeTypeOf(typeOf(like).getElementType())) {}

  /// As NumPy's einsum, of any body instead of a product; what is not in the result is
  /// summed up. '1' is an extent of 1.
  Value einsum(StringRef spec, ValueRange inputs, Body body, Type element = {});
  Value product(StringRef spec, ValueRange inputs, Type element = {});
  Value empty(ArrayRef<OpFoldResult> sizes, Type element = {}) {
    return tensor::EmptyOp::create(b, loc, sizes, element ? element : compute);
  }
  OpFoldResult size(Value tensor, int64_t dim) { return tensor::getMixedSize(b, loc, tensor, dim); }
  /// Inserts an extent of 1 at `dim`.
  Value expand(Value tensor, int64_t dim);
  /// Merges `dim` with the dimension before it.
  Value collapse(Value tensor, int64_t dim);
  /// [..., N] and [..., N] as [..., 2N], alternating.
  Value interleave(Value x, Value y);
  /// A constant of the compute type.
  Value constant(ArrayRef<int64_t> shape, ArrayRef<double> values);
};

/// The operands of a scan, by name.
struct ScanOperands {
  Value query, key, value, decay, rate, angle, alpha, beta, matrix, bonus;
  bool linear = false;
  Read read = Read::Post;
  int64_t substeps = 1;
};
} // namespace

Value MethodBuilder::einsum(StringRef spec, ValueRange inputs, Body body, Type element) {
  auto [left, output] = spec.split("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  std::string loops = output.str();
  for (StringRef term : terms)
    for (char letter : term)
      if (letter != '1' && !StringRef(loops).contains(letter))
        loops += letter;
  auto mapOf = [&](StringRef term) {
    SmallVector<AffineExpr> exprs;
    for (char letter : term)
      exprs.push_back(letter == '1' ? b.getAffineConstantExpr(0)
                                    : b.getAffineDimExpr(StringRef(loops).find(letter)));
    return AffineMap::get(loops.size(), 0, exprs, b.getContext());
  };
  SmallVector<AffineMap> maps;
  for (StringRef term : terms)
    maps.push_back(mapOf(term));
  maps.push_back(mapOf(output));
  SmallVector<OpFoldResult> sizes;
  for (char letter : output)
    for (auto [term, input] : llvm::zip(terms, inputs))
      if (size_t at = term.find(letter); at != StringRef::npos) {
        sizes.push_back(size(input, at));
        break;
      }
  SmallVector<IteratorType> iterators(loops.size(), IteratorType::reduction);
  std::fill_n(iterators.begin(), output.size(), IteratorType::parallel);
  bool sums = output.size() != loops.size();
  Type result = element ? element : compute;
  Value init = empty(sizes, sums ? compute : result);
  if (sums) {
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(compute));
    init = linalg::FillOp::create(b, loc, zero, init).getResult(0);
  }
  return createGeneric(b, loc, inputs, init, maps, iterators, compute,
                       [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value x = body(b, loc, args.drop_back());
                         if (sums)
                           return arith::AddFOp::create(b, loc, args.back(), x);
                         return convertFloat(b, loc, x, result);
                       });
}

Value MethodBuilder::product(StringRef spec, ValueRange inputs, Type element) {
  return einsum(
      spec, inputs,
      [](OpBuilder &b, Location loc, ValueRange args) {
        Value x = args[0];
        for (Value y : args.drop_front())
          x = arith::MulFOp::create(b, loc, x, y);
        return x;
      },
      element);
}

Value MethodBuilder::expand(Value tensor, int64_t dim) {
  RankedTensorType type = typeOf(tensor);
  int64_t rank = type.getRank();
  SmallVector<ReassociationIndices> groups(rank);
  for (int64_t i = 0; i <= rank; ++i)
    groups[dim == 0 ? std::max<int64_t>(i - 1, 0) : i < dim ? i : i - 1].push_back(i);
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin() + dim, 1);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, tensor);
  sizes.insert(sizes.begin() + dim, b.getIndexAttr(1));
  return tensor::ExpandShapeOp::create(b, loc, RankedTensorType::get(shape, type.getElementType()),
                                       tensor, groups, sizes);
}

Value MethodBuilder::collapse(Value tensor, int64_t dim) {
  SmallVector<ReassociationIndices> groups(typeOf(tensor).getRank() - 1);
  for (int64_t i = 0; i < typeOf(tensor).getRank(); ++i)
    groups[i < dim ? i : i - 1].push_back(i);
  return tensor::CollapseShapeOp::create(b, loc, tensor, groups);
}

Value MethodBuilder::interleave(Value x, Value y) {
  int64_t rank = typeOf(x).getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, x);
  sizes.push_back(b.getIndexAttr(2));
  Value both = empty(sizes);
  sizes.back() = b.getIndexAttr(1);
  SmallVector<OpFoldResult> strides(rank + 1, b.getIndexAttr(1)),
      offsets(rank + 1, b.getIndexAttr(0));
  std::string letters = std::string("abcdefgh").substr(0, rank);
  Value parts[] = {x, y};
  for (auto [i, part] : llvm::enumerate(parts)) {
    offsets.back() = b.getIndexAttr(i);
    Value wide = product(letters + "->" + letters, part);
    both = tensor::InsertSliceOp::create(b, loc, wide, both, offsets, sizes, strides);
  }
  return collapse(both, rank);
}

Value MethodBuilder::constant(ArrayRef<int64_t> shape, ArrayRef<double> values) {
  auto type = RankedTensorType::get(shape, compute);
  SmallVector<Attribute> numbers;
  for (double value : values)
    numbers.push_back(b.getFloatAttr(compute, value));
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(type, numbers));
}

/// The scan, with inits; the output has elements of `element`.
static Result createScan(MethodBuilder m, State state, Transition transition, const ScanOperands &o,
                         const Sequences &sequences, Type element, Value rowsOf = {}) {
  OpBuilder &b = m.b;
  Location loc = m.loc;
  bool outer = state == State::Outer;
  OpFoldResult batch = m.size(o.value, 0), tokens = m.size(o.value, 1), heads = m.size(o.value, 2);
  if (o.substeps != 1)
    tokens = m.size(o.query, 1);
  OpFoldResult rows = m.size(outer ? (o.key ? o.key : o.query) : o.value, 3);
  OpFoldResult columns = outer ? m.size(o.value, 3) : OpFoldResult();
  SmallVector<OpFoldResult> output{batch, tokens, heads}, final{batch, heads, rows};
  if (sequences.offsets) {
    IndexMath index{b, loc};
    final[0] = index.sub(index.dim(sequences.offsets, 0), index.constant(1));
  }
  if (!o.query)
    output.push_back(rows);
  if (outer) {
    output.push_back(columns);
    final.push_back(columns);
  }
  Value finalInit = sequences.finalInit ? sequences.finalInit : m.empty(final);
  Value inits[] = {m.empty(output, element), finalInit};
  auto scan =
      ScanOp::create(b, loc, inits[0].getType(), inits[1].getType(), Type(), state, transition,
                     o.query, o.key, o.value, o.decay, o.rate, o.angle, o.alpha, o.beta, o.matrix,
                     o.bonus, sequences.initial, sequences.offsets, /*order=*/Value(),
                     sequences.sources, sequences.destinations, inits, o.read, o.linear, /*rank=*/1,
                     o.substeps, /*reads=*/1, sequences.direction, Emit::Last, /*count=*/1,
                     /*chunk=*/0);
  return {scan.getOutput(), scan.getFinal()};
}

static Value sigmoid(OpBuilder &b, Location loc, Value x) {
  Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(x.getType(), 1.0));
  Value e = math::ExpOp::create(b, loc, arith::NegFOp::create(b, loc, x));
  return arith::DivFOp::create(b, loc, one, arith::AddFOp::create(b, loc, one, e));
}

/// The results of ssm.discretize, of the shape of `like`.
static ValueRange discretize(MethodBuilder m, Rule rule, Value delta, Value rate, Value imag,
                             Value bias, Value gate, Value offsets, bool softplus, Value like,
                             size_t count) {
  SmallVector<Value> inits(count, m.empty(tensor::getMixedSizes(m.b, m.loc, like)));
  auto op = DiscretizeOp::create(m.b, m.loc, TypeRange(ValueRange(inits)), rule, delta, rate, imag,
                                 bias, gate, offsets, inits, softplus, FloatAttr(), FloatAttr());
  return op.getResults();
}

/// y + skip x, elementwise.
static Value addSkip(MethodBuilder m, StringRef spec, Value y, Value skip, Value x, Type element) {
  return m.einsum(
      spec, {y, skip, x},
      [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        return arith::AddFOp::create(b, loc, args[0],
                                     arith::MulFOp::create(b, loc, args[1], args[2]));
      },
      element);
}

//===----------------------------------------------------------------------===//
// State-space models
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Linear attention
//===----------------------------------------------------------------------===//

Result weft::ssm::buildRetNet(OpBuilder &b, Location loc, Value query, Value key, Value value,
                              Value decay, const Sequences &sequences) {
  ScanOperands o;
  o.query = query;
  o.key = key;
  o.value = value;
  o.rate = decay;
  return createScan(MethodBuilder(b, loc, value), State::Outer, Transition::Scalar, o, sequences,
                    typeOf(value).getElementType());
}

Result weft::ssm::buildGLA(OpBuilder &b, Location loc, Value query, Value key, Value value,
                           Value decay, const Sequences &sequences) {
  ScanOperands o;
  o.query = query;
  o.key = key;
  o.value = value;
  o.decay = decay;
  return createScan(MethodBuilder(b, loc, value), State::Outer, Transition::Diagonal, o, sequences,
                    typeOf(value).getElementType());
}

/// The combination of two runs of tokens, each the largest exponent, the numerator and the
/// denominator relative to it, and the decay of the whole run.
static SmallVector<Value> combineRuns(OpBuilder &b, Location loc, ValueRange first,
                                      ValueRange second) {
  Value exponent = arith::SubFOp::create(b, loc, first[0], second[3]);
  Value most = arith::MaximumFOp::create(b, loc, exponent, second[0]);
  Value old = math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, exponent, most));
  Value young = math::ExpOp::create(b, loc, arith::SubFOp::create(b, loc, second[0], most));
  SmallVector<Value> result{most};
  for (int i : {1, 2})
    result.push_back(arith::AddFOp::create(b, loc, arith::MulFOp::create(b, loc, old, first[i]),
                                           arith::MulFOp::create(b, loc, young, second[i])));
  result.push_back(arith::AddFOp::create(b, loc, first[3], second[3]));
  return result;
}

Value weft::ssm::buildRWKV4(OpBuilder &b, Location loc, Value key, Value value, Value decay,
                            Value bonus) {
  MethodBuilder m(b, loc, value);
  auto number = [&](double x) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(m.compute, x));
  };
  auto second = [](OpBuilder &, Location, ValueRange args) { return args[1]; };
  Value ones = m.einsum("btd->btd", key, [&](OpBuilder &b, Location loc, ValueRange) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(m.compute, 1.0));
  });
  Value inputs[] = {m.product("btd->btd", key), m.product("btd->btd", value), ones,
                    m.einsum("btd,d->btd", {key, decay}, second)};
  // Below all exponents, and still a number: differences of it are no NaN.
  Value identity[] = {number(-1e30), number(0), number(0), number(0)};
  SmallVector<Value> inits(4, m.empty(tensor::getMixedSizes(b, loc, key)));
  auto scan = ScanRegionOp::create(b, loc, TypeRange(ValueRange(inits)), inputs, identity, inits,
                                   /*dimension=*/1, /*exclusive=*/true, /*reverse=*/false);
  {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&scan.getCombiner(), {}, SmallVector<Type>(8, m.compute),
                                SmallVector<Location>(8, loc));
    ValueRange args = body->getArguments();
    YieldOp::create(b, loc, combineRuns(b, loc, args.take_front(4), args.drop_front(4)));
  }
  Value operands[] = {scan.getResult(0), scan.getResult(1), scan.getResult(2), key, value, bonus};
  return m.einsum(
      "btd,btd,btd,btd,btd,d->btd", operands,
      [](OpBuilder &b, Location loc, ValueRange args) -> Value {
        // The token itself has decay 0 and the bonus.
        Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(args[0].getType()));
        Value one = arith::ConstantOp::create(b, loc, b.getFloatAttr(args[0].getType(), 1.0));
        Value here = arith::AddFOp::create(b, loc, args[5], args[3]);
        SmallVector<Value> all =
            combineRuns(b, loc, {args[0], args[1], args[2], zero}, {here, args[4], one, zero});
        return arith::DivFOp::create(b, loc, all[1], all[2]);
      },
      typeOf(value).getElementType());
}

Result weft::ssm::buildRWKV6(OpBuilder &b, Location loc, Value receptance, Value key, Value value,
                             Value decay, Value bonus, const Sequences &sequences) {
  ScanOperands o;
  o.query = receptance;
  o.key = key;
  o.value = value;
  (typeOf(decay).getRank() == 2 ? o.rate : o.decay) = decay;
  o.bonus = bonus;
  o.read = Read::Pre;
  return createScan(MethodBuilder(b, loc, value), State::Outer, Transition::Diagonal, o, sequences,
                    typeOf(value).getElementType());
}

Result weft::ssm::buildRWKV7(OpBuilder &b, Location loc, Value receptance, Value key, Value value,
                             Value decay, Value removal, Value rate, const Sequences &sequences) {
  MethodBuilder m(b, loc, value);
  ScanOperands o;
  o.query = receptance;
  o.key = key;
  o.value = value;
  o.decay = decay;
  o.alpha = removal;
  o.beta = m.einsum("bthk,bthk->bthk", {removal, rate},
                    [](OpBuilder &b, Location loc, ValueRange args) -> Value {
                      Value product = arith::MulFOp::create(b, loc, args[0], args[1]);
                      return arith::NegFOp::create(b, loc, product);
                    });
  return createScan(m, State::Outer, Transition::DiagonalPlusLowRank, o, sequences,
                    typeOf(value).getElementType());
}

Result weft::ssm::buildDeltaRule(OpBuilder &b, Location loc, Value query, Value key, Value value,
                                 Value strength, Value decay, const Sequences &sequences) {
  MethodBuilder m(b, loc, value);
  ScanOperands o;
  o.query = query;
  o.key = m.product("bthk,bth->bthk", {key, strength});
  o.value = value;
  o.decay = decay;
  o.alpha = key;
  o.beta = o.key;
  return createScan(m, State::Outer, Transition::Householder, o, sequences,
                    typeOf(value).getElementType());
}
