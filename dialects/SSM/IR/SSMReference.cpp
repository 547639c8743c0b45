//===- SSMReference.cpp - References of the smaller operations ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMRecurrence.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace weft::ssm;

using utils::IteratorType;
using weft::IndexMath;

static Value createZero(OpBuilder &b, Location loc, Type element) {
  return arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
}

//===----------------------------------------------------------------------===//
// LongConvOp
//===----------------------------------------------------------------------===//

/// `sums` [B, T, D] plus the convolution of the gated input.
static Value convolve(OpBuilder &b, LongConvOp op, Value sums, Type compute) {
  Location loc = op.getLoc();
  MLIRContext *context = b.getContext();
  IndexMath outer{b, loc};
  Value tokens = outer.dim(op.getInput(), 1);
  AffineExpr d[4];
  bindDimsList(context, MutableArrayRef<AffineExpr>(d));
  AffineMap result = AffineMap::get(4, 0, {d[0], d[1], d[3]}, context);
  AffineMap filter = AffineMap::get(4, 0, {d[3], d[2]}, context);
  IteratorType loops[] = {IteratorType::parallel, IteratorType::parallel, IteratorType::reduction,
                          IteratorType::parallel};
  return createGeneric(
      b, loc, op.getFilter(), sums, {filter, result}, loops, compute,
      [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
        IndexMath m{b, loc};
        Value token = linalg::IndexOp::create(b, loc, 1), back = linalg::IndexOp::create(b, loc, 2);
        Value from = op.getReverse() ? m.add(token, back) : m.sub(token, back);
        Value inside = op.getReverse() ? m.cmp(arith::CmpIPredicate::slt, from, tokens)
                                       : m.cmp(arith::CmpIPredicate::sge, from, m.constant(0));
        Value position[] = {linalg::IndexOp::create(b, loc, 0), m.clamp(from, tokens),
                            linalg::IndexOp::create(b, loc, 3)};
        auto read = [&](Value tensor) {
          return convertFloat(b, loc, tensor::ExtractOp::create(b, loc, tensor, position), compute);
        };
        Value u = read(op.getInput());
        if (op.getPre())
          u = arith::MulFOp::create(b, loc, u, read(op.getPre()));
        Value product = arith::MulFOp::create(b, loc, args[0], u);
        Value next = arith::AddFOp::create(b, loc, args[1], product);
        return m.select(inside, next, args[1]);
      });
}

FailureOr<SmallVector<Value>> LongConvOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  MLIRContext *context = getContext();
  Value init = getInits()[0];
  Type element = typeOf(init).getElementType();
  Type compute = computeTypeOf(typeOf(getInput()).getElementType());
  Value sums = init;
  if (element != compute)
    sums = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, init), compute);
  sums = linalg::FillOp::create(b, loc, createZero(b, loc, compute), sums).getResult(0);
  sums = convolve(b, *this, sums, compute);
  if (!getSkip() && !getPost() && element == compute)
    return SmallVector<Value>{sums};
  AffineMap all = b.getMultiDimIdentityMap(3);
  SmallVector<Value> inputs{sums};
  SmallVector<AffineMap> maps{all};
  auto take = [&](Value value, AffineMap map) {
    if (!value)
      return;
    inputs.push_back(value);
    maps.push_back(map);
  };
  take(getSkip(), AffineMap::get(3, 0, getAffineDimExpr(2, context)));
  take(getSkip() ? getInput() : Value(), all);
  take(getSkip() ? getPre() : Value(), all);
  take(getPost(), all);
  maps.push_back(all);
  SmallVector<IteratorType> loops(3, IteratorType::parallel);
  // In another tensor than the sums, which are an input.
  Value output = tensor::EmptyOp::create(b, loc, tensor::getMixedSizes(b, loc, init), element);
  Value result = createGeneric(b, loc, inputs, output, maps, loops, compute,
                               [&](OpBuilder &b, Location loc, ValueRange args) {
                                 Value y = args[0];
                                 if (getSkip()) {
                                   Value u = arith::MulFOp::create(b, loc, args[1], args[2]);
                                   if (getPre())
                                     u = arith::MulFOp::create(b, loc, u, args[3]);
                                   y = arith::AddFOp::create(b, loc, y, u);
                                 }
                                 if (getPost())
                                   y = arith::MulFOp::create(b, loc, y, args[inputs.size() - 1]);
                                 return convertFloat(b, loc, y, element);
                               });
  return SmallVector<Value>{result};
}

