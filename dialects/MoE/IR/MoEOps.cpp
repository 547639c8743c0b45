//===- MoEOps.cpp - The moe dialect's operations --------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialects/MoE/IR/MoE.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpImplementation.h"

using namespace mlir;
using namespace weft;
using namespace weft::moe;

#define GET_OP_CLASSES
#include "dialects/MoE/IR/MoEOps.cpp.inc"
