#===- quantized.py - Models of QuantizeLinear and DequantizeLinear ----------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Quantized products as exporters write them, against their definition in float64: numbers
less zero points times scales, products of these, codes of the results. Integers are equal.

A float result may differ by (2 K + 8) roundings of f32 of the sum of the magnitudes it is made
of; a code by one where the exact number lies that close to the middle between two. After stage
`fuse` there is no float tensor of the shape of a dequantized weight."""

import os
import subprocess

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

rng = np.random.default_rng(7)
UNIT = 2.0**-24


def codes(shape, kind):
    info = np.iinfo(kind)
    return rng.integers(info.min, info.max + 1, shape).astype(kind)


def scales(*shape):
    return (rng.random(shape) * 0.02 + 0.002).astype(np.float32)


def decode(x, scale, zero, axis=None):
    def along(p):
        p = np.asarray(p, np.float64)
        return p if p.ndim != 1 or p.size == 1 else p.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return (x.astype(np.float64) - along(zero)) * along(scale)


def nibbles(name, values, kind):
    """An initializer of 4-bit integers."""
    flat = np.asarray(values).astype(np.int64).ravel() & 15
    flat = np.append(flat, np.zeros(flat.size % 2, np.int64))
    data = (flat[::2] | flat[1::2] << 4).astype(np.uint8).tobytes()
    return h.make_tensor(name, kind, np.shape(values), data, raw=True)


class Suite:
    """Compiles models and compares their results; failures are sentences."""

    def __init__(self, weft, folder):
        self.weft, self.folder = weft, folder
        self.count, self.failures = 0, []

    def run(self, name, nodes, constants, inputs, want, size=None, k=1, weight=None, free=False,
            passes=(), expects=""):
        """`constants` are arrays or tensors of ONNX; `want` is exact unless there is a `size`.
        With `free` the first extent of the inputs is known at run time only. `passes` run on
        what is imported, and make the text `expects`."""
        self.count += 1
        at = os.path.join(self.folder, name)
        os.makedirs(at)
        tensors = [v if isinstance(v, onnx.TensorProto) else nh.from_array(np.asarray(v), key)
                   for key, v in constants.items()]
        declared = [h.make_tensor_value_info(key, h.np_dtype_to_tensor_dtype(v.dtype),
                                             ["n" if free and i == 0 else d for i, d in enumerate(v.shape)])
                    for key, v in inputs.items()]
        graph = h.make_graph(nodes, name, declared,
                             [h.make_tensor_value_info("y", h.np_dtype_to_tensor_dtype(want.dtype), None)],
                             tensors)
        model = h.make_model(graph, ir_version=10, opset_imports=[
            h.make_opsetid("", 21), h.make_opsetid("com.microsoft", 1)])
        onnx.save(model, f"{at}/m.onnx")
        try:
            results = self.results(at, inputs, passes, expects)
        except subprocess.CalledProcessError as error:
            self.fail(name, error.stderr)
            return
        if results[0].tobytes() != results[1].tobytes():
            self.fail(name, "differs for 1 and 2 threads")
        got = results[0]
        if got.shape != want.shape or got.dtype != want.dtype:
            self.fail(name, f"has {got.dtype} {got.shape} for {want.dtype} {want.shape}")
        elif size is None:
            if not np.array_equal(got, want):
                self.fail(name, f"{got.ravel()[:6]} for {want.ravel()[:6]}")
        elif not np.all(np.abs(got - want.astype(np.float64)) <= UNIT * (2 * k + 8) * size + 1e-30):
            self.fail(name, f"{got.ravel()[:4]} for {want.ravel()[:4]}")
        if weight is not None:
            with open(f"{at}/fuse.mlir") as file:
                if f"tensor<{'x'.join(map(str, weight))}xf32>" in file.read():
                    self.fail(name, f"has floats of the shape {weight} after fuse")

    def prepare(self, at, passes, expects):
        """The model as IR after `passes`."""
        opt = os.path.join(os.path.dirname(self.weft), "weft-opt")
        for command in ([self.weft, "compile", "--quiet", f"{at}/m.onnx", "--compile-to=input", "-o", f"{at}/in.mlir"],
                        [opt, f"{at}/in.mlir", *passes, "-o", f"{at}/m.mlir"]):
            subprocess.run(command, capture_output=True, text=True, check=True)
        with open(f"{at}/m.mlir", encoding="utf-8") as file:
            if expects not in file.read():
                self.fail(at, f"has no {expects}")

    def results(self, at, inputs, passes, expects):
        def call(*arguments):
            subprocess.run([self.weft, *arguments], capture_output=True, text=True, check=True)
        model = f"{at}/m.onnx"
        if passes:
            self.prepare(at, passes, expects)
            model = f"{at}/m.mlir"
        call("compile", "--quiet", model, "-o", f"{at}/m.so")
        call("compile", "--quiet", model, "--compile-to=fuse", "-o", f"{at}/fuse.mlir")
        for key, value in inputs.items():
            np.save(f"{at}/{key}.npy", value)
        results = []
        for threads in (1, 2):
            call("run", "--quiet", f"{at}/m.so", f"--threads={threads}",
                 *[f"--input={key}=@{at}/{key}.npy" for key in inputs], f"--output=y=@{at}/y{threads}.npy")
            results.append(np.load(f"{at}/y{threads}.npy"))
        return results

    def fail(self, name, why):
        self.failures.append(name)
        print("FAIL", name, why)


def dequantize(x, y, scale, zero, **attributes):
    return h.make_node("DequantizeLinear", [x, scale] + [zero] * (zero != ""), [y], **attributes)


def matmul_cases(suite):
    """Codes or floats times constants; the result is floats."""
    for i, (kind, weight, per_channel, transposed, symmetric, rows) in enumerate([
            (np.uint8, np.int8, True, False, True, (5,)), (np.uint8, np.int8, True, True, True, (1,)),
            (np.int8, np.int8, False, False, True, (2, 3)), (np.uint8, np.uint8, True, False, False, (37,)),
            (np.uint8, np.uint8, False, False, False, (1,)), (np.int8, np.uint8, True, True, False, (0,)),
            (None, np.int8, True, False, True, (5,)), (None, np.uint8, False, False, False, (3,)),
            (None, np.uint8, True, True, False, (33,))]):
        k, n = 77 + 32 * (i % 2), 48 + i
        w = codes((k, n), weight)
        axis = 1
        s = scales(n) if per_channel else scales()
        z = np.zeros(s.shape, weight) if symmetric else np.asarray(codes(s.shape, weight))
        exact = decode(w, s, z, axis)
        stored = w.T.copy() if transposed else w
        constants = {"w": stored, "s": s, "z": z}
        nodes = [dequantize("w", "wf", "s", "z", axis=0 if transposed else 1)]
        if transposed:
            nodes.append(h.make_node("Transpose", ["wf"], ["wt"], perm=[1, 0]))
        if kind is None:
            x = rng.standard_normal(rows + (k,)).astype(np.float32)
            wide, left = x.astype(np.float64), "x"
        else:
            x, sx, zx = codes(rows + (k,), kind), scales(), np.asarray(codes((), kind))
            wide, left = decode(x, sx, zx), "xf"
            constants |= {"sx": sx, "zx": zx}
            nodes.append(dequantize("x", "xf", "sx", "zx"))
        nodes.append(h.make_node("MatMul", [left, "wt" if transposed else "wf"], ["y"]))
        suite.run(f"matmul-{i}", nodes, constants, {"x": x}, (wide @ exact).astype(np.float32),
                  np.abs(wide) @ np.abs(exact), k, stored.shape, free=i % 2 == 0)


def small_cases(suite):
    """Weights of 4 bits: of columns, and in blocks along what is contracted."""
    for i, (signed, block, transposed) in enumerate([(True, 0, False), (False, 0, True), (True, 32, False),
                                                     (False, 16, True)]):
        k, n = 96, 40
        w = rng.integers(-8, 8, (k, n)) if signed else rng.integers(0, 16, (k, n))
        blocks = k // block if block else 1
        s = scales(blocks, n) if block else scales(n)
        z = rng.integers(-8, 8, s.shape) if signed else rng.integers(0, 16, s.shape)
        repeat = (lambda p: np.repeat(p, block, 0)) if block else (lambda p: p[None])
        exact = (w - repeat(z)) * repeat(s).astype(np.float64)
        kind = T.INT4 if signed else T.UINT4
        turn = (lambda p: p.T.copy() if p.ndim == 2 else p) if transposed else (lambda p: p)
        constants = {"w": nibbles("w", turn(w), kind), "s": turn(s), "z": nibbles("z", turn(z), kind)}
        axis = (1 if transposed else 0) if block else (0 if transposed else 1)
        attributes = {"axis": axis} | ({"block_size": block} if block else {})
        nodes = [dequantize("w", "wf", "s", "z", **attributes)]
        if transposed:
            nodes.append(h.make_node("Transpose", ["wf"], ["wt"], perm=[1, 0]))
        nodes.append(h.make_node("MatMul", ["x", "wt" if transposed else "wf"], ["y"]))
        x = rng.standard_normal((3, k)).astype(np.float32)
        suite.run(f"small-{i}", nodes, constants, {"x": x}, (x @ exact).astype(np.float32),
                  np.abs(x) @ np.abs(exact), k, turn(w).shape)


def gemm_case(suite):
    """As ONNX Runtime's quantizer writes a linear layer with bias, and its result as codes."""
    m, k, n = 9, 130, 51
    x, sx, zx = codes((m, k), np.uint8), scales(), np.uint8(119)
    w, sw = codes((n, k), np.int8), scales(n)
    bias = rng.integers(-1 << 16, 1 << 16, n).astype(np.int32)
    sb = (sx * sw).astype(np.float32)
    sy, zy = np.float32(4.3), np.uint8(131)
    nodes = [dequantize("x", "xf", "sx", "zx"), dequantize("w", "wf", "sw", "zw", axis=0),
             dequantize("b", "bf", "sb", "", axis=0),
             h.make_node("Gemm", ["xf", "wf", "bf"], ["f"], transB=1),
             h.make_node("QuantizeLinear", ["f", "sy", "zy"], ["y"])]
    constants = {"sx": sx, "zx": zx, "w": w, "sw": sw, "zw": np.zeros(n, np.int8), "b": bias, "sb": sb,
                 "sy": sy, "zy": zy}
    exact = decode(x, sx, zx) @ decode(w, sw, np.zeros(n), 0).T + bias * sb.astype(np.float64)
    # No exact number lies in the middle of two codes.
    scaled = exact / float(sy)
    assert np.all(np.abs(np.abs(scaled - np.floor(scaled)) - 0.5) > 1e-4)
    want = np.clip(np.rint(scaled) + int(zy), 0, 255).astype(np.uint8)
    suite.run("gemm", nodes, constants, {"x": x}, want, weight=(n, k))


