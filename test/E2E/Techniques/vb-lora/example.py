"""VB-LoRA: Extreme Parameter Efficient Fine-Tuning with Vector Banks

Theme: structured-matrix

Claim: Every sub-vector of every low-rank matrix is a mixture of the top k vectors of one shared bank;
0.4 % of LoRA's stored parameters on Llama2-13B.

Shown: A row of the adapter is put together from sub-vectors, each a sum of 2 bank vectors with
softmax weights; what a task stores are ids in 8 bits and one weight in 16 bits (k - 1 determine the
last).
"""

import numpy as np

K, N, RANK, BANK, SIZE, TOP = 18, 12, 3, 21, 6, 2

MODULE = """
#bank = affine_map<(r, s, j, i) -> (r, s, i, j)>
#share = affine_map<(r, s, j, i) -> (r, s, i)>
#mixed = affine_map<(r, s, j, i) -> (r, s, j)>
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#b = affine_map<(t, n, k) -> (k, n)>
#y = affine_map<(t, n, k) -> (t, n)>
#one = affine_map<(r, s, i) -> (r, s)>
#both = affine_map<(r, s, i) -> (r, s, i)>

// The rows of A, of three sub-vectors, and those of B^T, of two, are one tensor of 15.
func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x18xf32> {weft.name = "x", weft.dims = ["t", 18]},
                %bank: tensor<21x6xf32>, %ids: tensor<3x5x2xi8>, %first: tensor<3x5xf16>)
    -> tensor<?x12xf32> {
  %pair = tensor.empty() : tensor<3x5x2xf32>
  %weights = linalg.generic {indexing_maps = [#one, #both],
                             iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%first : tensor<3x5xf16>) outs(%pair : tensor<3x5x2xf32>) {
  ^bb0(%w: f16, %old: f32):
    %i = linalg.index 2 : index
    %c0 = arith.constant 0 : index
    %is_first = arith.cmpi eq, %i, %c0 : index
    %wide = arith.extf %w : f16 to f32
    %one = arith.constant 1.0 : f32
    %rest = arith.subf %one, %wide : f32
    %weight = arith.select %is_first, %wide, %rest : f32
    linalg.yield %weight : f32
  } -> tensor<3x5x2xf32>
  %none = tensor.empty() : tensor<3x5x2x6xf32>
  %vectors = weft.embed ins(%bank, %ids : tensor<21x6xf32>, tensor<3x5x2xi8>)
               outs(%none : tensor<3x5x2x6xf32>) -> tensor<3x5x2x6xf32>
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<3x5x6xf32>
  %z0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<3x5x6xf32>) -> tensor<3x5x6xf32>
  %rows = weft.contract indexing_maps = [#bank, #share, #mixed]
            ins(%vectors, %weights : tensor<3x5x2x6xf32>, tensor<3x5x2xf32>)
            outs(%z0 : tensor<3x5x6xf32>) -> tensor<3x5x6xf32>
  %flat = tensor.collapse_shape %rows [[0], [1, 2]] : tensor<3x5x6xf32> into tensor<3x30xf32>
  %a = tensor.extract_slice %flat[0, 0] [3, 18] [1, 1] : tensor<3x30xf32> to tensor<3x18xf32>
  %b = tensor.extract_slice %flat[0, 18] [3, 12] [1, 1] : tensor<3x30xf32> to tensor<3x12xf32>
  %e1 = tensor.empty(%t) : tensor<?x3xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %inner = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %a : tensor<?x18xf32>, tensor<3x18xf32>)
             outs(%z1 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %e2 = tensor.empty(%t) : tensor<?x12xf32>
  %z2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x12xf32>) -> tensor<?x12xf32>
  %y = weft.contract indexing_maps = [#x, #b, #y]
      ins(%inner, %b : tensor<?x3xf32>, tensor<3x12xf32>)
         outs(%z2 : tensor<?x12xf32>) -> tensor<?x12xf32>
  return %y : tensor<?x12xf32>
}
"""

# Sums of 2, 18 and 3 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    bank = rng.standard_normal((BANK, SIZE)).astype(np.float32)
    logits = rng.standard_normal((RANK, (K + N) // SIZE, BANK)) * 2
    ids = np.argsort(-logits, axis=-1)[..., :TOP]
    top = np.exp(np.take_along_axis(logits, ids, -1))
    first = (top / top.sum(-1, keepdims=True))[..., 0].astype(np.float16)
    return [{"x": rng.standard_normal((t, K)).astype(np.float32), "bank": bank,
             "ids": ids.astype(np.int8), "first": first} for t in (3, 1)]


def reference(inputs, ablated):
    """Without the mixture, a sub-vector is the first bank vector alone."""
    first = inputs["first"].astype(np.float64)
    if ablated:
        first = np.ones_like(first)
    bank, ids = inputs["bank"].astype(np.float64), inputs["ids"]
    rows = []
    for r in range(RANK):
        rows.append(np.concatenate([p * bank[i] + (1 - p) * bank[j]
                                    for p, (i, j) in zip(first[r], ids[r])]))
    rows = np.array(rows)
    return [inputs["x"].astype(np.float64) @ rows[:, :K].T @ rows[:, K:]]


def check(example):
    given = example.calls[0][0]
    stored = given["ids"].nbytes + given["first"].nbytes
    assert stored == RANK * (K + N) // SIZE * (TOP + 2), stored
    assert stored * 6 == RANK * (K + N) * 4, "a sixth of LoRA's bytes, without the shared bank"
