#===- groups.py - Choices in few groups of experts ---------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Routers of DeepSeek-V2 and V3 as torch exports them: group scores, a mask of groups by
ScatterElements, scores of the chosen by GatherElements."""

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h

import reference
from forms import CONSTS, GATHERED
from graphs import N, form, ints, layer, numbers

E, G, K, H, I = 8, 4, 2, 8, 6
router, bias = numbers(H, E), numbers(E) * np.float32(0.3)
wup, bup, wdown = numbers(E, H, 2 * I), numbers(E, 2 * I), numbers(E, I, H)
EXPERTS = GATHERED[3:]
COMMON = {**CONSTS, "router": router, "bias": bias, "wup": wup, "bup": bup, "wdown": wdown, "k": ints(K),
          "keep": ints(2), "ing": ints(-1, G, E // G), "wide": ints(1, G, E // G), "flat": ints(-1, E),
          "slots": ints(1, K, 1), "rows": ints(-1, H), "halves": ints(I, I), "tokens": ints(-1, K, H),
          "none": np.float32(0), "eps": np.float32(1e-20), "scale": np.float32(2.5)}


def choice(score, by, fill, normalize=None, inverted=False, least=False):
    """The nodes and their constants."""
    biased = by == "top2_sum"
    nodes = [N("MatMul", ["x", "router"], ["logits"]),
             N("Softmax", ["logits"], ["sc"], axis=-1) if score == "softmax" else N("Sigmoid", ["logits"], ["sc"])]
    keys = "sc"
    if biased:
        nodes.append(N("Add", ["sc", "bias"], ["keys"]))
        keys = "keys"
    nodes.append(N("Reshape", [keys, "ing"], ["kg"]))
    if by == "max":
        nodes.append(N("ReduceMax", ["kg", "last"], ["gs"], keepdims=0))
    else:
        nodes += [N("TopK", ["kg", "two"], ["best", "bi"], axis=-1), N("ReduceSum", ["best", "last"], ["gs"], keepdims=0)]
    nodes += [N("TopK", ["gs", "keep"], ["gv", "gi"], axis=-1, sorted=0, largest=0 if least else 1), N("Shape", ["gs"], ["gsh"]),
              N("Expand", ["none", "gsh"], ["gz"]), N("Shape", ["gi"], ["gish"]),
              N("ConstantOfShape", ["gish"], ["ones"], value=h.make_tensor("v", T.FLOAT, [1], [1.0])),
              N("ScatterElements", ["gz", "gi", "ones"], ["gm"], axis=1), N("Unsqueeze", ["gm", "last"], ["gm1"]),
              N("Expand", ["gm1", "wide"], ["gm2"]), N("Reshape", ["gm2", "flat"], ["gm3"]),
              N("Cast", ["gm3"], ["kept"], to=T.BOOL), N("Not", ["kept"], ["other"]),
              N("Where", ["kept" if inverted else "other", "fill", keys], ["kk"]),
              N("TopK", ["kk", "k"], ["tv", "ti"], axis=-1, sorted=0)]
    weights = "tv"
    if biased:
        nodes.append(N("GatherElements", ["sc", "ti"], ["tg"], axis=1))
        weights = "tg"
    if normalize:
        nodes += [N("ReduceSum", [weights, "last"], ["sum"], keepdims=1), N("Add", ["sum", "eps"], ["sume"]),
                  N("Div", [weights, "sume"], ["tn"])]
        weights = "tn"
    nodes.append(N("Mul", [weights, "scale"], ["tw"]))
    return nodes, {**COMMON, "fill": np.float32(fill)}


def expert(e, x):
    gate, up = np.split(x @ wup[e].astype(np.float64) + bup[e], 2)
    return (gate / (1 + np.exp(-gate)) * up) @ wdown[e].astype(np.float64)


def groups(name, score, by, fill, others=None, holds=(), lacks=(), normalize=None, **options):
    nodes, consts = choice(score, by, fill, normalize, **options)
    rule = dict(score=score, bias=bias if by == "top2_sum" else None, scale=2.5,
                groups=(G, 2, by) if others is None else (G, 2, by, others),
                normalize="sum_plus" if normalize else "none", epsilon=1e-20)
    want = lambda x: layer(x, *reference.route(x.astype(np.float64) @ router, K, **rule), expert)
    form(name, nodes + EXPERTS, consts, want, H, holds=("moe.expert_ffn",) + holds, lacks=lacks)


raised = ("weft.sort", "weft.scatter", "scf.if", "scf.for")
groups("deepseek-v3", "sigmoid", "top2_sum", -np.inf, normalize=True, lacks=raised + ("others",),
       holds=("moe.route sigmoid top_k groups = <count = 4, keep = 2, by = top2_sum> normalize = sum_plus", "bias("))
# Keys of other groups are 0, so that experts of these come before those with a key below it.
groups("deepseek-v3 with zeros", "sigmoid", "top2_sum", 0.0, others=0.0, normalize=True, lacks=raised,
       holds=("others = 0.0",))
groups("deepseek-v3 with ones", "sigmoid", "top2_sum", 1.0, others=1.0, lacks=raised, holds=("others = 1.0",))
groups("deepseek-v2", "softmax", "max", 0.0, lacks=raised + ("others",),
       holds=("moe.route softmax top_k groups = <count = 4, keep = 2, by = max> scale = 2.5",))


def masked(x, largest, inverted):
    """Sigmoid scores, -inf in the groups that the sort found or did not find."""
    scores = 1 / (1 + np.exp(-(x.astype(np.float64) @ router)))
    keys = scores + bias
    best = np.sort(keys.reshape(-1, G, E // G), -1)[..., -2:].sum(-1)
    order = np.argsort(-best if largest else best, axis=-1, kind="stable")[:, :2]
    found = np.zeros((len(x), G), bool)
    np.put_along_axis(found, order, True, 1)
    keys = np.where(np.repeat(found != inverted, E // G, 1), keys, -np.inf)
    ids = np.argsort(-keys, axis=-1, kind="stable")[:, :K]
    return ids, np.take_along_axis(scores, ids, 1) * 2.5


# Masks of the groups that were not found, and of the least ones, are no choice of groups.
for name, least, inverted in (("inverted", False, True), ("least", True, False)):
    nodes, consts = choice("sigmoid", "top2_sum", -np.inf, inverted=inverted, least=least)
    form(f"groups, {name}", nodes + EXPERTS, consts, lambda x: layer(x, *masked(x, not least, inverted), expert), H,
         holds=("moe.expert_ffn", "weft.sort"), lacks=("groups =",))
