#!/usr/bin/env python3
#===- cases.py - The operations of the sparse dialect against NumPy ---------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Prunes, masks, compacts and expands tensors of several types and shapes, static and
dynamic, odd and empty, with ties and NaN, and compares with loops over sorted rows. Values
are only selected, so all results are compared bit for bit.

Usage: cases.py WEFT-PROGRAM [NAME-PART]"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Sparse"))
from harness import Cases, Function  # pylint: disable=wrong-import-position

cases = Cases(sys.argv)
rng = np.random.default_rng(5)


def numbers(shape, dtype="float32"):
    """Numbers with ties, zeros and both signs."""
    return (rng.integers(-6, 7, shape) / (1 if "int" in dtype else 2)).astype(dtype)


def size(x):
    """Magnitude, NaN being the largest."""
    y = abs(x.astype(np.float64)) if x.dtype.kind == "f" else abs(x.astype(object))
    return np.where(np.isnan(y), np.inf, y) if x.dtype.kind == "f" else y


def largest(keys, k):
    """The positions of the k largest that are not 0, ties to the first one."""
    return [i for i in sorted(range(len(keys)), key=lambda i: -keys[i])[:k] if keys[i] != 0]


#===----------------------------------------------------------------------===#
# sparse.prune
#===----------------------------------------------------------------------===#


def rows_by(axis, group, k):
    """A mask of the k largest in groups along an axis."""
    def mask(keys):
        out = np.zeros(keys.shape, bool)
        view, result = np.moveaxis(keys, axis, -1), np.moveaxis(out, axis, -1)
        width = group or max(1, view.shape[-1])
        for at in np.ndindex(view.shape[:-1]):
            for g in range(0, view.shape[-1], width):
                for i in largest(view[at][g:g + width], k):
                    result[at][g + i] = True
        return out
    return mask


def channels_by(axis, k):
    def mask(keys):
        out = np.zeros(keys.shape, bool)
        sums = np.moveaxis(keys, axis, 0).reshape(keys.shape[axis], -1).sum(-1)
        for i in largest(sums, k):
            np.moveaxis(out, axis, 0)[i] = True
        return out & (keys != 0)
    return mask


