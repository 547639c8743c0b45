//===- SSMChunks.cpp - Scans in chunks: verifiers and references ----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMRecurrence.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace weft::ssm;

using weft::IndexMath;

/// Whether M is the factors of rows.
static bool hasDiagonalSummary(Transition transition) {
  return transition == Transition::Identity || transition == Transition::Scalar ||
         transition == Transition::Diagonal;
}

//===----------------------------------------------------------------------===//
// Verifiers
//===----------------------------------------------------------------------===//

template <typename OpTy> static LogicalResult verifyChunkOperands(OpTy op, ShapeChecker &shapes) {
  Transition transition = op.getTransition();
  std::string where = ("the transition '" + stringifyTransition(transition) + "'").str();
  bool diagonal = hasDiagonalSummary(transition);
  if (!diagonal && transition != Transition::Householder &&
      transition != Transition::DiagonalPlusLowRank)
    return op.emitOpError("has no chunks for ") << where;
  if (auto chunk = static_cast<int64_t>(op.getChunk()); chunk < 1)
    return op.emitOpError("expects chunks of at least 1 token, got ") << chunk;
  for (auto [name, value] : {std::pair<StringRef, Value>("alpha", op.getAlpha()),
                             std::pair<StringRef, Value>("beta", op.getBeta())})
    if (static_cast<bool>(value) == diagonal)
      return op.emitOpError(value ? "takes no '" : "needs '") << name << "' for " << where;
  bool decays = op.getDecay() || op.getRate();
  if (diagonal && decays != (transition != Transition::Identity))
    return op.emitOpError(decays ? "takes no 'decay' or 'rate' for "
                                 : "needs 'decay' or 'rate' for ")
           << where;
  if (op.getLinear() && op.getRate())
    return op.emitOpError("takes no 'rate' where decays are linear");
  for (auto [name, value, lead] :
       {std::tuple<StringRef, Value, StringRef>("decay", op.getDecay(), "BTH"),
        std::tuple<StringRef, Value, StringRef>("rate", op.getRate(), "H")}) {
    bool rows = value && transition != Transition::Scalar &&
                typeOf(value).getRank() == static_cast<int64_t>(lead.size()) + 1;
    if (failed(shapes.check(name, value, (lead + (rows ? "K" : "")).str())))
      return failure();
  }
  return failure(failed(shapes.check("value", op.getValue(), "BTHV")) ||
                 failed(shapes.check("key", op.getKey(), "BThK")) ||
                 failed(shapes.check("alpha", op.getAlpha(), "BThK")) ||
                 failed(shapes.check("beta", op.getBeta(), "BThK")));
}

/// The extents of states, and the number of chunks.
static void setChunks(ShapeChecker &shapes, Value value, int64_t chunk) {
  RankedTensorType type = typeOf(value);
  if (type.getRank() != 4)
    return;
  shapes.set('H', value, 2);
  if (chunk < 1)
    return;
  // Tokens over chunks, rounded up; no sum of theirs overflows.
  chunk = std::min(chunk, int64_t(1) << 62);
  shapes.set('Z', value, 1);
  shapes.derive('J', 'Z', 1, 1, chunk - 1);
  shapes.derive('J', 'J', 1, chunk);
}

LogicalResult weft::ssm::verifyShapes(ChunkSummaryOp op, ShapeChecker &shapes) {
  setChunks(shapes, op.getValue(), static_cast<int64_t>(op.getChunk()));
  Type compute = computeTypeOf(typeOf(op.getValue()).getElementType());
  if (failed(verifyChunkOperands(op, shapes)))
    return failure();
  StringRef factors = hasDiagonalSummary(op.getTransition()) ? "BJHK" : "BJHKK";
  return failure(failed(shapes.check("M", op.getInits()[0], factors, compute)) ||
                 failed(shapes.check("U", op.getInits()[1], "BJHKV", compute)));
}

