//===- SimplifyDims.cpp - Extents as arithmetic on symbols ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Model/BroadcastReads.h"
#include "transforms/Model/IndexMaterializer.h"
#include "transforms/Model/Passes.h"
#include "transforms/Model/RegroupReshapes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"

namespace weft {
#define GEN_PASS_DEF_SIMPLIFYDIMS
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// Whether an operation may run earlier than it does: divisions by what may be 0
/// may be behind the assertion that it is not.
static bool isMovable(Operation *op) {
  if (!isMemoryEffectFree(op))
    return false;
  if (isSpeculatable(op))
    return true;
  if (!isa<arith::DivSIOp, arith::RemSIOp, arith::FloorDivSIOp, arith::CeilDivSIOp>(op))
    return false;
  auto divisor = op->getOperand(1).getDefiningOp<arith::MaxSIOp>();
  return divisor && llvm::any_of(divisor->getOperands(), [](Value operand) {
           return getConstantIntValue(operand).value_or(0) > 0;
         });
}

/// Gathers the operations of the entry block that compute `value` from the
/// function's index arguments and the extents of its tensors alone.
static bool gatherShapeArithmetic(Value value, Block &entry, llvm::SetVector<Operation *> &ops) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getOwner() == &entry;
  Operation *def = value.getDefiningOp();
  if (ops.contains(def))
    return true;
  bool isScalar = llvm::all_of(def->getResultTypes(), [](Type type) {
    return type.isIndex() || type.isInteger(1) || type.isInteger(64);
  });
  if (def->getBlock() != &entry || !isScalar || def->getNumRegions() != 0 || !isMovable(def) ||
      !isa<arith::ArithDialect, tensor::TensorDialect>(def->getDialect()))
    return false;
  for (Value operand : def->getOperands())
    if (!gatherShapeArithmetic(operand, entry, ops))
      return false;
  ops.insert(def);
  return true;
}

/// Assertions about symbols come first, so that what they say holds for all that
/// follows and nothing is computed for a call that fails.
static void hoistAssertions(Block &entry) {
  SmallVector<AssertOp> assertions(entry.getOps<AssertOp>());
  Operation *anchor = &entry.front();
  DenseSet<Operation *> moved;
  auto move = [&](Operation *op) {
    if (!moved.insert(op).second)
      return;
    if (op == anchor)
      anchor = op->getNextNode();
    else
      op->moveBefore(anchor);
  };
  for (AssertOp assertion : assertions) {
    llvm::SetVector<Operation *> slice;
    if (!llvm::all_of(assertion->getOperands(),
                      [&](Value operand) { return gatherShapeArithmetic(operand, entry, slice); }))
      continue;
    llvm::for_each(slice, move);
    move(assertion);
  }
}

/// Whether a slice is all of `tensor`.
static bool isWhole(OffsetSizeAndStrideOpInterface slice, Value tensor, ShapeExpressions &shapes) {
  auto all = [](ArrayRef<OpFoldResult> values, int64_t wanted) {
    return llvm::all_of(values, [&](OpFoldResult v) { return getConstantIntValue(v) == wanted; });
  };
  if (!all(slice.getMixedOffsets(), 0) || !all(slice.getMixedStrides(), 1))
    return false;
  for (auto [i, size] : llvm::enumerate(slice.getMixedSizes()))
    if (shapes.of(size) != shapes.extent(tensor, static_cast<int64_t>(i)))
      return false;
  return true;
}

/// Lets the users of a slice of everything use the tensor.
static void bypassWholeSlice(Operation *op, ShapeExpressions &shapes) {
  Value whole;
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    whole = isWhole(slice, slice.getSource(), shapes) ? slice.getSource() : Value();
  else if (auto insert = dyn_cast<tensor::InsertSliceOp>(op))
    whole = isWhole(insert, insert.getDest(), shapes) ? insert.getSource() : Value();
  if (whole && whole.getType() == op->getResult(0).getType())
    op->replaceAllUsesWith(ValueRange(whole));
}

