"""Efficient Arbitrary Precision Acceleration for Large Language Models on GPU Tensor Cores

Theme: quantization

Claim: Bipolar integers, whose bits mean +-1 instead of 0 and 1, are symmetric and need no zero points;
products of any two precisions are made of 1-bit products that tensor cores have: 2.4 times faster.

Shown: Weights of 3 bipolar bits are `#weft.sum` of three `#lowp.binary` planes with weights 1, 2 and 4,
times activations of 2 bipolar bits in the same form; equal to the 6 products of planes, shifted.
"""

import numpy as np

import encode

N, K, T = 11, 29, 5


def plane(weight):
    return f"#weft.format<elem = #lowp.binary, scales = [#lowp.scale<multiply, {weight}.0>]>"


MODULE = f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!three = !weft.packed<11x29xf32, #weft.sum<[{plane(1)}, {plane(2)}, {plane(4)}]>>
!two = !weft.packed<5x29xf32, #weft.sum<[{plane(1)}, {plane(2)}]>>

func.func @main(%x0: tensor<19xi8>, %x1: tensor<19xi8>,
                %w0: tensor<40xi8>, %w1: tensor<40xi8>, %w2: tensor<40xi8>) -> tensor<5x11xf32> {{
  %x = weft.assemble %x0, %x1 : tensor<19xi8>, tensor<19xi8> -> !two
  %w = weft.assemble %w0, %w1, %w2 : tensor<40xi8>, tensor<40xi8>, tensor<40xi8> -> !three
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<5x11xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<5x11xf32>) -> tensor<5x11xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : !two, !three)
         outs(%init : tensor<5x11xf32>) -> tensor<5x11xf32>
  return %y : tensor<5x11xf32>
}}
"""

# Integers: exact in f32.
TOLERANCE = 0.0


def inputs(rng):
    x, w = rng.integers(0, 2, (2, T, K)), rng.integers(0, 2, (3, N, K))
    return {"x0": encode.bits(x[0], 1), "x1": encode.bits(x[1], 1)} | {
        f"w{i}": encode.bits(w[i], 1) for i in range(3)} | {"_x": x, "_w": w}


def reference(inputs, ablated):
    """The 1-bit product of +-1 is K - 2 popcount(xor); ablated: bits as 0 and 1."""
    total = np.zeros((T, N))
    for i, x in enumerate(inputs["_x"]):
        for j, w in enumerate(inputs["_w"]):
            ones = (x[:, None, :] & w).sum(-1)
            product = ones if ablated else K - 2 * (x[:, None, :] ^ w).sum(-1)
            total += product * 2.0 ** (i + j)
    return [total]