//===----------------------------------------------------------------------===//
// ReduceStateOp
//===----------------------------------------------------------------------===//

/// The terms of an element of the state, from `start` to `end`.
static Value sumTerms(OpBuilder &b, ReduceStateOp op, ArrayRef<Value> at, Value batch, Value start,
                      Value end, Type compute) {
  Location loc = op.getLoc();
  IndexMath m{b, loc};
  Value heads = m.dim(op.getValue(), 2), keyHeads = m.dim(op.getKey(), 2);
  Value keyHead = m.div(m.mul(at[1], keyHeads), heads);
  auto loop = scf::ForOp::create(
      b, loc, start, end, m.constant(1), createZero(b, loc, compute),
      [&](OpBuilder &b, Location loc, Value token, ValueRange sum) {
        auto read = [&](Value tensor, ArrayRef<Value> position) {
          return convertFloat(b, loc, tensor::ExtractOp::create(b, loc, tensor, position), compute);
        };
        Value term =
            arith::MulFOp::create(b, loc, read(op.getKey(), {batch, token, keyHead, at[2]}),
                                  read(op.getValue(), {batch, token, at[1], at[3]}));
        if (op.getWeights())
          term = arith::MulFOp::create(b, loc, term, read(op.getWeights(), {batch, token, at[1]}));
        scf::YieldOp::create(b, loc, ValueRange{arith::AddFOp::create(b, loc, sum[0], term)});
      });
  return loop.getResult(0);
}

FailureOr<SmallVector<Value>> ReduceStateOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  IndexMath outer{b, loc};
  Value init = getInits()[0], tokens = outer.dim(getValue(), 1);
  Type compute = typeOf(init).getElementType();
  SmallVector<IteratorType> loops(4, IteratorType::parallel);
  Value result =
      createGeneric(b, loc, {}, init, b.getMultiDimIdentityMap(4), loops, compute,
                    [&](OpBuilder &b, Location loc, ValueRange) {
                      IndexMath m{b, loc};
                      SmallVector<Value> at;
                      for (int64_t i = 0; i < 4; ++i)
                        at.push_back(linalg::IndexOp::create(b, loc, i));
                      if (!getOffsets())
                        return sumTerms(b, *this, at, at[0], m.constant(0), tokens, compute);
                      auto limited = [&](Value low, Value position) -> Value {
                        Value raw = tensor::ExtractOp::create(b, loc, getOffsets(), position);
                        Value bound = arith::IndexCastOp::create(b, loc, b.getIndexType(), raw);
                        bound = arith::MinSIOp::create(b, loc, bound, tokens);
                        return arith::MaxSIOp::create(b, loc, bound, low);
                      };
                      Value start = limited(m.constant(0), at[0]);
                      Value end = limited(start, m.add(at[0], m.constant(1)));
                      return sumTerms(b, *this, at, m.constant(0), start, end, compute);
                    });
  return SmallVector<Value>{result};
}

//===----------------------------------------------------------------------===//
// Loops over the leading dimensions
//===----------------------------------------------------------------------===//

