// RUN: weft-opt %s --canonicalize --weft-convert-packed | FileCheck %s

// Canonicalization makes a selection of the branches, which is one of components again.
// CHECK-LABEL: func.func @f(
// CHECK: scf.if %{{.*}} -> (tensor<16xi8>) {
// CHECK-NOT: weft.packed
!p = !weft.packed<8x4xf32, #weft.format<elem = #lowp.int<4, signed>>>
func.func @f(%c: i1, %p: !p, %q: !p, %e: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %s = scf.if %c -> (!p) { scf.yield %p : !p } else { scf.yield %q : !p }
  %u = weft.unpack ins(%s : !p) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %u : tensor<8x4xf32>
}
