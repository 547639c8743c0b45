"""Fire Together Wire Together: A Dynamic Pruning Approach with Self-Supervised Mask Prediction

Theme: sparsity

Claim: A small head predicts from the pooled input which filters of a layer will be among the strongest,
as many as hold a share of the heat; the others are not computed: 15 to 24 % fewer operations than
other methods at similar accuracy on CIFAR.

Shown: Pooling, the head, `sparse.compact` of the filters that it names (of at most 8), a convolution with
these alone and `sparse.expand`; different images run different filters.
"""

import numpy as np

C, O, ROOM = 4, 13, 8

MODULE = """
#image = affine_map<(c, h, w) -> (c, h, w)>
#channel = affine_map<(c, h, w) -> (c)>
#c = affine_map<(o, c) -> (c)>
#oc = affine_map<(o, c) -> (o, c)>
#o = affine_map<(o, c) -> (o)>
#i = affine_map<(i) -> (i)>

func.func @main(%h: index {weft.symbol = "h"}, %w: index {weft.symbol = "w"},
                %x: tensor<4x?x?xf32> {weft.name = "x", weft.dims = [4, "h", "w"]},
                %head: tensor<13x4xf32>, %filters: tensor<13x4x3x3xf32>)
    -> (tensor<13x?x?xf32>, tensor<8xi32>) {
  %zero = arith.constant 0.0 : f32
  %few = tensor.empty() : tensor<4xf32>
  %z0 = linalg.fill ins(%zero : f32) outs(%few : tensor<4xf32>) -> tensor<4xf32>
  %sums = linalg.generic {indexing_maps = [#image, #channel],
                          iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x : tensor<4x?x?xf32>) outs(%z0 : tensor<4xf32>) {
  ^bb0(%v: f32, %sum: f32):
    %next = arith.addf %sum, %v : f32
    linalg.yield %next : f32
  } -> tensor<4xf32>
  %row = tensor.empty() : tensor<13xf32>
  %z1 = linalg.fill ins(%zero : f32) outs(%row : tensor<13xf32>) -> tensor<13xf32>
  %logits = weft.contract indexing_maps = [#c, #oc, #o]
      ins(%sums, %head : tensor<4xf32>, tensor<13x4xf32>)
              outs(%z1 : tensor<13xf32>) -> tensor<13xf32>
  %flags = tensor.empty() : tensor<13xi8>
  %mask = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
      ins(%logits : tensor<13xf32>) outs(%flags : tensor<13xi8>) {
  ^bb0(%v: f32, %old: i8):
    %nothing = arith.constant 0.0 : f32
    %fires = arith.cmpf ogt, %v, %nothing : f32
    %bit = arith.extui %fires : i1 to i8
    linalg.yield %bit : i8
  } -> tensor<13xi8>
  %some = tensor.empty() : tensor<8x4x3x3xf32>
  %places = tensor.empty() : tensor<8xi32>
  %kept, %positions = sparse.compact dimension = 0
      ins(%filters, %mask : tensor<13x4x3x3xf32>, tensor<13xi8>)
      outs(%some, %places : tensor<8x4x3x3xf32>, tensor<8xi32>)
      -> tensor<8x4x3x3xf32>, tensor<8xi32>
  %batch = tensor.expand_shape %x [[0, 1], [2], [3]] output_shape [1, 4, %h, %w]
    : tensor<4x?x?xf32> into tensor<1x4x?x?xf32>
  %e = tensor.empty(%h, %w) : tensor<1x8x?x?xf32>
  %z2 = linalg.fill ins(%zero : f32) outs(%e : tensor<1x8x?x?xf32>) -> tensor<1x8x?x?xf32>
  %maps = weft.conv strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1] groups = 1
            ins(%batch, %kept : tensor<1x4x?x?xf32>, tensor<8x4x3x3xf32>)
            outs(%z2 : tensor<1x8x?x?xf32>) -> tensor<1x8x?x?xf32>
  %strong = tensor.collapse_shape %maps [[0, 1], [2], [3]]
      : tensor<1x8x?x?xf32> into tensor<8x?x?xf32>
  %all = tensor.empty(%h, %w) : tensor<13x?x?xf32>
  %nothing = linalg.fill ins(%zero : f32) outs(%all : tensor<13x?x?xf32>) -> tensor<13x?x?xf32>
  %y = sparse.expand dimension = 0 ins(%strong, %positions : tensor<8x?x?xf32>, tensor<8xi32>)
         outs(%nothing : tensor<13x?x?xf32>) -> tensor<13x?x?xf32>
  return %y, %positions : tensor<13x?x?xf32>, tensor<8xi32>
}
"""

# Sums of 36 products in f32.
TOLERANCE = 3e-6


def inputs(rng):
    head = rng.standard_normal((O, C)).astype(np.float32)
    filters = rng.standard_normal((O, C, 3, 3)).astype(np.float32)
    calls = []
    for size in ((6, 5), (3, 9), (1, 1)):
        while True:
            x = (rng.standard_normal((C, *size)) + rng.standard_normal((C, 1, 1))).astype(np.float32)
            logits = head @ x.astype(np.float64).sum((1, 2))
            if abs(logits).min() > 1e-2 and (logits > 0).sum() <= ROOM:
                break
        calls.append({"x": x, "head": head, "filters": filters})
    return calls


def reference(inputs, ablated):
    """Ablated: every filter is computed."""
    x = inputs["x"].astype(np.float64)
    fires = np.nonzero(inputs["head"] @ x.sum((1, 2)) > 0)[0]
    positions = np.full(ROOM, -1, np.int32)
    positions[:fires.size] = fires
    if ablated:
        fires = np.arange(O)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1))), (3, 3), axis=(1, 2))
    y = np.zeros((O, *x.shape[1:]))
    y[fires] = np.einsum("chwij,ocij->ohw", windows, inputs["filters"][fires].astype(np.float64))
    return [y, positions]
