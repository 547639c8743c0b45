#===- forms.py - Routed layers as exporters write them ----------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Graphs in which all experts are computed at once: after stage model they are moe.route and
moe.expert_ffn, and they compute what NumPy does in float64, token by token."""

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h

import reference
from graphs import N, form, ints, layer, numbers, sigmoid

E, K, H, I = 5, 2, 8, 6
router, router_bias = numbers(H, E), numbers(E)
wup, bup, wdown, bdown = numbers(E, H, 2 * I), numbers(E, 2 * I), numbers(E, I, H), numbers(E, H)
CONSTS = {"router": router, "wup": wup, "bup": bup, "wdown": wdown, "bdown": bdown, "k": ints(K),
          "zero": ints(0), "one": ints(1), "two": ints(2), "last": ints(-1), "big": ints(2**62)}


def softmax_of_chosen(x):
    return reference.route((x.astype(np.float64) @ router), K, score="identity", normalize="softmax")


# gpt-oss: the weights of the chosen are scattered into zeros; tokens are repeated for each
# expert; gate and other half alternate.
SCATTER = [N("MatMul", ["x", "router"], ["logits"]), N("TopK", ["logits", "k"], ["tv", "ti"], axis=-1),
           N("Softmax", ["tv"], ["tw"], axis=1), N("Shape", ["logits"], ["ls"]),
           N("ConstantOfShape", ["ls"], ["zeros"], value=h.make_tensor("v", T.FLOAT, [1], [0.0])),
           N("ScatterElements", ["zeros", "ti", "tw"], ["scores"], axis=1)]
GPT_OSS = SCATTER + [
    N("Tile", ["x", "reps"], ["xt"]), N("Reshape", ["xt", "eth"], ["xe"]), N("MatMul", ["xe", "wup"], ["gu0"]),
    N("Unsqueeze", ["bup", "one"], ["bu1"]), N("Add", ["gu0", "bu1"], ["gu"]),
    N("Slice", ["gu", "zero", "big", "two", "two"], ["gate0"]), N("Slice", ["gu", "one", "big", "two", "two"], ["up0"]),
    N("Clip", ["gate0", "", "limit"], ["gate"]), N("Clip", ["up0", "least", "limit"], ["up"]),
    N("Mul", ["gate", "alpha"], ["ga"]), N("Sigmoid", ["ga"], ["sg"]), N("Mul", ["gate", "sg"], ["glu"]),
    N("Add", ["up", "unit"], ["up1"]), N("Mul", ["up1", "glu"], ["hid"]), N("MatMul", ["hid", "wdown"], ["o0"]),
    N("Unsqueeze", ["bdown", "one"], ["bd1"]), N("Add", ["o0", "bd1"], ["o1"]),
    N("Transpose", ["scores"], ["st"], perm=[1, 0]), N("Unsqueeze", ["st", "last"], ["s3"]), N("Mul", ["o1", "s3"], ["o2"]),
    N("ReduceSum", ["o2", "zero"], ["y"], keepdims=0)]


def gpt_oss(e, x):
    sums = x @ wup[e].astype(np.float64) + bup[e]
    gate, up = np.minimum(sums[0::2], 1.5), np.clip(sums[1::2], -1.5, 1.5)
    return ((up + 1) * gate * sigmoid(1.702 * gate)) @ wdown[e].astype(np.float64) + bdown[e]


form("gpt-oss", GPT_OSS, {**CONSTS, "reps": ints(E, 1), "eth": ints(E, -1, H), "limit": np.float32(1.5),
                          "least": np.float32(-1.5), "alpha": np.float32(1.702), "unit": np.float32(1)},
     lambda x: layer(x, *softmax_of_chosen(x), gpt_oss), H)

# batched_mm of transformers: weights and biases are gathered for each slot.
GATHERED = SCATTER[:3] + [
    N("Reshape", ["ti", "last"], ["ids"]), N("Reshape", ["tw", "last"], ["wf"]), N("Unsqueeze", ["x", "one"], ["x1"]),
    N("Expand", ["x1", "slots"], ["x2"]), N("Reshape", ["x2", "rows"], ["xs"]), N("Gather", ["wup", "ids"], ["wu"], axis=0),
    N("Gather", ["wdown", "ids"], ["wd"], axis=0), N("Unsqueeze", ["xs", "one"], ["xr"]),
    N("MatMul", ["xr", "wu"], ["gu0"]), N("Squeeze", ["gu0", "one"], ["gu1"]), N("Gather", ["bup", "ids"], ["bg"], axis=0),
    N("Add", ["gu1", "bg"], ["gu"]), N("Split", ["gu", "halves"], ["ga", "up"], axis=1), N("Sigmoid", ["ga"], ["sg"]),
    N("Mul", ["ga", "sg"], ["si"]), N("Mul", ["si", "up"], ["hid"]), N("Unsqueeze", ["hid", "one"], ["h1"]),
    N("MatMul", ["h1", "wd"], ["o0"]), N("Squeeze", ["o0", "one"], ["o1"]), N("Unsqueeze", ["wf", "last"], ["w1"]),
    N("Mul", ["o1", "w1"], ["o2"]), N("Reshape", ["o2", "tokens"], ["o3"]), N("ReduceSum", ["o3", "one"], ["y"], keepdims=0)]


def swiglu(e, x):
    gate, up = np.split(x @ wup[e].astype(np.float64) + bup[e], 2)
    return (gate * sigmoid(gate) * up) @ wdown[e].astype(np.float64)


form("gathered", GATHERED, {**CONSTS, "slots": ints(1, K, 1), "rows": ints(-1, H), "halves": ints(I, I),
                            "tokens": ints(-1, K, H)}, lambda x: layer(x, *softmax_of_chosen(x), swiglu), H)

# Dispatch by einsum with a one-hot mask, without a capacity; what the mask takes may be the largest
# logit or the largest score, and weights may lie the other way.
wturned = np.ascontiguousarray(wup[:, :, :I].transpose(0, 2, 1))
EINSUM = [N("Softmax", ["logits"], ["p"], axis=-1),
          N("OneHot", ["am", "depth", "onoff"], ["mask"], axis=-1), N("Mul", ["p", "mask"], ["gate"]),
          N("Einsum", ["mask", "x"], ["xe"], equation="te,th->eth"), N("Einsum", ["xe", "wturned"], ["u"], equation="eth,eih->eti"),
          N("Relu", ["u"], ["hid"]), N("MatMul", ["hid", "wdown"], ["o"]),
          N("Einsum", ["gate", "o"], ["y"], equation="te,eth->th")]


def relu(e, x):
    return np.maximum(x @ wup[e, :, :I].astype(np.float64), 0) @ wdown[e].astype(np.float64)


for name, keys, node in (("scores", "p", 1), ("logits", "logits", 1)):
    nodes = list(EINSUM)
    nodes.insert(node, N("ArgMax", [keys], ["am"], axis=-1, keepdims=0))
    form(f"einsum by {name}", SCATTER[:1] + nodes,
         {**CONSTS, "wturned": wturned, "depth": ints(E), "onoff": np.array([0, 1], np.float32)},
         lambda x: layer(x, *reference.route(x.astype(np.float64) @ router, 1), relu), H)

# A soft mixture computes all experts, and stays.
form("soft", SCATTER[:1] + [N("Softmax", ["logits"], ["gate"], axis=-1), N("Unsqueeze", ["x", "zero"], ["xe"]),
                            N("MatMul", ["xe", "wdense"], ["u"]), N("Relu", ["u"], ["hid"]),
                            N("MatMul", ["hid", "wdown"], ["o"]), N("Einsum", ["gate", "o"], ["y"], equation="te,eth->th")],
     {**CONSTS, "wdense": np.ascontiguousarray(wup[:, :, :I])},
     lambda x: layer(x, *reference.route(x.astype(np.float64) @ router, E), relu), H, holds=(),
     lacks=("moe.expert_ffn",))

# Experts one after another, each for all tokens, times the weight of the choices that are its
# number; with what else is added, and without.
for residual in (False, True):
    nodes, consts = SCATTER[:3], {**CONSTS}
    total = "x" if residual else None
    for e in range(E):
        consts.update({f"g{e}": np.ascontiguousarray(wup[e, :, :I]), f"u{e}": np.ascontiguousarray(wup[e, :, I:]),
                       f"d{e}": wdown[e], f"bd{e}": bdown[e], f"e{e}": np.int64(e)})
        nodes = nodes + [
            N("MatMul", ["x", f"g{e}"], [f"gx{e}"]), N("MatMul", ["x", f"u{e}"], [f"ux{e}"]), N("Sigmoid", [f"gx{e}"], [f"sx{e}"]),
            N("Mul", [f"gx{e}", f"sx{e}"], [f"si{e}"]), N("Mul", [f"si{e}", f"ux{e}"], [f"hx{e}"]),
            N("MatMul", [f"hx{e}", f"d{e}"], [f"dx{e}"]), N("Add", [f"dx{e}", f"bd{e}"], [f"yx{e}"]),
            N("Equal", ["ti", f"e{e}"], [f"eq{e}"]), N("Cast", [f"eq{e}"], [f"ef{e}"], to=T.FLOAT),
            N("Mul", ["tw", f"ef{e}"], [f"we{e}"]), N("ReduceSum", [f"we{e}", "last"], [f"ws{e}"], keepdims=1),
            N("Mul", [f"yx{e}", f"ws{e}"], [f"z{e}"])]
        if total:
            nodes.append(N("Add", [total, f"z{e}"], ["y" if e == E - 1 else f"acc{e}"]))
        total = f"acc{e}" if total else f"z{e}"

    def unrolled(e, x):
        gate, up = np.split(x @ wup[e].astype(np.float64), 2)
        return (gate * sigmoid(gate) * up) @ wdown[e].astype(np.float64) + bdown[e]

    form(f"one after another{' and a residual' if residual else ''}", nodes, consts,
         lambda x: layer(x, *softmax_of_chosen(x), unrolled) + (x if residual else 0), H)
