// RUN: weft-opt %s --moe-raise-dense-experts --moe-raise-routing --canonicalize --split-input-file | FileCheck %s

// All experts are computed for all tokens; a mask has a one where the expert is the one of the
// largest score.

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0, 0)>
#tokens = affine_map<(d0, d1) -> (d0)>
#lhs = affine_map<(e, t, n, k) -> (t, k)>
#batched = affine_map<(e, t, n, k) -> (e, t, k)>
#weight = affine_map<(e, t, n, k) -> (e, k, n)>
#out = affine_map<(e, t, n, k) -> (e, t, n)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#gate = affine_map<(t, n, e) -> (t, e)>
#value = affine_map<(t, n, e) -> (e, t, n)>
#result = affine_map<(t, n, e) -> (t, n)>

// CHECK-LABEL: func.func @mask(
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x8xf32>, %[[SCORES:[a-z0-9]*]]: tensor<?x4xf32>, %[[IDS:[a-z0-9]*]]: tensor<?x1xi64>, %[[UP:[a-z0-9]*]]: tensor<4x8x6xf32>, %[[DOWN:[a-z0-9]*]]: tensor<4x6x8xf32>
// CHECK: %[[NUMBERS:.*]] = linalg.generic {{.*}} ins(%[[IDS]] : tensor<?x1xi64>) outs(%{{.*}} : tensor<?x1xi32>)
// CHECK: %[[WEIGHTS:.*]] = linalg.generic {{.*}} ins(%[[NUMBERS]] : tensor<?x1xi32>)
// CHECK: %[[Y:.*]] = moe.expert_ffn ins(%[[X]], %[[NUMBERS]], %[[WEIGHTS]] : {{.*}}) up(%[[UP]] : {{.*}}) down(%[[DOWN]] : {{.*}}) {{.*}} activation {
// CHECK-NEXT: ^bb0(%[[S:.*]]: f32):
// CHECK-NEXT: %[[H:.*]] = math.tanh %[[S]] : f32
// CHECK-NEXT: moe.yield %[[H]] : f32
// CHECK-NOT: weft.contract
// CHECK: return %[[Y]]
func.func @mask(%x: tensor<?x8xf32>, %scores: tensor<?x4xf32>, %ids: tensor<?x1xi64>,
                %up: tensor<4x8x6xf32>, %down: tensor<4x6x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %ge = tensor.empty(%t) : tensor<?x4xf32>
  %mask = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<?x1xi64>) outs(%ge : tensor<?x4xf32>) {
  ^bb0(%a: i64, %b: f32):
    %j = linalg.index 1 : index
    %i = arith.index_cast %a : i64 to index
    %e = arith.cmpi eq, %i, %j : index
    %s = arith.select %e, %one, %zero : f32
    linalg.yield %s : f32
  } -> tensor<?x4xf32>
  %gate = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%scores, %mask : tensor<?x4xf32>, tensor<?x4xf32>) outs(%ge : tensor<?x4xf32>) {
  ^bb0(%a: f32, %m: f32, %b: f32):
    %s = arith.mulf %a, %m : f32
    linalg.yield %s : f32
  } -> tensor<?x4xf32>
  %he = tensor.empty(%t) : tensor<4x?x6xf32>
  %hz = linalg.fill ins(%zero : f32) outs(%he : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %u = weft.contract indexing_maps = [#lhs, #weight, #out] ins(%x, %up : tensor<?x8xf32>, tensor<4x8x6xf32>)
      outs(%hz : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %h = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%u : tensor<4x?x6xf32>) outs(%he : tensor<4x?x6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<4x?x6xf32>
  %de = tensor.empty(%t) : tensor<4x?x8xf32>
  %dz = linalg.fill ins(%zero : f32) outs(%de : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %d = weft.contract indexing_maps = [#batched, #weight, #out] ins(%h, %down : tensor<4x?x6xf32>, tensor<4x6x8xf32>)
      outs(%dz : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %ye = tensor.empty(%t) : tensor<?x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = weft.contract indexing_maps = [#gate, #value, #result] ins(%gate, %d : tensor<?x4xf32>, tensor<4x?x8xf32>)
      outs(%yz : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

#lhs = affine_map<(e, t, n, k) -> (t, k)>
#batched = affine_map<(e, t, n, k) -> (e, t, k)>
#weight = affine_map<(e, t, n, k) -> (e, k, n)>
#out = affine_map<(e, t, n, k) -> (e, t, n)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#gate = affine_map<(t, n, e) -> (t, e)>
#value = affine_map<(t, n, e) -> (e, t, n)>
#result = affine_map<(t, n, e) -> (t, n)>

// Nothing says that most of the gate is 0.

// CHECK-LABEL: func.func @soft(
// CHECK-NOT: moe.
func.func @soft(%x: tensor<?x8xf32>, %gate: tensor<?x4xf32>, %up: tensor<4x8x6xf32>,
                %down: tensor<4x6x8xf32>, %hz: tensor<4x?x6xf32>, %ye: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %he = linalg.fill ins(%zero : f32) outs(%hz : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %u = weft.contract indexing_maps = [#lhs, #weight, #out] ins(%x, %up : tensor<?x8xf32>, tensor<4x8x6xf32>)
      outs(%he : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %h = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%u : tensor<4x?x6xf32>) outs(%hz : tensor<4x?x6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<4x?x6xf32>
  %de = tensor.empty(%t) : tensor<4x?x8xf32>
  %dz = linalg.fill ins(%zero : f32) outs(%de : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %d = weft.contract indexing_maps = [#batched, #weight, #out] ins(%h, %down : tensor<4x?x6xf32>, tensor<4x6x8xf32>)
      outs(%dz : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = weft.contract indexing_maps = [#gate, #value, #result] ins(%gate, %d : tensor<?x4xf32>, tensor<4x?x8xf32>)
      outs(%yz : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

#lhs = affine_map<(r, n, k) -> (r, k)>
#weight = affine_map<(r, n, k) -> (r, k, n)>
#out = affine_map<(r, n, k) -> (r, n)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#x = affine_map<(d0, d1, d2) -> (d0, d2)>
#w = affine_map<(d0, d1, d2) -> (d0, d1)>
#sum = affine_map<(d0, d1, d2) -> (d0, d2)>

// Weights are gathered for each of the two slots of a token. In @other, the second ones are
// those of other experts.

// CHECK-LABEL: func.func @gathered(
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<5x8xf32>, %[[IDS:[a-z0-9]*]]: tensor<5x2xi64>, %{{.*}}: tensor<5x2xi64>, %[[WEIGHTS:[a-z0-9]*]]: tensor<5x2xf32>, %[[UP:[a-z0-9]*]]: tensor<4x8x6xf32>, %[[DOWN:[a-z0-9]*]]: tensor<4x6x8xf32>
// CHECK: %[[NUMBERS:.*]] = linalg.generic {{.*}} ins(%[[IDS]] : tensor<5x2xi64>)
// CHECK: arith.select {{.*}} : i32
// CHECK: moe.expert_ffn ins(%[[X]], %[[NUMBERS]], %[[WEIGHTS]] : {{.*}}) up(%[[UP]] : {{.*}}) down(%[[DOWN]] :
// CHECK-LABEL: func.func @other(
// CHECK-NOT: moe.
// CHECK: return
func.func @gathered(%x: tensor<5x8xf32>, %ids: tensor<5x2xi64>, %others: tensor<5x2xi64>,
                    %weights: tensor<5x2xf32>, %up: tensor<4x8x6xf32>, %down: tensor<4x6x8xf32>) -> tensor<5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %xe = tensor.empty() : tensor<5x2x8xf32>
  %wide = linalg.generic {indexing_maps = [#x, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<5x8xf32>) outs(%xe : tensor<5x2x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<5x2x8xf32>
  %rows = tensor.collapse_shape %wide [[0, 1], [2]] : tensor<5x2x8xf32> into tensor<10x8xf32>
  %flat = tensor.collapse_shape %ids [[0, 1]] : tensor<5x2xi64> into tensor<10xi64>
  %at = tensor.expand_shape %flat [[0, 1]] output_shape [10, 1] : tensor<10xi64> into tensor<10x1xi64>
  %ue = tensor.empty() : tensor<10x8x6xf32>
  %us = weft.gather batch_dims = 0 ins(%up, %at : tensor<4x8x6xf32>, tensor<10x1xi64>) outs(%ue : tensor<10x8x6xf32>) -> tensor<10x8x6xf32>
  %de = tensor.empty() : tensor<10x6x8xf32>
  %ds = weft.gather batch_dims = 0 ins(%down, %at : tensor<4x6x8xf32>, tensor<10x1xi64>) outs(%de : tensor<10x6x8xf32>) -> tensor<10x6x8xf32>
  %he = tensor.empty() : tensor<10x6xf32>
  %hz = linalg.fill ins(%zero : f32) outs(%he : tensor<10x6xf32>) -> tensor<10x6xf32>
  %u = weft.contract indexing_maps = [#lhs, #weight, #out] ins(%rows, %us : tensor<10x8xf32>, tensor<10x8x6xf32>) outs(%hz : tensor<10x6xf32>) -> tensor<10x6xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%u : tensor<10x6xf32>) outs(%he : tensor<10x6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<10x6xf32>
  %oe = tensor.empty() : tensor<10x8xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<10x8xf32>) -> tensor<10x8xf32>
  %o = weft.contract indexing_maps = [#lhs, #weight, #out] ins(%h, %ds : tensor<10x6xf32>, tensor<10x6x8xf32>) outs(%oz : tensor<10x8xf32>) -> tensor<10x8xf32>
  %slots = tensor.expand_shape %o [[0, 1], [2]] output_shape [5, 2, 8] : tensor<10x8xf32> into tensor<5x2x8xf32>
  %p = linalg.generic {indexing_maps = [#id3, #w, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%slots, %weights : tensor<5x2x8xf32>, tensor<5x2xf32>) outs(%xe : tensor<5x2x8xf32>) {
  ^bb0(%a: f32, %v: f32, %b: f32):
    %s = arith.mulf %a, %v : f32
    linalg.yield %s : f32
  } -> tensor<5x2x8xf32>
  %ye = tensor.empty() : tensor<5x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<5x8xf32>) -> tensor<5x8xf32>
  %y = linalg.generic {indexing_maps = [#id3, #sum], iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%p : tensor<5x2x8xf32>) outs(%yz : tensor<5x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<5x8xf32>
  return %y : tensor<5x8xf32>
}

func.func @other(%x: tensor<5x8xf32>, %ids: tensor<5x2xi64>, %others: tensor<5x2xi64>,
                 %weights: tensor<5x2xf32>, %up: tensor<4x8x6xf32>, %down: tensor<4x6x8xf32>) -> tensor<5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %xe = tensor.empty() : tensor<5x2x8xf32>
  %wide = linalg.generic {indexing_maps = [#x, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<5x8xf32>) outs(%xe : tensor<5x2x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<5x2x8xf32>
  %rows = tensor.collapse_shape %wide [[0, 1], [2]] : tensor<5x2x8xf32> into tensor<10x8xf32>
  %flat = tensor.collapse_shape %ids [[0, 1]] : tensor<5x2xi64> into tensor<10xi64>
  %at = tensor.expand_shape %flat [[0, 1]] output_shape [10, 1] : tensor<10xi64> into tensor<10x1xi64>
  %flat2 = tensor.collapse_shape %others [[0, 1]] : tensor<5x2xi64> into tensor<10xi64>
  %at2 = tensor.expand_shape %flat2 [[0, 1]] output_shape [10, 1] : tensor<10xi64> into tensor<10x1xi64>
  %ue = tensor.empty() : tensor<10x8x6xf32>
  %us = weft.gather batch_dims = 0 ins(%up, %at : tensor<4x8x6xf32>, tensor<10x1xi64>) outs(%ue : tensor<10x8x6xf32>) -> tensor<10x8x6xf32>
  %de = tensor.empty() : tensor<10x6x8xf32>
  %ds = weft.gather batch_dims = 0 ins(%down, %at2 : tensor<4x6x8xf32>, tensor<10x1xi64>) outs(%de : tensor<10x6x8xf32>) -> tensor<10x6x8xf32>
  %he = tensor.empty() : tensor<10x6xf32>
  %hz = linalg.fill ins(%zero : f32) outs(%he : tensor<10x6xf32>) -> tensor<10x6xf32>
  %u = weft.contract indexing_maps = [#lhs, #weight, #out] ins(%rows, %us : tensor<10x8xf32>, tensor<10x8x6xf32>) outs(%hz : tensor<10x6xf32>) -> tensor<10x6xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%u : tensor<10x6xf32>) outs(%he : tensor<10x6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<10x6xf32>
  %oe = tensor.empty() : tensor<10x8xf32>
  %oz = linalg.fill ins(%zero : f32) outs(%oe : tensor<10x8xf32>) -> tensor<10x8xf32>
  %o = weft.contract indexing_maps = [#lhs, #weight, #out] ins(%h, %ds : tensor<10x6xf32>, tensor<10x6x8xf32>) outs(%oz : tensor<10x8xf32>) -> tensor<10x8xf32>
  %slots = tensor.expand_shape %o [[0, 1], [2]] output_shape [5, 2, 8] : tensor<10x8xf32> into tensor<5x2x8xf32>
  %p = linalg.generic {indexing_maps = [#id3, #w, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%slots, %weights : tensor<5x2x8xf32>, tensor<5x2xf32>) outs(%xe : tensor<5x2x8xf32>) {
  ^bb0(%a: f32, %v: f32, %b: f32):
    %s = arith.mulf %a, %v : f32
    linalg.yield %s : f32
  } -> tensor<5x2x8xf32>
  %ye = tensor.empty() : tensor<5x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<5x8xf32>) -> tensor<5x8xf32>
  %y = linalg.generic {indexing_maps = [#id3, #sum], iterator_types = ["parallel", "reduction", "parallel"]}
      ins(%p : tensor<5x2x8xf32>) outs(%yz : tensor<5x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.addf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<5x8xf32>
  return %y : tensor<5x8xf32>
}
