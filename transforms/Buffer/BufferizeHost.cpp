//===- BufferizeHost.cpp - Turns the tensors of host code into memory -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Buffer/Boundary.h"
#include "transforms/Buffer/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"

namespace weft {
#define GEN_PASS_DEF_BUFFERIZEHOST
#include "transforms/Buffer/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

static Value createOutputBuffer(RewriterBase &rewriter, Location loc, int64_t index,
                                RankedTensorType type, ValueRange sizes, TypeAttr packed) {
  auto memref = MemRefType::get(type.getShape(), type.getElementType());
  return OutputBufferOp::create(rewriter, loc, memref, index, sizes, packed);
}

/// Where `value` is what a dispatch computes into a fresh tensor of the entry
/// block, the tensor that it starts from: it can be the caller's memory.
static tensor::EmptyOp freshDestination(Value value) {
  while (auto dispatch = value.getDefiningOp<DispatchOp>()) {
    value = dispatch.getOuts()[cast<OpResult>(value).getResultNumber()];
    auto empty = value.getDefiningOp<tensor::EmptyOp>();
    if (empty)
      return empty->hasOneUse() && isa<func::FuncOp>(empty->getParentOp()) ? empty : nullptr;
    if (!value.hasOneUse())
      return nullptr;
  }
  return nullptr;
}

/// Gives each user of a `tensor.empty` one of its own, so that each can become
/// another buffer.
static void separateEmptyTensors(func::FuncOp function, RewriterBase &rewriter) {
  function.walk([&](tensor::EmptyOp empty) {
    while (!empty->use_empty() && !empty->hasOneUse()) {
      OpOperand &use = *empty->use_begin();
      rewriter.setInsertionPoint(empty);
      Operation *copy = rewriter.clone(*empty);
      rewriter.modifyOpInPlace(use.getOwner(), [&] { use.set(copy->getResult(0)); });
    }
  });
}

/// Inputs become read-only memrefs, results go to the environment's buffers.
static void convertBoundary(func::FuncOp function, RewriterBase &rewriter) {
  Block &body = function.getBody().front();
  SmallVector<Type> types =
      convertArgumentsToMemRefs(body, rewriter, [](BlockArgument) { return false; });
  auto ret = cast<func::ReturnOp>(body.getTerminator());
  int64_t index = -1;
  for (auto [i, value] : llvm::enumerate(ret.getOperands())) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type)
      continue; // an extent of the packed tensor before it
    ++index;
    auto packed = function.getResultAttrOfType<TypeAttr>(i, WeftDialect::packedAttrName);
    ValueRange extents;
    if (packed)
      extents =
          ret.getOperands().slice(i + 1, cast<PackedType>(packed.getValue()).getNumDynamicDims());
    tensor::EmptyOp empty = extents.empty() ? freshDestination(value) : nullptr;
    if (empty) {
      rewriter.setInsertionPoint(empty);
      Value buffer = createOutputBuffer(rewriter, ret.getLoc(), index, type,
                                        packed ? ValueRange() : empty.getDynamicSizes(), packed);
      rewriter.replaceOpWithNewOp<bufferization::ToTensorOp>(empty, type, buffer, /*restrict=*/true,
                                                             /*writable=*/true);
      rewriter.setInsertionPoint(ret);
      bufferization::MaterializeInDestinationOp::create(rewriter, ret.getLoc(), Type(), value,
                                                        buffer, true, true);
      continue;
    }
    rewriter.setInsertionPoint(ret);
    SmallVector<Value> sizes(extents);
    for (int64_t d = 0; !packed && d < type.getRank(); ++d)
      if (type.isDynamicDim(d))
        sizes.push_back(tensor::DimOp::create(rewriter, ret.getLoc(), value, d));
    Value buffer = createOutputBuffer(rewriter, ret.getLoc(), index, type, sizes, packed);
    bufferization::MaterializeInDestinationOp::create(rewriter, ret.getLoc(), Type(), value, buffer,
                                                      true, true);
  }
  rewriter.modifyOpInPlace(ret, [&] { ret.getOperandsMutable().clear(); });
  // Results keep their attributes (names, element types) on the function.
  SmallVector<Attribute> results;
  for (unsigned i = 0, e = function.getNumResults(); i < e; ++i) {
    if (!isa<RankedTensorType>(function.getResultTypes()[i]))
      continue;
    NamedAttrList attributes(function.getResultAttrDict(i));
    Type type = function.getResultTypes()[i];
    if (auto packed = dyn_cast_or_null<TypeAttr>(attributes.erase(WeftDialect::packedAttrName)))
      type = RankedTensorType::get(cast<PackedType>(packed.getValue()).getShape(),
                                   rewriter.getI8Type());
    attributes.set("type", TypeAttr::get(type));
    results.push_back(attributes.getDictionary(rewriter.getContext()));
  }
  function->setAttr(WeftDialect::resultsAttrName, rewriter.getArrayAttr(results));
  function.removeResAttrsAttr();
  function.setFunctionType(rewriter.getFunctionType(types, {}));
}

namespace {
struct BufferizeHost : weft::impl::BufferizeHostBase<BufferizeHost> {
  void runOnOperation() override {
    bufferization::OneShotBufferizationOptions options;
    options.allowReturnAllocsFromLoops = true;
    options.setFunctionBoundaryTypeConversion(bufferization::LayoutMapOption::IdentityLayoutMap);
    options.unknownTypeConverterFn = [](TensorType type, Attribute space,
                                        const bufferization::BufferizationOptions &) {
      return bufferization::getMemRefTypeWithStaticIdentityLayout(type, space);
    };
    IRRewriter rewriter(&getContext());
    for (func::FuncOp function : getOperation().getOps<func::FuncOp>()) {
      if (function.isDeclaration())
        continue;
      separateEmptyTensors(function, rewriter);
      convertBoundary(function, rewriter);
      bufferization::BufferizationState state;
      if (failed(bufferization::runOneShotBufferize(function, options, state)))
        return signalPassFailure();
    }
  }
};
} // namespace
