"""3-in-1: 2D Rotary Adaptation for Efficient Finetuning, Efficient Batching and Composability

Theme: structured-matrix

Claim: A layer's outputs are rotated in pairs by learned angles and scaled: less than 0.1 % of the
parameters, and requests with different adapters in one batch cost an elementwise product.

Shown: A batch whose rows have adapters of their own, gathered by id: h' = a h + b swap(h), without
any product with an adapter's matrix.
"""

import numpy as np

K, N, ADAPTERS = 11, 14, 5

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#pair = affine_map<(t, i, j) -> (t, i)>
#turned = affine_map<(t, i, j) -> (t, i, j)>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x11xf32> {weft.name = "x", weft.dims = ["t", 11]},
                %weight: tensor<14x11xf32>, %cosines: tensor<5x7xf32>, %sines: tensor<5x7xf32>,
                %adapters: tensor<?xi64> {weft.name = "adapters", weft.dims = ["t"]})
    -> tensor<?x14xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x14xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x14xf32>) -> tensor<?x14xf32>
  %h = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %weight : tensor<?x11xf32>, tensor<14x11xf32>)
         outs(%init : tensor<?x14xf32>) -> tensor<?x14xf32>
  %row = tensor.empty(%t) : tensor<?x7xf32>
  %a = weft.embed ins(%cosines, %adapters : tensor<5x7xf32>, tensor<?xi64>)
         outs(%row : tensor<?x7xf32>) -> tensor<?x7xf32>
  %b = weft.embed ins(%sines, %adapters : tensor<5x7xf32>, tensor<?xi64>)
         outs(%row : tensor<?x7xf32>) -> tensor<?x7xf32>
  %even = tensor.extract_slice %h[0, 0] [%t, 7] [1, 2] : tensor<?x14xf32> to tensor<?x7xf32>
  %odd = tensor.extract_slice %h[0, 1] [%t, 7] [1, 2] : tensor<?x14xf32> to tensor<?x7xf32>
  %pairs = tensor.empty(%t) : tensor<?x7x2xf32>
  %rotated = linalg.generic {indexing_maps = [#pair, #pair, #pair, #pair, #turned],
                             iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%even, %odd, %a, %b : tensor<?x7xf32>, tensor<?x7xf32>, tensor<?x7xf32>, tensor<?x7xf32>)
      outs(%pairs : tensor<?x7x2xf32>) {
  ^bb0(%v0: f32, %v1: f32, %c: f32, %s: f32, %old: f32):
    %j = linalg.index 2 : index
    %c0 = arith.constant 0 : index
    %first = arith.cmpi eq, %j, %c0 : index
    %own = arith.select %first, %v0, %v1 : f32
    %minus = arith.negf %v1 : f32
    %other = arith.select %first, %minus, %v0 : f32
    %p = arith.mulf %own, %c : f32
    %q = arith.mulf %other, %s : f32
    %sum = arith.addf %p, %q : f32
    linalg.yield %sum : f32
  } -> tensor<?x7x2xf32>
  %y = tensor.collapse_shape %rotated [[0], [1, 2]] : tensor<?x7x2xf32> into tensor<?x14xf32>
  return %y : tensor<?x14xf32>
}
"""

# Sums of 11 products in f32.
TOLERANCE = 5e-6


def inputs(rng):
    angle, size = rng.uniform(-3, 3, (ADAPTERS, N // 2)), rng.uniform(0.5, 2, (ADAPTERS, N // 2))
    weight = rng.standard_normal((N, K)).astype(np.float32)
    return [{"x": rng.standard_normal((t, K)).astype(np.float32), "weight": weight,
             "cosines": (size * np.cos(angle)).astype(np.float32),
             "sines": (size * np.sin(angle)).astype(np.float32),
             "adapters": rng.integers(0, ADAPTERS, t), "_angle": angle, "_size": size}
            for t in (6, 1)]


def reference(inputs, ablated):
    """Complex numbers are rotated; without the ids, all rows by the first adapter."""
    h = inputs["x"].astype(np.float64) @ inputs["weight"].astype(np.float64).T
    ids = np.zeros_like(inputs["adapters"]) if ablated else inputs["adapters"]
    if ablated and not inputs["adapters"].any():
        ids = ids + 1
    turn = inputs["_size"][ids] * np.exp(1j * inputs["_angle"][ids])
    z = (h[:, 0::2] + 1j * h[:, 1::2]) * turn
    return [np.stack([z.real, z.imag], -1).reshape(h.shape)]
