"""Flash-LLM: Enabling Cost-Effective and Highly-Efficient Large Generative Model Inference with Unstructured Sparsity

Theme: sparsity

Claim: Skinny products with unstructured sparse weights load tiles as sparse and compute them as
dense, since generation is limited by bandwidth: up to 3.8 times faster than other systems.

Shown: f16 weights of 80 % zeros, stored with a bit each (`#sparse.bitmap`), times 1, 8 and 13 tokens;
no tensor of the dense weights exists, and what is stored is less than half of their bytes.
"""

import numpy as np

import encode

N, K = 70, 100

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<70x100xf32, #weft.format<elem = #weft.value<f16>, structure = #sparse.bitmap>>

func.func @main(%t: index {weft.symbol = "t"}, %stored: index {weft.symbol = "stored"},
                %x: tensor<?x100xf16> {weft.name = "x", weft.dims = ["t", 100]},
                %codes: tensor<?xi16> {weft.name = "codes", weft.dims = ["stored"]},
                %words: tensor<70x2xi64>, %offsets: tensor<70x2xi32>) -> tensor<?x70xf32> {
  %w = weft.assemble %codes, %words, %offsets
    : tensor<?xi16>, tensor<70x2xi64>, tensor<70x2xi32> -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x70xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x70xf32>) -> tensor<?x70xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x100xf16>, !weight)
         outs(%init : tensor<?x70xf32>) -> tensor<?x70xf32>
  return %y : tensor<?x70xf32>
}
"""

# Sums of about 20 products in f32.
TOLERANCE = 3e-6


def inputs(rng):
    weight = np.where(rng.random((N, K)) < 0.2, rng.standard_normal((N, K)), 0).astype(np.float16)
    words, offsets = encode.bitmap(weight != 0)
    return [{"x": rng.standard_normal((t, K)).astype(np.float16),
             "codes": weight[weight != 0].view(np.int16), "words": words, "offsets": offsets,
             "_weight": weight} for t in (1, 8, 13)]


def reference(inputs, ablated):
    """Ablated: the stored numbers where their bits do not say."""
    weight = inputs["_weight"].astype(np.float64)
    if ablated:
        weight = np.sort(weight, axis=1)
    return [inputs["x"].astype(np.float64) @ weight.T]


def check(example):
    given = example.calls[0][0]
    stored = sum(given[k].nbytes for k in ("codes", "words", "offsets"))
    assert stored < N * K * 2 / 2, stored
    text = example.module.after("fuse")
    assert not any(f"tensor<70x100x{t}>" in text for t in ("f32", "f16"))
