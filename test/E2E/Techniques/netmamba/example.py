"""NetMamba: Efficient Network Traffic Classification via Pre-training Unidirectional Mamba

Theme: ssm

Claim: Packets as strides of bytes through unidirectional Mamba blocks are classified with little
memory, up to 60 times faster.

Shown: One block from the bytes on: embedded strides, a causal convolution and a selective scan
whose decays, keys and queries depend on the token, with SiLU gates. exp(delta A) is a product
inside of `ssm.scan`, not a tensor of tokens x channels x states.
"""

import numpy as np

B, BYTES, STRIDE, E, D, N, W = 2, 36, 4, 6, 5, 3, 4
T = BYTES // STRIDE

MODULE = """
#x = affine_map<(b, t, o, i) -> (b, t, i)>
#w = affine_map<(b, t, o, i) -> (i, o)>
#y = affine_map<(b, t, o, i) -> (b, t, o)>
#btd = affine_map<(b, t, d) -> (b, t, d)>
#d = affine_map<(b, t, d) -> (d)>

func.func @main(%bytes: tensor<2x36xi8>, %embed: tensor<4x6xf32>, %position: tensor<9x6xf32>,
    %in_x: tensor<6x5xf32>, %in_z: tensor<6x5xf32>, %filter: tensor<5x4xf32>,
        %conv_bias: tensor<5xf32>,
    %w_delta: tensor<5x5xf32>, %delta_bias: tensor<5xf32>, %w_b: tensor<5x3xf32>,
        %w_c: tensor<5x3xf32>,
    %a: tensor<5x3xf32>, %skip: tensor<5xf32>, %w_out: tensor<5x6xf32>) -> tensor<2x9x6xf32> {
  %z3 = arith.constant dense<0.0> : tensor<2x9x3xf32>
  %z5 = arith.constant dense<0.0> : tensor<2x9x5xf32>
  %e5 = tensor.empty() : tensor<2x9x5xf32>

  // Strides of four bytes, each byte as a number from 0 to 1.
  %strides = tensor.expand_shape %bytes [[0], [1, 2]] output_shape [2, 9, 4]
      : tensor<2x36xi8> into tensor<2x9x4xi8>
  %e4 = tensor.empty() : tensor<2x9x4xf32>
  %numbers = linalg.generic {indexing_maps = [#btd, #btd], iterator_types = ["parallel",
      "parallel", "parallel"]}
      ins(%strides : tensor<2x9x4xi8>) outs(%e4 : tensor<2x9x4xf32>) {
  ^bb0(%byte: i8, %o: f32):
    %most = arith.constant 255.0 : f32
    %f = arith.uitofp %byte : i8 to f32
    %q = arith.divf %f, %most : f32
    linalg.yield %q : f32
  } -> tensor<2x9x4xf32>
  %e6 = tensor.empty() : tensor<2x9x6xf32>
  %positions = linalg.broadcast ins(%position : tensor<9x6xf32>)
      outs(%e6 : tensor<2x9x6xf32>) dimensions = [0]
  %x = weft.contract indexing_maps = [#x, #w, #y]
      ins(%numbers, %embed : tensor<2x9x4xf32>, tensor<4x6xf32>)
         outs(%positions : tensor<2x9x6xf32>) -> tensor<2x9x6xf32>

  %x1 = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %in_x : tensor<2x9x6xf32>, tensor<6x5xf32>)
          outs(%z5 : tensor<2x9x5xf32>) -> tensor<2x9x5xf32>
  %z = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %in_z : tensor<2x9x6xf32>, tensor<6x5xf32>)
         outs(%z5 : tensor<2x9x5xf32>) -> tensor<2x9x5xf32>
  %u = ssm.causal_conv1d silu ins(%x1, %filter : tensor<2x9x5xf32>, tensor<5x4xf32>)
         bias(%conv_bias : tensor<5xf32>) outs(%e5 : tensor<2x9x5xf32>) -> tensor<2x9x5xf32>

  // The selective scan.
  %raw = weft.contract indexing_maps = [#x, #w, #y]
      ins(%u, %w_delta : tensor<2x9x5xf32>, tensor<5x5xf32>)
           outs(%z5 : tensor<2x9x5xf32>) -> tensor<2x9x5xf32>
  %delta, %step = ssm.discretize exponential_euler softplus delta(%raw : tensor<2x9x5xf32>)
                    bias(%delta_bias : tensor<5xf32>)
                        outs(%e5, %e5 : tensor<2x9x5xf32>, tensor<2x9x5xf32>)
                    -> tensor<2x9x5xf32>, tensor<2x9x5xf32>
  %b = weft.contract indexing_maps = [#x, #w, #y] ins(%u, %w_b : tensor<2x9x5xf32>, tensor<5x3xf32>)
         outs(%z3 : tensor<2x9x3xf32>) -> tensor<2x9x3xf32>
  %c = weft.contract indexing_maps = [#x, #w, #y] ins(%u, %w_c : tensor<2x9x5xf32>, tensor<5x3xf32>)
         outs(%z3 : tensor<2x9x3xf32>) -> tensor<2x9x3xf32>
  %du = linalg.mul ins(%step, %u : tensor<2x9x5xf32>, tensor<2x9x5xf32>)
      outs(%e5 : tensor<2x9x5xf32>) -> tensor<2x9x5xf32>
  %key = tensor.expand_shape %b [[0], [1], [2, 3]] output_shape [2, 9, 1, 3]
      : tensor<2x9x3xf32> into tensor<2x9x1x3xf32>
  %query = tensor.expand_shape %c [[0], [1], [2, 3]] output_shape [2, 9, 1, 3]
      : tensor<2x9x3xf32> into tensor<2x9x1x3xf32>
  %value = tensor.expand_shape %du [[0], [1], [2, 3]] output_shape [2, 9, 5, 1]
      : tensor<2x9x5xf32> into tensor<2x9x5x1xf32>
  %y0 = tensor.empty() : tensor<2x9x5x1xf32>
  %s0 = tensor.empty() : tensor<2x5x3x1xf32>
  %read, %state = ssm.scan outer diag query(%query : tensor<2x9x1x3xf32>) key(%key
      : tensor<2x9x1x3xf32>)
      value(%value : tensor<2x9x5x1xf32>) decay(%delta : tensor<2x9x5xf32>) rate(%a
          : tensor<5x3xf32>)
      outs(%y0, %s0 : tensor<2x9x5x1xf32>, tensor<2x5x3x1xf32>)
          -> tensor<2x9x5x1xf32>, tensor<2x5x3x1xf32>
  %scanned = tensor.collapse_shape %read [[0], [1], [2, 3]] : tensor<2x9x5x1xf32>
      into tensor<2x9x5xf32>
  %gated = linalg.generic {indexing_maps = [#btd, #btd, #btd, #d, #btd],
                           iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%scanned, %u, %z, %skip
          : tensor<2x9x5xf32>, tensor<2x9x5xf32>, tensor<2x9x5xf32>, tensor<5xf32>)
      outs(%e5 : tensor<2x9x5xf32>) {
  ^bb0(%s: f32, %in: f32, %gate: f32, %factor: f32, %o: f32):
    %one = arith.constant 1.0 : f32
    %direct = arith.mulf %factor, %in : f32
    %sum = arith.addf %s, %direct : f32
    %n = arith.negf %gate : f32
    %e = math.exp %n : f32
    %den = arith.addf %e, %one : f32
    %silu = arith.divf %gate, %den : f32
    %r = arith.mulf %sum, %silu : f32
    linalg.yield %r : f32
  } -> tensor<2x9x5xf32>
  %y = weft.contract indexing_maps = [#x, #w, #y]
      ins(%gated, %w_out : tensor<2x9x5xf32>, tensor<5x6xf32>)
         outs(%x : tensor<2x9x6xf32>) -> tensor<2x9x6xf32>
  return %y : tensor<2x9x6xf32>
}
"""

