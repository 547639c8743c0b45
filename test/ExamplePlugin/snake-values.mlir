// The numbers of the reference, by both formulas: 1 + sin(2)^2 / 2 = 1.41341,
// and a channel whose alpha is zero unchanged.

// DEFINE: %{to-llvm} = one-shot-bufferize{bufferize-function-boundaries},convert-linalg-to-loops,convert-scf-to-cf,expand-strided-metadata,lower-affine,convert-math-to-libm,convert-vector-to-llvm,convert-func-to-llvm,convert-arith-to-llvm,finalize-memref-to-llvm,convert-cf-to-llvm,reconcile-unrealized-casts
// RUN: weft-opt --load-plugin=%audio %s --pass-pipeline='builtin.module(audio-lower,%{to-llvm})' \
// RUN:   | mlir-runner --entry-point-result=void --shared-libs=%llvm-libraries/libmlir_c_runner_utils.so | FileCheck %s
// RUN: weft-opt --load-plugin=%audio %s --pass-pipeline='builtin.module(audio-lower{use-cosine=true},%{to-llvm})' \
// RUN:   | mlir-runner --entry-point-result=void --shared-libs=%llvm-libraries/libmlir_c_runner_utils.so | FileCheck %s
// CHECK: 1.41341
// CHECK-NEXT: 7
func.func private @snake(%input: tensor<1x?xf32>, %alpha: tensor<?xf32>) -> tensor<1x?xf32> {
  %result = audio.snake %input, %alpha : tensor<1x?xf32>, tensor<?xf32>
  return %result : tensor<1x?xf32>
}

func.func @main() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %input = arith.constant dense<[[1.0, 7.0]]> : tensor<1x2xf32>
  %alpha = arith.constant dense<[2.0, 0.0]> : tensor<2xf32>
  %dynamicInput = tensor.cast %input : tensor<1x2xf32> to tensor<1x?xf32>
  %dynamicAlpha = tensor.cast %alpha : tensor<2xf32> to tensor<?xf32>
  %result = func.call @snake(%dynamicInput, %dynamicAlpha) : (tensor<1x?xf32>, tensor<?xf32>) -> tensor<1x?xf32>
  %a = tensor.extract %result[%c0, %c0] : tensor<1x?xf32>
  %b = tensor.extract %result[%c0, %c1] : tensor<1x?xf32>
  vector.print %a : f32
  vector.print %b : f32
  return
}
