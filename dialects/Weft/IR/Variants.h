//===- Variants.h - Kernels for several processors ------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A module for several processors has a variant of each kernel for each of them.
// Its `weft.target` is the best processor, `weft.variants` are the others. The
// kernel that dispatches name is the best processor's variant; the others say
// which it is.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_WEFT_IR_VARIANTS_H
#define WEFT_DIALECTS_WEFT_IR_VARIANTS_H

#include "dialects/Weft/IR/Weft.h"

namespace weft {

/// Module: an array of the targets besides `weft.target` that kernels get a
/// variant for, best first. Their processors have different names.
inline constexpr llvm::StringLiteral kVariantsAttrName = "weft.variants";

/// Kernel: the processor (`TargetAttr::getCpu`) that it is a variant for.
inline constexpr llvm::StringLiteral kVariantAttrName = "weft.variant";

/// Kernel: the symbol of the kernel that it is a variant of.
inline constexpr llvm::StringLiteral kVariantOfAttrName = "weft.variant_of";

/// What `kernel` is compiled for; null if the module does not know.
inline TargetAttr targetOf(KernelOp kernel) {
  auto module = kernel->getParentOfType<mlir::ModuleOp>();
  if (!module)
    return {};
  if (auto cpu = kernel->getAttrOfType<mlir::StringAttr>(kVariantAttrName)) {
    if (auto variants = module->getAttrOfType<mlir::ArrayAttr>(kVariantsAttrName))
      for (mlir::Attribute attribute : variants)
        if (auto target = llvm::dyn_cast<TargetAttr>(attribute); target && target.getCpu() == cpu)
          return target;
    return {};
  }
  return module->getAttrOfType<TargetAttr>(WeftDialect::targetAttrName);
}

/// The name that dispatches of `kernel` use: its own, or that of the kernel that
/// it is a variant of.
inline mlir::StringAttr dispatchedNameOf(KernelOp kernel) {
  auto base = kernel->getAttrOfType<mlir::FlatSymbolRefAttr>(kVariantOfAttrName);
  return base ? base.getAttr() : kernel.getSymNameAttr();
}

} // namespace weft

#endif // WEFT_DIALECTS_WEFT_IR_VARIANTS_H
