#===- inputs.py - Experts whose inputs are weighted --------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Llama 4 as torch exports it: all experts read all tokens, times the sigmoid of the logits of
those that were chosen and of -inf for the others, which is 0."""

import numpy as np
from onnx import TensorProto as T
from onnx import helper as h

from graphs import N, form, ints, numbers, sigmoid

E, H, I = 5, 8, 6
router, wup, wdown, bias = numbers(H, E), numbers(E, H, 2 * I), numbers(E, I, H), numbers(E, 1, 2 * I)


def graph(k, element, biased=False, offset=False):
    """The nodes and their constants; `offset` adds 1 to what is multiplied."""
    kind = h.np_dtype_to_tensor_dtype(np.dtype(element))
    consts = {"router": router, "wup": wup, "wdown": wdown, "bias": bias, "lowest": np.float32(-np.inf), "unit": np.float32(1)}
    consts = {key: value.astype(element) for key, value in consts.items()}
    consts.update(k=ints(k), reps=ints(E, 1), column=ints(-1, 1), ein=ints(E, -1, H), eout=ints(E, -1, H), rows=ints(-1, H),
                  halves=ints(I, I), zero=ints(0))
    sums = "gub" if biased else "gu"
    return ([N("MatMul", ["x", "router"], ["logits"]), N("TopK", ["logits", "k"], ["tv", "ti"], axis=1), N("Shape", ["logits"], ["ls"]),
             N("Expand", ["lowest", "ls"], ["low"]), N("ScatterElements", ["low", "ti", "tv"], ["scattered"], axis=1),
             N("Cast", ["scattered"], ["sf"], to=T.FLOAT), N("Sigmoid", ["sf"], ["ss"]), N("Cast", ["ss"], ["scores"], to=kind),
             N("Tile", ["x", "reps"], ["xt"]), N("Transpose", ["scores"], ["st"], perm=[1, 0]), N("Reshape", ["st", "column"], ["sc"]),
             N("Mul", ["xt", "sc"], ["xw"]), N("Reshape", ["xw", "ein"], ["xe"]), N("MatMul", ["xe", "wup"], ["gu"])] +
            ([N("Add", ["gu", "bias"], ["gub"])] if biased else []) +
            [N("Split", [sums, "halves"], ["gate", "up"], axis=-1), N("Sigmoid", ["gate"], ["sg"]), N("Mul", ["gate", "sg"], ["silu"])] +
            ([N("Add", ["silu", "unit"], ["si1"]), N("Add", ["up", "unit"], ["up1"]), N("Mul", ["up1", "si1"], ["hid"])]
             if offset else [N("Mul", ["up", "silu"], ["hid"])]) +
            [N("MatMul", ["hid", "wdown"], ["o"]), N("Reshape", ["o", "rows"], ["o1"]), N("Reshape", ["o1", "eout"], ["o2"]),
             N("ReduceSum", ["o2", "zero"], ["y"], keepdims=0)], consts)


def want(x, k, biased=False, offset=False):
    logits = x.astype(np.float64) @ router
    ids = np.argsort(-logits, axis=-1, kind="stable")[:, :k]
    weights = np.zeros_like(logits)
    np.put_along_axis(weights, ids, sigmoid(np.take_along_axis(logits, ids, 1)), 1)
    y = np.zeros((len(x), H))
    for e in range(E):
        rows = x.astype(np.float64) * weights[:, e:e + 1]
        gate, up = np.split(rows @ wup[e].astype(np.float64) + (bias[e] if biased else 0), 2, -1)
        silu = gate * sigmoid(gate)
        y += ((up + 1) * (silu + 1) if offset else up * silu) @ wdown[e].astype(np.float64)
    return y


for k in (1, 2):
    nodes, consts = graph(k, np.float32)
    form(f"llama 4, {k}", nodes, consts, lambda x: want(x, k), H, lacks=("weft.sort", "weft.scatter"),
         holds=("moe.route sigmoid top_k by_logits", "moe.expert_ffn weight_before fused = blocks"))
nodes, consts = graph(1, np.float16)
form("llama 4, f16", nodes, consts, lambda x: want(x, 1), H, element=np.float16, tolerance=5e-2, lengths=(9, "T"),
     holds=("moe.route sigmoid top_k by_logits", "moe.expert_ffn weight_before"), lacks=("weft.sort", "weft.scatter"))
# Experts that do not give 0 for 0 compute something for all tokens.
for name, options in (("a bias", {"biased": True}), ("an offset", {"offset": True})):
    nodes, consts = graph(1, np.float32, **options)
    form(f"llama 4 with {name}", nodes, consts, lambda x: want(x, 1, **options), H, lengths=(9, "T"), holds=("weft.scatter",),
         lacks=("moe.expert_ffn",))
