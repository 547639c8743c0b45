"""SlimmeRF: Slimmable Radiance Fields

Theme: structured-matrix

Claim: The rank components of a tensorial radiance field are ordered by training, so that one model
can be cut to a smaller and faster one at run time by leaving out the last components.

Shown: Densities of points in a vector-matrix field, sampled linearly, where the number of components
is an argument of the call: the tables are cut to it before they are read.
"""

import numpy as np

RANK, SIZE = 6, 9  # components, positions of the grid along each axis

MODULE = """
#pr = affine_map<(p, r) -> (p, r)>
#p = affine_map<(p, r) -> (p)>
#table = affine_map<(i, r) -> (r, i)>
#rows = affine_map<(i, r) -> (i, r)>

// Lines are [r, x], planes [r, y z]; points have the lower corner and its weights.
func.func @main(%n: index {weft.symbol = "n"}, %lines: tensor<6x9xf32>, %planes: tensor<6x81xf32>,
                %x0: tensor<?xi64> {weft.name = "x0", weft.dims = ["n"]},
                %x1: tensor<?xi64> {weft.name = "x1", weft.dims = ["n"]},
                %fraction: tensor<?xf32> {weft.name = "fraction", weft.dims = ["n"]},
                %yz: tensor<?xi64> {weft.name = "yz", weft.dims = ["n"]},
                %keep: tensor<i64>) -> tensor<?xf32> {
  %kept = tensor.extract %keep[] : tensor<i64>
  %r = arith.index_cast %kept : i64 to index
  %some_lines = tensor.extract_slice %lines[0, 0] [%r, 9] [1, 1]
      : tensor<6x9xf32> to tensor<?x9xf32>
  %some_planes = tensor.extract_slice %planes[0, 0] [%r, 81] [1, 1]
      : tensor<6x81xf32> to tensor<?x81xf32>
  %e0 = tensor.empty(%r) : tensor<9x?xf32>
  %e1 = tensor.empty(%r) : tensor<81x?xf32>
  %line_rows = linalg.transpose ins(%some_lines : tensor<?x9xf32>) outs(%e0 : tensor<9x?xf32>)
                 permutation = [1, 0]
  %plane_rows = linalg.transpose ins(%some_planes : tensor<?x81xf32>) outs(%e1 : tensor<81x?xf32>)
                  permutation = [1, 0]
  %e = tensor.empty(%n, %r) : tensor<?x?xf32>
  %l0 = weft.embed ins(%line_rows, %x0 : tensor<9x?xf32>, tensor<?xi64>)
          outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %l1 = weft.embed ins(%line_rows, %x1 : tensor<9x?xf32>, tensor<?xi64>)
          outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %m = weft.embed ins(%plane_rows, %yz : tensor<81x?xf32>, tensor<?xi64>)
         outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  %zero = arith.constant 0.0 : f32
  %none = tensor.empty(%n) : tensor<?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
  %density = linalg.generic {indexing_maps = [#pr, #pr, #pr, #p, #p],
                             iterator_types = ["parallel", "reduction"]}
      ins(%l0, %l1, %m, %fraction
      : tensor<?x?xf32>, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?xf32>)
      outs(%init : tensor<?xf32>) {
  ^bb0(%v0: f32, %v1: f32, %plane: f32, %f: f32, %sum: f32):
    %step = arith.subf %v1, %v0 : f32
    %part = arith.mulf %step, %f : f32
    %line = arith.addf %v0, %part : f32
    %product = arith.mulf %line, %plane : f32
    %next = arith.addf %sum, %product : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  return %density : tensor<?xf32>
}
"""

# Sums of at most 6 products in f32.
TOLERANCE = 2e-6


def inputs(rng):
    lines, planes = (rng.standard_normal((RANK, n)).astype(np.float32) for n in (SIZE, SIZE ** 2))
    calls = []
    for keep in (RANK - 1, 2, 0):
        x = rng.uniform(0, SIZE - 1, 11)
        calls.append({"lines": lines, "planes": planes, "x0": x.astype(np.int64),
                      "x1": x.astype(np.int64) + 1, "fraction": (x % 1).astype(np.float32),
                      "yz": rng.integers(0, SIZE ** 2, 11), "keep": np.int64(keep), "_x": x})
    return calls


def reference(inputs, ablated):
    """Sum over components r <= keep of line_r(x) * plane_r(y, z)."""
    keep = RANK if ablated else int(inputs["keep"])
    density = np.zeros(11)
    for r in range(keep):
        line = np.interp(inputs["x0"] + inputs["fraction"].astype(np.float64), np.arange(SIZE),
                         inputs["lines"][r])
        density += line * inputs["planes"][r].reshape(SIZE, SIZE)[inputs["yz"] // SIZE, inputs["yz"] % SIZE]
    return [density]
