#!/usr/bin/env python3
#===- traced.py - Models whose loop over tokens was traced ------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""The attention of RWKV-4 as a trace of its reference leaves it: states that begin with constants, one copy of the
step for each token, the last of which makes no state, results that are stacked or written into zeros one
by one. The operations that it becomes, and its numbers against NumPy in float64 and onnxruntime.

Usage: traced.py WEFT-PROGRAM"""

import subprocess
import sys
import tempfile

import numpy as np
from onnx import helper as h

try:
    import onnxruntime
except ImportError:
    onnxruntime = None

from models import expect, save

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(4)
N = h.make_node
count = 0


def normal(*shape, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def case(name, nodes, inputs, outputs, consts, raised, gone):
    global count
    path = save(folder.name, name, nodes, inputs, outputs, consts)
    if onnxruntime:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(path, options)
        for have, want in zip(session.run(None, {k: v for k, (v, _) in inputs.items()}), outputs.values()):
            np.testing.assert_allclose(have, want, rtol=1e-4, atol=1e-5)
    count += 1
    expect(weft, name, path, raised, gone)


def wkv(tag, k, v, states, length, keep):
    """The nodes of one layer; `states` are the names of numerator, denominator and maximum. Gives the names of the
    results and of the states after the last token."""
    nodes, results = [], []
    num, den, top = states
    for t in range(length):
        n = lambda x: f"{tag}/{t}/{x}"
        nodes += [
            N("Gather", [k, f"t{t}"], [n("k")], axis=1), N("Gather", [v, f"t{t}"], [n("v")], axis=1),
            N("Add", [n("k"), "first"], [n("ku")]), N("Max", [top, n("ku")], [n("m")]), N("Sub", [top, n("m")], [n("d1")]),
            N("Exp", [n("d1")], [n("e1")]), N("Sub", [n("ku"), n("m")], [n("d2")]), N("Exp", [n("d2")], [n("e2")]),
            N("Mul", [n("e1"), num], [n("en")]), N("Mul", [n("e2"), n("v")], [n("ev")]), N("Add", [n("en"), n("ev")], [n("top")]),
            N("Mul", [n("e1"), den], [n("ed")]), N("Add", [n("ed"), n("e2")], [n("bottom")]),
            N("Div", [n("top"), n("bottom")], [n("wkv")])]
        results.append(n("wkv"))
        if t + 1 == length and not keep:
            break
        nodes += [
            N("Add", [top, "decay"], [n("pw")]), N("Max", [n("pw"), n("k")], [n("p")]),
            N("Sub", [n("pw"), n("p")], [n("d3")]), N("Exp", [n("d3")], [n("e3")]),
            N("Sub", [n("k"), n("p")], [n("d4")]), N("Exp", [n("d4")], [n("e4")]),
            N("Mul", [n("e3"), num], [n("en2")]), N("Mul", [n("e4"), n("v")], [n("ev2")]), N("Add", [n("en2"), n("ev2")], [n("n")]),
            N("Mul", [n("e3"), den], [n("ed2")]), N("Add", [n("ed2"), n("e4")], [n("d")])]
        num, den, top = n("n"), n("d"), n("p")
    return nodes, results, (num, den, top)


def stacked(tag, names, out, form):
    if form == "concat":
        return [N("Unsqueeze", [x, "one"], [x + "+"]) for x in names] + [N("Concat", [x + "+" for x in names], [out], axis=1)]
    nodes, before = [], "zeros"
    for t, x in enumerate(names):
        after = out if x == names[-1] else f"{tag}/{t}/out"
        nodes.append(N("ScatterND", [before, f"at{t}", x], [after]))
        before = after
    return nodes


def reference(k, v, w, u, length):
    k, v, w, u = (x.astype(np.float64) for x in (k, v, w, u))
    out, num, den = np.zeros(k.shape), np.zeros(k[:, 0].shape), np.zeros(k[:, 0].shape)
    for t in range(length):
        here = np.exp(u + k[:, t])
        out[:, t] = (num + here * v[:, t]) / (den + here)
        num, den = np.exp(w) * num + np.exp(k[:, t]) * v[:, t], np.exp(w) * den + np.exp(k[:, t])
    return out, num, den


def rwkv4(name, length, B=2, D=6, form="concat", keep=False, layers=1, batch=None, constant=True, raised=True):
    k, v = normal(B, length, D, scale=3), normal(B, length, D)
    w, u = -np.abs(normal(D)) - np.float32(0.1), normal(D)
    want, num, den = reference(k, v, w, u, length)
    inputs = {"k": (k, [batch or B, length, D]), "v": (v, [batch or B, length, D])}
    consts = {"decay": w, "first": u, "one": np.array([1]), **{f"t{t}": np.array(t) for t in range(length)},
              **{f"at{t}": np.array([[b, t] for b in range(B)]) for t in range(length)},
              "zeros": np.zeros((B, length, D), np.float32)}
    states = ["num0", "den0", "max0"]
    if constant:
        consts.update(num0=np.zeros((B, D), np.float32), den0=np.zeros((B, D), np.float32),
                      max0=np.full((B, D), -1e38, np.float32))
    else:
        inputs.update({x: (np.full((B, D), -1e38 if x == "max0" else 0, np.float32), [batch or B, D]) for x in states})
    nodes, value = [], "v"
    for layer in range(layers):
        out = "y" if layer + 1 == layers else f"y{layer}"
        more, names, last = wkv(f"layer{layer}", "k", value, states, length, keep)
        nodes += more + stacked(f"layer{layer}", names, out, form)
        value = out
        if layer:
            want, num, den = reference(k, want.astype(np.float32), w, u, length)
    outputs = {"y": want}
    if keep:
        # What the states stand for does not depend on the maximum.
        nodes += [N("Exp", [last[2]], ["e"]), N("Mul", [last[0], "e"], ["num"]), N("Mul", [last[1], "e"], ["den"])]
        outputs.update(num=num, den=den)
    case("rwkv-4-" + name, nodes, inputs, outputs, consts, ("ssm.scan_region", "ssm.scan vector") if raised else (),
         () if raised else ("ssm.scan",))


rwkv4("states", 7, constant=False, keep=True)
rwkv4("states-symbolic", 7, constant=False, keep=True, batch="B")
rwkv4("constants", 7)
rwkv4("constants-kept", 5, keep=True)
rwkv4("long", 64, D=16)
rwkv4("three", 3, keep=True)
rwkv4("two", 2, constant=False, keep=True)
rwkv4("written", 6, form="scatter")
rwkv4("layers", 5, layers=2)
rwkv4("layers-symbolic", 5, layers=2, batch="B", constant=False)
# The states of two tokens cannot be told from others.
rwkv4("two-without", 2, constant=False, raised=False)

done = subprocess.run([weft, "check", folder.name, "--rtol=1e-4", "--atol=1e-5"], capture_output=True, text=True,
                      check=False)
print(done.stdout[-2000:], done.stderr[-2000:])
sys.exit(done.returncode or f"{count} passed, 0 failed" not in done.stdout + done.stderr)
