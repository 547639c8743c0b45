//===- Sparse.h - The sparse dialect --------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SPARSE_IR_SPARSE_H
#define WEFT_DIALECTS_SPARSE_IR_SPARSE_H

#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"

#include "dialects/Sparse/IR/SparseDialect.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Sparse/IR/SparseAttributes.h.inc"
#define GET_OP_CLASSES
#include "dialects/Sparse/IR/SparseOps.h.inc"

#endif // WEFT_DIALECTS_SPARSE_IR_SPARSE_H
