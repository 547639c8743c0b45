#!/usr/bin/env python3
#===- cases.py - lowp operations against NumPy ------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Quantizes random tensors in many formats and by every method. The parameters must
be those that the method's formula gives in float64, and each number must be encoded
as the nearest that its parameters allow. Statistics are compared with NumPy's.
Results must be equal in every bit for 1 and 2 threads.

Tolerances: parameters are computed in f32 (f64 for f64) by at most eight roundings;
one that is stored in few bits may be the neighbour of the one in float64, where that
lies between two. Decoded numbers have two roundings more. Sums of n numbers in f32
are within n * 2^-24 of the sum of magnitudes.

Usage: cases.py WEFT-PROGRAM"""

import itertools
import os
import sys
import tempfile

import ml_dtypes as ml
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from modules import Failure, Module  # pylint: disable=wrong-import-position

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(11)
count = 0
failures = []

FLOATS = {"f8E4M3FN": ml.float8_e4m3fn, "f8E5M2": ml.float8_e5m2, "f8E8M0FNU": ml.float8_e8m0fnu,
          "f6E2M3FN": ml.float6_e2m3fn, "f6E3M2FN": ml.float6_e3m2fn, "f4E2M1FN": ml.float4_e2m1fn}
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
       -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
       0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
       0.7229568362236023, 1.0]


def numbers_of(elem):
    """All numbers that codes mean, by code."""
    kind, *rest = elem.split()
    if kind == "int":
        bits, signed = int(rest[0]), rest[1] == "signed"
        codes = np.arange(1 << bits, dtype=np.float64)
        return np.where(codes >= 1 << bits - 1, codes - (1 << bits), codes) if signed else codes
    if kind == "float":
        width = int(rest[0][1])
        return np.arange(1 << width, dtype=np.uint8).view(FLOATS[rest[0]]).astype(np.float64)
    assert kind == "table"
    return np.array(NF4)


def elem_text(elem):
    kind, *rest = elem.split()
    return f"#lowp.{kind}<{', '.join(rest)}>"


class Level:
    """A parameter: role, block, and where it is stored: a float type, or an elem (of 8
    bits) with further levels."""

    def __init__(self, role, block=None, storage="f32", levels=(), value=None):
        self.role, self.block, self.storage = role, block, storage
        self.levels, self.value = list(levels), value

    def text(self):
        if self.value is not None:
            return f"#lowp.scale<{self.role}, {self.value:e}>"
        storage = self.storage
        if " " in storage:
            storage = format_text(storage, self.levels)
        return f"#lowp.scale<{self.role}, {list(self.block)}, {storage}>"

    def parts(self):
        """The element types of the components."""
        if self.value is not None:
            return []
        if " " not in self.storage:
            return [self.storage]
        return ["i8"] + [p for level in self.levels for p in level.parts()]


def format_text(elem, levels):
    scales = f", scales = [{', '.join(level.text() for level in levels)}]" if levels else ""
    return f"#weft.format<elem = {elem_text(elem)}{scales}>"


def grid_of(block, shape):
    if len(block) == 1 and len(shape) > 1:
        return [-(-int(np.prod(shape)) // block[0])]
    return [1 if e == 0 else -(-n // e) for e, n in zip(block, shape)]


def block_index(block, shape):
    """For each element, the flat number of its block."""
    if not block:
        return np.zeros(shape, np.int64)
    if len(block) == 1 and len(shape) > 1:
        return (np.arange(int(np.prod(shape))) // block[0]).reshape(shape)
    index = np.zeros(shape, np.int64)
    for e, n, at in zip(block, grid_of(block, shape), np.indices(shape)):
        index = index * n + (0 if e == 0 else at // e)
    return index


def grid_shape(level, shape):
    return grid_of(level.block, shape)


def component_shapes(levels, shape):
    shapes = []
    for level in levels:
        if level.value is not None:
            continue
        grid = grid_of(level.block, shape)
        shapes.append(grid)
        shapes += component_shapes(level.levels, grid)
    return shapes


def decode_parameters(level, shape, parts):
    """The parameters that the stored components mean, one a block, in float64."""
    part = parts.pop(0)
    if " " not in level.storage:
        if level.storage == "bf16":
            part = part.view(np.uint16).view(ml.bfloat16) if part.dtype.itemsize == 2 else part
        return part.astype(np.float64)
    x = numbers_of(level.storage)[part.view(np.uint8)]
    for inner in level.levels:
        if inner.value is not None:
            x = combine(inner.role, x, inner.value)
            continue
        p = decode_parameters(inner, part.shape, parts)
        x = combine(inner.role, x, p.ravel()[block_index(inner.block, part.shape)])
    return x


def combine(role, x, p):
    return x * p if role == "multiply" else x + p if role == "offset" else x - p


def reduce_blocks(values, block, function, empty):
    index = block_index(block, values.shape).ravel()
    flat = values.ravel().astype(np.float64)
    grid = grid_of(block, values.shape)
    return np.array([function(flat[index == i]) if np.any(index == i) else empty
                     for i in range(int(np.prod(grid)))]).reshape(grid)


def first_elements(block, shape):
    """The flat number of the first element of each block."""
    index = block_index(block, shape).ravel()
    return np.unique(index, return_index=True)[1]


def power_of_two(method, largest, most, exponent, mantissa):
    if largest == 0:
        return 2.0**-127
    if method == "mx_floor":
        power = np.floor(np.log2(largest)) - exponent
    elif method == "mx_ceil":
        power = np.ceil(np.log2(largest)) - exponent
    elif method == "mx_rceil":
        power = np.ceil(np.log2(largest / most))
    else:
        fraction, e = np.frexp(largest)  # [0.5, 1)
        rounded = np.floor(fraction * 2 * 2**mantissa + 0.5) / 2**mantissa
        power = np.floor(np.log2(rounded)) + e - 1 - exponent
    return max(2.0**power, 2.0**-127)


def check_parameters(name, method, elem, levels, x, found, one_more):
    """Each level against its formula, given what is stored of the levels outside."""
    numbers = numbers_of(elem)
    numbers = numbers[np.isfinite(numbers)]
    low, high = numbers.min(), numbers.max()
    for level in levels:
        if level.value is not None:
            low, high = sorted(combine(level.role, np.array([low, high]), level.value))
    free = [i for i, level in enumerate(levels) if level.value is None]
    with_zero = not any(levels[i].role == "offset" for i in free)
    zeros = (lambda v: np.append(v, 0.0)) if with_zero else (lambda v: v)

    def multipliers(which, block):
        """The product of the scales of levels at the blocks' first elements."""
        product = 1.0
        for i in which:
            if levels[i].role == "multiply":
                at = block_index(levels[i].block, x.shape).ravel()[first_elements(block, x.shape)]
                product = product * found[i].ravel()[at]
        return product

    for i in reversed(free):
        level = levels[i]
        mins = reduce_blocks(x, level.block, lambda v: zeros(v).min(), 0.0)
        maxs = reduce_blocks(x, level.block, lambda v: zeros(v).max(), 0.0)
        most = reduce_blocks(x, level.block, lambda v: np.abs(v).max(), 0.0)
        if level.role == "multiply":
            steps = high - low if method == "min_max" else min(-low, high) if low < 0 else high
            if method.startswith("mx"):
                exponent = np.floor(np.log2(steps))
                mantissa = {"f8E4M3FN": 3, "f8E5M2": 2, "f6E2M3FN": 3, "f6E3M2FN": 2,
                            "f4E2M1FN": 1}.get(elem.split()[-1], exponent)
                want = np.vectorize(lambda v: power_of_two(method, v, steps, exponent, mantissa),
                                    otypes=[np.float64])(most)
            else:
                for j in free:
                    inner = levels[j]
                    if j < i and inner.role == "multiply" and " " in inner.storage:
                        limit = numbers_of(inner.storage)
                        limit = limit[np.isfinite(limit)].max()
                        steps *= limit if not inner.levels and limit < 1e6 else 1
                want = (maxs - mins if method == "min_max" else most) / steps
                if want.size:
                    outer = multipliers([j for j in free if j > i], level.block)
                    want = want / np.reshape(outer, want.shape) if np.ndim(outer) else want / outer
                want = np.where(want == 0, 1.0, want)
        elif x.size:
            before = multipliers([j for j in free if j < i], level.block)
            after = multipliers([j for j in free if j > i], level.block)
            start, goal = low * np.reshape(before, -1), mins.ravel() / np.reshape(after, -1)
            want = np.reshape(start - goal if level.role != "offset" else goal - start, mins.shape)
        else:
            want = mins
        compare_stored(name, level, want, found[i], one_more)


