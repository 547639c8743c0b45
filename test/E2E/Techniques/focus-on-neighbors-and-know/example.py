"""Focus on Neighbors and Know the Whole: Towards Consistent Dense Multiview Text-to-Image Generator
for 3D Creation

Theme: ssm

Claim: Views of an object become consistent when all of them are scanned by a selective state space
model in a spiral, in both directions, so that neighbours in space are near in the sequence.

Shown: `order` visits the pixels of 3 views of 5 x 4 in a spiral, view by view at each place, and
`bidirectional` adds the scan from the end; outputs lie at the pixels' own places.
"""

import numpy as np

VIEWS, HEIGHT, WIDTH, D, N = 3, 5, 4, 4, 3
T = VIEWS * HEIGHT * WIDTH

MODULE = """
func.func @main(%u: tensor<1x60x4x1xf32>, %raw: tensor<1x60x4xf32>, %a: tensor<4x3xf32>,
    %b: tensor<1x60x1x3xf32>, %c: tensor<1x60x1x3xf32>, %order: tensor<60xi32>)
    -> (tensor<1x60x4x1xf32>, tensor<2x4x3x1xf32>) {
  %e3 = tensor.empty() : tensor<1x60x4xf32>
  %delta, %step = ssm.discretize exponential_euler softplus delta(%raw : tensor<1x60x4xf32>)
      outs(%e3, %e3 : tensor<1x60x4xf32>, tensor<1x60x4xf32>)
          -> tensor<1x60x4xf32>, tensor<1x60x4xf32>
  %e = tensor.empty() : tensor<1x60x4x1xf32>
  %s4 = tensor.expand_shape %step [[0], [1], [2, 3]] output_shape [1, 60, 4, 1]
      : tensor<1x60x4xf32> into tensor<1x60x4x1xf32>
  %du = linalg.mul ins(%s4, %u : tensor<1x60x4x1xf32>, tensor<1x60x4x1xf32>)
      outs(%e : tensor<1x60x4x1xf32>) -> tensor<1x60x4x1xf32>
  %s = tensor.empty() : tensor<2x4x3x1xf32>
  %y, %states = ssm.scan outer diag bidirectional query(%c : tensor<1x60x1x3xf32>) key(%b
      : tensor<1x60x1x3xf32>)
      value(%du : tensor<1x60x4x1xf32>) decay(%delta : tensor<1x60x4xf32>) rate(%a
          : tensor<4x3xf32>)
      order(%order : tensor<60xi32>)
      outs(%e, %s : tensor<1x60x4x1xf32>, tensor<2x4x3x1xf32>)
          -> tensor<1x60x4x1xf32>, tensor<2x4x3x1xf32>
  return %y, %states : tensor<1x60x4x1xf32>, tensor<2x4x3x1xf32>
}
"""

# 60 steps with decays below 1 and sums of 3 products, twice, in f32.
TOLERANCE = 1e-5


def spiral():
    """Places from the border inwards, clockwise."""
    left = [[(i, j) for j in range(WIDTH)] for i in range(HEIGHT)]
    path = []
    while left:
        path += left.pop(0)
        left = [list(row) for row in zip(*left)][::-1]
    return path


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    order = [(view * HEIGHT + i) * WIDTH + j for i, j in spiral() for view in range(VIEWS)]
    return {"u": f(1, T, D, 1), "raw": f(1, T, D), "a": -np.exp(f(D, N)), "b": f(1, T, 1, N),
            "c": f(1, T, 1, N), "order": np.array(order, np.int32)}


def reference(inputs, ablated):
    p = {k: v[0].astype(np.float64) for k, v in inputs.items() if v.ndim > 2}
    a = inputs["a"].astype(np.float64)
    path = range(T) if ablated else inputs["order"]
    y, states = np.zeros((1, T, D, 1)), []
    for way in (path, path[::-1]):
        h = np.zeros((D, N))
        for t in way:
            delta = np.log1p(np.exp(p["raw"][t]))[:, None]
            h = np.exp(delta * a) * h + delta * p["u"][t] * p["b"][t]
            y[0, t, :, 0] += h @ p["c"][t, 0]
        states.append(h[..., None])
    return [y, np.array(states)]
