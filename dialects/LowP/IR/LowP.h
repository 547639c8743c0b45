//===- LowP.h - The lowp dialect ------------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_LOWP_IR_LOWP_H
#define WEFT_DIALECTS_LOWP_IR_LOWP_H

#include "dialects/Weft/IR/Weft.h"

#include "dialects/LowP/IR/LowPDialect.h.inc"
#include "dialects/LowP/IR/LowPEnums.h.inc"
#include "dialects/LowP/IR/LowPInterfaces.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/LowP/IR/LowPAttributes.h.inc"
#define GET_OP_CLASSES
#include "dialects/LowP/IR/LowPOps.h.inc"

#endif // WEFT_DIALECTS_LOWP_IR_LOWP_H
