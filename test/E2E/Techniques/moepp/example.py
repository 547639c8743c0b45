"""MoE++: Accelerating Mixture-of-Experts Methods with Zero-Computation Experts

Theme: moe

Claim: Experts that compute nothing (zero, copy, constant) beside the FFN experts let a token take
fewer FFNs, and a residual of the gate of the layer before steadies the choice: 1.1 to 2.1 times
the throughput of experts of the same size.

Shown: Numbers beyond the FFN experts' are left out by the plan inside of `moe.expert_ffn`; copies
and constants are the init that it adds to, so they cost no product of matrices.
"""

import numpy as np

H, I, FFNS, EXPERTS, K = 12, 20, 4, 8, 3  # 4 is the zero expert, 5 the copy, 6 and 7 constants

# Sums of at most 20 products of about 1, rounded in f32, and exponentials of them.
TOLERANCE = 2e-5

MODULE = """
#x = affine_map<(t, h, e) -> (t, h)>
#w = affine_map<(t, h, e) -> (h, e)>
#y = affine_map<(t, h, e) -> (t, e)>
#te = affine_map<(t, e) -> (t, e)>

func.func @main(%T: index {weft.symbol = "T"},
    %x: tensor<?x12xf32> {weft.name = "x", weft.dims = ["T", 12]},
    %before: tensor<?x8xf32> {weft.name = "before", weft.dims = ["T", 8]},
    %router: tensor<12x8xf32>, %residual: tensor<8x8xf32>,
    %mix: tensor<12x4xf32>, %v: tensor<2x12xf32>,
    %up: tensor<4x12x20xf32>, %down: tensor<4x20x12xf32>)
    -> (tensor<?x12xf32>, tensor<?x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32

  // The router's logits, plus those of the layer before through a matrix of their own.
  %e8 = tensor.empty(%T) : tensor<?x8xf32>
  %z8 = linalg.fill ins(%zero : f32) outs(%e8 : tensor<?x8xf32>) -> tensor<?x8xf32>
  %own = weft.contract indexing_maps = [#x, #w, #y]
           ins(%x, %router : tensor<?x12xf32>, tensor<12x8xf32>)
               outs(%z8 : tensor<?x8xf32>) -> tensor<?x8xf32>
  %logits = weft.contract indexing_maps = [#x, #w, #y]
           ins(%before, %residual : tensor<?x8xf32>, tensor<8x8xf32>)
               outs(%own : tensor<?x8xf32>) -> tensor<?x8xf32>
  %i = tensor.empty(%T) : tensor<?x3xi32>
  %g = tensor.empty(%T) : tensor<?x3xf32>
  %ids, %gates = moe.route softmax top_k ins(%logits : tensor<?x8xf32>)
                   outs(%i, %g : tensor<?x3xi32>, tensor<?x3xf32>)
                       -> tensor<?x3xi32>, tensor<?x3xf32>

  // What the copy and the two constants weigh for each token; the zero expert has no part in it.
  %e3 = tensor.empty(%T) : tensor<?x3xf32>
  %z3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %free = linalg.generic {indexing_maps = [affine_map<(t, e, k) -> (t, k)>, affine_map<(t, e,
      k) -> (t, k)>,
                                           affine_map<(t, e, k) -> (t, e)>],
                          iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%ids, %gates : tensor<?x3xi32>, tensor<?x3xf32>) outs(%z3 : tensor<?x3xf32>) {
  ^bb0(%id: i32, %gate: f32, %sum: f32):
    %first = arith.constant 5 : index
    %e = linalg.index 1 : index
    %number = arith.addi %e, %first : index
    %wanted = arith.index_cast %number : index to i32
    %is = arith.cmpi eq, %id, %wanted : i32
    %part = arith.select %is, %gate, %zero : f32
    %next = arith.addf %sum, %part : f32
    linalg.yield %next : f32
  } -> tensor<?x3xf32>

  // A constant expert gives a1 x + a2 v with (a1, a2) = softmax(x mix), here as a sigmoid.
  %e4 = tensor.empty(%T) : tensor<?x4xf32>
  %z4 = linalg.fill ins(%zero : f32) outs(%e4 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %scores = weft.contract indexing_maps = [#x, #w, #y]
              ins(%x, %mix : tensor<?x12xf32>, tensor<12x4xf32>)
                  outs(%z4 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %e12 = tensor.empty(%T) : tensor<?x12xf32>
  %init = linalg.generic {indexing_maps = [affine_map<(t, h) -> (t, h)>, affine_map<(t, h)
      -> (t, h)>],
                          iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?x12xf32>) outs(%e12 : tensor<?x12xf32>) {
  ^bb0(%in: f32, %o: f32):
    %t = linalg.index 0 : index
    %h = linalg.index 1 : index
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %copy = tensor.extract %free[%t, %c0] : tensor<?x3xf32>
    %g1 = tensor.extract %free[%t, %c1] : tensor<?x3xf32>
    %g2 = tensor.extract %free[%t, %c2] : tensor<?x3xf32>
    %s0 = tensor.extract %scores[%t, %c0] : tensor<?x4xf32>
    %s1 = tensor.extract %scores[%t, %c1] : tensor<?x4xf32>
    %s2 = tensor.extract %scores[%t, %c2] : tensor<?x4xf32>
    %s3 = tensor.extract %scores[%t, %c3] : tensor<?x4xf32>
    %v1 = tensor.extract %v[%c0, %h] : tensor<2x12xf32>
    %v2 = tensor.extract %v[%c1, %h] : tensor<2x12xf32>
    %d1 = arith.subf %s1, %s0 : f32
    %x1 = math.exp %d1 : f32
    %n1 = arith.addf %x1, %one : f32
    %p1 = arith.mulf %x1, %v1 : f32
    %q1 = arith.addf %in, %p1 : f32
    %r1 = arith.divf %q1, %n1 : f32
    %d2 = arith.subf %s3, %s2 : f32
    %x2 = math.exp %d2 : f32
    %n2 = arith.addf %x2, %one : f32
    %p2 = arith.mulf %x2, %v2 : f32
    %q2 = arith.addf %in, %p2 : f32
    %r2 = arith.divf %q2, %n2 : f32
    %a = arith.mulf %copy, %in : f32
    %b = arith.mulf %g1, %r1 : f32
    %c = arith.mulf %g2, %r2 : f32
    %ab = arith.addf %a, %b : f32
    %abc = arith.addf %ab, %c : f32
    linalg.yield %abc : f32
  } -> tensor<?x12xf32>

  %y = moe.expert_ffn ins(%x, %ids, %gates : tensor<?x12xf32>, tensor<?x3xi32>, tensor<?x3xf32>)
         up(%up : tensor<4x12x20xf32>) down(%down : tensor<4x20x12xf32>)
         outs(%init : tensor<?x12xf32>) activation {
  ^bb0(%sum: f32):
    %relu = arith.maximumf %sum, %zero : f32
    moe.yield %relu : f32
  } -> tensor<?x12xf32>
  return %y, %logits : tensor<?x12xf32>, tensor<?x8xf32>
}
"""


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    weights = {"router": f(H, EXPERTS) / 2, "residual": f(EXPERTS, EXPERTS) / 3, "mix": f(H, 4) / 3,
               "v": f(2, H), "up": f(FFNS, H, I) / 4, "down": f(FFNS, I, H) / 4}
    return [{"x": f(t, H), "before": f(t, EXPERTS), **weights} for t in (17, 1, 0)]


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    logits = p["x"] @ p["router"] + (0 if ablated else p["before"] @ p["residual"])
    y = np.zeros_like(p["x"])
    for t, x in enumerate(p["x"]):
        gate = softmax(logits[t])
        for e in np.argsort(-logits[t], kind="stable")[:K]:
            if e < FFNS:
                out = np.maximum(x @ p["up"][e], 0) @ p["down"][e]
            elif e == 4:
                out = np.zeros(H)
            elif e == 5:
                out = x
            else:
                j = e - 6
                a1, a2 = softmax((x @ p["mix"])[2 * j:2 * j + 2])
                out = a1 * x + a2 * p["v"][j]
            y[t] += gate[e] * out
    return [y, logits]
