"""KDEformer: Accelerating Transformers via Kernel Density Estimation

Theme: attention

Claim: Softmax attention is approximated in less than quadratic time by sampling keys with
probabilities of estimated densities and norms of values, with bounds of the spectral norm: over 18
times faster for T2T-ViT.

Shown: The densities are estimated of 8 of the queries, keys are drawn by density times the norm of
their value, and `attn.attend` sees the drawn keys with minus the logarithm of their probability as
`bias`. The error falls with the number of draws, which is dynamic.
"""

import numpy as np

S, T, D, PROBES = 25, 60, 6, 8

MODULE = """
#p = affine_map<(t, d) -> (t, d)>
#row = affine_map<(t, d) -> (t)>
#t = affine_map<(t) -> (t)>

func.func @main(%M: index {weft.symbol = "M"}, %q: tensor<25x6xf32>, %k: tensor<60x6xf32>,
    %v: tensor<60x6xf32>,
    %uniform: tensor<?xf32> {weft.name = "uniform", weft.dims = ["M"]})
        -> (tensor<25x6xf32>, tensor<?xi64>) {
  %zero = arith.constant 0.0 : f32
  %zt = arith.constant dense<0.0> : tensor<60xf32>
  %et = tensor.empty() : tensor<60xf32>

  // The density at each key: its softmax weights for every third of the queries, added up.
  %probes = tensor.extract_slice %q[0, 0] [8, 6] [3, 1] : tensor<25x6xf32> to tensor<8x6xf32>
  %zs = arith.constant dense<0.0> : tensor<8x60xf32>
  %scores = weft.contract indexing_maps = [affine_map<(s, t, d) -> (s, d)>, affine_map<(s, t,
      d) -> (t, d)>,
                                           affine_map<(s, t, d) -> (s, t)>]
              ins(%probes, %k : tensor<8x6xf32>, tensor<60x6xf32>)
                  outs(%zs : tensor<8x60xf32>) -> tensor<8x60xf32>
  %es = tensor.empty() : tensor<8x60xf32>
  %powers = linalg.generic {indexing_maps = [#p, #p], iterator_types = ["parallel", "parallel"]}
      ins(%scores : tensor<8x60xf32>) outs(%es : tensor<8x60xf32>) {
  ^bb0(%in: f32, %o: f32):
    %root = arith.constant 0.40824829 : f32
    %scaled = arith.mulf %in, %root : f32
    %e = math.exp %scaled : f32
    linalg.yield %e : f32
  } -> tensor<8x60xf32>
  %z8 = arith.constant dense<0.0> : tensor<8xf32>
  %totals = linalg.reduce { arith.addf } ins(%powers : tensor<8x60xf32>)
      outs(%z8 : tensor<8xf32>) dimensions = [1]
  %shares = linalg.generic {indexing_maps = [#p, #row, #p], iterator_types = ["parallel",
      "parallel"]}
      ins(%powers, %totals : tensor<8x60xf32>, tensor<8xf32>) outs(%es : tensor<8x60xf32>) {
  ^bb0(%in: f32, %total: f32, %o: f32):
    %s = arith.divf %in, %total : f32
    linalg.yield %s : f32
  } -> tensor<8x60xf32>
  %density = linalg.reduce { arith.addf } ins(%shares : tensor<8x60xf32>)
      outs(%zt : tensor<60xf32>) dimensions = [0]

  // Probabilities: density times the norm of the value, and their running sums.
  %squares = linalg.generic {indexing_maps = [#p, #row], iterator_types = ["parallel", "reduction"]}
      ins(%v : tensor<60x6xf32>) outs(%zt : tensor<60xf32>) {
  ^bb0(%in: f32, %sum: f32):
    %sq = arith.mulf %in, %in : f32
    %s = arith.addf %sq, %sum : f32
    linalg.yield %s : f32
  } -> tensor<60xf32>
  %norm = linalg.sqrt ins(%squares : tensor<60xf32>) outs(%et : tensor<60xf32>) -> tensor<60xf32>
  %raw = linalg.mul ins(%density, %norm : tensor<60xf32>, tensor<60xf32>)
      outs(%et : tensor<60xf32>) -> tensor<60xf32>
  %sums = weft.scan sum dimension = 0 ins(%raw : tensor<60xf32>)
      outs(%et : tensor<60xf32>) -> tensor<60xf32>

  // A draw is the number of running sums at or below a uniform number times the total.
  %ei = tensor.empty(%M) : tensor<?xi64>
  %none = arith.constant 0 : i64
  %zi = linalg.fill ins(%none : i64) outs(%ei : tensor<?xi64>) -> tensor<?xi64>
  %drawn = linalg.generic {indexing_maps = [affine_map<(m, t) -> (m)>, affine_map<(m, t) -> (t)>,
                                            affine_map<(m, t) -> (m)>],
                          iterator_types = ["parallel", "reduction"]}
      ins(%uniform, %sums : tensor<?xf32>, tensor<60xf32>) outs(%zi : tensor<?xi64>) {
  ^bb0(%u: f32, %running: f32, %count: i64):
    %last = arith.constant 59 : index
    %total = tensor.extract %sums[%last] : tensor<60xf32>
    %level = arith.mulf %u, %total : f32
    %passed = arith.cmpf ole, %running, %level : f32
    %one = arith.extui %passed : i1 to i64
    %next = arith.addi %count, %one : i64
    linalg.yield %next : i64
  } -> tensor<?xi64>
  %at = tensor.expand_shape %drawn [[0, 1]] output_shape [%M, 1] : tensor<?xi64>
      into tensor<?x1xi64>
  %em = tensor.empty(%M) : tensor<?x6xf32>
  %keys = weft.gather batch_dims = 0 ins(%k, %at : tensor<60x6xf32>, tensor<?x1xi64>)
      outs(%em : tensor<?x6xf32>) -> tensor<?x6xf32>
  %values = weft.gather batch_dims = 0 ins(%v, %at : tensor<60x6xf32>, tensor<?x1xi64>)
      outs(%em : tensor<?x6xf32>) -> tensor<?x6xf32>
  %eb = tensor.empty(%M) : tensor<?xf32>
  %chosen = weft.gather batch_dims = 0 ins(%raw, %at : tensor<60xf32>, tensor<?x1xi64>)
      outs(%eb : tensor<?xf32>) -> tensor<?xf32>
  %bias = linalg.generic {indexing_maps = [#t, #t], iterator_types = ["parallel"]}
      ins(%chosen : tensor<?xf32>) outs(%eb : tensor<?xf32>) {
  ^bb0(%probability: f32, %o: f32):
    %log = math.log %probability : f32
    %minus = arith.negf %log : f32
    linalg.yield %minus : f32
  } -> tensor<?xf32>
  %e = tensor.empty() : tensor<25x6xf32>
  %y = attn.attend layout = "sd,td,te->se"
         ins(%q, %keys, %values : tensor<25x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>)
         bias(%bias : tensor<?xf32>) outs(%e : tensor<25x6xf32>) -> tensor<25x6xf32>
  return %y, %drawn : tensor<25x6xf32>, tensor<?xi64>
}
"""

