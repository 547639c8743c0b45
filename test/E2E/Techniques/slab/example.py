"""SLAB: Efficient Transformers with Simplified Linear Attention and Progressive Re-parameterized
Batch Normalization

Theme: attention

Claim: Linear attention with ReLU features and a depthwise convolution of the values, and batch
normalization with a scaled identity that is folded into the next layer, take the place of softmax
attention and LayerNorm: 16.2 ms for 83.6 % on ImageNet.

Shown: `attn.linear features = relu` and `weft.conv` with a group for each channel; RepBN is gone,
folded into the projection's weights and bias by the test. The reference normalizes at run time.
"""

import numpy as np

SIDE, C = 5, 8
T = SIDE * SIDE

MODULE = """
#x = affine_map<(t, o, i) -> (t, i)>
#w = affine_map<(t, o, i) -> (i, o)>
#b = affine_map<(t, o, i) -> (o)>
#y = affine_map<(t, o, i) -> (t, o)>

func.func @main(%x: tensor<25x8xf32>, %w: tensor<8x24xf32>, %bias: tensor<24xf32>,
    %kernel: tensor<8x1x3x3xf32>)
    -> tensor<25x8xf32> {
  %z = arith.constant dense<0.0> : tensor<25x24xf32>
  %qkv = weft.contract indexing_maps = [#x, #w, #b, #y]
      ins(%x, %w : tensor<25x8xf32>, tensor<8x24xf32>)
           bias(%bias : tensor<24xf32>) outs(%z : tensor<25x24xf32>) -> tensor<25x24xf32>
  %q = tensor.extract_slice %qkv[0, 0] [25, 8] [1, 1] : tensor<25x24xf32> to tensor<25x8xf32>
  %k = tensor.extract_slice %qkv[0, 8] [25, 8] [1, 1] : tensor<25x24xf32> to tensor<25x8xf32>
  %v = tensor.extract_slice %qkv[0, 16] [25, 8] [1, 1] : tensor<25x24xf32> to tensor<25x8xf32>
  %o = tensor.empty() : tensor<25x8xf32>
  %state = arith.constant dense<0.0> : tensor<8x8xf32>
  %norm = arith.constant dense<0.0> : tensor<8xf32>
  %a, %s, %n = attn.linear normalize features = relu epsilon = 1.0e-6
      ins(%q, %k, %v : tensor<25x8xf32>, tensor<25x8xf32>, tensor<25x8xf32>)
      outs(%o, %state, %norm : tensor<25x8xf32>, tensor<8x8xf32>, tensor<8xf32>)
      -> tensor<25x8xf32>, tensor<8x8xf32>, tensor<8xf32>

  // The local part: values as an image.
  %ei = tensor.empty() : tensor<8x25xf32>
  %channels = linalg.transpose ins(%v : tensor<25x8xf32>)
      outs(%ei : tensor<8x25xf32>) permutation = [1, 0]
  %image = tensor.expand_shape %channels [[0, 1], [2, 3]] output_shape [1, 8, 5, 5]
      : tensor<8x25xf32> into tensor<1x8x5x5xf32>
  %none = arith.constant dense<0.0> : tensor<1x8x5x5xf32>
  %local = weft.conv strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1] groups = 8
             ins(%image, %kernel : tensor<1x8x5x5xf32>, tensor<8x1x3x3xf32>)
                 outs(%none : tensor<1x8x5x5xf32>) -> tensor<1x8x5x5xf32>
  %flat = tensor.collapse_shape %local [[0, 1], [2, 3]] : tensor<1x8x5x5xf32> into tensor<8x25xf32>
  %rows = linalg.transpose ins(%flat : tensor<8x25xf32>)
      outs(%o : tensor<25x8xf32>) permutation = [1, 0]
  %y = linalg.add ins(%a, %rows : tensor<25x8xf32>, tensor<25x8xf32>)
      outs(%o : tensor<25x8xf32>) -> tensor<25x8xf32>
  return %y : tensor<25x8xf32>
}
"""

# Folded weights are rounded once, then sums of 25 products and a quotient, in f32.
TOLERANCE = 2e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape)
    p = {"x": f(T, C).astype(np.float32), "mean": f(C), "var": f(C)**2 + 0.5, "gamma": f(C),
         "beta": f(C),
         "eta": 0.7, "w": f(C, 3 * C), "kernel": f(C, 1, 3, 3).astype(np.float32)}
    # RepBN(x) = BN(x) + eta x is one scale and one shift for each channel.
    scale = p["gamma"] / np.sqrt(p["var"] + 1e-5) + p["eta"]
    shift = p["beta"] - p["gamma"] * p["mean"] / np.sqrt(p["var"] + 1e-5)
    return {"x": p["x"], "w": (scale[:, None] * p["w"]).astype(np.float32),
            "bias": (shift @ p["w"]).astype(np.float32), "kernel": p["kernel"], "_p": p}


def reference(inputs, ablated):
    p = inputs["_p"]
    x = p["x"].astype(np.float64)
    normal = (x - p["mean"]) / np.sqrt(p["var"] + 1e-5) * p["gamma"] + p["beta"]
    q, k, v = np.split((normal + (0 if ablated else p["eta"] * x)) @ p["w"], 3, axis=1)
    weight = np.maximum(q, 0) @ np.maximum(k, 0).T
    y = weight @ v / (weight.sum(1, keepdims=True) + 1e-6)
    padded = np.pad(v.reshape(SIDE, SIDE, C), ((1, 1), (1, 1), (0, 0)))
    kernel = p["kernel"][:, 0].astype(np.float64)
    for i in range(SIDE):
        for j in range(SIDE):
            y[i * SIDE + j] += np.einsum("abc,cab->c", padded[i:i + 3, j:j + 3], kernel)
    return [y]
