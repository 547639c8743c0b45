//===- LowerNonZero.cpp - Finds non-zero elements in parallel -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/IndexMath.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft {
#define GEN_PASS_DEF_LOWERNONZERO
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Elements of a chunk: some 20 microseconds where many of them are not zero.
static constexpr int64_t kChunkElements = 16384;

namespace {
/// Lowers one operation on a tensor of rank 1 or more.
class ChunkedNonZero {
public:
  ChunkedNonZero(RewriterBase &rewriter, NonZeroOp op)
      : b(rewriter), loc(op.getLoc()), op(op), m{b, loc},
        type(cast<RankedTensorType>(op.getInput().getType())) {}
  SmallVector<Value> lower();

private:
  /// `body` for all chunks at a time, which inserts into `init` what it gives at the
  /// offsets and sizes that it gives.
  Value forChunks(Value init, llvm::function_ref<void(Value, BlockArgument)> body);
  /// The elements of a chunk, a tensor<?>.
  Value elementsOf(Value chunk);
  Value isNonZero(Value element);
  Value count();
  Value write(Value starts, Value counts);
  SmallVector<Value> increment(ValueRange position);
  /// Element `i` of a tensor<?xi64> as an index.
  Value numberAt(Value tensor, Value i) {
    return arith::IndexCastOp::create(b, loc, b.getIndexType(),
                                      tensor::ExtractOp::create(b, loc, tensor, i));
  }
  OpFoldResult attribute(int64_t i) { return b.getIndexAttr(i); }

  RewriterBase &b;
  Location loc;
  NonZeroOp op;
  IndexMath m;
  RankedTensorType type;
  Value flat, length, chunks, zero, one;
  SmallVector<Value> extents;
};

struct LowerNonZero : weft::impl::LowerNonZeroBase<LowerNonZero> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<NonZeroOp> ops;
    getOperation().walk([&](NonZeroOp op) {
      if (cast<RankedTensorType>(op.getInput().getType()).getRank() > 0)
        ops.push_back(op);
    });
    for (NonZeroOp op : ops) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, ChunkedNonZero(rewriter, op).lower());
    }
  }
};
} // namespace

Value ChunkedNonZero::forChunks(Value init, llvm::function_ref<void(Value, BlockArgument)> body) {
  auto loop = scf::ForallOp::create(b, loc, ArrayRef<OpFoldResult>{chunks}, init,
                                    /*mapping=*/std::nullopt);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar(0), loop.getRegionIterArgs()[0]);
  return loop.getResult(0);
}

/// Ends the loop around the insertion point.
static void insertPart(RewriterBase &b, Location loc, Value part, BlockArgument whole,
                       ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes) {
  auto loop = cast<scf::ForallOp>(whole.getOwner()->getParentOp());
  b.setInsertionPointToEnd(loop.getTerminator().getBody());
  SmallVector<OpFoldResult> ones(sizes.size(), b.getIndexAttr(1));
  tensor::ParallelInsertSliceOp::create(b, loc, part, whole, offsets, sizes, ones);
}

Value ChunkedNonZero::elementsOf(Value chunk) {
  Value first = m.mul(chunk, m.constant(kChunkElements));
  Value size = arith::MinSIOp::create(b, loc, m.constant(kChunkElements), m.sub(length, first));
  auto part = RankedTensorType::get({ShapedType::kDynamic}, type.getElementType());
  return tensor::ExtractSliceOp::create(b, loc, part, flat, OpFoldResult(first), OpFoldResult(size),
                                        attribute(1));
}

Value ChunkedNonZero::isNonZero(Value element) {
  Value none = arith::ConstantOp::create(b, loc, b.getZeroAttr(element.getType()));
  if (isa<FloatType>(element.getType()))
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, element, none);
  return m.cmp(arith::CmpIPredicate::ne, element, none);
}

/// How many elements of each chunk are not zero: a tensor<?xi64>.
Value ChunkedNonZero::count() {
  Value init = tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>{chunks}, b.getI64Type());
  return forChunks(init, [&](Value chunk, BlockArgument out) {
    Value elements = elementsOf(chunk), none = arith::ConstantIntOp::create(b, loc, 0, 64);
    auto sum = scf::ForOp::create(b, loc, zero, m.dim(elements, 0), one, ValueRange{none},
                                  [&](OpBuilder &, Location, Value i, ValueRange args) {
                                    Value found =
                                        isNonZero(tensor::ExtractOp::create(b, loc, elements, i));
                                    Value step =
                                        arith::ExtUIOp::create(b, loc, b.getI64Type(), found);
                                    scf::YieldOp::create(b, loc, m.add(args[0], step));
                                  });
    auto single = RankedTensorType::get({1}, b.getI64Type());
    Value slot = tensor::ExtractSliceOp::create(b, loc, single, out, OpFoldResult(chunk),
                                                attribute(1), attribute(1));
    slot = tensor::InsertOp::create(b, loc, sum.getResult(0), slot, zero);
    insertPart(b, loc, slot, out, OpFoldResult(chunk), attribute(1));
  });
}

