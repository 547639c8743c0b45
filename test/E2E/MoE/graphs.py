#===- graphs.py - Graphs of routed layers as exporters write them -----------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles graphs for known and unknown numbers of tokens, compares with NumPy in float64, and
with ONNX Runtime where it is installed, and looks at what they are after stage model."""

import os
import subprocess

import numpy as np
import onnx
import weft
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

import harness
from harness import check, failures, run

try:
    import onnxruntime
    onnxruntime.set_default_logger_severity(4)
except ImportError:
    onnxruntime = None

N = h.make_node
rng = np.random.default_rng(31)


def numbers(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def peer(name, proto, x, have, tolerance):
    """ONNX Runtime's result, unless it lacks an operator for the type."""
    if onnxruntime is None:
        return
    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        want = session.run(None, {"x": x})[0]
    except Exception:  # Its errors have no common class.
        return
    check(f"{name} as ONNX Runtime", have, {"y": want}, tolerance)


def form(name, nodes, consts, want, hidden, holds=("moe.expert_ffn", "moe.route"),
         lacks=("weft.sort", "weft.scatter", "scf.for"), element=np.float32, tolerance=1e-4, lengths=(9, 1, "T")):
    """`want` computes the result of tokens in float64."""
    kind = h.np_dtype_to_tensor_dtype(np.dtype(element))
    for tokens in lengths:
        graph = h.make_graph(nodes, "g", [h.make_tensor_value_info("x", kind, [tokens, hidden])],
                             [h.make_tensor_value_info("y", kind, None)],
                             [nh.from_array(np.asarray(v), k) for k, v in consts.items()])
        proto = h.make_model(graph, ir_version=9, opset_imports=[h.make_opsetid("", 18)])
        path = os.path.join(harness.folder.name, f"form{harness.count}.onnx")
        onnx.save(proto, path)
        try:
            module = weft.compile(path)
            for count in ((tokens,) if isinstance(tokens, int) else (0, 1, 13)):
                x = numbers(count, hidden).astype(element)
                have = run(module, {"x": x})
                check(f"{name}, {tokens}", have, {"y": want(x)}, tolerance)
                if count:
                    peer(f"{name}, {tokens}", proto, x, have, tolerance)
        except (weft.Error, AssertionError) as error:
            failures.append(f"{name}, {tokens}: {error}")
            continue
        text = subprocess.run([os.environ["WEFT_COMPILER"], "compile", path, "--quiet", "--compile-to=model",
                               "--emit=mlir", "-o", "-"], capture_output=True, text=True, check=False).stdout
        for word in holds:
            if word not in text:
                failures.append(f"{name}, {tokens}: expected {word} after stage model")
        for word in lacks:
            if word in text:
                failures.append(f"{name}, {tokens}: {word} is still there after stage model")


def layer(x, ids, weights, expert):
    """The weighted sums of expert(number, row)."""
    y = np.zeros((len(x), expert(0, x[:1].astype(np.float64)[0] if len(x) else np.zeros(x.shape[1])).size))
    for t, row in enumerate(x.astype(np.float64)):
        for e, w in zip(ids[t], weights[t]):
            y[t] += w * expert(e, row)
    return y
