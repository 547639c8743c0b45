// RUN: weft-opt %s --lowp-fold-basis | FileCheck %s

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>

// The rotation of the activation becomes the transposed one of the weights.
// CHECK-LABEL: @to_constant
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x128xf32>
// CHECK: %[[W:.*]] = weft.constant
// CHECK: %[[R:.*]] = lowp.rotate %[[W]] by #lowp.hadamard<64> along 0 inverse : tensor<128x5xf32>
// CHECK: weft.contract {{.*}} ins(%[[X]], %[[R]] :
func.func @to_constant(%x: tensor<?x128xf32>, %init: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %w = weft.constant <"w", "", tensor<128x5xf32>> : tensor<128x5xf32>
  %r = lowp.rotate %x by #lowp.hadamard<64> along 1 : tensor<?x128xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%r, %w : tensor<?x128xf32>, tensor<128x5xf32>)
         outs(%init : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// Both factors in one basis: nothing is left.
// CHECK-LABEL: @back
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x128xf32>
// CHECK: %[[W:.*]] = weft.constant <"w"
// CHECK-NOT: lowp.rotate
// CHECK: weft.contract {{.*}} ins(%[[X]], %[[W]] :
func.func @back(%x: tensor<?x128xf32>, %init: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %w = weft.constant <"w", "", tensor<128x5xf32>> : tensor<128x5xf32>
  %d = weft.constant <"d", "", tensor<128xf32>> : tensor<128xf32>
  %r = lowp.rotate %x by #lowp.diagonal<"d"> along 1 dual (%d : tensor<128xf32>) : tensor<?x128xf32>
  %s = lowp.rotate %w by #lowp.diagonal<"d"> along 0 (%d : tensor<128xf32>) : tensor<128x5xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%r, %s : tensor<?x128xf32>, tensor<128x5xf32>)
         outs(%init : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// What is no constant stays: the other factor, or the indices.
// CHECK-LABEL: @stays
// CHECK-COUNT-2: lowp.rotate %{{.*}} by {{.*}} along 1
func.func @stays(%x: tensor<?x128xf32>, %v: tensor<128x5xf32>, %p: tensor<128xi32>, %init: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %w = weft.constant <"w", "", tensor<128x5xf32>> : tensor<128x5xf32>
  %r = lowp.rotate %x by #lowp.hadamard<64> along 1 : tensor<?x128xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%r, %v : tensor<?x128xf32>, tensor<128x5xf32>)
         outs(%init : tensor<?x5xf32>) -> tensor<?x5xf32>
  %s = lowp.rotate %x by #lowp.permutation<"p"> along 1 (%p : tensor<128xi32>) : tensor<?x128xf32>
  %z = weft.contract indexing_maps = [#x, #w, #y] ins(%s, %w : tensor<?x128xf32>, tensor<128x5xf32>)
         outs(%y : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %z : tensor<?x5xf32>
}

// A diagonal that is left is a multiplication.
// CHECK-LABEL: @diagonal
// CHECK-NOT: lowp.rotate
// CHECK: linalg.generic
// CHECK: arith.mulf
func.func @diagonal(%x: tensor<?x128xf32>, %d: tensor<128xf32>) -> tensor<?x128xf32> {
  %r = lowp.rotate %x by #lowp.diagonal<"d"> along 1 (%d : tensor<128xf32>) : tensor<?x128xf32>
  return %r : tensor<?x128xf32>
}