/// Runs `body` for each position of the leading dimensions of `whole`, all but its last
/// `inner`, and blocks of `block` elements of the last one (0: it is not divided). `body`
/// gets the offsets and sizes of the slice, and the slice, and gives the new one.
static Value forEachSlice(
    OpBuilder &b, Location loc, Value whole, int64_t inner, int64_t block,
    llvm::function_ref<Value(OpBuilder &, ArrayRef<OpFoldResult>, ArrayRef<OpFoldResult>, Value)>
        body) {
  RankedTensorType type = typeOf(whole);
  int64_t rank = type.getRank(), lead = rank - inner;
  if (isStaticallyEmpty(type))
    return whole;
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  SmallVector<OpFoldResult> extents = tensor::getMixedSizes(b, loc, whole);
  SmallVector<OpFoldResult> upper(extents.begin(), extents.begin() + lead), steps(lead, one);
  int64_t last = type.getShape().back();
  if (block != 0 && !ShapedType::isDynamic(last))
    block = std::min(block, last);
  // One work item where there is nothing to divide.
  upper.push_back(block ? extents.back() : one);
  steps.push_back(block ? OpFoldResult(b.getIndexAttr(block)) : one);
  SmallVector<OpFoldResult> lower(upper.size(), zero);
  auto items = scf::ForallOp::create(b, loc, lower, upper, steps, whole, /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(items.getBody());
  IndexMath m{b, loc};
  SmallVector<OpFoldResult> offsets, sizes(lead, one), strides(rank, one);
  for (int64_t i = 0; i < lead; ++i)
    offsets.push_back(items.getInductionVar(i));
  for (int64_t i = lead; i < rank; ++i) {
    offsets.push_back(zero);
    sizes.push_back(extents[i]);
  }
  if (block != 0) {
    Value first = items.getInductionVar(lead);
    offsets.back() = first;
    Value left = m.sub(getValueOrCreateConstantIndexOp(b, loc, extents.back()), first);
    sizes.back() =
        OpFoldResult(arith::MinSIOp::create(b, loc, left, m.constant(block)).getResult());
    if (!ShapedType::isDynamic(last) && last % block == 0)
      sizes.back() = b.getIndexAttr(block);
  }
  BlockArgument out = items.getRegionIterArgs()[0];
  Value slice = tensor::ExtractSliceOp::create(
      b, loc, sliceType(type.getElementType(), ArrayRef(sizes).take_back(inner)), out, offsets,
      sizes, strides);
  Value result = body(b, offsets, sizes, slice);
  b.setInsertionPointToEnd(items.getTerminator().getBody());
  tensor::ParallelInsertSliceOp::create(b, loc, result, out, offsets, sizes, strides);
  return items.getResult(0);
}

/// The leading offsets as values, then `last`.
static SmallVector<Value> positionOf(OpBuilder &b, Location loc, ArrayRef<OpFoldResult> lead,
                                     ValueRange last) {
  SmallVector<Value> result;
  for (OpFoldResult offset : lead)
    result.push_back(getValueOrCreateConstantIndexOp(b, loc, offset));
  result.append(last.begin(), last.end());
  return result;
}

//===----------------------------------------------------------------------===//
// SegsumOp and SolveTrilOp
//===----------------------------------------------------------------------===//

/// Column by column: each element adds one number to the sum of the one above it.
FailureOr<SmallVector<Value>> SegsumOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  Type compute = typeOf(getInits()[0]).getElementType();
  Value result = forEachSlice(
      b, loc, getInits()[0], /*inner=*/2, /*block=*/0,
      [&](OpBuilder &b, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult>, Value matrix) {
        IndexMath m{b, loc};
        Value size = m.dim(matrix, 0), zero = m.constant(0), one = m.constant(1);
        auto columns = scf::ForOp::create(
            b, loc, zero, size, one, matrix,
            [&](OpBuilder &b, Location loc, Value column, ValueRange outer) {
              auto rows = scf::ForOp::create(
                  b, loc, zero, size, one, ValueRange{createZero(b, loc, compute), outer[0]},
                  [&](OpBuilder &b, Location loc, Value row, ValueRange args) {
                    IndexMath m{b, loc};
                    SmallVector<Value> at = positionOf(b, loc, offsets.drop_back(2), row);
                    Value decay = tensor::ExtractOp::create(b, loc, getDecay(), at);
                    Value sum = arith::AddFOp::create(b, loc, args[0],
                                                      convertFloat(b, loc, decay, compute));
                    Value none = createZero(b, loc, compute);
                    sum = m.select(m.cmp(arith::CmpIPredicate::sgt, row, column), sum, none);
                    Value above = m.cmp(arith::CmpIPredicate::slt, row, column);
                    Value element =
                        m.select(above, none, math::ExpOp::create(b, loc, sum).getResult());
                    Value written =
                        tensor::InsertOp::create(b, loc, element, args[1], ValueRange{row, column});
                    scf::YieldOp::create(b, loc, ValueRange{sum, written});
                  });
              scf::YieldOp::create(b, loc, rows.getResult(1));
            });
        return columns.getResult(0);
      });
  return SmallVector<Value>{result};
}

