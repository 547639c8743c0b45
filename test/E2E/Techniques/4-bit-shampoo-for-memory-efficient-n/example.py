"""4-bit Shampoo for Memory-Efficient Network Training

Theme: quantization

Claim: Second-order optimizer states fit 4 bits: what is quantized is the matrix of eigenvectors, with a
linear-square code, made orthogonal again before the inverse fourth root is taken.

Shown: `lowp.quantize` with the linear-square table in blocks of 64, one step of Bjorck's iteration and
V diag(l)^(-1/4) V^T in one module; the inverse root is nearer to the true one than by the plain code.
"""

import numpy as np

N = 24
# Linear-square: T(j) = -(-1 + 2j/15)^2 below 7, 0 at 7, (-1 + 2j/15)^2 above (section 3.3).
TABLE = [0.0 if j == 7 else float(np.sign(2 * j - 15) * (-1 + 2 * j / 15) ** 2) for j in range(16)]

MODULE = f"""
#a = affine_map<(i, j, k) -> (i, k)>
#b = affine_map<(i, j, k) -> (k, j)>
#bt = affine_map<(i, j, k) -> (j, k)>
#at = affine_map<(i, j, k) -> (k, i)>
#y = affine_map<(i, j, k) -> (i, j)>
#cell = affine_map<(i, j) -> (i, j)>
#column = affine_map<(i, j) -> (j)>
!code = !weft.packed<24x24xf32, #weft.format<elem = #lowp.table<[{', '.join(map(str, TABLE))}]>,
                                             scales = [#lowp.scale<multiply, [64], f32>]>>

func.func @main(%v: tensor<24x24xf32>, %l: tensor<24xf32>) -> (tensor<24x24xf32>, tensor<24x24xf32>) {{
  %q = lowp.quantize %v by absmax : tensor<24x24xf32> -> !code
  %none = tensor.empty() : tensor<24x24xf32>
  %u = weft.unpack ins(%q : !code) outs(%none : tensor<24x24xf32>) -> tensor<24x24xf32>
  %zero = arith.constant 0.0 : f32
  %zeros = linalg.fill ins(%zero : f32) outs(%none : tensor<24x24xf32>) -> tensor<24x24xf32>
  // V = 1.5 U - 0.5 U U^T U.
  %gram = weft.contract indexing_maps = [#at, #b, #y]
      ins(%u, %u : tensor<24x24xf32>, tensor<24x24xf32>)
            outs(%zeros : tensor<24x24xf32>) -> tensor<24x24xf32>
  %cube = weft.contract indexing_maps = [#a, #b, #y]
      ins(%u, %gram : tensor<24x24xf32>, tensor<24x24xf32>)
            outs(%zeros : tensor<24x24xf32>) -> tensor<24x24xf32>
  %rectified = linalg.generic {{indexing_maps = [#cell, #cell, #cell],
      iterator_types = ["parallel", "parallel"]}}
      ins(%u, %cube : tensor<24x24xf32>, tensor<24x24xf32>) outs(%none : tensor<24x24xf32>) {{
  ^bb0(%x: f32, %c: f32, %old: f32):
    %more = arith.constant 1.5 : f32
    %half = arith.constant 0.5 : f32
    %first = arith.mulf %x, %more : f32
    %second = arith.mulf %c, %half : f32
    %next = arith.subf %first, %second : f32
    linalg.yield %next : f32
  }} -> tensor<24x24xf32>
  %scaled = linalg.generic {{indexing_maps = [#cell, #column, #cell],
      iterator_types = ["parallel", "parallel"]}}
      ins(%rectified, %l : tensor<24x24xf32>, tensor<24xf32>) outs(%none : tensor<24x24xf32>) {{
  ^bb0(%x: f32, %e: f32, %old: f32):
    %root = math.sqrt %e : f32
    %fourth = math.sqrt %root : f32
    %y = arith.divf %x, %fourth : f32
    linalg.yield %y : f32
  }} -> tensor<24x24xf32>
  %y = weft.contract indexing_maps = [#a, #bt, #y]
      ins(%scaled, %rectified : tensor<24x24xf32>, tensor<24x24xf32>)
         outs(%zeros : tensor<24x24xf32>) -> tensor<24x24xf32>
  return %u, %y : tensor<24x24xf32>, tensor<24x24xf32>
}}
"""

# Products of three matrices of 24 in f32; no entry lies between two codes.
TOLERANCE = 1e-5


def quantize(v, table):
    """Blocks of 64 along the rows by their largest number; also the distance from ties."""
    table = np.array(table)
    order = np.argsort(table, kind="stable")
    grid = table[order]
    blocks = v.reshape(-1, 64)
    scaled = blocks / (abs(blocks).max(1, keepdims=True) / abs(grid).min(initial=1, where=abs(grid) == 1))
    at = np.clip(np.searchsorted(grid, scaled), 1, 15)
    middle = (grid[at - 1] + grid[at]) / 2
    codes = np.where(scaled < middle, grid[at - 1], grid[at])
    return (codes * abs(blocks).max(1, keepdims=True)).reshape(v.shape), abs(scaled - middle).min()


def inputs(rng):
    values = np.exp(rng.uniform(-4, 4, N))
    while True:
        vectors = np.linalg.qr(rng.standard_normal((N, N)))[0].astype(np.float32)
        if quantize(vectors.astype(np.float64), TABLE)[1] > 1e-6:
            break
    return {"v": vectors, "l": values.astype(np.float32), "_values": values}


def root(u, values, rectify):
    v = 1.5 * u - 0.5 * u @ u.T @ u if rectify else u
    return v @ np.diag(values ** -0.25) @ v.T


def reference(inputs, ablated):
    """Ablated: without orthogonality being restored."""
    u, _ = quantize(inputs["v"].astype(np.float64), TABLE)
    return [u, root(u, inputs["l"].astype(np.float64), not ablated)]


def check(example):
    given, have, _ = example.calls[0]
    exact = root(given["v"].astype(np.float64), given["_values"], False)
    linear = [-1 + 2 * j / 15 for j in range(16)]
    plain, _ = quantize(given["v"].astype(np.float64), linear)
    error = lambda y: ((y - exact) ** 2).sum()
    assert error(have[1]) < error(root(have[0], given["_values"], False))
    assert error(have[1]) < error(root(plain, given["_values"], False))
