"""Unchosen Experts Can Contribute Too: Unleashing MoE Models' Power by Self-Contrast

Theme: moe

Claim: Contrasting the logits of a model with its usual experts and with the second-ranked ones
alone (SCMoE) needs no training: GSM8K from 61.8 to 66.9 with Mixtral 8x7B.

Shown: One `moe.route` ranks; the strong pass takes both slots, the weak pass the second column
with weight 1. Logits (1 + beta) strong - beta weak compete where the strong probability is
plausible.
"""

import numpy as np

T, H, I, EXPERTS, VOCABULARY, BETA, ALPHA = 6, 10, 12, 5, 17, 0.5, 0.1

MODULE = """
#tv = affine_map<(t, v) -> (t, v)>
#t = affine_map<(t, v) -> (t)>

func.func @main(%x: tensor<6x10xf32>, %router: tensor<10x5xf32>, %up: tensor<5x10x12xf32>,
    %down: tensor<5x12x10xf32>,
    %head: tensor<10x17xf32>) -> (tensor<6x17xf32>, tensor<6x1xi32>) {
  %zero = arith.constant 0.0 : f32
  %z5 = arith.constant dense<0.0> : tensor<6x5xf32>
  %logits = linalg.matmul ins(%x, %router : tensor<6x10xf32>, tensor<10x5xf32>)
      outs(%z5 : tensor<6x5xf32>) -> tensor<6x5xf32>
  %i = tensor.empty() : tensor<6x2xi32>
  %g = tensor.empty() : tensor<6x2xf32>
  %ids, %gates = moe.route softmax top_k normalize = sum ins(%logits : tensor<6x5xf32>)
                   outs(%i, %g : tensor<6x2xi32>, tensor<6x2xf32>)
                       -> tensor<6x2xi32>, tensor<6x2xf32>
  %second = tensor.extract_slice %ids[0, 1] [6, 1] [1, 1] : tensor<6x2xi32> to tensor<6x1xi32>
  %ones = arith.constant dense<1.0> : tensor<6x1xf32>
  %strong = moe.expert_ffn
      ins(%x, %ids, %gates : tensor<6x10xf32>, tensor<6x2xi32>, tensor<6x2xf32>)
              up(%up : tensor<5x10x12xf32>) down(%down : tensor<5x12x10xf32>)
              outs(%x : tensor<6x10xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<6x10xf32>
  %weak = moe.expert_ffn
      ins(%x, %second, %ones : tensor<6x10xf32>, tensor<6x1xi32>, tensor<6x1xf32>)
            up(%up : tensor<5x10x12xf32>) down(%down : tensor<5x12x10xf32>)
            outs(%x : tensor<6x10xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<6x10xf32>
  %z17 = arith.constant dense<0.0> : tensor<6x17xf32>
  %zs = linalg.matmul ins(%strong, %head : tensor<6x10xf32>, tensor<10x17xf32>)
      outs(%z17 : tensor<6x17xf32>) -> tensor<6x17xf32>
  %zw = linalg.matmul ins(%weak, %head : tensor<6x10xf32>, tensor<10x17xf32>)
      outs(%z17 : tensor<6x17xf32>) -> tensor<6x17xf32>

  // Plausible is what has at least a tenth of the largest strong probability: log(0.1) below it.
  %low = arith.constant dense<0xFF800000> : tensor<6xf32>
  %largest = linalg.reduce { arith.maximumf } ins(%zs : tensor<6x17xf32>)
      outs(%low : tensor<6xf32>) dimensions = [1]
  %e = tensor.empty() : tensor<6x17xf32>
  %scores = linalg.generic {indexing_maps = [#tv, #tv, #t, #tv], iterator_types = ["parallel",
      "parallel"]}
      ins(%zs, %zw, %largest : tensor<6x17xf32>, tensor<6x17xf32>, tensor<6xf32>)
          outs(%e : tensor<6x17xf32>) {
  ^bb0(%s: f32, %w: f32, %l: f32, %o: f32):
    %plus = arith.constant 1.5 : f32
    %minus = arith.constant 0.5 : f32
    %log = arith.constant -2.3025851 : f32
    %never = arith.constant -100.0 : f32
    %limit = arith.addf %l, %log : f32
    %plausible = arith.cmpf oge, %s, %limit : f32
    %p = arith.mulf %plus, %s : f32
    %m = arith.mulf %minus, %w : f32
    %d = arith.subf %p, %m : f32
    %r = arith.select %plausible, %d, %never : f32
    linalg.yield %r : f32
  } -> tensor<6x17xf32>
  %ei = tensor.empty() : tensor<6x1xi32>
  %ew = tensor.empty() : tensor<6x1xf32>
  %next, %best = moe.route identity top_k ins(%scores : tensor<6x17xf32>)
                   outs(%ei, %ew : tensor<6x1xi32>, tensor<6x1xf32>)
                       -> tensor<6x1xi32>, tensor<6x1xf32>
  return %scores, %next : tensor<6x17xf32>, tensor<6x1xi32>
}
"""

# Two layers of sums of 12 products in f32, relative to 100.
TOLERANCE = 1e-6


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"x": f(T, H), "router": f(H, EXPERTS) / 2, "up": f(EXPERTS, H, I) / 3,
            "down": f(EXPERTS, I, H) / 3,
            "head": f(H, VOCABULARY) / 3}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    scores = np.full((T, VOCABULARY), -100.0)
    for t, x in enumerate(p["x"]):
        rank = np.exp(x @ p["router"])
        first, second = np.argsort(-rank, kind="stable")[:2]
        expert = lambda e: np.maximum(x @ p["up"][e], 0) @ p["down"][e]
        share = rank[first] / (rank[first] + rank[second])
        strong = (x + share * expert(first) + (1 - share) * expert(second)) @ p["head"]
        weak = (x + expert(second)) @ p["head"]
        probability = np.exp(strong) / np.exp(strong).sum()
        plausible = probability >= ALPHA * probability.max()
        beta = 0 if ablated else BETA
        scores[t, plausible] = ((1 + beta) * strong - beta * weak)[plausible]
    return [scores, scores.argmax(1)[:, None].astype(np.int32)]
