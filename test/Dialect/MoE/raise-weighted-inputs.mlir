// RUN: weft-opt %s --moe-raise-dense-experts --moe-raise-routing --canonicalize --split-input-file | FileCheck %s

// All experts read all tokens, whose weights are 0 but for the chosen experts.

#id = affine_map<(d0, d1) -> (d0, d1)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#first = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#rows = affine_map<(d0, d1, d2) -> (d1, d2)>
#gate = affine_map<(d0, d1, d2) -> (d1, d0)>
#batched = affine_map<(e, t, n, k) -> (e, t, k)>
#weight = affine_map<(e, t, n, k) -> (e, k, n)>
#out = affine_map<(e, t, n, k) -> (e, t, n)>

// The sigmoid of -inf is 0, and so is what an expert makes of 0.

// CHECK-LABEL: func.func @sigmoid(
// CHECK-SAME: %[[X:[a-z0-9]*]]: tensor<?x8xf32>, %[[LOGITS:[a-z0-9]*]]: tensor<?x4xf32>
// CHECK-NOT: weft.scatter
// CHECK: %[[IDS:.*]], %[[WEIGHTS:.*]] = moe.route sigmoid top_k by_logits ins(%[[LOGITS]] : tensor<?x4xf32>)
// CHECK: moe.expert_ffn weight_before ins(%[[X]], %[[IDS]], %[[WEIGHTS]] : {{.*}})
// CHECK-NOT: weft.contract
// CHECK: return
func.func @sigmoid(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %up: tensor<4x8x6xf32>, %down: tensor<4x6x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %other = arith.constant 0xFF800000 : f32
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %ve = tensor.empty(%t) : tensor<?x1xf32>
  %ie = tensor.empty(%t) : tensor<?x1xi64>
  %values, %ids = weft.sort descending dimension = 1 ins(%logits : tensor<?x4xf32>)
      outs(%ve, %ie : tensor<?x1xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>, tensor<?x1xi64>
  %i1 = tensor.expand_shape %ids [[0], [1, 2]] output_shape [%t, 1, 1] : tensor<?x1xi64> into tensor<?x1x1xi64>
  %ae = tensor.empty(%t) : tensor<?x1x2xi64>
  %at = linalg.generic {indexing_maps = [#first, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%i1 : tensor<?x1x1xi64>) outs(%ae : tensor<?x1x2xi64>) {
  ^bb0(%a: i64, %b: i64):
    %j = linalg.index 2 : index
    %i = linalg.index 0 : index
    %g = arith.index_cast %a : i64 to index
    %e = arith.cmpi eq, %j, %c0 : index
    %s = arith.select %e, %i, %g : index
    %r = arith.index_cast %s : index to i64
    linalg.yield %r : i64
  } -> tensor<?x1x2xi64>
  %ge = tensor.empty(%t) : tensor<?x4xf32>
  %none = linalg.fill ins(%other : f32) outs(%ge : tensor<?x4xf32>) -> tensor<?x4xf32>
  %chosen = weft.scatter ins(%at, %values : tensor<?x1x2xi64>, tensor<?x1xf32>) outs(%none : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    weft.yield %b : f32
  } -> tensor<?x4xf32>
  %gates = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%chosen : tensor<?x4xf32>) outs(%ge : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %n = arith.negf %a : f32
    %e = math.exp %n : f32
    %s = arith.addf %e, %one : f32
    %d = arith.divf %one, %s : f32
    linalg.yield %d : f32
  } -> tensor<?x4xf32>
  %xe = tensor.empty(%t) : tensor<4x?x8xf32>
  %xw = linalg.generic {indexing_maps = [#rows, #gate, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %gates : tensor<?x8xf32>, tensor<?x4xf32>) outs(%xe : tensor<4x?x8xf32>) {
  ^bb0(%a: f32, %g: f32, %b: f32):
    %r = arith.mulf %a, %g : f32
    linalg.yield %r : f32
  } -> tensor<4x?x8xf32>
  %he = tensor.empty(%t) : tensor<4x?x6xf32>
  %hz = linalg.fill ins(%zero : f32) outs(%he : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %u = weft.contract indexing_maps = [#batched, #weight, #out] ins(%xw, %up : tensor<4x?x8xf32>, tensor<4x8x6xf32>)
      outs(%hz : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %h = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%u : tensor<4x?x6xf32>) outs(%he : tensor<4x?x6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<4x?x6xf32>
  %dz = linalg.fill ins(%zero : f32) outs(%xe : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %d = weft.contract indexing_maps = [#batched, #weight, #out] ins(%h, %down : tensor<4x?x6xf32>, tensor<4x6x8xf32>)
      outs(%dz : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %ye = tensor.empty(%t) : tensor<?x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [#id3, #rows], iterator_types = ["reduction", "parallel", "parallel"]}
      ins(%d : tensor<4x?x8xf32>) outs(%yz : tensor<?x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = arith.addf %b, %a : f32
    linalg.yield %r : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#first = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#rows = affine_map<(d0, d1, d2) -> (d1, d2)>
#gate = affine_map<(d0, d1, d2) -> (d1, d0)>
#batched = affine_map<(e, t, n, k) -> (e, t, k)>
#weight = affine_map<(e, t, n, k) -> (e, k, n)>
#out = affine_map<(e, t, n, k) -> (e, t, n)>

// The cosine of 0 is 1.

// CHECK-LABEL: func.func @cosine(
// CHECK-NOT: moe.expert_ffn
// CHECK: return
func.func @cosine(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %up: tensor<4x8x6xf32>, %down: tensor<4x6x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %other = arith.constant 0xFF800000 : f32
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %ve = tensor.empty(%t) : tensor<?x1xf32>
  %ie = tensor.empty(%t) : tensor<?x1xi64>
  %values, %ids = weft.sort descending dimension = 1 ins(%logits : tensor<?x4xf32>)
      outs(%ve, %ie : tensor<?x1xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>, tensor<?x1xi64>
  %i1 = tensor.expand_shape %ids [[0], [1, 2]] output_shape [%t, 1, 1] : tensor<?x1xi64> into tensor<?x1x1xi64>
  %ae = tensor.empty(%t) : tensor<?x1x2xi64>
  %at = linalg.generic {indexing_maps = [#first, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%i1 : tensor<?x1x1xi64>) outs(%ae : tensor<?x1x2xi64>) {
  ^bb0(%a: i64, %b: i64):
    %j = linalg.index 2 : index
    %i = linalg.index 0 : index
    %g = arith.index_cast %a : i64 to index
    %e = arith.cmpi eq, %j, %c0 : index
    %s = arith.select %e, %i, %g : index
    %r = arith.index_cast %s : index to i64
    linalg.yield %r : i64
  } -> tensor<?x1x2xi64>
  %ge = tensor.empty(%t) : tensor<?x4xf32>
  %none = linalg.fill ins(%other : f32) outs(%ge : tensor<?x4xf32>) -> tensor<?x4xf32>
  %chosen = weft.scatter ins(%at, %values : tensor<?x1x2xi64>, tensor<?x1xf32>) outs(%none : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    weft.yield %b : f32
  } -> tensor<?x4xf32>
  %gates = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%chosen : tensor<?x4xf32>) outs(%ge : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %n = arith.negf %a : f32
    %e = math.exp %n : f32
    %s = arith.addf %e, %one : f32
    %d = arith.divf %one, %s : f32
    linalg.yield %d : f32
  } -> tensor<?x4xf32>
  %xe = tensor.empty(%t) : tensor<4x?x8xf32>
  %xw = linalg.generic {indexing_maps = [#rows, #gate, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %gates : tensor<?x8xf32>, tensor<?x4xf32>) outs(%xe : tensor<4x?x8xf32>) {
  ^bb0(%a: f32, %g: f32, %b: f32):
    %r = arith.mulf %a, %g : f32
    linalg.yield %r : f32
  } -> tensor<4x?x8xf32>
  %he = tensor.empty(%t) : tensor<4x?x6xf32>
  %hz = linalg.fill ins(%zero : f32) outs(%he : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %u = weft.contract indexing_maps = [#batched, #weight, #out] ins(%xw, %up : tensor<4x?x8xf32>, tensor<4x8x6xf32>)
      outs(%hz : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %h = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%u : tensor<4x?x6xf32>) outs(%he : tensor<4x?x6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = math.cos %a : f32
    linalg.yield %r : f32
  } -> tensor<4x?x6xf32>
  %dz = linalg.fill ins(%zero : f32) outs(%xe : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %d = weft.contract indexing_maps = [#batched, #weight, #out] ins(%h, %down : tensor<4x?x6xf32>, tensor<4x6x8xf32>)
      outs(%dz : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %ye = tensor.empty(%t) : tensor<?x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [#id3, #rows], iterator_types = ["reduction", "parallel", "parallel"]}
      ins(%d : tensor<4x?x8xf32>) outs(%yz : tensor<?x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = arith.addf %b, %a : f32
    linalg.yield %r : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#first = affine_map<(d0, d1, d2) -> (d0, d1, 0)>
#rows = affine_map<(d0, d1, d2) -> (d1, d2)>
#gate = affine_map<(d0, d1, d2) -> (d1, d0)>
#batched = affine_map<(e, t, n, k) -> (e, t, k)>
#weight = affine_map<(e, t, n, k) -> (e, k, n)>
#out = affine_map<(e, t, n, k) -> (e, t, n)>

// The sigmoid of 0 is not 0.

// CHECK-LABEL: func.func @least(
// CHECK-NOT: moe.expert_ffn
// CHECK: return
func.func @least(%x: tensor<?x8xf32>, %logits: tensor<?x4xf32>, %up: tensor<4x8x6xf32>, %down: tensor<4x6x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %other = arith.constant 0.0 : f32
  %t = tensor.dim %x, %c0 : tensor<?x8xf32>
  %ve = tensor.empty(%t) : tensor<?x1xf32>
  %ie = tensor.empty(%t) : tensor<?x1xi64>
  %values, %ids = weft.sort descending dimension = 1 ins(%logits : tensor<?x4xf32>)
      outs(%ve, %ie : tensor<?x1xf32>, tensor<?x1xi64>) -> tensor<?x1xf32>, tensor<?x1xi64>
  %i1 = tensor.expand_shape %ids [[0], [1, 2]] output_shape [%t, 1, 1] : tensor<?x1xi64> into tensor<?x1x1xi64>
  %ae = tensor.empty(%t) : tensor<?x1x2xi64>
  %at = linalg.generic {indexing_maps = [#first, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%i1 : tensor<?x1x1xi64>) outs(%ae : tensor<?x1x2xi64>) {
  ^bb0(%a: i64, %b: i64):
    %j = linalg.index 2 : index
    %i = linalg.index 0 : index
    %g = arith.index_cast %a : i64 to index
    %e = arith.cmpi eq, %j, %c0 : index
    %s = arith.select %e, %i, %g : index
    %r = arith.index_cast %s : index to i64
    linalg.yield %r : i64
  } -> tensor<?x1x2xi64>
  %ge = tensor.empty(%t) : tensor<?x4xf32>
  %none = linalg.fill ins(%other : f32) outs(%ge : tensor<?x4xf32>) -> tensor<?x4xf32>
  %chosen = weft.scatter ins(%at, %values : tensor<?x1x2xi64>, tensor<?x1xf32>) outs(%none : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    weft.yield %b : f32
  } -> tensor<?x4xf32>
  %gates = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%chosen : tensor<?x4xf32>) outs(%ge : tensor<?x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %n = arith.negf %a : f32
    %e = math.exp %n : f32
    %s = arith.addf %e, %one : f32
    %d = arith.divf %one, %s : f32
    linalg.yield %d : f32
  } -> tensor<?x4xf32>
  %xe = tensor.empty(%t) : tensor<4x?x8xf32>
  %xw = linalg.generic {indexing_maps = [#rows, #gate, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %gates : tensor<?x8xf32>, tensor<?x4xf32>) outs(%xe : tensor<4x?x8xf32>) {
  ^bb0(%a: f32, %g: f32, %b: f32):
    %r = arith.mulf %a, %g : f32
    linalg.yield %r : f32
  } -> tensor<4x?x8xf32>
  %he = tensor.empty(%t) : tensor<4x?x6xf32>
  %hz = linalg.fill ins(%zero : f32) outs(%he : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %u = weft.contract indexing_maps = [#batched, #weight, #out] ins(%xw, %up : tensor<4x?x8xf32>, tensor<4x8x6xf32>)
      outs(%hz : tensor<4x?x6xf32>) -> tensor<4x?x6xf32>
  %h = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%u : tensor<4x?x6xf32>) outs(%he : tensor<4x?x6xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = math.tanh %a : f32
    linalg.yield %r : f32
  } -> tensor<4x?x6xf32>
  %dz = linalg.fill ins(%zero : f32) outs(%xe : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %d = weft.contract indexing_maps = [#batched, #weight, #out] ins(%h, %down : tensor<4x?x6xf32>, tensor<4x6x8xf32>)
      outs(%dz : tensor<4x?x8xf32>) -> tensor<4x?x8xf32>
  %ye = tensor.empty(%t) : tensor<?x8xf32>
  %yz = linalg.fill ins(%zero : f32) outs(%ye : tensor<?x8xf32>) -> tensor<?x8xf32>
  %y = linalg.generic {indexing_maps = [#id3, #rows], iterator_types = ["reduction", "parallel", "parallel"]}
      ins(%d : tensor<4x?x8xf32>) outs(%yz : tensor<?x8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %r = arith.addf %b, %a : f32
    linalg.yield %r : f32
  } -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