def operator_case(suite):
    """The same layer as one operator."""
    m, k, n = 4, 70, 21
    x, sx, zx = codes((m, k), np.uint8), scales(), np.uint8(7)
    w, sw, zw = codes((n, k), np.int8), scales(n), np.zeros(n, np.int8)
    bias = rng.integers(-1 << 12, 1 << 12, n).astype(np.int32)
    sums = (x.astype(np.int64) - int(zx)) @ w.T.astype(np.int64) + bias
    constants = {"sx": np.asarray(sx), "zx": zx, "w": w, "sw": sw, "zw": zw, "b": bias}
    exact = sums * (float(sx) * sw.astype(np.float64))
    suite.run("qgemm", [h.make_node("QGemm", ["x", "sx", "zx", "w", "sw", "zw", "b"], ["y"], transB=1,
                                    domain="com.microsoft")], constants, {"x": x}, exact.astype(np.float32),
              np.abs(exact), 4)


def pad(x, pads):
    return np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])])


def convolve(x, w, stride, pads, groups):
    x = pad(x, pads)
    outputs, per_group = w.shape[0] // groups, w.shape[1]
    rows = (x.shape[2] - w.shape[2]) // stride + 1
    columns = (x.shape[3] - w.shape[3]) // stride + 1
    y = np.zeros((x.shape[0], w.shape[0], rows, columns), x.dtype)
    for g in range(groups):
        part = x[:, g * per_group:(g + 1) * per_group]
        filters = w[g * outputs:(g + 1) * outputs]
        for i in range(w.shape[2]):
            for j in range(w.shape[3]):
                window = part[:, :, i:i + rows * stride:stride, j:j + columns * stride:stride][..., :rows, :columns]
                y[:, g * outputs:(g + 1) * outputs] += np.einsum("ncij,mc->nmij", window, filters[:, :, i, j])
    return y


