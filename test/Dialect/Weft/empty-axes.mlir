// REQUIRES: weft
// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft run %s --quiet --input=x=0x3xf32 --input='i=2x1xi64=0 5' --input='u=2x3xf32=1' \
// RUN:   --expect='y=2x3xf32' --expect='z=0x3xf32'
// RUN: weft run %s --quiet --input='x=2x3xf32=1 2 3 4 5 6' --input='i=2x1xi64=-1 5' --input='u=2x3xf32=7' \
// RUN:   --expect='y=2x3xf32=4 5 6 4 5 6' --expect='z=2x3xf32=1 2 3 7 7 7'

// An axis without elements has no position to clamp to: nothing is read of it and
// nothing written into it. Who wrote this says that the indices were checked, so that they
// are limited only (check-operands.mlir has the others).
// CHECK: weft.gather batch_dims = 0
// CHECK: weft.scatter
func.func @main(%a: index {weft.symbol = "a"},
    %x: tensor<?x3xf32> {weft.dims = ["a", 3], weft.dtype = "f32", weft.name = "x"},
    %i: tensor<2x1xi64> {weft.dims = [2, 1], weft.dtype = "i64", weft.name = "i"},
    %u: tensor<2x3xf32> {weft.dims = [2, 3], weft.dtype = "f32", weft.name = "u"})
    -> (tensor<2x3xf32> {weft.dims = [2, 3], weft.dtype = "f32", weft.name = "y"},
        tensor<?x3xf32> {weft.dims = ["a", 3], weft.dtype = "f32", weft.name = "z"}) {
  %e = tensor.empty() : tensor<2x3xf32>
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<?x3xf32>, tensor<2x1xi64>) outs(%e : tensor<2x3xf32>) {weft.checked} -> tensor<2x3xf32>
  %z = weft.scatter ins(%i, %u : tensor<2x1xi64>, tensor<2x3xf32>) outs(%x : tensor<?x3xf32>) attributes {weft.checked} {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<?x3xf32>
  return %y, %z : tensor<2x3xf32>, tensor<?x3xf32>
}
