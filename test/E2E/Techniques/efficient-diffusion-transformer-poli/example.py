"""Efficient Diffusion Transformer Policies with Mixture of Expert Denoisers for Multitask Learning

Theme: moe

Claim: A router that sees the noise level instead of the tokens (MoDE) makes the experts of each
denoising step known beforehand: they are cached and fused into one dense layer. 90 % fewer
operations than the default diffusion transformer.

Shown: `moe.route` has one row, the embedded noise; the chosen experts' matrices are gathered once
and lie side by side as one layer of 2 x 9 hidden units for all tokens. No plan, no groups.
"""

import numpy as np

T, H, I, EXPERTS, K, F = 11, 8, 9, 4, 2, 6

MODULE = """
#x = affine_map<(t, k, i, h) -> (t, h)>
#up = affine_map<(t, k, i, h) -> (k, h, i)>
#a = affine_map<(t, k, i, h) -> (t, k, i)>
#b = affine_map<(t, h, k, i) -> (t, k, i)>
#down = affine_map<(t, h, k, i) -> (k, i, h)>
#y = affine_map<(t, h, k, i) -> (t, h)>

func.func @main(%x: tensor<11x8xf32>, %noise: tensor<1x6xf32>, %router: tensor<6x4xf32>,
    %up: tensor<4x8x9xf32>, %down: tensor<4x9x8xf32>) -> (tensor<11x8xf32>, tensor<1x2xi32>) {
  %none = arith.constant dense<0.0> : tensor<1x4xf32>
  %logits = linalg.matmul ins(%noise, %router : tensor<1x6xf32>, tensor<6x4xf32>)
      outs(%none : tensor<1x4xf32>) -> tensor<1x4xf32>
  %i = tensor.empty() : tensor<1x2xi32>
  %g = tensor.empty() : tensor<1x2xf32>
  %ids, %gates = moe.route softmax top_k normalize = sum ins(%logits : tensor<1x4xf32>)
                   outs(%i, %g : tensor<1x2xi32>, tensor<1x2xf32>)
                       -> tensor<1x2xi32>, tensor<1x2xf32>

  // The fused layer of this noise level, which a policy keeps for all its calls.
  %at = tensor.collapse_shape %ids [[0, 1]] : tensor<1x2xi32> into tensor<2xi32>
  %tuples = tensor.expand_shape %at [[0, 1]] output_shape [2, 1] : tensor<2xi32>
      into tensor<2x1xi32>
  %eu = tensor.empty() : tensor<2x8x9xf32>
  %ed = tensor.empty() : tensor<2x9x8xf32>
  %u = weft.gather batch_dims = 0 ins(%up, %tuples : tensor<4x8x9xf32>, tensor<2x1xi32>)
      outs(%eu : tensor<2x8x9xf32>) -> tensor<2x8x9xf32>
  %d = weft.gather batch_dims = 0 ins(%down, %tuples : tensor<4x9x8xf32>, tensor<2x1xi32>)
      outs(%ed : tensor<2x9x8xf32>) -> tensor<2x9x8xf32>

  %z = arith.constant dense<0.0> : tensor<11x2x9xf32>
  %hidden = weft.contract indexing_maps = [#x, #up, #a]
      ins(%x, %u : tensor<11x8xf32>, tensor<2x8x9xf32>)
              outs(%z : tensor<11x2x9xf32>) -> tensor<11x2x9xf32>
  %e = tensor.empty() : tensor<11x2x9xf32>
  %weights = tensor.collapse_shape %gates [[0, 1]] : tensor<1x2xf32> into tensor<2xf32>
  %active = linalg.generic {indexing_maps = [affine_map<(t, k, i) -> (t, k, i)>, affine_map<(t, k,
      i) -> (k)>,
                                             affine_map<(t, k, i) -> (t, k, i)>],
                            iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%hidden, %weights : tensor<11x2x9xf32>, tensor<2xf32>) outs(%e : tensor<11x2x9xf32>) {
  ^bb0(%in: f32, %w: f32, %o: f32):
    %zero = arith.constant 0.0 : f32
    %r = arith.maximumf %in, %zero : f32
    %p = arith.mulf %r, %w : f32
    linalg.yield %p : f32
  } -> tensor<11x2x9xf32>
  %y = weft.contract indexing_maps = [#b, #down, #y]
      ins(%active, %d : tensor<11x2x9xf32>, tensor<2x9x8xf32>)
         outs(%x : tensor<11x8xf32>) -> tensor<11x8xf32>
  return %y, %ids : tensor<11x8xf32>, tensor<1x2xi32>
}
"""

# Sums of 18 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"router": f(F, EXPERTS), "up": f(EXPERTS, H, I) / 2, "down": f(EXPERTS, I, H) / 2}
    levels = np.log([[0.01], [1.0], [80.0]]) / 4 * np.arange(1, F // 2 + 1)
    return [{"x": f(T, H), "noise": np.r_[np.sin(l), np.cos(l)][None].astype(np.float32), **weights}
            for l in levels]


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    score = np.exp(p["noise"][0] @ p["router"])
    if ablated:  # the same experts for all levels
        score = np.array([1.0, 1.0, 0.0, 0.0])
    chosen = np.argsort(-score, kind="stable")[:K]
    y = p["x"].copy()
    for x, out in zip(p["x"], y):
        for e in chosen:
            out += score[e] / score[chosen].sum() * (np.maximum(x @ p["up"][e], 0) @ p["down"][e])
    return [y, chosen[None].astype(np.int32)]


def check(example):
    chosen = {tuple(sorted(have[1][0])) for _, have, _ in example.calls}
    assert len(chosen) > 1, chosen
