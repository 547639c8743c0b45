#!/usr/bin/env python3
#===- cases.py - Kernels that take numbers as arguments ---------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Layers that differ in float constants only are one kernel (weft-share-kernels), in every
float type, of contractions and of elementwise operations. Each must compute with its own
numbers: compared with NumPy, in every bit where all operations are exact.

Usage: cases.py WEFT-PROGRAM [--target=cpu|emulation]"""

import os
import sys
import tempfile

import ml_dtypes
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import modules

weft = sys.argv[1]
target = sys.argv[2].split("=")[1] if len(sys.argv) > 2 else "cpu"
rng = np.random.default_rng(3)
folder = tempfile.TemporaryDirectory()

# Powers of two and small sums of them, so that nothing is rounded in bf16 either. Zero and one
# stay in kernels of their own.
NUMBERS = [(2.0, 0.5), (0.25, -3.0), (-4.0, 1.5), (3.0, 0.5), (0.0, 1.0), (1.0, -0.5)]
DTYPES = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}


def layers(element):
    """y = relu(x scale + shift), once for each of `NUMBERS`, one after another."""
    type_ = f"tensor<?x37x{element}>"
    text = "#id = affine_map<(a, b) -> (a, b)>\n"
    for i, (scale, shift) in enumerate(NUMBERS):
        text += f"""
func.func private @layer{i}(%x: {type_}) -> {type_} attributes {{no_inline}} {{
  %scale = arith.constant {scale} : {element}
  %shift = arith.constant {shift} : {element}
  %zero = arith.constant 0.0 : {element}
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : {type_}
  %out = tensor.empty(%n) : {type_}
  %y = linalg.generic {{indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%x : {type_}) outs(%out : {type_}) {{
  ^bb0(%a: {element}, %o: {element}):
    %m = arith.mulf %a, %scale : {element}
    %s = arith.addf %m, %shift : {element}
    %r = arith.maximumf %s, %zero : {element}
    linalg.yield %r : {element}
  }} -> {type_}
  return %y : {type_}
}}
"""
    results = ", ".join([type_] * len(NUMBERS))
    text += f"func.func @main(%x: {type_}) -> ({results}) {{\n"
    for i in range(len(NUMBERS)):
        text += f"  %y{i} = call @layer{i}(%x) : ({type_}) -> {type_}\n"
    return text + f"""  return {', '.join(f'%y{i}' for i in range(len(NUMBERS)))} : {results}
}}
"""


def products():
    """Two products of 8-bit codes, each with a scale of its own."""
    text = """#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(a, b) -> (a, b)>
func.func @main(%x: tensor<?x67xi8>, %w: tensor<67x41xi8>, %v: tensor<67x41xi8>)
    -> (tensor<?x41xf32>, tensor<?x41xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0 : i32
  %n = tensor.dim %x, %c0 : tensor<?x67xi8>
  %sums = tensor.empty(%n) : tensor<?x41xi32>
  %zeros = linalg.fill ins(%zero : i32) outs(%sums : tensor<?x41xi32>) -> tensor<?x41xi32>
  %out = tensor.empty(%n) : tensor<?x41xf32>
"""
    for name, scale in (("w", 0.0625), ("v", 8.0)):
        text += f"""  %s{name} = arith.constant {scale} : f32
  %p{name} = weft.contract indexing_maps = [#a, #b, #c]
      ins(%x, %{name} : tensor<?x67xi8>, tensor<67x41xi8>) outs(%zeros : tensor<?x41xi32>) -> tensor<?x41xi32>
  %y{name} = linalg.generic {{indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}}
      ins(%p{name} : tensor<?x41xi32>) outs(%out : tensor<?x41xf32>) {{
  ^bb0(%a: i32, %o: f32):
    %f = arith.sitofp %a : i32 to f32
    %m = arith.mulf %f, %s{name} : f32
    linalg.yield %m : f32
  }} -> tensor<?x41xf32>
"""
    return text + "  return %yw, %yv : tensor<?x41xf32>, tensor<?x41xf32>\n}\n"


def kernels(module):
    return module.after("fuse").count("weft.kernel @")


def check(name, text, inputs, expected, count):
    module = modules.Module(weft, text, f"{folder.name}/{name}", target)
    if (have := kernels(module)) != count:
        raise modules.Failure(f"{name}: {have} kernels, expected {count}")
    for i, (have, want) in enumerate(zip(module.call_alike(inputs), expected)):
        have = have.view(want.dtype) if have.dtype.kind == "V" else have
        if not np.array_equal(have.astype(np.float64), want.astype(np.float64)):
            raise modules.Failure(f"{name}: result {i} differs")


for element, dtype in DTYPES.items():
    for rows in (0, 1, 13):
        x = rng.integers(-8, 8, (rows, 37)).astype(dtype)
        wanted = [np.maximum(x.astype(np.float64) * scale + shift, 0).astype(dtype)
                  for scale, shift in NUMBERS]
        check(f"{element}-{rows}", layers(element), [x], wanted, 3)
x, w, v = (rng.integers(-128, 128, shape).astype(np.int8) for shape in ((5, 67), (67, 41), (67, 41)))
check("products", products(), [x, w, v],
      [(x.astype(np.int64) @ y * scale).astype(np.float32) for y, scale in ((w, 0.0625), (v, 8.0))], 1)
print("shared kernels: ok")
