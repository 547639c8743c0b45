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
compared bit for bit, with one and two threads.

Usage: cases.py WEFT-PROGRAM [NAME-PART]"""

import os
import subprocess
import sys
import tempfile

import numpy as np

from structures import (BF16, COO, CSC, CSR, ELL, F16, F32, INT4, NM, VNM, Bitmap, Block, Channels,
                        Random)

weft = sys.argv[1]
only = sys.argv[2] if len(sys.argv) > 2 else ""
folder = tempfile.TemporaryDirectory()
count = 0
failures = []


class Empty(CSR):
    density = 0.0


class Full(CSR):
    density = 1.0


def tensor(shape, element):
    return f"tensor<{''.join(f'{s}x' for s in shape)}{element}>"


def element_of(array):
    return {"float32": "f32"}.get(array.dtype.name, f"i{array.itemsize * 8}")


def case(name, structure, elem, shape, dynamic=False):
    """`dynamic`: the extents that data decides are those of the arguments."""
    global count
    if only not in name:
        return
    rng = np.random.default_rng(len(name))
    dense = structure.prune(elem.numbers(shape, rng), rng)
    parts, stored = structure.encode(dense)
    flat = np.append(dense.ravel(), np.float32(0))
    codes = elem.codes(flat[stored])
    components = [codes] + parts
    packed = f"!weft.packed<{'x'.join(map(str, shape))}xf32, " \
             f"#weft.format<elem = {elem.text}, structure = {structure.text}>>"
    feed, arguments, types = {}, [], []
    for i, part in enumerate(components):
        extents = list(part.shape)
        dims = list(map(str, extents))
        if dynamic and part.ndim:
            arguments.insert(0, f'%d{i}: index {{weft.symbol = "d{i}"}}')
            extents[0], dims[0] = "?", f'"d{i}"'
        types.append(tensor(extents, element_of(part)))
        arguments.append(f'%c{i}: {types[-1]} {{weft.name = "c{i}", weft.dims = [{", ".join(dims)}]}}')
        feed[f"c{i}"] = part
    y_type = tensor(shape, "f32")
    arguments.append(f'%w: {y_type} {{weft.name = "w"}}')
    feed["w"] = dense
    results = [("y", y_type, dense)]
    body = f"""  %p = weft.assemble {', '.join(f'%c{i}' for i in range(len(types)))} : {', '.join(types)} -> {packed}
  %e = tensor.empty() : {y_type}
  %y = weft.unpack ins(%p : {packed}) outs(%e : {y_type}) -> {y_type}
  %q = weft.pack %w : {y_type} -> {packed}
  %r = weft.unpack ins(%q : {packed}) outs(%e : {y_type}) -> {y_type}
"""
    results.append(("r", y_type, dense))
    outs = []
    for i, part in enumerate(components):
        # Extents that data decides: dynamic in the format's component.
        outs.append((f"q{i}", part))
    if len(shape) == 2:
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
            results.append((f"z{m}", z_type, (x.astype(np.float64) @ dense).astype(np.float32)))
    out_types = component_types(structure, components)
    body += f"  %q:{len(outs)} = weft.disassemble %q : {packed} -> {', '.join(out_types)}\n" \
        .replace("%q:", "%o:")
    names = [f"%{n}" for n, _, _ in results] + [f"%o#{i}" for i in range(len(outs))]
    result_types = [t for _, t, _ in results] + out_types
    labels = [n for n, _, _ in results] + [n for n, _ in outs]
    signature = ", ".join(f'{t} {{weft.name = "{n}"}}' for n, t in zip(labels, result_types))
    text = f"""func.func @main({', '.join(arguments)}) -> ({signature}) {{
{body}  return {', '.join(names)} : {', '.join(result_types)}
}}
"""
    want = {n: v for n, _, v in results} | dict(outs)
    run(name, text, feed, want)


def component_types(structure, components):
    """The types of the format's components: where data decides, the first extent is
    dynamic."""
    types = []
    of_data = of_data_positions(structure)
    for i, part in enumerate(components):
        extents = list(part.shape)
        if i in of_data:
            extents[0] = "?"
        types.append(tensor(extents, element_of(part)))
    return types


def of_data_positions(structure):
    if isinstance(structure, Block):
        return of_data_positions(structure.of)
    if isinstance(structure, (CSR, CSC)):
        return (0, 2)
    if isinstance(structure, COO):
        return (0, 1, 2)
    if isinstance(structure, Bitmap):
        return (0,)
    if isinstance(structure, Channels) and not structure.count:
        return (0, 1)
    return ()


def run(name, text, feed, want):
    global count
    at = os.path.join(folder.name, name)
    os.makedirs(at)
    with open(f"{at}/m.mlir", "w", encoding="utf-8") as file:
        file.write(text)
    inputs = []
    for key, value in feed.items():
        np.save(f"{at}/{key}.npy", np.ascontiguousarray(value))
        inputs.append(f"--input={key}=@{at}/{key}.npy")
    done = subprocess.run([weft, "compile", "--quiet", f"{at}/m.mlir", "-o", f"{at}/m.so"],
                          capture_output=True, text=True, check=False)
    problems = done.stderr[-2000:] if done.returncode else ""
    for threads in (1, 2):
        if problems:
            break
        outputs = [f"--output={key}=@{at}/{key}-{threads}.npy" for key in want]
        done = subprocess.run([weft, "run", "--quiet", f"{at}/m.so", f"--threads={threads}"]
                              + inputs + outputs, capture_output=True, text=True, check=False)
        if done.returncode:
            problems = done.stderr[-2000:]
            break
        for key, value in want.items():
            have = np.load(f"{at}/{key}-{threads}.npy")
            if have.shape != value.shape or not np.array_equal(have, value):
                problems += f"{key} differs with {threads} threads: {have.shape} {have.ravel()[:12]}" \
                            f", expected {value.shape} {value.ravel()[:12]}\n"
    if problems:
        failures.append(name)
        print("FAIL", name, problems)
        if only:
            print(text)
    count += 1


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

if failures:
    sys.exit(f"{len(failures)} of {count} cases failed: {', '.join(failures)}")
print(count, "cases as NumPy")
