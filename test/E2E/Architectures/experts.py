#===- experts.py - Mixture of experts as exporters write them -------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np
from onnx import TensorProto as T

from blocks import both, extent, f, ints, linear, shape_of, w
from graphs import Graph


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
