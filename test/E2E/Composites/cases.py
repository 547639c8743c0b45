#!/usr/bin/env python3
#===- cases.py - Formats made of formats against NumPy ----------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Decodes matrices in each composite format and contracts one and five rows with them.
NumPy multiplies the factors as the matrices that they are, in float64. Numbers are small
multiples of 1/4, so that sums in f32 are exact: everything is compared bit for bit, with
one and two threads.

Usage: cases.py WEFT-PROGRAM [NAME-PART]"""

import os
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from modules import Failure, Module  # pylint: disable=wrong-import-position

weft = sys.argv[1]
only = sys.argv[2] if len(sys.argv) > 2 else ""
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(11)
count = 0
failures = []
TYPES = {"float32": "f32", "float16": "f16", "int8": "i8", "int16": "i16", "int32": "i32"}


def numbers(*shape, dtype=np.float32):
    return (rng.integers(-4, 5, shape) / 4).astype(dtype)


def tensor(shape, element):
    return f"tensor<{''.join(f'{s}x' for s in shape)}{element}>"


def batched(compute, *factors):
    """`compute` of each matrix of a batch."""
    outer = factors[0].shape[0]
    return np.stack([compute(*(f[i] for f in factors)) for i in range(outer)])


def case(name, form, parts, dense, expressed="f32", dynamic=False):
    """`parts` are the components, in order."""
    global count
    if only not in name:
        return
    shape = dense.shape
    at = os.path.join(folder.name, name)
    logical = ["?" if dynamic else s for s in shape]
    packed = f"!weft.packed<{'x'.join(map(str, logical))}x{expressed}, {form}>"
    feed, arguments, types = {}, [], []
    if dynamic:
        arguments += [f'%m: index {{weft.symbol = "m"}}', f'%n: index {{weft.symbol = "n"}}']
        feed["shape"] = np.zeros(shape, np.int8)
        arguments.append('%shape: tensor<?x?xi8> {weft.name = "shape", weft.dims = ["m", "n"]}')
    for i, part in enumerate(parts):
        extents, dims = list(part.shape), list(map(str, part.shape))
        if dynamic:
            for k, extent in enumerate(dynamic[i]):
                if extent:
                    symbol = extent if extent in "mn" else f"{extent}{i}"
                    if extent not in "mn":
                        arguments.insert(0, f'%{symbol}: index {{weft.symbol = "{symbol}"}}')
                    extents[k], dims[k] = "?", f'"{symbol}"'
        types.append(tensor(extents, TYPES[part.dtype.name]))
        arguments.append(f'%c{i}: {types[-1]} {{weft.name = "c{i}", weft.dims = [{", ".join(dims)}]}}')
        feed[f"c{i}"] = part
    y_type = tensor(logical, expressed)
    results = [("y", y_type, dense)]
    body = f"""  %p = weft.assemble {', '.join(f'%c{i}' for i in range(len(types)))} : {', '.join(types)} -> {packed}
  %e = tensor.empty({'%m, %n' if dynamic else ''}) : {y_type}
  %y = weft.unpack ins(%p : {packed}) outs(%e : {y_type}) -> {y_type}
"""
    if len(shape) == 2 and not dynamic and expressed == "f32":
        for m in (1, 5):
            x = (rng.integers(-8, 9, (m, shape[0])) / 4).astype(np.float32)
            feed[f"x{m}"] = x
            x_type, z_type = tensor(x.shape, "f32"), tensor((m, shape[1]), "f32")
            arguments.append(f'%x{m}: {x_type} {{weft.name = "x{m}"}}')
            body += f"""  %n{m} = tensor.empty() : {z_type}
  %zero{m} = arith.constant 0.0 : f32
  %i{m} = linalg.fill ins(%zero{m} : f32) outs(%n{m} : {z_type}) -> {z_type}
  %z{m} = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
         ins(%x{m}, %p : {x_type}, {packed}) outs(%i{m} : {z_type}) -> {z_type}
