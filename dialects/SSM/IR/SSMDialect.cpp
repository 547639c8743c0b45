//===- SSMDialect.cpp - The ssm dialect -----------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/SSM/IR/SSM.h"
#include "dialects/SSM/IR/SSMChecks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/InliningUtils.h"

using namespace mlir;
using namespace weft::ssm;

#include "dialects/SSM/IR/SSMDialect.cpp.inc"
#include "dialects/SSM/IR/SSMEnums.cpp.inc"

namespace {
/// The operations may be inlined anywhere; none depends on its function.
struct SSMInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const final { return true; }
};
} // namespace

void SSMDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/SSM/IR/SSMOps.cpp.inc"
      >();
  addInterfaces<SSMInlinerInterface>();
  attachOperandChecks(getContext());
}
