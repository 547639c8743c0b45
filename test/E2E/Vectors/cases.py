#!/usr/bin/env python3
#===- cases.py - Elementwise operations and reductions in vectors -----------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compares elementwise operations and reductions of all element types, of odd,
empty and dynamic extents and with special numbers, with NumPy. Then checks that
a number gives the same bits in every lane, in what is left of a row, for each
number of threads and for each kind of chip that runs here.

Usage: cases.py WEFT-PROGRAM"""

import os
import subprocess
import sys
import tempfile

import ml_dtypes  # comes with onnx
import numpy as np
import onnx
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
root = folder.name
rng = np.random.default_rng(5)
count = 0
N = h.make_node


def model(nodes, inputs, outputs, consts, dynamic, path):
    def info(key, value):
        extents = [f"{key}_{i}" for i in range(value.ndim)] if dynamic else value.shape
        return h.make_tensor_value_info(key, h.np_dtype_to_tensor_dtype(value.dtype), extents)

    graph = h.make_graph(
        nodes, "g", [info(k, v) for k, v in inputs.items()],
        [h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(np.dtype(t)), None)
         for k, t in outputs.items()],
        [nh.from_array(np.asarray(v), k) for k, v in consts.items()])
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 20)], ir_version=9), path)


def case(name, nodes, inputs, outputs, **consts):
    """Writes a case twice: with the extents of its inputs, and with free ones."""
    global count
    for dynamic in (False, True):
        path = f"{root}/cases/{count:03d}_{name}"
        count += 1
        os.makedirs(path + "/test_data_set_0")
        model(nodes, inputs, {k: v.dtype for k, v in outputs.items()}, consts, dynamic,
              path + "/model.onnx")
        for kind, values in (("input", inputs), ("output", outputs)):
            for i, (key, value) in enumerate(values.items()):
                with open(f"{path}/test_data_set_0/{kind}_{i}.pb", "wb") as file:
                    file.write(nh.from_array(np.asarray(value), key).SerializeToString())


def numbers(dtype, *shape):
    dtype = np.dtype(dtype)
    if dtype == bool:
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    low, high = (0, 100) if dtype.kind == "u" else (-60, 60)
    return rng.integers(low, high, shape).astype(dtype)


# Around every number of lanes, and of lanes an iteration.
lengths = [1, 8, 17, 67, 263]

# Reductions of rows and of columns, and of both sides of what stays.
for n in lengths:
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.uint8, np.int8, np.float16):
        if n not in (17, 263) and dtype not in (np.float32, np.uint8):
            continue
        for shape, axis in (((5, n), 1), ((3, n, 2), 1), ((2, 3, n), (0, 2))):
            x = numbers(dtype, *shape)
            axes = np.atleast_1d(axis).astype(np.int64)
            for op, function in (("Max", np.max), ("Min", np.min), ("Sum", np.sum)):
                if op == "Sum" and np.dtype(dtype).itemsize < 4:
                    continue
                case(f"{op}_{np.dtype(dtype).name}".lower(),
                     [N("Reduce" + op, ["x", "axes"], ["y"], keepdims=0)], {"x": x},
                     {"y": np.asarray(function(x, axis=axis)).astype(dtype)}, axes=axes)

# Infinities, signed zeros and NaN, wherever they stand in a row.
for n in (3, 16, 37, 70):
    x = np.full((n + 4, n), -np.inf, np.float32)
    x[np.arange(n), np.arange(n)] = np.nan
    x[n, 0], x[n + 1], x[n + 2] = np.inf, -0.0, np.float32(1e38)
    for op, function in (("Max", np.max), ("Min", np.min), ("Sum", np.sum), ("Prod", np.prod)):
        with np.errstate(all="ignore"):
            y = function(x, axis=1)
        case("special", [N("Reduce" + op, ["x", "axes"], ["y"], keepdims=0)], {"x": x}, {"y": y},
             axes=np.array([1]))

# Positions of extremes: many equal ones, NaN and infinities, first and last.
for n in lengths:
    for dtype in (np.float32, np.float64, np.int32, np.int64, np.uint8, np.int8, np.float16):
        if n not in (17, 263) and dtype not in (np.float32, np.uint8):
            continue
        x = numbers(dtype, 9, n) if n < 17 else (numbers(dtype, 9, n) * 2 // 1).astype(dtype)
        if np.dtype(dtype).kind == "f":
            x[0] = -np.inf
            x[1] = np.inf
            x[2, n // 2], x[2, n - 1], x[3, n - 1] = np.nan, np.nan, np.nan
            x[4] = np.nan
            x[5] = np.where(np.arange(n) % 2 == 0, 0.0, -0.0)
        else:
            x[0], x[1] = np.iinfo(dtype).min, np.iinfo(dtype).max
        for op, function in (("ArgMax", np.argmax), ("ArgMin", np.argmin)):
            for last in (0, 1):
                y = n - 1 - function(x[:, ::-1], axis=1) if last else function(x, axis=1)
                case(f"{op}_{np.dtype(dtype).name}".lower(),
                     [N(op, ["x"], ["y"], axis=1, keepdims=0, select_last_index=last)], {"x": x},
                     {"y": y.astype(np.int64)})

# Nothing to reduce, and no rows.
for shape in ((4, 0), (0, 4), (0, 0)):
    x = numbers(np.float32, *shape)
    case("empty", [N("ReduceSum", ["x", "axes"], ["y"], keepdims=0), N("Exp", ["x"], ["z"])],
         {"x": x}, {"y": x.sum(axis=1), "z": x}, axes=np.array([1]))

# Types of different widths in one body, operands that are broadcast along rows,
# along columns, and both, and results that overwrite what they read.
for n in (3, 17, 64, 131):
    for shape in ((n,), (2, 3, n)):
        x, c = numbers(np.float32, *shape), numbers(bool, *shape)
        u, i = numbers(np.uint8, *shape), numbers(np.int64, *shape)
        column = numbers(np.float32, *shape[:-1], 1)
        row = numbers(np.float32, n)
        case("where", [N("Where", ["c", "x", "r"], ["s"]), N("Add", ["s", "k"], ["y"])],
             {"c": c, "x": x, "r": row, "k": column}, {"y": np.where(c, x, row) + column})
        case("bytes", [N("Cast", ["u"], ["f"], to=1), N("Mul", ["f", "x"], ["y"])],
             {"u": u, "x": x}, {"y": u.astype(np.float32) * x})
        case("compare", [N("Less", ["x", "r"], ["b"]), N("And", ["b", "c"], ["y"])],
             {"x": x, "r": row, "c": c}, {"y": (x < row) & c})
        case("wide", [N("Cast", ["i"], ["f"], to=1), N("Add", ["f", "x"], ["y"])],
             {"i": i, "x": x}, {"y": i.astype(np.float32) + x})
        case("half", [N("Cast", ["x"], ["a"], to=10), N("Add", ["a", "a"], ["y"])],
             {"x": x}, {"y": x.astype(np.float16) * np.float16(2)})
        d = np.where(i == 0, 7, i)
        case("divide", [N("Div", ["i", "d"], ["y"])], {"i": i, "d": d},
             {"y": np.trunc(i / d).astype(np.int64)})

run = subprocess.run([weft, "check", root + "/cases", "--rtol=1e-5", "--atol=1e-5"],
                     capture_output=True, text=True)
print(run.stdout[-4000:], run.stderr[-2000:])
if run.returncode != 0:
    sys.exit(f"weft check gave {run.returncode}")


# A number's bits do not depend on where it stands.
def compiled(name, *flags):
    path = f"{root}/{name}.so"
    subprocess.run([weft, "compile", root + "/m.onnx", "--quiet", "-o", path, *flags],
                   check=True, timeout=120)
    return path


def results(module, names, *flags, bits=np.uint32, **inputs):
    """The outputs for the inputs; None if the module is for another chip."""
    command = [weft, "run", module, "--quiet", "--output-dir=" + root + "/out", *flags]
    for key, value in inputs.items():
        np.save(f"{root}/{key}.npy", value)
        command.append(f"--input={key}=@{root}/{key}.npy")
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if run.returncode != 0 and "--threads=1" in flags:
        return None
    if run.returncode != 0:
        sys.exit(run.stderr)
    return [np.load(f"{root}/out/{name}.npy").view(bits) for name in names]


functions = ["Exp", "Tanh", "Erf", "Log", "Sin", "Sigmoid", "Sqrt", "Atan", "Softplus", "Gelu"]
special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, 1e30, -90, 100, 1e5], np.float32)
x = np.concatenate([special, numbers(np.float32, 160) * 20])
model([N(f, ["x"], ["y_" + f]) for f in functions], {"x": x},
      {"y_" + f: np.float32 for f in functions}, {}, True, root + "/m.onnx")
names = ["y_" + f for f in functions]
modules = [compiled("native")] + [compiled(cpu, "--cpu=" + cpu)
                                  for cpu in ("x86-64-v3", "x86-64-v4")]
whole = results(modules[0], names, x=x)
for shift in (1, 5, 9, 15, 31, 40):
    for length in (len(x) - shift, 1 + shift, 7):
        part = results(modules[0], names, x=x[shift:shift + length])
        for name, a, b in zip(names, whole, part):
            if not np.array_equal(a[shift:shift + length], b):
                sys.exit(f"{name}: results depend on where a number stands")
for module in modules[1:]:
    other = results(module, names, "--threads=1", x=x)
    for name, a, b in zip(names, whole, other or whole):
        if not np.array_equal(a, b):
            sys.exit(f"{name}: results depend on the chip")

# To bf16, bit by bit, as ml_dtypes rounds: all that is near an interesting number,
# among it subnormal numbers, which AVX-512's own conversion flushes, halfway cases, the
# overflow to infinity and any NaN.
high = np.arange(1 << 16, dtype=np.uint32) << 16
bits = np.concatenate([high + np.uint32(low) for low in (0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF)])
bits = np.concatenate([bits, np.arange(1 << 12, dtype=np.uint32),
                       rng.integers(0, 1 << 32, 5003, dtype=np.uint64).astype(np.uint32)])
halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
for every in (bits.view(np.float32), halves):
    model([N("Cast", ["x"], ["y"], to=16)], {"x": every}, {"y": ml_dtypes.bfloat16}, {}, True,
          root + "/m.onnx")
    modules = [compiled("native")] + [compiled(cpu, "--cpu=" + cpu)
                                      for cpu in ("x86-64-v3", "x86-64-v4")]
    for x in (every, every[3:20], every[:1], every[:0]):
        with np.errstate(invalid="ignore"):
            expected = x.astype(np.float32).astype(ml_dtypes.bfloat16).view(np.uint16)
        for module in modules:
            found = results(module, ["y"], "--threads=1", bits=np.uint16, x=x)
            if found and not np.array_equal(found[0], expected):
                wrong = np.flatnonzero(found[0] != expected)[0]
                sys.exit(f"bf16 of {x[wrong]!r}: {found[0][wrong]:#x}, expected {expected[wrong]:#x}")

# Sums have an order of their own, which no chip and no number of threads changes.
x = numbers(np.float32, 70, 1003) * np.float32(1e3)
names = ["sum", "max", "norm", "columns"]
model([N("ReduceSum", ["x", "rows"], ["sum"], keepdims=0),
       N("ReduceMax", ["x", "rows"], ["max"], keepdims=0),
       N("ReduceL2", ["x", "rows"], ["norm"], keepdims=0),
       N("ReduceSum", ["x", "columns_"], ["columns"], keepdims=0)], {"x": x},
      {name: np.float32 for name in names}, {"rows": np.array([1]), "columns_": np.array([0])},
      True, root + "/m.onnx")
modules = [compiled("native")] + [compiled(cpu, "--cpu=" + cpu)
                                  for cpu in ("x86-64-v3", "x86-64-v4")]
for length in (1003, 64, 37, 5):
    part = np.ascontiguousarray(x[:, :length])
    first = results(modules[0], names, x=part)
    others = [results(modules[0], names, "--threads=3", x=part)]
    others += [results(module, names, "--threads=1", x=part) or first for module in modules[1:]]
    for other in others:
        for name, a, b in zip(names, first, other):
            if not np.array_equal(a, b):
                sys.exit(f"{name}: results depend on the chip or on the number of threads")
print(f"{count} cases as expected")
