"""Mamba Retriever: Utilizing Mamba for Effective and Efficient Dense Retrieval

Theme: ssm

Claim: Mamba encodes short and long texts for retrieval in linear time; the embedding is that of
the last token, and nothing is generated.

Shown: Texts of different lengths lie one after the other without padding; `offsets` begin a state
for each. The embedding is one query at the last token of each final state, and the score of texts
is their product with the embedded question.
"""

import numpy as np

D, N, TEXTS = 6, 4, 4

MODULE = """
#gd = affine_map<(g, d, n) -> (g, d)>
#gdn = affine_map<(g, d, n) -> (g, d, n)>
#gn = affine_map<(g, d, n) -> (g, n)>

func.func @main(%T: index {weft.symbol = "T"},
    %u: tensor<1x?x6x1xf32> {weft.name = "u", weft.dims = [1, "T", 6, 1]},
    %raw: tensor<1x?x6xf32> {weft.name = "raw", weft.dims = [1, "T", 6]}, %a: tensor<6x4xf32>,
    %b: tensor<1x?x1x4xf32> {weft.name = "b", weft.dims = [1, "T", 1, 4]},
    %offsets: tensor<5xi32>, %last: tensor<4x4xf32>) -> (tensor<4x6xf32>, tensor<4xf32>) {
  %e3 = tensor.empty(%T) : tensor<1x?x6xf32>
  %delta, %step = ssm.discretize exponential_euler softplus delta(%raw : tensor<1x?x6xf32>)
      outs(%e3, %e3 : tensor<1x?x6xf32>, tensor<1x?x6xf32>) -> tensor<1x?x6xf32>, tensor<1x?x6xf32>
  %e = tensor.empty(%T) : tensor<1x?x6x1xf32>
  %s4 = tensor.expand_shape %step [[0], [1], [2, 3]] output_shape [1, %T, 6, 1]
      : tensor<1x?x6xf32> into tensor<1x?x6x1xf32>
  %du = linalg.mul ins(%s4, %u : tensor<1x?x6x1xf32>, tensor<1x?x6x1xf32>)
      outs(%e : tensor<1x?x6x1xf32>) -> tensor<1x?x6x1xf32>
  %s = tensor.empty() : tensor<4x6x4x1xf32>
  // Keys are queries here, whose outputs nobody reads: only the final states are of use.
  %unused, %final = ssm.scan outer diag query(%b : tensor<1x?x1x4xf32>) key(%b
      : tensor<1x?x1x4xf32>)
      value(%du : tensor<1x?x6x1xf32>) decay(%delta : tensor<1x?x6xf32>) rate(%a : tensor<6x4xf32>)
      offsets(%offsets : tensor<5xi32>)
      outs(%e, %s : tensor<1x?x6x1xf32>, tensor<4x6x4x1xf32>)
          -> tensor<1x?x6x1xf32>, tensor<4x6x4x1xf32>
  %states = tensor.collapse_shape %final [[0], [1], [2, 3]] : tensor<4x6x4x1xf32>
      into tensor<4x6x4xf32>
  %zero = arith.constant dense<0.0> : tensor<4x6xf32>
  %embedding = weft.contract indexing_maps = [#gdn, #gn, #gd]
      ins(%states, %last : tensor<4x6x4xf32>, tensor<4x4xf32>)
                 outs(%zero : tensor<4x6xf32>) -> tensor<4x6xf32>

  // The first text is the question.
  %question = tensor.extract_slice %embedding[0, 0] [1, 6] [1, 1] : tensor<4x6xf32> to tensor<6xf32>
  %none = arith.constant dense<0.0> : tensor<4xf32>
  %scores = linalg.matvec ins(%embedding, %question : tensor<4x6xf32>, tensor<6xf32>)
              outs(%none : tensor<4xf32>) -> tensor<4xf32>
  return %embedding, %scores : tensor<4x6xf32>, tensor<4xf32>
}
"""

# Steps with decays below 1 and sums of some ten products, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"a": -np.exp(f(D, N))}
    calls = []
    for lengths in ((3, 17, 1, 30), (5, 2, 0, 9)):
        t = sum(lengths)
        calls.append({"u": f(1, t, D, 1), "raw": f(1, t, D), **weights, "b": f(1, t, 1, N),
                      "offsets": np.cumsum([0, *lengths]).astype(np.int32), "last": f(TEXTS, N)})
    return calls


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    embedding, h = np.zeros((TEXTS, D)), np.zeros((D, N))
    for g in range(TEXTS):
        if not ablated:  # else texts run into each other
            h = np.zeros((D, N))
        for t in range(inputs["offsets"][g], inputs["offsets"][g + 1]):
            delta = np.log1p(np.exp(p["raw"][0, t]))[:, None]
            h = np.exp(delta * p["a"]) * h + delta * p["u"][0, t] * p["b"][0, t]
        embedding[g] = h @ p["last"][g]
    return [embedding, embedding @ embedding[0]]
