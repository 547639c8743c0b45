#!/usr/bin/env python3
#===- cases.py - Parts of architectures as exporters write them -------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Builds the blocks of current architectures in the way in which PyTorch's
exporters write them (shape arithmetic, masks, loops and all), with fixed and with
symbolic extents, and compares with onnxruntime.

Usage: cases.py WEFT-PROGRAM [FOLDER-TO-KEEP]"""

import os
import shutil
import sys

import numpy as np
from onnx import TensorProto as T
from onnx import numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from graphs import Cases, Graph  # noqa: E402

rng = np.random.default_rng(11)
cases = Cases()


def f(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def w(*shape):
    return f(*shape, scale=1.0 / np.sqrt(max(1, np.prod(shape[1:]))))


def ints(*values):
    return np.array(values, np.int64)


def both(name, build, make, sizes, **options):
    """A case with the extents `sizes[0]` fixed, and one with all `sizes`."""
    cases.add(name, build, make(*sizes[0]), **options)
    cases.add(name + "_dynamic", build, *[make(*s) for s in sizes], **options)


def linear(g, x, n, k, bias=True):
    y = g.MatMul(x, w(n, k).T.copy())
    return g.Add(f(n, scale=0.1), y) if bias else y


def extent(g, x, axis):
    """x.size(axis), as the TorchScript exporter writes it."""
    return g.Gather(g.Shape(x), np.int64(axis), axis=0)


def shape_of(g, *parts):
    """A shape of scalars and numbers."""
    return g.Concat(*[g.Unsqueeze(p, ints(0)) if isinstance(p, str) else ints(p) for p in parts],
                    axis=0)


def layer_norm(g, x, n):
    """As exporters below opset 17 decompose it."""
    mean = g.ReduceMean(x, axes=[-1])
    centered = g.Sub(x, mean)
    variance = g.ReduceMean(g.Pow(centered, np.float32(2)), axes=[-1])
    y = g.Div(centered, g.Sqrt(g.Add(variance, np.float32(1e-5))))
    return g.Add(g.Mul(y, f(n)), f(n))


def gelu(g, x):
    inner = g.Erf(g.Div(x, np.float32(np.sqrt(2))))
    return g.Mul(g.Mul(x, g.Add(inner, np.float32(1))), np.float32(0.5))


# --- Mixture of experts ------------------------------------------------------

def moe_dense(g, x):
    """Top-2 routing whose weights are scattered back over all experts."""
    scores = g.Softmax(linear(g, x, 4, 8, bias=False), axis=-1)
    values, ids = g.TopK(scores, ints(2), axis=-1, outs=2)
    values = g.Div(values, g.ReduceSum(values, ints(-1), keepdims=1))
    zeros = g.ConstantOfShape(g.Shape(scores))
    gates = g.ScatterElements(zeros, ids, values, axis=1)
    total = None
    for e in range(4):
        y = linear(g, g.Relu(linear(g, x, 16, 8)), 8, 16)
        y = g.Mul(y, g.Gather(gates, ints(e), axis=1))
        total = y if total is None else g.Add(total, y)
    return total


both("moe_dense", moe_dense, lambda n: {"x": f(n, 8)}, [(5,), (1,), (13,)])


def moe_nonzero(g, x):
    """As Mixtral exports: for each expert the tokens that chose it."""
    scores = g.Softmax(linear(g, x, 4, 8, bias=False), axis=-1)
    values, ids = g.TopK(scores, ints(2), axis=-1, largest=1, sorted=1, outs=2)
    values = g.Div(values, g.ReduceSum(values, ints(-1), keepdims=1))
    mask = g.Transpose(g.OneHot(ids, ints(4), ints(0, 1), axis=-1), perm=[2, 1, 0])
    out = g.ConstantOfShape(g.Shape(x))
    for e in range(4):
        where = g.NonZero(g.Gather(mask, np.int64(e), axis=0))
        choice, token = g.Split(where, ints(1, 1), axis=0, outs=2)
        choice, token = g.Squeeze(choice, ints(0)), g.Squeeze(token, ints(0))
        chosen = g.Gather(x, token, axis=0)
        y = linear(g, g.Mul(g.Sigmoid(chosen), linear(g, chosen, 8, 8)), 8, 8)
        at = g.Concat(g.Unsqueeze(token, ints(1)), g.Unsqueeze(choice, ints(1)), axis=1)
        y = g.Mul(y, g.Unsqueeze(g.GatherND(values, at), ints(1)))
        out = g.ScatterND(out, g.Unsqueeze(token, ints(1)), y, reduction="add")
    return out


both("moe_nonzero", moe_nonzero, lambda n: {"x": f(n, 8)}, [(6,), (1,), (17,)], opset=18)


def moe_group_limited(g, x):
    """DeepSeek: groups of experts by the sum of their best two, the rest masked."""
    scores = g.Sigmoid(linear(g, x, 8, 6, bias=False))
    choice = g.Add(scores, f(8))
    grouped = g.Reshape(choice, ints(-1, 2, 4))
    best, _ = g.TopK(grouped, ints(2), axis=-1, outs=2)
    _, groups = g.TopK(g.ReduceSum(best, ints(-1), keepdims=0), ints(1), axis=-1, sorted=0, outs=2)
    zeros = g.ConstantOfShape(shape_of(g, extent(g, x, 0), 2))
    mask = g.ScatterElements(zeros, groups, g.Expand(np.float32([[1]]), g.Shape(groups)), axis=1)
    mask = g.Reshape(g.Expand(g.Unsqueeze(mask, ints(-1)), shape_of(g, extent(g, x, 0), 2, 4)),
                     ints(-1, 8))
    masked = g.Where(g.Cast(mask, to=T.BOOL), choice, np.float32(-np.inf))
    _, ids = g.TopK(masked, ints(3), axis=-1, outs=2)
    weights = g.GatherElements(scores, ids, axis=1)
    return g.Div(weights, g.Add(g.ReduceSum(weights, ints(-1), keepdims=1), np.float32(1e-20))), ids


both("moe_group_limited", moe_group_limited, lambda n: {"x": f(n, 6)}, [(7,), (2,), (1,)])


def moe_loop(g, x):
    """The experts as a Loop over stacked weights."""
    gates = g.Softmax(linear(g, x, 3, 4, bias=False), axis=-1)
    stacked = g.constant(w(3, 4, 4))
    body = Graph()
    weight = body.Gather(stacked, "i", axis=0)
    y = body.Relu(body.MatMul(x, weight))
    gate = body.Unsqueeze(body.Gather(gates, "i", axis=1), ints(1))
    total = body.Add("total", body.Mul(y, gate))
    again = body.Identity("go")
    loop = body.branch((again, T.BOOL, []), (total, T.FLOAT, None), (y, T.FLOAT, None),
                       inputs=[("i", T.INT64, []), ("go", T.BOOL, []), ("total", T.FLOAT, None)])
    return g.Loop(np.int64(3), np.array(True), g.ConstantOfShape(g.Shape(x)), body=loop, outs=2)


both("moe_loop", moe_loop, lambda n: {"x": f(n, 4)}, [(6,), (1,)])

# --- Rotary embeddings -------------------------------------------------------


def rope_half(g, q, positions):
    """Llama: halves turned, frequencies from positions."""
    inverse = g.constant((10000.0 ** -(np.arange(0, 8, 2) / 8)).astype(np.float32)[None, :, None])
    expanded = g.Expand(inverse, shape_of(g, extent(g, positions, 0), 4, 1))
    angles = g.Transpose(g.MatMul(expanded, g.Cast(g.Unsqueeze(positions, ints(1)), to=T.FLOAT)),
                         perm=[0, 2, 1])
    both_halves = g.Concat(angles, angles, axis=-1)
    cos, sin = (g.Unsqueeze(op(both_halves), ints(1)) for op in (g.Cos, g.Sin))
    half = g.Div(extent(g, q, 3), np.int64(2))
    first = g.Slice(q, ints(0), g.Unsqueeze(half, ints(0)), ints(3), ints(1))
    second = g.Slice(q, g.Unsqueeze(half, ints(0)), ints(2**63 - 1), ints(3), ints(1))
    rotated = g.Concat(g.Neg(second), first, axis=-1)
    return g.Add(g.Mul(q, cos), g.Mul(rotated, sin))


both("rope_half", rope_half,
     lambda b, s: {"q": f(b, 3, s, 8), "positions": np.tile(np.arange(s), (b, 1))},
     [(1, 5), (2, 9), (3, 1)])


def rope_interleaved(g, q):
    """GPT-J: pairs of neighbours turned, by strided slices and a stack."""
    s = extent(g, q, 1)
    t = g.Range(np.float32(0), g.Cast(s, to=T.FLOAT), np.float32(1))
    angles = g.Einsum(t, (10000.0 ** -(np.arange(0, 6, 2) / 6)).astype(np.float32),
                      equation="i,j->ij")
    cos, sin = (g.Unsqueeze(op(angles), ints(0, 2)) for op in (g.Cos, g.Sin))
    even = g.Slice(q, ints(0), ints(2**63 - 1), ints(3), ints(2))
    odd = g.Slice(q, ints(1), ints(2**63 - 1), ints(3), ints(2))
    a = g.Sub(g.Mul(even, cos), g.Mul(odd, sin))
    b = g.Add(g.Mul(even, sin), g.Mul(odd, cos))
    stacked = g.Concat(g.Unsqueeze(a, ints(-1)), g.Unsqueeze(b, ints(-1)), axis=-1)
    return g.Reshape(stacked, g.Shape(q))


both("rope_interleaved", rope_interleaved, lambda b, s: {"q": f(b, s, 2, 6)},
     [(1, 4), (2, 7), (1, 1)])


def rope_complex(g, q):
    """Llama's original: complex numbers as a last dimension of two."""
    pairs = g.Reshape(q, ints(0, 0, 2, -1, 2))
    real, imaginary = (g.Gather(pairs, np.int64(i), axis=-1) for i in (0, 1))
    table = g.Slice(f(16, 3, 2), ints(0), g.Slice(g.Shape(q), ints(1), ints(2)), ints(0))
    table = g.Unsqueeze(table, ints(0, 2))
    cos, sin = (g.Gather(table, np.int64(i), axis=4) for i in (0, 1))
    out = g.Concat(*[g.Unsqueeze(v, ints(-1)) for v in (
        g.Sub(g.Mul(real, cos), g.Mul(imaginary, sin)),
        g.Add(g.Mul(real, sin), g.Mul(imaginary, cos)))], axis=-1)
    return g.Reshape(out, shape_of(g, extent(g, q, 0), extent(g, q, 1), 12))


