#!/usr/bin/env python3
#===- cases.py - weft.contract against NumPy --------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs modules of one weft.contract: of every kind of map, odd and
empty sizes, static and dynamic, of all widths of elements, with bias, and with
packed factors, and compares with sums in float64 or with integers that wrap around.
Results must be equal in every bit for several numbers of threads.

Usage: cases.py WEFT-PROGRAM"""

import os
import subprocess
import sys
import tempfile

import numpy as np

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(7)
count = 0
failures = []

NAMES = {"f2": "f16", "f4": "f32", "f8": "f64", "i1": "i8", "u1": "i8", "i2": "i16", "u2": "i16",
         "i4": "i32", "u4": "i32", "i8": "i64"}


def type_of(shape, element):
    return f"tensor<{''.join(f'{s}x' for s in shape)}{element}>"


def numbers(shape, kind):
    if kind[0] == "f":
        return rng.standard_normal(shape).astype(kind)
    info = np.iinfo(kind)
    return rng.integers(info.min, info.max, shape, dtype=kind, endpoint=True)


def codes(shape, bits):
    """Signed integers of `bits` bits, and their bytes: the first in the lowest bits."""
    values = rng.integers(-(1 << bits - 1), 1 << bits - 1, shape)
    stream = [value >> bit & 1 for value in values.ravel() for bit in range(bits)]
    stream += [0] * (-len(stream) % 8)
    data = [sum(bit << i for i, bit in enumerate(stream[at:at + 8]))
            for at in range(0, len(stream), 8)]
    return values, np.array(data, np.uint8).view(np.int8)


def expected(equation, operands, bias, init):
    """The contraction by einsum; '0' is a dimension that is broadcast."""
    inputs, output = equation.split("->")
    terms, values = [], []
    wide = np.float64 if init.dtype.kind == "f" else init.dtype
    for term, value in zip(inputs.split(","), operands):
        value = value.reshape([n for n, letter in zip(value.shape, term) if letter != "0"])
        terms.append(term.replace("0", ""))
        values.append(value.astype(wide))
    product = np.einsum(",".join(terms) + "->" + output, *values, optimize=False)
    return init.astype(wide) + product + (0 if bias is None else bias.astype(wide))


def module_of(equation, types, extents, bias, dynamic, flags, packed):
    """The text of the module. `types` are those of lhs, rhs, bias and result."""
    inputs, output = equation.split("->")
    terms = inputs.split(",") + ([bias] if bias is not None else []) + [output]
    loops = sorted(set("".join(terms)) - {"0"})
    maps = ", ".join(f"affine_map<({', '.join(loops)}) -> ({', '.join(term)})>" for term in terms)
    names = ["x", "w"] + (["b"] if bias is not None else []) + ["init"]
    arguments, values, prologue = [], [], ""
    if dynamic:
        arguments += [f'%d{n}: index {{weft.symbol = "{n}"}}' for n in loops]
    for k, (name, term, element) in enumerate(zip(names, terms, types)):
        shape = [1 if n == "0" else "?" if dynamic else extents[n] for n in term]
        if packed and k == 1:
            size = int(np.prod([extents[n] for n in term]))
            data = f"tensor<{(size * packed + 7) // 8}xi8>"
            shape = [extents[n] for n in term]
            value = (f"!weft.packed<{'x'.join(map(str, shape))}x{element}, "
                     f"#weft.format<elem = #lowp.int<{packed}, signed>>>")
            prologue = f"  %w = weft.assemble %codes : {data} -> {value}\n"
            arguments.append(f'%codes: {data} {{weft.name = "w"}}')
            values.append(value)
            continue
        dims = ", ".join("1" if n == "0" else f'"{n}"' if dynamic else str(extents[n])
                         for n in term)
        values.append(type_of(shape, element))
        arguments.append(f'%{name}: {values[-1]} {{weft.name = "{name}", weft.dims = [{dims}]}}')
    result = values[-1]
    extra = f" bias(%b : {values[2]})" if bias is not None else ""
    return f"""func.func @main({', '.join(arguments)}) -> ({result} {{weft.name = "y"}}) {{
{prologue}  %y = weft.contract {flags}indexing_maps = [{maps}]
         ins(%x, %w : {values[0]}, {values[1]}){extra} outs(%init : {result}) -> {result}
  return %y : {result}
}}
"""


def case(name, equation, kinds="f4 f4 f4", bias=None, packed=0, **extents):
    """`kinds` are NumPy's names of the element types of factors and result. `bias` has
    the result's type, and says along which loops it varies."""
    kinds = kinds.split()
    flags = "".join(f"unsigned_{side} " for side, kind in zip(("lhs", "rhs"), kinds)
                    if kind[0] == "u")
    inputs, output = equation.split("->")
    shapes = [[extents.get(n, 1) for n in term] for term in inputs.split(",") + [output]]
    lhs, rhs, init = (numbers(shape, kind) for shape, kind in zip(shapes, kinds))
    given = rhs
    if packed:
        rhs, given = codes(shapes[1], packed)
    extra = None if bias is None else numbers([extents[n] for n in bias], kinds[2])
    feed = {"x": lhs, "w": given, "init": init}
    broadcast = extra
    if bias is not None:
        feed["b"] = extra
        broadcast = np.einsum(bias + "->" + "".join(n for n in output if n in bias), extra)
        broadcast = broadcast.reshape([extents[n] if n in bias else 1 for n in output])
    want = expected(equation, [lhs, rhs], broadcast, init)
    types = [NAMES[k] for k in kinds[:2]] + ([NAMES[kinds[2]]] if bias is not None else []) + \
        [NAMES[kinds[2]]]
    for dynamic in (False, True) if not packed else (False,):
        run(f"{name}-{'dynamic' if dynamic else 'static'}", feed, want, kinds[2],
            module_of(equation, types, extents, bias, dynamic, flags, packed))


