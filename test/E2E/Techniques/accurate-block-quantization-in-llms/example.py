"""Accurate Block Quantization in LLMs with Outliers

Theme: quantization

Claim: With channels permuted so that outliers share blocks, block floating point of low precision holds
weights and caches at half the memory without degradation; the permutation is free at run time.

Shown: Both factors are 5-bit mantissas with an exponent for 8 permuted channels
(`#lowp.in_basis<..., #lowp.permutation<"outliers">>`, which the verifier wants of both); the activation
is permuted and quantized in the module by `mx_ceil`.
"""

import numpy as np

import encode

N, K, BLOCK, BITS = 13, 40, 8, 5

LEAF = ("#weft.format<elem = #lowp.int<5, signed>, "
        "scales = [#lowp.scale<multiply, [1, 8], #weft.format<elem = #lowp.float<f8E8M0FNU>>>]>")

MODULE = f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<13x40xf32, #lowp.in_basis<{LEAF}, 1, #lowp.permutation<"outliers">>>
!activation = !weft.packed<?x40xf32, #lowp.in_basis<{LEAF}, 1, #lowp.permutation<"outliers">>>

func.func @main(%t: index {{weft.symbol = "t"}},
                %x: tensor<?x40xf32> {{weft.name = "x", weft.dims = ["t", 40]}},
                %order: tensor<40xi32>, %codes: tensor<325xi8>, %exponents: tensor<13x5xi8>)
    -> tensor<?x13xf32> {{
  %w = weft.assemble %codes, %exponents : tensor<325xi8>, tensor<13x5xi8> -> !weight
  %together = lowp.rotate %x by #lowp.permutation<"outliers"> along 1 (%order : tensor<40xi32>)
    : tensor<?x40xf32>
  %q = lowp.quantize %together by mx_ceil : tensor<?x40xf32> -> !activation
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x13xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x13xf32>) -> tensor<?x13xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%q, %w : !activation, !weight)
         outs(%init : tensor<?x13xf32>) -> tensor<?x13xf32>
  return %y : tensor<?x13xf32>
}}
"""

# Sums of 40 products in f32; no number lies between two codes.
TOLERANCE = 1e-5


def block_float(x):
    """Blocks by 2^(ceil(log2(largest)) - 3), the exponent of 15 being 3; also the codes."""
    blocks = x.astype(np.float64).reshape(len(x), -1, BLOCK)
    exponent = np.ceil(np.log2(abs(blocks).max(-1))) - 3
    exact = blocks / 2 ** exponent[..., None]
    codes = np.clip(np.rint(exact), -16, 15)
    ties = abs(exact - np.floor(exact) - 0.5).min()
    return codes, exponent, (codes * 2 ** exponent[..., None]).reshape(x.shape), ties


def inputs(rng):
    size = np.where(np.arange(K) % 5 == 2, 12.0, 1.0)  # 8 outlier channels, one in each block
    order = np.argsort(-size, kind="stable").astype(np.int32)
    weight = rng.standard_normal((N, K)).astype(np.float32)
    codes, exponents, _, _ = block_float(weight[:, order])
    calls = []
    for t in (1, 6):
        while True:
            x = (rng.standard_normal((t, K)) * size).astype(np.float32)
            if block_float(x[:, order])[3] > 1e-5:
                break
        calls.append({"x": x, "order": order, "codes": encode.bits(codes, BITS),
                      "exponents": (exponents + 127).astype(np.uint8).view(np.int8), "_weight": weight})
    return calls


def reference(inputs, ablated):
    """Ablated: channels where they are."""
    order = np.arange(K) if ablated else inputs["order"]
    x, w = (block_float(inputs[n][:, order])[2] for n in ("x", "_weight"))
    return [x @ w.T]


def check(example):
    """What the activation loses to its blocks is a third less than unpermuted."""
    given = example.calls[1][0]
    x, order = given["x"].astype(np.float64), given["order"]
    lost = [((block_float(y)[2] - y) ** 2).sum() for y in (x[:, order], x)]
    assert lost[0] < lost[1] * 2 / 3, lost
