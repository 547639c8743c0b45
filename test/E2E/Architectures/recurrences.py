#===- recurrences.py - Recurrences as exporters write them ----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np
from onnx import TensorProto as T

from blocks import both, extent, f, ints, linear, rng, shape_of, w
from graphs import Graph


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
