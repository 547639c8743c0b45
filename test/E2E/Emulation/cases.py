#!/usr/bin/env python3
#===- cases.py - Device kernels on the emulation against the CPU ------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles models for the CPU and for the emulation of a GPU and runs both on the
same inputs: what moves data or computes integers is bit-equal, floats agree within a
bound of the number of terms, and results have the same bits for every number of
threads. Transfers are counted.

Usage: cases.py WEFT-PROGRAM"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
root = folder.name
rng = np.random.default_rng(5)
N = h.make_node
failures = []
count = 0


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def call(*arguments):
    done = subprocess.run([weft, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"weft {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def run(module, inputs, out, *flags):
    os.makedirs(out, exist_ok=True)
    call("run", module, f"--output-dir={out}", *flags,
         *[f"--input={name}=@{path}" for name, path in inputs.items()])
    return {name: np.load(f"{out}/{name}") for name in sorted(os.listdir(out))}


def case(name, nodes, inputs, outputs, consts={}, terms=0, dynamic=True):
    """`terms`: how many products a float is the sum of; 0 where bits are equal."""
    global count
    for free in ((False, True) if dynamic else (False,)):
        path = f"{root}/{count:03d}_{name}"
        count += 1
        os.makedirs(path)
        info = [h.make_tensor_value_info(
            k, h.np_dtype_to_tensor_dtype(v.dtype),
            [f"{k}_{i}" for i in range(v.ndim)] if free else v.shape) for k, v in inputs.items()]
        graph = h.make_graph(nodes, "g", info, [h.make_tensor_value_info(k, t, None)
                                                for k, t in outputs.items()],
                             [nh.from_array(np.asarray(v), k) for k, v in consts.items()])
        onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=8),
                  path + "/model.onnx")
        files = {}
        for k, v in inputs.items():
            files[k] = f"{path}/{k}.npy"
            np.save(files[k], v)
        try:
            results = {}
            for target in ("cpu", "emulation"):
                call("compile", path + "/model.onnx", f"--target={target}", f"-o{path}/{target}.so")
                for threads in (1, 3):
                    results[target, threads] = run(f"{path}/{target}.so", files,
                                                   f"{path}/{target}{threads}",
                                                   f"--threads={threads}")
            compare(name, results, terms)
        except RuntimeError as error:
            failures.append(f"{name}{' (free extents)' if free else ''}: {error}")


def compare(name, results, terms):
    want, got = results["cpu", 1], results["emulation", 1]
    assert want.keys() == got.keys()
    for key, value in want.items():
        if value.dtype != got[key].dtype or value.shape != got[key].shape:
            raise RuntimeError(f"{key} is {got[key].dtype}{got[key].shape}, "
                               f"expected {value.dtype}{value.shape}")
        if got[key].tobytes() != results["emulation", 3][key].tobytes():
            raise RuntimeError(f"{key} differs between 1 and 3 threads")
        if terms == 0 or value.dtype.kind != "f":
            if value.tobytes() != got[key].tobytes():
                raise RuntimeError(f"{key} is not bit-equal:\n{got[key]}\n{value}")
            continue
        bound = 2.0 ** -24 * (terms + 16) * 4
        scale = np.maximum(np.abs(value.astype(np.float64)), np.abs(value).max(initial=1e-30))
        error = np.abs(value.astype(np.float64) - got[key]) / scale
        if not (error <= bound).all() or np.isnan(got[key]).any() != np.isnan(value).any():
            raise RuntimeError(f"{key} is off by {np.nanmax(error):.3g}, at most {bound:.3g}")


F, I, B = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.BOOL

case("add", [N("Add", ["x", "y"], ["z"])], {"x": f32(7, 33), "y": f32(7, 33)}, {"z": F}, dynamic=False)
case("exp", [N("Exp", ["x"], ["t"]), N("Tanh", ["t"], ["y"])], {"x": f32(5, 3, 17)}, {"y": F}, terms=1)
case("empty", [N("Exp", ["x"], ["y"])], {"x": f32(0, 4)}, {"y": F}, terms=1)
case("scalar", [N("Neg", ["x"], ["y"])], {"x": f32()}, {"y": F})
case("cast", [N("Cast", ["x"], ["t"], to=I), N("Mul", ["t", "t"], ["y"])], {"x": f32(9, 9) * 100}, {"y": I})
case("matmul", [N("MatMul", ["x", "w"], ["y"])], {"x": f32(5, 37)}, {"y": F},
     {"w": f32(37, 41)}, terms=37)
case("large_weight", [N("MatMul", ["x", "w"], ["t"]), N("Relu", ["t"], ["u"]), N("MatMul", ["u", "v"], ["y"])],
     {"x": f32(3, 64)}, {"y": F}, {"w": f32(64, 96), "v": f32(96, 10)}, terms=1024)
case("softmax", [N("Softmax", ["x"], ["y"], axis=-1)], {"x": f32(6, 45)}, {"y": F}, terms=45)
case("norm", [N("LayerNormalization", ["x", "g", "b"], ["y"], axis=-1)], {"x": f32(4, 70)}, {"y": F},
     {"g": f32(70), "b": f32(70)}, terms=70, dynamic=False)
