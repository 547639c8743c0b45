//===- NumberReader.cpp - Operands read number by number ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/NumberReader.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weft;

NumberReader::NumberReader(OpBuilder &b, Location loc, Value operand, ArrayRef<OpFoldResult> dims)
    : operand(operand), dims(dims) {
  auto packed = dyn_cast<PackedType>(operand.getType());
  if (!packed)
    return;
  // What was assembled is taken apart by folding.
  llvm::append_range(components, takeApart(b, loc, operand));
  if (this->dims.empty()) {
    assert(packed.hasStaticShape() && "dynamic extents have to be given");
    for (int64_t extent : packed.getShape())
      this->dims.push_back(b.getIndexAttr(extent));
  }
}

Value NumberReader::read(OpBuilder &b, Location loc, ArrayRef<Value> position) const {
  if (auto packed = dyn_cast<PackedType>(operand.getType()))
    return packed.getFormat().decodeAt(b, loc, packed, {components, dims, position});
  return tensor::ExtractOp::create(b, loc, operand, position);
}
