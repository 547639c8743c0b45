"""Zeroth-Order Fine-Tuning of LLMs with Extreme Sparsity

Theme: sparsity

Claim: Only 0.1 % sensitive parameters are tuned, by forward passes alone, while all others stay
quantized to 4 bits: a 7B model fits 8 GB of device memory.

Shown: `#weft.sum` of a 4-bit base and a static list of 6 f32 entries (`#sparse.coo<i16>`): one step
perturbs only the entries in both directions, estimates the slope from two losses and updates them.
"""

import numpy as np

import encode

N, K, TUNED, T = 18, 30, 6, 5
EPSILON, RATE = 2.0 ** -3, 1.0

FORMAT = """!weft.packed<18x30xf32, #weft.sum<[
  #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 10], f32>]>,
  #weft.format<elem = #weft.value<f32>, structure = #sparse.coo<i16>>]>>"""


def loss(name, sign):
    return f"""
  %moved{name} = linalg.generic {{indexing_maps = [#entry, #entry, #entry],
      iterator_types = ["parallel"]}}
      ins(%tuned, %noise : tensor<?xf32>, tensor<?xf32>) outs(%codes : tensor<?xi32>) {{
  ^bb0(%v: f32, %z: f32, %old: i32):
    %epsilon = arith.constant {sign * EPSILON} : f32
    %step = arith.mulf %z, %epsilon : f32
    %moved = arith.addf %v, %step : f32
    %code = arith.bitcast %moved : f32 to i32
    linalg.yield %code : i32
  }} -> tensor<?xi32>
  %w{name} = weft.assemble %base, %scales, %moved{name}, %rows, %columns
    : tensor<270xi8>, tensor<18x3xf32>, tensor<?xi32>, tensor<?xi16>, tensor<?xi16> -> !weight
  %y{name} = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w{name} : tensor<5x30xf32>, !weight)
               outs(%init : tensor<5x18xf32>) -> tensor<5x18xf32>
  %loss{name} = linalg.generic {{indexing_maps = [#cell, #cell, #none],
      iterator_types = ["reduction", "reduction"]}}
      ins(%y{name}, %target : tensor<5x18xf32>, tensor<5x18xf32>) outs(%start : tensor<f32>) {{
  ^bb0(%v: f32, %want: f32, %sum: f32):
    %difference = arith.subf %v, %want : f32
    %square = arith.mulf %difference, %difference : f32
    %share = arith.constant {1 / (T * N)} : f32
    %mean = arith.mulf %square, %share : f32
    %next = arith.addf %sum, %mean : f32
    linalg.yield %next : f32
  }} -> tensor<f32>"""


def MODULE():
    return f"""
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#entry = affine_map<(i) -> (i)>
#scalar = affine_map<(i) -> ()>
#cell = affine_map<(t, n) -> (t, n)>
#none = affine_map<(t, n) -> ()>
!weight = {FORMAT}

func.func @main(%s: index {{weft.symbol = "s"}}, %x: tensor<5x30xf32>, %target: tensor<5x18xf32>,
                %base: tensor<270xi8>, %scales: tensor<18x3xf32>,
                %tuned: tensor<?xf32> {{weft.name = "tuned", weft.dims = ["s"]}},
                %noise: tensor<?xf32> {{weft.name = "noise", weft.dims = ["s"]}},
                %rows: tensor<?xi16> {{weft.name = "rows", weft.dims = ["s"]}},
                %columns: tensor<?xi16> {{weft.name = "columns", weft.dims = ["s"]}})
    -> (tensor<f32>, tensor<?xf32>) {{
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<5x18xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<5x18xf32>) -> tensor<5x18xf32>
  %single = tensor.empty() : tensor<f32>
  %start = linalg.fill ins(%zero : f32) outs(%single : tensor<f32>) -> tensor<f32>
  %entries = tensor.empty(%s) : tensor<?xf32>
  %codes = tensor.empty(%s) : tensor<?xi32>{loss("p", 1)}{loss("m", -1)}
  %updated = linalg.generic {{indexing_maps = [#entry, #entry, #scalar, #scalar, #entry],
                             iterator_types = ["parallel"]}}
      ins(%tuned, %noise, %lossp, %lossm : tensor<?xf32>, tensor<?xf32>, tensor<f32>, tensor<f32>)
      outs(%entries : tensor<?xf32>) {{
  ^bb0(%v: f32, %z: f32, %p: f32, %m: f32, %old: f32):
    %difference = arith.subf %p, %m : f32
    %factor = arith.constant {RATE / (2 * EPSILON)} : f32
    %slope = arith.mulf %difference, %factor : f32
    %step = arith.mulf %slope, %z : f32
    %new = arith.subf %v, %step : f32
    linalg.yield %new : f32
  }} -> tensor<?xf32>
  return %lossp, %updated : tensor<f32>, tensor<?xf32>
}}
"""


# A difference of two losses over 1/4 in f32.
TOLERANCE = 1e-5


def inputs(rng):
    codes = rng.integers(-8, 8, (N, K))
    scales = rng.uniform(0.02, 0.05, (N, 3)).astype(np.float32)
    weight = codes * np.repeat(scales.astype(np.float64), 10, axis=1)
    x = rng.standard_normal((T, K)).astype(np.float32)
    target = (x @ (weight + rng.standard_normal((N, K)) * 0.3).T).astype(np.float32)
    # Sensitive: where the squared gradient of the loss is largest.
    gradient = (x @ weight.T - target).T @ x
    places = np.sort(np.argsort(-gradient ** 2, axis=None)[:TUNED])
    rows, columns = np.divmod(places, K)
    return {"x": x, "target": target, "base": encode.bits(codes, 4), "scales": scales,
            "tuned": rng.standard_normal(TUNED).astype(np.float32) * np.float32(0.01),
            "noise": rng.standard_normal(TUNED).astype(np.float32), "rows": rows.astype(np.int16),
            "columns": columns.astype(np.int16), "_weight": weight}


def reference(inputs, ablated):
    """theta -= rate * (L(theta + e z) - L(theta - e z)) / (2 e) * z; ablated: one-sided."""
    def loss(tuned):
        weight = inputs["_weight"].copy()
        for row, column, value in zip(inputs["rows"], inputs["columns"], tuned):
            weight[row, column] += value
        return ((inputs["x"] @ weight.T - inputs["target"]) ** 2).mean()
    tuned, noise = inputs["tuned"].astype(np.float64), inputs["noise"].astype(np.float64)
    plus = loss(tuned + EPSILON * noise)
    minus = loss(tuned if ablated else tuned - EPSILON * noise)
    return [plus, tuned - RATE * (plus - minus) / (2 * EPSILON) * noise]


def check(example):
    given, have, _ = example.calls[0]
    after = reference({**given, "tuned": have[1], "noise": np.zeros(TUNED)}, False)[0]
    before = reference({**given, "noise": np.zeros(TUNED)}, False)[0]
    assert after < before, (before, after)
