"""SliceGPT: Compress Large Language Models by Deleting Rows and Columns

Theme: sparsity

Claim: A transformer with RMSNorm computes the same after each block's signal is turned by an orthogonal
matrix; along the principal components, up to 25 % of the rows and columns can then be deleted.

Shown: A block of sliced matrices (14 of 18 columns) with RMSNorm and a residual that changes basis by
Q1^T Q2 gives what the full model with projected signals gives; turned without deletion it is the model.
"""

import numpy as np

D, INNER = 18, 23

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (k, n)>
#y = affine_map<(t, n, k) -> (t, n)>
#cell = affine_map<(t, n) -> (t, n)>
#row = affine_map<(t, n) -> (t)>

// d is how many columns are left; RMSNorm divides by the root of the mean over all 18.
func.func @main(%t: index {weft.symbol = "t"}, %d: index {weft.symbol = "d"},
                %x: tensor<?x?xf32> {weft.name = "x", weft.dims = ["t", "d"]},
                %up: tensor<?x23xf32> {weft.name = "up", weft.dims = ["d", 23]},
                %down: tensor<23x?xf32> {weft.name = "down", weft.dims = [23, "d"]},
                %turn: tensor<?x?xf32> {weft.name = "turn", weft.dims = ["d", "d"]})
                    -> tensor<?x?xf32> {
  %zero = arith.constant 0.0 : f32
  %none = tensor.empty(%t) : tensor<?xf32>
  %start = linalg.fill ins(%zero : f32) outs(%none : tensor<?xf32>) -> tensor<?xf32>
  %squares = linalg.generic {indexing_maps = [#cell, #row],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<?x?xf32>) outs(%start : tensor<?xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %square = arith.mulf %v, %v : f32
    %next = arith.addf %sum, %square : f32
    linalg.yield %next : f32
  } -> tensor<?xf32>
  %signal = tensor.empty(%t, %d) : tensor<?x?xf32>
  %normal = linalg.generic {indexing_maps = [#cell, #row, #cell],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %squares : tensor<?x?xf32>, tensor<?xf32>) outs(%signal : tensor<?x?xf32>) {
  ^bb0(%v: f32, %sum: f32, %old: f32):
    %size = arith.constant 18.0 : f32
    %mean = arith.divf %sum, %size : f32
    %root = math.sqrt %mean : f32
    %n = arith.divf %v, %root : f32
    linalg.yield %n : f32
  } -> tensor<?x?xf32>
  %wide = tensor.empty(%t) : tensor<?x23xf32>
  %z0 = linalg.fill ins(%zero : f32) outs(%wide : tensor<?x23xf32>) -> tensor<?x23xf32>
  %inner = weft.contract indexing_maps = [#x, #w, #y]
      ins(%normal, %up : tensor<?x?xf32>, tensor<?x23xf32>)
             outs(%z0 : tensor<?x23xf32>) -> tensor<?x23xf32>
  %active = linalg.generic {indexing_maps = [#cell, #cell],
      iterator_types = ["parallel", "parallel"]}
      ins(%inner : tensor<?x23xf32>) outs(%wide : tensor<?x23xf32>) {
  ^bb0(%v: f32, %old: f32):
    %nothing = arith.constant 0.0 : f32
    %m = arith.maximumf %v, %nothing : f32
    linalg.yield %m : f32
  } -> tensor<?x23xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%signal : tensor<?x?xf32>) -> tensor<?x?xf32>
  %residual = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %turn : tensor<?x?xf32>, tensor<?x?xf32>)
                outs(%z1 : tensor<?x?xf32>) -> tensor<?x?xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y]
      ins(%active, %down : tensor<?x23xf32>, tensor<23x?xf32>)
         outs(%residual : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
"""

# Matrices rounded to f32, sums of 23 products.
TOLERANCE = 1e-5


def principal(signal):
    """The principal components of a calibration signal, largest first."""
    return np.linalg.eigh(signal.T @ signal)[1][:, ::-1]


def inputs(rng):
    spread = 0.8 ** np.arange(D)
    mix = np.linalg.qr(rng.standard_normal((D, D)))[0]
    signal = rng.standard_normal((200, D)) * spread @ mix
    up, down = rng.standard_normal((D, INNER)) / 4, rng.standard_normal((INNER, D)) / 4
    q1 = principal(signal)
    q2 = principal(signal + np.maximum(signal @ up, 0) @ down)
    x = rng.standard_normal((5, D)) * spread @ mix
    calls = []
    for kept in (D, D - 4):
        a, b = q1[:, :kept], q2[:, :kept]
        narrow = [x @ a, a.T @ up, down @ b, a.T @ b]
        calls.append({k: v.astype(np.float32) for k, v in zip(("x", "up", "down", "turn"), narrow)}
                     | {"_x": x, "_up": up, "_down": down, "_q": (a, b)})
    return calls


def reference(inputs, ablated):
    """The model in its own basis, the signal projected to what is kept of either basis; ablated: the
    residual does not change its basis."""
    a, b = inputs["_q"]
    x = inputs["_x"] @ a @ a.T
    normal = x / np.sqrt((x ** 2).mean(1, keepdims=True))
    y = np.maximum(normal @ inputs["_up"], 0) @ inputs["_down"]
    return [x @ a + y @ b if ablated else (x + y) @ b]
