#!/usr/bin/env python3
#===- cases.py - Convolutions against NumPy in float64 ----------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs convolutions and transposed ones of odd sizes, strides, dilations, pads, groups and
types, with what follows them in networks, as they are and with every dimension
dynamic, and compares with sums in float64. Then runs some of them with several
numbers of threads, and compares every bit.

Usage: cases.py WEFT-PROGRAM"""

import itertools
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
root = folder.name
rng = np.random.default_rng(11)
count = 0


def convolve(x, w, strides, dilations, pads, groups):
    """The convolution in float64, kernel position by kernel position."""
    spatial = x.ndim - 2
    x, w = x.astype(np.float64), w.astype(np.float64)
    x = np.pad(x, [(0, 0), (0, 0)] + [(pads[i], pads[spatial + i]) for i in range(spatial)])
    extents = [(x.shape[2 + i] - dilations[i] * (w.shape[2 + i] - 1) - 1) // strides[i] + 1
               for i in range(spatial)]
    y = np.zeros([x.shape[0], w.shape[0]] + extents)
    inputs, outputs = w.shape[1], w.shape[0] // groups
    for kernel in itertools.product(*map(range, w.shape[2:])):
        at = tuple(slice(k * d, k * d + (e - 1) * s + 1, s)
                   for k, d, s, e in zip(kernel, dilations, strides, extents))
        for g in range(groups):
            part = x[(slice(None), slice(g * inputs, (g + 1) * inputs)) + at]
            rows = slice(g * outputs, (g + 1) * outputs)
            y[:, rows] += np.einsum("nc...,mc->nm...", part, w[(rows, slice(None)) + kernel])
    return y


def transposed(x, w, strides, dilations, groups, part):
    """The transposed convolution in float64; `part` has a begin and an extent for each
    spatial dimension, and may go beyond what the filter reaches."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    outputs, inputs = w.shape[1], x.shape[1] // groups
    sizes = [max((n - 1) * s + d * (k - 1) + 1, begin + extent)
             for n, s, d, k, (begin, extent) in
             zip(x.shape[2:], strides, dilations, w.shape[2:], part)]
    y = np.zeros([x.shape[0], outputs * groups] + sizes)
    for kernel in itertools.product(*map(range, w.shape[2:])):
        at = tuple(slice(k * d, k * d + (n - 1) * s + 1, s)
                   for k, d, s, n in zip(kernel, dilations, strides, x.shape[2:]))
        for g in range(groups):
            rows = slice(g * inputs, (g + 1) * inputs)
            y[(slice(None), slice(g * outputs, (g + 1) * outputs)) + at] += np.einsum(
                "nc...,cm->nm...", x[:, rows], w[(rows, slice(None)) + kernel])
    return y[(slice(None), slice(None)) + tuple(slice(b, b + e) for b, e in part)]


def part_of(x, w, strides, dilations, pads, more):
    """Begins and extents of the result, as the standard says of ConvTranspose."""
    part = []
    for i, (n, k, s, d) in enumerate(zip(x[2:], w[2:], strides, dilations)):
        extra = more.get("output_padding", [0] * len(strides))[i]
        size = (n - 1) * s + d * (k - 1) + 1 + extra
        if "output_shape" in more or "auto_pad" in more:
            extent = more["output_shape"][i] if "output_shape" in more else n * s
            total = max(size - extent, 0)
            begin = total // 2 if more.get("auto_pad") == "SAME_UPPER" else total - total // 2
        else:
            begin, extent = pads[i], size - pads[i] - pads[len(strides) + i]
        part.append((begin, extent))
    return part


