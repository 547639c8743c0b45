"""Dynamic Token Pruning in Plain Vision Transformers for Semantic Segmentation

Theme: sparsity

Claim: Tokens that an auxiliary head classifies with confidence leave the network early with that
prediction, except the best few of each class, which stay as context: 20 to 35 % less computation.

Shown: The mask of tokens that stay (below the threshold of 0.6, or the best token of a class) is
computed from logits in the module; these are compacted, run through a layer and expanded.
"""

import numpy as np

D, CLASSES, ROOM = 10, 3, 16

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#tc = affine_map<(t, c) -> (t, c)>
#t = affine_map<(t, c) -> (t)>
#cell = affine_map<(t, c) -> (t, c)>

func.func @main(%n: index {weft.symbol = "n"},
                %x: tensor<?x10xf32> {weft.name = "x", weft.dims = ["n", 10]},
                %head: tensor<3x10xf32>, %layer: tensor<10x10xf32>)
    -> (tensor<?x10xf32>, tensor<?xi8>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
  %logits = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %head : tensor<?x10xf32>, tensor<3x10xf32>)
              outs(%z : tensor<?x3xf32>) -> tensor<?x3xf32>
  // Probabilities of the classes; logits are small.
  %row = tensor.empty(%n) : tensor<?xf32>
  %no = linalg.fill ins(%zero : f32) outs(%row : tensor<?xf32>) -> tensor<?xf32>
  %total = linalg.generic {indexing_maps = [#tc, #t], iterator_types = ["parallel", "reduction"]}
      ins(%logits : tensor<?x3xf32>) outs(%no : tensor<?xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %exp = math.exp %v : f32
    %next = arith.addf %sum, %exp : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %probability = linalg.generic {indexing_maps = [#tc, #t, #tc],
      iterator_types = ["parallel", "parallel"]}
      ins(%logits, %total : tensor<?x3xf32>, tensor<?xf32>) outs(%e : tensor<?x3xf32>) {
  ^bb0(%v: f32, %sum: f32, %old: f32):
    %exp = math.exp %v : f32
    %p = arith.divf %exp, %sum : f32
    linalg.yield %p : f32
  } -> tensor<?x3xf32>
  // The best token of each class stays, and every token whose largest probability is below 0.6.
  %bits = tensor.empty(%n) : tensor<?x3xi8>
  %best = sparse.topk_mask k = 1 dimension = 0 ins(%probability : tensor<?x3xf32>)
            outs(%bits : tensor<?x3xi8>) -> tensor<?x3xi8>
  %confidence = linalg.generic {indexing_maps = [#tc, #t],
      iterator_types = ["parallel", "reduction"]}
      ins(%probability : tensor<?x3xf32>) outs(%no : tensor<?xf32>) {
  ^bb0(%v: f32, %most: f32):
    %next = arith.maximumf %v, %most : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %flags = tensor.empty(%n) : tensor<?xi8>
  %hard = linalg.generic {indexing_maps = [affine_map<(t) -> (t)>, affine_map<(t) -> (t)>],
                          iterator_types = ["parallel"]}
      ins(%confidence : tensor<?xf32>) outs(%flags : tensor<?xi8>) {
  ^bb0(%p: f32, %old: i8):
    %threshold = arith.constant 0.6 : f32
    %below = arith.cmpf olt, %p, %threshold : f32
    %flag = arith.extui %below : i1 to i8
    linalg.yield %flag : i8
  } -> tensor<?xi8>
  %mask = linalg.generic {indexing_maps = [#tc, #t], iterator_types = ["parallel", "reduction"]}
      ins(%best : tensor<?x3xi8>) outs(%hard : tensor<?xi8>) {
  ^bb0(%b: i8, %flag: i8):
    %either = arith.ori %b, %flag : i8
    linalg.yield %either : i8
  } -> tensor<?xi8>
  %few = tensor.empty() : tensor<16x10xf32>
  %places = tensor.empty() : tensor<16xi32>
  %kept, %positions = sparse.compact dimension = 0 ins(%x, %mask : tensor<?x10xf32>, tensor<?xi8>)
      outs(%few, %places : tensor<16x10xf32>, tensor<16xi32>) -> tensor<16x10xf32>, tensor<16xi32>
  %start = linalg.fill ins(%zero : f32) outs(%few : tensor<16x10xf32>) -> tensor<16x10xf32>
  %next = weft.contract indexing_maps = [#x, #w, #y]
      ins(%kept, %layer : tensor<16x10xf32>, tensor<10x10xf32>)
            outs(%start : tensor<16x10xf32>) -> tensor<16x10xf32>
  %y = sparse.expand dimension = 0 ins(%next, %positions : tensor<16x10xf32>, tensor<16xi32>)
         outs(%x : tensor<?x10xf32>) -> tensor<?x10xf32>
  return %y, %mask : tensor<?x10xf32>, tensor<?xi8>
}
"""

# Sums of 10 products in f32.
TOLERANCE = 5e-6


def inputs(rng):
    calls = []
    for n in (13, 1, 40):
        given = {"x": rng.standard_normal((n, D)).astype(np.float32),
                 "head": rng.standard_normal((CLASSES, D)).astype(np.float32),
                 "layer": rng.standard_normal((D, D)).astype(np.float32)}
        if n == 40:
            given["head"] = given["head"] * np.float32(1.5)  # confident: few stay
        calls.append(given)
    return calls


def reference(inputs, ablated):
    """Ablated: the best of each class leave, too."""
    x, head, layer = (inputs[k].astype(np.float64) for k in ("x", "head", "layer"))
    p = np.exp(x @ head.T)
    p /= p.sum(1, keepdims=True)
    stay = p.max(1) < 0.6
    if not ablated:
        stay[p.argmax(0)] = True
    ranked = np.sort(p, axis=0)  # no two tokens tie in f32
    assert len(p) == 1 or (ranked[-1] - ranked[-2]).min() > 1e-5
    assert stay.sum() <= ROOM and abs(p.max(1) - 0.6).min() > 1e-4
    y = x.copy()
    y[stay] = x[stay] @ layer.T
    return [y, stay.astype(np.int8)]
