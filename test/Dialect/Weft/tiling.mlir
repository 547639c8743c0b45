// Tiles of tensor operations. Those of convolutions see their windows only, around which are
// zeros where there are pads; a packed tensor is decoded by the tile.

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --transform-interpreter --canonicalize \
// RUN:   --split-input-file --verify-diagnostics %s | FileCheck %s

module attributes {transform.with_named_sequence} {
  // Without pads windows are slices.
  // CHECK-LABEL: func @valid
  // CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x4x13xf32>, %[[W:[a-z0-9]*]]: tensor<6x4x3xf32>
  // CHECK: scf.for %[[N:[a-z0-9]*]] =
  // CHECK: scf.for %[[M:[a-z0-9]*]] =
  // CHECK: scf.for %[[S:[a-z0-9]*]] =
  // CHECK-DAG: %[[FROM:.*]] = affine.apply #{{.*}}(%[[S]])
  // CHECK-DAG: tensor.extract_slice %[[X]][%[[N]], 0, %[[FROM]]] [1, 4, 5] [1, 1, 1]
  // CHECK-DAG: tensor.extract_slice %[[W]][%[[M]], 0, 0] [3, 4, 3] [1, 1, 1]
  // CHECK-NOT: tensor.pad
  // CHECK: weft.conv strides = [2] dilations = [1] pads = [0, 0] groups = 1 ins(%{{.*}}, %{{.*}} : tensor<1x4x5xf32>, tensor<3x4x3xf32>) outs(%{{.*}} : tensor<1x3x2xf32>)
  func.func @valid(%x: tensor<?x4x13xf32>, %w: tensor<6x4x3xf32>, %init: tensor<?x6x6xf32>) -> tensor<?x6x6xf32> {
    %y = weft.conv strides = [2] dilations = [1] pads = [0, 0] groups = 1
           ins(%x, %w : tensor<?x4x13xf32>, tensor<6x4x3xf32>) outs(%init : tensor<?x6x6xf32>) -> tensor<?x6x6xf32>
    return %y : tensor<?x6x6xf32>
  }
  // A tile of all positions keeps the pads of their dimension.
  // CHECK-LABEL: func @padded
  // CHECK: scf.for
  // CHECK: %[[P:.*]] = tensor.pad %{{.*}} low[0, 0, %{{.*}}, 0] high[0, 0, %{{.*}}, 0]
  // CHECK: weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 1, 0, 1] groups = 1 ins(%[[P]], %{{.*}} : tensor<1x2x?x8xf32>, tensor<6x2x3x3xf32>) outs(%{{.*}} : tensor<1x6x4x8xf32>)
  func.func @padded(%x: tensor<1x2x8x8xf32>, %w: tensor<6x2x3x3xf32>, %init: tensor<1x6x8x8xf32>) -> tensor<1x6x8x8xf32> {
    %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1] groups = 1
           ins(%x, %w : tensor<1x2x8x8xf32>, tensor<6x2x3x3xf32>) outs(%init : tensor<1x6x8x8xf32>) -> tensor<1x6x8x8xf32>
    return %y : tensor<1x6x8x8xf32>
  }
  // CHECK-LABEL: func @depthwise
  // CHECK: scf.for %[[M:[a-z0-9]*]] =
  // CHECK-DAG: tensor.extract_slice %{{.*}}[0, %[[M]], 0] [2, 4, 7] [1, 1, 1] : tensor<2x8x7xf32>
  // CHECK: weft.conv {{.*}} pads = [1, 1] groups = 4 ins(%{{.*}}, %{{.*}} : tensor<2x4x7xf32>, tensor<4x1x3xf32>)
  func.func @depthwise(%x: tensor<2x8x7xf32>, %w: tensor<8x1x3xf32>, %init: tensor<2x8x7xf32>) -> tensor<2x8x7xf32> {
    %y = weft.conv strides = [1] dilations = [1] pads = [1, 1] groups = 8
           ins(%x, %w : tensor<2x8x7xf32>, tensor<8x1x3xf32>) outs(%init : tensor<2x8x7xf32>) -> tensor<2x8x7xf32>
    return %y : tensor<2x8x7xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %ops = transform.structured.match ops{["weft.conv"]} in %root : (!transform.any_op) -> !transform.any_op
    %a, %b, %c = transform.split_handle %ops : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op)
    %ta, %la:3 = transform.structured.tile_using_for %a tile_sizes [1, 3, 2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    %tb, %lb = transform.structured.tile_using_for %b tile_sizes [0, 0, 4, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tc, %lc = transform.structured.tile_using_for %c tile_sizes [0, 4, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // Outputs of two groups are no tile.
  func.func @groups(%x: tensor<2x6x7xf32>, %w: tensor<9x2x3xf32>, %init: tensor<2x9x5xf32>) -> tensor<2x9x5xf32> {
    // expected-error @+2 {{to tile operation}}
    // expected-error @+1 {{failed to generate tiling loops}}
    %y = weft.conv strides = [1] dilations = [1] pads = [0, 0] groups = 3
           ins(%x, %w : tensor<2x6x7xf32>, tensor<9x2x3xf32>) outs(%init : tensor<2x9x5xf32>) -> tensor<2x9x5xf32>
    return %y : tensor<2x9x5xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["weft.conv"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [0, 3, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

!w = !weft.packed<8x64xf32, #weft.format<elem = #lowp.int<4, signed>>>
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (n, k)>
#result = affine_map<(m, n, k) -> (m, n)>

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @unpack
  // CHECK: scf.forall (%[[I:.*]], %[[J:.*]]) in (2, 4)
  // CHECK: %[[INIT:.*]] = tensor.extract_slice %{{.*}}[%{{.*}}, %{{.*}}] [4, 16] [1, 1]
  // CHECK: linalg.generic {{.*}} outs(%[[INIT]] : tensor<4x16xf32>)
  func.func @unpack(%p: !w, %init: tensor<8x64xf32>) -> tensor<8x64xf32> {
    %y = weft.unpack ins(%p : !w) outs(%init : tensor<8x64xf32>) -> tensor<8x64xf32>
    return %y : tensor<8x64xf32>
  }
  // A factor of which tiles have all stays packed.
  // CHECK-LABEL: func @rows
  // CHECK: scf.for
  // CHECK: weft.contract {{.*}} ins(%{{.*}}, %{{.*}} : tensor<3x64xf32>, !weft.packed<8x64xf32,
  func.func @rows(%x: tensor<6x64xf32>, %p: !w, %init: tensor<6x8xf32>) -> tensor<6x8xf32> {
    %y = weft.contract indexing_maps = [#lhs, #rhs, #result]
           ins(%x, %p : tensor<6x64xf32>, !w) outs(%init : tensor<6x8xf32>) -> tensor<6x8xf32>
    return %y : tensor<6x8xf32>
  }
  // CHECK-LABEL: func @columns
  // CHECK: scf.for
  // CHECK: %[[W:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<4x64xf32>)
  // CHECK: weft.contract {{.*}} ins(%{{.*}}, %[[W]] : tensor<6x64xf32>, tensor<4x64xf32>) outs(%{{.*}} : tensor<6x4xf32>)
  func.func @columns(%x: tensor<6x64xf32>, %p: !w, %init: tensor<6x8xf32>) -> tensor<6x8xf32> {
    %y = weft.contract indexing_maps = [#lhs, #rhs, #result]
           ins(%x, %p : tensor<6x64xf32>, !w) outs(%init : tensor<6x8xf32>) -> tensor<6x8xf32>
    return %y : tensor<6x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %u = transform.structured.match ops{["weft.unpack"]} in %root : (!transform.any_op) -> !transform.any_op
    %tu, %lu = transform.structured.tile_using_forall %u tile_sizes [4, 16] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %ops = transform.structured.match ops{["weft.contract"]} in %root : (!transform.any_op) -> !transform.any_op
    %a, %b = transform.split_handle %ops : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %ta, %la = transform.structured.tile_using_for %a tile_sizes [3, 0, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tb, %lb = transform.structured.tile_using_for %b tile_sizes [0, 4, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

!rotated = !weft.packed<8x64xf32, #lowp.in_basis<#weft.format<elem = #lowp.int<8, signed>>, 1, #lowp.hadamard<4>>>
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (n, k)>
#result = affine_map<(m, n, k) -> (m, n)>

module attributes {transform.with_named_sequence} {
  // A factor that is decoded is in no basis that the other one could have to share.
  // CHECK-LABEL: func @basis
  // CHECK: scf.for
  // CHECK: weft.contract {{.*}} ins(%{{.*}}, %{{.*}} : tensor<8x64xf32>, tensor<4x64xf32>)
  func.func @basis(%x: !rotated, %p: !rotated, %init: tensor<8x8xf32>) -> tensor<8x8xf32> {
    %y = weft.contract indexing_maps = [#lhs, #rhs, #result]
           ins(%x, %p : !rotated, !rotated) outs(%init : tensor<8x8xf32>) -> tensor<8x8xf32>
    return %y : tensor<8x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["weft.contract"]} in %root : (!transform.any_op) -> !transform.any_op
    %t, %l = transform.structured.tile_using_for %op tile_sizes [0, 4, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @gather
  // CHECK: scf.forall (%[[B:.*]], %[[I:.*]], %[[D:.*]]) in (3, %{{.*}}, 2)
  // CHECK: weft.gather batch_dims = 1 ins(%{{.*}}, %{{.*}} : tensor<1x6x4xf32>, tensor<1x?x1xi64>) outs(%{{.*}} : tensor<1x?x4xf32>)
  func.func @gather(%x: tensor<3x6x8xf32>, %i: tensor<3x?x1xi64>, %init: tensor<3x?x8xf32>) -> tensor<3x?x8xf32> {
    %y = weft.gather batch_dims = 1 ins(%x, %i : tensor<3x6x8xf32>, tensor<3x?x1xi64>) outs(%init : tensor<3x?x8xf32>) -> tensor<3x?x8xf32>
    return %y : tensor<3x?x8xf32>
  }
  // CHECK-LABEL: func @embed
  // CHECK: scf.forall (%[[I:.*]], %[[D:.*]]) in (%{{.*}}, 2)
  // CHECK: weft.embed ins(%{{.*}}, %{{.*}} : tensor<9x4xf32>, tensor<?xi32>) outs(%{{.*}} : tensor<?x4xf32>)
  func.func @embed(%x: tensor<9x8xf32>, %i: tensor<?xi32>, %init: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %y = weft.embed ins(%x, %i : tensor<9x8xf32>, tensor<?xi32>) outs(%init : tensor<?x8xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
  // Updates are applied in order: rows are never tiled.
  // CHECK-LABEL: func @scatter
  // CHECK: scf.forall (%[[D:.*]]) in (2)
  // CHECK: weft.scatter ins(%{{.*}}, %{{.*}} : tensor<5x1xi64>, tensor<5x4xf32>) outs(%{{.*}} : tensor<6x4xf32>)
  func.func @scatter(%x: tensor<5x8xf32>, %i: tensor<5x1xi64>, %init: tensor<6x8xf32>) -> tensor<6x8xf32> {
    %y = weft.scatter ins(%i, %x : tensor<5x1xi64>, tensor<5x8xf32>) outs(%init : tensor<6x8xf32>) {
    ^bb0(%old: f32, %update: f32):
      %sum = arith.addf %old, %update : f32
      weft.yield %sum : f32
    } -> tensor<6x8xf32>
    return %y : tensor<6x8xf32>
  }
  // CHECK-LABEL: func @scan
  // CHECK: scf.forall (%[[I:.*]], %[[D:.*]]) in (3, 2)
  // CHECK: weft.scan sum dimension = 1 ins(%{{.*}} : tensor<1x?x4xf32>)
  func.func @scan(%x: tensor<3x?x8xf32>) -> tensor<3x?x8xf32> {
    %y = weft.scan sum dimension = 1 ins(%x : tensor<3x?x8xf32>) outs(%x : tensor<3x?x8xf32>) -> tensor<3x?x8xf32>
    return %y : tensor<3x?x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %0 = transform.structured.match ops{["weft.gather"]} in %root : (!transform.any_op) -> !transform.any_op
    %t0, %l0 = transform.structured.tile_using_forall %0 tile_sizes [1, 3, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %1 = transform.structured.match ops{["weft.embed"]} in %root : (!transform.any_op) -> !transform.any_op
    %t1, %l1 = transform.structured.tile_using_forall %1 tile_sizes [3, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %2 = transform.structured.match ops{["weft.scatter"]} in %root : (!transform.any_op) -> !transform.any_op
    %t2, %l2 = transform.structured.tile_using_forall %2 tile_sizes [4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %3 = transform.structured.match ops{["weft.scan"]} in %root : (!transform.any_op) -> !transform.any_op
    %t3, %l3 = transform.structured.tile_using_forall %3 tile_sizes [1, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

!table = !weft.packed<9x8xf32, #weft.format<elem = #lowp.int<4, signed>>>

module attributes {transform.with_named_sequence} {
  func.func @columns(%x: !table, %i: tensor<5xi32>, %init: tensor<5x8xf32>) -> tensor<5x8xf32> {
    // expected-error @+2 {{to tile operation}}
    // expected-error @+1 {{failed to generate tiling loops}}
    %y = weft.embed ins(%x, %i : !table, tensor<5xi32>) outs(%init : tensor<5x8xf32>) -> tensor<5x8xf32>
    return %y : tensor<5x8xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["weft.embed"]} in %root : (!transform.any_op) -> !transform.any_op
    %t, %l = transform.structured.tile_using_for %op tile_sizes [0, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // A consumer's tile of all channels takes the rows of a table, in its own order of loops.
  // CHECK-LABEL: func @fused
  // CHECK: scf.forall
  // CHECK: weft.embed ins(%{{.*}}, %{{.*}} : tensor<9x8xf32>, tensor<2xi32>) outs(%{{.*}} : tensor<2x8xf32>)
  // CHECK: linalg.transpose {{.*}} tensor<2x8xf32>
  func.func @fused(%x: tensor<9x8xf32>, %i: tensor<4xi32>, %a: tensor<4x8xf32>, %b: tensor<8x4xf32>) -> tensor<8x4xf32> {
    %y = weft.embed ins(%x, %i : tensor<9x8xf32>, tensor<4xi32>) outs(%a : tensor<4x8xf32>) -> tensor<4x8xf32>
    %z = linalg.transpose ins(%y : tensor<4x8xf32>) outs(%b : tensor<8x4xf32>) permutation = [1, 0]
    return %z : tensor<8x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["linalg.transpose"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %producer = transform.structured.match ops{["weft.embed"]} in %root : (!transform.any_op) -> !transform.any_op
    %fused, %new = transform.structured.fuse_into_containing_op %producer into %loop : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