/// The position after `position` in row-major order.
SmallVector<Value> ChunkedNonZero::increment(ValueRange position) {
  SmallVector<Value> next(position);
  Value carry = one;
  for (size_t i = position.size(); i-- > 0;) {
    next[i] = m.add(position[i], carry);
    if (i == 0)
      break;
    Value wraps = m.cmp(arith::CmpIPredicate::eq, next[i], extents[i]);
    next[i] = m.select(wraps, zero, next[i]);
    carry = arith::IndexCastUIOp::create(b, loc, b.getIndexType(), wraps);
  }
  return next;
}

/// Writes the positions of each chunk's elements from column `starts` on.
Value ChunkedNonZero::write(Value starts, Value counts) {
  int64_t rank = type.getRank();
  return forChunks(op.getIndicesInit(), [&](Value chunk, BlockArgument out) {
    Value elements = elementsOf(chunk);
    Value start = numberAt(starts, chunk), found = numberAt(counts, chunk);
    SmallVector<OpFoldResult> offsets{attribute(0), start}, sizes{attribute(rank), found},
        ones(2, attribute(1));
    auto part = RankedTensorType::get({rank, ShapedType::kDynamic}, b.getI64Type());
    Value columns = tensor::ExtractSliceOp::create(b, loc, part, out, offsets, sizes, ones);
    // What is carried: the next column, the position, the columns.
    SmallVector<Value> carried{zero};
    Value rest = m.mul(chunk, m.constant(kChunkElements));
    SmallVector<Value> position(rank);
    for (int64_t i = rank - 1; i > 0; --i) {
      position[i] = m.rem(rest, extents[i]);
      rest = m.div(rest, extents[i]);
    }
    position[0] = rest;
    llvm::append_range(carried, position);
    carried.push_back(columns);
    auto loop = scf::ForOp::create(
        b, loc, zero, m.dim(elements, 0), one, carried,
        [&](OpBuilder &, Location, Value i, ValueRange args) {
          Value column = args.front(), written = args.back();
          ValueRange at = args.drop_front().drop_back();
          Value element = tensor::ExtractOp::create(b, loc, elements, i);
          auto store = scf::IfOp::create(
              b, loc, isNonZero(element),
              [&](OpBuilder &, Location) {
                Value result = written;
                for (auto [row, component] : llvm::enumerate(at)) {
                  Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(), component);
                  Value position[] = {m.constant(static_cast<int64_t>(row)), column};
                  result = tensor::InsertOp::create(b, loc, number, result, position);
                }
                scf::YieldOp::create(b, loc, ValueRange{m.add(column, one), result});
              },
              [&](OpBuilder &, Location) {
                scf::YieldOp::create(b, loc, ValueRange{column, written});
              });
          SmallVector<Value> next{store.getResult(0)};
          llvm::append_range(next, increment(at));
          next.push_back(store.getResult(1));
          scf::YieldOp::create(b, loc, next);
        });
    insertPart(b, loc, loop.getResults().back(), out, offsets, sizes);
  });
}

SmallVector<Value> ChunkedNonZero::lower() {
  int64_t rank = type.getRank();
  flat = op.getInput();
  if (rank > 1) {
    SmallVector<ReassociationIndices> all{llvm::to_vector(llvm::seq<int64_t>(0, rank))};
    flat = tensor::CollapseShapeOp::create(b, loc, flat, all);
  }
  for (int64_t i = 0; i < rank; ++i)
    extents.push_back(m.dim(op.getInput(), i));
  zero = m.constant(0);
  one = m.constant(1);
  length = m.dim(flat, 0);
  chunks = arith::CeilDivSIOp::create(b, loc, length, m.constant(kChunkElements));
  Value counts = count();
  Value init = tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>{chunks}, b.getI64Type());
  auto sums = scf::ForOp::create(b, loc, zero, chunks, one, ValueRange{zero, init},
                                 [&](OpBuilder &, Location, Value i, ValueRange args) {
                                   Value start =
                                       arith::IndexCastOp::create(b, loc, b.getI64Type(), args[0]);
                                   Value starts =
                                       tensor::InsertOp::create(b, loc, start, args[1], i);
                                   Value sum = m.add(args[0], numberAt(counts, i));
                                   scf::YieldOp::create(b, loc, ValueRange{sum, starts});
                                 });
  Value indices = write(sums.getResult(1), counts);
  Value total = arith::IndexCastOp::create(b, loc, b.getI64Type(), sums.getResult(0));
  Value count = tensor::InsertOp::create(b, loc, total, op.getCountInit(), ValueRange());
  return {indices, count};
}
