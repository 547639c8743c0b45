// RUN: weft-opt %s | weft-opt | FileCheck %s
// RUN: weft-opt %s --weft-lower-to-reference --canonicalize | FileCheck %s --check-prefix=REF

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#bias = affine_map<(m, n, k) -> (n)>
#result = affine_map<(m, n, k) -> (m, n)>
!weight = !weft.packed<8x5xi8, #weft.format<elem = #lowp.int<4, signed>>>

// A packed factor is unpacked, a bias part of the start value.
// CHECK-LABEL: @linear
// CHECK: weft.contract unsigned_lhs indexing_maps = [#map, #map1, #map2, #map3]
// CHECK-SAME: ins(%{{.*}}, %{{.*}} : tensor<?x8xi8>, !weft.packed<8x5xi8, {{.*}}>) bias(%{{.*}} : tensor<5xi32>)
// CHECK-SAME: outs(%{{.*}} : tensor<?x5xi32>) -> tensor<?x5xi32>
// REF-LABEL: @linear
// REF-SAME: %[[X:[a-z0-9]*]]: tensor<?x8xi8>, %[[CODES:[a-z0-9]*]]: tensor<20xi8>, %[[B:[a-z0-9]*]]: tensor<5xi32>, %[[INIT:[a-z0-9]*]]: tensor<?x5xi32>
// REF: %[[W:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<8x5xi8>)
// REF: tensor.extract %[[CODES]]
// REF: %[[START:.*]] = linalg.generic {{.*}} ins(%[[INIT]], %[[B]] : tensor<?x5xi32>, tensor<5xi32>)
// REF: arith.addi
// REF: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]], %[[W]] : {{.*}} outs(%[[START]]
// REF-NEXT: ^bb0(%[[P:.*]]: i8, %[[Q:.*]]: i8, %[[SUM:.*]]: i32):
// REF-NEXT: %[[WIDE:.*]] = arith.extui %[[P]]
// REF-NEXT: %[[FACTOR:.*]] = arith.extsi %[[Q]]
// REF-NEXT: %[[PRODUCT:.*]] = arith.muli %[[WIDE]], %[[FACTOR]]
// REF-NEXT: %[[NEXT:.*]] = arith.addi %[[SUM]], %[[PRODUCT]]
// REF-NEXT: linalg.yield %[[NEXT]]
func.func @linear(%x: tensor<?x8xi8>, %codes: tensor<20xi8>, %b: tensor<5xi32>, %init: tensor<?x5xi32>)
    -> tensor<?x5xi32> {
  %w = weft.assemble %codes : tensor<20xi8> -> !weight
  %y = weft.contract unsigned_lhs indexing_maps = [#lhs, #rhs, #bias, #result]
         ins(%x, %w : tensor<?x8xi8>, !weight) bias(%b : tensor<5xi32>)
         outs(%init : tensor<?x5xi32>) -> tensor<?x5xi32>
  return %y : tensor<?x5xi32>
}

// Several contracted loops in any order, a factor that is broadcast, a narrower
// one, and a transposed result.
// CHECK-LABEL: @batched
// CHECK: weft.contract indexing_maps = [{{.*}}] ins({{.*}}) outs({{.*}}) -> tensor<?x7x3xf32>
// REF-LABEL: @batched
// REF: linalg.generic {indexing_maps = [#{{.*}}, #{{.*}}, #{{.*}}], iterator_types = ["reduction", "parallel", "parallel", "parallel", "reduction"]}
// REF: arith.extf %{{.*}} : f16 to f32
func.func @batched(%x: tensor<1x3x?x4xf16>, %w: tensor<4x?x7x?xf32>, %init: tensor<?x7x3xf32>) -> tensor<?x7x3xf32> {
  %y = weft.contract indexing_maps = [affine_map<(j, b, m, n, k) -> (0, m, k, j)>,
                                      affine_map<(j, b, m, n, k) -> (j, k, n, b)>,
                                      affine_map<(j, b, m, n, k) -> (b, n, m)>]
         ins(%x, %w : tensor<1x3x?x4xf16>, tensor<4x?x7x?xf32>)
         outs(%init : tensor<?x7x3xf32>) -> tensor<?x7x3xf32>
  return %y : tensor<?x7x3xf32>
}

// Extents that only tensors know, for a packed factor.
// REF-LABEL: @packed_extents
// REF-SAME: %[[X:[a-z0-9]*]]: tensor<?x?xf32>, %[[BYTES:[a-z0-9]*]]: tensor<?xi8>
// REF: %[[K:.*]] = tensor.dim %[[X]], %c1
// REF: %[[E:.*]] = tensor.empty(%[[K]]) : tensor<?x5xf32>
func.func @packed_extents(%x: tensor<?x?xf32>, %codes: tensor<?xi8>, %init: tensor<?x5xf32>) -> tensor<?x5xf32> {
  %w = weft.assemble %codes : tensor<?xi8> -> !weft.packed<?x5xf32, #weft.format<elem = #lowp.float<f4E2M1FN>>>
  %y = weft.contract indexing_maps = [#lhs, #rhs, #result]
         ins(%x, %w : tensor<?x?xf32>, !weft.packed<?x5xf32, #weft.format<elem = #lowp.float<f4E2M1FN>>>)
         outs(%init : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}
