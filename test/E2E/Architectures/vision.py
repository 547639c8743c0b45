#===- vision.py - Windows and vision as exporters write them --------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np
from onnx import TensorProto as T
from onnx import numpy_helper

from blocks import both, extent, f, gelu, ints, layer_norm, linear, rng, shape_of, w


def swin(g, x):
    """Windows of an image rolled by Slice and Concat, attention in each, and back."""
    b, h, wd = extent(g, x, 0), extent(g, x, 1), extent(g, x, 2)

    def roll(y, axis, shift):
        tail = g.Slice(y, ints(-shift), ints(2**63 - 1), ints(axis), ints(1))
        return g.Concat(tail, g.Slice(y, ints(0), ints(-shift), ints(axis), ints(1)), axis=axis)

    y = roll(roll(x, 1, -2), 2, -2)
    down, across = g.Div(h, np.int64(4)), g.Div(wd, np.int64(4))
    y = g.Reshape(y, shape_of(g, b, down, 4, across, 4, 6))
    y = g.Reshape(g.Transpose(y, perm=[0, 1, 3, 2, 4, 5]), ints(-1, 16, 6))
    qkv = g.Transpose(g.Reshape(linear(g, y, 18, 6), ints(-1, 16, 3, 2, 3)), perm=[2, 0, 3, 1, 4])
    q, k, v = (g.Gather(qkv, np.int64(i), axis=0) for i in range(3))
    scores = g.MatMul(g.Mul(q, np.float32(3**-0.5)), g.Transpose(k, perm=[0, 1, 3, 2]))
    index = rng.integers(0, 49, 256)
    bias = g.Reshape(g.Gather(f(49, 2), index, axis=0), ints(16, 16, -1))
    scores = g.Add(scores, g.Unsqueeze(g.Transpose(bias, perm=[2, 0, 1]), ints(0)))
    y = g.MatMul(g.Softmax(scores, axis=-1), v)
    y = g.Reshape(g.Transpose(y, perm=[0, 2, 1, 3]), ints(-1, 16, 6))
    y = g.Reshape(y, shape_of(g, b, down, across, 4, 4, 6))
    y = g.Reshape(g.Transpose(y, perm=[0, 1, 3, 2, 4, 5]), shape_of(g, b, h, wd, 6))
    return g.Add(x, roll(roll(y, 1, 2), 2, 2))


both("swin", swin, lambda b, h, wd: {"x": f(b, h, wd, 6)}, [(1, 8, 8), (2, 12, 4)])


def patch_merging(g, x):
    parts = [g.Slice(x, ints(i, j), ints(2**31 - 1, 2**31 - 1), ints(1, 2), ints(2, 2))
             for j in (0, 1) for i in (0, 1)]
    return linear(g, layer_norm(g, g.Concat(*parts, axis=-1), 12), 6, 12, bias=False)


both("patch_merging", patch_merging, lambda b, h: {"x": f(b, h, 2 * h, 3)}, [(1, 6), (2, 4)])


def convnext(g, x):
    y = g.Conv(x, w(8, 1, 7, 7), f(8), group=8, pads=[3] * 4, kernel_shape=[7, 7])
    y = linear(g, layer_norm(g, g.Transpose(y, perm=[0, 2, 3, 1]), 8), 32, 8)
    y = g.Mul(f(8), linear(g, gelu(g, y), 8, 32))
    y = g.Add(x, g.Transpose(y, perm=[0, 3, 1, 2]))
    return g.Conv(y, w(16, 8, 2, 2), f(16), strides=[2, 2], kernel_shape=[2, 2])


both("convnext", convnext, lambda b, h: {"x": f(b, 8, h, h + 3)}, [(1, 9), (2, 6)])


