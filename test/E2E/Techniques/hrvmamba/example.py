"""HRVMamba: High-Resolution Visual State Space Model for Dense Prediction

Theme: ssm

Claim: Scans of an image in four directions with depthwise convolutions of several sizes, in
branches of several resolutions, make a state space model fit for dense prediction.

Shown: Rows and columns, each both ways: two `bidirectional` scans of which one has the columns as
its `order`; their outputs lie at the same places and are added. Before them are depthwise
convolutions of 3 x 3 and 5 x 5.
"""

import numpy as np

HEIGHT, WIDTH, D, N = 5, 7, 4, 3
T = HEIGHT * WIDTH

MODULE = """
#x = affine_map<(b, t, o, i) -> (b, t, i)>
#w = affine_map<(b, t, o, i) -> (i, o)>
#y = affine_map<(b, t, o, i) -> (b, t, o)>

func.func @main(%image: tensor<1x4x5x7xf32>, %small: tensor<4x1x3x3xf32>,
    %large: tensor<4x1x5x5xf32>,
    %wd: tensor<4x4xf32>, %wb: tensor<4x3xf32>, %wc: tensor<4x3xf32>, %a: tensor<4x3xf32>,
        %columns: tensor<35xi32>)
    -> tensor<1x35x4xf32> {
  %z = arith.constant dense<0.0> : tensor<1x4x5x7xf32>
  %near = weft.conv strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1] groups = 4
            ins(%image, %small : tensor<1x4x5x7xf32>, tensor<4x1x3x3xf32>)
                outs(%z : tensor<1x4x5x7xf32>) -> tensor<1x4x5x7xf32>
  %both = weft.conv strides = [1, 1] dilations = [1, 1] pads = [2, 2, 2, 2] groups = 4
            ins(%image, %large : tensor<1x4x5x7xf32>, tensor<4x1x5x5xf32>)
                outs(%near : tensor<1x4x5x7xf32>) -> tensor<1x4x5x7xf32>
  %flat = tensor.collapse_shape %both [[0], [1], [2, 3]] : tensor<1x4x5x7xf32>
      into tensor<1x4x35xf32>
  %e = tensor.empty() : tensor<1x35x4xf32>
  %u = linalg.transpose ins(%flat : tensor<1x4x35xf32>)
      outs(%e : tensor<1x35x4xf32>) permutation = [0, 2, 1]

  %z4 = arith.constant dense<0.0> : tensor<1x35x4xf32>
  %z3 = arith.constant dense<0.0> : tensor<1x35x3xf32>
  %raw = weft.contract indexing_maps = [#x, #w, #y]
      ins(%u, %wd : tensor<1x35x4xf32>, tensor<4x4xf32>)
      outs(%z4 : tensor<1x35x4xf32>) -> tensor<1x35x4xf32>
  %b = weft.contract indexing_maps = [#x, #w, #y]
      ins(%u, %wb : tensor<1x35x4xf32>, tensor<4x3xf32>)
      outs(%z3 : tensor<1x35x3xf32>) -> tensor<1x35x3xf32>
  %c = weft.contract indexing_maps = [#x, #w, #y]
      ins(%u, %wc : tensor<1x35x4xf32>, tensor<4x3xf32>)
      outs(%z3 : tensor<1x35x3xf32>) -> tensor<1x35x3xf32>
  %delta, %step = ssm.discretize exponential_euler softplus delta(%raw : tensor<1x35x4xf32>)
      outs(%e, %e : tensor<1x35x4xf32>, tensor<1x35x4xf32>)
          -> tensor<1x35x4xf32>, tensor<1x35x4xf32>
  %du = linalg.mul ins(%step, %u : tensor<1x35x4xf32>, tensor<1x35x4xf32>)
      outs(%e : tensor<1x35x4xf32>) -> tensor<1x35x4xf32>
  %value = tensor.expand_shape %du [[0], [1], [2, 3]] output_shape [1, 35, 4, 1]
      : tensor<1x35x4xf32> into tensor<1x35x4x1xf32>
  %key = tensor.expand_shape %b [[0], [1], [2, 3]] output_shape [1, 35, 1, 3]
      : tensor<1x35x3xf32> into tensor<1x35x1x3xf32>
  %query = tensor.expand_shape %c [[0], [1], [2, 3]] output_shape [1, 35, 1, 3]
      : tensor<1x35x3xf32> into tensor<1x35x1x3xf32>
  %eo = tensor.empty() : tensor<1x35x4x1xf32>
  %es = tensor.empty() : tensor<2x4x3x1xf32>
  %rows, %s0 = ssm.scan outer diag bidirectional query(%query : tensor<1x35x1x3xf32>) key(%key
      : tensor<1x35x1x3xf32>)
      value(%value : tensor<1x35x4x1xf32>) decay(%delta : tensor<1x35x4xf32>) rate(%a
          : tensor<4x3xf32>)
      outs(%eo, %es : tensor<1x35x4x1xf32>, tensor<2x4x3x1xf32>)
          -> tensor<1x35x4x1xf32>, tensor<2x4x3x1xf32>
  %cols, %s1 = ssm.scan outer diag bidirectional query(%query : tensor<1x35x1x3xf32>) key(%key
      : tensor<1x35x1x3xf32>)
      value(%value : tensor<1x35x4x1xf32>) decay(%delta : tensor<1x35x4xf32>) rate(%a
          : tensor<4x3xf32>)
      order(%columns : tensor<35xi32>)
      outs(%eo, %es : tensor<1x35x4x1xf32>, tensor<2x4x3x1xf32>)
          -> tensor<1x35x4x1xf32>, tensor<2x4x3x1xf32>
  %sum = linalg.add ins(%rows, %cols : tensor<1x35x4x1xf32>, tensor<1x35x4x1xf32>)
      outs(%eo : tensor<1x35x4x1xf32>) -> tensor<1x35x4x1xf32>
  %r = tensor.collapse_shape %sum [[0], [1], [2, 3]] : tensor<1x35x4x1xf32> into tensor<1x35x4xf32>
  return %r : tensor<1x35x4xf32>
}
"""

