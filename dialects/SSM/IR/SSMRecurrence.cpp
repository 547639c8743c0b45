//===- SSMRecurrence.cpp - Code of one token of a recurrence --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSMRecurrence.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace weft;
using namespace weft::ssm;

using utils::IteratorType;

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

Value ssm::convertFloat(OpBuilder &b, Location loc, Value x, Type type) {
  unsigned from = x.getType().getIntOrFloatBitWidth(), to = type.getIntOrFloatBitWidth();
  if (x.getType() == type)
    return x;
  if (from < to)
    return arith::ExtFOp::create(b, loc, type, x);
  if (from > to)
    return arith::TruncFOp::create(b, loc, type, x);
  // Two kinds of 16 bits.
  return arith::TruncFOp::create(b, loc, type, arith::ExtFOp::create(b, loc, b.getF32Type(), x));
}

Value ssm::createGeneric(OpBuilder &b, Location loc, ValueRange inputs, Value output,
                         ArrayRef<AffineMap> maps, ArrayRef<IteratorType> iterators, Type compute,
                         llvm::function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  return linalg::GenericOp::create(b, loc, output.getType(), inputs, output, maps, iterators,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     SmallVector<Value> converted;
                                     for (Value arg : args.drop_back())
                                       converted.push_back(isa<FloatType>(arg.getType())
                                                               ? convertFloat(b, loc, arg, compute)
                                                               : arg);
                                     converted.push_back(args.back());
                                     linalg::YieldOp::create(b, loc, body(b, loc, converted));
                                   })
      .getResult(0);
}

RankedTensorType ssm::sliceType(Type element, ArrayRef<OpFoldResult> sizes) {
  SmallVector<int64_t> shape;
  for (OpFoldResult size : sizes)
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, element);
}

namespace {
/// Maps of loops over a state's rows and columns.
struct StateMaps {
  explicit StateMaps(MLIRContext *context)
      : state(AffineMap::getMultiDimIdentityMap(2, context)),
        row(AffineMap::get(2, 0, getAffineDimExpr(0, context))),
        column(AffineMap::get(2, 0, getAffineDimExpr(1, context))) {}
  AffineMap state, row, column;
};
} // namespace

static const IteratorType kParallel[] = {IteratorType::parallel, IteratorType::parallel};
static const IteratorType kOverRows[] = {IteratorType::reduction, IteratorType::parallel};

static Value emptyLike(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> sizes, Type element) {
  return tensor::EmptyOp::create(b, loc, sizes, element);
}

static Value zeros(OpBuilder &b, Location loc, Value init) {
  Type element = getElementTypeOrSelf(init.getType());
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
  return linalg::FillOp::create(b, loc, zero, init).getResult(0);
}

//===----------------------------------------------------------------------===//
// Parts of operands
//===----------------------------------------------------------------------===//

/// Head `head` of `heads` reads this head of an operand that has `own` of them.
static Value headOf(IndexMath m, Value operand, unsigned dim, Value head, Value heads) {
  RankedTensorType type = typeOf(operand);
  if (type.getDimSize(dim) == 1)
    return m.constant(0);
  std::optional<int64_t> all = getConstantIntValue(OpFoldResult(heads));
  if (all && type.getDimSize(dim) == *all)
    return head;
  Value divisor = arith::MaxSIOp::create(m.b, m.loc, heads, m.constant(1));
  return m.div(m.mul(head, m.dim(operand, dim)), divisor);
}

Value RecurrenceBuilder::sliceOf(OpBuilder &b, Location loc, Value operand, Value token,
                                 ArrayRef<std::pair<OpFoldResult, OpFoldResult>> last,
                                 Value within) const {
  IndexMath m{b, loc};
  RankedTensorType type = typeOf(operand);
  unsigned lead = type.getRank() - last.size();
  SmallVector<OpFoldResult> offsets, sizes(lead, b.getIndexAttr(1)),
      strides(type.getRank(), b.getIndexAttr(1));
  // Leading dimensions are [B, T, H], or [H] where all tokens have the same.
  if (lead == 3) {
    offsets.push_back(type.getDimSize(0) == 1 ? OpFoldResult(b.getIndexAttr(0)) : tile.batch);
    offsets.push_back(type.getDimSize(1) == 1 ? OpFoldResult(b.getIndexAttr(0)) : token);
  }
  Value head = headOf(m, operand, lead - 1, tile.head, tile.heads);
  offsets.push_back(within ? m.add(head, within) : head);
  SmallVector<OpFoldResult> kept;
  for (auto [offset, size] : last) {
    offsets.push_back(offset);
    sizes.push_back(size);
    kept.push_back(size);
  }
  return tensor::ExtractSliceOp::create(b, loc, sliceType(type.getElementType(), kept), operand,
                                        offsets, sizes, strides);
}

