#===- indexing.py - Indexing as exporters write them ----------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np
from onnx import TensorProto as T

from blocks import both, extent, f, gelu, ints, linear, rng, shape_of, w


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
