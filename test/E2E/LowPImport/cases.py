#!/usr/bin/env python3
#===- cases.py - Low-precision weights of ONNX models -----------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""MatMulNBits and MatMulBnb4 of ONNX Runtime's domain in every number of bits, with
whole and partial blocks, with and without zero points, group indices and bias, against
products of decoded weights in float64. Weights stay packed: modules are not larger than
the model. Results must be equal in every bit for 1 and 2 threads.

Tolerance: K products and K additions in f32 of the magnitudes that are summed, with
three roundings of each weight: (2 K + 3) * 2^-24, with a factor of 2 for bias and casts.
ONNX Runtime's CPU kernels ignore packed zero points where there is a group index, so
they are no oracle here.

quantized.py has the models of QuantizeLinear and DequantizeLinear.

Usage: cases.py WEFT-PROGRAM"""

import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

import quantized

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(5)
count = 0
failures = []

NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
       -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
       0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
       0.7229568362236023, 1.0]
FP4 = [0, 0.005208333333, 0.66666667, 1, 0.33333333, 0.5, 0.16666667, 0.25]
FP4 += [-x for x in FP4]


def codes_of(data, bits, columns):
    """The codes of rows of bytes, the first in the lowest bits."""
    parts = [data >> (bits * i) & (1 << bits) - 1 for i in range(8 // bits)]
    return np.stack(parts, -1).reshape(data.shape[0], -1)[:, :columns].astype(np.float64)


def run(name, node, constants, x, weights, bias):
    """`weights` [N, K] in float64."""
    global count
    count += 1
    at = os.path.join(folder.name, name)
    os.makedirs(at)
    k, n = weights.shape[1], weights.shape[0]
    kind = h.np_dtype_to_tensor_dtype(x.dtype)
    graph = h.make_graph(
        [node], name, [h.make_tensor_value_info("x", kind, [f"d{i}" for i in range(x.ndim - 1)] + [k])],
        [h.make_tensor_value_info("y", kind, None)],
        [nh.from_array(v, key) for key, v in constants.items()])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 21), h.make_opsetid("com.microsoft", 1)],
                         ir_version=10)
    onnx.save(model, f"{at}/m.onnx")
    done = subprocess.run([weft, "compile", "--quiet", f"{at}/m.onnx", "-o", f"{at}/m.so"],
                          capture_output=True, text=True, check=False)
    results = []
    np.save(f"{at}/x.npy", x)
    for threads in (1, 2):
        if done.returncode == 0:
            done = subprocess.run([weft, "run", "--quiet", f"{at}/m.so", f"--threads={threads}",
                                   f"--input=x=@{at}/x.npy", f"--output=y=@{at}/y{threads}.npy"],
                                  capture_output=True, text=True, check=False)
        if done.returncode:
            failures.append(name)
            print("FAIL", name, done.stderr)
            return
        results.append(np.load(f"{at}/y{threads}.npy"))
    wide = x.astype(np.float64)
    want = wide @ weights.T + bias
    size = np.abs(wide) @ np.abs(weights.T) + np.abs(bias)
    unit = 2.0**-24 * (2 * k + 3) * 2 + (2.0**-11 if x.dtype == np.float16 else 0)
    if results[0].shape != want.shape or results[0].tobytes() != results[1].tobytes() or \
            not np.all(np.abs(results[0] - want) <= unit * size + 1e-30):
        failures.append(name)
        print("FAIL", name, results[0].ravel()[:4], "for", want.ravel()[:4])
    if n * k >= 1 << 18 and os.path.getsize(f"{at}/m.so") > os.path.getsize(f"{at}/m.onnx") + (1 << 16):
        failures.append(name)
        print("FAIL", name, "has a module of", os.path.getsize(f"{at}/m.so"), "bytes for a model of",
              os.path.getsize(f"{at}/m.onnx"))


def bits_case(bits, block, k, n, zero=None, grouped=False, biased=False, rows=(2, 3), kind=np.float32):
    blocks = -(-k // block)
    data = rng.integers(0, 256, (n, blocks, block * bits // 8), dtype=np.uint8)
    scales = (rng.random((n, blocks)) * 0.1 + 0.01).astype(kind)
    constants = {"B": data, "S": scales.reshape(-1)}
    inputs = ["x", "B", "S", "", "", ""]
    codes = codes_of(data.reshape(n, -1), bits, k)
    zeros = np.full((n, blocks), float(1 << bits - 1))
    if zero == "packed":
        constants["Z"] = rng.integers(0, 256, (n, -(-blocks * bits // 8)), dtype=np.uint8)
        zeros = codes_of(constants["Z"], bits, blocks)
        constants["Z"] = constants["Z"].reshape(-1)
    elif zero == "float":
        zeros = (rng.random((n, blocks)) * (1 << bits)).astype(kind)
        constants["Z"] = zeros.reshape(-1)
    inputs[3] = "Z" if zero else ""
    groups = np.arange(k) // block
    if grouped:
        groups = rng.integers(0, blocks, k).astype(np.int32)
        constants["G"], inputs[4] = groups, "G"
    bias = 0.0
    if biased:
        constants["b"], inputs[5] = rng.standard_normal(n).astype(kind), "b"
        bias = constants["b"].astype(np.float64)
    while not inputs[-1]:
        inputs.pop()
    node = h.make_node("MatMulNBits", inputs, ["y"], domain="com.microsoft", K=k, N=n, bits=bits,
                       block_size=block)
    weights = (codes - zeros[:, groups].astype(np.float64)) * scales[:, groups].astype(np.float64)
    run(f"nbits-{bits}-{block}-{k}x{n}-{zero}-{grouped}-{biased}-{len(rows)}-{kind.__name__}", node,
        constants, rng.standard_normal(rows + (k,)).astype(kind), weights, bias)


for bits in (2, 4, 8):
    for zero in (None, "packed", "float"):
        bits_case(bits, 16, 77, 20, zero, biased=zero == "packed")
        bits_case(bits, 32, 128, 33, zero)
bits_case(4, 256, 512, 16, "packed")
bits_case(4, 128, 200, 7)
bits_case(4, 16, 65, 5, "packed", grouped=True, biased=True)
bits_case(2, 16, 64, 5, grouped=True)
bits_case(4, 32, 64, 9, "packed", kind=np.float16)
bits_case(4, 32, 64, 9, "float", kind=np.float16, biased=True)
bits_case(4, 16, 48, 5, rows=())
bits_case(4, 16, 48, 5, rows=(0,))
bits_case(8, 16, 48, 5, rows=(2, 0, 3))
bits_case(4, 32, 512, 512, "packed", rows=(1,))

for table, name in ((FP4, "fp4"), (NF4, "nf4")):
    for k, n, block in ((64, 20, 64), (34, 7, 16), (128, 65, 64), (33, 8, 16), (33, 7, 64)):
        data = rng.integers(0, 256, -(-n * k // 2), dtype=np.uint8)
        absmax = (rng.random(-(-n * k // block)) + 0.1).astype(np.float32)
        both = np.stack([data >> 4, data & 15], -1).reshape(-1)[:n * k].reshape(n, k)
        weights = np.array(table)[both] * absmax[np.arange(n * k) // block].reshape(n, k)
        node = h.make_node("MatMulBnb4", ["x", "B", "S"], ["y"], domain="com.microsoft", K=k, N=n,
                           block_size=block, quant_type=int(name == "nf4"))
        run(f"bnb4-{name}-{k}x{n}-{block}", node, {"B": data.reshape(-1), "S": absmax},
            rng.standard_normal((3, k)).astype(np.float32), weights, 0.0)

more, failed = quantized.run_all(weft, folder.name)
count += more
failures += failed

if failures:
    sys.exit(f"{len(failures)} cases failed: {', '.join(failures)}")
print(count, "models as NumPy")
