// RUN: weft-opt %s --canonicalize | FileCheck %s

// One rank exchanges nothing, but values and what is received can differ in rows that only a
// call knows.
// CHECK-LABEL: func.func @dynamic
// CHECK: moe.exchange
func.func @dynamic(%v: tensor<1x?x4xf32>, %o: tensor<1x3xi32>, %r: tensor<1x?x4xf32>, %e: tensor<1x3xi32>)
    -> (tensor<1x?x4xf32>, tensor<1x3xi32>) {
  %x, %y = moe.exchange ins(%v, %o : tensor<1x?x4xf32>, tensor<1x3xi32>)
    outs(%r, %e : tensor<1x?x4xf32>, tensor<1x3xi32>) -> tensor<1x?x4xf32>, tensor<1x3xi32>
  return %x, %y : tensor<1x?x4xf32>, tensor<1x3xi32>
}

// CHECK-LABEL: func.func @static
// CHECK-NOT: moe.exchange
// CHECK: return %arg0, %arg1
func.func @static(%v: tensor<1x5x4xf32>, %o: tensor<1x3xi32>, %r: tensor<1x5x4xf32>, %e: tensor<1x3xi32>)
    -> (tensor<1x5x4xf32>, tensor<1x3xi32>) {
  %x, %y = moe.exchange ins(%v, %o : tensor<1x5x4xf32>, tensor<1x3xi32>)
    outs(%r, %e : tensor<1x5x4xf32>, tensor<1x3xi32>) -> tensor<1x5x4xf32>, tensor<1x3xi32>
  return %x, %y : tensor<1x5x4xf32>, tensor<1x3xi32>
}
