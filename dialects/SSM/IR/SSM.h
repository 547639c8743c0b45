//===- SSM.h - The ssm dialect --------------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_IR_SSM_H
#define WEFT_DIALECTS_SSM_IR_SSM_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Interfaces/InferTypeOpInterface.h"

#include "dialects/SSM/IR/SSMDialect.h.inc"
#include "dialects/SSM/IR/SSMEnums.h.inc"
#define GET_OP_CLASSES
#include "dialects/SSM/IR/SSMOps.h.inc"

#endif // WEFT_DIALECTS_SSM_IR_SSM_H
