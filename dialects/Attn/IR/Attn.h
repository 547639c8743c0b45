//===- Attn.h - The attention dialect -------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_ATTN_IR_ATTN_H
#define WEFT_DIALECTS_ATTN_IR_ATTN_H

#include "dialects/Weft/IR/Weft.h"

#include "dialects/Attn/IR/AttnDialect.h.inc"
#include "dialects/Attn/IR/AttnEnums.h.inc"
#define GET_OP_CLASSES
#include "dialects/Attn/IR/AttnOps.h.inc"

#endif // WEFT_DIALECTS_ATTN_IR_ATTN_H
