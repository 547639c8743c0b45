#!/usr/bin/env python3
#===- cases.py - Products by matrix instructions against NumPy --------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles products of f16 and bf16 for chips of the emulation that have the matrix
instructions of NVIDIA, of AMD CDNA and of AMD RDNA, which it computes by the manuals'
definition of where numbers lie in lanes, and for one that has none. Results must be
within the bound of f32 of sums in float64, and equal in every bit for several numbers
of threads.

Usage: cases.py WEFT-PROGRAM"""

import os
import subprocess
import sys
import tempfile

import ml_dtypes as ml
import numpy as np

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(11)
failures = []
count = 0

CHIPS = ["lanes32", "lanes32-mma", "lanes64-mfma", "lanes64-mfma2", "lanes32-wmma11", "lanes32-wmma12"]
TYPES = {"f16": np.float16, "bf16": ml.bfloat16}
MAPS = {"plain": ("m, k", "k, n"), "transposed": ("k, m", "n, k"), "batch": ("b, m, k", "b, k, n")}


def call(*arguments):
    done = subprocess.run([weft, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"weft {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def module_of(kind, maps, extents, dynamic):
    """x * w + y, with all extents but those of k known only at run time if `dynamic`."""
    loops = ["b", "m", "n", "k"] if "b" in maps[0] else ["m", "n", "k"]
    out = ", ".join(loops[:-1])
    arguments, types = [], []
    for name, dims, element in (("x", maps[0], kind), ("w", maps[1], kind), ("y", out, "f32")):
        dims = dims.split(", ")
        free = [dynamic and d != "k" for d in dims]
        shape = "x".join("?" if f else str(extents[d]) for d, f in zip(dims, free))
        names = ", ".join(f'"{d}"' if f else str(extents[d]) for d, f in zip(dims, free))
        types.append(f"tensor<{shape}x{element}>")
        arguments.append(f'%{name}: {types[-1]} {{weft.name = "{name}", weft.dims = [{names}]}}')
    if dynamic:
        arguments = [f'%d{d}: index {{weft.symbol = "{d}"}}' for d in loops[:-1]] + arguments
    of = ", ".join(loops)
    kinds = ", ".join(['"parallel"'] * (len(loops) - 1) + ['"reduction"'])
    return f"""func.func @main({', '.join(arguments)}) -> ({types[2]} {{weft.name = "r"}}) {{
  %r = linalg.generic {{indexing_maps = [affine_map<({of}) -> ({maps[0]})>,
      affine_map<({of}) -> ({maps[1]})>, affine_map<({of}) -> ({out})>], iterator_types = [{kinds}]}}
      ins(%x, %w : {types[0]}, {types[1]}) outs(%y : {types[2]}) {{
  ^bb0(%a: {kind}, %b: {kind}, %s: f32):
    %aw = arith.extf %a : {kind} to f32
    %bw = arith.extf %b : {kind} to f32
    %p = arith.mulf %aw, %bw : f32
    %t = arith.addf %s, %p : f32
    linalg.yield %t : f32
  }} -> {types[2]}
  return %r : {types[2]}
}}
"""


def run_on(chip, at, feed, want, bound):
    module = f"{at}/{chip}"
    options = ["--quiet", "--target=emulation", f"--chip={chip}"]
    schedules = call("compile", f"{at}/m.mlir", *options, "--compile-to=tile", "-o", "-")
    if ("vector = [16, 16, 16]" in schedules) != (chip != "lanes32"):
        raise RuntimeError("is not computed by matrix instructions, or is without there being any")
    call("compile", f"{at}/m.mlir", *options, "-o", module + ".so")
    found = {}
    for threads in (1, 3):
        os.makedirs(f"{module}.{threads}")
        call("run", module + ".so", f"--threads={threads}", f"--output-dir={module}.{threads}",
             *[f"--input={key}=@{path}" for key, path in feed.items()])
        found[threads] = np.load(f"{module}.{threads}/r.npy")
    if found[1].tobytes() != found[3].tobytes():
        raise RuntimeError("differs between 1 and 3 threads")
    error = np.abs(found[1] - want)
    if found[1].shape != want.shape or not (error <= bound).all():
        raise RuntimeError(f"is off by {np.nanmax(error / bound):.3g} times the bound")


def case(name, kind, maps, scale=1.0, dynamic=False, **extents):
    global count
    at = os.path.join(folder.name, f"{count:03d}")
    os.makedirs(at)
    with open(f"{at}/m.mlir", "w", encoding="utf-8") as file:
        file.write(module_of(kind, MAPS[maps], extents, dynamic))
    letters = [m.replace(", ", "") for m in MAPS[maps]]
    out = "bmn" if maps == "batch" else "mn"
    x, w = (rng.standard_normal([extents[d] for d in term]) for term in letters)
    x, w = (x * scale).astype(TYPES[kind]), w.astype(TYPES[kind])
    y = (rng.standard_normal([extents[d] for d in out]) * scale).astype(np.float32)
    feed = {}
    for key, value in (("x", x), ("w", w), ("y", y)):
        feed[key] = f"{at}/{key}.npy"
        np.save(feed[key], value.view("V2") if value.dtype == ml.bfloat16 else value)
    equation = f"{letters[0]},{letters[1]}->{out}"
    exact = [x.astype(np.float64), w.astype(np.float64)]
    want = y + np.einsum(equation, *exact)
    # K products, exact in f32, are added in any order.
    size = np.abs(y) + np.einsum(equation, *map(np.abs, exact))
    for chip in CHIPS:
        count += 1
        try:
            run_on(chip, at, feed, want, size * (extents["k"] + 1) * 2.0 ** -24 + 1e-30)
        except RuntimeError as error:
            failures.append(f"{name} {kind} on {chip}: {error}")


for kind in TYPES:
    case("a tile", kind, "plain", m=64, n=64, k=32)
    case("odd", kind, "plain", m=37, n=83, k=45)
    case("free", kind, "plain", dynamic=True, m=70, n=19, k=51)
    case("transposed", kind, "transposed", m=65, n=130, k=33)
    case("batches", kind, "batch", dynamic=True, b=3, m=17, n=65, k=20)
case("subnormal", "f16", "plain", scale=2.0 ** -16, m=20, n=18, k=40)
case("no k left", "f16", "plain", m=16, n=16, k=1)
case("no rows", "f16", "plain", dynamic=True, m=0, n=40, k=40)
print(f"{count} products, {len(failures)} failures")
for line in failures:
    print(line)
sys.exit(bool(failures))
