#!/usr/bin/env python3
#===- cases.py - Extents that are equal, or are not, only at run time --------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Chains of operators on symbolic extents as exporters write them, where the
compiler finds out that extents are equal or that a broadcast is none, compared
with onnxruntime for ordinary, single and empty extents; then calls whose extents
contradict what the compiler relied on.

Usage: cases.py WEFT-PROGRAM [FOLDER-TO-KEEP]"""

import os
import shutil
import subprocess
import sys

import numpy as np
from onnx import TensorProto as T

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from graphs import Cases  # noqa: E402

weft = sys.argv[1]
rng = np.random.default_rng(11)
cases = Cases()


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def batches(*pairs):
    return [{"x": f(b, s, 8), "mask": rng.integers(0, 2, (b, s))} for b, s in pairs]


def extent(g, x, axis):
    return g.Gather(g.Shape(x), ints(axis), axis=0)


# --- Masks and positions -----------------------------------------------------


def mask_chain(g, x, mask):
    """The additive mask of an encoder: [b, s] to [b, 1, 1, s] to [b, 1, s, s]."""
    wide = g.Unsqueeze(mask, ints(1, 2))
    b, s = extent(g, x, 0), extent(g, x, 1)
    full = g.Expand(wide, g.Concat(b, ints(1), s, s, axis=0))
    keep = g.Cast(full, to=T.BOOL)
    return g.Where(keep, np.float32(0), np.float32(-1e4))


def attend(g, x, mask):
    heads = g.Transpose(g.Reshape(x, ints(0, 0, 2, 4)), perm=[0, 2, 1, 3])
    scores = g.MatMul(heads, g.Transpose(heads, perm=[0, 1, 3, 2]))
    weights = g.Softmax(g.Add(scores, mask_chain(g, x, mask)), axis=-1)
    mixed = g.Transpose(g.MatMul(weights, heads), perm=[0, 2, 1, 3])
    shape = g.Concat(extent(g, x, 0), ints(-1), ints(8), axis=0)
    return g.Add(x, g.Reshape(mixed, shape))


cases.add("mask", mask_chain, *batches((2, 5), (1, 1), (3, 17)))
cases.add("attend", attend, *batches((2, 5), (1, 1), (3, 17), (2, 1)))

TABLE = f(1, 32, 8)


def positions(g, x, mask):
    """Rows of a table: as many as x has, if the table has them."""
    rows = g.Slice(TABLE, ints(0), extent(g, x, 1), ints(1))
    return g.Add(g.Mul(x, g.Unsqueeze(g.Cast(mask, to=T.FLOAT), ints(2))), rows)


cases.add("positions", positions, *batches((2, 5), (1, 1), (2, 32), (1, 31)))

# --- Broadcasts that are known only at run time ------------------------------

pairs = ((3, 3), (1, 3), (3, 1), (1, 1))
cases.add("either", lambda g, x, y: g.Relu(g.Add(g.Mul(x, x), g.Neg(y))),
          *[{"x": f(n, 4), "y": f(m, 4)} for n, m in pairs])
cases.add("either_twice", lambda g, x, y: g.Sub(g.Add(x, y), g.Mul(y, x)),
          *[{"x": f(2, n, 4), "y": f(2, m, 4)} for n, m in pairs])
cases.add("same_after_matmul", lambda g, x, y: g.Add(g.Transpose(g.MatMul(x, y), perm=[1, 0]),
                                                     g.ReduceSum(y, ints(0), keepdims=0)),
          *[{"x": f(4, n), "y": f(n, 4)} for n in (3, 1, 7)])
cases.add("same_after_concat", lambda g, x, y: g.Add(x, g.Slice(
    g.Concat(x, y, axis=1), ints(0), extent(g, x, 1), ints(1))),
    *[{"x": f(n, m), "y": f(n, 3)} for n, m in ((2, 5), (1, 1), (4, 2))])

# --- Reshapes and slices -----------------------------------------------------

cases.add("through_one", lambda g, x: g.Relu(g.Reshape(
    g.Reshape(x, ints(-1)), g.Concat(extent(g, x, 0), extent(g, x, 1), ints(2, -1), axis=0))),
    *[{"x": f(b, s, 8)} for b, s in ((2, 5), (1, 1), (3, 2))])
cases.add("inferred", lambda g, x: g.Reshape(g.Sigmoid(x), g.Concat(
    ints(-1), g.Mul(extent(g, x, 1), ints(2)), ints(4), axis=0)),
    *[{"x": f(b, s, 8)} for b, s in ((2, 5), (1, 1), (3, 2))])
cases.add("all_of_it", lambda g, x: g.Add(g.Slice(x, ints(0), extent(g, x, 1), ints(1)),
                                          g.Slice(x, ints(0), ints(100), ints(0))),
          *[{"x": f(b, s, 8)} for b, s in ((2, 5), (1, 1), (3, 2))])
cases.add("halves", lambda g, x: g.Concat(
    g.Slice(x, g.Div(extent(g, x, 1), ints(2)), extent(g, x, 1), ints(1)),
    g.Slice(x, ints(0), g.Div(extent(g, x, 1), ints(2)), ints(1)), axis=1),
    *[{"x": f(b, s, 8)} for b, s in ((2, 5), (1, 1), (3, 2), (2, 8))])
cases.add("down_and_up", lambda g, x: g.Add(g.ConvTranspose(
    g.MaxPool(x, kernel_shape=[2, 2], strides=[2, 2]), f(3, 3, 2, 2), strides=[2, 2]), x),
    *[{"x": f(b, 3, h, w)} for b, h, w in ((2, 8, 6), (1, 2, 2), (1, 4, 10))])


def loop(g, x, mask):
    """What a loop carries keeps its extents."""
    body = type(g)()
    y = body.Mul(body.Add("carried", np.float32(1)), np.float32(0.5))
    inner = body.branch((body.Identity("go"), T.BOOL, []), (y, T.FLOAT, [None, None, 8]),
                        inputs=(("i", T.INT64, []), ("go", T.BOOL, []),
                                ("carried", T.FLOAT, [None, None, 8])))
    last = g.Loop(ints(3)[0], np.array(True), x, body=inner)
    return g.Add(last, g.Unsqueeze(g.Cast(mask, to=T.FLOAT), ints(2)))


cases.add("carried", loop, *batches((2, 5), (1, 1)))

# --- Empty extents -----------------------------------------------------------

cases.add("empty_mask", mask_chain, *batches((2, 5), (0, 5), (2, 0)),
          expected=lambda x, mask: np.broadcast_to(
              np.where(mask[:, None, None], np.float32(0), np.float32(-1e4)),
              (mask.shape[0], 1, mask.shape[1], mask.shape[1]))[None])
cases.add("empty_sum", lambda g, x, y: g.Add(x, y),
          *[{"x": f(n, 4), "y": f(m, 4)} for n, m in ((3, 3), (0, 0), (1, 0), (0, 1))],
          expected=lambda x, y: [x + y])

if len(sys.argv) > 2:
    shutil.copytree(cases.root, sys.argv[2])
cases.check(weft, "--rtol=1e-4", "--atol=1e-5", "--jobs=2")

# --- Calls that fail ---------------------------------------------------------


def refused(case, message, *inputs):
    """Runs a case with inputs that contradict each other."""
    folder = next(os.path.join(cases.root, name) for name in os.listdir(cases.root)
                  if name.split("_", 1)[1] == case)
    command = [weft, "run", os.path.join(folder, "model.onnx"), "--quiet"]
    run = subprocess.run(command + [f"--input={i}" for i in inputs], capture_output=True, text=True)
    if run.returncode == 0 or run.returncode < 0 or message not in run.stderr:
        sys.exit(f"{case} with {inputs} gave {run.returncode}: {run.stderr}\nexpected {message}")


refused("positions", "cannot broadcast extents 33 and 32", "x=2x33x8xf32=0", "mask=2x33xi64=1")
refused("positions", "cannot broadcast extents 1000000 and 32", "x=1x1000000x8xf32=0",
        "mask=1x1000000xi64=1")
refused("either", "cannot broadcast extents 3 and 4", "x=3x4xf32=1", "y=4x4xf32=1")
refused("down_and_up", "cannot broadcast extents", "x=1x3x5x6xf32=1")
print(f"{cases.count} cases as expected")