Value RecurrenceBuilder::rowsOf(OpBuilder &b, Location loc, Value operand, Value token) const {
  return sliceOf(b, loc, operand, token, {{tile.row, tile.rows}});
}

Value RecurrenceBuilder::substep(OpBuilder &b, Location loc, Value token, int64_t i,
                                 int64_t count) const {
  if (count == 1)
    return token;
  IndexMath m{b, loc};
  return m.add(m.mul(token, m.constant(count)), m.constant(i));
}

//===----------------------------------------------------------------------===//
// Transitions
//===----------------------------------------------------------------------===//

Value RecurrenceBuilder::fill(OpBuilder &b, Location loc, Value init, bool identity) const {
  if (!identity)
    return zeros(b, loc, init);
  StateMaps maps(b.getContext());
  return createGeneric(b, loc, {}, init, maps.state, kParallel, r.compute,
                       [&](OpBuilder &b, Location loc, ValueRange) -> Value {
                         IndexMath m{b, loc};
                         Value row = linalg::IndexOp::create(b, loc, 0);
                         Value column = linalg::IndexOp::create(b, loc, 1);
                         Value same = m.cmp(arith::CmpIPredicate::eq, row, column);
                         Value one =
                             arith::ConstantOp::create(b, loc, b.getFloatAttr(r.compute, 1.0));
                         Value zero =
                             arith::ConstantOp::create(b, loc, b.getFloatAttr(r.compute, 0.0));
                         return m.select(same, one, zero);
                       });
}

/// The factor of a decay and a rate (either may be missing), in the compute type.
Value RecurrenceBuilder::factorOf(OpBuilder &b, Location loc, Value decay, Value rate) const {
  if (r.linear)
    return decay;
  Value exponent = decay ? decay : rate;
  if (decay && rate)
    exponent = arith::MulFOp::create(b, loc, decay, rate);
  return math::ExpOp::create(b, loc, exponent);
}

/// The factor of a whole head, or null if there is none.
Value RecurrenceBuilder::headFactor(OpBuilder &b, Location loc, Value token) const {
  if (!r.decay && !r.rate)
    return {};
  auto scalarOf = [&](Value operand) -> Value {
    if (!operand)
      return {};
    Value element =
        tensor::ExtractOp::create(b, loc, sliceOf(b, loc, operand, token, {}), ValueRange{});
    return convertFloat(b, loc, element, r.compute);
  };
  return factorOf(b, loc, scalarOf(r.decay), scalarOf(r.rate));
}

/// D S, where D is a factor of the head or of each row.
Value RecurrenceBuilder::applyDecay(OpBuilder &b, Location loc, Value state, Value token) const {
  StateMaps maps(b.getContext());
  bool decayRows = r.decay && typeOf(r.decay).getRank() == 4;
  bool rateRows = r.rate && typeOf(r.rate).getRank() == 2;
  if (!decayRows && !rateRows) {
    Value factor = headFactor(b, loc, token);
    if (!factor)
      return state;
    return createGeneric(b, loc, {}, state, maps.state, kParallel, r.compute,
                         [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                           return arith::MulFOp::create(b, loc, args[0], factor);
                         });
  }
  // The factors of the rows once, not for each column.
  Value factors = emptyLike(b, loc, {tile.rows}, r.compute);
  SmallVector<Value> inputs;
  SmallVector<AffineMap> rowMaps;
  for (auto [operand, rows] : {std::pair(r.decay, decayRows), std::pair(r.rate, rateRows)}) {
    if (!operand)
      continue;
    inputs.push_back(rows ? rowsOf(b, loc, operand, token) : sliceOf(b, loc, operand, token, {}));
    rowMaps.push_back(rows ? b.getDimIdentityMap() : AffineMap::get(1, 0, b.getContext()));
  }
  rowMaps.push_back(b.getDimIdentityMap());
  factors = createGeneric(b, loc, inputs, factors, rowMaps, IteratorType::parallel, r.compute,
                          [&](OpBuilder &b, Location loc, ValueRange args) {
                            Value decay = r.decay ? args[0] : Value();
                            Value rate = r.rate ? args[inputs.size() - 1] : Value();
                            return factorOf(b, loc, decay, rate);
                          });
  return createGeneric(b, loc, factors, state, {maps.row, maps.state}, kParallel, r.compute,
                       [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         return arith::MulFOp::create(b, loc, args[1], args[0]);
                       });
}

