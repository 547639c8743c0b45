#!/usr/bin/env python3
#===- cases.py - If whose branches differ -----------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles models with If nodes whose branches give tensors of different ranks,
or of which one is invalid for the shapes at hand; runs them for inputs that take
either branch and compares with onnxruntime, or with the message expected.

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
rng = np.random.default_rng(3)
N = h.make_node
F, L, B = T.FLOAT, T.INT64, T.BOOL
runs = 0


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def value(name, type=F, shape=None):
    if shape is None:
        return h.make_empty_tensor_value_info(name)
    return h.make_tensor_value_info(name, type, shape)


def branch(*nodes, outputs, inits=None):
    constants = [nh.from_array(np.asarray(v), k) for k, v in (inits or {}).items()]
    return h.make_graph(list(nodes), "branch", [], [value(o) for o in outputs], constants)


def squeeze(x, y, axis, name):
    """torch's squeeze(axis): Squeeze if the extent is 1, else Identity."""
    c = [
        N("Shape", [x], [name + "_shape"]),
        N("Gather", [name + "_shape", name + "_axis"], [name + "_extent"], axis=0),
        N("Equal", [name + "_extent", name + "_one"], [name + "_bit"]),
        N("Constant", [], [name + "_axis"], value=nh.from_array(np.array([axis]))),
        N("Constant", [], [name + "_one"], value=nh.from_array(np.array([1]))),
    ]
    return [c[3], c[4], *c[:3]] + [
        N("If", [name + "_bit"], [y], name=name,
          then_branch=branch(N("Squeeze", [x, name + "_axis"], [y + "_t"]), outputs=[y + "_t"]),
          else_branch=branch(N("Identity", [x], [y + "_e"]), outputs=[y + "_e"]))
    ]


def build(name, nodes, inputs, outputs, inits=None, functions=()):
    path = f"{root}/{name}.onnx"
    graph = h.make_graph(
        nodes, "g", inputs, outputs,
        [nh.from_array(np.asarray(v), k) for k, v in (inits or {}).items()])
    opsets = [h.make_opsetid("", 17)] + ([h.make_opsetid("local", 1)] if functions else [])
    onnx.save(h.make_model(graph, opset_imports=opsets, ir_version=8, functions=functions), path)
    return path


def compile(path, *options, code=0, says=()):
    """Compiles; the messages have to be among what is said."""
    module = path.replace(".onnx", ".so")
    run = subprocess.run([weft, "compile", path, "-o", module, *options],
                         capture_output=True, text=True, timeout=300)
    if run.returncode != code or any(text not in run.stderr for text in says):
        sys.exit(f"compile {path} {options}: expected exit code {code} and {says}, got {run.returncode}:\n{run.stderr}")
    return module


def check(path, feeds, *options, module=None, expect=None, fails=None, says=()):
    """Runs with `feeds`: as expected, by default of onnxruntime, or failing with
    a message."""
    global runs
    runs += 1
    module = module or compile(path, *options, says=says)
    command = [weft, "run", module, "--quiet", "--rtol=1e-5", "--atol=1e-5"]
    for key, v in feeds.items():
        np.save(f"{root}/{key}.npy", v)
        command.append(f"--input={key}=@{root}/{key}.npy")
    if fails is None:
        if expect is None:
            options = ort.SessionOptions()
            options.log_severity_level = 4
            session = ort.InferenceSession(path, options)
            expect = dict(zip((o.name for o in session.get_outputs()), session.run(None, feeds)))
        for key, v in expect.items():
            np.save(f"{root}/{key}.npy", v)
            command.append(f"--expect={key}=@{root}/{key}.npy")
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    ok = run.returncode == 0 if fails is None else run.returncode == 1 and fails in run.stderr
    if not ok:
        sys.exit(f"{' '.join(command)}: expected {fails or 'success'}, got {run.returncode}:\n{run.stdout}{run.stderr}")


X = [value("x", F, ["a", 4, "t"])]
x1, x3 = f(2, 4, 1), f(2, 4, 3)

