//===- Passes.td - The passes of the lowp dialect ----------*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

include "mlir/Pass/PassBase.td"

def FoldBasis : Pass<"lowp-fold-basis"> {
  let summary = "Folds rotations into constants";
  let description = [{
    Moves a `lowp.rotate` from one factor of a contraction to the other, where the
    other is constant and the rotated one is not: x T w^T = x (w T^T)^T. What is
    rotated then is computed while compiling (`weft-evaluate-constants`). That works
    both ways: a rotation of a constant is undone by the inverse of the activation's,
    and both vanish. Rotations whose parameters are not constant stay.

    Diagonals that are left become multiplications, which `weft-fold-scales` merges
    with scales next to them, those of norms too.
  }];
  let dependentDialects = ["::weft::lowp::LowPDialect", "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numFolded", "num-folded", "Number of rotations moved to constants">
  ];
}
