//===- AudioOps.td - A dialect with one operation -------- -*- tablegen -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef AUDIO_OPS_TD
#define AUDIO_OPS_TD

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "weft/Dialect/Weft/WeftInterfaces.td"

def Audio_Dialect : Dialect {
  let name = "audio";
  let summary = "What sound models have and the ONNX standard lacks";
  let cppNamespace = "::audio";
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"
  ];
}

def Audio_SnakeOp : Op<Audio_Dialect, "snake", [
    Pure, AllTypesMatch<["input", "result"]>,
    DeclareOpInterfaceMethods<Weft_ReferenceOpInterface>]> {
  let summary = "The Snake activation, with a frequency per channel";
  let description = [{
    `result = input + sin(alpha * input)^2 / alpha`, where `input` is
    [N, C, ...] and `alpha` is [C]: an activation with a periodic part, for
    networks that generate sound (Ziyin et al., arXiv 2006.08195; BigVGAN, arXiv
    2206.04658). A channel whose `alpha` is zero is passed through, which is the
    limit. Both operands have the same float element type.

    ```mlir
    %y = audio.snake %x, %alpha : tensor<1x64x?xf32>, tensor<64xf32>
    ```
  }];
  let arguments = (ins RankedTensorOf<[AnyFloat]>:$input,
                       RankedTensorOf<[AnyFloat]>:$alpha);
  let results = (outs RankedTensorOf<[AnyFloat]>:$result);
  let assemblyFormat = [{
    $input `,` $alpha attr-dict `:` type($input) `,` type($alpha)
  }];
  let hasVerifier = 1;
}

#endif // AUDIO_OPS_TD
