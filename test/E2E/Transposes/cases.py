#!/usr/bin/env python3
#===- cases.py - Transpositions in registers --------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compares transpositions with NumPy, to the bit: all permutations of two to four
dimensions, elements of every width, extents that no square fits, empty and free
ones, alone and between elementwise operations, for each kind of chip that runs
here and for several numbers of threads.

Usage: cases.py WEFT-PROGRAM"""

import itertools
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper as h

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
root = folder.name
rng = np.random.default_rng(7)
count = 0
N = h.make_node
chips = ("native", "x86-64-v3", "x86-64-v4")


def numbers(dtype, shape):
    dtype = np.dtype(dtype)
    if dtype == bool:
        return rng.random(shape) < 0.5
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    return rng.integers(0, 100, shape).astype(dtype)


def compiled(name, nodes, inputs, outputs, dynamic, chip):
    """A module for the chip; with free extents if `dynamic`."""
    def info(key, value):
        extents = [f"{key}_{i}" for i in range(value.ndim)] if dynamic else value.shape
        return h.make_tensor_value_info(key, h.np_dtype_to_tensor_dtype(value.dtype), extents)

    graph = h.make_graph(
        nodes, "g", [info(k, v) for k, v in inputs.items()],
        [h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype), None)
         for k, v in outputs.items()])
    path = f"{root}/{name}"
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 20)], ir_version=9),
              path + ".onnx")
    subprocess.run([weft, "compile", path + ".onnx", "--quiet", "-o", path + ".so",
                    "--cpu=" + chip], check=True, timeout=300)
    return path + ".so"


def check(name, module, inputs, outputs, chip, threads):
    """Whether the outputs are as expected; nothing if the module is for another chip."""
    global count
    command = [weft, "run", module, "--quiet", f"--output-dir={root}/out", f"--threads={threads}"]
    for key, value in inputs.items():
        np.save(f"{root}/{key}.npy", value)
        command.append(f"--input={key}=@{root}/{key}.npy")
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if run.returncode != 0 and chip != "native" and "for " in run.stderr:
        return
    if run.returncode != 0:
        sys.exit(f"{name}: {run.stderr}")
    for key, value in outputs.items():
        count += 1
        result = np.load(f"{root}/out/{key}.npy")
        if result.shape != value.shape or result.tobytes() != value.tobytes():
            sys.exit(f"{name}, {chip}, {threads} threads: {key} is not as expected")


# All permutations, in one model for each width and kind of chip. With free extents
# one module runs all of the shapes: small and odd ones, ones of several blocks, and
# empty ones.
shapes = {
    2: [(37, 21), (131, 300), (5, 1), (0, 9)],
    3: [(5, 19, 33), (2, 70, 150), (1, 4, 3), (3, 0, 2)],
    4: [(3, 17, 7, 35), (2, 64, 18, 33), (1, 2, 2, 5), (1, 3, 4, 0)],
}
permutations = [p for rank in shapes for p in itertools.permutations(range(rank))]
for dtype in (np.float32, np.uint8, np.float16, np.int64, bool):
    for chip in chips:
        for dynamic in (False, True):
            if not dynamic and dtype not in (np.float32, np.uint8):
                continue
            module = None
            for size in range(4 if dynamic else 1):
                inputs = {f"x{rank}": numbers(dtype, shapes[rank][size]) for rank in shapes}
                nodes, outputs = [], {}
                for p in permutations:
                    key, x = "y" + "".join(map(str, p)), f"x{len(p)}"
                    nodes.append(N("Transpose", [x], [key], perm=p))
                    outputs[key] = np.ascontiguousarray(inputs[x].transpose(p))
                name = f"{np.dtype(dtype).name}{'_dynamic' * dynamic}_{size}"
                module = module or compiled("m", nodes, inputs, outputs, dynamic, chip)
                for threads in (1, 3):
                    check(name, module, inputs, outputs, chip, threads)

# Between elementwise operations: operands that are transposed and ones that are not,
# broadcast along either side, of another width than the result, and read twice.
for chip in chips:
    for dynamic in (False, True):
        for m, n in ((300, 201), (19, 6), (64, 128)):
            x, z = numbers(np.float32, (3, m, n)), numbers(np.float32, (3, n, m))
            u, r, c = numbers(np.uint8, (3, m, n)), numbers(np.float32, m), numbers(np.float32, (n, 1))
            t = x.transpose(0, 2, 1)
            inputs = {"x": x, "z": z, "u": u, "r": r, "c": c}
            outputs = {
                "bias": np.maximum(t + r, 0) * z,
                "scaled": np.negative(x).transpose(0, 2, 1) * c,
                "bytes": u.transpose(0, 2, 1).astype(np.float32) + z,
                "twice": t * x.transpose(0, 2, 1) + t,
                "less": t < z,
            }
            nodes = [
                N("Transpose", ["x"], ["t"], perm=[0, 2, 1]), N("Add", ["t", "r"], ["b"]),
                N("Relu", ["b"], ["p"]), N("Mul", ["p", "z"], ["bias"]),
                N("Neg", ["x"], ["n"]), N("Transpose", ["n"], ["nt"], perm=[0, 2, 1]),
                N("Mul", ["nt", "c"], ["scaled"]),
                N("Transpose", ["u"], ["ut"], perm=[0, 2, 1]), N("Cast", ["ut"], ["uf"], to=1),
                N("Add", ["uf", "z"], ["bytes"]),
                N("Mul", ["t", "t"], ["tt"]), N("Add", ["tt", "t"], ["twice"]),
                N("Less", ["t", "z"], ["less"]),
            ]
            name = f"fused{'_dynamic' * dynamic}_{m}_{n}"
            module = compiled("f", nodes, inputs, outputs, dynamic, chip)
            for threads in (1, 2, 3):
                check(name, module, inputs, outputs, chip, threads)
print(f"{count} results as expected")
