//===- MatrixProduct.h - Matrices in the lanes of a subgroup ----*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TARGETS_GPU_MATRIXPRODUCT_H
#define WEFT_TARGETS_GPU_MATRIXPRODUCT_H

#include "targets/GPU/Chip.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <array>

namespace weft::gpu {

/// The extent of the matrices in each dimension.
inline constexpr int64_t kMatrixExtent = 16;

/// Writes what a lane of a subgroup does of products of matrices of 16 x 16.
class MatrixProduct {
public:
  /// `lane` is the own number in the subgroup.
  MatrixProduct(mlir::ImplicitLocOpBuilder &b, MatrixInstruction instruction, mlir::Value lane);

  /// The size of a subgroup that `instruction` works with.
  static int64_t countLanes(MatrixInstruction instruction) {
    return instruction == MatrixInstruction::MFMA || instruction == MatrixInstruction::MFMA2 ? 64
                                                                                             : 32;
  }
  /// How many numbers of a result a lane has.
  int64_t countResults() const { return kMatrixExtent * kMatrixExtent / countLanes(instruction); }

  /// Row and column of the lane's result 0, and how far from there result `number` is.
  mlir::Value firstRow() const { return row; }
  mlir::Value firstColumn() const { return column; }
  std::array<int64_t, 2> offsetOf(int64_t number) const;

  /// What the lane has of an operand in `memory`, [across, k], whose matrix begins at
  /// `across` and `k`: rows of the left one, columns of the right one.
  llvm::SmallVector<mlir::Value> loadRows(mlir::Value memory, mlir::Value across, mlir::Value k);
  llvm::SmallVector<mlir::Value> loadColumns(mlir::Value memory, mlir::Value across, mlir::Value k);

  /// The lane's results, `sums` and the product of what has been loaded.
  llvm::SmallVector<mlir::Value> multiply(mlir::ValueRange rows, mlir::ValueRange columns,
                                          mlir::ValueRange sums);

private:
  mlir::Value add(mlir::Value x, int64_t y);
  mlir::Value load(mlir::Value memory, mlir::Value across, mlir::Value k, int64_t count);
  llvm::SmallVector<mlir::Value> loadFragment(mlir::Value memory, mlir::Value across,
                                              mlir::Value k);
  llvm::SmallVector<mlir::Value> multiplyMMASync(mlir::ValueRange rows, mlir::ValueRange columns,
                                                 mlir::ValueRange sums);
  mlir::Value multiplyMFMA(mlir::Value row, mlir::Value column, mlir::Value before);
  llvm::SmallVector<mlir::Value> multiplyAMD(mlir::Value row, mlir::Value column,
                                             mlir::ValueRange sums);

  mlir::ImplicitLocOpBuilder &b;
  MatrixInstruction instruction;
  mlir::Value row, column;   ///< of the lane's first result
  mlir::Value across, depth; ///< of the lane's first number of an operand
};

} // namespace weft::gpu

#endif // WEFT_TARGETS_GPU_MATRIXPRODUCT_H
