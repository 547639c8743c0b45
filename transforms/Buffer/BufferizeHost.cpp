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
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Interfaces/LoopLikeInterface.h"

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
/// another buffer, in the loop that the user is in: what an iteration computes there
/// is nothing to the next one.
static void separateEmptyTensors(func::FuncOp function, RewriterBase &rewriter) {
  auto isInLoopOf = [](Operation *user, Operation *empty) {
    auto loop = user->getParentOfType<LoopLikeOpInterface>();
    return loop && !loop->isAncestor(empty);
  };
  function.walk([&](tensor::EmptyOp empty) {
    while (!empty->use_empty() &&
           (!empty->hasOneUse() || isInLoopOf(*empty->user_begin(), empty))) {
      OpOperand &use = *empty->use_begin();
      rewriter.setInsertionPoint(isInLoopOf(use.getOwner(), empty) ? use.getOwner() : empty);
      Operation *copy = rewriter.clone(*empty);
      rewriter.modifyOpInPlace(use.getOwner(), [&] { use.set(copy->getResult(0)); });
    }
  });
}

/// Whether a value of a loop's body is in memory of its own: computed there into a
/// fresh tensor.
static bool isFresh(Value value, Block *body) {
  while (Operation *def = value.getDefiningOp()) {
    if (def->getBlock() != body)
      return false;
    if (isa<tensor::EmptyOp>(def))
      return true;
    if (auto dispatch = dyn_cast<DispatchOp>(def))
      value = dispatch.getOuts()[cast<OpResult>(value).getResultNumber()];
    else if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(def))
      value = def->getOperand(0);
    else
      return false;
  }
  return false;
}

/// Copies what iterations give into what loops carry at the end of the iteration,
/// all of it as if at once.
static void copyCarriedValues(func::FuncOp function, RewriterBase &rewriter) {
  function.walk([&](LoopLikeOpInterface loop) {
    for (Region *region : loop.getLoopRegions()) {
      Block *body = &region->front();
      Operation *terminator = body->getTerminator();
      SmallVector<linalg::CopyOp> copies;
      for (Value value : terminator->getOperands())
        if (auto copy = value.getDefiningOp<linalg::CopyOp>();
            copy && copy->getBlock() == body && copy->hasOneUse())
          copies.push_back(copy);
      SmallVector<Value> values;
      rewriter.setInsertionPoint(terminator);
      for (linalg::CopyOp copy : copies) {
        Value value = copy.getInputs()[0], slot = copy.getOutputs()[0];
        // Computed in place, or apart from all that is carried.
        auto dispatch = value.getDefiningOp<DispatchOp>();
        bool isInPlace =
            dispatch && dispatch.getOuts()[cast<OpResult>(value).getResultNumber()] == slot;
        if (!isInPlace && !isFresh(value, body))
          value = bufferization::AllocTensorOp::create(rewriter, copy.getLoc(),
                                                       cast<RankedTensorType>(value.getType()),
                                                       ValueRange(), /*copy=*/value);
        values.push_back(value);
      }
      for (auto [copy, value] : llvm::zip(copies, values)) {
        auto carried = bufferization::MaterializeInDestinationOp::create(
            rewriter, copy.getLoc(), value, copy.getOutputs()[0]);
        rewriter.replaceOp(copy, carried.getResult());
      }
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

/// Extents of inputs, which copies of them are allocated with, are symbols where those
/// have a name.
static void useSymbols(func::FuncOp function, RewriterBase &rewriter) {
  Block &body = function.getBody().front();
  DenseMap<Attribute, Value> symbols;
  for (BlockArgument argument : body.getArguments())
    if (Attribute name = function.getArgAttr(argument.getArgNumber(), WeftDialect::symbolAttrName))
      symbols[name] = argument;
  function.walk([&](memref::DimOp dim) {
    auto input = dyn_cast<BlockArgument>(dim.getSource());
    std::optional<int64_t> index = dim.getConstantIndex();
    if (!input || input.getOwner() != &body || !index)
      return;
    auto names = function.getArgAttrOfType<ArrayAttr>(input.getArgNumber(), "weft.dims");
    if (!names || *index < 0 || *index >= static_cast<int64_t>(names.size()))
      return;
    if (Value symbol = symbols.lookup(names[static_cast<size_t>(*index)]))
      rewriter.replaceOp(dim, symbol);
  });
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
      copyCarriedValues(function, rewriter);
      convertBoundary(function, rewriter);
      bufferization::BufferizationState state;
      if (failed(bufferization::runOneShotBufferize(function, options, state)))
        return signalPassFailure();
      useSymbols(function, rewriter);
    }
  }
};
} // namespace
