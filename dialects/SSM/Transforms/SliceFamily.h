//===- SliceFamily.h - Slices at consecutive positions ----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_TRANSFORMS_SLICEFAMILY_H
#define WEFT_DIALECTS_SSM_TRANSFORMS_SLICEFAMILY_H

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft::ssm {

/// The slices of a tensor at consecutive positions of a dimension.
struct SliceFamily {
  mlir::Value source;
  int64_t dim = 0;
  int64_t first = 0;                                      ///< position of the first one
  llvm::SmallVector<mlir::tensor::ExtractSliceOp> slices; ///< by position

  int64_t size() const { return slices.size(); }
  static int64_t positionOf(mlir::tensor::ExtractSliceOp slice, int64_t dim);
  /// Whether something depends on two slices, as steps of a loop do.
  bool mayBeSteps() const;
  /// All of a block, of two slices or more.
  static std::vector<SliceFamily> collect(mlir::Block &block);
};

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_TRANSFORMS_SLICEFAMILY_H
