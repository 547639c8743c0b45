//===- VectorizeTransposes.cpp - Transpositions in registers --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Vector/Passes.h"
#include "transforms/Vector/TransposeSquare.h"
#include "transforms/Vector/VectorBody.h"
#include "transforms/Vector/VectorLoops.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace weft {
#define GEN_PASS_DEF_VECTORIZETRANSPOSES
#include "transforms/Vector/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// A `linalg.generic` that moves elements only. Its result is contiguous along
/// `column`, its operand along `row`.
namespace {
struct Transposition {
  linalg::GenericOp op;
  unsigned row, column;

  static std::optional<Transposition> match(linalg::GenericOp op);
};

/// Emits one transposition.
class TransposeEmitter {
public:
  TransposeEmitter(Transposition transposition, int64_t size, RewriterBase &rewriter)
      : op(transposition.op), row(transposition.row), column(transposition.column), size(size),
        b(rewriter), loc(op.getLoc()), loops(op, rewriter) {}
  void run();

private:
  SmallVector<Value> walk(unsigned depth, ValueRange carried);
  Value square(Value tensor);
  Value wholeSquare(Value tensor);
  Value partOfSquare(Value tensor);
  SmallVector<Value> positionOf(OpOperand &operand, unsigned loop, Value at);

  linalg::GenericOp op;
  unsigned row, column;
  int64_t size;
  RewriterBase &b;
  Location loc;
  VectorLoops loops;
  Value rowEnd, columnEnd;
  SmallVector<Value> position; ///< of all loops
};
} // namespace

std::optional<Transposition> Transposition::match(linalg::GenericOp op) {
  unsigned count = op.getNumLoops();
  if (!op.hasPureTensorSemantics() || op.getNumParallelLoops() != count || count < 2 ||
      op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1)
    return std::nullopt;
  auto yield = cast<linalg::YieldOp>(op.getBody()->getTerminator());
  OpOperand *input = op.getDpsInputOperand(0), *init = op.getDpsInitOperand(0);
  if (yield.getOperand(0) != op.getMatchingBlockArgument(input) ||
      !isa<RankedTensorType>(input->get().getType()) || !hasContiguousRows(input->get()) ||
      !hasContiguousRows(init->get()))
    return std::nullopt;
  AffineMap from = op.getMatchingIndexingMap(input), to = op.getMatchingIndexingMap(init);
  if (!from.isPermutation() || !to.isPermutation())
    return std::nullopt;
  Transposition result{op, from.getDimPosition(count - 1), to.getDimPosition(count - 1)};
  return result.row == result.column ? std::nullopt : std::optional(result);
}

SmallVector<Value> TransposeEmitter::positionOf(OpOperand &operand, unsigned loop, Value at) {
  SmallVector<Value> loopsOf(position);
  loopsOf[loop] = at;
  return VectorBody::position(b, op, &operand, loopsOf);
}

Value TransposeEmitter::wholeSquare(Value tensor) {
  OpOperand &input = *op.getDpsInputOperand(0), &init = *op.getDpsInitOperand(0);
  SmallVector<Value> rows;
  for (int64_t i = 0; i < size; ++i)
    rows.push_back(readVector(b, loc, input.get(),
                              positionOf(input, column, loops.add(position[column], i)), size,
                              Value()));
  transposeSquare(b, loc, rows);
  for (auto [i, vector] : llvm::enumerate(rows))
    tensor = writeVector(b, loc, vector, tensor,
                         positionOf(init, row, loops.add(position[row], static_cast<int64_t>(i))),
                         Value());
  return tensor;
}