"""
            results.append((f"z{m}", z_type, x.astype(np.float64) @ dense))
    signature = ", ".join(f'{t} {{weft.name = "{n}"}}' for n, t, _ in results)
    text = f"""func.func @main({', '.join(arguments)}) -> ({signature}) {{
{body}  return {', '.join(f'%{n}' for n, _, _ in results)} : {', '.join(t for _, t, _ in results)}
}}
"""
    problems = ""
    try:
        module = Module(weft, text, at)
        have = dict(zip(module.output_names(), module.call_alike(feed)))
        for key, _, value in results:
            want = value.astype(have[key].dtype)
            if have[key].shape != want.shape or not np.array_equal(have[key], want):
                problems += f"{key} is {have[key].ravel()[:12]}, expected {want.ravel()[:12]}\n"
    except Failure as failure:
        problems = str(failure)
    if problems:
        failures.append(name)
        print("FAIL", name, problems)
        if only:
            print(text)
    count += 1


def int4(shape):
    values = rng.integers(-8, 8, shape)
    bits = (values.ravel()[:, None] >> np.arange(4) & 1).astype(np.uint8).ravel()
    return values, np.packbits(bits, bitorder="little").view(np.int8)


def coo(shape, density=0.1):
    x = np.where(rng.random(shape) < density, numbers(*shape), 0)
    at = np.flatnonzero(x)
    columns = shape[-1]
    parts = [x.ravel()[at].astype(np.float32).view(np.int32), (at // columns).astype(np.int16),
             (at % columns).astype(np.int16)]
    return x, parts


def butterfly(factors):
    """The factors as matrices, the first level applied first."""
    levels, n = factors.shape[0], 2 * factors.shape[1]
    product = np.eye(n)
    for level in range(levels):
        matrix = np.zeros((n, n))
        for position in range(n):
            bit = position >> level & 1
            pair = (position >> (level + 1) << level) | (position & ((1 << level) - 1))
            for other in (0, 1):
                column = position & ~(1 << level) | other << level
                matrix[position, column] = factors[level, pair, bit, other]
        product = matrix @ product
    return product


def monarch(left, right):
    groups, rows, blocks = left.shape
    size = right.shape[2]
    first = np.zeros((blocks * groups, blocks * size))
    for k in range(blocks):
        first[k * groups:(k + 1) * groups, k * size:(k + 1) * size] = right[k]
    # From (block, group) to (group, block).
    first = first.reshape(blocks, groups, -1).swapaxes(0, 1).reshape(groups * blocks, -1)
    second = np.zeros((groups * rows, groups * blocks))
    for v in range(groups):
        second[v * rows:(v + 1) * rows, v * blocks:(v + 1) * blocks] = left[v]
    product = second @ first
    # From (group, row) to (row, group).
    return product.reshape(groups, rows, -1).swapaxes(0, 1).reshape(groups * rows, -1)


def toeplitz(diagonals, rows, columns):
    return np.array([[diagonals[i - j + columns - 1] for j in range(columns)]
                     for i in range(rows)]).reshape(rows, columns)


def circulant(column, columns):
    return np.stack([np.roll(column, j) for j in range(columns)], axis=1) \
        if columns else np.zeros((len(column), 0))


DENSE = "#weft.dense"
INT4 = "#weft.format<elem = #lowp.int<4, signed>>"
COO = "#weft.format<elem = #weft.value<f32>, structure = #sparse.coo<i16>>"

# Dense.
x = numbers(7, 13)
case("dense", DENSE, [x], x)
case("dense-f16", "#weft.dense<f16>", [x.astype(np.float16)], x)
case("dense-empty", DENSE, [numbers(0, 13)], numbers(0, 13))
case("dense-vector", DENSE, [x[0]], x[0])
case("dense-dynamic", DENSE, [x], x, dynamic=[("m", "n")])

# Sums.
values, codes = int4((9, 21))
outliers, parts = coo((9, 21))
case("int4-and-outliers", f"#weft.sum<[{INT4}, {COO}]>", [codes] + parts, values + outliers)
nothing, none = coo((9, 21), density=0)
case("no-outliers", f"#weft.sum<[{INT4}, {COO}]>", [codes] + none, values.astype(np.float32))
more, others = coo((9, 21))
case("two-lists", f"#weft.sum<[{COO}, {COO}]>", parts + others, outliers + more)
a, b = numbers(9, 3), numbers(3, 21)
case("int4-and-low-rank", f"#weft.sum<[{INT4}, #weft.low_rank<3, {DENSE}, {DENSE}>]>", [codes, a, b],
     values + a.astype(np.float64) @ b)
case("everything", f"#weft.sum<[{INT4}, #weft.low_rank<3, {DENSE}, {DENSE}>, {COO}]>",
     [codes, a, b] + parts, values + a.astype(np.float64) @ b + outliers)
case("three-f16", "#weft.sum<[#weft.dense<f16>, #weft.dense, #weft.dense<f16>]>",
     [x.astype(np.float16), x, x.astype(np.float16)], (3 * x).astype(np.float16), expressed="f16")

# Low rank.
for rank in (1, 5):
    a, b = numbers(17, rank), numbers(rank, 33)
    case(f"low-rank-{rank}", f"#weft.low_rank<{rank}, {DENSE}, {DENSE}>", [a, b],
         a.astype(np.float64) @ b)
a, b = numbers(2, 7, 3), numbers(2, 3, 5)
case("low-rank-batch", f"#weft.low_rank<3, {DENSE}, {DENSE}>", [a, b],
     batched(lambda p, q: p.astype(np.float64) @ q, a, b))
values, codes = int4((17, 4))
sparse, parts = coo((4, 33), density=0.5)
case("low-rank-packed", f"#weft.low_rank<4, {INT4}, {COO}>", [codes] + parts,
     values.astype(np.float64) @ sparse)
a, b = numbers(17, 2), numbers(2, 33)
case("low-rank-dynamic", f"#weft.low_rank<2, {DENSE}, {DENSE}>", [a, b], a.astype(np.float64) @ b,
     dynamic=[("m", ""), ("", "n")])
case("low-rank-empty", f"#weft.low_rank<2, {DENSE}, {DENSE}>", [numbers(0, 2), numbers(2, 33)],
     np.zeros((0, 33)))

# Kronecker.
for rows, columns, p, q in ((2, 3, 5, 7), (1, 4, 9, 1), (3, 3, 3, 3)):
    a, b = numbers(rows, columns), numbers(p, q)
    case(f"kron-{rows}-{columns}", f"#weft.kron<[{rows}, {columns}], {DENSE}, {DENSE}>", [a, b],
         np.kron(a.astype(np.float64), b))
a, b = numbers(2, 2, 3), numbers(2, 5, 7)
case("kron-batch", f"#weft.kron<[2, 3], {DENSE}, {DENSE}>", [a, b], batched(np.kron, a, b))

# Butterflies and Monarch.
for levels in (1, 2, 5):
    factors = (2.0 * rng.integers(-1, 2, (levels, 1 << (levels - 1), 2, 2))).astype(np.float32)
    case(f"butterfly-{1 << levels}", f"#weft.butterfly<{DENSE}>", [factors],
         butterfly(factors.astype(np.float64)))
factors = (2.0 * rng.integers(-1, 2, (3, 3, 4, 2, 2))).astype(np.float32)
case("butterfly-batch", f"#weft.butterfly<{DENSE}>", [factors], batched(butterfly, factors))
for blocks, groups, rows, size in ((4, 4, 4, 4), (2, 3, 5, 7), (1, 2, 3, 4)):
    left, right = numbers(groups, rows, blocks), numbers(blocks, groups, size)
    case(f"monarch-{blocks}-{groups}", f"#weft.monarch<[{blocks}, {groups}], {DENSE}, {DENSE}>",
         [left, right], monarch(left.astype(np.float64), right))
left, right = numbers(2, 3, 5, 2), numbers(2, 2, 3, 7)
case("monarch-batch", f"#weft.monarch<[2, 3], {DENSE}, {DENSE}>", [left, right],
     batched(monarch, left, right))

# Toeplitz and circulant.
for rows, columns in ((9, 21), (21, 9), (1, 1), (0, 5), (4, 0)):
    diagonals = numbers(max(0, rows + columns - 1))
    case(f"toeplitz-{rows}-{columns}", f"#weft.toeplitz<{DENSE}>", [diagonals],
         toeplitz(diagonals, rows, columns))
diagonals = numbers(2, 11)
case("toeplitz-batch", f"#weft.toeplitz<{DENSE}>", [diagonals],
     batched(lambda d: toeplitz(d, 5, 7), diagonals))
diagonals = numbers(29)
case("toeplitz-dynamic", f"#weft.toeplitz<{DENSE}>", [diagonals], toeplitz(diagonals, 9, 21),
     dynamic=[("k",)])
for rows, columns in ((9, 9), (9, 5), (5, 12), (0, 3), (3, 0)):
    column = numbers(rows)
    case(f"circulant-{rows}-{columns}", f"#weft.circulant<{DENSE}>", [column],
         np.array([[column[(i - j) % rows] for j in range(columns)] for i in range(rows)])
         .reshape(rows, columns))
for block, rows, columns in ((4, 8, 12), (4, 7, 9), (1, 3, 5), (16, 5, 6)):
    m, n = -(-rows // block), -(-columns // block)
    stored = numbers(m, n, block)
    case(f"circulant-blocks-{block}-{rows}", f"#weft.circulant<block = {block}, {DENSE}>", [stored],
         np.block([[circulant(stored[i, j], block) for j in range(n)] for i in range(m)])
         [:rows, :columns])

if failures:
    sys.exit(f"{len(failures)} of {count} cases failed: {', '.join(failures)}")
print(count, "cases as NumPy")
