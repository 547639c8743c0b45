//===- Factors.h - Products of broadcast tensors ----------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_FACTORS_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_FACTORS_H

#include "dialects/Weft/IR/Weft.h"

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

/// Whether `op` sums up its input over one dimension, from 0.
bool isSumOfRows(mlir::linalg::GenericOp op);

/// A tensor of which element `map` of (i, j, ...), all loops or 0, is a factor of element
/// (i, j, ...) of a product: it varies along `dims`.
struct Factor {
  mlir::Value tensor;
  mlir::AffineMap map;
  llvm::SmallBitVector dims;
};

/// The factors of the element `map` of `value`, which may be itself: products, also those that
/// are contractions over an extent of 1, are taken apart.
llvm::SmallVector<Factor> factorsOf(mlir::Value value, mlir::AffineMap map);
llvm::SmallVector<Factor> factorsOf(mlir::Value value);

/// An element of a tensor: which one, as a function of loops.
struct Element {
  mlir::Value tensor;
  mlir::AffineMap map;
};

/// What an element is copied from by an operation that moves or repeats elements only.
std::optional<Element> matchMoved(const Element &element);

/// Whether a contraction multiplies and adds numbers of one type, from 0.
bool isPlainProduct(ContractOp op);
/// Whether what it sums up are single products.
bool isOuterProduct(ContractOp op);
/// The loops of a contraction of dense tensors that compute the element `element` of its result,
/// those that are contracted being `contracted`, or 0 where the extent is 1.
mlir::AffineMap loopsOfResult(ContractOp op, mlir::AffineMap element, mlir::AffineExpr contracted);

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
