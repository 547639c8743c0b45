//===- CloneVariants.cpp - Kernels for several processors -----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/Variants.h"
#include "transforms/Tile/Passes.h"

namespace weft {
#define GEN_PASS_DEF_CLONEVARIANTS
#include "transforms/Tile/Passes.h.inc"
} // namespace weft

using namespace mlir;
using namespace weft;

namespace {
struct CloneVariants : weft::impl::CloneVariantsBase<CloneVariants> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto targets = module->getAttrOfType<ArrayAttr>(kVariantsAttrName);
    if (!targets)
      return;
    SymbolTable symbols(module);
    for (KernelOp kernel : llvm::to_vector(module.getOps<KernelOp>())) {
      if (kernel->hasAttr(kVariantAttrName))
        continue;
      Block::iterator next = std::next(kernel->getIterator());
      for (TargetAttr target : targets.getAsRange<TargetAttr>()) {
        std::string name = (kernel.getSymName() + "." + target.getCpu()).str();
        if (symbols.lookup(name))
          continue; // it was written by hand, or the pass has run
        KernelOp variant = kernel.clone();
        variant.setSymName(name);
        variant->setAttr(kVariantAttrName, StringAttr::get(&getContext(), target.getCpu()));
        variant->setAttr(kVariantOfAttrName, FlatSymbolRefAttr::get(kernel.getSymNameAttr()));
        symbols.insert(variant, next);
      }
    }
  }
};
} // namespace
