#!/usr/bin/env python3
#===- cases.py - Every number format in every operation on every target -----===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs cells of the matrix elements x scales x structures x operations
x targets and compares each with NumPy in float64 on the numbers that formats.py
decodes. On the CPU no tensor of decoded numbers may exist after stage `fuse`.

Usage: cases.py WEFT-PROGRAM [--target=cpu,emulation,emulation/lanes64] [--sample=N] [--filter=REGEX]
                [--page=FILE] [--jobs=N] [--load-plugin=FILE --elements=FILE]
       cases.py --emit=FOLDER [--sample=N] [--filter=REGEX]    writes the modules, runs nothing

Elements of a plugin take the place of those of Weft: the file is Python and has
ELEMENTS, a dictionary of formats.Element (see examples/number-format).

A result may differ from the exact one by (K + 16) roundings of f32 of the sum of
the magnitudes that it is made of: K products are added, and a number is decoded by
at most eight operations on both sides, each rounded once."""

import argparse
import concurrent.futures
import dataclasses
import functools
import importlib.util
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import zlib

import numpy as np

import formats as F
import page

#===----------------------------------------------------------------------===#
# The axes
#===----------------------------------------------------------------------===#

ELEMENTS = {f"{'i' if signed else 'u'}{bits}": F.Int(bits, signed)
            for bits in range(1, 9) for signed in (True, False)}
ELEMENTS |= {name: F.Float(name) for name in F.Float.TYPES}
ELEMENTS |= {
    "u4-8": F.Int(4, False, 8), "u8-128": F.Int(8, False, 128),
    "nf4": F.Table("nf4"), "fp4": F.Table("fp4"), "iq4_nl": F.Table("iq4_nl"),
    "table2": F.Table([-1.5, -0.25, 0.5, 2.0]),
    "lut3": F.Codebook(3, 1), "lut4-channel": F.Codebook(4, 1, "channel"),
    "lut2-block": F.Codebook(2, 1, "group", "f32"),
    "power4": F.Power(4), "power5": F.Power(5), "ternary": F.Ternary(),
    "trits": F.Ternary(trits=True), "binary": F.Binary(),
    "gptq": F.Words(F.Int(4, False, 8), 0, 32), "gptq3": F.Words(F.Int(3, False), 0, 32),
    "awq": F.Words(F.Int(4, False), 1, 32, order=[0, 2, 4, 6, 1, 3, 5, 7]),
    "nbits": F.Words(F.Int(4, False, 8), 1, 8, multiple=32),
    "nbits2": F.Words(F.Int(2, False), 1, 8, multiple=128),
    "bnb": F.Words(F.Table("nf4"), 1, 8, order=[1, 0]),
    "q4_0": F.Words(F.Int(4, False, 8), 1, 8, order=[16 * (i % 2) + i // 2 for i in range(32)]),
    "fp6-words": F.Words(F.Float("f6E3M2FN"), 1, 16),
    "q6_k": F.Planes(F.Int(6, False, 32), [4, 2]), "q5_0": F.Planes(F.Int(5, False, 16), [4, 1]),
    "bit-serial": F.Planes(F.Int(4, True), [1, 1, 1, 1]),
    "vq8x4": F.Codebook(8, 4), "vq12x2": F.Codebook(12, 2), "vq16x8": F.Codebook(16, 8)}


def channel(rank):
    return [1] + [0] * (rank - 1)


def group(rank, n=32):
    return [1, n] if rank == 2 else [n]


def nested(rank):
    """Scales of 6 bits that are scaled by f16, as in GGUF's K-quants."""
    inner = F.Scale("multiply", [1, 2] if rank == 2 else [4], "f16")
    return [F.Int(6, False, -1), [inner]]


SCALES = {
    "none": lambda r: [],
    "tensor": lambda r: [F.Scale("multiply", [], "f32")],
    "channel": lambda r: [F.Scale("multiply", channel(r), "f32")],
    "group": lambda r: [F.Scale("multiply", group(r), "f16")],
    "zero": lambda r: [F.Scale("zero_point", group(r), [F.Int(4, False)]),
                       F.Scale("multiply", group(r), "f16")],
    "nested": lambda r: [F.Scale("multiply", group(r, 16), nested(r)),
                         F.Scale("minimum", group(r, 16), nested(r))],
    "nvfp4": lambda r: [F.Scale("multiply", group(r, 16), [F.Float("f8E4M3FN")]),
                        F.Scale("multiply", [], "f32")],
    "mx": lambda r: [F.Scale("multiply", group(r), [F.Float("f8E8M0FNU")])],
    "float-zero": lambda r: [F.Scale("zero_point", value=8),
                             F.Scale("multiply", group(r), "bf16"),
                             F.Scale("offset", group(r), "bf16")],
}

