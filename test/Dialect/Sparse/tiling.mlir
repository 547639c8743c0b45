// Loops of pruning are what structures choose in independently: groups of columns, rows, blocks.

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --transform-interpreter --canonicalize \
// RUN:   --split-input-file --verify-diagnostics %s | FileCheck %s

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @groups
  // CHECK: scf.for %[[I:[a-z0-9]*]] =
  // CHECK: scf.for %[[J:[a-z0-9]*]] =
  // CHECK: %[[FROM:.*]] = affine.apply #{{.*}}(%[[J]])
  // CHECK: %[[N:.*]] = affine.min #{{.*}}(%{{.*}}, %[[J]])
  // CHECK: %[[X:.*]] = tensor.extract_slice %{{.*}}[%[[I]], %[[FROM]]] [%{{.*}}, %[[N]]] [1, 1] : tensor<?x10xf32>
  // CHECK: sparse.prune to #sparse.nm<2, 4> ins(%[[X]] : tensor<?x?xf32>) scores(%{{.*}} : tensor<?x?xf32>)
  func.func @groups(%x: tensor<?x10xf32>, %s: tensor<?x10xf32>) -> tensor<?x10xf32> {
    %y = sparse.prune to #sparse.nm<2, 4> ins(%x : tensor<?x10xf32>) scores(%s : tensor<?x10xf32>) outs(%x : tensor<?x10xf32>) -> tensor<?x10xf32>
    return %y : tensor<?x10xf32>
  }
  // Rows are kept whole, and are the only loop.
  // CHECK-LABEL: func @rows
  // CHECK: scf.for
  // CHECK: sparse.prune to #sparse.ell<3, i16> ins(%{{.*}} : tensor<2x9xf32>)
  func.func @rows(%x: tensor<8x9xf32>) -> tensor<8x9xf32> {
    %y = sparse.prune to #sparse.ell<3, i16> ins(%x : tensor<8x9xf32>) outs(%x : tensor<8x9xf32>) -> tensor<8x9xf32>
    return %y : tensor<8x9xf32>
  }
  // CHECK-LABEL: func @blocks
  // CHECK: scf.for
  // CHECK: scf.for
  // CHECK: sparse.prune to #sparse.block<4, 2, #sparse.nm<1, 2>> ins(%{{.*}} : tensor<4x8xf32>)
  func.func @blocks(%x: tensor<8x16xf32>) -> tensor<8x16xf32> {
    %y = sparse.prune to #sparse.block<4, 2, #sparse.nm<1, 2>> ins(%x : tensor<8x16xf32>) outs(%x : tensor<8x16xf32>) -> tensor<8x16xf32>
    return %y : tensor<8x16xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %ops = transform.structured.match ops{["sparse.prune"]} in %root : (!transform.any_op) -> !transform.any_op
    %a, %b, %c = transform.split_handle %ops : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    %ta, %la:2 = transform.structured.tile_using_for %a tile_sizes [3, 2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    %tb, %lb = transform.structured.tile_using_for %b tile_sizes [2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tc, %lc:2 = transform.structured.tile_using_for %c tile_sizes [1, 2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @mask
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (
  // CHECK: sparse.topk_mask k = 2 dimension = 1 ins(%{{.*}} : tensor<?x6x?xf32>)
  func.func @mask(%x: tensor<5x6x?xf32>, %m: tensor<5x6x?xi8>) -> tensor<5x6x?xi8> {
    %y = sparse.topk_mask k = 2 dimension = 1 ins(%x : tensor<5x6x?xf32>) outs(%m : tensor<5x6x?xi8>) -> tensor<5x6x?xi8>
    return %y : tensor<5x6x?xi8>
  }
  // CHECK-LABEL: func @expand
  // CHECK: scf.forall (%[[J:.*]]) in (2)
  // CHECK: sparse.expand dimension = 0 ins(%{{.*}}, %{{.*}} : tensor<4x3xf32>, tensor<4xi32>) outs(%{{.*}} : tensor<9x3xf32>)
  func.func @expand(%v: tensor<4x6xf32>, %p: tensor<4xi32>, %o: tensor<9x6xf32>) -> tensor<9x6xf32> {
    %y = sparse.expand dimension = 0 ins(%v, %p : tensor<4x6xf32>, tensor<4xi32>) outs(%o : tensor<9x6xf32>) -> tensor<9x6xf32>
    return %y : tensor<9x6xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %a = transform.structured.match ops{["sparse.topk_mask"]} in %root : (!transform.any_op) -> !transform.any_op
    %ta, %la = transform.structured.tile_using_forall %a tile_sizes [2, 3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %b = transform.structured.match ops{["sparse.expand"]} in %root : (!transform.any_op) -> !transform.any_op
    %tb, %lb = transform.structured.tile_using_forall %b tile_sizes [3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // Whole groups of static numbers are fused; half a group is not.
  // CHECK-LABEL: func @fused
  // CHECK: sparse.prune {{.*}} ins(%{{.*}} : tensor<4x8xf32>)
  // CHECK: linalg.exp {{.*}} tensor<4x8xf32>
  func.func @fused(%x: tensor<8x8xf32>) -> tensor<8x8xf32> {
    %y = sparse.prune to #sparse.nm<2, 4> ins(%x : tensor<8x8xf32>) outs(%x : tensor<8x8xf32>) -> tensor<8x8xf32>
    %z = linalg.exp ins(%y : tensor<8x8xf32>) outs(%x : tensor<8x8xf32>) -> tensor<8x8xf32>
    return %z : tensor<8x8xf32>
  }
  // CHECK-LABEL: func @unfused
  // CHECK: sparse.prune {{.*}} ins(%{{.*}} : tensor<8x8xi32>)
  // CHECK: scf.for
  // CHECK-NOT: sparse.prune
  func.func @unfused(%x: tensor<8x8xi32>) -> tensor<8x8xi32> {
    %y = sparse.prune to #sparse.nm<2, 4> ins(%x : tensor<8x8xi32>) outs(%x : tensor<8x8xi32>) -> tensor<8x8xi32>
    %z = linalg.add ins(%y, %y : tensor<8x8xi32>, tensor<8x8xi32>) outs(%x : tensor<8x8xi32>) -> tensor<8x8xi32>
    return %z : tensor<8x8xi32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %a = transform.structured.match ops{["linalg.exp"]} in %root : (!transform.any_op) -> !transform.any_op
    %ta, %la = transform.structured.fuse %a tile_sizes [4, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %b = transform.structured.match ops{["linalg.add"]} in %root : (!transform.any_op) -> !transform.any_op
    %tb, %lb = transform.structured.fuse %b tile_sizes [0, 2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // Which channels stay is a matter of all numbers: there is no loop.
  // CHECK-LABEL: func @channels
  // CHECK-NOT: scf.for
  // CHECK: sparse.prune to #sparse.channels<axis = 1, i32, count = 3>
  func.func @channels(%x: tensor<8x9xf32>) -> tensor<8x9xf32> {
    %y = sparse.prune to #sparse.channels<axis = 1, i32, count = 3> ins(%x : tensor<8x9xf32>) outs(%x : tensor<8x9xf32>) -> tensor<8x9xf32>
    return %y : tensor<8x9xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["sparse.prune"]} in %root : (!transform.any_op) -> !transform.any_op
    %t = transform.structured.tile_using_for %op tile_sizes [] : (!transform.any_op) -> (!transform.any_op)
    transform.yield
  }
}
