// Tokens are loops of routing and of experts' layers; groups of rows are data, columns are loops.

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --transform-interpreter --canonicalize \
// RUN:   --split-input-file --verify-diagnostics %s | FileCheck %s

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @route
  // CHECK: scf.forall (%[[T:.*]]) in (2)
  // CHECK: moe.route softmax table ins(%{{.*}} : tensor<4x6xf32>) table(%{{.*}}, %{{.*}} : tensor<10x2xi32>, tensor<4xi32>) outs(%{{.*}} : tensor<4x2xi32>, tensor<4x2xf32>)
  func.func @route(%x: tensor<8x6xf32>, %t: tensor<10x2xi32>, %k: tensor<8xi32>, %i: tensor<8x2xi32>, %w: tensor<8x2xf32>) -> (tensor<8x2xi32>, tensor<8x2xf32>) {
    %ids, %weights = moe.route softmax table ins(%x : tensor<8x6xf32>) table(%t, %k : tensor<10x2xi32>, tensor<8xi32>)
        outs(%i, %w : tensor<8x2xi32>, tensor<8x2xf32>) -> tensor<8x2xi32>, tensor<8x2xf32>
    return %ids, %weights : tensor<8x2xi32>, tensor<8x2xf32>
  }
  // CHECK-LABEL: func @combine
  // CHECK: scf.forall (%[[T:.*]], %[[H:.*]]) in (%{{.*}}, 2)
  // CHECK: moe.combine ins(%{{.*}}, %{{.*}} : tensor<10x4xf32>, tensor<?x3xi32>) weights(%{{.*}} : tensor<?x3xf32>) outs(%{{.*}} : tensor<?x4xf32>)
  func.func @combine(%x: tensor<10x8xf32>, %p: tensor<?x3xi32>, %w: tensor<?x3xf32>, %o: tensor<?x8xf32>) -> tensor<?x8xf32> {
    %y = moe.combine ins(%x, %p : tensor<10x8xf32>, tensor<?x3xi32>) weights(%w : tensor<?x3xf32>) outs(%o : tensor<?x8xf32>) -> tensor<?x8xf32>
    return %y : tensor<?x8xf32>
  }
  // CHECK-LABEL: func @grouped
  // CHECK: scf.forall (%[[N:.*]]) in (2)
  // CHECK: moe.grouped_matmul transposed ins(%{{.*}} : tensor<9x8xf32>) weights(%{{.*}} : tensor<3x5x8xf32>) biases(%{{.*}} : tensor<3x5xf32>) offsets(%{{.*}} : tensor<4xi32>) outs(%{{.*}} : tensor<9x5xf32>)
  func.func @grouped(%x: tensor<9x8xf32>, %w: tensor<3x10x8xf32>, %b: tensor<3x10xf32>, %o: tensor<4xi32>, %y0: tensor<9x10xf32>) -> tensor<9x10xf32> {
    %y = moe.grouped_matmul transposed ins(%x : tensor<9x8xf32>) weights(%w : tensor<3x10x8xf32>) biases(%b : tensor<3x10xf32>)
        offsets(%o : tensor<4xi32>) outs(%y0 : tensor<9x10xf32>) -> tensor<9x10xf32>
    return %y : tensor<9x10xf32>
  }
  // CHECK-LABEL: func @ffn
  // CHECK: scf.forall
  // CHECK: moe.expert_ffn ins(%{{.*}}, %{{.*}}, %{{.*}} : tensor<?x6xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%{{.*}} : tensor<4x6x8xf32>) down(%{{.*}} : tensor<4x8x5xf32>) outs(%{{.*}} : tensor<?x5xf32>)
  func.func @ffn(%x: tensor<?x6xf32>, %i: tensor<?x2xi32>, %g: tensor<?x2xf32>, %u: tensor<4x6x8xf32>, %d: tensor<4x8x5xf32>, %o: tensor<?x5xf32>) -> tensor<?x5xf32> {
    %y = moe.expert_ffn ins(%x, %i, %g : tensor<?x6xf32>, tensor<?x2xi32>, tensor<?x2xf32>) up(%u : tensor<4x6x8xf32>) down(%d : tensor<4x8x5xf32>) outs(%o : tensor<?x5xf32>) activation {
    ^bb0(%s: f32):
      moe.yield %s : f32
    } -> tensor<?x5xf32>
    return %y : tensor<?x5xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %0 = transform.structured.match ops{["moe.route"]} in %root : (!transform.any_op) -> !transform.any_op
    %t0, %l0 = transform.structured.tile_using_forall %0 tile_sizes [4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %1 = transform.structured.match ops{["moe.combine"]} in %root : (!transform.any_op) -> !transform.any_op
    %t1, %l1 = transform.structured.tile_using_forall %1 tile_sizes [3, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %2 = transform.structured.match ops{["moe.grouped_matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %t2, %l2 = transform.structured.tile_using_forall %2 tile_sizes [5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %3 = transform.structured.match ops{["moe.expert_ffn"]} in %root : (!transform.any_op) -> !transform.any_op
    %t3, %l3 = transform.structured.tile_using_forall %3 tile_sizes [3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

!w = !weft.packed<3x8x10xf32, #weft.format<elem = #lowp.int<4, signed>>>

module attributes {transform.with_named_sequence} {
  // Weights of groups with rows are all that is decoded: the format cuts them.
  func.func @packed(%x: tensor<9x8xf32>, %w: !w, %o: tensor<4xi32>, %y0: tensor<9x10xf32>) -> tensor<9x10xf32> {
    // expected-error @+2 {{to tile operation}}
    // expected-error @+1 {{failed to generate tiling loops}}
    %y = moe.grouped_matmul ins(%x : tensor<9x8xf32>) weights(%w : !w) offsets(%o : tensor<4xi32>) outs(%y0 : tensor<9x10xf32>) -> tensor<9x10xf32>
    return %y : tensor<9x10xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["moe.grouped_matmul"]} in %root : (!transform.any_op) -> !transform.any_op
    %t, %l = transform.structured.tile_using_for %op tile_sizes [5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // A consumer's tiles of columns take the products of these columns; tiles of rows do not.
  // CHECK-LABEL: func @fused
  // CHECK: scf.for
  // CHECK: moe.grouped_matmul {{.*}} weights(%{{.*}} : tensor<3x8x5xf32>)
  func.func @fused(%x: tensor<9x8xf32>, %w: tensor<3x8x10xf32>, %o: tensor<4xi32>, %y0: tensor<9x10xf32>) -> tensor<9x10xf32> {
    %y = moe.grouped_matmul ins(%x : tensor<9x8xf32>) weights(%w : tensor<3x8x10xf32>) offsets(%o : tensor<4xi32>) outs(%y0 : tensor<9x10xf32>) -> tensor<9x10xf32>
    %z = linalg.exp ins(%y : tensor<9x10xf32>) outs(%y0 : tensor<9x10xf32>) -> tensor<9x10xf32>
    return %z : tensor<9x10xf32>
  }
  // CHECK-LABEL: func @unfused
  // CHECK: moe.grouped_matmul {{.*}} weights(%{{.*}} : tensor<3x8x10xf32>)
  // CHECK: scf.for
  // CHECK-NOT: moe.grouped_matmul
  func.func @unfused(%x: tensor<9x8xf32>, %w: tensor<3x8x10xf32>, %o: tensor<4xi32>, %y0: tensor<9x10xf32>) -> tensor<9x10xf32> {
    %y = moe.grouped_matmul ins(%x : tensor<9x8xf32>) weights(%w : tensor<3x8x10xf32>) offsets(%o : tensor<4xi32>) outs(%y0 : tensor<9x10xf32>) -> tensor<9x10xf32>
    %z = linalg.exp ins(%y : tensor<9x10xf32>) outs(%y0 : tensor<9x10xf32>) -> tensor<9x10xf32>
    return %z : tensor<9x10xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %ops = transform.structured.match ops{["linalg.exp"]} in %root : (!transform.any_op) -> !transform.any_op
    %a, %b = transform.split_handle %ops : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %ta, %la = transform.structured.fuse %a tile_sizes [0, 5] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tb, %lb = transform.structured.fuse %b tile_sizes [3, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // Of a capacity, tokens take what those before have left: there is no loop.
  // CHECK-LABEL: func @capacity
  // CHECK-NOT: scf.for
  // CHECK: moe.expert_ffn {{.*}} capacity(%{{.*}}) outs(%{{.*}} : tensor<9x5xf32>)
  func.func @capacity(%x: tensor<9x6xf32>, %i: tensor<9x2xi32>, %g: tensor<9x2xf32>, %u: tensor<4x6x8xf32>, %d: tensor<4x8x5xf32>, %c: index, %o: tensor<9x5xf32>) -> tensor<9x5xf32> {
    %y = moe.expert_ffn ins(%x, %i, %g : tensor<9x6xf32>, tensor<9x2xi32>, tensor<9x2xf32>) up(%u : tensor<4x6x8xf32>) down(%d : tensor<4x8x5xf32>) capacity(%c) outs(%o : tensor<9x5xf32>) activation {
    ^bb0(%s: f32):
      moe.yield %s : f32
    } -> tensor<9x5xf32>
    return %y : tensor<9x5xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["moe.expert_ffn"]} in %root : (!transform.any_op) -> !transform.any_op
    %t = transform.structured.tile_using_for %op tile_sizes [] : (!transform.any_op) -> (!transform.any_op)
    transform.yield
  }
}