# Softmax of sums of 6 products with logarithms, in f32. No uniform number is so near to a running
# sum that rounding decides, or draws would differ.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    base = {"q": f(S, D), "k": f(T, D), "v": f(T, D) * np.exp(f(T, 1))}
    return [base | {"uniform": rng.random(m).astype(np.float32)} for m in (16, 400)]


def reference(inputs, ablated):
    q, k, v, u = (inputs[x].astype(np.float64) for x in ("q", "k", "v", "uniform"))
    weight = np.exp(q[:3 * PROBES:3] @ k.T / np.sqrt(D))
    raw = (weight / weight.sum(1, keepdims=True)).sum(0) * np.linalg.norm(v, axis=1)
    drawn = np.searchsorted(np.cumsum(raw), u * raw.sum(), side="right")
    score = np.exp(q @ k[drawn].T / np.sqrt(D)) / (1 if ablated else raw[drawn])
    return [score / score.sum(1, keepdims=True) @ v[drawn], drawn]


def check(example):
    errors = []
    for given, have, _ in example.calls:
        score = np.exp(given["q"] @ given["k"].T / np.sqrt(D))
        full = score / score.sum(1, keepdims=True) @ given["v"]
        errors.append(np.linalg.norm(have[0] - full, 2) / np.linalg.norm(full, 2))
    assert errors[1] < 0.5 * errors[0] and errors[1] < 0.3, errors