/// Forward substitution, row by row: X_i = B_i - sum of A_ij X_j over j < i.
FailureOr<SmallVector<Value>> SolveTrilOp::lowerToReference(OpBuilder &b) {
  static constexpr int64_t kColumns = 64;
  Location loc = getLoc();
  Type compute = typeOf(getInits()[0]).getElementType();
  Value result = forEachSlice(
      b, loc, getInits()[0], /*inner=*/2, kColumns,
      [&](OpBuilder &b, ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes, Value init) {
        IndexMath m{b, loc};
        AffineMap map = b.getDimIdentityMap();
        OpFoldResult nothing = b.getIndexAttr(0), one = b.getIndexAttr(1), width = sizes.back();
        RankedTensorType rowType = sliceType(compute, {width});
        auto rowOf = [&](OpBuilder &b, Value tensor, Value row) -> Value {
          return tensor::ExtractSliceOp::create(b, loc, rowType, tensor,
                                                ArrayRef{OpFoldResult(row), nothing},
                                                ArrayRef{one, width}, ArrayRef{one, one});
        };
        auto rows = scf::ForOp::create(
            b, loc, m.constant(0), m.dim(init, 0), m.constant(1), init,
            [&](OpBuilder &b, Location loc, Value row, ValueRange outer) {
              IndexMath m{b, loc};
              SmallVector<OpFoldResult> at(offsets.drop_back(2)), ones(offsets.size(), one),
                  rhsSizes(offsets.size() - 1, one);
              at.append({OpFoldResult(row), offsets.back()});
              rhsSizes.push_back(width);
              Value rhs = tensor::ExtractSliceOp::create(
                  b, loc, sliceType(typeOf(getRhs()).getElementType(), {width}), getRhs(), at,
                  rhsSizes, ones);
              Value start = tensor::EmptyOp::create(b, loc, width, compute);
              start = createGeneric(b, loc, rhs, start, {map, map}, IteratorType::parallel, compute,
                                    [](OpBuilder &, Location, ValueRange args) { return args[0]; });
              auto sums = scf::ForOp::create(
                  b, loc, m.constant(0), row, m.constant(1), start,
                  [&](OpBuilder &b, Location loc, Value column, ValueRange args) {
                    Value a = tensor::ExtractOp::create(
                        b, loc, getMatrix(),
                        positionOf(b, loc, offsets.drop_back(2), {row, column}));
                    Value factor = convertFloat(b, loc, a, compute);
                    Value next =
                        createGeneric(b, loc, rowOf(b, outer[0], column), args[0], {map, map},
                                      IteratorType::parallel, compute,
                                      [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                        Value product =
                                            arith::MulFOp::create(b, loc, factor, args[0]);
                                        return arith::SubFOp::create(b, loc, args[1], product);
                                      });
                    scf::YieldOp::create(b, loc, next);
                  });
              Value written = tensor::InsertSliceOp::create(
                  b, loc, sums.getResult(0), outer[0], ArrayRef{OpFoldResult(row), nothing},
                  ArrayRef{one, width}, ArrayRef{one, one});
              scf::YieldOp::create(b, loc, written);
            });
        return rows.getResult(0);
      });
  return SmallVector<Value>{result};
}

//===----------------------------------------------------------------------===//
// ScanRegionOp
//===----------------------------------------------------------------------===//

/// The combination of two tuples.
static SmallVector<Value> combine(OpBuilder &b, ScanRegionOp op, ValueRange first,
                                  ValueRange second) {
  Block &body = op.getCombiner().front();
  IRMapping mapping;
  size_t count = first.size();
  for (auto [i, value] : llvm::enumerate(first))
    mapping.map(body.getArgument(i), value);
  for (auto [i, value] : llvm::enumerate(second))
    mapping.map(body.getArgument(count + i), value);
  for (Operation &inner : body.without_terminator())
    b.clone(inner, mapping);
  SmallVector<Value> result;
  for (Value value : body.getTerminator()->getOperands())
    result.push_back(mapping.lookupOrDefault(value));
  return result;
}

