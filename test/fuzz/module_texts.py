#!/usr/bin/env python3
#===- module_texts.py - Modules of tests and documentation, one a file -------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Writes each module of lit tests (parts of .mlir files) and of the documentation
(```mlir blocks of .td files) to a file of its own, without comments: seeds for a
fuzz target.

Usage: module_texts.py OUTPUT-FOLDER FILE..."""

import hashlib
import pathlib
import re
import shutil
import sys
import textwrap

LONGEST = 8000

PART = re.compile(r"^// -----.*$", re.M)
BLOCK = re.compile(r"```mlir\n(.*?)```", re.S)
COMMENT = re.compile(r"^\s*//.*\n", re.M)


def texts(path):
    text = path.read_text()
    if path.suffix == ".td":
        return [textwrap.dedent(block) for block in BLOCK.findall(text)]
    return PART.split(text)


def main():
    folder = pathlib.Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in map(pathlib.Path, sys.argv[2:]):
        for text in texts(path):
            text = COMMENT.sub("", text).strip() + "\n"
            if 1 < len(text) <= LONGEST:
                name = hashlib.sha256(text.encode()).hexdigest()[:16]
                (folder / f"{path.stem}-{name}").write_text(text)


if __name__ == "__main__":
    main()