def efficientnet(g, x):
    """An inverted bottleneck with squeeze and excitation."""
    y = g.Conv(x, w(24, 6, 1, 1), f(24))
    y = g.Mul(y, g.Sigmoid(y))
    y = g.Conv(y, w(24, 1, 5, 5), f(24), group=24, pads=[2] * 4, strides=[2, 2])
    y = g.BatchNormalization(y, f(24), f(24), f(24), np.abs(f(24)), epsilon=1e-3)
    y = g.Mul(y, g.Sigmoid(y))
    s = g.ReduceMean(y, axes=[2, 3], keepdims=1)
    s = g.Conv(s, w(4, 24, 1, 1), f(4))
    s = g.Conv(g.Mul(s, g.Sigmoid(s)), w(24, 4, 1, 1), f(24))
    y = g.Mul(g.Sigmoid(s), y)
    y = g.Conv(y, w(6, 24, 1, 1), f(6))
    y = g.Add(y, g.AveragePool(x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1))
    pooled = g.Flatten(g.GlobalAveragePool(g.Clip(y, np.float32(0), np.float32(6))), axis=1)
    return g.Gemm(pooled, w(10, 6), f(10), transB=1)


both("efficientnet", efficientnet, lambda b, h: {"x": f(b, 6, h, h)}, [(1, 9), (2, 12)])


def mobilenet_v3(g, x):
    y = g.Conv(x, w(8, 3, 3, 3), f(8), strides=[2, 2], pads=[1] * 4)
    y = g.HardSwish(y)
    return g.Mul(y, g.HardSigmoid(g.GlobalAveragePool(y), alpha=1.0 / 6, beta=0.5))


both("mobilenet_v3", mobilenet_v3, lambda b, h: {"x": f(b, 3, h, h)}, [(1, 11), (2, 8)])


def shufflenet(g, x):
    a, b = g.Split(x, axis=1, outs=2)
    b = g.Relu(g.Conv(b, w(4, 4, 1, 1), f(4)))
    y = g.Concat(a, b, axis=1)
    n, h, wd = extent(g, y, 0), extent(g, y, 2), extent(g, y, 3)
    y = g.Transpose(g.Reshape(y, shape_of(g, n, 2, 4, h, wd)), perm=[0, 2, 1, 3, 4])
    return g.Reshape(y, shape_of(g, n, -1, h, wd))


both("shufflenet", shufflenet, lambda b, h: {"x": f(b, 8, h, 5)}, [(1, 3), (2, 6)])


def unet(g, x):
    down = g.Relu(g.InstanceNormalization(g.Conv(x, w(4, 2, 3, 3), f(4), pads=[1] * 4),
                                          np.ones(4, np.float32), f(4)))
    deep = g.LeakyRelu(g.Conv(g.MaxPool(down, kernel_shape=[2, 2], strides=[2, 2]),
                              w(8, 4, 3, 3), f(8), pads=[1] * 4), alpha=0.1)
    up = g.ConvTranspose(deep, w(8, 4, 2, 2), f(4), strides=[2, 2], kernel_shape=[2, 2])
    # The border that pooling lost, by F.pad with sizes from shapes.
    missing = [g.Sub(extent(g, down, a), extent(g, up, a)) for a in (2, 3)]
    half = [g.Div(m, np.int64(2)) for m in missing]
    pads = shape_of(g, 0, 0, *half, 0, 0, *[g.Sub(m, h) for m, h in zip(missing, half)])
    up = g.Pad(up, pads, np.float32(0), mode="constant")
    y = g.Conv(g.Concat(down, up, axis=1), w(4, 8, 3, 3), f(4), pads=[1] * 4)
    sizes = g.Concat(g.Slice(g.Shape(y), ints(0), ints(2), ints(0)),
                     g.Slice(g.Shape(x), ints(2), ints(4), ints(0)), axis=0)
    return g.Resize(y, None, None, sizes, mode="linear", coordinate_transformation_mode="pytorch_half_pixel")


both("unet", unet, lambda b, h, wd: {"x": f(b, 2, h, wd)}, [(1, 8, 8), (2, 7, 9), (1, 5, 6)])


