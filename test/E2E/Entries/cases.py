#!/usr/bin/env python3
#===- cases.py - Modules written by hand ------------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Functions as people write them: without names of tensors and symbols of extents, with calls,
with packed arguments and results, with weights that are packed while compiling, and in formats
that are changed. Compared with NumPy.

Usage: cases.py WEFT-PROGRAM [--target=cpu|emulation]"""

import subprocess
import sys
import tempfile

import numpy as np

weft = sys.argv[1]
target = sys.argv[2].split("=")[1] if len(sys.argv) > 2 else "cpu"
rng = np.random.default_rng(11)
folder = tempfile.TemporaryDirectory()
count, failures = 0, []

SCALED = ("!weft.packed<{shape}xf32, #weft.format<elem = #lowp.int<4, signed>, "
          "scales = [#lowp.scale<multiply, [1, 32], f32>]{pack}>>")
CONTRACT = ("weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, "
            "affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]")


def program(*arguments):
    return subprocess.run([weft, *arguments], capture_output=True, text=True, check=False)


def case(name, text, inputs, expected, tolerance=0.0, check=None):
    """Compiles and calls; `inputs` and `expected` by name. `check` sees the inspected module."""
    global count
    count += 1
    source, module = f"{folder.name}/{name}.mlir", f"{folder.name}/{name}.weft"
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    done = program("compile", "--quiet", source, "-o", module, f"--target={target}")
    if done.returncode:
        return fail(name, done.stderr)
    arguments = []
    for key, value in inputs.items():
        np.save(f"{folder.name}/{name}-{key}.npy", value)
        arguments.append(f"--input={key}=@{folder.name}/{name}-{key}.npy")
    for key in expected:
        arguments.append(f"--output={key}=@{folder.name}/{name}-out-{key}.npy")
    if target == "emulation":
        arguments.append("--device=emulation")
    done = program("run", "--quiet", module, *arguments)
    if done.returncode:
        return fail(name, done.stderr)
    for key, want in expected.items():
        have = np.load(f"{folder.name}/{name}-out-{key}.npy")
        if have.shape != np.shape(want) or not np.all(
                np.abs(have.astype(np.float64) - want) <= tolerance):
            return fail(name, f"{key}: {have} expected {want}")
    if check:
        shown = program("inspect", module).stdout
        problem = check(shown, source)
        if problem:
            return fail(name, problem)


def fail(name, text):
    failures.append(name)
    print("FAIL", name, text)


def quantize(w, block=32):
    """By the largest magnitude of each block, as `lowp.quantize by absmax` defines it: codes and
    scales in float32."""
    rows, k = w.shape
    blocks = w.reshape(rows, k // block, block)
    scale = np.abs(blocks).max(axis=2).astype(np.float32) / np.float32(7)
    scale[scale == 0] = 1
    codes = np.clip(np.rint(blocks / scale[:, :, None]), -8, 7).astype(np.int8)
    return codes.reshape(rows, k), scale


def stream(codes):
    """Four bits each, the first in the low ones."""
    nibbles = (codes.reshape(-1) & 15).astype(np.uint8)
    nibbles = np.append(nibbles, np.zeros(nibbles.size % 2, np.uint8))
    return (nibbles[0::2] | (nibbles[1::2] << 4)).view(np.int8)


def decode(codes, scale, block=32):
    return codes.astype(np.float64) * np.repeat(scale, block, axis=1).astype(np.float64)


def text_of(w):
    return "dense<[" + ", ".join(
        "[" + ", ".join(repr(float(x)) for x in row) + "]" for row in w) + "]>"


def product_of(weight):
    """The rest of a function that multiplies %x by a packed weight of type !p."""
    return f"""
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x64xf32>
  %z = arith.constant 0.0 : f32
  %e = tensor.empty(%m) : tensor<?x16xf32>
  %f = linalg.fill ins(%z : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %y = {CONTRACT} ins(%x, %{weight} : tensor<?x64xf32>, !p) outs(%f : tensor<?x16xf32>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
"""


# Sums of 64 products of f32: 64 roundings of at most the sum of the magnitudes (below 64 here).
BOUND = 64 * 64 * 2.0**-24

w = rng.integers(-50, 50, (16, 64)).astype(np.float32) / 32
codes, scale = quantize(w)
x = (rng.integers(-32, 32, (5, 64)) / 32).astype(np.float32)
product = x.astype(np.float64) @ decode(codes, scale).T

# Names and symbols are given.
case("names", """
func.func @main(%x: tensor<?x8xf32>, %y: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %z = arith.addf %x, %y : tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}
""", {"input0": x[:, :8].copy(), "input1": x[:, 8:16].copy()}, {"output0": x[:, :8] + x[:, 8:16]})

case("empty", """
func.func @main(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %z = arith.addf %x, %x : tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}
""", {"input0": np.zeros((0, 8), np.float32)}, {"output0": np.zeros((0, 8))})

# Loops that only the init has: no input says how far they go.
for rows, columns in ((3, 5), (1, 33), (0, 5), (3, 0)):
    start = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    case(f"init-loops-{rows}-{columns}", """
func.func @main(%x: tensor<?xf32>, %init: tensor<?x?xf32>) -> (tensor<?x?xf32>, tensor<?xf32>) {
  %c1 = arith.constant 1 : index
  %n = tensor.dim %init, %c1 : tensor<?x?xf32>
  %y = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<?xf32>) outs(%init : tensor<?x?xf32>) {
  ^bb0(%a: f32, %old: f32):
    %sum = arith.addf %a, %old : f32
    linalg.yield %sum : f32
  } -> tensor<?x?xf32>
  %e = tensor.empty(%n) : tensor<?xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(j) -> (j)>], iterator_types = ["parallel"]}
      outs(%e : tensor<?xf32>) {
  ^bb0(%old: f32):
    %j = linalg.index 0 : index
    %i = arith.index_cast %j : index to i32
    %f = arith.sitofp %i : i32 to f32
    linalg.yield %f : f32
  } -> tensor<?xf32>
  return %y, %z : tensor<?x?xf32>, tensor<?xf32>
}
""", {"input0": np.arange(rows, dtype=np.float32), "input1": start},
         {"output0": start + np.arange(rows, dtype=np.float32)[:, None],
          "output1": np.arange(columns, dtype=np.float32)})

# Calls are inlined.
case("calls", """
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %a = call @twice(%x) : (tensor<?xf32>) -> tensor<?xf32>
  %b = call @twice(%a) : (tensor<?xf32>) -> tensor<?xf32>
  return %b : tensor<?xf32>
}
func.func private @twice(%x: tensor<?xf32>) -> tensor<?xf32> {
  %y = arith.addf %x, %x : tensor<?xf32>
  return %y : tensor<?xf32>
}
""", {"input0": x[0].copy()}, {"output0": 4.0 * x[0]})

# Numbers of the host: how often a loop runs.
case("host-math", """
func.func @main(%x: tensor<1xf32>) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant dense<1.0> : tensor<4xf32>
  %v = tensor.extract %x[%c0] : tensor<1xf32>
  %e = math.exp %v : f32
  %i = arith.fptosi %e : f32 to i64
  %n = arith.index_cast %i : i64 to index
  %y = scf.for %t = %c0 to %n step %c1 iter_args(%a = %one) -> (tensor<4xf32>) {
    %b = arith.addf %a, %one : tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}
