#===- computing.py - moe.grouped_matmul and moe.combine --------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np

import reference
from harness import NAMES, TOLERANCE, Function, check, compile, run

rng = np.random.default_rng(12)


def numbers(shape, element):
    if element[0] == "i":
        return rng.integers(-8, 8, shape).astype(NAMES[element])
    return rng.standard_normal(shape).astype(NAMES[element])


def split(groups, rows, first=0):
    """Offsets of groups, of which the second is empty."""
    cuts = np.sort(rng.integers(first, rows + 1, groups - 1))
    if groups > 2:
        cuts[1] = cuts[0]
    return np.array([first, *cuts, rows], np.int32)


SWISH = """epilogue {
  ^bb0(%g: f32, %u: f32, %row: index, %group: index):
    %one = arith.constant 1.0 : f32
    %n = arith.negf %g : f32
    %e = math.exp %n : f32
    %d = arith.addf %e, %one : f32
    %s = arith.divf %g, %d : f32
    %h = arith.mulf %s, %u : f32
    moe.yield %h : f32
  } """


def matmul(name, groups=4, k=24, n=40, x_type="f32", w_type=None, y_type=None, rows=(0, 1, 9, 50),
           indexed=False, biased=False, gated=False, transposed=False, partial=False, static=False):
    w_type, y_type = w_type or x_type, y_type or x_type
    module = None
    for length in rows:
        f = Function({"M": length, "S": 13} if static else None)
        x = f.input("x", ["S" if indexed else "M", k], x_type)
        count = 2 if gated else 1
        shape = [groups, n, k] if transposed else [groups, k, n]
        kinds = [f.input(f"w{i}", shape, w_type) for i in range(count)]
        weights = ", ".join(f"%w{i}" for i in range(count))
        text = ("transposed " if transposed else "") + f"ins(%x : {x}) weights({weights} : {', '.join(kinds)})"
        if biased:
            kinds = [f.input(f"b{i}", [groups, n], w_type) for i in range(count)]
            names = ", ".join(f"%b{i}" for i in range(count))
            text += f" biases({names} : {', '.join(kinds)})"
        text += f" offsets(%offsets : {f.input('offsets', [groups + 1], 'i32')})"
        if indexed:
            text += f" indices(%indices : {f.input('indices', ['M'], 'i32')})"
        init = f.input("init", ["M", n], y_type)
        f.add(f"%y = moe.grouped_matmul {text} outs(%init : {init}) {SWISH if gated else ''}-> {init}")
        f.results = [("%y", init)]
        if module is None or static:
            module = compile(f.text())
        xs = numbers((13 if indexed else length, k), x_type)
        ws = [numbers(shape, w_type) for _ in range(count)]
        bs = [numbers((groups, n), w_type) for _ in range(count)] if biased else None
        offsets = split(groups, length, first=min(2, length) if partial else 0)
        feed = {"x": xs, "offsets": offsets, "init": numbers((length, n), y_type)}
        feed.update({f"w{i}": w for i, w in enumerate(ws)})
        feed.update({f"b{i}": b for i, b in enumerate(bs or [])})
        indices = None
        if indexed:
            indices = feed["indices"] = rng.integers(-1, 13, length).astype(np.int32)
        want = reference.grouped_matmul(
            xs, ws, offsets, feed["init"], indices, bs, transposed,
            (lambda g, u: g / (1 + np.exp(-g)) * u) if gated else None)
        if y_type[0] == "i":
            want = want.astype(NAMES[y_type])
        check(f"grouped_matmul {name} M={length}", run(module, feed), {"y": want},
              TOLERANCE.get(y_type, 0) * 4)


matmul("plain")
matmul("static", static=True, rows=(1, 9))
matmul("one group", groups=1)
matmul("odd extents", groups=5, k=7, n=131)
matmul("one column", n=1, k=1)
matmul("no depth", k=0, biased=True)
matmul("no columns", n=0)
matmul("transposed", transposed=True, n=70)
matmul("rows outside of groups", partial=True, rows=(9, 50))
matmul("gathered", indexed=True, biased=True)
matmul("gathered, static", indexed=True, static=True, rows=(3,))
matmul("gated", indexed=True, gated=True, biased=True, n=100)
matmul("gated, transposed", gated=True, transposed=True)
matmul("f64", x_type="f64", biased=True)
matmul("f16", x_type="f16", biased=True)
matmul("bf16", x_type="bf16", indexed=True)
matmul("f16 by f32", x_type="f32", w_type="f16", y_type="f32")
matmul("f16 into f32", x_type="f16", y_type="f32")
matmul("integers", x_type="i8", y_type="i32")


def combine(name, width=2, columns=40, element="f32", value=None, weighted=True, rows=(0, 1, 21),
            spare=3):
    value = value or element
    f = Function()
    kinds = [f.input("values", ["M", columns], value), f.input("positions", ["T", width], "i32")]
    extra = ""
    if weighted:
        extra = f" weights(%weights : {f.input('weights', ['T', width], 'f32')})"
    init = f.input("init", ["T", columns], element)
    # Positions that are none are refused without this (Checks/cases.py).
    f.add(f"%y = moe.combine ins(%values, %positions : {', '.join(kinds)}){extra} "
          f"outs(%init : {init}) {{weft.checked}} -> {init}")
    f.results = [("%y", init)]
    module = compile(f.text())
    for length in rows:
        count = max(length * width - spare, 0)
        feed = {"values": numbers((count, columns), value),
                "positions": rng.integers(-2, count + 3, (length, width)).astype(np.int32),
                "init": numbers((length, columns), element)}
        if weighted:
            feed["weights"] = numbers((length, width), "f32")
        want = reference.combine(feed["values"], feed["positions"], feed.get("weights"),
                                 feed["init"])
        check(f"combine {name} T={length}", run(module, feed), {"y": want},
              TOLERANCE[element] * 4)


combine("plain")
combine("one slot", width=1, weighted=False)
combine("wide", width=8, columns=131)
combine("no slots", width=0)
combine("f64", element="f64")
combine("f16", element="f16")
combine("bf16 into f32", element="f32", value="bf16")
combine("bf16", element="bf16")
