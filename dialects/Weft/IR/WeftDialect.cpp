//===- WeftDialect.cpp - The weft dialect ---------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/Weft/IR/OperandChecks.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
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

#include "dialects/Weft/IR/WeftDialect.cpp.inc"
#include "dialects/Weft/IR/WeftEnums.cpp.inc"
#include "dialects/Weft/IR/WeftFormatInterfaces.cpp.inc"
#include "dialects/Weft/IR/WeftInterfaces.cpp.inc"

namespace {
/// Weft operations may be inlined anywhere; none depends on its function.
struct WeftInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final { return true; }
};
} // namespace

void WeftDialect::initialize() {
  weightStore = std::make_shared<WeightStore>();
  addOperations<
#define GET_OP_LIST
#include "dialects/Weft/IR/WeftOps.cpp.inc"
      >();
  registerAttributesAndTypes();
  attachOperandChecks(getContext());
  addInterfaces<WeftInlinerInterface>();
}

Operation *WeftDialect::materializeConstant(OpBuilder &builder, Attribute value, Type type,
                                            Location loc) {
  if (auto weight = dyn_cast<WeightAttr>(value))
    return ConstantOp::create(builder, loc, weight);
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
