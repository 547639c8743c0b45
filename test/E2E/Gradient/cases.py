#!/usr/bin/env python3
#===- cases.py - Derivatives against differences ----------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Runs models with the Gradient operator and compares with central differences
of the same graph without it, which onnxruntime runs, all in f64.

Usage: cases.py WEFT-PROGRAM"""

import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
root = folder.name
rng = np.random.default_rng(11)
N = h.make_node
DOMAIN = "ai.onnx.preview.training"
count = 0


def p(*shape):
    """Numbers away from 0, where some of the operators have a kink or a pole."""
    return np.asarray(rng.uniform(0.5, 2, shape))


def model(nodes, inputs, outputs, consts, dyn):
    def shape(key, v):
        return [f"{key}_{i}" for i in range(v.ndim)] if dyn is True else dyn.get(key, v.shape)

    graph = h.make_graph(
        nodes, "g", [h.make_tensor_value_info(k, T.DOUBLE, shape(k, v)) for k, v in inputs.items()],
        [h.make_tensor_value_info(o, T.DOUBLE, None) for o in outputs],
        [nh.from_array(np.asarray(v), k) for k, v in consts.items()])
    opsets = [h.make_opsetid("", 17), h.make_opsetid(DOMAIN, 1)]
    return h.make_model(graph, opset_imports=opsets, ir_version=8)


def run(command, code=0, says=""):
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if result.returncode != code or says not in result.stderr:
        sys.exit(f"{' '.join(command)}: expected {code} '{says}', got {result.returncode}:\n{result.stdout}{result.stderr}")


def case(nodes, inputs, consts={}, y="y", xs=None, zs=(), dyn={}, at=None):
    """`at`: the inputs of Gradient, where they are others than xs and zs."""
    global count
    count += 1
    nodes = nodes if isinstance(nodes, list) else [nodes]
    xs = list(xs or inputs)
    at = at or [*xs, *zs]
    path = f"{root}/{count}.onnx"
    gradient = N("Gradient", at, ["d_" + x for x in xs], domain=DOMAIN, xs=xs, y=y,
                 **({"zs": list(zs)} if zs else {}))
    onnx.save(model(nodes + [gradient], inputs, ["d_" + x for x in xs], consts, dyn), path)

    session = ort.InferenceSession(model(nodes, inputs, [y], consts, {}).SerializeToString())
    point = dict(inputs)
    for name, value in zip([*xs, *zs], at):
        point[name] = inputs[value]
    known = {i.name for i in session.get_inputs()}
    command = [weft, "run", "--no-cache", "--quiet", path, "--rtol=1e-6", "--atol=1e-8"]
    for k, v in inputs.items():
        np.save(f"{root}/{k}.npy", v)
        command.append(f"--input={k}=@{root}/{k}.npy")
    for x in xs:
        expected = np.zeros_like(point[x])
        for i in np.ndindex(point[x].shape):
            sums = []
            for step in (1e-5, -1e-5):
                moved = point[x].copy()
                moved[i] += step
                sums.append(session.run(None, {k: v for k, v in {**point, x: moved}.items() if k in known})[0].sum())
            expected[i] = (sums[0] - sums[1]) / 2e-5
        np.save(f"{root}/d_{x}.npy", expected)
        command.append(f"--expect=d_{x}=@{root}/d_{x}.npy")
    run(command)


AB = {"a": p(3, 4), "b": p(3, 4)}
for op in ("Add", "Sub", "Mul", "Div"):
    case(N(op, ["a", "b"], ["y"]), AB)
    # Broadcast: known extents of 1, and missing ones.
    case(N(op, ["a", "b"], ["y"]), {"a": p(3, 4), "b": p(1, 4)})
    case(N(op, ["a", "b"], ["y"]), {"a": p(4), "b": p(2, 3, 1)})
    case(N(op, ["a", "b"], ["y"]), {"a": p(), "b": p(2, 3)})
    # A symbol that both share.
    case(N(op, ["a", "b"], ["y"]), AB, dyn={"a": ["n", "m"], "b": ["n", "m"]})
for op in ("Abs", "Cos", "Exp", "Identity", "Log", "Neg", "Reciprocal", "Relu", "Sigmoid", "Sin", "Sqrt", "Tanh"):
    positive = op in ("Log", "Sqrt")
    case(N(op, ["a"], ["y"]), {"a": p(3, 5) * (1 if positive else rng.choice([-1, 1], (3, 5)))}, dyn=True)
case(N("Sum", ["a", "b", "a"], ["y"]), {"a": p(3, 4), "b": p(4)})
for a, b in (((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((1, 3, 4), (2, 4, 5)), ((3, 0), (0, 5))):
    case(N("MatMul", ["a", "b"], ["y"]), {"a": p(*a), "b": p(*b)})
case([N("MatMul", ["a", "b"], ["c"]), N("Mul", ["c", "c"], ["y"])], {"a": p(3, 4), "b": p(4, 5)},
     dyn={"a": ["m", "k"], "b": ["k", "n"]})
case([N("Transpose", ["a"], ["t"], perm=[1, 2, 0]), N("Reshape", ["t", "s"], ["r"]), N("Mul", ["r", "w"], ["y"])],
     {"a": p(2, 3, 4)}, {"s": np.array([4, 6]), "w": p(4, 6)}, dyn={"a": ["n", 3, 4]})
case([N("Unsqueeze", ["a", "i"], ["t"]), N("Exp", ["t"], ["u"]), N("Squeeze", ["u", "i"], ["v"]), N("Flatten", ["v"], ["w"]), N("Exp", ["w"], ["y"])],
     {"a": p(2, 3, 2)}, {"i": np.array([1])}, dyn=True)
for keep in (0, 1):
    case([N("ReduceSum", ["a", "i"], ["s"], keepdims=keep), N("Exp", ["s"], ["y"])], {"a": p(3, 4, 2)}, {"i": np.array([-1, 0])}, dyn=True)
    case([N("ReduceMean", ["a"], ["s"], keepdims=keep, axes=[1]), N("Exp", ["s"], ["y"])], {"a": p(3, 4, 2)}, dyn=True)
    case([N("ReduceMean", ["a"], ["s"], keepdims=keep), N("Exp", ["s"], ["y"])], {"a": p(3, 4)}, dyn=True)

# Several ways from x to y, and a tensor that is no input.
chain = [N("Add", ["a", "b"], ["c"]), N("Mul", ["c", "a"], ["d"]), N("Exp", ["c"], ["e"]), N("Div", ["d", "e"], ["y"])]
case(chain, AB)
case(chain, AB, xs=["a"], zs=["b"])
# At other values than the graph has.
case(chain, {**AB, "p": p(3, 4), "q": p(3, 4)}, xs=["a", "b"], at=["p", "q"])
# Nothing depends on b; y is x.
case(N("Exp", ["a"], ["y"]), AB)
case(N("Exp", ["a"], ["y"]), {"a": p(3, 4)}, y="a")

# What has no derivative is named; what is wrong, too.
path = f"{root}/bad.onnx"


def bad(nodes, gradient, code, says, dyn={}):
    gradient = N("Gradient", ["a"], ["g"], domain=DOMAIN, **gradient)
    onnx.save(model(nodes + [gradient], {"a": p(3)}, ["g"], {}, dyn), path)
    run([weft, "compile", path, "-o", root + "/bad.so"], code, says)


bad([N("CumSum", ["a", "i"], ["y"]), N("Constant", [], ["i"], value_int=0)][::-1], dict(xs=["a"], y="y"), 3, "there is no derivative of CumSum")
bad([N("Exp", ["a"], ["y"])], dict(xs=["a"], y="z"), 1, "'z', which no node of the graph gives")
bad([N("Exp", ["a"], ["y"])], dict(xs=["a", "y"], y="y"), 1, "1 inputs and 1 outputs for 2 tensors in 'xs'")
print(f"{count} cases as expected")