namespace {
class Simplifier {
public:
  explicit Simplifier(FunctionOpInterface function)
      : entry(function.getFunctionBody().front()), shapes(function),
        materializer(shapes, function.getContext()) {}
  void run() { runOnBlock(entry); }
  /// Names the extents of results that are symbols in `weft.dims`.
  void nameResultDims(func::FuncOp function);
  unsigned replaced = 0;
  unsigned reads = 0;

private:
  void runOnBlock(Block &block);
  void runOnOperation(Operation *op);
  void simplifyOperand(OpOperand &operand);

  Block &entry;
  ShapeExpressions shapes;
  IndexMaterializer materializer;
};
} // namespace

void Simplifier::simplifyOperand(OpOperand &operand) {
  Value value = operand.get();
  if (!value.getType().isIndex() && !value.getType().isInteger(1))
    return;
  Value simpler = materializer.simplest(value, operand.getOwner());
  if (simpler == value)
    return;
  operand.set(simpler);
  ++replaced;
}

void Simplifier::runOnOperation(Operation *op) {
  for (OpOperand &operand : op->getOpOperands())
    simplifyOperand(operand);
  for (Value result : op->getResults())
    materializer.offer(result);
  for (Region &region : op->getRegions())
    for (Block &block : region) {
      // Kernels are given what they use: inside, values are computed again.
      IndexMaterializer::Scope scope(materializer, /*isOpaque=*/isa<linalg::LinalgOp>(op));
      runOnBlock(block);
    }
  if (auto assertion = dyn_cast<AssertOp>(op)) {
    if (matchPattern(assertion.getCondition(), m_One()))
      op->erase();
    else if (op->getBlock() == &entry)
      shapes.assume(assertion.getCondition());
    return;
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    regroupReshape(expand, shapes);
    return;
  }
  if (isa<tensor::ExtractSliceOp, tensor::InsertSliceOp>(op))
    return bypassWholeSlice(op, shapes);
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    reads += readBroadcastsByMap(generic, shapes);
}

void Simplifier::runOnBlock(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block))
    runOnOperation(&op);
}

void Simplifier::nameResultDims(func::FuncOp function) {
  Builder b(function.getContext());
  for (OpOperand &result : entry.getTerminator()->getOpOperands()) {
    auto dims = function.getResultAttrOfType<ArrayAttr>(result.getOperandNumber(),
                                                        WeftDialect::dimsAttrName);
    auto type = dyn_cast<RankedTensorType>(result.get().getType());
    // A packed tensor has other extents than its component.
    bool isPacked =
        !!function.getResultAttr(result.getOperandNumber(), WeftDialect::packedAttrName);
    if (!dims || !type || isPacked || static_cast<int64_t>(dims.size()) != type.getRank())
      continue;
    SmallVector<Attribute> names(dims.begin(), dims.end());
    for (auto [i, name] : llvm::enumerate(names)) {
      auto number = dyn_cast<IntegerAttr>(name);
      if (!number || number.getInt() >= 0)
        continue;
      IndexExpr extent = shapes.extent(result.get(), static_cast<int64_t>(i));
      const IndexAtom *atom = extent->atom();
      auto argument = atom ? dyn_cast_if_present<BlockArgument>(atom->value) : BlockArgument();
      if (std::optional<int64_t> known = extent->constant())
        name = b.getI64IntegerAttr(*known);
      else if (atom && atom->kind == IndexAtom::Kind::Value && argument &&
               argument.getOwner() == &entry)
        // An argument that is no symbol has no name that callers know.
        if (Attribute symbol =
                function.getArgAttr(argument.getArgNumber(), WeftDialect::symbolAttrName))
          name = symbol;
    }
    function.setResultAttr(result.getOperandNumber(), WeftDialect::dimsAttrName,
                           b.getArrayAttr(names));
  }
}

namespace {
struct SimplifyDims : weft::impl::SimplifyDimsBase<SimplifyDims> {
  void runOnOperation() override {
    FunctionOpInterface function = getOperation();
    if (function.isExternal() || !llvm::hasSingleElement(function.getFunctionBody()))
      return;
    hoistAssertions(function.getFunctionBody().front());
    Simplifier simplifier(function);
    simplifier.run();
    if (auto host = dyn_cast<func::FuncOp>(function.getOperation()))
      simplifier.nameResultDims(host);
    numReplaced += simplifier.replaced;
    numReads += simplifier.reads;
    function->walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
      if (isOpTriviallyDead(op))
        op->erase();
    });
  }
};
} // namespace
