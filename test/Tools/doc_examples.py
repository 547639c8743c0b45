#!/usr/bin/env python3
#===- doc_examples.py - The documentation's examples work -------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Takes the examples out of the documentation of operations, attributes and types
(the ```mlir blocks of the dialects' .td files) and checks each.

An operation's example is a whole function or kernel. It must parse, verify and
print as it is read. Then it is compiled and run, on zeros for integers and random
numbers for floats, unless it is what only later stages have (LATER).

An example of attributes or types has one after the other, each beginning a line:
all must parse, and print as what they are read as.

A definition without an example is an error, unless it is named in WITHOUT.

Usage: doc_examples.py WEFT-OPT WEFT [NAME...]"""

import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIALECTS = {"Weft": "weft", "LowP": "lowp", "Sparse": "sparse", "MoE": "moe", "SSM": "ssm",
            "Attn": "attn"}
# What is no computation on its own, and names for sets of types and attributes.
WITHOUT = {"weft.yield", "moe.yield", "ssm.yield", "attn.yield",
           "Sparse_StructureAttr", "Sparse_PackedType"}
# What only the IR of later stages has, or what needs more than the text; why.
KERNEL = "kernels are made by stage fuse"
BUFFERS = "on buffers, which stage buffer makes"
LATER = {
    "weft.constant": "its bytes are in the weight store",
    "weft.kernel": KERNEL,
    "weft.dispatch": KERNEL,
    "weft.im2col": "made by stage tile",
    "weft.output_buffer": BUFFERS,
    "weft.weight_buffer": BUFFERS,
    "weft.arena": BUFFERS,
    "weft.max_workers": BUFFERS,
    "weft.worker_index": BUFFERS,
    "weft.alloc": BUFFERS,
    "weft.release": BUFFERS,
    "weft.transfer": BUFFERS,
}

# Arguments that say where something lies: by their position, what is given for them.
GIVEN = {
    "sparse.expand": {1: "0 1 2 4 8"},
    "sparse.to_sparse_tensor": {1: "0 1 1 2 3", 2: "0 4 2"},
    "sparse.from_sparse_tensor": {1: "0 1 1 2 3", 2: "0 4 2"},
}

BLOCK = re.compile(r"```mlir\n(.*?)```", re.S)
OPERATION = re.compile(r"def \w+Op\s*:\s*\w+<(?:\w+, )?\"(\w+)\"")
ATTRIBUTE = re.compile(r"def (\w+(?:Attr|Type))\b")
DEFINITION = re.compile(r"^def (\w+)\s*:", re.M)
ARGUMENT = re.compile(r"%\w+: (tensor<[^>]*>|index)(?: \{[^}]*\})?")


def dedent(text):
    lines = text.splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[indent:] for line in lines) + "\n"


def sections(path, pattern):
    """(name, examples) of each definition that the pattern finds."""
    text = path.read_text()
    starts = list(DEFINITION.finditer(text))
    for i, start in enumerate(starts):
        end = starts[i + 1].start() if i + 1 < len(starts) else len(text)
        match = pattern.match(text, start.start())
        if match:
            yield match[1], [dedent(e) for e in BLOCK.findall(text[start.start():end])]


def definitions():
    """(name, whether it is an operation, examples) of what the dialects define."""
    for dialect, prefix in DIALECTS.items():
        for path in sorted((ROOT / "dialects" / dialect / "IR").glob("*.td")):
            for name, examples in sections(path, OPERATION):
                yield f"{prefix}.{name}", True, examples
            for name, examples in sections(path, ATTRIBUTE):
                yield name, False, examples


def is_module(example):
    return "func.func" in example or "weft.kernel" in example


def signature(example):
    """The types of the function's arguments if the example can be run by itself."""
    head = re.search(r"func\.func @\w+\((.*?)\)\s*(?:->|\{|attributes)", example, re.S)
    if not head or example.count("func.func") != 1 or re.search(r": !\w+", head[1]):
        return None
    types = []
    for argument in ARGUMENT.findall(head[1]):
        if argument == "index":
            if "weft.symbol" not in head[1]:
                return None
            continue
        types.append(argument[len("tensor<"):-1].replace("?", "4"))
    return types


def process(*command, **options):
    """What is wrong with a run, and its output."""
    run = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    error = run.stderr.strip() or f"exit {run.returncode}"
    return (error if run.returncode else None), run.stdout


def reads_and_prints(weft_opt, path):
    error, text = process(weft_opt, path)
    if error:
        return error
    error, again = process(weft_opt, "-", input=text)
    return error or (None if again == text else "prints as something else")


def runs(weft, name, path, types):
    inputs = []
    for i, kind in enumerate(types):
        is_float = kind.split("x")[-1] in ("f16", "bf16", "f32", "f64")
        value = GIVEN.get(name, {}).get(i, "random" if is_float else "")
        inputs.append(f"--input={kind}" + (f"={value}" if value else ""))
    return process(weft, "run", path, *inputs, "--quiet", "--no-cache")[0]


def check(weft_opt, weft, name, example, path):
    """(what was done with an example, what is wrong with it or None)"""
    path.write_text(example)
    error = reads_and_prints(weft_opt, path)
    if error or name in LATER:
        return "read", error
    types = signature(example)
    if types is None:
        return "read", "cannot be run by itself: an argument is packed or an unnamed index"
    return "run", runs(weft, name, path, types)


def check_attributes(weft_opt, example, path):
    parts = re.split(r"\n(?=\S)", example.strip())
    path.write_text("func.func private @f() attributes {" + ", ".join(
        f"a{i} = {part}" for i, part in enumerate(parts)) + "}\n")
    return "read", reads_and_prints(weft_opt, path)


def main():
    weft_opt, weft = sys.argv[1:3]
    wrong, done = [], {"run": 0, "read": 0}

    def note(name, result):
        done[result[0]] += 1
        if result[1]:
            wrong.append(f"{name}: {result[1]}")

    with tempfile.TemporaryDirectory() as folder:
        module = pathlib.Path(folder) / "example.mlir"
        for name, is_operation, examples in definitions():
            if sys.argv[3:] and name not in sys.argv[3:]:
                continue
            if is_operation:
                examples = [example for example in examples if is_module(example)]
            if not examples and name not in WITHOUT:
                wrong.append(f"{name}: has no example" + " that is a function" * is_operation)
            for example in examples:
                note(name, check(weft_opt, weft, name, example, module) if is_operation
                     else check_attributes(weft_opt, example, module))
    print(f"{sum(done.values())} examples: {done['run']} run, {done['read']} read; "
          f"{len(wrong)} wrong")
    print("\n".join(wrong))
    return 1 if wrong or not done["run"] else 0


if __name__ == "__main__":
    sys.exit(main())