def case(name, x, w, strides=None, dilations=None, pads=None, groups=1, bias=True, then="",
         dtype=np.float32, transpose=None):
    """Writes a case. `then`: what follows, as in residual networks (add, relu), inverted
    ones (clip), and those that weight channels (scale). `transpose`: the attributes that
    only ConvTranspose has."""
    global count
    spatial = len(x) - 2
    strides, dilations = strides or [1] * spatial, dilations or [1] * spatial
    pads = pads or [0] * (2 * spatial)
    x, w = rng.standard_normal(x).astype(dtype), rng.standard_normal(w).astype(dtype)
    feed, weights = {"x": x}, {"w": w}
    if transpose is None:
        y = convolve(x, w, strides, dilations, pads, groups)
    else:
        part = part_of(x.shape, w.shape, strides, dilations, pads, transpose)
        y = transposed(x, w, strides, dilations, groups, part)
    if bias:
        weights["b"] = rng.standard_normal(y.shape[1]).astype(dtype)
        y += weights["b"].astype(np.float64).reshape([-1] + [1] * spatial)
    attributes = dict(transpose or {}, strides=strides, dilations=dilations, group=groups)
    if not {"auto_pad", "output_shape"} & attributes.keys():
        attributes["pads"] = pads
    nodes = [h.make_node("Conv" if transpose is None else "ConvTranspose",
                         ["x"] + list(weights), ["v0"], **attributes)]
    for step in then.split():
        last, out = nodes[-1].output[0], f"v{len(nodes)}"
        if step in ("add", "scale"):
            shape = y.shape if step == "add" else y.shape[:2] + (1,) * spatial
            feed[out + "_r"] = rng.standard_normal(shape).astype(dtype)
            operand = feed[out + "_r"].astype(np.float64)
            y = y + operand if step == "add" else y * operand
            nodes.append(h.make_node("Add" if step == "add" else "Mul", [last, out + "_r"], [out]))
        elif step == "relu":
            y = np.maximum(y, 0)
            nodes.append(h.make_node("Relu", [last], [out]))
        elif step == "clip":
            y = np.clip(y, 0, 6)
            weights["low"], weights["high"] = np.array(0, dtype), np.array(6, dtype)
            nodes.append(h.make_node("Clip", [last, "low", "high"], [out]))
    nodes[-1].output[0] = "y"
    element = h.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = h.make_graph(
        nodes, "g", [h.make_tensor_value_info(k, element, v.shape) for k, v in feed.items()],
        [h.make_tensor_value_info("y", element, y.shape)],
        [nh.from_array(v, k) for k, v in weights.items()])
    at = os.path.join(root, name)
    os.makedirs(os.path.join(at, "test_data_set_0"))
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, os.path.join(at, "model.onnx"))
    values = [(f"input_{i}", v) for i, v in enumerate(feed.values())]
    for file, value in values + [("output_0", y.astype(dtype))]:
        with open(os.path.join(at, "test_data_set_0", file + ".pb"), "wb") as out:
            out.write(nh.from_array(value).SerializeToString())
    count += 1


