"""Separable Self-attention for Mobile Vision Transformers

Theme: attention

Claim: One score a token, a softmax over tokens and one context vector, multiplied with every token
by elements, is attention of linear cost without products of tokens: MobileViTv2 is 3.2 times
faster than MobileViT on a phone.

Shown: `attn.attend` with a single query, the learned latent token, makes the context vector; no
tensor of tokens x tokens exists, and the number of tokens is dynamic.
"""

import numpy as np

B, C = 2, 9

MODULE = """
#x = affine_map<(b, t, o, i) -> (b, t, i)>
#w = affine_map<(b, t, o, i) -> (i, o)>
#y = affine_map<(b, t, o, i) -> (b, t, o)>
#btc = affine_map<(b, t, c) -> (b, t, c)>
#bc = affine_map<(b, t, c) -> (b, c)>

func.func @main(%T: index {weft.symbol = "T"},
    %x: tensor<2x?x9xf32> {weft.name = "x", weft.dims = [2, "T", 9]},
    %latent: tensor<9xf32>, %w_k: tensor<9x9xf32>, %w_v: tensor<9x9xf32>, %w_o: tensor<9x9xf32>)
    -> tensor<2x?x9xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%T) : tensor<2x?x9xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<2x?x9xf32>) -> tensor<2x?x9xf32>
  %keys = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w_k : tensor<2x?x9xf32>, tensor<9x9xf32>)
            outs(%z : tensor<2x?x9xf32>) -> tensor<2x?x9xf32>
  %eq = tensor.empty() : tensor<2x1x9xf32>
  %query = linalg.broadcast ins(%latent : tensor<9xf32>)
      outs(%eq : tensor<2x1x9xf32>) dimensions = [0, 1]
  %ec = tensor.empty() : tensor<2x1x9xf32>
  %context = attn.attend scale = 1.0 layout = "bsd,btd,bte->bse"
               ins(%query, %x, %keys : tensor<2x1x9xf32>, tensor<2x?x9xf32>, tensor<2x?x9xf32>)
               outs(%ec : tensor<2x1x9xf32>) -> tensor<2x1x9xf32>
  %vector = tensor.collapse_shape %context [[0, 1], [2]] : tensor<2x1x9xf32> into tensor<2x9xf32>
  %values = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w_v : tensor<2x?x9xf32>, tensor<9x9xf32>)
              outs(%z : tensor<2x?x9xf32>) -> tensor<2x?x9xf32>
  %mixed = linalg.generic {indexing_maps = [#btc, #bc, #btc], iterator_types = ["parallel",
      "parallel", "parallel"]}
      ins(%values, %vector : tensor<2x?x9xf32>, tensor<2x9xf32>) outs(%e : tensor<2x?x9xf32>) {
  ^bb0(%v: f32, %c: f32, %o: f32):
    %relu = arith.maximumf %v, %zero : f32
    %p = arith.mulf %relu, %c : f32
    linalg.yield %p : f32
  } -> tensor<2x?x9xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y]
      ins(%mixed, %w_o : tensor<2x?x9xf32>, tensor<9x9xf32>)
         outs(%z : tensor<2x?x9xf32>) -> tensor<2x?x9xf32>
  return %y : tensor<2x?x9xf32>
}
"""

# Sums of 9 products three times and a softmax over 31 tokens, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"latent": f(C), "w_k": f(C, C), "w_v": f(C, C), "w_o": f(C, C)}
    return [{"x": f(B, t, C), **weights} for t in (31, 2, 0)]


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    y = np.zeros_like(p["x"])
    for b, x in enumerate(p["x"]):
        if not len(x):
            continue
        score = np.exp(x @ (0 * p["latent"] if ablated else p["latent"]))
        context = score / score.sum() @ (x @ p["w_k"])
        y[b] = np.maximum(x @ p["w_v"], 0) * context @ p["w_o"]
    return [y]


def check(example):
    # No tensor has tokens twice.
    assert "?x?x" not in example.module.after("fuse")
