//===- MoEDialect.cpp - The moe dialect -----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"
#include "dialects/MoE/IR/MoEChecks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

#include "dialects/MoE/IR/MoEDialect.cpp.inc"
#include "dialects/MoE/IR/MoEEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/MoE/IR/MoEAttributes.cpp.inc"

namespace {
/// Operations of this dialect may be inlined anywhere.
struct MoEInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final { return true; }
};
} // namespace

void MoEDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/MoE/IR/MoEOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/MoE/IR/MoEAttributes.cpp.inc"
      >();
  addInterfaces<MoEInlinerInterface>();
  attachOperandChecks(getContext());
}

LogicalResult GroupsAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t count,
                                 int64_t keep, GroupScore, FloatAttr others) {
  if (count < 1)
    return emitError() << "has " << count << " groups of experts, expected at least 1";
  if (keep < 1 || keep > count)
    return emitError() << "keeps " << keep << " of " << count << " groups of experts";
  if (others && (!others.getType().isF64() || others.getValue().isNaN()))
    return emitError() << "expects the key of others as a number of f64, got " << others;
  return success();
}