def resizes(g, x):
    """What nn.Upsample and F.interpolate become."""
    return (g.Resize(x, None, np.float32([1, 1, 2, 2]), mode="nearest",
                     coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
            g.Resize(x, None, np.float32([1, 1, 2, 2]), mode="linear",
                     coordinate_transformation_mode="align_corners"),
            g.Resize(x, None, np.float32([1, 1, 1.5, 2.5]), mode="cubic", cubic_coeff_a=-0.75,
                     coordinate_transformation_mode="pytorch_half_pixel"),
            g.Resize(x, None, np.float32([1, 1, 0.5, 0.5]), mode="linear",
                     coordinate_transformation_mode="half_pixel"))


both("resizes", resizes, lambda b, h: {"x": f(b, 2, h, h + 1)}, [(1, 6), (2, 5)])


def transposed(g, x):
    """Decoders of images: odd strides, groups, dilation, output padding."""
    return (g.ConvTranspose(x, w(4, 3, 4, 4), f(3), strides=[2, 2], pads=[1] * 4),
            g.ConvTranspose(x, w(4, 1, 3, 3), f(2), strides=[3, 2], group=2, output_padding=[1, 1]),
            g.ConvTranspose(x, w(4, 2, 3, 3), dilations=[2, 2], pads=[2, 2, 2, 2]))


both("transposed", transposed, lambda b, h: {"x": f(b, 4, h, 5)}, [(1, 6), (2, 3), (1, 1)])


def pixel_shuffle(g, x):
    """By the operator, and by view, permute and view."""
    a = g.DepthToSpace(x, blocksize=2, mode="CRD")
    n, h, wd = extent(g, x, 0), extent(g, x, 2), extent(g, x, 3)
    y = g.Transpose(g.Reshape(x, shape_of(g, n, 2, 2, 2, h, wd)), perm=[0, 1, 4, 2, 5, 3])
    y = g.Reshape(y, shape_of(g, n, 2, g.Mul(h, np.int64(2)), g.Mul(wd, np.int64(2))))
    return g.Sub(a, g.Mul(y, np.float32(0.5))), g.SpaceToDepth(y, blocksize=2)


both("pixel_shuffle", pixel_shuffle, lambda b, h: {"x": f(b, 8, h, 3)}, [(1, 2), (2, 5)])


def adaptive_pool(g, x):
    """AdaptiveAvgPool2d(2) of a fixed size, as slices; and global pools."""
    rows = [g.ReduceMean(g.Slice(x, ints(a), ints(b), ints(2)), axes=[2], keepdims=1)
            for a, b in ((0, 4), (3, 7))]
    y = g.Concat(*rows, axis=2)
    return (g.ReduceMax(y, axes=[3], keepdims=0), g.GlobalMaxPool(x),
            g.AveragePool(x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, count_include_pad=1),
            g.MaxPool(x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4, dilations=[1, 2]))


both("adaptive_pool", adaptive_pool, lambda b, wd: {"x": f(b, 3, 7, wd)}, [(1, 7), (2, 5)])


def group_norm(g, x):
    """GroupNorm of the TorchScript exporter, then scale and shift."""
    grouped = g.Reshape(x, ints(0, 4, -1))
    y = g.InstanceNormalization(grouped, np.ones(4, np.float32), np.zeros(4, np.float32), epsilon=1e-5)
    y = g.Reshape(y, g.Shape(x))
    return g.Add(g.Mul(y, f(8, 1, 1)), f(8, 1, 1))


both("group_norm", group_norm, lambda b, h: {"x": f(b, 8, h, 3)}, [(1, 2), (2, 5), (3, 1)])


def diffusion_time(g, t, x):
    """Sinusoids of a timestep, added to an image's features after SiLU."""
    frequencies = np.exp(-np.log(10000) * np.arange(4) / 4).astype(np.float32)
    angles = g.Mul(g.Cast(g.Unsqueeze(t, ints(1)), to=T.FLOAT), frequencies[None])
    emb = g.Concat(g.Cos(angles), g.Sin(angles), axis=-1)
    emb = linear(g, emb, 8, 8)
    emb = linear(g, g.Mul(emb, g.Sigmoid(emb)), 4, 8)
    return g.Add(x, g.Unsqueeze(g.Unsqueeze(emb, ints(-1)), ints(-1)))


both("diffusion_time", diffusion_time,
     lambda b: {"t": np.arange(b) * 17 + 3, "x": f(b, 4, 3, 3)}, [(1,), (3,)])

for mode in ("bilinear", "nearest", "bicubic"):
    for padding in ("zeros", "border", "reflection"):
        for align in (0, 1):
            both(f"grid_sample_{mode}_{padding}_{align}",
                 lambda g, x, grid, m=mode, p=padding, a=align: g.GridSample(
                     x, grid, mode=m, padding_mode=p, align_corners=a),
                 lambda b, h: {"x": f(b, 2, h, 5), "grid": f(b, 3, h + 1, 2, scale=0.9)},
                 [(1, 4), (2, 6)], opset=16)


def affine_grid(g, theta):
    """F.affine_grid and grid_sample as exporters decompose it."""
    xs = np.linspace(-1, 1, 5, dtype=np.float32)
    base = np.stack([np.tile(xs, (4, 1)), np.tile(np.linspace(-1, 1, 4, dtype=np.float32)[:, None], (1, 5)),
                     np.ones((4, 5), np.float32)], -1).reshape(20, 3)
    grid = g.MatMul(base, g.Transpose(theta, perm=[0, 2, 1]))
    grid = g.Reshape(grid, ints(-1, 4, 5, 2))
    image = g.Expand(f(1, 2, 6, 6), shape_of(g, extent(g, theta, 0), 2, 6, 6))
    return g.GridSample(image, grid, align_corners=1)


both("affine_grid", affine_grid, lambda b: {"theta": f(b, 2, 3, scale=0.5)}, [(1,), (3,)], opset=16)


def detr(g, x, queries):
    """Sine positions by cumulative sums of a mask, and cross attention."""
    mask = g.Cast(g.Greater(g.ReduceSum(x, ints(1), keepdims=0), np.float32(-99)), to=T.FLOAT)
    ys = g.CumSum(mask, np.int32(1))
    last = g.Slice(ys, ints(-1), ints(2**63 - 1), ints(1), ints(1))
    ys = g.Mul(g.Div(ys, g.Add(last, np.float32(1e-6))), np.float32(2 * np.pi))
    steps = np.float32(10000.0 ** (2 * (np.arange(4) // 2) / 4))
    angle = g.Div(g.Unsqueeze(ys, ints(-1)), steps)
    even = g.Sin(g.Slice(angle, ints(0), ints(2**63 - 1), ints(3), ints(2)))
    odd = g.Cos(g.Slice(angle, ints(1), ints(2**63 - 1), ints(3), ints(2)))
    stacked = g.Concat(g.Unsqueeze(even, ints(4)), g.Unsqueeze(odd, ints(4)), axis=4)
    position = g.Transpose(g.Reshape(stacked, ints(0, 0, 0, -1)), perm=[0, 3, 1, 2])
    keys = g.Transpose(g.Reshape(g.Add(x, position), ints(0, 0, -1)), perm=[0, 2, 1])
    scores = g.Softmax(g.MatMul(queries, g.Transpose(keys, perm=[0, 2, 1])), axis=-1)
    boxes = g.Sigmoid(linear(g, g.MatMul(scores, keys), 4, 4))
    cx, cy, bw, bh = g.Split(boxes, ints(1, 1, 1, 1), axis=-1, outs=4)
    corners = [g.Sub(cx, g.Mul(bw, np.float32(0.5))), g.Sub(cy, g.Mul(bh, np.float32(0.5))),
               g.Add(cx, g.Mul(bw, np.float32(0.5))), g.Add(cy, g.Mul(bh, np.float32(0.5)))]
    return g.Concat(*corners, axis=-1)


both("detr", detr, lambda b, h: {"x": f(b, 4, h, 3), "queries": f(b, 5, 4)}, [(1, 4), (2, 6)])


def clip(g, image, tokens):
    """The two embeddings of CLIP and their similarity."""
    patches = g.Conv(image, w(6, 3, 4, 4), strides=[4, 4], kernel_shape=[4, 4])
    patches = g.Transpose(g.Reshape(patches, shape_of(g, extent(g, image, 0), 6, -1)), perm=[0, 2, 1])
    cls = g.Expand(f(1, 1, 6), shape_of(g, extent(g, image, 0), 1, 6))
    vision = g.Add(g.Concat(cls, patches, axis=1), f(1, 5, 6))
    vision = layer_norm(g, g.Gather(vision, np.int64(0), axis=1), 6)
    s = extent(g, tokens, 1)
    positions = g.Slice(np.arange(16)[None], ints(0), g.Unsqueeze(s, ints(0)), ints(1))
    text = g.Add(g.Gather(f(20, 6), tokens, axis=0), g.Gather(f(16, 6), positions, axis=0))
    # The features of the last token: the largest id.
    at = g.ArgMax(g.Cast(tokens, to=T.INT32), axis=-1, keepdims=0)
    rows = g.Range(np.int64(0), extent(g, tokens, 0), np.int64(1))
    both_indices = g.Concat(g.Unsqueeze(rows, ints(-1)), g.Unsqueeze(at, ints(-1)), axis=-1)
    text = g.GatherND(text, both_indices)
    a, b = (g.Div(v, g.ReduceL2(v, axes=[-1], keepdims=1)) for v in (vision, text))
    logits = g.Mul(g.MatMul(b, g.Transpose(a, perm=[1, 0])), np.float32(14.28))
    return logits, g.Transpose(logits, perm=[1, 0])


both("clip", clip, lambda b, t, s: {"image": f(b, 3, 8, 8), "tokens": rng.integers(0, 20, (t, s))},
     [(1, 2, 5), (3, 1, 7)])


def yolo(g, x):
    """A detector's head: boxes decoded from a grid, and non-maximum suppression."""
    y = g.Conv(x, w(7, 4, 1, 1), f(7))
    y = g.Transpose(g.Reshape(y, shape_of(g, 1, 7, -1)), perm=[0, 2, 1])
    n = extent(g, y, 1)
    centers = g.Cast(g.Unsqueeze(g.Range(np.int64(0), n, np.int64(1)), ints(0, 2)), to=T.FLOAT)
    xy = g.Add(g.Sigmoid(g.Slice(y, ints(0), ints(2), ints(2))), g.Mod(centers, np.float32(6), fmod=1))
    size = g.Exp(g.Slice(y, ints(2), ints(4), ints(2)))
    boxes = g.Concat(xy, size, axis=-1)
    scores = g.Transpose(g.Sigmoid(g.Slice(y, ints(4), ints(7), ints(2))), perm=[0, 2, 1])
    picked = g.NonMaxSuppression(boxes, scores, ints(3), np.float32([0.4]), np.float32([0.45]),
                                 center_point_box=1)
    box = g.Squeeze(g.Slice(picked, ints(2), ints(3), ints(1)), ints(1))
    kept = g.Gather(g.Squeeze(boxes, ints(0)), box, axis=0)
    return picked, kept, g.TopK(g.Reshape(scores, ints(-1)), ints(4), outs=2)[0]


both("yolo", yolo, lambda h: {"x": f(1, 4, h, 6)}, [(6,), (3,)])


def roi_heads(g, x, boxes):
    batch = g.ConstantOfShape(shape_of(g, extent(g, boxes, 0)),
                              value=numpy_helper.from_array(np.array([0], np.int64)))
    return g.RoiAlign(x, boxes, batch, output_height=2, output_width=3, sampling_ratio=2,
                      spatial_scale=0.5, coordinate_transformation_mode="half_pixel")


both("roi_heads", roi_heads,
     lambda n, h: {"x": f(1, 3, h, 7), "boxes": np.abs(f(n, 4, scale=6)).cumsum(1).astype(np.float32)},
     [(3, 6), (1, 9)], opset=16)
