//===- GPUTarget.cpp - What GPU targets have in common --------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/GPU/GPUTarget.h"
#include "targets/GPU/Passes.h"
#include "transforms/Fuse/RowOperations.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace weft;

LogicalResult GPUTarget::selectSchedule(Operation *op) const {
  auto kernel = cast<KernelOp>(op);
  std::optional<RowKernel> rows = RowKernel::match(kernel);
  if (!rows)
    return success();
  SmallVector<int64_t> extents = rows->getRowExtents();
  // MLIR takes no slice at the end of a dimension, which is where a slice of an
  // empty one begins.
  auto isEmpty = [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped && llvm::is_contained(shaped.getShape(), 0);
  };
  if (llvm::is_contained(extents, 0) || llvm::any_of(kernel.getArgumentTypes(), isEmpty))
    return success();
  kernel.setScheduleAttr(
      ScheduleAttr::get(kernel.getContext(), SmallVector<int64_t>(extents.size(), 1), {}, {}));
  return success();
}

void GPUTarget::buildStage(Stage stage, OpPassManager &pm, const PipelineOptions &) const {
  if (stage != Stage::Target)
    return;
  pm.addPass(createMapToGPU());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  buildSerialization(pm);
}

void GPUTarget::buildSerialization(OpPassManager &) const {}