both("rope_complex", rope_complex, lambda b, s: {"q": f(b, s, 12)}, [(1, 4), (2, 16), (3, 1)])

# --- Attention ---------------------------------------------------------------


def attention(g, x, mask, n=12, heads=3, causal=True):
    """A decoder's attention with a padding mask made from 0 and 1."""
    b, s = extent(g, x, 0), extent(g, x, 1)

    def split(y, perm):
        return g.Transpose(g.Reshape(y, shape_of(g, b, s, heads, n // heads)), perm=perm)

    q = split(linear(g, x, n, n), [0, 2, 1, 3])
    k = split(linear(g, x, n, n), [0, 2, 3, 1])
    v = split(linear(g, x, n, n), [0, 2, 1, 3])
    scores = g.Div(g.MatMul(q, k), np.float32(np.sqrt(n // heads)))
    inverted = g.Sub(np.float32(1), g.Cast(g.Unsqueeze(mask, ints(1, 2)), to=T.FLOAT))
    padding = g.Where(g.Cast(inverted, to=T.BOOL), np.float32(np.finfo(np.float32).min), inverted)
    if causal:
        ones = g.ConstantOfShape(
            shape_of(g, s, s), value=numpy_helper.from_array(np.array([1], np.float32)))
        triangle = g.Trilu(ones, np.int64(1), upper=1)
        scores = g.Where(g.Cast(triangle, to=T.BOOL), np.float32(np.finfo(np.float32).min), scores)
    weights = g.Softmax(g.Add(scores, padding), axis=-1)
    weights = g.Where(g.IsNaN(weights), np.float32(0), weights)
    merged = g.Transpose(g.MatMul(weights, v), perm=[0, 2, 1, 3])
    return linear(g, g.Reshape(merged, shape_of(g, b, s, n)), n, n)


def attention_inputs(b, s):
    mask = np.ones((b, s), np.int64)
    mask[-1, s - s // 3:] = 0
    return {"x": f(b, s, 12), "mask": mask}


both("attention_causal", attention, attention_inputs, [(1, 5), (2, 9), (3, 1)])


def attention_cache(g, q, past_k, past_v):
    """Decoding: keys and values of the past before those of this step."""
    k = g.Concat(past_k, g.Add(q, np.float32(0.5)), axis=2)
    v = g.Concat(past_v, g.Mul(q, np.float32(2)), axis=2)
    total, new = extent(g, k, 2), extent(g, q, 2)
    past = g.Sub(total, new)
    rows = g.Unsqueeze(g.Range(past, total, np.int64(1)), ints(1))
    columns = g.Unsqueeze(g.Range(np.int64(0), total, np.int64(1)), ints(0))
    allowed = g.Not(g.Greater(columns, rows))
    scores = g.MatMul(q, g.Transpose(k, perm=[0, 1, 3, 2]))
    scores = g.Where(allowed, scores, np.float32(-np.inf))
    return g.MatMul(g.Softmax(scores, axis=-1), v), k, v


both("attention_cache", attention_cache,
     lambda p, s: {"q": f(1, 2, s, 4), "past_k": f(1, 2, p, 4), "past_v": f(1, 2, p, 4)},
     [(6, 1), (0, 5), (3, 4)])


def grouped_query(g, q, k):
    """repeat_kv: keys expanded over the queries of their group."""
    b, s = extent(g, k, 0), extent(g, k, 2)
    wide = g.Expand(g.Unsqueeze(k, ints(2)), shape_of(g, b, 2, 3, s, 4))
    return g.MatMul(q, g.Transpose(g.Reshape(wide, shape_of(g, b, 6, s, 4)), perm=[0, 1, 3, 2]))


both("grouped_query", grouped_query, lambda b, s: {"q": f(b, 6, s, 4), "k": f(b, 2, s, 4)},
     [(1, 5), (2, 3)])


def t5_bias(g, x):
    """T5's buckets of relative positions and their embedding."""
    s = extent(g, x, 1)
    positions = g.Range(np.int64(0), s, np.int64(1))
    relative = g.Sub(g.Unsqueeze(positions, ints(0)), g.Unsqueeze(positions, ints(1)))
    buckets = g.Mul(g.Cast(g.Greater(relative, np.int64(0)), to=T.INT64), np.int64(16))
    distance = g.Abs(relative)
    small = g.Less(distance, np.int64(8))
    large = g.Log(g.Div(g.Cast(distance, to=T.FLOAT), np.float32(8)))
    large = g.Mul(g.Div(large, np.float32(np.log(16))), np.float32(8))
    large = g.Add(g.Cast(large, to=T.INT64), np.int64(8))
    filled = g.Expand(np.int64([[15]]), g.Shape(large))
    large = g.Where(g.Less(large, filled), large, filled)
    # The logarithm of 0 is cast to some integer, which is not selected.
    buckets = g.Add(buckets, g.Where(small, distance, large))
    bias = g.Gather(f(32, 2), buckets, axis=0)
    return g.Add(g.Unsqueeze(g.Transpose(bias, perm=[2, 0, 1]), ints(0)), g.Unsqueeze(
        g.ReduceSum(x, ints(-1), keepdims=1), ints(1)))


both("t5_bias", t5_bias, lambda s: {"x": f(1, s, 3)}, [(40,), (3,), (1,)])


def alibi(g, x):
    s = extent(g, x, 1)
    distance = g.Cast(g.Range(g.Sub(np.int64(1), s), np.int64(1), np.int64(1)), to=T.FLOAT)
    slopes = g.constant(np.float32([0.5, 0.25])[:, None, None])
    return g.Add(g.MatMul(x, g.Transpose(x, perm=[0, 2, 1])), g.Mul(slopes, distance))


both("alibi", alibi, lambda s: {"x": f(2, s, 3)}, [(5,), (2,)])

# --- Windows and vision ------------------------------------------------------


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

# --- Recurrences -------------------------------------------------------------


def bidirectional(kind, gates):
    def build(g, x):
        w_, r_, b_ = f(2, gates * 5, 4, scale=0.4), f(2, gates * 5, 5, scale=0.4), f(2, gates * 10, scale=0.2)
        extra = {"linear_before_reset": 1} if kind == "GRU" else {}
        b = extent(g, x, 1)
        h0 = g.Expand(np.zeros((1, 1, 1), np.float32), shape_of(g, 2, b, 5))
        inputs = [x, w_, r_, b_, None, h0] + ([h0] if kind == "LSTM" else [])
        y, *_ = g.node(kind, *inputs, outs=2, hidden_size=5, direction="bidirectional", **extra)
        y = g.Transpose(y, perm=[0, 2, 1, 3])
        y = g.Reshape(y, ints(0, 0, -1))
        return linear(g, y, 3, 10), _[0]
    return build


for kind, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    both(f"bidirectional_{kind}", bidirectional(kind, gates), lambda s, b: {"x": f(s, b, 4)},
         [(6, 1), (3, 2), (1, 3)], opset=14)


def mamba_loop(g, u, delta):
    """The selective scan as a Loop with a scan output."""
    a = g.constant(-np.abs(f(3, 4)))
    body = Graph()
    d = body.Unsqueeze(body.Gather(delta, "i", axis=1), ints(-1))
    x = body.Unsqueeze(body.Gather(u, "i", axis=1), ints(-1))
    h = body.Add(body.Mul(body.Exp(body.Mul(d, a)), "h"), body.Mul(d, x))
    y = body.ReduceSum(h, ints(-1), keepdims=0)
    loop = body.branch((body.Identity("go"), T.BOOL, []), (h, T.FLOAT, None), (y, T.FLOAT, None),
                       inputs=[("i", T.INT64, []), ("go", T.BOOL, []), ("h", T.FLOAT, None)])
    h0 = g.ConstantOfShape(shape_of(g, extent(g, u, 0), 3, 4))
    last, ys = g.Loop(extent(g, u, 1), np.array(True), h0, body=loop, outs=2)
    return g.Transpose(ys, perm=[1, 0, 2]), last


both("mamba_loop", mamba_loop, lambda b, s: {"u": f(b, s, 3), "delta": np.abs(f(b, s, 3))},
     [(1, 5), (2, 9), (2, 1)])


def mamba_scan(g, u, delta):
    """The same as ONNX Scan."""
    a = g.constant(-np.abs(f(3, 4)))
    body = Graph()
    d = body.Unsqueeze("d", ints(-1))
    h = body.Add(body.Mul(body.Exp(body.Mul(d, a)), "h"), body.Mul(d, body.Unsqueeze("x", ints(-1))))
    y = body.ReduceSum(h, ints(-1), keepdims=0)
    scan = body.branch((h, T.FLOAT, None), (y, T.FLOAT, None),
                       inputs=[("h", T.FLOAT, None), ("x", T.FLOAT, None), ("d", T.FLOAT, None)])
    h0 = g.ConstantOfShape(shape_of(g, extent(g, u, 0), 3, 4))
    return g.Scan(h0, u, delta, body=scan, num_scan_inputs=2, scan_input_axes=[1, 1],
                  scan_output_axes=[1], outs=2)


both("mamba_scan", mamba_scan, lambda b, s: {"u": f(b, s, 3), "delta": np.abs(f(b, s, 3))},
     [(1, 5), (2, 9), (2, 1)])


def mamba2_chunks(g, x):
    """Segment sums by cumulative sums and a triangle of -inf."""
    s = extent(g, x, 2)
    total = g.CumSum(x, np.int64(-1))
    difference = g.Sub(g.Unsqueeze(total, ints(-1)), g.Unsqueeze(total, ints(-2)))
    triangle = g.Trilu(g.Expand(np.float32([[1]]), shape_of(g, s, s)), np.int64(0), upper=0)
    decay = g.Exp(g.Where(g.Cast(triangle, to=T.BOOL), difference, np.float32(-np.inf)))
    return g.Einsum(decay, g.Mul(x, np.float32(2)), equation="bhts,bhs->bht")


both("mamba2_chunks", mamba2_chunks, lambda b, s: {"x": f(b, 2, s)}, [(1, 6), (2, 3)])


def causal_conv(g, x):
    """Mamba's short convolution: padded on both sides, cut at the end."""
    y = g.Conv(x, w(6, 1, 4), f(6), group=6, pads=[3, 3], kernel_shape=[4])
    y = g.Slice(y, ints(0), g.Unsqueeze(extent(g, x, 2), ints(0)), ints(2), ints(1))
    return g.Mul(y, g.Sigmoid(y))


both("causal_conv", causal_conv, lambda b, s: {"x": f(b, 6, s)}, [(1, 7), (2, 2), (1, 1)])


def greedy_decode(g, x):
    """A Loop that ends on data, with a growing carried value."""
    table = g.constant(w(6, 6))
    body = Graph()
    last = body.Slice("tokens", ints(-1), ints(2**63 - 1), ints(1), ints(1))
    row = body.Gather(table, body.Squeeze(last, ints(1)), axis=0)
    following = body.ArgMax(row, axis=-1, keepdims=1)
    tokens = body.Concat("tokens", following, axis=1)
    more = body.Not(body.Equal(body.Squeeze(following, ints(0, 1)), np.int64(2)))
    loop = body.branch((more, T.BOOL, []), (tokens, T.INT64, [1, None]),
                       inputs=[("i", T.INT64, []), ("go", T.BOOL, []), ("tokens", T.INT64, [1, None])])
    return g.Loop(np.int64(7), np.array(True), x, body=loop)


both("greedy_decode", greedy_decode, lambda s: {"x": rng.integers(0, 6, (1, s))}, [(1,), (4,)])


def branches(g, x):
    """A branch on a shape, as `if x.size(1) > 4` exports by scripting."""
    big, small = Graph(), Graph()
    a = big.Slice(x, ints(0), ints(4), ints(1))
    b = small.Pad(x, ints(0, 0, 0, 1), np.float32(9))
    condition = g.Greater(extent(g, x, 1), np.int64(4))
    y = g.If(condition, then_branch=big.branch((a, T.FLOAT, None)),
             else_branch=small.branch((b, T.FLOAT, None)))
    return g.ReduceSum(y, ints(1), keepdims=0)


both("branches", branches, lambda s: {"x": f(2, s)}, [(6,), (3,), (4,)])

# --- Indexing ----------------------------------------------------------------


def index_put(g, x, ids):
    """x[:, ids] = v and x[ids] += v, by shape arithmetic and ScatterND."""
    n = extent(g, ids, 0)
    rows = g.Reshape(g.Range(np.int64(0), extent(g, x, 0), np.int64(1)), ints(-1, 1))
    grid = g.Expand(rows, shape_of(g, extent(g, x, 0), n))
    columns = g.Expand(g.Unsqueeze(ids, ints(0)), shape_of(g, extent(g, x, 0), n))
    at = g.Concat(g.Unsqueeze(grid, ints(-1)), g.Unsqueeze(columns, ints(-1)), axis=-1)
    values = g.Expand(np.float32(3), shape_of(g, extent(g, x, 0), n))
    put = g.ScatterND(x, at, values)
    return put, g.ScatterND(x, at, values, reduction="add")


both("index_put", index_put,
     lambda n, k: {"x": f(n, 7), "ids": np.array([1, 5, -1, 0], np.int64)[:k]},
     [(3, 2), (5, 4), (1, 1)], opset=16)


def masked(g, x, mask):
    """masked_fill, masked_select and masked_scatter."""
    filled = g.Where(mask, np.float32(-1e9), x)
    at = g.Transpose(g.NonZero(g.Expand(mask, g.Shape(x))), perm=[1, 0])
    selected = g.GatherND(x, at)
    source = g.Slice(g.Reshape(g.Mul(x, np.float32(10)), ints(-1)), ints(0),
                     g.Slice(g.Shape(at), ints(0), ints(1)), ints(0))
    return filled, selected, g.ScatterND(x, at, source)


both("masked", masked, lambda n, k: {"x": f(n, k), "mask": rng.random((n, k)) < 0.4},
     [(3, 4), (5, 7), (1, 1)])


def scatter_add(g, messages, target):
    """A graph network: messages summed at their targets, and divided by degree."""
    wide = g.Expand(g.Unsqueeze(target, ints(1)), g.Shape(messages))
    sums = g.ScatterElements(np.zeros((6, 3), np.float32), wide, messages, axis=0, reduction="add")
    ones = g.Expand(np.float32([1]), g.Shape(target))
    degree = g.ScatterElements(np.zeros(6, np.float32), target, ones, axis=0, reduction="add")
    degree = g.Max(degree, np.float32(1))
    most = g.ScatterElements(np.full((6, 3), -9, np.float32), wide, messages, axis=0, reduction="max")
    return g.Div(sums, g.Unsqueeze(degree, ints(1))), most


both("scatter_add", scatter_add,
     lambda n: {"messages": f(n, 3), "target": rng.integers(0, 6, n)}, [(9,), (1,), (0,)], opset=18)


def orders(g, x):
    """argsort, sort, median, argmin and a running product."""
    n = g.Slice(g.Shape(x), ints(1), ints(2), ints(0))
    values, ids = g.TopK(x, n, axis=1, largest=0, outs=2)
    middle = g.Div(g.Sub(extent(g, x, 1), np.int64(1)), np.int64(2))
    return (values, ids, g.Gather(values, middle, axis=1), g.ArgMin(x, axis=1),
            g.ArgMax(x, axis=0, keepdims=0, select_last_index=1),
            g.Exp(g.CumSum(g.Log(g.Abs(x)), np.int64(1), exclusive=1, reverse=1)))


both("orders", orders, lambda n, k: {"x": f(n, k)}, [(3, 8), (2, 33), (1, 1)])


def nucleus(g, logits):
    """Top-p sampling's filter: sorted, summed, masked and scattered back."""
    n = g.Slice(g.Shape(logits), ints(1), ints(2), ints(0))
    values, ids = g.TopK(logits, n, axis=-1, outs=2)
    total = g.CumSum(g.Softmax(values, axis=-1), np.int64(-1))
    remove = g.Cast(g.Greater(total, np.float32(0.8)), to=T.INT32)
    shifted = g.Concat(g.Expand(np.int32([[0]]), shape_of(g, extent(g, logits, 0), 1)),
                       g.Slice(remove, ints(0), ints(-1), ints(1)), axis=1)
    back = g.ScatterElements(shifted, ids, shifted, axis=1)
    return g.Where(g.Cast(back, to=T.BOOL), np.float32(-np.inf), logits)


both("nucleus", nucleus, lambda n, k: {"logits": f(n, k, scale=2)}, [(2, 9), (1, 40), (3, 1)])


def wave(g, x):
    """A vocoder's ends: dilated convolutions with gates, reflection pads, frames."""
    y = g.Conv(x, w(8, 2, 3), f(8), dilations=[2], pads=[2, 2])
    a, b = g.Split(y, axis=1, outs=2)
    y = g.Mul(g.Tanh(a), g.Sigmoid(b))
    y = g.Pad(y, ints(0, 0, 3, 0, 0, 3), mode="reflect")
    y = g.ConvTranspose(y, w(4, 1, 8), f(1), strides=[4], pads=[2, 2])
    return g.Tanh(y), g.Softplus(y), g.Elu(y), g.Mul(y, g.Tanh(g.Softplus(y)))


both("wave", wave, lambda b, s: {"x": f(b, 2, s)}, [(1, 9), (2, 16)])

equations = [
    ("bhqd,bhkd->bhqk", lambda b: (f(b, 2, 3, 4), f(b, 2, 5, 4))),
    ("bhqk,bkhd->bqhd", lambda b: (f(b, 2, 3, 4), f(b, 4, 2, 5))),
    ("bij,bjk->bik", lambda b: (f(b, 2, 3), f(b, 3, 4))),
    ("...ij,...jk->...ik", lambda b: (f(b, 3, 2, 3), f(1, 3, 3, 4))),
    ("bn,anm,bm->ba", lambda b: (f(b, 3), f(2, 3, 4), f(b, 4))),
    ("bhwc,hkc->bhwk", lambda b: (f(b, 3, 4, 5), f(3, 2, 5))),
    ("blhn,blhdn->blhd", lambda b: (f(b, 2, 3, 4), f(b, 2, 3, 5, 4))),
    ("bcd,ecd->be", lambda b: (f(b, 3, 4), f(2, 3, 4))),
    ("ii->i", lambda b: (f(4, 4),)),
    ("bii->b", lambda b: (f(b, 3, 3),)),
    ("bij->bji", lambda b: (f(b, 2, 3),)),
    ("bij->", lambda b: (f(b, 2, 3),)),
    ("bi,bj", lambda b: (f(b, 2), f(b, 3))),
    ("btgi,gij->btgj", lambda b: (f(b, 2, 3, 4), f(3, 4, 5))),
]
for number, (equation, make) in enumerate(equations):
    both(f"einsum_{number}", lambda g, *names, e=equation: g.Einsum(*names, equation=e),
         lambda b, m=make: dict(zip("pqr", m(b))), [(1,), (3,)])


def reshapes(g, x):
    """View chains with 0 and -1 whose extents come from shapes and attributes."""
    a = g.Reshape(x, ints(0, 0, -1))
    b = g.Reshape(x, g.Concat(g.Slice(g.Shape(x), ints(0), ints(-2), ints(0)), ints(-1), axis=0))
    c = g.Reshape(x, shape_of(g, g.Mul(extent(g, x, 0), extent(g, x, 1)), -1))
    d = g.Expand(g.Unsqueeze(c, ints(0)), shape_of(g, 2, 1, 1))
    e = g.Tile(x, shape_of(g, 1, 2, 1, 1))
    s = g.Flatten(g.Squeeze(g.Unsqueeze(x, ints(1)), ints(1)), axis=2)
    return g.Sub(a, b), c, d, e, s


both("reshapes", reshapes, lambda b, h: {"x": f(b, 3, h, 4)}, [(1, 2), (2, 5), (2, 0)])


def dynamo(g, x):
    """As torch.export writes: opset 18 with axes as inputs, Split by sizes,
    CastLike, LayerNormalization, Gelu, ReduceMean over data axes."""
    b = g.Shape(x, start=0, end=1)
    s = g.Shape(x, start=1, end=2)
    y = g.LayerNormalization(x, f(12), f(12), axis=-1, epsilon=1e-6)
    q, k, v = g.Split(linear(g, y, 36, 12), ints(12, 12, 12), axis=-1, outs=3)
    shape = g.Concat(b, s, ints(3), ints(4), axis=0)
    q, k, v = (g.Transpose(g.Reshape(t, shape, allowzero=1), perm=[0, 2, 1, 3]) for t in (q, k, v))
    scale = g.Sqrt(g.Div(np.float32(1), g.Sqrt(g.CastLike(np.int64(4), x))))
    scores = g.MatMul(g.Mul(q, scale), g.Mul(g.Transpose(k, perm=[0, 1, 3, 2]), scale))
    y = g.MatMul(g.Softmax(scores, axis=-1), v)
    y = g.Reshape(g.Transpose(y, perm=[0, 2, 1, 3]), g.Concat(b, s, ints(-1), axis=0), allowzero=0)
    y = g.Gelu(linear(g, y, 12, 12), approximate="tanh")
    return g.ReduceMean(g.Add(x, y), ints(1), keepdims=0)


both("dynamo", dynamo, lambda b, s: {"x": f(b, s, 12)}, [(1, 4), (2, 7)], opset=20)


def whisper(g, x):
    """Convolutional stem with GELU, sinusoids cut to length, KV heads."""
    y = gelu(g, g.Conv(x, w(8, 4, 3), f(8), pads=[1, 1]))
    y = gelu(g, g.Conv(y, w(8, 8, 3), f(8), pads=[1, 1], strides=[2]))
    y = g.Transpose(y, perm=[0, 2, 1])
    return g.Add(y, g.Slice(f(32, 8), ints(0), g.Shape(y, start=1, end=2), ints(0)))


both("whisper", whisper, lambda b, s: {"x": f(b, 4, s)}, [(1, 10), (2, 7)])


def half(g, x):
    """A block in float16 with float32 inside, as autocast exports."""
    y = g.MatMul(x, w(6, 6).astype(np.float16))
    wide = g.Cast(y, to=T.FLOAT)
    scale = g.Reciprocal(g.Sqrt(g.Add(g.ReduceMean(g.Mul(wide, wide), axes=[-1], keepdims=1),
                                      np.float32(1e-6))))
    return g.Mul(g.Cast(g.Mul(wide, scale), to=T.FLOAT16), np.float16(np.ones(6)))


singles = cases
halves = cases = Cases()
both("half", half, lambda b: {"x": f(b, 3, 6).astype(np.float16)}, [(1,), (4,)])

if len(sys.argv) > 2:
    shutil.copytree(singles.root, sys.argv[2])
singles.check(sys.argv[1], "--rtol=1e-3", "--atol=2e-5", "--jobs=2")
singles.check(sys.argv[1], "--rtol=1e-3", "--atol=2e-5", "--jobs=2", "--variant=dynamic",
              "--filter=*_dynamic")
# Two roundings to 11 bits.
halves.check(sys.argv[1], "--rtol=2e-3")
print(f"{singles.count + halves.count} cases as expected")
