// RUN: weft-opt %s --weft-inline-functions | FileCheck %s

// What is called calls in turn, in a loop, and twice.

// CHECK-NOT: func.func private
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[N:.*]]: index)
// CHECK: %[[A:.*]] = linalg.exp ins(%[[X]]
// CHECK: %[[B:.*]] = linalg.add ins(%[[A]], %[[X]]
// CHECK: scf.for {{.*}} iter_args(%[[STATE:.*]] = %[[B]])
// CHECK:   %[[C:.*]] = linalg.exp ins(%[[STATE]]
// CHECK:   scf.yield %[[C]]
// CHECK-NOT: call
func.func private @exp(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.exp ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

func.func private @more(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %e = tensor.empty() : tensor<4xf32>
  %y = func.call @exp(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %z = linalg.add ins(%y, %x : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %z, %x : tensor<4xf32>, tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %y:2 = call @more(%x) : (tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  %z = scf.for %i = %c0 to %n step %c1 iter_args(%s = %y#0) -> tensor<4xf32> {
    %next = func.call @exp(%s) : (tensor<4xf32>) -> tensor<4xf32>
    scf.yield %next : tensor<4xf32>
  }
  return %z, %y#1 : tensor<4xf32>, tensor<4xf32>
}
