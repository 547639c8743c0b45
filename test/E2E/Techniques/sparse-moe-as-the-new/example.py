"""Sparse MoE as the New Dropout: Scaling Dense and Self-Slimmable Transformers

Theme: moe

Claim: A router that is drawn at random and never trained, with more and more experts active,
trains well, and the model can use any number of experts at inference (SMoE-Dropout).

Shown: The number of slots K is read from a tensor at run time: one compiled module with 1, 3 or
all 6 experts. Its error against the dense layer falls with K.
"""

import numpy as np

T, H, I, EXPERTS = 12, 9, 8, 6

MODULE = """
func.func @main(%x: tensor<12x9xf32>, %k: tensor<i32>, %router: tensor<9x6xf32>,
    %up: tensor<6x9x8xf32>, %down: tensor<6x8x9xf32>) -> tensor<12x9xf32> {
  %zero = arith.constant 0.0 : f32
  %z = arith.constant dense<0.0> : tensor<12x6xf32>
  %logits = linalg.matmul ins(%x, %router : tensor<12x9xf32>, tensor<9x6xf32>)
      outs(%z : tensor<12x6xf32>) -> tensor<12x6xf32>
  %number = tensor.extract %k[] : tensor<i32>
  %slots = arith.index_cast %number : i32 to index
  %i = tensor.empty(%slots) : tensor<12x?xi32>
  %g = tensor.empty(%slots) : tensor<12x?xf32>
  %ids, %gates = moe.route softmax top_k ins(%logits : tensor<12x6xf32>)
                   outs(%i, %g : tensor<12x?xi32>, tensor<12x?xf32>)
                       -> tensor<12x?xi32>, tensor<12x?xf32>
  %y = moe.expert_ffn ins(%x, %ids, %gates : tensor<12x9xf32>, tensor<12x?xi32>, tensor<12x?xf32>)
         up(%up : tensor<6x9x8xf32>) down(%down : tensor<6x8x9xf32>)
         outs(%x : tensor<12x9xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<12x9xf32>
  return %y : tensor<12x9xf32>
}
"""

# Sums of 9 products for at most 6 experts, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"router": f(H, EXPERTS) / 3, "up": f(EXPERTS, H, I) / 3, "down": f(EXPERTS, I,
                                                                                  H) / 3}
    x = f(T, H)
    return [{"x": x, "k": np.array(k, np.int32), **weights} for k in (1, 3, EXPERTS)]


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    y = p["x"].copy()
    for t, x in enumerate(p["x"]):
        gate = np.exp(x @ p["router"])
        gate /= gate.sum()
        for e in np.argsort(-gate, kind="stable")[:2 if ablated else inputs["k"]]:
            y[t] += gate[e] * (np.maximum(x @ p["up"][e], 0) @ p["down"][e])
    return [y]


def check(example):
    results = [have[0] for _, have, _ in example.calls]
    errors = [np.linalg.norm(r - results[-1]) for r in results]
    assert errors[0] > errors[1] > errors[2] == 0, errors