STRUCTURES = {
    "dense": F.Dense(), "2:4": F.NM(2, 4), "6:8": F.NM(6, 8), "block4x1": F.Block(4, 1, F.CSR()),
    "block2x16": F.Block(2, 16, F.Bitmap()), "bitmap": F.Bitmap(), "csr": F.CSR(),
    "csc": F.CSC(), "coo": F.COO(), "ell": F.ELL(12), "channels": F.Channels(),
    "low-rank": F.LowRank(), "sum": F.Outliers()}

#===----------------------------------------------------------------------===#
# Operations
#===----------------------------------------------------------------------===#


@dataclasses.dataclass
class Operation:
    shape: tuple  # of the packed operand
    k: int  # products in a sum
    operands: callable  # rng -> the other operands, as components
    body: callable  # names, packed type -> lines, result type
    reference: callable  # numbers, operands -> the result
    signed: bool = False  # the bound is of the operands as they are
    expressed: str = "f32"
    # numbers, their magnitudes, operands -> what is added to the bound
    error: callable = None


def zeros(name, shape, element="f32"):
    kind = f"tensor<{'x'.join(map(str, shape))}x{element}>"
    return kind, [f"%{name}z = arith.constant 0.0 : {element}",
                  f"%{name}e = tensor.empty() : {kind}",
                  f"%{name}i = linalg.fill ins(%{name}z : {element}) outs(%{name}e : {kind}) -> {kind}"]


def contraction(m, n=24, k=96, expressed="f32"):
    """Of f64, or in f32."""
    compute = "f64" if expressed == "f64" else "f32"

    def body(name, packed, operand):
        kind, lines = zeros(name, (m, n), compute)
        maps = ", ".join(f"affine_map<(m, n, k) -> ({x})>" for x in ("m, k", "n, k", "m, n"))
        return lines + [f"%{name}y = weft.contract indexing_maps = [{maps}] ins(%{name}x0, %{name}w : "
                        f"{operand[0]}, {packed}) outs(%{name}i : {kind}) -> {kind}"], kind
    return Operation((n, k), k,
                     lambda rng: [F.floats(rng.standard_normal((m, k)), compute)[1]],
                     body, lambda w, x: x.astype("f8") @ w.T, expressed=expressed)