/// Scans one row: `at` gives the position of its element i. The carried tensors are
/// whole.
static SmallVector<Value> scanRow(OpBuilder &b, ScanRegionOp op, ValueRange carried,
                                  llvm::function_ref<SmallVector<Value>(Value)> inputAt,
                                  llvm::function_ref<SmallVector<Value>(Value)> outputAt,
                                  Value length) {
  Location loc = op.getLoc();
  IndexMath m{b, loc};
  size_t count = op.getInputs().size();
  auto positionAt = [&](OpBuilder &b, Value step) {
    IndexMath m{b, loc};
    return op.getReverse() ? m.sub(m.sub(length, m.constant(1)), step) : step;
  };
  auto readAll = [&](OpBuilder &b, Value position) {
    SmallVector<Value> result;
    for (Value input : op.getInputs())
      result.push_back(tensor::ExtractOp::create(b, loc, input, inputAt(position)));
    return result;
  };
  auto writeAll = [&](OpBuilder &b, ValueRange tuple, ValueRange tensors, Value position) {
    SmallVector<Value> result;
    for (auto [value, tensor] : llvm::zip(tuple, tensors))
      result.push_back(tensor::InsertOp::create(b, loc, value, tensor, outputAt(position)));
    return result;
  };
  // The first element is what the others are combined to, not combined itself.
  SmallVector<Value> args(op.getIdentity());
  args.append(carried.begin(), carried.end());
  auto loop = scf::ForOp::create(
      b, loc, m.constant(0), length, m.constant(1), args,
      [&](OpBuilder &b, Location loc, Value step, ValueRange args) {
        IndexMath m{b, loc};
        Value position = positionAt(b, step);
        SmallVector<Value> x = readAll(b, position);
        Value first = m.cmp(arith::CmpIPredicate::eq, step, m.constant(0));
        SmallVector<Value> combined = combine(b, op, args.take_front(count), x), next;
        for (auto [alone, both] : llvm::zip(x, combined))
          next.push_back(m.select(first, alone, both));
        ValueRange shown = op.getExclusive() ? args.take_front(count) : ValueRange(next);
        SmallVector<Value> written = writeAll(b, shown, args.drop_front(count), position);
        next.append(written);
        scf::YieldOp::create(b, loc, next);
      });
  return SmallVector<Value>(loop.getResults().drop_front(count));
}

FailureOr<SmallVector<Value>> ScanRegionOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  auto along = static_cast<int64_t>(getDimension());
  SmallVector<Value> inits(getInits());
  RankedTensorType type = typeOf(inits[0]);
  if (isStaticallyEmpty(type))
    return inits;
  IndexMath outer{b, loc};
  Value length = outer.dim(getInputs()[0], along);
  if (type.getRank() == 1) {
    auto at = [](Value i) { return SmallVector<Value>{i}; };
    return scanRow(b, *this, inits, at, at, length);
  }
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  SmallVector<OpFoldResult> upper, sizes(type.getRank(), one), strides(type.getRank(), one);
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (i != along)
      upper.push_back(tensor::getMixedSize(b, loc, getInputs()[0], i));
  sizes[along] = tensor::getMixedSize(b, loc, getInputs()[0], along);
  auto items = scf::ForallOp::create(b, loc, upper, inits, /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(items.getBody());
  SmallVector<OpFoldResult> offsets;
  for (Value iv : items.getInductionVars())
    offsets.push_back(iv);
  offsets.insert(offsets.begin() + along, zero);
  auto inputAt = [&](Value i) {
    SmallVector<Value> at(items.getInductionVars());
    at.insert(at.begin() + along, i);
    return at;
  };
  SmallVector<Value> rows;
  for (Value out : items.getRegionIterArgs())
    rows.push_back(tensor::ExtractSliceOp::create(
        b, loc, sliceType(typeOf(out).getElementType(), {sizes[along]}), out, offsets, sizes,
        strides));
  rows = scanRow(
      b, *this, rows, inputAt, [](Value i) { return SmallVector<Value>{i}; }, length);
  b.setInsertionPointToEnd(items.getTerminator().getBody());
  for (auto [row, out] : llvm::zip(rows, items.getRegionIterArgs()))
    tensor::ParallelInsertSliceOp::create(b, loc, row, out, offsets, sizes, strides);
  return SmallVector<Value>(items.getResults());
}
