//===- LowPChecks.cpp - What data of this dialect's operations must be ----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/LowP/IR/LowPChecks.h"

#include "dialects/LowP/IR/Bases.h"
#include "dialects/LowP/IR/Blocks.h"
#include "dialects/LowP/IR/LowP.h"
#include "dialects/Weft/IR/OperandChecks.h"

using namespace mlir;
using namespace weft;
using namespace weft::lowp;

namespace {
struct RotateChecks : OperandCheckInterface::ExternalModel<RotateChecks, RotateOp> {
  void buildChecks(Operation *op, OperandChecks &checks) const {
    auto rotate = cast<RotateOp>(op);
    SmallVector<Attribute> parts = getBasisParts(rotate.getBasis());
    llvm::erase_if(parts, [](Attribute part) { return !hasParameter(part); });
    for (auto [part, parameter] : llvm::zip(parts, rotate.getParameters()))
      if (isa<PermutationAttr>(part))
        checks.requireRange("parameters", parameter, LeastIndex::Zero,
                            checks.extents.extentOf(rotate.getNumbers(), rotate.getAxis()));
  }
};

/// Those of the format that parameters are stored in.
struct ScaleChecks : ComponentCheckInterface::ExternalModel<ScaleChecks, ScaleAttr> {
  void buildChecks(Attribute attribute, OperandChecks &checks,
                   const PackedComponents &packed) const {
    auto scale = cast<ScaleAttr>(attribute);
    auto format =
        scale.getValue() ? FormatInterface() : dyn_cast<FormatInterface>(scale.getStorage());
    if (!format)
      return;
    AffineMap map = getBlockMap(scale.getContext(), scale.getBlock(), packed.type.getRank());
    SmallVector<OpFoldResult> dims = evaluateExtents(checks.builder, checks.loc, map, packed.dims);
    buildComponentChecks(
        format, checks,
        {getBlockTensorType(scale.getBlock(), packed.type.getShape(), packed.type.getElementType()),
         packed.values,
         dims,
         packed.prefix + "scale.",
         {}});
  }
};
} // namespace

void lowp::attachOperandChecks(MLIRContext *context) {
  RotateOp::attachInterface<RotateChecks>(*context);
  ScaleAttr::attachInterface<ScaleChecks>(*context);
}
