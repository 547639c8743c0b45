#!/usr/bin/env python3
#===- cases.py - What loops carry from iteration to iteration ----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Runs loops whose states change places, are computed in place, are branches or
inner loops, or start from inputs and weights, which must stay what they are, against
onnxruntime; and checks that the memory of states is planned.

Usage: cases.py WEFT-PROGRAM"""

import os
import sys

import numpy as np
from onnx import TensorProto as T

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from graphs import Cases, Graph

weft = sys.argv[1]
rng = np.random.default_rng(5)
cases = Cases()


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


# What loops carry in fixed extents: two slots that change places, or more that rotate.
# Each with 0, 1 and an even number of iterations, from an input, an input twice, a
# weight or what was computed; with a condition that is data; in loops and branches.
weights = f(6, 6) * np.float32(0.3)


def loop(g, n, starts, step, go=None, scans=()):
    """`step(body, iteration, *states)` gives the next states and what is stacked."""
    body = Graph()
    names = [body.name("state") for _ in starts]
    results = step(body, "i", *names)
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    again = body.Identity("go") if go is None else go(body, *names)
    inner = body.branch((again, T.BOOL, []), *[(r, T.FLOAT, None) for r in results],
                        inputs=[("i", T.INT64, []), ("go", T.BOOL, []),
                                *[(name, T.FLOAT, None) for name in names]])
    return g.Loop(n, np.array(True), *starts, body=inner, outs=len(results))


def small(body, *states):
    return body.Less(body.ReduceSum(body.Abs(states[0]), keepdims=0), np.float32(1e4))


def product(b, i, s):
    return b.Tanh(b.MatMul(s, weights))


def growth(b, i, s):
    return b.Mul(b.MatMul(s, weights), np.float32(4))


def fibonacci(b, i, p, q):
    return b.Identity(q), b.Add(p, q)


def exchange(b, i, p, q):
    return b.Identity(q), b.Identity(p)


def rotate(b, i, p, q, r):
    return b.Identity(q), b.Identity(r), b.Sub(p, r)


def twice(b, i, p, q):
    t = b.Add(b.MatMul(p, weights), q)
    return b.Identity(t), b.Identity(t)


def stacked(b, i, s):
    t = b.Sin(b.MatMul(s, weights))
    return t, b.Identity(s), b.Identity(t)


def written(b, i, s):
    row = b.Reshape(b.Mod(i, np.int64(3)), np.array([1, 1]))
    return b.ScatterND(s, row, b.ReduceSum(s, np.array([0]), keepdims=1))


def kept(b, i, p, q):
    return b.Add(b.MatMul(p, weights), q), b.Identity(q)


def constant(b, i, s):
    return b.Add(b.Cast(i, to=T.FLOAT), np.zeros((3, 6), np.float32))


def chosen(b, i, p, q):
    then, other = Graph(), Graph()
    odd = b.Cast(b.Mod(i, np.int64(2)), to=T.BOOL)
    return b.If(odd, then_branch=then.branch((then.Cos(then.MatMul(p, weights)), T.FLOAT, None),
                                             (then.Identity(p), T.FLOAT, None)),
                else_branch=other.branch((other.Identity(q), T.FLOAT, None),
                                         (other.Sub(p, q), T.FLOAT, None)), outs=2)


def within(b, i, s):
    inner, t, j = Graph(), b.name("inner"), b.name("j")
    body = inner.branch((inner.Identity("more"), T.BOOL, []),
                        (inner.Tanh(inner.MatMul(t, weights)), T.FLOAT, None),
                        inputs=[(j, T.INT64, []), ("more", T.BOOL, []), (t, T.FLOAT, None)])
    return b.Loop(b.Add(i, np.int64(1)), np.array(True), s, body=body)


def within_and_on(b, i, s):
    return b.Tanh(b.Add(within(b, i, s), s))


steps = ((product, 1), (growth, 1), (fibonacci, 2), (exchange, 2), (rotate, 3), (twice, 2),
         (stacked, 1), (written, 1), (kept, 2), (constant, 1), (chosen, 2), (within, 1),
         (within_and_on, 1))
for step, count in steps:
    for tag, go in (("", None), ("_while", small)):
        def carried(g, x, n):
            # Equal starts can share memory only until one is written.
            start = (x, g.Neg(x), x)
            results = loop(g, n, start[:count], step, go)
            results = results if isinstance(results, list) else [results]
            return [*results, g.Add(x, results[0])]
        def weighted(g, n):
            values = np.arange(18, dtype=np.float32).reshape(3, 6) / 18
            whole = g.constant(values)
            results = loop(g, n, [whole] * count, step, go)
            results = results if isinstance(results, list) else [results]
            return [*results, g.Add(whole, results[0])]
        name = step.__name__ + tag
        # Of no iteration onnxruntime stacks values of another rank.
        counts = [np.array(n) for n in (5, 2 if step is stacked else 0, 1, 4)]
        cases.add(name, carried, *[{"x": f(3, 6), "n": n} for n in counts])
        cases.add(name + "_weight", weighted, *[{"n": n} for n in counts])
        if step is not constant:
            cases.add(name + "_dynamic", carried,
                      *[{"x": f(r, 6), "n": n} for r in (3, 4) for n in counts])
        if step not in (constant, written, chosen) and not go:
            cases.add(name + "_none", carried,
                      *[{"x": f(r, 6), "n": n} for r in (0, 3) for n in counts])

# Extents that only the run tells, but which stay the same in the loop.
for tag, go in (("", None), ("_while", small)):
    def selected(g, x, n):
        rows = g.Compress(x, g.Greater(g.ReduceMax(x, axes=[1], keepdims=0), np.float32(1)), axis=0)
        return [g.ReduceSum(rows, np.array([0])), *loop(g, n, (rows, rows), fibonacci, go)]
    cases.add("selected" + tag, selected, *[{"x": f(7, 6), "n": np.array(n)} for n in (5, 0, 4)])

# States of recurrent layers in both directions, from given ones, of no step and batch.
for kind, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
    w, r, bias = (f(2, gates * 5, 4), f(2, gates * 5, 5), f(2, 2 * gates * 5))

    def recurrent(g, x, h):
        more = [h] if kind == "LSTM" else []
        return g.node(kind, x, w, r, bias, None, h, *more, hidden_size=5,
                      direction="bidirectional", outs=3 if kind == "LSTM" else 2)
    cases.add(kind.lower(), recurrent, *[{"x": f(t, n, 4), "h": f(2, n, 5)}
                                         for t in (6, 1, 3) for n in (2, 1)])

for threads in (1, 3):
    cases.check(weft, "--rtol=1e-5", "--atol=1e-6", f"--threads={threads}")


# What is carried in extents of the data is allocated once.
found = [cases.figures(weft, cases.model("selected"), {"x": f(7, 6), "n": np.array(n)})
         for n in (2, 40)]
if found[0]["unbounded_allocations"] != found[1]["unbounded_allocations"]:
    sys.exit(f"carried values are allocated anew in each iteration: {found}")

# The memory of what is carried is planned, whatever ends the loop; that of stacks, as
# many as the data says, cannot be.
for name, inputs in ((step.__name__ + tag + shape, {"x": f(3, 6), "n": np.array(5)})
                     for step, _ in steps for tag in ("", "_while") for shape in ("", "_dynamic")
                     if step is not stacked and (step, shape) != (constant, "_dynamic")):
    found = cases.figures(weft, cases.model(name), inputs)
    if found["unbounded_allocations"] != 0:
        sys.exit(f"a carried value of {name} is not planned: {found}")
print("as expected")