case("reduce", [N("ReduceSum", ["x", "a"], ["y"], keepdims=0)], {"x": f32(3, 50, 4)}, {"y": F},
     {"a": np.array([1], np.int64)}, terms=50)
case("integers", [N("ReduceMax", ["x", "a"], ["y"], keepdims=0), N("ArgMax", ["x"], ["z"], axis=2)],
     {"x": rng.integers(-50, 50, (3, 5, 31))}, {"y": I, "z": I}, {"a": np.array([1], np.int64)})
case("transpose", [N("Transpose", ["x"], ["y"], perm=[2, 0, 1])], {"x": f32(3, 5, 7)}, {"y": F})
case("gather", [N("Gather", ["x", "i"], ["y"], axis=1)],
     {"x": f32(4, 9, 3), "i": rng.integers(-9, 9, (2, 5))}, {"y": F})
case("concat", [N("Concat", ["x", "y", "x"], ["z"], axis=1)], {"x": f32(3, 2), "y": f32(3, 5)}, {"z": F},
     dynamic=False)
case("conv", [N("Conv", ["x", "w", "b"], ["y"], pads=[1, 1, 1, 1])], {"x": f32(2, 3, 9, 11)}, {"y": F},
     {"w": f32(4, 3, 3, 3), "b": f32(4)}, terms=27, dynamic=False)
case("pool", [N("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2])], {"x": f32(2, 3, 9, 11)},
     {"y": F}, dynamic=False)
case("top_k", [N("TopK", ["x", "k"], ["v", "i"], axis=-1)], {"x": f32(4, 33)}, {"v": F, "i": I},
     {"k": np.array([5], np.int64)})
case("nonzero", [N("NonZero", ["x"], ["y"])], {"x": rng.integers(0, 2, (5, 13))}, {"y": I})
case("cumsum", [N("CumSum", ["x", "a"], ["y"])], {"x": rng.integers(0, 9, (5, 13))}, {"y": I},
     {"a": np.array(1, np.int64)})
case("scatter", [N("ScatterND", ["x", "i", "u"], ["y"])],
     {"x": f32(8, 3), "i": np.array([[1], [7], [4]]), "u": f32(3, 3)}, {"y": F})
case("where", [N("Greater", ["x", "y"], ["c"]), N("Where", ["c", "x", "y"], ["z"])],
     {"x": f32(4, 5), "y": f32(4, 5)}, {"c": B, "z": F}, dynamic=False)


def branch(value):
    return h.make_graph([N("Mul", ["x", "k"], ["r"])], "b", [], [h.make_tensor_value_info("r", F, None)],
                        [nh.from_array(np.float32(value), "k")])


case("if", [N("ReduceMax", ["x"], ["m"], keepdims=0), N("Greater", ["m", "t"], ["c"]),
            N("If", ["c"], ["y"], then_branch=branch(2), else_branch=branch(-1))],
     {"x": f32(6, 5)}, {"y": F}, {"t": np.float32(0)})
body = h.make_graph(
    [N("Add", ["s", "x"], ["s_out"]), N("Identity", ["c"], ["c_out"]), N("Identity", ["s_out"], ["scan"])],
    "body",
    [h.make_tensor_value_info("i", I, []), h.make_tensor_value_info("c", B, []),
     h.make_tensor_value_info("s", F, None)],
    [h.make_tensor_value_info("c_out", B, []), h.make_tensor_value_info("s_out", F, None),
     h.make_tensor_value_info("scan", F, None)])
case("loop", [N("Loop", ["trips", "", "x"], ["last", "all"], body=body)],
     {"x": f32(3, 4), "trips": np.array(4)}, {"last": F, "all": F}, terms=4, dynamic=False)
case("shape", [N("Shape", ["x"], ["s"]), N("Reshape", ["x", "t"], ["y"])], {"x": f32(4, 6)}, {"s": I, "y": F},
     {"t": np.array([-1, 3], np.int64)})


def count_transfers():
    """One to the device for each input, none for weights, one back; all with a reason."""
    path = next(f"{root}/{name}" for name in sorted(os.listdir(root)) if name.endswith("large_weight"))
    device = json.loads(call("inspect", "--json", path + "/emulation.so"))["device"]
    found = [(t["direction"], t["value"], t["bytes"]) for t in device["transfers"]]
    if found != [("to device", "x", "768"), ("to host", "y", "120")]:
        raise RuntimeError(f"transfers are {found}")
    if not all(t["reason"] for t in device["transfers"]) or not device["kernels"]:
        raise RuntimeError(f"no reasons or kernels: {device}")
    done = subprocess.run([weft, "run", path + "/emulation.so", f"--input=x=@{path}/x.npy", "--device=cuda:0"],
                          capture_output=True, text=True)
    if done.returncode == 0 or "has no code for 'cuda:0', only for emulation" not in done.stderr:
        raise RuntimeError(f"--device=cuda:0: {done.stderr}")


try:
    count_transfers()
except (RuntimeError, KeyError) as error:
    failures.append(f"transfers: {error}")
print(f"{count} models, {len(failures)} failures")
for line in failures:
    print(line)
sys.exit(bool(failures))