/// Vectors beyond the end are read from the last place again and not written.
Value TransposeEmitter::partOfSquare(Value tensor) {
  OpOperand &input = *op.getDpsInputOperand(0), &init = *op.getDpsInitOperand(0);
  auto clamp = [&](Value at, Value end) -> Value {
    Value last = arith::SubIOp::create(b, loc, end, loops.constant(1));
    return arith::MinUIOp::create(b, loc, at, last);
  };
  Value inRow = loops.mask(position[row], rowEnd, size);
  SmallVector<Value> rows;
  for (int64_t i = 0; i < size; ++i) {
    Value at = clamp(loops.add(position[column], i), columnEnd);
    rows.push_back(readVector(b, loc, input.get(), positionOf(input, column, at), size, inRow));
  }
  transposeSquare(b, loc, rows);
  Value left = arith::SubIOp::create(b, loc, columnEnd, position[column]);
  for (auto [i, vector] : llvm::enumerate(rows)) {
    Value at = loops.add(position[row], static_cast<int64_t>(i));
    Value isInside = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, at, rowEnd);
    Value count = arith::SelectOp::create(b, loc, isInside, left, loops.constant(0));
    Value mask =
        vector::CreateMaskOp::create(b, loc, VectorType::get({size}, b.getI1Type()), count);
    tensor = writeVector(b, loc, vector, tensor, positionOf(init, row, clamp(at, rowEnd)), mask);
  }
  return tensor;
}

Value TransposeEmitter::square(Value tensor) {
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  auto isWhole = [&](unsigned loop) -> Value {
    if (!ShapedType::isDynamic(extents[loop]) && extents[loop] % size == 0)
      return {};
    Value end = loops.add(position[loop], size);
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ule, end,
                                 loop == row ? rowEnd : columnEnd);
  };
  Value whole = isWhole(row), other = isWhole(column);
  if (whole && other)
    whole = arith::AndIOp::create(b, loc, whole, other);
  else if (other)
    whole = other;
  if (!whole)
    return wholeSquare(tensor);
  auto branch = scf::IfOp::create(b, loc, tensor.getType(), whole, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(b, loc, wholeSquare(tensor));
  b.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(b, loc, partOfSquare(tensor));
  return branch.getResult(0);
}

/// Walks the loops from `depth` on of those in the order of the operand's memory, which
/// is read in few streams then.
SmallVector<Value> TransposeEmitter::walk(unsigned depth, ValueRange carried) {
  AffineMap from = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  if (depth == from.getNumResults())
    return {square(carried[0])};
  unsigned loop = from.getDimPosition(depth);
  if (loop != row && loop != column)
    return loops.nest(loop, position, carried,
                      [&](ValueRange tensors) { return walk(depth + 1, tensors); });
  auto forOp = scf::ForOp::create(b, loc, loops.constant(0), loop == row ? rowEnd : columnEnd,
                                  loops.constant(size), carried,
                                  [&](OpBuilder &, Location, Value at, ValueRange tensors) {
                                    position[loop] = at;
                                    scf::YieldOp::create(b, loc, walk(depth + 1, tensors));
                                  });
  return SmallVector<Value>(forOp.getResults());
}

void TransposeEmitter::run() {
  b.setInsertionPoint(op);
  loops.start();
  position.assign(op.getNumLoops(), loops.constant(0));
  rowEnd = loops.extent(row);
  columnEnd = loops.extent(column);
  loops.replace(walk(0, loops.destinations()));
}

//===----------------------------------------------------------------------===//
// Operands of other operations
//===----------------------------------------------------------------------===//

/// The order in which an operand's dimensions would be those of the loops, if it is
/// contiguous along another loop than the results are.
static std::optional<SmallVector<int64_t>> findLoopOrder(linalg::GenericOp op, OpOperand *operand) {
  AffineMap out = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  AffineMap map = op.getMatchingIndexingMap(operand);
  if (!isa<RankedTensorType>(operand->get().getType()) || out.getNumResults() == 0 ||
      !isa<AffineDimExpr>(out.getResults().back()) || map.getNumResults() < 2 ||
      !map.isProjectedPermutation() || op.getMatchingBlockArgument(operand).use_empty())
    return std::nullopt;
  unsigned column = out.getDimPosition(out.getNumResults() - 1);
  unsigned row = map.getDimPosition(map.getNumResults() - 1);
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  auto isShort = [&](unsigned loop) {
    return !ShapedType::isDynamic(extents[loop]) && extents[loop] < kMinRow;
  };
  if (row == column || !map.isFunctionOfDim(column) || isShort(row) || isShort(column))
    return std::nullopt;
  auto order = llvm::to_vector(llvm::seq<int64_t>(0, map.getNumResults()));
  auto place = [&](int64_t dim) {
    unsigned loop = map.getDimPosition(static_cast<unsigned>(dim));
    return loop == column ? op.getNumLoops() : loop;
  };
  llvm::sort(order, [&](int64_t x, int64_t y) { return place(x) < place(y); });
  return order;
}

