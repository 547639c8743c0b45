"""EvoMoE: An Evolutional Mixture-of-Experts Training Framework via Dense-To-Sparse Gate

Theme: moe

Claim: A gate that anneals from dense to sparse chooses a number of experts that adapts to the
token instead of a fixed k.

Shown: `moe.route threshold` keeps the experts whose weight is above the threshold; the temperature
divides the logits, so that one module is dense at a high temperature and nearly top-1 at a low
one. The number of experts differs from token to token.
"""

import numpy as np

H, I, EXPERTS, THRESHOLD = 10, 12, 6, 0.125

# Sums of 12 products of about 1 for each of 6 experts, in f32.
TOLERANCE = 2e-5

MODULE = """
func.func @main(%T: index {weft.symbol = "T"},
    %x: tensor<?x10xf32> {weft.name = "x", weft.dims = ["T", 10]},
    %temperature: tensor<f32>,
    %router: tensor<10x6xf32>,
    %up: tensor<6x10x12xf32>, %down: tensor<6x12x10xf32>)
    -> (tensor<?x10xf32>, tensor<?x6xi32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%T) : tensor<?x6xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x6xf32>) -> tensor<?x6xf32>
  %raw = linalg.matmul ins(%x, %router : tensor<?x10xf32>, tensor<10x6xf32>)
      outs(%z : tensor<?x6xf32>) -> tensor<?x6xf32>
  %logits = linalg.generic {indexing_maps = [affine_map<(t, e) -> (t, e)>, affine_map<(t, e) -> ()>,
                                             affine_map<(t, e) -> (t, e)>],
                            iterator_types = ["parallel", "parallel"]}
      ins(%raw, %temperature : tensor<?x6xf32>, tensor<f32>) outs(%e : tensor<?x6xf32>) {
  ^bb0(%r: f32, %tau: f32, %o: f32):
    %q = arith.divf %r, %tau : f32
    linalg.yield %q : f32
  } -> tensor<?x6xf32>
  %i = tensor.empty(%T) : tensor<?x6xi32>
  %g = tensor.empty(%T) : tensor<?x6xf32>
  %ids, %gates = moe.route softmax threshold threshold = 0.125 ins(%logits : tensor<?x6xf32>)
                   outs(%i, %g : tensor<?x6xi32>, tensor<?x6xf32>)
                       -> tensor<?x6xi32>, tensor<?x6xf32>
  %y = moe.expert_ffn ins(%x, %ids, %gates : tensor<?x10xf32>, tensor<?x6xi32>, tensor<?x6xf32>)
         up(%up : tensor<6x10x12xf32>) down(%down : tensor<6x12x10xf32>)
         outs(%x : tensor<?x10xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x10xf32>
  return %y, %ids : tensor<?x10xf32>, tensor<?x6xi32>
}
"""


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"router": f(H, EXPERTS) / 3, "up": f(EXPERTS, H, I) / 3, "down": f(EXPERTS, I,
                                                                                  H) / 3}
    return [{"x": f(t, H), "temperature": np.float32(tau), **weights}
            for t, tau in ((21, 1.0), (9, 3.0), (9, 0.05), (0, 1.0))]


def reference(inputs, ablated):
    p = {k: np.asarray(v, np.float64) for k, v in inputs.items()}
    y, ids = p["x"].copy(), np.full((len(p["x"]), EXPERTS), -1, np.int32)
    for t, x in enumerate(p["x"]):
        logits = x @ p["router"] / p["temperature"]
        gate = np.exp(logits - logits.max())
        gate /= gate.sum()
        chosen = [e for e in np.argsort(-gate, kind="stable") if gate[e] >= THRESHOLD or ablated]
        ids[t, :len(chosen)] = chosen
        for e in chosen:
            y[t] += gate[e] * (np.maximum(x @ p["up"][e], 0) @ p["down"][e])
    return [y, ids]
