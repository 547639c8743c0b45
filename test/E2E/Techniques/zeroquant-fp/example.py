"""ZeroQuant-FP: A Leap Forward in LLMs Post-Training W4A8 Quantization Using Floating-Point Formats

Theme: quantization

Claim: FP4 weights and FP8 activations do better than integers of the same widths; scales restricted to
powers of two make FP4 to FP8 a shift, and a low-rank term (LoRC) takes back part of the error.

Shown: `#weft.sum` of E2M1 in groups of 16 with exponents as scales (`f8E8M0FNU`) and the rank-3 SVD of
the error in 8 bits, times activations encoded as E4M3 a token in the module.
"""

import ml_dtypes as ml
import numpy as np

import encode

N, K, GROUP, RANK = 20, 48, 16, 3

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<20x48xf32, #weft.sum<[
  #weft.format<elem = #lowp.float<f4E2M1FN>,
               scales = [#lowp.scale<multiply, [1, 16], #weft.format<elem = #lowp.float<f8E8M0FNU>>>]>,
  #weft.low_rank<3,
    #weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<multiply, [0, 1], f32>]>,
    #weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<multiply, [1, 0], f32>]>>]>>
!token = !weft.packed<?x48xf32, #weft.format<elem = #lowp.float<f8E4M3FN>,
                                             scales = [#lowp.scale<multiply, [1, 0], f32>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x48xf32> {weft.name = "x", weft.dims = ["t", 48]},
                %codes: tensor<480xi8>, %exponents: tensor<20x3xi8>,
                %left: tensor<20x3xi8>, %left_scales: tensor<1x3xf32>,
                %right: tensor<3x48xi8>, %right_scales: tensor<3x1xf32>) -> tensor<?x20xf32> {
  %w = weft.assemble %codes, %exponents, %left, %left_scales, %right, %right_scales
    : tensor<480xi8>, tensor<20x3xi8>, tensor<20x3xi8>, tensor<1x3xf32>, tensor<3x48xi8>, tensor<3x1xf32>
    -> !weight
  %q = lowp.quantize %x by absmax : tensor<?x48xf32> -> !token
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x20xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x20xf32>) -> tensor<?x20xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%q, %w : !token, !weight)
         outs(%init : tensor<?x20xf32>) -> tensor<?x20xf32>
  return %y : tensor<?x20xf32>
}
"""

# Sums of 48 products in f32; no activation lies between two codes.
TOLERANCE = 1e-5

FP4 = np.arange(16, dtype=np.uint8).view(ml.float4_e2m1fn).astype(np.float64)
FP8 = np.arange(256, dtype=np.uint8).view(ml.float8_e4m3fn).astype(np.float64)
FP8 = np.unique(FP8[np.isfinite(FP8)])


def to_bytes(factor, axis):
    scale = (abs(factor).max(axis, keepdims=True) / 127).astype(np.float32)
    return np.rint(factor / scale).astype(np.int8), scale


def inputs(rng):
    weight = rng.standard_normal((N, K)) * 0.1
    groups = weight.reshape(N, -1, GROUP)
    exponent = np.ceil(np.log2(abs(groups).max(-1) / 6))
    codes = abs(groups[..., None] / 2 ** exponent[..., None, None] - FP4).argmin(-1)
    base = (FP4[codes] * 2 ** exponent[..., None]).reshape(N, K)
    u, s, vt = np.linalg.svd(weight - base)
    left, left_scales = to_bytes(u[:, :RANK] * s[:RANK], 0)
    right, right_scales = to_bytes(vt[:RANK], 1)
    calls = []
    for t in (1, 7):
        while True:
            x = rng.standard_normal((t, K)).astype(np.float32)
            if (nearest(x)[1] > 1e-4).all():
                break
        calls.append({"x": x, "codes": encode.bits(codes, 4),
                      "exponents": (exponent + 127).astype(np.uint8).view(np.int8), "left": left,
                      "left_scales": left_scales, "right": right, "right_scales": right_scales,
                      "_base": base, "_weight": weight})
    return calls


def nearest(x):
    """FP8 of each row by its largest number, and how far from a tie."""
    scale = abs(x.astype(np.float64)).max(1, keepdims=True) / 448
    at = np.clip(np.searchsorted(FP8, x / scale), 1, FP8.size - 1)
    low, high = FP8[at - 1], FP8[at]
    middle = (low + high) / 2
    return np.where(x / scale < middle, low, high) * scale, abs(x / scale - middle) / (high - low)


def corrected(inputs):
    left, right = (inputs[n].astype(np.float64) * inputs[n + "_scales"] for n in ("left", "right"))
    return inputs["_base"] + left @ right


def reference(inputs, ablated):
    """Ablated: without LoRC."""
    weight = inputs["_base"] if ablated else corrected(inputs)
    return [nearest(inputs["x"])[0] @ weight.T]


def check(example):
    given = example.calls[0][0]
    error = [((w - given["_weight"]) ** 2).sum() for w in (given["_base"], corrected(given))]
    assert error[1] < 0.75 * error[0], error
