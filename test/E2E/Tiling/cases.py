#!/usr/bin/env python3
#===- cases.py - Tiled operations against themselves ------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Each case is a module that has an operation twice. One of both is tiled by the transform
dialect, by sizes that divide nothing, before the module is compiled for the CPU; the results of
both must be equal in every bit, for one thread and for two. Numbers are small multiples of
powers of 2 where an operation adds, so that no order of summands rounds.

Extents below are those of the data; `?` in a type says which of them the module does not know.

Usage: cases.py WEFT-PROGRAM MLIR-OPT PLUGIN [NAME-PART]"""

import os
import re
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from modules import ELEMENTS, Failure, Module, execute  # pylint: disable=wrong-import-position

rng = np.random.default_rng(11)
CASES = []


def case(name, operation, sizes, inits, outs=None, prelude="", head="", **operands):
    """`operation` is text with {NAME} for an operand, {NAME:} for its type, {outs}, {outs:} and
    {results:} for destinations and results, and {mark} for the attributes. An operand is an
    array, or a pair of it and its type. `inits` likewise; `outs` are types of results that have
    no init."""
    CASES.append((name, operation, sizes, inits, outs, prelude, head, operands))


def tensor(array, shape=None):
    extents = shape if shape is not None else [str(n) for n in array.shape]
    return f"tensor<{''.join(f'{n}x' for n in extents)}{ELEMENTS[array.dtype.name]}>"


def dyn(array, *dims):
    """The array, of which some extents are dynamic."""
    return array, tensor(array, ["?" if i in dims else str(n) for i, n in enumerate(array.shape)])


def whole(*shape, dtype="float32", low=-4, high=5):
    """Small whole numbers."""
    return rng.integers(low, high, shape).astype(dtype)


def halves(*shape, dtype="float32"):
    return (rng.integers(-8, 9, shape) / 4).astype(dtype)


def real(*shape, dtype="float32"):
    return rng.standard_normal(shape).astype(dtype)


def typed(value):
    return value if isinstance(value, tuple) else (value, tensor(value))


def module_of(operation, inits, outs, prelude, head, operands):
    arguments, types = [], {}
    for key, value in operands.items():
        types[key] = typed(value)[1]
        arguments.append(f"%{key}: {types[key]}")
    init_types = [typed(x)[1] for x in inits]
    arguments += [f"%init{i}: {t}" for i, t in enumerate(init_types)]
    results = init_types or outs
    types["outs"] = types["results"] = ", ".join(init_types)
    types["results"] = ", ".join(results)

    def text(match):
        key, is_type = match[1], match[2]
        if is_type:
            return types.get(key) or match[0]
        if key == "outs":
            return ", ".join(f"%init{i}" for i in range(len(inits)))
        return f"%{key}" if key in types else match[0]

    body = re.sub(r"\{(\w+)(:?)\}", text, operation)
    count, both = len(results), ", ".join(results * 2)
    lines = []
    for i, mark in enumerate(("", "{tiled}")):
        marked = body.replace("attributes {mark}", f"attributes {mark}" if mark else "")
        lines.append(f"  %r{i}:{count} = {marked.replace('{mark}', mark)}")
    values = ", ".join(f"%r{i}#{n}" for i in (0, 1) for n in range(count))
    return (f"{head}\nfunc.func @main({', '.join(arguments)}) -> ({both}) {{\n  {prelude}\n"
            + "\n".join(lines) + f"\n  return {values} : {both}\n}}\n")


def tile(mlir_opt, plugin, text, sizes, folder):
    loops = sum(1 for size in sizes if size)
    handles = ", ".join(["!transform.any_op"] * (1 + loops))
    script = f"""
