"""ETHER: Efficient Finetuning of Large-Scale Models with Hyperplane Reflections

Theme: structured-matrix

Claim: Frozen weights are multiplied by reflections at learned hyperplanes, block by block, which
takes 10 to 100 times fewer parameters than LoRA or OFT and keeps norms.

Shown: I - 2 u u^T is never a matrix: a dot product of each block of the outputs of weights in 4 bits,
and a rank-one update.
"""

import numpy as np

import encode

K, N, BLOCKS = 22, 15, 3

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#blocks = affine_map<(t, g, b) -> (t, g, b)>
#u = affine_map<(t, g, b) -> (g, b)>
#dot = affine_map<(t, g, b) -> (t, g)>
!weight = !weft.packed<15x22xf32, #weft.format<elem = #lowp.int<4, signed>,
                                               scales = [#lowp.scale<multiply, [1, 0], f32>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x22xf32> {weft.name = "x", weft.dims = ["t", 22]},
                %codes: tensor<165xi8>, %scales: tensor<15x1xf32>, %u: tensor<3x5xf32>)
    -> tensor<?x15xf32> {
  %w = weft.assemble %codes, %scales : tensor<165xi8>, tensor<15x1xf32> -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x15xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x15xf32>) -> tensor<?x15xf32>
  %h = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x22xf32>, !weight)
         outs(%init : tensor<?x15xf32>) -> tensor<?x15xf32>
  %split = tensor.expand_shape %h [[0], [1, 2]] output_shape [%t, 3, 5]
    : tensor<?x15xf32> into tensor<?x3x5xf32>
  %scalar = tensor.empty(%t) : tensor<?x3xf32>
  %none = linalg.fill ins(%zero : f32) outs(%scalar : tensor<?x3xf32>) -> tensor<?x3xf32>
  %s = weft.contract indexing_maps = [#blocks, #u, #dot]
         ins(%split, %u : tensor<?x3x5xf32>, tensor<3x5xf32>)
         outs(%none : tensor<?x3xf32>) -> tensor<?x3xf32>
  %result = tensor.empty(%t) : tensor<?x3x5xf32>
  %reflected = linalg.generic {indexing_maps = [#blocks, #dot, #u, #blocks],
                               iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%split, %s, %u : tensor<?x3x5xf32>, tensor<?x3xf32>, tensor<3x5xf32>)
      outs(%result : tensor<?x3x5xf32>) {
  ^bb0(%v: f32, %dot: f32, %direction: f32, %old: f32):
    %two = arith.constant 2.0 : f32
    %along = arith.mulf %dot, %direction : f32
    %twice = arith.mulf %along, %two : f32
    %less = arith.subf %v, %twice : f32
    linalg.yield %less : f32
  } -> tensor<?x3x5xf32>
  %y = tensor.collapse_shape %reflected [[0], [1, 2]] : tensor<?x3x5xf32> into tensor<?x15xf32>
  return %y : tensor<?x15xf32>
}
"""

# Sums of 22 products and of 5, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    codes = rng.integers(-8, 8, (N, K))
    scales = rng.uniform(0.05, 0.1, (N, 1)).astype(np.float32)
    u = rng.standard_normal((BLOCKS, N // BLOCKS))
    u = (u / np.linalg.norm(u, axis=1, keepdims=True)).astype(np.float32)
    return [{"x": rng.standard_normal((t, K)).astype(np.float32), "codes": encode.bits(codes, 4),
             "scales": scales, "u": u, "_weight": codes * scales.astype(np.float64)} for t in (1, 4)]


def reference(inputs, ablated):
    """W' = H W with the block-diagonal H as a matrix."""
    size = N // BLOCKS
    reflections = np.zeros((N, N))
    for b, u in enumerate(inputs["u"].astype(np.float64)):
        at = slice(b * size, (b + 1) * size)
        reflections[at, at] = np.eye(size) - 2 * np.outer(u, u)
    weight = inputs["_weight"] if ablated else reflections @ inputs["_weight"]
    return [inputs["x"].astype(np.float64) @ weight.T]


def check(example):
    given, have, _ = example.calls[1]
    plain = given["x"].astype(np.float64) @ given["_weight"].T
    assert np.allclose(np.linalg.norm(have[0], axis=1), np.linalg.norm(plain, axis=1), rtol=1e-4)
