#!/usr/bin/env python3
#===- cases.py - What is computed from weights while compiling --------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles models whose weights are computed from other weights, looks into the
IR after the stage 'model' for what should be gone, runs them, and compares with
NumPy in float64. Compiles each twice: equal inputs give equal modules.

Usage: cases.py WEFT-PROGRAM"""

import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(11)
failures = []
N = h.make_node

# A sum of k products in float32 differs from float64 by about sqrt(k) roundings
# of 2^-24 each, relative to the root of the sum of squares; 32 of them leave
# room for k up to a thousand. `scale` is the size of the terms.
EPSILON = 2.0**-24


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def run(*arguments):
    done = subprocess.run([weft, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"weft {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def case(name, nodes, inputs, consts, expected, gone=(), tolerance=32 * EPSILON, opset=17,
         dynamic=True, flags=()):
    """`gone` are patterns of the IR that the stage 'model' removes."""
    nodes = nodes if isinstance(nodes, list) else [nodes]
    graph = h.make_graph(
        nodes, name,
        [h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype),
                                  ["n" if dynamic else v.shape[0], *v.shape[1:]])
         for k, v in inputs.items()],
        [h.make_tensor_value_info("y", h.np_dtype_to_tensor_dtype(expected.dtype)
                                  if expected.dtype != np.float64 else T.FLOAT,
                                  ["m" if dynamic else expected.shape[0], *expected.shape[1:]])],
        [nh.from_array(np.asarray(v), k) for k, v in consts.items()])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=9)
    path = os.path.join(folder.name, name)
    os.makedirs(path)
    onnx.save(model, f"{path}/model.onnx")
    try:
        modules = []
        for i in range(2):
            os.makedirs(f"{path}/{i}")
            run("compile", f"{path}/model.onnx", "-o", f"{path}/{i}/m.so", f"--dump-stages={path}/{i}",
                "--quiet", *flags)
            modules.append([open(f"{path}/{i}/{file}", "rb").read()
                            for file in sorted(os.listdir(f"{path}/{i}")) if file.startswith("m.")])
        if modules[0] != modules[1]:
            raise RuntimeError("two compilations give different modules")
        with open(f"{path}/0/2-model.mlir", encoding="utf-8") as file:
            ir = file.read()
        for pattern in gone:
            if re.search(pattern, ir):
                raise RuntimeError(f"'{pattern}' is still there after 'model'")
        arguments = []
        for key, value in inputs.items():
            np.save(f"{path}/{key}.npy", value)
            arguments.append(f"--input={key}=@{path}/{key}.npy")
        for threads in (1, 3):
            run("run", f"{path}/0/m.so", *arguments, f"--output=y=@{path}/y.npy", f"--threads={threads}")
            y = np.load(f"{path}/y.npy")
            if y.shape != expected.shape:
                raise RuntimeError(f"shape {y.shape}, expected {expected.shape}")
            scale = max(1.0, float(np.sqrt(np.mean(np.square(expected.astype(np.float64))))) if y.size else 1)
            error = np.max(np.abs(y.astype(np.float64) - expected)) if y.size else 0
            if not error <= tolerance * scale:
                raise RuntimeError(f"error {error:.3g}, allowed {tolerance * scale:.3g}")
    except RuntimeError as error:
        failures.append(name)
        print(f"FAIL {name}: {error}")
    else:
        print(f"pass {name}")


def d(x):
    return np.asarray(x).astype(np.float64)


transposed = ("linalg.transpose",)

# Gemm with a transposed weight; odd sizes, and empty batches.
for n in (0, 1, 5):
    x, w, b = f(n, 77), f(53, 77), f(53)
    case(f"gemm-{n}", N("Gemm", ["x", "w", "b"], ["y"], name="fc", transB=1, alpha=0.5),
         {"x": x}, {"w": w, "b": b}, d(x) @ d(w).T * 0.5 + d(b), gone=transposed, tolerance=128 * EPSILON)

# The weight of two nodes, one as it is.
x, w = f(3, 64), f(64, 64)
case("shared", [N("Gemm", ["x", "w"], ["a"], transB=1), N("MatMul", ["x", "w"], ["b"]),
                N("Add", ["a", "b"], ["y"])],
     {"x": x}, {"w": w}, d(x) @ d(w).T + d(x) @ d(w), gone=transposed, tolerance=128 * EPSILON)

# Weights beside the module.
case("beside", N("Gemm", ["x", "w"], ["y"], transB=1), {"x": x}, {"w": w}, d(x) @ d(w).T,
     gone=transposed, tolerance=128 * EPSILON, flags=("--embed-limit=100",))

# Quantized weights, per channel, stay codes; scales follow the product.
q = rng.integers(-128, 128, (40, 33)).astype(np.int8)
s = (rng.random(33) + 0.5).astype(np.float32)
z = rng.integers(-8, 8, 33).astype(np.int8)
x = f(4, 40)
weight = (d(q) - d(z)) * d(s)
case("dequantized", [N("DequantizeLinear", ["q", "s", "z"], ["w"], axis=1), N("MatMul", ["x", "w"], ["y"])],
     {"x": x}, {"q": q, "s": s, "z": z}, d(x) @ weight, gone=("weft.unpack", "constant.*tensor<40x33xf32>"),
     tolerance=128 * EPSILON)

# Where nothing takes codes, and codes of 32 bits, they become numbers.
case("dequantized-sum", [N("DequantizeLinear", ["q", "s", "z"], ["w"], axis=1),
                         N("DequantizeLinear", ["b", "s"], ["c"], axis=0), N("Add", ["w", "c"], ["a"]),
                         N("Mul", ["a", "x"], ["y"])],
     {"x": x[:, :33].copy()[:1]}, {"q": q, "s": s, "z": z, "b": np.arange(33, dtype=np.int32)},
     d(x)[:1, :33] * (weight + np.arange(33) * d(s)), gone=("xi8>", "xi32>"), tolerance=128 * EPSILON)

# Weights of other types and layouts in a chain.
a, b = f(20, 30).astype(np.float16), f(20, 10).astype(np.float16)
x = f(6, 40)
joined = np.concatenate([d(a), d(b)], 1).T  # 40 x 20
case("chain", [N("Concat", ["a", "b"], ["c"], axis=1), N("Cast", ["c"], ["e"], to=T.FLOAT),
               N("Transpose", ["e"], ["t"], perm=[1, 0]), N("Mul", ["t", "k"], ["u"]),
               N("Slice", ["u", "lo", "hi", "axes"], ["v"]), N("MatMul", ["x", "v"], ["y"])],
     {"x": x}, {"a": a, "b": b, "k": np.float32(2), "lo": np.array([3]), "hi": np.array([17]),
                "axes": np.array([1])},
     d(x) @ (joined * 2)[:, 3:17], gone=transposed + ("xf16>", "tensor.concat", "insert_slice"),
     tolerance=256 * EPSILON)

# Expanding a weight only takes memory.
r, x = f(1, 1, 640), f(600, 1, 640)
case("expanded", [N("Expand", ["r", "shape"], ["e"]), N("Add", ["x", "e"], ["y"])],
     {"x": x}, {"r": r, "shape": np.array([600, 1, 640])}, d(x) + d(r),
     gone=("weft.constant.*tensor<600x1x640xf32>",))

# Tables are computed.
position = np.arange(50, dtype=np.float32)
case("table", [N("Range", ["zero", "fifty", "one"], ["r"]), N("Cast", ["r"], ["p"], to=T.FLOAT),
               N("Mul", ["p", "freq"], ["angle"]), N("Cos", ["angle"], ["c"]), N("Mul", ["x", "c"], ["y"])],
     {"x": (x := f(3, 50))}, {"zero": np.int64(0), "fifty": np.int64(50), "one": np.int64(1),
                              "freq": np.float32(0.03125)},
     d(x) * np.cos(d(position) * 0.03125), gone=("math.cos",))

# A result whose shape is data.
mask = rng.integers(0, 2, 700).astype(np.int64)
x = f(9, 700)
case("selected", [N("NonZero", ["mask"], ["i"]), N("Reshape", ["i", "minus"], ["j"]),
                  N("Gather", ["x", "j"], ["y"], axis=1)],
     {"x": x}, {"mask": mask, "minus": np.array([-1])}, x[:, np.flatnonzero(mask)], gone=("weft.nonzero",),
     tolerance=0)

# Scales and shifts go into the weights. Tolerances: a weight is rounded once more
# than in the sum; inputs are of size one, so that a sum of k terms is off by up to
# 2^-24 k in the worst case and sqrt(k) of that in general.
def conv(x, w, strides=1, groups=1):
    n, c, height, width = x.shape
    m, per, kh, kw = w.shape
    oh, ow = (height - kh) // strides + 1, (width - kw) // strides + 1
    y = np.zeros((n, m, oh, ow))
    for g in range(groups):
        xs = x[:, g * per:(g + 1) * per]
        ws = w[g * (m // groups):(g + 1) * (m // groups)]
        for i in range(kh):
            for j in range(kw):
                part = xs[:, :, i:i + strides * oh:strides, j:j + strides * ow:strides]
                y[:, g * (m // groups):(g + 1) * (m // groups)] += np.einsum(
                    "nchw,mc->nmhw", part, ws[:, :, i, j])
    return y


def per_channel(v):
    return d(v).reshape(1, -1, 1, 1)


for groups, biased, strides in ((1, True, 1), (1, False, 2), (3, True, 1)):
    x, w, b = f(2, 6, 11, 9), f(9, 6 // groups, 3, 3), f(9)
    scale, beta, mean, variance = f(9), f(9), f(9), np.abs(f(9)) + np.float32(0.1)
    y = conv(d(x), d(w), strides, groups) + (per_channel(b) if biased else 0)
    y = (y - per_channel(mean)) / np.sqrt(per_channel(variance) + 1e-5) * per_channel(scale) + per_channel(beta)
    case(f"batch-normalization-{groups}-{strides}",
         [N("Conv", ["x", "w"] + (["b"] if biased else []), ["c"], group=groups, strides=[strides] * 2),
          N("BatchNormalization", ["c", "s", "t", "m", "v"], ["z"]), N("Relu", ["z"], ["y"])],
         {"x": x}, {"w": w, "b": b, "s": scale, "t": beta, "m": mean, "v": variance},
         np.maximum(y, 0), gone=("arith.mulf",), tolerance=256 * EPSILON)

# Scale and shift as operations of their own, one on each side, in a chain.
x, w = f(1, 4, 8, 8), f(5, 4, 3, 3)
s, t, u = f(1, 5, 1, 1), f(5, 1, 1), f(5, 1, 1) + np.float32(3)
case("scale-and-shift",
     [N("Conv", ["x", "w"], ["c"]), N("Mul", ["c", "s"], ["e"]), N("Sub", ["t", "e"], ["g"]),
      N("Div", ["g", "u"], ["y"])],
     {"x": x}, {"w": w, "s": s, "t": t, "u": u},
     (d(t) - conv(d(x), d(w)) * d(s)) / d(u), gone=("arith.mulf", "arith.divf", "arith.subf"),
     tolerance=256 * EPSILON)

# A result that something else uses, and a scale that is no constant, stay.
x, w, s = f(1, 4, 8, 8), f(5, 4, 3, 3), f(1, 5, 1, 1)
case("used-twice", [N("Conv", ["x", "w"], ["c"]), N("Mul", ["c", "s"], ["e"]), N("Add", ["c", "e"], ["y"])],
     {"x": x}, {"w": w, "s": s}, conv(d(x), d(w)) * (1 + d(s)), tolerance=256 * EPSILON)
case("scale-of-rows", [N("Conv", ["x", "w"], ["c"]), N("Mul", ["c", "r"], ["y"])],
     {"x": x}, {"w": w, "r": (r := f(1, 1, 6, 1))}, conv(d(x), d(w)) * d(r), tolerance=256 * EPSILON)

# Transposed convolutions have the channels in another place.
x, w = f(2, 3, 5, 5), f(3, 7, 1, 1)
scale, beta, mean, variance = f(7), f(7), f(7), np.abs(f(7)) + np.float32(0.1)
y = np.einsum("nchw,cm->nmhw", d(x), d(w)[:, :, 0, 0])
y = (y - per_channel(mean)) / np.sqrt(per_channel(variance) + 1e-5) * per_channel(scale) + per_channel(beta)
case("transposed-convolution",
     [N("ConvTranspose", ["x", "w"], ["c"]), N("BatchNormalization", ["c", "s", "t", "m", "v"], ["y"])],
     {"x": x}, {"w": w, "s": scale, "t": beta, "m": mean, "v": variance}, y, tolerance=256 * EPSILON)

# Contractions: scales of columns, of everything; not of rows.
x, w, b, s = f(5, 30), f(30, 20), f(20), f(20)
case("matmul-scaled", [N("MatMul", ["x", "w"], ["c"]), N("Mul", ["c", "s"], ["y"])],
     {"x": x}, {"w": w, "s": s}, d(x) @ d(w) * d(s), gone=(r"arith.mulf %in(_\d+)?, %in_\d+ : f32\s*linalg.yield",),
     tolerance=128 * EPSILON)
case("matmul-quarter", [N("MatMul", ["x", "w"], ["c"]), N("Div", ["c", "s"], ["e"]), N("Add", ["e", "b"], ["y"])],
     {"x": x}, {"w": w, "s": np.float32(4), "b": b}, d(x) @ d(w) / 4 + d(b), gone=("arith.divf",),
     tolerance=128 * EPSILON)
case("gemm-alpha", N("Gemm", ["x", "w", "b"], ["y"], alpha=0.3, beta=2.0), {"x": x}, {"w": w, "b": b},
     d(x) @ d(w) * np.float32(0.3) + 2 * d(b), tolerance=128 * EPSILON)
case("matmul-rows", [N("MatMul", ["w", "x"], ["c"]), N("Mul", ["c", "s"], ["y"])],
     {"x": (x := f(30, 6))}, {"w": (w := f(6, 30)), "s": (s := f(6, 1))}, d(w) @ d(x) * d(s),
     dynamic=False, tolerance=128 * EPSILON)
x, w, s = f(5, 30).astype(np.float64), f(30, 20).astype(np.float64), f(20).astype(np.float64)

# An integer division by zero in constants is an error of the call, not of the
# compiler.
case_path = os.path.join(folder.name, "zero")
os.makedirs(case_path)
graph = h.make_graph([N("Div", ["a", "b"], ["c"], name="quotient"), N("Add", ["x", "c"], ["y"])], "zero",
                     [h.make_tensor_value_info("x", T.INT64, [2])],
                     [h.make_tensor_value_info("y", T.INT64, [2])],
                     [nh.from_array(np.array([4, 5]), "a"), nh.from_array(np.array([2, 0]), "b")])
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9), f"{case_path}/model.onnx")
compiled = subprocess.run([weft, "compile", f"{case_path}/model.onnx", "-o", f"{case_path}/m.so"],
                          capture_output=True, text=True, check=False)
called = subprocess.run([weft, "run", f"{case_path}/m.so", "--input=x=2xi64=1"], capture_output=True, text=True,
                        check=False)
if compiled.returncode != 0 or called.returncode != 1 or "quotient" not in called.stderr + called.stdout:
    failures.append("zero")
    print("FAIL zero:", compiled.stderr, called.returncode, called.stdout, called.stderr)
else:
    print("pass zero")

if failures:
    sys.exit(f"{len(failures)} cases fail: {', '.join(failures)}")
