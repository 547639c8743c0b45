"""Enhancing Price Prediction in Cryptocurrency Using Transformer Neural Network and Technical
Indicators

Theme: attention

Claim: A Performer, whose attention is linear by positive orthogonal random features (FAVOR+), and
a bidirectional LSTM predict prices from indicators.

Shown: The attention: features exp(w x - |x|^2 / 2) are `attn.linear features = exp` of a
projection to which -|x|^2 / 2 is added; keys times values come first, so tokens never meet. With
64 orthogonal features the result is near to softmax attention.
"""

import numpy as np

T, D, E, M = 19, 8, 5, 256

MODULE = """
#x = affine_map<(t, m, d) -> (t, d)>
#w = affine_map<(t, m, d) -> (m, d)>
#y = affine_map<(t, m, d) -> (t, m)>

func.func @main(%q: tensor<19x8xf32>, %k: tensor<19x8xf32>, %v: tensor<19x5xf32>,
    %omega: tensor<256x8xf32>)
    -> tensor<19x5xf32> {
  %z = arith.constant dense<0.0> : tensor<19xf32>
  %em = tensor.empty() : tensor<19x256xf32>

  // -|x|^2 / 2, of inputs divided by the fourth root of d, is where the projection begins.
  %qs = linalg.generic {indexing_maps = [affine_map<(t, d) -> (t, d)>, affine_map<(t, d) -> (t)>],
                        iterator_types = ["parallel", "reduction"]}
      ins(%q : tensor<19x8xf32>) outs(%z : tensor<19xf32>) {
  ^bb0(%in: f32, %sum: f32):
    %minus = arith.constant -0.17677669 : f32
    %a = arith.mulf %in, %in : f32
    %b = arith.mulf %a, %minus : f32
    %s = arith.addf %b, %sum : f32
    linalg.yield %s : f32
  } -> tensor<19xf32>
  %ks = linalg.generic {indexing_maps = [affine_map<(t, d) -> (t, d)>, affine_map<(t, d) -> (t)>],
                        iterator_types = ["parallel", "reduction"]}
      ins(%k : tensor<19x8xf32>) outs(%z : tensor<19xf32>) {
  ^bb0(%in: f32, %sum: f32):
    %minus = arith.constant -0.17677669 : f32
    %a = arith.mulf %in, %in : f32
    %b = arith.mulf %a, %minus : f32
    %s = arith.addf %b, %sum : f32
    linalg.yield %s : f32
  } -> tensor<19xf32>
  %qi = linalg.broadcast ins(%qs : tensor<19xf32>) outs(%em : tensor<19x256xf32>) dimensions = [1]
  %ki = linalg.broadcast ins(%ks : tensor<19xf32>) outs(%em : tensor<19x256xf32>) dimensions = [1]
  %fq = weft.contract indexing_maps = [#x, #w, #y]
      ins(%q, %omega : tensor<19x8xf32>, tensor<256x8xf32>)
          outs(%qi : tensor<19x256xf32>) -> tensor<19x256xf32>
  %fk = weft.contract indexing_maps = [#x, #w, #y]
      ins(%k, %omega : tensor<19x8xf32>, tensor<256x8xf32>)
          outs(%ki : tensor<19x256xf32>) -> tensor<19x256xf32>

  %o = tensor.empty() : tensor<19x5xf32>
  %state = arith.constant dense<0.0> : tensor<256x5xf32>
  %norm = arith.constant dense<0.0> : tensor<256xf32>
  %y, %s, %n = attn.linear normalize features = exp
      ins(%fq, %fk, %v : tensor<19x256xf32>, tensor<19x256xf32>, tensor<19x5xf32>)
      outs(%o, %state, %norm : tensor<19x5xf32>, tensor<256x5xf32>, tensor<256xf32>)
      -> tensor<19x5xf32>, tensor<256x5xf32>, tensor<256xf32>
  return %y : tensor<19x5xf32>
}
"""

# Exponentials of numbers of about 1 and sums of 256 of them, in f32.
TOLERANCE = 2e-5


def orthogonal(rng):
    """Blocks of orthogonal rows with the lengths of normal vectors."""
    rows = [np.linalg.qr(rng.standard_normal((D, D)))[0] for _ in range(M // D)]
    return np.concatenate(rows) * np.linalg.norm(rng.standard_normal((M, D)), axis=1, keepdims=True)


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    omega = orthogonal(rng)
    return {"q": f(T, D) / 2, "k": f(T, D) / 2, "v": f(T, E),
            "omega": (omega / D**0.25).astype(np.float32), "_omega": omega}


def reference(inputs, ablated):
    q, k = (inputs[x].astype(np.float64) / D**0.25 for x in "qk")

    def phi(x):
        square = 0 if ablated else (x**2).sum(1, keepdims=True) / 2
        return np.exp(x @ inputs["_omega"].T - square) / np.sqrt(M)

    weight = phi(q) @ phi(k).T
    return [weight / weight.sum(1, keepdims=True) @ inputs["v"].astype(np.float64)]


def check(example):
    given, have, _ = example.calls[0]
    score = np.exp(given["q"] @ given["k"].T / np.sqrt(D))
    full = score / score.sum(1, keepdims=True) @ given["v"]
    mean = given["v"].mean(0)
    assert "19x19x" not in example.module.after("tile")
    assert np.linalg.norm(have[0] - full) < 0.6 * np.linalg.norm(full - mean)
