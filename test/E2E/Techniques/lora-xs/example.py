"""LoRA-XS: Low-Rank Adaptation with Extremely Small Number of Parameters

Theme: structured-matrix

Claim: Between factors frozen at the truncated SVD of the weight, a task trains one r x r matrix: over
100 times fewer parameters than LoRA on 7B models, whatever the width.

Shown: Rows of a batch belong to different tasks, whose matrices of 8 bits are gathered from one
packed table (`weft.embed`); weights of 4 bits and frozen factors are shared.
"""

import numpy as np

import encode

K, N, RANK, TASKS = 26, 19, 3, 4

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#own = affine_map<(t, n, k) -> (t, n, k)>
!weight = !weft.packed<19x26xf32, #weft.format<elem = #lowp.int<4, signed>,
                                               scales = [#lowp.scale<multiply, [1, 13], f16>]>>
!tasks = !weft.packed<4x3x3xf32, #weft.format<elem = #lowp.int<8, signed>,
                                              scales = [#lowp.scale<multiply, [1, 0, 0], f32>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x26xf32> {weft.name = "x", weft.dims = ["t", 26]},
                %codes: tensor<247xi8>, %scales: tensor<19x2xf16>,
                %a: tensor<19x3xf32>, %b: tensor<3x26xf32>,
                %r_codes: tensor<4x3x3xi8>, %r_scales: tensor<4x1x1xf32>,
                %task: tensor<?xi32> {weft.name = "task", weft.dims = ["t"]}) -> tensor<?x19xf32> {
  %w = weft.assemble %codes, %scales : tensor<247xi8>, tensor<19x2xf16> -> !weight
  %table = weft.assemble %r_codes, %r_scales : tensor<4x3x3xi8>, tensor<4x1x1xf32> -> !tasks
  %matrices = tensor.empty(%t) : tensor<?x3x3xf32>
  %r = weft.embed ins(%table, %task : !tasks, tensor<?xi32>)
         outs(%matrices : tensor<?x3x3xf32>) -> tensor<?x3x3xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%t) : tensor<?x3xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
  %inner = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %b : tensor<?x26xf32>, tensor<3x26xf32>)
             outs(%z : tensor<?x3xf32>) -> tensor<?x3xf32>
  %mixed = weft.contract indexing_maps = [#x, #own, #y]
      ins(%inner, %r : tensor<?x3xf32>, tensor<?x3x3xf32>)
             outs(%z : tensor<?x3xf32>) -> tensor<?x3xf32>
  %empty = tensor.empty(%t) : tensor<?x19xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x19xf32>) -> tensor<?x19xf32>
  %base = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x26xf32>, !weight)
            outs(%init : tensor<?x19xf32>) -> tensor<?x19xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y]
      ins(%mixed, %a : tensor<?x3xf32>, tensor<19x3xf32>)
         outs(%base : tensor<?x19xf32>) -> tensor<?x19xf32>
  return %y : tensor<?x19xf32>
}
"""

# Sums of 26, 3 and 3 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    codes = rng.integers(-8, 8, (N, K))
    scales = rng.uniform(0.05, 0.1, (N, 2)).astype(np.float16)
    weight = codes * np.repeat(scales.astype(np.float64), 13, axis=1)
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    r_codes = rng.integers(-127, 128, (TASKS, RANK, RANK)).astype(np.int8)
    r_scales = rng.uniform(0.001, 0.01, (TASKS, 1, 1)).astype(np.float32)
    return [{"x": rng.standard_normal((t, K)).astype(np.float32), "codes": encode.bits(codes, 4),
             "scales": scales, "a": (u[:, :RANK] * s[:RANK]).astype(np.float32),
             "b": vt[:RANK].astype(np.float32), "r_codes": r_codes, "r_scales": r_scales,
             "task": np.arange(t, dtype=np.int32) % TASKS, "_weight": weight} for t in (7, 1)]


def reference(inputs, ablated):
    """y = (W + A R B) x with each row's own R; ablated: without tasks."""
    r = inputs["r_codes"] * inputs["r_scales"].astype(np.float64)
    a, b = (inputs[k].astype(np.float64) for k in "ab")
    rows = []
    for x, task in zip(inputs["x"].astype(np.float64), inputs["task"]):
        rows.append((inputs["_weight"] + (0 if ablated else a @ r[task] @ b)) @ x)
    return [np.array(rows)]
