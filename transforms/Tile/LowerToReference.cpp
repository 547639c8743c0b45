//===- LowerToReference.cpp - Operations become what they mean ------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/SetVector.h"

namespace weft {
#define GEN_PASS_DEF_LOWERTOREFERENCE
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct LowerReference : OpInterfaceRewritePattern<ReferenceOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;
  LogicalResult matchAndRewrite(ReferenceOpInterface op, PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> values = op.lowerToReference(rewriter);
    if (failed(values))
      return rewriter.notifyMatchFailure(op, "has no reference for these operands");
    rewriter.replaceOp(op, *values);
    return success();
  }
};

/// `linalg.softmax` as its four steps: the largest element of each row, the
/// exponentials relative to it, their sum, and the quotients. The sum may be
/// taken in any order, which is what lets it use vectors; the order depends on
/// the shape only.
struct DecomposeSoftmax : OpRewritePattern<linalg::SoftmaxOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::SoftmaxOp op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value input = op.getInput(), output = op.getOutput();
    auto type = cast<RankedTensorType>(input.getType());
    auto element = cast<FloatType>(type.getElementType());
    int64_t rank = type.getRank(), dimension = static_cast<int64_t>(op.getDimension());
    SmallVector<OpFoldResult> rowSizes;
    SmallVector<AffineExpr> rowExprs;
    SmallVector<utils::IteratorType> parallel(rank, utils::IteratorType::parallel),
        reduced(parallel);
    reduced[dimension] = utils::IteratorType::reduction;
    for (int64_t i = 0; i < rank; ++i)
      if (i != dimension) {
        rowSizes.push_back(tensor::getMixedSize(rewriter, loc, input, i));
        rowExprs.push_back(rewriter.getAffineDimExpr(i));
      }
    AffineMap all = rewriter.getMultiDimIdentityMap(rank);
    AffineMap rows = AffineMap::get(rank, 0, rowExprs, rewriter.getContext());
    Value rowEmpty = tensor::EmptyOp::create(rewriter, loc, rowSizes, element);
    auto filled = [&](const APFloat &value) {
      Value number =
          arith::ConstantOp::create(rewriter, loc, rewriter.getFloatAttr(element, value));
      return linalg::FillOp::create(rewriter, loc, number, rowEmpty).getResult(0);
    };
    auto build = [&](ValueRange inputs, Value init, ArrayRef<AffineMap> maps,
                     ArrayRef<utils::IteratorType> iterators,
                     llvm::function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
      return linalg::GenericOp::create(rewriter, loc, init.getType(), inputs, init, maps, iterators,
                                       [&](OpBuilder &b, Location at, ValueRange args) {
                                         linalg::YieldOp::create(b, at, body(b, at, args));
                                       })
          .getResult(0);
    };
    const llvm::fltSemantics &semantics = element.getFloatSemantics();
    Value largest = build(input, filled(APFloat::getInf(semantics, /*Negative=*/true)), {all, rows},
                          reduced, [](OpBuilder &b, Location at, ValueRange args) -> Value {
                            return arith::MaximumFOp::create(b, at, args[0], args[1]);
                          });
    Value exponentials = build({input, largest}, output, {all, rows, all}, parallel,
                               [](OpBuilder &b, Location at, ValueRange args) -> Value {
                                 Value x = arith::SubFOp::create(b, at, args[0], args[1]);
                                 return math::ExpOp::create(b, at, x);
                               });
    Value sum = build(exponentials, filled(APFloat::getZero(semantics)), {all, rows}, reduced,
                      [](OpBuilder &b, Location at, ValueRange args) -> Value {
                        return arith::AddFOp::create(b, at, args[0], args[1],
                                                     arith::FastMathFlags::reassoc);
                      });
    rewriter.replaceOp(op, build({exponentials, sum}, output, {all, rows, all}, parallel,
                                 [](OpBuilder &b, Location at, ValueRange args) -> Value {
                                   return arith::DivFOp::create(b, at, args[0], args[1]);
                                 }));
    return success();
  }
};
} // namespace

/// Elements below which the serial reference is fast enough.
static constexpr int64_t kMinElements = 4096;

/// What a dynamic extent counts as.
static constexpr int64_t kAssumedExtent = 64;

/// Whether an operand or result has at least kMinElements elements.
static bool isLarge(Operation *op) {
  auto hasMany = [](Type type) {
    auto shaped = dyn_cast<RankedTensorType>(type);
    if (!shaped)
      return false;
    int64_t elements = 1;
    for (int64_t extent : shaped.getShape())
      if (__builtin_mul_overflow(elements, ShapedType::isDynamic(extent) ? kAssumedExtent : extent,
                                 &elements))
        return true;
    return elements >= kMinElements;
  };
  return llvm::any_of(op->getOperandTypes(), hasMany) ||
         llvm::any_of(op->getResultTypes(), hasMany);
}

/// Notes on the kernel which large operations of it will be lowered by
/// reference, for `weft-report-fallbacks`.
static void recordReferenceOps(KernelOp kernel) {
  SetVector<StringRef> names;
  kernel->walk([&](ReferenceOpInterface op) {
    // Contractions and convolutions become structured operations, and are judged
    // as those.
    if (!isa<ContractOp, ConvOp>(op.getOperation()) && isLarge(op))
      names.insert(op->getName().getStringRef());
  });
  if (!names.empty())
    kernel->setAttr(WeftDialect::referenceOpsAttrName,
                    Builder(kernel.getContext()).getStrArrayAttr(names.getArrayRef()));
}

namespace {
struct LowerToReference : weft::impl::LowerToReferenceBase<LowerToReference> {
  void runOnOperation() override {
    getOperation()->walk([](KernelOp kernel) { recordReferenceOps(kernel); });
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerReference, DecomposeSoftmax>(&getContext());
    linalg::populateDecomposePadPatterns(patterns);
    tensor::populateDecomposeTensorConcatPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
