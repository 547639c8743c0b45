#!/usr/bin/env python3
#===- illegal.py - Formats and operations that do not go together are refused ----===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Makes cells over the axes of cases.py that mean nothing, in classes, and has
weft-opt verify each. A cell must be refused by exactly one sentence, and by that of its
class, which says what was expected and what was found. Where a class has a rule for
which cells are legal (element types), the legal ones must be accepted.

`weft compile` must refuse a cell of each class with exit code 1 and the same sentence.

Usage: illegal.py WEFT-PROGRAM WEFT-OPT-PROGRAM [--sample=N] [--filter=REGEX] [--list]"""

import argparse
import bisect
import collections
import dataclasses
import os
import random
import re
import subprocess
import sys
import tempfile

import numpy as np

import cases
import formats as F


@dataclasses.dataclass
class Case:
    kind: str  # the class
    text: str
    pattern: str  # None: it is legal


def packed(shape, element, scales=(), structure=None, expressed="f32", text=None):
    text = text or F.format_text(element, scales, structure)
    return f"!weft.packed<{'x'.join(map(str, (*shape, expressed)))}, {text}>"


def value(kind):
    """Only the type is verified."""
    return f"func.func private @f({kind})"


def elements():
    for name, element in cases.ELEMENTS.items():
        if isinstance(element, F.Codebook):
            element = F.Codebook(element.bits, element.per_code, [], element.storage)
        yield name, element


def without_pack(element):
    return element.element if isinstance(element, F.Repacked) else element


#===----------------------------------------------------------------------===#
# Element types
#===----------------------------------------------------------------------===#

INTEGERS = ["i8", "i16", "i32", "i64"]
FLOATS = ["f16", "bf16", "f32", "f64"]


def expressible(element):
    element = without_pack(element)
    if isinstance(element, F.Int):
        low = (-(1 << element.bits - 1) if element.signed else 0) - element.offset
        high = low + (1 << element.bits) - 1
        return INTEGERS + [t for t in FLOATS if t != "bf16" or -256 <= low and high <= 256]
    if isinstance(element, (F.Ternary, F.Binary)):
        return INTEGERS + FLOATS
    return [t for t in FLOATS if t != "f16" or element.exact_in_f16]


def expressed():
    for _, element in elements():
        legal = expressible(element)
        for kind in [*INTEGERS, *FLOATS, "i1", "i4", "f8E5M2", "f80", "index", "complex<f32>"]:
            refused = "packed tensors have integers or floats, got" if kind in (
                "index", "complex<f32>") else r"(is|are) (expressed in .*, got|not exact in)"
            yield Case("expressed", value(packed((4, 96), element, expressed=kind)),
                       None if kind in legal else refused)


def scaled_integers():
    for name in ("multiply", "zero_point", "minimum", "offset"):
        scale = F.Scale(name, [1, 32], "f16")
        for _, element in elements():
            if "i32" in expressible(element):
                yield Case("scaled-integers", value(packed((4, 96), element, [scale], expressed="i32")),
                           r"(multiplies, but|has floats, but) numbers are 'i32'")


#===----------------------------------------------------------------------===#
# Scales
#===----------------------------------------------------------------------===#


def scale_blocks():
    wrong = [([1, 32, 1], "block"), ([0], "block"), ([-1, 32], "block"), ([1, -32], "block")]
    for _, element in elements():
        for block, pattern in wrong:
            yield Case("scale-blocks",
                       value(packed((4, 96), element, [F.Scale("multiply", block, "f32")])), pattern)


def scale_storage():
    for storage in ("i8", "index", "f80", "7"):
        for _, element in elements():
            yield Case("scale-storage",
                       value(packed((4, 96), element, [F.Scale("multiply", [1, 32], storage)])),
                       "f16, bf16, f32|expected")


def scales_of_stored():
    for name, element in elements():
        text = f"#weft.format<elem = {element.text}, scales = [#lowp.scale<multiply, [1, 2], f16, stored>]>"
        yield Case("scales-of-stored", value(packed((4, 96), element, text=text)),
                   "is of the stored numbers, but all are stored")


#===----------------------------------------------------------------------===#
# Structures
#===----------------------------------------------------------------------===#


def structure_ranks():
    least = {"2:4": 1, "6:8": 1, "block4x1": 2, "block2x16": 2, "bitmap": 1, "csr": 1, "csc": 2,
             "coo": 1, "ell": 1, "channels": 1, "low-rank": 2}
    for name, rank in least.items():
        for _, element in elements():
            if element.per_code == 1 and not element.pack_text:
                yield Case("structure-ranks",
                           value(packed((96,) * (rank - 1), element, (), cases.STRUCTURES[name])),
                           f"rank|axis")


def structure_positions():
    """Positions that their type cannot say."""
    for text, shape in (("csr<i8>", (4, 257)), ("csc<i8>", (257, 4)), ("ell<3, i8>", (4, 256)),
                        ("csr<i16>", (4, 65537)), ("channels<axis = -1, i8>", (4, 257)),
                        ("csr<i16>", (4, "?")), ("coo<i16>", (70000, 4))):
        for _, element in elements():
            if element.per_code == 1 and not element.pack_text:
                kind = f"#weft.format<elem = {element.text}, structure = #sparse.{text}>"
                yield Case("structure-positions", value(packed(shape, element, text=kind)),
                           "has positions below|is of a dynamic extent, which needs i32")


def codes_of_several():
    """A code's numbers have to be neighbours, all of which are stored."""
    for name, element in elements():
        if element.per_code > 1:
            yield Case("codes-divide", value(packed((4, 96 + 1), element)),
                       "which do not divide the last extent 97")
            yield Case("codes-divide", value(packed((), element)), "but the tensor has rank 0")


