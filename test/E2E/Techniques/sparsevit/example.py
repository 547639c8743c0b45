"""SparseViT: Revisiting Activation Sparsity for Efficient High-Resolution Vision Transformer

Theme: sparsity

Claim: Windows of a window-attention transformer are scored by the norm of their activations, and only
the best share of each layer is computed: 60 % of the windows dropped, 50 % less latency, no accuracy
lost.

Shown: Norms of windows, `sparse.topk_mask`, `sparse.compact` of the 4 best of any number of windows,
attention and residual in these alone, `sparse.expand` back between the windows that stay as they were.
"""

import numpy as np

P, D, KEEP = 6, 8, 4  # positions of a window, channels, windows kept

MODULE = """
#window = affine_map<(w, p, d) -> (w, p, d)>
#score = affine_map<(w, p, d) -> (w)>
#same = affine_map<(w, p, d) -> (w, p, d)>

func.func @main(%n: index {weft.symbol = "n"},
                %x: tensor<?x6x8xf32> {weft.name = "x", weft.dims = ["n", 6, 8]})
    -> (tensor<?x6x8xf32>, tensor<4xi32>) {
  %zero = arith.constant 0.0 : f32
  %none = tensor.empty(%n) : tensor<?xf32>
  %start = linalg.fill ins(%zero : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
  %norms = linalg.generic {indexing_maps = [#window, #score],
                           iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x : tensor<?x6x8xf32>) outs(%start : tensor<?xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %square = arith.mulf %v, %v : f32
    %next = arith.addf %sum, %square : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %bits = tensor.empty(%n) : tensor<?xi8>
  %mask = sparse.topk_mask k = 4 dimension = 0 ins(%norms : tensor<?xf32>)
            outs(%bits : tensor<?xi8>) -> tensor<?xi8>
  %few = tensor.empty() : tensor<4x6x8xf32>
  %places = tensor.empty() : tensor<4xi32>
  %kept, %positions = sparse.compact dimension = 0 ins(%x, %mask : tensor<?x6x8xf32>, tensor<?xi8>)
      outs(%few, %places : tensor<4x6x8xf32>, tensor<4xi32>) -> tensor<4x6x8xf32>, tensor<4xi32>
  %attention = attn.attend layout = "bsd,btd,bte->bse"
      ins(%kept, %kept, %kept : tensor<4x6x8xf32>, tensor<4x6x8xf32>, tensor<4x6x8xf32>)
      outs(%few : tensor<4x6x8xf32>) -> tensor<4x6x8xf32>
  %residual = linalg.generic {indexing_maps = [#same, #same, #same],
                              iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%kept, %attention : tensor<4x6x8xf32>, tensor<4x6x8xf32>) outs(%few : tensor<4x6x8xf32>) {
  ^bb0(%v: f32, %a: f32, %old: f32):
    %sum = arith.addf %v, %a : f32
    linalg.yield %sum : f32
  } -> tensor<4x6x8xf32>
  %y = sparse.expand dimension = 0 ins(%residual, %positions : tensor<4x6x8xf32>, tensor<4xi32>)
         outs(%x : tensor<?x6x8xf32>) -> tensor<?x6x8xf32>
  return %y, %positions : tensor<?x6x8xf32>, tensor<4xi32>
}
"""

# Exponentials of scores of about 8 in f32.
TOLERANCE = 1e-5


def inputs(rng):
    return [{"x": (rng.standard_normal((n, P, D)) * rng.uniform(0.3, 1.5, (n, 1, 1))).astype(np.float32)}
            for n in (11, 4, 2, 25)]


def reference(inputs, ablated):
    """Ablated: every window is computed (and where all are kept, none)."""
    x = inputs["x"].astype(np.float64)
    order = np.argsort(-(x ** 2).sum((1, 2)), kind="stable")
    kept = np.sort(order[:KEEP])
    positions = np.full(KEEP, -1, np.int32)
    positions[:kept.size] = kept
    if ablated:
        kept = np.arange(len(x)) if len(x) > KEEP else np.arange(0)
    y = x.copy()
    for w in kept:
        scores = x[w] @ x[w].T / np.sqrt(D)
        weights = np.exp(scores - scores.max(1, keepdims=True))
        y[w] = x[w] + weights / weights.sum(1, keepdims=True) @ x[w]
    return [y, positions]
