//===- Factors.h - Products of broadcast tensors ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_FACTORS_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_FACTORS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SmallBitVector.h"

namespace weft::ssm {

/// Whether `op` computes each element of its only result by one operation of type OpTy
/// from elements of its inputs, in their order; `numInputs` of them.
bool isElementwiseOf(mlir::linalg::GenericOp op, llvm::StringRef name, unsigned numInputs);

template <typename OpTy> mlir::linalg::GenericOp matchElementwise(mlir::Value value, unsigned n) {
  auto generic = value.getDefiningOp<mlir::linalg::GenericOp>();
  if (!generic || !isElementwiseOf(generic, OpTy::getOperationName(), n))
    return {};
  return generic;
}

/// A tensor of which element (i or 0, j or 0, ...) is a factor of element (i, j, ...) of
/// a product: it varies along `dims`.
struct Factor {
  mlir::Value tensor;
  llvm::SmallBitVector dims;
};

/// The factors of `value`, which may be itself; those that are products again are
/// divided.
llvm::SmallVector<Factor> factorsOf(mlir::Value value);

/// The product of `factors` as a tensor [dims...], of extents like those of `whole`.
mlir::Value multiply(mlir::OpBuilder &b, mlir::Location loc, llvm::ArrayRef<Factor> factors,
                     mlir::Value whole, llvm::ArrayRef<int64_t> dims);

/// Slice `index` of `tensor` along `dim`, without that dimension.
struct Slice {
  mlir::Value tensor;
  int64_t dim = 0, index = 0;
};

/// What `value` is a slice of: one position of one dimension, all of the others.
std::optional<Slice> matchSlice(mlir::Value value);

/// Whether `size` is the extent of dimension `dim` of `tensor`.
bool isWhole(mlir::OpFoldResult size, mlir::Value tensor, int64_t dim);

/// Whether `value` is known to be 0 everywhere.
bool isZeroTensor(mlir::Value value);

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_TRANSFORMS_FACTORS_H
