//===- CheckSequences.cpp - Offsets and slots are checked on the host -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMShapes.h"
#include "dialects/SSM/Transforms/Passes.h"
#include "dialects/Weft/IR/IndexMath.h"
#include "weft-runtime/module.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

namespace weft::ssm {
#define GEN_PASS_DEF_CHECKSEQUENCES
#include "dialects/SSM/Transforms/Passes.h.inc"
} // namespace weft::ssm

using namespace mlir;
using namespace weft::ssm;

using weft::IndexMath;

/// On operations whose operands are checked already, or known to be right.
static constexpr llvm::StringLiteral kChecked = "ssm.checked";

namespace {
/// What the elements of an i32 tensor [N] must be.
struct Requirement {
  Value tensor;
  int64_t low;   ///< the least number
  Value bounded; ///< whose extent `dim` is the bound
  int64_t dim;
  bool inclusive;   ///< the bound itself is allowed
  bool isAscending; ///< none is less than the one before it
  StringRef message;
};
} // namespace

/// A token's number is below the extent of dimension 1 of `tokens`.
static Requirement checkedOffsets(Value offsets, Value tokens) {
  return {offsets,
          0,
          tokens,
          1,
          /*inclusive=*/true,
          /*isAscending=*/true,
          "offset {0} is out of order or of the range [0, {1}]"};
}

static Requirement checkedSlots(Value slots, Value states) {
  return {slots,
          -1,
          states,
          0,
          /*inclusive=*/false,
          /*isAscending=*/false,
          "slot {0} is out of range for {1} states"};
}

static SmallVector<Requirement> requirementsOf(Operation *op) {
  SmallVector<Requirement> all;
  auto addSlots = [&](auto op, Value initial, Value final) {
    all.push_back(checkedSlots(op.getSources(), initial));
    all.push_back(checkedSlots(op.getDestinations(), final));
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](ScanOp op) {
        // The tensor that has all tokens; several of its rows are one, if there are reads.
        Value tokens = op.getOrder() ? op.getOrder() : Value();
        if (op.getReads() == 1)
          tokens = op.getInits()[0];
        else if (op.getSubsteps() == 1)
          tokens = op.getValue();
        all.push_back(checkedOffsets(op.getOffsets(), tokens));
        all.push_back({op.getOrder(), 0, op.getOrder(), 0, false, false,
                       "token {0} is out of range for {1} tokens"});
        addSlots(op, op.getInitial(), op.getInits()[1]);
      })
      .Case([&](StepOp op) { addSlots(op, op.getInitial(), op.getInits()[1]); })
      .Case([&](CausalConv1dOp op) {
        all.push_back(checkedOffsets(op.getOffsets(), op.getInput()));
        addSlots(op, op.getState(), op.getInits().back());
      })
      .Case(
          [&](ReduceStateOp op) { all.push_back(checkedOffsets(op.getOffsets(), op.getValue())); })
      .Case(
          [&](DiscretizeOp op) { all.push_back(checkedOffsets(op.getOffsets(), op.getDelta())); });
  llvm::erase_if(all, [](const Requirement &r) { return !r.tensor || !r.bounded; });
  return all;
}

/// The lowest position of an element that is not as it must be, INT64_MAX if there is
/// none: the same for any number of threads.
static Value findLowest(OpBuilder &b, Location loc, const Requirement &r, Value bound) {
  MLIRContext *context = b.getContext();
  auto wide = b.getI64Type();
  Value most = arith::ConstantIntOp::create(b, loc, wide, INT64_MAX);
  Value init = tensor::EmptyOp::create(b, loc, ArrayRef<int64_t>{}, wide);
  init = linalg::FillOp::create(b, loc, most, init).getResult(0);
  AffineMap maps[] = {b.getDimIdentityMap(), AffineMap::get(1, 0, context)};
  auto loop = linalg::GenericOp::create(
      b, loc, init.getType(), r.tensor, init, maps, utils::IteratorType::reduction,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        IndexMath m{b, loc};
        Value at = linalg::IndexOp::create(b, loc, 0);
        Value x = arith::IndexCastOp::create(b, loc, b.getIndexType(), args[0]);
        auto past = r.inclusive ? arith::CmpIPredicate::sgt : arith::CmpIPredicate::sge;
        Value bad = arith::OrIOp::create(
            b, loc, m.cmp(arith::CmpIPredicate::slt, x, m.constant(r.low)), m.cmp(past, x, bound));
        if (r.isAscending) {
          Value before = arith::MaxSIOp::create(b, loc, m.sub(at, m.constant(1)), m.constant(0));
          Value previous = arith::IndexCastOp::create(
              b, loc, b.getIndexType(), tensor::ExtractOp::create(b, loc, r.tensor, before));
          bad = arith::OrIOp::create(b, loc, bad, m.cmp(arith::CmpIPredicate::slt, x, previous));
        }
        Value position = arith::IndexCastOp::create(b, loc, b.getI64Type(), at);
        Value candidate = m.select(bad, position, most);
        linalg::YieldOp::create(b, loc,
                                arith::MinSIOp::create(b, loc, args[1], candidate).getResult());
      });
  return tensor::ExtractOp::create(b, loc, loop.getResult(0), ValueRange{});
}

static void createCheck(OpBuilder &b, Location loc, const Requirement &r) {
  IndexMath m{b, loc};
  Value bound = m.dim(r.bounded, r.dim), lowest = findLowest(b, loc, r, bound);
  Value none = arith::ConstantIntOp::create(b, loc, b.getI64Type(), INT64_MAX);
  Value fails = m.cmp(arith::CmpIPredicate::ne, lowest, none);
  // Only then the element is read again, for the message.
  auto branch = scf::IfOp::create(b, loc, fails, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  Value at = arith::IndexCastOp::create(b, loc, b.getIndexType(), lowest);
  at = m.clamp(at, m.dim(r.tensor, 0));
  Value element = tensor::ExtractOp::create(b, loc, r.tensor, at);
  Value number = arith::IndexCastOp::create(b, loc, b.getIndexType(), element);
  Value never = arith::ConstantIntOp::create(b, loc, b.getI1Type(), 0);
  weft::AssertOp::create(b, loc, never, static_cast<uint32_t>(WEFT_OUT_OF_RANGE), r.message,
                         ValueRange{number, bound});
}

namespace {
struct CheckSequences : weft::ssm::impl::CheckSequencesBase<CheckSequences> {
  void runOnOperation() override {
    // Operations of a block that share offsets share the check.
    llvm::DenseSet<std::tuple<Block *, Value, Value>> seen;
    OpBuilder b(&getContext());
    getOperation().walk([&](Operation *op) {
      if (!isa_and_nonnull<SSMDialect>(op->getDialect()) || op->hasAttr(kChecked))
        return;
      SmallVector<Requirement> requirements = requirementsOf(op);
      b.setInsertionPoint(op);
      weft::ExtentChecks extents(b, op->getLoc());
      checkExtents(op, extents);
      for (const Requirement &requirement : requirements)
        if (seen.insert({op->getBlock(), requirement.tensor, requirement.bounded}).second)
          createCheck(b, op->getLoc(), requirement);
      if (!requirements.empty() || extents.hasAny())
        op->setAttr(kChecked, b.getUnitAttr());
    });
  }
};
} // namespace