module attributes {{transform.with_named_sequence}} {{
  transform.named_sequence @__transform_main(%root: !transform.any_op {{transform.readonly}}) {{
    %op = transform.structured.match attributes {{tiled}} in %root : (!transform.any_op) -> !transform.any_op
    %tiled, %loops:{loops} = transform.structured.tile_using_for %op tile_sizes {list(sizes)} : (!transform.any_op) -> ({handles})
    transform.yield
  }}
}}
"""
    source, transform = f"{folder}/source.mlir", f"{folder}/transform.mlir"
    for path, content in ((source, text), (transform, script)):
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
    result = execute(mlir_opt, f"--load-dialect-plugin={plugin}",
                     f"--transform-preload-library=transform-library-paths={transform}",
                     "--transform-interpreter", "--canonicalize", "--lower-affine", source)
    if "scf.for" not in result:
        raise Failure("no loop was built")
    return result


def run(weft, mlir_opt, plugin, name, operation, sizes, inits, outs, prelude, head, operands):
    with tempfile.TemporaryDirectory() as folder:
        text = module_of(operation, inits, outs, prelude, head, operands)
        tiled = tile(mlir_opt, plugin, text, sizes, folder)
        module = Module(weft, tiled, f"{folder}/m")
        arrays = [typed(x)[0] for x in list(operands.values()) + list(inits)]
        results = module.call_alike(arrays)
        half = len(results) // 2
        for i in range(half):
            x, y = results[i], results[half + i]
            if x.shape != y.shape or x.tobytes() != y.tobytes():
                where = np.argwhere(~((x == y) | ((x != x) & (y != y))))[:3].tolist()
                raise Failure(f"result {i} of the tiled one differs at {where}")


#===----------------------------------------------------------------------===#
# weft
#===----------------------------------------------------------------------===#

PACKED = "#weft.format<elem = #lowp.int<4, signed>, scales = [#lowp.scale<multiply, [1, 8], f32>]>"
CONTRACT = """weft.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
    affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] ins({x}, %w : {x:}, WEIGHT)
    outs({outs} : {outs:}) {mark} -> {results:}"""

case("contract", CONTRACT.replace("%w", "{w}").replace("WEIGHT", "{w:}"), [3, 4, 5],
     [dyn(whole(7, 9), 0)], x=dyn(whole(7, 16), 0), w=whole(9, 16))
case("contract-packed-rows", CONTRACT.replace("WEIGHT", "!w"), [3, 0, 0], [dyn(whole(7, 9), 0)],
     head=f"!w = !weft.packed<9x16xf32, {PACKED}>",
     prelude="%w = weft.assemble %codes, %scale : tensor<72xi8>, tensor<9x2xf32> -> !w",
     x=dyn(whole(7, 16), 0), codes=whole(72, dtype="int8", low=-128, high=128),
     scale=(2.0 ** rng.integers(-2, 3, (9, 2))).astype("float32"))
case("contract-packed-cut", CONTRACT.replace("WEIGHT", "!w"), [3, 4, 6], [whole(7, 9)],
     head=f"!w = !weft.packed<9x16xf32, {PACKED}>",
     prelude="%w = weft.assemble %codes, %scale : tensor<72xi8>, tensor<9x2xf32> -> !w",
     x=whole(7, 16), codes=whole(72, dtype="int8", low=-128, high=128),
     scale=(2.0 ** rng.integers(-2, 3, (9, 2))).astype("float32"))

UNPACK = "weft.unpack ins(%w : !w) outs({outs} : {outs:}) {mark} -> {results:}"
case("unpack", UNPACK, [4, 5], [whole(9, 16)], head=f"!w = !weft.packed<9x16xf32, {PACKED}>",
     prelude="%w = weft.assemble %codes, %scale : tensor<72xi8>, tensor<9x2xf32> -> !w",
     codes=whole(72, dtype="int8", low=-128, high=128), scale=real(9, 2))
case("unpack-dynamic", UNPACK, [4, 3], [dyn(whole(9, 5), 0)],
     head="!w = !weft.packed<?x5xf32, #weft.format<elem = #lowp.int<3, unsigned>>>",
     prelude="%w = weft.assemble %codes : tensor<?xi8> -> !w",
     codes=dyn(whole(17, dtype="int8", low=-128, high=128), 0))
case("unpack-sparse", UNPACK, [2, 3], [whole(5, 8)],
     head="""!w = !weft.packed<5x8xf32, #weft.format<elem = #weft.value<f32>,
                                                  structure = #sparse.csr<i32>>>""",
     prelude="%w = weft.assemble %v, %o, %c : tensor<6xi32>, tensor<6xi32>, tensor<6xi32> -> !w",
     v=real(6).view("int32"), o=np.array([0, 2, 2, 3, 6, 6], "int32"),
     c=np.array([1, 7, 0, 2, 3, 6], "int32"))

CONV = """weft.conv {kind}strides = {strides} dilations = {dilations} pads = {pads} groups = {groups}
    ins({x}, {w} : {x:}, {w:}) outs({outs} : {outs:}) {mark} -> {results:}"""


def conv(name, sizes, x, w, out, strides, dilations, pads, groups=1, kind="", dynamic=((), (), ())):
    """`dynamic` are the dynamic dimensions of input, filter and init."""
    text = CONV
    for key, value in (("kind", kind), ("strides", strides), ("dilations", dilations),
                       ("pads", pads), ("groups", groups)):
        text = text.replace("{" + key + "}", str(value))
    image, weights, init = (dyn(whole(*s), *d) for s, d in zip((x, w, out), dynamic))
    case(f"conv-{name}", text, sizes, [init], x=image, w=weights)


conv("padded", [1, 3, 2, 3], (2, 3, 9, 11), (7, 3, 3, 3), (2, 7, 5, 11), [2, 1], [1, 1],
     [1, 1, 1, 1])
conv("dilated-dynamic", [2, 4, 3, 2], (3, 2, 9, 8), (5, 2, 3, 2), (3, 5, 7, 8), [1, 1], [2, 1],
     [2, 0, 0, 1], dynamic=((0, 2, 3), (0,), (0, 1, 2, 3)))