#===----------------------------------------------------------------------===#
# Packings
#===----------------------------------------------------------------------===#


def packs():
    for name, element in elements():
        if element.pack_text:
            continue
        bits, several = element.bits, element.per_code > 1

        def of(pack, shape=(4, 96)):
            return value(packed(shape, element, text=f"#weft.format<elem = {element.text}, pack = {pack}>"))
        yield Case("words-axis", of("#lowp.words<axis = 2, word = 32>"),
                   "is along dimension 2, but codes have rank 2")
        if bits > 8:
            yield Case("words-narrow", of("#lowp.words<axis = 1, word = 8>"), "is too narrow for codes of")
        if not isinstance(element, F.Ternary):
            yield Case("trits", of("#lowp.trits"), "codes of 2 bits, got" if bits != 2 else None)
        if bits > 1 and not several:
            yield Case("planes", of(f"#lowp.planes<[{min(bits - 1, 8)}]>"), "bits")


#===----------------------------------------------------------------------===#
# Operations
#===----------------------------------------------------------------------===#


def bases():
    maps = ", ".join(f"affine_map<(m, n, k) -> ({x})>" for x in ("m, k", "n, k", "m, n"))
    for _, element in elements():
        for basis in ("#lowp.hadamard<32>", '#lowp.permutation<"p">', '#lowp.diagonal<"d">'):
            text = f"#lowp.in_basis<{F.format_text(element)}, 1, {basis}>"
            kind = packed((24, 96), element, text=text)
            yield Case("bases", f"""func.func @f(%x: tensor<5x96xf32>, %w: {kind}, %i: tensor<5x24xf32>) {{
  %y = weft.contract indexing_maps = [{maps}] ins(%x, %w : tensor<5x96xf32>, {kind}) outs(%i : tensor<5x24xf32>) -> tensor<5x24xf32>
  return
}}""", "basis")


