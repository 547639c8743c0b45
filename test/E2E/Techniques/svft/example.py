"""SVFT: Parameter-Efficient Fine-Tuning with Singular Vectors

Theme: structured-matrix

Claim: The update of a weight is U M V^T with its own singular vectors and a sparse M (a diagonal, a
band or a random pattern): 0.006 to 0.25 % of the parameters are trained.

Shown: The weight as U (S + M) V^T where S + M is a band in `#sparse.csr<i8, delta>`: three products,
of which the middle one reads 3 numbers a row.
"""

import numpy as np

import encode

N, K = 17, 13

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
!band = !weft.packed<13x13xf32, #weft.format<elem = #weft.value<f32>,
                                             structure = #sparse.csr<i8, delta>>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x13xf32> {weft.name = "x", weft.dims = ["t", 13]},
                %u: tensor<17x13xf32>, %vt: tensor<13x13xf32>,
                %codes: tensor<37xi32>, %offsets: tensor<14xi32>, %steps: tensor<37xi8>)
    -> tensor<?x17xf32> {
  %stored = tensor.cast %codes : tensor<37xi32> to tensor<?xi32>
  %columns = tensor.cast %steps : tensor<37xi8> to tensor<?xi8>
  %m = weft.assemble %stored, %offsets, %columns
    : tensor<?xi32>, tensor<14xi32>, tensor<?xi8> -> !band
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%t) : tensor<?x13xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x13xf32>) -> tensor<?x13xf32>
  %turned = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %vt : tensor<?x13xf32>, tensor<13x13xf32>)
              outs(%z : tensor<?x13xf32>) -> tensor<?x13xf32>
  %mixed = weft.contract indexing_maps = [#x, #w, #y] ins(%turned, %m : tensor<?x13xf32>, !band)
             outs(%z : tensor<?x13xf32>) -> tensor<?x13xf32>
  %empty = tensor.empty(%t) : tensor<?x17xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x17xf32>) -> tensor<?x17xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y]
      ins(%mixed, %u : tensor<?x13xf32>, tensor<17x13xf32>)
         outs(%init : tensor<?x17xf32>) -> tensor<?x17xf32>
  return %y : tensor<?x17xf32>
}
"""

# Factors rounded to f32 and three products in f32, of numbers up to 10.
TOLERANCE = 2e-5


def inputs(rng):
    weight = rng.standard_normal((N, K))
    u, s, vt = np.linalg.svd(weight, full_matrices=False)
    band = np.where(abs(np.subtract.outer(np.arange(K), np.arange(K))) <= 1,
                    rng.standard_normal((K, K)), 0)
    numbers, offsets, columns = encode.csr((np.diag(s) + band).astype(np.float32), np.int8)
    steps = np.diff(columns, prepend=np.int8(0))
    steps[offsets[:-1]] = columns[offsets[:-1]]
    return [{"x": rng.standard_normal((t, K)).astype(np.float32), "u": u.astype(np.float32),
             "vt": vt.astype(np.float32), "codes": numbers.view(np.int32), "offsets": offsets,
             "steps": steps, "_weight": weight, "_band": band} for t in (0, 1, 6)]


def reference(inputs, ablated):
    """y = (W + U M V^T) x."""
    u, _, vt = np.linalg.svd(inputs["_weight"], full_matrices=False)
    delta = 0 if ablated else u @ inputs["_band"] @ vt
    return [inputs["x"].astype(np.float64) @ (inputs["_weight"] + delta).T]