""", {"input0": np.array([2.0], np.float32)}, {"output0": np.full(4, 1 + int(np.exp(2.0)))})

# A packed argument is its components, and so is a result.
packed = SCALED.format(shape="16x64", pack="")
case("argument", f"""
!p = {packed}
func.func @main(%x: tensor<?x64xf32> {{weft.name = "x"}}, %w: !p {{weft.name = "w"}}) -> tensor<?x16xf32> {{
{product_of("w")}}}
""", {"x": x, "w.codes": stream(codes), "w.scale": scale}, {"output0": product}, BOUND,
     lambda shown, _: None if "w.codes" in shown and "w.scale" in shown else shown)

case("result", f"""
!p = {packed}
func.func @main(%w: tensor<16x64xf32>) -> (!p {{weft.name = "q"}}) {{
  %p = lowp.quantize %w by absmax : tensor<16x64xf32> -> !p
  return %p : !p
}}
""", {"input0": w}, {"q.codes": stream(codes), "q.scale": scale})


# Weights that the module packs are packed while compiling, and only the packed ones are in it.
def packs_early(shown, source):
    ir = program("compile", "--quiet", source, "--compile-to=fuse", "-o", "-").stdout
    if "lowp.observe" in ir or "tensor<16x64xf32>" in ir:
        return "packs at run time, or still has the numbers:\n" + ir[:2000]
    return None if "tensor<512xi8>" in ir else "has no packed weights"


case("constant", f"""
!p = {packed}
func.func @main(%x: tensor<?x64xf32>) -> tensor<?x16xf32> {{
  %w = arith.constant {text_of(w)} : tensor<16x64xf32>
  %p = lowp.quantize %w by absmax : tensor<16x64xf32> -> !p
{product_of("p")}}}
""", {"input0": x}, {"output0": product}, BOUND, packs_early)

# Data decides how many numbers are stored: a compressed constant.
sparse = np.where(rng.random((16, 64)) < 0.1, w, 0).astype(np.float32)
case("constant-csr", f"""
!p = !weft.packed<16x64xf32, #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>>
func.func @main(%x: tensor<?x64xf32>) -> tensor<?x16xf32> {{
  %w = arith.constant {text_of(sparse)} : tensor<16x64xf32>
  %p = weft.pack %w : tensor<16x64xf32> -> !p
{product_of("p")}}}
""", {"input0": x}, {"output0": x.astype(np.float64) @ sparse.T.astype(np.float64)}, BOUND,
     lambda _, source: None if "tensor<16x64xf32>" not in program(
         "compile", "--quiet", source, "--compile-to=fuse", "-o", "-").stdout else "keeps the numbers")

# Formats change: the layout alone, with codes that stay; and the numbers, which are rounded.
for name, pack, size in [("words", ", pack = #lowp.words<axis = 1, word = 32>", (16, 8)),
                         ("planes", ", pack = #lowp.planes<[3, 1]>", None)]:
    other = SCALED.format(shape="16x64", pack=pack)
    case(f"repack-{name}", f"""
