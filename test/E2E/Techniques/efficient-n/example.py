"""Efficient N:M Sparse DNN Training Using Algorithm, Architecture, and Dataflow Co-Design

Theme: sparsity

Claim: BDWP prunes N:M in both directions: weights of the forward pass in groups along the inputs,
those of the backward pass along the outputs, so that both multiply sparse (2:8 saves most).

Shown: One dense master weight is pruned twice in the module, packed as `#sparse.nm<2, 8>` and
`#sparse.nm<2, 8, axis = 0>`, and gives y = W_f x and dx = W_b^T dy; group ends are cut off.
"""

import numpy as np

N, K = 19, 29

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#wt = affine_map<(t, n, k) -> (k, n)>
#y = affine_map<(t, n, k) -> (t, n)>
!forward = !weft.packed<19x29xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.nm<2, 8>>>
!backward = !weft.packed<19x29xf32, #weft.format<elem = #weft.value<f32>,
                                                 structure = #sparse.nm<2, 8, axis = 0>>>

func.func @main(%t: index {weft.symbol = "t"}, %w: tensor<19x29xf32>,
                %x: tensor<?x29xf32> {weft.name = "x", weft.dims = ["t", 29]},
                %dy: tensor<?x19xf32> {weft.name = "dy", weft.dims = ["t", 19]})
    -> (tensor<?x19xf32>, tensor<?x29xf32>) {
  %forward = weft.pack %w : tensor<19x29xf32> -> !forward
  %backward = weft.pack %w : tensor<19x29xf32> -> !backward
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty(%t) : tensor<?x19xf32>
  %z0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x19xf32>) -> tensor<?x19xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %forward : tensor<?x29xf32>, !forward)
         outs(%z0 : tensor<?x19xf32>) -> tensor<?x19xf32>
  %e1 = tensor.empty(%t) : tensor<?x29xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x29xf32>) -> tensor<?x29xf32>
  %dx = weft.contract indexing_maps = [#x, #wt, #y]
      ins(%dy, %backward : tensor<?x19xf32>, !backward)
          outs(%z1 : tensor<?x29xf32>) -> tensor<?x29xf32>
  return %y, %dx : tensor<?x19xf32>, tensor<?x29xf32>
}
"""

# Sums of at most 8 products in f32.
TOLERANCE = 3e-6


def inputs(rng):
    weight = rng.standard_normal((N, K)).astype(np.float32)
    return [{"w": weight, "x": rng.standard_normal((t, K)).astype(np.float32),
             "dy": rng.standard_normal((t, N)).astype(np.float32)} for t in (3, 1)]


def largest(weight):
    """The two largest of every eight along the last dimension."""
    kept = np.zeros(weight.shape)
    for row, out in zip(weight, kept):
        for start in range(0, row.size, 8):
            for i in sorted(range(start, min(start + 8, row.size)), key=lambda i: -abs(row[i]))[:2]:
                out[i] = row[i]
    return kept


def reference(inputs, ablated):
    """Ablated: one mask for both directions."""
    forward = largest(inputs["w"])
    backward = forward if ablated else largest(inputs["w"].T).T
    return [inputs["x"] @ forward.T, inputs["dy"] @ backward]