# Both ranks are valid for what follows, and give the same rank in the end.
path = build("both", squeeze("x", "s", -1, "sq") + [N("Relu", ["s"], ["r"]), N("ReduceSum", ["r"], ["y"], keepdims=0)],
             X, [value("y", F, [])])
module = compile(path)
for x in (x1, x3, f(0, 4, 1), f(1, 4, 0)):
    check(path, {"x": x}, module=module)
# The same with the extent known: no branch is left.
check(path, {"x": x1}, "--dim=t=1")
check(path, {"x": x3}, "--dim=t=3")

# Both are valid; the extent of the output is known in one branch only.
path = build("extent", squeeze("x", "s", -1, "sq") + [N("Shape", ["s"], ["n"]), N("Size", ["n"], ["k"]), N("Reshape", ["s", "shape"], ["y"])],
             X, [value("y", F, [None, None]), value("k", L, [])], {"shape": np.array([2, -1])})
module = compile(path)
for x in (x1, x3):
    check(path, {"x": x}, module=module)

# Only one rank is valid for what follows.
path = build("one", squeeze("x", "s", -1, "sq") + [N("Gemm", ["s", "w"], ["y"], name="gemm")], X,
             [value("y", F, [None, 5])], {"w": f(4, 5)})
module = compile(path, says=["warning", "'sq' (If)", "the else branch gives a tensor of rank 3", "'gemm' (Gemm)"])
check(path, {"x": x1}, module=module)
check(path, {"x": x3}, module=module, fails="the else branch gives a tensor of rank 3, with which the nodes that follow are invalid: node 'gemm' (Gemm)")
check(path, {"x": x1}, "--dim=t=1")
compile(path, "--dim=t=3", code=1, says=["node 'gemm' (Gemm)"])

# No rank is valid.
path = build("neither", squeeze("x", "s", 0, "sq") + [N("MatMul", ["s", "w"], ["y"], name="mm")],
             [value("x", F, ["a", 4, 6])], [value("y")], {"w": f(7, 5)})
compile(path, code=1, says=["node 'mm' (MatMul)"])

# The rank that is declared for the output decides, if any is.
path = build("declared", squeeze("x", "y", -1, "sq"), X, [value("y", F, [None, None])])
module = compile(path, says=["output 'y' is a tensor of rank 3, but is declared of rank 2"])
check(path, {"x": x1}, module=module)
check(path, {"x": x3}, module=module, fails="declared of rank 2")
path = build("undeclared", squeeze("x", "y", -1, "sq"), X, [value("y")])
compile(path, code=3, says=["'If'", "a tensor of rank 2 and a tensor of rank 3"])
check(path, {"x": x3}, "--dim=t=3")

# Several Ifs: of one condition, which is decided once, and of different ones.
path = build("same", squeeze("x", "s", 2, "p") + squeeze("z", "t", 2, "q") + [N("Add", ["s", "t"], ["u"]), N("ReduceMax", ["u"], ["y"], keepdims=0)],
             [*X, value("z", F, ["a", 4, "t"])], [value("y", F, [])])
module = compile(path)
for x in (x1, x3):
    check(path, {"x": x, "z": x + 1}, module=module)
path = build("nested", squeeze("x", "s", 2, "p") + squeeze("s", "t", 0, "q") + [N("ReduceMean", ["t"], ["y"], keepdims=0)],
             X, [value("y", F, [])])
module = compile(path)
for x in (x1, x3, f(1, 4, 1), f(1, 4, 3)):
    check(path, {"x": x}, module=module)

# Within the body of a loop, and of a function.
body = h.make_graph(squeeze("x", "s", -1, "sq") + [N("ReduceMax", ["s"], ["m"], keepdims=0), N("Add", ["c", "m"], ["d"]), N("Identity", ["k"], ["l"]), N("Identity", ["d"], ["e"])],
                    "body", [value("i", L, []), value("k", B, []), value("c", F, [])],
                    [value("l", B, []), value("d", F, []), value("e", F, [])])
