#!/usr/bin/env python3
#===- cases.py - The attention dialect --------------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Runs the operations of the attention dialect, as they are decomposed on the CPU and
row by row, against the formulas of their documentation in float64.

Tolerances: operands are of size 1 and sums of f32 have at most some hundred terms, so that
1e-5 holds for f32; results of f16 are rounded to 11 bits (2e-3), of bf16 to 8
(1.6e-2), of f64 to 53.

Usage: cases.py WEFT-PROGRAM [PART-OF-NAME]"""

import math
import sys

import numpy as np

from module import Runner, bfloat16

runner = Runner(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")
rng = np.random.default_rng(11)
INF = float("inf")


def normal(*shape, kind="f4"):
    return rng.standard_normal(shape).astype(bfloat16 if kind == "bf" else kind)


# -- The reference: one query at a time, from the formulas -----------------------


def take(array, letters, **at):
    """The slice of `array` at the given letters; missing ones are ignored."""
    return array[tuple(at[n] if n in at else slice(None) for n in letters)]


def attend(q, k, v, letters, *, scale=None, softcap=None, causal=False, window=None, globals_=0,
           bias=None, mask=None, slopes=None, sinks=None, lengths=None, starts=None, offset=0,
           blocks=None, block_mask=None, table=None, query_offsets=None, key_offsets=None,
           region=None, empty="zero", pieces=None):
    """The result and the logarithms. Arrays in float64, `letters` (query, key, value, result)."""
    lq, lk, lv, lo = letters
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    size = dict(zip(lq, q.shape))
    heads, rows, batch = size.get("h", 1), size["s"], size.get("b", 1)
    keys = dict(zip(lk, k.shape))
    key_heads = keys.get("h", 1)
    width = v.shape[lv.index("e")]
    scale = 1 / math.sqrt(max(size["d"], 1)) if scale is None else scale
    parts = pieces or 1
    out = np.zeros((parts, batch, heads, rows, width))
    logs = np.full((parts, batch, heads, rows), -INF)

    def element(tensor, b, h, s, t):
        if tensor is None:
            return None
        at = (b, h, s, t)[4 - tensor.ndim:]
        return tensor[tuple(0 if n == 1 else i for n, i in zip(tensor.shape, at))]

    for b in range(batch):
        for h in range(heads):
            kh = h // max(heads // max(key_heads, 1), 1)
            for s in range(rows):
                seq, local = b, s
                if query_offsets is not None:
                    found = [g for g in range(len(query_offsets) - 1)
                             if query_offsets[g] <= s < query_offsets[g + 1]]
                    if not found:
                        continue
                    seq = found[-1]
                    local = s - query_offsets[seq]
                position = offset + (starts[seq] if starts is not None else 0) + local
                if table is not None:
                    page = keys["t"]
                    count = table.shape[1] * page
                    row = lambda x, lx, t: take(x, lx, p=table[seq, t // page], t=t % page, h=kh)
                elif key_offsets is not None:
                    base = key_offsets[seq]
                    count = key_offsets[seq + 1] - base
                    row = lambda x, lx, t: take(x, lx, t=base + t, h=kh)
                else:
                    count = keys["t"]
                    row = lambda x, lx, t: take(x, lx, b=seq, t=t, h=kh)
                query = take(q, lq, b=b, h=h, s=s)
                step = -(-count // parts) if count else 0
                for piece in range(parts):
                    scores, values = [], []
                    for t in range(piece * step, min((piece + 1) * step, count)):
                        if lengths is not None and t >= lengths[seq]:
                            continue
                        if causal and t > position:
                            continue
                        if window is not None and not t < globals_:
                            left, right = window
                            if (left >= 0 and t < position - left) or (
                                    right >= 0 and t > position + right):
                                continue
                        if mask is not None and not element(mask, seq, h, s, t):
                            continue
                        if block_mask is not None:
                            i = min(max(int(position / blocks[0]), 0), block_mask.shape[-2] - 1)
                            j = min(t // blocks[1], block_mask.shape[-1] - 1)
                            if not element(block_mask, seq, h, i, j):
                                continue
                        score = scale * float(query @ row(k, lk, t))
                        if softcap:
                            score = softcap * math.tanh(score / softcap)
                        if bias is not None:
                            score += element(bias, seq, h, s, t)
                        if slopes is not None:
                            score += slopes[h] * (t - position)
                        if region is not None:
                            score = region(score, seq, h, s, t)
                        scores.append(score)
                        values.append(row(v, lv, t))
                    extra = [sinks[h]] if sinks is not None else []
                    most = max(scores + extra, default=-INF)
                    if most == -INF:
                        out[piece, b, h, s] = np.nan if empty == "nan" and keys["t"] else 0
                        continue
                    powers = np.exp(np.array(scores) - most)
                    total = powers.sum() + sum(math.exp(x - most) for x in extra)
                    logs[piece, b, h, s] = most + math.log(total)
                    if scores:
                        out[piece, b, h, s] = powers @ np.array(values) / total
    # To the letters of the result.
    whole = "bhse"

    def arrange(array, order, given):
        for n in given:
            if n not in order:
                array = array.take(0, axis=1 + given.index(n))
                given = given.replace(n, "")
        array = array.transpose([0] + [1 + given.index(n) for n in order])
        return array if pieces else array[0]

    return arrange(out, lo, whole), arrange(logs, lo.replace("e", ""), whole[:3])


# -- One case --------------------------------------------------------------------

METADATA = [("bias", "bias", None), ("mask", "mask", None), ("block_mask", "block_mask", None),
            ("slopes", "slopes", "h"), ("sinks", "sinks", "h"),
            ("lengths", "key_lengths", "g"), ("starts", "starts", "g"),
            ("table", "pages", "gw"), ("query_offsets", "query_offsets", "G"),
            ("key_offsets", "key_offsets", "G")]


def case(name, layout="bhsd,bhtd,bhte->bhse", kind="f4", log=False, result=None, region_text="",
         modes=(False, True), sizes=None, keys=None, pieces=None, result_kind=None, poison=False,
         **config):
    operands, lo = layout.split("->")
    lq, lk, lv = operands.split(",")
    sizes = {"b": 2, "h": 2, "s": 5, "t": 7, "d": 6, "e": 3, **(sizes or {})}
    heads = keys or sizes["h"]

    def shape(letters, isKeys):
        return [heads if n == "h" and isKeys else sizes[n] for n in letters]

    def dims(letters, isKeys):
        return ["H" if n == "h" and isKeys and heads != sizes["h"] else n for n in letters]

    q, k, v = (normal(*shape(x, i > 0), kind=kind) for i, x in enumerate((lq, lk, lv)))
    if poison:  # a cache holds anything behind its lengths
        for x, letters in ((k, lk), (v, lv)):
            moved = np.moveaxis(x, (letters.index("b"), letters.index("t")), (0, 1))
            for b, length in enumerate(config["lengths"]):
                moved[b, max(length, 0):] = np.nan
    inputs = {"q": (q, dims(lq, False)), "k": (k, dims(lk, True)), "v": (v, dims(lv, True))}
    clauses = ""
    # Of one width, so that a dimension of extent 1 is one in the type too.
    four = {"bias": "bhst", "mask": "bhst"}
    for key, keyword, letters in METADATA:
        value = config.get(key)
        if value is None:
            continue
        if key in four:
            letters = [1 if n == 1 else x
                       for n, x in zip(value.shape, "bhst"[4 - value.ndim:])]
            if config.get("query_offsets") is not None or config.get("table") is not None:
                letters = [x if x in ("s", "h", 1) else n for x, n in zip(letters, value.shape)]
        elif key == "block_mask":
            letters = [1 if n == 1 else x for n, x in zip(value.shape, "bhij"[4 - value.ndim:])]
        elif config.get("query_offsets") is None:
            letters = letters.replace("g", "b")
        inputs[key] = (value, list(letters))
        size = f" [{config['blocks'][0]}, {config['blocks'][1]}]" if key == "block_mask" else ""
        clauses += f"         {keyword}{size}(%{key} : {{t:{key}}})\n"
        if key == "starts" and config.get("offset"):
            clauses += "         offset(%offset)\n"
    if config.get("offset") and config.get("starts") is None:
        clauses = clauses.replace("         pages", "         offset(%offset)\n         pages") \
            if "pages(" in clauses else clauses + "         offset(%offset)\n"
    flags = "causal " if config.get("causal") else ""
    for key, keyword in (("scale", "scale"), ("softcap", "softcap")):
        if config.get(key) is not None:
            flags += f"{keyword} = {float(config[key])!r} "
    if config.get("window"):
        flags += f"window = [{config['window'][0]}, {config['window'][1]}] "
    if config.get("globals_"):
        flags += f"globals = {config['globals_']} "
    if config.get("empty"):
        flags += f"empty_rows = {config['empty']} "
    element = {"f2": "f16", "bf": "bf16", "f4": "f32", "f8": "f64"}[kind]
    wide = "f64" if kind == "f8" else "f32"
    lead = [pieces] if pieces else []
    outputs = {"y": (wide if pieces else element, lead + list(lo))}
    if log or pieces:
        outputs["log"] = (wide, lead + [n for n in lo if n != "e"])
    names = list(outputs)
    body = ""
    if config.get("offset"):
        body += f"  %offset = arith.constant {config['offset']} : index\n"
    for key, (_, letters) in outputs.items():
        source = {"b": ("q", lq), "h": ("q", lq), "s": ("q", lq), "e": ("v", lv)}
        dynamic = ""
        for n in letters:
            if isinstance(n, int):
                continue
            tensor, of = source[n]
            body += f"  %c{key}{n} = arith.constant {of.index(n)} : index\n"
            body += f"  %d{key}{n} = tensor.dim %{tensor}, %c{key}{n} : {{t:{tensor}}}\n"
            dynamic += f", %d{key}{n}"
        body += f"  %i{key} = tensor.empty(EXTENTS:{dynamic[2:]}) : {{t:{key}}}\n"
    op = "partial" if pieces else "attend"
    results = ", ".join(f"%{n}" for n in names)
    inits = ", ".join(f"%i{n}" for n in names)
    kinds = ", ".join(f"{{t:{n}}}" for n in names)
    body += (f"  {results} = attn.{op} {flags}layout = \"{layout}\"\n"
             f"         ins(%q, %k, %v : {{t:q}}, {{t:k}}, {{t:v}})\n{clauses}"
             f"         outs({inits} : {kinds}){region_text} -> {kinds}\n")
    y, logs = attend(q, k, v, (lq, lk, lv, lo), pieces=pieces, **config)
    want = {"y": y, "log": logs}
    rtol, atol = {"bf": (1.6e-2, 1.6e-2), "f2": (2e-3, 2e-3), "f4": (1e-5, 1e-5), "f8": (1e-12, 1e-12)}[kind]
    for dynamic in modes:
        text = body
        lines = []
        for line in text.split("\n"):
            if "EXTENTS:" in line:
                before, after = line.split("EXTENTS:")
                inside, rest = after.split(")", 1)
                line = before + (inside if dynamic else "") + ")" + rest
            lines.append(line)
        runner.check(name, inputs, outputs, "\n".join(lines), want, rtol, atol, modes=(dynamic,))


I32 = np.int32

# What calls are refused for unless the operation says that it is checked.
runner.refused = {
    "lengths": "'key_lengths' has 9", "lengths-none": "'key_lengths' has -5",
    "append-beyond": "'starts' has 6", "append-far": "'starts' has 2147483647",
    "append-lengths": "'lengths' has -3", "append-bad-pages": "'pages' has 9",
    "evict-lengths": "'lengths' has 99", "evict-no-lengths": "'lengths' has -4"}

# Shapes.
case("plain")
case("f16", kind="f2")
if bfloat16:
    case("bf16", kind="bf")
    case("bf16-causal", kind="bf", causal=True, log=True, sizes={"h": 4}, keys=2)
    case("bf16-bias", kind="bf", bias=normal(5, 7, kind="bf"))
case("f64", kind="f8", causal=True)
case("log", log=True, causal=True)
case("one-key", sizes={"t": 1})
case("one-query", sizes={"s": 1}, log=True)
case("no-queries", sizes={"s": 0})
case("no-keys", sizes={"t": 0}, log=True)
case("no-keys-nan", sizes={"t": 0}, empty="nan")
case("no-batch", sizes={"b": 0})
case("no-size", sizes={"d": 0})
case("no-values", sizes={"e": 0}, log=True)
case("odd", sizes={"b": 1, "h": 3, "s": 17, "t": 33, "d": 19, "e": 21})
case("large", sizes={"b": 1, "h": 2, "s": 70, "t": 130, "d": 32, "e": 32}, causal=True, offset=60)

# Layouts.
case("two-dims", layout="sd,td,te->se", log=True)
case("three-dims", layout="bsd,btd,bte->bse")
case("heads-last", layout="bshd,bthd,bthe->bshe", log=True)
case("transposed-keys", layout="bhsd,bhdt,bhte->bshe", log=True)
case("shared-keys", layout="bhsd,td,te->bhse", causal=True, log=True)
case("shared-batch", layout="bhsd,htd,hte->bhse")
case("shared-heads", layout="bhsd,btd,bte->bhse")

# Grouped heads.
case("grouped", sizes={"h": 6}, keys=2, causal=True, offset=2)
case("grouped-last", layout="bshd,bthd,bthe->bshe", sizes={"h": 6}, keys=3, log=True)
case("multi-query", sizes={"h": 4}, keys=1)
case("grouped-f16", kind="f2", sizes={"h": 4}, keys=2)

# Scores.
case("mask-nan", causal=True, offset=-2, empty="mask_nan")
case("scale", scale=0.3)
case("softcap", softcap=2.0, scale=1.0)
case("causal", causal=True)
case("offset", causal=True, offset=2)
case("negative-offset", causal=True, offset=-3)
case("window", window=(2, -1), causal=True, offset=2)
case("window-right", window=(1, 1))
case("window-globals", window=(1, -1), globals_=2, causal=True, offset=2)
case("bias", bias=normal(2, 2, 5, 7))
case("bias-row", bias=normal(1, 7), sizes={"s": 3})
case("bias-keys", bias=normal(2, 1, 1, 7))
case("bias-f16", kind="f2", bias=normal(5, 7, kind="f2"))
case("mask", mask=(rng.random((2, 1, 5, 7)) < 0.5).astype("i1"))
case("mask-heads", mask=(rng.random((2, 5, 1)) < 0.5).astype("i1"), log=True)
case("alibi", slopes=np.array([0.5, 0.25], "f4"), causal=True, offset=2)
case("sinks", sinks=np.array([0.5, -INF], "f4"), log=True)
case("sinks-no-heads", "sd,td,te->se", sinks=np.array([0.5], "f4"), sizes={"h": 1}, log=True)
case("sinks-wide", sinks=np.array([0.5, -2], "f8"), log=True)
case("sinks-empty", sinks=np.array([0.5, 2], "f4"), sizes={"t": 0}, log=True)
case("lengths", lengths=np.array([3, 9], I32), causal=True, starts=np.array([1, 4], I32))
case("lengths-poison", lengths=np.array([3, 6], I32), poison=True, log=True)
case("lengths-poison-order", "bshd,bthd,bthe->bshe", lengths=np.array([0, 7], I32), poison=True)
case("lengths-none", lengths=np.array([0, -5], I32), log=True)
case("starts-offset", causal=True, starts=np.array([1, -4], np.int64), offset=2)
case("empty-nan", causal=True, offset=-2, empty="nan")
block = np.array([[1, 0, 1], [0, 1, 0]], "i1")
case("blocks", block_mask=block, blocks=(2, 3), offset=1)
case("blocks-heads", block_mask=(rng.random((2, 2, 3, 2)) < 0.6).astype("i1"), blocks=(2, 4))
REGION = """ score {
  ^bb0(%score: f32, %b: index, %h: index, %s: index, %t: index):
    %two = arith.constant 2 : index
    %plus = arith.addi %t, %two : index
    %sum = arith.addi %s, %plus : index
    %number = arith.index_cast %sum : index to i32
    %float = arith.sitofp %number : i32 to f32
    %next = arith.divf %score, %float : f32
    %some = arith.addf %next, %score : f32
    attn.yield %some : f32
  }"""
case("region", region_text=REGION, region=lambda x, b, h, s, t: x / (s + t + 2) + x)

# Pages.
TABLE = np.array([[3, 1, 0], [2, 4, 1]], I32)
for paged, more in {
        "pages": {},
        "pages-causal": {"causal": True, "starts": np.array([3, 1], I32)},
        "pages-f16": {"kind": "f2"},
        "pages-window": {"causal": True, "window": (2, -1), "starts": np.array([3, 1], I32)}}.items():
    case(paged, layout="bhsd,phtd,phte->bhse", sizes={"p": 5, "t": 4}, table=TABLE,
         lengths=np.array([9, 5], I32), log=True, **more)
case("pages-last", layout="bshd,pthd,pthe->bshe", sizes={"p": 5, "t": 4, "h": 4}, keys=2,
     table=TABLE, lengths=np.array([12, 0], I32))

# Ragged sequences, some without queries or keys.
OFFSETS = np.array([0, 0, 4, 9], I32)
KEYS = np.array([0, 3, 3, 11], I32)
RAGGED = {"layout": "shd,thd,the->she", "sizes": {"s": 9, "t": 11}, "query_offsets": OFFSETS,
          "key_offsets": KEYS, "log": True}
case("ragged", **RAGGED)
case("ragged-causal", causal=True, starts=np.array([0, 1, 3], I32), **RAGGED)
case("ragged-rest", **{**RAGGED, "query_offsets": np.array([1, 2, 4, 6], I32)})
case("ragged-pages", layout="hsd,pthd,pthe->hse", sizes={"s": 9, "p": 4, "t": 4, "h": 4}, keys=2,
     query_offsets=OFFSETS, table=np.array([[0, 1], [2, 3], [1, 0]], I32), causal=True,
     lengths=np.array([1, 7, 8], I32), starts=np.array([0, 3, 3], I32), log=True)

# Pieces.
case("pieces", pieces=3, causal=True, offset=3)
case("pieces-more", pieces=9)
case("pieces-none", pieces=2, sizes={"t": 0})
case("pieces-pages", pieces=2, layout="bhsd,phtd,phte->bhse", sizes={"p": 5, "t": 4}, table=TABLE,
     lengths=np.array([9, 5], I32))


# -- Packed keys and values ------------------------------------------------------


def packed_case(name, layout, keys, table=None, lengths=None, **config):
    """Keys and values are integers of 4 bits, which the format holds as they are."""
    lq, lk, lv = layout.split("->")[0].split(",")
    lo = layout.split("->")[1]
    q = normal(2, 4, 3, 6)
    k, v = (rng.integers(-8, 8, (*keys, n)).astype("f4") for n in (6, 5))
    inputs = {"q": (q, list("bhsd")), "k": (k, list(k.shape)), "v": (v, list(v.shape)),
              "iy": (np.zeros((2, 4, 3, 5), "f4"), list("bhs") + [5])}
    clauses = ""
    if table is not None:
        inputs.update(table=(table, list("bw")), lengths=(lengths, ["b"]))
        clauses = " key_lengths(%lengths : {t:lengths}) pages(%table : {t:table})"
    kinds = [f"!weft.packed<{'x'.join(map(str, x.shape))}xf32, "
             "#weft.format<elem = #lowp.int<4, signed>>>" for x in (k, v)]
    body = (f"  %pk = weft.pack %k : {{t:k}} -> {kinds[0]}\n"
            f"  %pv = weft.pack %v : {{t:v}} -> {kinds[1]}\n"
            f"  %y = attn.attend causal scale = 0.1 layout = \"{layout}\"\n"
            f"    ins(%q, %pk, %pv : {{t:q}}, {kinds[0]}, {kinds[1]}){clauses}\n"
            "    outs(%iy : {t:y}) -> {t:y}\n")
    y, _ = attend(q, k, v, (lq, lk, lv, lo), causal=True, scale=0.1, table=table, lengths=lengths)
    runner.check(f"packed-{name}", inputs, {"y": ("f32", list("bhs") + [5])}, body, {"y": y},
                 1e-5, 1e-5)


packed_case("plain", "bhsd,bhtd,bhte->bhse", (2, 4, 7))
packed_case("grouped", "bhsd,bhtd,bhte->bhse", (2, 2, 7))
packed_case("pages", "bhsd,phtd,phte->bhse", (5, 2, 4), table=TABLE,
            lengths=np.array([9, 5], I32))

# -- Merge -----------------------------------------------------------------------


def merge(parts, logs):
    most = logs.max(axis=0, initial=-INF)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.exp(logs - np.where(most == -INF, 0, most))
        total = weights.sum(axis=0)
        mean = (np.where(np.isneginf(logs), 0, weights)[..., None] *
                np.where(np.isneginf(logs)[..., None], 0, parts)).sum(axis=0) / total[..., None]
        return np.where(total[..., None] == 0, 0, mean), most + np.log(total)


def merge_case(name, shape, kind="f4", result="f32"):
    parts, logs = normal(*shape, kind=kind), normal(*shape[:-1], kind=kind) * 9
    logs[rng.random(logs.shape) < 0.3] = -INF
    parts[np.isneginf(logs)] = np.nan
    dims = list("pabcd"[:len(shape)])
    y, log = merge(parts.astype("f8"), logs.astype("f8"))
    wide = {"f4": "f32", "f8": "f64"}[kind]
    inputs = {"parts": (parts, dims), "logs": (logs, dims[:-1]),
              "iy": (np.zeros(shape[1:], {"f32": "f4", "f16": "f2", "f64": "f8"}[result]), dims[1:]),
              "il": (np.zeros(shape[1:-1], kind), dims[1:-1])}
    body = ("  %y, %log = attn.merge ins(%parts, %logs : {t:parts}, {t:logs})\n"
            "         outs(%iy, %il : {t:y}, {t:log}) -> {t:y}, {t:log}\n")
    runner.check(f"merge-{name}", inputs, {"y": (result, dims[1:]), "log": (wide, dims[1:-1])}, body,
                 {"y": y, "log": log}, *{"f16": (2e-3, 2e-3), "f32": (1e-5, 1e-5),
                                         "f64": (1e-12, 1e-12)}[result])


merge_case("plain", (4, 3, 5, 7))
merge_case("vector", (3, 6))
merge_case("f16", (5, 2, 8), result="f16")
merge_case("f64", (5, 2, 8), kind="f8", result="f64")
merge_case("no-pieces", (0, 3, 4))
merge_case("no-rows", (3, 0, 4))


# -- Linear ----------------------------------------------------------------------

FEATURES = {"identity": lambda x: x, "relu": lambda x: np.maximum(x, 0), "exp": np.exp,
            "square": lambda x: x * x,
            "elu_plus_one": lambda x: np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))}


def linear_case(name, lead=(2, 3), s=5, t=5, d=4, e=3, kind="f4", causal=False, normalize=False,
                features="identity", epsilon=None):
    wide = "f8" if kind == "f8" else "f4"
    q, k = normal(*lead, s, d, kind=kind), normal(*lead, t, d, kind=kind)
    if normalize:  # so that the divisor is not near 0
        q, k = np.abs(q) + q.dtype.type(0.1), np.abs(k) + k.dtype.type(0.1)
    v = normal(*lead, t, e, kind=kind)
    state, norm = normal(*lead, d, e, kind=wide), np.abs(normal(*lead, d, kind=wide))
    f = FEATURES[features]
    S, z = state.astype("f8"), norm.astype("f8")
    fq, fk, wv = f(q.astype("f8")), f(k.astype("f8")), v.astype("f8")
    y = np.zeros((*lead, s, e))

    def add(i):
        nonlocal S, z
        S = S + fk[..., i, :, None] * wv[..., i, None, :]
        z = z + fk[..., i, :]

    def query(i):
        y[..., i, :] = np.einsum("...d,...de->...e", fq[..., i, :], S)
        if normalize:
            divisor = np.einsum("...d,...d->...", fq[..., i, :], z) + (epsilon or 0)
            with np.errstate(invalid="ignore", divide="ignore"):
                y[..., i, :] /= divisor[..., None]

    if causal:
        for i in range(t):
            add(i)
            query(i)
    else:
        for i in range(t):
            add(i)
        for i in range(s):
            query(i)
    names = list("bhxy"[:len(lead)])
    length = "s" if causal else "t"
    inputs = {"q": (q, names + ["s", "d"]), "k": (k, names + [length, "d"]),
              "v": (v, names + [length, "e"]), "iy": (np.zeros_like(y, kind), names + ["s", "e"]),
              "state": (state, names + ["d", "e"]), "norm": (norm, names + ["d"])}
    flags = ("causal " if causal else "") + ("normalize " if normalize else "") + \
        f"features = {features} " + (f"epsilon = {epsilon:.9f} " if epsilon is not None else "")
    element = {"f2": "f16", "f4": "f32", "f8": "f64"}
    outputs = {"y": (element[kind], names + ["s", "e"]), "ns": (element[wide], names + ["d", "e"]),
               "nn": (element[wide], names + ["d"])}
    body = (f"  %y, %ns, %nn = attn.linear {flags}ins(%q, %k, %v : {{t:q}}, {{t:k}}, {{t:v}})\n"
            "         outs(%iy, %state, %norm : {t:y}, {t:ns}, {t:nn}) -> {t:y}, {t:ns}, {t:nn}\n")
    tolerance = {"f2": (5e-3, 5e-3), "f4": (2e-5, 2e-5), "f8": (1e-12, 1e-12)}[kind]
    runner.check(f"linear-{name}", inputs, outputs, body, {"y": y, "ns": S, "nn": z}, *tolerance)


linear_case("plain", s=4)
linear_case("causal", causal=True)
for feature in FEATURES:
    linear_case(feature.replace("_", "-"), causal=True, normalize=True, features=feature,
                epsilon=1e-6)
linear_case("f16", kind="f2", normalize=True, features="relu")
linear_case("f64", kind="f8", causal=True)
linear_case("no-lead", lead=(), causal=True)
linear_case("one-lead", lead=(3,), s=2, t=9)
linear_case("no-keys", t=0)
linear_case("no-queries", s=0)
linear_case("none", s=0, t=0, causal=True)
linear_case("no-values", e=0)
linear_case("no-size", d=0)


# -- Caches ----------------------------------------------------------------------


def append(rows, cache, letters, starts=None, lengths=None, table=None, offsets=None,
           circular=False):
    lr, lc = letters
    y = cache.copy()
    size = dict(zip(lr, rows.shape))
    there = dict(zip(lc, cache.shape))
    sequences = len(offsets) - 1 if offsets is not None else size.get("b", 1)
    for b in range(sequences):
        begin, end = (offsets[b], offsets[b + 1]) if offsets is not None else (0, size["t"])
        for t in range(begin, end):
            within = t - begin
            if lengths is not None and within >= lengths[b]:
                continue
            position = within + (int(starts[b]) if starts is not None else 0)
            capacity = there["t"] * (table.shape[1] if table is not None else 1)
            if position < 0 or capacity == 0:
                continue
            if circular:
                position %= capacity
            if position >= capacity:
                continue
            where = {"b": b, "t": position}
            if table is not None:
                page = table[b, position // there["t"]]
                if not 0 <= page < there["p"]:
                    continue
                where = {"p": page, "t": position % there["t"]}
            for h in range(there.get("h", 1)):
                index = tuple({**where, "h": h}.get(n, slice(None)) for n in lc)
                y[index] = take(rows, lr, b=b, t=t, h=h)
    return y


def append_case(name, layout="bhtd->bhtd", kind="f4", rows=3, cache=7, heads=2, batch=2, pages=5,
                flags="", **config):
    lr, lc = layout.split("->")
    sizes = {"b": batch, "h": heads, "t": rows, "d": 4}
    fresh = (normal(*(sizes[n] for n in lr)) * 50).astype(kind)
    sizes.update(t=cache, p=pages)
    old = (normal(*(sizes[n] for n in lc)) * 50).astype(kind)
    if config.get("circular"):
        flags += "circular "
    inputs = {"rows": (fresh, list(lr)), "cache": (old, ["T" if n == "t" else n for n in lc])}
    clauses = ""
    for key, keyword, letters in (("starts", "starts", "g"), ("lengths", "lengths", "g"),
                                  ("table", "pages", "gw"), ("offsets", "row_offsets", "G")):
        if config.get(key) is not None:
            if "offsets" not in config and "b" in lr:
                letters = letters.replace("g", "b")
            inputs[key] = (config[key], list(letters))
            clauses += f" {keyword}(%{key} : {{t:{key}}})"
    element = {"f4": "f32", "f2": "f16", "i1": "i8"}[kind]
    body = (f"  %y = attn.kv_append {flags}layout = \"{layout}\" ins(%rows : {{t:rows}})"
            f"{clauses} outs(%cache : {{t:y}}) -> {{t:y}}\n")
    runner.check(f"append-{name}", inputs, {"y": (element, ["T" if n == "t" else n for n in lc])},
                 body, {"y": append(fresh, old, (lr, lc), **config)}, 0, 0)


append_case("plain")
append_case("starts", starts=np.array([4, 0], I32))
append_case("beyond", starts=np.array([6, -1], I32))
append_case("far", starts=np.array([2**31 - 1, -2**31], I32))
append_case("circular", starts=np.array([5, 13], np.int64), circular=True)
append_case("lengths", starts=np.array([1, 2], I32), lengths=np.array([2, -3], I32))
append_case("f16", kind="f2", layout="bthd->bhtd")
append_case("bytes", kind="i1", layout="htd->htd")
append_case("two-dims", layout="td->td", starts=np.array([2], I32))
append_case("no-rows", rows=0)
append_case("no-cache", cache=0, starts=np.array([0, 0], I32), circular=True)
append_case("pages", layout="bhtd->phtd", table=np.array([[3, 1], [0, 4]], I32), cache=4,
            starts=np.array([3, 1], I32))
append_case("bad-pages", layout="bhtd->phtd", table=np.array([[9, 1], [-1, 2**31 - 1]], I32), cache=2,
            starts=np.array([0, 0], I32))
append_case("ragged", layout="thd->bthd", rows=8, batch=3, offsets=np.array([0, 5, 5, 8], I32),
            starts=np.array([1, 0, 4], I32))
append_case("ragged-pages", layout="thd->pthd", rows=8, cache=4, offsets=np.array([0, 5, 5, 8], I32),
            table=np.array([[3, 1], [0, 0], [4, 2]], I32), starts=np.array([1, 0, 4], I32))


def evict(scores, caches, inits, room, sinks=0, recent=0, lengths=None):
    b, h, t = scores.shape
    kept = np.full((b, h, room), -1, I32)
    results = [x.copy() for x in inits]
    for i in range(b):
        length = min(t, lengths[i]) if lengths is not None else t
        for j in range(h):
            def order(at):
                value = scores[i, j, at]
                first = at < sinks or at >= length - recent
                return (not first, 0 if first else -(value if value == value else -INF), at)

            chosen = sorted(sorted(range(max(length, 0)), key=order)[:room])
            for n, at in enumerate(chosen):
                kept[i, j, n] = at
                for result, cache in zip(results, caches):
                    result[i, j, n] = cache[i, j, at]
    return kept, results


def evict_case(name, b=2, h=3, t=9, room=4, shapes=((5,),), **config):
    scores = np.round(normal(b, h, t), 1)  # some are equal
    if t > 3:
        scores[0, 0, 2] = np.nan
    caches = [normal(b, h, t, *shape) for shape in shapes]
    inits = [normal(b, h, room, *shape) for shape in shapes]
    kept, results = evict(scores, caches, inits, room, **config)
    inputs = {"scores": (scores, list("bht")), "ikept": (np.zeros((b, h, room), I32), list("bhm"))}
    outputs, want = {"kept": ("i32", list("bhm"))}, {"kept": kept}
    for n, (cache, init, result) in enumerate(zip(caches, inits, results)):
        rest = [f"x{n}{i}" for i in range(cache.ndim - 3)]
        inputs[f"cache{n}"] = (cache, list("bht") + rest)
        inputs[f"init{n}"] = (init, list("bhm") + rest)
        outputs[f"y{n}"] = ("f32", list("bhm") + rest)
        want[f"y{n}"] = result
    many = range(len(caches))
    listed = ", ".join(f"%cache{n}" for n in many) + " : " + ", ".join(f"{{t:cache{n}}}" for n in many)
    clause = f" caches({listed})" if caches else ""
    if config.get("lengths") is not None:
        inputs["lengths"] = (config["lengths"], ["b"])
        clause += " lengths(%lengths : {t:lengths})"
    flags = "".join(f"{key} = {config[key]} " for key in ("sinks", "recent") if config.get(key))
    kinds = ", ".join(f"{{t:{key}}}" for key in outputs)
    body = (f"  {', '.join('%' + key for key in outputs)} = attn.kv_evict {flags}"
            f"ins(%scores : {{t:scores}}){clause} outs(%ikept{''.join(f', %init{n}' for n in many)} : "
            f"{kinds}) -> {kinds}\n")
    runner.check(f"evict-{name}", inputs, outputs, body, want, 0, 0)


evict_case("plain")
evict_case("several", shapes=((5,), (), (2, 3)))
evict_case("positions", shapes=())
evict_case("streaming", sinks=1, recent=2)
evict_case("protected", sinks=3, recent=3)
evict_case("lengths", sinks=1, recent=1, lengths=np.array([3, 99], I32))
evict_case("no-lengths", lengths=np.array([0, -4], I32))
evict_case("room", room=12)
evict_case("no-room", room=0)
evict_case("no-keys", t=0)
evict_case("no-entries", shapes=((0,), (2,)))


# -- Bad data: calls fail, and nothing outside is touched before ---------------------


def bad_case(name, inputs, body, dims, message):
    if runner.only in name:
        runner.refuses(name, inputs, {"y": ("f32", dims)}, body, True, message)


for n, (offsets, keys_at, wrong) in enumerate([
        ([0, 99, -7, 9], [0, 3, 3, 11], "has 99"),
        ([5, 4, 3, 2], [9, -1, 2**31 - 1, 0], "'query_offsets' has 4"),
        ([0, 1, 2, 9], [0, 7, 99, 99], "has 99"),
        ([-2**31, 2**31 - 1, 0, 0], [0, 0, 0, 0], "'query_offsets' has -2147483648")]):
    bad_case(f"bad-offsets-{n}",
             {"q": (normal(9, 2, 6), list("shd")), "k": (normal(11, 2, 6), list("thd")),
              "v": (normal(11, 2, 3), list("the")), "qo": (np.array(offsets, I32), ["G"]),
              "ko": (np.array(keys_at, I32), ["G"]), "iy": (normal(9, 2, 3), list("she"))},
             "  %y = attn.attend layout = \"shd,thd,the->she\"\n"
             "    ins(%q, %k, %v : {t:q}, {t:k}, {t:v}) query_offsets(%qo : {t:qo})\n"
             "    key_offsets(%ko : {t:ko}) outs(%iy : {t:y}) -> {t:y}\n", list("she"), wrong)
bad_case("bad-pages",
         {"q": (normal(2, 3, 6), list("bsd")), "k": (normal(5, 4, 6), list("ptd")),
          "v": (normal(5, 4, 3), list("pte")), "n": (np.array([4, 9], I32), ["b"]),
          "w": (np.array([[3, -1, 99], [1, 2, 5]], I32), ["b", "w"]),
          "iy": (normal(2, 3, 3), list("bse"))},
         "  %y = attn.attend layout = \"bsd,ptd,pte->bse\"\n"
         "    ins(%q, %k, %v : {t:q}, {t:k}, {t:v}) key_lengths(%n : {t:n}) pages(%w : {t:w})\n"
         "    outs(%iy : {t:y}) -> {t:y}\n", list("bse"), "'pages' has 5")
bad_case("bad-rows", {"r": (normal(9, 4), list("td")), "o": (np.array([0, 8, 3], I32), ["G"]),
                      "c": (normal(2, 5, 4), list("bTd"))},
         "  %y = attn.kv_append layout = \"td->btd\" ins(%r : {t:r}) row_offsets(%o : {t:o})\n"
         "    outs(%c : {t:y}) -> {t:y}\n", list("bTd"), "'row_offsets' has 3")
# Extents that only the call knows: each letter is a symbol of its own.
extents = [("fewer-values", {"v": "bhue"}, {"u": 2}, "'value' has an extent of 2 in dimension 2, expected 7"),
           ("fewer-biases", {"bias": "bhsu"}, {"u": 3}, "'bias' has an extent of 3 in dimension 3, expected 7"),
           ("fewer-sinks", {"sinks": "u"}, {"u": 1}, "'sinks' has an extent of 1 in dimension 0, expected 4"),
           ("no-divisor", {"k": "bHtd", "v": "bHte"}, {"H": 3},
            "'key' has an extent of 3 in dimension 1, expected a divisor of 4")]
for name, letters, sizes, sentence in extents:
    sizes = {"b": 1, "h": 4, "s": 5, "t": 7, "d": 6, "e": 3, **sizes}
    letters = {"q": "bhsd", "k": "bhtd", "v": "bhte", **letters, "iy": "bhse"}
    more = "".join(f" {key}(%{key} : {{t:{key}}})" for key in ("bias", "sinks") if key in letters)
    bad_case(name, {key: (normal(*(sizes[n] for n in dims)), list(dims)) for key, dims in letters.items()},
             "  %y = attn.attend layout = \"bhsd,bhtd,bhte->bhse\"\n"
             f"    ins(%q, %k, %v : {{t:q}}, {{t:k}}, {{t:v}}){more} outs(%iy : {{t:y}}) -> {{t:y}}\n",
             list("bhse"), sentence)
bad_case("fewer-rows", {"r": (normal(2, 3, 4, 6), list("bhtd")), "n": (np.array([0, 0], I32), ["b"]),
                        "c": (normal(2, 5, 9, 6), list("bHTd"))},
         "  %y = attn.kv_append layout = \"bhtd->bhtd\" ins(%r : {t:r}) starts(%n : {t:n})\n"
         "    outs(%c : {t:y}) -> {t:y}\n", list("bHTd"), "'rows' has an extent of 3 in dimension 1, expected 5")


print(f"{runner.count} cases, {len(runner.failures)} failures: {runner.failures}")
sys.exit(bool(runner.failures))
