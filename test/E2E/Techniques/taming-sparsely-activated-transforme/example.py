"""Taming Sparsely Activated Transformer with Stochastic Experts

Theme: moe

Claim: Experts drawn at random, at inference too, need no gate at all and are balanced in
expectation; quality is that of a mixture of experts 18 times larger.

Shown: `moe.route table` reads the expert of each token out of a table of random draws, with weight
1: no logits' product, no top-k. A model may hash, draw or replay.
"""

import numpy as np

H, I, EXPERTS, DRAWS = 11, 16, 6, 29

# Sums of 16 products of about 1 in f32.
TOLERANCE = 2e-5

MODULE = """
func.func @main(%T: index {weft.symbol = "T"},
    %x: tensor<?x11xf32> {weft.name = "x", weft.dims = ["T", 11]},
    %draws: tensor<29x1xi32>,
    %at: tensor<?xi64> {weft.name = "at", weft.dims = ["T"]},
    %up: tensor<6x11x16xf32>, %down: tensor<6x16x11xf32>)
    -> (tensor<?x11xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%T) : tensor<?x6xf32>
  // There is no router: whatever the logits are, the table chooses and the score is not used.
  %logits = linalg.fill ins(%zero : f32) outs(%e : tensor<?x6xf32>) -> tensor<?x6xf32>
  %i = tensor.empty(%T) : tensor<?x1xi32>
  %g = tensor.empty(%T) : tensor<?x1xf32>
  %ids, %ones = moe.route softmax table normalize = sum ins(%logits : tensor<?x6xf32>)
      table(%draws, %at : tensor<29x1xi32>, tensor<?xi64>)
      outs(%i, %g : tensor<?x1xi32>, tensor<?x1xf32>) -> tensor<?x1xi32>, tensor<?x1xf32>
  %y = moe.expert_ffn ins(%x, %ids, %ones : tensor<?x11xf32>, tensor<?x1xi32>, tensor<?x1xf32>)
         up(%up : tensor<6x11x16xf32>) down(%down : tensor<6x16x11xf32>)
         outs(%x : tensor<?x11xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x11xf32>
  return %y : tensor<?x11xf32>
}
"""


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"draws": rng.integers(0, EXPERTS, (DRAWS, 1)).astype(np.int32),
               "up": f(EXPERTS, H, I) / 3, "down": f(EXPERTS, I, H) / 4}
    return [{"x": f(t, H), "draws": weights["draws"], "at": rng.integers(0, DRAWS, t), **weights}
            for t in (19, 2, 0)]


def reference(inputs, ablated):
    y = inputs["x"].astype(np.float64)
    for t in range(len(y)):
        e = 0 if ablated else inputs["draws"][inputs["at"][t], 0]
        y[t] += np.maximum(y[t] @ inputs["up"][e].astype(np.float64),
                           0) @ inputs["down"][e].astype(np.float64)
    return [y]
