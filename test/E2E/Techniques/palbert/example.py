"""PALBERT: Teaching ALBERT to Ponder

Theme: moe

Claim: A head in each layer predicts the probability to stop there; leaving at the first layer
where the cumulative probability reaches q (Q-exit) is deterministic, where PonderNet samples.

Shown: `moe.exit` runs one shared layer, as ALBERT has it, at most 12 times; its state carries the
probability to have got this far, and each input leaves after another number of layers.
"""

import numpy as np

S, H, LAYERS, Q = 7, 10, 12, 0.75

MODULE = """
#x = affine_map<(s, o, i) -> (s, i)>
#w = affine_map<(s, o, i) -> (i, o)>
#y = affine_map<(s, o, i) -> (s, o)>
#so = affine_map<(s, o) -> (s, o)>

func.func @main(%x: tensor<7x10xf32>, %wq: tensor<10x10xf32>, %wk: tensor<10x10xf32>,
    %wv: tensor<10x10xf32>, %ffn: tensor<10x10xf32>, %lambda: tensor<10xf32>)
    -> (tensor<7x10xf32>, tensor<f32>, tensor<i32>) {
  %layers = arith.constant 12 : index
  %q = arith.constant 0.75 : f32
  %one = arith.constant 1.0 : f32
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %z = arith.constant dense<0.0> : tensor<7x10xf32>
  %certain = arith.constant dense<1.0> : tensor<f32>

  // The second state is the product of (1 - lambda) over the layers that were not the last one.
  %ran, %out, %left = moe.exit %layers init(%x, %certain : tensor<7x10xf32>, tensor<f32>) {
  ^bb0(%i: index, %h: tensor<7x10xf32>, %go: tensor<f32>):
    %query = weft.contract indexing_maps = [#x, #w, #y]
        ins(%h, %wq : tensor<7x10xf32>, tensor<10x10xf32>)
               outs(%z : tensor<7x10xf32>) -> tensor<7x10xf32>
    %key = weft.contract indexing_maps = [#x, #w, #y]
        ins(%h, %wk : tensor<7x10xf32>, tensor<10x10xf32>)
             outs(%z : tensor<7x10xf32>) -> tensor<7x10xf32>
    %value = weft.contract indexing_maps = [#x, #w, #y]
        ins(%h, %wv : tensor<7x10xf32>, tensor<10x10xf32>)
               outs(%z : tensor<7x10xf32>) -> tensor<7x10xf32>
    %e = tensor.empty() : tensor<7x10xf32>
    %mixed = attn.attend layout = "sd,td,te->se"
               ins(%query, %key, %value : tensor<7x10xf32>, tensor<7x10xf32>, tensor<7x10xf32>)
               outs(%e : tensor<7x10xf32>) -> tensor<7x10xf32>
    %dense = weft.contract indexing_maps = [#x, #w, #y]
        ins(%mixed, %ffn : tensor<7x10xf32>, tensor<10x10xf32>)
               outs(%h : tensor<7x10xf32>) -> tensor<7x10xf32>
    %next = linalg.generic {indexing_maps = [#so, #so], iterator_types = ["parallel", "parallel"]}
        ins(%dense : tensor<7x10xf32>) outs(%e : tensor<7x10xf32>) {
    ^bb0(%in: f32, %o: f32):
      %t = math.tanh %in : f32
      linalg.yield %t : f32
    } -> tensor<7x10xf32>

    // lambda = sigmoid of the first token's score; the probability to have stopped is 1 - left.
    %first = tensor.extract_slice %next[0, 0] [1, 10] [1, 1] : tensor<7x10xf32> to tensor<10xf32>
    %none = arith.constant dense<0.0> : tensor<f32>
    %score = linalg.dot ins(%first, %lambda : tensor<10xf32>, tensor<10xf32>)
        outs(%none : tensor<f32>) -> tensor<f32>
    %power = linalg.exp ins(%score : tensor<f32>) outs(%none : tensor<f32>) -> tensor<f32>
    %ex = tensor.extract %power[] : tensor<f32>
    %den = arith.addf %ex, %one : f32
    %stay = arith.divf %one, %den : f32
    %before = tensor.extract %go[] : tensor<f32>
    %left0 = arith.mulf %before, %stay : f32
    %stopped = arith.subf %one, %left0 : f32
    %stop = arith.cmpf oge, %stopped, %q : f32
    %after = tensor.from_elements %left0 : tensor<f32>
    moe.yield %stop, %next, %after : i1, tensor<7x10xf32>, tensor<f32>
  } -> index, tensor<7x10xf32>, tensor<f32>
  %n = arith.index_cast %ran : index to i32
  %count = tensor.from_elements %n : tensor<i32>
  return %out, %left, %count : tensor<7x10xf32>, tensor<f32>, tensor<i32>
}
"""

# Layers of sums of 10 products through tanh, which does not amplify, at most 12 of them.
TOLERANCE = 5e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32) / np.sqrt(H).astype(np.float32)
    weights = {"wq": f(H, H), "wk": f(H, H), "wv": f(H, H), "ffn": f(H, H)}
    head = 2 * f(H)
    return [{"x": f(S, H) * 3, **weights, "lambda": head * scale} for scale in (1, -1, 3, -3)]


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    h, distribution, left = p["x"], [], 1.0
    for _ in range(LAYERS):
        a = (h @ p["wq"]) @ (h @ p["wk"]).T / np.sqrt(H)
        a = np.exp(a - a.max(1, keepdims=True))
        a /= a.sum(1, keepdims=True)
        h = np.tanh(h + a @ (h @ p["wv"]) @ p["ffn"])
        stop = 1 / (1 + np.exp(-(h[0] @ p["lambda"])))
        distribution.append(left * stop)  # p_i = lambda_i prod_{j < i} (1 - lambda_j)
        left *= 1 - stop
        if sum(distribution) >= Q and not ablated:
            break
    return [h, np.array(left), np.array(len(distribution), np.int32)]


def check(example):
    depths = {int(have[2]) for _, have, _ in example.calls}
    assert len(depths) > 1, depths
