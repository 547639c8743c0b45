#!/usr/bin/env python3
#===- cases.py - Normalizations and reductions of rows against NumPy --------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs normalizations with what stands before and after them, of
odd, empty and dynamic extents, and compares with the same in NumPy's float64.
Then checks that the results have the same bits for one thread and for two.

Usage: cases.py WEFT-PROGRAM"""

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
rng = np.random.default_rng(11)
count = 0
N = h.make_node


def f(*shape, dtype=np.float32, shift=0.0):
    return (rng.standard_normal(shape) + shift).astype(dtype)


def case(name, nodes, inputs, outputs, consts={}, opset=18):
    """Writes a case twice: with the extents of its inputs, and with free ones."""
    global count
    for dynamic in (False, True):
        def info(key, value):
            extents = [f"{key}_{i}" for i in range(value.ndim)] if dynamic else value.shape
            return h.make_tensor_value_info(key, h.np_dtype_to_tensor_dtype(value.dtype), extents)

        graph = h.make_graph(
            nodes, "g", [info(k, v) for k, v in inputs.items()],
            [h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype), [None] * v.ndim)
             for k, v in outputs.items()],
            [nh.from_array(np.asarray(v), k) for k, v in consts.items()])
        model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8)
        path = f"{root}/{count:03d}_{name}"
        count += 1
        os.makedirs(path + "/test_data_set_0")
        onnx.save(model, path + "/model.onnx")
        for kind, values in (("input", inputs), ("output", outputs)):
            for i, (key, value) in enumerate(values.items()):
                with open(f"{path}/test_data_set_0/{kind}_{i}.pb", "wb") as file:
                    file.write(nh.from_array(value, key).SerializeToString())


def wide(x):
    return x.astype(np.float64)


def layer_norm(x, w, b, axes=(-1,), epsilon=1e-5):
    x = wide(x)
    mean = x.mean(axis=axes, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * wide(w) + wide(b)


def softmax(x, log=False):
    x = wide(x)
    x = x - x.max(axis=-1, keepdims=True)
    y = x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
    return y if log else np.exp(y)


# Rows shorter than a vector, odd, just over a power of two, long; many and few
# rows, and none.
shapes = [(3, 1), (5, 7), (2, 3, 37), (1, 257), (300, 33), (2, 2, 2050), (0, 19), (2, 0, 5)]
for shape in shapes:
    x, r = f(*shape, shift=3), f(*shape)
    w, b = f(shape[-1]), f(shape[-1])
    case("layernorm", [N("LayerNormalization", ["x", "w", "b"], ["y"], axis=-1)],
         {"x": x}, {"y": layer_norm(x, w, b).astype(np.float32)}, {"w": w, "b": b})
    # The sum lives on beside its normalization, as in transformers.
    case("residual",
         [N("Add", ["x", "r"], ["s"]),
          N("LayerNormalization", ["s", "w", "b"], ["n"], axis=-1),
          N("Tanh", ["n"], ["y"])],
         {"x": x, "r": r},
         {"y": np.tanh(layer_norm(x + r, w, b)).astype(np.float32), "s": x + r}, {"w": w, "b": b})
    # RMS normalization in the pieces that exporters write.
    square = (wide(x) ** 2).mean(axis=-1, keepdims=True)
    case("rmsnorm",
         [N("Pow", ["x", "two"], ["p"]), N("ReduceMean", ["p", "axes"], ["m"], keepdims=1),
          N("Add", ["m", "eps"], ["e"]), N("Sqrt", ["e"], ["q"]), N("Reciprocal", ["q"], ["i"]),
          N("Mul", ["x", "i"], ["n"]), N("Mul", ["w", "n"], ["y"])],
         {"x": x}, {"y": (wide(x) / np.sqrt(square + 1e-6) * wide(w)).astype(np.float32)},
         {"w": w, "two": np.float32(2), "eps": np.float32(1e-6), "axes": np.array([-1])})
    # Scale and mask before the softmax, a sum over it after.
    mask = np.where(rng.random(shape) < 0.3, np.float32(-1e4), np.float32(0)).astype(np.float32)
    y = softmax(wide(x) * 0.125 + mask)
    case("attention",
         [N("Mul", ["x", "c"], ["s"]), N("Add", ["s", "m"], ["t"]),
          N("Softmax", ["t"], ["y"], axis=-1), N("Mul", ["y", "r"], ["v"]),
          N("ReduceSum", ["v", "axes"], ["z"], keepdims=0)],
         {"x": x, "m": mask, "r": r},
         {"y": y.astype(np.float32), "z": (y * r).sum(axis=-1).astype(np.float32)},
         {"c": np.float32(0.125), "axes": np.array([-1])})
    # Written out, as exporters do that do not know the operator.
    case("softmax_written_out",
         [N("ReduceMax", ["x", "axis"], ["m"]), N("Sub", ["x", "m"], ["d"]), N("Exp", ["d"], ["e"]),
          N("ReduceSum", ["e", "axis"], ["s"]), N("Div", ["e", "s"], ["y"])],
         {"x": x}, {"y": softmax(x).astype(np.float32)}, {"axis": np.array([-1])})
    case("logsoftmax", [N("LogSoftmax", ["x"], ["y"], axis=-1)],
         {"x": x}, {"y": softmax(x, log=True).astype(np.float32)})
    norm = np.sqrt((wide(x) ** 2).sum(axis=-1, keepdims=True))
    case("l2norm",
         [N("ReduceL2", ["x", "axes"], ["n"], keepdims=1), N("Div", ["x", "n"], ["y"])],
         {"x": x}, {"y": (wide(x) / norm).astype(np.float32)}, {"axes": np.array([-1])})
    # Two normalizations in a row, and the largest element of each.
    twice = layer_norm(layer_norm(x, w, b), b, w)
    case("twice",
         [N("LayerNormalization", ["x", "w", "b"], ["a"], axis=-1),
          N("LayerNormalization", ["a", "b", "w"], ["y"], axis=-1)],
         {"x": x}, {"y": twice.astype(np.float32)}, {"w": w, "b": b})

# Rows of several dimensions.
for shape in [(2, 6, 5, 3), (1, 4, 9, 33), (3, 2, 1, 1)]:
    x, w, b = f(*shape, shift=-2), f(shape[1]), f(shape[1])
    per_channel = (slice(None),) + (None,) * (len(shape) - 2)
    case("instancenorm", [N("InstanceNormalization", ["x", "w", "b"], ["y"])], {"x": x},
         {"y": layer_norm(x, w[per_channel], b[per_channel], axes=(2, 3)).astype(np.float32)},
         {"w": w, "b": b})
    wl, bl = f(*shape[2:]), f(*shape[2:])
    case("layernorm2", [N("LayerNormalization", ["x", "w", "b"], ["y"], axis=2)], {"x": x},
         {"y": layer_norm(x, wl, bl, axes=(2, 3)).astype(np.float32)}, {"w": wl, "b": bl})
    groups = x.reshape(shape[0], 2, -1)
    normal = layer_norm(groups, np.float32(1), np.float32(0)).reshape(shape)
    case("groupnorm", [N("GroupNormalization", ["x", "w", "b"], ["y"], num_groups=2)], {"x": x},
         {"y": (normal * w[per_channel] + b[per_channel]).astype(np.float32)},
         {"w": w, "b": b}, opset=21)
    # A reduction that is not of rows, and one that crosses its own rows.
    columns = wide(x).sum(axis=1, keepdims=True)
    case("columns", [N("ReduceSum", ["x", "axes"], ["s"], keepdims=1), N("Sub", ["x", "s"], ["y"])],
         {"x": x}, {"y": (x - columns).astype(np.float32)}, {"axes": np.array([1])})

for n in (1, 9, 37):
    x = f(n, n)
    sums = wide(x).sum(axis=1)
    case("crossed", [N("ReduceSum", ["x", "axes"], ["s"], keepdims=0), N("Sub", ["x", "s"], ["y"])],
         {"x": x}, {"y": (x - sums).astype(np.float32)}, {"axes": np.array([1])})

# Sums of many terms: an order of their own, as exact as the usual one.
for n in (4096, 100003):
    x = f(3, n, shift=1)
    case("long", [N("ReduceMean", ["x", "axes"], ["m"], keepdims=1), N("Sub", ["x", "m"], ["y"])],
         {"x": x}, {"y": (x - wide(x).mean(axis=1, keepdims=True)).astype(np.float32)},
         {"axes": np.array([1])})

# Other element types.
for dtype in (np.float16, np.float64):
    for shape in [(4, 37), (2, 3, 130)]:
        x, w, b = f(*shape, dtype=dtype), f(shape[-1], dtype=dtype), f(shape[-1], dtype=dtype)
        case("layernorm_" + np.dtype(dtype).name,
             [N("LayerNormalization", ["x", "w", "b"], ["y"], axis=-1)],
             {"x": x}, {"y": layer_norm(x, w, b).astype(dtype)}, {"w": w, "b": b})
        case("softmax_" + np.dtype(dtype).name, [N("Softmax", ["x"], ["y"], axis=-1)],
             {"x": x}, {"y": softmax(x).astype(dtype)})
x = rng.integers(-1000, 1000, (7, 53)).astype(np.int32)
case("integers", [N("ReduceMax", ["x", "axes"], ["m"], keepdims=1), N("Sub", ["x", "m"], ["y"])],
     {"x": x}, {"y": x - x.max(axis=1, keepdims=True)}, {"axes": np.array([1])})

# An attention around a softmax that is written out.
for queries, keys in ((5, 7), (1, 9), (6, 1)):
    q, k, v = f(2, 3, queries, 8), f(2, 3, keys, 8), f(2, 3, keys, 4)
    scores = wide(q) @ wide(k).transpose(0, 1, 3, 2) * 0.35
    case(f"attention_written_out_{keys}",
         [N("Transpose", ["k"], ["t"], perm=[0, 1, 3, 2]), N("MatMul", ["q", "t"], ["a"]), N("Mul", ["a", "c"], ["x"]),
          N("ReduceMax", ["x", "axis"], ["m"]), N("Sub", ["x", "m"], ["d"]), N("Exp", ["d"], ["e"]),
          N("ReduceSum", ["e", "axis"], ["s"]), N("Div", ["e", "s"], ["p"]), N("MatMul", ["p", "v"], ["y"])],
         {"q": q, "k": k, "v": v}, {"y": (softmax(scores) @ wide(v)).astype(np.float32)},
         {"c": np.float32(0.35), "axis": np.array([-1])})

# f32 results of a few hundred roundings each; f16 ones to two units of theirs.
run = subprocess.run([weft, "check", root, "--rtol=2e-3", "--atol=2e-5"],
                     capture_output=True, text=True)
print(run.stdout[-4000:], run.stderr[-2000:])
if run.returncode != 0:
    sys.exit(f"weft check gave {run.returncode}")

# How work is divided does not change a bit.
x = root + "/x.npy"
np.save(x, f(64, 700, shift=1))
graph = h.make_graph(
    [N("LayerNormalization", ["x", "w"], ["n"], axis=-1), N("Softmax", ["n"], ["y"], axis=-1)], "g",
    [h.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["rows", 700])],
    [h.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
    [nh.from_array(f(700), "w")])
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=8), root + "/m.onnx")
results = []
for threads in ("1", "2", "3"):
    subprocess.run([weft, "run", "--no-cache", "--quiet", root + "/m.onnx", "--input=@" + x,
                    "--threads=" + threads, "--output=@" + root + "/y.npy"], check=True, timeout=120)
    results.append(np.load(root + "/y.npy"))
if not all(np.array_equal(results[0], r) for r in results[1:]):
    sys.exit("results depend on the number of threads")
print(f"{count} cases as expected")