# Some ten sums of 3 to 6 products each, and exponentials of numbers of about 1, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"bytes": rng.integers(0, 256, (B, BYTES)).astype(np.uint8), "embed": f(STRIDE, E),
            "position": f(T, E), "in_x": f(E, D), "in_z": f(E, D), "filter": f(D,
                                                                               W), "conv_bias": f(D),
            "w_delta": f(D, D), "delta_bias": f(D), "w_b": f(D, N), "w_c": f(D, N),
            "a": -np.exp(f(D, N)), "skip": f(D), "w_out": f(D, E)}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    silu = lambda v: v / (1 + np.exp(-v))
    y = []
    for data in p["bytes"]:
        x = (data / 255).reshape(T, STRIDE) @ p["embed"] + p["position"]
        padded = np.concatenate([np.zeros((W - 1, D)), x @ p["in_x"]])
        u = silu(np.array([(padded[t:t + W].T * p["filter"]).sum(1) for t in range(T)]) + p["conv_bias"])
        h, out = np.zeros((D, N)), []
        for t in range(T):
            # Without selection the step is the same for all tokens.
            delta = np.log1p(np.exp((0 if ablated else u[t] @ p["w_delta"]) + p["delta_bias"]))
            h = np.exp(delta[:, None] * p["a"]) * h + np.outer(delta * u[t], u[t] @ p["w_b"])
            out.append(h @ (u[t] @ p["w_c"]) + p["skip"] * u[t])
        y.append(x + (np.array(out) * silu(x @ p["in_z"])) @ p["w_out"])
    return [np.array(y)]


def check(example):
    # Nowhere is there a tensor with an element for each token, channel and state.
    assert "2x9x5x3xf32" not in example.module.after("tile")
