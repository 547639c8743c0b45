"""EfficientViM: Efficient Vision Mamba with Hidden State Mixer based State Space Duality

Theme: ssm

Claim: In a state space layer that is not causal all tokens read one state, so that channels can be
mixed on the few states instead of on all tokens (HSM-SSD), which avoids memory-bound operations.

Shown: `ssm.reduce_state` makes the state of keys, values and token weights; the gate and the
output projection see 4 rows instead of 35 tokens, and one contraction with the queries spreads the
result.
"""

import numpy as np

B, T, N, D = 2, 35, 4, 6

MODULE = """
#x = affine_map<(b, t, o, i) -> (b, t, i)>
#w = affine_map<(b, t, o, i) -> (i, o)>
#y = affine_map<(b, t, o, i) -> (b, t, o)>
#q = affine_map<(b, t, d, n) -> (b, t, n)>
#s = affine_map<(b, t, d, n) -> (b, n, d)>
#r = affine_map<(b, t, d, n) -> (b, t, d)>
#bnd = affine_map<(b, n, d) -> (b, n, d)>

func.func @main(%x: tensor<2x35x6xf32>, %w_b: tensor<6x4xf32>, %w_c: tensor<6x4xf32>,
    %w_delta: tensor<6x1xf32>,
    %w_z: tensor<6x6xf32>, %w_x: tensor<6x6xf32>, %w_out: tensor<6x6xf32>)
    -> (tensor<2x35x6xf32>, tensor<2x4x6xf32>) {
  %z1 = arith.constant dense<0.0> : tensor<2x35x1xf32>
  %z4 = arith.constant dense<0.0> : tensor<2x35x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<2x4x6xf32>
  %e46 = tensor.empty() : tensor<2x4x6xf32>
  %b = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w_b : tensor<2x35x6xf32>, tensor<6x4xf32>)
         outs(%z4 : tensor<2x35x4xf32>) -> tensor<2x35x4xf32>
  %c = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w_c : tensor<2x35x6xf32>, tensor<6x4xf32>)
         outs(%z4 : tensor<2x35x4xf32>) -> tensor<2x35x4xf32>
  %raw = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %w_delta : tensor<2x35x6xf32>, tensor<6x1xf32>)
           outs(%z1 : tensor<2x35x1xf32>) -> tensor<2x35x1xf32>
  %e1 = tensor.empty() : tensor<2x35x1xf32>
  %decay, %delta = ssm.discretize exponential_euler softplus delta(%raw : tensor<2x35x1xf32>)
      outs(%e1, %e1 : tensor<2x35x1xf32>, tensor<2x35x1xf32>)
          -> tensor<2x35x1xf32>, tensor<2x35x1xf32>

  // The state of all tokens: the sum of delta B (x) x.
  %key = tensor.expand_shape %b [[0], [1], [2, 3]] output_shape [2, 35, 1, 4]
      : tensor<2x35x4xf32> into tensor<2x35x1x4xf32>
  %value = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [2, 35, 1, 6]
      : tensor<2x35x6xf32> into tensor<2x35x1x6xf32>
  %e = tensor.empty() : tensor<2x1x4x6xf32>
  %sum = ssm.reduce_state ins(%key, %value : tensor<2x35x1x4xf32>, tensor<2x35x1x6xf32>)
           weights(%delta : tensor<2x35x1xf32>)
               outs(%e : tensor<2x1x4x6xf32>) -> tensor<2x1x4x6xf32>
  %h = tensor.collapse_shape %sum [[0, 1], [2], [3]] : tensor<2x1x4x6xf32> into tensor<2x4x6xf32>

  // Channels are mixed there: 4 rows, whatever the image.
  %gate = weft.contract indexing_maps = [#x, #w, #y]
      ins(%h, %w_z : tensor<2x4x6xf32>, tensor<6x6xf32>)
            outs(%z46 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %mixed = weft.contract indexing_maps = [#x, #w, #y]
      ins(%h, %w_x : tensor<2x4x6xf32>, tensor<6x6xf32>)
             outs(%z46 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %gated = linalg.generic {indexing_maps = [#bnd, #bnd, #bnd], iterator_types = ["parallel",
      "parallel", "parallel"]}
      ins(%mixed, %gate : tensor<2x4x6xf32>, tensor<2x4x6xf32>) outs(%e46 : tensor<2x4x6xf32>) {
  ^bb0(%m: f32, %g: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %n = arith.negf %g : f32
    %ex = math.exp %n : f32
    %den = arith.addf %ex, %one : f32
    %silu = arith.divf %g, %den : f32
    %r = arith.mulf %m, %silu : f32
    linalg.yield %r : f32
  } -> tensor<2x4x6xf32>
  %state = weft.contract indexing_maps = [#x, #w, #y]
      ins(%gated, %w_out : tensor<2x4x6xf32>, tensor<6x6xf32>)
             outs(%z46 : tensor<2x4x6xf32>) -> tensor<2x4x6xf32>
  %z6 = arith.constant dense<0.0> : tensor<2x35x6xf32>
  %y = weft.contract indexing_maps = [#q, #s, #r]
      ins(%c, %state : tensor<2x35x4xf32>, tensor<2x4x6xf32>)
         outs(%z6 : tensor<2x35x6xf32>) -> tensor<2x35x6xf32>
  return %y, %state : tensor<2x35x6xf32>, tensor<2x4x6xf32>
}
"""

# Sums of 35 products, then three contractions of 6 terms, in f32, relative to the largest result.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: (rng.standard_normal(shape) / 2).astype(np.float32)
    return {"x": f(B, T, D), "w_b": f(D, N), "w_c": f(D, N), "w_delta": f(D, 1), "w_z": f(D, D),
            "w_x": f(D, D), "w_out": f(D, D)}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    x = p["x"]
    delta = np.log1p(np.exp(x @ p["w_delta"]))
    if ablated:  # causal, as the layer that it replaces
        state = np.cumsum(delta[..., None] * (x @ p["w_b"])[..., None] * x[:, :, None, :], axis=1)
    else:
        state = np.einsum("btn,btd->bnd", delta * (x @ p["w_b"]), x)
    gate = state @ p["w_z"]
    state = (state @ p["w_x"] * gate / (1 + np.exp(-gate))) @ p["w_out"]
    y = np.einsum("btn,btnd->btd" if ablated else "btn,bnd->btd", x @ p["w_c"], state)
    return [y, state[:, -1] if ablated else state]
