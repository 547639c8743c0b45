//===- RaiseQuantization.cpp - Products of quantized numbers --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/Transforms/IntegerProducts.h"
#include "dialects/LowP/Transforms/Passes.h"
#include "dialects/Weft/IR/OperandChecks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

namespace weft::lowp {
#define GEN_PASS_DEF_RAISEQUANTIZATION
#include "dialects/LowP/Transforms/Passes.h.inc"
} // namespace weft::lowp

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

//===----------------------------------------------------------------------===//
// Contractions
//===----------------------------------------------------------------------===//

/// Reads what transpositions of an unpacked tensor read.
static void absorbTranspositions(ContractOp op, OpOperand &factor) {
  SmallVector<AffineExpr> exprs(op.getMap(factor).getResults());
  Value value = factor.get();
  while (auto transpose = value.getDefiningOp<linalg::TransposeOp>()) {
    SmallVector<AffineExpr> from(exprs.size());
    for (auto [i, source] : llvm::enumerate(transpose.getPermutation()))
      from[source] = exprs[i];
    exprs = from;
    value = transpose.getInput();
  }
  if (value == factor.get() || !value.getDefiningOp<UnpackOp>())
    return;
  SmallVector<Attribute> maps(op.getIndexingMaps().getValue());
  maps[factor.getOperandNumber()] =
      AffineMapAttr::get(AffineMap::get(op.getNumLoops(), 0, exprs, op.getContext()));
  op.setIndexingMapsAttr(ArrayAttr::get(op.getContext(), maps));
  factor.set(value);
}

/// The dimension of the result that is `dimension` of a factor.
static std::optional<unsigned> resultDimension(ContractOp op, OpOperand &factor,
                                               unsigned dimension) {
  return op.getResultMap().getResultPosition(op.getMap(factor).getResult(dimension));
}

/// Whether the scale of `factor` is one for all products of a sum.
static bool scalesSums(ContractOp op, OpOperand &factor, const Quantized &quantized) {
  return quantized.scale &&
         (!quantized.scale->axis || resultDimension(op, factor, *quantized.scale->axis));
}

static void scaleBy(Rescaling &rescaling, ContractOp op, OpOperand &factor,
                    const Quantized &quantized) {
  const Parameter &scale = *quantized.scale;
  rescaling.scale(scale, scale.axis ? resultDimension(op, factor, *scale.axis) : std::nullopt);
}

/// Whether sums of products of 8-bit integers are exact in 32 bits.
static bool sumsAreExact(ContractOp op) {
  int64_t products = 1;
  for (auto [loop, extent] : llvm::enumerate(op.getStaticLoopRanges()))
    if (op.isContracted(loop) &&
        (ShapedType::isDynamic(extent) || __builtin_mul_overflow(products, extent, &products)))
      return false;
  return products <= INT32_MAX / kMaxProduct;
}

/// A constant that is integers already.
static std::optional<IntegerFactor> plainFactor(ContractOp op, OpOperand &weight) {
  if (!isConstant(weight.get()) || !getElementTypeOrSelf(weight.get().getType()).isInteger(8))
    return std::nullopt;
  return IntegerFactor{weight.get(),
                       weight.getOperandNumber() == 0 ? op.getUnsignedLhs() : op.getUnsignedRhs()};
}

/// Codes times constant codes, both less their zero points:
/// sum (x - zx) w = sum x w - zx * sum w.
static bool raiseToIntegers(ContractOp op, OpOperand &activation, OpOperand &weight, OpBuilder &b) {
  auto x = Quantized::match(activation.get()), w = Quantized::match(weight.get());
  auto codes = x ? IntegerCodes::match(*x) : std::nullopt;
  if (!codes || op.getBias() || op.getCompute())
    return false;
  // MatMulInteger wraps around; what stands for floats must not.
  Type element = getElementTypeOrSelf(op.getInit().getType());
  bool isFloat = element.isF32();
  if (isFloat) {
    if (!w || !isConstant(*w) || !isInteger(*w) || !scalesSums(op, activation, *x) ||
        !scalesSums(op, weight, *w) || !x->type.getElementType().isF32() ||
        !w->type.getElementType().isF32() || !sumsAreExact(op))
      return false;
  } else if (!element.isInteger(32) || x->scale || !codes->zeroPoint) {
    return false;
  }
  std::optional<IntegerFactor> found = w ? std::nullopt : plainFactor(op, weight);
  if (w && isConstant(*w) && isInteger(*w) && (isFloat || !w->scale))
    found = integerFactor(b, op.getLoc(), *w);
  if (!found)
    return false;
  IntegerFactor factor = *found;
  Location loc = op.getLoc();
  Rescaling rescaling(b, loc, op.getInit());
  bool swapped = weight.getOperandNumber() == 0;
  auto sum = ContractOp::create(
      b, loc, RankedTensorType::get(op.getInit().getType().getShape(), b.getI32Type()),
      swapped ? factor.value : codes->codes, swapped ? codes->codes : factor.value,
      /*bias=*/Value(), rescaling.makeZeros(b.getI32Type()), op.getIndexingMaps(),
      swapped ? factor.isUnsigned : codes->isUnsigned,
      swapped ? codes->isUnsigned : factor.isUnsigned, /*compute=*/ComputeAttr());
  if (codes->zeroPoint) {
    SmallVector<unsigned> kept;
    SmallVector<AffineExpr> exprs;
    for (unsigned i = 0, rank = op.getMap(weight).getNumResults(); i < rank; ++i)
      if (auto dimension = resultDimension(op, weight, i)) {
        kept.push_back(i);
        exprs.push_back(b.getAffineDimExpr(*dimension));
      }
    unsigned rank = op.getResultMap().getNumResults();
    rescaling.correct(compensation(b, loc, factor, kept, *codes),
                      AffineMap::get(rank, 0, exprs, b.getContext()));
  }
  if (isFloat) {
    scaleBy(rescaling, op, activation, *x);
    scaleBy(rescaling, op, weight, *w);
  }
  op.replaceAllUsesWith(rescaling.apply(sum.getResult()));
  return true;
}

