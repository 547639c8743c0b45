//===- SelectSchedules.cpp - Has the target choose schedules --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Weft.h"
#include "transforms/Tile/Passes.h"
#include "weft/Registry.h"
#include "weft/Target.h"

namespace weft {
#define GEN_PASS_DEF_SELECTSCHEDULES
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct SelectSchedules : weft::impl::SelectSchedulesBase<SelectSchedules> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto attribute = module->getAttrOfType<TargetAttr>(WeftDialect::targetAttrName);
    StringRef name = attribute ? attribute.getName() : "cpu";
    const Registry *registry = Registry::get(&getContext());
    const Target *target = registry ? registry->findTarget(name) : nullptr;
    if (!target) {
      module.emitError("unknown target '") << name << "'";
      return signalPassFailure();
    }
    for (KernelOp kernel : module.getOps<KernelOp>())
      if (!kernel.getSchedule() && failed(target->selectSchedule(kernel)))
        return signalPassFailure();
  }
};
} // namespace
