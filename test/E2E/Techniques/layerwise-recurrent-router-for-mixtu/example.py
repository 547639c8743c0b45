"""Layerwise Recurrent Router for Mixture-of-Experts

Theme: moe

Claim: A router that carries the state of a GRU from layer to layer knows what earlier layers
chose, at negligible cost, since the recurrence is over depth and parallel over tokens.

Shown: A loop over three layers carries the tokens and the GRU's state; `moe.route` gets logits of
the state, and the choice is for all tokens at once.
"""

import numpy as np

L, H, P, I, EXPERTS, K, T = 3, 10, 6, 14, 5, 2, 13

# Sums of some ten products of about 1, three layers of them, rounded in f32.
TOLERANCE = 2e-5

MODULE = """
#a = affine_map<(t, i, o) -> (t, i)>
#w = affine_map<(t, i, o) -> (i, o)>
#c = affine_map<(t, i, o) -> (t, o)>
#to = affine_map<(t, o) -> (t, o)>

func.func @main(%x: tensor<13x10xf32>, %project: tensor<3x10x6xf32>,
    %wi: tensor<6x18xf32>, %wh: tensor<6x18xf32>,
    %router: tensor<3x6x5xf32>,
    %up: tensor<3x5x10x14xf32>, %down: tensor<3x5x14x10xf32>)
    -> (tensor<13x10xf32>, tensor<3x13x2xi32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %z5 = arith.constant dense<0.0> : tensor<13x5xf32>
  %z6 = arith.constant dense<0.0> : tensor<13x6xf32>
  %z18 = arith.constant dense<0.0> : tensor<13x18xf32>
  %e6 = tensor.empty() : tensor<13x6xf32>
  %i = tensor.empty() : tensor<13x2xi32>
  %g = tensor.empty() : tensor<13x2xf32>
  %none = arith.constant dense<-1> : tensor<3x13x2xi32>

  // Layers: the hidden tokens, the router's state, and what was chosen so far.
  %y, %state, %chosen = scf.for %l = %c0 to %c3 step %c1
      iter_args(%in = %x, %h = %z6, %numbers = %none)
      -> (tensor<13x10xf32>, tensor<13x6xf32>, tensor<3x13x2xi32>) {
    %pl = tensor.extract_slice %project[%l, 0, 0] [1, 10, 6] [1, 1, 1]
        : tensor<3x10x6xf32> to tensor<10x6xf32>
    %rl = tensor.extract_slice %router[%l, 0, 0] [1, 6, 5] [1, 1, 1] : tensor<3x6x5xf32>
        to tensor<6x5xf32>
    %ul = tensor.extract_slice %up[%l, 0, 0, 0] [1, 5, 10, 14] [1, 1, 1, 1]
        : tensor<3x5x10x14xf32> to tensor<5x10x14xf32>
    %dl = tensor.extract_slice %down[%l, 0, 0, 0] [1, 5, 14, 10] [1, 1, 1, 1]
        : tensor<3x5x14x10xf32> to tensor<5x14x10xf32>

    // The GRU, the same for all layers: gates in the order r, z, n.
    %p = weft.contract indexing_maps = [#a, #w, #c]
        ins(%in, %pl : tensor<13x10xf32>, tensor<10x6xf32>)
           outs(%z6 : tensor<13x6xf32>) -> tensor<13x6xf32>
    %gi = weft.contract indexing_maps = [#a, #w, #c]
        ins(%p, %wi : tensor<13x6xf32>, tensor<6x18xf32>)
            outs(%z18 : tensor<13x18xf32>) -> tensor<13x18xf32>
    %gh = weft.contract indexing_maps = [#a, #w, #c]
        ins(%h, %wh : tensor<13x6xf32>, tensor<6x18xf32>)
            outs(%z18 : tensor<13x18xf32>) -> tensor<13x18xf32>
    %ri = tensor.extract_slice %gi[0, 0] [13, 6] [1, 1] : tensor<13x18xf32> to tensor<13x6xf32>
    %zi = tensor.extract_slice %gi[0, 6] [13, 6] [1, 1] : tensor<13x18xf32> to tensor<13x6xf32>
    %ni = tensor.extract_slice %gi[0, 12] [13, 6] [1, 1] : tensor<13x18xf32> to tensor<13x6xf32>
    %rh = tensor.extract_slice %gh[0, 0] [13, 6] [1, 1] : tensor<13x18xf32> to tensor<13x6xf32>
    %zh = tensor.extract_slice %gh[0, 6] [13, 6] [1, 1] : tensor<13x18xf32> to tensor<13x6xf32>
    %nh = tensor.extract_slice %gh[0, 12] [13, 6] [1, 1] : tensor<13x18xf32> to tensor<13x6xf32>
    %next = linalg.generic {indexing_maps = [#to, #to, #to, #to, #to, #to, #to, #to],
                            iterator_types = ["parallel", "parallel"]}
        ins(%ri, %zi, %ni, %rh, %zh, %nh, %h : tensor<13x6xf32>, tensor<13x6xf32>, tensor<13x6xf32>,
            tensor<13x6xf32>, tensor<13x6xf32>, tensor<13x6xf32>, tensor<13x6xf32>)
        outs(%e6 : tensor<13x6xf32>) {
    ^bb0(%r0: f32, %z0: f32, %n0: f32, %r1: f32, %z1: f32, %n1: f32, %old: f32, %o: f32):
      %rs = arith.addf %r0, %r1 : f32
      %rn = arith.negf %rs : f32
      %re = math.exp %rn : f32
      %rd = arith.addf %re, %one : f32
      %r = arith.divf %one, %rd : f32
      %zs = arith.addf %z0, %z1 : f32
      %zn = arith.negf %zs : f32
      %ze = math.exp %zn : f32
      %zd = arith.addf %ze, %one : f32
      %z = arith.divf %one, %zd : f32
      %rn1 = arith.mulf %r, %n1 : f32
      %ns = arith.addf %n0, %rn1 : f32
      %n = math.tanh %ns : f32
      %keep = arith.mulf %z, %old : f32
      %other = arith.subf %one, %z : f32
      %new = arith.mulf %other, %n : f32
      %s = arith.addf %keep, %new : f32
      linalg.yield %s : f32
    } -> tensor<13x6xf32>

    // The experts of this layer, chosen by the state.
    %logits = weft.contract indexing_maps = [#a, #w, #c]
        ins(%next, %rl : tensor<13x6xf32>, tensor<6x5xf32>)
                outs(%z5 : tensor<13x5xf32>) -> tensor<13x5xf32>
    %ids, %gates = moe.route softmax top_k normalize = sum ins(%logits : tensor<13x5xf32>)
                     outs(%i, %g : tensor<13x2xi32>, tensor<13x2xf32>)
                         -> tensor<13x2xi32>, tensor<13x2xf32>
    %out = moe.expert_ffn
        ins(%in, %ids, %gates : tensor<13x10xf32>, tensor<13x2xi32>, tensor<13x2xf32>)
             up(%ul : tensor<5x10x14xf32>) down(%dl : tensor<5x14x10xf32>)
             outs(%in : tensor<13x10xf32>) activation {
    ^bb0(%sum: f32):
      %relu = arith.maximumf %sum, %zero : f32
      moe.yield %relu : f32
    } -> tensor<13x10xf32>
    %written = tensor.insert_slice %ids
        into %numbers[%l, 0, 0] [1, 13, 2] [1, 1, 1] : tensor<13x2xi32> into tensor<3x13x2xi32>
    scf.yield %out, %next, %written : tensor<13x10xf32>, tensor<13x6xf32>, tensor<3x13x2xi32>
  }
  return %y, %chosen : tensor<13x10xf32>, tensor<3x13x2xi32>
}
"""


