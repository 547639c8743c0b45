#===- encode.py - Arrays as the components of packed tensors -----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""What an exporter does to write numbers in a format, by docs/packed.md."""

import numpy as np


def bits(codes, width):
    """Codes as a stream of bits, lowest first."""
    flat = np.asarray(codes).astype(np.int64).reshape(-1, 1) >> np.arange(width) & 1
    return np.packbits(flat.astype(np.uint8), bitorder="little").view(np.int8)


def trits(codes):
    """Codes below 3, five in a byte."""
    flat = np.asarray(codes).reshape(-1)
    flat = np.pad(flat, (0, -flat.size % 5)).reshape(-1, 5)
    return (flat @ 3 ** np.arange(5)).astype(np.uint8).view(np.int8)


def csr(matrix, index=np.int16):
    """Numbers, offsets and columns of what is not 0."""
    keep = matrix != 0
    offsets = np.concatenate([[0], np.cumsum(keep.sum(1))]).astype(np.int32)
    return matrix[keep], offsets, np.nonzero(keep)[1].astype(index)


def csc(matrix, index=np.int16):
    """Numbers, offsets and rows of what is not 0, column by column."""
    return csr(np.ascontiguousarray(matrix.T), index)


def coo(matrix, index=np.int16):
    """Numbers, rows and columns of what is not 0."""
    rows, columns = np.nonzero(matrix)
    return matrix[rows, columns], rows.astype(index), columns.astype(index)


def bitmap(keep):
    """Words of 64 bits of what is stored, and how many are before each."""
    rows, columns = keep.shape
    padded = np.pad(keep, ((0, 0), (0, -columns % 64))).reshape(rows, -1, 64)
    words = np.packbits(padded, axis=-1, bitorder="little").view(np.int64)[..., 0]
    counts = padded.sum(-1)
    offsets = (np.cumsum(counts) - counts.reshape(-1)).reshape(counts.shape)
    return words, offsets.astype(np.int32)


def nm(matrix, n, m):
    """The n numbers of each m of a row that are not 0, and their places. A group with fewer
    has zeros at the first free places."""
    rows, columns = matrix.shape
    groups = matrix.reshape(rows, columns // m, m)
    places = np.sort(np.argsort(groups == 0, axis=-1, kind="stable")[..., :n], axis=-1)
    numbers = np.take_along_axis(groups, places, -1)
    return numbers.reshape(rows, -1), places.reshape(rows, -1)