conv("valid", [0, 0, 2], (1, 4, 13), (3, 4, 3), (1, 3, 6), [2], [1], [0, 0])
conv("cropped", [0, 0, 4], (1, 2, 13), (3, 2, 2), (1, 3, 9), [1], [1], [-1, -2])
conv("wide-pads", [0, 0, 2], (1, 2, 3), (3, 2, 2), (1, 3, 12), [1], [1], [5, 5])
conv("empty-input", [0, 2, 3], (1, 2, 0), (3, 2, 2), (1, 3, 7), [1], [1], [4, 4])
conv("grouped", [1, 1, 3], (2, 6, 8), (9, 2, 3), (2, 9, 8), [1], [1], [1, 1], 3)
conv("depthwise", [1, 4, 0, 3], (2, 8, 5, 6), (8, 1, 3, 3), (2, 8, 5, 6), [1, 1], [1, 1],
     [1, 1, 1, 1], 8)
conv("transposed", [1, 2], (2, 4, 5), (4, 3, 3), (2, 3, 11), [2], [1], [0, 0], kind="transposed ")
conv("transposed-grouped", [1, 1], (2, 4, 5), (4, 3, 3), (2, 6, 11), [2], [1], [0, 0], 2,
     kind="transposed ")
case("conv-packed", CONV.replace("{kind}", "").replace("{strides}", "[1]").replace(
    "{dilations}", "[1]").replace("{pads}", "[1, 1]").replace("{groups}", "1").replace(
        "{w:}", "!w").replace("{w}", "%w"), [0, 2, 4], [whole(2, 5, 9)],
     head="!w = !weft.packed<5x4x3xf32, #weft.format<elem = #lowp.int<4, signed>>>",
     prelude="%w = weft.assemble %codes : tensor<30xi8> -> !w",
     x=whole(2, 4, 9), codes=whole(30, dtype="int8", low=-128, high=128))

case("gather", """weft.gather batch_dims = 1 ins({x}, {i} : {x:}, {i:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [1, 2, 4], [dyn(real(3, 5, 7), 1, 2)], x=dyn(real(3, 6, 7), 2),
     i=dyn(rng.integers(-6, 6, (3, 5, 1)), 1))
case("embed", """weft.embed ins({x}, {i} : {x:}, {i:}) outs({outs} : {outs:}) {mark}
    -> {results:}""", [1, 2, 4], [dyn(real(3, 5, 7), 1)], x=real(6, 7),
     i=dyn(rng.integers(-6, 6, (3, 5)), 1))
case("embed-packed", "weft.embed ins(%w, {i} : !w, {i:}) outs({outs} : {outs:}) {mark} -> {results:}",
     [4, 0], [whole(7, 16)], head=f"!w = !weft.packed<9x16xf32, {PACKED}>",
     prelude="%w = weft.assemble %codes, %scale : tensor<72xi8>, tensor<9x2xf32> -> !w",
     codes=whole(72, dtype="int8", low=-128, high=128), scale=real(9, 2),
     i=rng.integers(-9, 9, (7,)))
case("scatter", """weft.scatter ins({i}, {x} : {i:}, {x:}) outs({outs} : {outs:})
    attributes {mark} {
    ^bb0(%old: f32, %new: f32):
      %sum = arith.addf %old, %new : f32
      weft.yield %sum : f32
    } -> {results:}""", [3, 2], [dyn(real(6, 7, 5), 1)], x=dyn(real(9, 7, 5), 1),
     i=rng.integers(-6, 6, (9, 1)))
case("scan", """weft.scan sum exclusive dimension = 1 ins({x} : {x:}) outs({outs} : {outs:}) {mark}
    -> {results:}""", [2, 3], [dyn(real(3, 6, 7), 0)], x=dyn(real(3, 6, 7), 0))

#===----------------------------------------------------------------------===#
# lowp and sparse
#===----------------------------------------------------------------------===#

case("observe", "lowp.observe sum {x} blocks [2, 0, 3] {mark} : {x:} -> {results:}", [2, 0, 2], [],
     ["tensor<4x1x3xf32>"], x=halves(7, 5, 8))
case("observe-dynamic", "lowp.observe absmax {x} blocks [0, 2] {mark} : {x:} -> {results:}", [0, 3],
     [], ["tensor<1x?xf32>"], x=dyn(real(6, 9), 0, 1))
case("rotate", """lowp.rotate {x} by #lowp.hadamard<4, "signs"> along 1 ({s} : {s:}) {mark} : {x:}""",
     [2, 3], [], ["tensor<5x8x?xf32>"], x=dyn(halves(5, 8, 7), 2),
     s=np.where(real(8) < 0, -1, 1).astype("float32"))

PRUNE = "sparse.prune to STRUCTURE ins({x} : {x:}) outs({outs} : {outs:}) {mark} -> {results:}"
case("prune-nm", PRUNE.replace("STRUCTURE", "#sparse.nm<2, 4>"), [2, 1], [whole(5, 10)],
     x=whole(5, 10))
case("prune-nm-axis", PRUNE.replace("STRUCTURE", "#sparse.nm<1, 3, axis = 0>"), [2, 3],
     [dyn(whole(11, 7), 0, 1)], x=dyn(whole(11, 7), 0, 1))