LogicalResult weft::ssm::verifyShapes(ChunkApplyOp op, ShapeChecker &shapes) {
  setChunks(shapes, op.getValue(), static_cast<int64_t>(op.getChunk()));
  Type compute = computeTypeOf(typeOf(op.getValue()).getElementType());
  if (failed(verifyChunkOperands(op, shapes)))
    return failure();
  return failure(failed(shapes.check("query", op.getQuery(), "BThK")) ||
                 failed(shapes.check("states", op.getStates(), "BJHKV", compute)) ||
                 failed(shapes.check("output", op.getInits()[0], "BTHV")));
}

LogicalResult ChunkSummaryOp::verify() {
  if (getInits().size() != 2 || getResults().size() != 2)
    return emitOpError("expects 2 inits, and as many results");
  ShapeChecker shapes(*this);
  return verifyShapes(*this, shapes);
}

LogicalResult ChunkApplyOp::verify() {
  if (getInits().size() != 1 || getResults().size() != 1)
    return emitOpError("expects 1 init, and as many results");
  ShapeChecker shapes(*this);
  return verifyShapes(*this, shapes);
}

LogicalResult ChunkSummaryOp::reifyResultShapes(OpBuilder &builder,
                                                ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

LogicalResult ChunkApplyOp::reifyResultShapes(OpBuilder &builder,
                                              ReifiedRankedShapedTypeDims &shapes) {
  return reifyInits(*this, builder, shapes);
}

//===----------------------------------------------------------------------===//
// References
//===----------------------------------------------------------------------===//

template <typename OpTy> static Recurrence recurrenceOf(OpTy op) {
  Recurrence r;
  r.transition = op.getTransition();
  r.linear = op.getLinear();
  r.key = op.getKey();
  r.value = op.getValue();
  r.decay = op.getDecay();
  r.rate = op.getRate();
  r.alpha = op.getAlpha();
  r.beta = op.getBeta();
  r.compute = computeTypeOf(typeOf(op.getValue()).getElementType());
  return r;
}

namespace {
/// A chunk of one head: its tokens from `start` to `end`.
struct Chunk {
  Value batch, number, head, start, end;
};
} // namespace

/// One work item a chunk and head; `body` makes the new slices of `inits`, which `place`
/// gives offsets and sizes.
static SmallVector<Value>
forEachChunk(OpBuilder &b, Location loc, Value tokens, Value heads, Value batches, int64_t size,
             ValueRange inits,
             llvm::function_ref<void(const Chunk &, unsigned, SmallVector<OpFoldResult> &,
                                     SmallVector<OpFoldResult> &)>
                 place,
             llvm::function_ref<SmallVector<Value>(const Chunk &, ValueRange)> body) {
  IndexMath m{b, loc};
  Value chunks = arith::CeilDivSIOp::create(b, loc, tokens, m.constant(size));
  auto items = scf::ForallOp::create(b, loc, getAsOpFoldResult(ValueRange{batches, chunks, heads}),
                                     inits, /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(items.getBody());
  Chunk chunk{items.getInductionVar(0), items.getInductionVar(1), items.getInductionVar(2), {}, {}};
  chunk.start = m.mul(chunk.number, m.constant(size));
  chunk.end = arith::MinSIOp::create(b, loc, m.add(chunk.start, m.constant(size)), tokens);
  SmallVector<SmallVector<OpFoldResult>> offsets(inits.size()), sizes(inits.size());
  SmallVector<Value> slices;
  auto stridesOf = [&](unsigned i) {
    return SmallVector<OpFoldResult>(sizes[i].size(), b.getIndexAttr(1));
  };
  for (auto [i, out] : llvm::enumerate(items.getRegionIterArgs())) {
    place(chunk, i, offsets[i], sizes[i]);
    slices.push_back(
        tensor::ExtractSliceOp::create(b, loc, out, offsets[i], sizes[i], stridesOf(i)));
  }
  SmallVector<Value> results = body(chunk, slices);
  b.setInsertionPointToEnd(items.getTerminator().getBody());
  for (auto [i, out] : llvm::enumerate(items.getRegionIterArgs()))
    tensor::ParallelInsertSliceOp::create(b, loc, results[i], out, offsets[i], sizes[i],
                                          stridesOf(i));
  return SmallVector<Value>(items.getResults());
}

/// The last two of `sizes` of a slice whose other extents are 1, as a state; or back.
static Value stateOf(OpBuilder &b, Location loc, Value slice, ArrayRef<OpFoldResult> sizes,
                     int64_t rank) {
  SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0)),
      strides(sizes.size(), b.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(
      b, loc, sliceType(typeOf(slice).getElementType(), sizes.take_back(rank)), slice, offsets,
      sizes, strides);
}

static Value insertState(OpBuilder &b, Location loc, Value state, Value slice,
                         ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0)),
      strides(sizes.size(), b.getIndexAttr(1));
  return tensor::InsertSliceOp::create(b, loc, state, slice, offsets, sizes, strides);
}

