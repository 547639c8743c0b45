//===- MethodBuilder.h - What methods are built with ------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_DIALECTS_SSM_IR_METHODBUILDER_H
#define WEFT_DIALECTS_SSM_IR_METHODBUILDER_H

#include "dialects/SSM/IR/Methods.h"
#include "dialects/SSM/IR/SSMShapes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace weft::ssm {

/// Builds what surrounds the scans. Intermediate tensors have the compute type.
struct MethodBuilder {
  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type compute;

  using Body = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

  MethodBuilder(mlir::OpBuilder &b, mlir::Location loc, mlir::Value like)
      : b(b), loc(loc), compute(computeTypeOf(typeOf(like).getElementType())) {}

  /// As NumPy's einsum, of any body instead of a product; what is not in the result is
  /// summed up. '1' is an extent of 1.
  mlir::Value einsum(llvm::StringRef spec, mlir::ValueRange inputs, Body body,
                     mlir::Type element = {});
  mlir::Value product(llvm::StringRef spec, mlir::ValueRange inputs, mlir::Type element = {});
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes, mlir::Type element = {}) {
    return mlir::tensor::EmptyOp::create(b, loc, sizes, element ? element : compute);
  }
  mlir::OpFoldResult size(mlir::Value tensor, int64_t dim) {
    return mlir::tensor::getMixedSize(b, loc, tensor, dim);
  }
  /// Inserts an extent of 1 at `dim`.
  mlir::Value expand(mlir::Value tensor, int64_t dim);
  /// Merges `dim` with the dimension before it.
  mlir::Value collapse(mlir::Value tensor, int64_t dim);
  /// [..., N] and [..., N] as [..., 2N], alternating.
  mlir::Value interleave(mlir::Value x, mlir::Value y);
  /// A constant of the compute type.
  mlir::Value constant(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> values);
};

/// The operands of a scan, by name.
struct ScanOperands {
  mlir::Value query, key, value, decay, rate, angle, alpha, beta, matrix, bonus;
  bool linear = false;
  Read read = Read::Post;
  int64_t substeps = 1;
};

/// The scan, with inits; the output has elements of `element`.
Result createScan(MethodBuilder m, State state, Transition transition, const ScanOperands &o,
                  const Sequences &sequences, mlir::Type element, mlir::Value rowsOf = {});

mlir::Value sigmoid(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);

/// The results of ssm.discretize, of the shape of `like`.
mlir::ValueRange discretize(MethodBuilder m, Rule rule, mlir::Value delta, mlir::Value rate,
                            mlir::Value imag, mlir::Value bias, mlir::Value gate,
                            mlir::Value offsets, bool softplus, mlir::Value like, size_t count);

/// y + skip x, elementwise.
mlir::Value addSkip(MethodBuilder m, llvm::StringRef spec, mlir::Value y, mlir::Value skip,
                    mlir::Value x, mlir::Type element);

} // namespace weft::ssm

#endif // WEFT_DIALECTS_SSM_IR_METHODBUILDER_H
