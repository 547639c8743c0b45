"""Duo-LLM: A Framework for Studying Adaptive Computation in Large Language Models

Theme: moe

Claim: With a small module beside the feed-forward layer each token takes the big one, the small
one or neither, by a router or by an oracle's pattern.

Shown: Three choices of which two compute: `moe.plan` with a `place` for each module leaves out the
tokens of the others, so modules of different widths share one routing, and the bypass is an init.
"""

import numpy as np

H, BIG, SMALL = 12, 29, 5

MODULE = """
#x = affine_map<(t, o, i) -> (t, i)>
#w = affine_map<(t, o, i) -> (i, o)>
#y = affine_map<(t, o, i) -> (t, o)>

func.func @main(%T: index {weft.symbol = "T"},
    %x: tensor<?x12xf32> {weft.name = "x", weft.dims = ["T", 12]}, %router: tensor<12x3xf32>,
    %big_up: tensor<1x12x29xf32>, %big_down: tensor<1x29x12xf32>,
    %small_up: tensor<1x12x5xf32>, %small_down: tensor<1x5x12xf32>)
    -> (tensor<?x12xf32>, tensor<2xi32>, tensor<2xi32>) {
  %zero = arith.constant 0.0 : f32
  %e3 = tensor.empty(%T) : tensor<?x3xf32>
  %z3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %logits = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %router : tensor<?x12xf32>, tensor<12x3xf32>)
              outs(%z3 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %i = tensor.empty(%T) : tensor<?x1xi32>
  %g = tensor.empty(%T) : tensor<?x1xf32>
  // 0 is the big module, 1 the small one, 2 neither.
  %ids, %gates = moe.route softmax top_k ins(%logits : tensor<?x3xf32>)
                   outs(%i, %g : tensor<?x1xi32>, tensor<?x1xf32>)
                       -> tensor<?x1xi32>, tensor<?x1xf32>
  %is_big = arith.constant dense<[0, -1, -1]> : tensor<3xi32>
  %is_small = arith.constant dense<[-1, 0, -1]> : tensor<3xi32>
  %o = tensor.empty() : tensor<2xi32>
  %s = tensor.empty(%T) : tensor<?xi32>
  %bo, %bs, %bp = moe.plan ins(%ids : tensor<?x1xi32>) place(%is_big : tensor<3xi32>)
                    outs(%o, %s, %i : tensor<2xi32>, tensor<?xi32>, tensor<?x1xi32>)
                    -> tensor<2xi32>, tensor<?xi32>, tensor<?x1xi32>
  %so, %ss, %sp = moe.plan ins(%ids : tensor<?x1xi32>) place(%is_small : tensor<3xi32>)
                    outs(%o, %s, %i : tensor<2xi32>, tensor<?xi32>, tensor<?x1xi32>)
                    -> tensor<2xi32>, tensor<?xi32>, tensor<?x1xi32>
  %e29 = tensor.empty(%T) : tensor<?x29xf32>
  %z29 = linalg.fill ins(%zero : f32) outs(%e29 : tensor<?x29xf32>) -> tensor<?x29xf32>
  %e5 = tensor.empty(%T) : tensor<?x5xf32>
  %z5 = linalg.fill ins(%zero : f32) outs(%e5 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %e12 = tensor.empty(%T) : tensor<?x12xf32>
  %z12 = linalg.fill ins(%zero : f32) outs(%e12 : tensor<?x12xf32>) -> tensor<?x12xf32>
  %b1 = moe.grouped_matmul ins(%x : tensor<?x12xf32>) weights(%big_up : tensor<1x12x29xf32>)
          offsets(%bo : tensor<2xi32>) indices(%bs : tensor<?xi32>)
              outs(%z29 : tensor<?x29xf32>) epilogue {
  ^bb0(%sum: f32, %row: index, %group: index):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x29xf32>
  %b2 = moe.grouped_matmul ins(%b1 : tensor<?x29xf32>) weights(%big_down : tensor<1x29x12xf32>)
          offsets(%bo : tensor<2xi32>) outs(%z12 : tensor<?x12xf32>) -> tensor<?x12xf32>
  %s1 = moe.grouped_matmul ins(%x : tensor<?x12xf32>) weights(%small_up : tensor<1x12x5xf32>)
          offsets(%so : tensor<2xi32>) indices(%ss : tensor<?xi32>)
              outs(%z5 : tensor<?x5xf32>) epilogue {
  ^bb0(%sum: f32, %row: index, %group: index):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x5xf32>
  %s2 = moe.grouped_matmul ins(%s1 : tensor<?x5xf32>) weights(%small_down : tensor<1x5x12xf32>)
          offsets(%so : tensor<2xi32>) outs(%z12 : tensor<?x12xf32>) -> tensor<?x12xf32>
  %y0 = moe.combine ins(%b2, %bp : tensor<?x12xf32>, tensor<?x1xi32>)
      outs(%x : tensor<?x12xf32>) -> tensor<?x12xf32>
  %y1 = moe.combine ins(%s2, %sp : tensor<?x12xf32>, tensor<?x1xi32>)
      outs(%y0 : tensor<?x12xf32>) -> tensor<?x12xf32>
  return %y1, %bo, %so : tensor<?x12xf32>, tensor<2xi32>, tensor<2xi32>
}
"""

# Sums of at most 29 products of about 1 in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"router": f(H, 3), "big_up": f(1, H, BIG) / 3, "big_down": f(1, BIG, H) / 3,
               "small_up": f(1, H, SMALL) / 3, "small_down": f(1, SMALL, H) / 3}
    return [{"x": f(t, H), **weights} for t in (26, 2)]


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    choice = (p["x"] @ p["router"]).argmax(1) * (not ablated)  # else the dense layer for all
    y = p["x"].copy()
    for t, c in enumerate(choice):
        if c < 2:
            name = ("big", "small")[c]
            y[t] += np.maximum(p["x"][t] @ p[name + "_up"][0], 0) @ p[name + "_down"][0]
    counts = [np.array([0, (choice == c).sum()], np.int32) for c in (0, 1)]
    return [y, *counts]