def compare_stored(name, level, want, have, wide):
    """Exact but for roundings, or a neighbour where storage has few bits."""
    global failures
    if have.size == 0:
        return
    scale = max(np.abs(want).max(), 1e-30)
    if " " not in level.storage:
        relative = {"f64": 1e-13, "f32": 4e-6, "f16": 1.1e-3, "bf16": 8e-3}[level.storage]
        ok = np.allclose(have, want, rtol=relative, atol=relative * 1e-2 * scale)
    else:
        numbers = np.sort(numbers_of(level.storage))
        numbers = numbers[np.isfinite(numbers)]
        if level.levels:  # within a step of the nested scale
            step = scale / (len(numbers) - 1) * 1.02
            ok = np.abs(have - want).max() <= step
        else:
            nearest = numbers[np.abs(numbers[None, :] - want.ravel()[:, None]).argmin(1)]
            where = np.searchsorted(numbers, nearest)
            near = [numbers[np.clip(where + d, 0, len(numbers) - 1)] for d in (-1, 0, 1)]
            ok = np.all(np.any([n == have.ravel() for n in near], 0)) and \
                np.mean(near[1] == have.ravel()) >= 0.98
    if not ok:
        failures.append(name)
        print("FAIL", name, level.text(), "has", have.ravel()[:4], "for", np.ravel(want)[:4])


