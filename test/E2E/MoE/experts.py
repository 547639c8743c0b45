#===- experts.py - Whole layers, packed weights and bad numbers ------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np

import reference
from computing import numbers
from harness import NAMES, TOLERANCE, Function, check, compile, refused, run

rng = np.random.default_rng(13)


def swish(g):
    return g / (1 + np.exp(-g))


def activation(count, element, wide):
    lines = [f"^bb0({', '.join(f'%s{i}: {wide}' for i in range(count))}):",
             f"  %one = arith.constant 1.0 : {wide}", f"  %n = arith.negf %s0 : {wide}",
             f"  %e = math.exp %n : {wide}", f"  %d = arith.addf %e, %one : {wide}",
             f"  %a0 = arith.divf %s0, %d : {wide}"]
    last = "%a0"
    if count == 2:
        lines.append(f"  %a1 = arith.mulf %a0, %s1 : {wide}")
        last = "%a1"
    if element != wide:
        lines.append(f"  %t = arith.truncf {last} : {wide} to {element}")
        last = "%t"
    return "activation {\n  " + "\n  ".join(lines + [f"  moe.yield {last} : {element}"]) + "\n  }"


def codes(shape, bits):
    """Signed integers of `bits` bits, and their bytes: the first in the lowest bits."""
    values = rng.integers(-(1 << bits - 1), 1 << bits - 1, shape)
    stream = np.array([values.ravel() >> bit & 1 for bit in range(bits)], np.uint8).T.ravel()
    return values, np.packbits(stream, bitorder="little").view(np.int8)


def weight(f, name, shape, element, packed):
    """Declares a weight; gives its type and value, and what is fed for it."""
    if not packed:
        value = numbers(shape, element)
        return f.input(name, shape, element), value, value
    value, data = codes(shape, packed)
    kind = (f"!weft.packed<{'x'.join(map(str, shape))}x{element}, "
            f"#weft.format<elem = #lowp.int<{packed}, signed>>>")
    # Eight bits lie one to a byte in the logical shape.
    data = data.reshape(shape) if packed == 8 else data
    codes_type = f.input(name + "_codes", data.shape, "i8")
    f.add(f"%{name} = weft.assemble %{name}_codes : {codes_type} -> {kind}")
    return kind, value.astype(np.float64), data


def layer_want(x, ids, weights, ups, down, init, up_biases, down_bias, fused, before):
    want = init.astype(np.float64).copy()
    for t in range(ids.shape[0]):
        for j in range(ids.shape[1]):
            e = ids[t, j]
            if not 0 <= e < len(down):
                continue
            row, w = x[t].astype(np.float64), float(weights[t, j])
            if before:
                row = row * w
            sums = [row @ u[e].astype(np.float64) + (up_biases[i][e].astype(np.float64) if up_biases
                                                     else 0) for i, u in enumerate(ups)]
            if fused == "blocks":
                half = sums[0].shape[0] // 2
                sums = [sums[0][:half], sums[0][half:]]
            if fused == "interleaved":
                sums = [sums[0][0::2], sums[0][1::2]]
            hidden = swish(sums[0]) * (sums[1] if len(sums) == 2 else 1)
            y = hidden @ down[e].astype(np.float64)
            if down_bias is not None:
                y = y + down_bias[e].astype(np.float64)
            want[t] += y * (1 if before else w)
    return want


