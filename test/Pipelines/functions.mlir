// REQUIRES: weft
// RUN: weft-opt --weft-input --weft-model %s | FileCheck %s
// RUN: weft run %s --quiet --input=4xf32=0,-3,1,2 --input=4x2xf32=1,0,0,1,1,1,2,0 --expect=output0=2xf32=9,-5
// RUN: weft-opt --print-pipeline --target=cpu | FileCheck %s --check-prefix=TEXT

// Functions that a source calls are inlined before anything is raised, also with operations of
// this project's dialects and with calls in loops.

// TEXT: /* stage model */
// TEXT-NEXT: inline{default-pipeline= {{.*}}
// TEXT-NEXT: weft-inline-composites

// CHECK-NOT: @sparse
// CHECK-NOT: @twice
// CHECK-LABEL: func.func @main
// CHECK-NOT: call
// CHECK: sparse.topk_mask
// CHECK-NOT: func.func
func.func private @sparse(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xi8>
  %mask = sparse.topk_mask k = 2 dimension = 0 ins(%x : tensor<4xf32>) outs(%e : tensor<4xi8>) -> tensor<4xi8>
  %o = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                       iterator_types = ["parallel"]}
      ins(%x, %mask : tensor<4xf32>, tensor<4xi8>) outs(%o : tensor<4xf32>) {
  ^bb0(%in: f32, %m: i8, %out: f32):
    %f = arith.sitofp %m : i8 to f32
    %p = arith.mulf %in, %f : f32
    linalg.yield %p : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

func.func private @twice(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = call @sparse(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %z = linalg.add ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>, %w: tensor<4x2xf32>) -> tensor<2xf32> {
  %0 = call @twice(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %y = linalg.vecmat ins(%0, %w : tensor<4xf32>, tensor<4x2xf32>) outs(%zero : tensor<2xf32>) -> tensor<2xf32>
  return %y : tensor<2xf32>
}
