// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --sparse-decompose --canonicalize | FileCheck %s --check-prefix=REF

// CHECK-LABEL: @prune
// CHECK: sparse.prune to #sparse.nm<2, 4> ins(%{{.*}} : tensor<6x?xf32>) outs(%{{.*}} : tensor<6x?xf32>) -> tensor<6x?xf32>
// REF-LABEL: @prune
// REF-NOT: sparse.
// REF: linalg.generic
func.func @prune(%w: tensor<6x?xf32>, %init: tensor<6x?xf32>) -> tensor<6x?xf32> {
  %y = sparse.prune to #sparse.nm<2, 4> ins(%w : tensor<6x?xf32>)
         outs(%init : tensor<6x?xf32>) -> tensor<6x?xf32>
  return %y : tensor<6x?xf32>
}

// CHECK-LABEL: @prune_scores
// CHECK: sparse.prune to #sparse.ell<3, i32> ins(%{{.*}} : tensor<6x8xf16>) scores(%{{.*}} : tensor<6x8xf32>) outs(%{{.*}} : tensor<6x8xf16>) -> tensor<6x8xf16>
// The largest of each row, by sorting.
// REF-LABEL: @prune_scores
// REF: weft.sort descending unsigned dimension = 1
func.func @prune_scores(%w: tensor<6x8xf16>, %s: tensor<6x8xf32>, %init: tensor<6x8xf16>) -> tensor<6x8xf16> {
  %y = sparse.prune to #sparse.ell<3, i32> ins(%w : tensor<6x8xf16>)
         scores(%s : tensor<6x8xf32>) outs(%init : tensor<6x8xf16>) -> tensor<6x8xf16>
  return %y : tensor<6x8xf16>
}

// CHECK-LABEL: @topk_mask
// CHECK: sparse.topk_mask k = 3 dimension = 1 ins(%{{.*}} : tensor<4x8xf32>) outs(%{{.*}} : tensor<4x8xi8>) -> tensor<4x8xi8>
// REF-LABEL: @topk_mask
// REF: scf.for
func.func @topk_mask(%x: tensor<4x8xf32>, %init: tensor<4x8xi8>) -> tensor<4x8xi8> {
  %m = sparse.topk_mask k = 3 dimension = 1 ins(%x : tensor<4x8xf32>)
         outs(%init : tensor<4x8xi8>) -> tensor<4x8xi8>
  return %m : tensor<4x8xi8>
}

// CHECK-LABEL: @compact
// CHECK: sparse.compact dimension = 0 ins(%{{.*}}, %{{.*}} : tensor<9x4xf32>, tensor<9xi8>) outs(%{{.*}}, %{{.*}} : tensor<5x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>, tensor<5xi32>
// REF-LABEL: @compact
// REF-NOT: sparse.
func.func @compact(%x: tensor<9x4xf32>, %mask: tensor<9xi8>, %v: tensor<5x4xf32>, %p: tensor<5xi32>) -> (tensor<5x4xf32>, tensor<5xi32>) {
  %y, %q = sparse.compact dimension = 0 ins(%x, %mask : tensor<9x4xf32>, tensor<9xi8>)
             outs(%v, %p : tensor<5x4xf32>, tensor<5xi32>) -> tensor<5x4xf32>, tensor<5xi32>
  return %y, %q : tensor<5x4xf32>, tensor<5xi32>
}

// CHECK-LABEL: @expand
// CHECK: sparse.expand dimension = 0 ins(%{{.*}}, %{{.*}} : tensor<?x4xf32>, tensor<?xi32>) outs(%{{.*}} : tensor<9x4xf32>) -> tensor<9x4xf32>
// REF-LABEL: @expand
// REF-NOT: sparse.
func.func @expand(%v: tensor<?x4xf32>, %p: tensor<?xi32>, %init: tensor<9x4xf32>) -> tensor<9x4xf32> {
  %y = sparse.expand dimension = 0 ins(%v, %p : tensor<?x4xf32>, tensor<?xi32>)
         outs(%init : tensor<9x4xf32>) -> tensor<9x4xf32>
  return %y : tensor<9x4xf32>
}

// The extents of results are those of the inits.
// CHECK-LABEL: @extents
// REF-LABEL: @extents
// REF-SAME: %[[INIT:[a-z0-9]*]]: tensor<?x4xf32>
// REF: %[[D:.*]] = tensor.dim %[[INIT]]
// REF: return %[[D]]
func.func @extents(%init: tensor<?x4xf32>, %v: tensor<?x4xf32>, %p: tensor<?xi32>) -> index {
  %y = sparse.expand dimension = 0 ins(%v, %p : tensor<?x4xf32>, tensor<?xi32>)
         outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %c0 = arith.constant 0 : index
  %d = tensor.dim %y, %c0 : tensor<?x4xf32>
  return %d : index
}

!csr = !weft.packed<4x5xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
#CSR = #sparse_tensor.encoding<{map = (d0, d1) -> (d0 : dense, d1 : compressed), posWidth = 32, crdWidth = 16}>

// A packed tensor that comes back is itself.
// CHECK-LABEL: @bridge
// CHECK: sparse.to_sparse_tensor
// CHECK: sparse.from_sparse_tensor
// REF-LABEL: @bridge
// REF-SAME: %[[CODES:[a-z0-9]*]]: tensor<?xi32>
// REF-NEXT: return %[[CODES]]
func.func @bridge(%codes: tensor<?xi32>, %offsets: tensor<5xi32>, %columns: tensor<?xi16>) -> tensor<?xi32> {
  %p = weft.assemble %codes, %offsets, %columns : tensor<?xi32>, tensor<5xi32>, tensor<?xi16> -> !csr
  %s = sparse.to_sparse_tensor %p : !csr -> tensor<4x5xf32, #CSR>
  %q = sparse.from_sparse_tensor %s : tensor<4x5xf32, #CSR> -> !csr
  %c, %o, %k = weft.disassemble %q : !csr -> tensor<?xi32>, tensor<5xi32>, tensor<?xi16>
  return %c : tensor<?xi32>
}