def run(name, feed, want, kind, text):
    global count
    at = os.path.join(folder.name, name)
    os.makedirs(at)
    with open(os.path.join(at, "m.mlir"), "w", encoding="utf-8") as file:
        file.write(text)
    inputs = []
    for key, value in feed.items():
        np.save(os.path.join(at, key + ".npy"), value.view(value.dtype.str.replace("u", "i")))
        inputs.append(f"--input={key}=@{at}/{key}.npy")
    done = subprocess.run([weft, "compile", "--quiet", f"{at}/m.mlir", "-o", f"{at}/m.so"],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        failures.append(name)
        print("FAIL", name, done.stderr)
        return
    results = []
    for threads in (1, 2, 5):
        done = subprocess.run([weft, "run", "--quiet", f"{at}/m.so", f"--threads={threads}",
                               f"--output=y=@{at}/y{threads}.npy"] + inputs,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            failures.append(name)
            print("FAIL", name, done.stderr)
            return
        results.append(np.load(f"{at}/y{threads}.npy"))
    have = results[0]
    if kind[0] == "f":
        equal = np.allclose(have, want, rtol=1e-4, atol=1e-4)
    else:
        equal = np.array_equal(have, want.astype(have.dtype))
    if not equal or any(r.tobytes() != have.tobytes() for r in results[1:]):
        failures.append(name)
        print("FAIL", name, "differs" if not equal else "depends on threads")
    count += 1


def rows(name, equation, cpu, **extents):
    """One module with symbolic extents, and all ROWS."""
    global count
    at = os.path.join(folder.name, name)
    os.makedirs(at)
    most = max(ROWS)
    shapes = [[extents.get(n, most) for n in term]
              for term in equation.replace("->", ",").split(",")]
    lhs, rhs, _ = (numbers(shape, "f4") for shape in shapes)
    extra = numbers([extents["n"]], "f4")
    want = expected(equation, [lhs, rhs], extra, np.zeros([most, extents["n"]], "f4"))
    with open(f"{at}/m.mlir", "w", encoding="utf-8") as file:
        file.write(module_of(equation, ["f32"] * 4, extents, "n", True, "", 0))
    subprocess.run([weft, "compile", "--quiet", f"{at}/m.mlir", "-o", f"{at}/m.so",
                    f"--cpu={cpu}"], check=True)
    whole = None
    for m in sorted(ROWS, reverse=True):
        feed = {"x": lhs[:, :m] if equation[1] == "m" else lhs[:m], "w": rhs, "b": extra,
                "init": np.zeros([m, extents["n"]], "f4")}
        inputs = []
        for key, value in feed.items():
            np.save(f"{at}/{key}.npy", np.ascontiguousarray(value))
            inputs.append(f"--input={key}=@{at}/{key}.npy")
        subprocess.run([weft, "run", "--quiet", f"{at}/m.so", "--threads=2",
                        f"--output=y=@{at}/y.npy"] + inputs, check=True, stdout=subprocess.DEVNULL)
        have = np.load(f"{at}/y.npy")
        whole = have if whole is None else whole
        if not np.allclose(have, want[:m], rtol=1e-4, atol=1e-4):
            failures.append(f"{name}-{m}")
        if have.tobytes() != whole[:m].tobytes():
            failures.append(f"{name}-{m}: the bits depend on the number of rows")
        count += 1


# Maps.
case("matmul", "mk,kn->mn", m=37, n=53, k=71)
case("large", "mk,kn->mn", m=130, n=200, k=300)
case("transposed-lhs", "km,kn->mn", m=19, n=35, k=22)
case("transposed-rhs", "mk,nk->mn", m=19, n=35, k=22)
case("transposed-result", "mk,kn->nm", m=19, n=35, k=22)
case("vector", "mk,k->m", m=65, k=130)
case("row", "k,kn->n", n=65, k=130)
case("dot", "k,k->", k=1001)
case("batch", "bmk,bkn->bmn", b=3, m=7, n=17, k=33)
case("heads", "bmhk,bnhk->bhmn", b=2, m=9, n=21, h=4, k=16)
case("broadcast-batch", "0mk,bkn->bmn", b=3, m=7, n=17, k=33)
case("one-batch", "bmk,kn->bmn", b=3, m=7, n=17, k=33)
case("broadcast-dot", "0jk,jk0->", j=5, k=77)
case("several-contracted", "mjk,kjn->mn", m=7, n=17, j=5, k=9)
case("one-factor-contracted", "mjk,kn->mn", m=7, n=17, j=5, k=9)
case("batch-last", "abk,cbk->acb", a=5, b=6, c=7, k=8)
# Sizes.
case("one", "mk,kn->mn", m=1, n=1, k=1)
case("no-rows", "mk,kn->mn", m=0, n=9, k=8)
case("no-columns", "mk,kn->mn", m=9, n=0, k=8)
case("nothing-contracted", "mk,kn->mn", m=9, n=5, k=0)
case("nothing-contracted-bias", "mk,kn->mn", bias="n", m=9, n=5, k=0)
# Elements.
for kinds in ("f8 f8 f8", "f2 f2 f4", "f2 f4 f4", "f4 f2 f8", "i1 i1 i4", "u1 i1 i4", "i1 u1 i4",
              "u1 u1 i4", "i4 i4 i4", "i8 i8 i8", "u2 i1 i8", "i1 u4 i8", "i1 i1 i1"):
    case("elements-" + kinds.replace(" ", "-"), "mk,kn->mn", kinds, m=17, n=37, k=41)
# Bias.
case("bias-columns", "mk,kn->mn", bias="n", m=37, n=53, k=71)
case("bias-rows", "mk,kn->mn", bias="m", m=37, n=53, k=71)
case("bias-all", "mk,kn->mn", bias="nm", m=37, n=53, k=71)
case("bias-one", "mk,kn->mn", bias="", m=37, n=53, k=71)
case("bias-integers", "mk,kn->mn", "u1 i1 i4", bias="n", m=3, n=53, k=71)
# Packed factors.
for bits in (1, 2, 3, 4, 7):
    case(f"packed-{bits}", "mk,kn->mn", "u1 i1 i4", bias="n", packed=bits, m=9, n=13, k=31)
case("packed-transposed", "mk,nk->mn", "i1 i1 i4", packed=4, m=33, n=130, k=257)

# Few rows, columns that lie apart, and more of k than is packed or decoded at a time.
for m in (1, 3, 7):
    case(f"few-transposed-{m}", "mk,nk->mn", bias="n", m=m, n=77, k=701)
    case(f"few-bytes-{m}", "mk,nk->mn", "i1 u1 i4", bias="n", m=m, n=131, k=701)
case("vector-transposed", "k,nk->n", n=77, k=701)
case("packed-few", "mk,nk->mn", "i1 i1 i4", packed=4, m=1, n=131, k=1031)
case("packed-pieces", "mk,kn->mn", "i1 i1 i4", bias="n", packed=3, m=41, n=131, k=1031)

# Numbers of rows, on both sides of what changes the register tile: a row's result does
# not depend on how many rows there are, in no bit.
ROWS = (0, 1, 2, 3, 4, 5, 8, 9, 11, 12, 13, 16, 23, 24, 25, 36, 40, 241)
for name, equation in (("rows", "mk,kn->mn"), ("rows-transposed", "mk,nk->mn"),
                       ("rows-first", "km,kn->mn")):
    for cpu in ("native", "x86-64-v3"):
        rows(f"{name}-{cpu}", equation, cpu, n=77, k=129)

if failures:
    sys.exit(f"{len(failures)} cases failed: {', '.join(failures)}")
print(count, "modules as NumPy")
