"""Hopfield Networks is All You Need

Theme: attention

Claim: The update of a continuous Hopfield network, xi = X softmax(beta X^T xi), is attention; it
stores exponentially many patterns and retrieves one in one update if patterns are well apart.

Shown: Noisy patterns are updated by `attn.attend` with `scale` = beta and the stored patterns as
keys and values, in `moe.exit` until no number changes by more than 0.01. The check: each noisy
pattern becomes the stored one.
"""

import numpy as np

PATTERNS, STATES, D, BETA, LIMIT, MOST = 23, 6, 16, 1.5, 0.01, 20

MODULE = """
#sd = affine_map<(s, d) -> (s, d)>
#none = affine_map<(s, d) -> ()>

func.func @main(%stored: tensor<23x16xf32>, %states: tensor<6x16xf32>)
    -> (tensor<6x16xf32>, tensor<i32>) {
  %most = arith.constant 20 : index
  %limit = arith.constant 0.01 : f32
  %zero = arith.constant dense<0.0> : tensor<f32>
  %e = tensor.empty() : tensor<6x16xf32>
  %updates, %retrieved = moe.exit %most init(%states : tensor<6x16xf32>) {
  ^bb0(%i: index, %xi: tensor<6x16xf32>):
    %next = attn.attend scale = 1.5 layout = "sd,td,te->se"
              ins(%xi, %stored, %stored : tensor<6x16xf32>, tensor<23x16xf32>, tensor<23x16xf32>)
              outs(%e : tensor<6x16xf32>) -> tensor<6x16xf32>
    %change = linalg.generic {indexing_maps = [#sd, #sd, #none], iterator_types = ["reduction",
        "reduction"]}
        ins(%xi, %next : tensor<6x16xf32>, tensor<6x16xf32>) outs(%zero : tensor<f32>) {
    ^bb0(%a: f32, %b: f32, %largest: f32):
      %d = arith.subf %a, %b : f32
      %m = math.absf %d : f32
      %r = arith.maximumf %m, %largest : f32
      linalg.yield %r : f32
    } -> tensor<f32>
    %c = tensor.extract %change[] : tensor<f32>
    %stop = arith.cmpf olt, %c, %limit : f32
    moe.yield %stop, %next : i1, tensor<6x16xf32>
  } -> index, tensor<6x16xf32>
  %n = arith.index_cast %updates : index to i32
  %count = tensor.from_elements %n : tensor<i32>
  return %retrieved, %count : tensor<6x16xf32>, tensor<i32>
}
"""

# Exponentials of numbers up to 40, whose f32 roundings are 2e-6 of them, a few times.
TOLERANCE = 5e-5


def inputs(rng):
    stored = rng.standard_normal((PATTERNS, D))
    which = rng.permutation(PATTERNS)[:STATES]
    return {"stored": stored.astype(np.float32),
            "states": (stored[which] + 0.3 * rng.standard_normal((STATES, D))).astype(np.float32),
            "_which": which}


def reference(inputs, ablated):
    x, xi = inputs["stored"].astype(np.float64).T, inputs["states"].astype(np.float64)
    beta = D ** -0.5 if ablated else BETA
    for n in range(1, MOST + 1):
        after = []
        for state in xi:
            p = np.exp(beta * x.T @ state)
            after.append(x @ (p / p.sum()))
        change, xi = np.abs(xi - after).max(), np.array(after)
        if change < LIMIT:
            break
    return [xi, np.array(n, np.int32)]


def check(example):
    given, have, _ = example.calls[0]
    distance = np.linalg.norm(have[0][:, None] - given["stored"][None], axis=-1)
    assert np.array_equal(distance.argmin(1), given["_which"]) and distance.min(1).max() < 0.1