def inputs(rng):
    f = lambda *shape: (rng.standard_normal(shape) / np.sqrt(shape[-2])).astype(np.float32)
    return {"x": f(T, H) * np.float32(np.sqrt(T)), "project": f(L, H, P), "wi": 2 * f(P, 3 * P),
            "wh": 2 * f(P, 3 * P),
            "router": 3 * f(L, P, EXPERTS), "up": f(L, EXPERTS, H, I), "down": f(L, EXPERTS, I, H)}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    sigmoid = lambda v: 1 / (1 + np.exp(-v))
    y, ids = [], np.zeros((L, T, K), np.int32)
    for t, x in enumerate(p["x"]):
        h = np.zeros(P)
        for l in range(L):
            a = p["wi"].T @ (x @ p["project"][l])
            b = p["wh"].T @ (0 * h if ablated else h)
            r, z = sigmoid(a[:P] + b[:P]), sigmoid(a[P:2 * P] + b[P:2 * P])
            n = np.tanh(a[2 * P:] + r * b[2 * P:])
            h = (1 - z) * n + z * h
            score = np.exp(h @ p["router"][l])
            ids[l, t] = chosen = np.argsort(-score, kind="stable")[:K]
            x = x + sum(score[e] / score[chosen].sum() *
                        (np.maximum(x @ p["up"][l, e], 0) @ p["down"][l, e]) for e in chosen)
        y.append(x)
    return [np.array(y), ids]
