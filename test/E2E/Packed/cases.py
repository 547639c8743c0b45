#!/usr/bin/env python3
#===- cases.py - Integers below 8 bits and small floats ---------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Decodes every code of every packed element type and encodes every bfloat16
number, neighbours of all ties and random floats, bit for bit as ml_dtypes does;
moves such elements through odd, empty and dynamic shapes and control flow; runs
ONNX's own cases of these types; and checks what is refused.

Usage: cases.py WEFT-PROGRAM"""

import os
import subprocess
import sys
import tempfile
import warnings

import ml_dtypes as ml
import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

weft = sys.argv[1]
folder = tempfile.TemporaryDirectory()
root = folder.name
rng = np.random.default_rng(3)
count = 0
N = h.make_node

FLOATS = {
    "FLOAT8E4M3FN": (8, ml.float8_e4m3fn),
    "FLOAT8E4M3FNUZ": (8, ml.float8_e4m3fnuz),
    "FLOAT8E5M2": (8, ml.float8_e5m2),
    "FLOAT8E5M2FNUZ": (8, ml.float8_e5m2fnuz),
    "FLOAT8E8M0": (8, ml.float8_e8m0fnu),
    "FLOAT6E2M3": (6, ml.float6_e2m3fn),
    "FLOAT6E3M2": (6, ml.float6_e3m2fn),
    "FLOAT4E2M1": (4, ml.float4_e2m1fn),
}
INTEGERS = {
    "INT4": (4, ml.int4),
    "UINT4": (4, ml.uint4),
    "INT2": (2, ml.int2),
    "UINT2": (2, ml.uint2),
}
ALL = {**FLOATS, **INTEGERS}


def number(name):
    return getattr(T, name)


def case(name, nodes, inputs, outputs, consts={}, dynamic=()):
    """Inputs and expected outputs by name; the inputs in `dynamic` have free
    dimensions."""
    global count

    def info(key, value):
        shape = [f"{key}_{i}" for i in range(value.ndim)] if key in dynamic else value.shape
        return h.make_tensor_value_info(key, h.np_dtype_to_tensor_dtype(value.dtype), shape)

    graph = h.make_graph(
        nodes,
        name,
        [info(k, v) for k, v in inputs.items()],
        [
            h.make_tensor_value_info(k, h.np_dtype_to_tensor_dtype(v.dtype), [None] * v.ndim)
            for k, v in outputs.items()
        ],
        [nh.from_array(np.asarray(v), k) for k, v in consts.items()],
    )
    path = os.path.join(root, name)
    data = os.path.join(path, "test_data_set_0")
    os.makedirs(data)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 25)], ir_version=13)
    with open(os.path.join(path, "model.onnx"), "wb") as file:
        file.write(model.SerializeToString())
    for kind, tensors in (("input", inputs), ("output", outputs)):
        for i, (key, value) in enumerate(tensors.items()):
            with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as file:
                file.write(nh.from_array(value, key).SerializeToString())
    count += 1


def codes(name):
    """All numbers of a type, in the order of their codes."""
    bits, dtype = ALL[name]
    raw = np.arange(1 << bits, dtype=np.uint8)
    if name.startswith("INT"):  # ml_dtypes keeps the sign in the byte
        raw = np.where(raw >= 1 << (bits - 1), raw - np.uint8(1 << bits), raw).astype(np.uint8)
    return raw.view(dtype)


# Decoding: all codes, from the entry and from the model's file, into all floats
# that hold them.
for name in ALL:
    x = codes(name)
    outputs, nodes = {}, []
    for to, dtype in (
        (T.FLOAT, np.float32),
        (T.DOUBLE, np.float64),
        (T.BFLOAT16, ml.bfloat16),
        (T.FLOAT16, np.float16),
    ):
        if name == "FLOAT8E8M0" and to == T.FLOAT16:
            continue
        for source in ("x", "w"):
            nodes.append(N("Cast", [source], [f"{source}{to}"], to=to))
            outputs[f"{source}{to}"] = x.astype(np.float32).astype(dtype)
    case(f"decode-{name}", nodes, {"x": x}, outputs, consts={"w": x})

# Encoding: numbers in f32, f64 and f16.
bf16 = np.arange(1 << 16, dtype=np.uint16).view(ml.bfloat16).astype(np.float32)
ties = [bf16, rng.integers(0, 1 << 32, 20000, dtype=np.uint64).astype(np.uint32).view(np.float32)]
for name in FLOATS:
    values = np.sort(codes(name).astype(np.float64))
    values = values[np.isfinite(values)]
    middle = ((values[1:] + values[:-1]) / 2).astype(np.float32)
    ties += [middle, np.nextafter(middle, np.float32(-np.inf)), np.nextafter(middle, np.float32(np.inf))]
floats = np.concatenate(ties)
# A double next to a tie, which f32 would round onto it.
with np.errstate(invalid="ignore"):
    doubles = floats.astype(np.float64)
    doubles = np.concatenate([doubles, np.nextafter(doubles, np.inf)])
halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)


def saturated(x, dtype):
    info = ml.finfo(dtype)
    return np.clip(x, x.dtype.type(info.min), x.dtype.type(info.max)).astype(dtype)


def single(x):
    """x in f32 for another rounding: doubles become odd where f32 lacks them, so
    that ml_dtypes, which goes through f32, rounds to what is nearest to x."""
    if x.dtype != np.float64:
        return x
    y = x.astype(np.float32)
    away = np.abs(y.astype(np.float64)) > np.abs(x)
    bits = y.view(np.uint32) - away.astype(np.uint32)  # towards zero
    inexact = np.isfinite(x) & (bits.view(np.float32).astype(np.float64) != x)
    return np.where(inexact, bits | 1, bits).astype(np.uint32).view(np.float32)


def power_of_two(x, mode):
    """x as the exponent-only type, saturated or (nearest) not."""
    x = x.astype(np.float64)
    fraction, exponent = np.frexp(x)  # [0.5, 1)
    low = np.ldexp(1.0, exponent - 1)
    ups = {"up": x != low, "down": False, "nearest": fraction >= 0.75}[mode]
    power = np.where(ups, 2 * low, low)
    largest = 2.0**127
    power = np.where(power > largest, np.nan if mode == "nearest" else largest, power)
    power = np.where(np.isinf(x), np.nan if mode == "nearest" else largest, power)
    return np.where(np.isnan(x), np.nan, power).astype(ml.float8_e8m0fnu)


for name, (bits, dtype) in FLOATS.items():
    to = number(name)
    for kind, x in (("f32", floats), ("f64", doubles), ("f16", halves)):
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if bits < 8:
                x = x[~np.isnan(x)]  # there is no NaN, and ONNX does not say what becomes of it
            if name == "FLOAT8E8M0":
                # ONNX leaves open what becomes of negative numbers.
                wide = x.astype(np.float64)
                x = x[(wide >= 2.0**-127) | np.isnan(wide)]
                normal = x.astype(np.float64) >= 2.0**-126  # ml_dtypes rounds others up
                assert np.array_equal(
                    power_of_two(x, "nearest")[normal].view(np.uint8),
                    single(x)[normal].astype(dtype).view(np.uint8),
                )
                nodes = [
                    N("Cast", ["x"], [mode], to=to, saturate=int(mode != "nearest"), round_mode=mode)
                    for mode in ("up", "down", "nearest")
                ]
                outputs = {mode: power_of_two(x, mode) for mode in ("up", "down", "nearest")}
            else:
                nodes = [N("Cast", ["x"], ["s"], to=to), N("Cast", ["x"], ["o"], to=to, saturate=0)]
                x32 = single(x)
                outputs = {"s": saturated(x32, dtype), "o": x32.astype(dtype)}
            case(f"encode-{name}-{kind}", nodes, {"x": x}, outputs)

# Integers: QuantizeLinear saturates, casts keep the low bits.
small = floats[np.abs(floats) < 1e6]
integers = np.arange(-300, 300, dtype=np.int32)
for name, (bits, dtype) in INTEGERS.items():
    low, high = int(ml.iinfo(dtype).min), int(ml.iinfo(dtype).max)
    zero = np.array(1, dtype)
    case(
        f"encode-{name}",
        [
            N("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
            N("Cast", ["i"], ["c"], to=number(name)),
        ],
        {"x": small, "i": integers},
        {
            "q": np.clip(np.rint(small) + 1, low, high).astype(np.int8).astype(dtype),
            "c": ((integers - low) % (1 << bits) + low).astype(np.int8).astype(dtype),
        },
        consts={"scale": np.float32(1), "zero": zero},
    )

# What only moves elements, for shapes whose rows end inside of bytes.
for name in ALL:
    every = codes(name)
    finite = every[np.isfinite(every.astype(np.float32))]
    for shape in ((3, 5), (7, 3), (1, 1), (0, 5)):
        x = rng.choice(finite, shape)
        flat = x.reshape(-1)
        nodes = [
            N("Identity", ["x"], ["i"]),
            N("Transpose", ["x"], ["t"]),
            N("Reshape", ["x", "all"], ["r"]),
            N("Concat", ["x", "w"], ["c"], axis=0),
            N("Slice", ["w", "one", "end"], ["s"]),
            N("Gather", ["w", "rows"], ["g"]),
            N("Where", ["condition", "w", "w"], ["o"]),
        ]
        w = rng.choice(finite, (9, shape[1]))
        consts = {
            "all": np.array([-1] if flat.size else [0, 5], np.int64),
            "w": w,
            "one": np.array([1], np.int64),
            "end": np.array([6], np.int64),
            "rows": np.array([8, 0, 3], np.int64),
        }
        condition = np.array([True])
        outputs = {
            "i": x,
            "t": x.T.copy(),
            "r": flat if flat.size else x,
            "c": np.concatenate([x, w]),
            "s": w[1:6],
            "g": w[[8, 0, 3]],
            "o": w,
        }
        label = f"move-{name}-{shape[0]}x{shape[1]}"
        case(label, nodes, {"x": x, "condition": condition}, outputs, consts)
        if name in ("INT4", "FLOAT6E3M2", "FLOAT8E5M2"):
            case(label + "-dynamic", nodes[:3], {"x": x}, {k: outputs[k] for k in "itr"},
                 {"all": consts["all"]}, dynamic=("x",))

# A scalar, and control flow that carries them.
for name in ("UINT4", "FLOAT4E2M1", "FLOAT8E4M3FN"):
    x, y = codes(name)[3:8], codes(name)[8:13]
    element = number(name)
    branch = lambda source: h.make_graph(
        [N("Identity", [source], [source + "_"])], source, [],
        [h.make_tensor_value_info(source + "_", element, [5])])
    body = h.make_graph(
        [N("Identity", ["carried"], ["next"]), N("Identity", ["go"], ["on"])],
        "body",
        [h.make_tensor_value_info("k", T.INT64, []), h.make_tensor_value_info("go", T.BOOL, []),
         h.make_tensor_value_info("carried", element, [5])],
        [h.make_tensor_value_info("on", T.BOOL, []), h.make_tensor_value_info("next", element, [5])])
    case(
        f"control-{name}",
        [
            N("If", ["c"], ["z"], then_branch=branch("x"), else_branch=branch("y")),
            N("Loop", ["trips", "", "y"], ["l"], body=body),
            N("Identity", ["scalar"], ["e"]),
        ],
        {"c": np.array(False), "x": x, "y": y, "scalar": x[2].reshape(())},
        {"z": y, "l": y, "e": x[2].reshape(())},
        consts={"trips": np.array(3, np.int64)},
    )

# 4-bit weights in blocks, large enough to stay in the model's file.
for rows, dynamic in ((1, ()), (37, ("x",))):
    K, M = 96, 70
    w = rng.choice(codes("INT4"), (K, M))
    f = rng.choice(codes("FLOAT4E2M1"), (K, M))
    scale = rng.uniform(0.5, 2, (K // 32, M)).astype(np.float32)
    zero = rng.choice(codes("INT4"), (K // 32, M))
    power = (2.0 ** rng.integers(-3, 3, (K // 32, M))).astype(ml.float8_e8m0fnu)
    x = rng.standard_normal((rows, K)).astype(np.float32)
    wide = lambda v: np.repeat(v.astype(np.float64), 32, axis=0)
    # Rounded to multiples that sums of these products in f32 have exactly.
    x = np.rint(x * 8).astype(np.float32) / 8
    scale = (np.rint(scale * 8) / 8).astype(np.float32)
    y = x.astype(np.float64) @ ((w.astype(np.float64) - wide(zero)) * wide(scale))
    z = x.astype(np.float64) @ (f.astype(np.float64) * wide(power))
    case(
        f"matmul-{rows}",
        [
            N("DequantizeLinear", ["w", "scale", "zero"], ["wide"], axis=0, block_size=32),
            N("MatMul", ["x", "wide"], ["y"]),
            N("DequantizeLinear", ["f", "power"], ["wide2"], axis=0, block_size=32, output_dtype=T.FLOAT),
            N("MatMul", ["x", "wide2"], ["z"]),
        ],
        {"x": x},
        {"y": y.astype(np.float32), "z": z.astype(np.float32)},
        consts={"w": w, "scale": scale, "zero": zero, "f": f, "power": power},
        dynamic=dynamic,
    )


def standard_cases():
    """ONNX's own cases that have such tensors."""
    global count
    import onnx.backend.test.case.node as nodes

    wanted = {number(name) for name in ALL}
    for test in nodes.collect_testcases(None):
        graph = test.model.graph
        types = {v.type.tensor_type.elem_type for v in [*graph.input, *graph.output]}
        if not types & wanted:
            continue
        path = os.path.join(root, test.name)
        os.makedirs(path)
        with open(os.path.join(path, "model.onnx"), "wb") as file:
            file.write(test.model.SerializeToString())
        for i, (inputs, outputs) in enumerate(test.data_sets):
            data = os.path.join(path, f"test_data_set_{i}")
            os.makedirs(data)
            for kind, tensors, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
                for j, (value, info) in enumerate(zip(tensors, infos)):
                    if not isinstance(value, onnx.TensorProto):
                        value = nh.from_array(value, info.name)
                    with open(os.path.join(data, f"{kind}_{j}.pb"), "wb") as file:
                        file.write(value.SerializeToString())
        count += 1


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    standard_cases()

result = subprocess.run([weft, "check", "--jobs=2", "--rtol=0", "--atol=0", root],
                        capture_output=True, text=True, check=False)
print(result.stdout[-6000:], result.stderr[-6000:])
if result.returncode or f"{count} passed, 0 failed, 0 unsupported" not in result.stdout + result.stderr:
    sys.exit(f"expected {count} cases to pass")

# Arithmetic on codes is refused.
graph = h.make_graph(
    [N("Add", ["x", "x"], ["y"], name="sum")], "refused",
    [h.make_tensor_value_info("x", T.INT4, [3])], [h.make_tensor_value_info("y", T.INT4, [3])])
path = os.path.join(root, "refused.onnx")
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 25)], ir_version=13), path)
result = subprocess.run([weft, "compile", path, "-o", path + ".so"], capture_output=True, text=True, check=False)
expected = "1x ai.onnx.'Add', opset 25, inputs (int4, int4): the operator takes no such elements"
if result.returncode != 3 or expected not in result.stderr:
    sys.exit(f"expected exit code 3 and \"{expected}\", got {result.returncode}: {result.stderr}")
