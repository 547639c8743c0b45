// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --weft-lower-to-reference | FileCheck %s --check-prefix=REF

// CHECK-LABEL: @sum
// CHECK: weft.scan sum dimension = 1 ins(%{{.*}} : tensor<4x?xf32>)
// REF-LABEL: @sum
// REF-NOT: weft.scan
// REF: scf.for
// REF: %[[NEXT:.*]] = arith.addf
// REF: tensor.insert %[[NEXT]]
func.func @sum(%x: tensor<4x?xf32>, %init: tensor<4x?xf32>) -> tensor<4x?xf32> {
  %y = weft.scan sum dimension = 1 ins(%x : tensor<4x?xf32>)
         outs(%init : tensor<4x?xf32>) -> tensor<4x?xf32>
  return %y : tensor<4x?xf32>
}

// CHECK-LABEL: @product
// CHECK: weft.scan product exclusive reverse dimension = 0
// The element written is what was there before this one's factor.
// REF-LABEL: @product
// REF: scf.for {{.*}} iter_args(%[[BEFORE:.*]] = %{{.*}}, %{{.*}} = %{{.*}})
// REF: arith.muli
// REF: tensor.insert %[[BEFORE]]
func.func @product(%x: tensor<8xi64>, %init: tensor<8xi64>) -> tensor<8xi64> {
  %y = weft.scan product exclusive reverse dimension = 0 ins(%x : tensor<8xi64>)
         outs(%init : tensor<8xi64>) -> tensor<8xi64>
  return %y : tensor<8xi64>
}
