// A packed factor of a contraction is decoded in the contraction's kernel, with the
// bias and what follows: the host has bytes and the product.

// RUN: weft-opt %s --weft-convert-packed | FileCheck %s --check-prefix=PACKED
// RUN: weft-opt %s --weft-fuse | FileCheck %s
// RUN: weft-opt %s --weft-fuse --weft-tile --weft-vector --weft-buffer \
// RUN:   | FileCheck %s --check-prefix=BUFFER --implicit-check-not=512x384xf32 --implicit-check-not=weft.contract

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#bias = affine_map<(m, n, k) -> (n)>
#result = affine_map<(m, n, k) -> (m, n)>
#all = affine_map<(m, n) -> (m, n)>
#columns = affine_map<(m, n) -> (n)>
!weight = !weft.packed<512x384xf32, #weft.format<elem = #lowp.float<f4E2M1FN>>>

// PACKED-LABEL: func @main
// PACKED: %[[W:.*]] = weft.assemble %{{.*}} : tensor<98304xi8>
// PACKED: weft.contract {{.*}} ins(%{{.*}}, %[[W]] : tensor<?x512xf32>, !weft.packed<{{.*}}>) bias(%{{.*}} : tensor<384xf32>)

// CHECK-LABEL: func.func @main
// CHECK-COUNT-1: weft.dispatch @contract_0
// CHECK-NOT: weft.dispatch
// CHECK: return
// BUFFER-LABEL: weft.kernel @contract_0
// BUFFER-SAME: schedule
// BUFFER: scf.forall
// BUFFER: memref.load %{{.*}} : memref<98304xi8>
func.func @main(%n: index, %x: tensor<?x512xf32>, %bytes: tensor<98304xi8>, %b: tensor<384xf32>) -> tensor<?x384xf32> {
  %zero = arith.constant 0.0 : f32
  %w = weft.assemble %bytes : tensor<98304xi8> -> !weight
  %empty = tensor.empty(%n) : tensor<?x384xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x384xf32>) -> tensor<?x384xf32>
  %y = weft.contract indexing_maps = [#lhs, #rhs, #bias, #result]
         ins(%x, %w : tensor<?x512xf32>, !weight) bias(%b : tensor<384xf32>)
         outs(%init : tensor<?x384xf32>) -> tensor<?x384xf32>
  %z = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<?x384xf32>) outs(%empty : tensor<?x384xf32>) {
  ^bb0(%p: f32, %out: f32):
    %q = arith.maximumf %p, %zero : f32
    linalg.yield %q : f32
  } -> tensor<?x384xf32>
  return %z : tensor<?x384xf32>
}

// A start value that is computed for the contraction alone, too; a result that
// others use stays the group's last.
// CHECK-LABEL: func.func @start
// CHECK-COUNT-2: weft.dispatch
// CHECK-NOT: weft.dispatch
// CHECK: return
func.func @start(%x: tensor<64x512xf32>, %w: tensor<512x128xf32>, %b: tensor<128xf32>) -> (tensor<64x128xf32>, tensor<64x128xf32>) {
  %empty = tensor.empty() : tensor<64x128xf32>
  %init = linalg.generic {indexing_maps = [#columns, #all], iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<128xf32>) outs(%empty : tensor<64x128xf32>) {
  ^bb0(%p: f32, %out: f32):
    linalg.yield %p : f32
  } -> tensor<64x128xf32>
  %y = weft.contract indexing_maps = [#lhs, #rhs, #result]
         ins(%x, %w : tensor<64x512xf32>, tensor<512x128xf32>)
         outs(%init : tensor<64x128xf32>) -> tensor<64x128xf32>
  %z = linalg.generic {indexing_maps = [#all, #all], iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<64x128xf32>) outs(%empty : tensor<64x128xf32>) {
  ^bb0(%p: f32, %out: f32):
    %q = arith.negf %p : f32
    linalg.yield %q : f32
  } -> tensor<64x128xf32>
  return %y, %z : tensor<64x128xf32>, tensor<64x128xf32>
}

// CHECK-LABEL: weft.kernel @contract_0
// CHECK: %[[W:.*]] = weft.assemble %{{.*}} : tensor<98304xi8>
// CHECK: weft.contract {{.*}} ins(%{{.*}}, %[[W]] : {{.*}} bias
// CHECK: arith.maximumf
