// Loops of statistics are blocks, which tiles never cut; a rotation keeps rows of its axis.

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --transform-interpreter --canonicalize \
// RUN:   %s | FileCheck %s

// CHECK-DAG: #[[$TWICE:.*]] = affine_map<(d0) -> (d0 * 2)>
module attributes {transform.with_named_sequence} {
  // Columns are blocks of 3, of which the last is short: a tile of 2 has as many as there are.
  // CHECK-LABEL: func @observe
  // CHECK: scf.for %[[I:[a-z0-9]*]] =
  // CHECK: scf.for %[[J:[a-z0-9]*]] =
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[%{{.*}}, 0, %{{.*}}] [4, 5, %{{.*}}] [1, 1, 1] : tensor<8x5x10xf32> to tensor<4x5x?xf32>
  // CHECK: %[[T:.*]] = lowp.observe absmax %[[S]] blocks [2, 0, 3] : tensor<4x5x?xf32> -> tensor<2x1x?xf32>
  // CHECK: %[[C:.*]] = tensor.cast %[[T]] : tensor<2x1x?xf32> to tensor<2x1x2xf32>
  // CHECK: tensor.insert_slice %[[C]] into %{{.*}}[%[[I]], 0, %[[J]]] [2, 1, 2] [1, 1, 1]
  func.func @observe(%x: tensor<8x5x10xf32>) -> tensor<4x1x4xf32> {
    %y = lowp.observe absmax %x blocks [2, 0, 3] : tensor<8x5x10xf32> -> tensor<4x1x4xf32>
    return %y : tensor<4x1x4xf32>
  }
  // CHECK-LABEL: func @dynamic
  // CHECK: scf.for %[[J:[a-z0-9]*]] =
  // CHECK-DAG: %[[FROM:.*]] = affine.apply #[[$TWICE]](%[[J]])
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[0, %[[FROM]]] [%{{.*}}, %{{.*}}] [1, 1]
  // CHECK: lowp.observe sum %[[S]] blocks [0, 2] : tensor<?x?xf32> -> tensor<1x?xf32>
  func.func @dynamic(%x: tensor<?x?xf32>) -> tensor<1x?xf32> {
    %y = lowp.observe sum %x blocks [0, 2] : tensor<?x?xf32> -> tensor<1x?xf32>
    return %y : tensor<1x?xf32>
  }
  // CHECK-LABEL: func @rotate
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (
  // CHECK: %[[S:.*]] = tensor.extract_slice %{{.*}}[%{{.*}}, 0, %{{.*}}] [%{{.*}}, 8, %{{.*}}] [1, 1, 1]
  // CHECK: lowp.rotate %[[S]] by #lowp.hadamard<4, "signs"> along 1(%{{.*}} : tensor<8xf32>) : tensor<?x8x?xf32>
  func.func @rotate(%x: tensor<5x8x?xf32>, %s: tensor<8xf32>) -> tensor<5x8x?xf32> {
    %y = lowp.rotate %x by #lowp.hadamard<4, "signs"> along 1 (%s : tensor<8xf32>) : tensor<5x8x?xf32>
    return %y : tensor<5x8x?xf32>
  }
  // CHECK-LABEL: func @fused
  // CHECK: scf.forall
  // CHECK: lowp.rotate %{{.*}} along 1 : tensor<2x8xf32>
  // CHECK: linalg.exp {{.*}} tensor<2x8xf32>
  func.func @fused(%x: tensor<6x8xf32>, %o: tensor<6x8xf32>) -> tensor<6x8xf32> {
    %y = lowp.rotate %x by #lowp.hadamard<8> along 1 : tensor<6x8xf32>
    %z = linalg.exp ins(%y : tensor<6x8xf32>) outs(%o : tensor<6x8xf32>) -> tensor<6x8xf32>
    return %z : tensor<6x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %ops = transform.structured.match ops{["lowp.observe"]} in %root : (!transform.any_op) -> !transform.any_op
    %a, %b = transform.split_handle %ops : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %ta, %la:2 = transform.structured.tile_using_for %a tile_sizes [2, 0, 2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    %tb, %lb = transform.structured.tile_using_for %b tile_sizes [0, 3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %rotates = transform.structured.match ops{["lowp.rotate"]} in %root : (!transform.any_op) -> !transform.any_op
    %c, %d = transform.split_handle %rotates : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tc, %lc = transform.structured.tile_using_forall %c tile_sizes [2, 3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %exp = transform.structured.match ops{["linalg.exp"]} in %root : (!transform.any_op) -> !transform.any_op
    %te, %le = transform.structured.tile_using_forall %exp tile_sizes [2, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %fused, %new = transform.structured.fuse_into_containing_op %d into %le : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
