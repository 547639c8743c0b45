#===- harness.py - Runs functions of moe operations ------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles the text of a function, runs it by several numbers of threads, whose
results must be equal in every bit, and compares with a reference in float64."""

import os
import tempfile

import numpy as np
import weft

try:
    import ml_dtypes
    BF16 = np.dtype(ml_dtypes.bfloat16)
except ImportError:  # pragma: no cover
    BF16 = None

NAMES = {"f16": np.float16, "bf16": BF16, "f32": np.float32, "f64": np.float64, "i8": np.int8,
         "i32": np.int32, "i64": np.int64}
# Half a unit in the last place of the type that results are rounded to, a few of
# them of the one that sums are computed in: these have at most some hundred terms
# of about 1.
TOLERANCE = {"f64": 1e-12, "f32": 2e-5, "f16": 2e-3, "bf16": 1.6e-2}

folder = tempfile.TemporaryDirectory()
failures = []
count = 0


class Function:
    """The text of a function with symbolic or static extents. Extents are numbers or
    the names of symbols."""

    def __init__(self, static=None):
        self.static = static or {}
        self.symbols, self.arguments, self.lines, self.results = [], [], [], []
        self.constants = {}

    def extent(self, dim):
        return self.static.get(dim, dim)

    def type(self, dims, element):
        sizes = [self.extent(d) for d in dims]
        return f"tensor<{''.join(('?' if isinstance(s, str) else str(s)) + 'x' for s in sizes)}{element}>"

    def index(self, dim):
        """An index value of an extent."""
        size = self.extent(dim)
        if isinstance(size, str):
            if size not in self.symbols:
                self.symbols.append(size)
            return f"%d{size}"
        if size not in self.constants:
            self.constants[size] = f"%c{size}"
            self.lines.insert(0, f"%c{size} = arith.constant {size} : index")
        return self.constants[size]

    def input(self, name, dims, element):
        for d in dims:
            if isinstance(self.extent(d), str):
                self.index(d)
        shown = ", ".join(f'"{e}"' if isinstance(e, str) else str(e)
                          for e in map(self.extent, dims))
        kind = self.type(dims, element)
        self.arguments.append(f'%{name}: {kind} {{weft.name = "{name}", weft.dims = [{shown}]}}')
        return kind

    def empty(self, name, dims, element):
        kind = self.type(dims, element)
        sizes = [self.index(d) for d in dims if isinstance(self.extent(d), str)]
        self.lines.append(f"%{name} = tensor.empty({', '.join(sizes)}) : {kind}")
        return kind

    def zeros(self, name, dims, element):
        kind = self.empty(name + "_e", dims, element)
        zero = "0" if element[0] == "i" else "0.0"
        self.lines.append(f"%{name}_z = arith.constant {zero} : {element}")
        self.lines.append(f"%{name} = linalg.fill ins(%{name}_z : {element}) "
                          f"outs(%{name}_e : {kind}) -> {kind}")
        return kind

    def add(self, line):
        self.lines.append(line)

    def text(self):
        symbols = [f'%d{s}: index {{weft.symbol = "{s}"}}' for s in self.symbols]
        kinds = ", ".join(f'{kind} {{weft.name = "{name[1:]}"}}' for name, kind in self.results)
        body = "\n  ".join(self.lines)
        names = ", ".join(name for name, _ in self.results)
        types = ", ".join(kind for _, kind in self.results)
        return (f"func.func @main({', '.join(symbols + self.arguments)}) -> ({kinds}) {{\n  {body}\n"
                f"  return {names} : {types}\n}}\n")


def compile(text, **options):
    path = os.path.join(folder.name, f"m{count}.mlir")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return weft.compile(path, **options)


def run(module, feed):
    """The outputs by name, equal for all numbers of threads."""
    results = [weft.Context(module, threads=threads)(**feed, as_dict=True) for threads in (1, 2, 5)]
    for other in results[1:]:
        for name, value in other.items():
            assert value.tobytes() == results[0][name].tobytes(), f"{name} depends on threads"
    return results[0]


def check(name, have, want, tolerance):
    """`want` maps names to arrays; integers must be equal."""
    global count
    count += 1
    for key, value in want.items():
        value = np.asarray(value)
        got = have[key]
        if got.shape != value.shape:
            failures.append(f"{name}: {key} has shape {got.shape}, expected {value.shape}")
        elif value.dtype.kind in "iu":
            if not np.array_equal(got, value):
                failures.append(f"{name}: {key} is\n{got}\nexpected\n{value}")
        elif not np.allclose(got.astype(np.float64), value, rtol=tolerance, atol=tolerance,
                             equal_nan=True):
            worst = np.nanmax(np.abs(got.astype(np.float64) - value))
            failures.append(f"{name}: {key} is off by {worst}")


def case(name, text, feed, want, tolerance=0.0):
    """One text, one call."""
    try:
        module = compile(text)
        have = run(module, feed)
    except (weft.Error, AssertionError) as error:
        failures.append(f"{name}: {error}\n{text}")
        return
    check(name, have, want, tolerance)


def refused(name, text, feed, sentence):
    """A call that must fail with a sentence."""
    global count
    count += 1
    try:
        run(compile(text), feed)
    except weft.Error as error:
        if sentence not in str(error):
            failures.append(f"{name}: says '{error}', expected '{sentence}'")
        return
    failures.append(f"{name}: was not refused, expected '{sentence}'")


def finish():
    for failure in failures:
        print("FAIL", failure)
    print(f"{count} cases, {len(failures)} failed")
    return 1 if failures else 0