def convolution(outputs=6, channels=16, size=7):
    def body(name, packed, operand):
        kind, lines = zeros(name, (1, outputs, size, size))
        return lines + [f"%{name}y = weft.conv strides = [1, 1] dilations = [1, 1] pads = [1, 1, 1, 1] "
                        f"groups = 1 ins(%{name}x0, %{name}w : {operand[0]}, {packed}) "
                        f"outs(%{name}i : {kind}) -> {kind}"], kind

    def reference(w, x):
        x = np.pad(x.astype("f8"), ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        return np.einsum("nchwij,ocij->nohw", windows, w)
    return Operation((outputs, channels, 3, 3), channels * 9,
                     lambda rng: [F.Component(
                         rng.standard_normal((1, channels, size, size)).astype("f4"), "f32")],
                     body, reference)


def embedding(rows=40, columns=96):
    def body(name, packed, operand):
        kind, lines = zeros(name, (7, columns))
        return lines + [f"%{name}y = weft.embed ins(%{name}w, %{name}x0 : {packed}, {operand[0]}) "
                        f"outs(%{name}i : {kind}) -> {kind}"], kind
    return Operation((rows, columns), 1,
                     lambda rng: [F.Component(rng.integers(-rows, rows, 7), "i64")],
                     body, lambda w, ids: w[ids])


def experts(groups=3, n=8, k=64):
    """Rows of the second group: none."""
    counts = np.array([5, 0, 4])

    def body(name, packed, operands):
        kind, lines = zeros(name, (9, n))
        offsets = ", ".join(map(str, np.concatenate([[0], np.cumsum(counts)])))
        return lines + [f"%{name}o = arith.constant dense<[{offsets}]> : tensor<{groups + 1}xi32>",
                        f"%{name}y = moe.grouped_matmul transposed ins(%{name}x0 : {operands[0]}) "
                        f"weights(%{name}w : {packed}) offsets(%{name}o : tensor<{groups + 1}xi32>) "
                        f"outs(%{name}i : {kind}) -> {kind}"], kind
    return Operation((groups, n, k), k,
                     lambda rng: [F.Component(rng.standard_normal((9, k)).astype("f4"), "f32")],
                     body, lambda w, x: np.einsum("tk,tnk->tn", x.astype("f8"),
                                                  w[np.repeat(np.arange(groups), counts)]))


def attention(tokens=40, size=16, columns=96, queries=3):
    """The numbers are the values. The weights are exact to the roundings of the
    scores, at most 64 of f32."""
    def body(name, packed, operands):
        kind, lines = zeros(name, (queries, columns))
        return lines + [f'%{name}y = attn.attend scale = 0.25 layout = "sd,td,te->se" '
                        f"ins(%{name}x0, %{name}x1, %{name}w : {operands[0]}, {operands[1]}, {packed}) "
                        f"outs(%{name}i : {kind}) -> {kind}"], kind

    def operands(rng):
        return [F.Component(rng.uniform(-1, 1, (n, size)).astype("f4"), "f32")
                for n in (queries, tokens)]

    def reference(v, q, k):
        scores = q.astype("f8") @ k.astype("f8").T * 0.25
        weights = np.exp(scores - scores.max(1, keepdims=True))
        return weights / weights.sum(1, keepdims=True) @ v
    operation = Operation((tokens, columns), tokens + 64, operands, body, reference)
    operation.signed = True
    return operation


def softmax(scores):
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


def attention_to(values, tokens=40, columns=96, queries=3):
    """The numbers are the keys, and the values if there are none. A score that is wrong
    by d makes a weight wrong by a factor of at most exp(2 d)."""
    def body(name, packed, operands):
        kind, lines = zeros(name, (queries, values or columns))
        v, v_type = (f"%{name}x1", operands[1]) if values else (f"%{name}w", packed)
        return lines + [f'%{name}y = attn.attend scale = 0.25 layout = "sd,td,te->se" '
                        f"ins(%{name}x0, %{name}w, {v} : {operands[0]}, {packed}, {v_type}) "
                        f"outs(%{name}i : {kind}) -> {kind}"], kind

    def operands(rng):
        return [F.Component(rng.uniform(-0.1, 0.1, (queries, columns)).astype("f4"), "f32")] + [
            F.Component(rng.uniform(-1, 1, (tokens, values)).astype("f4"), "f32")
            for _ in range(values != 0)]

    def reference(k, q, v=None):
        return softmax(q.astype("f8") @ k.T * 0.25) @ (k if v is None else v)

    def error(k, magnitude, q, v=None):
        wrong = (columns + 16) * 2.0**-24 * (abs(q).astype("f8") @ magnitude.T * 0.25).max()
        sizes = magnitude if v is None else abs(v)
        size = softmax(q.astype("f8") @ k.T * 0.25) @ sizes
        # Weights below the smallest number of f32 are 0.
        return ((np.expm1(min(2 * wrong, 700)) + (tokens + 64) * 2.0**-24) * size
                + 2.0**-125 * sizes.sum(0))
    operation = Operation((tokens, columns), 0, operands, body, reference, error=error)
    operation.signed = True
    return operation


OPERATIONS = {"contract-1": contraction(1), "contract-37": contraction(37),
              "contract-f16": contraction(5, expressed="f16"),
              "contract-bf16": contraction(5, expressed="bf16"),
              "contract-f64": contraction(5, expressed="f64"),
              "conv-3x3": convolution(), "embed": embedding(), "experts": experts(),
              "attend": attention(), "attend-keys": attention_to(16), "attend-both": attention_to(0)}
# Roundings of numbers to the expressed type, and of what is computed.
ROUNDING = {"f16": 2.0**-11, "bf16": 2.0**-8, "f32": 0, "f64": 0}


#===----------------------------------------------------------------------===#
# Cells
#===----------------------------------------------------------------------===#


class Cell:
    def __init__(self, key):
        self.key = key
        element, scales, structure, operation = key
        self.operation = OPERATIONS[operation]
        rank = len(self.operation.shape)
        self.element = ELEMENTS[element]
        if isinstance(self.element, F.Codebook):
            block = {"channel": channel(rank), "group": group(rank)}.get(
                self.element.block if isinstance(self.element.block, str) else "", None)
            self.element = F.Codebook(self.element.bits, self.element.per_code,
                                      block or [], self.element.storage)
        self.scales = SCALES[scales](rank)
        self.structure = STRUCTURES[structure]
        self.seed = zlib.crc32("/".join(key).encode())

    def build(self, name):
        """Lines of IR, arguments, and what the result must be, with its bound."""
        rng = np.random.default_rng(self.seed)
        shape = self.operation.shape
        numbers, components, magnitude = F.build(rng, shape, self.element, self.scales,
                                                 self.structure)
        operands = self.operation.operands(rng)
        expressed = self.operation.expressed
        packed = (f"!weft.packed<{'x'.join(map(str, shape))}x{expressed}, "
                  f"{F.format_text(self.element, self.scales, self.structure)}>")
        arguments = [(f"%{name}c{i}", c) for i, c in enumerate(components)]
        arguments += [(f"%{name}x{i}", c) for i, c in enumerate(operands)]
        lines = [f"%{name}w = weft.assemble {', '.join(f'%{name}c{i}' for i in range(len(components)))}"
                 f" : {', '.join(c.type for c in components)} -> {packed}"]
        body, kind = self.operation.body(name, packed, [c.type for c in operands])
        arrays = [c.array for c in operands]
        want = self.operation.reference(numbers, *arrays)
        sizes = [abs(a) if a.dtype.kind == "f" and not self.operation.signed else a
                 for a in arrays]
        if self.operation.error:
            return lines + body, arguments, kind, want, self.operation.error(numbers, magnitude, *arrays)
        unit = 2.0**-53 if expressed == "f64" else 2.0**-24
        bound = (self.operation.k + 16) * unit + ROUNDING[expressed]
        bound = bound * self.operation.reference(magnitude, *sizes)
        # Below the smallest normal number of f16, all roundings are of one size.
        if expressed == "f16":
            bound = bound + 2.0**-25 * self.operation.reference(np.ones(shape), *sizes)
        return lines + body, arguments, kind, want, bound


PLUGINS = []  # options of weft


def find_decoded(weft, path, cells, folder):
    """An error if a tensor of decoded numbers exists after stage `fuse`."""
    dump = os.path.join(folder, "fuse.mlir")
    subprocess.run([weft, "compile", path, *PLUGINS, "--compile-to=fuse", "-o", dump, "--quiet"],
                   check=True, capture_output=True, timeout=600)
    with open(dump) as file:
        text = file.read()
    for shape, expressed in {(c.operation.shape, c.operation.expressed) for c in cells}:
        kind = f"tensor<{'x'.join(map(str, shape))}x{expressed}>"
        if kind in text:
            return f"there is a {kind} after fuse"
    return None


def write_module(path, built):
    """Writes one module for all that `Cell.build` gave."""
    arguments = [a for b in built for a in b[1]]
    text = "func.func @main(" + ", ".join(f"{n}: {c.type}" for n, c in arguments) + ") -> ("
    text += ", ".join(b[2] for b in built) + ") {\n"
    text += "".join(f"  {line}\n" for b in built for line in b[0])
    text += "  return " + ", ".join(f"%a{i}_y" for i in range(len(built)))
    text += " : " + ", ".join(b[2] for b in built) + "\n}\n"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def run(weft, target, cells, folder):
    """For each cell its error, or None. One module for all; where it fails, one each."""
    built = [cell.build(f"a{i}_") for i, cell in enumerate(cells)]
    path = os.path.join(folder, "m.mlir")
    write_module(path, built)
    arguments = [a for b in built for a in b[1]]
    inputs = []
    for i, (_, component) in enumerate(arguments):
        data = os.path.join(folder, f"{i}.bin")
        np.ascontiguousarray(component.array).tofile(data)
        shape = "".join(f"{n}x" for n in component.array.shape)
        inputs.append(f"--input={shape}{component.element}=@{data}")
    command = [weft, "run", path, *PLUGINS, *inputs, f"--output-dir={folder}/out", "--quiet", "--no-cache",
               "--threads=1", f"--target={target.split('/')[0]}"]
    if target.startswith("emulation"):
        command.append("--device=emulation")
    command += [f"--chip={chip}" for chip in target.split("/")[1:]]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if result.returncode != 0:
        if len(cells) == 1:
            return [(result.stderr.strip() or f"exit {result.returncode}").splitlines()[0]]
        return [run(weft, target, [cell], folder)[0] for cell in cells]
    error = find_decoded(weft, path, cells, folder) if target == "cpu" else None
    if error:
        return [error] * len(cells)
    names = sorted(os.listdir(f"{folder}/out"), key=lambda n: int(re.sub(r"\D", "", n) or 0))
    errors = []
    for (_, _, _, want, bound), name in zip(built, names):
        got = np.load(f"{folder}/out/{name}").astype("f8")
        wrong = ~(abs(got - want) <= bound)
        errors.append(None if got.shape == want.shape and not wrong.any() else
                      f"{wrong.sum()} of {want.size} wrong, largest difference "
                      f"{abs(got - want).max():.3g}, allowed {bound.max():.3g}")
    for name in names:
        os.remove(f"{folder}/out/{name}")
    return errors


@functools.cache
def stored_shape(structure, shape):
    """And whether data decides the last extent."""
    rng = np.random.default_rng(0)
    stored = STRUCTURES[structure].choose(rng, shape)[0]
    return stored, len(stored) == 1 and isinstance(STRUCTURES[structure], (F.Unstructured, F.CSC))


def fits(element, structure, shape):
    """Whether codes of the element can be those that the structure stores."""
    if structure == "sum":
        return fits(element, "dense", shape)
    if structure == "low-rank":
        rank = F.LowRank.rank
        return (fits(element, "dense", (*shape[:-1], rank))
                and fits(element, "dense", (*shape[:-2], rank, shape[-1])))
    stored, is_data = stored_shape(structure, shape)
    if isinstance(element, F.Words) and element.axis >= len(stored):
        return False
    return is_data or stored[-1] % element.per_code == 0


def is_legal(key):
    """Cells that mean something; illegal.py has what refuses all others."""
    element, scales, structure, operation = key
    if not fits(ELEMENTS[element], structure, OPERATIONS[operation].shape):
        return False
    expressed = OPERATIONS[operation].expressed
    if expressed == "f16":
        # What is beyond 65504 is infinite.
        if structure == "low-rank" or scales not in ("none", "tensor", "channel", "group", "zero"):
            return False
        return scales != "none" or ELEMENTS[element].exact_in_f16
    return True


def all_cells():
    cells = []
    for element in ELEMENTS:
        for scales in SCALES:
            for structure in STRUCTURES:
                for operation in OPERATIONS:
                    key = (element, scales, structure, operation)
                    if is_legal(key):
                        cells.append(key)
    return cells


def use_elements(path):
    """The file's elements instead of those above."""
    spec = importlib.util.spec_from_file_location("elements", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    ELEMENTS.clear()
    ELEMENTS.update(module.ELEMENTS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weft", nargs="?")
    parser.add_argument("--emit", metavar="FOLDER")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--filter", default="")
    parser.add_argument("--page")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=12)
    parser.add_argument("--load-plugin", action="append", default=[])
    parser.add_argument("--elements")
    options = parser.parse_args()
    if options.elements:
        use_elements(options.elements)
    PLUGINS.extend(f"--load-plugin={path}" for path in options.load_plugin)
    keys = [key for key in all_cells() if re.search(options.filter, "/".join(key))]
    if options.sample and options.sample < len(keys):
        # A fixed choice; each value of each axis is in it.
        random.Random(20).shuffle(keys)
        seen, first, rest = set(), [], []
        for key in keys:
            fresh = [v for v in enumerate(key) if v not in seen]
            (first if fresh else rest).append(key)
            seen.update(fresh)
        keys = (first + rest)[:options.sample]
    if options.emit:
        os.makedirs(options.emit, exist_ok=True)
        for i in range(0, len(keys), options.batch):
            cells = [Cell(k).build(f"a{j}_") for j, k in enumerate(keys[i:i + options.batch])]
            write_module(os.path.join(options.emit, f"matrix-{i:05d}.mlir"), cells)
        return 0
    if not options.weft:
        parser.error("the weft program is missing")
    failures, results, seconds = [], {}, {}
    for target in options.target.split(","):
        start = time.monotonic()
        batches = [keys[i:i + options.batch] for i in range(0, len(keys), options.batch)]

        def work(batch):
            with tempfile.TemporaryDirectory() as folder:
                return list(zip(batch, run(options.weft, target, [Cell(k) for k in batch], folder)))

        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            verdicts = [v for batch in pool.map(work, batches) for v in batch]
        wrong = [(target, key, error) for key, error in verdicts if error]
        results[target], seconds[target] = dict(verdicts), time.monotonic() - start
        print(f"{target}: {len(verdicts) - len(wrong)} of {len(verdicts)} cells passed "
              f"in {seconds[target]:.0f} s", flush=True)
        failures += wrong
    if options.page:
        page.write(options.page, (ELEMENTS, SCALES, STRUCTURES, OPERATIONS), results, seconds)
    for target, key, error in failures[:40]:
        print(f"{target} {'/'.join(key)}: {error}")
    if not keys:
        print("no cells")
    return 1 if failures or not keys else 0


if __name__ == "__main__":
    sys.exit(main())
