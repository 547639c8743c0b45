//===- AudioPasses.td - The plugin's pass ---------------- -*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef AUDIO_PASSES_TD
#define AUDIO_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerToLinalg : Pass<"audio-lower-to-linalg"> {
  let summary = "Replace audio operations by linalg";
  let description = [{
    Every operation of the dialect becomes its reference, one `linalg.generic`,
    which Weft then fuses with its neighbours. With `use-cosine`, the square of
    the sine is `(1 - cos(2x)) / 2`, which saves a multiplication and costs
    accuracy near zero.
  }];
  let options = [
    Option<"useCosine", "use-cosine", "bool", "false",
           "Compute the square of a sine by the cosine of the double angle">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"
  ];
}

#endif // AUDIO_PASSES_TD
