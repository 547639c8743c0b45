"""COMET: Towards Partical W4A4KV4 LLMs Serving

Theme: quantization

Claim: Most blocks of activation channels fit 4 bits, the few with outliers get 8; weights and cache have
4 bits: kernels 2.9 times faster than cuBLAS, 2 times the throughput of TensorRT-LLM.

Shown: Channels are permuted so that 8 outlier channels come last; the first 24 are quantized to 4 bits
and the last to 8 a token (`lowp.quantize`), both times 4-bit weights in i32, rescaled and added.
"""

import numpy as np

import encode

N, K, WIDE = 10, 32, 8


def part(name, bits, begin, size):
    return f"""
  %x_{name} = tensor.extract_slice %ordered[0, {begin}] [%t, {size}] [1, 1]
      : tensor<?x32xf32> to tensor<?x{size}xf32>
  %q_{name} = lowp.quantize %x_{name} by absmax : tensor<?x{size}xf32> -> !{name}
  %codes_{name}, %scales_{name} = weft.disassemble %q_{name} : !{name}
      -> tensor<?xi8>, tensor<?x1xf32>
  %i_{name} = weft.assemble %codes_{name} : tensor<?xi8> -> !{name}_codes
  %w_{name} = weft.assemble %w{name} : tensor<{N * size // 2}xi8> -> !{name}_weight
  %sum_{name} = weft.contract indexing_maps = [#x, #w, #y]
      ins(%i_{name}, %w_{name} : !{name}_codes, !{name}_weight)
      outs(%init : tensor<?x10xi32>) -> tensor<?x10xi32>""".replace(
        "tensor<?xi8>", "tensor<?x8xi8>" if bits == 8 else "tensor<?xi8>")


def MODULE():
    types = "".join(f"""
!{name} = !weft.packed<?x{size}xf32, #weft.format<elem = #lowp.int<{bits}, signed>,
                                               scales = [#lowp.scale<multiply, [1, 0], f32>]>>
!{name}_codes = !weft.packed<?x{size}xi8, #weft.format<elem = #lowp.int<{bits}, signed>>>
!{name}_weight = !weft.packed<10x{size}xi8, #weft.format<elem = #lowp.int<4, signed>>>"""
                    for name, bits, size in (("narrow", 4, K - WIDE), ("wide", 8, WIDE)))
    return f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#cell = affine_map<(t, n) -> (t, n)>
#token = affine_map<(t, n) -> (t, 0)>
#channel = affine_map<(t, n) -> (n)>{types}

func.func @main(%t: index {{weft.symbol = "t"}},
                %x: tensor<?x32xf32> {{weft.name = "x", weft.dims = ["t", 32]}},
                %order: tensor<32xi32>, %wnarrow: tensor<120xi8>, %wwide: tensor<40xi8>,
                %scales: tensor<10xf32>) -> tensor<?x10xf32> {{
  %ordered = lowp.rotate %x by #lowp.permutation<"outliers"> along 1 (%order : tensor<32xi32>)
    : tensor<?x32xf32>
  %zero = arith.constant 0 : i32
  %empty = tensor.empty(%t) : tensor<?x10xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<?x10xi32>) -> tensor<?x10xi32>{
    part("narrow", 4, 0, K - WIDE)}{part("wide", 8, K - WIDE, WIDE)}
  %result = tensor.empty(%t) : tensor<?x10xf32>
  %y = linalg.generic {{indexing_maps = [#cell, #token, #cell, #token, #channel, #cell],
                       iterator_types = ["parallel", "parallel"]}}
      ins(%sum_narrow, %scales_narrow, %sum_wide, %scales_wide, %scales
          : tensor<?x10xi32>, tensor<?x1xf32>, tensor<?x10xi32>, tensor<?x1xf32>, tensor<10xf32>)
      outs(%result : tensor<?x10xf32>) {{
  ^bb0(%a: i32, %sa: f32, %b: i32, %sb: f32, %s: f32, %old: f32):
    %fa = arith.sitofp %a : i32 to f32
    %fb = arith.sitofp %b : i32 to f32
    %pa = arith.mulf %fa, %sa : f32
    %pb = arith.mulf %fb, %sb : f32
    %both = arith.addf %pa, %pb : f32
    %scaled = arith.mulf %both, %s : f32
    linalg.yield %scaled : f32
  }} -> tensor<?x10xf32>
  return %y : tensor<?x10xf32>
}}
"""


# The sums are exact; five roundings of f32 follow, and one of each scale.
TOLERANCE = 2e-6


def quantized(x, bits):
    scale = abs(x).max(1, keepdims=True) / (2 ** (bits - 1) - 1)
    return np.rint(x / scale) * scale, abs(x / scale - np.floor(x / scale) - 0.5).min()


def inputs(rng):
    size = np.where(np.arange(K) % 4 == 1, 20.0, 1.0)
    order = np.argsort(size, kind="stable").astype(np.int32)
    weight = rng.integers(-8, 8, (N, K))
    scales = rng.uniform(0.01, 0.02, N).astype(np.float32)
    calls = []
    for t in (2, 9):
        while True:
            x = (rng.standard_normal((t, K)) * size).astype(np.float32)
            y = x[:, order].astype(np.float64)
            if min(quantized(y[:, :-WIDE], 4)[1], quantized(y[:, -WIDE:], 8)[1]) > 1e-5:
                break
        calls.append({"x": x, "order": order, "wnarrow": encode.bits(weight[:, order][:, :-WIDE], 4),
                      "wwide": encode.bits(weight[:, order][:, -WIDE:], 4), "scales": scales,
                      "_weight": weight * scales.astype(np.float64)[:, None]})
    return calls


def reference(inputs, ablated):
    """Ablated: all channels in 4 bits."""
    x, order = inputs["x"].astype(np.float64), inputs["order"]
    rounded = np.empty_like(x)
    if ablated:
        rounded = quantized(x, 4)[0]
    else:
        rounded[:, order[:-WIDE]] = quantized(x[:, order[:-WIDE]], 4)[0]
        rounded[:, order[-WIDE:]] = quantized(x[:, order[-WIDE:]], 8)[0]
    return [rounded @ inputs["_weight"].T]


def check(example):
    given, have, _ = example.calls[1]
    exact = given["x"].astype(np.float64) @ given["_weight"].T
    assert abs(have[0] - exact).mean() < abs(reference(given, True)[0] - exact).mean() / 4
