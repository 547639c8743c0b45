#===- harness.py - Compiles and runs modules of one function -----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Runs cases and keeps count. Results are compared bit for bit, with one and two threads."""

import os
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from modules import Failure, Module, tensor  # pylint: disable=wrong-import-position

TYPES = {"float16": "f16", "float32": "f32", "float64": "f64", "int8": "i8", "int16": "i16",
         "int32": "i32", "int64": "i64"}


class Cases:
    """`arguments`: the program, and the part that names of cases must have."""

    def __init__(self, arguments):
        self.weft = arguments[1]
        self.only = arguments[2] if len(arguments) > 2 else ""
        self.folder = tempfile.TemporaryDirectory()
        self.count, self.failures = 0, []

    def run(self, name, text, feed, want, error=None):
        """`text` is the module. `want` has the results; None: whatever they are. `error`
        is what the run says instead."""
        if self.only not in name:
            return
        self.count += 1
        problems = self.problems(name, text, feed, want, error)
        if problems:
            self.failures.append(name)
            print("FAIL", name, problems)
            if self.only:
                print(text)

    def problems(self, name, text, feed, want, error):
        try:
            module = Module(self.weft, text, os.path.join(self.folder.name, name))
        except Failure as failure:
            return str(failure)
        for threads in (1, 2):
            try:
                have = dict(zip(module.output_names(), module.call(feed, threads)))
            except Failure as failure:
                if error and failure.code > 0 and error in str(failure):
                    continue
                return f"expected '{error}', got {failure}" if error else str(failure)
            if error:
                return f"expected '{error}', got results"
            for key, value in want.items():
                x = have[key]
                if value is not None and (x.shape != value.shape or not np.array_equal(x, value)):
                    return f"{key} differs with {threads} threads: {x.shape} {x.ravel()[:12]}, " \
                           f"expected {value.shape} {value.ravel()[:12]}"
        return ""

    def finish(self):
        if self.failures:
            sys.exit(f"{len(self.failures)} of {self.count} cases failed: "
                     f"{', '.join(self.failures)}")
        print(self.count, "cases as NumPy")


class Function:
    """Collects the arguments of a function `main`."""

    def __init__(self):
        self.symbols, self.arguments, self.feed = [], [], {}

    def argument(self, name, value, dynamic=()):
        """Adds `value`; `dynamic` has a symbol for each dimension that is dynamic, or
        None. Returns its type."""
        dynamic = list(dynamic) + [None] * (value.ndim - len(dynamic))
        extents = ["?" if symbol else extent for extent, symbol in zip(value.shape, dynamic)]
        dims = [f'"{symbol}"' if symbol else str(extent)
                for extent, symbol in zip(value.shape, dynamic)]
        for symbol in dynamic:
            if symbol and symbol not in self.symbols:
                self.symbols.append(symbol)
        type_ = tensor(extents, TYPES[value.dtype.name])
        self.arguments.append(
            f'%{name}: {type_} {{weft.name = "{name}", weft.dims = [{", ".join(dims)}]}}')
        self.feed[name] = value
        return type_

    def text(self, body, results):
        """`results` are names and types."""
        symbols = [f'%{s}: index {{weft.symbol = "{s}"}}' for s in self.symbols]
        signature = ", ".join(f'{t} {{weft.name = "{n}"}}' for n, t in results)
        return f"func.func @main({', '.join(symbols + self.arguments)}) -> ({signature}) {{\n" \
               f"{body}\n  return {', '.join(f'%{n}' for n, _ in results)} : " \
               f"{', '.join(t for _, t in results)}\n}}\n"