def layer(name, experts=5, width=2, h=24, i=33, n=20, element="f32", ups=1, fused="separate",
          biased=False, transposed=False, before=False, packed=0, lengths=(0, 1, 4, 30),
          static=False):
    module = None
    wide = "f64" if element == "f64" else "f32"
    flip = (lambda a: a.swapaxes(1, 2)) if transposed else (lambda a: a)
    for length in lengths:
        # The formats' values are few: weights are scaled by the activations.
        f = Function({"T": length} if static else None)
        feed, kinds = {}, []
        x = f.input("x", ["T", h], element)
        ids = f.input("ids", ["T", width], "i32")
        w = f.input("w", ["T", width], wide)
        columns = i if fused == "separate" else 2 * i
        up_values = []
        for u in range(ups):
            shape = [experts, columns, h] if transposed else [experts, h, columns]
            kind, value, data = weight(f, f"up{u}", shape, element, packed)
            kinds.append(kind)
            up_values.append(flip(value))
            feed[f"up{u}_codes" if packed else f"up{u}"] = data
        shape = [experts, n, i] if transposed else [experts, i, n]
        down_kind, down_value, data = weight(f, "down", shape, element, packed)
        feed["down_codes" if packed else "down"] = data
        text = (f"up({', '.join(f'%up{u}' for u in range(ups))} : {', '.join(kinds)})")
        up_biases = down_bias = None
        if biased:
            names = [f"ub{u}" for u in range(ups)]
            types = [f.input(b, [experts, columns], element) for b in names]
            text += f" up_biases({', '.join('%' + b for b in names)} : {', '.join(types)})"
            up_biases = [numbers((experts, columns), element) for _ in names]
            feed.update(zip(names, up_biases))
        text += f" down(%down : {down_kind})"
        if biased:
            text += f" down_bias(%db : {f.input('db', [experts, n], element)})"
            down_bias = feed["db"] = numbers((experts, n), element)
        init = f.input("init", ["T", n], element)
        flags = ("weight_before " if before else "") + ("transposed " if transposed else "")
        if fused != "separate":
            flags += f"fused = {fused} "
        f.add(f"%y = moe.expert_ffn {flags}ins(%x, %ids, %w : {x}, {ids}, {w}) {text} "
              f"outs(%init : {init}) {activation(1 if ups == 1 and fused == 'separate' else 2, element, wide)}"
              f" -> {init}")
        f.results = [("%y", init)]
        if module is None or static:
            module = compile(f.text())
        scale = 0.3 if not packed else 0.05
        feed["x"] = (numbers((length, h), "f64") * scale).astype(NAMES[element])
        feed["ids"] = rng.integers(-1, experts, (length, width)).astype(np.int32)
        feed["ids"][feed["ids"] == 1] = 0  # an expert that nobody chose
        feed["w"] = numbers((length, width), wide)
        feed["init"] = numbers((length, n), element)
        want = layer_want(feed["x"], feed["ids"], feed["w"], up_values, flip(down_value),
                          feed["init"], up_biases, down_bias, fused, before)
        # Hidden values are rounded to the type, and added up as often as there are.
        largest = max(1.0, np.abs(want).max()) if want.size else 1.0
        check(f"expert_ffn {name} T={length}", run(module, feed), {"y": want},
              TOLERANCE[element] * 8 * largest)


layer("plain")
layer("static", static=True, lengths=(1, 4))
layer("gated", ups=2, biased=True)
layer("transposed", ups=2, transposed=True, biased=True)
layer("blocks", fused="blocks", biased=True)
layer("interleaved", fused="interleaved", transposed=True, biased=True)
layer("weight before", before=True, width=1)
layer("weight before, two slots", before=True, ups=2)
layer("eight slots", width=8, experts=40)
layer("one expert", experts=3, width=1)
layer("f64", element="f64", ups=2)
layer("f16", element="f16", ups=2, biased=True)
layer("bf16", element="bf16")
layer("4 bits", ups=2, packed=4)
layer("4 bits, transposed", fused="interleaved", packed=4, transposed=True)
layer("8 bits", packed=8)
layer("3 bits", packed=3, i=35)
layer("4 bits, deep", packed=4, h=600, lengths=(3,))


def bad(name, text, feed, sentence):
    refused(name, text, feed, sentence)


f = Function()
x, o = f.input("x", ["M", 4], "f32"), f.input("o", [4], "i32")
w, i = f.input("w", [3, 4, 5], "f32"), f.input("i", ["R"], "i32")
y = f.zeros("init", ["R", 5], "f32")
f.add(f"%y = moe.grouped_matmul ins(%x : {x}) weights(%w : {w}) offsets(%o : {o}) indices(%i : "
      f"tensor<?xi32>) outs(%init : {y}) -> {y}")
