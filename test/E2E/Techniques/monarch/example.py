"""Monarch: Expressive Structured Matrices for Efficient and Accurate Training

Theme: structured-matrix

Claim: A product of two block-diagonal matrices with a permutation between takes the place of dense
weights at a fraction of the numbers and multiplications, and the nearest one to a dense matrix has a
closed form.

Shown: Weights are projected by the rank-one SVD of each block; the module multiplies with the two
factors in `#weft.monarch`, which are 39 % of the dense numbers.
"""

import numpy as np

M, N = 21, 20  # of the weights
BLOCKS, GROUPS = 5, 3  # block-diagonal: 5 blocks of 3 x 4, then 3 blocks of 7 x 5

MODULE = """
#x = affine_map<(t, m, n) -> (t, n)>
#w = affine_map<(t, m, n) -> (m, n)>
#y = affine_map<(t, m, n) -> (t, m)>
!weight = !weft.packed<21x20xf32, #weft.monarch<[5, 3], #weft.dense, #weft.dense>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x20xf32> {weft.name = "x", weft.dims = ["t", 20]},
                %left: tensor<3x7x5xf32>, %right: tensor<5x3x4xf32>) -> tensor<?x21xf32> {
  %w = weft.assemble %left, %right : tensor<3x7x5xf32>, tensor<5x3x4xf32> -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x21xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x21xf32>) -> tensor<?x21xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x20xf32>, !weight)
         outs(%init : tensor<?x21xf32>) -> tensor<?x21xf32>
  return %y : tensor<?x21xf32>
}
"""

# Sums of 20 products of two factors each in f32.
TOLERANCE = 1e-5


def project(weight):
    """Section 3.1 of the paper: row u * groups + v and column k * size + j belong to the slice
    (v, k), whose best approximation is one outer product."""
    size = N // BLOCKS
    slices = weight.reshape(M // GROUPS, GROUPS, BLOCKS, size)
    left = np.zeros((GROUPS, M // GROUPS, BLOCKS))
    right = np.zeros((BLOCKS, GROUPS, size))
    for v in range(GROUPS):
        for k in range(BLOCKS):
            u, s, vt = np.linalg.svd(slices[:, v, k, :])
            left[v, :, k], right[k, v] = u[:, 0] * s[0], vt[0]
    return left.astype(np.float32), right.astype(np.float32)


def inputs(rng):
    weight = rng.standard_normal((M, N))
    left, right = project(weight)
    return [{"x": rng.standard_normal((t, N)).astype(np.float32), "left": left, "right": right,
             "_weight": weight} for t in (1, 13)]


def reference(inputs, ablated):
    """y = P L P^T R x as matrices. Without the permutation the blocks do not mix."""
    left, right = (inputs[k].astype(np.float64) for k in ("left", "right"))
    inner = np.zeros((BLOCKS * GROUPS, N))
    for k in range(BLOCKS):
        inner[k * GROUPS:(k + 1) * GROUPS, k * 4:(k + 1) * 4] = right[k]
    outer = np.zeros((M, BLOCKS * GROUPS))
    for v in range(GROUPS):
        outer[v * 7:(v + 1) * 7, v * BLOCKS:(v + 1) * BLOCKS] = left[v]
    between, after = np.eye(BLOCKS * GROUPS), np.eye(M)
    if not ablated:  # from (block, group) to (group, block), and from (group, row) to (row, group)
        between = between.reshape(BLOCKS, GROUPS, -1).swapaxes(0, 1).reshape(BLOCKS * GROUPS, -1)
        after = after.reshape(GROUPS, M // GROUPS, M).swapaxes(0, 1).reshape(M, M)
    matrix = after @ outer @ between @ inner
    return [inputs["x"].astype(np.float64) @ matrix.T]


def check(example):
    given = example.calls[0][0]
    stored = given["left"].size + given["right"].size
    assert stored < 0.4 * M * N, stored
    # The projection is the best one: each slice keeps its largest singular value.
    basis = np.eye(N, dtype=np.float32)
    have = example.module.call([basis, given["left"], given["right"]])[0].T
    slices = given["_weight"].reshape(M // GROUPS, GROUPS, BLOCKS, N // BLOCKS).transpose(1, 2, 0, 3)
    lost = (np.linalg.svd(slices, compute_uv=False)[..., 1:] ** 2).sum()
    assert abs(((have - given["_weight"]) ** 2).sum() - lost) < 1e-4 * lost