case("prune-vnm", PRUNE.replace("STRUCTURE", "#sparse.vnm<2, 2, 8>"), [1, 2], [whole(5, 19)],
     x=whole(5, 19))
case("prune-ell", PRUNE.replace("STRUCTURE", "#sparse.ell<3, i16>"), [3], [whole(7, 9)],
     x=whole(7, 9))
case("prune-block", PRUNE.replace("STRUCTURE", "#sparse.block<2, 3, #sparse.nm<1, 2>>"), [2, 1],
     [whole(7, 11)], x=whole(7, 11))
case("prune-scores", """sparse.prune to #sparse.nm<2, 4> ins({x} : {x:}) scores({s} : {s:})
    outs({outs} : {outs:}) {mark} -> {results:}""", [2, 2], [whole(5, 10)], x=whole(5, 10),
     s=whole(5, 10))
case("topk-mask", """sparse.topk_mask k = 2 dimension = 1 ins({x} : {x:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [2, 3], [dyn(whole(5, 6, 7, dtype="int8"), 0)],
     x=dyn(whole(5, 6, 7), 0))
case("expand", """sparse.expand dimension = 1 ins({x}, {p} : {x:}, {p:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [2, 3], [real(5, 6, 7)], x=real(5, 4, 7),
     p=np.array([0, 3, 5, -1], "int32"))

#===----------------------------------------------------------------------===#
# moe and attn
#===----------------------------------------------------------------------===#

case("route", """moe.route softmax top_k normalize = sum ins({x} : {x:}) bias({b} : {b:})
    outs({outs} : {outs:}) {mark} -> {results:}""", [3],
     [dyn(whole(8, 2, dtype="int32"), 0), dyn(real(8, 2), 0)], x=dyn(real(8, 6), 0), b=real(6))
case("route-table", """moe.route softmax table ins({x} : {x:}) table({t}, {k} : {t:}, {k:})
    outs({outs} : {outs:}) {mark} -> {results:}""", [3],
     [whole(8, 2, dtype="int32"), real(8, 2)], x=real(8, 6),
     t=rng.integers(-1, 6, (10, 2)).astype("int32"), k=rng.integers(0, 10, (8,)).astype("int32"))
case("combine", """moe.combine ins({x}, {p} : {x:}, {p:}) weights({w} : {w:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [3, 4], [dyn(real(8, 7), 0)], x=real(10, 7),
     p=dyn(rng.integers(-1, 10, (8, 3)).astype("int32"), 0), w=dyn(real(8, 3), 0))
for transposed in ("", "transposed "):
    case(f"grouped-matmul-{transposed.strip() or 'plain'}", f"""moe.grouped_matmul {transposed}
        ins({{x}} : {{x:}}) weights({{w}} : {{w:}}) biases({{b}} : {{b:}}) offsets({{o}} : {{o:}})
        outs({{outs}} : {{outs:}}) {{mark}} -> {{results:}}""", [4], [whole(9, 10)], x=whole(9, 8),
         w=whole(3, 10, 8) if transposed else whole(3, 8, 10), b=whole(3, 10),
         o=np.array([0, 4, 4, 8], "int32"))
case("expert-ffn", """moe.expert_ffn ins({x}, {i}, {g} : {x:}, {i:}, {g:}) up({u} : {u:})
    down({d} : {d:}) outs({outs} : {outs:}) {mark} activation {
    ^bb0(%s: f32):
      %zero = arith.constant 0.0 : f32
      %r = arith.maximumf %s, %zero : f32
      moe.yield %r : f32
    } -> {results:}""", [3], [dyn(whole(7, 5), 0)], x=dyn(whole(7, 6), 0),
     i=dyn(rng.integers(-1, 4, (7, 2)).astype("int32"), 0), g=dyn(halves(7, 2), 0),
     u=whole(4, 6, 8), d=whole(4, 8, 5))

case("attend", """attn.attend causal ins({q}, {k}, {v} : {q:}, {k:}, {v:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [1, 1, 3], [dyn(real(2, 4, 7, 5), 2)], q=dyn(real(2, 4, 7, 8), 2),
     k=real(2, 2, 9, 8), v=real(2, 2, 9, 5))
case("partial", """attn.partial ins({q}, {k}, {v} : {q:}, {k:}, {v:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [1, 1, 3], [dyn(real(3, 2, 4, 7, 5), 3), dyn(real(3, 2, 4, 7), 3)],
     q=dyn(real(2, 4, 7, 8), 2), k=real(2, 4, 9, 8), v=real(2, 4, 9, 5))
case("merge", "attn.merge ins({p}, {l} : {p:}, {l:}) outs({outs} : {outs:}) {mark} -> {results:}",
     [2, 2], [real(5, 3, 7), real(5, 3)], p=real(4, 5, 3, 7), l=real(4, 5, 3))
case("merge-one", "attn.merge ins({p}, {l} : {p:}, {l:}) outs({outs} : {outs:}) {mark} -> {results:}",
     [2, 3], [dyn(real(5, 7), 0)], p=dyn(real(4, 5, 7), 1), l=dyn(real(4, 5), 1))
case("linear", """attn.linear causal ins({q}, {k}, {v} : {q:}, {k:}, {v:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [2, 1],
     [dyn(whole(3, 2, 5, 3), 0), dyn(whole(3, 2, 4, 3), 0), dyn(whole(3, 2, 4), 0)],
     q=dyn(whole(3, 2, 5, 4), 0), k=dyn(whole(3, 2, 5, 4), 0), v=dyn(whole(3, 2, 5, 3), 0))
case("kv-evict", """attn.kv_evict sinks = 1 recent = 2 ins({s} : {s:}) caches({c} : {c:})
    lengths({n} : {n:}) outs({outs} : {outs:}) {mark} -> {results:}""", [2, 2],
     [whole(3, 5, 4, dtype="int32"), real(3, 5, 4, 6)], s=real(3, 5, 9), c=real(3, 5, 9, 6),
     n=np.array([9, 3, 6], "int32"))

#===----------------------------------------------------------------------===#
# ssm
#===----------------------------------------------------------------------===#


def scan(name, sizes, inits, config, kind="ssm.scan", **operands):
    """An ssm.scan or ssm.step; operands in the order that the assembly has them."""
    parts = " ".join(f"{key}({{{key}}} : {{{key}:}})" for key in operands)
    case(f"{kind}-{name}", f"""{kind} {config} {parts} outs({{outs}} : {{outs:}}) {{mark}}
        -> {{results:}}""", sizes, inits, **operands)


scan("outer", [2, 2, 4], [dyn(real(3, 5, 4, 7), 0, 1), dyn(real(3, 4, 6, 7), 0)], "outer scalar",
     query=dyn(real(3, 5, 4, 6), 0, 1), key=dyn(real(3, 5, 4, 6), 0, 1),
     value=dyn(real(3, 5, 4, 7), 0, 1), decay=dyn(-abs(real(3, 5, 4)), 0, 1),
     initial=dyn(real(3, 4, 6, 7), 0))
scan("shared-keys", [2, 1, 3], [real(3, 5, 4, 7), real(3, 4, 6, 7)], "outer diag",
     query=real(3, 5, 2, 6), key=real(3, 5, 1, 6), value=real(3, 5, 4, 7),
     decay=-abs(real(1, 5, 4, 6)))
scan("grouped-queries", [0, 1, 3], [real(2, 5, 6, 7), real(2, 3, 6, 7)], "outer identity",
     query=real(2, 5, 6, 6), key=real(2, 5, 3, 6), value=real(2, 5, 3, 7))
scan("all-heads", [2, 0, 3], [real(3, 5, 4, 7), real(3, 4, 6, 7)], "outer identity",
     query=real(3, 5, 2, 6), key=real(3, 5, 1, 6), value=real(3, 5, 4, 7))
scan("vector", [2, 3], [real(3, 5, 4), real(3, 4, 6)], "vector diag", query=real(3, 5, 4, 6),
     value=real(3, 5, 4, 6), decay=-abs(real(3, 5, 4, 6)), rate=abs(real(4, 6)))
scan("states", [2, 3, 2], [real(3, 5, 4, 6, 7), real(3, 4, 6, 7), real(3, 2, 4, 6, 7)],
     "outer scalar emit = every count = 2", key=real(3, 5, 4, 6), value=real(3, 5, 4, 7),
     decay=-abs(real(3, 5, 4)))
scan("offsets", [3, 2], [real(1, 9, 4, 7), real(3, 4, 6, 7)], "outer identity reverse",
     query=real(1, 9, 4, 6), key=real(1, 9, 4, 6), value=real(1, 9, 4, 7),
     initial=real(3, 4, 6, 7), offsets=np.array([0, 4, 4, 8], "int32"))
scan("sources", [2, 3, 4], [real(3, 5, 4, 7), real(3, 4, 6, 7)], "outer identity",
     query=real(3, 5, 4, 6), key=real(3, 5, 4, 6), value=real(3, 5, 4, 7),
     initial=real(6, 4, 6, 7), sources=np.array([5, -1, 2], "int32"))
scan("both", [3, 4], [real(3, 5, 4, 7), real(6, 4, 6, 7)], "outer scalar bidirectional",
     query=real(3, 5, 4, 6), key=real(3, 5, 4, 6), value=real(3, 5, 4, 7),
     decay=-abs(real(3, 5, 4)))
scan("householder", [2, 3, 2], [real(3, 5, 4, 7), real(3, 4, 6, 7)], "outer householder",
     query=real(3, 5, 4, 6), key=real(3, 5, 4, 6), value=real(3, 5, 4, 7),
     decay=-abs(real(3, 5, 4)), alpha=real(3, 5, 4, 6) / 4, beta=real(3, 5, 4, 6) / 4)
scan("dense", [2, 3], [real(3, 5, 4, 6), real(3, 4, 6)], "vector dense_lti",
     value=real(3, 5, 4, 6), matrix=real(4, 6, 6) / 4)
scan("complex", [2, 3, 2], [real(3, 5, 4, 7), real(3, 4, 6, 7)], "outer complex_diag",
     query=real(3, 5, 4, 6), key=real(3, 5, 4, 6), value=real(3, 5, 4, 7),
     decay=-abs(real(3, 5, 4, 3)), angle=real(3, 5, 4, 3))
scan("bonus", [2, 3, 2], [real(3, 5, 4, 7), real(3, 4, 6, 7)], "outer diag read = pre",
     query=real(3, 5, 4, 6), key=real(3, 5, 4, 6), value=real(3, 5, 4, 7),
     decay=-abs(real(3, 5, 4, 6)), bonus=real(4, 6))
scan("outer", [2, 3, 4], [real(3, 1, 4, 7), real(3, 4, 6, 7)], "outer scalar", "ssm.step",
     query=real(3, 1, 4, 6), key=real(3, 1, 4, 6), value=real(3, 1, 4, 7),
     decay=-abs(real(3, 1, 4)), initial=real(3, 4, 6, 7))

for wide in (False, True):
    init = [real(3, 5, 7, *([4] if wide else [])) for _ in range(2)]
    case(f"ssm-discretize-{'states' if wide else 'channels'}", """ssm.discretize zoh softplus
        delta({x} : {x:}) rate({r} : {r:}) bias({b} : {b:}) outs({outs} : {outs:}) {mark}
        -> {results:}""", [2, 3, 4, 3] if wide else [2, 3, 4], init, x=real(3, 5, 7),
         r=-abs(real(7, 4)) if wide else -abs(real(7)), b=real(7))
case("ssm-discretize-offsets", """ssm.discretize rglru delta({x} : {x:}) rate({r} : {r:})
    offsets({o} : {o:}) outs({outs} : {outs:}) {mark} -> {results:}""", [0, 4],
     [real(1, 9, 7), real(1, 9, 7)], x=real(1, 9, 7), r=abs(real(7)),
     o=np.array([0, 4, 4, 9], "int32"))
CAUSAL = """ssm.causal_conv1d silu ins({x}, {w} : {x:}, {w:}) bias({b} : {b:}) state({s} : {s:})
    MORE outs({outs} : {outs:}) {mark} -> {results:}"""
case("ssm-causal-conv1d", CAUSAL.replace("MORE", ""), [2, 4],
     [dyn(halves(3, 6, 7), 0), dyn(halves(3, 3, 7), 0)], x=dyn(halves(3, 6, 7), 0),
     w=halves(7, 4), b=halves(7), s=dyn(halves(3, 3, 7), 0))
case("ssm-causal-conv1d-offsets", CAUSAL.replace("MORE", """offsets({o} : {o:}) sources({f} : {f:})
    destinations({t} : {t:})"""), [4], [halves(1, 9, 7), halves(5, 3, 7)], x=halves(1, 9, 7),
     w=halves(7, 4), b=halves(7), s=halves(4, 3, 7), o=np.array([0, 4, 4, 9], "int32"),
     f=np.array([3, -1, 0], "int32"), t=np.array([4, 1, -1], "int32"))
case("ssm-causal-conv1d-sources", CAUSAL.replace("MORE", "sources({f} : {f:})"), [2, 4],
     [halves(3, 6, 7), halves(3, 3, 7)], x=halves(3, 6, 7), w=halves(7, 4), b=halves(7),
     s=halves(4, 3, 7), f=np.array([3, -1, 0], "int32"))
case("ssm-long-conv", """ssm.long_conv ins({x}, {w} : {x:}, {w:}) skip({s} : {s:}) pre({p} : {p:})
    outs({outs} : {outs:}) {mark} -> {results:}""", [2, 3], [dyn(halves(3, 9, 5), 0, 1)],
     x=dyn(halves(3, 9, 5), 0, 1), w=halves(5, 6), s=halves(5), p=dyn(halves(3, 9, 5), 0, 1))
case("ssm-reduce-state", """ssm.reduce_state ins({k}, {v} : {k:}, {v:}) weights({w} : {w:})
    outs({outs} : {outs:}) {mark} -> {results:}""", [2, 1, 3, 4], [halves(3, 4, 5, 7)],
     k=halves(3, 9, 2, 5), v=halves(3, 9, 4, 7), w=halves(3, 9, 4))
case("ssm-reduce-state-offsets", """ssm.reduce_state ins({k}, {v} : {k:}, {v:}) offsets({o} : {o:})
    outs({outs} : {outs:}) {mark} -> {results:}""", [3, 3, 4], [halves(3, 4, 5, 7)],
     k=halves(1, 9, 4, 5), v=halves(1, 9, 4, 7), o=np.array([0, 4, 4, 8], "int32"))
case("ssm-segsum", "ssm.segsum ins({x} : {x:}) outs({outs} : {outs:}) {mark} -> {results:}", [2, 2],
     [dyn(real(3, 5, 6, 6), 0)], x=dyn(real(3, 5, 6), 0))
case("ssm-solve-tril", """ssm.solve_tril ins({a}, {x} : {a:}, {x:}) outs({outs} : {outs:}) {mark}
    -> {results:}""", [2, 3], [dyn(halves(3, 4, 7), 0)], a=dyn(whole(3, 4, 4, low=-1, high=2), 0),
     x=dyn(halves(3, 4, 7), 0))
case("ssm-scan-region", """ssm.scan_region reverse dimension = 1 ins({x}, {y} : {x:}, {y:})
    identity(%one, %zero : f32, f32) outs({outs} : {outs:}) attributes {mark} {
    ^bb0(%a0: f32, %b0: f32, %a1: f32, %b1: f32):
      %0 = arith.mulf %a0, %a1 : f32
      %1 = arith.mulf %a1, %b0 : f32
      %2 = arith.addf %1, %b1 : f32
      ssm.yield %0, %2 : f32, f32
    } -> {results:}""", [2, 3], [dyn(real(3, 6, 7), 0), dyn(real(3, 6, 7), 0)],
     prelude="%one = arith.constant 1.0 : f32\n  %zero = arith.constant 0.0 : f32",
     x=dyn(real(3, 6, 7), 0), y=dyn(real(3, 6, 7), 0))
for transition, chunk, tokens in (("scalar", 3, 10), ("householder", 4, 12)):
    erases = transition == "householder"
    extra = {n: real(2, tokens, 4, 5) / 4 for n in ("alpha", "beta")} if erases else {}
    more = "".join(f" {n}({{{n}}} : {{{n}:}})" for n in extra)
    count = -(-tokens // chunk)
    shapes = {"k": real(2, tokens, 4, 5), "v": real(2, tokens, 4, 6), "g": -abs(real(2, tokens, 4))}
    case(f"ssm-chunk-summary-{transition}", f"""ssm.chunk_summary {transition} chunk = {chunk}
        key({{k}} : {{k:}}) value({{v}} : {{v:}}) decay({{g}} : {{g:}}){more} outs({{outs}} : {{outs:}})
        {{mark}} -> {{results:}}""", [1, 2, 3],
         [real(2, count, 4, 5, *([5] if erases else [])), real(2, count, 4, 5, 6)], **shapes, **extra)
    case(f"ssm-chunk-apply-{transition}", f"""ssm.chunk_apply {transition} chunk = {chunk}
        query({{q}} : {{q:}}) key({{k}} : {{k:}}) value({{v}} : {{v:}}) decay({{g}} : {{g:}}){more}
        states({{s}} : {{s:}}) outs({{outs}} : {{outs:}}) {{mark}} -> {{results:}}""", [1, 3, 3, 4],
         [real(2, tokens, 4, 6)], q=real(2, tokens, 4, 5), **shapes, **extra,
         s=real(2, count, 4, 5, 6))
case("ssm-chunk-apply-dynamic", """ssm.chunk_apply scalar chunk = 3 query({q} : {q:}) key({k} : {k:})
    value({v} : {v:}) decay({g} : {g:}) states({s} : {s:}) outs({outs} : {outs:}) {mark}
    -> {results:}""", [0, 2, 0, 4], [dyn(real(2, 10, 4, 6), 1)], q=dyn(real(2, 10, 4, 5), 1),
     k=dyn(real(2, 10, 4, 5), 1), v=dyn(real(2, 10, 4, 6), 1), g=dyn(-abs(real(2, 10, 4)), 1),
     s=dyn(real(2, 4, 4, 5, 6), 1))

#===----------------------------------------------------------------------===#
# Other types, and nothing at all
#===----------------------------------------------------------------------===#

case("contract-int8", CONTRACT.replace("%w", "{w}").replace("WEIGHT", "{w:}").replace(
    "indexing_maps", "unsigned_lhs indexing_maps"), [3, 4, 5], [whole(7, 9, dtype="int32")],
     x=whole(7, 16, dtype="int8", low=-128, high=128), w=whole(9, 16, dtype="int8", low=-128, high=128))
case("conv-int8", CONV.replace("{kind}", "").replace("{strides}", "[1]").replace(
    "{dilations}", "[2]").replace("{pads}", "[2, 2]").replace("{groups}", "1"), [1, 2, 4],
     [whole(2, 5, 9, dtype="int32")], x=whole(2, 4, 9, dtype="int8", low=-128, high=128),
     w=whole(5, 4, 3, dtype="int8", low=-128, high=128))
case("embed-half", """weft.embed ins({x}, {i} : {x:}, {i:}) outs({outs} : {outs:}) {mark}
    -> {results:}""", [4, 3], [real(7, 5)], x=real(6, 5, dtype="float16"),
     i=rng.integers(-6, 6, (7,)).astype("int32"))
case("scan-int64", """weft.scan product reverse dimension = 0 ins({x} : {x:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [3], [whole(5, 7, dtype="int64")], x=whole(5, 7, dtype="int64"))
case("observe-double", "lowp.observe min {x} blocks [3, 1] {mark} : {x:} -> {results:}", [1, 2], [],
     ["tensor<2x5xf64>"], x=real(4, 5, dtype="float64"))
case("prune-int8", PRUNE.replace("STRUCTURE", "#sparse.nm<2, 4>"), [2, 2],
     [whole(5, 10, dtype="int8")], x=whole(5, 10, dtype="int8", low=-128, high=128))
case("expand-half", """sparse.expand dimension = 0 ins({x}, {p} : {x:}, {p:}) outs({outs} : {outs:})
    {mark} -> {results:}""", [3], [real(6, 7, dtype="float16")], x=real(3, 7, dtype="float16"),
     p=np.array([1, 4, -1], "int32"))
case("combine-half", """moe.combine ins({x}, {p} : {x:}, {p:}) outs({outs} : {outs:}) {mark}
    -> {results:}""", [3, 4], [real(8, 7, dtype="float16")], x=real(10, 7, dtype="float16"),
     p=rng.integers(-1, 10, (8, 3)).astype("int32"))
scan("double", [2, 3, 4], [real(3, 5, 4, 7, dtype="float64"), real(3, 4, 6, 7, dtype="float64")],
     "outer scalar", query=real(3, 5, 4, 6, dtype="float64"), key=real(3, 5, 4, 6, dtype="float64"),
     value=real(3, 5, 4, 7, dtype="float64"), decay=-abs(real(3, 5, 4, dtype="float64")))
scan("half", [2, 3, 4], [real(3, 5, 4, 7, dtype="float16"), real(3, 4, 6, 7)], "outer identity",
     query=real(3, 5, 4, 6, dtype="float16"), key=real(3, 5, 4, 6, dtype="float16"),
     value=real(3, 5, 4, 7, dtype="float16"))

EMPTY = [dyn(real(0, 5, 4, 7), 0), dyn(real(0, 4, 6, 7), 0)]
scan("no-sequences", [2, 3, 4], EMPTY, "outer identity", query=dyn(real(0, 5, 4, 6), 0),
     key=dyn(real(0, 5, 4, 6), 0), value=dyn(real(0, 5, 4, 7), 0))
scan("no-tokens", [2, 3, 4], [dyn(real(3, 0, 4, 7), 1), real(3, 4, 6, 7)], "outer identity",
     query=dyn(real(3, 0, 4, 6), 1), key=dyn(real(3, 0, 4, 6), 1), value=dyn(real(3, 0, 4, 7), 1),
     initial=real(3, 4, 6, 7))
conv("no-batch", [2, 3, 4], (0, 2, 9), (5, 2, 3), (0, 5, 9), [1], [1], [1, 1],
     dynamic=((0,), (), (0,)))
conv("no-channels", [1, 3, 4], (2, 0, 9), (5, 0, 3), (2, 5, 9), [1], [1], [1, 1],
     dynamic=((1,), (1,), ()))
case("contract-no-columns", CONTRACT.replace("%w", "{w}").replace("WEIGHT", "{w:}"), [3, 4, 5],
     [dyn(whole(7, 0), 1)], x=whole(7, 16), w=dyn(whole(0, 16), 0))
case("gather-no-rows", """weft.gather batch_dims = 0 ins({x}, {i} : {x:}, {i:})
    outs({outs} : {outs:}) {mark} -> {results:}""", [2, 4], [dyn(real(0, 7), 0)], x=real(6, 7),
     i=dyn(rng.integers(-6, 6, (0, 1)), 0))
case("embed-no-ids", """weft.embed ins({x}, {i} : {x:}, {i:}) outs({outs} : {outs:}) {mark}
    -> {results:}""", [2, 4], [dyn(real(0, 7), 0)], x=real(6, 7), i=dyn(rng.integers(-6, 6, (0,)), 0))
case("observe-no-rows", "lowp.observe max {x} blocks [0, 2] {mark} : {x:} -> {results:}", [0, 2], [],
     ["tensor<1x?xf32>"], x=dyn(real(0, 9), 0, 1))
case("prune-nothing", PRUNE.replace("STRUCTURE", "#sparse.nm<2, 4>"), [2, 2],
     [dyn(whole(5, 0), 1)], x=dyn(whole(5, 0), 1))
case("expert-ffn-no-tokens", """moe.expert_ffn ins({x}, {i}, {g} : {x:}, {i:}, {g:}) up({u} : {u:})
    down({d} : {d:}) outs({outs} : {outs:}) {mark} activation {
    ^bb0(%s: f32):
      moe.yield %s : f32
    } -> {results:}""", [3], [dyn(whole(0, 5), 0)], x=dyn(whole(0, 6), 0),
     i=dyn(rng.integers(-1, 4, (0, 2)).astype("int32"), 0), g=dyn(halves(0, 2), 0),
     u=whole(4, 6, 8), d=whole(4, 8, 5))


def main():
    weft, mlir_opt, plugin, *parts = sys.argv[1:]
    failed = count = 0
    for name, *rest in CASES:
        if any(part not in name for part in parts):
            continue
        count += 1
        try:
            run(weft, mlir_opt, plugin, name, *rest)
        except Failure as error:
            failed += 1
            print(f"{name}: {error}")
    print(f"{count - failed} of {count} operations are the same tiled")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