/// Multiplies pairs of rows by complex numbers.
Value RecurrenceBuilder::rotate(OpBuilder &b, Location loc, Value state, Value token) const {
  StateMaps maps(b.getContext());
  int64_t pairs = *getConstantIntValue(tile.rows) / 2;
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1), two = b.getIndexAttr(2),
               count = b.getIndexAttr(pairs);
  auto pairsOf = [&](Value operand) { return sliceOf(b, loc, operand, token, {{zero, count}}); };
  bool perPair = r.transition == Transition::ComplexDiagonal;
  Value angles = pairsOf(r.angle);
  SmallVector<Value> inputs{angles};
  SmallVector<AffineMap> inputMaps{maps.row};
  Value headDecay;
  if (perPair) {
    if (r.decay)
      inputs.push_back(pairsOf(r.decay));
    if (r.rate)
      inputs.push_back(pairsOf(r.rate));
    inputMaps.resize(inputs.size(), maps.row);
  } else {
    headDecay = headFactor(b, loc, token);
  }
  auto half = [&](OpFoldResult first) -> Value {
    return tensor::ExtractSliceOp::create(b, loc, state, ArrayRef{first, zero},
                                          ArrayRef{count, tile.columns}, ArrayRef{two, one});
  };
  Value real = half(zero), imaginary = half(one);
  inputMaps.append(2, maps.state);
  auto generic = linalg::GenericOp::create(
      b, loc, TypeRange{real.getType(), imaginary.getType()}, inputs, ValueRange{real, imaginary},
      inputMaps, kParallel, [&](OpBuilder &b, Location loc, ValueRange args) {
        SmallVector<Value> in;
        for (Value arg : args.take_front(inputs.size()))
          in.push_back(convertFloat(b, loc, arg, r.compute));
        Value re, im;
        if (perPair && r.linear) {
          re = in[1];
          im = in[0];
        } else {
          re = math::CosOp::create(b, loc, in[0]);
          im = math::SinOp::create(b, loc, in[0]);
          Value factor = headDecay;
          if (perPair)
            factor = factorOf(b, loc, r.decay ? in[1] : Value(), r.rate ? in.back() : Value());
          if (factor) {
            re = arith::MulFOp::create(b, loc, re, factor);
            im = arith::MulFOp::create(b, loc, im, factor);
          }
        }
        Value x = args[inputs.size()], y = args[inputs.size() + 1];
        auto mul = [&](Value p, Value q) { return arith::MulFOp::create(b, loc, p, q); };
        Value nextX = arith::SubFOp::create(b, loc, mul(re, x), mul(im, y));
        Value nextY = arith::AddFOp::create(b, loc, mul(im, x), mul(re, y));
        linalg::YieldOp::create(b, loc, ValueRange{nextX, nextY});
      });
  for (auto [i, first] : llvm::enumerate(ArrayRef{zero, one}))
    state =
        tensor::InsertSliceOp::create(b, loc, generic.getResult(i), state, ArrayRef{first, zero},
                                      ArrayRef{count, tile.columns}, ArrayRef{two, one});
  return state;
}

/// The matrix times the state.
Value RecurrenceBuilder::multiply(OpBuilder &b, Location loc, Value state, Value token) const {
  MLIRContext *context = b.getContext();
  Value matrix = sliceOf(b, loc, r.matrix, token, {{tile.row, tile.rows}, {tile.row, tile.rows}});
  Value next = zeros(b, loc, emptyLike(b, loc, {tile.rows, tile.columns}, r.compute));
  AffineExpr i = getAffineDimExpr(0, context), k = getAffineDimExpr(1, context),
             v = getAffineDimExpr(2, context);
  AffineMap maps[] = {AffineMap::get(3, 0, {i, k}, context), AffineMap::get(3, 0, {k, v}, context),
                      AffineMap::get(3, 0, {i, v}, context)};
  IteratorType loops[] = {IteratorType::parallel, IteratorType::reduction, IteratorType::parallel};
  next = createGeneric(b, loc, {matrix, state}, next, maps, loops, r.compute,
                       [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value product = arith::MulFOp::create(b, loc, args[0], args[1]);
                         return arith::AddFOp::create(b, loc, args[2], product);
                       });
  // Into the state's own memory, which the loop around carries.
  return linalg::CopyOp::create(b, loc, next, state).getResult(0);
}