!p = {packed}
!q = {other}
func.func @main(%w: !p {{weft.name = "w"}}) -> (!q {{weft.name = "q"}}, !p {{weft.name = "p"}}) {{
  %q = weft.repack %w : !p -> !q
  %p = weft.repack %q : !q -> !p
  return %q, %p : !q, !p
}}
""", {"w.codes": stream(codes), "w.scale": scale},
         {"p.codes": stream(codes), "p.scale": scale, "q.scale": scale} |
         ({} if size is None else {"q.codes": stream(codes).view("<i4").reshape(size)}))

for m in (0, 1, 7):
    part, sizes = codes[:m], scale[:m]
    case(f"repack-dynamic-{m}", f"""
!p = {SCALED.format(shape="?x64", pack="")}
!q = {SCALED.format(shape="?x64", pack=", pack = #lowp.words<axis = 1, word = 8>")}
func.func @main(%w: !p {{weft.name = "w", weft.dims = ["m", 64]}}, %x: tensor<?x64xf32> {{weft.dims = ["m", 64]}})
    -> (!q {{weft.name = "q"}}, tensor<?x64xf32>) {{
  %c0 = arith.constant 0 : index
  %m = tensor.dim %x, %c0 : tensor<?x64xf32>
  %q = weft.repack %w[%m] : !p -> !q
  %y = weft.unpack ins(%q : !q) outs(%x : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %q, %y : !q, tensor<?x64xf32>
}}
""", {"w.codes": stream(part), "w.scale": sizes, "input1": np.zeros((m, 64), np.float32)},
         {"q.codes": stream(part).reshape(m, 32), "q.scale": sizes,
          "output1": decode(part, sizes).astype(np.float32)})

# 8 bits of the numbers that 4 bits mean: with scales that make every number exact.
case("repack-numbers", f"""
!p = {packed}
!q = !weft.packed<16x64xf32, #weft.format<elem = #lowp.int<8, signed>, scales = [#lowp.scale<multiply, [1, 32], f32>]>>
func.func @main(%w: !p {{weft.name = "w"}}) -> (!q {{weft.name = "q"}}) {{
  %q = weft.repack %w : !p -> !q
  return %q : !q
}}
""", {"w.codes": stream(codes), "w.scale": scale}, {"q.codes": codes, "q.scale": scale})



def csr(matrix):
    """Values, row offsets and columns of what is not 0."""
    offsets = np.concatenate([[0], np.cumsum((matrix != 0).sum(axis=1))]).astype(np.int32)
    return matrix[matrix != 0], offsets, np.nonzero(matrix)[1].astype(np.int32)


# Data decides how many codes there are, and how many scales.
few = np.where(rng.random((4, 16)) < 0.4, rng.integers(1, 100, (4, 16)), 0).astype(np.int8)
scales = np.where(rng.random((4, 2)) < 0.7, rng.integers(1, 9, (4, 2)) / 4, 0).astype(np.float32)
values, offsets, columns = csr(few)
of_scales = csr(scales)
case("nested-structures", """
!p = !weft.packed<4x16xf32, #weft.format<elem = #lowp.int<8, signed>, structure = #sparse.csr<i32>,
  scales = [#lowp.scale<multiply, [1, 8], #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i32>>>]>>
func.func @main(%w: !p {weft.name = "w"}) -> tensor<4x16xf32> {
  %e = tensor.empty() : tensor<4x16xf32>
  %y = weft.unpack ins(%w : !p) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
""", {"w.codes": values, "w.offsets": offsets, "w.columns": columns, "w.scale.codes": of_scales[0].view(np.int32),
      "w.scale.offsets": of_scales[1], "w.scale.columns": of_scales[2]},
     {"output0": few * np.repeat(scales, 8, axis=1).astype(np.float64)})

# Ranges of numbers that end at 0: -1 and 0, and -15 to 0.
case("ranges-below-zero", """
!p = !weft.packed<2x16xf32, #weft.format<elem = #lowp.int<1, signed>, scales = [#lowp.scale<multiply, [1, 16], f32>]>>
!q = !weft.packed<2x16xf32, #weft.format<elem = #lowp.int<4, unsigned, offset = 15>,
                                         scales = [#lowp.scale<multiply, [1, 16], f32>]>>
func.func @main(%x: tensor<2x16xf32>) -> (tensor<2x16xf32>, tensor<2x16xf32>) {
  %e = tensor.empty() : tensor<2x16xf32>
  %p = lowp.quantize %x by absmax : tensor<2x16xf32> -> !p
  %q = lowp.quantize %x by absmax : tensor<2x16xf32> -> !q
  %a = weft.unpack ins(%p : !p) outs(%e : tensor<2x16xf32>) -> tensor<2x16xf32>
  %b = weft.unpack ins(%q : !q) outs(%e : tensor<2x16xf32>) -> tensor<2x16xf32>
  return %a, %b : tensor<2x16xf32>, tensor<2x16xf32>
}
""", {"input0": np.full((2, 16), -1.5, np.float32)},
     {"output0": np.full((2, 16), -1.5), "output1": np.full((2, 16), -1.5)}, 2.0**-22)

# NaN weighs least, so that a group of two takes two.
case("capacity-with-nan", """
func.func @main(%ids: tensor<3x1xi32>, %w: tensor<3x1xf32>) -> tensor<2xi32> {
  %cap = arith.constant 2 : index
  %o = tensor.empty() : tensor<2xi32>
  %s = tensor.empty() : tensor<3xi32>
  %p = tensor.empty() : tensor<3x1xi32>
  %r:3 = moe.plan drop = least ins(%ids : tensor<3x1xi32>) weights(%w : tensor<3x1xf32>) capacity(%cap)
    outs(%o, %s, %p : tensor<2xi32>, tensor<3xi32>, tensor<3x1xi32>) -> tensor<2xi32>, tensor<3xi32>, tensor<3x1xi32>
  return %r#0 : tensor<2xi32>
}
""", {"input0": np.zeros((3, 1), np.int32), "input1": np.array([[1], [np.nan], [2]], np.float32)},
     {"output0": np.array([0, 2])})

for name in failures:
    print("FAILED", name)
print(f"{count - len(failures)} of {count} cases pass")
sys.exit(1 if failures or count == 0 else 0)
