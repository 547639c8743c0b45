"""1.58-bit FLUX

Theme: quantization

Claim: The linear layers of a text-to-image transformer work with weights in {-1, 0, 1}: 7.7 times
less storage than with 16 bits, activations as they were.

Shown: Five weights a byte (`#lowp.ternary`, `#lowp.trits`) and a scale a row, found as the mean
magnitude, times activations in bf16; the bytes stored are 9 times fewer.
"""

import ml_dtypes
import numpy as np

import encode

N, K = 33, 155

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<33x155xf32, #weft.format<elem = #lowp.ternary, pack = #lowp.trits,
                                                scales = [#lowp.scale<multiply, [1, 0], bf16>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x155xbf16> {weft.name = "x", weft.dims = ["t", 155]},
                %codes: tensor<1023xi8>, %scales: tensor<33x1xbf16>) -> tensor<?x33xf32> {
  %w = weft.assemble %codes, %scales : tensor<1023xi8>, tensor<33x1xbf16> -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x33xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x33xf32>) -> tensor<?x33xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x155xbf16>, !weight)
         outs(%init : tensor<?x33xf32>) -> tensor<?x33xf32>
  return %y : tensor<?x33xf32>
}
"""

# Sums of 155 products in f32.
TOLERANCE = 2e-5


def inputs(rng):
    weight = rng.standard_normal((N, K)) * 0.05
    scale = abs(weight).mean(1, keepdims=True)
    ternary = np.clip(np.rint(weight / scale), -1, 1)
    return [{"x": rng.standard_normal((t, K)).astype(ml_dtypes.bfloat16),
             "codes": encode.trits(ternary + 1), "scales": scale.astype(ml_dtypes.bfloat16),
             "_weight": weight, "_ternary": ternary} for t in (0, 1, 6)]


def reference(inputs, ablated):
    scaled = inputs["_ternary"] * inputs["scales"].astype(np.float64)
    weight = inputs["_weight"] if ablated else scaled
    return [inputs["x"].astype(np.float64) @ weight.T]


def check(example):
    given = example.calls[0][0]
    stored = given["codes"].nbytes + given["scales"].nbytes
    assert 2 * N * K / stored > 9, stored
    # No tensor of decoded weights exists where code is generated.
    assert "tensor<33x155xf32>" not in example.module.after("fuse")