/// row' S.
Value RecurrenceBuilder::project(OpBuilder &b, Location loc, Value row, Value state) const {
  StateMaps maps(b.getContext());
  Value sums = zeros(b, loc, emptyLike(b, loc, {tile.columns}, r.compute));
  return createGeneric(b, loc, {row, state}, sums, {maps.row, maps.state, maps.column}, kOverRows,
                       r.compute, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value product = arith::MulFOp::create(b, loc, args[0], args[1]);
                         return arith::AddFOp::create(b, loc, args[2], product);
                       });
}

/// S + row (x) column, or minus it.
Value RecurrenceBuilder::addOuter(OpBuilder &b, Location loc, Value state, Value row, Value column,
                                  bool negative) const {
  StateMaps maps(b.getContext());
  return createGeneric(b, loc, {row, column}, state, {maps.row, maps.column, maps.state}, kParallel,
                       r.compute, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         Value product = arith::MulFOp::create(b, loc, args[0], args[1]);
                         if (negative)
                           return arith::SubFOp::create(b, loc, args[2], product);
                         return arith::AddFOp::create(b, loc, args[2], product);
                       });
}

Value RecurrenceBuilder::injectValue(OpBuilder &b, Location loc, Value state,
                                     Value position) const {
  if (r.key)
    return addOuter(b, loc, state, rowsOf(b, loc, r.key, position),
                    sliceOf(b, loc, r.value, position, {{tile.column, tile.columns}}),
                    /*negative=*/false);
  StateMaps maps(b.getContext());
  Value value =
      sliceOf(b, loc, r.value, position, {{tile.row, tile.rows}, {tile.column, tile.columns}});
  return createGeneric(b, loc, value, state, {maps.state, maps.state}, kParallel, r.compute,
                       [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                         return arith::AddFOp::create(b, loc, args[1], args[0]);
                       });
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

Value RecurrenceBuilder::advance(OpBuilder &b, Location loc, Value state, Value token,
                                 bool inject) const {
  bool lowRank = r.transition == Transition::DiagonalPlusLowRank;
  SmallVector<Value> erased; // alpha' S of the state before
  if (lowRank)
    for (int64_t i = 0; i < r.rank; ++i)
      erased.push_back(
          project(b, loc, rowsOf(b, loc, r.alpha, substep(b, loc, token, i, r.rank)), state));
  switch (r.transition) {
  case Transition::ComplexDiagonal:
  case Transition::Rotation:
    state = rotate(b, loc, state, token);
    break;
  case Transition::DenseLTI:
  case Transition::Dense:
    state = multiply(b, loc, state, token);
    break;
  default:
    state = applyDecay(b, loc, state, token);
  }
  for (auto [i, sums] : llvm::enumerate(erased)) {
    Value position = substep(b, loc, token, i, r.rank);
    state = addOuter(b, loc, state, rowsOf(b, loc, r.beta, position), sums, /*negative=*/false);
  }
  for (int64_t i = 0; i < r.substeps; ++i) {
    Value position = substep(b, loc, token, i, r.substeps);
    if (r.transition == Transition::Householder) {
      Value sums = project(b, loc, rowsOf(b, loc, r.alpha, position), state);
      state = addOuter(b, loc, state, rowsOf(b, loc, r.beta, position), sums, /*negative=*/true);
    }
    if (inject)
      state = injectValue(b, loc, state, position);
  }
  return state;
}

Value RecurrenceBuilder::readState(OpBuilder &b, Location loc, Value state, Value token,
                                   int64_t read, Value within) const {
  Value position = substep(b, loc, token, read, r.reads);
  Value query = sliceOf(b, loc, r.query, position, {{tile.row, tile.rows}}, within);
  if (!r.bonus)
    return project(b, loc, query, state);
  StateMaps maps(b.getContext());
  Value sums = zeros(b, loc, emptyLike(b, loc, {tile.columns}, r.compute));
  Value bonus = rowsOf(b, loc, r.bonus, token);
  Value key = rowsOf(b, loc, r.key, token);
  Value value = sliceOf(b, loc, r.value, token, {{tile.column, tile.columns}});
  return createGeneric(
      b, loc, {query, state, bonus, key, value}, sums,
      {maps.row, maps.state, maps.row, maps.row, maps.column, maps.column}, kOverRows, r.compute,
      [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        auto mul = [&](Value p, Value q) { return arith::MulFOp::create(b, loc, p, q); };
        Value seen = arith::AddFOp::create(b, loc, args[1], mul(mul(args[2], args[3]), args[4]));
        return arith::AddFOp::create(b, loc, args[5], mul(args[0], seen));
      });
}
