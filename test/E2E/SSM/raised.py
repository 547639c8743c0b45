#!/usr/bin/env python3
#===- raised.py - What exporters write becomes ssm operations ---------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Traced loops over tokens, segment sums and causal convolutions in ONNX: the operations
that they become, and their numbers against NumPy in float64. Masks of more than a kilobyte are weights.

Usage: raised.py WEFT-PROGRAM"""

import subprocess
import sys
import tempfile

import numpy as np
from onnx import helper as h

from models import expect, save

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(2)
N = h.make_node


def case(name, nodes, inputs, outputs, consts, raised, gone):
    """Inputs (array, dims) and expected outputs by name; `raised` is in the module after stage
    model, `gone` is not."""
    path = save(folder.name, name, nodes, inputs, outputs, consts)
    expect(weft, name, path, raised, gone)


# Segment sums of chunks whose masks are inline or weights.
for Q in (5, 64):
    at = np.arange(Q)
    g = -np.abs(rng.standard_normal((3, Q))).astype(np.float32)
    want = np.zeros((3, Q, Q))
    for i in range(Q):
        for j in range(i + 1):
            want[:, i, j] = np.exp(g[:, j + 1:i + 1].astype(np.float64).sum(1))
    case(f"segsum-{Q}",
         [N("Unsqueeze", ["g", "axes"], ["column"]), N("Expand", ["column", "shape"], ["wide"]),
          N("Where", ["above", "zero", "wide"], ["terms"]), N("CumSum", ["terms", "axis"], ["sums"]),
          N("Where", ["strict", "least", "sums"], ["masked"]), N("Exp", ["masked"], ["y"])],
         {"g": (g, [3, Q])}, {"y": want},
         {"axes": np.array([2], np.int64), "shape": np.array([3, Q, Q], np.int64), "axis": np.array(1, np.int64),
          "above": at[:, None] <= at, "strict": at[:, None] < at, "zero": np.float32(0),
          "least": np.float32(-np.inf)}, ["ssm.segsum"], ["weft.scan"])

# Mamba's recurrence as a trace has it, for a batch of any size.
B, L, D, S = 3, 7, 6, 4
u, delta = rng.standard_normal((B, D, L)), np.abs(rng.standard_normal((B, D, L)))
rate, inject, read = -np.abs(rng.standard_normal((D, S))), rng.standard_normal((B, L, S)), rng.standard_normal((B, L, S))
u, delta, rate, inject, read = (x.astype(np.float32) for x in (u, delta, rate, inject, read))
state, want = np.zeros((B, D, S)), np.zeros((B, D, L))
for t in range(L):
    step = delta[:, :, t, None].astype(np.float64)
    state = np.exp(step * rate) * state + step * inject[:, t, None] * u[:, :, t, None]
    want[:, :, t] = (state * read[:, t, None]).sum(-1)
nodes = [N("Unsqueeze", ["rate", "one"], ["r1"]), N("Unsqueeze", ["delta", "last"], ["d1"]), N("Mul", ["r1", "d1"], ["rd"]),
         N("Exp", ["rd"], ["a"]), N("Unsqueeze", ["inject", "one"], ["b1"]), N("Mul", ["d1", "b1"], ["db"]),
         N("Unsqueeze", ["u", "last"], ["u1"]), N("Mul", ["db", "u1"], ["x"])]
before = "zero"
for t in range(L):
    nodes += [N("Gather", ["a", f"t{t}"], [f"a{t}"], axis=2), N("Gather", ["x", f"t{t}"], [f"x{t}"], axis=2),
              N("Mul", [f"a{t}", before], [f"p{t}"]), N("Add", [f"p{t}", f"x{t}"], [f"h{t}"]),
              N("Gather", ["read", f"t{t}"], [f"c{t}"], axis=1), N("Unsqueeze", [f"c{t}", "last2"], [f"e{t}"]),
              N("MatMul", [f"h{t}", f"e{t}"], [f"y{t}"])]
    before = f"h{t}"
nodes += [N("Shape", ["u"], ["us"], end=1), N("Concat", ["us", "ds"], ["zs"], axis=0),
          N("Concat", [f"y{t}" for t in range(L)], ["y"], axis=2)]
nodes.insert(0, N("ConstantOfShape", ["zs"], ["zero"]))
nodes = nodes[-3:-1] + nodes[:-3] + nodes[-1:]
case("mamba", nodes, {"u": (u, ["B", D, L]), "delta": (delta, ["B", D, L]), "inject": (inject, ["B", L, S]),
                      "read": (read, ["B", L, S])}, {"y": want},
     {"rate": rate, "one": np.array([1], np.int64), "last": np.array([3], np.int64), "last2": np.array([2], np.int64),
      "ds": np.array([D, S], np.int64), **{f"t{t}": np.array(t, np.int64) for t in range(L)}},
     ["ssm.scan outer diag"], ["weft.contract"])

# Padded on both sides, the end cut off; a batch and tokens of any number.
x, w, bias = (rng.standard_normal(s).astype(np.float32) for s in ((2, 5, 9), (5, 1, 4), (5,)))
padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (3, 0)))
want = sum(w[None, :, 0, j, None].astype(np.float64) * padded[:, :, j:j + 9] for j in range(4)) + bias[:, None]
case("conv", [N("Conv", ["x", "w", "bias"], ["c"], group=5, pads=[3, 3]), N("Shape", ["x"], ["end"], start=2),
              N("Slice", ["c", "start", "end", "axis"], ["y"])],
     {"x": (x, ["B", 5, "T"])}, {"y": want},
     {"w": w, "bias": bias, "start": np.array([0], np.int64), "axis": np.array([2], np.int64)},
     ["ssm.causal_conv1d"], ["weft.conv"])

# float32: some ten roundings of 2^-24 in sums of numbers below ten.
done = subprocess.run([weft, "check", folder.name, "--rtol=1e-4", "--atol=1e-5"], capture_output=True, text=True,
                      check=False)
print(done.stdout[-2000:], done.stderr[-2000:])
sys.exit(done.returncode or "4 passed, 0 failed" not in done.stdout + done.stderr)
