#===- routing.py - moe.route and moe.plan ----------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#

import numpy as np

import reference
from harness import NAMES, TOLERANCE, Function, case, check, compile, run

rng = np.random.default_rng(11)


def route_text(experts, slots, element="f32", score="softmax", select="top_k", by_logits=False,
               bias=None, threshold=None, iterations=None, groups=None, normalize="none",
               epsilon=0.0, scale=1.0, shared=0, shared_weight=1.0, table=None, tokens=None,
               capacity=None, static=None):
    f = Function(static)
    wide = "f64" if element == "f64" else "f32"
    logits = f.input("logits", ["T", experts], element)
    extra = ""
    if bias is not None:
        extra += f" bias(%bias : {f.input('bias', [experts], element)})"
    if table is not None:
        kinds = f.input("table", ["V", slots - shared], "i64" if table.dtype == np.int64 else "i32")
        extra += f" table(%table, %tokens : {kinds}, {f.input('tokens', ['T'], 'i64')})"
    if capacity is not None:
        f.add(f"%capacity = arith.constant {capacity} : index")
        extra += " capacity(%capacity)"
    ids, weights = f.empty("i", ["T", slots], "i32"), f.empty("w", ["T", slots], wide)
    flags = f"{score} {select}"
    if by_logits:
        flags += " by_logits"
    if threshold is not None:
        flags += f" threshold = {threshold!r}"
    if iterations is not None:
        flags += f" iterations = {iterations}"
    if groups:
        flags += f" groups = <count = {groups[0]}, keep = {groups[1]}, by = {groups[2]}{f', others = {groups[3]} : f64' if len(groups) > 3 else ''}>"
    if normalize != "none":
        flags += f" normalize = {normalize}"
    if epsilon:
        flags += f" epsilon = {epsilon:e}"
    if scale != 1:
        flags += f" scale = {scale!r}"
    if shared:
        flags += f" shared = {shared} shared_weight = {shared_weight!r}"
    f.add(f"%ids, %weights = moe.route {flags} ins(%logits : {logits}){extra} "
          f"outs(%i, %w : {ids}, {weights}) -> {ids}, {weights}")
    f.results = [("%ids", ids), ("%weights", weights)]
    return f.text()


def route(name, experts=8, slots=2, element="f32", lengths=(0, 1, 7, 33), ties=False, **rule):
    static = rule.pop("static", False)
    bias = rng.standard_normal(experts).astype(NAMES[element]) if rule.pop("biased", False) else None
    table = rule.get("table")
    module = None
    for length in lengths:
        logits = rng.standard_normal((length, experts)) * 2
        if ties:
            logits = np.round(logits)
        logits = logits.astype(NAMES[element])
        feed = {"logits": logits}
        named = dict(rule, bias=bias)
        if bias is not None:
            feed["bias"] = bias
        if table is not None:
            named["tokens"] = feed["tokens"] = rng.integers(0, len(table), length)
            feed["table"] = table
        if module is None or static:
            module = compile(route_text(experts, slots, element, static={"T": length}
                                        if static else None, **named))
        ids, weights = reference.route(logits, slots, **named)
        # The exponential and the quotients of a few f32 numbers.
        tolerance = 1e-12 if element == "f64" else 1e-5
        check(f"route {name} T={length}", run(module, feed), {"ids": ids, "weights": weights},
              tolerance)


route("olmoe: softmax, top-k")
route("static", static=True, lengths=(1, 5))
route("no slots", slots=0, normalize="sum", epsilon=1e-20)
route("qwen3: softmax, top-k, normalized", experts=16, slots=4, normalize="sum")
route("mixtral: top-k, softmax", score="identity", normalize="softmax")
route("llama4: top-1, sigmoid", score="sigmoid", slots=1, by_logits=True)
route("deepseek-v3", score="sigmoid", experts=32, slots=6, groups=(8, 4, "top2_sum"), biased=True,
      normalize="sum", epsilon=1e-20, scale=2.5)
route("deepseek-v2", experts=20, slots=3, groups=(5, 2, "max"), scale=16.0)
route("deepseek-v3 with zeros for the others", score="sigmoid", experts=16, slots=5,
      groups=(4, 2, "top2_sum", 0.0), biased=True, normalize="sum_plus", epsilon=1e-20, scale=2.5)
route("all of few groups", experts=8, slots=6, groups=(4, 2, "max", 0.0), normalize="sum_plus", epsilon=0.5)
route("groups of one expert", experts=6, slots=2, groups=(6, 3, "top2_sum"))
route("minimax-m2", score="sigmoid", experts=9, slots=3, biased=True, normalize="sum",
      epsilon=1e-20)
route("deepseek-v4", score="sqrt_softplus", experts=12, slots=5, biased=True, normalize="sum",
      scale=1.5)
route("hash by token", score="sqrt_softplus", slots=3, normalize="sum", select="table",
      table=rng.integers(-2, 10, (50, 3)))
route("table of i32", select="table", slots=2, table=rng.integers(0, 8, (5, 2), dtype=np.int32))
route("shared experts", slots=5, shared=2, shared_weight=0.5, normalize="sum")
route("shared experts only", slots=2, shared=2)
route("top-p", select="top_p", slots=6, threshold=0.7, normalize="sum")
route("top-p of all", select="top_p", slots=8, threshold=1.5)
route("threshold", select="threshold", slots=4, threshold=0.15)
route("dense: threshold below all", score="sigmoid", select="threshold", slots=8, threshold=-1.0,
      normalize="sum")
