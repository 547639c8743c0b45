//===- LowerSort.cpp - Sorts and selects in parallel rows -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Compare.h"
#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Passes.h"
#include "transforms/Tile/Rows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft {
#define GEN_PASS_DEF_LOWERSORT
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Up to how many elements a row keeps by selection: an element that is among
/// the first so far costs one step for each that is kept.
static constexpr int64_t kMaxSelected = 128;

namespace {
/// Sorts one row: a tensor<?xT> of `length` keys, of which the first `kept`
/// positions are wanted.
class RowSort {
public:
  RowSort(OpBuilder &b, Location loc, SortOp op, Value keys, Value length)
      : b(b), loc(loc), op(op), keys(keys), length(length),
        zero(arith::ConstantIndexOp::create(b, loc, 0)),
        one(arith::ConstantIndexOp::create(b, loc, 1)),
        rankType(b.getIntegerType(getElementTypeOrSelf(keys.getType()).getIntOrFloatBitWidth())) {}

  /// The positions (tensor<?xi64>) in order, by a merge sort.
  Value sort();
  /// The first `count` positions in order, by one pass over the keys. Those
  /// beyond the number of keys are 0.
  Value select(int64_t count);

private:
  /// Elements by their keys' ranks and their positions (i64), a tensor<?> each.
  struct Elements {
    Value ranks, positions;
  };

  Value constant(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
  Value min(Value x, Value y) { return arith::MinSIOp::create(b, loc, x, y); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value less(Value x, Value y) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, y);
  }
  Value negate(Value bit) {
    return arith::XOrIOp::create(b, loc, bit, arith::ConstantIntOp::create(b, loc, 1, 1));
  }
  Value toI64(Value i) { return arith::IndexCastOp::create(b, loc, b.getI64Type(), i); }
  /// A key as a signed integer of its width: they are in the wanted order, and
  /// equal where neither key comes before the other.
  Value rankOf(Value key);
  Value read(Value tensor, Value i) { return tensor::ExtractOp::create(b, loc, tensor, i); }
  Value write(Value element, Value tensor, Value i) {
    return tensor::InsertOp::create(b, loc, element, tensor, i);
  }
  Value emptyRanks(Value extent) {
    return tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>{extent}, rankType);
  }
  Value emptyPositions(Value extent) {
    return tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>{extent}, b.getI64Type());
  }
  /// `for (i = from; i < to; i += step) body`, which carries `values`.
  SmallVector<Value> loop(Value from, Value to, Value step, ValueRange values,
                          llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);
  Value countPasses();
  Elements merge(Elements from, Value width, Elements outs);
  Elements insert(Value rank, Value position, Value filled, Value last, Elements kept);

  OpBuilder &b;
  Location loc;
  SortOp op;
  Value keys, length, zero, one;
  Type rankType;
};
} // namespace

SmallVector<Value> RowSort::loop(Value from, Value to, Value step, ValueRange values,
                                 llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto forOp = scf::ForOp::create(b, loc, from, to, step, values);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forOp.getBody());
  scf::YieldOp::create(b, loc, body(forOp.getInductionVar(), forOp.getRegionIterArgs()));
  return SmallVector<Value>(forOp.getResults());
}

Value RowSort::rankOf(Value key) {
  Type type = key.getType();
  unsigned width = type.getIntOrFloatBitWidth();
  auto number = [&](const APInt &value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getIntegerAttr(b.getIntegerType(width), value));
  };
  Value rank = key;
  if (isa<FloatType>(type)) {
    // By sign and magnitude, with one zero, and NaN the largest.
    Value zero = arith::ConstantOp::create(b, loc, b.getFloatAttr(type, 0));
    Value isZero = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OEQ, key, zero);
    Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, key, key);
    Value bits = arith::BitcastOp::create(b, loc, b.getIntegerType(width), key);
    Value sign = arith::ShRSIOp::create(b, loc, bits, number(APInt(width, width - 1)));
    Value flips = arith::AndIOp::create(b, loc, sign, number(APInt::getSignedMaxValue(width)));
    rank = arith::XOrIOp::create(b, loc, bits, flips);
    rank = arith::SelectOp::create(b, loc, isZero, number(APInt(width, 0)), rank);
    rank = arith::SelectOp::create(b, loc, isNaN, number(APInt::getSignedMaxValue(width)), rank);
  } else if (op.getIsUnsigned()) {
    rank = arith::XOrIOp::create(b, loc, rank, number(APInt::getSignMask(width)));
  }
  if (op.getDescending())
    rank = arith::XOrIOp::create(b, loc, rank, number(APInt::getAllOnes(width)));
  return rank;
}

