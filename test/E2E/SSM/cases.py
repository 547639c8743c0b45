#!/usr/bin/env python3
#===- cases.py - The ssm operations against NumPy in float64 ----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs each ssm operation in all its configurations: static, dynamic and
empty extents, all element types, several numbers of threads.

Usage: cases.py WEFT-PROGRAM [REGEX]"""

import re
import sys

import ml_dtypes
import numpy as np

import reference
from harness import Runner

run = Runner(sys.argv[1])
only = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
rng = np.random.default_rng(11)
I = lambda *values: np.array(values, np.int32)


def normal(*shape, scale=1.0):
    return scale * rng.standard_normal(shape)


def scan_case(name, state, kind, element="float32", dynamics=("", "BTSQERIC", "BTSQERICHKVG"),
              B=2, T=7, H=3, K=4, V=5, Hk=None, Hq=None, key=True, query=True, decay=None, rate=None,
              initial=False, angle=False, fixed=(), bonus=False, op="ssm.scan", rows=None,
              init=(None, None, None), refused=None, **config):
    """One configuration. `decay` and `rate` are "head" or "row"; operands in `fixed` are
    the same for all batches and tokens."""
    if not only.search(name):
        return
    vector = state == "vector"
    n, reads, rank = (config.get(x, 1) for x in ("substeps", "reads", "rank"))
    Hk, Hq = Hk or H, Hq or H
    kept = "KV" if not vector else "K"
    space = {"K": K, "V": V, "H": H, "P": K // 2}
    operands, values = [], {}

    def add(keyword, array, letters, cast=True):
        if keyword in fixed:
            array = array[:1, :1]
            letters = "11" + letters[2:]
        array = array.astype(ml_dtypes.bfloat16 if element == "bfloat16" else element) if cast else array
        operands.append((keyword, keyword, array, letters))
        values[keyword] = array

    if query:
        add("query", normal(B, T * reads, Hq, K), "BQqK" if Hq > H else "BQhK" if Hq < H else "BQHK")
    if key and not vector:
        add("key", normal(B, T * n, Hk, K, scale=0.5), "BShK" if Hk < H else "BSHK")
        add("value", normal(B, T * n, H, V), "BSHV")
    else:
        add("value", normal(B, T * n, H, *[space[x] for x in kept]), "BSH" + kept)
    rows_of = "P" if kind == "complex_diag" else "K"
    width = {"row": [space[rows_of]], "head": [], None: None}
    log = lambda *shape: (normal(*shape) if config.get("linear") else -np.abs(normal(*shape)) - 0.05)
    if decay:
        add("decay", log(B, T, H, *width[decay]), "BTH" + (rows_of if decay == "row" else ""))
        if rate:
            values["decay"] = operands[-1][2][...] = -operands[-1][2]  # a step, times a rate below 0
    if rate:
        add("rate", log(H, *width[rate]), "H" + (rows_of if rate == "row" else ""))
    if angle:
        add("angle", normal(B, T, H, K // 2), "BTHP")
    if kind in ("householder", "diag_plus_lowrank"):
        m = n if kind == "householder" else rank
        add("alpha", normal(B, T * m, Hk, K, scale=0.4), "BEhK" if Hk < H else "BEHK")
        add("beta", normal(B, T * m, Hk, K, scale=0.4), "BEhK" if Hk < H else "BEHK")
    if kind == "dense_lti":
        add("matrix", normal(H, K, K, scale=0.4), "HKK")
    if kind == "dense":
        add("matrix", normal(B, T, H, K, K, scale=0.4), "BTHKK")
    if bonus:
        add("bonus", normal(H, K), "HK")
    compute = "float64" if element == "float64" else "float32"
    offsets = config.get("offsets")
    sequences = B if offsets is None else len(offsets) - 1
    both = 2 if config.get("direction") == "bidirectional" else 1
    if initial:
        count = initial if initial is not True else sequences * both
        add("initial", normal(count, H, *[space[x] for x in kept]).astype(compute), "IH" + kept,
            cast=False)
    for word, letters in (("offsets", "O"), ("order", "T"), ("sources", "N"), ("destinations", "N")):
        if config.get(word) is not None:
            operands.append((word, word, config[word], letters))
    attributes = [state, kind]
    if config.get("direction"):
        attributes.append(config["direction"])
    if config.get("linear"):
        attributes.append("linear")
    for word in ("read", "rank", "substeps", "reads", "emit", "count", "chunk"):
        if word in config:
            attributes.append(f"{word} = {config[word]}")
    lead = [B, T * reads, max(H, Hq)]
    if query:
        output = (lead + [] if vector else lead + [V], "BQ" + ("q" if Hq > H else "H") + ("" if vector else "V"))
    else:
        output = ([B, T, H] + [space[x] for x in kept], "BTH" + kept)
    final = ([rows or sequences * both, H] + [space[x] for x in kept], "RH" + kept)
    inits = [(*output, element, init[0]), (*final, compute, init[1])]
    if "emit" in config:
        every = config["emit"] == "every"
        extent = T // config["count"] if every else config["count"]
        first = B if offsets is None or every else sequences
        inits.append(([first, extent, H] + [space[x] for x in kept], ("B" if first == B else "F") +
                      ("C" if every else "c") + "H" + kept, compute, init[2]))
    options = {k: v for k, v in config.items() if k != "chunk"}
    arrays = {k: v for k, v in values.items()}
    if B * T * H > 0:
        want = reference.scan(state, kind, arrays, T, H, K, V, fill=[x or 0 for x in init],
                              final_rows=rows, **options)
    else:
        want = [np.zeros(shape) for shape, *_ in inits]
        if T == 0 and initial:
            want[1] = values["initial"].astype(np.float64)
    order = ["query", "key", "value", "decay", "rate", "angle", "alpha", "beta", "matrix", "bonus",
             "initial", "offsets", "order", "sources", "destinations"]
    operands.sort(key=lambda o: order.index(o[0]))
    for dynamic in dynamics:
        # An output of unknown extents gets them from operands that have the same.
        if rows or "R" in dynamic:
            letters = "".join(o[3] for o in operands)
            alias = {"R": "I" if "I" in letters and not rows else "B", "C": None}
            shown = []
            for shape, letter, kind_of, number in inits:
                if letter[0] == "R" and rows is None and offsets is None and both == 1:
                    letter = ("I" if "I" in letters else "B") + letter[1:]
                shown.append((shape, letter, kind_of, number))
        else:
            shown = inits
        known = set("".join(o[3] for o in operands))
        usable = "".join(x for x in dynamic if x in known)
        if dynamic and usable in ("", None):
            continue
        run.operation(name, f"{op} {' '.join(attributes)}", operands, shown, want, usable, refused=refused)


# Transitions, of vectors and of matrices.
for state in ("outer", "vector"):
    scan_case(f"{state}-identity", state, "identity", initial=True)
    scan_case(f"{state}-scalar", state, "scalar", decay="head", initial=True)
    scan_case(f"{state}-constant", state, "scalar", rate="head")
    scan_case(f"{state}-diag", state, "diag", decay="row")
    scan_case(f"{state}-rate", state, "diag", decay="head", rate="row", initial=True)
    scan_case(f"{state}-linear", state, "diag", decay="row", linear=True, initial=True)
    scan_case(f"{state}-complex", state, "complex_diag", decay="row", angle=True, initial=True,
              dynamics=("", "BTSQERI", "BTSQERIHV"))
    scan_case(f"{state}-complex-linear", state, "complex_diag", decay="row", angle=True, linear=True,
              dynamics=("",))
    scan_case(f"{state}-rotation", state, "rotation", decay="head", angle=True, dynamics=("",))
    scan_case(f"{state}-rotation-only", state, "rotation", angle=True, dynamics=("", "BTSQERI"))
    scan_case(f"{state}-dense-lti", state, "dense_lti", initial=True)
    scan_case(f"{state}-dense", state, "dense", initial=True)
    scan_case(f"{state}-householder", state, "householder", initial=True)
    scan_case(f"{state}-lowrank", state, "diag_plus_lowrank", decay="row", initial=True)
    scan_case(f"{state}-states", state, "diag", decay="row", query=False, initial=True, K=70)
    scan_case(f"{state}-states-before", state, "scalar", decay="head", query=False, read="pre",
              initial=True)
scan_case("householder-scalar", "outer", "householder", decay="head")
scan_case("householder-diag", "outer", "householder", decay="row")
scan_case("householder-product", "outer", "householder", decay="head", substeps=3)
scan_case("lowrank-2", "outer", "diag_plus_lowrank", rank=2)
scan_case("lowrank-scalar", "outer", "diag_plus_lowrank", decay="head")
scan_case("substeps", "outer", "scalar", decay="head", substeps=2, reads=3)
scan_case("pre", "outer", "diag", decay="row", read="pre", initial=True)
scan_case("bonus", "outer", "diag", decay="row", read="pre", bonus=True)
scan_case("inject-matrix", "outer", "diag", decay="row", key=False)

# Heads that share, and what is the same for all.
scan_case("shared-keys", "outer", "scalar", decay="head", H=6, Hk=2, Hq=2)
scan_case("one-key", "outer", "diag", decay="head", rate="row", H=5, Hk=1, Hq=1, V=1)
scan_case("grouped-queries", "outer", "scalar", decay="head", H=2, Hq=6)
scan_case("fixed", "outer", "complex_diag", decay="row", angle=True,
          fixed=("decay", "angle", "key", "query"), V=1, dynamics=("",))
scan_case("fixed-decay", "vector", "diag", decay="row", fixed=("decay",), query=False, dynamics=("", "BTS"))

# Directions, sequences, slots, orders, checkpoints.
scan_case("reverse", "outer", "diag", decay="row", direction="reverse", initial=True)
scan_case("bidirectional", "outer", "scalar", decay="head", direction="bidirectional")
scan_case("bidirectional-initial", "vector", "diag", decay="row", direction="bidirectional", initial=True)
bounds = I(0, 3, 3, 8, 11)
ragged = dict(B=1, T=11, decay="head", dynamics=("", "TSQE", "TSQEHKV"))
scan_case("ragged", "outer", "scalar", offsets=bounds, initial=True, **ragged)
scan_case("ragged-reverse", "outer", "scalar", offsets=bounds, direction="reverse", initial=True, **ragged)
scan_case("ragged-both", "vector", "scalar", offsets=bounds, direction="bidirectional", initial=True, **ragged)
scan_case("ragged-gap", "outer", "scalar", offsets=I(2, 4, 9), init=(7, None, None), **ragged)
scan_case("ragged-bad", "outer", "scalar", offsets=I(-3, 4, 2, 99, 6), init=(7, None, None),
          refused="'offsets' has -3", **ragged)
scan_case("ragged-none", "outer", "scalar", offsets=I(0), init=(7, None, None), **ragged)
scan_case("slots", "outer", "scalar", offsets=bounds, initial=6, rows=5, sources=I(4, -1, 0, 4),
          destinations=I(2, 0, -1, 4), init=(None, 7, None), **ragged)
scan_case("slots-bad", "outer", "scalar", offsets=bounds, initial=6, rows=5, sources=I(6, -9, 99, 2),
          destinations=I(5, 0, 1 << 30, -7), init=(None, 7, None),
          refused="'sources' has 6", **ragged)
scan_case("slots-batch", "outer", "scalar", B=3, initial=4, rows=6, decay="head", sources=I(3, 0, -1),
          destinations=I(5, 1, 0), init=(None, 7, None))
scan_case("order", "outer", "scalar", decay="head", order=I(3, 0, 6, 2, 5, 1, 4))
scan_case("order-bad", "outer", "scalar", decay="head", order=I(3, 0, 99, 2, -5, 1, 4), init=(7, None, None),
          refused="'order' has 99")
scan_case("order-ragged", "outer", "scalar", order=I(*rng.permutation(11)), offsets=bounds, **ragged)
scan_case("every", "outer", "scalar", decay="head", emit="every", count=3)
scan_case("every-none", "outer", "scalar", decay="head", emit="every", count=9, dynamics=("",))
scan_case("every-ragged", "outer", "scalar", offsets=bounds, emit="every", count=2, init=(None, None, 7), **ragged)
scan_case("every-bad", "outer", "scalar", offsets=I(0, 11, 0, 11), emit="every", count=2,
          init=(None, None, 7), refused="'offsets' has 0",
          **{**ragged, "dynamics": ("",)})
scan_case("window", "vector", "scalar", decay="head", emit="window", count=3)
scan_case("window-ragged", "outer", "scalar", offsets=bounds, emit="window", count=4, init=(None, None, 7), **ragged)

# Element types, and extents that end inside of tiles.
for element in ("float16", "bfloat16", "float64"):
    scan_case(f"outer-{element}", "outer", "diag", element, decay="row", initial=True, dynamics=("", "BTSQERI"))
    scan_case(f"vector-{element}", "vector", "scalar", element, decay="head", query=False, dynamics=("",))
    scan_case(f"householder-{element}", "outer", "householder", element, decay="head", dynamics=("",))
    scan_case(f"bidirectional-{element}", "outer", "scalar", element, decay="head",
              direction="bidirectional", dynamics=("",))
scan_case("wide", "outer", "householder", decay="head", K=67, V=131, T=33)
scan_case("long-vector", "vector", "diag", decay="row", query=False, K=131, T=33)
scan_case("one-state", "vector", "diag", decay="row", query=False, K=1, B=1, H=70)
for empty in ("B", "T", "H", "K", "V"):
    scan_case(f"empty-{empty}", "outer", "diag", decay="row", initial=True, init=(0, None, None),
              dynamics=("", "BTSQERI", "BTSQERIHKV"), **{empty: 0})
scan_case("empty-vector", "vector", "diag", decay="row", initial=True, T=0)

# Chunks change nothing, and one token is a step.
for chunk in (1, 3, 64):
    scan_case(f"chunk-{chunk}", "outer", "diag", decay="row", chunk=chunk, dynamics=("",))
    scan_case(f"chunk-{chunk}-householder", "outer", "householder", decay="head", initial=True, chunk=chunk,
              dynamics=("", "BTSQERI"))
for kind, rest in {"identity": {}, "scalar": {"decay": "head", "rate": "head"}, "diag_plus_lowrank": {"decay": "row"},
                   "diag": {"decay": "row", "linear": True}}.items():
    scan_case(f"chunked-{kind}", "outer", kind, initial=True, chunk=4, dynamics=("", "BTSQERI"), **rest)
scan_case("chunk-reverse", "outer", "scalar", decay="head", chunk=3, direction="reverse", dynamics=("",))
for kind in ("scalar", "householder"):
    scan_case(f"step-{kind}", "outer", kind, decay="head", T=1, op="ssm.step", initial=True,
              dynamics=("", "BI", "BIHKV"))
    scan_case(f"one-token-{kind}", "outer", kind, decay="head", T=1, initial=True)
scan_case("step-slots", "outer", "scalar", B=3, T=1, initial=4, rows=6, decay="head", op="ssm.step",
          sources=I(3, 0, -1), destinations=I(5, 1, 0), init=(None, 7, None), dynamics=("", "BI", "BIHKV"))


def conv_case(name, element="float32", B=2, T=9, C=5, W=4, bias=True, state=False, final=True, rows=None,
              dynamics=("", "BTI", "BTIC"), init=(None, None), refused=None, **config):
    if not only.search(name):
        return
    dtype = ml_dtypes.bfloat16 if element == "bfloat16" else element
    x, w = normal(B, T, C).astype(dtype), normal(C, W).astype(dtype)
    operands = [("ins", "x", x, "BTC"), ("ins", "w", w, "CW")]
    dilation = config.get("dilation", 1)
    history = (W - 1) * dilation
    offsets = config.get("offsets")
    sequences = B if offsets is None else len(offsets) - 1
    b = normal(C).astype(dtype) if bias else None
    s = normal(sequences if state is True else state, history, C).astype(dtype) if state else None
    if bias:
        operands.append(("bias", "b", b, "C"))
    if state:
        operands.append(("state", "s", s, "ISC"))
    for word, letters in (("offsets", "O"), ("sources", "N"), ("destinations", "N")):
        if config.get(word) is not None:
            operands.append((word, word, config[word], letters))
    attributes = "".join(f" {word}" for word in ("silu",) if config.get(word))
    attributes += f" dilation = {dilation}" if dilation != 1 else ""
    attributes += " reverse" if config.get("reverse") else ""
    inits = [([B, T, C], "BTC", element, init[0])]
    if final:
        shape = [rows or sequences, history, C]
        inits.append((shape, ("R" if rows or offsets is not None else "B") + "SC", element, init[1]))
    want = reference.causal_conv(x, w, b, s, fill=[v or 0 for v in init], final_rows=rows, **config)
    for dynamic in dynamics:
        run.operation(name, f"ssm.causal_conv1d{attributes}", operands, inits, want[:len(inits)], dynamic,
                      refused=refused)


conv_case("conv")
conv_case("conv-plain", bias=False, final=False)
conv_case("conv-state", state=True, silu=True)
conv_case("conv-dilated", state=True, dilation=3, W=3)
conv_case("conv-reverse", state=True, reverse=True, silu=True)
conv_case("conv-short", state=True, T=2)
conv_case("conv-one", state=True, T=1)
conv_case("conv-width-1", W=1, dynamics=("",))
conv_case("conv-wide", C=131, W=7, T=33)
conv_case("conv-empty", T=0, state=True)
conv_case("conv-no-batch", B=0, state=True)
conv_case("conv-no-channels", C=0, state=True)
for element in ("float16", "bfloat16", "float64"):
    conv_case(f"conv-{element}", element, state=True, silu=True, dynamics=("", "BTI"))
conv_case("conv-ragged", B=1, T=11, offsets=bounds, state=True, dynamics=("", "TC"))
conv_case("conv-ragged-reverse", B=1, T=11, offsets=bounds, state=True, reverse=True, dynamics=("", "TC"))
conv_case("conv-bad", B=1, T=11, offsets=I(0, 4, 2, 99, 6), init=(7, None), dynamics=("", "TC"),
          refused="'offsets' has 2")
conv_case("conv-slots", B=1, T=11, offsets=bounds, state=6, rows=5, sources=I(4, -1, 99, 0),
          destinations=I(2, 99, -1, 4), init=(None, 7), dynamics=("", "TC"),
          refused="'sources' has 99")
conv_case("conv-slots-batch", B=3, state=4, rows=6, sources=I(3, 0, -1), destinations=I(5, 1, 0),
          init=(None, 7), dynamics=("",))

# Rows of states that only the call knows: one for each sequence.
if only.search("conv-rows"):
    run.refuses("conv-rows", """
