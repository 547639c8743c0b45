//===- CheckAttention.cpp - Fails calls with wrong offsets and pages ------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Attn/IR/AttnScores.h"
#include "dialects/Attn/Transforms/Passes.h"
#include "dialects/Weft/IR/IndexMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

namespace weft::attn {
#define GEN_PASS_DEF_CHECKATTENTION
#include "dialects/Attn/Transforms/Passes.h.inc"
} // namespace weft::attn

using namespace mlir;
using namespace weft;
using namespace weft::attn;

using Predicate = arith::CmpIPredicate;

/// The runtime's code for an index out of range.
static constexpr int32_t kOutOfRange = 11;

namespace {
/// Tests integers in a kernel, and lets the host fail with the first wrong one.
class Checker {
public:
  Checker(OpBuilder &b, Location loc) : b(b), loc(loc), m{b, loc} {}

  /// Offsets ascend within [0, rows].
  void checkOffsets(Value offsets, Value rows);
  /// Entries of the `table` that the first `lengths` keys of a sequence lie in, `size` in
  /// each, are below `pages`.
  void checkPages(Value table, Value lengths, Value pages, Value size);

private:
  using IsBad = llvm::function_ref<Value(IndexMath, Value, ValueRange)>;
  void check(Value numbers, IsBad isBad, Value bound, StringRef message);

  OpBuilder &b;
  Location loc;
  IndexMath m;
};
} // namespace

static Value toIndex(OpBuilder &b, Location loc, Value value) {
  return b.createOrFold<arith::IndexCastOp>(loc, b.getIndexType(), value);
}

/// Fails with `message`, in which "{0}" is the first number that `isBad` and "{1}" the bound.
void Checker::check(Value numbers, IsBad isBad, Value bound, StringRef message) {
  auto type = cast<RankedTensorType>(numbers.getType());
  int64_t rank = type.getRank();
  Type i64 = b.getI64Type();
  auto none = [&](OpBuilder &b) -> Value {
    return arith::ConstantIntOp::create(b, loc, std::numeric_limits<int64_t>::max(), 64);
  };
  Value empty = tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{}, i64);
  Value init = linalg::FillOp::create(b, loc, none(b), empty).getResult(0);
  SmallVector<Value> extents;
  for (int64_t i = 0; i < rank; ++i)
    extents.push_back(m.dim(numbers, i));
  auto first = linalg::GenericOp::create(
      b, loc, init.getType(), numbers, init,
      ArrayRef<AffineMap>{b.getMultiDimIdentityMap(rank), AffineMap::get(rank, 0, b.getContext())},
      SmallVector<utils::IteratorType>(rank, utils::IteratorType::reduction),
      [&](OpBuilder &b, Location loc, ValueRange args) {
        IndexMath inner{b, loc};
        SmallVector<Value> at;
        Value position = inner.constant(0);
        for (int64_t i = 0; i < rank; ++i) {
          at.push_back(linalg::IndexOp::create(b, loc, i));
          position = inner.add(inner.mul(position, extents[i]), at.back());
        }
        Value wrong = isBad(inner, toIndex(b, loc, args[0]), at);
        Value number = arith::IndexCastOp::create(b, loc, i64, position);
        Value found = inner.select(wrong, number, none(b));
        linalg::YieldOp::create(b, loc, arith::MinSIOp::create(b, loc, args[1], found).getResult());
      });
  Value position = tensor::ExtractOp::create(b, loc, first.getResult(0), ValueRange{});
  Value isWrong = m.cmp(Predicate::ne, position, none(b));
  auto guard = scf::IfOp::create(b, loc, isWrong, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard insertion(b);
  b.setInsertionPointToStart(guard.thenBlock());
  Value rest = toIndex(b, loc, position);
  SmallVector<Value> at(rank);
  for (int64_t i = rank - 1; i >= 0; --i) {
    Value extent = arith::MaxSIOp::create(b, loc, extents[i], m.constant(1));
    at[i] = m.rem(rest, extent);
    rest = m.div(rest, extent);
  }
  Value number = toIndex(b, loc, tensor::ExtractOp::create(b, loc, numbers, at));
  AssertOp::create(b, loc, arith::ConstantIntOp::create(b, loc, 0, 1), kOutOfRange, message,
                   ValueRange{number, bound});
}

void Checker::checkOffsets(Value offsets, Value rows) {
  check(
      offsets,
      [&](IndexMath e, Value offset, ValueRange at) -> Value {
        Value before = e.sub(at[0], e.constant(1));
        before = arith::MaxSIOp::create(e.b, e.loc, before, e.constant(0));
        Value last = toIndex(e.b, e.loc, tensor::ExtractOp::create(e.b, e.loc, offsets, before));
        Value outside =
            arith::OrIOp::create(e.b, e.loc, e.cmp(Predicate::slt, offset, e.constant(0)),
                                 e.cmp(Predicate::sgt, offset, rows));
        return arith::OrIOp::create(e.b, e.loc, outside, e.cmp(Predicate::slt, offset, last));
      },
      rows, "offset {0} of a sequence is out of order or beyond {1} rows");
}

void Checker::checkPages(Value table, Value lengths, Value pages, Value size) {
  check(
      table,
      [&](IndexMath e, Value page, ValueRange at) -> Value {
        Value length = readMetadata(e.b, e.loc, lengths, at[0]);
        Value isUsed = e.cmp(Predicate::slt, e.mul(at[1], size), length);
        Value outside = arith::OrIOp::create(e.b, e.loc, e.cmp(Predicate::slt, page, e.constant(0)),
                                             e.cmp(Predicate::sge, page, pages));
        return e.both(isUsed, outside);
      },
      pages, "page {0} is none of {1} pages");
}

/// The extent that `letter` has in a tensor or packed tensor.
static Value extentOf(IndexMath m, Value tensor, StringRef letters, char letter) {
  int64_t at = *findLetter(letters, letter);
  int64_t extent = cast<ShapedType>(tensor.getType()).getDimSize(at);
  return ShapedType::isDynamic(extent) ? m.dim(tensor, at) : m.constant(extent);
}

static void checkAttention(OpBuilder &b, const Attention &a) {
  Location loc = a.op->getLoc();
  Checker checker(b, loc);
  IndexMath m{b, loc};
  if (a.queryOffsets)
    checker.checkOffsets(a.queryOffsets, extentOf(m, a.query, a.layout.query, 's'));
  if (a.keyOffsets)
    checker.checkOffsets(a.keyOffsets, extentOf(m, a.key, a.layout.key, 't'));
  if (a.pageTable)
    checker.checkPages(a.pageTable, a.keyLengths, extentOf(m, a.key, a.layout.key, 'p'),
                       extentOf(m, a.key, a.layout.key, 't'));
}

namespace {
struct CheckAttention : attn::impl::CheckAttentionBase<CheckAttention> {
  void runOnOperation() override {
    getOperation()->walk([](Operation *op) {
      OpBuilder b(op);
      if (isa<AttendOp, PartialOp>(op))
        checkAttention(b, Attention::of(op));
      auto append = dyn_cast<KVAppendOp>(op);
      if (append && append.getRowOffsets())
        Checker(b, op->getLoc())
            .checkOffsets(append.getRowOffsets(),
                          extentOf(IndexMath{b, op->getLoc()}, append.getRows(),
                                   append.getLayout().split("->").first, 't'));
    });
  }
};
} // namespace
