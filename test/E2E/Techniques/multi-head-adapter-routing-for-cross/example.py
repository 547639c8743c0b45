"""Multi-Head Adapter Routing for Cross-Task Generalization

Theme: moe

Claim: An inventory of low-rank adapters is cut into heads, and a task mixes another combination of
adapters for each head (MHR); tuning the routing alone (MHR-z) generalizes as well.

Shown: `weft.embed` reads the routing of each sequence's task; two contractions mix the factors
head by head, so that one batch has sequences of different tasks without a weight of its own for
any.
"""

import numpy as np

B, T, HEADS, D, RANK, ADAPTERS, TASKS = 4, 5, 3, 4, 2, 6, 7

MODULE = """
#z = affine_map<(b, h, d, r, a) -> (b, h, a)>
#down = affine_map<(b, h, d, r, a) -> (a, h, d, r)>
#bdown = affine_map<(b, h, d, r, a) -> (b, h, d, r)>
#up = affine_map<(b, h, r, d, a) -> (a, h, r, d)>
#bup = affine_map<(b, h, r, d, a) -> (b, h, r, d)>
#zu = affine_map<(b, h, r, d, a) -> (b, h, a)>
#x = affine_map<(b, t, r, h, d) -> (b, t, h, d)>
#xd = affine_map<(b, t, r, h, d) -> (b, h, d, r)>
#low = affine_map<(b, t, r, h, d) -> (b, t, r)>
#l = affine_map<(b, t, h, d, r) -> (b, t, r)>
#lu = affine_map<(b, t, h, d, r) -> (b, h, r, d)>
#y = affine_map<(b, t, h, d, r) -> (b, t, h, d)>
#xw = affine_map<(b, t, h, d, g, e) -> (b, t, g, e)>
#w = affine_map<(b, t, h, d, g, e) -> (g, e, h, d)>
#yw = affine_map<(b, t, h, d, g, e) -> (b, t, h, d)>

// Channels are 3 heads of 4.
func.func @main(%x: tensor<4x5x3x4xf32>, %task: tensor<4xi64>, %routing: tensor<7x3x6xf32>,
    %down: tensor<6x3x4x2xf32>, %up: tensor<6x3x2x4xf32>, %weight: tensor<3x4x3x4xf32>)
        -> tensor<4x5x3x4xf32> {
  %e = tensor.empty() : tensor<4x3x6xf32>
  %raw = weft.embed ins(%routing, %task : tensor<7x3x6xf32>, tensor<4xi64>)
      outs(%e : tensor<4x3x6xf32>) -> tensor<4x3x6xf32>
  // Sigmoids divided by their sum.
  %open = linalg.generic {indexing_maps = [affine_map<(b, h, a) -> (b, h, a)>, affine_map<(b, h,
      a) -> (b, h, a)>],
                          iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%raw : tensor<4x3x6xf32>) outs(%e : tensor<4x3x6xf32>) {
  ^bb0(%in: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %n = arith.negf %in : f32
    %p = math.exp %n : f32
    %d = arith.addf %p, %one : f32
    %s = arith.divf %one, %d : f32
    linalg.yield %s : f32
  } -> tensor<4x3x6xf32>
  %none = arith.constant dense<0.0> : tensor<4x3xf32>
  %sums = linalg.reduce { arith.addf } ins(%open : tensor<4x3x6xf32>)
      outs(%none : tensor<4x3xf32>) dimensions = [2]
  %es = tensor.empty() : tensor<4x3x6xf32>
  %wide = linalg.broadcast ins(%sums : tensor<4x3xf32>)
      outs(%es : tensor<4x3x6xf32>) dimensions = [2]
  %z = linalg.div ins(%open, %wide : tensor<4x3x6xf32>, tensor<4x3x6xf32>)
      outs(%e : tensor<4x3x6xf32>) -> tensor<4x3x6xf32>

  %zd = arith.constant dense<0.0> : tensor<4x3x4x2xf32>
  %zu = arith.constant dense<0.0> : tensor<4x3x2x4xf32>
  %zl = arith.constant dense<0.0> : tensor<4x5x2xf32>
  %zy = arith.constant dense<0.0> : tensor<4x5x3x4xf32>
  %a = weft.contract indexing_maps = [#z, #down, #bdown]
      ins(%z, %down : tensor<4x3x6xf32>, tensor<6x3x4x2xf32>)
         outs(%zd : tensor<4x3x4x2xf32>) -> tensor<4x3x4x2xf32>
  %b = weft.contract indexing_maps = [#zu, #up, #bup]
      ins(%z, %up : tensor<4x3x6xf32>, tensor<6x3x2x4xf32>)
         outs(%zu : tensor<4x3x2x4xf32>) -> tensor<4x3x2x4xf32>
  %base = weft.contract indexing_maps = [#xw, #w, #yw]
      ins(%x, %weight : tensor<4x5x3x4xf32>, tensor<3x4x3x4xf32>)
            outs(%zy : tensor<4x5x3x4xf32>) -> tensor<4x5x3x4xf32>
  %low = weft.contract indexing_maps = [#x, #xd, #low]
      ins(%x, %a : tensor<4x5x3x4xf32>, tensor<4x3x4x2xf32>)
           outs(%zl : tensor<4x5x2xf32>) -> tensor<4x5x2xf32>
  %y = weft.contract indexing_maps = [#l, #lu, #y]
      ins(%low, %b : tensor<4x5x2xf32>, tensor<4x3x2x4xf32>)
         outs(%base : tensor<4x5x3x4xf32>) -> tensor<4x5x3x4xf32>
  return %y : tensor<4x5x3x4xf32>
}
"""

# Sums of 12 products, twice, in f32.
TOLERANCE = 1e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"x": f(B, T, HEADS, D), "task": np.array([6, 0, 6, 3]), "routing": 2 * f(TASKS, HEADS,
                                                                                     ADAPTERS),
            "down": f(ADAPTERS, HEADS, D, RANK), "up": f(ADAPTERS, HEADS, RANK, D),
            "weight": f(HEADS, D, HEADS, D)}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    y = np.zeros((B, T, HEADS * D))
    for b in range(B):
        share = 1 / (1 + np.exp(-p["routing"][inputs["task"][b]]))
        if ablated:  # one mixture for all heads (Polytropon)
            share[:] = share[0]
        share /= share.sum(1, keepdims=True)
        mix = lambda name, h: np.tensordot(share[h], p[name][:, h], 1)
        down = np.concatenate([mix("down", h) for h in range(HEADS)])
        up = np.concatenate([mix("up", h) for h in range(HEADS)], axis=1)
        x = p["x"][b].reshape(T, -1)
        y[b] = x @ p["weight"].reshape(HEADS * D, -1) + x @ down @ up
    return [y.reshape(B, T, HEADS, D)]
