// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --canonicalize | FileCheck %s --check-prefix=CANON
// RUN: weft-opt %s --weft-lower-to-reference --canonicalize | FileCheck %s --check-prefix=REF

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
!x = !weft.packed<3x128xf32, #lowp.in_basis<#weft.format<elem = #lowp.float<f8E4M3FN>>, 1, #lowp.hadamard<64, "s">>>
!w = !weft.packed<5x128xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<4, signed>>, 1, #lowp.hadamard<64, "s">>>

// CHECK-LABEL: @same_basis
// CHECK: weft.contract {{.*}}#lowp.in_basis<#weft.format<elem = #lowp.float<f8E4M3FN>>, 1, #lowp.hadamard<64, "s">>
func.func @same_basis(%x: !x, %w: !w, %init: tensor<3x5xf32>, %k: tensor<128xf32>) -> tensor<3x5xf32> {
  %xs = tensor.empty() : tensor<3x128xf32>
  %r = weft.unpack ins(%x : !x) outs(%xs : tensor<3x128xf32>) -> tensor<3x128xf32>
  %p = weft.pack %r : tensor<3x128xf32> -> !x
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%p, %w : !x, !w)
         outs(%init : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}

// CHECK-LABEL: @rotate
// CHECK: lowp.rotate %{{.*}} by #lowp.bases<[#lowp.diagonal<"d">, #lowp.hadamard<28, "s">, #lowp.permutation<"p">]> along 1 inverse dual(%{{.*}}, %{{.*}}, %{{.*}} : tensor<56xf32>, tensor<56xf32>, tensor<56xi32>) : tensor<?x56xf32>
// REF-LABEL: @rotate
// REF-NOT: lowp.rotate
func.func @rotate(%x: tensor<?x56xf32>, %d: tensor<56xf32>, %s: tensor<56xf32>, %p: tensor<56xi32>) -> tensor<?x56xf32> {
  %y = lowp.rotate %x by #lowp.bases<[#lowp.diagonal<"d">, #lowp.hadamard<28, "s">, #lowp.permutation<"p">]> along 1
    inverse dual (%d, %s, %p : tensor<56xf32>, tensor<56xf32>, tensor<56xi32>) : tensor<?x56xf32>
  return %y : tensor<?x56xf32>
}

// A rotation and its inverse vanish; an orthogonal one is its own dual.
// CANON-LABEL: @undone
// CANON-SAME: %[[X:.*]]: tensor<?x56xf32>
// CANON-NEXT: return %[[X]]
func.func @undone(%x: tensor<?x56xf32>) -> tensor<?x56xf32> {
  %y = lowp.rotate %x by #lowp.hadamard<28> along 1 dual : tensor<?x56xf32>
  %z = lowp.rotate %y by #lowp.hadamard<28> along 1 inverse : tensor<?x56xf32>
  return %z : tensor<?x56xf32>
}

// Another axis, another basis, the same direction, other signs.
// CANON-LABEL: @not_undone
// CANON-COUNT-8: lowp.rotate
func.func @not_undone(%x: tensor<64x64xf32>, %s: tensor<64xf32>, %t: tensor<64xf32>)
    -> (tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>) {
  %0 = lowp.rotate %x by #lowp.hadamard<64> along 1 : tensor<64x64xf32>
  %1 = lowp.rotate %0 by #lowp.hadamard<64> along 0 inverse : tensor<64x64xf32>
  %2 = lowp.rotate %x by #lowp.hadamard<64> along 1 : tensor<64x64xf32>
  %3 = lowp.rotate %2 by #lowp.hadamard<32> along 1 inverse : tensor<64x64xf32>
  %4 = lowp.rotate %x by #lowp.hadamard<64> along 0 : tensor<64x64xf32>
  %5 = lowp.rotate %4 by #lowp.hadamard<64> along 0 : tensor<64x64xf32>
  %6 = lowp.rotate %x by #lowp.hadamard<64, "s"> along 1 (%s : tensor<64xf32>) : tensor<64x64xf32>
  %7 = lowp.rotate %6 by #lowp.hadamard<64, "s"> along 1 inverse (%t : tensor<64xf32>) : tensor<64x64xf32>
  return %1, %3, %5, %7 : tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>, tensor<64x64xf32>
}

// Index operations of a permutation are clamped; the inverse is computed first.
// REF-LABEL: @permutation
// REF: scf.for
// REF: arith.maxsi
// REF: arith.minsi
// REF: tensor.insert
// REF: linalg.generic
// REF: arith.maxsi
// REF: arith.minsi
// REF: tensor.extract
func.func @permutation(%x: tensor<4x6xf32>, %p: tensor<6xi64>) -> tensor<4x6xf32> {
  %y = lowp.rotate %x by #lowp.permutation<"p"> along 1 inverse (%p : tensor<6xi64>) : tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}
