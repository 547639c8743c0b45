//===- RaiseContractions.cpp - One operation for contractions -------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Contract.h"
#include "dialects/Weft/IR/Widening.h"
#include "transforms/Model/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

namespace weft {
#define GEN_PASS_DEF_RAISECONTRACTIONS
#include "transforms/Model/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

/// A factor as the body reads it.
namespace {
struct Factor {
  unsigned argument;
  bool isUnsigned;
};
} // namespace

/// Whether `op` computes what its name says and no less exactly.
static bool isPlain(Operation *op) {
  auto fastMath = dyn_cast<arith::ArithFastMathInterface>(op);
  arith::FastMathFlagsAttr flags = fastMath ? fastMath.getFastMathFlagsAttr() : nullptr;
  return !flags || flags.getValue() == arith::FastMathFlags::none;
}

template <typename... Ops> static Operation *definedBy(Value value) {
  Operation *def = value.getDefiningOp();
  return isa_and_nonnull<Ops...>(def) && isPlain(def) ? def : nullptr;
}

/// The element of an input, or its widening.
static std::optional<Factor> matchFactor(Value value) {
  Operation *widening = definedBy<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp>(value);
  if (widening)
    value = widening->getOperand(0);
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getArgNumber() > 1)
    return std::nullopt;
  return Factor{argument.getArgNumber(), isa_and_nonnull<arith::ExtUIOp>(widening)};
}

/// The factors of a body that yields result + lhs * rhs, in the inputs' order.
static std::optional<std::pair<Factor, Factor>> matchBody(linalg::GenericOp op) {
  Block *body = op.getBody();
  Operation *sum = definedBy<arith::AddFOp, arith::AddIOp>(body->getTerminator()->getOperand(0));
  if (!sum)
    return std::nullopt;
  Value accumulator = body->getArgument(2);
  if (sum->getOperand(0) != accumulator && sum->getOperand(1) != accumulator)
    return std::nullopt;
  Operation *product = definedBy<arith::MulFOp, arith::MulIOp>(
      sum->getOperand(sum->getOperand(0) == accumulator ? 1 : 0));
  if (!product)
    return std::nullopt;
  std::optional<Factor> x = matchFactor(product->getOperand(0)),
                        y = matchFactor(product->getOperand(1));
  if (!x || !y || x->argument == y->argument)
    return std::nullopt;
  return x->argument == 0 ? std::pair(*x, *y) : std::pair(*y, *x);
}

/// Whether the maps are those of a contraction. That the extents fit is what the
/// verifier of `linalg.generic` sees to.
static bool hasContractionMaps(linalg::GenericOp op) {
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!result.isProjectedPermutation() || result.getNumResults() == result.getNumDims())
    return false;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  for (auto [operand, map] : llvm::zip(op->getOperands(), maps)) {
    ArrayRef<int64_t> shape = cast<ShapedType>(operand.getType()).getShape();
    if (!isBroadcastPermutation(map))
      return false;
    for (auto [expr, extent] : llvm::zip(map.getResults(), shape))
      if (isa<AffineConstantExpr>(expr) && extent != 1)
        return false;
  }
  for (auto [loop, iterator] : llvm::enumerate(op.getIteratorTypesArray()))
    if (linalg::isReductionIterator(iterator) == result.isFunctionOfDim(loop))
      return false;
  return true;
}

/// The contraction that `op` is, before it, or null.
static ContractOp raise(linalg::GenericOp op, RewriterBase &rewriter) {
  if (!op.hasPureTensorSemantics() || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumResults() != 1 || !hasContractionMaps(op))
    return nullptr;
  auto factors = matchBody(op);
  if (!factors)
    return nullptr;
  Value lhs = op.getInputs()[0], rhs = op.getInputs()[1], init = op.getOutputs()[0];
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (lhs == rhs && maps[0] == maps[1])
    return nullptr; // a reduction of one operand
  Type element = getElementTypeOrSelf(init.getType());
  if (!isa<RankedTensorType>(lhs.getType()) || !isa<RankedTensorType>(rhs.getType()) ||
      !widensTo(getElementTypeOrSelf(lhs.getType()), element) ||
      !widensTo(getElementTypeOrSelf(rhs.getType()), element))
    return nullptr;
  auto contract = ContractOp::create(rewriter, op.getLoc(), init.getType(), lhs, rhs,
                                     /*bias=*/Value(), init, op.getIndexingMaps(),
                                     factors->first.isUnsigned, factors->second.isUnsigned,
                                     /*compute=*/ComputeAttr());
  contract->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  return contract;
}

namespace {
struct RaiseContractions : weft::impl::RaiseContractionsBase<RaiseContractions> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> candidates;
    getOperation()->walk([&](linalg::LinalgOp op) {
      if (isa<linalg::GenericOp>(op) || linalg::isaContractionOpInterface(op))
        candidates.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : candidates) {
      rewriter.setInsertionPoint(op);
      auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
      if (!generic) {
        FailureOr<linalg::GenericOp> generalized = linalg::generalizeNamedOp(rewriter, op);
        if (failed(generalized))
          continue;
        generic = *generalized;
        rewriter.setInsertionPoint(generic);
      }
      if (ContractOp contract = raise(generic, rewriter)) {
        rewriter.replaceOp(generic, contract);
        ++numRaised;
      }
    }
  }
};
} // namespace
