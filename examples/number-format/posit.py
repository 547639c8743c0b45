#===- posit.py - Posits in NumPy, for the matrix of formats -----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""What `test/E2E/Matrix/cases.py --elements=posit.py` adds to the axis of elements.
Numbers are those of the definition, read bit by bit."""

from fractions import Fraction

import numpy as np

import formats as F


def value(code, bits, exponent_bits):
    """The number of a code; None where it is none."""
    if code == 0:
        return Fraction(0)
    if code == 1 << bits - 1:
        return None
    sign = code >> bits - 1
    digits = format((1 << bits) - code if sign else code, f"0{bits}b")[1:]
    run = len(digits) - len(digits.lstrip(digits[0]))
    k = run - 1 if digits[0] == "1" else -run
    rest = digits[run + 1:]
    exponent = int(rest[:exponent_bits].ljust(exponent_bits, "0") or "0", 2)
    fraction = rest[exponent_bits:]
    number = Fraction(2) ** (k * 2 ** exponent_bits + exponent)
    number *= 1 + Fraction(int(fraction or "0", 2), 1 << len(fraction))
    return -number if sign else number


class Posit(F.Element):
    def __init__(self, bits, exponent_bits):
        self.bits, self.text = bits, f"#posit.element<{bits}, {exponent_bits}>"
        self.exact_in_f16 = (bits - 2) << exponent_bits <= 14
        values = [value(code, bits, exponent_bits) for code in range(1 << bits)]
        self.numbers = np.array([np.nan if v is None else float(v) for v in values])
        # Sums of numbers like 2^24 say nothing.
        self.used = np.flatnonzero(abs(self.numbers) <= 2**12)

    def codes(self, rng, shape):
        return rng.choice(self.used, shape)

    def decode(self, codes, tables, shape):
        return self.numbers[codes]


ELEMENTS = {f"posit{bits}-{exponent_bits}": Posit(bits, exponent_bits)
            for bits, exponent_bits in [(8, 1), (8, 0), (8, 2), (6, 1), (5, 2), (3, 0)]}
