# ===- append_footer.py - Makes a module of a shared object -----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===#
"""Appends weft_footer (module.h) to a copy of a shared object."""

import struct
import sys


def crc32c(data):
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


with open(sys.argv[1], "rb") as file:
    data = file.read()
with open(sys.argv[2], "wb") as file:
    file.write(data + struct.pack("<QQIHH", 0x31444F4D54464557, len(data) + 24,
                                  crc32c(data), 1, 0))
