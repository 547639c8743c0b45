"""PV-Tuning: Beyond Straight-Through Estimation for Extreme LLM Compression

Theme: quantization

Claim: Vector quantization at 1 to 2 bits a weight, with codes and codebooks tuned together, is the first
Pareto-optimal one of Llama 2 at 2 bits.

Shown: `#weft.sum` of two `#lowp.codebook<6, 4>` (12 bits for 4 weights, with two tables of 64 entries)
with a scale a row; one step of both kinds: codebooks by least squares, then codes to the nearest entry.
"""

import numpy as np

import encode

N, K, SIZE, BITS = 16, 24, 4, 6

BOOK = "#weft.format<elem = #lowp.codebook<6, 4, [], f16>, scales = [#lowp.scale<multiply, [1, 0], f32>]>"

MODULE = f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<16x24xf32, #weft.sum<[{BOOK}, {BOOK}]>>

func.func @main(%t: index {{weft.symbol = "t"}},
                %x: tensor<?x24xf32> {{weft.name = "x", weft.dims = ["t", 24]}},
                %codes0: tensor<72xi8>, %table0: tensor<64x4xf16>,
                %codes1: tensor<72xi8>, %table1: tensor<64x4xf16>, %scales: tensor<16x1xf32>)
    -> tensor<?x16xf32> {{
  %w = weft.assemble %codes0, %table0, %scales, %codes1, %table1, %scales
    : tensor<72xi8>, tensor<64x4xf16>, tensor<16x1xf32>, tensor<72xi8>, tensor<64x4xf16>, tensor<16x1xf32>
    -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x16xf32>) -> tensor<?x16xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x24xf32>, !weight)
         outs(%init : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}}
"""

# Sums of 24 products of numbers that are sums of two, in f32.
TOLERANCE = 5e-6


def tune(vectors, books, codes):
    """One round: each codebook to the mean of what the other leaves, then the codes, one at a time."""
    for at in (0, 1):
        rest = vectors - books[1 - at][codes[1 - at]]
        for entry in np.unique(codes[at]):
            books[at][entry] = rest[codes[at] == entry].mean(0)
        codes[at] = ((rest[:, None] - books[at]) ** 2).sum(-1).argmin(1)


def inputs(rng):
    weight = rng.standard_normal((N, K))
    scale = abs(weight).mean(1, keepdims=True).astype(np.float32)
    vectors = (weight / scale).reshape(-1, SIZE)
    books = [rng.standard_normal((1 << BITS, SIZE)) * s for s in (1, 0.5)]
    codes = [((vectors[:, None] - books[0]) ** 2).sum(-1).argmin(1)]
    codes.append(((vectors[:, None] - books[0][codes[0]][:, None] - books[1]) ** 2).sum(-1).argmin(1))
    calls = []
    for step in (0, 2):
        for _ in range(step):
            tune(vectors, books, codes)
        given = {"x": rng.standard_normal((1 + step, K)).astype(np.float32)}
        for i in (0, 1):
            given |= {f"codes{i}": encode.bits(codes[i], BITS), f"table{i}": books[i].astype(np.float16)}
        calls.append(given | {"scales": scale, "_codes": [c.copy() for c in codes], "_weight": weight})
    return calls


def decoded(inputs, terms):
    """Each four neighbours are the sum of an entry of either table."""
    vectors = sum(inputs[f"table{i}"].astype(np.float64)[inputs["_codes"][i]] for i in range(terms))
    return vectors.reshape(N, K) * inputs["scales"].astype(np.float64)


def reference(inputs, ablated):
    """Ablated: one codebook."""
    return [inputs["x"].astype(np.float64) @ decoded(inputs, 1 if ablated else 2).T]


def check(example):
    """Each round of tuning brings the weights nearer; 3 bits a weight without tables and scales."""
    first, last = (((decoded(c[0], 2) - c[0]["_weight"]) ** 2).sum() for c in example.calls)
    assert last < first, (first, last)
    assert sum(example.calls[0][0][f"codes{i}"].nbytes for i in (0, 1)) * 8 == 3 * N * K
