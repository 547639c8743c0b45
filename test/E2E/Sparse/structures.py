#===- structures.py - Structures and elements, written from their definition -===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""NumPy's side of #sparse.*: each class prunes a random tensor until the structure
holds it, and gives what is stored: the structure's components and the numbers in the
stored shape (as row-major numbers of the logical tensor, -1 where nothing is)."""

import math

import numpy as np


def stream(codes, bits):
    """Codes of `bits` bits, the first in the lowest bits of the first byte."""
    codes = np.asarray(codes).astype(np.int64)
    if bits in (8, 16, 32, 64):
        return codes.astype(f"u{bits // 8}").view(f"i{bits // 8}")
    flat = codes.ravel()
    bools = (flat[:, None] >> np.arange(bits) & 1).astype(np.uint8).ravel()
    return np.packbits(bools, bitorder="little").view(np.int8)


def bits_below(count):
    return max(1, (count - 1).bit_length())


def ids(shape):
    return np.arange(math.prod(shape)).reshape(shape)


class NM:
    def __init__(self, n, m, axis=-1):
        self.n, self.m, self.axis = n, m, axis
        self.text = f"#sparse.nm<{n}, {m}{f', axis = {axis}' if axis != -1 else ''}>"

    def prune(self, x, rng):
        y = np.moveaxis(x, self.axis, -1).copy()
        for at in np.ndindex(y.shape[:-1]):
            for g in range(0, y.shape[-1], self.m):
                group = y[at][g:g + self.m]
                drop = rng.permutation(len(group))[self.n:]
                group[drop] = 0
        return np.ascontiguousarray(np.moveaxis(y, -1, self.axis))

    def encode(self, x):
        y, numbers = np.moveaxis(x, self.axis, -1), np.moveaxis(ids(x.shape), self.axis, -1)
        groups = -(-y.shape[-1] // self.m)
        indices = np.zeros(y.shape[:-1] + (groups * self.n,), np.int64)
        stored = np.full(indices.shape, -1)
        for at in np.ndindex(y.shape[:-1]):
            for g in range(groups):
                group = np.zeros(self.m, x.dtype)
                part = y[at][g * self.m:(g + 1) * self.m]
                group[:len(part)] = part
                # Those that are not 0, and the first others.
                order = sorted(range(self.m), key=lambda i: -abs(group[i]))[:self.n]
                for k, i in enumerate(sorted(order)):
                    indices[at][g * self.n + k] = i
                    if g * self.m + i < y.shape[-1]:
                        stored[at][g * self.n + k] = numbers[at][g * self.m + i]
        back = lambda v: np.ascontiguousarray(np.moveaxis(v, -1, self.axis))
        return [stream(back(indices), bits_below(self.m))], back(stored)


class VNM:
    def __init__(self, v, n, m):
        self.v, self.n, self.m = v, n, m
        self.text = f"#sparse.vnm<{v}, {n}, {m}>"

    def prune(self, x, rng):
        y = x.copy()
        for at in np.ndindex(y.shape[:-2]):
            for r in range(0, y.shape[-2], self.v):
                for c in range(0, y.shape[-1], self.m):
                    block = y[at][r:r + self.v, c:c + self.m]
                    kept = rng.permutation(block.shape[1])[:4]
                    for row in block:
                        chosen = rng.permutation(kept)[:self.n]
                        row[[i for i in range(len(row)) if i not in chosen]] = 0
        return y

    def encode(self, x):
        numbers = ids(x.shape)
        rows, columns = x.shape[-2:]
        blocks, groups = -(-rows // self.v), -(-columns // self.m)
        chosen = np.zeros(x.shape[:-2] + (blocks, 4 * groups), np.int64)
        indices = np.zeros(x.shape[:-2] + (rows, self.n * groups), np.int64)
        stored = np.full(indices.shape, -1)
        for at in np.ndindex(x.shape[:-2]):
            for b in range(blocks):
                for g in range(groups):
                    rest = range(b * self.v, min(rows, (b + 1) * self.v))
                    width = min(self.m, columns - g * self.m)
                    size = np.zeros(self.m)
                    size[:width] = sum(
                        np.abs(x[at][r, g * self.m:g * self.m + width].astype(np.float64))
                        for r in rest)
                    four = sorted(sorted(range(self.m), key=lambda i: -size[i])[:4])
                    chosen[at][b, 4 * g:4 * g + 4] = four
                    for r in rest:
                        value = [abs(x[at][r, g * self.m + c]) if c < width else 0 for c in four]
                        best = sorted(sorted(range(4), key=lambda i: -value[i])[:self.n])
                        for k, i in enumerate(best):
                            indices[at][r, g * self.n + k] = i
                            if four[i] < width:
                                stored[at][r, g * self.n + k] = \
                                    numbers[at][r, g * self.m + four[i]]
        return [stream(chosen, bits_below(self.m)), stream(indices, 2)], stored


class Random:
    """Structures that hold any tensor; `density` of the numbers are not 0."""
    density = 0.3

    def prune(self, x, rng):
        return np.where(rng.random(x.shape) < self.density, x, 0).astype(x.dtype)


class Bitmap(Random):
    text = "#sparse.bitmap"

    def encode(self, x):
        words = -(-x.shape[-1] // 64)
        wide = np.zeros(x.shape[:-1] + (words * 64,), bool)
        wide[..., :x.shape[-1]] = x != 0
        bits = wide.reshape(x.shape[:-1] + (words, 64))
        packed = np.packbits(bits, axis=-1, bitorder="little")
        packed = np.ascontiguousarray(packed).view(np.int64)[..., 0]
        count = bits.sum(-1)
        offsets = (np.cumsum(count) - count.ravel()).reshape(count.shape).astype(np.int32)
        return [packed, offsets], np.flatnonzero(x)


class Lines(Random):
    def __init__(self, width, delta=False):
        self.width, self.delta = width, delta
        name = "csc" if self.transposed else "csr"
        self.text = f"#sparse.{name}<i{width}{', delta' if delta else ''}>"

    def encode(self, x):
        numbers = ids(x.shape)
        if self.transposed:
            x, numbers = x.swapaxes(-1, -2), numbers.swapaxes(-1, -2)
        offsets, positions, stored = [0], [], []
        most = (1 << self.width) - 1
        for row, place in zip(x.reshape(-1, x.shape[-1]) if x.size else [],
                              numbers.reshape(-1, x.shape[-1]) if x.size else []):
            previous = None
            for i, value in enumerate(row):
                # Differences that do not fit are cut by zeros.
                if value == 0 and not (self.delta and i > 0 and i % most == 0):
                    continue
                positions.append(i if previous is None or not self.delta else i - previous)
                stored.append(place[i])
                previous = i
            offsets.append(len(positions))
        lines = math.prod(x.shape[:-1])
        offsets += [len(positions)] * (lines + 1 - len(offsets))
        return [np.array(offsets, np.int32), stream(np.array(positions, int), self.width)], \
            np.array(stored, int)


class CSR(Lines):
    transposed = False


class CSC(Lines):
    transposed = True


class COO(Random):
    def __init__(self, width):
        self.width, self.text = width, f"#sparse.coo<i{width}>"

    def encode(self, x):
        at = np.flatnonzero(x)
        columns = x.shape[-1] or 1
        return [stream(at // columns, self.width), stream(at % columns, self.width)], at


class ELL:
    def __init__(self, width, index):
        self.width, self.index = width, index
        self.text = f"#sparse.ell<{width}, i{index}>"

    def prune(self, x, rng):
        y = x.copy()
        for at in np.ndindex(y.shape[:-1]):
            row = y[at]
            count = rng.integers(0, self.width + 1)
            row[rng.permutation(len(row))[count:]] = 0
        return y

    def encode(self, x):
        numbers = ids(x.shape)
        columns = np.full(x.shape[:-1] + (self.width,), -1)
        stored = np.full(columns.shape, -1)
        for at in np.ndindex(x.shape[:-1]):
            for k, c in enumerate(np.flatnonzero(x[at])):
                columns[at][k] = c
                stored[at][k] = numbers[at][c]
        return [stream(columns, self.index)], stored


class Channels:
    def __init__(self, axis, index, count=0):
        self.axis, self.index, self.count = axis, index, count
        extra = f", count = {count}" if count else ""
        self.text = f"#sparse.channels<axis = {axis}, i{index}{extra}>"

    def prune(self, x, rng):
        y = np.moveaxis(x.copy(), self.axis, 0)
        keep = rng.integers(0, self.count + 1) if self.count else len(y) // 2
        y[rng.permutation(len(y))[keep:]] = 0
        return np.ascontiguousarray(np.moveaxis(y, 0, self.axis))

    def encode(self, x):
        y, numbers = np.moveaxis(x, self.axis, 0), np.moveaxis(ids(x.shape), self.axis, 0)
        kept = [i for i, channel in enumerate(y) if np.any(channel)]
        count = self.count or len(kept)
        channels = np.full(count, -1)
        channels[:len(kept)] = kept
        stored = np.full((count,) + y.shape[1:], -1)
        stored[:len(kept)] = numbers[kept]
        if self.count:
            stored = np.moveaxis(stored, 0, self.axis)
        return [stream(channels, self.index)], np.ascontiguousarray(stored)


class Block:
    def __init__(self, rows, columns, of):
        self.rows, self.columns, self.of = rows, columns, of
        self.text = f"#sparse.block<{rows}, {columns}, {of.text}>"

    def grid(self, x):
        m, n = -(-x.shape[-2] // self.rows), -(-x.shape[-1] // self.columns)
        padded = np.zeros(x.shape[:-2] + (m * self.rows, n * self.columns), np.float64)
        padded[..., :x.shape[-2], :x.shape[-1]] = np.abs(x.astype(np.float64))
        return padded.reshape(x.shape[:-2] + (m, self.rows, n, self.columns)).sum((-3, -1))

    def prune(self, x, rng):
        kept = self.of.prune(np.ones_like(self.grid(x)), rng)
        wide = np.repeat(np.repeat(kept, self.rows, -2), self.columns, -1)
        return (x * wide[..., :x.shape[-2], :x.shape[-1]]).astype(x.dtype)

    def encode(self, x):
        grid, numbers = self.grid(x), ids(x.shape)
        components, stored = self.of.encode(grid)
        all_ = np.full(stored.shape + (self.rows, self.columns), -1)
        for at in np.ndindex(stored.shape):
            if stored[at] < 0:
                continue
            block = np.unravel_index(stored[at], grid.shape)
            for i in range(self.rows):
                for j in range(self.columns):
                    r, c = block[-2] * self.rows + i, block[-1] * self.columns + j
                    if r < x.shape[-2] and c < x.shape[-1]:
                        all_[at][i, j] = numbers[block[:-2]][r, c]
        return components, all_


class Value:
    """Numbers of an ordinary type."""
    def __init__(self, name, bits, to_codes):
        self.text, self.bits, self.to_codes = f"#weft.value<{name}>", bits, to_codes

    def numbers(self, shape, rng):
        # Few bits, so that all types here have them and sums are exact.
        return (rng.integers(1, 16, shape) * rng.choice([-1, 1], shape) / 8).astype(np.float32)

    def codes(self, x):
        return stream(self.to_codes(x), self.bits)


def bf16(x):
    return x.astype(np.float32).view(np.uint32) >> 16


F32 = Value("f32", 32, lambda x: x.astype(np.float32).view(np.uint32))
F16 = Value("f16", 16, lambda x: x.astype(np.float16).view(np.uint16))
BF16 = Value("bf16", 16, bf16)


class Int4:
    text, bits = "#lowp.int<4, signed>", 4

    def numbers(self, shape, rng):
        return (rng.integers(1, 8, shape) * rng.choice([-1, 1], shape)).astype(np.float32)

    def codes(self, x):
        return stream(x.astype(np.int64) & 15, 4)


class Int8(Int4):
    text, bits = "#lowp.int<8, signed>", 8

    def codes(self, x):
        return stream(x.astype(np.int64) & 255, 8)


INT4 = Int4()
