"""Fast Sparse ConvNets

Theme: sparsity

Claim: Pointwise convolutions of MobileNets with unstructured sparse weights, activations in CHW, are
faster than dense ones on ARM and WebAssembly (XNNPACK): sparse nets beat dense ones at equal accuracy.

Shown: A 1 x 1 convolution whose filter lists rows by differences of columns (`#sparse.csr<i8, delta>`,
XNNPACK's skip lists), on images of any size, with blocks of 2 output channels in a second layer.
"""

import numpy as np

C, M, O = 27, 18, 10

MODULE = """
#p = affine_map<(o, h, w, c) -> (o, c)>
#image = affine_map<(o, h, w, c) -> (c, h, w)>
#out = affine_map<(o, h, w, c) -> (o, h, w)>
#bias = affine_map<(o, h, w, c) -> (o)>
#same = affine_map<(o, h, w) -> (o, h, w)>
!skips = !weft.packed<18x27xf32, #weft.format<elem = #weft.value<f32>,
                                              structure = #sparse.csr<i8, delta>>>
!pairs = !weft.packed<10x18xf32, #weft.format<elem = #weft.value<f32>,
                                              structure = #sparse.block<2, 1, #sparse.csr<i16>>>>

func.func @main(%h: index {weft.symbol = "h"}, %w: index {weft.symbol = "w"},
                %x: tensor<27x?x?xf32> {weft.name = "x", weft.dims = [27, "h", "w"]},
                %codes: tensor<49xi32>, %offsets: tensor<19xi32>, %steps: tensor<49xi8>,
                %bias: tensor<18xf32>,
                %blocks: tensor<18x2x1xi32>, %block_offsets: tensor<6xi32>, %columns: tensor<18xi16>)
    -> tensor<10x?x?xf32> {
  %c0 = tensor.cast %codes : tensor<49xi32> to tensor<?xi32>
  %s0 = tensor.cast %steps : tensor<49xi8> to tensor<?xi8>
  %b0 = tensor.cast %blocks : tensor<18x2x1xi32> to tensor<?x2x1xi32>
  %n0 = tensor.cast %columns : tensor<18xi16> to tensor<?xi16>
  %first = weft.assemble %c0, %offsets, %s0 : tensor<?xi32>, tensor<19xi32>, tensor<?xi8> -> !skips
  %second = weft.assemble %b0, %block_offsets, %n0
    : tensor<?x2x1xi32>, tensor<6xi32>, tensor<?xi16> -> !pairs
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%h, %w) : tensor<18x?x?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<18x?x?xf32>) -> tensor<18x?x?xf32>
  %inner = weft.contract indexing_maps = [#p, #image, #bias, #out]
             ins(%first, %x : !skips, tensor<27x?x?xf32>) bias(%bias : tensor<18xf32>)
             outs(%z : tensor<18x?x?xf32>) -> tensor<18x?x?xf32>
  %active = linalg.generic {indexing_maps = [#same, #same],
                            iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%inner : tensor<18x?x?xf32>) outs(%e : tensor<18x?x?xf32>) {
  ^bb0(%v: f32, %old: f32):
    %least = arith.constant 0.0 : f32
    %most = arith.constant 6.0 : f32
    %low = arith.maximumf %v, %least : f32
    %clipped = arith.minimumf %low, %most : f32
    linalg.yield %clipped : f32
  } -> tensor<18x?x?xf32>
  %empty = tensor.empty(%h, %w) : tensor<10x?x?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<10x?x?xf32>) -> tensor<10x?x?xf32>
  %y = weft.contract indexing_maps = [#p, #image, #out]
         ins(%second, %active : !pairs, tensor<18x?x?xf32>)
         outs(%init : tensor<10x?x?xf32>) -> tensor<10x?x?xf32>
  return %y : tensor<10x?x?xf32>
}
"""

# Sums of at most 27 products in f32, twice.
TOLERANCE = 5e-6


def inputs(rng):
    first = np.zeros(M * C)
    first[rng.permutation(M * C)[:49]] = rng.standard_normal(49)
    first = first.reshape(M, C).astype(np.float32)
    keep = np.zeros(O // 2 * M, bool)
    keep[rng.permutation(keep.size)[:18]] = True
    keep = keep.reshape(O // 2, M)
    second = np.where(np.repeat(keep, 2, 0), rng.standard_normal((O, M)), 0).astype(np.float32)

    rows, columns = np.nonzero(first)
    steps = [c - (columns[i - 1] if i and rows[i - 1] == r else 0)
             for i, (r, c) in enumerate(zip(rows, columns))]
    pair_rows, pair_columns = np.nonzero(keep)
    blocks = second.reshape(O // 2, 2, M).transpose(0, 2, 1)[pair_rows, pair_columns]
    bias = rng.standard_normal(M).astype(np.float32)
    return [{"x": rng.standard_normal((C, *size)).astype(np.float32),
             "codes": first[rows, columns].view(np.int32),
             "offsets": np.searchsorted(rows, np.arange(M + 1)).astype(np.int32),
             "steps": np.array(steps, np.int8), "bias": bias,
             "blocks": blocks[..., None].view(np.int32),
             "block_offsets": np.searchsorted(pair_rows, np.arange(O // 2 + 1)).astype(np.int32),
             "columns": pair_columns.astype(np.int16), "_first": first, "_second": second}
            for size in ((5, 7), (1, 1), (8, 3))]


def reference(inputs, ablated):
    """Ablated: the dense weights of the same values, column after column instead of skipped."""
    first, second = (inputs[k].astype(np.float64) for k in ("_first", "_second"))
    if ablated:
        first = np.stack([np.pad(row[row != 0], (0, (row == 0).sum())) for row in first])
    hidden = np.einsum("oc,chw->ohw", first, inputs["x"]) + inputs["bias"][:, None, None]
    return [np.einsum("oc,chw->ohw", second, np.clip(hidden, 0, 6))]
