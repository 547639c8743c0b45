// Loops are what no state is carried along: sequences, heads, channels. What has fewer heads
// gives the head that a tile of one shares; offsets and slots of rows keep sequences together.

// RUN: mlir-opt --load-dialect-plugin=%plugins/TestPlugin.so --transform-interpreter --canonicalize \
// RUN:   --split-input-file --verify-diagnostics %s | FileCheck %s

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @scan
  // CHECK-SAME: %[[Q:[a-z0-9]*]]: tensor<?x9x4x8xf32>, %[[K:[a-z0-9]*]]: tensor<?x9x2x8xf32>, %[[V:[a-z0-9]*]]: tensor<?x9x4x6xf32>, %[[G:[a-z0-9]*]]: tensor<1x9x4xf32>
  // CHECK: scf.for %[[B:[a-z0-9]*]] =
  // CHECK: scf.for %[[H:[a-z0-9]*]] =
  // CHECK: scf.for %[[E:[a-z0-9]*]] =
  // CHECK-DAG: %[[KH:.*]] = affine.apply #{{.*}}(%[[H]])
  // CHECK-DAG: tensor.extract_slice %[[Q]][%[[B]], 0, %[[H]], 0] [%[[N:[a-z0-9]*]], 9, 1, 8]
  // CHECK-DAG: tensor.extract_slice %[[K]][%[[B]], 0, %[[KH]], 0] [%[[N]], 9, 1, 8]
  // CHECK-DAG: tensor.extract_slice %[[V]][%[[B]], 0, %[[H]], %[[E]]] [%[[N]], 9, 1, %[[M:[a-z0-9]*]]]
  // CHECK-DAG: tensor.extract_slice %[[G]][0, 0, %[[H]]] [1, 9, 1]
  // CHECK: ssm.scan outer scalar query(%{{.*}} : tensor<?x9x1x8xf32>) key(%{{.*}} : tensor<?x9x1x8xf32>) value(%{{.*}} : tensor<?x9x1x?xf32>) decay(%{{.*}} : tensor<1x9x1xf32>) outs(%{{.*}} : tensor<?x9x1x?xf32>, tensor<?x1x8x?xf32>)
  // CHECK-DAG: tensor.insert_slice %{{.*}}[%[[B]], 0, %[[H]], %[[E]]] [%[[N]], 9, 1, %[[M]]]
  // CHECK-DAG: tensor.insert_slice %{{.*}}[%[[B]], %[[H]], 0, %[[E]]] [%[[N]], 1, 8, %[[M]]]
  func.func @scan(%q: tensor<?x9x4x8xf32>, %k: tensor<?x9x2x8xf32>, %v: tensor<?x9x4x6xf32>, %g: tensor<1x9x4xf32>,
                  %y0: tensor<?x9x4x6xf32>, %s0: tensor<?x4x8x6xf32>) -> (tensor<?x9x4x6xf32>, tensor<?x4x8x6xf32>) {
    %y, %s = ssm.scan outer scalar query(%q : tensor<?x9x4x8xf32>) key(%k : tensor<?x9x2x8xf32>) value(%v : tensor<?x9x4x6xf32>)
        decay(%g : tensor<1x9x4xf32>) outs(%y0, %s0 : tensor<?x9x4x6xf32>, tensor<?x4x8x6xf32>) -> tensor<?x9x4x6xf32>, tensor<?x4x8x6xf32>
    return %y, %s : tensor<?x9x4x6xf32>, tensor<?x4x8x6xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ssm.scan"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loops:3 = transform.structured.tile_using_for %op tile_sizes [2, 1, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op, !transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // Three heads of queries for one of the state.
  // CHECK-LABEL: func @grouped
  // CHECK: scf.forall (%[[H:.*]]) in (2)
  // CHECK-DAG: %[[QH:.*]] = affine.apply #{{.*}}(%[[H]])
  // CHECK-DAG: tensor.extract_slice %{{.*}}[0, 0, %[[QH]], 0] [2, 5, 3, 8]
  // CHECK-DAG: tensor.extract_slice %{{.*}}[0, 0, %[[H]], 0] [2, 5, 1, 7]
  // CHECK: ssm.scan outer identity query(%{{.*}} : tensor<2x5x3x8xf32>) key(%{{.*}} : tensor<2x5x1x8xf32>) value(%{{.*}} : tensor<2x5x1x7xf32>)
  // CHECK-DAG: tensor.parallel_insert_slice %{{.*}}[0, 0, %{{.*}}, 0] [2, 5, 3, 7]
  // CHECK-DAG: tensor.parallel_insert_slice %{{.*}}[0, %[[H]], 0, 0] [2, 1, 8, 7]
  func.func @grouped(%q: tensor<2x5x6x8xf32>, %k: tensor<2x5x2x8xf32>, %v: tensor<2x5x2x7xf32>,
                     %y0: tensor<2x5x6x7xf32>, %s0: tensor<2x2x8x7xf32>) -> (tensor<2x5x6x7xf32>, tensor<2x2x8x7xf32>) {
    %y, %s = ssm.scan outer identity query(%q : tensor<2x5x6x8xf32>) key(%k : tensor<2x5x2x8xf32>) value(%v : tensor<2x5x2x7xf32>)
        outs(%y0, %s0 : tensor<2x5x6x7xf32>, tensor<2x2x8x7xf32>) -> tensor<2x5x6x7xf32>, tensor<2x2x8x7xf32>
    return %y, %s : tensor<2x5x6x7xf32>, tensor<2x2x8x7xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ssm.scan"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [0, 1, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // Two heads that share one of the keys are no tile.
  func.func @two_heads(%q: tensor<2x5x4x8xf32>, %k: tensor<2x5x2x8xf32>, %v: tensor<2x5x4x7xf32>,
                       %y0: tensor<2x5x4x7xf32>, %s0: tensor<2x4x8x7xf32>) -> (tensor<2x5x4x7xf32>, tensor<2x4x8x7xf32>) {
    // expected-error @+2 {{to tile operation}}
    // expected-error @+1 {{failed to generate tiling loops}}
    %y, %s = ssm.scan outer identity query(%q : tensor<2x5x4x8xf32>) key(%k : tensor<2x5x2x8xf32>) value(%v : tensor<2x5x4x7xf32>)
        outs(%y0, %s0 : tensor<2x5x4x7xf32>, tensor<2x4x8x7xf32>) -> tensor<2x5x4x7xf32>, tensor<2x4x8x7xf32>
    return %y, %s : tensor<2x5x4x7xf32>, tensor<2x4x8x7xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ssm.scan"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [0, 2, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // With offsets there is no loop of sequences: heads are the first one.
  // CHECK-LABEL: func @ragged
  // CHECK: scf.for %[[H:[a-z0-9]*]] =
  // CHECK: ssm.scan outer identity reverse {{.*}} initial(%{{.*}} : tensor<3x1x8x6xf32>) offsets(%{{.*}} : tensor<4xi32>) outs(%{{.*}} : tensor<1x9x1x6xf32>, tensor<3x1x8x6xf32>)
  func.func @ragged(%q: tensor<1x9x4x8xf32>, %v: tensor<1x9x4x6xf32>, %i: tensor<3x4x8x6xf32>, %o: tensor<4xi32>,
                    %y0: tensor<1x9x4x6xf32>, %s0: tensor<3x4x8x6xf32>) -> (tensor<1x9x4x6xf32>, tensor<3x4x8x6xf32>) {
    %y, %s = ssm.scan outer identity reverse query(%q : tensor<1x9x4x8xf32>) key(%q : tensor<1x9x4x8xf32>) value(%v : tensor<1x9x4x6xf32>)
        initial(%i : tensor<3x4x8x6xf32>) offsets(%o : tensor<4xi32>) outs(%y0, %s0 : tensor<1x9x4x6xf32>, tensor<3x4x8x6xf32>) -> tensor<1x9x4x6xf32>, tensor<3x4x8x6xf32>
    return %y, %s : tensor<1x9x4x6xf32>, tensor<3x4x8x6xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["ssm.scan"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %op tile_sizes [1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // A consumer's tiles of heads take the scan of these heads.
  // CHECK-LABEL: func @fused
  // CHECK: scf.for
  // CHECK: ssm.scan {{.*}} outs(%{{.*}} : tensor<2x5x3x7xf32>, tensor<2x3x8x7xf32>)
  // CHECK: linalg.exp {{.*}} tensor<2x5x3x7xf32>
  func.func @fused(%q: tensor<2x5x6x8xf32>, %v: tensor<2x5x6x7xf32>, %y0: tensor<2x5x6x7xf32>, %s0: tensor<2x6x8x7xf32>) -> tensor<2x5x6x7xf32> {
    %y, %s = ssm.scan outer identity query(%q : tensor<2x5x6x8xf32>) key(%q : tensor<2x5x6x8xf32>) value(%v : tensor<2x5x6x7xf32>)
        outs(%y0, %s0 : tensor<2x5x6x7xf32>, tensor<2x6x8x7xf32>) -> tensor<2x5x6x7xf32>, tensor<2x6x8x7xf32>
    %z = linalg.exp ins(%y : tensor<2x5x6x7xf32>) outs(%y0 : tensor<2x5x6x7xf32>) -> tensor<2x5x6x7xf32>
    return %z : tensor<2x5x6x7xf32>
  }
  // Tiles of tokens would compute all tokens before them: the scan stays outside.
  // CHECK-LABEL: func @unfused
  // CHECK: ssm.scan {{.*}} outs(%{{.*}} : tensor<2x6x5x7xf32>, tensor<2x5x8x7xf32>)
  // CHECK: scf.for
  // CHECK-NOT: ssm.scan
  // CHECK: linalg.exp {{.*}} tensor<2x3x5x7xf32>
  func.func @unfused(%q: tensor<2x6x5x8xf32>, %v: tensor<2x6x5x7xf32>, %y0: tensor<2x6x5x7xf32>, %s0: tensor<2x5x8x7xf32>) -> tensor<2x6x5x7xf32> {
    %y, %s = ssm.scan outer identity query(%q : tensor<2x6x5x8xf32>) key(%q : tensor<2x6x5x8xf32>) value(%v : tensor<2x6x5x7xf32>)
        outs(%y0, %s0 : tensor<2x6x5x7xf32>, tensor<2x5x8x7xf32>) -> tensor<2x6x5x7xf32>, tensor<2x5x8x7xf32>
    %z = linalg.exp ins(%y : tensor<2x6x5x7xf32>) outs(%y0 : tensor<2x6x5x7xf32>) -> tensor<2x6x5x7xf32>
    return %z : tensor<2x6x5x7xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %ops = transform.structured.match ops{["linalg.exp"]} in %root : (!transform.any_op) -> !transform.any_op
    %a, %b = transform.split_handle %ops : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tiled, %loop = transform.structured.fuse %a tile_sizes [0, 0, 3, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %tiled2, %loop2 = transform.structured.fuse %b tile_sizes [0, 3, 0, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

// CHECK-DAG: #[[$TOKENS:.*]] = affine_map<(d0) -> (d0 * 4)>
module attributes {transform.with_named_sequence} {
  // Tiles of chunks have the tokens of these chunks; the last chunk is short.
  // CHECK-LABEL: func @chunks
  // CHECK: scf.for %[[J:[a-z0-9]*]] =
  // CHECK: %[[T:.*]] = affine.apply #[[$TOKENS]](%[[J]])
  // CHECK: %[[N:.*]] = affine.min
  // CHECK: tensor.extract_slice %{{.*}}[0, %[[T]], 0, 0] [2, %[[N]], 4, 8]
  // CHECK: tensor.extract_slice %{{.*}} : tensor<2x9x4xf32> to tensor<2x?x4xf32>
  // CHECK-DAG: tensor.extract_slice %{{.*}}[0, %[[J]], 0, 0, 0] [2, 1, 4, 8, 6]
  // CHECK: ssm.chunk_apply scalar chunk = 4 {{.*}} -> tensor<2x?x4x6xf32>
  // CHECK: tensor.insert_slice %{{.*}}[0, %{{.*}}, 0, 0] [2, %{{.*}}, 4, 6]
  func.func @chunks(%q: tensor<2x9x4x8xf32>, %v: tensor<2x9x4x6xf32>, %g: tensor<2x9x4xf32>, %s: tensor<2x3x4x8x6xf32>, %init: tensor<2x9x4x6xf32>) -> tensor<2x9x4x6xf32> {
    %y = ssm.chunk_apply scalar chunk = 4 query(%q : tensor<2x9x4x8xf32>) key(%q : tensor<2x9x4x8xf32>) value(%v : tensor<2x9x4x6xf32>)
        decay(%g : tensor<2x9x4xf32>) states(%s : tensor<2x3x4x8x6xf32>) outs(%init : tensor<2x9x4x6xf32>) -> tensor<2x9x4x6xf32>
    return %y : tensor<2x9x4x6xf32>
  }
  // CHECK-LABEL: func @summary
  // CHECK: scf.for %[[J:[a-z0-9]*]] =
  // CHECK: ssm.chunk_summary identity chunk = 4 key(%{{.*}} : tensor<2x4x4x8xf32>) value(%{{.*}} : tensor<2x4x4x6xf32>) outs(%{{.*}} : tensor<2x1x4x8xf32>, tensor<2x1x4x8x6xf32>)
  func.func @summary(%k: tensor<2x8x4x8xf32>, %v: tensor<2x8x4x6xf32>, %m: tensor<2x2x4x8xf32>, %u: tensor<2x2x4x8x6xf32>) -> (tensor<2x2x4x8xf32>, tensor<2x2x4x8x6xf32>) {
    %0, %1 = ssm.chunk_summary identity chunk = 4 key(%k : tensor<2x8x4x8xf32>) value(%v : tensor<2x8x4x6xf32>)
        outs(%m, %u : tensor<2x2x4x8xf32>, tensor<2x2x4x8x6xf32>) -> tensor<2x2x4x8xf32>, tensor<2x2x4x8x6xf32>
    return %0, %1 : tensor<2x2x4x8xf32>, tensor<2x2x4x8x6xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %a = transform.structured.match ops{["ssm.chunk_apply"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_for %a tile_sizes [0, 1, 0, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %b = transform.structured.match ops{["ssm.chunk_summary"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled2, %loop2 = transform.structured.tile_using_for %b tile_sizes [0, 1, 0] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @step
  // CHECK: scf.forall (%[[B:.*]], %[[V:.*]]) in (2, 2)
  // CHECK: ssm.step outer identity {{.*}} initial(%{{.*}} : tensor<1x4x8x3xf32>) outs(%{{.*}} : tensor<1x1x4x3xf32>, tensor<1x4x8x3xf32>)
  func.func @step(%q: tensor<2x1x4x8xf32>, %v: tensor<2x1x4x6xf32>, %i: tensor<2x4x8x6xf32>, %y0: tensor<2x1x4x6xf32>, %s0: tensor<2x4x8x6xf32>) -> (tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>) {
    %y, %s = ssm.step outer identity query(%q : tensor<2x1x4x8xf32>) key(%q : tensor<2x1x4x8xf32>) value(%v : tensor<2x1x4x6xf32>)
        initial(%i : tensor<2x4x8x6xf32>) outs(%y0, %s0 : tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>) -> tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>
    return %y, %s : tensor<2x1x4x6xf32>, tensor<2x4x8x6xf32>
  }
  // CHECK-LABEL: func @discretize
  // CHECK: scf.forall (%[[B:.*]], %[[T:.*]], %[[D:.*]]) in (
  // CHECK: ssm.discretize zoh softplus delta(%{{.*}} : tensor<1x?x?xf32>) rate(%{{.*}} : tensor<?x4xf32>) outs(%{{.*}} : tensor<1x?x?x4xf32>, tensor<1x?x?x4xf32>)
  func.func @discretize(%x: tensor<2x?x7xf32>, %r: tensor<7x4xf32>, %o: tensor<2x?x7x4xf32>) -> (tensor<2x?x7x4xf32>, tensor<2x?x7x4xf32>) {
    %a, %f = ssm.discretize zoh softplus delta(%x : tensor<2x?x7xf32>) rate(%r : tensor<7x4xf32>) outs(%o, %o : tensor<2x?x7x4xf32>, tensor<2x?x7x4xf32>) -> tensor<2x?x7x4xf32>, tensor<2x?x7x4xf32>
    return %a, %f : tensor<2x?x7x4xf32>, tensor<2x?x7x4xf32>
  }
  // CHECK-LABEL: func @causal
  // CHECK: scf.forall (%[[C:.*]]) in (2)
  // CHECK: ssm.causal_conv1d ins(%{{.*}}, %{{.*}} : tensor<1x9x4xf32>, tensor<4x3xf32>) state(%{{.*}} : tensor<2x2x4xf32>) offsets(%{{.*}} : tensor<3xi32>) outs(%{{.*}} : tensor<1x9x4xf32>, tensor<2x2x4xf32>)
  func.func @causal(%x: tensor<1x9x8xf32>, %w: tensor<8x3xf32>, %s: tensor<2x2x8xf32>, %o: tensor<3xi32>, %y0: tensor<1x9x8xf32>) -> (tensor<1x9x8xf32>, tensor<2x2x8xf32>) {
    %y, %n = ssm.causal_conv1d ins(%x, %w : tensor<1x9x8xf32>, tensor<8x3xf32>) state(%s : tensor<2x2x8xf32>) offsets(%o : tensor<3xi32>) outs(%y0, %s : tensor<1x9x8xf32>, tensor<2x2x8xf32>) -> tensor<1x9x8xf32>, tensor<2x2x8xf32>
    return %y, %n : tensor<1x9x8xf32>, tensor<2x2x8xf32>
  }
  // CHECK-LABEL: func @long
  // CHECK: scf.forall (%[[B:.*]], %[[D:.*]]) in (2, 2)
  // CHECK: ssm.long_conv ins(%{{.*}}, %{{.*}} : tensor<1x?x4xf32>, tensor<4x6xf32>) skip(%{{.*}} : tensor<4xf32>) pre(%{{.*}} : tensor<1x?x4xf32>)
  func.func @long(%x: tensor<2x?x8xf32>, %w: tensor<8x6xf32>, %s: tensor<8xf32>) -> tensor<2x?x8xf32> {
    %y = ssm.long_conv ins(%x, %w : tensor<2x?x8xf32>, tensor<8x6xf32>) skip(%s : tensor<8xf32>) pre(%x : tensor<2x?x8xf32>) outs(%x : tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
    return %y : tensor<2x?x8xf32>
  }
  // CHECK-LABEL: func @reduce
  // CHECK: scf.forall (%[[H:.*]], %[[V:.*]]) in (4, 3)
  // CHECK: ssm.reduce_state ins(%{{.*}}, %{{.*}} : tensor<2x9x1x5xf32>, tensor<2x9x1x3xf32>) outs(%{{.*}} : tensor<2x1x5x3xf32>)
  func.func @reduce(%k: tensor<2x9x2x5xf32>, %v: tensor<2x9x4x9xf32>, %o: tensor<2x4x5x9xf32>) -> tensor<2x4x5x9xf32> {
    %s = ssm.reduce_state ins(%k, %v : tensor<2x9x2x5xf32>, tensor<2x9x4x9xf32>) outs(%o : tensor<2x4x5x9xf32>) -> tensor<2x4x5x9xf32>
    return %s : tensor<2x4x5x9xf32>
  }
  // CHECK-LABEL: func @solve
  // CHECK: scf.forall (%[[B:.*]], %[[N:.*]]) in (
  // CHECK: ssm.solve_tril ins(%{{.*}}, %{{.*}} : tensor<1x6x6xf32>, tensor<1x6x?xf32>)
  func.func @solve(%a: tensor<3x6x6xf32>, %x: tensor<3x6x?xf32>) -> tensor<3x6x?xf32> {
    %y = ssm.solve_tril ins(%a, %x : tensor<3x6x6xf32>, tensor<3x6x?xf32>) outs(%x : tensor<3x6x?xf32>) -> tensor<3x6x?xf32>
    return %y : tensor<3x6x?xf32>
  }
  // CHECK-LABEL: func @region
  // CHECK: scf.forall (%[[B:.*]]) in (
  // CHECK: ssm.scan_region dimension = 0 ins(%{{.*}} : tensor<6x?xf32>)
  func.func @region(%x: tensor<6x?xf32>) -> tensor<6x?xf32> {
    %zero = arith.constant 0.0 : f32
    %y = ssm.scan_region dimension = 0 ins(%x : tensor<6x?xf32>) identity(%zero : f32) outs(%x : tensor<6x?xf32>) {
    ^bb0(%a: f32, %b: f32):
      %m = arith.maximumf %a, %b : f32
      ssm.yield %m : f32
    } -> tensor<6x?xf32>
    return %y : tensor<6x?xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %0 = transform.structured.match ops{["ssm.step"]} in %root : (!transform.any_op) -> !transform.any_op
    %t0, %l0 = transform.structured.tile_using_forall %0 tile_sizes [1, 0, 3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %1 = transform.structured.match ops{["ssm.discretize"]} in %root : (!transform.any_op) -> !transform.any_op
    %t1, %l1 = transform.structured.tile_using_forall %1 tile_sizes [1, 3, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %2 = transform.structured.match ops{["ssm.causal_conv1d"]} in %root : (!transform.any_op) -> !transform.any_op
    %t2, %l2 = transform.structured.tile_using_forall %2 tile_sizes [4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %3 = transform.structured.match ops{["ssm.long_conv"]} in %root : (!transform.any_op) -> !transform.any_op
    %t3, %l3 = transform.structured.tile_using_forall %3 tile_sizes [1, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %4 = transform.structured.match ops{["ssm.reduce_state"]} in %root : (!transform.any_op) -> !transform.any_op
    %t4, %l4 = transform.structured.tile_using_forall %4 tile_sizes [0, 1, 0, 3] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %5 = transform.structured.match ops{["ssm.solve_tril"]} in %root : (!transform.any_op) -> !transform.any_op
    %t5, %l5 = transform.structured.tile_using_forall %5 tile_sizes [1, 4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %6 = transform.structured.match ops{["ssm.scan_region"]} in %root : (!transform.any_op) -> !transform.any_op
    %t6, %l6 = transform.structured.tile_using_forall %6 tile_sizes [4] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}

// -----

module attributes {transform.with_named_sequence} {
  // CHECK-LABEL: func @segsum
  // CHECK: scf.forall (%[[I:.*]]) in (3)
  // CHECK: %[[X:.*]] = tensor.extract_slice %{{.*}}[%[[I]], 0] [1, 6] [1, 1]
  // CHECK: ssm.segsum ins(%[[X]] : tensor<1x6xf32>) outs(%{{.*}} : tensor<1x6x6xf32>)
  // CHECK: linalg.exp
  func.func @segsum(%g: tensor<3x6xf32>, %o: tensor<3x6x6xf32>) -> tensor<3x6x6xf32> {
    %l = ssm.segsum ins(%g : tensor<3x6xf32>) outs(%o : tensor<3x6x6xf32>) -> tensor<3x6x6xf32>
    %z = linalg.exp ins(%l : tensor<3x6x6xf32>) outs(%o : tensor<3x6x6xf32>) -> tensor<3x6x6xf32>
    return %z : tensor<3x6x6xf32>
  }
  transform.named_sequence @__transform_main(%root: !transform.any_op {transform.readonly}) {
    %op = transform.structured.match ops{["linalg.exp"]} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loop = transform.structured.tile_using_forall %op tile_sizes [1] : (!transform.any_op) -> (!transform.any_op, !transform.any_op)
    %producer = transform.structured.match ops{["ssm.segsum"]} in %root : (!transform.any_op) -> !transform.any_op
    %fused, %new = transform.structured.fuse_into_containing_op %producer into %loop : (!transform.any_op, !transform.any_op) -> (!transform.any_op, !transform.any_op)
    transform.yield
  }
}
