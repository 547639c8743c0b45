"""EfficientViT: Lightweight Multi-Scale Attention for On-Device Semantic Segmentation

Theme: attention

Claim: ReLU linear attention over queries, keys and values of several scales, made by small
depthwise convolutions, has a global field of view from operations that are fast on phones: up to
15 times faster than SegFormer.

Shown: The projections and their 5 x 5 depthwise aggregates are two groups of heads of one
`attn.linear features = relu` without any product of tokens; heads are its leading dimension.
"""

import numpy as np

SIDE, C = 6, 4
T = SIDE * SIDE

MODULE = """
func.func @main(%x: tensor<4x36xf32>, %w: tensor<12x4xf32>, %local: tensor<12x1x5x5xf32>,
    %mix: tensor<12x1x1x1xf32>,
    %out: tensor<4x8xf32>) -> tensor<4x36xf32> {
  // Queries, keys and values of the image as it is.
  %z = arith.constant dense<0.0> : tensor<12x36xf32>
  %qkv = linalg.matmul ins(%w, %x : tensor<12x4xf32>, tensor<4x36xf32>)
      outs(%z : tensor<12x36xf32>) -> tensor<12x36xf32>
  // And of its neighbourhoods: a depthwise convolution, then a factor for each channel.
  %image = tensor.expand_shape %qkv [[0, 1], [2, 3]] output_shape [1, 12, 6, 6]
      : tensor<12x36xf32> into tensor<1x12x6x6xf32>
  %zi = arith.constant dense<0.0> : tensor<1x12x6x6xf32>
  %wide = weft.conv strides = [1, 1] dilations = [1, 1] pads = [2, 2, 2, 2] groups = 12
            ins(%image, %local : tensor<1x12x6x6xf32>, tensor<12x1x5x5xf32>)
                outs(%zi : tensor<1x12x6x6xf32>) -> tensor<1x12x6x6xf32>
  %mixed = weft.conv strides = [1, 1] dilations = [1, 1] pads = [0, 0, 0, 0] groups = 12
             ins(%wide, %mix : tensor<1x12x6x6xf32>, tensor<12x1x1x1xf32>)
                 outs(%zi : tensor<1x12x6x6xf32>) -> tensor<1x12x6x6xf32>
  %aggregates = tensor.collapse_shape %mixed [[0, 1], [2, 3]] : tensor<1x12x6x6xf32>
      into tensor<12x36xf32>

  // Scales x (query, key, value) x channels x tokens.
  %both = tensor.concat dim(0) %qkv, %aggregates : (tensor<12x36xf32>, tensor<12x36xf32>)
      -> tensor<24x36xf32>
  %parts = tensor.expand_shape %both [[0, 1, 2], [3]] output_shape [2, 3, 4, 36]
      : tensor<24x36xf32> into tensor<2x3x4x36xf32>
  %qc = tensor.extract_slice %parts[0, 0, 0, 0] [2, 1, 4, 36] [1, 1, 1, 1]
      : tensor<2x3x4x36xf32> to tensor<2x4x36xf32>
  %kc = tensor.extract_slice %parts[0, 1, 0, 0] [2, 1, 4, 36] [1, 1, 1, 1]
      : tensor<2x3x4x36xf32> to tensor<2x4x36xf32>
  %vc = tensor.extract_slice %parts[0, 2, 0, 0] [2, 1, 4, 36] [1, 1, 1, 1]
      : tensor<2x3x4x36xf32> to tensor<2x4x36xf32>
  %e = tensor.empty() : tensor<2x36x4xf32>
  %q = linalg.transpose ins(%qc : tensor<2x4x36xf32>)
      outs(%e : tensor<2x36x4xf32>) permutation = [0, 2, 1]
  %k = linalg.transpose ins(%kc : tensor<2x4x36xf32>)
      outs(%e : tensor<2x36x4xf32>) permutation = [0, 2, 1]
  %v = linalg.transpose ins(%vc : tensor<2x4x36xf32>)
      outs(%e : tensor<2x36x4xf32>) permutation = [0, 2, 1]
  %state = arith.constant dense<0.0> : tensor<2x4x4xf32>
  %norm = arith.constant dense<0.0> : tensor<2x4xf32>
  %a, %s, %n = attn.linear normalize features = relu epsilon = 1.0e-5
      ins(%q, %k, %v : tensor<2x36x4xf32>, tensor<2x36x4xf32>, tensor<2x36x4xf32>)
      outs(%e, %state, %norm : tensor<2x36x4xf32>, tensor<2x4x4xf32>, tensor<2x4xf32>)
      -> tensor<2x36x4xf32>, tensor<2x4x4xf32>, tensor<2x4xf32>

  // The projection sees both scales' channels.
  %et = tensor.empty() : tensor<2x4x36xf32>
  %back = linalg.transpose ins(%a : tensor<2x36x4xf32>)
      outs(%et : tensor<2x4x36xf32>) permutation = [0, 2, 1]
  %channels = tensor.collapse_shape %back [[0, 1], [2]] : tensor<2x4x36xf32> into tensor<8x36xf32>
  %y = linalg.matmul ins(%out, %channels : tensor<4x8xf32>, tensor<8x36xf32>)
      outs(%x : tensor<4x36xf32>) -> tensor<4x36xf32>
  return %y : tensor<4x36xf32>
}
"""

# Sums of 25 and of 36 products and a quotient, in f32. Rows whose features are all 0 give 0.
TOLERANCE = 5e-5


def inputs(rng):
    f = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    return {"x": f(C, T), "w": f(3 * C, C), "local": f(3 * C, 1, 5, 5) / 5, "mix": f(3 * C, 1, 1,
                                                                                     1),
            "out": f(C, 2 * C)}


def reference(inputs, ablated):
    p = {k: v.astype(np.float64) for k, v in inputs.items()}
    qkv = (p["w"] @ p["x"]).reshape(3 * C, SIDE, SIDE)
    padded, wide = np.pad(qkv, ((0, 0), (2, 2), (2, 2))), np.zeros_like(qkv)
    for i in range(SIDE):
        for j in range(SIDE):
            wide[:, i, j] = (padded[:, i:i + 5, j:j + 5] * p["local"][:, 0]).sum((1, 2))
    scales = [qkv, qkv if ablated else wide * p["mix"][:, 0]]
    results = []
    for scale in scales:
        q, k, v = scale.reshape(3, C, T).transpose(0, 2, 1)
        weight = np.maximum(q, 0) @ np.maximum(k, 0).T
        results.append((weight @ v / (weight.sum(1, keepdims=True) + 1e-5)).T)
    return [p["x"] + p["out"] @ np.concatenate(results)]


def check(example):
    assert "36x36x" not in example.module.after("tile")
