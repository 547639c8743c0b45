# The Python package: load, call and compile modules.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles models to native modules and runs them.

>>> import numpy as np, weft
>>> module = weft.load("model.so")
>>> module.inputs
[Argument(name='x', dtype='float32', dims=('batch', 4))]
>>> y, = module(np.ones((2, 4), np.float32))

Contiguous arrays go in and out without copies; strided inputs are copied. Types that NumPy lacks (bfloat16, 8-bit
floats) are those of ml_dtypes where it can be imported, else unsigned integers
of the same width that hold the bits.
"""

from ._compile import CompileError, compile
from ._ffi import Code, Error, runtime_version, usable_threads
from ._context import BoundCall, Context, KernelEvent
from ._module import Module, load
from ._session import InferenceSession, IOBinding, ModelMetadata, NodeArg, OrtValue
from ._signature import Argument

__all__ = [
    "Argument",
    "BoundCall",
    "Code",
    "CompileError",
    "Context",
    "Error",
    "IOBinding",
    "InferenceSession",
    "KernelEvent",
    "ModelMetadata",
    "Module",
    "NodeArg",
    "OrtValue",
    "compile",
    "load",
    "runtime_version",
    "usable_threads",
]
__version__ = "0.1.0"
