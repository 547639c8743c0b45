"""An Efficient Sparse Inference Software Accelerator for Transformer-based Language Models on CPUs

Theme: sparsity

Claim: Weights of 8 bits pruned in constant blocks times dense activations, by VNNI dot products, beat
dense libraries on CPUs (BERT-Mini to Large).

Shown: `#sparse.block<4, 1, #sparse.csr<i16>>` of i8 times u8 activations with a zero point, in i32:
exact integers; the zero point is taken out by the sums of rows, and scales follow.
"""

import numpy as np

N, K = 22, 31  # the last block of rows has 2
GRID = -(-N // 4)

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#row = affine_map<(t, n) -> (n)>
#out = affine_map<(t, n) -> (t, n)>
!weight = !weft.packed<22x31xi8, #weft.format<elem = #lowp.int<8, signed>,
                                              structure = #sparse.block<4, 1, #sparse.csr<i16>>>>

func.func @main(%t: index {weft.symbol = "t"}, %stored: index {weft.symbol = "stored"},
                %x: tensor<?x31xi8> {weft.name = "x", weft.dims = ["t", 31]},
                %codes: tensor<?x4x1xi8> {weft.name = "codes", weft.dims = ["stored", 4, 1]},
                %offsets: tensor<7xi32>,
                %columns: tensor<?xi16> {weft.name = "columns", weft.dims = ["stored"]},
                %correction: tensor<22xi32>, %scales: tensor<22xf32>)
    -> (tensor<?x22xi32>, tensor<?x22xf32>) {
  %w = weft.assemble %codes, %offsets, %columns
    : tensor<?x4x1xi8>, tensor<7xi32>, tensor<?xi16> -> !weight
  %zero = arith.constant 0 : i32
  %empty = tensor.empty(%t) : tensor<?x22xi32>
  %init = linalg.fill ins(%zero : i32) outs(%empty : tensor<?x22xi32>) -> tensor<?x22xi32>
  %sum = weft.contract unsigned_lhs indexing_maps = [#x, #w, #y]
           ins(%x, %w : tensor<?x31xi8>, !weight) outs(%init : tensor<?x22xi32>) -> tensor<?x22xi32>
  %result = tensor.empty(%t) : tensor<?x22xf32>
  %y = linalg.generic {indexing_maps = [#out, #row, #row, #out],
      iterator_types = ["parallel", "parallel"]}
      ins(%sum, %correction, %scales : tensor<?x22xi32>, tensor<22xi32>, tensor<22xf32>)
      outs(%result : tensor<?x22xf32>) {
  ^bb0(%s: i32, %c: i32, %scale: f32, %old: f32):
    %exact = arith.subi %s, %c : i32
    %float = arith.sitofp %exact : i32 to f32
    %scaled = arith.mulf %float, %scale : f32
    linalg.yield %scaled : f32
  } -> tensor<?x22xf32>
  return %sum, %y : tensor<?x22xi32>, tensor<?x22xf32>
}
"""

# One rounding of f32; the sums are equal.
TOLERANCE = 1e-6
POINT = 113


def inputs(rng):
    keep = rng.random((GRID, K)) < 0.25
    weight = np.where(np.repeat(keep, 4, 0)[:N], rng.integers(-127, 128, (N, K)), 0)
    rows, columns = np.nonzero(keep)
    padded = np.pad(weight, ((0, GRID * 4 - N), (0, 0))).reshape(GRID, 4, K)
    codes = padded.transpose(0, 2, 1)[rows, columns][..., None].astype(np.int8)
    return [{"x": rng.integers(0, 256, (t, K)).astype(np.uint8), "codes": codes,
             "offsets": np.searchsorted(rows, np.arange(GRID + 1)).astype(np.int32),
             "columns": columns.astype(np.int16),
             "correction": (POINT * weight.sum(1)).astype(np.int32),
             "scales": rng.uniform(1e-4, 2e-4, N).astype(np.float32), "_weight": weight}
            for t in (0, 1, 12)]


def reference(inputs, ablated):
    """Ablated: activations without a zero point and as signed numbers."""
    x = inputs["x"].astype(np.int64)
    sums = (x if not ablated else x.astype(np.int8).astype(np.int64)) @ inputs["_weight"].T
    exact = sums if ablated else (x - POINT) @ inputs["_weight"].T
    return [sums.astype(np.int32), exact * inputs["scales"].astype(np.float64)]