def check_codes(name, elem, levels, x, found, y, epsilon):
    """Each number of y is the nearest to x that its parameters allow."""
    numbers = numbers_of(elem)
    numbers = np.unique(numbers[np.isfinite(numbers)])
    nearest = np.full(x.shape, np.inf)
    size = np.zeros(x.shape)
    for number in numbers:
        value = np.full(x.shape, number)
        part = np.abs(value)
        for i, level in enumerate(levels):
            p = level.value
            if p is None:
                p = found[i].ravel()[block_index(level.block, x.shape)]
            value = combine(level.role, value, p)
            part = np.maximum(part * np.abs(p), np.abs(value)) if level.role == "multiply" \
                else np.maximum(part, np.abs(p))
        nearest = np.minimum(nearest, np.abs(value - x))
        size = np.maximum(size, part)
    error = np.abs(y.astype(np.float64) - x)
    if not np.all(error <= nearest + epsilon * np.maximum(size, np.abs(x)) + 1e-300):
        worst = np.argmax(error - nearest)
        failures.append(name)
        print("FAIL", name, "encodes", x.ravel()[worst], "as", y.ravel()[worst], "error",
              error.ravel()[worst], "nearest", nearest.ravel()[worst])


def compile_and_run(name, text, feeds):
    """The outputs for each feed; None after a failure."""
    try:
        module = Module(weft, text, os.path.join(folder.name, name))
        all_results = []
        for feed, outputs in feeds:
            results = dict(zip(module.output_names(), module.call_alike(feed)))
            all_results.append([results[key] for key in outputs])
        return all_results
    except Failure as failure:
        failures.append(name)
        print("FAIL", name, failure)
        return None


DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16}


