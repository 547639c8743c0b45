"""DenseShift: Towards Accurate and Transferable Low-Bit Shift Network

Theme: quantization

Claim: Shift networks get better without a code for zero: every code of the word is a sign and a shift,
so that products are shifts of activations and all codes carry information.

Shown: 3-bit codes +-2^0..2^3 as `#lowp.table<[...]>` that has no zero, times integer activations: the
sums are those of shifted integers, exactly.
"""

import numpy as np

import encode

N, K = 25, 43

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<25x43xf32, #weft.format<
  elem = #lowp.table<[1.0, 2.0, 4.0, 8.0, -1.0, -2.0, -4.0, -8.0]>,
  scales = [#lowp.scale<multiply, 0.125>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x43xi8> {weft.name = "x", weft.dims = ["t", 43]},
                %codes: tensor<404xi8>) -> tensor<?x25xf32> {
  %w = weft.assemble %codes : tensor<404xi8> -> !weight
  %numbers = tensor.empty(%t) : tensor<?x43xf32>
  %float = linalg.generic {indexing_maps = [affine_map<(t, k) -> (t, k)>, affine_map<(t, k)
      -> (t, k)>],
                           iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x43xi8>) outs(%numbers : tensor<?x43xf32>) {
  ^bb0(%v: i8, %old: f32):
    %f = arith.sitofp %v : i8 to f32
    linalg.yield %f : f32
  } -> tensor<?x43xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x25xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x25xf32>) -> tensor<?x25xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%float, %w : tensor<?x43xf32>, !weight)
         outs(%init : tensor<?x25xf32>) -> tensor<?x25xf32>
  return %y : tensor<?x25xf32>
}
"""

# Integers below 2^24 over a power of two: exact in f32.
TOLERANCE = 0.0


def inputs(rng):
    sign, shift = rng.integers(0, 2, (N, K)), rng.integers(0, 4, (N, K))
    return [{"x": rng.integers(-128, 128, (t, K)).astype(np.int8),
             "codes": encode.bits(sign * 4 + shift, 3), "_sign": sign, "_shift": shift} for t in (1, 9)]


def reference(inputs, ablated):
    """Sums of x << shift with the sign; ablated: the code of 2^0 is 0, as shift networks had it."""
    x = inputs["x"].astype(np.int64)
    shifted = x[:, None, :] << inputs["_shift"]
    if ablated:
        shifted = np.where(inputs["_shift"] == 0, 0, shifted)
    return [np.where(inputs["_sign"] == 1, -shifted, shifted).sum(-1) / 8]
