#!/usr/bin/env python3
#===- cases.py - Modules for several processors ----------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles models for several processors at once and for each of them alone, and
runs every variant that this machine has: its results have the bits of the module
for it alone, for every number of threads, and are near those of NumPy. Then checks
that weights are in a module once, that an object to link is the same, and what is
refused.

Usage: cases.py WEFT-PROGRAM RUNTIME-LIBRARY C-COMPILER"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper as h
from onnx import numpy_helper as nh

weft, runtime, compiler = sys.argv[1:4]
folder = tempfile.TemporaryDirectory()
root = folder.name
rng = np.random.default_rng(5)
N = h.make_node
LEVELS = ["x86-64-v2", "x86-64-v3", "x86-64-v4"]


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def call(*arguments, code=0, cpu=None, threads=2):
    environment = dict(os.environ)
    environment.pop("WEFT_CPU", None)
    if cpu:
        environment["WEFT_CPU"] = cpu
    result = subprocess.run([weft, *arguments], env=environment, capture_output=True, text=True)
    assert result.returncode == code, (arguments, cpu, result.stdout, result.stderr)
    return result


def model(name, nodes, inputs, outputs, weights, extent):
    """Writes a model whose inputs' first extent is `extent`, or their own."""
    graph = h.make_graph(
        nodes, name,
        [h.make_tensor_value_info(key, h.np_dtype_to_tensor_dtype(value.dtype),
                                  [extent or value.shape[0], *value.shape[1:]]) for key, value in inputs.items()],
        [h.make_tensor_value_info(key, h.np_dtype_to_tensor_dtype(value.dtype),
                                  [None] * value.ndim) for key, value in outputs.items()],
        [nh.from_array(value, key) for key, value in weights.items()])
    path = f"{root}/{name}.onnx"
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=8), path)
    return path


def run(module, inputs, cpu, threads):
    """The bytes of each output file."""
    arguments = []
    for key, value in inputs.items():
        np.save(f"{root}/{key}.npy", value)
        arguments.append(f"--input={key}=@{root}/{key}.npy")
    out = f"{root}/out"
    call("run", module, *arguments, f"--output-dir={out}", f"--threads={threads}", cpu=cpu)
    files = {name: open(f"{out}/{name}", "rb").read() for name in sorted(os.listdir(out))}
    for name in files:
        os.remove(f"{out}/{name}")
    return files


def size(module):
    return os.path.getsize(module)


def levels_here():
    """The levels that this machine runs, from a module with all of them."""
    x = f(3, 4)
    path = model("levels", [N("Neg", ["x"], ["y"])], {"x": x}, {"y": -x}, {}, "n")
    module = f"{root}/levels.so"
    call("compile", path, "--cpu=" + ",".join(LEVELS), "--quiet", "-o", module)
    variants = json.loads(call("inspect", "--json", module).stdout)["variants"]
    assert [variant["cpu"] for variant in variants] == LEVELS[::-1], variants
    best = next(i for i, variant in enumerate(variants) if variant["chosen"])
    for variant in variants[:best]:
        error = call("run", module, "--input=3x4xf32=1", cpu=variant["cpu"], code=1).stderr
        assert f"{variant['cpu']} (from WEFT_CPU) needs" in error, error
        assert "which it lacks" in error and error.count("\n") == 1, error
    return [variant["cpu"] for variant in variants[best:]]


def check(name, nodes, inputs, outputs, weights, tolerance=1e-4, extent="n"):
    path = model(name, nodes, inputs, outputs, weights, extent)
    together = f"{root}/{name}.so"
    call("compile", path, "--cpu=" + ",".join(LEVELS), "--quiet", "-o", together)
    reversed_list = f"{root}/{name}-reversed.so"
    call("compile", path, "--cpu=" + ",".join(LEVELS[::-1]), "--jobs=3", "--quiet",
         "-o", reversed_list)
    assert open(together, "rb").read() == open(reversed_list, "rb").read(), name
    for cpu in HERE:
        alone = f"{root}/{name}-{cpu}.so"
        call("compile", path, f"--cpu={cpu}", "--quiet", "-o", alone)
        expected = run(alone, inputs, None, 1)
        for threads in (1, 2, 3):
            assert run(together, inputs, cpu, threads) == expected, (name, cpu, threads)
        for key, value in outputs.items():
            np.save(f"{root}/expected.npy", value)
        call("run", together, *[f"--input={key}=@{root}/{key}.npy" for key in inputs],
             f"--expect=@{root}/expected.npy", f"--rtol={tolerance}", f"--atol={tolerance}", cpu=cpu)
    # Without being asked, the best one.
    assert run(together, inputs, None, 2) == run(together, inputs, HERE[0], 2), name
    print(f"{name}: {', '.join(HERE)} ok")
    return together


HERE = levels_here()
print("this machine runs", ", ".join(HERE))

