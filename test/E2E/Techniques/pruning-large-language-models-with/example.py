"""Pruning Large Language Models with Semi-Structural Adaptive Sparse Training

Theme: sparsity

Claim: 2:4 weights with learned masks and a few well-initialised parameters beside them (SLoRB) close
most of the gap to the dense model, and combine with quantization.

Shown: `#weft.sum` of a 2:4 weight in 4 bits with a scale for every 12 numbers, and a product of rank 3
whose right factor averages groups of inputs: what pruning took away, at its mean.
"""

import numpy as np

import encode

N, K, GROUP = 21, 36, 12
RANK = K // GROUP

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<21x36xf32, #weft.sum<[
  #weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 12], f16>],
               structure = #sparse.nm<2, 4>>,
  #weft.low_rank<3, #weft.dense, #weft.format<elem = #lowp.int<1, unsigned>>>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x36xf32> {weft.name = "x", weft.dims = ["t", 36]},
                %codes: tensor<189xi8>, %indices: tensor<95xi8>, %scales: tensor<21x3xf16>,
                %means: tensor<21x3xf32>, %groups: tensor<14xi8>) -> tensor<?x21xf32> {
  %w = weft.assemble %codes, %indices, %scales, %means, %groups
    : tensor<189xi8>, tensor<95xi8>, tensor<21x3xf16>, tensor<21x3xf32>, tensor<14xi8> -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x21xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x21xf32>) -> tensor<?x21xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x36xf32>, !weight)
         outs(%init : tensor<?x21xf32>) -> tensor<?x21xf32>
  return %y : tensor<?x21xf32>
}
"""

# Sums of 36 products in f32.
TOLERANCE = 5e-6


def prune(dense):
    """2:4 by magnitude, then 4 bits by the largest number of a group."""
    groups = dense.reshape(N, -1, 4)
    rank = np.argsort(np.argsort(-abs(groups), axis=-1, kind="stable"), axis=-1)
    kept = np.where(rank < 2, groups, 0).reshape(N, RANK, GROUP)
    scales = (abs(kept).max(-1) / 7).astype(np.float16)
    codes = np.clip(np.rint(kept / scales[..., None].astype(np.float64)), -8, 7)
    return (rank < 2).reshape(N, K), codes.reshape(N, K), scales


def inputs(rng):
    dense = rng.standard_normal((N, K)) + 0.3
    mask, codes, scales = prune(dense)
    # What is pruned, as a mean over each group of inputs.
    means = (np.where(mask, 0, dense).reshape(N, RANK, GROUP).mean(-1)).astype(np.float32)
    places = np.nonzero(mask.reshape(-1, 4))[1]
    groups = np.repeat(np.eye(RANK), GROUP, axis=1)
    return [{"x": rng.standard_normal((t, K)).astype(np.float32),
             "codes": encode.bits(codes[mask], 4), "indices": encode.bits(places, 2),
             "scales": scales, "means": means, "groups": encode.bits(groups, 1), "_dense": dense}
            for t in (1, 6)]


def reference(inputs, ablated):
    """Ablated: without the parameters beside."""
    _, codes, _ = prune(inputs["_dense"])
    weight = codes * np.repeat(inputs["scales"].astype(np.float64), GROUP, axis=1)
    if not ablated:
        weight = weight + np.repeat(inputs["means"].astype(np.float64), GROUP, axis=1)
    return [inputs["x"].astype(np.float64) @ weight.T]


def check(example):
    """Activations have a mean in practice: there what is beside brings the result nearer."""
    given = example.calls[0][0]
    ones = np.ones((1, K), np.float32)
    have = example.module.call([ones] + [v for k, v in given.items() if k[0] != "_"][1:])[0]
    without = reference({**given, "x": ones}, True)[0]
    want = ones @ given["_dense"].T
    assert abs(have - want).mean() < abs(without - want).mean() / 2
