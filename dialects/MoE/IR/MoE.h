//===- MoE.h - The moe dialect --------------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_MOE_IR_MOE_H
#define WEFT_DIALECTS_MOE_IR_MOE_H

#include "dialects/Weft/IR/Weft.h"

#include "dialects/MoE/IR/MoEDialect.h.inc"
#include "dialects/MoE/IR/MoEEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/MoE/IR/MoEAttributes.h.inc"
#define GET_OP_CLASSES
#include "dialects/MoE/IR/MoEOps.h.inc"

#endif // WEFT_DIALECTS_MOE_IR_MOE_H