def quantize(name, method, elem, levels, shape, symbols=(), element="f32", feeds=None, sums=None,
             fill=None):
    """`shape` has names where it is dynamic, whose extents `feeds` lists."""
    global count
    count += 1
    shape_text = "x".join("?" if isinstance(n, str) else str(n) for n in shape)
    tensor = f"tensor<{shape_text + 'x' if shape else ''}{element}>"
    packed = f"!weft.packed<{shape_text + 'x' if shape else ''}{element}, {format_text(elem, levels)}>"
    free = [level for level in levels if level.value is None]
    dynamic = [n for n in shape if isinstance(n, str)]
    static = [8 if isinstance(n, str) else n for n in shape]

    def dims_of(block):
        if len(block) == 1 and len(shape) > 1:
            return ["?"] if dynamic else [str(n) for n in grid_of(block, static)]
        return ["1" if e == 0 else ("?" if isinstance(n, str) else str(-(-n // e)))
                for e, n in zip(block, shape)]

    def part_types(levels):
        types = []
        for level in levels:
            if level.value is not None:
                continue
            dims = "".join(d + "x" for d in dims_of(level.block))
            types.append(f"tensor<{dims}{level.parts()[0]}>")
            for inner in level.levels:  # of one block, or of blocks of a vector
                if inner.value is None:
                    grid = [d for d in dims_of(level.block)]
                    inner_dims = "" if not inner.block else "".join(
                        ("1" if e == 0 else "?" if d == "?" else str(-(-int(d) // e))) + "x"
                        for e, d in zip(inner.block, grid))
                    types.append(f"tensor<{inner_dims}{inner.parts()[0]}>")
        return types

    types = part_types(levels)
    bits = 8 if elem.split()[0] == "int" and elem.split()[1] == "8" else \
        int(elem.split()[1][1]) if elem.startswith("float") else 4
    whole = bits == 8
    if elem.startswith("int"):
        whole = elem.split()[1] == "8"
    elements = int(np.prod(static))
    code_bits = int(elem.split()[1]) if elem.startswith("int") else bits
    codes = tensor.replace(element, "i8") if whole else (
        "tensor<?xi8>" if dynamic else f"tensor<{-(-elements * code_bits // 8)}xi8>")
    symbols = "".join(f'%d{n}: index {{weft.symbol = "{n}"}}, ' for n in dynamic)
    names = ", ".join(f'"{n}"' if isinstance(n, str) else str(n) for n in shape)
    outputs = ["y"] + [f"p{i}" for i in range(len(types))] + (["sums"] if sums is not None else [])
    sums_type = "" if sums is None else \
        f"tensor<{''.join(d + 'x' for d in dims_of(sums))}i32>"
    result_types = [tensor] + types + ([sums_type] if sums is not None else [])
    results = ", ".join(f'{t} {{weft.name = "{o}"}}' for o, t in zip(outputs, result_types))
    values = ["%y"] + [f"%p{i}" for i in range(len(types))] + (["%s"] if sums is not None else [])
    text = f"""func.func @main({symbols}%x: {tensor} {{weft.name = "x", weft.dims = [{names}]}})
    -> ({results}) {{
  %q{', %s' if sums is not None else ''} = lowp.quantize %x by {method}{f' sums {list(sums)}' if sums is not None else ''}
    : {tensor} -> {packed}{', ' + sums_type if sums is not None else ''}
  %init = tensor.empty({', '.join('%d' + n for n in dynamic)}) : {tensor}
  %y = weft.unpack ins(%q : {packed}) outs(%init : {tensor}) -> {tensor}
  %c, {', '.join(f'%p{i}' for i in range(len(types)))} = weft.disassemble %q
    : {packed} -> {', '.join([codes] + types)}
  return {', '.join(values)} : {', '.join(result_types)}
}}
"""
    runs = []
    for extents in feeds or [{}]:
        concrete = [extents.get(n, n) for n in shape]
        x = (rng.standard_normal(concrete) * 3).astype(DTYPES[element])
        if fill is not None:
            x = fill(x)
        runs.append(({"x": x}, outputs))
    all_results = compile_and_run(name, text, runs)
    if all_results is None:
        return
    for (feed, _), result in zip(runs, all_results):
        x, y = feed["x"].astype(np.float64), result[0]
        parts = list(result[1:1 + len(types)])
        found = [None if level.value is not None else decode_parameters(level, x.shape, parts)
                 for level in levels]
        check_parameters(name, method, elem, levels, x, found, element == "f64")
        epsilon = {"f32": 1e-6, "f64": 1e-14, "f16": 2e-3}[element]
        check_codes(name, elem, levels, x, found, y, epsilon)
        if sums is not None:
            codes = y.astype(np.float64)
            for i in reversed(range(len(levels))):
                p = levels[i].value
                p = p if p is not None else found[i].ravel()[block_index(levels[i].block, x.shape)]
                codes = {"multiply": lambda c, p: c / p, "offset": lambda c, p: c - p}.get(
                    levels[i].role, lambda c, p: c + p)(codes, p)
            want = reduce_blocks(np.rint(codes), sums, np.sum, 0)
            if not np.array_equal(want.astype(np.int32), result[-1]):
                failures.append(name)
                print("FAIL", name, "sums", result[-1].ravel()[:4], "for", want.ravel()[:4])


M, Z = "multiply", "zero_point"
rows = [{"n": 0}, {"n": 1}, {"n": 37}]

# Every block shape, and extents that it does not divide.
for block in ([], [0, 0], [1, 0], [0, 1], [1, 16], [4, 8], [1, 7], [5, 0], [24]):
    quantize("blocks-" + "-".join(map(str, block)), "absmax", "int 8 signed", [Level(M, block)],
             ["n", 40], feeds=rows + [{"n": 5}])
    quantize("static-" + "-".join(map(str, block)), "absmax", "int 4 signed", [Level(M, block)],
             [9, 29])
# All elements.
for elem in ("int 8 unsigned", "int 8 signed", "int 5 signed", "int 2 signed", "float f8E4M3FN",
             "float f8E5M2", "float f6E2M3FN", "float f6E3M2FN", "float f4E2M1FN", "table nf4"):
    levels = [Level(M, [1, 16])]
    if elem == "int 8 unsigned":
        levels = [Level(Z, value=128.0)] + levels
    quantize("absmax-" + elem.replace(" ", "-"), "absmax", elem, levels, [7, 48])
# Element types, and scales in 16 bits.
for element in ("f64", "f16"):
    quantize(f"type-{element}", "absmax", "int 8 signed",
             [Level(M, [1, 0], "f64" if element == "f64" else "f16")], ["n", 33], element=element,
             feeds=rows)
quantize("scale-bf16", "absmax", "int 4 signed", [Level(M, [1, 32], "bf16")], [5, 64])
# Ranges.
for storage in ("f32", "int 4 unsigned"):
    if storage == "f32":
        quantize("zero-float", "min_max", "int 4 unsigned",
                 [Level(Z, [1, 16]), Level(M, [1, 16])], ["n", 48], feeds=rows)
quantize("zero-point", "min_max", "int 8 unsigned",
         [Level(Z, [1, 0], "int 8 unsigned"), Level(M, [1, 0])], ["n", 33], feeds=rows)
quantize("zero-tensor", "min_max", "int 8 unsigned",
         [Level(Z, [], "int 8 unsigned"), Level(M, [])], ["n", 33], feeds=rows)
quantize("minimum", "min_max", "int 4 unsigned", [Level(M, [1, 16]), Level("minimum", [1, 16])],
         [6, 48])
quantize("offset", "min_max", "int 4 unsigned", [Level(M, [1, 16]), Level("offset", [1, 16])],
         [6, 48], fill=lambda x: np.abs(x) + 5)
# Microscaling.
for method, elem in itertools.product(("mx_floor", "mx_ceil", "mx_rceil", "mx_even"),
                                      ("float f4E2M1FN", "float f8E4M3FN", "int 8 signed")):
    quantize(f"{method}-{elem.replace(' ', '-')}", method, elem,
             [Level(M, [1, 32], "float f8E8M0FNU")], ["n", 96], feeds=rows)
# Levels: NVFP4, double quantization, K-quants, QServe.
quantize("nvfp4", "absmax", "float f4E2M1FN",
         [Level(M, [1, 16], "float f8E4M3FN"), Level(M, [])], ["n", 64], feeds=rows)
quantize("double", "absmax", "table nf4",
         [Level(M, [1, 16], "int 8 unsigned", [Level(M, [1, 0])])], [6, 64])
quantize("double-offset", "absmax", "table nf4",
         [Level(M, [1, 16], "int 8 unsigned", [Level(M, [1, 0]), Level("offset", [1, 0])])],
         [6, 64])
quantize("k-quant", "min_max", "int 4 unsigned",
         [Level(M, [1, 16], "int 8 unsigned", [Level(M, [1, 0], "f16")]),
          Level("minimum", [1, 16], "int 8 unsigned", [Level(M, [1, 0], "f16")])], [6, 64])
quantize("qserve", "min_max", "int 4 unsigned",
         [Level(Z, [1, 16], "int 8 unsigned"), Level(M, [1, 16], "int 8 unsigned"),
          Level(M, [1, 0], "f16")], [6, 64])
# Zeros, and sums of codes.
quantize("zeros", "absmax", "float f8E4M3FN",
         [Level(M, [1, 16], "float f8E4M3FN"), Level(M, [])], [3, 32],
         fill=lambda x: np.where(np.arange(32) < 16, 0, x).astype(np.float32))
quantize("all-zero", "min_max", "int 8 unsigned",
         [Level(Z, [], "int 8 unsigned"), Level(M, [])], [3, 32], fill=lambda x: x * 0)
for sums in ([1, 0], [], [0, 1], [1, 8], [7]):
    quantize("sums-" + "-".join(map(str, sums)), "absmax", "int 8 signed", [Level(M, [1, 0])],
             ["n", 29], feeds=rows, sums=sums)


def observe(name, element, shape, block, feeds=None):
    """All statistics of one tensor."""
    global count
    count += 1
    shape_text = "".join(("?" if isinstance(n, str) else str(n)) + "x" for n in shape)
    tensor = f"tensor<{shape_text}{element}>"
    wide = "f64" if element == "f64" else "f32"
    dynamic = [n for n in shape if isinstance(n, str)]
    if len(block) == 1 and len(shape) > 1:
        grid = "?x" if dynamic else f"{grid_of(block, shape)[0]}x"
    else:
        grid = "".join(("1" if e == 0 else "?" if isinstance(n, str) else str(-(-n // e))) + "x"
                       for e, n in zip(block, shape))
    result = f"tensor<{grid}{wide}>"
    which = ["min", "max", "absmax", "sum", "sum_of_squares"]
    symbols = "".join(f'%d{n}: index {{weft.symbol = "{n}"}}, ' for n in dynamic)
    names = ", ".join(f'"{n}"' if isinstance(n, str) else str(n) for n in shape)
    body = "".join(f"  %{w} = lowp.observe {w} %x blocks {list(block)} : {tensor} -> {result}\n"
                   for w in which)
    results = ", ".join(f'{result} {{weft.name = "{w}"}}' for w in which)
    text = f"""func.func @main({symbols}%x: {tensor} {{weft.name = "x", weft.dims = [{names}]}})
    -> ({results}, tensor<13xi32> {{weft.name = "counts"}}) {{
{body}  %low = arith.constant -2.0 : {wide}
  %high = arith.constant 1.5 : {wide}
  %counts = lowp.histogram %x from %low to %high : {tensor}, {wide} -> tensor<13xi32>
  return {', '.join('%' + w for w in which)}, %counts : {', '.join([result] * 5)}, tensor<13xi32>
}}
"""
    runs = []
    for extents in feeds or [{}]:
        concrete = [extents.get(n, n) for n in shape]
        # Multiples of a quarter, which have no rounding in any bound.
        x = (np.rint(rng.standard_normal(concrete) * 16) / 8).astype(DTYPES[element])
        runs.append(({"x": x}, which + ["counts"]))
    all_results = compile_and_run(name, text, runs)
    for (feed, _), result in zip(runs, all_results or []):
        x = feed["x"].astype(np.float64)
        want = [reduce_blocks(x, block, f, e) for f, e in (
            (np.min, np.inf), (np.max, -np.inf), (lambda v: np.abs(v).max(), 0.0),
            (np.sum, 0.0), (lambda v: (v * v).sum(), 0.0))]
        bounds = (-2.0 + np.arange(13) * ((1.5 + 2.0) / 13)).astype(np.float64)
        if wide == "f32":
            width = np.float32(np.float32(3.5) / np.float32(13))
            bounds = (np.float32(-2) + np.arange(13, dtype=np.float32) * width).astype(np.float64)
        where = np.searchsorted(bounds, x[(x >= -2.0) & (x <= 1.5)], side="right") - 1
        want.append(np.bincount(where.ravel(), minlength=13))
        sizes = reduce_blocks(np.abs(x), block, np.sum, 0.0)
        for w, have, right in zip(which + ["counts"], result, want):
            tolerance = 0
            if w.startswith("sum"):
                tolerance = max(x.size, 1) * (2.0**-53 if wide == "f64" else 2.0**-24) * \
                    (sizes.max(initial=0) + right.max(initial=0))
            same = have == right
            error = np.abs(have[~same].astype(np.float64) - right[~same])
            if not np.all(error <= tolerance):
                failures.append(name)
                print("FAIL", name, w, have.ravel()[:4], "for", right.ravel()[:4])


for element in ("f32", "f64", "f16"):
    observe(f"observe-{element}", element, ["n", 40], [1, 16], feeds=rows)
for block in ([], [0, 1], [1, 0], [3, 7], [11]):
    observe("observe-" + "-".join(map(str, block)), "f32", [20, 31], block)
    observe("observe-dynamic-" + "-".join(map(str, block)), "f32", ["n", "m"], block,
            feeds=[{"n": 13, "m": 25}, {"n": 0, "m": 3}, {"n": 2, "m": 0}, {"n": 1, "m": 1}])
observe("observe-scalar", "f32", [], [])
observe("observe-cube", "f32", [3, "n", 10], [1, 0, 5], feeds=rows)


def rotate(name, basis, extent, parameters, matrix, element="f32", axis=1):
    """`matrix` is T, or the Hadamard order where the results themselves tell T."""
    global count
    count += 1
    shape = ["n", extent] if axis == 1 else [extent, "n"]
    tensor = f"tensor<{'x'.join('?' if n == 'n' else str(n) for n in shape)}x{element}>"
    kinds = [f"tensor<{extent}x{'i32' if p.dtype == np.int32 else 'f32'}>" for p in parameters]
    arguments = "".join(f', %p{i}: {t} {{weft.name = "p{i}", weft.dims = [{extent}]}}'
                        for i, t in enumerate(kinds))
    given = f" ({', '.join(f'%p{i}' for i in range(len(kinds)))} : {', '.join(kinds)})" if kinds else ""
    forms = ["", "inverse", "dual", "inverse dual"]
    body = "".join(f"  %y{i} = lowp.rotate %x by {basis} along {axis} {form}{given} : {tensor}\n"
                   for i, form in enumerate(forms))
    results = ", ".join(f'{tensor} {{weft.name = "y{i}"}}' for i in range(4))
    dims = ", ".join('"n"' if n == "n" else str(n) for n in shape)
    text = f"""func.func @main(%n: index {{weft.symbol = "n"}}, %x: {tensor} {{weft.name = "x", weft.dims = [{dims}]}}{arguments})
    -> ({results}) {{
{body}  return %y0, %y1, %y2, %y3 : {', '.join([tensor] * 4)}
}}
"""
    runs = []
    for n in (extent, 5, 1, 0):
        x = np.eye(extent) if n == extent else rng.standard_normal((n, extent))
        feed = {"x": np.ascontiguousarray(x if axis == 1 else x.T).astype(DTYPES[element])}
        feed.update({f"p{i}": p for i, p in enumerate(parameters)})
        runs.append((feed, [f"y{i}" for i in range(4)]))
    all_results = compile_and_run(name, text, runs)
    if all_results is None:
        return
    rows = lambda v: v.astype(np.float64) if axis == 1 else v.astype(np.float64).T
    # At most 2 * 64 additions for each factor of a matrix, in f32, and f16's rounding.
    relative = 3e-5 if element == "f32" else 2e-3 if element == "f16" else 1e-13
    signs = None
    if matrix is None:
        matrix = rows(all_results[0][0])
        signs = matrix * np.sqrt(HADAMARD[name])
        block = np.kron(np.eye(extent // HADAMARD[name]), np.ones([HADAMARD[name]] * 2))
        if not np.allclose(np.abs(signs), block, atol=4 * relative) or \
                not np.allclose(matrix @ matrix.T, np.eye(extent), atol=4 * relative):
            failures.append(name)
            print("FAIL", name, "is no Hadamard matrix")
        matrix = np.rint(signs) / np.sqrt(HADAMARD[name])
    inverse = np.linalg.inv(matrix)
    for (feed, _), result in zip(runs, all_results):
        x = rows(feed["x"])
        for have, t in zip(result, (matrix, inverse, inverse.T, matrix.T)):
            want = x @ t
            bound = relative * (np.abs(x) @ np.abs(t)).max(initial=0) + 1e-30
            if have.shape != feed["x"].shape or np.abs(rows(have) - want).max(initial=0) > bound:
                failures.append(name)
                print("FAIL", name, "rotates to", rows(have).ravel()[:4], "not", want.ravel()[:4])


def sylvester(n):
    return np.ones((1, 1)) if n == 1 else np.kron([[1, 1], [1, -1]], sylvester(n // 2))


HADAMARD = {}
for size, extent in ((1, 5), (2, 6), (16, 48), (64, 64), (128, 256), (12, 24), (20, 20), (28, 56),
                     (36, 36), (44, 44), (60, 120), (56, 112), (24, 24)):
    HADAMARD[f"hadamard-{size}"] = size
    known = None
    if size & size - 1 == 0:
        known = np.kron(np.eye(extent // size), sylvester(size)) / np.sqrt(size)
    rotate(f"hadamard-{size}", f"#lowp.hadamard<{size}>", extent, [], known)
some_signs = np.where(rng.random(48) < 0.5, -1, 1).astype(np.float32)
some_factors = (rng.random(48) + 0.5).astype(np.float32)
order = rng.permutation(48).astype(np.int32)
H48 = np.kron(np.eye(3), sylvester(16)) / 4
P48 = np.eye(48)[:, order]
for element in ("f32", "f64", "f16"):
    rotate(f"signs-{element}", '#lowp.hadamard<16, "s">', 48, [some_signs],
           np.diag(some_signs).astype(np.float64) @ H48, element)
rotate("diagonal", '#lowp.diagonal<"d">', 48, [some_factors], np.diag(some_factors.astype(np.float64)))
rotate("permutation", '#lowp.permutation<"p">', 48, [order], P48)
rotate("first-axis", '#lowp.hadamard<16, "s">', 48, [some_signs],
       np.diag(some_signs).astype(np.float64) @ H48, axis=0)
rotate("several", '#lowp.bases<[#lowp.diagonal<"d">, #lowp.hadamard<16>, #lowp.permutation<"p">]>',
       48, [some_factors, order], np.diag(some_factors.astype(np.float64)) @ H48 @ P48)

if failures:
    sys.exit(f"{len(failures)} cases failed: {', '.join(dict.fromkeys(failures))}")
print(count, "modules as NumPy")
