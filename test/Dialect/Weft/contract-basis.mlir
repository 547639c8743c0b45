// RUN: weft-opt %s --canonicalize | FileCheck %s

// Unpacked numbers have no basis: a factor in one that is folded into the product would need
// the other one to be in it, too.
// CHECK-LABEL: func.func @f
// CHECK: %[[U:.*]] = weft.unpack
// CHECK: weft.contract {{.*}}%[[U]]
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
!w = !weft.packed<8x4xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<4, signed>>, 0, #lowp.hadamard<8>>>
func.func @f(%x: tensor<3x8xf32>, %w: !w, %e: tensor<8x4xf32>, %i: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %u = weft.unpack ins(%w : !w) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %y = weft.contract indexing_maps = [#lhs, #rhs, #out] ins(%x, %u : tensor<3x8xf32>, tensor<8x4xf32>) outs(%i : tensor<3x4xf32>) -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}