/// Numbers times constants, which are scaled afterwards where that is the same.
static bool raiseWeight(ContractOp op, OpOperand &weight, OpBuilder &b) {
  auto w = Quantized::match(weight.get());
  if (!w || !isConstant(*w))
    return false;
  Type element = getElementTypeOrSelf(op.getInit().getType());
  bool separates = !op.getBias() && !op.getCompute() && scalesSums(op, weight, *w) &&
                   (element.isF32() || element.isF64()) && w->type.getElementType() == element;
  if (!separates) {
    bool folds = weight.get() != w->assemble.getResult();
    weight.set(w->assemble.getResult());
    return folds;
  }
  Rescaling rescaling(b, op.getLoc(), op.getInit());
  scaleBy(rescaling, op, weight, *w);
  IRMapping mapping;
  mapping.map(weight.get(), w->withoutScale(b, op.getLoc(), element));
  mapping.map(op.getInit(), rescaling.makeZeros(element));
  auto sum = cast<ContractOp>(b.clone(*op, mapping));
  op.replaceAllUsesWith(rescaling.apply(sum.getResult()));
  return true;
}

//===----------------------------------------------------------------------===//
// Lookups
//===----------------------------------------------------------------------===//

/// Rows of an unpacked table are decoded as they are read.
static bool raiseLookup(GatherOp op, OpBuilder &b) {
  auto unpack = op.getData().getDefiningOp<UnpackOp>();
  auto indices = cast<RankedTensorType>(op.getIndices().getType());
  if (!unpack || !unpack.getPacked().getType().hasStaticShape() || op.getBatchDims() != 0 ||
      indices.getShape().back() != 1)
    return false;
  SmallVector<ReassociationIndices> dimensions;
  for (int64_t i = 0; i + 1 < indices.getRank(); ++i)
    dimensions.push_back({i});
  if (!dimensions.empty())
    dimensions.back().push_back(indices.getRank() - 1);
  Value ids = tensor::CollapseShapeOp::create(b, op.getLoc(), op.getIndices(), dimensions);
  auto embed = EmbedOp::create(b, op.getLoc(), op.getInit().getType(), unpack.getPacked(), ids,
                               op.getInit());
  if (Attribute checked = op->getAttr(kCheckedAttrName))
    embed->setAttr(kCheckedAttrName, checked);
  op.replaceAllUsesWith(embed.getResult());
  return true;
}

namespace {
struct RaiseQuantization : weft::lowp::impl::RaiseQuantizationBase<RaiseQuantization> {
  using RaiseQuantizationBase::RaiseQuantizationBase;

  /// Drops zero points that are 0: symmetric quantization writes them, too.
  void dropZeroPoints(AssembleOp op, OpBuilder &b) {
    auto quantized = Quantized::match(op.getResult());
    if (!quantized || !isInteger(*quantized) || quantized->getLevels().size() != 1)
      return;
    unsigned position = op.getComponents().size() - (quantized->scale ? 2 : 1);
    if (position != 1 || !isZeroConstant(op.getComponents()[position]))
      return;
    LeafFormatAttr format = quantized->getFormat();
    auto without =
        LeafFormatAttr::get(&getContext(), format.getElem(), format.getScales().drop_front(),
                            format.getStructure(), format.getPack());
    SmallVector<Value> components(op.getComponents());
    components.erase(components.begin() + position);
    Value packed = AssembleOp::create(
        b, op.getLoc(),
        PackedType::get(op.getType().getShape(), op.getType().getElementType(), without),
        components);
    for (Operation *user : llvm::make_early_inc_range(op->getUsers()))
      if (isa<UnpackOp, ContractOp>(user))
        user->replaceUsesOfWith(op.getResult(), packed);
  }

  bool raise(ContractOp op, OpBuilder &b) {
    OpOperand &lhs = op.getLhsMutable(), &rhs = op.getRhsMutable();
    absorbTranspositions(op, lhs);
    absorbTranspositions(op, rhs);
    if (raiseToIntegers(op, lhs, rhs, b) || raiseToIntegers(op, rhs, lhs, b)) {
      ++numIntegers;
      return true;
    }
    return raiseWeight(op, rhs, b) || raiseWeight(op, lhs, b);
  }

  bool raise(ConvOp op, OpBuilder &b) {
    bool isInteger = false;
    bool raised = raiseConvolution(op, integerConvolutions, isInteger, b);
    numIntegers += isInteger;
    return raised;
  }

  void runOnOperation() override {
    SmallVector<AssembleOp> packed;
    getOperation()->walk([&](AssembleOp op) { packed.push_back(op); });
    for (AssembleOp op : packed) {
      OpBuilder b(op);
      dropZeroPoints(op, b);
    }
    SmallVector<Operation *> candidates;
    getOperation()->walk([&](Operation *op) {
      if (isa<ContractOp, ConvOp, GatherOp>(op))
        candidates.push_back(op);
    });
    for (Operation *op : candidates) {
      OpBuilder b(op);
      bool raised = TypeSwitch<Operation *, bool>(op)
                        .Case([&](ContractOp contract) { return raise(contract, b); })
                        .Case([&](ConvOp conv) { return raise(conv, b); })
                        .Case([&](GatherOp gather) { return raiseLookup(gather, b); });
      numRaised += raised;
      if (raised && op->use_empty())
        op->erase();
    }
  }
};
} // namespace
