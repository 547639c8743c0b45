#!/usr/bin/env python3
#===- cases.py - What plans and parallel writes must not change --------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Runs models whose buffers share memory (branches, loops, growing values) and
operations that write in parallel (NonZero, scatters, scans) against onnxruntime,
with equal bits for every number of threads, and checks how much memory they take.

Usage: cases.py WEFT-PROGRAM"""

import os
import subprocess
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


def bit(value):
    return np.array(value)


# Branches with temporaries of different sizes, in a loop, with a value of before
# the loop that is used after it.
def branches(g, x, c):
    kept = g.Softmax(x, axis=-1)
    body = Graph()
    state, i, go = "state", "i", "go"

    def branch(width, sign):
        b = Graph()
        wide = b.Softmax(b.Concat(*[state] * width, axis=1), axis=1)
        return b.branch((b.Mul(b.Slice(wide, np.array([0]), np.array([5]), np.array([1])),
                               np.float32(sign)), T.FLOAT, None))

    odd = body.Cast(body.Mod(i, np.int64(2)), to=T.BOOL)
    inner = Graph()
    twice = inner.If(c, then_branch=branch(7, 1), else_branch=branch(3, -1))
    step = body.If(odd, then_branch=inner.branch((twice, T.FLOAT, None)), else_branch=branch(2, 0.5))
    loop = body.branch((body.Identity(go), T.BOOL, []), (body.Add(step, kept), T.FLOAT, None),
                       inputs=[(i, T.INT64, []), (go, T.BOOL, []), (state, T.FLOAT, None)])
    return g.Add(g.Loop(np.int64(5), np.array(True), x, body=loop), kept)


for name, rows in (("branches", (40,)), ("branches_dynamic", (1, 64, 0, 33))):
    cases.add(name, branches, *[{"x": f(r, 5), "c": bit(n % 2 == 0)} for r in rows for n in range(2)])


# Values that grow from iteration to iteration.
def growing(g, x, n):
    body = Graph()
    row = body.Slice("state", np.array([-1]), np.array([2**31 - 1]), np.array([0]))
    scaled = body.Mul(row, np.float32(0.5))
    grown = body.Concat("state", body.Tanh(scaled), axis=0)
    loop = body.branch((body.Identity("go"), T.BOOL, []), (grown, T.FLOAT, None),
                       (body.ReduceSum(grown, keepdims=0), T.FLOAT, None),
                       inputs=[("i", T.INT64, []), ("go", T.BOOL, []), ("state", T.FLOAT, None)])
    return g.Loop(n, np.array(True), x, body=loop, outs=2)


# One value that grows at times, one that changes places with another.
def shifting(g, x, n):
    body = Graph()
    odd = body.Cast(body.Mod("i", np.int64(3)), to=T.BOOL)
    longer, same = Graph(), Graph()
    step = body.If(odd, then_branch=longer.branch((longer.Concat("a", "b", axis=0), T.FLOAT, None)),
                   else_branch=same.branch((same.Identity("a"), T.FLOAT, None)))
    loop = body.branch((body.Identity("go"), T.BOOL, []), (body.Identity("b"), T.FLOAT, None),
                       (step, T.FLOAT, None),
                       inputs=[("i", T.INT64, []), ("go", T.BOOL, []), ("a", T.FLOAT, None),
                               ("b", T.FLOAT, None)])
    return g.Loop(n, np.array(True), x, g.Neg(x), body=loop, outs=2)


# A loop that grows a value in a loop.
def nested(g, x, n):
    outer, inner = Graph(), Graph()
    more = inner.branch((inner.Identity("q"), T.BOOL, []),
                        (inner.Concat("s", "t", axis=0), T.FLOAT, None),
                        inputs=[("j", T.INT64, []), ("q", T.BOOL, []), ("s", T.FLOAT, None)])
    s = outer.Loop(np.int64(2), np.array(True), "t", body=more)
    total = outer.ReduceMean(s, axes=[0], keepdims=1)
    loop = outer.branch((outer.Identity("p"), T.BOOL, []),
                        (outer.Concat("t", total, axis=0), T.FLOAT, None),
                        inputs=[("i", T.INT64, []), ("p", T.BOOL, []), ("t", T.FLOAT, None)])
    return g.Loop(n, np.array(True), x, body=loop)


for build in (growing, shifting, nested):
    cases.add(build.__name__, build, *[{"x": f(r, 3), "n": np.array(n)} for r in (1, 4)
                                       for n in (9, 1, 0)])

# NonZero: more than a chunk, none, all, and rows that end within chunks.
for dtype in (np.float32, np.bool_, np.int64, np.uint8, np.int32):
    def sparse(*shape):
        return (rng.integers(0, 3, shape) * rng.integers(0, 2, shape)).astype(dtype)
    name = np.dtype(dtype).name
    cases.add("nonzero_" + name, lambda g, x: g.NonZero(x),
              *[{"x": sparse(*s)} for s in ((3, 7, 5), (129, 257, 3), (0, 7, 1), (1, 1, 50001))])
cases.add("nonzero_static", lambda g, x: g.NonZero(x), {"x": (f(301, 203) > 0).astype(np.float32)})
cases.add("nonzero_none", lambda g, x: g.NonZero(x), {"x": np.zeros((7, 5000), np.float32)})
cases.add("nonzero_all", lambda g, x: g.NonZero(x), {"x": np.ones((40000,), np.float32)})
cases.add("nonzero_scalar", lambda g, x: g.NonZero(g.Reshape(x, np.array([1]))), {"x": f(1)})
special = np.array([[0.0, -0.0, np.nan, np.inf, -np.inf, 1e-45]], np.float32)
cases.add("nonzero_special", lambda g, x: g.NonZero(x), {"x": special})

# Scatters: repeated indices, in order, of windows with one and two dimensions.
combine = {"none": lambda x, y: y, "add": np.add, "mul": np.multiply, "max": np.maximum}
for reduction in combine:
    for tag, data, tuple_, rows in (("one", (50, 700), 1, 300), ("two", (9, 8, 40, 17), 2, 60),
                                    ("row", (33, 1, 513), 1, 40), ("few", (100, 3), 1, 4000)):
        def scatter(g, x, i, u):
            return g.ScatterND(x, i, u, reduction=reduction)
        limits = np.array(data[:tuple_])
        def inputs(scale):
            i = rng.integers(-limits, limits, (rows * scale, tuple_))
            return {"x": f(*data), "i": i, "u": f(rows * scale, *data[tuple_:])}
        def expected(x, i, u):
            # One after the other; onnxruntime combines repeated indices in any order.
            y = x.copy()
            for at, update in zip(i, u):
                at = tuple(at)
                y[at] = combine[reduction](y[at], update)
            return [y]
        if reduction == "none":
            cases.add(f"scatter_{tag}_dynamic", scatter, inputs(1), inputs(2), opset=18,
                      expected=expected)
        cases.add(f"scatter_{tag}_{reduction}", scatter, inputs(1), opset=18, expected=expected)

# Scans along any dimension.
for axis in (0, 1, 2):
    for exclusive in (0, 1):
        for reverse in (0, 1):
            def scan(g, x):
                return g.CumSum(x, np.array(axis), exclusive=exclusive, reverse=reverse)
            cases.add(f"cumsum_{axis}{exclusive}{reverse}", scan,
                      *[{"x": rng.integers(-99, 99, s).astype(np.float32)}
                        for s in ((7, 33, 65), (1, 1, 1), (2, 0, 3), (5, 130, 100))])
            cases.add(f"cumsum_static_{axis}{exclusive}{reverse}", scan,
                      {"x": rng.integers(-99, 99, (19, 21, 37)).astype(np.int32)})

for threads in (1, 2, 3, 8):
    cases.check(weft, "--rtol=1e-5", "--atol=1e-6", f"--threads={threads}")


# Bits, memory and its release.
def outputs(path, inputs, threads):
    subprocess.run([weft, "run", "--quiet", path, *cases.save(inputs), f"--threads={threads}",
                    f"--output=@{cases.root}/y.npy"], check=True, timeout=120)
    return np.load(f"{cases.root}/y.npy")


for name, inputs in (("scatter_one_add", {"x": f(50, 700), "i": rng.integers(0, 50, (300, 1)),
                                          "u": f(300, 700)}),
                     ("cumsum_000", {"x": f(200, 30, 65)}), ("cumsum_100", {"x": f(20, 300, 65)}),
                     ("nonzero_float32", {"x": np.maximum(f(99, 99, 9), 0)})):
    results = [outputs(cases.model(name), inputs, threads) for threads in (1, 2, 3, 8)]
    if not all(np.array_equal(results[0], r) for r in results[1:]):
        sys.exit(f"results of {name} depend on the number of threads")


# 200 iterations that grow a value by a row of 12 bytes: two of them are alive at
# once, with what an iteration computes from them, and not the sum of all.
n = 200
growth = cases.figures(weft, cases.model("growing"), {"x": f(1, 3), "n": np.array(n)})
final = (n + 1) * 12
if growth["unbounded_allocations"] < n:
    sys.exit(f"expected an allocation an iteration: {growth}")
if growth["unbounded_peak_bytes"] > 8 * final:
    sys.exit(f"the memory of iterations is not released: {growth}")
print("as expected")
