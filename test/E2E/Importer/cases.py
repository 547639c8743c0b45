#!/usr/bin/env python3
#===- cases.py - Recurrent, control-flow and contrib operators ---------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compares what the ONNX test data has little of with onnxruntime: recurrences
with every direction, layout, clip, activation and ragged lengths (where onnxruntime
lacks one, with NumPy), If, Loop and Scan, and the com.microsoft operators.

Usage: cases.py WEFT-PROGRAM [FOLDER-TO-KEEP]"""

import os
import shutil
import sys

import numpy as np
from onnx import TensorProto as T

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from graphs import Cases, Graph  # noqa: E402

rng = np.random.default_rng(3)
cases = Cases()


def f(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


# --- Recurrences -------------------------------------------------------------

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Tanh": np.tanh,
             "Relu": lambda x: np.maximum(x, 0)}


def recurrence(kind, directions=1, hidden=5, width=4, lengths=False, state=False, bias=True,
               peephole=False, outs=None, layout=0, transposed_state=False, **attributes):
    """A builder of one node, whose weights are constants."""
    gates = GATES[kind]
    w, r = f(directions, gates * hidden, width, scale=0.5), f(directions, gates * hidden, hidden, scale=0.5)
    b = f(directions, 2 * gates * hidden, scale=0.3) if bias else None
    p = f(directions, 3 * hidden, scale=0.3) if peephole else None

    def build(g, *names):
        names = list(names)
        x = names.pop(0)
        inputs = [x, w, r, b, names.pop(0) if lengths else None]
        inputs += [names.pop(0) if state else None]
        if kind == "LSTM":
            inputs += [names.pop(0) if state else None, p]
        while inputs[-1] is None:
            inputs.pop()
        result = g.node(kind, *inputs, outs=outs or (3 if kind == "LSTM" else 2), hidden_size=hidden,
                        **({"layout": layout} if layout else {}), **attributes)
        return result
    build.weights = (w, r, b, p)
    return build


def sequence(s, b, kind, directions=1, hidden=5, width=4, lengths=False, state=False):
    inputs = {"x": f(s, b, width)}
    if lengths:
        # Of a sequence without elements, onnxruntime gives zeros, Weft the first state.
        inputs["lengths"] = np.array([s, 1, 1 if state else 0, s][:b], np.int32)
    if state:
        inputs["h"] = f(directions, b, hidden)
        if kind == "LSTM":
            inputs["c"] = f(directions, b, hidden)
    return inputs


for kind in GATES:
    for direction in ("forward", "reverse", "bidirectional"):
        directions = 2 if direction == "bidirectional" else 1
        for lengths in (False, True):
            state = direction != "reverse"
            cases.add(f"{kind}_{direction}_{lengths}",
                      recurrence(kind, directions, lengths=lengths, state=state, direction=direction),
                      *[sequence(s, b, kind, directions, lengths=lengths, state=state)
                        for s, b in ((6, 3), (2, 4), (1, 1))])
    functions = {"RNN": ["Relu"], "GRU": ["HardSigmoid", "Softsign"],
                 "LSTM": ["HardSigmoid", "Softsign", "ScaledTanh"]}[kind]
    count = len(functions)
    cases.add(f"{kind}_activations",
              recurrence(kind, activations=functions, activation_alpha=[0.3] * count,
                         activation_beta=[0.6] * count),
              sequence(4, 2, kind))
    cases.add(f"{kind}_different_activations",
              recurrence(kind, 2, direction="bidirectional", activations={
                  "RNN": ["Tanh", "Sigmoid"], "GRU": ["Sigmoid", "Tanh", "Sigmoid", "Relu"],
                  "LSTM": ["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Relu", "Tanh"]}[kind]),
              sequence(4, 2, kind, 2))
    cases.add(f"{kind}_clip", recurrence(kind, clip=0.4), sequence(5, 2, kind))
    cases.add(f"{kind}_no_bias", recurrence(kind, bias=False), sequence(5, 2, kind), sequence(3, 1, kind))
cases.add("GRU_reset_first", recurrence("GRU", 2, linear_before_reset=1, direction="bidirectional"),
          sequence(5, 2, "GRU", 2), sequence(1, 3, "GRU", 2))
cases.add("LSTM_peephole", recurrence("LSTM", peephole=True), sequence(5, 2, "LSTM"))
cases.add("LSTM_coupled", recurrence("LSTM", input_forget=1), sequence(5, 2, "LSTM"))


def layout_expected(kind, build, hidden=5):
    """A forward recurrence with the batch first, which onnxruntime lacks."""
    w, r, b, _ = build.weights
    sigmoid, tanh = FUNCTIONS["Sigmoid"], np.tanh

    def run(x, h=None, c=None):
        x = x.astype(np.float64)
        batch, steps = x.shape[:2]
        state = np.zeros((batch, hidden)) if h is None else h[:, 0].astype(np.float64)
        cell = np.zeros((batch, hidden)) if c is None else c[:, 0].astype(np.float64)
        wb, rb = np.split(b[0].astype(np.float64), 2)
        ys = []
        for t in range(steps):
            a, z = x[:, t] @ w[0].T + wb, state @ r[0].T + rb
            if kind == "RNN":
                state = tanh(a + z)
            elif kind == "GRU":
                az, ar, ah = np.split(a, 3, -1)
                zz, zr, _ = np.split(z, 3, -1)
                update, reset = sigmoid(az + zz), sigmoid(ar + zr)
                candidate = tanh(ah + (reset * state) @ r[0].T[:, 2 * hidden:] + rb[2 * hidden:])
                state = (1 - update) * candidate + update * state
            else:
                i, o, fg, cc = np.split(a + z, 4, -1)
                cell = sigmoid(fg) * cell + sigmoid(i) * tanh(cc)
                state = sigmoid(o) * tanh(cell)
            ys.append(state)
        results = [np.stack(ys, 1)[:, :, None], state[:, None]]
        results += [cell[:, None]] if kind == "LSTM" else []
        return [v.astype(np.float32) for v in results]
    return run


for kind in GATES:
    for state in (False, True):
        build = recurrence(kind, layout=1, state=state)
        sets = []
        for s, b in ((4, 3), (1, 2)):
            inputs = {"x": f(b, s, 4)}
            if state:
                inputs["h"] = f(b, 1, 5)
                if kind == "LSTM":
                    inputs["c"] = f(b, 1, 5)
            sets.append(inputs)
        cases.add(f"{kind}_batch_first_{state}", build, *sets, expected=layout_expected(kind, build))

# --- Control flow ------------------------------------------------------------


def nested_if(g, x, a, b):
    """A branch in a branch, with values of around and of different shapes."""
    y = g.Mul(x, np.float32(2))
    inner_then, inner_else, outer_then, outer_else = Graph(), Graph(), Graph(), Graph()
    p = inner_then.Concat(y, x, axis=0)
    q = inner_else.Neg(y)
    inner = outer_then.If(b, then_branch=inner_then.branch((p, T.FLOAT, None)),
                          else_branch=inner_else.branch((q, T.FLOAT, None)))
    r = outer_else.ReduceSum(y, ints(0), keepdims=1)
    return g.If(a, then_branch=outer_then.branch((inner, T.FLOAT, None)),
                else_branch=outer_else.branch((r, T.FLOAT, None)))


for a in (True, False):
    for b in (True, False):
        cases.add(f"if_{a}_{b}", nested_if, *[
            {"x": f(n, 3), "a": np.array(a), "b": np.array(b)} for n in (2, 5)])


def if_unchanged(g, x, a):
    """Branches that only pass values on."""
    left, right = Graph(), Graph()
    one = left.Identity(x)
    two = right.Mul(x, x)
    y = g.If(a, then_branch=left.branch((one, T.FLOAT, None)),
             else_branch=right.branch((two, T.FLOAT, None)))
    return g.Add(y, x), y


for a in (True, False):
    cases.add(f"if_unchanged_{a}", if_unchanged, {"x": f(2, 3), "a": np.array(a)})


def loop(kinds, limit=True):
    """`while i < m and total < limit`, carrying a number, a tensor and a sequence
    of results; `m` or the condition may be left out."""
    def build(g, x, m, bound):
        body = Graph()
        total = body.Add("total", body.Cast("i", to=T.FLOAT))
        state = body.Sub(body.Mul("state", np.float32(0.5)), "state_before")
        more = body.Less(total, bound)
        result = body.branch(
            (more, T.BOOL, []), (total, T.FLOAT, []), (state, T.FLOAT, None),
            (body.Identity("state"), T.FLOAT, None), (state, T.FLOAT, None), (total, T.FLOAT, []),
            inputs=[("i", T.INT64, []), ("go", T.BOOL, []), ("total", T.FLOAT, []),
                    ("state", T.FLOAT, None), ("state_before", T.FLOAT, None)])
        start = g.Less(np.float32(0), bound) if kinds != "count" else None
        return g.Loop(m if kinds != "condition" else None, start, np.float32(0), x,
                      g.Mul(x, np.float32(2)), body=result, outs=5)
    return build


for kinds in ("count", "condition", "both"):
    for number, (m, bound) in enumerate(((5, 100), (9, 4), (1, 1), (3, 5))):
        cases.add(f"loop_{kinds}_{number}", loop(kinds), *[
            {"x": f(n, 3), "m": np.array(m, np.int64), "bound": np.array(bound, np.float32)}
            for n in (2, 4)])


def loop_empty(g, x, m):
    """No iteration: carried values are the first ones, scan outputs empty."""
    body = Graph()
    y = body.Add("y", x)
    result = body.branch((body.Identity("go"), T.BOOL, []), (y, T.FLOAT, [2, 3]), (y, T.FLOAT, [2, 3]),
                         inputs=[("i", T.INT64, []), ("go", T.BOOL, []), ("y", T.FLOAT, [2, 3])])
    return g.Loop(m, np.array(True), x, body=result, outs=2)


cases.add("loop_empty", loop_empty, {"x": f(2, 3), "m": np.array(0, np.int64)})
cases.add("loop_some", loop_empty, {"x": f(2, 3), "m": np.array(3, np.int64)})


def loop_in_loop(g, x, m):
    inner, outer = Graph(), Graph()
    v = inner.Add(inner.Mul("v", np.float32(1.5)), inner.Cast("j", to=T.FLOAT))
    again = inner.branch((inner.Identity("go2"), T.BOOL, []), (v, T.FLOAT, [3]),
                         inputs=[("j", T.INT64, []), ("go2", T.BOOL, []), ("v", T.FLOAT, [3])])
    w = outer.Loop(outer.Add("i", np.int64(1)), np.array(True), "w", body=again)
    grown = outer.Concat("grown", outer.Unsqueeze(w, ints(0)), axis=0)
    result = outer.branch((outer.Identity("go"), T.BOOL, []), (w, T.FLOAT, [3]), (grown, T.FLOAT, [None, 3]),
                          inputs=[("i", T.INT64, []), ("go", T.BOOL, []), ("w", T.FLOAT, [3]),
                                  ("grown", T.FLOAT, [None, 3])])
    return g.Loop(m, np.array(True), x, np.zeros((0, 3), np.float32), body=result, outs=2)


for m in (1, 4):
    cases.add(f"loop_in_loop_{m}", loop_in_loop, {"x": f(3), "m": np.array(m, np.int64)})


def scan(g, x, z, h):
    """Two inputs, one from the end, and two outputs along other axes."""
    body = Graph()
    s = body.Add(body.Mul("s", np.float32(0.5)), "a")
    y = body.Sub(s, "b")
    result = body.branch((s, T.FLOAT, None), (y, T.FLOAT, None), (body.Identity(s), T.FLOAT, None),
                         inputs=[("s", T.FLOAT, None), ("a", T.FLOAT, None), ("b", T.FLOAT, None)])
    return g.Scan(h, x, z, body=result, num_scan_inputs=2, scan_input_axes=[0, 1],
                  scan_input_directions=[0, 1], scan_output_axes=[1, 0],
                  scan_output_directions=[1, 0], outs=3)


cases.add("scan", scan, *[{"x": f(n, 4), "z": f(4, n), "h": f(4)} for n in (5, 1, 8)])

# --- com.microsoft -----------------------------------------------------------


def contrib(name, build, *sets, **options):
    cases.add("ms_" + name, build, *sets, domains=("com.microsoft",), **options)


def ms(g, kind, *inputs, **attributes):
    return g.node(kind, *inputs, domain="com.microsoft", **attributes)


x3 = [{"x": f(b, s, 8)} for b, s in ((2, 5), (1, 3))]
contrib("gelu", lambda g, x: ms(g, "Gelu", x), *x3)
contrib("fast_gelu", lambda g, x: ms(g, "FastGelu", x, f(8)), *x3)
contrib("quick_gelu", lambda g, x: ms(g, "QuickGelu", x, alpha=1.702), *x3)
contrib("bias_gelu", lambda g, x: ms(g, "BiasGelu", x, f(8)), *x3)
contrib("fused_matmul", lambda g, x: ms(g, "FusedMatMul", x, f(6, 8), transB=1, alpha=0.5), *x3)
contrib("skip_layer_norm", lambda g, x, y: ms(g, "SkipLayerNormalization", x, y, f(8), f(8), f(8),
                                              epsilon=1e-5),
        *[{"x": f(b, s, 8), "y": f(b, s, 8)} for b, s in ((2, 5), (1, 1))])
contrib("skip_rms_norm", lambda g, x, y: ms(g, "SkipSimplifiedLayerNormalization", x, y, f(8), epsilon=1e-5),
        *[{"x": f(b, s, 8), "y": f(b, s, 8)} for b, s in ((2, 5), (1, 1))])
cases.add("rms_norm", lambda g, x: g.SimplifiedLayerNormalization(x, f(8), epsilon=1e-6, axis=-1), *x3)
contrib("embed", lambda g, ids, segments: ms(
    g, "EmbedLayerNormalization", ids, segments, f(20, 8), f(16, 8), f(2, 8), f(8), f(8),
    epsilon=1e-5, outs=2)[0],
    *[{"ids": rng.integers(0, 20, (b, s)).astype(np.int32),
       "segments": rng.integers(0, 2, (b, s)).astype(np.int32)} for b, s in ((2, 5), (1, 3))])
contrib("attention", lambda g, x: ms(g, "Attention", x, f(8, 24, scale=0.4), f(24), num_heads=2), *x3)
contrib("attention_causal", lambda g, x: ms(g, "Attention", x, f(8, 24, scale=0.4), f(24), num_heads=2,
                                            unidirectional=1), *x3)
contrib("attention_mask", lambda g, x, mask: ms(g, "Attention", x, f(8, 24, scale=0.4), f(24), mask,
                                                num_heads=4),
        *[{"x": f(b, s, 8), "mask": (np.arange(s)[None] < np.array([s, 2])[:b, None]).astype(np.int32)}
          for b, s in ((2, 5), (1, 3))])
contrib("multi_head", lambda g, q, k, v: ms(g, "MultiHeadAttention", q, k, v, num_heads=2),
        *[{"q": f(b, s, 8), "k": f(b, t, 8), "v": f(b, t, 12)} for b, s, t in ((2, 5, 3), (1, 1, 7))])
contrib("grouped_query", lambda g, q, k, v, pk, pv, n, t: ms(
    g, "GroupQueryAttention", q, k, v, pk, pv, n, t, num_heads=4, kv_num_heads=2, outs=3),
    *[{"q": f(1, s, 32), "k": f(1, s, 16), "v": f(1, s, 16), "pk": f(1, 2, p, 8), "pv": f(1, 2, p, 8),
       "n": np.array([[p + s - 1]], np.int32), "t": np.array(p + s, np.int32)} for s, p in ((1, 4), (1, 6))])
contrib("rotary", lambda g, x, p: ms(g, "RotaryEmbedding", x, p, f(16, 4), f(16, 4), interleaved=0),
        *[{"x": f(b, 2, s, 8), "p": np.tile(np.arange(s), (b, 1))} for b, s in ((2, 5), (1, 3))])
contrib("rotary_interleaved", lambda g, x, p: ms(g, "RotaryEmbedding", x, p, f(16, 4), f(16, 4), interleaved=1),
        *[{"x": f(b, 2, s, 8), "p": np.tile(np.arange(s), (b, 1))} for b, s in ((2, 5), (1, 3))])
for bits in (4, 8):
    contrib(f"matmul_nbits_{bits}", lambda g, x, bits=bits: ms(
        g, "MatMulNBits", x, rng.integers(0, 256, (6, 2, 16 * bits // 8), np.uint8), f(12),
        K=32, N=6, bits=bits, block_size=16), *[{"x": f(n, 32)} for n in (3, 1)])
contrib("dequantize", lambda g, x: ms(g, "DequantizeLinear", ms(g, "QuantizeLinear", x, np.float32(0.05), np.uint8(120)),
                                      np.float32(0.05), np.uint8(120)), *x3)
contrib("dynamic_quantize", lambda g, x: ms(g, "DynamicQuantizeMatMul", x, rng.integers(-128, 128, (8, 6)).astype(np.int8),
                                            np.float32(0.02), np.int8(0), f(6)), *x3)

if len(sys.argv) > 2:
    shutil.copytree(cases.root, sys.argv[2])
cases.check(sys.argv[1], "--rtol=1e-3", "--atol=2e-5", "--jobs=2")
print(f"{cases.count} cases as expected")