def blocks_by(rows, columns, of):
    def mask(keys):
        m, n = -(-keys.shape[-2] // rows), -(-keys.shape[-1] // columns)
        grid = np.zeros(keys.shape[:-2] + (m, n), keys.dtype)
        for at in np.ndindex(*keys.shape):
            grid[at[:-2] + (at[-2] // rows, at[-1] // columns)] += keys[at]
        kept = np.repeat(np.repeat(of(grid), rows, -2), columns, -1)
        return kept[..., :keys.shape[-2], :keys.shape[-1]] & (keys != 0)
    return mask


def vnm_by(v, n, m):
    def mask(keys):
        out = np.zeros(keys.shape, bool)
        for at in np.ndindex(keys.shape[:-2]):
            for r in range(0, keys.shape[-2], v):
                for c in range(0, keys.shape[-1], m):
                    block = keys[at][r:r + v, c:c + m]
                    sums = list(block.sum(0)) + [0] * (m - block.shape[1])
                    four = sorted(sorted(range(m), key=lambda i: -sums[i])[:4])
                    for i, row in enumerate(block):
                        values = [row[k] if k < len(row) else 0 for k in four]
                        for k in largest(values, n):
                            out[at][r + i, c + four[k]] = True
        return out
    return mask


def prune(name, structure, mask, x, scores=None, dynamic=()):
    f = Function()
    x_type = f.argument("x", x, dynamic)
    extra = ""
    if scores is not None:
        s_type = f.argument("s", scores, dynamic)
        extra = f" scores(%s : {s_type})"
    f.argument("init", np.zeros_like(x), dynamic)
    body = f"  %y = sparse.prune to {structure} ins(%x : {x_type}){extra} " \
           f"outs(%init : {x_type}) -> {x_type}"
    keys = size(x if scores is None else scores)
    want = np.where(mask(keys), x, np.zeros_like(x))
    cases.run(f"prune-{name}", f.text(body, [("y", x_type)]), f.feed, {"y": want})


for dtype in ("float16", "float32", "float64", "int8", "int32"):
    prune(f"2-4-{dtype}", "#sparse.nm<2, 4>", rows_by(-1, 4, 2), numbers((7, 21), dtype))
prune("6-8", "#sparse.nm<6, 8>", rows_by(-1, 8, 6), numbers((5, 37)))
prune("axis", "#sparse.nm<1, 3, axis = 0>", rows_by(0, 3, 1), numbers((10, 7)))
prune("batch", "#sparse.nm<2, 4, axis = 1>", rows_by(1, 4, 2), numbers((2, 9, 5)))
prune("dynamic", "#sparse.nm<2, 4>", rows_by(-1, 4, 2), numbers((7, 21)), dynamic=("m", "n"))
prune("wanda-2-4", "#sparse.nm<2, 4>", rows_by(-1, 4, 2), numbers((7, 21)),
      rng.random((7, 21)).astype(np.float32))
prune("wanda-rows", "#sparse.ell<9, i32>", rows_by(-1, 0, 9), numbers((7, 21), "float16"),
      rng.random((7, 21)).astype(np.float32))
prune("rows", "#sparse.ell<4, i16>", rows_by(-1, 0, 4), numbers((7, 133)))
prune("rows-all", "#sparse.ell<30, i16>", rows_by(-1, 0, 30), numbers((3, 12)))
prune("rows-dynamic", "#sparse.ell<5, i32>", rows_by(-1, 0, 5), numbers((4, 9)),
      dynamic=("m", "n"))
prune("rows-dynamic-short", "#sparse.ell<5, i32>", rows_by(-1, 0, 5), numbers((4, 3)),
      dynamic=("m", "n"))
prune("channels", "#sparse.channels<axis = 1, i16, count = 3>", channels_by(1, 3), numbers((6, 11)))
prune("filters", "#sparse.channels<axis = 0, i32, count = 2>", channels_by(0, 2),
      numbers((5, 3, 3, 3)))
prune("blocks", "#sparse.block<4, 1, #sparse.nm<1, 2, axis = 0>>",
      blocks_by(4, 1, rows_by(0, 2, 1)), numbers((18, 7)))
prune("block-rows", "#sparse.block<2, 3, #sparse.ell<2, i8>>", blocks_by(2, 3, rows_by(-1, 0, 2)),
      numbers((7, 20)))
prune("venom", "#sparse.vnm<4, 2, 8>", vnm_by(4, 2, 8), numbers((10, 19)))
x = numbers((4, 12))
x[1, 3] = x[2, 5] = np.nan
mask = rows_by(-1, 4, 1)
f = Function()
t = f.argument("x", x)
f.argument("init", x)
want = np.where(mask(size(x)), x, np.float32(0))
cases.run("prune-nan", f.text(f"""  %p = sparse.prune to #sparse.nm<1, 4> ins(%x : {t}) outs(%init : {t}) -> {t}
  %e = tensor.empty() : tensor<4x12xi32>
  %y = linalg.generic {{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}}
    ins(%p : {t}) outs(%e : tensor<4x12xi32>) {{
  ^bb0(%v: f32, %o: i32):
    %b = arith.bitcast %v : f32 to i32
    linalg.yield %b : i32
  }} -> tensor<4x12xi32>""", [("y", "tensor<4x12xi32>")]), f.feed, {"y": want.view(np.int32)})
for shape in ((0, 8), (5, 0)):
    prune(f"empty-{shape[0]}", "#sparse.nm<2, 4>", rows_by(-1, 4, 2), numbers(shape))
    prune(f"empty-rows-{shape[0]}", "#sparse.ell<2, i32>", rows_by(-1, 0, 2), numbers(shape))

#===----------------------------------------------------------------------===#
# sparse.topk_mask
#===----------------------------------------------------------------------===#


def topk_mask(name, x, k, dimension, dynamic=()):
    f = Function()
    x_type = f.argument("x", x, dynamic)
    want = np.zeros(x.shape, np.int8)
    view, out = np.moveaxis(size(x), dimension, -1), np.moveaxis(want, dimension, -1)
    for at in np.ndindex(view.shape[:-1]):
        for i in sorted(range(view.shape[-1]), key=lambda i: -view[at][i])[:k]:
            out[at][i] = 1
    m_type = f.argument("init", want * 0, dynamic)
    body = f"  %y = sparse.topk_mask k = {k} dimension = {dimension} ins(%x : {x_type}) " \
           f"outs(%init : {m_type}) -> {m_type}"
    cases.run(f"mask-{name}", f.text(body, [("y", m_type)]), f.feed, {"y": want})


for dtype in ("float16", "float32", "float64", "int8", "int64"):
    topk_mask(dtype, numbers((5, 19), dtype), 7, 1)
topk_mask("columns", numbers((19, 5)), 3, 0)
topk_mask("none", numbers((5, 19)), 0, 1)
topk_mask("all", numbers((5, 19)), 40, 1)
topk_mask("vector", numbers((65,)), 9, 0)
topk_mask("dynamic", numbers((3, 5, 19)), 4, 1, dynamic=("a", "b", "c"))
topk_mask("no-rows", numbers((0, 5)), 2, 1)
topk_mask("no-columns", numbers((5, 0)), 2, 1)
x = numbers((3, 9))
x[:, 4] = np.nan
topk_mask("nan", x, 1, 1)

#===----------------------------------------------------------------------===#
# sparse.compact and sparse.expand
#===----------------------------------------------------------------------===#


def compact(name, x, marked, capacity, dimension, dynamic=()):
    f = Function()
    x_type = f.argument("x", x, dynamic)
    mask_type = f.argument("mask", marked, [dynamic[dimension]] if dynamic else ())
    chosen = np.flatnonzero(marked)[:capacity]
    positions = np.full(capacity, -1, np.int32)
    positions[:len(chosen)] = chosen
    shape = list(x.shape)
    shape[dimension] = capacity
    values = np.zeros(shape, x.dtype)
    np.moveaxis(values, dimension, 0)[:len(chosen)] = np.moveaxis(x, dimension, 0)[chosen]
    names = list(dynamic)
    if names:
        names[dimension] = "capacity"
    v_type = f.argument("v", values * 0, names)
    p_type = f.argument("p", positions * 0, ["capacity"] if dynamic else ())
    # Back, into a tensor that keeps what was not chosen.
    base = numbers(x.shape, x.dtype.name)
    f.argument("base", base, dynamic)
    back = base.copy()
    np.moveaxis(back, dimension, 0)[chosen] = np.moveaxis(x, dimension, 0)[chosen]
    body = f"""  %y, %q = sparse.compact dimension = {dimension} ins(%x, %mask : {x_type}, {mask_type})
             outs(%v, %p : {v_type}, {p_type}) -> {v_type}, {p_type}
  %b = sparse.expand dimension = {dimension} ins(%y, %q : {v_type}, {p_type})
         outs(%base : {x_type}) -> {x_type}"""
    cases.run(f"compact-{name}", f.text(body, [("y", v_type), ("q", p_type), ("b", x_type)]),
              f.feed, {"y": values, "q": positions, "b": back})


def marks(count, density=0.4):
    return (rng.random(count) < density).astype(np.int8) * 3


for dtype in ("float16", "float32", "float64", "int8"):
    compact(dtype, numbers((17, 5), dtype), marks(17), 9, 0)
compact("channels", numbers((5, 33)), marks(33), 20, 1)
compact("batch", numbers((3, 13, 4)), marks(13), 6, 1)
compact("small", numbers((17, 5)), marks(17, 1.0), 4, 0)
compact("nothing", numbers((17, 5)), marks(17, 0.0), 4, 0)
compact("no-room", numbers((17, 5)), marks(17), 0, 0)
compact("no-tokens", numbers((0, 5)), marks(0), 4, 0)
compact("no-channels", numbers((9, 0)), marks(9), 4, 0)
compact("vector", numbers((40,)), marks(40), 40, 0)
compact("dynamic", numbers((17, 5)), marks(17), 9, 0, dynamic=("t", "c"))
compact("dynamic-empty", numbers((0, 5)), marks(0), 3, 0, dynamic=("t", "c"))

# Positions that are nowhere are refused, or change nothing where nothing looks at them.
f = Function()
v_type = f.argument("v", numbers((4, 3)))
p_type = f.argument("p", np.array([1, 50, 2**31 - 1, -7], np.int32))
base = numbers((6, 3))
b_type = f.argument("base", base)
want = base.copy()
want[1] = f.feed["v"][0]
for checked, result, error in (("", {}, "'positions' has 50 at position 1"),
                               ("{weft.checked} ", {"y": want}, None)):
    cases.run("expand-outside" + ("-checked" if checked else ""),
              f.text(f"  %y = sparse.expand dimension = 0 ins(%v, %p : {v_type}, {p_type}) "
                     f"outs(%base : {b_type}) {checked}-> {b_type}", [("y", b_type)]), f.feed,
              result, error=error)

# A mask of more slices than there are.
f = Function()
x_type = f.argument("x", numbers((3,)), ["n"])
m_type = f.argument("mask", np.ones(900, np.int8), ["m"])
f.argument("q", np.zeros(2, np.int32), ["p"])
cases.run("compact-outside",
          f.text("  %v = tensor.empty(%p) : tensor<?xf32>\n  %e = tensor.empty(%p) : tensor<?xi32>\n"
                 f"  %y, %r = sparse.compact dimension = 0 ins(%x, %mask : {x_type}, {m_type}) "
                 "outs(%v, %e : tensor<?xf32>, tensor<?xi32>) -> tensor<?xf32>, tensor<?xi32>",
                 [("y", "tensor<?xf32>"), ("r", "tensor<?xi32>")]), f.feed, {},
          error="'mask' has an extent of 900 in dimension 0, expected 3")

cases.finish()
