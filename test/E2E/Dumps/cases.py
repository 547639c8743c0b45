#!/usr/bin/env python3
#===- cases.py - Printed modules go on where they were printed --------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""The dump after each stage of models with weights, given to `weft-opt` for the
next stage, becomes the driver's own next dump, and given to `weft compile`, the
same module, byte by byte. So do --emit=mlir and --compile-to. Then what is said
of weight files that have moved, are missing, cut off or changed.

Usage: cases.py WEFT-PROGRAM WEFT-OPT-PROGRAM"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

weft, weft_opt = sys.argv[1:3]
folder = tempfile.TemporaryDirectory()
rng = np.random.default_rng(5)
N = h.make_node
STAGES = ["input", "model", "fuse", "tile", "vector", "buffer", "target"]
failures = []


def f(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def expect(condition, text):
    if not condition:
        failures.append(text)
        print("FAIL", text)


def call(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, contents):
    with open(path, "wb") as file:
        file.write(contents)


def difference(a, b):
    for x, y in zip(a.splitlines(), b.splitlines()):
        if x != y:
            return f"\n  driver:   {x[:300]!r}\n  weft-opt: {y[:300]!r}"
    return " (one is longer)"


def save(name, nodes, shape, rank, consts, external=False, kind=T.FLOAT, opset=17):
    """The model's path; it has a folder of its own."""
    path = os.path.join(folder.name, name)
    os.makedirs(path)
    initializers = [v if isinstance(v, onnx.TensorProto) else nh.from_array(v, k) for k, v in consts.items()]
    graph = h.make_graph(nodes, name, [h.make_tensor_value_info("x", kind, shape)],
                         [h.make_tensor_value_info("y", T.FLOAT, [None] * rank)], initializers)
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=11)
    if external:
        onnx.save(model, f"{path}/model.onnx", save_as_external_data=True, location="weights.bin",
                  size_threshold=16)
    else:
        onnx.save(model, f"{path}/model.onnx")
    return path


def weft_opt_repeats(path, k):
    """Whether weft-opt makes the driver's next dump of the one after stage k, and
    the file of computed weights beside it."""
    following = f"{path}/dumps/{k + 2}-{STAGES[k + 1]}.mlir"
    files = [file for file in (following, following + ".safetensors") if os.path.exists(file)]
    before = [read(file) for file in files]
    done = call(weft_opt, f"--weft-{STAGES[k + 1]}", f"{path}/dumps/{k + 1}-{STAGES[k]}.mlir",
                "--mlir-print-debuginfo", "-o", following)
    expect(done.returncode == 0 and not done.stderr, f"{following}: {done.stderr}")
    for file, contents in zip(files, before):
        again = read(file)
        expect(again == contents, f"{file} is another one" + difference(contents, again))
        write(file, contents)


def check(path, *flags):
    name = os.path.basename(path)
    os.makedirs(f"{path}/out")
    done = call(weft, "compile", f"{path}/model.onnx", "-o", f"{path}/out/m.so",
                f"--dump-stages={path}/dumps", *flags)
    expect(done.returncode == 0, f"{name}: compile: {done.stdout}{done.stderr}")
    if done.returncode:
        return
    files = os.listdir(f"{path}/out")
    for k, stage in enumerate(STAGES):
        dump = f"{path}/dumps/{k + 1}-{stage}.mlir"
        if k + 1 < len(STAGES):
            weft_opt_repeats(path, k)
        # Weights are not looked up in the model by name: they are in files.
        os.makedirs(f"{path}/again")
        done = call(weft, "compile", dump, "-o", f"{path}/again/m.so", *flags)
        expect(done.returncode == 0, f"{name}: compile after {stage}: {done.stdout}{done.stderr}")
        for file in files if done.returncode == 0 else []:
            expect(read(f"{path}/out/{file}") == read(f"{path}/again/{file}"),
                   f"{name}: compiled on after {stage}, {file} has other bytes")
        shutil.rmtree(f"{path}/again")
    # Each computed weight is written once.
    computed = [read(f"{path}/dumps/{file}") for file in os.listdir(f"{path}/dumps")
                if file.endswith(".safetensors")]
    names = [n for data in computed for n in re.findall(rb'"([^"]+)":{"dtype"', data[:1 << 16])
             if not n.startswith(b"weft.pad")]
    expect(len(names) == len(set(names)), f"{name}: weights are written twice: {names}")
    print("done", name)


