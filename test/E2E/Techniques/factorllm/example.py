"""FactorLLM: Factorizing Knowledge via Mixture of Experts for Large Language Models

Theme: moe

Claim: The hidden neurons of a trained dense layer are cut into experts without changing a weight,
and a router activates some: over 30 % faster at 85 % of the quality.

Shown: The experts are views of the dense matrices (an expanded shape, transposed); with all slots
filled the layer is the dense one, with 2 of 5 it computes 2 / 5 of the products.
"""

import numpy as np

H, EXPERTS, I, K = 10, 5, 6, 2

MODULE = """
func.func @main(%T: index {weft.symbol = "T"},
    %x: tensor<?x10xf32> {weft.name = "x", weft.dims = ["T", 10]}, %router: tensor<10x5xf32>,
    %up: tensor<10x30xf32>, %down: tensor<30x10xf32>) -> (tensor<?x10xf32>, tensor<?x10xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  // Neurons 6 e to 6 e + 5 are expert e.
  %slices = tensor.expand_shape %up [[0], [1, 2]] output_shape [10, 5, 6] : tensor<10x30xf32>
      into tensor<10x5x6xf32>
  %eu = tensor.empty() : tensor<5x10x6xf32>
  %ups = linalg.transpose ins(%slices : tensor<10x5x6xf32>)
      outs(%eu : tensor<5x10x6xf32>) permutation = [1, 0, 2]
  %downs = tensor.expand_shape %down [[0, 1], [2]] output_shape [5, 6, 10]
      : tensor<30x10xf32> into tensor<5x6x10xf32>

  %e5 = tensor.empty(%T) : tensor<?x5xf32>
  %z5 = linalg.fill ins(%zero : f32) outs(%e5 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %logits = linalg.matmul ins(%x, %router : tensor<?x10xf32>, tensor<10x5xf32>)
      outs(%z5 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %i2 = tensor.empty(%T) : tensor<?x2xi32>
  %g2 = tensor.empty(%T) : tensor<?x2xf32>
  %ids2, %gates2 = moe.route softmax top_k ins(%logits : tensor<?x5xf32>)
                     outs(%i2, %g2 : tensor<?x2xi32>, tensor<?x2xf32>)
                         -> tensor<?x2xi32>, tensor<?x2xf32>
  %i5 = tensor.empty(%T) : tensor<?x5xi32>
  %ids5, %gates5 = moe.route softmax top_k ins(%logits : tensor<?x5xf32>)
                     outs(%i5, %e5 : tensor<?x5xi32>, tensor<?x5xf32>)
                         -> tensor<?x5xi32>, tensor<?x5xf32>
  // Slices are added up as they are, for they are parts of one layer.
  %w2 = linalg.fill ins(%one : f32) outs(%g2 : tensor<?x2xf32>) -> tensor<?x2xf32>
  %w5 = linalg.fill ins(%one : f32) outs(%e5 : tensor<?x5xf32>) -> tensor<?x5xf32>
  %e = tensor.empty(%T) : tensor<?x10xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x10xf32>) -> tensor<?x10xf32>
  %some = moe.expert_ffn ins(%x, %ids2, %w2 : tensor<?x10xf32>, tensor<?x2xi32>, tensor<?x2xf32>)
            up(%ups : tensor<5x10x6xf32>) down(%downs : tensor<5x6x10xf32>)
            outs(%z : tensor<?x10xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x10xf32>
  %all = moe.expert_ffn ins(%x, %ids5, %w5 : tensor<?x10xf32>, tensor<?x5xi32>, tensor<?x5xf32>)
           up(%ups : tensor<5x10x6xf32>) down(%downs : tensor<5x6x10xf32>)
           outs(%z : tensor<?x10xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x10xf32>
  return %some, %all : tensor<?x10xf32>, tensor<?x10xf32>
}
"""

# Sums of 10 and of 30 products in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"router": f(H, EXPERTS), "up": f(H, EXPERTS * I) / 3, "down": f(EXPERTS * I, H) / 5}
    return [{"x": f(t, H), **weights} for t in (18, 1, 0)]


def reference(inputs, ablated):
    x, router, up, down = (v.astype(np.float64) for v in inputs.values())
    hidden = np.maximum(x @ up, 0)
    mask = np.zeros_like(hidden)
    for t in range(len(x)):
        for e in np.argsort(-(x[t] @ router), kind="stable")[:K]:
            mask[t, e * I:(e + 1) * I] = 1
    if ablated:
        mask[:] = 1
    return [hidden * mask @ down, hidden @ down]
