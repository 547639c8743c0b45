#!/usr/bin/env python3
#===- cases.py - Parts of architectures as exporters write them -------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Builds the blocks of current architectures in the way in which PyTorch's
exporters write them (shape arithmetic, masks, loops and all), with fixed and with
symbolic extents, and compares with onnxruntime.

Usage: cases.py WEFT-PROGRAM [FOLDER-TO-KEEP]"""

import os
import shutil
import sys

import numpy as np
from onnx import TensorProto as T

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from blocks import both, cases, f, w  # noqa: E402
from graphs import Cases  # noqa: E402
# Each adds the cases of a family.
import experts, rotary, attention, vision, recurrences, indexing  # noqa: E401, E402, F401



def half(g, x):
    """A block in float16 with float32 inside, as autocast exports."""
    y = g.MatMul(x, w(6, 6).astype(np.float16))
    wide = g.Cast(y, to=T.FLOAT)
    scale = g.Reciprocal(g.Sqrt(g.Add(g.ReduceMean(g.Mul(wide, wide), axes=[-1], keepdims=1),
                                      np.float32(1e-6))))
    return g.Mul(g.Cast(g.Mul(wide, scale), to=T.FLOAT16), np.float16(np.ones(6)))


halves = Cases()
both("half", half, lambda b: {"x": f(b, 3, 6).astype(np.float16)}, [(1,), (4,)], to=halves)

if len(sys.argv) > 2:
    shutil.copytree(cases.root, sys.argv[2])
cases.check(sys.argv[1], "--rtol=1e-3", "--atol=2e-5", "--jobs=2")
cases.check(sys.argv[1], "--rtol=1e-3", "--atol=2e-5", "--jobs=2", "--variant=dynamic",
              "--filter=*_dynamic")
# Two roundings to 11 bits.
halves.check(sys.argv[1], "--rtol=2e-3")
print(f"{cases.count + halves.count} cases as expected")
