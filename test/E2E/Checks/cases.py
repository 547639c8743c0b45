#!/usr/bin/env python3
#===- cases.py - Data that says to read outside -----------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Operands that say where to read or write: at the ends of their range and empty they give
what they should, beyond it the call fails with a sentence that names the operand and the
number. Attention, recurrences, experts and structures have their own in their tests.

Usage: cases.py WEFT-PROGRAM [--target=cpu|emulation]"""

import os
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from modules import Failure, Module  # pylint: disable=wrong-import-position

weft = sys.argv[1]
target = sys.argv[2].split("=")[1] if len(sys.argv) > 2 else "cpu"
folder = tempfile.TemporaryDirectory()
count, failures = 0, []
I32, I64, F32 = np.int32, np.int64, np.float32


def fail(name, text):
    failures.append(name)
    print("FAIL", name, text)


def case(name, text, good=(), bad=()):
    """`good` are (inputs, outputs), `bad` are (inputs, what is said)."""
    global count
    try:
        module = Module(weft, text, f"{folder.name}/{name}", target)
    except Failure as failure:
        return fail(name, failure)
    for inputs, want in good:
        count += 1
        try:
            for have, expected in zip(module.call_alike(inputs), want):
                if have.shape != np.shape(expected) or not np.array_equal(have, expected):
                    fail(name, f"{have} expected {expected}")
        except Failure as failure:
            fail(name, failure)
    for inputs, message in bad:
        count += 1
        for threads in (1, 2):
            try:
                module.call(inputs, threads)
                fail(name, f"expected '{message}', got results")
            except Failure as failure:
                if message not in str(failure):
                    fail(name, f"expected '{message}', got {failure}")


def rows(count, width=3):
    return np.arange(count * width, dtype=F32).reshape(count, width) + 1


def ids(*numbers, kind=I64):
    return np.array(numbers, kind)


# -- Rows of tables --------------------------------------------------------------------

EMBED = """
func.func @main(%t: tensor<{v}x3xf32>, %i: tensor<?x{kind}>) -> tensor<?x3xf32> {{
  %c0 = arith.constant 0 : index
  %n = tensor.dim %i, %c0 : tensor<?x{kind}>
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %y = weft.embed ins(%t, %i : tensor<{v}x3xf32>, tensor<?x{kind}>) outs(%e : tensor<?x3xf32>)
         -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}}
