#!/usr/bin/env python3
#===- tiling_interfaces.py - What computes can be tiled ---------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Takes the operations out of the dialects' TableGen records. Each one that writes to
destinations or has a reference has TilingInterface too, or is named below with the reason why it
cannot be tiled; each one that has it says in its description which loops it has, and has a
case in test/E2E/Tiling.

Usage: tiling_interfaces.py LLVM-TBLGEN MLIR-INCLUDE-FOLDER"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIALECTS = {"Weft": "WeftOps.td", "LowP": "LowPOps.td", "Sparse": "SparseOps.td",
            "MoE": "MoEOps.td", "SSM": "SSMOps.td", "Attn": "AttnOps.td"}

PACKED = "loops assemble results by slices, which packed tensors have none of"
# Operations that cannot be tiled, and why.
EXCEPTIONS = {
    "weft.dispatch": "calls a kernel, which is tiled itself",
    "weft.sort": "an element's place depends on all others",
    "weft.nonzero": "an element's place depends on how many are before it",
    "weft.pack": PACKED,
    "weft.repack": PACKED,
    "lowp.quantize": PACKED,
    "lowp.histogram": "bounds of a part of the bins are not those of the whole range, bit for bit",
    "sparse.compact": "a slice's place depends on how many are before it",
    "moe.plan": "a slot's place depends on how many are before it",
    "moe.exchange": "a row's place depends on how many are before it",
    "moe.residency": "which slot is free depends on the experts before",
    "attn.kv_append": "later rows replace earlier ones at positions that data decides"}

# What exists inside of kernels only, where convolutions are tests of its tiles.
NO_CASE = {"weft.im2col"}


def operations(tblgen, include, dialect, file):
    """The names of operations with their interfaces and descriptions."""
    command = [tblgen, "--dump-json", ROOT / "dialects" / dialect / "IR" / file, "-I", include,
               "-I", ROOT, "-I", ROOT / "include"]
    records = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name in records["!instanceof"]["Op"]:
        record = records[name]
        prefix = records[record["opDialect"]["def"]]["name"]
        interfaces = set()
        for trait in record["traits"]:
            body = records[trait["def"]]
            interfaces.add(body.get("cppInterfaceName") or trait["def"])
        yield f"{prefix}.{record['opName']}", interfaces, record["description"]


def main():
    tblgen, include = sys.argv[1:]
    cases = (ROOT / "test/E2E/Tiling/cases.py").read_text(encoding="utf-8")
    errors, seen, count = [], set(), 0
    for dialect, file in DIALECTS.items():
        for name, interfaces, description in operations(tblgen, include, dialect, file):
            tiles = "TilingInterface" in interfaces
            computes = bool(interfaces & {"DestinationStyleOpInterface", "ReferenceOpInterface"})
            seen.add(name)
            if tiles:
                count += 1
                if name in EXCEPTIONS:
                    errors.append(f"{name} can be tiled, and is named as an exception")
                if "Loops of tiles" not in description and name not in NO_CASE:
                    errors.append(f"{name} does not say which 'Loops of tiles' it has")
                if name not in NO_CASE and not re.search(rf"\b{re.escape(name)}\b", cases):
                    errors.append(f"{name} has no case in test/E2E/Tiling")
            elif computes and name not in EXCEPTIONS:
                errors.append(f"{name} computes, but has no TilingInterface")
    errors += [f"{name} is named as an exception, but no operation" for name in EXCEPTIONS
               if name not in seen]
    for error in errors:
        print(error)
    print(f"{count} operations can be tiled, {len(EXCEPTIONS)} cannot")
    return 1 if errors or not count else 0


if __name__ == "__main__":
    sys.exit(main())
