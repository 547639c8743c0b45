#!/usr/bin/env python3
#===- cast_operands.py - Operations whose operands become more static -------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Puts a tensor.cast from a static type before each dynamic argument of each function in the
dialects' tests and canonicalizes: upstream folds casts into any operation with inits, so
that one operand knows more than the others. What comes out must be valid.

Usage: cast_operands.py WEFT-OPT FOLDER"""

import glob
import re
import subprocess
import sys

FUNCTION = re.compile(r"^func\.func @.*?^}", re.M | re.S)
ARGUMENT = re.compile(r"(%\w+): (tensor<[^<>]*\?[^<>]*>)")


def variants(text):
    """The functions of a file, one cast each, with the file's aliases before them."""
    for part in text.split("// -----"):
        part = "\n".join(line for line in part.split("\n") if not line.strip().startswith("//"))
        aliases = "\n".join(line for line in part.split("\n") if line[:1] in ("#", "!"))
        for match in FUNCTION.finditer(part):
            function = match.group()
            if "{\n" not in function:
                continue
            head = function[:function.index("{\n")]
            for argument in ARGUMENT.finditer(head):
                name, dynamic = argument.groups()
                static = dynamic.replace("?", "3")
                changed = (function[:argument.start()] + f"{name}_static: {static}" +
                           function[argument.end():])
                body = changed.index("{\n") + 2
                yield (aliases + "\n" + changed[:body] +
                       f"  {name} = tensor.cast {name}_static : {static} to {dynamic}\n" +
                       changed[body:])


def run(weft_opt, module, *passes):
    return subprocess.run([weft_opt, "-", *passes, "-o", "/dev/null"], input=module,
                          capture_output=True, text=True, check=False)


def main():
    weft_opt, folder = sys.argv[1:]
    count, failures = 0, []
    for path in sorted(glob.glob(f"{folder}/*/*.mlir")):
        if path.endswith("errors.mlir"):
            continue
        with open(path, encoding="utf-8") as file:
            modules = list(variants(file.read()))
        # Functions that use what is outside of them are no modules.
        modules = [module for module in modules if run(weft_opt, module).returncode == 0]
        count += len(modules)
        if not modules:
            continue
        together = "\n// -----\n".join(modules)
        if run(weft_opt, together, "--split-input-file", "--canonicalize").returncode == 0:
            continue
        for module in modules:
            done = run(weft_opt, module, "--canonicalize")
            if done.returncode:
                failures.append(path)
                print(f"FAIL {path}: {done.returncode} {done.stderr[:300]}\n{module}")
    print(f"{count} modules, {len(failures)} failures")
    sys.exit(1 if failures or count < 100 else 0)


if __name__ == "__main__":
    main()
