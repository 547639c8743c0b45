"""Accelerating Deep Learning Model Inference on Arm CPUs with Ultra-Low Bit Quantization and Runtime

Theme: quantization

Claim: Convolutions of 1- and 2-bit weights and activations on bit planes (AND and population counts)
run up to 2.2 times faster on Arm than TensorFlow Lite, and up to 5 times faster than ONNX Runtime.

Shown: Weights of 2 bits are stored as two planes (`#lowp.planes<[1, 1]>`) and multiplied by activations
of 2 bits; the i32 sums equal population counts of ANDs over pairs of planes, weighted by their bits.
"""

import numpy as np

import encode

N, K = 18, 77

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<18x77xi8, #weft.format<elem = #lowp.int<2, unsigned>, pack = #lowp.planes<[1, 1]>>>
!activation = !weft.packed<4x77xi8, #weft.format<elem = #lowp.int<2, unsigned>, pack = #lowp.planes<[1, 1]>>>

func.func @main(%x0: tensor<39xi8>, %x1: tensor<39xi8>, %w0: tensor<174xi8>, %w1: tensor<174xi8>)
    -> tensor<4x18xi32> {
  %x = weft.assemble %x0, %x1 : tensor<39xi8>, tensor<39xi8> -> !activation
  %w = weft.assemble %w0, %w1 : tensor<174xi8>, tensor<174xi8> -> !weight
  %zero = arith.constant 0 : i32
  %empty = tensor.empty() : tensor<4x18xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<4x18xi32>) -> tensor<4x18xi32>
  %y = weft.contract unsigned_lhs unsigned_rhs indexing_maps = [#x, #w, #y]
         ins(%x, %w : !activation, !weight) outs(%init : tensor<4x18xi32>) -> tensor<4x18xi32>
  return %y : tensor<4x18xi32>
}
"""

TOLERANCE = 0.0


def inputs(rng):
    x, w = rng.integers(0, 4, (4, K)), rng.integers(0, 4, (N, K))
    return {"x0": encode.bits(x & 1, 1), "x1": encode.bits(x >> 1, 1),
            "w0": encode.bits(w & 1, 1), "w1": encode.bits(w >> 1, 1), "_x": x, "_w": w}


def reference(inputs, ablated):
    """sum over i, j of 2^(i + j) popcount(x_i & w_j); ablated: the lowest planes alone."""
    x, w = inputs["_x"], inputs["_w"]
    total = np.zeros((4, N), np.int32)
    for i in range(1 if ablated else 2):
        for j in range(1 if ablated else 2):
            for row in range(4):
                for column in range(N):
                    # The planes as one long integer each.
                    a = int("".join(map(str, x[row] >> i & 1)), 2)
                    b = int("".join(map(str, w[column] >> j & 1)), 2)
                    total[row, column] += (a & b).bit_count() << (i + j)
    return [total]