route("expert choice", select="expert_choice", slots=8, capacity=3)
route("expert choice, capacity beyond tokens", select="expert_choice", slots=8, capacity=100)
route("expert choice, no capacity", select="expert_choice", slots=8, capacity=0)
# One token makes all keys equal but for rounding.
route("sinkhorn", score="sigmoid", select="sinkhorn", iterations=20, slots=2, lengths=(0, 7, 33))
route("ties go to the lowest", score="identity", ties=True, slots=4)
route("ties in expert choice", score="identity", ties=True, select="expert_choice", slots=8,
      capacity=4)
route("all experts", slots=8)
route("one expert", experts=1, slots=1)
route("f16", element="f16", slots=3, normalize="sum", ties=True)
route("bf16", element="bf16", slots=3, normalize="sum", ties=True)
route("f64", element="f64", slots=3, normalize="sum", biased=True)
route("many experts", experts=257, slots=9, normalize="sum", lengths=(3,))

# More slots than experts, and a number of slots known at run time only.
f = Function()
logits, like = f.input("logits", ["T", 3], "f32"), f.input("like", ["K"], "i8")
ids, weights = f.empty("i", ["T", "K"], "i32"), f.empty("w", ["T", "K"], "f32")
f.add(f"%ids, %weights = moe.route softmax top_k ins(%logits : {logits}) "
      f"outs(%i, %w : {ids}, {weights}) -> {ids}, {weights}")
f.results = [("%ids", ids), ("%weights", weights)]
module = compile(f.text())
for slots in (0, 1, 3, 5):
    x = rng.standard_normal((4, 3)).astype(np.float32)
    want = reference.route(x, slots)
    check(f"route with {slots} slots of 3", run(module, {"logits": x, "like": np.zeros(slots, np.int8)}),
          {"ids": want[0], "weights": want[1]}, 1e-5)

# NaN is the largest, as for weft.sort.
x = np.array([[1, np.nan, 3, 2]], np.float32)
case("route of NaN", route_text(4, 3, score="identity", static={"T": 1}), {"logits": x},
     {"ids": np.array([[1, 2, 3]], np.int32), "weights": np.array([[np.nan, 3, 2]])})


def plan(name, groups=4, width=2, experts=None, lengths=(0, 1, 5, 40), spare=0, **rule):
    experts = experts or groups
    flags = ""
    if rule.get("drop", "last") != "last":
        flags += f"drop = {rule['drop']} "
    if rule.get("slot_major"):
        flags += "slot_major "
    if rule.get("align", 1) != 1:
        flags += f"align = {rule['align']} "
    if rule.get("padded"):
        flags += "padded "
    f = Function()
    kind = f.input("ids", ["T", width], "i32")
    extra = ""
    if rule.get("drop") == "least":
        extra += f" weights(%weights : {f.input('weights', ['T', width], 'f32')})"
    if "place" in rule:
        extra += f" place(%place : {f.input('place', [experts], 'i32')})"
    if "capacity" in rule:
        f.add(f"%capacity = arith.constant {rule['capacity']} : index")
        extra += " capacity(%capacity)"
    f.input("like", ["M"], "i8")
    kinds = [f.empty("o", [groups + 1], "i32"), f.empty("s", ["M"], "i32"),
             f.empty("p", ["T", width], "i32")]
    # A place that is no group's is refused without this (Checks/cases.py); it loses its expert.
    checked = "{weft.checked} " if max(rule.get("place", [0])) >= groups else ""
    f.add(f"%offsets, %slots, %positions = moe.plan {flags}ins(%ids : {kind}){extra} "
          f"outs(%o, %s, %p : {', '.join(kinds)}) {checked}-> {', '.join(kinds)}")
    f.results = list(zip(["%offsets", "%slots", "%positions"], kinds))
    module = compile(f.text())
    for length in lengths:
        ids = rng.integers(-1, experts, (length, width), dtype=np.int32)
        ids[ids == 1] = 0  # an expert that nobody chose
        weights = np.round(rng.random((length, width)), 1).astype(np.float32)
        positions = length * width + spare
        feed = {"ids": ids, "like": np.zeros(positions, np.int8)}
        if rule.get("drop") == "least":
            feed["weights"] = weights
        if "place" in rule:
            feed["place"] = np.array(rule["place"], np.int32)
        want = reference.plan(ids, groups, positions, weights=weights, **rule)
        check(f"plan {name} T={length}", run(module, feed),
              dict(zip(["offsets", "slots", "positions"], want)), 0)


plan("compact")
plan("one slot", width=1)
plan("one group", groups=1)
plan("aligned", align=8, spare=40)
plan("capacity", capacity=3)
plan("no capacity", capacity=0)
plan("first choices first", capacity=3, slot_major=True)
plan("padded to a capacity", capacity=4, padded=True, spare=20)
plan("dropping the least", capacity=3, drop="least")
plan("placed", groups=3, experts=6, place=[2, -1, 0, 1, 7, 2])
plan("too few positions", spare=-1, lengths=(5, 40))
