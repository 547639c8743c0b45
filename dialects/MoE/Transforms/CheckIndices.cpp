//===- CheckIndices.cpp - Fails calls with numbers out of range -----------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/ReferenceBuilder.h"
#include "dialects/MoE/Transforms/Passes.h"
#include "dialects/Weft/IR/ExtentChecks.h"

#include "llvm/ADT/TypeSwitch.h"

#include <limits>

namespace weft::moe {
#define GEN_PASS_DEF_CHECKINDICES
#include "dialects/MoE/Transforms/Passes.h.inc"
} // namespace weft::moe

using namespace mlir;
using namespace weft;
using namespace weft::moe;

/// The runtime's code for an index out of range.
static constexpr int32_t kOutOfRange = 11;

static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

namespace {
/// Finds the first element of a tensor of integers that `isBad` says is one; fails
/// with `message`, in which "{0}" is that element and "{1}" the bound.
class Checker {
public:
  Checker(OpBuilder &b, Location loc) : m(b, loc) {}
  using IsBad = llvm::function_ref<Value(ReferenceBuilder &, Value, ValueRange)>;
  void check(Value numbers, IsBad isBad, Value bound, StringRef message);
  /// Elements are at least `least` and below `bound`.
  void checkRange(Value numbers, int64_t least, Value bound, StringRef message);

  ReferenceBuilder m;

private:
  /// The number of an element in row-major order.
  Value firstBad(Value numbers, IsBad isBad);
};
} // namespace

Value Checker::firstBad(Value numbers, IsBad isBad) {
  int64_t rank = typeOf(numbers).getRank();
  Type i64 = m.b.getI64Type();
  SmallVector<Value> extents;
  for (int64_t i = 0; i < rank; ++i)
    extents.push_back(m.dim(numbers, i));
  Value init = m.fill(m.empty({}, i64), arith::ConstantIntOp::create(m.b, m.loc, kNone, 64));
  AffineMap all = m.b.getMultiDimIdentityMap(rank),
            none = AffineMap::get(rank, 0, m.b.getContext());
  SmallVector<utils::IteratorType> reduction(rank, utils::IteratorType::reduction);
  Value first =
      linalg::GenericOp::create(
          m.b, m.loc, init.getType(), numbers, init, {all, none}, reduction,
          [&](OpBuilder &b, Location loc, ValueRange args) {
            ReferenceBuilder e(b, loc);
            SmallVector<Value> at;
            Value position = e.constant(0);
            for (int64_t i = 0; i < rank; ++i) {
              at.push_back(linalg::IndexOp::create(b, loc, i));
              position = e.add(e.mul(position, extents[i]), at.back());
            }
            Value number = arith::IndexCastOp::create(b, loc, i64, position);
            Value none = arith::ConstantIntOp::create(b, loc, kNone, 64);
            Value bad = e.select(isBad(e, e.toIndex(args[0]), at), number, none);
            linalg::YieldOp::create(b, loc, Value(arith::MinSIOp::create(b, loc, args[1], bad)));
          })
          .getResult(0);
  return m.read(first, {});
}