def cases():
    # One kernel position: the input is the matrix; rows beyond one work item.
    case("pointwise", [2, 17, 9, 11], [33, 17, 1, 1], then="relu")
    case("pointwise-residual", [1, 40, 14, 14], [300, 40, 1, 1], then="add relu")
    case("pointwise-strided", [1, 8, 15, 13], [20, 8, 1, 1], strides=[2, 2])
    case("pointwise-one-pixel", [3, 64, 1, 1], [10, 64, 1, 1])
    case("pointwise-scaled", [2, 12, 7, 7], [24, 12, 1, 1], then="scale clip")
    # Several: pads on every side, unequal strides, all three ways to read.
    for stride, (height, width) in itertools.product([1, 2, 3], [(7, 7), (33, 20), (5, 70)]):
        case(f"dense-{stride}-{height}x{width}", [2, 5, height, width], [31, 5, 3, 3],
             strides=[stride, stride], pads=[1, 1, 1, 1], then="clip")
        case(f"depthwise-{stride}-{height}x{width}", [2, 37, height, width], [37, 1, 3, 3],
             strides=[stride, stride], pads=[1, 1, 1, 1], groups=37, then="clip")
    case("dense-asymmetric", [1, 6, 12, 19], [50, 6, 4, 3], strides=[1, 2], pads=[0, 2, 3, 1],
         then="add")
    case("dense-dilated", [1, 7, 21, 18], [26, 7, 3, 3], dilations=[2, 3], pads=[2, 3, 2, 3])
    case("dense-pads-beyond-kernel", [1, 2, 4, 3], [3, 2, 2, 2], pads=[3, 4, 5, 3])
    case("dense-deep", [1, 130, 9, 7], [70, 130, 3, 3], pads=[1, 1, 1, 1], then="relu")
    case("first-layer", [1, 3, 57, 61], [32, 3, 7, 7], strides=[2, 2], pads=[3, 3, 3, 3])
    case("depthwise-dilated", [1, 9, 25, 40], [9, 1, 5, 3], dilations=[2, 2], pads=[4, 2, 4, 2],
         groups=9)
    case("depthwise-wide-kernel", [1, 5, 6, 40], [5, 1, 1, 15], pads=[0, 7, 0, 7], groups=5)
    case("depthwise-asymmetric", [2, 10, 11, 17], [10, 1, 2, 3], strides=[2, 1], pads=[1, 0, 0, 2],
         groups=10, bias=False, then="relu")
    case("grouped", [2, 12, 10, 9], [18, 4, 3, 3], pads=[1, 1, 1, 1], groups=3, then="add relu")
    case("grouped-pointwise", [2, 12, 10, 9], [8, 3, 1, 1], groups=4, then="scale")
    case("grouped-one-output", [1, 12, 8, 8], [4, 3, 3, 3], pads=[1, 0, 1, 0], groups=4)
    case("channel-multiplier", [1, 6, 13, 13], [18, 1, 3, 3], strides=[2, 2], groups=6)
    # Other ranks, and images that are lines.
    case("rank-1", [2, 5, 50], [20, 5, 5], strides=[2], pads=[2, 1], then="relu")
    case("rank-1-depthwise", [2, 19, 64], [19, 1, 4], pads=[3, 0], groups=19)
    case("rank-3", [1, 4, 5, 6, 9], [13, 4, 3, 2, 3], strides=[1, 2, 1], pads=[1, 0, 1, 1, 1, 1])
    case("rank-3-depthwise", [1, 6, 4, 5, 17], [6, 1, 3, 3, 3], pads=[1] * 6, groups=6)
    case("column", [1, 24, 300, 1], [40, 24, 5, 1], pads=[2, 0, 2, 0], then="relu")
    case("column-depthwise", [1, 24, 300, 1], [24, 1, 5, 1], pads=[2, 0, 2, 0], groups=24)
    case("line", [1, 24, 1, 300], [40, 24, 1, 5], pads=[0, 2, 0, 2])
    case("one-output", [1, 8, 5, 5], [6, 8, 5, 5])
    # Nothing to compute.
    case("empty-batch", [0, 4, 8, 8], [5, 4, 3, 3], pads=[1, 1, 1, 1], then="relu")
    case("empty-batch-depthwise", [0, 4, 8, 8], [4, 1, 3, 3], groups=4)
    case("double", [1, 9, 12, 13], [14, 9, 3, 3], strides=[2, 1], pads=[1, 1, 1, 1],
         dtype=np.float64)
    case("double-depthwise", [1, 9, 12, 13], [9, 1, 3, 3], pads=[1, 1, 1, 1], groups=9,
         dtype=np.float64)


