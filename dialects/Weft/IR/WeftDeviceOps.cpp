//===- WeftDeviceOps.cpp - Memory of a device -----------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"

using namespace mlir;
using namespace weft;

bool weft::isDeviceMemory(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  return memref && isa_and_nonnull<DeviceMemoryAttr>(memref.getMemorySpace());
}

MemRefType weft::withDeviceMemory(MemRefType type, bool onDevice) {
  Attribute space = onDevice ? DeviceMemoryAttr::get(type.getContext()) : Attribute();
  return MemRefType::get(type.getShape(), type.getElementType(), type.getLayout(), space);
}

LogicalResult TransferOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  auto target = cast<MemRefType>(getTarget().getType());
  if (source.getElementType() != target.getElementType() ||
      failed(verifyCompatibleShape(source.getShape(), target.getShape())))
    return emitOpError("copies ") << source << " to " << target << ", expected equal shapes";
  if (!isDeviceMemory(source) && !isDeviceMemory(target))
    return emitOpError("has neither side in memory of the device");
  return success();
}