/// The smallest p with 2^p >= length.
Value RowSort::countPasses() {
  // Extents are below 2^62: doubling does not overflow.
  SmallVector<Value> carried = {one, zero};
  auto whileOp = scf::WhileOp::create(
      b, loc, TypeRange{b.getIndexType(), b.getIndexType()}, carried,
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Value more = arith::CmpIOp::create(nested, at, arith::CmpIPredicate::slt, args[0], length);
        scf::ConditionOp::create(nested, at, more, args);
      },
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Value twice = arith::AddIOp::create(nested, at, args[0], args[0]);
        Value next = arith::AddIOp::create(nested, at, args[1], one);
        scf::YieldOp::create(nested, at, ValueRange{twice, next});
      });
  return whileOp.getResult(1);
}

/// Merges neighbouring runs of `width` sorted elements into `outs`. Of equal keys
/// the left run's come first, which is what makes the sort stable.
RowSort::Elements RowSort::merge(Elements from, Value width, Elements outs) {
  Value step = add(width, width);
  SmallVector<Value> merged =
      loop(zero, length, step, {outs.ranks, outs.positions}, [&](Value low, ValueRange whole) {
        Value middle = min(add(low, width), length), high = min(add(low, step), length);
        Value lastLeft = arith::SubIOp::create(b, loc, middle, one);
        Value lastRight = arith::SubIOp::create(b, loc, high, one);
        SmallVector<Value> run =
            loop(low, high, one, {low, middle, whole[0], whole[1]}, [&](Value at, ValueRange args) {
              Value left = args[0], right = args[1];
              // An exhausted run is read at its last position, and not taken.
              Value nextLeft = min(left, lastLeft), nextRight = min(right, lastRight);
              Value x = read(from.ranks, nextLeft), y = read(from.ranks, nextRight);
              Value leftIsEmpty = negate(less(left, middle));
              Value takeRight = arith::AndIOp::create(
                  b, loc, less(right, high), arith::OrIOp::create(b, loc, leftIsEmpty, less(y, x)));
              Value rank = arith::SelectOp::create(b, loc, takeRight, y, x);
              Value taken = arith::SelectOp::create(b, loc, takeRight, nextRight, nextLeft);
              Value ranks = write(rank, args[2], at);
              Value positions = write(read(from.positions, taken), args[3], at);
              Value stepRight = arith::IndexCastUIOp::create(b, loc, b.getIndexType(), takeRight);
              Value stepLeft = arith::SubIOp::create(b, loc, one, stepRight);
              return SmallVector<Value>{add(left, stepLeft), add(right, stepRight), ranks,
                                        positions};
            });
        return SmallVector<Value>{run[2], run[3]};
      });
  return {merged[0], merged[1]};
}

Value RowSort::sort() {
  SmallVector<Value> start =
      loop(zero, length, one, {emptyRanks(length), emptyPositions(length)},
           [&](Value i, ValueRange args) {
             return SmallVector<Value>{write(rankOf(read(keys, i)), args[0], i),
                                       write(toI64(i), args[1], i)};
           });
  // Two passes at a time, there and back: each has its own memory.
  Value pairs = arith::ShRUIOp::create(b, loc, add(countPasses(), one), one);
  return loop(zero, pairs, one, start, [&](Value pair, ValueRange args) {
    Value width = arith::ShLIOp::create(b, loc, one, add(pair, pair));
    Elements there = merge({args[0], args[1]}, width, {emptyRanks(length), emptyPositions(length)});
    Elements back = merge(there, add(width, width), {args[0], args[1]});
    return SmallVector<Value>{back.ranks, back.positions};
  })[1];
}

