#===- rounding.py - Numbers become the posits that the definition says ------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Packs and unpacks numbers of every float type. A code c of n bits is chosen up to
the number of the code 2 c + 1 of n + 1 bits, which is where the code's next bit
changes; there, the even code is.

Usage: rounding.py WEFT OPTION-FOR-THE-PLUGIN FOLDER-OF-posit.py FOLDER-OF-formats.py"""

import bisect
import os
import subprocess
import sys
import tempfile
from fractions import Fraction

import numpy as np

weft, plugin, *folders = sys.argv[1:]
sys.path += folders
import posit  # noqa: E402

FLOATS = {"f16": np.float16, "f32": np.float32, "f64": np.float64}


def codes_of(numbers, bits, exponent_bits):
    """The definition, in exact arithmetic."""
    last = (1 << bits - 1) - 1
    limits = [posit.value(2 * c + 1, bits + 1, exponent_bits) for c in range(1, last)]

    def code(x):
        if np.isnan(x):
            return 1 << bits - 1
        if x == 0:
            return 0
        if np.isinf(x):
            c = last
        else:
            magnitude = abs(Fraction(float(x)))
            below = bisect.bisect_left(limits, magnitude)
            tie = below < len(limits) and limits[below] == magnitude
            c = below + 1 + (tie and below % 2 == 0)
        return (1 << bits) - c if x < 0 else c
    return np.array([code(x) for x in numbers], np.uint8)


def interesting(bits, exponent_bits, dtype, rng):
    """All numbers, all ties and their neighbours, extremes, and others."""
    with np.errstate(over="ignore"):
        exact = [float(v) for n in (bits, bits + 1) for c in range(1 << n)
                 if (v := posit.value(c, n, exponent_bits)) is not None]
        values = np.array(exact, dtype)
        info = np.finfo(dtype)
        extremes = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, info.max, -info.max, info.tiny,
                             info.smallest_subnormal, -info.smallest_subnormal], dtype)
        others = (rng.standard_normal(500) * np.exp2(rng.uniform(-30, 30, 500))).astype(dtype)
    values = values[np.isfinite(values)]
    return np.concatenate([values, np.nextafter(values, dtype(np.inf)),
                           np.nextafter(values, dtype(-np.inf)), extremes, others])


def run(text, array, element, folder):
    with open(f"{folder}/m.mlir", "w") as file:
        file.write(text)
    array.tofile(f"{folder}/x.bin")
    subprocess.run([weft, "run", plugin, f"{folder}/m.mlir", "--quiet", "--no-cache",
                    f"--input={len(array)}x{element}=@{folder}/x.bin", f"--output-dir={folder}/out"],
                   check=True)
    name, = os.listdir(f"{folder}/out")
    return np.load(f"{folder}/out/{name}")


def main():
    rng, wrong = np.random.default_rng(3), 0
    with tempfile.TemporaryDirectory() as folder:
        for bits, exponent_bits in [(8, 0), (8, 1), (8, 2), (6, 1), (4, 2), (3, 0)]:
            for element, dtype in FLOATS.items():
                if element == "f16" and (bits - 2) << exponent_bits > 14:
                    continue
                numbers = interesting(bits, exponent_bits, dtype, rng)
                packed = (f"!weft.packed<{len(numbers)}x{element}, "
                          f"#weft.format<elem = #posit.element<{bits}, {exponent_bits}>>>")
                floats = f"tensor<{len(numbers)}x{element}>"
                text = (f"func.func @main(%x: {floats}) -> {floats} {{\n"
                        f"  %p = weft.pack %x : {floats} -> {packed}\n"
                        f"  %e = tensor.empty() : {floats}\n"
                        f"  %y = weft.unpack ins(%p : {packed}) outs(%e : {floats}) -> {floats}\n"
                        f"  return %y : {floats}\n}}\n")
                got = run(text, numbers, element, folder)
                # Each number has one code: its numbers say which was chosen.
                values = posit.Posit(bits, exponent_bits).numbers
                want = values[codes_of(numbers, bits, exponent_bits)].astype(dtype)
                bad = ~((got == want) | np.isnan(got) & np.isnan(want))
                for x, g, w in list(zip(numbers[bad], got[bad], want[bad]))[:5]:
                    print(f"posit<{bits}, {exponent_bits}> of {element} {x!r}: {g}, expected {w}")
                wrong += bad.sum()
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