func.func @main(%n: index {weft.symbol = "n"}, %m: index {weft.symbol = "m"},
                %x: tensor<1x7x5xf32> {weft.name = "x"}, %w: tensor<5x4xf32> {weft.name = "w"},
                %o: tensor<?xi32> {weft.name = "o", weft.dims = ["n"]},
                %s: tensor<?x3x5xf32> {weft.name = "s", weft.dims = ["m", 3, 5]})
    -> (tensor<1x7x5xf32> {weft.name = "y"}, tensor<?x3x5xf32> {weft.name = "next"}) {
  %e = tensor.empty() : tensor<1x7x5xf32>
  %r:2 = ssm.causal_conv1d ins(%x, %w : tensor<1x7x5xf32>, tensor<5x4xf32>) offsets(%o : tensor<?xi32>)
      outs(%e, %s : tensor<1x7x5xf32>, tensor<?x3x5xf32>) -> tensor<1x7x5xf32>, tensor<?x3x5xf32>
  return %r#0, %r#1 : tensor<1x7x5xf32>, tensor<?x3x5xf32>
}
""", {"x": normal(1, 7, 5).astype("f4"), "w": normal(5, 4).astype("f4"), "o": I(*[0] * 901),
      "s": np.zeros((2, 3, 5), "f4")}, "'next state' has an extent of 2 in dimension 0, expected 900")


def simple(name, head, operands, inits, want, dynamics, refused=None):
    if only.search(name):
        for dynamic in dynamics:
            run.operation(name, head, operands, inits, want, dynamic, refused=refused)


def long_case(name, element="float32", B=2, T=9, D=3, L=9, skip=False, pre=False, post=False, reverse=False,
              dynamics=("", "BT", "BTDL")):
    dtype = ml_dtypes.bfloat16 if element == "bfloat16" else element
    u, k = normal(B, T, D).astype(dtype), normal(D, L).astype(dtype)
    s, p, q = normal(D).astype(dtype), normal(B, T, D).astype(dtype), normal(B, T, D).astype(dtype)
    operands = [("ins", "u", u, "BTD"), ("ins", "k", k, "DL")]
    operands += [("skip", "s", s, "D")] * skip + [("pre", "p", p, "BTD")] * pre + [("post", "q", q, "BTD")] * post
    wide = [x.astype(np.float64) for x in (u, k, s, p, q)]
    v = wide[0] * wide[3] if pre else wide[0]
    y = np.zeros(v.shape)
    for t in range(T):
        for j in range(L):
            at = t + j if reverse else t - j
            if 0 <= at < T:
                y[:, t] += wide[1][:, j] * v[:, at]
    y = y + wide[2] * v if skip else y
    y = y * wide[4] if post else y
    head = "ssm.long_conv" + (" method = fft_monarch" if skip else "") + (" reverse" if reverse else "")
    simple(name, head, operands, [([B, T, D], "BTD", element, None)], [y], dynamics)


long_case("long")
long_case("long-short-filter", L=4)
long_case("long-gated", skip=True, pre=True, post=True)
long_case("long-reverse", skip=True, reverse=True)
long_case("long-post", post=True, T=33, L=50, D=70)
for element in ("float16", "bfloat16", "float64"):
    long_case(f"long-{element}", element, pre=True, skip=True, dynamics=("",))
for empty in ("B", "T", "D", "L"):
    long_case(f"long-empty-{empty}", **{empty: 0})


def reduce_case(name, element="float32", B=2, T=9, H=4, Hk=4, K=3, V=5, weights=False, offsets=None,
                dynamics=("", "BT", "BTHKV"), refused=None):
    dtype = ml_dtypes.bfloat16 if element == "bfloat16" else element
    k, v, w = (normal(*shape).astype(dtype) for shape in ((B, T, Hk, K), (B, T, H, V), (B, T, H)))
    operands = [("ins", "k", k, "BTHK" if H == Hk else "BTgK"), ("ins", "v", v, "BTHV")]
    operands += [("weights", "w", w, "BTH")] * weights
    wide = np.repeat(k.astype(np.float64), H // Hk, axis=2) * (w.astype(np.float64)[..., None] if weights else 1)
    terms = np.einsum("bthk,bthv->bthkv", wide, v.astype(np.float64))
    want = terms.sum(1)
    rows, letter = B, "B"
    if offsets is not None:
        operands.append(("offsets", "o", offsets, "O"))
        bounds = np.clip(offsets, 0, T)
        want = np.stack([terms[0, a:b].sum(0) for a, b in zip(bounds, bounds[1:])])
        rows, letter = len(offsets) - 1, "G"
    compute = "float64" if element == "float64" else "float32"
    simple(name, "ssm.reduce_state", operands, [([rows, H, K, V], letter + "HKV", compute, None)], [want], dynamics, refused)


reduce_case("reduce")
reduce_case("reduce-weights", weights=True, Hk=2)
reduce_case("reduce-ragged", B=1, T=11, offsets=bounds, weights=True, dynamics=("", "T"))
reduce_case("reduce-bad", B=1, T=11, offsets=I(0, 4, 2, 99, 6), dynamics=("",),
            refused="'offsets' has 2")
reduce_case("reduce-empty", T=0)
for element in ("float16", "bfloat16", "float64"):
    reduce_case(f"reduce-{element}", element, dynamics=("",))

for name, shape, letters in (("segsum", (3, 2, 6), "ABQ"), ("segsum-one", (9,), "Q"), ("segsum-long", (2, 65), "AQ"),
                             ("segsum-empty", (2, 0), "AQ"), ("segsum-single", (2, 1), "AQ")):
    g = (-np.abs(normal(*shape))).astype(np.float32)
    size = shape[-1]
    want = np.zeros(shape + (size,))
    for i in range(size):
        for j in range(i + 1):
            want[..., i, j] = np.exp(g[..., j + 1:i + 1].astype(np.float64).sum(-1))
    simple(name, "ssm.segsum", [("ins", "g", g, letters)],
           [(want.shape, letters + "Q", "float32", None)], [want], ("", letters))
# Sums that a difference of sums from the first token on would lose.
g = np.array([-3e38, -1.0, -1.0, -np.inf, -1.0], np.float32)
want = np.zeros((5, 5))
for i in range(5):
    for j in range(i + 1):
        want[i, j] = np.exp(g[j + 1:i + 1].astype(np.float64).sum())
simple("segsum-large", "ssm.segsum", [("ins", "g", g, "Q")], [((5, 5), "QQ", "float32", None)], [want], ("",))

for name, lead, size, columns in (("solve", (3, 2), 6, 4), ("solve-one", (), 9, 1), ("solve-wide", (2,), 33, 70),
                                  ("solve-empty", (2,), 0, 3), ("solve-no-columns", (2,), 3, 0)):
    a, rhs = normal(*lead, size, size, scale=0.3), normal(*lead, size, columns)
    a, rhs = a.astype(np.float32), rhs.astype(np.float32)
    matrix = np.eye(size) + np.tril(a.astype(np.float64), -1)
    want = np.linalg.solve(matrix, rhs.astype(np.float64)) if size else np.zeros(rhs.shape)
    letters = "AB"[:len(lead)]
    simple(name, "ssm.solve_tril", [("ins", "a", a, letters + "QQ"), ("ins", "rhs", rhs, letters + "QN")],
           [(rhs.shape, letters + "QN", "float32", None)], [want], ("", letters + "QN"))


def split_case(name, kind, chunk, element="float32", decay=None, T=11, B=2, H=4, Hk=2, K=3, V=5, dynamic=False):
    """A scan in chunks: what each does to a state, the states that they begin with, and
    their outputs, is the scan, whatever their size is."""
    name = f"split-{name}-{chunk}" + ("-dynamic" if dynamic else "")
    if not only.search(name):
        return
    J = -(-T // chunk)
    short = {"float32": "f32", "float64": "f64", "float16": "f16"}[element]
    wide = "f64" if element == "float64" else "f32"
    diagonal = kind in ("identity", "scalar", "diag")
    feed = {"query": normal(B, T, H, K), "key": normal(B, T, Hk, K, scale=0.5), "value": normal(B, T, H, V)}
    if decay:
        feed["decay"] = -np.abs(normal(B, T, H, *([K] if decay == "row" else [])))
    if not diagonal:
        feed["alpha"], feed["beta"] = normal(B, T, Hk, K, scale=0.4), normal(B, T, H, K, scale=0.4)
    feed = {k: v.astype(element) for k, v in feed.items()}
    feed["initial"] = normal(B, H, K, V).astype("float64" if wide == "f64" else "float32")
    b, t, j = ("?", "?", "?") if dynamic else (B, T, J)
    fold = lambda n, array: "x".join(map(str, [b] + ([t] if n != "initial" else []) +
                                         list(array.shape[2 if n != "initial" else 1:])))
    types = {n: f"tensor<{fold(n, v)}x{wide if n == 'initial' else short}>" for n, v in feed.items()}
    M = f"tensor<{b}x{j}x{H}x{K}{'' if diagonal else f'x{K}'}x{wide}>"
    U, S, Y = (f"tensor<{b}x{j}x{H}x{K}x{V}x{wide}>", f"tensor<{b}x{H}x{K}x{V}x{wide}>",
               f"tensor<{b}x{t}x{H}x{V}x{short}>")
    sizes = lambda *names: ", ".join(names) if dynamic else ""
    operands = lambda *names: " ".join(f"{n}(%{n} : {types[n]})" for n in names if n in types)
    shared = operands("key", "value", "decay", "alpha", "beta")
    dims = {n: (["B", "T"] if n != "initial" else ["B"]) if dynamic else list(v.shape[:1 if n == "initial" else 2])
            for n, v in feed.items()}
    shown = lambda n, v: ", ".join(f'"{d}"' if isinstance(d, str) else str(d)
                                   for d in dims[n] + list(v.shape[len(dims[n]):]))
    arguments = ['%B: index {weft.symbol = "B"}', '%T: index {weft.symbol = "T"}'] if dynamic else []
    arguments += [f'%{n}: {types[n]} {{weft.name = "{n}", weft.dims = [{shown(n, v)}]}}' for n, v in feed.items()]
    transition = (f"diag linear read = pre value(%u : {U}) decay(%m : {M})" if diagonal else
                  f"dense read = pre value(%u : {U}) matrix(%m : {M})")
    text = f"""func.func @main({', '.join(arguments)}) -> ({Y} {{weft.name = "y"}}, {S} {{weft.name = "s"}}) {{
  %c = arith.constant {chunk} : index
  {"%J = arith.ceildivsi %T, %c : index" if dynamic else ""}
  %m0 = tensor.empty({sizes("%B", "%J")}) : {M}
  %u0 = tensor.empty({sizes("%B", "%J")}) : {U}
  %s0 = tensor.empty({sizes("%B")}) : {S}
  %y0 = tensor.empty({sizes("%B", "%T")}) : {Y}
  %m, %u = ssm.chunk_summary {kind} chunk = {chunk} {shared} outs(%m0, %u0 : {M}, {U}) -> {M}, {U}
  %starts, %s = ssm.scan outer {transition} {operands("initial")} outs(%u0, %s0 : {U}, {S}) -> {U}, {S}
  %y = ssm.chunk_apply {kind} chunk = {chunk} {operands("query")} {shared} states(%starts : {U})
      outs(%y0 : {Y}) -> {Y}
  return %y, %s : {Y}, {S}
}}
"""
    have = run.module(text, feed, ["y", "s"], name)
    run.count += 1
    want = reference.scan("outer", kind, feed, T, H, K, V)
    if have is not None:
        run.compare(name + "-y", have[0], want[0], element)
        run.compare(name + "-s", have[1], want[1], "float64" if wide == "f64" else "float32")


for chunk in (1, 3, 4, 64):
    split_case("scalar", "scalar", chunk, decay="head", dynamic=chunk == 3)
    split_case("householder", "householder", chunk, decay="head", dynamic=chunk == 4)
split_case("identity", "identity", 4)
split_case("diag", "diag", 4, decay="row", dynamic=True)
split_case("diag-f64", "diag", 4, "float64", decay="row")
split_case("diag-f16", "diag", 4, "float16", decay="row")
split_case("kda", "householder", 4, decay="row")
split_case("lowrank", "diag_plus_lowrank", 3, decay="row")
split_case("empty", "scalar", 4, decay="head", T=0)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))


def discretize_case(name, rule, B=2, T=5, D=4, N=None, softplus_=False, bias=False, imag=False, offsets=None,
                    low=None, high=None, element="float32", rate=True, dynamics=("", "BT", "BTDN"),
                    refused=None):
    shape = (D,) if N is None else (D, N)
    letters = "D" if N is None else "DN"
    step = normal(B, T, D) if softplus_ or rule == "rglru" else np.abs(normal(B, T, D)) + 0.1
    cast = lambda x: x.astype(element)
    delta, a, b = cast(step), cast(-np.abs(normal(*shape)) - 0.1), cast(normal(D))
    im, gate = cast(normal(*shape)), cast(normal(B, T, D))
    if rule == "zoh" and D > 1:
        a[0] = im[0] = 0
    operands = [("delta", "delta", delta, "BTD")] + [("rate", "a", a, letters)] * rate
    operands += [("imag", "im", im, letters)] * imag + [("bias", "b", b, "D")] * bias
    operands += [("gate", "gate", gate, "BTD")] * (rule == "trapezoid")
    x = delta.astype(np.float64) + (b.astype(np.float64) if bias else 0)
    x = softplus(x) if softplus_ else x
    x = np.clip(x, low if low is not None else -np.inf, high if high is not None else np.inf)
    A, x = a.astype(np.float64), x if N is None else x[..., None]
    A = A + 1j * im.astype(np.float64) if imag else A
    full = x + 0 * A
    safe = np.where(A == 0, 1, A)
    if rule == "zoh":
        want = [x * A, np.where(A == 0, full, (np.exp(x * A) - 1) / safe)]
        if imag:
            want = [want[0].real, want[0].imag, want[1].real, want[1].imag]
    elif rule == "exponential_euler":
        want = [x * A if rate else full, full] if rate else [x, x]
    elif rule == "euler":
        want = [1 + x * A, full]
    elif rule == "bilinear":
        want = [(1 + x * A / 2) / (1 - x * A / 2), full / (1 - x * A / 2)]
        if imag:
            want = [want[0].real, want[0].imag, want[1].real, want[1].imag]
    elif rule == "trapezoid":
        p = sigmoid(gate.astype(np.float64))
        p = p if N is None else p[..., None]
        want = [x * A, full * p, full * (1 - p)]
    else:
        log = -8 * sigmoid(x) * softplus(A)
        want = [log + 0 * full, np.sqrt(1 - np.exp(2 * log))]
    if offsets is not None:
        operands.append(("offsets", "o", offsets, "O"))
        want[1][0, [t for t in offsets[:-1] if 0 <= t < T]] = 1
    head = f"ssm.discretize {rule}" + (" softplus" if softplus_ else "")
    head += (f" low = {low}" if low is not None else "") + (f" high = {high}" if high is not None else "")
    inits = [(w.shape, "BT" + letters, element, None) for w in want]
    simple(name, head, operands, inits, want, dynamics, refused)


discretize_case("zoh", "zoh")
discretize_case("zoh-states", "zoh", N=3, softplus_=True, bias=True, low=0.05, high=0.9)
discretize_case("zoh-complex", "zoh", N=3, imag=True)
discretize_case("bilinear", "bilinear")
discretize_case("bilinear-complex", "bilinear", imag=True)
discretize_case("euler", "euler", N=2)
discretize_case("exponential", "exponential_euler", N=2, softplus_=True)
discretize_case("exponential-step", "exponential_euler", softplus_=True, bias=True, rate=False, dynamics=("", "BTD"))
discretize_case("trapezoid", "trapezoid", softplus_=True)
discretize_case("rglru", "rglru")
discretize_case("rglru-reset", "rglru", B=1, T=11, offsets=I(0, 3, 3, 11), dynamics=("", "T"))
discretize_case("rglru-bad", "rglru", B=1, T=11, offsets=I(-4, 3, 12, 2), dynamics=("",),
                refused="'offsets' has -4")
discretize_case("discretize-f64", "zoh", element="float64", imag=True, dynamics=("",))
discretize_case("discretize-f16", "zoh", element="float16", dynamics=("",))
discretize_case("discretize-empty", "zoh", T=0, dynamics=("", "BT"))

PAIR = """{
  ^bb0(%a0: f32, %b0: f32, %a1: f32, %b1: f32):
    %p = arith.mulf %a0, %a1 : f32
    %q = arith.mulf %a1, %b0 : f32
    %s = arith.addf %q, %b1 : f32
    ssm.yield %p, %s : f32, f32
  }"""
SUM = """{
  ^bb0(%a0: f32, %a1: f32):
    %s = arith.addf %a0, %a1 : f32
    ssm.yield %s : f32
  }"""


def region_case(name, shape, along, exclusive=False, reverse=False, dynamics=("", "ABC")):
    """Pairs (a, b) of the recurrence h = a h + b, whose b are the states."""
    a, b = normal(*shape, scale=0.7).astype(np.float32), normal(*shape).astype(np.float32)
    moved = [np.moveaxis(x.astype(np.float64), along, 0) for x in (a, b)]
    if reverse:
        moved = [x[::-1] for x in moved]
    products, states = np.zeros(moved[0].shape), np.zeros(moved[0].shape)
    p, h = np.ones(moved[0].shape[1:]), np.zeros(moved[0].shape[1:])
    for i in range(len(moved[0])):
        before = p, h
        p, h = p * moved[0][i], moved[0][i] * h + moved[1][i]
        products[i], states[i] = before if exclusive else (p, h)
    want = [np.moveaxis(x[::-1] if reverse else x, 0, along) for x in (products, states)]
    letters = "ABC"[:len(shape)]
    head = "ssm.scan_region" + " exclusive" * exclusive + " reverse" * reverse + f" dimension = {along}"
    if not only.search(name):
        return
    for dynamic in dynamics:
        # The identities are no tensors: they are written into the text.
        run.operation(name, f"%one = arith.constant 1.0 : f32\n  %zero = arith.constant 0.0 : f32\n  "
                      f"RESULTS{head}", [("ins", "a", a, letters), ("ins", "b", b, letters)],
                      [(shape, letters, "float32", None)] * 2, want, dynamic, PAIR)


region_case("region", (3, 7), 1)
region_case("region-exclusive", (3, 7, 2), 1, exclusive=True)
region_case("region-reverse", (3, 7), 0, reverse=True)
region_case("region-both", (9,), 0, exclusive=True, reverse=True, dynamics=("", "A"))
region_case("region-empty", (3, 0), 1)

print(f"{run.count} modules, {len(run.failures)} failures")
sys.exit(1 if run.failures else 0)
