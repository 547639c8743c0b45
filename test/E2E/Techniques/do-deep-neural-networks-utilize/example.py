"""Do deep neural networks utilize the weight space efficiently?

Theme: structured-matrix

Claim: One matrix serves two layers, by its rows and by its columns, which halves the parameters of
bottleneck and attention layers with minor loss.

Shown: A bottleneck W^T relu(W x) whose weights of 4 bits are stored once and contracted along either
dimension; scales of groups lie along the first product and across the second.
"""

import numpy as np

import encode

D, INNER, GROUP = 30, 13, 8

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#wt = affine_map<(t, n, k) -> (k, n)>
#y = affine_map<(t, n, k) -> (t, n)>
#same = affine_map<(t, n) -> (t, n)>
!weight = !weft.packed<13x30xf32, #weft.format<elem = #lowp.int<4, unsigned, offset = 8>,
                                               scales = [#lowp.scale<multiply, [1, 8], f32>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x30xf32> {weft.name = "x", weft.dims = ["t", 30]},
                %codes: tensor<195xi8>, %scales: tensor<13x4xf32>) -> tensor<?x30xf32> {
  %w = weft.assemble %codes, %scales : tensor<195xi8>, tensor<13x4xf32> -> !weight
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%t) : tensor<?x13xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x13xf32>) -> tensor<?x13xf32>
  %inner = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x30xf32>, !weight)
             outs(%z : tensor<?x13xf32>) -> tensor<?x13xf32>
  %active = linalg.generic {indexing_maps = [#same, #same],
      iterator_types = ["parallel", "parallel"]}
      ins(%inner : tensor<?x13xf32>) outs(%e : tensor<?x13xf32>) {
  ^bb0(%v: f32, %old: f32):
    %nothing = arith.constant 0.0 : f32
    %m = arith.maximumf %v, %nothing : f32
    linalg.yield %m : f32
  } -> tensor<?x13xf32>
  %empty = tensor.empty(%t) : tensor<?x30xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x30xf32>) -> tensor<?x30xf32>
  %y = weft.contract indexing_maps = [#x, #wt, #y] ins(%active, %w : tensor<?x13xf32>, !weight)
         outs(%init : tensor<?x30xf32>) -> tensor<?x30xf32>
  return %y : tensor<?x30xf32>
}
"""

# Sums of 30 and of 13 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    codes = rng.integers(0, 16, (INNER, D))
    scales = rng.uniform(0.02, 0.1, (INNER, -(-D // GROUP))).astype(np.float32)
    return [{"x": rng.standard_normal((t, D)).astype(np.float32), "codes": encode.bits(codes, 4),
             "scales": scales, "_codes": codes} for t in (1, 8)]


def reference(inputs, ablated):
    """Ablated: the second layer has weights of its own, here the next rows of the first."""
    groups = np.arange(D) // GROUP
    weight = (inputs["_codes"] - 8) * inputs["scales"].astype(np.float64)[:, groups]
    second = np.roll(weight, 1, axis=0) if ablated else weight
    return [np.maximum(inputs["x"] @ weight.T, 0) @ second]


def check(example):
    stored = sum(example.calls[0][0][k].nbytes for k in ("codes", "scales"))
    assert stored == 195 + 13 * 4 * 4
    text = example.module.after("fuse")
    assert "tensor<13x30xf32>" not in text and "tensor<30x13xf32>" not in text
