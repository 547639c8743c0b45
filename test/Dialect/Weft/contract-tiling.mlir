// Tiles of parallel loops are contractions of slices; those of contracted loops add
// up in the result. A bias keeps contracted loops whole, a packed factor all of them.

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --transform-interpreter --canonicalize \
// RUN:   --split-input-file --verify-diagnostics %s | FileCheck %s

#lhs = affine_map<(b, m, n, k) -> (0, m, k)>
#rhs = affine_map<(b, m, n, k) -> (k, n, b)>
#bias = affine_map<(b, m, n, k) -> (n)>
#result = affine_map<(b, m, n, k) -> (b, n, m)>

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @main
  // CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<1x?x64xf32>, %[[W:[a-z0-9]*]]: tensor<64x30x3xf32>, %[[INIT:[a-z0-9]*]]: tensor<3x30x?xf32>
  // CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[OUTER:.*]] = %[[INIT]])
  // CHECK: scf.for %[[J:.*]] = {{.*}} iter_args(%[[ACC:.*]] = %[[OUTER]])
  // CHECK-DAG: %[[XT:.*]] = tensor.extract_slice %[[X]][0, %[[I]], %[[J]]] [1, %[[ROWS:.*]], 16] [1, 1, 1]
  // CHECK-DAG: %[[WT:.*]] = tensor.extract_slice %[[W]][%[[J]], 0, 0] [16, 30, 3] [1, 1, 1]
  // CHECK-DAG: %[[YT:.*]] = tensor.extract_slice %[[ACC]][0, 0, %[[I]]] [3, 30, %[[ROWS]]] [1, 1, 1]
  // CHECK: %[[T:.*]] = weft.contract {{.*}} ins(%[[XT]], %[[WT]] : tensor<1x?x16xf32>, tensor<16x30x3xf32>) outs(%[[YT]] : tensor<3x30x?xf32>)
  // CHECK: tensor.insert_slice %[[T]] into %[[ACC]][0, 0, %[[I]]] [3, 30, %[[ROWS]]] [1, 1, 1]
  func.func @main(%x: tensor<1x?x64xf32>, %w: tensor<64x30x3xf32>, %init: tensor<3x30x?xf32>) -> tensor<3x30x?xf32> {
    %y = weft.contract indexing_maps = [#lhs, #rhs, #result]
           ins(%x, %w : tensor<1x?x64xf32>, tensor<64x30x3xf32>) outs(%init : tensor<3x30x?xf32>) -> tensor<3x30x?xf32>
    return %y : tensor<3x30x?xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["weft.contract"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loops:2 = transform.structured.tile_using_for %op tile_sizes [0, 8, 0, 16] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#bias = affine_map<(m, n, k) -> (n)>
#result = affine_map<(m, n, k) -> (m, n)>

module attributes {transform.with_named_sequence} {
  // A consumer's tile takes the contraction of its rows.
  // CHECK-LABEL: func @fused
  // CHECK: scf.for
  // CHECK: weft.contract {{.*}} ins(%{{.*}}, %{{.*}} : tensor<4x64xf32>, tensor<64x30xf32>) bias(%{{.*}} : tensor<30xf32>) outs(%{{.*}} : tensor<4x30xf32>)
  // CHECK: linalg.exp {{.*}} tensor<4x30xf32>
  func.func @fused(%x: tensor<32x64xf32>, %w: tensor<64x30xf32>, %b: tensor<30xf32>, %init: tensor<32x30xf32>) -> tensor<32x30xf32> {
    %y = weft.contract indexing_maps = [#lhs, #rhs, #bias, #result]
           ins(%x, %w : tensor<32x64xf32>, tensor<64x30xf32>) bias(%b : tensor<30xf32>) outs(%init : tensor<32x30xf32>) -> tensor<32x30xf32>
    %z = linalg.exp ins(%y : tensor<32x30xf32>) outs(%init : tensor<32x30xf32>) -> tensor<32x30xf32>
    return %z : tensor<32x30xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["linalg.exp"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.fuse %op tile_sizes [4, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#bias = affine_map<(m, n, k) -> (n)>
#result = affine_map<(m, n, k) -> (m, n)>

module attributes {transform.with_named_sequence} {
  func.func @biased(%x: tensor<32x64xf32>, %w: tensor<64x30xf32>, %b: tensor<30xf32>, %init: tensor<32x30xf32>) -> tensor<32x30xf32> {
    // expected-error @+2 {{to tile operation}}
    // expected-error @+1 {{failed to generate tiling loops}}
    %y = weft.contract indexing_maps = [#lhs, #rhs, #bias, #result]
           ins(%x, %w : tensor<32x64xf32>, tensor<64x30xf32>) bias(%b : tensor<30xf32>) outs(%init : tensor<32x30xf32>) -> tensor<32x30xf32>
    return %y : tensor<32x30xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["weft.contract"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [0, 0, 16] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