FailureOr<SmallVector<Value>> ChunkSummaryOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  IndexMath m{b, loc};
  SmallVector<Value> inits(getInits());
  // Without a state there is nothing to say; an empty dimension has no slices.
  if (llvm::any_of(inits, [](Value init) { return isStaticallyEmpty(typeOf(init)); })) {
    if (isStaticallyEmpty(typeOf(inits[0])))
      return inits;
  }
  Recurrence r = recurrenceOf(*this);
  bool diagonal = hasDiagonalSummary(getTransition()),
       hasColumns = !isStaticallyEmpty(typeOf(inits[1]));
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1),
               rows = tensor::getMixedSize(b, loc, inits[0], 3),
               columns = tensor::getMixedSize(b, loc, inits[1], 4);
  Value heads = m.dim(getValue(), 2);
  SmallVector<OpFoldResult> factorSizes{one, one, one, rows},
      termSizes{one, one, one, rows, columns};
  if (!diagonal)
    factorSizes.push_back(rows);
  if (!hasColumns)
    inits.pop_back();
  auto advanceAll = [&](const Chunk &chunk, Value state, OpFoldResult width, bool inject) -> Value {
    StateTile tile{chunk.batch, chunk.head, heads, zero, rows, zero, width};
    RecurrenceBuilder recurrence(r, tile);
    auto loop = scf::ForOp::create(
        b, loc, chunk.start, chunk.end, m.constant(1), state,
        [&](OpBuilder &b, Location loc, Value token, ValueRange args) {
          scf::YieldOp::create(b, loc, recurrence.advance(b, loc, args[0], token, inject));
        });
    return loop.getResult(0);
  };
  SmallVector<Value> results = forEachChunk(
      b, loc, m.dim(getValue(), 1), heads, m.dim(getValue(), 0), static_cast<int64_t>(getChunk()),
      inits,
      [&](const Chunk &chunk, unsigned i, SmallVector<OpFoldResult> &offsets,
          SmallVector<OpFoldResult> &sizes) {
        sizes = i == 0 ? factorSizes : termSizes;
        offsets.assign({chunk.batch, chunk.number, chunk.head});
        offsets.resize(sizes.size(), zero);
      },
      [&](const Chunk &chunk, ValueRange slices) {
        SmallVector<Value> next;
        StateTile tile{chunk.batch, chunk.head, heads, zero, rows, zero, diagonal ? one : rows};
        RecurrenceBuilder recurrence(r, tile);
        if (diagonal) {
          // What becomes of ones is the factors.
          Value column = stateOf(b, loc, slices[0], factorSizes, 1);
          column = tensor::ExpandShapeOp::create(b, loc, sliceType(r.compute, {rows, one}), column,
                                                 ArrayRef<ReassociationIndices>{{0, 1}},
                                                 ArrayRef<OpFoldResult>{rows, one});
          Value number = arith::ConstantOp::create(b, loc, b.getFloatAttr(r.compute, 1.0));
          Value ones = linalg::FillOp::create(b, loc, number, column).getResult(0);
          Value factors = advanceAll(chunk, ones, one, /*inject=*/false);
          factors = tensor::CollapseShapeOp::create(b, loc, factors,
                                                    ArrayRef<ReassociationIndices>{{0, 1}});
          next.push_back(insertState(b, loc, factors, slices[0], factorSizes));
        } else {
          Value unit = recurrence.fill(b, loc, stateOf(b, loc, slices[0], factorSizes, 2),
                                       /*identity=*/true);
          Value factors = advanceAll(chunk, unit, rows, /*inject=*/false);
          next.push_back(insertState(b, loc, factors, slices[0], factorSizes));
        }
        if (hasColumns) {
          Value state = recurrence.fill(b, loc, stateOf(b, loc, slices[1], termSizes, 2));
          next.push_back(insertState(b, loc, advanceAll(chunk, state, columns, /*inject=*/true),
                                     slices[1], termSizes));
        }
        return next;
      });
  if (!hasColumns)
    results.push_back(getInits()[1]);
  return results;
}