# A dynamic number of rows through a product, a normalization and a product with
# scratch memory of other sizes in each variant; 1.2 MB of weights.
x, w, v, b = f(37, 300), f(300, 511), f(511, 301) / 20, f(511)
t = np.maximum(x.astype(np.float64) @ w + b, 0)
e = np.exp(t - t.max(-1, keepdims=True))
e /= e.sum(-1, keepdims=True)
mlp = check("mlp", [N("MatMul", ["x", "w"], ["p"]), N("Add", ["p", "b"], ["q"]), N("Relu", ["q"], ["r"]),
                    N("Softmax", ["r"], ["s"], axis=-1), N("MatMul", ["s", "v"], ["y"])],
            {"x": x}, {"y": (e @ v).astype(np.float32)}, {"w": w, "v": v, "b": b})

# Weights are there once, and so is the host function.
alone = {cpu: size(f"{root}/mlp-{cpu}.so") for cpu in HERE}
weights = w.nbytes + v.nbytes + b.nbytes
assert weights < size(mlp) < weights + sum(alone.values()) - len(alone) * weights + 64 * 1024, \
    (size(mlp), alone, weights)

# Weights that are computed while compiling, by sums whose order would depend on
# the processor, are the same for all.
big = f(4096, 33)
x = f(5, 33)
check("derived", [N("ReduceSum", ["big", "axes"], ["sum"], keepdims=0), N("Div", ["sum", "c"], ["mean"]),
                  N("Exp", ["mean"], ["scale"]), N("Mul", ["x", "scale"], ["y"])],
      {"x": x}, {"y": x * np.exp(big.astype(np.float64).sum(0) / 9).astype(np.float32)},
      {"big": big, "axes": np.array([0]), "c": np.float32(9)}, 1e-3)

# A convolution with odd extents.
x, w = f(2, 3, 17, 13), f(7, 3, 3, 3)
padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
check("convolution", [N("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])], {"x": x},
      {"y": np.einsum("nchwij,ocij->nohw", windows, w)}, {"w": w})

# No rows at all.
check("empty", [N("MatMul", ["x", "w"], ["y"])], {"x": f(0, 8)}, {"y": f(0, 9)}, {"w": f(8, 9)})

# A model without kernels has variants all the same.
x = np.arange(6, dtype=np.int64).reshape(2, 3)
check("shape", [N("Shape", ["x"], ["y"])], {"x": x}, {"y": np.array([2, 3])}, {})

# Integers, and an operation that only its reference lowering computes, in one
# variant as in all.
x = rng.integers(-100, 100, (6, 50)).astype(np.int32)
check("integers", [N("CumSum", ["x", "axis"], ["s"]), N("Mod", ["s", "m"], ["y"])],
      {"x": x}, {"y": (np.cumsum(x, 1) % 7).astype(np.int32)}, {"axis": np.array(1), "m": np.int32(7)})

# A kernel that copies its result before and after its parallel loop, two tiles of
# columns with AVX2: one step of an LSTM without recurrent weights.
x, w = f(1, 2, 4), f(1, 12, 4)
i, o, _, c = np.split(x[0] @ w[0].T, 4, axis=-1)
sigmoid = lambda value: 1 / (1 + np.exp(-value))
y = sigmoid(o) * np.tanh(sigmoid(i) * np.tanh(c))
check("lstm", [N("LSTM", ["x", "w", "r", "b"], ["", "y"], hidden_size=3)],
      {"x": x, "w": w, "r": np.zeros((1, 12, 3), np.float32), "b": np.zeros((1, 24), np.float32)},
      {"y": y[None]}, {}, extent=None)

# An object, linked into a program's own library.
path = f"{root}/mlp.onnx"
call("compile", path, "--cpu=x86-64-v3,x86-64-v4", "--emit=obj", "--quiet", "-o", f"{root}/mlp.o")
subprocess.run([compiler, "-shared", "-o", f"{root}/libmlp.so", f"{root}/mlp.o",
                "-Wl,--undefined=weft_module_query_mlp"], check=True)
linked = ctypes.CDLL(f"{root}/libmlp.so")
library = ctypes.CDLL(runtime)


class Options(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("allocator", ctypes.c_void_p), ("log", ctypes.c_void_p), ("log_user", ctypes.c_void_p),
                ("weights_path", ctypes.c_char_p), ("weights_data", ctypes.c_void_p),
                ("weights_size", ctypes.c_uint64), ("cpu", ctypes.c_char_p)]


library.weft_module_load_static.restype = ctypes.c_void_p
library.weft_module_variant.restype = ctypes.POINTER(ctypes.c_char_p)
library.weft_module_variant.argtypes = [ctypes.c_void_p]
query = ctypes.cast(linked.weft_module_query_mlp, ctypes.c_void_p)
for cpu in [None] + [level for level in HERE if level != "x86-64-v2"]:
    options = Options(struct_size=ctypes.sizeof(Options), cpu=cpu.encode() if cpu else None)
    module = ctypes.c_void_p()
    error = library.weft_module_load_static(query, ctypes.byref(options), ctypes.byref(module))
    assert not error, cpu
    taken = library.weft_module_variant(module)[0].decode()
    assert taken == (cpu or HERE[0]), (taken, cpu)
print("linked object: ok")
