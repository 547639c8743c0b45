"""MoS: Unleashing Parameter Efficiency of Low-Rank Adaptation with Mixture of Shards

Theme: structured-matrix

Claim: The low-rank factors of all layers are put together from vector shards of two global pools, with
some shards private to a layer: about 8 times fewer parameters than LoRA.

Shown: Lists of indices gather the rows of A and B from the pools (`weft.embed`), whose shards layers
share; the two factors are applied one after the other to any number of tokens.
"""

import numpy as np

K, N, RANK = 24, 20, 4
PARTS_A, PARTS_B = 3, 4  # shards in a row of A, and of B
SHARED, PRIVATE = 9, 2

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#b = affine_map<(t, n, k) -> (k, n)>
#y = affine_map<(t, n, k) -> (t, n)>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x24xf32> {weft.name = "x", weft.dims = ["t", 24]},
                %weight: tensor<20x24xf32>, %pool_a: tensor<11x8xf32>, %pool_b: tensor<11x5xf32>,
                %ids_a: tensor<4x3xi32>, %ids_b: tensor<4x4xi32>) -> tensor<?x20xf32> {
  %shards_a = tensor.empty() : tensor<4x3x8xf32>
  %shards_b = tensor.empty() : tensor<4x4x5xf32>
  %gathered_a = weft.embed ins(%pool_a, %ids_a : tensor<11x8xf32>, tensor<4x3xi32>)
                  outs(%shards_a : tensor<4x3x8xf32>) -> tensor<4x3x8xf32>
  %gathered_b = weft.embed ins(%pool_b, %ids_b : tensor<11x5xf32>, tensor<4x4xi32>)
                  outs(%shards_b : tensor<4x4x5xf32>) -> tensor<4x4x5xf32>
  %a = tensor.collapse_shape %gathered_a [[0], [1, 2]] : tensor<4x3x8xf32> into tensor<4x24xf32>
  %b = tensor.collapse_shape %gathered_b [[0], [1, 2]] : tensor<4x4x5xf32> into tensor<4x20xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %inner = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %a : tensor<?x24xf32>, tensor<4x24xf32>)
             outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %wide = tensor.empty(%t) : tensor<?x20xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%wide : tensor<?x20xf32>) -> tensor<?x20xf32>
  %base = weft.contract indexing_maps = [#x, #w, #y]
            ins(%x, %weight : tensor<?x24xf32>, tensor<20x24xf32>)
            outs(%zeros : tensor<?x20xf32>) -> tensor<?x20xf32>
  %y = weft.contract indexing_maps = [#x, #b, #y]
      ins(%inner, %b : tensor<?x4xf32>, tensor<4x20xf32>)
         outs(%base : tensor<?x20xf32>) -> tensor<?x20xf32>
  return %y : tensor<?x20xf32>
}
"""

# Sums of 24 products and of 4, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weight, pool_a, pool_b = normal(N, K), normal(SHARED + PRIVATE, 8), normal(SHARED + PRIVATE, 5)
    calls = []
    for layer, t in enumerate((1, 7)):
        # Pairs are dissociated: A and B have lists of their own. The last row is private.
        ids_a = rng.integers(0, SHARED, (RANK, PARTS_A)).astype(np.int32)
        ids_b = rng.integers(0, SHARED, (RANK, PARTS_B)).astype(np.int32)
        ids_a[-1], ids_b[-1] = SHARED + layer, SHARED + layer
        calls.append({"x": normal(t, K), "weight": weight, "pool_a": pool_a, "pool_b": pool_b,
                      "ids_a": ids_a, "ids_b": ids_b})
    return calls


def reference(inputs, ablated):
    """Without the pools the adapter is one that nothing was gathered for: the base alone."""
    x, weight = (inputs[k].astype(np.float64) for k in ("x", "weight"))
    a = np.stack([np.concatenate([inputs["pool_a"][i] for i in row]) for row in inputs["ids_a"]])
    b = np.stack([np.concatenate([inputs["pool_b"][i] for i in row]) for row in inputs["ids_b"]])
    delta = b.T.astype(np.float64) @ a.astype(np.float64)
    return [x @ (weight if ablated else weight + delta).T]
