#!/usr/bin/env python3
"""Writes runtime/builtins/case-tables.inc: Unicode's simple case mappings.

    scripts/case-tables.py > runtime/builtins/case-tables.inc

Python's `unicodedata` has the full mappings only; those that take one code point
to one are the simple ones but for a few, which are left out: where upper case
has several letters (the German sharp s), the letter stays as it is.

Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""

import unicodedata


def ranges(convert):
    """(first, last, step, difference) of runs of code points, `step` apart, that
    are mapped by the same difference."""
    runs = []
    for code in range(0x110000):
        mapped = convert(chr(code))
        if len(mapped) != 1 or mapped == chr(code):
            continue
        difference = ord(mapped) - code
        if runs and runs[-1][3] == difference:
            first, last, step, _ = runs[-1]
            gap = code - last
            if gap <= 2 and (first == last or gap == step):
                runs[-1] = (first, code, gap, difference)
                continue
        runs.append((code, code, 1, difference))
    return runs


def main():
    print("/* Unicode %s, written by scripts/case-tables.py: first, last, step,"
          " difference. */" % unicodedata.unidata_version)
    for name, convert in (("toLower", str.lower), ("toUpper", str.upper)):
        print(f"static const CaseRange {name}[] = {{")
        for first, last, step, difference in ranges(convert):
            print(f"    {{0x{first:04x}, 0x{last:04x}, {step}, {difference}}},")
        print("};")


if __name__ == "__main__":
    main()
