#!/usr/bin/env python3
#===- run.py - Published methods as executed examples ------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs the examples, a folder each, and compares them with their references.

Usage: run.py WEFT-PROGRAM [--target=cpu,emulation] [--theme=THEME] [--jobs=N] [ID...]
       run.py --readme [--write]      # is README.md what the examples say? write it

An example is ID/example.py:

    docstring       the title of the paper, then paragraphs `Theme:`, `Claim:` (what the paper
                    says) and `Shown:` (what is checked here)
    MODULE          the method as IR: the text of a module with one function, or a function of
                    no arguments that gives it
    inputs(rng)     the arguments by name, in the order of the signature; what begins with `_`
                    is for the reference alone. A list of them is several calls of one module
    reference(inputs, ablated)
                    the results in float64 by the paper's formulas, in order. `ablated` leaves
                    out what the method is about; that the module does *not* compute this shows
                    that the example can fail
    TOLERANCE       the largest difference, relative to the largest expected number or 1;
                    integers are equal
    check(example)  optional, on the CPU: further properties of the module, as assertions

A call gives the same bits for one and for two threads."""

import argparse
import concurrent.futures
import importlib.util
import os
import re
import sys
import tempfile
import time
import traceback

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from modules import Failure, Module  # noqa: E402

FIELDS = ("Theme", "Claim", "Shown")


class Example:
    """One example. `calls` has inputs, results and what was expected once it ran."""

    def __init__(self, identifier):
        self.identifier = identifier
        spec = importlib.util.spec_from_file_location(
            "technique_" + re.sub(r"\W", "_", identifier), f"{HERE}/{identifier}/example.py")
        self.code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.code)
        text = [" ".join(p.split()) for p in self.code.__doc__.strip().split("\n\n")]
        self.title = text[0]
        self.fields = dict(p.split(": ", 1) for p in text[1:])
        if tuple(self.fields) != FIELDS:
            raise ValueError(f"{identifier} has {list(self.fields)}, expected {FIELDS}")
        self.theme = self.fields["Theme"]

    def text(self):
        module = self.code.MODULE
        return module() if callable(module) else module

    def run(self, weft, target, folder):
        """Raises what went wrong."""
        self.module = Module(weft, self.text(), f"{folder}/{self.identifier}-{target}", target)
        inputs = self.code.inputs(np.random.default_rng(7))
        self.calls = [self.call(i) for i in (inputs if isinstance(inputs, list) else [inputs])]
        if target == "cpu" and hasattr(self.code, "check"):
            self.code.check(self)

    def call(self, inputs):
        given = [value for key, value in inputs.items() if not key.startswith("_")]
        have = self.module.call_alike(given)
        want = [np.asarray(w) for w in self.code.reference(inputs, False)]
        if len(have) != len(want):
            raise Failure(f"{len(have)} results, expected {len(want)}")
        for i, (x, y) in enumerate(zip(have, want)):
            difference = distance(x, y)
            if not difference <= self.code.TOLERANCE:
                raise Failure(f"result {i} is off by {difference:.3g} ({x.shape} {y.shape})")
        ablated = [np.asarray(w) for w in self.code.reference(inputs, True)]
        close = all(distance(x, y) <= 10 * self.code.TOLERANCE for x, y in zip(have, ablated))
        if close and any(x.size for x in have):
            raise Failure("the results are those without the method, too")
        return inputs, have, want


def distance(have, want):
    if have.shape != want.shape:
        return np.inf
    if want.dtype.kind in "iub":
        return 0.0 if np.array_equal(have, want) else np.inf
    if have.dtype.kind in "Vu":  # bf16 has no type in NumPy
        import ml_dtypes
        have = have.view(ml_dtypes.bfloat16)
    have = have.astype(np.float64)
    if not want.size:
        return 0.0
    return float(np.abs(have - want).max() / max(1.0, np.abs(want).max()))


def identifiers():
    return sorted(d for d in os.listdir(HERE) if os.path.isfile(f"{HERE}/{d}/example.py"))


def run_all(weft, examples, target, jobs):
    """The identifiers of those that failed."""
    def work(example):
        try:
            example.run(weft, target, folder)
        except Exception as error:  # a failure of one example is not one of the others
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = "" if isinstance(error, Failure) else f" ({last.name}, line {last.lineno})"
            print(f"FAIL {example.identifier} ({target}): {type(error).__name__} {error}{where}")
            return example.identifier
        return None

    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            failed = [i for i in pool.map(work, examples) if i]
    print(f"{target}: {len(examples) - len(failed)} of {len(examples)} techniques "
          f"in {time.monotonic() - start:.1f} s")
    return failed


def readme(examples):
    lines = ["# Published methods as executed examples", "",
             "Each folder has one method as IR that is compiled and run on the CPU and the emulated "
             "GPU, and compared", "with the paper's formulas in NumPy. This page is made of their "
             "docstrings by `run.py --readme --write`."]
    for theme in sorted({e.theme for e in examples}):
        lines += ["", f"## {theme}", "", "| example | paper | it says | shown here |", "|---|---|---|---|"]
        for e in examples:
            if e.theme == theme:
                cells = [e.title, e.fields["Claim"], e.fields["Shown"]]
                cells = [c.replace("|", "\\|") for c in cells]
                lines.append(f"| [{e.identifier}]({e.identifier}/example.py) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weft", nargs="?")
    parser.add_argument("id", nargs="*")
    parser.add_argument("--target", default="cpu,emulation")
    parser.add_argument("--theme")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_intermixed_args()
    unknown = sorted(set(options.id) - set(identifiers()))
    if unknown:
        parser.error(f"there is no example {', '.join(unknown)}; README.md lists them")
    examples = [Example(i) for i in options.id or identifiers()]
    if options.readme:
        page, path = readme(examples), f"{HERE}/README.md"
        if options.write:
            with open(path, "w", encoding="utf-8") as file:
                file.write(page)
        with open(path, encoding="utf-8") as file:
            return 0 if file.read() == page else "README.md is not what run.py --readme --write writes"
    examples = [e for e in examples if options.theme in (None, e.theme)]
    failed = [i for target in options.target.split(",")
              for i in run_all(options.weft, examples, target, options.jobs)]
    return 1 if failed or not examples else 0


if __name__ == "__main__":
    sys.exit(main())
