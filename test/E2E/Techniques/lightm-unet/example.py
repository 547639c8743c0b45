"""LightM-UNet: Mamba Assists in Lightweight UNet for Medical Image Segmentation

Theme: ssm

Claim: Residual layers that flatten a volume to tokens, scan it selectively and add the scaled
input replace convolutions: 116 times fewer parameters than nnU-Net.

Shown: A volume of 3 x 4 x 5 with its channels first is normalized, scanned as 60 tokens and added
to the input times a learned scale; it is a volume again without a copy of the tokens by
coordinates.
"""

import numpy as np

C, Z, Y, X, N = 6, 3, 4, 5, 4
T = Z * Y * X

MODULE = """
#x = affine_map<(t, o, i) -> (t, i)>
#w = affine_map<(t, o, i) -> (i, o)>
#y = affine_map<(t, o, i) -> (t, o)>
#tc = affine_map<(t, c) -> (t, c)>
#t = affine_map<(t, c) -> (t)>
#c = affine_map<(t, c) -> (c)>

func.func @main(%volume: tensor<6x3x4x5xf32>, %gamma: tensor<6xf32>, %beta: tensor<6xf32>,
    %wd: tensor<6x6xf32>,
    %wb: tensor<6x4xf32>, %wc: tensor<6x4xf32>, %a: tensor<6x4xf32>, %scale: tensor<6xf32>)
        -> tensor<6x3x4x5xf32> {
  %flat = tensor.collapse_shape %volume [[0], [1, 2, 3]] : tensor<6x3x4x5xf32> into tensor<6x60xf32>
  %e = tensor.empty() : tensor<60x6xf32>
  %tokens = linalg.transpose ins(%flat : tensor<6x60xf32>)
      outs(%e : tensor<60x6xf32>) permutation = [1, 0]

  // The normalization of each token.
  %zt = arith.constant dense<0.0> : tensor<60xf32>
  %sums = linalg.reduce { arith.addf } ins(%tokens : tensor<60x6xf32>)
      outs(%zt : tensor<60xf32>) dimensions = [1]
  %squares = linalg.generic {indexing_maps = [#tc, #t, #t], iterator_types = ["parallel",
      "reduction"]}
      ins(%tokens, %sums : tensor<60x6xf32>, tensor<60xf32>) outs(%zt : tensor<60xf32>) {
  ^bb0(%in: f32, %total: f32, %sum: f32):
    %n = arith.constant 6.0 : f32
    %mean = arith.divf %total, %n : f32
    %d = arith.subf %in, %mean : f32
    %s = arith.mulf %d, %d : f32
    %r = arith.addf %s, %sum : f32
    linalg.yield %r : f32
  } -> tensor<60xf32>
  %u = linalg.generic {indexing_maps = [#tc, #t, #t, #c, #c, #tc], iterator_types = ["parallel",
      "parallel"]}
      ins(%tokens, %sums, %squares, %gamma, %beta
          : tensor<60x6xf32>, tensor<60xf32>, tensor<60xf32>, tensor<6xf32>, tensor<6xf32>)
      outs(%e : tensor<60x6xf32>) {
  ^bb0(%in: f32, %total: f32, %square: f32, %g: f32, %b: f32, %o: f32):
    %n = arith.constant 6.0 : f32
    %epsilon = arith.constant 1.0e-5 : f32
    %mean = arith.divf %total, %n : f32
    %d = arith.subf %in, %mean : f32
    %var = arith.divf %square, %n : f32
    %more = arith.addf %var, %epsilon : f32
    %root = math.sqrt %more : f32
    %q = arith.divf %d, %root : f32
    %p = arith.mulf %q, %g : f32
    %r = arith.addf %p, %b : f32
    linalg.yield %r : f32
  } -> tensor<60x6xf32>

  // The selective scan.
  %z6 = arith.constant dense<0.0> : tensor<60x6xf32>
  %z4 = arith.constant dense<0.0> : tensor<60x4xf32>
  %raw = weft.contract indexing_maps = [#x, #w, #y]
      ins(%u, %wd : tensor<60x6xf32>, tensor<6x6xf32>)
      outs(%z6 : tensor<60x6xf32>) -> tensor<60x6xf32>
  %b = weft.contract indexing_maps = [#x, #w, #y]
      ins(%u, %wb : tensor<60x6xf32>, tensor<6x4xf32>)
      outs(%z4 : tensor<60x4xf32>) -> tensor<60x4xf32>
  %c = weft.contract indexing_maps = [#x, #w, #y]
      ins(%u, %wc : tensor<60x6xf32>, tensor<6x4xf32>)
      outs(%z4 : tensor<60x4xf32>) -> tensor<60x4xf32>
  %raw3 = tensor.expand_shape %raw [[0, 1], [2]] output_shape [1, 60, 6] : tensor<60x6xf32>
      into tensor<1x60x6xf32>
  %e3 = tensor.empty() : tensor<1x60x6xf32>
  %delta, %step = ssm.discretize exponential_euler softplus delta(%raw3 : tensor<1x60x6xf32>)
      outs(%e3, %e3 : tensor<1x60x6xf32>, tensor<1x60x6xf32>)
          -> tensor<1x60x6xf32>, tensor<1x60x6xf32>
  %u3 = tensor.expand_shape %u [[0, 1], [2]] output_shape [1, 60, 6] : tensor<60x6xf32>
      into tensor<1x60x6xf32>
  %du = linalg.mul ins(%step, %u3 : tensor<1x60x6xf32>, tensor<1x60x6xf32>)
      outs(%e3 : tensor<1x60x6xf32>) -> tensor<1x60x6xf32>
  %value = tensor.expand_shape %du [[0], [1], [2, 3]] output_shape [1, 60, 6, 1]
      : tensor<1x60x6xf32> into tensor<1x60x6x1xf32>
  %key = tensor.expand_shape %b [[0, 1], [2, 3]] output_shape [1, 60, 1, 4]
      : tensor<60x4xf32> into tensor<1x60x1x4xf32>
  %query = tensor.expand_shape %c [[0, 1], [2, 3]] output_shape [1, 60, 1, 4]
      : tensor<60x4xf32> into tensor<1x60x1x4xf32>
  %e4 = tensor.empty() : tensor<1x60x6x1xf32>
  %es = tensor.empty() : tensor<1x6x4x1xf32>
  %o, %s = ssm.scan outer diag query(%query : tensor<1x60x1x4xf32>) key(%key : tensor<1x60x1x4xf32>)
      value(%value : tensor<1x60x6x1xf32>) decay(%delta : tensor<1x60x6xf32>) rate(%a
          : tensor<6x4xf32>)
      outs(%e4, %es : tensor<1x60x6x1xf32>, tensor<1x6x4x1xf32>)
          -> tensor<1x60x6x1xf32>, tensor<1x6x4x1xf32>
  %rows = tensor.collapse_shape %o [[0, 1], [2, 3]] : tensor<1x60x6x1xf32> into tensor<60x6xf32>
  %sum = linalg.generic {indexing_maps = [#tc, #tc, #c, #tc], iterator_types = ["parallel",
      "parallel"]}
      ins(%rows, %tokens, %scale : tensor<60x6xf32>, tensor<60x6xf32>, tensor<6xf32>)
          outs(%e : tensor<60x6xf32>) {
  ^bb0(%new: f32, %in: f32, %by: f32, %out: f32):
    %p = arith.mulf %in, %by : f32
    %r = arith.addf %p, %new : f32
    linalg.yield %r : f32
  } -> tensor<60x6xf32>
  %ef = tensor.empty() : tensor<6x60xf32>
  %back = linalg.transpose ins(%sum : tensor<60x6xf32>)
      outs(%ef : tensor<6x60xf32>) permutation = [1, 0]
  %y = tensor.expand_shape %back [[0], [1, 2, 3]] output_shape [6, 3, 4, 5]
      : tensor<6x60xf32> into tensor<6x3x4x5xf32>
  return %y : tensor<6x3x4x5xf32>
}
"""

# A normalization, and a scan with decays below 1 of sums of 6 products, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"volume": f(C, Z, Y, X) + np.float32(0.5), "gamma": f(C), "beta": f(C),
            "wd": f(C, C) / 2, "wb": f(C, N), "wc": f(C, N), "a": -np.exp(f(C, N)), "scale": f(C)}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    y, h = np.zeros((C, Z, Y, X)), np.zeros((C, N))
    for z in range(Z):
        for i in range(Y):
            for j in range(X):
                x = p["volume"][:, z, i, j]
                u = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * p["gamma"] + p["beta"]
                delta = np.log1p(np.exp(u @ p["wd"]))
                h = np.exp(delta[:, None] * p["a"]) * h + np.outer(delta * u, u @ p["wb"])
                y[:, z, i, j] = h @ (u @ p["wc"]) + (1 if ablated else p["scale"]) * x
    return [y]
