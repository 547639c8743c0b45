#!/usr/bin/env python3
#===- kernels.py - What threads of a device do together, one by one ---------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Device functions written by hand for the operations of the gpu dialect, run on
the emulation with subgroups of 32 and of 64 lanes and compared with what the operation
means, computed in NumPy. Each takes n numbers, with blocks of 64 threads, and gives n.

Usage: kernels.py WEFT-PROGRAM WEFT-OPT"""

import os
import subprocess
import sys
import tempfile

import numpy as np

weft, weft_opt = sys.argv[1:3]
folder = tempfile.TemporaryDirectory()
root = folder.name
failures = []
count = 0

TEMPLATE = """
module attributes {{gpu.container_module, weft.source = {{name = "k", sha256 = ""}},
    weft.target = #weft.target<"emulation", cpu = "x86-64-v3", features = "{features}", vector_bits = 256, opt_level = 1>}} {{
  gpu.module @k_gpu {{
    gpu.func @f(%n: index, %x: memref<{type}>, %y: memref<{type}>) {shared} kernel {{
      %zero = arith.constant 0 : index
      %one = arith.constant 1 : index
      %xs = memref.reinterpret_cast %x to offset: [0], sizes: [%n], strides: [1] : memref<{type}> to memref<?x{type}>
      %ys = memref.reinterpret_cast %y to offset: [0], sizes: [%n], strides: [1] : memref<{type}> to memref<?x{type}>
      %i = gpu.global_id x
      %t = gpu.thread_id x
      %v = memref.load %xs[%i] : memref<?x{type}>
{body}
      memref.store %r, %ys[%i] : memref<?x{type}>
      gpu.return
    }}
  }}
  weft.kernel @k(%x: memref<?x{type}>, %y: memref<?x{type}>) outs 1 {{
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %threads = arith.constant 64 : index
    %dynamic = arith.constant {dynamic} : i32
    %n = memref.dim %x, %zero : memref<?x{type}>
    %blocks = arith.ceildivsi %n, %threads : index
    %xb, %xo, %xs, %xt = memref.extract_strided_metadata %x : memref<?x{type}> -> memref<{type}>, index, index, index
    %yb, %yo, %ys, %yt = memref.extract_strided_metadata %y : memref<?x{type}> -> memref<{type}>, index, index, index
    gpu.launch_func @k_gpu::@f blocks in (%blocks, %one, %one) threads in (%threads, %one, %one)
        dynamic_shared_memory_size %dynamic args(%n : index, %xb : memref<{type}>, %yb : memref<{type}>)
    weft.yield
  }}
  func.func @main(%n: index {{weft.symbol = "n", weft.range = array<i64: 0, 4096>}},
                  %x: memref<?x{type}> {{weft.name = "x", weft.dims = ["n"]}})
      attributes {{weft.results = [{{weft.name = "y", weft.dims = ["n"], type = tensor<?x{type}>}}]}} {{
    %out = weft.output_buffer 0(%n) : memref<?x{type}>
    %a = memref.alloc(%n) : memref<?x{type}, #weft.device>
    %b = memref.alloc(%n) : memref<?x{type}, #weft.device>
    weft.transfer %x to %a value "x" bytes "4 * n" reason "test" : memref<?x{type}> to memref<?x{type}, #weft.device>
    weft.dispatch @k ins(%a : memref<?x{type}, #weft.device>) outs(%b : memref<?x{type}, #weft.device>)
    weft.transfer %b to %out value "y" bytes "4 * n" reason "test" : memref<?x{type}, #weft.device> to memref<?x{type}>
    return
  }}
}}
"""

FEATURES = ("+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+lzcnt,+bmi,+bmi2,+movbe,+avx,+avx2,+fma,+f16c")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True)


def lowering(lanes):
    """The passes of stage `target` that follow the mapping to a GPU."""
    text = run(weft_opt, "--print-pipeline", "--target=emulation").stdout
    text = text[text.index("/* stage target */"):text.index("/* after target */")]
    lines = [line.strip() for line in text.splitlines()[1:] if not line.strip().startswith("/*")]
    lines = [line for line in lines if "weft-map-to-gpu" not in line]
    text = " ".join(lines).rstrip(", ")
    before, after = text.split("weft-emulate-kernels", 1)
    after = after[after.index("}") + 1:] if after.startswith("{") else after
    return (f"builtin.module(weft-plan-memory,weft-release-memory,{before}"
            f"weft-emulate-kernels{{subgroup-size={lanes}}}{after})")


def build(body, lanes, shared="", dynamic=0, type="i32"):
    global count
    path = f"{root}/{count}"
    count += 1
    with open(path + ".mlir", "w") as file:
        file.write(TEMPLATE.format(body=body, shared=shared, dynamic=dynamic, type=type, features=FEATURES))
    done = run(weft_opt, path + ".mlir", f"--pass-pipeline={lowering(lanes)}", "-o", path + ".target.mlir")
    if done.returncode:
        raise RuntimeError(done.stderr)
    done = run(weft, "compile", path + ".target.mlir", "--target=emulation", "-o", path + ".so")
    if done.returncode:
        raise RuntimeError(done.stderr)
    return path + ".so"


def case(name, body, expected, n=192, error=None, type="i32", **options):
    """`expected(x, lanes)` is what the kernel gives; `error` what it fails with."""
    for lanes in (32, 64):
        try:
            module = build(body, lanes, type=type, **options)
            x = np.arange(n, dtype=np.int32) * 3 + 1 if type == "i32" else \
                np.linspace(-2, 2, n, dtype=np.float32)
            np.save(f"{root}/x.npy", x)
            for threads in (1, 3):
                done = run(weft, "run", module, f"--input=x=@{root}/x.npy", f"--output=y=@{root}/y.npy",
                           f"--threads={threads}")
                if error:
                    if done.returncode == 0 or error(lanes) not in done.stderr:
                        raise RuntimeError(f"expected '{error(lanes)}', found: {done.stderr}")
                    continue
                if done.returncode:
                    raise RuntimeError(done.stderr)
                y, want = np.load(f"{root}/y.npy"), expected(x, lanes)
                if not np.array_equal(y, want):
                    raise RuntimeError(f"gives {y}, expected {want}")
        except RuntimeError as problem:
            failures.append(f"{name}, {lanes} lanes: {str(problem)[:1500]}")


def by_lane(x, lanes, function):
    """`function(values of a subgroup, lane)` for each lane."""
    out = x.copy()
    for begin in range(0, len(x), lanes):
        group = x[begin:begin + lanes]
        for lane in range(len(group)):
            out[begin + lane] = function(group, lane)
    return out


def shuffle(mode, offset, width):
    return f"""
      %offset = arith.constant {offset} : i32
      %width = arith.constant {width} : i32
      %s, %valid = gpu.shuffle {mode} %v, %offset, %width : i32
      %minus = arith.constant -1 : i32
      %r = arith.select %valid, %s, %minus : i32"""


def moved(source, width):
    def value(group, lane):
        begin = lane - lane % width
        at = source(lane, begin)
        return group[at] if begin <= at < begin + width else -1
    return lambda x, lanes: by_lane(x, lanes, value)


case("xor", shuffle("xor", 5, 32), moved(lambda lane, begin: lane ^ 5, 32))
case("xor within 8", shuffle("xor", 3, 8), moved(lambda lane, begin: lane ^ 3, 8))
case("up", shuffle("up", 2, 16), moved(lambda lane, begin: lane - 2, 16))
case("down", shuffle("down", 7, 32), moved(lambda lane, begin: lane + 7, 32))
case("idx", shuffle("idx", 9, 16), moved(lambda lane, begin: begin + 9, 16))
case("rotate", """
      %r, %valid = gpu.rotate %v, 3, 16 : i32""",
     lambda x, lanes: by_lane(x, lanes, lambda g, l: g[l - l % 16 + (l + 3) % 16]))
case("broadcast", """
      %seven = arith.constant 7 : i32
      %r = gpu.subgroup_broadcast %v, specific_lane %seven : i32""",
     lambda x, lanes: by_lane(x, lanes, lambda g, l: g[7]))
case("reduce", "      %r = gpu.subgroup_reduce add %v : (i32) -> i32",
     lambda x, lanes: by_lane(x, lanes, lambda g, l: g.sum()))
case("largest", "      %r = gpu.subgroup_reduce maxsi %v : (i32) -> i32",
     lambda x, lanes: by_lane(x, lanes, lambda g, l: g.max()))
case("clusters", "      %r = gpu.subgroup_reduce add %v cluster(size = 4) : (i32) -> i32",
     lambda x, lanes: by_lane(x, lanes, lambda g, l: g[l // 4 * 4:l // 4 * 4 + 4].sum()))
case("strided clusters", "      %r = gpu.subgroup_reduce add %v cluster(size = 4, stride = 2) : (i32) -> i32",
     lambda x, lanes: by_lane(x, lanes, lambda g, l: g[l // 8 * 8 + l % 2:l // 8 * 8 + 8:2].sum()))
case("float reduce", "      %r = gpu.subgroup_reduce maximumf %v : (f32) -> f32",
     lambda x, lanes: by_lane(x, lanes, lambda g, l: g.max()), type="f32")
case("all reduce", "      %r = gpu.all_reduce add %v uniform {} : (i32) -> i32",
     lambda x, lanes: x.reshape(-1, 64).sum(1).repeat(64).astype(np.int32))
case("ids", """
      %a = gpu.lane_id
      %b = gpu.subgroup_id : index
      %c = gpu.num_subgroups : index
      %d = gpu.subgroup_size : index
      %k = arith.constant 100 : index
      %e = arith.muli %b, %k : index
      %f = arith.addi %a, %e : index
      %g = arith.muli %c, %d : index
      %h = arith.muli %g, %k : index
      %j = arith.muli %h, %k : index
      %l = arith.addi %f, %j : index
      %r = arith.index_cast %l : index to i32""",
     lambda x, lanes: (np.arange(len(x)) % lanes + np.arange(len(x)) % 64 // lanes * 100 + 64 * 10000).astype(np.int32))
SHARED = "workgroup(%m : memref<64xi32, #gpu.address_space<workgroup>>)"
SPACE = "memref<64xi32, #gpu.address_space<workgroup>>"
case("barrier", f"""
      memref.store %v, %m[%t] : {SPACE}
      gpu.barrier
      %last = arith.constant 63 : index
      %other = arith.subi %last, %t : index
      %r = memref.load %m[%other] : {SPACE}""",
     lambda x, lanes: x.reshape(-1, 64)[:, ::-1].reshape(-1), shared=SHARED)
case("dynamic", """
      %bytes = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %m = memref.view %bytes[%zero][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<64xi32, #gpu.address_space<workgroup>>
      memref.store %v, %m[%t] : memref<64xi32, #gpu.address_space<workgroup>>
      gpu.barrier
      %last = arith.constant 63 : index
      %other = arith.subi %last, %t : index
      %r = memref.load %m[%other] : memref<64xi32, #gpu.address_space<workgroup>>""",
     lambda x, lanes: x.reshape(-1, 64)[:, ::-1].reshape(-1), dynamic=256)
case("poison", f"      %r = memref.load %m[%t] : {SPACE}", lambda x, lanes: np.full_like(x, -1), shared=SHARED)
case("bounds", f"""
      %far = arith.constant 20 : index
      %at = arith.addi %t, %far : index
      memref.store %v, %m[%at] : {SPACE}
      gpu.barrier
      %r = memref.load %m[%t] : {SPACE}""", None, shared=SHARED,
     error=lambda lanes: "device kernel 'f': index 64 is outside of shared memory of extent 64")
case("bounds of a view", f"""
      %cast = memref.memory_space_cast %m : {SPACE} to memref<64xi32>
      %far = arith.constant 56 : index
      %at = arith.addi %t, %far : index
      %part = memref.subview %cast[%at] [8] [1] : memref<64xi32> to memref<8xi32, strided<[1], offset: ?>>
      %seven = arith.constant 7 : index
      memref.store %v, %part[%seven] : memref<8xi32, strided<[1], offset: ?>>
      %r = arith.constant 0 : i32""", None, shared=SHARED,
     error=lambda lanes: "device kernel 'f': index 64 is outside of shared memory of extent 64")
case("divergent barrier", """
      %limit = arith.constant 40 : index
      %few = arith.cmpi ult, %t, %limit : index
      scf.if %few {
        gpu.barrier
      }
      %r = arith.constant 0 : i32""", None,
     error=lambda lanes: "device kernel 'f': not all threads arrived at a barrier: 40 of 64 did")
case("divergent shuffle", """
      %limit = arith.constant 40 : index
      %few = arith.cmpi ult, %t, %limit : index
      %r = scf.if %few -> i32 {
        %s = gpu.subgroup_reduce add %v : (i32) -> i32
        scf.yield %s : i32
      } else {
        scf.yield %v : i32
      }""", None,
     error=lambda lanes: "not all lanes arrived at an operation of their subgroup: "
                         + ("8 of 32" if lanes == 32 else "40 of 64") + " did")
print(f"{count} kernels, {len(failures)} failures")
for line in failures:
    print(line)
sys.exit(bool(failures))
