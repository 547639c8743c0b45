#===- capacity.py - Experts of a limited capacity ----------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Dispatch by einsum with masks of tokens, experts and places, as torch exports DeepSpeed's
gates and the like of GShard and Switch Transformers. The reference counts token by token."""

import numpy as np
from onnx import TensorProto as T

from graphs import N, form, ints, numbers

E, C, H, I = 4, 3, 8, 6
router, wup, wdown = numbers(H, E), numbers(E, H, I), numbers(E, I, H)
CONSTS = {"router": router, "wup": wup, "wdown": wdown, "zero": ints(0), "last": ints(-1), "one": np.int64(1),
          "two": np.int64(2), "cap": np.int64(C), "dim0": np.int64(0), "experts": np.arange(E), "places": np.arange(C),
          "lowest": np.float32(-np.inf), "least": np.float32(1e-7)}


def mask(name, logits):
    """The numbers of experts and their mask of integers."""
    return [N("ArgMax", [logits], [f"i{name}"], axis=1, keepdims=0), N("Unsqueeze", [f"i{name}", "last"], [f"u{name}"]),
            N("Equal", [f"u{name}", "experts"], [f"b{name}"]), N("Cast", [f"b{name}"], [f"m{name}"], to=T.INT64)]


def kept(name, location):
    """The mask of those below the limit, and their places."""
    return [N("Less", [location, "cap"], [f"lt{name}"]), N("Cast", [f"lt{name}"], [f"li{name}"], to=T.INT64),
            N("Mul", [f"m{name}", f"li{name}"], [f"k{name}"]), N("Mul", [location, f"k{name}"], [f"lk{name}"]),
            N("ReduceSum", [f"lk{name}", "last"], [f"s{name}"], keepdims=0), N("Cast", [f"k{name}"], [f"f{name}"], to=T.FLOAT),
            N("Unsqueeze", [f"s{name}", "last"], [f"su{name}"]), N("Equal", [f"su{name}", "places"], [f"sb{name}"]),
            N("Cast", [f"sb{name}"], [f"p{name}"], to=T.FLOAT)]


EXPERTS = [N("Cast", ["cw"], ["db"], to=T.BOOL), N("Cast", ["db"], ["df"], to=T.FLOAT),
           N("Einsum", ["df", "x"], ["d"], equation="sec,sm->ecm"), N("MatMul", ["d", "wup"], ["u"]), N("Relu", ["u"], ["hid"]),
           N("MatMul", ["hid", "wdown"], ["o"]), N("Einsum", ["cw", "o"], ["y"], equation="sec,ecm->sm")]
TOP1 = ([N("MatMul", ["x", "router"], ["logits"]), N("Softmax", ["logits"], ["gates"], axis=1)] + mask("1", "gates") +
        [N("CumSum", ["m1", "dim0"], ["c1"]), N("Sub", ["c1", "one"], ["l1"])] + kept("1", "l1") +
        [N("Mul", ["gates", "f1"], ["g1"]), N("Einsum", ["g1", "p1"], ["cw"], equation="se,sc->sec")] + EXPERTS)


def top2():
    return ([N("MatMul", ["x", "router"], ["logits"]), N("Softmax", ["logits"], ["gates"], axis=1)] + mask("1", "gates") +
            [N("Cast", ["m1"], ["m1b"], to=T.BOOL), N("Where", ["m1b", "lowest", "logits"], ["others"])] + mask("2", "others") +
            [N("CumSum", ["m1", "dim0"], ["c1"]), N("Sub", ["c1", "one"], ["l1"]), N("CumSum", ["m2", "dim0"], ["c2"]),
             N("Sub", ["c2", "one"], ["l20"]), N("ReduceSum", ["m1", "zero"], ["n1"], keepdims=1), N("Add", ["l20", "n1"], ["l2"])] +
            kept("1", "l1") + kept("2", "l2") +
            [N("Einsum", ["gates", "f1"], ["w1"], equation="se,se->s"), N("Einsum", ["gates", "f2"], ["w2"], equation="se,se->s"),
             N("Add", ["w1", "w2"], ["sum"]), N("Max", ["sum", "least"], ["den"]), N("Div", ["w1", "den"], ["v1"]),
             N("Div", ["w2", "den"], ["v2"]), N("Einsum", ["v1", "f1"], ["g1"], equation="s,se->se"),
             N("Einsum", ["v2", "f2"], ["g2"], equation="s,se->se"), N("Einsum", ["g1", "p1"], ["cw1"], equation="se,sc->sec"),
             N("Einsum", ["g2", "p2"], ["cw2"], equation="se,sc->sec"), N("Add", ["cw1", "cw2"], ["cw"])] + EXPERTS)


def expert(e, row):
    return np.maximum(row @ wup[e].astype(np.float64), 0) @ wdown[e].astype(np.float64)


def gates_of(x):
    logits = x.astype(np.float64) @ router
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return logits, e / e.sum(-1, keepdims=True)


def want(x, choices, capacity=C):
    """All first choices come before all second ones; weights are normalized among those kept."""
    logits, gates = gates_of(x)
    ids = np.argsort(-logits, axis=-1, kind="stable")[:, :choices]
    taken, keep = np.zeros(E, int), np.zeros(ids.shape, bool)
    for j in range(choices):
        for t in range(len(x)):
            keep[t, j] = taken[ids[t, j]] < capacity
            taken[ids[t, j]] += keep[t, j]
    weights = np.take_along_axis(gates, ids, 1) * keep
    if choices > 1:
        weights = weights / np.maximum(weights.sum(1, keepdims=True), 1e-7)
    y = np.zeros((len(x), H))
    for t in range(len(x)):
        for j in range(choices):
            if keep[t, j]:
                y[t] += weights[t, j] * expert(ids[t, j], x[t].astype(np.float64))
    return y


form("capacity, one choice", TOP1, CONSTS, lambda x: want(x, 1), H, lengths=(9, 1, 24, "T"),
     holds=("moe.route softmax top_k", "capacity("), lacks=("weft.scan", "x4x3xf32", "scf.for"))
form("capacity, two choices", top2(), CONSTS, lambda x: want(x, 2), H, lengths=(9, 1, 24, "T"),
     holds=("moe.expert_ffn slot_major", "capacity("), lacks=("x4x3xf32", "scf.for"))
# Narrow rows; the gates are f32, as DeepSpeed has them.
half = [N("Cast", ["x"], ["xf"], to=T.FLOAT), N("MatMul", ["xf", "router"], ["logits"])] + TOP1[1:-7]
half += [EXPERTS[0], N("Cast", ["db"], ["df"], to=T.FLOAT16)] + EXPERTS[2:-1]
half += [N("Cast", ["cw"], ["ch"], to=T.FLOAT16), N("Einsum", ["ch", "o"], ["y"], equation="sec,ecm->sm")]
wup, wdown = wup.astype(np.float16), wdown.astype(np.float16)
form("capacity, f16", half, {**CONSTS, "wup": wup, "wdown": wdown}, lambda x: want(x, 1), H, element=np.float16, tolerance=2e-2,
     lengths=(9, "T"), holds=("moe.route softmax top_k", "capacity("), lacks=("weft.scan", "x4x3xf16"))
wup, wdown = CONSTS["wup"], CONSTS["wdown"]

# Places that are counted from the last token on.
back = [N("CumSum", ["m1", "dim0"], ["c1"], reverse=1) if node.op_type == "CumSum" else node for node in TOP1]
form("capacity, from the last token", back, CONSTS, lambda x: want(x[::-1], 1)[::-1], H, lengths=(9, "T"),
     holds=("weft.scan",), lacks=("moe.expert_ffn",))
# Those beyond the limit share place 0 and are not left out: what is at a place is a sum of rows.
shared = []
for node in TOP1:
    shared.append(node)
    if node.output[0] == "f1":
        shared.pop()
        shared.append(N("Cast", ["m1"], ["f1"], to=T.FLOAT))


def want_shared(x):
    _, gates = gates_of(x)
    ids = gates.argmax(-1) if len(x) else np.zeros(0, int)
    seen, place = np.zeros(E, int), np.zeros(len(x), int)
    for t, e in enumerate(ids):
        place[t] = seen[e] if seen[e] < C else 0
        seen[e] += 1
    rows = np.zeros((E, C, H))
    for t, e in enumerate(ids):
        rows[e, place[t]] += x[t]
    return np.array([gates[t, e] * expert(e, rows[e, place[t]]) for t, e in enumerate(ids)]).reshape(-1, H)


form("capacity, places that are shared", shared, CONSTS, want_shared, H, lengths=(24, "T"), holds=("weft.scan",),
     lacks=("moe.expert_ffn",))
