"""Structured Unrestricted-Rank Matrices for Parameter Efficient Fine-tuning

Theme: structured-matrix

Claim: Adapters that are matrices of low displacement rank (circulant, Toeplitz) have O(n) parameters
and full rank: up to 12 times fewer parameters than other adapters on GLUE.

Shown: The weight is `#weft.sum` of a base in 8 bits, a Toeplitz matrix and blocks of circulant
matrices; the adapter has full rank (18) though it stores fewer numbers than one of rank 3.
"""

import numpy as np

N, K, BLOCK = 24, 18, 6

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<24x18xf32, #weft.sum<[
  #weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<multiply, [1, 0], f32>]>,
  #weft.toeplitz<#weft.dense>,
  #weft.circulant<block = 6, #weft.dense>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x18xf32> {weft.name = "x", weft.dims = ["t", 18]},
                %codes: tensor<24x18xi8>, %scales: tensor<24x1xf32>,
                %diagonals: tensor<41xf32>, %columns: tensor<4x3x6xf32>) -> tensor<?x24xf32> {
  %w = weft.assemble %codes, %scales, %diagonals, %columns
    : tensor<24x18xi8>, tensor<24x1xf32>, tensor<41xf32>, tensor<4x3x6xf32> -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x24xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x24xf32>) -> tensor<?x24xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x18xf32>, !weight)
         outs(%init : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}
"""

# Sums of 18 products whose factors are sums of three, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    codes = rng.integers(-127, 128, (N, K)).astype(np.int8)
    scales = rng.uniform(0.005, 0.01, (N, 1)).astype(np.float32)
    return [{"x": normal(t, K), "codes": codes, "scales": scales, "diagonals": normal(N + K - 1),
             "columns": normal(N // BLOCK, K // BLOCK, BLOCK)} for t in (1, 5)]


def adapter(inputs):
    """Each product by the definition of its transform: convolutions, linear and circular."""
    columns = []
    for unit in np.eye(K):
        # Full convolution with the diagonals, of which N results from K - 1 on belong to the rows.
        column = np.convolve(inputs["diagonals"].astype(np.float64), unit)[K - 1:K - 1 + N]
        spectrum = np.fft.fft(unit.reshape(-1, BLOCK))
        rows = (np.fft.fft(inputs["columns"].astype(np.float64)) * spectrum).sum(1)
        columns.append(column + np.fft.ifft(rows).real.reshape(-1))
    return np.array(columns).T


def reference(inputs, ablated):
    weight = inputs["codes"] * inputs["scales"].astype(np.float64)
    return [inputs["x"].astype(np.float64) @ (weight if ablated else weight + adapter(inputs)).T]


def check(example):
    given = example.calls[0][0]
    assert np.linalg.matrix_rank(adapter(given)) == K
    # 41 + 72 numbers; rank 2 alone has 84, rank 3 126.
    assert given["diagonals"].size + given["columns"].size < 3 * (N + K)
    assert "tensor<24x18xf32>" not in example.module.after("fuse")
