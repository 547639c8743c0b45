#===- attention.py - Attention as exporters write it ----------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np
from onnx import TensorProto as T
from onnx import numpy_helper

from blocks import both, extent, f, ints, linear, shape_of


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
