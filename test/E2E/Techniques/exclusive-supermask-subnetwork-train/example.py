"""Exclusive Supermask Subnetwork Training for Continual Learning

Theme: sparsity

Claim: Every task is a binary mask over one shared set of weights, of which it keeps 2 to 10 %, and the
parts that tasks train do not overlap.

Shown: The masks of 3 tasks are 1 bit a weight in one packed tensor; the id of the task is an argument,
and y = (W * M) x reads that task's bits alone.
"""

import numpy as np

import encode

N, K, TASKS = 23, 37, 3

MODULE = """
#x = affine_map<(t, n, k) -> (t, k)>
#w = affine_map<(t, n, k) -> (n, k)>
#y = affine_map<(t, n, k) -> (t, n)>
#cell = affine_map<(n, k) -> (n, k)>
!masks = !weft.packed<3x23x37xf32, #weft.format<elem = #lowp.int<1, unsigned>>>

func.func @main(%t: index {weft.symbol = "t"},
                %x: tensor<?x37xf32> {weft.name = "x", weft.dims = ["t", 37]},
                %w: tensor<23x37xf32>, %bits: tensor<320xi8>, %task: tensor<i64>)
                    -> tensor<?x23xf32> {
  %masks = weft.assemble %bits : tensor<320xi8> -> !masks
  %none = tensor.empty() : tensor<23x37xf32>
  %mask = weft.embed ins(%masks, %task : !masks, tensor<i64>)
            outs(%none : tensor<23x37xf32>) -> tensor<23x37xf32>
  %kept = linalg.generic {indexing_maps = [#cell, #cell, #cell],
      iterator_types = ["parallel", "parallel"]}
      ins(%w, %mask : tensor<23x37xf32>, tensor<23x37xf32>) outs(%none : tensor<23x37xf32>) {
  ^bb0(%v: f32, %m: f32, %old: f32):
    %p = arith.mulf %v, %m : f32
    linalg.yield %p : f32
  } -> tensor<23x37xf32>
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%t) : tensor<?x23xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x23xf32>) -> tensor<?x23xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %kept : tensor<?x37xf32>, tensor<23x37xf32>)
         outs(%init : tensor<?x23xf32>) -> tensor<?x23xf32>
  return %y : tensor<?x23xf32>
}
"""

# Sums of at most 37 products in f32.
TOLERANCE = 3e-6


def inputs(rng):
    weight = rng.standard_normal((N, K)).astype(np.float32)
    # Exclusive: each weight belongs to one task at most, 10 % to each.
    owner = rng.choice(TASKS + 1, (N, K), p=[0.1] * TASKS + [0.7])
    masks = np.stack([owner == task for task in range(TASKS)])
    return [{"x": rng.standard_normal((t, K)).astype(np.float32), "w": weight,
             "bits": encode.bits(masks, 1), "task": np.int64(task), "_owner": owner}
            for t, task in ((2, 1), (5, 0), (1, 2))]


def reference(inputs, ablated):
    """Ablated: the union of the tasks."""
    task = inputs["task"]
    keep = inputs["_owner"] < TASKS if ablated else inputs["_owner"] == task
    return [inputs["x"].astype(np.float64) @ np.where(keep, inputs["w"], 0).T.astype(np.float64)]
