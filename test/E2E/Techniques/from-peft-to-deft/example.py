"""From PEFT to DEFT: Parameter Efficient Finetuning for Reducing Activation Density in Transformers

Theme: sparsity

Claim: Fine-tuning with a density loss leaves most activations between the two layers of an MLP exactly
0 (up to 50 % fewer non-zeros than PEFT), which the second layer can skip.

Shown: The second layer gathers its columns at the activations that are not 0 (`sparse.compact` of both
by one mask) and multiplies those alone, for a token with 12, with all 24 and with no neurons active.
"""

import numpy as np

D, INNER, ROOM = 9, 40, 24

MODULE = """
#vector = affine_map<(n, k) -> (k)>
#matrix = affine_map<(n, k) -> (n, k)>
#result = affine_map<(n, k) -> (n)>
#rows = affine_map<(n, k) -> (k, n)>
#i = affine_map<(i) -> (i)>

// Weights of the second layer are by neurons, so that a skipped one is a row that is not read.
func.func @main(%x: tensor<9xf32>, %up: tensor<40x9xf32>, %bias: tensor<40xf32>,
                %down: tensor<40x9xf32>) -> (tensor<9xf32>, tensor<24xi32>) {
  %zero = arith.constant 0.0 : f32
  %wide = tensor.empty() : tensor<40xf32>
  %z = linalg.fill ins(%zero : f32) outs(%wide : tensor<40xf32>) -> tensor<40xf32>
  %h = weft.contract indexing_maps = [#vector, #matrix, #result, #result]
         ins(%x, %up : tensor<9xf32>, tensor<40x9xf32>) bias(%bias : tensor<40xf32>)
         outs(%z : tensor<40xf32>) -> tensor<40xf32>
  %flags = tensor.empty() : tensor<40xi8>
  %active, %mask = linalg.generic {indexing_maps = [#i, #i, #i], iterator_types = ["parallel"]}
      ins(%h : tensor<40xf32>) outs(%wide, %flags : tensor<40xf32>, tensor<40xi8>) {
  ^bb0(%v: f32, %old: f32, %flag: i8):
    %none = arith.constant 0.0 : f32
    %relu = arith.maximumf %v, %none : f32
    %positive = arith.cmpf ogt, %v, %none : f32
    %bit = arith.extui %positive : i1 to i8
    linalg.yield %relu, %bit : f32, i8
  } -> (tensor<40xf32>, tensor<40xi8>)
  %few = tensor.empty() : tensor<24xf32>
  %rows = tensor.empty() : tensor<24x9xf32>
  %places = tensor.empty() : tensor<24xi32>
  %a, %positions = sparse.compact dimension = 0 ins(%active, %mask : tensor<40xf32>, tensor<40xi8>)
      outs(%few, %places : tensor<24xf32>, tensor<24xi32>) -> tensor<24xf32>, tensor<24xi32>
  %w, %same = sparse.compact dimension = 0 ins(%down, %mask : tensor<40x9xf32>, tensor<40xi8>)
      outs(%rows, %places : tensor<24x9xf32>, tensor<24xi32>) -> tensor<24x9xf32>, tensor<24xi32>
  %start = tensor.empty() : tensor<9xf32>
  %init = linalg.fill ins(%zero : f32) outs(%start : tensor<9xf32>) -> tensor<9xf32>
  %y = weft.contract indexing_maps = [#vector, #rows, #result]
         ins(%a, %w : tensor<24xf32>, tensor<24x9xf32>) outs(%init : tensor<9xf32>) -> tensor<9xf32>
  return %y, %positions : tensor<9xf32>, tensor<24xi32>
}
"""

# Sums of 9 and of 24 products in f32.
TOLERANCE = 5e-6


def inputs(rng):
    calls = []
    for active in (12, 24, 0):
        x = rng.standard_normal(D).astype(np.float32)
        up = rng.standard_normal((INNER, D)).astype(np.float32)
        before = up.astype(np.float64) @ x
        signs = np.where(np.isin(np.arange(INNER), rng.permutation(INNER)[:active]), 1, -1)
        bias = (signs * rng.uniform(0.1, 2, INNER) - before).astype(np.float32)
        calls.append({"x": x, "up": up, "bias": bias,
                      "down": rng.standard_normal((INNER, D)).astype(np.float32)})
    return calls


def reference(inputs, ablated):
    """Ablated: the first 24 neurons, whatever they are."""
    h = inputs["up"].astype(np.float64) @ inputs["x"] + inputs["bias"]
    kept = np.arange(ROOM) if ablated else np.nonzero(h > 0)[0]
    positions = np.full(ROOM, -1, np.int32)
    positions[:kept.size] = kept
    return [np.maximum(h, 0)[kept] @ inputs["down"][kept].astype(np.float64), positions]
