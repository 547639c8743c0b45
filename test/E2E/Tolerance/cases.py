#!/usr/bin/env python3
#===- cases.py - What weft check --against=onnxruntime lets differ ----------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""The tolerance that weft check derives: right results pass, of floats and of codes, with large
and with small outputs, and the tolerance is printed. The same check against a model in which one
weight has another sign fails: a Python that is given the other model stands for ONNX Runtime.

Usage: cases.py WEFT-PROGRAM"""

import json
import os
import stat
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
rng = np.random.default_rng(7)
folder = tempfile.TemporaryDirectory()
failures = []


def floats(scale):
    """Two layers whose outputs are of the size of `scale`."""
    def build(change):
        w = rng_weights((32, 48), 1).astype(np.float32)
        change(w)
        v = (rng_weights((48, 24), 2) * scale).astype(np.float32)
        return [h.make_node("MatMul", ["x", "w"], ["a"]), h.make_node("Tanh", ["a"], ["b"]),
                h.make_node("MatMul", ["b", "v"], ["y"])], {"w": w, "v": v}, T.FLOAT
    return build


def rng_weights(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape) * 0.3


def codes(seed, shape, change):
    w = np.clip(np.rint(rng_weights(shape, seed) * 100), -127, 127).astype(np.int8)
    change(w)
    return w


def quantized(ends):
    """x, Q/DQ, MatMul with codes, then: floats, dequantized codes, or codes."""
    def build(change):
        constants = {"w": codes(3, (32, 24), change), "sx": np.float32(0.03), "zx": np.uint8(120),
                     "sw": np.float32(0.003), "sy": np.float32(0.02), "zy": np.uint8(128)}
        nodes = [h.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
                 h.make_node("DequantizeLinear", ["q", "sx", "zx"], ["xd"]),
                 h.make_node("DequantizeLinear", ["w", "sw"], ["wd"]),
                 h.make_node("MatMul", ["xd", "wd"], ["y" if ends == "floats" else "m"])]
        if ends != "floats":
            nodes.append(h.make_node("QuantizeLinear", ["m", "sy", "zy"], ["y" if ends == "codes" else "c"]))
        if ends == "dequantized":
            nodes.append(h.make_node("DequantizeLinear", ["c", "sy", "zy"], ["y"]))
        return nodes, constants, T.UINT8 if ends == "codes" else T.FLOAT
    return build


def dynamic(change):
    constants = {"w": codes(4, (32, 24), change), "sw": np.float32(0.003)}
    return [h.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            h.make_node("MatMulInteger", ["q", "w", "z"], ["i"]), h.make_node("Cast", ["i"], ["f"], to=T.FLOAT),
            h.make_node("Mul", ["s", "sw"], ["t"]), h.make_node("Mul", ["f", "t"], ["y"])], constants, T.FLOAT


def operators(change):
    constants = {"w": codes(5, (32, 24), change), "sx": np.float32(0.03), "zx": np.uint8(120),
                 "sw": np.float32(0.003), "zw": np.int8(0), "sy": np.float32(0.02), "zy": np.uint8(128)}
    return [h.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
            h.make_node("QLinearMatMul", ["q", "sx", "zx", "w", "sw", "zw", "sy", "zy"], ["c"]),
            h.make_node("DequantizeLinear", ["c", "sy", "zy"], ["y"])], constants, T.FLOAT


def negate_largest(w):
    at = np.unravel_index(np.argmax(np.abs(w)), w.shape)
    w[at] = -w[at]


def save(name, build, change):
    nodes, constants, kind = build(change)
    graph = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", T.FLOAT, ["n", 32])],
                         [h.make_tensor_value_info("y", kind, None)],
                         [nh.from_array(np.asarray(v), k) for k, v in constants.items()])
    path = f"{folder.name}/{name}.onnx"
    onnx.save(h.make_model(graph, ir_version=10, opset_imports=[h.make_opsetid("", 21)]), path)
    return path


def check(model, python=None, *options):
    environment = dict(os.environ, WEFT_PYTHON=python or sys.executable)
    record = f"{folder.name}/record.json"
    done = subprocess.run([weft, "check", model, "--against=onnxruntime", "--dim=n=40", f"--json={record}",
                           *options], capture_output=True, text=True, check=False, env=environment)
    with open(record, encoding="utf-8") as file:
        case = json.load(file)["cases"][0]
    return done.returncode, done.stdout, case


def case(name, build, says):
    model = save(name, build, lambda w: None)
    code, text, record = check(model)
    if code or says not in text or f"tolerance: {record['tolerance']}" not in text:
        failures.append(name)
        print("FAIL", name, code, text)
    # A Python that runs the other model.
    wrong = save(f"{name}-wrong", build, negate_largest)
    python = f"{folder.name}/{name}.sh"
    with open(python, "w", encoding="utf-8") as file:
        file.write(f"""#!/bin/sh
for word do
  shift
  [ "$word" = "{model}" ] && word="{wrong}"
  set -- "$@" "$word"
done
exec "{sys.executable}" "$@"
""")
    os.chmod(python, os.stat(python).st_mode | stat.S_IXUSR)
    code, text, _ = check(model, python)
    if code != 4:
        failures.append(name)
        print("FAIL", name, "does not see a wrong weight:", text)


case("large", floats(1e4), "rtol 0.001, atol")
case("small", floats(1e-6), "atol 1e-07")
case("floats", quantized("floats"), "(8/255 of the range)")
case("dequantized", quantized("dequantized"), "0.04 (2 codes)")
case("codes", quantized("codes"), "2 (2 codes)")
case("dynamic", dynamic, "(8/255 of the range)")
case("operators", operators, "0.04 (2 codes)")
# What is given is taken as it is.
given = check(save("given", floats(1), lambda w: None), None, "--atol=1e-4")
if given[0] or given[2]["tolerance"]:
    failures.append("given")
    print("FAIL given", given)
sys.exit(f"{len(failures)} failed" if failures else print("tolerances: ok"))