path = build("loop", [N("Loop", ["n", "", "c0"], ["y", "z"], body=body)], [*X, value("n", L, [])],
             [value("y", F, []), value("z", F, [None])], {"c0": np.float32(0.5)})
module = compile(path)
for x in (x1, x3):
    check(path, {"x": x, "n": np.array(3)}, module=module)
function = h.make_function("local", "F", ["x"], ["y"], squeeze("x", "s", -1, "sq") + [N("ReduceMin", ["s"], ["y"], keepdims=0)],
                           [h.make_opsetid("", 17)])
path = build("function", [N("F", ["x"], ["v"], domain="local"), N("Neg", ["v"], ["y"])], X, [value("y", F, [])], functions=[function])
module = compile(path)
for x in (x1, x3):
    check(path, {"x": x}, module=module)

# A branch that is invalid for the shapes, on either side; onnxruntime refuses these.
w4 = f(4, 3)
for name, good in (("else", "then"), ("then", "else")):
    graphs = {good: branch(N("MatMul", ["x", "w4"], ["g"], name="good"), outputs=["g"]),
              name: branch(N("MatMul", ["x", "w8"], ["h"], name="bad"), outputs=["h"])}
    path = build("invalid_" + name, [N("Equal", ["sr", "r"], ["c"]),
                                     N("If", ["c"], ["m"], name="rate", then_branch=graphs["then"], else_branch=graphs["else"]), N("Relu", ["m"], ["y"])],
                 [value("x", F, ["a", 4]), value("sr", L, [])], [value("y", F, [None, 3])],
                 {"r": np.array(16000), "w4": w4, "w8": f(8, 3)})
    module = compile(path, says=["warning", "'rate' (If)", f"the {name} branch is invalid: node 'bad' (MatMul)"])
    rates = {"then": np.array(16000), "else": np.array(8000)}
    for x in (f(5, 4), f(0, 4)):
        check(path, {"x": x, "sr": rates[good]}, module=module, expect={"y": np.maximum(x @ w4, 0)})
    check(path, {"x": f(5, 4), "sr": rates[name]}, module=module, fails=f"the {name} branch is invalid: node 'bad' (MatMul)")
# Of two free extents the run has to tell which branch is valid.
path = build("open", [N("If", ["c"], ["y"], then_branch=branch(N("MatMul", ["x", "w4"], ["g"]), outputs=["g"]), else_branch=branch(N("MatMul", ["x", "w8"], ["h"]), outputs=["h"]))],
             [value("x", F, ["a", "b"]), value("c", B, [])], [value("y", F, [None, 3])], {"w4": f(4, 3), "w8": f(8, 3)})
module = compile(path)
check(path, {"x": f(5, 4), "c": np.array(True)}, module=module)
check(path, {"x": f(5, 8), "c": np.array(False)}, module=module)
check(path, {"x": f(5, 8), "c": np.array(True)}, module=module, fails="MatMul")
# Both branches are invalid: all that is wrong is said.
bad = [branch(N("MatMul", ["x", w], ["g" + w], name="bad_" + w), outputs=["g" + w]) for w in ("w8", "w9")]
path = build("invalid", [N("If", ["c"], ["y"], then_branch=bad[0], else_branch=bad[1])],
             [value("x", F, ["a", 4]), value("c", B, [])], [value("y", F, [None, 3])], {"w8": f(8, 3), "w9": f(9, 3)})
compile(path, code=1, says=["'bad_w8' (MatMul)", "'bad_w9' (MatMul)"])
# What cannot be imported at all stays the model's problem, in a branch too.
path = build("unknown", [N("If", ["c"], ["y"], then_branch=branch(N("Relu", ["x"], ["g"]), outputs=["g"]), else_branch=branch(N("NoSuchOp", ["x"], ["h"], name="odd"), outputs=["h"]))],
             [value("x", F, ["a", 4]), value("c", B, [])], [value("y", F, [None, 4])])
compile(path, code=3, says=["'NoSuchOp'", "'odd'"])
print(f"{runs} runs as expected")