CONVOLUTIONS = [  # channels, outputs, kernel, stride, pads, groups
    (5, 8, 3, 1, (1, 1, 1, 1), 1), (16, 24, 1, 1, (0, 0, 0, 0), 1), (12, 12, 3, 2, (0, 1, 1, 2), 12),
    (8, 12, 3, 1, (1, 0, 2, 1), 4), (7, 3, 2, 2, (0, 0, 0, 0), 1)]


def conv_cases(suite):
    for i, (channels, outputs, kernel, stride, pads, groups) in enumerate(CONVOLUTIONS):
        x, sx, zx = codes((2, channels, 11, 9), np.uint8), scales(), np.uint8(17 * i)
        w, sw = codes((outputs, channels // groups, kernel, kernel), np.int8), scales(outputs)
        bias = rng.integers(-999, 999, outputs).astype(np.int32)
        sb = (sx * sw).astype(np.float32)
        nodes = [dequantize("x", "xf", "sx", "zx"), dequantize("w", "wf", "sw", "zw", axis=0),
                 dequantize("b", "bf", "sb", "", axis=0),
                 h.make_node("Conv", ["xf", "wf", "bf"], ["y"], kernel_shape=[kernel, kernel],
                             strides=[stride, stride], pads=pads, group=groups)]
        constants = {"sx": sx, "zx": zx, "w": w, "sw": sw, "zw": np.zeros(outputs, np.int8), "b": bias, "sb": sb}
        wide, filters = decode(x, sx, zx), decode(w, sw, np.zeros(outputs), 0)
        shift = (bias * sb.astype(np.float64))[:, None, None]
        exact = convolve(wide, filters, stride, pads, groups) + shift
        size = convolve(np.abs(wide), np.abs(filters), stride, pads, groups) + np.abs(shift)
        suite.run(f"conv-{i}", nodes, constants, {"x": x}, exact.astype(np.float32), size,
                  filters[0].size, filters.shape, free=i % 2 == 0)


def convolve_any(x, w, stride, dilation, pads, groups):
    """In any number of dimensions."""
    spatial = x.ndim - 2
    padded = np.pad(x, [(0, 0), (0, 0)] + [(pads[i], pads[spatial + i]) for i in range(spatial)])
    extents = [(padded.shape[2 + i] - dilation * (w.shape[2 + i] - 1) - 1) // stride + 1 for i in range(spatial)]
    inner, outer = x.shape[1] // groups, w.shape[0] // groups
    result = np.zeros((x.shape[0], w.shape[0], *extents))
    for at in np.ndindex(*w.shape[2:]):
        window = padded[(slice(None), slice(None)) + tuple(
            slice(a * dilation, a * dilation + (n - 1) * stride + 1, stride) for a, n in zip(at, extents))]
        for g in range(groups):
            rows, columns = slice(g * outer, (g + 1) * outer), slice(g * inner, (g + 1) * inner)
            result[:, rows] += np.einsum("oc,nc...->no...", w[(rows, slice(None)) + at], window[:, columns])
    return result


def integer_conv_cases(suite):
    """Dequantized codes convolved as integers, where the target wants that."""
    passes = ["--weft-inline-composites", "--lowp-raise-quantization=integer-convolutions=true"]
    # channels, outputs, image, kernel, stride, dilation, pads, groups, types, zero points of outputs
    cases = [(6, 8, (9, 11), (3, 3), 1, 1, (1, 0, 2, 1), 1, np.uint8, np.int8, False),
             (8, 8, (10, 7), (3, 3), 2, 1, (1, 1, 1, 1), 8, np.uint8, np.int8, False),
             (6, 9, (12, 13), (3, 2), 1, 2, (2, 1, 0, 3), 3, np.int8, np.uint8, True),
             (5, 4, (17,), (4,), 2, 1, (3, 0), 1, np.int8, np.int8, False),
             (4, 6, (5, 6, 7), (2, 3, 3), 1, 1, (0, 1, 1, 1, 1, 0), 2, np.uint8, np.uint8, True),
             (16, 24, (6, 5), (1, 1), 1, 1, (0, 0, 0, 0), 1, np.uint8, np.int8, False)]
    for i, (channels, outputs, image, kernel, stride, dilation, pads, groups, kind, weight, zeros) in enumerate(cases):
        x, sx, zx = codes((0 if i == 3 else 2, channels, *image), kind), scales(), codes((), kind)
        w, sw = codes((outputs, channels // groups, *kernel), weight), scales(outputs)
        zw = codes((outputs,), weight) if zeros else np.zeros(outputs, weight)
        nodes = [dequantize("x", "xf", "sx", "zx"), dequantize("w", "wf", "sw", "zw", axis=0),
                 h.make_node("Conv", ["xf", "wf", "b"], ["y"], kernel_shape=kernel, pads=pads, group=groups,
                             strides=[stride] * len(kernel), dilations=[dilation] * len(kernel))]
        bias = rng.standard_normal(outputs).astype(np.float32)
        constants = {"sx": sx, "zx": np.asarray(zx), "w": w, "sw": sw, "zw": zw, "b": bias}
        wide, filters = decode(x, sx, zx), decode(w, sw, zw, 0)
        shift = bias.reshape(-1, *[1] * len(image)).astype(np.float64)
        exact = convolve_any(wide, filters, stride, dilation, pads, groups) + shift
        size = convolve_any(np.abs(wide), np.abs(filters), stride, dilation, pads, groups) + np.abs(shift)
        suite.run(f"integer-conv-{i}", nodes, constants, {"x": x}, exact.astype(np.float32), size,
                  filters[0].size, filters.shape, i % 2 == 0, passes,
                  f"-> tensor<{'?' if i % 2 == 0 else x.shape[0]}x{'x'.join(map(str, exact.shape[1:]))}xi32>")


def integer_cases(suite):
    """Exact in integers."""
    for i, (a, b, zeros) in enumerate([(np.uint8, np.int8, ""), (np.uint8, np.int8, "a"), (np.int8, np.uint8, "ab"),
                                       (np.uint8, np.uint8, "ac"), (np.int8, np.int8, "c"), (np.uint8, np.int8, "rc")]):
        m, k, n = 6, 143, 35
        x, w = codes((m, k), a), codes((k, n), b)
        za = codes((m,) if "r" in zeros else (), a) if "a" in zeros or "r" in zeros else None
        zb = codes((n,) if "c" in zeros else (), b) if "b" in zeros or "c" in zeros else None
        constants, names = {}, ["x", "w", "", ""]
        if za is not None:
            constants["za"], names[2] = np.asarray(za), "za"
        if zb is not None:
            constants["zb"], names[3] = np.asarray(zb), "zb"
        while not names[-1]:
            names.pop()
        left = x.astype(np.int64) - (0 if za is None else np.reshape(za, (-1, 1)).astype(np.int64))
        right = w.astype(np.int64) - (0 if zb is None else np.asarray(zb).astype(np.int64))
        want = (left @ right).astype(np.int32)
        nodes = [h.make_node("MatMulInteger", names, ["y"])]
        suite.run(f"matmul-integer-{i}", nodes, constants | {"w": w}, {"x": x}, want, free=i % 2 == 0)
        suite.run(f"matmul-integer-{i}-both", nodes, constants, {"x": x, "w": w}, want)
    for i, (channels, outputs, kernel, stride, pads, groups) in enumerate(CONVOLUTIONS):
        x, zx = codes((1, channels, 8, 10), np.uint8), np.uint8(40 * i)
        w = codes((outputs, channels // groups, kernel, kernel), np.int8)
        zw = codes((outputs,), np.int8) if i % 2 else np.int8(0)
        want = convolve(x.astype(np.int64) - int(zx), w.astype(np.int64) - np.reshape(zw, (-1, 1, 1, 1)).astype(np.int64),
                        stride, pads, groups).astype(np.int32)
        suite.run(f"conv-integer-{i}",
                  [h.make_node("ConvInteger", ["x", "w", "zx", "zw"], ["y"], kernel_shape=[kernel, kernel],
                               strides=[stride, stride], pads=pads, group=groups)],
                  {"w": w, "zx": zx, "zw": zw}, {"x": x}, want)


def dynamic_case(suite):
    """A linear layer as quantize_dynamic writes it."""
    k, n = 64, 33
    x = rng.standard_normal((4, k)).astype(np.float32)
    w, sw = codes((k, n), np.int8), scales(n)
    nodes = [h.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
             h.make_node("MatMulInteger", ["q", "w", "z", "zw"], ["i"]),
             h.make_node("Cast", ["i"], ["f"], to=T.FLOAT), h.make_node("Mul", ["s", "sw"], ["t"]),
             h.make_node("Mul", ["f", "t"], ["y"])]
    low, high = np.float32(min(x.min(), 0)), np.float32(max(x.max(), 0))
    step = np.float32((high - low) / np.float32(255))
    zero = np.clip(np.rint(np.float32(-low / step)), 0, 255)
    q = np.clip(np.rint(x / step) + zero, 0, 255)
    product = (q - zero) @ w.astype(np.float64)
    want = (product.astype(np.float32) * (step * sw)).astype(np.float32)
    suite.run("dynamic", nodes, {"w": w, "sw": sw, "zw": np.zeros(n, np.int8)}, {"x": x}, want,
              np.abs(want.astype(np.float64)), weight=(k, n))


def lookup_cases(suite):
    ids = np.array([[3, -1, 0], [29, 7, -30]], np.int64)
    table, s, z = codes((30, 24), np.int8), scales(30), codes((30,), np.int8)
    exact = decode(table, s, z, 0)
    nodes = [dequantize("t", "tf", "s", "z", axis=0), h.make_node("Gather", ["tf", "i"], ["y"])]
    suite.run("lookup", nodes, {"t": table, "s": s, "z": z}, {"i": ids}, exact[ids].astype(np.float32),
              np.abs(exact[ids]), weight=table.shape)
    for i, (bits, with_zeros, block) in enumerate([(4, True, 16), (4, False, 32), (8, True, 16), (8, False, 16)]):
        columns, blocks = 48, -(-48 // block)
        data = rng.integers(0, 256, (30, columns * bits // 8)).astype(np.uint8)
        parts = [data >> (bits * j) & (1 << bits) - 1 for j in range(8 // bits)]
        numbers = np.stack(parts, -1).reshape(30, -1).astype(np.float64)
        sb = scales(30, blocks)
        zeros = np.full((30, blocks), 1 << bits - 1)
        constants = {"d": data, "s": sb}
        if with_zeros:
            packed = rng.integers(0, 256, (30, -(-blocks * bits // 8))).astype(np.uint8)
            parts = [packed >> (bits * j) & (1 << bits) - 1 for j in range(8 // bits)]
            zeros = np.stack(parts, -1).reshape(30, -1)[:, :blocks]
            constants["z"] = packed
        groups = np.arange(columns) // block
        exact = ((numbers - zeros[:, groups]) * sb.astype(np.float64)[:, groups])[ids]
        suite.run(f"gather-block-{i}",
                  [h.make_node("GatherBlockQuantized", ["d", "i", "s"] + ["z"] * with_zeros, ["y"],
                               domain="com.microsoft", bits=bits, block_size=block, gather_axis=0, quantize_axis=1)],
                  constants, {"i": ids}, exact.astype(np.float32), np.abs(exact), weight=(30, columns))


def packed_lookup_cases(suite):
    """GatherBlockQuantized of 4-bit types along any axes, and of bytes along outer axes."""
    # type of the table, its extents, gather_axis, quantize_axis, block_size, bits
    cases = [("int4", (30, 48), 0, 1, 16, 4), ("uint4", (31, 37), 0, 1, 16, 4),
             ("int4", (31, 37), 1, 0, 16, 4), ("uint4", (31, 37), 1, 1, 32, 4),
             ("int4", (40, 9), 0, 0, 32, 4), ("uint4", (3, 17, 20), 1, 2, 16, 4),
             ("int4", (33,), 0, 0, 16, 4), ("uint8", (30, 40), 0, 1, 16, 2),
             ("uint8", (5, 6, 48), 1, 2, 32, 4), ("uint8", (5, 36, 8), 1, 0, 16, 8)]
    for i, (kind, shape, axis, quantized, block, bits) in enumerate(cases):
        for with_zeros in (False, True):
            is_bytes, per_byte = kind == "uint8", 8 // bits
            low, high = (-8, 8) if kind == "int4" else (0, 1 << bits)
            blocks = list(shape)
            blocks[quantized] = -(-shape[quantized] // block)
            numbers, zeros = (rng.integers(low, high, s) for s in (shape, blocks))
            s = scales(*blocks)

            def stored(name, x):
                if not is_bytes:
                    return nibbles(name, x, T.INT4 if kind == "int4" else T.UINT4)
                padded = np.zeros((*x.shape[:-1], -(-x.shape[-1] // per_byte) * per_byte), np.uint8)
                padded[..., :x.shape[-1]] = x
                parts = [padded[..., j::per_byte] << (bits * j) for j in range(per_byte)]
                return np.bitwise_or.reduce(parts).astype(np.uint8)

            constants = {"d": stored("d", numbers), "s": s}
            if with_zeros:
                constants["z"] = stored("z", zeros)
            else:
                zeros = np.full(blocks, 1 << bits - 1 if is_bytes else 0)
            group = np.arange(shape[quantized]) // block
            exact = (numbers - np.take(zeros, group, quantized)) * np.take(
                s.astype(np.float64), group, quantized)
            ids = rng.integers(-shape[axis], shape[axis], (2, 3))
            exact = np.take(exact, ids, axis)
            suite.run(f"packed-lookup-{i}-{int(with_zeros)}",
                      [h.make_node("GatherBlockQuantized", ["d", "i", "s"] + ["z"] * with_zeros, ["y"],
                                   domain="com.microsoft", bits=bits, block_size=block,
                                   gather_axis=axis, quantize_axis=quantized)],
                      constants, {"i": ids}, exact.astype(np.float32), np.abs(exact),
                      weight=shape)


def run_all(weft, folder):
    """How many models there were, and the names of those that failed."""
    suite = Suite(weft, folder)
    for cases in (matmul_cases, small_cases, gemm_case, operator_case, conv_cases, integer_conv_cases, integer_cases, dynamic_case, lookup_cases,
                  packed_lookup_cases):
        cases(suite)
    return suite.count, suite.failures


if __name__ == "__main__":
    import sys
    import tempfile
    with tempfile.TemporaryDirectory() as place:
        total, failed = run_all(sys.argv[1], place)
    sys.exit(f"{len(failed)} of {total} failed" if failed else print(total, "models as NumPy"))
