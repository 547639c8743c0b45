// Kernels take contiguous memory.

// RUN: weft-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" --verify-diagnostics

weft.kernel @k(%x: memref<4x4xf32>, %y: memref<4x4xf32>) outs 1 {
  weft.yield
}
func.func @f(%x: tensor<4x8xf32>, %y: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %s = tensor.extract_slice %x[0, 0] [4, 4] [1, 1] : tensor<4x8xf32> to tensor<4x4xf32>
  // expected-error @+2 {{operand is not contiguous after bufferization: 'memref<4x4xf32, strided<[8, 1]>>'}}
  // expected-error @+1 {{failed to bufferize op}}
  %z = weft.dispatch @k ins(%s : tensor<4x4xf32>) outs(%y : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %z : tensor<4x4xf32>
}
