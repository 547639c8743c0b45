#!/usr/bin/env python3
#===- cases.py - Structures against NumPy -----------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""For each structure of the sparse dialect with several elements and shapes (odd,
empty, with leading dimensions): decodes components that NumPy made, contracts one and
five rows with them, and packs the dense tensor, which must give the same components.
All numbers are multiples of 1/8 below 16, so that sums in f32 are exact: everything is
compared bit for bit, with one and two threads. Then the same components with one entry that is
wrong, which is an error, with any bytes where the check is left out, which must do no harm, and
extents that do not agree, which are errors.

Usage: cases.py WEFT-PROGRAM [NAME-PART]"""

import sys

import numpy as np

from harness import TYPES, Cases, Function, tensor
from structures import (BF16, COO, CSC, CSR, ELL, F16, F32, INT4, NM, VNM, Bitmap, Block, Channels,
                        Int8)

cases = Cases(sys.argv)


class Empty(CSR):
    density = 0.0


class Full(CSR):
    density = 1.0


def contraction(m, x_type, packed, columns):
    """`m` rows times the packed matrix, as %z<m>."""
    z_type = tensor((m, columns), "f32")
    return z_type, f"""
  %n{m} = tensor.empty() : {z_type}
  %zero{m} = arith.constant 0.0 : f32
  %i{m} = linalg.fill ins(%zero{m} : f32) outs(%n{m} : {z_type}) -> {z_type}
  %z{m} = weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                                         affine_map<(m, n, k) -> (k, n)>,
                                         affine_map<(m, n, k) -> (m, n)>]
         ins(%x{m}, %p : {x_type}, {packed}) outs(%i{m} : {z_type}) -> {z_type}"""


def of_data(structure):
    """The components of an element in this structure whose first extent data decides."""
    if isinstance(structure, Block):
        return of_data(structure.of)
    if isinstance(structure, (CSR, CSC)):
        return (0, 2)
    if isinstance(structure, COO):
        return (0, 1, 2)
    if isinstance(structure, Bitmap):
        return (0,)
    if isinstance(structure, Channels) and not structure.count:
        return (0, 1)
    return ()


def case(name, structure, elem, shape, dynamic=False, scale=None):
    """`dynamic`: the extents that data decides are those of the arguments. `scale`: for
    each row of the tensor ("logical") or for all that is stored ("stored")."""
    rng = np.random.default_rng(len(name))
    dense = structure.prune(elem.numbers(shape, rng), rng)
    parts, stored = structure.encode(dense)
    codes = elem.codes(np.append(dense.ravel(), np.float32(0))[stored])
    components = [codes] + parts
    dynamic_parts = of_data(structure)
    scales, parameters = "", ""
    if scale:
        factors = (2.0 ** rng.integers(-2, 3, shape[:-1] + (1,))).astype(np.float32)
        block = [1] * (len(shape) - 1) + [0]
        if scale == "stored":
            factors, block = np.full([1] * stored.ndim, 0.5, np.float32), [0] * stored.ndim
        where = ", stored" if scale == "stored" else ""
        scales = f", scales = [#lowp.scale<multiply, {block}, f32{where}>]"
        dense = (dense * (0.5 if scale == "stored" else factors)).astype(np.float32)
        components.append(factors)
    packed = f"!weft.packed<{'x'.join(map(str, shape))}xf32, " \
             f"#weft.format<elem = {elem.text}{scales}, structure = {structure.text}>>"
    f = Function()
    types = [f.argument(f"c{i}", part, [f"d{i}"] if dynamic else ())
             for i, part in enumerate(components)]
    if scale:
        parameters = f" parameters(%c{len(components) - 1} : {types[-1]})"
    y_type = f.argument("w", dense)
    out_types = [tensor(["?" if i in dynamic_parts and k == 0 else extent
                         for k, extent in enumerate(part.shape)], TYPES[part.dtype.name])
                 for i, part in enumerate(components)]
    outs = [f"o{i}" for i in range(len(components))]
    body = f"""  %p = weft.assemble {', '.join(f'%c{i}' for i in range(len(types)))} : {', '.join(types)} -> {packed}
  %e = tensor.empty() : {y_type}
  %y = weft.unpack ins(%p : {packed}) outs(%e : {y_type}) -> {y_type}
  %q = weft.pack %w{parameters} : {y_type} -> {packed}
  %r = weft.unpack ins(%q : {packed}) outs(%e : {y_type}) -> {y_type}
  {', '.join(f'%{o}' for o in outs)} = weft.disassemble %q : {packed} -> {', '.join(out_types)}"""
    results = [("y", y_type), ("r", y_type)] + list(zip(outs, out_types))
    want = {"y": dense, "r": dense} | dict(zip(outs, components))
    if len(shape) == 2:
        for m in (1, 5):
            x = (rng.integers(-8, 9, (m, shape[0])) / 4).astype(np.float32)
            z_type, text = contraction(m, f.argument(f"x{m}", x), packed, shape[1])
            body += text
            results.append((f"z{m}", z_type))
            want[f"z{m}"] = (x.astype(np.float64) @ dense).astype(np.float32)
    cases.run(name, f.text(body, results), f.feed, want)


def decoded(feed, structure, shape, attributes=""):
    """The text and what is fed of a module that unpacks these components."""
    packed = f"!weft.packed<{'x'.join(map(str, shape))}xf32, " \
             f"#weft.format<elem = {INT8.text}, structure = {structure.text}>>"
    f = Function()
    types = [f.argument(f"c{i}", part, [f"d{i}"]) for i, part in enumerate(feed)]
    y_type = tensor(shape, "f32")
    body = f"""  %p = weft.assemble {', '.join(f'%c{i}' for i in range(len(types)))} {attributes} : {', '.join(types)} -> {packed}
  %e = tensor.empty() : {y_type}
  %y = weft.unpack ins(%p : {packed}) outs(%e : {y_type}) -> {y_type}"""
    return f.text(body, [("y", y_type)]), f.feed


def garbage(name, structure, shape):
    """Components of the right extents with any bytes, which nothing checks: what is read does
    not matter, but nothing else is. The last case has no numbers, but says that it has."""
    rng = np.random.default_rng(1)
    dense = structure.prune(INT8.numbers(shape, rng), rng)
    parts, stored = structure.encode(dense)
    for label in ("small", "any", "none"):
        components = [INT8.codes(np.ones(stored.shape))] + parts
        feed = []
        for i, part in enumerate(components):
            info = np.iinfo(part.dtype)
            bound = 40 if label == "small" else info.max
            low = 0 if label == "small" else info.min
            if label == "none" and i in of_data(structure):
                part = part[:0]
            feed.append(rng.integers(low, bound, part.shape, part.dtype, endpoint=True))
        text, arguments = decoded(feed, structure, shape, attributes="{weft.checked}")
        cases.run(f"garbage-{name}-{label}", text, arguments, {"y": None})


def mistakes(structure):
    """What can be wrong: the component's number among those of the structure, what is done to it,
    and what is said."""
    def put(i, at, number, operand):
        def change(parts):
            parts[i].reshape(-1)[at] = number
        return change, f"'{operand}' has"

    def swap(i, operand):
        def change(parts):
            flat = parts[i].reshape(-1)
            flat[0], flat[1] = flat[1], flat[0]
        return change, f"'{operand}' has"

    def fill(i, number, operand):
        def change(parts):
            parts[i][...] = number
        return change, f"'{operand}' has"

    if isinstance(structure, Block):
        return mistakes(structure.of)
    if isinstance(structure, NM):
        return [fill(0, 0, "indices")] if structure.n > 1 else []
    if isinstance(structure, VNM):
        return [fill(0, 0, "columns")] + ([fill(1, 0, "indices")] if structure.n > 1 else [])
    if isinstance(structure, (CSR, CSC)):
        along = "columns" if isinstance(structure, CSR) else "rows"
        return [put(0, 0, 1, "offsets"), put(0, 1, -1, "offsets"), put(0, 2, 1 << 30, "offsets"),
                put(0, -1, 0, "offsets"), put(1, 0, 127, along)] + (
                    [put(1, 1, 0, along)] if structure.delta else [swap(1, along)])
    if isinstance(structure, COO):
        return [put(0, -1, 13, "rows"), put(1, 0, 37, "columns"), put(0, 0, -1, "rows"),
                put(0, 0, 12, "rows")]
    if isinstance(structure, ELL):
        return [put(0, 0, 37, "columns")] + ([swap(0, "columns")] if structure.width > 1 else [])
    if isinstance(structure, Channels):
        return [put(0, 0, 37, "channels")] + ([] if structure.count else [swap(0, "channels")])
    return [put(1, -1, -1, "offsets"), put(1, 0, 1, "offsets"), put(0, 0, -1, "offsets")]


def wrong(name, structure, shape):
    """Components of which one entry is wrong."""
    rng = np.random.default_rng(1)
    dense = structure.prune(INT8.numbers(shape, rng), rng)
    parts, stored = structure.encode(dense)
    for n, (change, message) in enumerate(mistakes(structure)):
        feed = [INT8.codes(np.append(dense.ravel(), np.float32(0))[stored])]
        feed += [part.copy() for part in parts]
        change(feed[1:])
        if all(np.array_equal(x, y) for x, y in zip(feed[1:], parts)):
            continue  # there is one of them only
        text, arguments = decoded(feed, structure, shape)
        cases.run(f"wrong-{name}-{n}", text, arguments, {}, message)


def wrong_extents(name, structure, parts, shape, error, symbols=()):
    f = Function()
    types = [f.argument(f"c{i}", part, [f"d{i}"]) for i, part in enumerate(parts)]
    like = f.argument("like", np.zeros(shape, np.int8), symbols)
    logical = like[len("tensor<"):-len("i8>")] + "f32"
    packed = f"!weft.packed<{logical}, #weft.format<elem = {INT8.text}, structure = {structure}>>"
    y_type = f"tensor<{logical}>"
    sizes = ", ".join(f"%{s}" for s in symbols)
    body = f"""  %p = weft.assemble {', '.join(f'%c{i}' for i in range(len(types)))} : {', '.join(types)} -> {packed}
  %e = tensor.empty({sizes}) : {y_type}
  %y = weft.unpack ins(%p : {packed}) outs(%e : {y_type}) -> {y_type}"""
    cases.run(name, f.text(body, [("y", y_type)]), f.feed, {"y": None}, error)


INT8 = Int8()
SHAPES = {"odd": (13, 37), "rows": (70, 5), "wide": (3, 131), "batch": (2, 5, 19),
          "no-rows": (0, 7), "no-columns": (6, 0), "one": (1, 1)}
STRUCTURES = {
    "nm-2-4": NM(2, 4), "nm-1-4-axis": NM(1, 4, axis=0), "nm-6-8": NM(6, 8, axis=-2),
    "nm-12-32": NM(12, 32), "nm-3-5": NM(3, 5),
    "vnm": VNM(4, 2, 8), "vnm-wide": VNM(16, 1, 10),
    "bitmap": Bitmap(),
    "csr-i32": CSR(32), "csr-i16": CSR(16), "csr-delta": CSR(8, delta=True),
    "csc-i16": CSC(16), "csc-delta": CSC(16, delta=True),
    "coo-i32": COO(32), "coo-i8": COO(8),
    "ell": ELL(3, 16), "ell-i32": ELL(1, 32),
    "channels": Channels(-1, 16), "channels-rows": Channels(0, 32),
    "channels-count": Channels(-1, 32, count=1), "channels-rows-count": Channels(-2, 8, count=1),
    "block-csr": Block(4, 1, CSR(16)), "block-bitmap": Block(2, 8, Bitmap()),
    "block-ell": Block(3, 2, ELL(1, 16)), "block-nm": Block(1, 2, NM(2, 4)),
    "block-csc": Block(16, 16, CSC(32)), "block-coo": Block(2, 2, COO(32)),
    "block-channels": Block(2, 2, Channels(0, 16)),
}
for kind, structure in STRUCTURES.items():
    for size, shape in SHAPES.items():
        if isinstance(structure, ELL) and structure.width > shape[-1]:
            continue
        elem = {"odd": F32, "rows": F16, "wide": INT4, "batch": BF16}.get(size, F32)
        case(f"{kind}-{size}", structure, elem, shape)
case("csr-dynamic", CSR(32), INT4, (9, 21), dynamic=True)
case("coo-dynamic", COO(16), F32, (9, 21), dynamic=True)
case("bitmap-dynamic", Bitmap(), F16, (9, 70), dynamic=True)
case("csr-nothing", Empty(16), F32, (9, 21))
case("csr-nothing-dynamic", Empty(16), INT4, (9, 21), dynamic=True)
case("csr-everything", Full(16), F32, (9, 21))
case("block-nothing", Block(4, 4, Empty(16)), F32, (9, 21))
case("csr-delta-long", CSR(8, delta=True), F32, (2, 700))
case("vector-bitmap", Bitmap(), F32, (100,))
case("vector-nm", NM(2, 4), F32, (30,))
case("vector-csr", CSR(16), F32, (30,))
case("vector-ell", ELL(4, 16), F32, (30,))

# Scales of all numbers, and of those that are stored.
for kind in ("nm-2-4", "vnm", "bitmap", "csr-i16", "csc-i16", "coo-i32", "ell", "channels",
             "block-csr", "block-nm"):
    for scale in ("logical", "stored"):
        case(f"scale-{scale}-{kind}", STRUCTURES[kind], INT4, (13, 37), scale=scale)

# Data that no encoder makes.
for kind, structure in STRUCTURES.items():
    garbage(kind, structure, (13, 37))
    wrong(kind, structure, (13, 37))
wrong_extents("extents", "#sparse.csr<i16>",
              [np.zeros(3, np.int8), np.array([0, 1, 3], np.int32), np.zeros(4, np.int16)], (2, 5),
              "component 'columns' has an extent of 4, expected 3")
wrong_extents("no-offsets", "#sparse.csr<i32>",
              [np.zeros(3, np.int8), np.zeros(0, np.int32), np.zeros(3, np.int32)], (2, 5),
              "component 'offsets' has an extent of 0, expected at least 1", ("m", "n"))

cases.finish()
