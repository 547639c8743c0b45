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
        one(arith::ConstantIndexOp::create(b, loc, 1)) {}

  /// The positions (tensor<?xi64>) in order, by a merge sort.
  Value sort();
  /// The first `count` positions in order, by one pass over the keys. Those
  /// beyond the number of keys are 0.
  Value select(int64_t count);

private:
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value min(Value x, Value y) { return arith::MinSIOp::create(b, loc, x, y); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value less(Value x, Value y) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, y);
  }
  Value negate(Value bit) {
    return arith::XOrIOp::create(b, loc, bit,
                                 arith::ConstantIntOp::create(b, loc, 1, 1));
  }
  Value toIndex(Value i) {
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), i);
  }
  Value toI64(Value i) {
    return arith::IndexCastOp::create(b, loc, b.getI64Type(), i);
  }
  /// The key at a position of type i64.
  Value keyAt(Value position) {
    return tensor::ExtractOp::create(b, loc, keys, toIndex(position));
  }
  Value comesBefore(Value x, Value y) {
    return createComesBefore(b, loc, x, y, op.getDescending(),
                             op.getIsUnsigned());
  }
  Value emptyPositions(Value extent) {
    return tensor::EmptyOp::create(b, loc, ArrayRef<OpFoldResult>{extent},
                                   b.getI64Type());
  }
  /// `for (i = from; i < to; i += step) body`, which carries `values`.
  SmallVector<Value>
  loop(Value from, Value to, Value step, ValueRange values,
       llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);
  Value countPasses();
  Value merge(Value positions, Value width);

  OpBuilder &b;
  Location loc;
  SortOp op;
  Value keys, length, zero, one;
};
} // namespace

SmallVector<Value>
RowSort::loop(Value from, Value to, Value step, ValueRange values,
              llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto forOp = scf::ForOp::create(b, loc, from, to, step, values);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(forOp.getBody());
  scf::YieldOp::create(
      b, loc, body(forOp.getInductionVar(), forOp.getRegionIterArgs()));
  return SmallVector<Value>(forOp.getResults());
}

/// The smallest p with 2^p >= length.
Value RowSort::countPasses() {
  // Extents are below 2^62: doubling does not overflow.
  SmallVector<Value> carried = {one, zero};
  auto whileOp = scf::WhileOp::create(
      b, loc, TypeRange{b.getIndexType(), b.getIndexType()}, carried,
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Value more = arith::CmpIOp::create(
            nested, at, arith::CmpIPredicate::slt, args[0], length);
        scf::ConditionOp::create(nested, at, more, args);
      },
      [&](OpBuilder &nested, Location at, ValueRange args) {
        Value twice = arith::AddIOp::create(nested, at, args[0], args[0]);
        Value next = arith::AddIOp::create(nested, at, args[1], one);
        scf::YieldOp::create(nested, at, ValueRange{twice, next});
      });
  return whileOp.getResult(1);
}

/// Merges neighbouring runs of `width` sorted positions. Of equal keys the left
/// run's come first, which is what makes the sort stable.
Value RowSort::merge(Value positions, Value width) {
  Value step = add(width, width);
  return loop(
      zero, length, step, emptyPositions(length),
      [&](Value low, ValueRange merged) {
        Value middle = min(add(low, width), length),
              high = min(add(low, step), length);
        Value lastLeft = arith::SubIOp::create(b, loc, middle, one);
        Value lastRight = arith::SubIOp::create(b, loc, high, one);
        SmallVector<Value> run = loop(
            low, high, one, {low, middle, merged[0]},
            [&](Value at, ValueRange args) {
              Value left = args[0], right = args[1];
              // An exhausted run is read at its last position, and not taken.
              Value x = tensor::ExtractOp::create(b, loc, positions,
                                                  min(left, lastLeft));
              Value y = tensor::ExtractOp::create(b, loc, positions,
                                                  min(right, lastRight));
              Value smaller = comesBefore(keyAt(y), keyAt(x));
              Value leftIsEmpty = negate(less(left, middle));
              Value takeRight = arith::AndIOp::create(
                  b, loc, less(right, high),
                  arith::OrIOp::create(b, loc, leftIsEmpty, smaller));
              Value taken = arith::SelectOp::create(b, loc, takeRight, y, x);
              Value written =
                  tensor::InsertOp::create(b, loc, taken, args[2], at);
              Value stepRight = arith::IndexCastUIOp::create(
                  b, loc, b.getIndexType(), takeRight);
              Value stepLeft = arith::SubIOp::create(b, loc, one, stepRight);
              return SmallVector<Value>{add(left, stepLeft),
                                        add(right, stepRight), written};
            });
        return SmallVector<Value>{run[2]};
      })[0];
}

