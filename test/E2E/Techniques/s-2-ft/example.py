"""S^{2}FT: Efficient, Scalable and Generalizable LLM Fine-tuning by Structured Sparsity

Theme: sparsity

Claim: A few heads and channels are selected and permuted together on both sides of coupled matrices, so
that what is trained is a dense part; adapters are deltas that switch, fuse and batch.

Shown: W2 relu(W1 x) with `#weft.sum<[base, channels]>`: rows of W1 and the same columns of W2 as
`#sparse.channels` of 3 neurons; two adapters with different neurons are switched between calls.
"""

import numpy as np

D, INNER, TRAINED = 14, 26, 3

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#cell = affine_map<(t, n) -> (t, n)>
!up = !weft.packed<26x14xf32, #weft.sum<[#weft.dense,
  #weft.format<elem = #weft.value<f32>, structure = #sparse.channels<axis = 0, i16, count = 3>>]>>
!down = !weft.packed<14x26xf32, #weft.sum<[#weft.dense,
  #weft.format<elem = #weft.value<f32>, structure = #sparse.channels<axis = 1, i16, count = 3>>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x14xf32> {weft.name = "x", weft.dims = ["t", 14]},
                %up: tensor<26x14xf32>, %down: tensor<14x26xf32>, %neurons: tensor<3xi16>,
                %rows: tensor<3x14xi32>, %columns: tensor<14x3xi32>) -> tensor<?x14xf32> {
  %w1 = weft.assemble %up, %rows, %neurons
    : tensor<26x14xf32>, tensor<3x14xi32>, tensor<3xi16> -> !up
  %w2 = weft.assemble %down, %columns, %neurons
    : tensor<14x26xf32>, tensor<14x3xi32>, tensor<3xi16> -> !down
  %zero = arith.constant 0.0 : f32
  %wide = tensor.empty(%t) : tensor<?x26xf32>
  %z0 = linalg.fill ins(%zero : f32) outs(%wide : tensor<?x26xf32>) -> tensor<?x26xf32>
  %inner = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w1 : tensor<?x14xf32>, !up)
             outs(%z0 : tensor<?x26xf32>) -> tensor<?x26xf32>
  %active = linalg.generic {indexing_maps = [#cell, #cell],
      iterator_types = ["parallel", "parallel"]}
      ins(%inner : tensor<?x26xf32>) outs(%wide : tensor<?x26xf32>) {
  ^bb0(%v: f32, %old: f32):
    %nothing = arith.constant 0.0 : f32
    %m = arith.maximumf %v, %nothing : f32
    linalg.yield %m : f32
  } -> tensor<?x26xf32>
  %empty = tensor.empty(%t) : tensor<?x14xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x14xf32>) -> tensor<?x14xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%active, %w2 : tensor<?x26xf32>, !down)
         outs(%z1 : tensor<?x14xf32>) -> tensor<?x14xf32>
  return %y : tensor<?x14xf32>
}
"""

# Sums of 14 and of 26 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    up, down, calls = normal(INNER, D), normal(D, INNER), []
    for t in (4, 1):
        neurons = np.sort(rng.permutation(INNER)[:TRAINED]).astype(np.int16)
        calls.append({"x": normal(t, D), "up": up, "down": down, "neurons": neurons,
                      "rows": normal(TRAINED, D).view(np.int32),
                      "columns": normal(D, TRAINED).view(np.int32)})
    return calls


def reference(inputs, ablated):
    """The co-permuted form: trained neurons first, both matrices cut in two dense parts."""
    order = np.concatenate([inputs["neurons"], np.setdiff1d(np.arange(INNER), inputs["neurons"])])
    up, down = inputs["up"].astype(np.float64)[order], inputs["down"].astype(np.float64)[:, order]
    if not ablated:
        up[:TRAINED] += inputs["rows"].view(np.float32)
        down[:, :TRAINED] += inputs["columns"].view(np.float32)
    return [np.maximum(inputs["x"] @ up.T, 0) @ down.T]