def dynamic():
    """Kernels take the extents of packed operands from their type."""
    for _, element in elements():
        if element.per_code > 1:
            continue
        w = packed((6, "?", 3, 3), element)
        yield Case("dynamic-conv", f"""func.func @f(%x: tensor<1x16x7x7xf32>, %w: {w}, %i: tensor<1x6x7x7xf32>) {{
  %y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1] groups = 1 ins(%x, %w : tensor<1x16x7x7xf32>, {w}) outs(%i : tensor<1x6x7x7xf32>) -> tensor<1x6x7x7xf32>
  return
}}""", "has a packed filter of dynamic extents")
        w = packed(("?", 96), element)
        yield Case("dynamic-embed", f"""func.func @f(%x: tensor<7xi64>, %w: {w}, %i: tensor<7x96xf32>) {{
  %y = weft.embed ins(%w, %x : {w}, tensor<7xi64>) outs(%i : tensor<7x96xf32>) -> tensor<7x96xf32>
  return
}}""", "has a packed table of dynamic extents")
        yield Case("dynamic-attend", f"""func.func @f(%q: tensor<3x96xf32>, %w: {w}, %v: tensor<?x8xf32>, %i: tensor<3x8xf32>) {{
  %y = attn.attend scale = 0.25 layout = "sd,td,te->se" ins(%q, %w, %v : tensor<3x96xf32>, {w}, tensor<?x8xf32>) outs(%i : tensor<3x8xf32>) -> tensor<3x8xf32>
  return
}}""", "whose extents have to be static")


def components():
    """Of every legal cell, one component is missing, or of another type."""
    for element, scales, structure, operation in cases.all_cells():
        if operation != "embed":
            continue
        cell = cases.Cell((element, scales, structure, operation))
        shape = cell.operation.shape
        _, parts, _ = F.build(np.random.default_rng(1), shape, cell.element, cell.scales, cell.structure)
        kind = packed(shape, cell.element, cell.scales, cell.structure)
        types = [c.type for c in parts]
        other = types[:-1] + [f"tensor<{'1x' * (parts[-1].array.ndim + 1)}{parts[-1].element}>"]
        for given in (types[:-1], types + ["tensor<1xi8>"], other):
            if given:
                names = [f"%c{i}" for i in range(len(given))]
                arguments = ", ".join(f"{n}: {t}" for n, t in zip(names, given))
                yield Case("components", f"func.func @f({arguments}) {{\n  %w = weft.assemble "
                           f"{', '.join(names)} : {', '.join(given)} -> {kind}\n  return\n}}",
                           r"component|expects|has \d+")


def constants():
    """What the compiler can see of a structure contradicts itself."""
    descending = "but they never descend"
    wrong = [("csr<i16>", ["[1, 2, 3, 3]", "[0, 1, 2]"], "offsets from 1 on, not from 0"),
             ("csr<i16>", ["[0, 2, 1, 3]", "[0, 1, 2]"], descending),
             ("csr<i16>", ["[0, 1, 2, 2]", "[0, 1, 2]"], "offsets up to 2 for 3 stored numbers"),
             ("csr<i16>", ["[0, 1, 2, 3]", "[0, 5, 2]"], "column 5 of 5"),
             ("csr<i16>", ["[0, 3, 3, 3]", "[0, 2, 1]"], "ascend"),
             ("coo<i16>", ["[0, 1, 3]", "[0, 1, 2]"], "row 3 of 3"),
             ("coo<i16>", ["[0, 1, 2]", "[0, 5, 2]"], "column 5 of 5")]
    kinds = {"csr<i16>": ["4xi32", "3xi16"], "coo<i16>": ["3xi16", "3xi16"]}
    for _, element in elements():
        if isinstance(element, F.Codebook) or element.pack_text:
            continue
        codes = element.pack(np.zeros(3, int))[0].type
        for structure, arrays, pattern in wrong:
            kind = packed((3, 5), element,
                          text=f"#weft.format<elem = {element.text}, structure = #sparse.{structure}>")
            lines = [f"  %{i} = arith.constant dense<{a}> : tensor<{t}>"
                     for i, (a, t) in enumerate(zip(arrays, kinds[structure]))]
            types = ", ".join([codes, *(f"tensor<{t}>" for t in kinds[structure])])
            yield Case("constants", f"func.func @main(%c: {codes}) -> tensor<3x5xf32> {{\n" + "\n".join(lines) + f"""
  %w = weft.assemble %c, %0, %1 : {types} -> {kind}
  %e = tensor.empty() : tensor<3x5xf32>
  %y = weft.unpack ins(%w : {kind}) outs(%e : tensor<3x5xf32>) -> tensor<3x5xf32>
  return %y : tensor<3x5xf32>
}}""", pattern)