Value RowSort::sort() {
  Value start = loop(
      zero, length, one, emptyPositions(length), [&](Value i, ValueRange args) {
        return SmallVector<Value>{
            tensor::InsertOp::create(b, loc, toI64(i), args[0], i)};
      })[0];
  return loop(zero, countPasses(), one, start,
              [&](Value pass, ValueRange args) {
                Value width = arith::ShLIOp::create(b, loc, one, pass);
                return SmallVector<Value>{merge(args[0], width)};
              })[0];
}

Value RowSort::select(int64_t count) {
  Value kept = constant(count), last = constant(count - 1);
  Value none = arith::ConstantIntOp::create(b, loc, 0, 64);
  Value start =
      linalg::FillOp::create(b, loc, none, emptyPositions(kept)).getResult(0);
  return loop(zero, length, one, start, [&](Value i, ValueRange args) {
    // `i` goes in if there is room, or it comes before the last of those kept.
    Value filled = min(i, kept), key = keyAt(toI64(i));
    Value worst = keyAt(tensor::ExtractOp::create(b, loc, args[0], last));
    Value enters =
        arith::OrIOp::create(b, loc, less(i, kept), comesBefore(key, worst));
    auto choice = scf::IfOp::create(b, loc, args.getTypes(), enters,
                                    /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(choice.thenBlock());
    Value no = arith::ConstantIntOp::create(b, loc, 0, 1);
    // From its place on, each takes the place of the next.
    SmallVector<Value> inserted = loop(
        zero, kept, one, {toI64(i), no, args[0]},
        [&](Value at, ValueRange carried) {
          Value present = tensor::ExtractOp::create(b, loc, carried[2], at);
          Value isFree = negate(less(at, filled));
          Value before = arith::OrIOp::create(b, loc, isFree,
                                              comesBefore(key, keyAt(present)));
          Value placed = arith::OrIOp::create(b, loc, carried[1], before);
          Value here =
              arith::SelectOp::create(b, loc, placed, carried[0], present);
          Value rest =
              arith::SelectOp::create(b, loc, placed, present, carried[0]);
          Value written =
              tensor::InsertOp::create(b, loc, here, carried[2], at);
          return SmallVector<Value>{rest, placed, written};
        });
    scf::YieldOp::create(b, loc, inserted[2]);
    b.setInsertionPointToStart(choice.elseBlock());
    scf::YieldOp::create(b, loc, args);
    return SmallVector<Value>{choice.getResult(0)};
  })[0];
}

/// Sorts `keys` into the tensors<?> `values` and `indices`.
static SmallVector<Value> sortRow(OpBuilder &b, SortOp op, Value keys,
                                  Value values, Value indices) {
  Location loc = op.getLoc();
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value length = tensor::DimOp::create(b, loc, keys, zero);
  Value kept = tensor::DimOp::create(b, loc, values, zero);
  RowSort row(b, loc, op, keys, length);
  int64_t count = cast<RankedTensorType>(op.getValuesInit().getType())
                      .getDimSize(op.getDimension());
  bool selects =
      !ShapedType::isDynamic(count) && count > 0 && count <= kMaxSelected;
  Value order = selects ? row.select(count) : row.sort();
  Value present = arith::MinSIOp::create(b, loc, kept, length);
  auto loop = scf::ForOp::create(
      b, loc, zero, present, one, ValueRange{values, indices},
      [&](OpBuilder &b, Location loc, Value i, ValueRange args) {
        Value position = tensor::ExtractOp::create(b, loc, order, i);
        Value at =
            arith::IndexCastOp::create(b, loc, b.getIndexType(), position);
        Value key = tensor::ExtractOp::create(b, loc, keys, at);
        Value newValues = tensor::InsertOp::create(b, loc, key, args[0], i);
        Value newIndices =
            tensor::InsertOp::create(b, loc, position, args[1], i);
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
      rewriter.replaceOp(
          op,
          createRowLoop(rewriter, op.getLoc(), op.getInput(),
                        {op.getValuesInit(), op.getIndicesInit()},
                        op.getDimension(), [&](Value keys, ValueRange outs) {
                          return sortRow(rewriter, op, keys, outs[0], outs[1]);
                        }));
    }
  }
};
} // namespace
