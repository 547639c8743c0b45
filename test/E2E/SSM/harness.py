#===- harness.py - Runs one operation, compares with float64 ----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs modules of ssm operations and compares their results with given
ones, for several numbers of threads."""

import os
import sys
import tempfile

import ml_dtypes
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from modules import Failure, Module  # pylint: disable=wrong-import-position

NAMES = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64", "int32": "i32"}

# Relative to the largest number of the expected result. float32: at most some hundred
# roundings of 2^-24 each that add up, in sums, exponentials and states that do not
# grow. The narrow types: one rounding of the result, of 2^-11 or 2^-8, since states and
# sums are float32. float64 likewise, where exp has an error of some 2^-50.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12, "float16": 1e-3, "bfloat16": 8e-3}


def type_of(shape, element):
    return f"tensor<{''.join(f'{s}x' for s in shape)}{element}>"


class Runner:
    def __init__(self, weft):
        self.weft = weft
        self.folder = tempfile.TemporaryDirectory()
        self.count = 0
        self.failures = []

    def fail(self, name, message):
        self.failures.append(name)
        print("FAIL", name, message)

    def compile(self, name, text):
        return Module(self.weft, text, os.path.join(self.folder.name, name))

    def module(self, text, feed, outputs, name, threads=(1, 2)):
        """Runs `text` on `feed` and gives the named outputs, or None if that fails."""
        try:
            module = self.compile(name, text)
            results = dict(zip(module.output_names(), module.call_alike(feed, threads)))
        except Failure as failure:
            self.fail(name, failure)
            return None
        return [results[key] for key in outputs]

    def compare(self, name, have, want, element):
        """`want` in float64; `have` as it was read, of the named type."""
        if element == "bfloat16":
            have = have.view(ml_dtypes.bfloat16)
        have = have.astype(np.float64)
        scale = max(1.0, np.abs(want).max()) if want.size else 1.0
        if have.shape != want.shape:
            self.fail(name, f"has shape {have.shape}, expected {want.shape}")
        elif not np.all(np.isfinite(have)) or (
                want.size and np.abs(have - want).max() > TOLERANCE[element] * scale):
            worst = np.abs(have - want).max()
            self.fail(name, f"differs by {worst} of {scale}")

    def refuses(self, name, text, feed, sentence):
        """Whether a call on `feed` fails with the sentence."""
        module = self.compile(name, text)
        try:
            module.call(feed)
            self.fail(name, f"expected '{sentence}', got results")
        except Failure as failure:
            if failure.code < 0 or sentence not in str(failure):
                self.fail(name, f"expected '{sentence}', got {failure}")

    def operation(self, name, head, operands, inits, want, dynamic="", tail="", refused=None):
        """One operation: `head` its name and attributes, `operands` a list of (keyword,
        name, array, letters of dimensions), those of the keyword "ins" first, `inits`
        of (shape, letters, type, number to fill with or None). Letters in `dynamic`
        are symbols. `refused` is the sentence that a call must fail with."""
        extents = {}
        for _, _, array, letters in operands:
            extents.update(zip(letters, array.shape))
        for shape, letters, _, _ in inits:
            extents.update(zip(letters, shape))
        symbols = [x for x in dict.fromkeys("".join(o[3] for o in operands)) if x in dynamic]
        fold = lambda shape, letters: ["?" if x in symbols else n for n, x in zip(shape, letters)]
        arguments = [f'%d{x}: index {{weft.symbol = "{x}"}}' for x in symbols]
        groups, feed = {}, {}
        for keyword, key, array, letters in operands:
            kind = type_of(fold(array.shape, letters), NAMES[array.dtype.name])
            dims = ", ".join(f'"{x}"' if x in symbols else str(n) for n, x in zip(array.shape, letters))
            arguments.append(f'%{key}: {kind} {{weft.name = "{key}", weft.dims = [{dims}]}}')
            groups.setdefault(keyword, []).append((f"%{key}", kind))
            feed[key] = array
        lines, outs = [], []
        for i, (shape, letters, element, number) in enumerate(inits):
            kind = type_of(fold(shape, letters), NAMES[element])
            sizes = ", ".join(f"%d{x}" for x in letters if x in symbols)
            lines.append(f"  %e{i} = tensor.empty({sizes}) : {kind}")
            if number is not None:
                lines.append(f"  %n{i} = arith.constant {float(number)} : {NAMES[element]}")
                lines.append(f"  %i{i} = linalg.fill ins(%n{i} : {NAMES[element]}) "
                             f"outs(%e{i} : {kind}) -> {kind}")
            outs.append((f"%{'e' if number is None else 'i'}{i}", kind))
        if "region" in head:
            groups["identity"] = [("%one", "f32"), ("%zero", "f32")]
        groups["outs"] = outs
        text = " ".join(
            f"{keyword}({', '.join(v for v, _ in group)} : {', '.join(t for _, t in group)})"
            for keyword, group in groups.items())
        kinds = [t for _, t in outs]
        results = ", ".join(f"%r{i}" for i in range(len(outs)))
        named = ", ".join(f'{t} {{weft.name = "r{i}"}}' for i, t in enumerate(kinds))
        head = head.replace("RESULTS", f"{results} = ") if "RESULTS" in head else f"{results} = {head}"
        build = lambda attributes: (
            f"func.func @main({', '.join(arguments)}) -> ({named}) {{\n" + "\n".join(lines) +
            f"\n  {head} {text} {attributes} {tail} -> {', '.join(kinds)}\n"
            f"  return {results} : {', '.join(kinds)}\n}}\n")
        module = build("")
        label = f"{name}-{dynamic or 'static'}"
        if refused:
            # Without the check, kernels keep to the range by themselves.
            self.refuses(label + "-refused", module, feed, refused)
            module = build("{weft.checked}")
        have = self.module(module, feed, [f"r{i}" for i in range(len(outs))], label)
        self.count += 1
        if have is None:
            return None
        for i, (array, expected) in enumerate(zip(have, want)):
            self.compare(f"{label}-r{i}", array, expected, inits[i][2])
        return have