f.results = [("%y", y)]
module = compile(f.text())
good = {"x": numbers((6, 4), "f32"), "w": numbers((3, 4, 5), "f32"),
        "o": np.array([0, 2, 2, 3], np.int32), "i": np.array([5, -1, 0], np.int32)}
check("good numbers", run(module, good), {"y": reference.grouped_matmul(
    good["x"], [good["w"]], good["o"], np.zeros((3, 5)), good["i"])}, 1e-5)
for name, change, sentence in [
        ("offsets that descend", {"o": [0, 2, 1, 3]}, "'offsets' has 1"),
        ("an offset beyond", {"o": [0, 2, 3, 4]}, "'offsets' has 4"),
        ("an offset below", {"o": [-7, 0, 0, 0]}, "'offsets' has -7"),
        ("offsets far beyond", {"o": [0, 2**31 - 1, -2**31, 5]}, "'offsets' has 2147483647"),
        ("an index beyond", {"i": [0, 6, 2**31 - 1]}, "'indices' has 6")]:
    refused(name, f.text(), {**good, **{k: np.array(v, np.int32) for k, v in change.items()}},
            sentence)

f = Function()
ids = f.input("ids", ["T", 2], "i32")
kinds = [f.empty("o", [4], "i32"), f.empty("s", ["M"], "i32"), f.empty("p", ["T", 2], "i32")]
f.input("like", ["M"], "i8")
f.add(f"%a, %b, %c = moe.plan ins(%ids : {ids}) outs(%o, %s, %p : {', '.join(kinds)}) -> {', '.join(kinds)}")
f.results = list(zip(["%a", "%b", "%c"], kinds))
for number in (3, -2, 2**31 - 1):
    refused(f"number {number}", f.text(), {"ids": np.array([[0, 1], [number, 7]], np.int32),
                                           "like": np.zeros(4, np.int8)},
            f"'ids' has {number}")

f = Function()
x, table, tokens = f.input("x", ["T", 4], "f32"), f.input("t", ["V", 2], "i64"), f.input("n", ["T"], "i64")
i, w = f.empty("i", ["T", 2], "i32"), f.empty("w", ["T", 2], "f32")
f.add(f"%ids, %weights = moe.route softmax table ins(%x : {x}) table(%t, %n : {table}, {tokens}) "
      f"outs(%i, %w : {i}, {w}) -> {i}, {w}")
f.results = [("%ids", i), ("%weights", w)]
for token in (5, -1, 2**40):
    refused(f"token {token}", f.text(), {"x": numbers((2, 4), "f32"), "t": np.zeros((5, 2), np.int64),
                                         "n": np.array([0, token])},
            f"'tokens' has {token}")

# Extents that only the call knows.
f = Function()
x, o = f.input("x", [3, 4], "f32"), f.input("o", ["G"], "i32")
w, y = f.input("w", ["E", 4, 5], "f32"), f.zeros("init", [3, 5], "f32")
f.add(f"%y = moe.grouped_matmul ins(%x : {x}) weights(%w : {w}) offsets(%o : {o}) outs(%init : {y}) -> {y}")
f.results = [("%y", y)]
refused("more offsets than weights", f.text(),
        {"x": numbers((3, 4), "f32"), "w": numbers((2, 4, 5), "f32"), "o": np.zeros(9001, np.int32)},
        "'weights' has an extent of 2 in dimension 0, expected 9000")

f = Function()
v, p = f.input("v", [4, 4], "f32"), f.input("p", ["T", 1], "i32")
w, y = f.input("w", ["U", 1], "f32"), f.zeros("init", ["T", 4], "f32")
f.add(f"%y = moe.combine ins(%v, %p : {v}, {p}) weights(%w : {w}) outs(%init : {y}) -> {y}")
f.results = [("%y", y)]
refused("fewer weights than positions", f.text(),
        {"v": numbers((4, 4), "f32"), "w": numbers((1, 1), "f32"), "p": np.zeros((5000, 1), np.int32)},
        "'weights' has an extent of 1 in dimension 0, expected 5000")
