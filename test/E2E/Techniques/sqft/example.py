"""SQFT: Low-cost Model Adaptation in Low-precision Sparse Foundation Models

Theme: sparsity

Claim: Adapters of sparse quantized models are merged without losing the sparsity or the precision: the
product is masked by the base's pattern and quantized with the base's scales.

Shown: The module merges: it decodes a sparse 4-bit weight, adds B A where the base is not 0 and packs
with the same scales and positions; what it gives is used by the next call as it is.
"""

import numpy as np

import encode

N, K, RANK, WIDTH = 16, 24, 4, 9

MODULE = """
#cell = affine_map<(n, k, r) -> (n, k)>
#left = affine_map<(n, k, r) -> (n, r)>
#right = affine_map<(n, k, r) -> (r, k)>
#at = affine_map<(n, k) -> (n, k)>
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!format = !weft.packed<16x24xf32, #weft.format<elem = #lowp.int<4, signed>, structure = #sparse.ell<9, i8>,
                                               scales = [#lowp.scale<multiply, [1, 12], f32>]>>

func.func @main(%codes: tensor<72xi8>, %columns: tensor<16x9xi8>, %scales: tensor<16x2xf32>,
                %b: tensor<16x4xf32>, %a: tensor<4x24xf32>, %x: tensor<3x24xf32>)
    -> (tensor<72xi8>, tensor<16x9xi8>, tensor<3x16xf32>) {
  %w = weft.assemble %codes, %columns, %scales
    : tensor<72xi8>, tensor<16x9xi8>, tensor<16x2xf32> -> !format
  %none = tensor.empty() : tensor<16x24xf32>
  %base = weft.unpack ins(%w : !format) outs(%none : tensor<16x24xf32>) -> tensor<16x24xf32>
  %sum = weft.contract indexing_maps = [#left, #right, #cell]
           ins(%b, %a : tensor<16x4xf32>, tensor<4x24xf32>)
           outs(%base : tensor<16x24xf32>) -> tensor<16x24xf32>
  %masked = linalg.generic {indexing_maps = [#at, #at, #at],
      iterator_types = ["parallel", "parallel"]}
      ins(%sum, %base : tensor<16x24xf32>, tensor<16x24xf32>) outs(%none : tensor<16x24xf32>) {
  ^bb0(%new: f32, %old: f32, %init: f32):
    %zero = arith.constant 0.0 : f32
    %kept = arith.cmpf une, %old, %zero : f32
    %v = arith.select %kept, %new, %zero : f32
    linalg.yield %v : f32
  } -> tensor<16x24xf32>
  %merged = weft.pack %masked parameters(%scales : tensor<16x2xf32>) : tensor<16x24xf32> -> !format
  %new_codes, %new_columns, %same = weft.disassemble %merged
    : !format -> tensor<72xi8>, tensor<16x9xi8>, tensor<16x2xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<3x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<3x16xf32>) -> tensor<3x16xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %merged : tensor<3x24xf32>, !format)
         outs(%init : tensor<3x16xf32>) -> tensor<3x16xf32>
  return %new_codes, %new_columns, %y : tensor<72xi8>, tensor<16x9xi8>, tensor<3x16xf32>
}
"""

# Sums of 9 products in f32; codes and columns are equal.
TOLERANCE = 3e-6


def encode_rows(codes, mask):
    """The components of `codes` at `mask`, which has 9 numbers or fewer in each row."""
    stored, columns = np.zeros((N, WIDTH), np.int64), np.full((N, WIDTH), -1, np.int8)
    for row in range(N):
        at = np.nonzero(mask[row])[0]
        stored[row, :at.size], columns[row, :at.size] = codes[row, at], at
    return encode.bits(stored, 4), columns


def inputs(rng):
    order = np.argsort(rng.random((N, K)), axis=1)
    mask = order < WIDTH - np.arange(N)[:, None] % 3
    codes = np.where(mask, rng.choice([-7, -5, -3, -2, 2, 3, 4, 6], (N, K)), 0)
    stored, columns = encode_rows(codes, mask)
    scales = rng.uniform(0.1, 0.2, (N, 2)).astype(np.float32)
    while True:  # no sum lies near the middle of two codes, or rounds to 0
        b, a = (rng.standard_normal(s).astype(np.float32) * np.float32(0.3) for s in ((N, RANK), (RANK, K)))
        exact = codes + b.astype(np.float64) @ a / np.repeat(scales.astype(np.float64), K // 2, 1)
        rest = abs(exact - np.floor(exact) - 0.5)[mask]
        if rest.min() > 1e-4 and (abs(np.rint(exact)) > 0)[mask].all():
            break
    return {"codes": stored, "columns": columns, "scales": scales, "b": b, "a": a,
            "x": rng.standard_normal((3, K)).astype(np.float32), "_mask": mask, "_codes": codes}


def reference(inputs, ablated):
    """W' = clip(round((W_q s + (B A) * M) / s)); ablated: without the mask M."""
    scales = np.repeat(inputs["scales"].astype(np.float64), K // 2, axis=1)
    delta = inputs["b"].astype(np.float64) @ inputs["a"].astype(np.float64)
    mask = np.ones((N, K)) if ablated else inputs["_mask"]
    codes = np.clip(np.rint((inputs["_codes"] * scales + delta * mask) / scales), -8, 7)
    stored, columns = encode_rows(codes, inputs["_mask"])
    return [stored, columns, inputs["x"].astype(np.float64) @ (codes * scales).T]


def check(example):
    """Merging nothing into what was merged changes no bit of it."""
    given, have, _ = example.calls[0]
    again = example.module.call([have[0], have[1], given["scales"], given["b"] * 0, given["a"], given["x"]])
    assert all(x.tobytes() == y.tobytes() for x, y in zip(again, have))
