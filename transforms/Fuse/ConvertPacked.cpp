//===- ConvertPacked.cpp - Packed tensors become their components ---------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Contract.h"
#include "transforms/Fuse/ComponentExtents.h"
#include "transforms/Fuse/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/FuncConversions.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

namespace weft {
#define GEN_PASS_DEF_CONVERTPACKED
#include "transforms/Fuse/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
/// Components that are the operands of `weft.assemble`, cast where one of both
/// types is dynamic.
struct ConvertAssemble : OpConversionPattern<AssembleOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(AssembleOp op, OneToNOpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    SmallVector<Value> components, operands;
    for (ValueRange values : adaptor.getComponents())
      operands.push_back(values.front());
    assertComponentExtents(rewriter, op.getLoc(), op.getType(), operands);
    for (auto [values, type] :
         llvm::zip(adaptor.getComponents(), op.getType().getComponentTypes())) {
      Value value = values.front();
      if (value.getType() != type)
        value = tensor::CastOp::create(rewriter, op.getLoc(), type, value);
      components.push_back(value);
    }
    rewriter.replaceOpWithMultiple(op, {ValueRange(components)});
    return success();
  }
};

struct ConvertDisassemble : OpConversionPattern<DisassembleOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(DisassembleOp op, OneToNOpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    SmallVector<Value> components;
    for (auto [value, type] : llvm::zip(adaptor.getPacked(), op.getResultTypes())) {
      Value component = value;
      if (component.getType() != type)
        component = tensor::CastOp::create(rewriter, op.getLoc(), type, component);
      components.push_back(component);
    }
    rewriter.replaceOp(op, components);
    return success();
  }
};

struct ConvertUnpack : OpConversionPattern<UnpackOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(UnpackOp op, OneToNOpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    PackedType type = op.getPacked().getType();
    rewriter.replaceOp(op, type.getFormat().decode(rewriter, op.getLoc(), type, adaptor.getPacked(),
                                                   adaptor.getInit().front()));
    return success();
  }
};

struct ConvertPack : OpConversionPattern<PackOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(PackOp op, OneToNOpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    PackedType type = op.getType();
    SmallVector<Value> parameters;
    for (ValueRange values : adaptor.getParameters())
      parameters.push_back(values.front());
    SmallVector<Value> components = type.getFormat().encode(
        rewriter, op.getLoc(), type, adaptor.getNumbers().front(), parameters, op.getOptions());
    for (auto [value, wanted] : llvm::zip(components, type.getComponentTypes()))
      if (value.getType() != wanted)
        value = tensor::CastOp::create(rewriter, op.getLoc(), wanted, value);
    rewriter.replaceOpWithMultiple(op, {ValueRange(components)});
    return success();
  }
};

/// Canonicalization makes it of an `scf.if`; components can differ in their extents, so
/// it becomes one again.
struct ConvertSelect : OpConversionPattern<arith::SelectOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(arith::SelectOp op, OneToNOpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    if (!isa<PackedType>(op.getType()))
      return failure();
    ValueRange whenTrue = adaptor.getTrueValue(), whenFalse = adaptor.getFalseValue();
    auto choice = scf::IfOp::create(
        rewriter, op.getLoc(), adaptor.getCondition().front(),
        [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, whenTrue); },
        [&](OpBuilder &b, Location loc) { scf::YieldOp::create(b, loc, whenFalse); });
    rewriter.replaceOpWithMultiple(op, {choice.getResults()});
    return success();
  }
};

/// Whether `op` makes packed values other than of components or given parameters.
bool makesPacked(Operation *op) {
  return isa<ReferenceOpInterface>(op) && !isa<AssembleOp, PackOp>(op) &&
         llvm::any_of(op->getResultTypes(), llvm::IsaPred<PackedType>);
}

/// Lowers what makes packed values, and what that makes again.
LogicalResult lowerMakersOfPacked(Operation *module) {
  while (true) {
    SmallVector<ReferenceOpInterface> makers;
    module->walk([&](ReferenceOpInterface op) {
      if (makesPacked(op))
        makers.push_back(op);
    });
    if (makers.empty())
      return success();
    for (ReferenceOpInterface op : makers) {
      OpBuilder builder(op);
      FailureOr<SmallVector<Value>> values = op.lowerToReference(builder);
      if (failed(values))
        return op->emitOpError("has no reference for these operands");
      op->replaceAllUsesWith(*values);
      op->erase();
    }
  }
}

/// Whether `op` takes packed operands and knows what they mean.
bool computesWithPacked(Operation *op) {
  return isa<ReferenceOpInterface>(op) && !isa<AssembleOp, DisassembleOp, UnpackOp, PackOp>(op) &&
         llvm::none_of(op->getResultTypes(), llvm::IsaPred<PackedType>);
}

struct ConvertPacked : weft::impl::ConvertPackedBase<ConvertPacked> {
  void runOnOperation() override {
    if (failed(lowerMakersOfPacked(getOperation())))
      return signalPassFailure();
    TypeConverter converter;
    converter.addConversion([](Type type) { return type; });
    converter.addConversion([](PackedType type, SmallVectorImpl<Type> &types) {
      llvm::append_range(types, type.getComponentTypes());
      return success();
    });
    // What computes with packed operands keeps them: they are assembled where they
    // are used, which does no work.
    converter.addSourceMaterialization(
        [](OpBuilder &b, PackedType type, ValueRange components, Location loc) -> Value {
          return AssembleOp::create(b, loc, type, components);
        });
    auto holdsPacked = [](Operation *op) {
      if (computesWithPacked(op))
        return false;
      auto isPacked = llvm::IsaPred<PackedType>;
      if (auto function = dyn_cast<FunctionOpInterface>(op);
          function && (llvm::any_of(function.getArgumentTypes(), isPacked) ||
                       llvm::any_of(function.getResultTypes(), isPacked)))
        return true;
      for (Region &region : op->getRegions())
        for (Block &block : region)
          if (llvm::any_of(block.getArgumentTypes(), isPacked))
            return true;
      return llvm::any_of(op->getOperandTypes(), isPacked) ||
             llvm::any_of(op->getResultTypes(), isPacked);
    };
    ConversionTarget target(getContext());
    target.markUnknownOpDynamicallyLegal([&](Operation *op) { return !holdsPacked(op); });
    target.addIllegalOp<DisassembleOp, UnpackOp, PackOp>();
    // Components of other types are cast, dynamic ones checked; materialization
    // assembles them again.
    target.addDynamicallyLegalOp<AssembleOp>([](AssembleOp op) {
      SmallVector<RankedTensorType> expected = op.getType().getComponentTypes();
      return llvm::equal(op.getComponents().getTypes(), expected) &&
             llvm::all_of(expected, [](RankedTensorType t) { return t.hasStaticShape(); }) &&
             llvm::all_of(op->getUsers(), computesWithPacked);
    });

    RewritePatternSet patterns(&getContext());
    patterns.add<ConvertAssemble, ConvertDisassemble, ConvertUnpack, ConvertPack, ConvertSelect>(
        converter, &getContext());
    scf::populateSCFStructuralTypeConversions(converter, patterns);
    populateFunctionOpInterfaceTypeConversionPattern<func::FuncOp>(patterns, converter);
    populateReturnOpTypeConversionPattern(patterns, converter);
    populateCallOpTypeConversionPattern(patterns, converter);
    if (failed(applyFullConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
