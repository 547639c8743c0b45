"""Scaling Diffusion Transformers to 16 Billion Parameters

Theme: moe

Claim: Diffusion transformers with two shared experts that are always active beside the routed ones
(DiT-MoE) reach 16.5 B parameters and an FID of 1.80 on ImageNet at 512 x 512.

Shown: `moe.route` with `shared = 2` gives each patch two routed and two shared slots, so that one
`moe.expert_ffn` computes both kinds; timesteps modulate its input and gate its output.
"""

import numpy as np

T, H, I, ROUTED, SHARED, K = 14, 8, 10, 5, 2, 2

MODULE = """
#th = affine_map<(t, h) -> (t, h)>
#h = affine_map<(t, h) -> (h)>

func.func @main(%x: tensor<14x8xf32>, %time: tensor<1x8xf32>, %modulate: tensor<8x24xf32>,
    %router: tensor<8x5xf32>,
    %up: tensor<7x8x10xf32>, %gate: tensor<7x8x10xf32>, %down: tensor<7x10x8xf32>)
    -> (tensor<14x8xf32>, tensor<14x4xi32>) {
  %one = arith.constant 1.0 : f32
  %z24 = arith.constant dense<0.0> : tensor<1x24xf32>
  %m = linalg.matmul ins(%time, %modulate : tensor<1x8xf32>, tensor<8x24xf32>)
      outs(%z24 : tensor<1x24xf32>) -> tensor<1x24xf32>
  %shift = tensor.extract_slice %m[0, 0] [1, 8] [1, 1] : tensor<1x24xf32> to tensor<8xf32>
  %scale = tensor.extract_slice %m[0, 8] [1, 8] [1, 1] : tensor<1x24xf32> to tensor<8xf32>
  %alpha = tensor.extract_slice %m[0, 16] [1, 8] [1, 1] : tensor<1x24xf32> to tensor<8xf32>
  %e = tensor.empty() : tensor<14x8xf32>
  %in = linalg.generic {indexing_maps = [#th, #h, #h, #th], iterator_types = ["parallel",
      "parallel"]}
      ins(%x, %shift, %scale : tensor<14x8xf32>, tensor<8xf32>, tensor<8xf32>)
          outs(%e : tensor<14x8xf32>) {
  ^bb0(%v: f32, %a: f32, %b: f32, %o: f32):
    %more = arith.addf %b, %one : f32
    %p = arith.mulf %v, %more : f32
    %r = arith.addf %p, %a : f32
    linalg.yield %r : f32
  } -> tensor<14x8xf32>

  %z5 = arith.constant dense<0.0> : tensor<14x5xf32>
  %logits = linalg.matmul ins(%in, %router : tensor<14x8xf32>, tensor<8x5xf32>)
      outs(%z5 : tensor<14x5xf32>) -> tensor<14x5xf32>
  %i = tensor.empty() : tensor<14x4xi32>
  %g = tensor.empty() : tensor<14x4xf32>
  %ids, %gates = moe.route softmax top_k shared = 2 ins(%logits : tensor<14x5xf32>)
                   outs(%i, %g : tensor<14x4xi32>, tensor<14x4xf32>)
                       -> tensor<14x4xi32>, tensor<14x4xf32>
  %z8 = arith.constant dense<0.0> : tensor<14x8xf32>
  %y = moe.expert_ffn ins(%in, %ids, %gates : tensor<14x8xf32>, tensor<14x4xi32>, tensor<14x4xf32>)
         up(%gate, %up : tensor<7x8x10xf32>, tensor<7x8x10xf32>) down(%down : tensor<7x10x8xf32>)
         outs(%z8 : tensor<14x8xf32>) activation {
  ^bb0(%s: f32, %u: f32):
    %n = arith.negf %s : f32
    %p = math.exp %n : f32
    %d = arith.addf %p, %one : f32
    %silu = arith.divf %s, %d : f32
    %r = arith.mulf %silu, %u : f32
    moe.yield %r : f32
  } -> tensor<14x8xf32>
  %out = linalg.generic {indexing_maps = [#th, #th, #h, #th], iterator_types = ["parallel",
      "parallel"]}
      ins(%x, %y, %alpha : tensor<14x8xf32>, tensor<14x8xf32>, tensor<8xf32>)
          outs(%e : tensor<14x8xf32>) {
  ^bb0(%v: f32, %w: f32, %a: f32, %o: f32):
    %p = arith.mulf %w, %a : f32
    %r = arith.addf %v, %p : f32
    linalg.yield %r : f32
  } -> tensor<14x8xf32>
  return %out, %ids : tensor<14x8xf32>, tensor<14x4xi32>
}
"""

# Sums of 10 products for four experts, modulated, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"x": f(T, H), "time": f(1, H), "modulate": f(H, 3 * H) / 3, "router": f(H, ROUTED),
            "up": f(ROUTED + SHARED, H, I) / 3, "gate": f(ROUTED + SHARED, H, I) / 3,
            "down": f(ROUTED + SHARED, I, H) / 3}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    shift, scale, alpha = np.split(p["time"][0] @ p["modulate"], 3)
    y, ids = p["x"].copy(), np.zeros((T, K + SHARED), np.int32)
    for t in range(T):
        x = p["x"][t] * (1 + scale) + shift

        def expert(e):
            s = x @ p["gate"][e]
            return (s / (1 + np.exp(-s)) * (x @ p["up"][e])) @ p["down"][e]

        score = np.exp(x @ p["router"])
        chosen = np.argsort(-score, kind="stable")[:K]
        ids[t] = [*chosen, ROUTED, ROUTED + 1]
        out = sum(score[e] / score.sum() * expert(e) for e in chosen)
        if not ablated:
            out = out + expert(ROUTED) + expert(ROUTED + 1)
        y[t] += alpha * out
    return [y, ids]
