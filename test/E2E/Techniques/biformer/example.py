"""BiFormer: Vision Transformer with Bi-Level Routing Attention

Theme: attention

Claim: Regions first choose the few regions that matter to them by the affinity of their means;
tokens then attend to the tokens of those only, with dense products.

Shown: The chosen regions are a table of pages: `attn.attend` reads keys and values of region
`table[b, j]` where they are, so that 3 of 9 regions are read and nothing is gathered.
"""

import numpy as np

REGIONS, TOKENS, HEADS, D, K = 9, 5, 2, 6, 3

MODULE = """
#r = affine_map<(i, j, h, d) -> (i, h, d)>
#c = affine_map<(i, j, h, d) -> (j, h, d)>
#a = affine_map<(i, j, h, d) -> (i, j)>
#all = affine_map<(r, h, d, t) -> (r, h, t, d)>
#mean = affine_map<(r, h, d, t) -> (r, h, d)>

// Regions x heads x tokens x channels.
func.func @main(%q: tensor<9x2x5x6xf32>, %k: tensor<9x2x5x6xf32>, %v: tensor<9x2x5x6xf32>)
    -> (tensor<9x2x5x6xf32>, tensor<9x3xi32>) {
  // A sum over a region's tokens orders like their mean.
  %z = arith.constant dense<0.0> : tensor<9x2x6xf32>
  %qr = linalg.generic {indexing_maps = [#all, #mean], iterator_types = ["parallel", "parallel",
      "parallel", "reduction"]}
      ins(%q : tensor<9x2x5x6xf32>) outs(%z : tensor<9x2x6xf32>) {
  ^bb0(%in: f32, %sum: f32):
    %s = arith.addf %in, %sum : f32
    linalg.yield %s : f32
  } -> tensor<9x2x6xf32>
  %kr = linalg.generic {indexing_maps = [#all, #mean], iterator_types = ["parallel", "parallel",
      "parallel", "reduction"]}
      ins(%k : tensor<9x2x5x6xf32>) outs(%z : tensor<9x2x6xf32>) {
  ^bb0(%in: f32, %sum: f32):
    %s = arith.addf %in, %sum : f32
    linalg.yield %s : f32
  } -> tensor<9x2x6xf32>
  %z9 = arith.constant dense<0.0> : tensor<9x9xf32>
  %affinity = weft.contract indexing_maps = [#r, #c, #a]
      ins(%qr, %kr : tensor<9x2x6xf32>, tensor<9x2x6xf32>)
                outs(%z9 : tensor<9x9xf32>) -> tensor<9x9xf32>
  %ev = tensor.empty() : tensor<9x3xf32>
  %ei = tensor.empty() : tensor<9x3xi64>
  %best, %chosen = weft.sort descending dimension = 1 ins(%affinity : tensor<9x9xf32>)
      outs(%ev, %ei : tensor<9x3xf32>, tensor<9x3xi64>) -> tensor<9x3xf32>, tensor<9x3xi64>
  %et = tensor.empty() : tensor<9x3xi32>
  %table = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j)
      -> (i, j)>],
                           iterator_types = ["parallel", "parallel"]}
      ins(%chosen : tensor<9x3xi64>) outs(%et : tensor<9x3xi32>) {
  ^bb0(%in: i64, %o: i32):
    %t = arith.trunci %in : i64 to i32
    linalg.yield %t : i32
  } -> tensor<9x3xi32>

  %lengths = arith.constant dense<15> : tensor<9xi32>
  %e = tensor.empty() : tensor<9x2x5x6xf32>
  %y = attn.attend layout = "bhsd,phtd,phte->bhse"
         ins(%q, %k, %v : tensor<9x2x5x6xf32>, tensor<9x2x5x6xf32>, tensor<9x2x5x6xf32>)
         key_lengths(%lengths : tensor<9xi32>) pages(%table : tensor<9x3xi32>)
         outs(%e : tensor<9x2x5x6xf32>) -> tensor<9x2x5x6xf32>
  return %y, %table : tensor<9x2x5x6xf32>, tensor<9x3xi32>
}
"""

# Sums of 6 products and exponentials of them, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"q": f(REGIONS, HEADS, TOKENS, D), "k": f(REGIONS, HEADS, TOKENS, D),
            "v": f(REGIONS, HEADS, TOKENS, D)}


def reference(inputs, ablated):
    q, k, v = (inputs[x].astype(np.float64) for x in "qkv")
    mean = lambda x: x.mean(2).reshape(REGIONS, -1)
    affinity = mean(q) @ mean(k).T
    chosen = np.argsort(-affinity, axis=1, kind="stable")[:, :K]
    y = np.zeros_like(q)
    for r in range(REGIONS):
        mine = range(REGIONS) if ablated else chosen[r]
        for h in range(HEADS):
            keys, values = (np.concatenate([x[j, h] for j in mine]) for x in (k, v))
            score = np.exp(q[r, h] @ keys.T / np.sqrt(D))
            y[r, h] = score / score.sum(1, keepdims=True) @ values
    return [y, chosen.astype(np.int32)]