"""
table = rows(7)
for v, kind, dtype in (("7", "i64", I64), ("?", "i64", I64), ("7", "i32", I32), ("?", "i32", I32)):
    largest = np.iinfo(dtype).max
    at = lambda *numbers: ids(*numbers, kind=dtype)
    case(f"embed-{v.replace('?', 'any')}-{kind}", EMBED.format(v=v, kind=kind),
         [([table, at(0, 6, -1, -7)], [table[[0, 6, -1, -7]]]),
          ([table, at()], [np.zeros((0, 3))])],
         [([table, at(3, 7, 8)], "'ids' has 7"),
          ([table, at(3, 1, -8)], "'ids' has -8"),
          ([table, at(*[0] * 1000, largest)], f"'ids' has {largest}"),
          ([table, at(-largest - 1)], f"'ids' has {-largest - 1}")])
case("embed-position", EMBED.format(v="7", kind="i64"), bad=[
    ([table, ids(1, 2, 9, 7)], "'ids' has 9 at position 2, expected -7 or more, less than 7")])
case("embed-bound", EMBED.format(v="?", kind="i64"), bad=[
    ([table, ids(1, 2, 9, 7)], "'ids' has 9, expected -7 or more, less than 7")])
case("embed-no-rows", EMBED.format(v="?", kind="i64"),
     [([table[:0], ids()], [np.zeros((0, 3))])], [([table[:0], ids(0)], "'ids' has 0")])

case("embed-result", """
func.func @main(%t: tensor<7x3xf32>, %i: tensor<?xi64>, %e: tensor<?x3xf32>) -> tensor<?x3xf32> {
  %y = weft.embed ins(%t, %i : tensor<7x3xf32>, tensor<?xi64>) outs(%e : tensor<?x3xf32>)
         -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
""", [([table, ids(0, 6), rows(2)], [table[[0, 6]]])],
     [([table, ids(0, 6), rows(3)], "'result' has an extent of 3 in dimension 0, expected 2")])

# Extents of factors, and of components that tell those of a factor.
left, right = rows(2, 3), rows(3, 5)
case("contract-extents", """
#l = affine_map<(m, n, k) -> (m, k)>
#r = affine_map<(m, n, k) -> (k, n)>
#s = affine_map<(m, n, k) -> (m, n)>
func.func @main(%x: tensor<?x?xf32>, %w: tensor<?x?xf32>, %f: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %y = weft.contract indexing_maps = [#l, #r, #s] ins(%x, %w : tensor<?x?xf32>, tensor<?x?xf32>)
         outs(%f : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
""", [([left, right, np.zeros((2, 5), np.float32)], [left @ right]),
      ([left[:0], right, np.zeros((0, 5), np.float32)], [np.zeros((0, 5))])],
     [([left, rows(4, 5), np.zeros((2, 5), np.float32)],
       "'rhs' has an extent of 4 in dimension 0, expected 3"),
      ([left, right, np.zeros((2, 4096), np.float32)],
       "'result' has an extent of 4096 in dimension 1, expected 5"),
      ([left, right, np.zeros((1, 5), np.float32)],
       "'result' has an extent of 1 in dimension 0, expected 2")])
case("unpack-extents", """
!w = !weft.packed<?x4xf32, #weft.format<elem = #lowp.int<8, signed>>>
func.func @main(%codes: tensor<?x4xi8>, %f: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = weft.assemble %codes : tensor<?x4xi8> -> !w
  %y = weft.unpack ins(%w : !w) outs(%f : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
""", [([np.ones((3, 4), np.int8), rows(3, 4)], [np.ones((3, 4))])],
     [([np.ones((3, 4), np.int8), rows(5, 4)],
       "'result' has an extent of 5 in dimension 0, expected 3")])

case("embed-shapes", """
func.func @main(%t: tensor<7x3xf32>, %i: tensor<i32>, %j: tensor<?x2xi32>)
    -> (tensor<3xf32>, tensor<?x2x3xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %j, %c0 : tensor<?x2xi32>
  %e = tensor.empty() : tensor<3xf32>
  %f = tensor.empty(%n) : tensor<?x2x3xf32>
  %y = weft.embed ins(%t, %i : tensor<7x3xf32>, tensor<i32>) outs(%e : tensor<3xf32>) -> tensor<3xf32>
  %z = weft.embed ins(%t, %j : tensor<7x3xf32>, tensor<?x2xi32>) outs(%f : tensor<?x2x3xf32>)
         -> tensor<?x2x3xf32>
  return %y, %z : tensor<3xf32>, tensor<?x2x3xf32>
}
""", [([table, np.array(5, I32), np.array([[1, -2], [0, 6]], I32)],
       [table[5], table[[[1, -2], [0, 6]]]]),
      ([table, np.array(5, I32), np.zeros((0, 2), I32)], [table[5], np.zeros((0, 2, 3))])],
     [([table, np.array(7, I32), np.zeros((1, 2), I32)], "'ids' has 7 at position 0"),
      ([table, np.array(0, I32), np.array([[1, 2], [3, -9]], I32)], "'ids' has -9 at position 3")])

case("embed-packed", """
!t = !weft.packed<6x4xf32, #weft.format<elem = #lowp.int<4, signed>>>
func.func @main(%c: tensor<12xi8>, %i: tensor<?xi64>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %i, %c0 : tensor<?xi64>
  %t = weft.assemble %c : tensor<12xi8> -> !t
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %y = weft.embed ins(%t, %i : !t, tensor<?xi64>) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
""", [([np.full(12, 0x21, np.int8), ids(5, -6)], [np.tile(F32([1, 2]), (2, 2))])],
     [([np.zeros(12, np.int8), ids(6)], "'ids' has 6")])

# A branch that is not taken is not looked at; two lookups share what they look at.
case("branch", """
func.func @main(%t: tensor<7x3xf32>, %s: tensor<4x3xf32>, %i: tensor<2xi64>, %c: tensor<i64>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %e = tensor.empty() : tensor<2x3xf32>
  %y = weft.embed ins(%t, %i : tensor<7x3xf32>, tensor<2xi64>) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  %x = tensor.extract %c[] : tensor<i64>
  %zero = arith.constant 0 : i64
  %taken = arith.cmpi ne, %x, %zero : i64
  %z = scf.if %taken -> (tensor<2x3xf32>) {
    %w = weft.embed ins(%s, %i : tensor<4x3xf32>, tensor<2xi64>) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
    scf.yield %w : tensor<2x3xf32>
  } else {
    scf.yield %y : tensor<2x3xf32>
  }
  return %y, %z : tensor<2x3xf32>, tensor<2x3xf32>
}
""", [([table, rows(4), ids(5, 1), np.array(0)], [table[[5, 1]]] * 2),
      ([table, rows(4), ids(3, 1), np.array(1)], [table[[3, 1]], rows(4)[[3, 1]]])],
     [([table, rows(4), ids(5, 1), np.array(1)], "'ids' has 5 at position 0, expected -4"),
      ([table, rows(4), ids(5, 7), np.array(0)], "'ids' has 7 at position 1, expected -7")])

# -- Tuples ----------------------------------------------------------------------------

grid = np.arange(20, dtype=F32).reshape(4, 5)
case("tuples", """
func.func @main(%x: tensor<4x?xf32>, %i: tensor<?x2xi64>, %u: tensor<?xf32>)
    -> (tensor<?xf32>, tensor<4x?xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %i, %c0 : tensor<?x2xi64>
  %e = tensor.empty(%n) : tensor<?xf32>
  %y = weft.gather batch_dims = 0 ins(%x, %i : tensor<4x?xf32>, tensor<?x2xi64>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %z = weft.scatter ins(%i, %u : tensor<?x2xi64>, tensor<?xf32>) outs(%x : tensor<4x?xf32>) {
  ^bb0(%old: f32, %new: f32):
    weft.yield %new : f32
  } -> tensor<4x?xf32>
  return %y, %z : tensor<?xf32>, tensor<4x?xf32>
}
""", [([grid, np.zeros((0, 2), I64), np.zeros(0, F32)], [np.zeros(0), grid]),
      ([grid, np.array([[3, 4], [-4, -5]]), F32([7, 8])],
       [[19, 0], np.where(grid == 19, 7, np.where(grid == 0, 8, grid))])],
     [([grid, np.array([[0, 4], [4, 0]]), F32([7, 8])],
       "'indices' has 4 at position 2, expected -4 or more, less than 4 as number 0 of a tuple"),
      ([grid, np.array([[0, 5], [3, 0]]), F32([7, 8])],
       "'indices' has 5, expected -5 or more, less than 5 as number 1 of a tuple")])

# -- Experts ---------------------------------------------------------------------------

COMBINE = """
func.func @main(%v: tensor<?x3xf32>, %p: tensor<?x2xi32>) -> tensor<?x3xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %p, %c0 : tensor<?x2xi32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x3xf32>) -> tensor<?x3xf32>
  %y = moe.combine ins(%v, %p : tensor<?x3xf32>, tensor<?x2xi32>) outs(%f : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}
"""
case("combine", COMBINE,
     [([table, np.array([[0, -1], [6, 1]], I32)], [[table[0], table[6] + table[1]]]),
      ([table, np.zeros((0, 2), I32)], [np.zeros((0, 3))]),
      ([table[:0], np.full((1, 2), -1, I32)], [np.zeros((1, 3))])],
     [([table, np.array([[0, 7]], I32)], "'positions' has 7, expected -1 or more, less than 7"),
      ([table, np.array([[0, -2]], I32)], "'positions' has -2"),
      ([table[:0], np.zeros((1, 2), I32)], "'positions' has 0")])

case("place", """
func.func @main(%i: tensor<4x1xi32>, %w: tensor<5xi32>) -> tensor<4xi32> {
  %o = tensor.empty() : tensor<4xi32>
  %s = tensor.empty() : tensor<4xi32>
  %p = tensor.empty() : tensor<4x1xi32>
  %offsets, %slots, %positions = moe.plan ins(%i : tensor<4x1xi32>) place(%w : tensor<5xi32>)
      outs(%o, %s, %p : tensor<4xi32>, tensor<4xi32>, tensor<4x1xi32>)
      -> tensor<4xi32>, tensor<4xi32>, tensor<4x1xi32>
  return %offsets : tensor<4xi32>
}
""", [([np.array([[0], [4], [1], [-1]], I32), ids(2, -1, 0, 1, 0, kind=I32)], [[0, 1, 1, 2]])],
     [([np.zeros((4, 1), I32), ids(3, 0, 0, 0, 0, kind=I32)], "'place' has 3 at position 0"),
      ([np.zeros((4, 1), I32), ids(0, 0, -2, 0, 0, kind=I32)], "'place' has -2 at position 2"),
      ([np.full((4, 1), 5, I32), ids(0, 0, 0, 0, 0, kind=I32)], "'ids' has 5 at position 0")])

values = np.arange(12, dtype=F32).reshape(2, 3, 2)
case("exchange", """
func.func @main(%v: tensor<2x3x2xf32>, %o: tensor<2x3xi32>, %w: tensor<2xi32>) -> tensor<2x3xi32> {
  %e = tensor.empty() : tensor<2x6x2xf32>
  %b = tensor.empty() : tensor<2x3xi32>
  %received, %bounds = moe.exchange ins(%v, %o : tensor<2x3x2xf32>, tensor<2x3xi32>) place(%w : tensor<2xi32>)
      outs(%e, %b : tensor<2x6x2xf32>, tensor<2x3xi32>) -> tensor<2x6x2xf32>, tensor<2x3xi32>
  return %bounds : tensor<2x3xi32>
}
""", [([values, np.array([[0, 1, 3], [0, 0, 2]], I32), ids(1, -1, kind=I32)],
       [[[0, 0, 0], [0, 1, 1]]])],
     [([values, np.array([[0, 1, 3], [0, 2, 1]], I32), ids(1, 0, kind=I32)], "'offsets' has 1 at position 5"),
      ([values, np.array([[0, 1, 4], [0, 0, 2]], I32), ids(1, 0, kind=I32)], "'offsets' has 4 at position 2"),
      ([values, np.array([[0, 1, 3], [0, 0, 2]], I32), ids(1, 2, kind=I32)], "'place' has 2 at position 1")])

case("residency", """
func.func @main(%i: tensor<2x1xi32>, %s: tensor<2xi32>, %t: tensor<2xi32>) -> tensor<4xi32> {
  %p = tensor.empty() : tensor<4xi32>
  %e = tensor.empty() : tensor<2xi32>
  %place, %loads, %a, %b = moe.residency ins(%i, %s, %t : tensor<2x1xi32>, tensor<2xi32>, tensor<2xi32>)
      outs(%p, %e, %e, %e : tensor<4xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>)
      -> tensor<4xi32>, tensor<2xi32>, tensor<2xi32>, tensor<2xi32>
  return %place : tensor<4xi32>
}
""", [([np.array([[3], [-1]], I32), ids(3, -1, kind=I32), ids(1, 0, kind=I32)], [[-1, -1, -1, 0]])],
     [([np.array([[4], [0]], I32), ids(3, -1, kind=I32), ids(1, 0, kind=I32)], "'ids' has 4"),
      ([np.array([[3], [0]], I32), ids(3, 4, kind=I32), ids(1, 0, kind=I32)], "'slots' has 4 at position 1")])

# -- Slices, permutations, formats -----------------------------------------------------

EXPAND = """
func.func @main(%v: tensor<?x3xf32>, %p: tensor<?xi32>, %x: tensor<5x3xf32>) -> tensor<5x3xf32> {
  %y = sparse.expand dimension = 0 ins(%v, %p : tensor<?x3xf32>, tensor<?xi32>) outs(%x : tensor<5x3xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}
"""
zeros = np.zeros((5, 3), F32)
spread = zeros.copy()
spread[[1, 4]] = rows(3)[:2]
case("expand", EXPAND,
     [([rows(3), ids(1, 4, -1, kind=I32), zeros], [spread]),
      ([rows(0), ids(kind=I32), zeros], [zeros])],
     [([rows(3), ids(1, 5, -1, kind=I32), zeros], "'positions' has 5 at position 1"),
      ([rows(3), ids(4, 1, -1, kind=I32), zeros], "'positions' has 1 at position 1"),
      ([rows(3), ids(1, -1, 2, kind=I32), zeros], "'positions' has 2 at position 2")])

case("permutation", """
func.func @main(%x: tensor<2x4xf32>, %p: tensor<4xi64>) -> tensor<2x4xf32> {
  %y = lowp.rotate %x by #lowp.permutation<"order"> along 1 (%p : tensor<4xi64>) : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
""", [([grid[:2, :4].copy(), ids(2, 0, 3, 1)], [grid[:2, [2, 0, 3, 1]]])],
     [([grid[:2, :4].copy(), ids(2, 0, 4, 1)], "'parameters' has 4 at position 2"),
      ([grid[:2, :4].copy(), ids(2, 0, 3, -1)], "'parameters' has -1 at position 3")])

# Terms of a composite; 3 outliers of a dense matrix.
case("sum", """
!p = !weft.packed<2x5xf32, #weft.sum<[#weft.format<elem = #weft.value<f32>>,
                                      #weft.format<elem = #weft.value<f32>, structure = #sparse.csr<i16>>]>>
func.func @main(%a: tensor<2x5xi32>, %b: tensor<3xi32>, %o: tensor<3xi32>, %c: tensor<3xi16>) -> tensor<2x5xf32> {
  %p = weft.assemble %a, %b, %o, %c : tensor<2x5xi32>, tensor<3xi32>, tensor<3xi32>, tensor<3xi16> -> !p
  %e = tensor.empty() : tensor<2x5xf32>
  %y = weft.unpack ins(%p : !p) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}
""", [([np.ones((2, 5), F32).view(I32), F32([1, 2, 3]).view(I32), ids(0, 2, 3, kind=I32),
        np.array([0, 4, 2], np.int16)], [[[2, 1, 1, 1, 3], [1, 1, 4, 1, 1]]])],
     [([np.ones((2, 5), F32).view(I32), F32([1, 2, 3]).view(I32), ids(0, 2, 3, kind=I32),
        np.array([0, 5, 2], np.int16)],
       "'term1.columns' has 5 at position 1, expected numbers that ascend in each line, less than 5"),
      ([np.ones((2, 5), F32).view(I32), F32([1, 2, 3]).view(I32), ids(0, 4, 3, kind=I32),
        np.array([0, 4, 2], np.int16)], "'term1.offsets' has 4 at position 1")])

print(f"{count} calls, {len(failures)} failures: {failures}")
sys.exit(bool(failures))
