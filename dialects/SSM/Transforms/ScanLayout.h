//===- ScanLayout.h - Tensors as scans have them ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_SCANLAYOUT_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_SCANLAYOUT_H

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallBitVector.h"

namespace weft::ssm {

/// Groups of dimensions of the longer of two shapes, for each of the shorter one, if those in
/// `units` are 1 and not in it.
llvm::SmallVector<mlir::ReassociationIndices> groupsAround(const llvm::SmallBitVector &units);

/// A tensor of a state's dimensions `dims`, after that of tokens if there is one, as a scan has
/// it: the first of `wanted`, which is the batch, then tokens, then the others. Those of `wanted`
/// that it lacks have the extent 1.
mlir::Value toScan(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                   llvm::ArrayRef<int64_t> dims, llvm::ArrayRef<int64_t> wanted, bool withTokens);

/// The other way: a result of a scan that has the dimensions of `wanted` which are in `dims`,
/// as tokens and `order`, in which -1 is an extent of 1.
mlir::Value fromScan(mlir::OpBuilder &b, mlir::Location loc, mlir::Value tensor,
                     llvm::ArrayRef<int64_t> dims, llvm::ArrayRef<int64_t> wanted,
                     llvm::ArrayRef<int64_t> order, bool withTokens);

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_TRANSFORMS_SCANLAYOUT_H
