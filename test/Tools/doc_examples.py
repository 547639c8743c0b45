#!/usr/bin/env python3
#===- doc_examples.py - The documentation's examples work -------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Takes the examples out of the documentation of operations, attributes and passes
(the ```mlir blocks of .td files) and checks each that is a whole function: it must
parse, verify and print as it is read; where its arguments are plain tensors, it
is compiled and run too, on zeros for integers and random numbers for floats.

An operation without such an example is an error, unless it is named below.

Usage: doc_examples.py WEFT-OPT WEFT [--list]"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIALECTS = ["LowP", "Sparse", "MoE", "SSM", "Attn"]
# What is no computation on its own.
WITHOUT = {"moe.yield", "ssm.yield", "attn.yield", "sparse.yield"}

BLOCK = re.compile(r"```mlir\n(.*?)```", re.S)
OPERATION = re.compile(r"^def \w+Op\s*:\s*\w+<\"(\w+)\"", re.M)
ARGUMENT = re.compile(r"%\w+: (tensor<[^>]*>|index)(?: \{[^}]*\})?")


def dedent(text):
    lines = text.splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines) + "\n"


def sections(path):
    """(operation's name or None, text of its definition)."""
    text = path.read_text()
    dialect = {"LowP": "lowp", "MoE": "moe", "SSM": "ssm"}.get(path.parts[-3], path.parts[-3].lower())
    starts = list(OPERATION.finditer(text))
    for i, match in enumerate(starts):
        end = starts[i + 1].start() if i + 1 < len(starts) else len(text)
        yield f"{dialect}.{match[1]}", text[match.start():end]


def signature(example):
    """The types of @main's arguments if the example can be run by itself."""
    head = re.search(r"func\.func @\w+\((.*?)\)\s*(?:->|\{|attributes)", example, re.S)
    if not head or example.count("func.func") != 1 or "!weft.packed" in head[1]:
        return None
    arguments = re.findall(r"%\w+:\s*([^,%]*(?:<[^>]*>)?[^,%]*)", head[1])
    types = []
    for argument in ARGUMENT.findall(head[1]):
        if argument == "index":
            if "weft.symbol" not in head[1]:
                return None
            continue
        if "?" in argument and "weft.symbol" not in head[1]:
            return None
        types.append(argument[len("tensor<"):-1].replace("?", "4"))
    return types if arguments else None


def check(weft_opt, weft, name, example, folder):
    """What is wrong with an example, or None."""
    path = pathlib.Path(folder) / "example.mlir"
    path.write_text(example)
    read = subprocess.run([weft_opt, path], capture_output=True, text=True, check=False)
    if read.returncode:
        return read.stderr.strip()
    again = subprocess.run([weft_opt, "-"], input=read.stdout, capture_output=True, text=True,
                           check=False)
    if again.returncode or again.stdout != read.stdout:
        return "prints as something else: " + again.stderr.strip()
    types = signature(example)
    if types is None:
        return None
    inputs = []
    for kind in types:
        element = kind.split("x")[-1]
        inputs.append(f"--input={kind}" + ("=random" if element in ("f16", "bf16", "f32", "f64")
                                           else ""))
    run = subprocess.run([weft, "run", path, *inputs, "--quiet", "--no-cache"],
                         capture_output=True, text=True, check=False)
    return (run.stderr.strip() or f"exit {run.returncode}") if run.returncode else None


def main():
    weft_opt, weft = sys.argv[1:3]
    wrong, count, ran = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for dialect in DIALECTS:
            for path in sorted((ROOT / "dialects" / dialect / "IR").glob("*.td")):
                if "Ops" not in path.name:
                    continue
                for name, text in sections(path):
                    examples = [dedent(e) for e in BLOCK.findall(text) if "func.func" in e]
                    if not examples and name not in WITHOUT:
                        wrong.append(f"{name}: has no example that is a function")
                    for example in examples:
                        count += 1
                        ran += signature(example) is not None
                        error = check(weft_opt, weft, name, example, folder)
                        if error:
                            wrong.append(f"{name}: {error}")
    print(f"{count} examples, {ran} of them run, {len(wrong)} wrong")
    print("\n".join(wrong))
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
