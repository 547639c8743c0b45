"""Nearly Lossless Adaptive Bit Switching

Theme: quantization

Claim: One network stored at its highest integer precision serves lower ones by a second rounding of
the integers, nearly without loss; weights need not be kept in full precision.

Shown: Codes of 8 bits become those of 4 and of 2 bits in the module (round, shift, saturate), packed
with scales of their own and multiplied; plain truncation, as of bit planes, gives other results.
"""

import numpy as np

N, K = 14, 33


def lower(bits):
    shift = 8 - bits
    return f"""
  %codes{bits} = linalg.generic {{indexing_maps = [#at, #at],
      iterator_types = ["parallel", "parallel"]}}
      ins(%codes : tensor<14x33xi8>) outs(%bytes : tensor<14x33xi8>) {{
  ^bb0(%c: i8, %old: i8):
    %half = arith.constant {1 << (shift - 1)} : i32
    %shift = arith.constant {shift} : i32
    %most = arith.constant {(1 << (bits - 1)) - 1} : i32
    %wide = arith.extsi %c : i8 to i32
    %up = arith.addi %wide, %half : i32
    %rounded = arith.shrsi %up, %shift : i32
    %saturated = arith.minsi %rounded, %most : i32
    %narrow = arith.trunci %saturated : i32 to i8
    linalg.yield %narrow : i8
  }} -> tensor<14x33xi8>
  %p{bits} = weft.pack %codes{bits} : tensor<14x33xi8> -> !codes{bits}
  %s{bits} = weft.disassemble %p{bits} : !codes{bits} -> tensor<{-(-14 * 33 * bits // 8)}xi8>
  %w{bits} = weft.assemble %s{bits}, %scales{bits}
      : tensor<{-(-14 * 33 * bits // 8)}xi8>, tensor<14x1xf32> -> !weight{bits}
  %y{bits} = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w{bits} : tensor<?x33xf32>, !weight{bits})
         outs(%init : tensor<?x14xf32>) -> tensor<?x14xf32>"""


def MODULE():
    types = "\n".join(f"""!codes{b} = !weft.packed<14x33xi8, #weft.format<elem = #lowp.int<{b}, signed>>>
!weight{b} = !weft.packed<14x33xf32, #weft.format<elem = #lowp.int<{b}, signed>,
                                                  scales = [#lowp.scale<multiply, [1, 0], f32>]>>"""
                      for b in (8, 4, 2))
    return f"""
#at = affine_map<(n, k) -> (n, k)>
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
{types}

func.func @main(%t: index {{weft.symbol = "t"}},
                %x: tensor<?x33xf32> {{weft.name = "x", weft.dims = ["t", 33]}},
                %codes: tensor<14x33xi8>, %scales8: tensor<14x1xf32>, %scales4: tensor<14x1xf32>,
                %scales2: tensor<14x1xf32>)
                    -> (tensor<?x14xf32>, tensor<?x14xf32>, tensor<?x14xf32>) {{
  %bytes = tensor.empty() : tensor<14x33xi8>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x14xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x14xf32>) -> tensor<?x14xf32>
  %w8 = weft.assemble %codes, %scales8 : tensor<14x33xi8>, tensor<14x1xf32> -> !weight8
  %y8 = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w8 : tensor<?x33xf32>, !weight8)
         outs(%init : tensor<?x14xf32>) -> tensor<?x14xf32>{lower(4)}{lower(2)}
  return %y8, %y4, %y2 : tensor<?x14xf32>, tensor<?x14xf32>, tensor<?x14xf32>
}}
"""


# Sums of 33 products in f32.
TOLERANCE = 5e-6


def inputs(rng):
    codes = rng.integers(-128, 128, (N, K)).astype(np.int8)
    given = {"codes": codes, "scales8": rng.uniform(0.001, 0.002, (N, 1)).astype(np.float32)}
    # Scales of lower precisions are trained: near a shift of the highest one's.
    for bits in (4, 2):
        given[f"scales{bits}"] = (given["scales8"] * 2 ** (8 - bits) * 0.97).astype(np.float32)
    return [{"x": rng.standard_normal((t, K)).astype(np.float32)} | given for t in (1, 4)]


def reference(inputs, ablated):
    """q_b = clip(round(q_8 / 2^(8 - b))), halves up; ablated: floor."""
    results = []
    for bits in (8, 4, 2):
        exact = inputs["codes"].astype(np.float64) / 2 ** (8 - bits)
        codes = np.floor(exact if ablated else exact + 0.5)
        codes = np.clip(codes, -2 ** (bits - 1), 2 ** (bits - 1) - 1)
        results.append(inputs["x"].astype(np.float64) @ (codes * inputs[f"scales{bits}"]).T)
    return results


def check(example):
    """Rounding loses less than truncation against the highest precision."""
    given, have, _ = example.calls[1]
    truncated = reference(given, True)
    assert abs(have[1] - have[0]).mean() < abs(truncated[1] - have[0]).mean()