# Sums of 34 products, then four scans with decays below 1, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"image": f(1, D, HEIGHT, WIDTH), "small": f(D, 1, 3, 3) / 3, "large": f(D, 1, 5, 5) / 5,
            "wd": f(D, D) / 2, "wb": f(D, N), "wc": f(D, N), "a": -np.exp(f(D, N)),
            "columns": np.arange(T, dtype=np.int32).reshape(HEIGHT, WIDTH).T.reshape(-1)}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    u = np.zeros((HEIGHT, WIDTH, D))
    for kernel in (p["small"], p["large"]):
        reach = kernel.shape[-1] // 2
        padded = np.pad(p["image"][0], ((0, 0), (reach, reach), (reach, reach)))
        for i in range(HEIGHT):
            for j in range(WIDTH):
                window = padded[:, i:i + 2 * reach + 1, j:j + 2 * reach + 1]
                u[i, j] += (window * kernel[:, 0]).sum((1, 2))
    y = np.zeros((HEIGHT, WIDTH, D))
    rows = [(i, j) for i in range(HEIGHT) for j in range(WIDTH)]
    columns = [(i, j) for j in range(WIDTH) for i in range(HEIGHT)]
    for way in (rows, rows[::-1]) if ablated else (rows, rows[::-1], columns, columns[::-1]):
        h = np.zeros((D, N))
        for at in way:
            delta = np.log1p(np.exp(u[at] @ p["wd"]))[:, None]
            h = np.exp(delta * p["a"]) * h + delta * np.outer(u[at], u[at] @ p["wb"])
            y[at] += h @ (u[at] @ p["wc"])
    return [y.reshape(1, T, D)]
