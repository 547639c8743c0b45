// Tiles of queries keep all keys, and know their position among them; a tile of one head takes
// the head of keys that it shares.

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --transform-interpreter --canonicalize \
// RUN:   --split-input-file --verify-diagnostics %s | FileCheck %s

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @attend
  // CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<2x6x?x8xf32>, %[[K:[a-z0-9]*]]: tensor<2x2x7x8xf32>, %[[V:[a-z0-9]*]]: tensor<2x2x7x5xf32>, %[[BIAS:[a-z0-9]*]]: tensor<1x?x7xf32>
  // CHECK: scf.for %[[B:[a-z0-9]*]] =
  // CHECK: scf.for %[[H:[a-z0-9]*]] =
  // CHECK: scf.for %[[S:[a-z0-9]*]] =
  // CHECK-DAG: %[[QT:.*]] = tensor.extract_slice %[[Q]][%[[B]], %[[H]], %[[S]], 0] [1, 1, %[[N:[a-z0-9]*]], 8] [1, 1, 1, 1]
  // CHECK-DAG: %[[KH:.*]] = arith.divsi %[[H]], %{{.*}} : index
  // CHECK-DAG: %[[KT:.*]] = tensor.extract_slice %[[K]][%[[B]], %[[KH]], 0, 0] [1, 1, 7, 8] [1, 1, 1, 1]
  // CHECK-DAG: tensor.extract_slice %[[BIAS]][0, %[[S]], 0] [1, %[[N]], 7] [1, 1, 1]
  // CHECK: attn.attend causal ins(%[[QT]], %[[KT]], %{{.*}} : {{.*}} bias(%{{.*}}) offset(%[[S]]) outs(%{{.*}} : tensor<1x1x?x5xf32>) score {
  // CHECK: ^bb0(%[[X:.*]]: f32, %[[BI:.*]]: index, %[[HI:.*]]: index, %[[SI:.*]]: index, %{{.*}}: index):
  // CHECK-DAG: arith.addi %[[SI]], %[[S]]
  func.func @attend(%q: tensor<2x6x?x8xf32>, %k: tensor<2x2x7x8xf32>, %v: tensor<2x2x7x5xf32>,
                    %bias: tensor<1x?x7xf32>, %o: tensor<2x6x?x5xf32>) -> tensor<2x6x?x5xf32> {
    %y = attn.attend causal ins(%q, %k, %v : tensor<2x6x?x8xf32>, tensor<2x2x7x8xf32>, tensor<2x2x7x5xf32>)
      bias(%bias : tensor<1x?x7xf32>) outs(%o : tensor<2x6x?x5xf32>) score {
    ^bb0(%x: f32, %b: index, %h: index, %s: index, %t: index):
      %a = arith.addi %s, %b : index
      %i = arith.index_cast %a : index to i32
      %f = arith.sitofp %i : i32 to f32
      %z = arith.addf %x, %f : f32
      attn.yield %z : f32
    } -> tensor<2x6x?x5xf32>
    return %y : tensor<2x6x?x5xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["attn.attend"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loops:3 = transform.structured.tile_using_for %op tile_sizes [1, 1, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @merge
  // CHECK: scf.for %[[I:[a-z0-9]*]] =
  // CHECK-DAG: %[[P:.*]] = tensor.extract_slice %{{.*}}[0, %[[I]], 0] [3, 2, 5] [1, 1, 1]
  // CHECK-DAG: %[[L:.*]] = tensor.extract_slice %{{.*}}[0, %[[I]]] [3, 2] [1, 1]
  // CHECK: attn.merge ins(%[[P]], %[[L]] :
  func.func @merge(%p: tensor<3x4x5xf32>, %l: tensor<3x4xf32>, %o: tensor<4x5xf32>) -> tensor<4x5xf32> {
    %y = attn.merge ins(%p, %l : tensor<3x4x5xf32>, tensor<3x4xf32>) outs(%o : tensor<4x5xf32>) -> tensor<4x5xf32>
    return %y : tensor<4x5xf32>
  }
  // CHECK-LABEL: func @linear
  // CHECK: scf.for %[[I:[a-z0-9]*]] =
  // CHECK-DAG: tensor.extract_slice %{{.*}}[%[[I]], 0, 0] [1, 5, 4] [1, 1, 1]
  // CHECK: attn.linear ins({{.*}}) outs({{.*}} : tensor<1x5x3xf32>, tensor<1x4x3xf32>, tensor<1x4xf32>)
  func.func @linear(%q: tensor<2x5x4xf32>, %v: tensor<2x5x3xf32>, %o: tensor<2x5x3xf32>, %s: tensor<2x4x3xf32>, %n: tensor<2x4xf32>)
      -> (tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) {
    %y:3 = attn.linear ins(%q, %q, %v : tensor<2x5x4xf32>, tensor<2x5x4xf32>, tensor<2x5x3xf32>)
      outs(%o, %s, %n : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>) -> tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
    return %y#0, %y#1, %y#2 : tensor<2x5x3xf32>, tensor<2x4x3xf32>, tensor<2x4xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["attn.merge"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [2, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %op2 = transform.structured.match ops{["attn.linear"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled2, %loop2 = transform.structured.tile_using_for %op2 tile_sizes [1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // The logarithms have no e: it is no loop where they are given.
  // CHECK-LABEL: func @logs
  // CHECK: scf.forall (%[[I:.*]]) in (2)
  // CHECK: attn.merge ins(%{{.*}}, %{{.*}} : tensor<3x2x5xf32>, tensor<3x2xf32>) outs(%{{.*}}, %{{.*}} : tensor<2x5xf32>, tensor<2xf32>)
  func.func @logs(%p: tensor<3x4x5xf32>, %l: tensor<3x4xf32>, %o: tensor<4x5xf32>, %q: tensor<4xf32>) -> (tensor<4x5xf32>, tensor<4xf32>) {
    %y:2 = attn.merge ins(%p, %l : tensor<3x4x5xf32>, tensor<3x4xf32>) outs(%o, %q : tensor<4x5xf32>, tensor<4xf32>) -> tensor<4x5xf32>, tensor<4xf32>
    return %y#0, %y#1 : tensor<4x5xf32>, tensor<4xf32>
  }
  // CHECK-LABEL: func @evict
  // CHECK: scf.forall (%[[B:.*]], %[[H:.*]]) in (2, %{{.*}})
  // CHECK: attn.kv_evict recent = 2 ins(%{{.*}} : tensor<1x?x9xf32>) caches(%{{.*}} : tensor<1x?x9x6xf32>) lengths(%{{.*}} : tensor<1xi32>) outs(%{{.*}} : tensor<1x?x4xi32>, tensor<1x?x4x6xf32>)
  func.func @evict(%s: tensor<2x?x9xf32>, %c: tensor<2x?x9x6xf32>, %n: tensor<2xi32>, %k: tensor<2x?x4xi32>, %o: tensor<2x?x4x6xf32>) -> (tensor<2x?x4xi32>, tensor<2x?x4x6xf32>) {
    %y:2 = attn.kv_evict recent = 2 ins(%s : tensor<2x?x9xf32>) caches(%c : tensor<2x?x9x6xf32>) lengths(%n : tensor<2xi32>)
        outs(%k, %o : tensor<2x?x4xi32>, tensor<2x?x4x6xf32>) -> tensor<2x?x4xi32>, tensor<2x?x4x6xf32>
    return %y#0, %y#1 : tensor<2x?x4xi32>, tensor<2x?x4x6xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %0 = transform.structured.match ops{["attn.merge"]} in %root : (!transform.any_op) -> !transform.any_op
    %t0, %l0 = transform.structured.tile_using_forall %0 tile_sizes [2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %1 = transform.structured.match ops{["attn.kv_evict"]} in %root : (!transform.any_op) -> !transform.any_op
    %t1, %l1 = transform.structured.tile_using_forall %1 tile_sizes [1, 2] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