def transposed_cases():
    """Kernels smaller than, equal to, multiples of and unrelated to the stride."""
    for kernel, stride, pad in itertools.product([1, 2, 3, 4, 7], [1, 2, 3], [0, 1]):
        if kernel >= 2 * pad + 1:
            case(f"transposed-{kernel}-by-{stride}-pad-{pad}", [2, 5, 6, 7], [5, 9, kernel, kernel],
                 strides=[stride, stride], pads=[pad] * 4, transpose={}, then="relu")
    case("transposed-plain", [1, 24, 13, 17], [24, 24, 2, 2], strides=[2, 2], transpose={},
         then="relu")
    case("transposed-one-output", [1, 24, 13, 17], [24, 1, 2, 2], strides=[2, 2], transpose={},
         bias=False)
    case("transposed-asymmetric", [1, 3, 5, 8], [3, 4, 3, 5], strides=[2, 3], pads=[0, 3, 2, 1],
         transpose={"output_padding": [1, 2]})
    # More cut off than a window has; an end beyond all pads.
    case("transposed-wide-pads", [1, 2, 9, 9], [2, 3, 3, 3], strides=[1, 2], pads=[4, 5, 3, 6],
         transpose={})
    case("transposed-grouped", [2, 12, 5, 4], [12, 3, 4, 4], strides=[2, 2], pads=[1, 1, 1, 1],
         groups=4, transpose={}, then="add")
    case("transposed-depthwise", [1, 10, 6, 5], [10, 1, 4, 4], strides=[2, 2], pads=[1, 1, 1, 1],
         groups=10, transpose={}, bias=False)
    case("transposed-dilated", [1, 4, 6, 5], [4, 3, 3, 2], dilations=[2, 3], pads=[1, 0, 2, 1],
         transpose={})
    case("transposed-dilated-strided", [1, 4, 6, 5], [4, 3, 3, 3], strides=[2, 3],
         dilations=[3, 2], pads=[1, 0, 2, 1], transpose={"output_padding": [1, 0]})
    case("transposed-rank-1", [2, 8, 21], [8, 4, 8], strides=[4], pads=[2, 2], transpose={})
    case("transposed-rank-3", [1, 3, 3, 4, 2], [3, 5, 2, 3, 4], strides=[2, 1, 2],
         pads=[0, 1, 1, 0, 1, 1], transpose={})
    case("transposed-one-pixel", [4, 6, 1, 1], [6, 5, 4, 4], transpose={}, then="relu")
    case("transposed-empty-batch", [0, 6, 3, 3], [6, 5, 4, 4], strides=[2, 2], transpose={})
    for pad in ("SAME_UPPER", "SAME_LOWER"):
        case(f"transposed-{pad}", [1, 3, 5, 6], [3, 2, 3, 4], strides=[2, 3],
             transpose={"auto_pad": pad})
        # The filter does not reach over a stride; onnxruntime gives less.
        case(f"transposed-short-{pad}", [1, 3, 5, 6], [3, 2, 1, 2], strides=[2, 3],
             transpose={"auto_pad": pad})
        case(f"transposed-{pad}-more", [1, 3, 5, 6], [3, 2, 4, 3], strides=[3, 2],
             transpose={"auto_pad": pad, "output_padding": [2, 1]})
    case("transposed-shape", [1, 3, 5, 6], [3, 2, 3, 3], strides=[3, 2],
         transpose={"output_shape": [10, 12]})
    # Asked for beyond the filter's reach: only the bias is there.
    case("transposed-beyond", [1, 3, 3, 2], [3, 2, 2, 2], strides=[2, 3],
         transpose={"output_shape": [8, 11]})
    case("transposed-double", [1, 4, 5, 6], [4, 3, 4, 3], strides=[2, 2], pads=[1, 0, 1, 1],
         transpose={}, dtype=np.float64)


def half_cases():
    case("half", [1, 9, 12, 13], [14, 9, 3, 3], strides=[2, 1], pads=[1, 1, 1, 1],
         dtype=np.float16)
    case("half-depthwise", [1, 9, 12, 13], [9, 1, 3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
         groups=9, dtype=np.float16)


def check(tolerance):
    for variant in ([], ["--variant=dynamic"]):
        line = [weft, "check", "--jobs=2", root] + tolerance + variant
        result = subprocess.run(line, capture_output=True, text=True)
        if result.returncode or f"{count} passed" not in result.stdout:
            sys.exit(f"{' '.join(line)}\n{result.stdout}{result.stderr}")


def check_threads():
    """Results do not depend on the number of threads, to the bit."""
    for name in ("dense-2-33x20", "depthwise-1-33x20", "pointwise-residual", "grouped"):
        at = os.path.join(root, name)
        module, data = os.path.join(at, "m.so"), os.path.join(at, "test_data_set_0")
        subprocess.run([weft, "compile", "--quiet", os.path.join(at, "model.onnx"), "-o", module],
                       check=True)
        inputs = sorted(f for f in os.listdir(data) if f.startswith("input"))
        results = []
        for threads in (1, 2, 5):
            out = os.path.join(at, f"y{threads}.npy")
            subprocess.run([weft, "run", "--quiet", module, f"--threads={threads}",
                            f"--output=@{out}"] +
                           [f"--input=@{os.path.join(data, f)}" for f in inputs],
                           stdout=subprocess.DEVNULL, check=True)
            with open(out, "rb") as file:
                results.append(file.read())
        if len(set(results)) != 1:
            sys.exit(f"{name}: the result depends on the number of threads")


cases()
transposed_cases()
# Sums of up to 1170 products of normal numbers, in another order.
check(["--rtol=1e-5", "--atol=2e-4"])
check_threads()
folder = tempfile.TemporaryDirectory()
root, count = folder.name, 0
half_cases()
# The sums are f32; the result is rounded to f16 (11 bits).
check(["--rtol=1e-3", "--atol=1e-3"])
