"""Pixelated Butterfly: Simple and Efficient Sparse training for Neural Network Models

Theme: structured-matrix

Claim: A fixed flat block-butterfly pattern with a low-rank term takes the place of dense weights in
attention and MLPs; trained up to 2.5 times faster than dense with no loss of accuracy.

Shown: Weights are one `#weft.sum` of blocks of 3 x 5 in the flat pattern (block rows and columns that
differ in at most one bit), listed by `#sparse.csr<i8>`, and a product of rank 2.
"""

import numpy as np

ROWS, COLUMNS, GRID, RANK = 3, 5, 8, 2
M, N = GRID * ROWS, GRID * COLUMNS
GAMMA = 0.75

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!weight = !weft.packed<24x40xf32, #weft.sum<[
  #weft.format<elem = #weft.value<f32>, structure = #sparse.block<3, 5, #sparse.csr<i8>>>,
  #weft.low_rank<2, #weft.dense, #weft.dense>]>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x40xf32> {weft.name = "x", weft.dims = ["t", 40]},
                %blocks: tensor<32x3x5xi32>, %offsets: tensor<9xi32>, %columns: tensor<32xi8>,
                %left: tensor<24x2xf32>, %right: tensor<2x40xf32>) -> tensor<?x24xf32> {
  %stored = tensor.cast %blocks : tensor<32x3x5xi32> to tensor<?x3x5xi32>
  %listed = tensor.cast %columns : tensor<32xi8> to tensor<?xi8>
  %w = weft.assemble %stored, %offsets, %listed, %left, %right
    : tensor<?x3x5xi32>, tensor<9xi32>, tensor<?xi8>, tensor<24x2xf32>, tensor<2x40xf32> -> !weight
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x24xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x24xf32>) -> tensor<?x24xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<?x40xf32>, !weight)
         outs(%init : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}
"""

# Sums of at most 20 products and 40 products of two terms, in f32.
TOLERANCE = 1e-5


def pattern():
    """The factors of a butterfly of 8, I + B1 + B2 + B4 to first order: 4 blocks in each row."""
    return [[j for j in range(GRID) if bin(i ^ j).count("1") <= 1] for i in range(GRID)]


def inputs(rng):
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    rows = pattern()
    columns = np.array([j for row in rows for j in row], np.int8)
    blocks = normal(columns.size, ROWS, COLUMNS)
    left, right = normal(M, RANK), normal(RANK, N)
    return [{"x": normal(t, N), "blocks": (np.float32(GAMMA) * blocks).view(np.int32),
             "offsets": np.arange(0, columns.size + 1, 4).astype(np.int32), "columns": columns,
             "left": np.float32(1 - GAMMA) * left, "right": right, "_blocks": blocks, "_left": left}
            for t in (1, 10)]


def reference(inputs, ablated):
    """W = gamma B + (1 - gamma) U V^T; ablated: without the low-rank term."""
    sparse = np.zeros((M, N))
    blocks = iter(inputs["_blocks"])
    for i, row in enumerate(pattern()):
        for j in row:
            sparse[i * ROWS:(i + 1) * ROWS, j * COLUMNS:(j + 1) * COLUMNS] = next(blocks)
    weight = GAMMA * sparse
    if not ablated:
        weight = weight + (1 - GAMMA) * inputs["_left"].astype(np.float64) @ inputs["right"]
    return [inputs["x"].astype(np.float64) @ weight.T]
