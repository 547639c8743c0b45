"""MambaMixer: Efficient Selective State Space Models with Dual Token and Channel Selection

Theme: ssm

Claim: A selective scan over tokens followed by one over channels mixes both by content; the input
of each block is a learned weighted mean of the outputs before it.

Shown: After a transposition channels are the "tokens" of a second `ssm.scan`, in both directions,
with decays and keys made of the data; the weighted means of the input and both outputs follow.
"""

import numpy as np

B, T, C, N = 2, 11, 7, 3

MODULE = """
#x = affine_map<(b, t, o, i) -> (b, t, i)>
#w = affine_map<(b, t, o, i) -> (i, o)>
#y = affine_map<(b, t, o, i) -> (b, t, o)>
#id = affine_map<(b, t, c) -> (b, t, c)>

func.func @main(%x: tensor<2x11x7xf32>, %td: tensor<7x7xf32>, %tb: tensor<7x3xf32>,
    %tc: tensor<7x3xf32>, %ta: tensor<7x3xf32>,
    %cd: tensor<11x11xf32>, %cb: tensor<11x3xf32>, %cc: tensor<11x3xf32>, %ca: tensor<11x3xf32>,
        %mean: tensor<5xf32>)
    -> tensor<2x11x7xf32> {
  %z3 = arith.constant dense<0.0> : tensor<2x11x3xf32>
  %z7 = arith.constant dense<0.0> : tensor<2x11x7xf32>
  %e7 = tensor.empty() : tensor<2x11x7xf32>

  // Tokens: 7 channels are heads with a state of 3.
  %raw = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %td : tensor<2x11x7xf32>, tensor<7x7xf32>)
      outs(%z7 : tensor<2x11x7xf32>) -> tensor<2x11x7xf32>
  %b = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %tb : tensor<2x11x7xf32>, tensor<7x3xf32>)
      outs(%z3 : tensor<2x11x3xf32>) -> tensor<2x11x3xf32>
  %c = weft.contract indexing_maps = [#x, #w, #y]
      ins(%x, %tc : tensor<2x11x7xf32>, tensor<7x3xf32>)
      outs(%z3 : tensor<2x11x3xf32>) -> tensor<2x11x3xf32>
  %delta, %step = ssm.discretize exponential_euler softplus delta(%raw : tensor<2x11x7xf32>)
      outs(%e7, %e7 : tensor<2x11x7xf32>, tensor<2x11x7xf32>)
          -> tensor<2x11x7xf32>, tensor<2x11x7xf32>
  %du = linalg.mul ins(%step, %x : tensor<2x11x7xf32>, tensor<2x11x7xf32>)
      outs(%e7 : tensor<2x11x7xf32>) -> tensor<2x11x7xf32>
  %key = tensor.expand_shape %b [[0], [1], [2, 3]] output_shape [2, 11, 1, 3]
      : tensor<2x11x3xf32> into tensor<2x11x1x3xf32>
  %query = tensor.expand_shape %c [[0], [1], [2, 3]] output_shape [2, 11, 1, 3]
      : tensor<2x11x3xf32> into tensor<2x11x1x3xf32>
  %value = tensor.expand_shape %du [[0], [1], [2, 3]] output_shape [2, 11, 7, 1]
      : tensor<2x11x7xf32> into tensor<2x11x7x1xf32>
  %eo = tensor.empty() : tensor<2x11x7x1xf32>
  %es = tensor.empty() : tensor<2x7x3x1xf32>
  %o, %s = ssm.scan outer diag query(%query : tensor<2x11x1x3xf32>) key(%key : tensor<2x11x1x3xf32>)
      value(%value : tensor<2x11x7x1xf32>) decay(%delta : tensor<2x11x7xf32>) rate(%ta
          : tensor<7x3xf32>)
      outs(%eo, %es : tensor<2x11x7x1xf32>, tensor<2x7x3x1xf32>)
          -> tensor<2x11x7x1xf32>, tensor<2x7x3x1xf32>
  %tokens = tensor.collapse_shape %o [[0], [1], [2, 3]] : tensor<2x11x7x1xf32>
      into tensor<2x11x7xf32>

  // The input of the channel mixer is a weighted mean of the input and the token mixer's output.
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %mixed = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel",
      "parallel", "parallel"]}
      ins(%x, %tokens : tensor<2x11x7xf32>, tensor<2x11x7xf32>) outs(%e7 : tensor<2x11x7xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %w0 = tensor.extract %mean[%zero] : tensor<5xf32>
    %w1 = tensor.extract %mean[%one] : tensor<5xf32>
    %p0 = arith.mulf %w0, %p : f32
    %p1 = arith.mulf %w1, %q : f32
    %sum = arith.addf %p0, %p1 : f32
    linalg.yield %sum : f32
  } -> tensor<2x11x7xf32>

  // Channels: 11 tokens are heads, and the sequence is that of the channels, both ways.
  %z11 = arith.constant dense<0.0> : tensor<2x7x11xf32>
  %z73 = arith.constant dense<0.0> : tensor<2x7x3xf32>
  %e11 = tensor.empty() : tensor<2x7x11xf32>
  %t = linalg.transpose ins(%mixed : tensor<2x11x7xf32>)
      outs(%e11 : tensor<2x7x11xf32>) permutation = [0, 2, 1]
  %raw2 = weft.contract indexing_maps = [#x, #w, #y]
      ins(%t, %cd : tensor<2x7x11xf32>, tensor<11x11xf32>)
      outs(%z11 : tensor<2x7x11xf32>) -> tensor<2x7x11xf32>
  %b2 = weft.contract indexing_maps = [#x, #w, #y]
      ins(%t, %cb : tensor<2x7x11xf32>, tensor<11x3xf32>)
      outs(%z73 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  %c2 = weft.contract indexing_maps = [#x, #w, #y]
      ins(%t, %cc : tensor<2x7x11xf32>, tensor<11x3xf32>)
      outs(%z73 : tensor<2x7x3xf32>) -> tensor<2x7x3xf32>
  %delta2, %step2 = ssm.discretize exponential_euler softplus delta(%raw2 : tensor<2x7x11xf32>)
      outs(%e11, %e11 : tensor<2x7x11xf32>, tensor<2x7x11xf32>)
          -> tensor<2x7x11xf32>, tensor<2x7x11xf32>
  %du2 = linalg.mul ins(%step2, %t : tensor<2x7x11xf32>, tensor<2x7x11xf32>)
      outs(%e11 : tensor<2x7x11xf32>) -> tensor<2x7x11xf32>
  %key2 = tensor.expand_shape %b2 [[0], [1], [2, 3]] output_shape [2, 7, 1, 3]
      : tensor<2x7x3xf32> into tensor<2x7x1x3xf32>
  %query2 = tensor.expand_shape %c2 [[0], [1], [2, 3]] output_shape [2, 7, 1, 3]
      : tensor<2x7x3xf32> into tensor<2x7x1x3xf32>
  %value2 = tensor.expand_shape %du2 [[0], [1], [2, 3]] output_shape [2, 7, 11, 1]
      : tensor<2x7x11xf32> into tensor<2x7x11x1xf32>
  %eo2 = tensor.empty() : tensor<2x7x11x1xf32>
  %es2 = tensor.empty() : tensor<4x11x3x1xf32>
  %o2, %s2 = ssm.scan outer diag bidirectional query(%query2 : tensor<2x7x1x3xf32>) key(%key2
      : tensor<2x7x1x3xf32>)
      value(%value2 : tensor<2x7x11x1xf32>) decay(%delta2 : tensor<2x7x11xf32>) rate(%ca
          : tensor<11x3xf32>)
      outs(%eo2, %es2 : tensor<2x7x11x1xf32>, tensor<4x11x3x1xf32>)
          -> tensor<2x7x11x1xf32>, tensor<4x11x3x1xf32>
  %channels = tensor.collapse_shape %o2 [[0], [1], [2, 3]] : tensor<2x7x11x1xf32>
      into tensor<2x7x11xf32>
  %back = linalg.transpose ins(%channels : tensor<2x7x11xf32>)
      outs(%e7 : tensor<2x11x7xf32>) permutation = [0, 2, 1]
  %two = arith.constant 2 : index
  %three = arith.constant 3 : index
  %four = arith.constant 4 : index
  %y = linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel",
      "parallel", "parallel"]}
      ins(%x, %tokens, %back : tensor<2x11x7xf32>, tensor<2x11x7xf32>, tensor<2x11x7xf32>)
          outs(%e7 : tensor<2x11x7xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32, %out: f32):
    %w0 = tensor.extract %mean[%two] : tensor<5xf32>
    %w1 = tensor.extract %mean[%three] : tensor<5xf32>
    %w2 = tensor.extract %mean[%four] : tensor<5xf32>
    %p0 = arith.mulf %w0, %p : f32
    %p1 = arith.mulf %w1, %q : f32
    %p2 = arith.mulf %w2, %r : f32
    %s01 = arith.addf %p0, %p1 : f32
    %sum = arith.addf %s01, %p2 : f32
    linalg.yield %sum : f32
  } -> tensor<2x11x7xf32>
  return %y : tensor<2x11x7xf32>
}
"""

# Two scans of decays below 1 with sums of at most 11 products, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32) / 2
    return {"x": f(B, T, C), "td": f(C, C), "tb": f(C, N), "tc": f(C, N), "ta": -np.exp(f(C, N)),
            "cd": f(T, T), "cb": f(T, N), "cc": f(T, N), "ca": -np.exp(f(T, N)), "mean": 2 * f(5)}


def scan(x, d, b, c, a):
    h, out = np.zeros(a.shape), []
    for row in x:
        delta = np.log1p(np.exp(row @ d))[:, None]
        h = np.exp(delta * a) * h + delta * np.outer(row, row @ b)
        out.append(h @ (row @ c))
    return np.array(out)


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    w, y = p["mean"], []
    for x in p["x"]:
        tokens = scan(x, p["td"], p["tb"], p["tc"], p["ta"])
        mixed = (w[0] * x + w[1] * tokens).T
        channels = [p[k] for k in ("cd", "cb", "cc", "ca")]
        back = scan(mixed, *channels)
        if not ablated:  # else one way only
            back = back + scan(mixed[::-1], *channels)[::-1]
        y.append(w[2] * x + w[3] * tokens + w[4] * back.T)
    return [np.array(y)]
