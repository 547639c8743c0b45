//===- SelectSchedules.cpp - Has the target choose schedules --------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Variants.h"
#include "transforms/Tile/Passes.h"
#include "weft/Registry.h"
#include "weft/Target.h"

#include "mlir/IR/Remarks.h"

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
    DenseMap<StringAttr, SmallVector<Location>> nodes;
    module.walk([&](DispatchOp op) { nodes[op.getKernelAttr().getAttr()].push_back(op.getLoc()); });
    for (KernelOp kernel : module.getOps<KernelOp>()) {
      if (kernel.getSchedule())
        continue;
      if (failed(target->selectSchedule(kernel)))
        return signalPassFailure();
      Location loc = FusedLoc::get(&getContext(), nodes[dispatchedNameOf(kernel)]);
      auto options =
          remark::RemarkOpts::name("schedule").category("tile").function(kernel.getSymName());
      if (ScheduleAttr schedule = kernel.getScheduleAttr())
        remark::passed(loc, options) << remark::metric("Schedule", Attribute(schedule));
      else
        remark::analysis(loc, options) << remark::reason("no schedule: runs serially");
    }
  }
};
} // namespace
