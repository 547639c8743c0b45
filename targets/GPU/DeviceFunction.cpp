//===- DeviceFunction.cpp - Functions of a device module ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/DeviceFunction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace weft;
using namespace weft::gpu;
using mlir::gpu::GPUFuncOp;
using mlir::gpu::GPUModuleOp;

/// The kernel's buffer at `address`, whose dynamic extents are `extents`.
static Value rebuildBuffer(RewriterBase &b, BlockArgument buffer, Value address,
                           ArrayRef<Value> extents) {
  Location loc = buffer.getLoc();
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<OpFoldResult> sizes, strides(type.getRank());
  for (int64_t extent : type.getShape()) {
    if (!ShapedType::isDynamic(extent)) {
      sizes.push_back(b.getIndexAttr(extent));
      continue;
    }
    sizes.push_back(extents.front());
    extents = extents.drop_front();
  }
  OpFoldResult stride = b.getIndexAttr(1);
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    std::optional<int64_t> x = getConstantIntValue(stride), y = getConstantIntValue(sizes[i]);
    if (x && y)
      stride = b.getIndexAttr(*x * *y);
    else
      stride = arith::MulIOp::create(b, loc, getValueOrCreateConstantIndexOp(b, loc, stride),
                                     getValueOrCreateConstantIndexOp(b, loc, sizes[i]))
                   .getResult();
  }
  return memref::ReinterpretCastOp::create(b, loc, type, address, b.getIndexAttr(0), sizes,
                                           strides);
}

/// Collects what the device is given for `value`: numbers and the kernel's
/// buffers. Views and constants it computes again; `definitions` are these.
static void collectInputs(Value value, Block &body, llvm::SetVector<Value> &numbers,
                          llvm::SetVector<Value> &buffers,
                          llvm::SetVector<Operation *> &definitions) {
  Operation *definition = value.getDefiningOp();
  if (definition && (isView(definition) || definition->hasTrait<OpTrait::ConstantLike>())) {
    for (Value operand : definition->getOperands())
      collectInputs(operand, body, numbers, buffers, definitions);
    definitions.insert(definition);
  } else if (isa<MemRefType>(value.getType())) {
    buffers.insert(value);
  } else {
    numbers.insert(value);
  }
}

/// A name that every assembler takes.
static std::string functionName(StringRef kernel, unsigned number) {
  std::string name = kernel.str();
  for (char &c : name)
    if (!llvm::isAlnum(c))
      c = '_';
  if (name.empty() || llvm::isDigit(name.front()))
    name.insert(0, "k");
  return name + "_" + std::to_string(number);
}

GPUFuncOp weft::gpu::createDeviceFunction(RewriterBase &b, GPUModuleOp module, KernelOp kernel,
                                          unsigned number, const Launch &launch, Value blocks,
                                          SmallVectorImpl<Value> &operands, IRMapping &mapping) {
  Location loc = launch.ops.front()->getLoc();
  Block &body = kernel.getBody().front();
  llvm::SetVector<Value> used, numbers, buffers;
  llvm::SetVector<Operation *> definitions;
  DenseSet<Operation *> inside(launch.ops.begin(), launch.ops.end());
  auto use = [&](Value value) {
    if (Operation *definition = value.getDefiningOp(); !definition || !inside.contains(definition))
      used.insert(value);
  };
  for (Operation *op : launch.ops) {
    llvm::for_each(op->getOperands(), use);
    llvm::SetVector<Value> above;
    for (Region &region : op->getRegions())
      getUsedValuesDefinedAbove(region, above);
    llvm::for_each(above, use);
  }
  for (Value value : used)
    collectInputs(value, body, numbers, buffers, definitions);

  // The number of blocks, numbers, extents of buffers, addresses.
  SmallVector<Type> types{b.getIndexType()};
  operands.push_back(blocks);
  for (Value value : numbers) {
    // A truth value is a byte wherever it lies in memory, as arguments do.
    if (value.getType().isInteger(1))
      value = arith::ExtUIOp::create(b, loc, b.getI8Type(), value);
    operands.push_back(value);
    types.push_back(value.getType());
  }
  SmallVector<unsigned> firstExtent;
  for (Value buffer : buffers) {
    firstExtent.push_back(static_cast<unsigned>(operands.size()));
    auto type = cast<MemRefType>(buffer.getType());
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i)) {
        operands.push_back(memref::DimOp::create(b, loc, buffer, i));
        types.push_back(b.getIndexType());
      }
  }
  unsigned firstBuffer = static_cast<unsigned>(operands.size());
  for (Value buffer : buffers) {
    auto metadata = memref::ExtractStridedMetadataOp::create(b, loc, buffer);
    operands.push_back(metadata.getBaseBuffer());
    types.push_back(operands.back().getType());
  }

  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(module.getBody());
  auto function = GPUFuncOp::create(b, loc, functionName(kernel.getSymName(), number),
                                    b.getFunctionType(types, {}));
  function->setAttr(mlir::gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  b.setInsertionPointToStart(&function.getBody().front());
  for (auto [value, argument] : llvm::zip(numbers, function.getArguments().drop_front())) {
    if (value.getType() == argument.getType())
      mapping.map(value, argument);
    else
      mapping.map(value, arith::TruncIOp::create(b, loc, value.getType(), argument));
  }
  for (auto [i, buffer] : llvm::enumerate(buffers)) {
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<Value> extents(function.getArguments().slice(
        firstExtent[i], static_cast<size_t>(type.getNumDynamicDims())));
    mapping.map(buffer, rebuildBuffer(b, cast<BlockArgument>(buffer),
                                      function.getArgument(firstBuffer + static_cast<unsigned>(i)),
                                      extents));
  }
  for (Operation *definition : definitions)
    b.clone(*definition, mapping);
  return function;
}

void weft::gpu::useConstants(RewriterBase &b, GPUFuncOp function, KernelOp kernel) {
  auto module = function->getParentOfType<GPUModuleOp>();
  auto space = mlir::gpu::AddressSpaceAttr::get(b.getContext(), mlir::gpu::AddressSpace::Global);
  function.walk([&](memref::GetGlobalOp op) {
    MemRefType type = op.getType();
    auto onDevice =
        MemRefType::get(type.getShape(), type.getElementType(), type.getLayout(), space);
    if (!module.lookupSymbol(op.getNameAttr())) {
      auto global =
          SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(kernel, op.getNameAttr());
      b.setInsertionPointToStart(module.getBody());
      auto copy = cast<memref::GlobalOp>(b.clone(*global));
      copy.setType(onDevice);
      copy.setSymVisibility("private");
    }
    b.setInsertionPoint(op);
    Value memory = memref::GetGlobalOp::create(b, op.getLoc(), onDevice, op.getName());
    b.replaceOpWithNewOp<memref::MemorySpaceCastOp>(op, type, memory);
  });
}

void weft::gpu::useExtents(RewriterBase &b, GPUFuncOp function) {
  function.walk([&](memref::DimOp op) {
    auto buffer = op.getSource().getDefiningOp<memref::ReinterpretCastOp>();
    std::optional<int64_t> index = op.getConstantIndex();
    if (!buffer || !index || *index < 0 || *index >= buffer.getType().getRank())
      return;
    b.setInsertionPoint(op);
    OpFoldResult size = buffer.getMixedSizes()[static_cast<size_t>(*index)];
    b.replaceOp(op, getValueOrCreateConstantIndexOp(b, op.getLoc(), size));
  });
}