/// Puts an element in its place among the first `filled` of `kept` sorted ones, from
/// which it takes the last if they are full.
RowSort::Elements RowSort::insert(Value rank, Value position, Value filled, Value last,
                                  Elements kept) {
  // Equal ones came earlier, and stay before it.
  Value place = loop(zero, filled, one, zero, [&](Value i, ValueRange args) {
    Value after = less(rank, read(kept.ranks, i));
    Value step = arith::IndexCastUIOp::create(b, loc, b.getIndexType(), negate(after));
    return SmallVector<Value>{add(args[0], step)};
  })[0];
  Value end = min(filled, last);
  Value moved = arith::SubIOp::create(b, loc, end, place);
  SmallVector<Value> shifted =
      loop(zero, moved, one, {kept.ranks, kept.positions}, [&](Value i, ValueRange args) {
        Value to = arith::SubIOp::create(b, loc, end, i);
        Value from = arith::SubIOp::create(b, loc, to, one);
        return SmallVector<Value>{write(read(args[0], from), args[0], to),
                                  write(read(args[1], from), args[1], to)};
      });
  return {write(rank, shifted[0], place), write(position, shifted[1], place)};
}

Value RowSort::select(int64_t count) {
  Value kept = constant(count), last = constant(count - 1);
  Value none = arith::ConstantIntOp::create(b, loc, 0, 64);
  Value noRank = arith::ConstantOp::create(b, loc, b.getIntegerAttr(rankType, 0));
  Value positions = linalg::FillOp::create(b, loc, none, emptyPositions(kept)).getResult(0);
  Value ranks = linalg::FillOp::create(b, loc, noRank, emptyRanks(kept)).getResult(0);
  // Carried too: the rank of the last one, of no account until there are enough.
  return loop(zero, length, one, {ranks, positions, noRank}, [&](Value i, ValueRange args) {
    // `i` goes in if there is room, or it comes before the last of those kept.
    Value rank = rankOf(read(keys, i));
    Value enters = arith::OrIOp::create(b, loc, less(i, kept), less(rank, args[2]));
    auto choice = scf::IfOp::create(b, loc, args.getTypes(), enters,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(choice.thenBlock());
    Elements inserted = insert(rank, toI64(i), min(i, kept), last, {args[0], args[1]});
    scf::YieldOp::create(
        b, loc, ValueRange{inserted.ranks, inserted.positions, read(inserted.ranks, last)});
    b.setInsertionPointToStart(choice.elseBlock());
    scf::YieldOp::create(b, loc, args);
    return SmallVector<Value>(choice.getResults());
  })[1];
}

/// Sorts `keys` into the tensors<?> `values` and `indices`.
static SmallVector<Value> sortRow(OpBuilder &b, SortOp op, Value keys, Value values,
                                  Value indices) {
  Location loc = op.getLoc();
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value length = tensor::DimOp::create(b, loc, keys, zero);
  Value kept = tensor::DimOp::create(b, loc, values, zero);
  RowSort row(b, loc, op, keys, length);
  int64_t count =
      cast<RankedTensorType>(op.getValuesInit().getType()).getDimSize(op.getDimension());
  bool selects = !ShapedType::isDynamic(count) && count > 0 && count <= kMaxSelected;
  Value order = selects ? row.select(count) : row.sort();
  Value present = arith::MinSIOp::create(b, loc, kept, length);
  auto loop = scf::ForOp::create(
      b, loc, zero, present, one, ValueRange{values, indices},
      [&](OpBuilder &b, Location loc, Value i, ValueRange args) {
        Value position = tensor::ExtractOp::create(b, loc, order, i);
        Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(), position);
        Value key = tensor::ExtractOp::create(b, loc, keys, at);
        Value newValues = tensor::InsertOp::create(b, loc, key, args[0], i);
        Value newIndices = tensor::InsertOp::create(b, loc, position, args[1], i);
        scf::YieldOp::create(b, loc, ValueRange{newValues, newIndices});
      });
  return SmallVector<Value>(loop.getResults());
}

namespace {
struct LowerSort : weft::impl::LowerSortBase<LowerSort> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<SortOp> sorts;
    getOperation().walk([&](SortOp op) { sorts.push_back(op); });
    for (SortOp op : sorts) {
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, createRowLoop(rewriter, op.getLoc(), op.getInput(),
                                           {op.getValuesInit(), op.getIndicesInit()},
                                           op.getDimension(), [&](Value keys, ValueRange outs) {
                                             return sortRow(rewriter, op, keys, outs[0], outs[1]);
                                           }));
    }
  }
};
} // namespace