def codes_of_structures():
    """What cases.py takes to be legal is, and nothing else."""
    for element in cases.ELEMENTS:
        for structure in cases.STRUCTURES:
            for operation in ("contract-1", "conv-3x3", "embed", "experts"):
                key = (element, "none", structure, operation)
                cell = cases.Cell(key)
                yield Case("codes-of-structures",
                           value(packed(cell.operation.shape, cell.element, (), cell.structure)),
                           None if cases.is_legal(key) else
                           "do not divide the last extent|is along dimension 1, but codes have rank 1")


def all_cases():
    for make in (expressed, scaled_integers, scale_blocks, scale_storage, scales_of_stored,
                 structure_ranks, structure_positions, codes_of_several, packs, bases, dynamic,
                 components, constants, codes_of_structures):
        yield from make()


def errors_of(weft_opt, texts, folder):
    """The sentences about each text, and whether all were read."""
    path, starts, line = os.path.join(folder, "all.mlir"), [], 1
    with open(path, "w") as file:
        for text in texts:
            starts.append(line)
            chunk = f"{text}\n\n// -----\n"
            file.write(chunk)
            line += chunk.count("\n")
    result = subprocess.run([weft_opt, path, "--split-input-file", "--weft-verify-packed-constants", "-o", os.devnull],
                            capture_output=True, text=True, timeout=1200)
    errors = collections.defaultdict(list)
    for match in re.finditer(r"^[^\n:]*all\.mlir:(\d+):\d+: error: (.*)$", result.stderr, re.M):
        errors[bisect.bisect_right(starts, int(match[1])) - 1].append(match[2])
    return errors, result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weft")
    parser.add_argument("weft_opt")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--filter", default="")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = [c for c in all_cases() if re.search(options.filter, c.kind)]
    if options.sample and options.sample < len(chosen):
        # A fixed choice; each class is in it.
        random.Random(7).shuffle(chosen)
        kinds = list(dict.fromkeys(c.kind for c in chosen))
        first = {kind: next(c for c in chosen if c.kind == kind) for kind in kinds}
        chosen = [*first.values(), *(c for c in chosen if first[c.kind] is not c)][:options.sample]
    wrong, counts = [], collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        errors, result = errors_of(options.weft_opt, [c.text for c in chosen], folder)
        if result.returncode not in (0, 1):
            wrong.append(f"weft-opt: exit {result.returncode}: {result.stderr[-500:]}")
        firsts = {}
        for i, case in enumerate(chosen):
            said = errors.get(i, [])
            counts["legal" if case.pattern is None else "illegal"] += 1
            if case.pattern is None and said:
                wrong.append(f"{case.kind}: is legal: {case.text}\n  {said}")
            elif case.pattern is not None and not said:
                wrong.append(f"{case.kind}: is accepted: {case.text}")
            elif case.pattern is not None and (len(said) > 1 or not re.search(case.pattern, said[0])):
                wrong.append(f"{case.kind}: expected one sentence with '{case.pattern}': {case.text}\n  {said}")
            elif case.pattern is not None:
                firsts.setdefault(case.kind, (case, said[0]))
        if options.list:
            for case, sentence in firsts.values():
                print(f"{case.kind}: {sentence}")
        for case, sentence in firsts.values():
            path = os.path.join(folder, "one.mlir")
            with open(path, "w") as file:
                file.write(case.text + "\n")
            result = subprocess.run([options.weft, "compile", path, "--quiet", "-o", os.devnull],
                                    capture_output=True, text=True, timeout=600)
            if result.returncode != 1 or sentence not in result.stderr:
                wrong.append(f"{case.kind}: weft compile: exit {result.returncode}: {result.stderr}")
    print(f"{counts['illegal']} illegal and {counts['legal']} legal cells, {len(wrong)} wrong")
    print("\n".join(wrong[:40]))
    return 1 if wrong or not counts["illegal"] else 0


if __name__ == "__main__":
    sys.exit(main())