/// Whether vectors of such elements can be masked, and are moved by shuffles.
static bool isSupported(Type type, int64_t vectorBits) {
  return canTransposeSquares(type) && (vectorBits >= 512 || type.getIntOrFloatBitWidth() >= 32);
}

/// Gives an operation that computes something rows that are contiguous: a transposed
/// copy of each operand that it would read element by element.
static void transposeOperands(linalg::GenericOp op, int64_t vectorBits, RewriterBase &rewriter) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInits() == 0 ||
      op.getNumParallelLoops() != op.getNumLoops() || Transposition::match(op))
    return;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  rewriter.setInsertionPoint(op);
  for (OpOperand *operand : op.getDpsInputOperands()) {
    std::optional<SmallVector<int64_t>> order = findLoopOrder(op, operand);
    Value value = operand->get();
    if (!order || !isSupported(getElementTypeOrSelf(value.getType()), vectorBits))
      continue;
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, value), ordered;
    SmallVector<AffineExpr> exprs;
    AffineMap &map = maps[operand->getOperandNumber()];
    for (int64_t dim : *order) {
      ordered.push_back(sizes[dim]);
      exprs.push_back(map.getResult(static_cast<unsigned>(dim)));
    }
    Value empty =
        tensor::EmptyOp::create(rewriter, loc, ordered, getElementTypeOrSelf(value.getType()));
    Value copy = linalg::TransposeOp::create(rewriter, loc, value, empty, *order).getResult()[0];
    map = AffineMap::get(map.getNumDims(), 0, exprs, rewriter.getContext());
    rewriter.modifyOpInPlace(op, [&] { operand->set(copy); });
  }
  rewriter.modifyOpInPlace(op,
                           [&] { op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps)); });
}

/// Rows of a square; 0 where vectors are no use.
static int64_t chooseSize(const Transposition &transposition, int64_t vectorBits) {
  linalg::GenericOp op = transposition.op;
  Type type = getElementTypeOrSelf(op.getDpsInits()[0].getType());
  if (!isSupported(type, vectorBits))
    return 0;
  int64_t size = std::min(kMaxSquare, vectorBits / type.getIntOrFloatBitWidth());
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  for (int64_t extent : {extents[transposition.row], extents[transposition.column]}) {
    if (ShapedType::isDynamic(extent))
      continue;
    if (extent < kMinRow)
      return 0;
    while (size / 2 >= extent)
      size /= 2;
  }
  return size;
}

namespace {
struct VectorizeTransposes : weft::impl::VectorizeTransposesBase<VectorizeTransposes> {
  void runOnOperation() override {
    int64_t vectorBits = vectorBitsOf(getOperation());
    if (vectorBits < 256)
      return;
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> consumers, ops;
    getOperation()->walk([&](linalg::GenericOp op) { consumers.push_back(op); });
    for (linalg::GenericOp op : consumers)
      transposeOperands(op, vectorBits, rewriter);
    SmallVector<linalg::TransposeOp> named;
    getOperation()->walk([&](linalg::TransposeOp op) { named.push_back(op); });
    for (linalg::TransposeOp op : named) {
      rewriter.setInsertionPoint(op);
      (void)linalg::generalizeNamedOp(rewriter, op);
    }
    getOperation()->walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops) {
      std::optional<Transposition> transposition = Transposition::match(op);
      if (!transposition)
        continue;
      int64_t size = chooseSize(*transposition, vectorBits);
      if (size == 0)
        continue;
      TransposeEmitter(*transposition, size, rewriter).run();
      ++numTranspositions;
    }
  }
};
} // namespace
