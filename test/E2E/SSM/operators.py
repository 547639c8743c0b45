#!/usr/bin/env python3
#===- operators.py - ONNX operators with a recurrent state ------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""LinearAttention and CausalConvWithState: they are ssm operations after stage model, and
compute what NumPy does in float64, one token after the other.

Usage: operators.py WEFT-PROGRAM"""

import os
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np
import onnx
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(5)
count = {}
BF16 = np.dtype(ml_dtypes.bfloat16)


def normal(*shape, element=np.float32, scale=1.0):
    return (scale * rng.standard_normal(shape)).astype(element)


def model(name, op, inputs, outputs, attributes, dims):
    """`dims` gives symbols instead of some extents, by input."""
    infos = [h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype), dims.get(k, v.shape))
             for k, v in inputs.items() if v is not None]
    names = ["" if v is None else k for k, v in inputs.items()]
    while not names[-1]:
        names.pop()
    graph = h.make_graph(
        [h.make_node(op, names, list(outputs), **attributes)], name, infos,
        [h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype), [None] * v.ndim)
         for k, v in outputs.items()])
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 27)], ir_version=10)


def case(name, op, inputs, outputs, attributes, dims, raised):
    """Outputs are in the type that the operator gives."""
    group = "f32" if next(iter(outputs.values())).dtype == np.float32 else "narrow"
    data = os.path.join(folder.name, group, name, "test_data_set_0")
    os.makedirs(data)
    path = os.path.join(folder.name, group, name, "model.onnx")
    onnx.save(model(name, op, inputs, outputs, attributes, dims), path)
    given = {k: v for k, v in inputs.items() if v is not None}
    for kind, arrays in (("input", given), ("output", outputs)):
        for i, (key, value) in enumerate(arrays.items()):
            with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as file:
                file.write(nh.from_array(value, key).SerializeToString())
    count[group] = count.get(group, 0) + 1
    text = os.path.join(folder.name, name + ".mlir")
    subprocess.run([weft, "compile", path, "--quiet", "--compile-to=model", "--emit=mlir", "-o", text], check=True)
    with open(text, encoding="utf-8") as file:
        module = file.read()
    for word in raised:
        if word not in module:
            sys.exit(f"{name}: expected {word} after stage model")


def refused(name, op, inputs, outputs, attributes, sentence):
    path = os.path.join(folder.name, name + ".onnx")
    onnx.save(model(name, op, inputs, outputs, attributes, {}), path)
    done = subprocess.run([weft, "compile", path, "-o", path + ".so"], capture_output=True, text=True,
                          check=False)
    if done.returncode == 0 or sentence not in done.stderr:
        sys.exit(f"{name}: expected '{sentence}', got {done.stderr}")


#===-------------------------------------------------------------------------===#
# LinearAttention
#===-------------------------------------------------------------------------===#


def attention(q, k, v, past, decay, beta, Hq, H, rule, scale):
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    (B, T, _), K, V = q.shape, q.shape[2] // Hq, v.shape[2] // H
    S = np.zeros((B, H, K, V)) if past is None else past.astype(np.float64)
    y = np.zeros((B, T, Hq, V))
    for b in range(B):
        for t in range(T):
            for j in range(H):
                key, value = k[b, t].reshape(H, K)[j], v[b, t].reshape(H, V)[j]
                if rule.startswith("gated"):
                    S[b, j] *= np.exp(decay[b, t].astype(np.float64).reshape(H, -1)[j])[:, None]
                if rule.endswith("delta"):
                    value = beta[b, t].astype(np.float64)[j % beta.shape[2]] * (value - S[b, j].T @ key)
                S[b, j] += np.outer(key, value)
            for j in range(Hq):
                y[b, t, j] = (scale or 1 / np.sqrt(K)) * q[b, t].reshape(Hq, K)[j] @ S[b, j * H // Hq]
    return y.reshape(B, T, Hq * V), S


def attention_inputs(rule, B, T, Hq, H, K, V, element, past, rows, shared):
    unit = lambda *shape: (lambda x: x / np.sqrt((x**2).sum(-1, keepdims=True)))(normal(*shape))
    return {
        "q": normal(B, T, Hq * K, element=element), "k": unit(B, T, H, K).reshape(B, T, H * K).astype(element),
        "v": normal(B, T, H * V, element=element),
        "past": normal(B, H, K, V, element=past) if past else None,
        "decay": (-np.abs(normal(B, T, H * K if rows else H))).astype(element) if "gated" in rule else None,
        "beta": (1 / (1 + np.exp(normal(B, T, 1 if shared else H)))).astype(element) if "delta" in rule else None}


def linear_attention(name, rule, kind, B=2, T=7, Hq=4, H=2, K=6, V=5, element=np.float32, past=None,
                     rows=False, shared=False, scale=0.0, dynamic=False):
    inputs = attention_inputs(rule, B, T, Hq, H, K, V, element, past, rows, shared)
    y, state = attention(*inputs.values(), Hq, H, rule, scale)
    attributes = dict(q_num_heads=Hq, kv_num_heads=H, update_rule=rule)
    if scale:
        attributes["scale"] = scale
    dims = {k: ["B"] + (["T"] if k != "past" else [H]) + list(v.shape[2:])
            for k, v in inputs.items() if dynamic and v is not None}
    case("attention-" + name, "LinearAttention", inputs, {"y": y.astype(element), "state": state.astype(past or element)},
         attributes, dims, [f"ssm.{'step' if T == 1 else 'scan'} outer {kind}"])


RULES = {"linear": "identity", "gated": "scalar", "delta": "householder", "gated_delta": "householder"}
for rule, kind in RULES.items():
    linear_attention(rule, rule, kind)
    linear_attention(rule + "-dynamic", rule, kind, dynamic=True, past=np.float32, T=9, B=3)
    linear_attention(rule + "-f16", rule, kind, element=np.float16, past=np.float16)
    linear_attention(rule + "-bf16", rule, kind, element=BF16, past=np.float32)
linear_attention("rows", "gated", "diag", rows=True, past=np.float32)
linear_attention("rows-delta", "gated_delta", "householder", rows=True, Hq=2)
linear_attention("shared-beta", "delta", "householder", shared=True)
linear_attention("one-head", "gated_delta", "householder", Hq=6, H=1, dynamic=True)
linear_attention("one-token", "gated_delta", "householder", T=1, past=np.float32)
linear_attention("scale", "linear", "identity", scale=0.7)
linear_attention("no-tokens", "gated_delta", "householder", T=0, past=np.float32, dynamic=True)
linear_attention("one-row", "gated", "scalar", K=1)

good = attention_inputs("gated", 2, 3, 4, 2, 6, 5, np.float32, None, False, False)
some = {"y": np.zeros((2, 3, 20), np.float32)}
refused("heads", "LinearAttention", good, some, dict(q_num_heads=3, kv_num_heads=2, update_rule="gated"),
        "has 3 heads of queries for 2 of keys")
refused("rule", "LinearAttention", good, some, dict(q_num_heads=4, kv_num_heads=2, update_rule="cubic"),
        "has the update_rule 'cubic'")
refused("no-beta", "LinearAttention", good, some, dict(q_num_heads=4, kv_num_heads=2, update_rule="gated_delta"),
        "needs beta for the update_rule 'gated_delta'")
refused("keys", "LinearAttention", {**good, "k": normal(2, 3, 14)}, some,
        dict(q_num_heads=4, kv_num_heads=2, update_rule="gated"), "has keys of extent 7, expected 6")

#===-------------------------------------------------------------------------===#
# CausalConvWithState
#===-------------------------------------------------------------------------===#


def convolution(name, B=2, C=5, T=9, W=4, bias=True, past=False, activation="none", element=np.float32,
                dynamic=False):
    inputs = {"x": normal(B, C, T, element=element), "w": normal(C, 1, W, element=element, scale=0.5),
              "bias": normal(C, element=element) if bias else None,
              "past": normal(B, C, W - 1, element=element) if past else None}
    x, w = inputs["x"].astype(np.float64), inputs["w"].astype(np.float64)
    before = inputs["past"].astype(np.float64) if past else np.zeros((B, C, W - 1))
    whole = np.concatenate([before, x], 2)
    y = np.zeros((B, C, T))
    for t in range(T):
        y[:, :, t] = (whole[:, :, t:t + W] * w[:, 0]).sum(-1)
    if bias:
        y += inputs["bias"].astype(np.float64)[:, None]
    if activation != "none":
        y = y / (1 + np.exp(-y))
    dims = {"x": ["B", C, "T"], "past": ["B", C, W - 1]} if dynamic else {}
    case("conv-" + name, "CausalConvWithState", inputs,
         {"y": y.astype(element), "next": whole[:, :, whole.shape[2] - (W - 1):].astype(element)},
         dict(activation=activation), dims, ["ssm.causal_conv1d"])


convolution("plain")
convolution("silu", activation="silu", past=True)
convolution("swish", activation="swish", past=True, dynamic=True, B=3, T=11)
convolution("no-bias", bias=False, dynamic=True)
convolution("short", T=2, past=True)
convolution("width-1", W=1)
convolution("f16", element=np.float16, past=True, activation="silu")
convolution("bf16", element=BF16, past=True)
convolution("no-tokens", T=0, past=True, dynamic=True)
refused("activation", "CausalConvWithState", {"x": normal(1, 2, 3), "w": normal(2, 1, 2)},
        {"y": normal(1, 2, 3)}, dict(activation="relu"), "has the activation 'relu'")
refused("filter", "CausalConvWithState", {"x": normal(1, 2, 3), "w": normal(3, 1, 2)},
        {"y": normal(1, 2, 3)}, {}, "has a filter of extent 3, expected 2")

# float32: some ten roundings of 2^-24 in sums of numbers below ten. Narrow types: one rounding,
# of 2^-8, of numbers below ten.
status = 0
for group, (relative, absolute) in {"f32": (1e-4, 1e-5), "narrow": (8e-3, 8e-3)}.items():
    done = subprocess.run([weft, "check", os.path.join(folder.name, group), f"--rtol={relative}",
                           f"--atol={absolute}"], capture_output=True, text=True, check=False)
    if done.returncode or f"{count[group]} passed, 0 failed" not in done.stdout + done.stderr:
        print(done.stdout[-3000:], done.stderr[-3000:])
        status = 1
print(count)
sys.exit(status)
