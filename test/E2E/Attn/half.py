#!/usr/bin/env python3
#===- half.py - Attention of narrow floats that is written out --------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Two products around a softmax in float16 and bfloat16, as exporters of half models write it: with and without
casts, with the softmax as an operator and in its parts. It is one attention after stage model, and what it computes
is what NumPy does in float64, up to the rounding of the result.

Usage: half.py WEFT-PROGRAM"""

import os
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(6)
N = h.make_node
count = {}
KINDS = {"f16": (T.FLOAT16, np.dtype(np.float16)), "bf16": (T.BFLOAT16, np.dtype(ml_dtypes.bfloat16))}
# One rounding of the result, of numbers below 4; sums of float32 are exact beside it.
TOLERANCE = {"f16": 2e-3, "bf16": 1.6e-2}
# A cast before the scale, or around the softmax; the softmax in its parts, in either type; none at all.
FORMS = ("plain", "cast", "early", "parts", "parts-cast", "guarded")


def nodes_of(form, kind):
    narrow = KINDS[kind][0]
    nodes = [N("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]), N("MatMul", ["q", "kt"], ["s0"])]
    if form == "early":
        nodes += [N("Cast", ["s0"], ["s1"], to=T.FLOAT), N("Cast", ["mask"], ["m32"], to=T.FLOAT),
                  N("Mul", ["s1", "scale32"], ["s2"]), N("Add", ["s2", "m32"], ["s3"]),
                  N("Softmax", ["s3"], ["p32"], axis=-1), N("Cast", ["p32"], ["p"], to=narrow)]
        return nodes
    nodes += [N("Mul", ["s0", "scale"], ["s1"]), N("Add", ["s1", "mask"], ["s2"])]
    scores, weights = "s2", "p"
    if form.endswith("cast"):
        nodes.append(N("Cast", ["s2"], ["s3"], to=T.FLOAT))
        scores, weights = "s3", "p32"
    if form == "guarded":
        weights = "p0"
    if form.startswith("parts"):
        nodes += [N("ReduceMax", [scores, "last"], ["top"], keepdims=1), N("Sub", [scores, "top"], ["d"]),
                  N("Exp", ["d"], ["e"]), N("ReduceSum", ["e", "last"], ["sum"], keepdims=1), N("Div", ["e", "sum"], [weights])]
    else:
        nodes.append(N("Softmax", [scores], [weights], axis=-1))
    if form.endswith("cast"):
        nodes.append(N("Cast", ["p32"], ["p"], to=narrow))
    if form == "guarded":
        nodes += [N("IsNaN", ["p0"], ["none"]), N("Where", ["none", "nothing", "p0"], ["p"])]
    return nodes


def case(name, form, kind, B=2, H=3, S=5, K=7, D=8, E=6, masked=False, dims=True):
    proto, element = KINDS[kind]
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32).astype(element)
    q, k, v, mask = normal(B, H, S, D), normal(B, H, K, D), normal(B, H, K, E), normal(B, 1, S, K)
    if masked:
        mask[:, :, 0] = -np.inf
    x = [a.astype(np.float64) for a in (q, k, v, mask)]
    scale = float(np.array(0.35).astype(element)) if form != "early" else float(np.float32(0.35))
    scores = np.einsum("bhsd,bhtd->bhst", x[0], x[1]) * scale + x[3]
    top = scores.max(-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = powers.sum(-1, keepdims=True)
    want = np.einsum("bhst,bhte->bhse", np.where(total > 0, powers / np.where(total > 0, total, 1), 0), x[2])
    symbols = lambda names, shape: [n if dims and n in "BSK" else s for n, s in zip(names, shape)]
    info = lambda key, names, a: h.make_tensor_value_info(key, proto, symbols(names, a.shape))
    graph = h.make_graph(
        nodes_of(form, kind) + [N("MatMul", ["p", "v"], ["y"])], "g",
        [info("q", "BHSD", q), info("k", "BHKD", k), info("v", "BHKE", v), info("mask", "B1SK", mask)],
        [h.make_tensor_value_info("y", proto, [None] * 4)],
        [nh.from_array(np.array(0.35).astype(element), "scale"), nh.from_array(np.array(0.35, np.float32), "scale32"),
         nh.from_array(np.array([-1]), "last"), nh.from_array(np.array(0).astype(element), "nothing")])
    data = os.path.join(folder.name, kind, name, "test_data_set_0")
    os.makedirs(data)
    path = os.path.join(folder.name, kind, name, "model.onnx")
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 20)], ir_version=9), path)
    for role, arrays in (("input", {"q": q, "k": k, "v": v, "mask": mask}), ("output", {"y": want.astype(element)})):
        for i, (key, value) in enumerate(arrays.items()):
            with open(os.path.join(data, f"{role}_{i}.pb"), "wb") as file:
                file.write(nh.from_array(value, key).SerializeToString())
    count[kind] = count.get(kind, 0) + 1
    module = subprocess.run([weft, "compile", path, "--quiet", "--compile-to=model", "--emit=mlir", "-o", "-"],
                            capture_output=True, text=True, check=True).stdout
    if "attn.attend" not in module or "softmax" in module or "math.exp" in module:
        sys.exit(f"{name}: expected one attn.attend after stage model")


for kind in KINDS:
    for form in FORMS:
        case(form, form, kind, masked=form == "guarded")
        case(form + "-static", form, kind, dims=False, B=1, S=1, K=33, masked=form == "guarded")
    case("no-queries", "plain", kind, S=0)
    case("one-key", "parts", kind, K=1)

failed = 0
for kind, allowed in TOLERANCE.items():
    for threads in (1, 2):
        done = subprocess.run([weft, "check", os.path.join(folder.name, kind), f"--rtol={allowed}", f"--atol={allowed}",
                               f"--threads={threads}"], capture_output=True, text=True, check=False)
        print(done.stdout[-2000:], done.stderr[-2000:])
        failed += bool(done.returncode) or f"{count[kind]} passed, 0 failed" not in done.stdout + done.stderr
sys.exit(failed)
