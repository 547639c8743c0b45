// RUN: weft-opt %s --weft-fuse | FileCheck %s

// A chain of elementwise operations is one kernel, and the intermediate tensors
// are gone. A value that others read stays.

// CHECK-LABEL: func @chain
// CHECK-NOT: linalg
// CHECK-COUNT-1: weft.dispatch
// CHECK-NOT: weft.dispatch
// CHECK: return
func.func @chain(%x: tensor<?xf32>, %n: index {weft.symbol = "n"}) -> tensor<?xf32> {
  %e = tensor.empty(%n) : tensor<?xf32>
  %a = linalg.exp ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %b = linalg.add ins(%a, %x : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %c = linalg.tanh ins(%b : tensor<?xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  return %c : tensor<?xf32>
}

// CHECK-LABEL: func @two_results
// CHECK-NOT: linalg
// CHECK: weft.dispatch
// CHECK: return %{{.*}}, %{{.*}} : tensor<4xf32>, tensor<4xf32>
func.func @two_results(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  %a = linalg.exp ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %b = linalg.tanh ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// The element at another position is no elementwise neighbour: whoever reads it
// sees the finished tensor.
// CHECK-LABEL: func @transposed
// CHECK-NOT: linalg
// CHECK: weft.dispatch
// CHECK: return
func.func @transposed(%x: tensor<4x4xf32>, %y: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %a = linalg.matmul ins(%x, %y : tensor<4x4xf32>, tensor<4x4xf32>) outs(%x : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = linalg.transpose ins(%a : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) permutation = [1, 0]
  return %b : tensor<4x4xf32>
}

// After the stage all computation on tensors is in kernels, which are equal only
// once.
// CHECK: weft.kernel
