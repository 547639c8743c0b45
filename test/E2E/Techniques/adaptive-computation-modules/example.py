"""Adaptive Computation Modules: Granular Conditional Computation For Efficient Inference

Theme: moe

Claim: A module of N small learners of which each token takes as many as a gate says, always the
first ones, spends computation where it is needed.

Shown: The slots of `moe.expert_ffn` are the learners; a token that takes n has the numbers 0 to n
- 1 in its first slots and -1 in the others, which cost nothing. The gate's arg max may be 0
learners.
"""

import numpy as np

H, I, N = 9, 5, 4

# Sums of at most 4 times 9 products of about 1, rounded in f32.
TOLERANCE = 2e-5

MODULE = """
func.func @main(%T: index {weft.symbol = "T"},
    %x: tensor<?x9xf32> {weft.name = "x", weft.dims = ["T", 9]},
    %gate: tensor<9x5xf32>,
    %up: tensor<4x9x5xf32>, %up_bias: tensor<4x5xf32>,
    %down: tensor<4x5x9xf32>, %down_bias: tensor<4x9xf32>)
    -> (tensor<?x9xf32>, tensor<?xi32>) {
  %zero = arith.constant 0.0 : f32
  %none = arith.constant -1 : i32

  // How many learners each token takes: the gate's arg max over 0 to 4.
  %e5 = tensor.empty(%T) : tensor<?x5xf32>
  %z5 = linalg.fill ins(%zero : f32) outs(%e5 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %logits = linalg.matmul ins(%x, %gate : tensor<?x9xf32>, tensor<9x5xf32>)
      outs(%z5 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %i1 = tensor.empty(%T) : tensor<?x1xi32>
  %w1 = tensor.empty(%T) : tensor<?x1xf32>
  %best, %score = moe.route softmax top_k ins(%logits : tensor<?x5xf32>)
                    outs(%i1, %w1 : tensor<?x1xi32>, tensor<?x1xf32>)
                        -> tensor<?x1xi32>, tensor<?x1xf32>
  %count = tensor.collapse_shape %best [[0, 1]] : tensor<?x1xi32> into tensor<?xi32>

  // Slot j has learner j if the token takes more than j.
  %i4 = tensor.empty(%T) : tensor<?x4xi32>
  %ids = linalg.generic {indexing_maps = [affine_map<(t, j) -> (t)>, affine_map<(t, j) -> (t, j)>],
                         iterator_types = ["parallel", "parallel"]}
      ins(%count : tensor<?xi32>) outs(%i4 : tensor<?x4xi32>) {
  ^bb0(%n: i32, %o: i32):
    %j = linalg.index 1 : index
    %number = arith.index_cast %j : index to i32
    %takes = arith.cmpi slt, %number, %n : i32
    %id = arith.select %takes, %number, %none : i32
    linalg.yield %id : i32
  } -> tensor<?x4xi32>
  %one = arith.constant 1.0 : f32
  %w4 = tensor.empty(%T) : tensor<?x4xf32>
  %ones = linalg.fill ins(%one : f32) outs(%w4 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %e9 = tensor.empty(%T) : tensor<?x9xf32>
  %z9 = linalg.fill ins(%zero : f32) outs(%e9 : tensor<?x9xf32>) -> tensor<?x9xf32>
  %y = moe.expert_ffn ins(%x, %ids, %ones : tensor<?x9xf32>, tensor<?x4xi32>, tensor<?x4xf32>)
         up(%up : tensor<4x9x5xf32>) up_biases(%up_bias : tensor<4x5xf32>)
         down(%down : tensor<4x5x9xf32>) down_bias(%down_bias : tensor<4x9xf32>)
         outs(%z9 : tensor<?x9xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x9xf32>
  return %y, %count : tensor<?x9xf32>, tensor<?xi32>
}
"""


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"gate": f(H, N + 1), "up": f(N, H, I) / 3, "up_bias": f(N, I), "down": f(N, I,
                                                                                        H) / 2,
               "down_bias": f(N, H)}
    return [{"x": f(t, H), **weights} for t in (23, 0, 3)]


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    count = np.argmax(p["x"] @ p["gate"], axis=1) if len(p["x"]) else np.zeros(0)
    if ablated:  # as many for each token
        count[:] = N
    y = np.zeros_like(p["x"])
    for t, x in enumerate(p["x"]):
        for j in range(count[t]):
            y[t] += np.maximum(x @ p["up"][j] + p["up_bias"][j],
                               0) @ p["down"][j] + p["down_bias"][j]
    return [y, count.astype(np.int32)]
