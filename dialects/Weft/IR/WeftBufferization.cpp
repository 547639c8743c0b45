//===- WeftBufferization.cpp - How weft's host operations bufferize -------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace weft;

namespace {
/// A dispatch reads its inputs and reads and writes its outs in place.
struct DispatchInterface : DstBufferizableOpInterfaceExternalModel<DispatchInterface, DispatchOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options, BufferizationState &state) const {
    auto dispatch = cast<DispatchOp>(op);
    auto toBuffer = [&](Value value) -> FailureOr<Value> {
      if (!isa<RankedTensorType>(value.getType()))
        return value;
      FailureOr<Value> buffer = getBuffer(rewriter, value, options, state);
      if (failed(buffer))
        return failure();
      // Kernels take contiguous memory; whatever has another layout was made
      // by a view of the host and is copied.
      auto type = cast<MemRefType>(buffer->getType());
      auto wanted = MemRefType::get(type.getShape(), type.getElementType());
      if (type == wanted)
        return *buffer;
      if (memref::CastOp::areCastCompatible(type, wanted))
        return Value(memref::CastOp::create(rewriter, op->getLoc(), wanted, *buffer));
      return op->emitOpError("operand is not contiguous after bufferization: ") << type;
    };
    // An extent can be static here and dynamic in the kernel.
    auto kernel = SymbolTable::lookupNearestSymbolFrom<KernelOp>(op, dispatch.getKernelAttr());
    size_t next = dispatch.getSizes().size();
    auto asKernelTakes = [&](Value buffer) -> Value {
      size_t index = next++;
      if (!kernel || index >= kernel.getArgumentTypes().size())
        return buffer;
      auto wanted = dyn_cast<ShapedType>(kernel.getArgumentTypes()[index]);
      auto have = dyn_cast<MemRefType>(buffer.getType());
      if (!wanted || !have || wanted.getShape() == have.getShape())
        return buffer;
      auto type = MemRefType::get(wanted.getShape(), have.getElementType());
      return memref::CastOp::create(rewriter, op->getLoc(), type, buffer);
    };
    SmallVector<Value> inputs, outs, destinations;
    for (Value value : dispatch.getInputs()) {
      FailureOr<Value> buffer = toBuffer(value);
      if (failed(buffer))
        return failure();
      inputs.push_back(asKernelTakes(*buffer));
    }
    for (Value value : dispatch.getOuts()) {
      FailureOr<Value> buffer = toBuffer(value);
      if (failed(buffer))
        return failure();
      outs.push_back(*buffer);
      destinations.push_back(asKernelTakes(*buffer));
    }
    DispatchOp::create(rewriter, op->getLoc(), TypeRange(), dispatch.getKernelAttr(),
                       dispatch.getSizes(), inputs, destinations);
    replaceOpWithBufferizedValues(rewriter, op, outs);
    return success();
  }
};

/// A weight is read-only memory.
struct ConstantInterface : BufferizableOpInterface::ExternalModel<ConstantInterface, ConstantOp> {
  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &,
                          BufferizationState &) const {
    auto constant = cast<ConstantOp>(op);
    auto type = cast<RankedTensorType>(constant.getType());
    replaceOpWithNewBufferizedOp<WeightBufferOp>(
        rewriter, op, MemRefType::get(type.getShape(), type.getElementType()),
        constant.getValueAttr());
    return success();
  }
  bool isWritable(Operation *, Value, const AnalysisState &) const { return false; }
};
} // namespace

void weft::attachWeftBufferization(MLIRContext *context, WeftDialect *) {
  DispatchOp::attachInterface<DispatchInterface>(*context);
  ConstantOp::attachInterface<ConstantInterface>(*context);
  context->loadDialect<memref::MemRefDialect>();
}