gemm = save("gemm", [N("Gemm", ["x", "w", "b"], ["h"], name="fc", transB=1), N("Relu", ["h"], ["y"])],
            ["n", 65], 2, {"w": f(47, 65), "b": f(47)})
check(gemm, "--cpu=x86-64-v3")

# Weights beside the model, and beside the module.
beside = save("beside", [N("Gemm", ["x", "w"], ["h"], transB=1), N("MatMul", ["h", "v"], ["y"])],
              ["n", 65], 2, {"w": f(47, 65), "v": f(47, 33)}, external=True)
check(beside, "--embed-limit=64")

# Scales that are folded, equal node names, a weight that is used twice, weights
# in another encoding than the store's, and a name that is taken by a weight that
# nothing uses.
check(save("network", [N("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], name="conv"),
                       N("BatchNormalization", ["c", "s", "t", "m", "v"], ["z"], name="conv"), N("Relu", ["z"], ["r"]),
                       N("Conv", ["r", "w2"], ["c2"], strides=[2, 2], name="unused"),
                       N("BatchNormalization", ["c2", "s", "t", "m", "v"], ["z2"], name="unused"),
                       N("GlobalAveragePool", ["z2"], ["p"]), N("Flatten", ["p"], ["q"]),
                       N("Gemm", ["q", "u"], ["g"], transB=1), N("MatMul", ["g", "u"], ["g2"]),
                       N("Softmax", ["g2"], ["y"])],
           ["n", 3, "hh", "ww"], 2,
           {"w": f(16, 3, 3, 3), "s": f(16), "t": f(16), "m": f(16), "v": np.abs(f(16)) + np.float32(0.1),
            "w2": f(16, 16, 3, 3), "unused": f(400), "unused.1": f(400),
            "u": h.make_tensor("u", T.FLOAT, [50, 16], f(50, 16).ravel().tolist())}), "-O1")

# Bodies with weights.
def branch(name, matrix):
    return h.make_graph([N("MatMul", ["x", matrix], [name + "_h"]), N("Tanh", [name + "_h"], [name])], name,
                        [], [h.make_tensor_value_info(name, T.FLOAT, ["n", 20])])


check(save("branches", [N("ReduceSum", ["x"], ["sum"], keepdims=0), N("Greater", ["sum", "zero"], ["big"]),
                        N("If", ["big"], ["y"], name="if", then_branch=branch("a", "w"), else_branch=branch("b", "v"))],
           ["n", 30], 2, {"w": f(30, 20), "v": f(30, 20), "zero": np.float32(0)}))

# Four-bit weights: bytes of which the type does not say how many elements they are.
check(save("packed", [N("DequantizeLinear", ["w", "s"], ["d"], axis=0, block_size=16), N("MatMul", ["x", "d"], ["y"])],
           ["n", 64], 2,
           {"w": h.make_tensor("w", T.INT4, [64, 48], rng.integers(0, 255, 64 * 48 // 2, dtype=np.uint8).tobytes(), raw=True),
            "s": f(4, 48)}, opset=21))

# A module for two processors.
processors = save("processors", [N("MatMul", ["x", "w"], ["h"]), N("Softmax", ["h"], ["y"])], ["n", 70], 2,
                  {"w": f(70, 33)})
check(processors, "--cpu=x86-64-v4,x86-64-v3")

# No weights outside of the text at all.
check(save("plain", [N("Softmax", ["x"], ["y"])], ["n", 10], 2, {}))

# A printed module keeps its target, and does not go back.
dump = f"{gemm}/dumps/3-fuse.mlir"
for flags, text in (
        (["--cpu=x86-64-v2"], "was made for the CPU 'x86-64-v3', which cannot be changed to 'x86-64-v2'"),
        (["-O1"], "was made with -O3, which cannot be changed to -O1"),
        (["--compile-to=model"], "has been through the stage 'fuse', so that it cannot be compiled to 'model'")):
    done = call(weft, "compile", dump, *flags, "-o", f"{gemm}/no.so")
    expect(done.returncode == 1 and text in done.stderr, f"{flags}: {done}")
done = call(weft, "compile", dump, "--cpu=x86-64-v3", "-O3", "--compile-to=fuse", "-o", f"{gemm}/same.mlir")
expect(done.returncode == 0 and read(f"{gemm}/same.mlir") == read(dump), f"not the same: {done}")

# --emit=mlir and --compile-to load again; standard output keeps no computed weights.
for flags, name in ((["--compile-to=model"], "stop"), (["--emit=mlir"], "text")):
    flags += ["--cpu=x86-64-v3"]
    done = call(weft, "compile", f"{gemm}/model.onnx", *flags, "-o", f"{gemm}/{name}.mlir")
    expect(done.returncode == 0 and os.path.exists(f"{gemm}/{name}.mlir.safetensors"), f"{flags}: {done}")
    done = call(weft, "compile", f"{gemm}/{name}.mlir", "-o", f"{gemm}/{name}.so")
    expect(done.returncode == 0 and read(f"{gemm}/{name}.so") == read(f"{gemm}/out/m.so"), f"{flags}: {done}")
    done = call(weft, "compile", f"{gemm}/model.onnx", *flags, "-o", "-")
    expect(done.returncode == 0 and "1 computed weights are not kept" in done.stderr, f"{flags} -o -: {done}")
    write(f"{gemm}/lost.mlir", done.stdout.encode())
    done = call(weft, "compile", f"{gemm}/lost.mlir", "-o", f"{gemm}/no.so")
    expect(done.returncode == 1 and "weight 'fc' is missing: the module names no file that has it" in done.stderr,
           f"lost: {done}")
    done = call(weft_opt, "--weft-model", f"{gemm}/dumps/1-input.mlir")
    expect(done.returncode == 0 and "1 computed weights are not kept" in done.stderr, f"weft-opt: {done}")

# All stages as one pipeline are the stages one by one; only the file of the computed
# weights is another.
pipeline = call(weft_opt, "--print-pipeline").stdout
whole = f"{gemm}/whole.mlir"
done = call(weft_opt, "--pass-pipeline=" + pipeline, f"{gemm}/dumps/1-input.mlir", "--mlir-print-debuginfo", "-o", whole)
expect(done.returncode == 0 and not done.stderr, f"whole pipeline: {done.stderr}")
text = read(whole).replace(b"/whole.mlir.safetensors", b"/dumps/2-model.mlir.safetensors")
driver = read(f"{gemm}/dumps/7-target.mlir")
expect(text == driver, "the whole pipeline makes another module" + difference(driver, text))


def with_value(text, name, value):
    """The text with another value of the attribute, whatever is nested in it."""
    start = end = text.index(name + b" = ") + len(name) + 3
    depth, quoted = 0, False
    while quoted or depth or text[end:end + 1] not in b",}":
        byte = text[end:end + 1]
        quoted ^= byte == b'"'
        depth += 0 if quoted else (byte in b"[{<") - (byte in b"]}>")
        end += 1
    return text[:start] + value + text[end:]


# Attributes of a form that nobody reads.
dump = f"{processors}/dumps/7-target.mlir"
text = read(dump)
for name in ("target", "variants", "stage", "source", "weight_files", "kernels", "variant_kernels", "sites", "weights",
             "signature"):
    for value in (b"3 : i32", b"[3 : i32]"):
        write(f"{processors}/dumps/edited.mlir", with_value(text, b"weft." + name.encode(), value))
        for command in ((weft, "compile", "-o", f"{processors}/no.so"), (weft_opt,)):
            done = call(*command, f"{processors}/dumps/edited.mlir")
            sentences = [line for line in done.stderr.splitlines() if "error: " in line]
            expect(done.returncode == 1 and len(sentences) == 1 and f"'weft.{name}': expected" in sentences[0],
                   f"{name} = {value}: {os.path.basename(command[0])}: {done.returncode} {done.stderr}")

# The dumps can move, with or without the model.
for what in ("dumps", "model.onnx"):
    os.makedirs(f"{gemm}/moved", exist_ok=True)
    os.rename(f"{gemm}/{what}", f"{gemm}/moved/{what}")
    for k in (1, 2):
        dumps = f"{gemm}/moved/dumps"
        if what == "model.onnx":
            shutil.copy(f"{gemm}/moved/model.onnx", dumps)
        done = call(weft, "compile", f"{dumps}/{k}-{STAGES[k - 1]}.mlir", "-o", f"{gemm}/moved/m.so")
        expect(done.returncode == 0 and read(f"{gemm}/moved/m.so") == read(f"{gemm}/out/m.so"), f"moved: {done}")
        done = call(weft_opt, f"--weft-{STAGES[k]}", f"{dumps}/{k}-{STAGES[k - 1]}.mlir", "-o", f"{gemm}/moved/x.mlir")
        expect(done.returncode == 0, f"moved: {done}")

# Paths that were written by hand are relative to the text.
text = read(f"{gemm}/moved/dumps/1-input.mlir")
os.makedirs(f"{gemm}/moved/by/hand")
write(f"{gemm}/moved/by/hand/x.mlir", re.sub(rb'path = "[^"]*"', b'path = "../../model.onnx"', text))
done = call(weft, "compile", f"{gemm}/moved/by/hand/x.mlir", "-o", f"{gemm}/moved/m.so")
expect(done.returncode == 0 and read(f"{gemm}/moved/m.so") == read(f"{gemm}/out/m.so"), f"by hand: {done}")

# Weight files that are not what they were.
dump = f"{gemm}/moved/dumps/2-model.mlir"
weights = dump + ".safetensors"
good, text = read(weights), read(dump)


def refuse(what, *texts):
    for command in ((weft, "compile", dump, "-o", f"{gemm}/no.so"), (weft_opt, "--weft-fuse", dump)):
        done = call(*command)
        sentences = [line for line in done.stderr.splitlines() if "error: " in line]
        expect(done.returncode == 1 and len(sentences) == 1 and all(t in sentences[0] for t in texts),
               f"{what}: {os.path.basename(command[0])}: {done.returncode} {done.stderr}")
    expect(not os.path.exists(f"{gemm}/no.so"), f"{what}: left a module")


write(weights, good[:-100])
refuse("cut off", "2-model.mlir.safetensors: has ", "bytes, but weight ", " should be ")
write(weights, good[:-5] + bytes([good[-5] ^ 1]) + good[-4:])
refuse("changed", "2-model.mlir.safetensors: ", "the file has changed")
write(weights, b"")
refuse("empty", "2-model.mlir.safetensors: has 0 bytes")
shutil.copy(f"{beside}/dumps/2-model.mlir.safetensors", weights)
refuse("of another model", "2-model.mlir.safetensors: ")
os.remove(weights)
refuse("missing", "2-model.mlir.safetensors", "No such file")
os.makedirs(weights)
refuse("a folder", "2-model.mlir.safetensors")
os.rmdir(weights)
write(weights, good)
for what, pattern, replacement, message in (
        ("negative", rb"ranges = array<i64: \d+", b"ranges = array<i64: -7", "should be"),
        ("beyond", rb"ranges = array<i64: \d+", b"ranges = array<i64: 9223372036854775807", "should be"),
        ("too few", rb"ranges = array<i64: \d+, ", b"ranges = array<i64: ", "ranges of two numbers a key"),
        ("form", rb"keys = \[[^]]*\]", b"keys = 3", "expected entries with path"),
        ("list", rb"weft.weight_files = \[.*?\}\]", b"weft.weight_files = 3", "expected a list"),
        ("size", rb"(?<!\d)65x(?=47xf32|f32)", b"6500x", "which is not the size of its type")):
    changed, count = re.subn(pattern, replacement, text)
    expect(count, f"{what}: the dump has no such text")
    write(dump, changed)
    refuse(what, message)
write(dump, text)

if failures:
    sys.exit(f"{len(failures)} failures")