FailureOr<SmallVector<Value>> ChunkApplyOp::lowerToReference(OpBuilder &b) {
  Location loc = getLoc();
  IndexMath m{b, loc};
  Value init = getInits()[0];
  RankedTensorType type = typeOf(init);
  if (isStaticallyEmpty(type))
    return SmallVector<Value>{init};
  if (isStaticallyEmpty(typeOf(getStates()))) {
    // States without rows read as 0.
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
    return SmallVector<Value>{linalg::FillOp::create(b, loc, zero, init).getResult(0)};
  }
  Recurrence r = recurrenceOf(*this);
  r.query = getQuery();
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1),
               rows = tensor::getMixedSize(b, loc, getStates(), 3),
               columns = tensor::getMixedSize(b, loc, getStates(), 4);
  Value heads = m.dim(getValue(), 2);
  return forEachChunk(
      b, loc, m.dim(getValue(), 1), heads, m.dim(getValue(), 0), static_cast<int64_t>(getChunk()),
      init,
      [&](const Chunk &chunk, unsigned, SmallVector<OpFoldResult> &offsets,
          SmallVector<OpFoldResult> &sizes) {
        offsets = {chunk.batch, chunk.start, chunk.head, zero};
        sizes = {one, m.sub(chunk.end, chunk.start), one, columns};
      },
      [&](const Chunk &chunk, ValueRange slices) {
        StateTile tile{chunk.batch, chunk.head, heads, zero, rows, zero, columns};
        RecurrenceBuilder recurrence(r, tile);
        SmallVector<OpFoldResult> sizes{one, one, one, rows, columns}, ones(5, one);
        Value from = tensor::ExtractSliceOp::create(
            b, loc, sliceType(r.compute, {rows, columns}), getStates(),
            SmallVector<OpFoldResult>{chunk.batch, chunk.number, chunk.head, zero, zero}, sizes,
            ones);
        Value empty = tensor::EmptyOp::create(b, loc, ArrayRef{rows, columns}, r.compute);
        Value state = linalg::CopyOp::create(b, loc, from, empty).getResult(0);
        auto loop = scf::ForOp::create(
            b, loc, chunk.start, chunk.end, m.constant(1), ValueRange{state, slices[0]},
            [&](OpBuilder &b, Location loc, Value token, ValueRange args) {
              IndexMath m{b, loc};
              Value next = recurrence.advance(b, loc, args[0], token);
              Value sums = recurrence.readState(b, loc, next, token, 0, {});
              OpFoldResult offsets[] = {zero, m.sub(token, chunk.start), zero, zero},
                           rowSizes[] = {one, one, one, columns}, strides[] = {one, one, one, one};
              Value row = tensor::ExtractSliceOp::create(
                  b, loc, sliceType(type.getElementType(), {columns}), args[1], offsets, rowSizes,
                  strides);
              AffineMap map = b.getDimIdentityMap();
              Value written =
                  createGeneric(b, loc, sums, row, {map, map}, utils::IteratorType::parallel,
                                r.compute, [&](OpBuilder &b, Location loc, ValueRange args) {
                                  return convertFloat(b, loc, args[0], type.getElementType());
                                });
              Value output = tensor::InsertSliceOp::create(b, loc, written, args[1], offsets,
                                                           rowSizes, strides);
              scf::YieldOp::create(b, loc, ValueRange{next, output});
            });
        return SmallVector<Value>{loop.getResult(1)};
      });
}