void Checker::check(Value numbers, IsBad isBad, Value bound, StringRef message) {
  int64_t rank = typeOf(numbers).getRank();
  Value first = firstBad(numbers, isBad);
  Value none = arith::ConstantIntOp::create(m.b, m.loc, kNone, 64);
  Value isBadCall = m.cmp(arith::CmpIPredicate::ne, first, none);
  auto guard = scf::IfOp::create(m.b, m.loc, isBadCall, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard insertion(m.b);
  m.b.setInsertionPointToStart(guard.thenBlock());
  Value position = m.toIndex(first);
  SmallVector<Value> at(rank);
  for (int64_t i = rank - 1; i >= 0; --i) {
    Value extent = m.max(m.dim(numbers, i), m.constant(1));
    at[i] = m.rem(position, extent);
    position = m.div(position, extent);
  }
  Value number = m.toIndex(m.read(numbers, at));
  AssertOp::create(m.b, m.loc, m.bit(false), kOutOfRange, message, ValueRange{number, bound});
}

void Checker::checkRange(Value numbers, int64_t least, Value bound, StringRef message) {
  check(
      numbers,
      [&](ReferenceBuilder &e, Value number, ValueRange) {
        return e.either(e.less(number, e.constant(least)),
                        e.cmp(arith::CmpIPredicate::sge, number, bound));
      },
      bound, message);
}

/// Whether a value is what an operation of this dialect computed.
template <typename OpTy> static bool comesFrom(Value value) {
  while (auto cast = value.getDefiningOp<tensor::CastOp>())
    value = cast.getSource();
  return isa_and_nonnull<OpTy>(value.getDefiningOp());
}

static void checkMatmul(Checker &checker, GroupedMatmulOp op) {
  ReferenceBuilder &m = checker.m;
  Value offsets = op.getOffsets(), rows = m.dim(op.getInit(), 0);
  if (!comesFrom<PlanOp>(offsets))
    checker.check(
        offsets,
        [&](ReferenceBuilder &e, Value offset, ValueRange at) {
          Value before =
              e.toIndex(e.read(offsets, e.max(e.sub(at[0], e.constant(1)), e.constant(0))));
          Value outside = e.either(e.less(offset, e.constant(0)), e.less(rows, offset));
          return e.either(outside, e.less(offset, before));
        },
        rows, "offset {0} of a group is out of order or beyond {1} rows");
  if (Value indices = op.getIndices(); indices && !comesFrom<PlanOp>(indices))
    checker.checkRange(indices, std::numeric_limits<int32_t>::min(), m.dim(op.getInput(), 0),
                       "index {0} is out of range for {1} rows");
}

static void checkNumbers(Checker &checker, Value ids, Value experts) {
  if (!comesFrom<RouteOp>(ids))
    checker.checkRange(ids, -1, experts, "number {0} is that of none of {1} experts");
}

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// What verifiers say of extents, of those that types do not tell.
static void checkExtents(ExtentChecks &calls, GroupedMatmulOp op) {
  Value init = op.getInit(), input = op.getInput();
  OpFoldResult groups = calls.derive(calls.extentOf(op.getOffsets(), 0), 1, 1, -1);
  OpFoldResult columns = calls.extentOf(init, 1);
  for (Value weight : op.getWeights()) {
    calls.requireEqual("weights", weight, 0, groups);
    calls.requireEqual("weights", weight, op.getTransposed() ? 2 : 1, calls.extentOf(input, 1));
    calls.requireEqual("weights", weight, op.getTransposed() ? 1 : 2, columns);
  }
  for (Value bias : op.getBiases()) {
    calls.requireEqual("biases", bias, 0, groups);
    calls.requireEqual("biases", bias, 1, columns);
  }
  calls.requireEqual(op.getIndices() ? "indices" : "input",
                     op.getIndices() ? op.getIndices() : input, 0, calls.extentOf(init, 0));
}

static void checkExtents(ExtentChecks &calls, CombineOp op) {
  calls.requireShape("weights", op.getWeights(), op.getPositions());
  calls.requireEqual("result", op.getInit(), 0, calls.extentOf(op.getPositions(), 0));
  calls.requireEqual("result", op.getInit(), 1, calls.extentOf(op.getValues(), 1));
}

static void checkExtents(ExtentChecks &calls, PlanOp op) {
  calls.requireShape("weights", op.getWeights(), op.getIds());
  calls.requireShape("positions", op.getInits()[2], op.getIds());
}

static void checkExtents(ExtentChecks &calls, RouteOp op) {
  Value ids = op.getInits()[0], logits = op.getLogits();
  OpFoldResult tokens = calls.extentOf(logits, 0), experts = calls.extentOf(logits, 1);
  OpFoldResult chosen = calls.derive(calls.extentOf(ids, 1), 1, 1, -int64_t(op.getShared()));
  calls.requireEqual("ids", ids, 0, tokens);
  calls.requireShape("weights", op.getInits()[1], ids);
  calls.requireEqual("bias", op.getBias(), 0, experts);
  calls.requireEqual("table", op.getTable(), 1, chosen);
  calls.requireEqual("tokens", op.getTokens(), 0, tokens);
}

static void checkExtents(ExtentChecks &calls, ExpertFFNOp op) {
  Value input = op.getInput(), down = op.getDown();
  bool transposed = op.getTransposed();
  int64_t rows = transposed ? 2 : 1, columns = transposed ? 1 : 2;
  OpFoldResult tokens = calls.extentOf(input, 0), experts = calls.extentOf(down, 0);
  OpFoldResult wide =
      calls.derive(calls.extentOf(down, rows), op.getFused() == Fusion::Separate ? 1 : 2, 1, 0);
  calls.requireEqual("ids", op.getIds(), 0, tokens);
  calls.requireShape("weights", op.getWeights(), op.getIds());
  calls.requireEqual("result", op.getInit(), 0, tokens);
  calls.requireEqual("down", down, columns, calls.extentOf(op.getInit(), 1));
  for (Value up : op.getUp()) {
    calls.requireEqual("up", up, 0, experts);
    calls.requireEqual("up", up, rows, calls.extentOf(input, 1));
    calls.requireEqual("up", up, columns, wide);
  }
  for (Value bias : op.getUpBiases()) {
    calls.requireEqual("up_bias", bias, 0, experts);
    calls.requireEqual("up_bias", bias, 1, wide);
  }
  calls.requireEqual("down_bias", op.getDownBias(), 0, experts);
  if (Value bias = op.getDownBias())
    calls.requireEqual("down_bias", bias, 1, calls.extentOf(op.getInit(), 1));
}

static void checkExtents(ExtentChecks &calls, ExchangeOp op) {
  Value values = op.getValues(), offsets = op.getOffsets();
  for (int64_t i : {0, 2})
    calls.requireEqual("received", op.getInits()[0], i, calls.extentOf(values, i));
  calls.requireEqual("offsets", offsets, 0, calls.extentOf(values, 0));
  calls.requireShape("bounds", op.getInits()[1], offsets);
  calls.requireEqual("place", op.getPlace(), 0, calls.derive(calls.extentOf(offsets, 1), 1, 1, -1));
}

static void checkExtents(ExtentChecks &calls, ResidencyOp op) {
  OpFoldResult slots = calls.extentOf(op.getSlots(), 0);
  calls.requireEqual("stamps", op.getStamps(), 0, slots);
  for (Value init : op.getInits().drop_front())
    calls.requireEqual("result", init, 0, slots);
}

static void checkExtents(ExtentChecks &calls, DepthOp op) {
  OpFoldResult rows = calls.extentOf(op.getMask(), 0);
  for (Value input : op.getInputs())
    calls.requireEqual("input", input, 0, rows);
  for (Value init : op.getInits())
    calls.requireEqual("result", init, 0, rows);
}

namespace {
struct CheckIndices : moe::impl::CheckIndicesBase<CheckIndices> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation()->walk([&](Operation *op) {
      if (isa<CombineOp, DepthOp, ExchangeOp, ExpertFFNOp, GroupedMatmulOp, PlanOp, ResidencyOp,
              RouteOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      OpBuilder b(op);
      ExtentChecks calls(b, op->getLoc());
      llvm::TypeSwitch<Operation *>(op)
          .Case<CombineOp, DepthOp, ExchangeOp, ExpertFFNOp, GroupedMatmulOp, PlanOp, ResidencyOp,
                RouteOp>([&](auto op) { checkExtents(calls, op); });
      Checker checker(b, op->getLoc());
      ReferenceBuilder &m = checker.m;
      if (auto matmul = dyn_cast<GroupedMatmulOp>(op)) {
        checkMatmul(checker, matmul);
      } else if (auto plan = dyn_cast<PlanOp>(op)) {
        if (!comesFrom<RouteOp>(plan.getIds()))
          checkNumbers(checker, plan.getIds(),
                       plan.getPlace() ? m.dim(plan.getPlace(), 0)
                                       : m.sub(m.dim(plan.getInits()[0], 0), m.constant(1)));
      } else if (auto layer = dyn_cast<ExpertFFNOp>(op)) {
        auto down = cast<ShapedType>(layer.getDown().getType());
        if (!comesFrom<RouteOp>(layer.getIds()))
          checkNumbers(checker, layer.getIds(),
                       down.isDynamicDim(0) ? m.dim(layer.getDown(), 0)
                                            : m.constant(down.getDimSize(0)));
      } else if (auto route = dyn_cast<RouteOp>(op); route && route.getTable()) {
        checker.checkRange(route.getTokens(), 0, m.dim(route.getTable(), 0),
                           "token {0} is out of range for a table of {1}");
      }
    }
  }
};
} // namespace
