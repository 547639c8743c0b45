"""BinaryDM: Towards Accurate Binarization of Diffusion Model

Theme: quantization

Claim: Weights of 1 bit as a scaled sum of binary bases, with activations of 4 bits, keep diffusion
models usable: 16 times fewer operations and 27 times less storage.

Shown: A 3 x 3 convolution whose filter is `#weft.sum` of two `#lowp.binary` with a scale a channel each,
the second of the residual of the first, on activations quantized to 4 bits in the module.
"""

import numpy as np

import encode

O, C, SIZE = 7, 5, 6

MODULE = """
#at = affine_map<(i, c, h, w) -> (i, c, h, w)>
!base = !weft.packed<7x5x3x3xf32, #weft.sum<[
  #weft.format<elem = #lowp.binary, scales = [#lowp.scale<multiply, [1, 0, 0, 0], f32>]>,
  #weft.format<elem = #lowp.binary, scales = [#lowp.scale<multiply, [1, 0, 0, 0], f32>]>]>>
!activation = !weft.packed<1x5x6x6xf32, #weft.format<elem = #lowp.int<4, signed>,
                                                     scales = [#lowp.scale<multiply, [], f32>]>>

func.func @main(%x: tensor<1x5x6x6xf32>, %bits0: tensor<40xi8>, %scale0: tensor<7x1x1x1xf32>,
                %bits1: tensor<40xi8>, %scale1: tensor<7x1x1x1xf32>) -> tensor<1x7x6x6xf32> {
  %w = weft.assemble %bits0, %scale0, %bits1, %scale1
    : tensor<40xi8>, tensor<7x1x1x1xf32>, tensor<40xi8>, tensor<7x1x1x1xf32> -> !base
  %q = lowp.quantize %x by absmax : tensor<1x5x6x6xf32> -> !activation
  %none = tensor.empty() : tensor<1x5x6x6xf32>
  %a = weft.unpack ins(%q : !activation) outs(%none : tensor<1x5x6x6xf32>) -> tensor<1x5x6x6xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<1x7x6x6xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1x7x6x6xf32>) -> tensor<1x7x6x6xf32>
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1] groups = 1
         ins(%a, %w : tensor<1x5x6x6xf32>, !base)
         outs(%init : tensor<1x7x6x6xf32>) -> tensor<1x7x6x6xf32>
  return %y : tensor<1x7x6x6xf32>
}
"""

# Sums of 45 products in f32; no activation lies between two codes.
TOLERANCE = 5e-6


def inputs(rng):
    weight = rng.standard_normal((O, C, 3, 3)) * 0.2
    bases, rest = [], weight
    for _ in range(2):  # the optimal scale of a sign is the mean magnitude
        scale = abs(rest).mean((1, 2, 3), keepdims=True)
        bases.append((rest >= 0, scale.astype(np.float32)))
        rest = rest - np.where(rest >= 0, scale, -scale)
    while True:
        x = rng.standard_normal((1, C, SIZE, SIZE)).astype(np.float32)
        codes = x.astype(np.float64) / abs(x).max() * 7
        if (abs(codes - np.floor(codes) - 0.5) > 1e-4).all():
            break
    return {"x": x, "bits0": encode.bits(bases[0][0], 1), "scale0": bases[0][1],
            "bits1": encode.bits(bases[1][0], 1), "scale1": bases[1][1], "_bases": bases, "_weight": weight}


def reference(inputs, ablated):
    """Ablated: the first basis alone."""
    scale = abs(inputs["x"].astype(np.float64)).max() / 7
    x = np.rint(inputs["x"] / scale) * scale
    weight = sum(np.where(b, 1.0, -1.0) * s for b, s in inputs["_bases"][:1 if ablated else 2])
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
    return [np.einsum("nchwij,ocij->nohw", windows, weight)]


def check(example):
    given = example.calls[0][0]
    lost = [((sum(np.where(b, 1.0, -1.0) * s for b, s in given["_bases"][:n]) - given["_weight"]) ** 2).sum()
            for n in (1, 2)]
    assert lost[1] < lost[0] / 2, lost
    assert "tensor<7x5x3x3xf32>" not in example.module.after("fuse")
