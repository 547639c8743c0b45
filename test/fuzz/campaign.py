#!/usr/bin/env python3
#===- campaign.py - Compiles and runs models that are a little wrong ---------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Changes models in what they mean (extents, types, attributes, operators, opsets,
edges, constants, data), compiles and runs them with limits of time and memory.
Findings are crashes, exit codes of defects, and what takes too long or too much.

Usage: campaign.py WEFT-PROGRAM MODEL-FOLDER [--count N] [--first I] [--keep FOLDER]
                   [--match TEXT] [--jobs N]

MODEL-FOLDER has test cases as folders with model.onnx and test_data_set_0. Model I
is the same in every campaign on the same folder. Exit code 1 if there are findings."""

import argparse
import collections
import concurrent.futures
import copy
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper

SECONDS = 20
GIBIBYTES = 4
FINE = {0: "ran", 1: "error", 3: "unsupported"}

INTEGERS = [0, 1, -1, 2, 3, -2, 7, 64, 1000, 2**31 - 1, 2**31, -2**31, 2**40, 2**60, 2**63 - 1, -2**63]
EXTENTS = [0, 1, 2, 3, 5, 17, 1000, 2**31, 2**60, -1, -5, "n", "n", ""]
FLOATS = [0.0, -0.0, 1.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e-45, 3e38, 1e10]
TYPES = [t for t in TensorProto.DataType.values() if t != TensorProto.UNDEFINED]


# --- Mutations ---------------------------------------------------------------
# Each changes a model in place, or raises IndexError where it has nothing to change.


def subgraphs(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] * attribute.HasField("g") + list(attribute.graphs):
                yield from subgraphs(inner)


def graph_of(model, rng):
    return rng.choice(list(subgraphs(model.graph)))


def node_of(model, rng):
    return rng.choice(graph_of(model, rng).node)


def value_infos(graph):
    return [v for v in [*graph.input, *graph.output, *graph.value_info] if v.type.HasField("tensor_type")]


def extent(model, rng):
    shape = rng.choice(value_infos(graph_of(model, rng))).type.tensor_type.shape
    value = rng.choice(EXTENTS)
    dim = rng.choice(shape.dim)
    dim.Clear()
    if isinstance(value, int):
        dim.dim_value = value
    elif value:
        dim.dim_param = value


def all_symbolic(model, rng):
    for v in model.graph.input:
        for i, dim in enumerate(v.type.tensor_type.shape.dim):
            dim.dim_param = f"{v.name}_{i}" if rng.random() < 0.8 else "n"
    del model.graph.value_info[:]


def rank(model, rng):
    shape = rng.choice(value_infos(graph_of(model, rng))).type.tensor_type.shape
    if rng.random() < 0.5:
        del shape.dim[rng.randrange(len(shape.dim))]
    else:
        shape.dim.add().dim_value = rng.choice([0, 1, 2, 3])


def element_type(model, rng):
    rng.choice(value_infos(graph_of(model, rng))).type.tensor_type.elem_type = rng.choice(TYPES)


def attribute_value(model, rng):
    a = rng.choice(node_of(model, rng).attribute)
    if a.type == AttributeProto.INT:
        a.i = rng.choice(INTEGERS)
    elif a.type == AttributeProto.FLOAT:
        a.f = rng.choice(FLOATS)
    elif a.type == AttributeProto.STRING:
        a.s = rng.choice([b"", b"linear", b"NOTSET", b"SAME_UPPER", b"VALID", b"\xff", b"Relu", b"max"])
    elif a.type == AttributeProto.INTS:
        if rng.random() < 0.3:
            a.ints.append(rng.choice(INTEGERS))
        elif rng.random() < 0.2:
            del a.ints[:]
        else:
            a.ints[rng.randrange(len(a.ints))] = rng.choice(INTEGERS)
    elif a.type == AttributeProto.FLOATS:
        a.floats[rng.randrange(len(a.floats))] = rng.choice(FLOATS)
    elif a.type == AttributeProto.TENSOR:
        tensor(a.t, rng)
    else:
        raise IndexError


def attribute_kind(model, rng):
    a = rng.choice(node_of(model, rng).attribute)
    value = rng.choice([1, 1.5, "text", [1, 2], [1.5, 2.5], ["a", "b"]])
    a.CopyFrom(helper.make_attribute(a.name, value))


def attribute_missing(model, rng):
    attributes = node_of(model, rng).attribute
    del attributes[rng.randrange(len(attributes))]


def attribute_added(model, rng):
    node = node_of(model, rng)
    schema = rng.choice(list(onnx.defs.get_schema(node.op_type).attributes.values()))
    value = {"INT": rng.choice(INTEGERS), "FLOAT": rng.choice(FLOATS), "STRING": "text",
             "INTS": [rng.choice(INTEGERS) for _ in range(rng.randrange(1, 5))]}.get(schema.type.name)
    if value is None:
        raise IndexError
    for i, a in enumerate(node.attribute):
        if a.name == schema.name:
            del node.attribute[i]
            break
    node.attribute.append(helper.make_attribute(schema.name, value))


SCHEMAS = sorted({s.name for s in onnx.defs.get_all_schemas()})


def operator(model, rng):
    node_of(model, rng).op_type = rng.choice(SCHEMAS)


def opset(model, rng):
    rng.choice(model.opset_import).version = rng.choice([*range(1, 26), 0, 1000])


def rewire(model, rng):
    graph = graph_of(model, rng)
    names = [n for n in [*(v.name for v in graph.input), *(o for n in graph.node for o in n.output),
                         *(t.name for t in graph.initializer)] if n]
    node = rng.choice(graph.node)
    if rng.random() < 0.3:
        node.input.append(rng.choice(names))
    else:
        node.input[rng.randrange(len(node.input))] = rng.choice(names)


def input_missing(model, rng):
    node = node_of(model, rng)
    if rng.random() < 0.3:
        del node.input[-1]
    else:
        node.input[rng.randrange(len(node.input))] = ""


def output_changed(model, rng):
    node = node_of(model, rng)
    if rng.random() < 0.5:
        node.output.append("another")
    else:
        node.output[rng.randrange(len(node.output))] = rng.choice(["", "another"])


def output_added(model, rng):
    graph = graph_of(model, rng)
    name = rng.choice([o for n in graph.node for o in n.output if o])
    graph.output.append(helper.make_tensor_value_info(name, rng.choice([1, 7]), None))


def tensor(t, rng):
    """Changes an initializer's shape, type or values."""
    if t.data_location == TensorProto.EXTERNAL:
        raise IndexError
    choice = rng.random()
    if choice < 0.2:
        t.data_type = rng.choice(TYPES)
    elif choice < 0.4:
        t.dims[rng.randrange(len(t.dims))] = rng.choice([0, 1, 2, 2**31, -1])
    else:
        values = changed(numpy_helper.to_array(t), rng)
        t.CopyFrom(numpy_helper.from_array(values, t.name))


def initializer(model, rng):
    tensor(rng.choice(graph_of(model, rng).initializer), rng)


def input_to_initializer(model, rng):
    """Indices and shapes are often known while compiling."""
    i = rng.randrange(len(model.graph.input))
    v = model.graph.input[i]
    shape = [d.dim_value for d in v.type.tensor_type.shape.dim]
    if v.type.tensor_type.elem_type not in (6, 7, 1) or np.prod([float(s) for s in shape]) > 1e5:
        raise IndexError
    values = np.array(rng.choices([0, 1, 2, -1, 3], k=int(np.prod(shape))), dtype=np.int64).reshape(shape)
    values = values.astype(helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type))
    model.graph.initializer.append(numpy_helper.from_array(
        changed(values, rng) if rng.random() < 0.5 else values, v.name))
    del model.graph.input[i]


def follower(model, rng):
    """A node of another kind after the model's."""
    output = model.graph.output[0]
    inputs = [output.name] + [rng.choice(model.graph.input).name] * rng.randrange(2)
    model.graph.node.append(helper.make_node(rng.choice(SCHEMAS), inputs, ["followed"]))
    output.name = "followed"
    output.type.tensor_type.ClearField("shape")


MUTATIONS = [extent, extent, extent, all_symbolic, rank, element_type, attribute_value, attribute_value,
             attribute_value, attribute_kind, attribute_missing, attribute_added, operator, opset, rewire,
             input_missing, output_changed, output_added, initializer, input_to_initializer,
             input_to_initializer, follower]


def mutate(model, rng):
    names = []
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3])):
        for _ in range(20):
            mutation = rng.choice(MUTATIONS)
            before = copy.deepcopy(model)
            try:
                mutation(model, rng)
                names.append(mutation.__name__)
                break
            except (IndexError, ValueError, TypeError, KeyError, onnx.defs.SchemaError, OverflowError):
                model.CopyFrom(before)
    return names


# --- Data --------------------------------------------------------------------


def changed(values, rng):
    """The same values with a few that are extreme."""
    flat = np.array(values).reshape(-1)
    if flat.size and flat.dtype.kind in "iuf":
        info = np.iinfo(flat.dtype) if flat.dtype.kind in "iu" else None
        for _ in range(rng.randrange(1, 4)):
            value = rng.choice(FLOATS) if info is None else min(max(rng.choice(INTEGERS), info.min), info.max)
            with np.errstate(over="ignore"):
                flat[rng.randrange(flat.size)] = value
    return flat.reshape(np.shape(values))


def arguments(model, case, folder, rng):
    """`--input` for each input: the case's data where they fit, else data made
    for the shape; nothing where that would be too much."""
    initializers = {t.name for t in model.graph.initializer}
    inputs = [v for v in model.graph.input if v.name not in initializers]
    symbols, options = collections.defaultdict(lambda: rng.choice([0, 1, 2, 3, 4, 5, 7, 16])), []
    original = [v.name for v in onnx.load(os.path.join(case, "model.onnx")).graph.input]
    for v in inputs:
        declared = v.type.tensor_type
        path = os.path.join(case, "test_data_set_0", f"input_{original.index(v.name)}.pb")
        shape = [d.dim_value if d.HasField("dim_value") else None for d in declared.shape.dim]
        names = [d.dim_param or f"{v.name}.{i}" for i, d in enumerate(declared.shape.dim)]
        values = None
        if os.path.exists(path):
            with open(path, "rb") as file:
                t = TensorProto.FromString(file.read())
            if t.data_type != declared.elem_type:
                t = None
            elif t.data_type == TensorProto.STRING:
                options.append(f"--input=@{path}")
                continue
            if t and len(t.dims) == len(shape) and all(
                    s is None or s == d for s, d in zip(shape, t.dims)) and rng.random() < 0.9:
                values = numpy_helper.to_array(t)
                for name, d in zip(names, t.dims):
                    symbols[name] = d
        if values is None:
            extents = [symbols[n] if s is None or s == -1 else s for n, s in zip(names, shape)]
            if any(e < 0 for e in extents) or np.prod([float(e) for e in extents]) > 1e6:
                return None
            dtype = helper.tensor_dtype_to_np_dtype(declared.elem_type)
            if dtype == object or dtype.kind == "O":
                return None
            values = np.array(rng.choices([0, 1, 2, 3, -1], k=int(np.prod(extents))), np.int64)
            values = values.astype(dtype).reshape(extents)
        if rng.random() < 0.4:
            values = changed(values, rng)
        path = os.path.join(folder, f"input_{len(options)}.pb")
        with open(path, "wb") as file:
            file.write(numpy_helper.from_array(values).SerializeToString())
        options.append(f"--input=@{path}")
    return options


# --- Campaign ----------------------------------------------------------------


def limit():
    size = 4 * GIBIBYTES << 30
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setpgrp()


def execute(command, log):
    """The exit code or the signal's name, seconds and GiB of the largest process."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, preexec_fn=limit)
    deadline = start + SECONDS
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        # By processor time: the machine may be busy.
        if time.monotonic() > deadline and time.monotonic() > start + 3 * SECONDS or hung(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
            os.wait4(process.pid, 0)
            return "hang", time.monotonic() - start, 0
        time.sleep(0.02)
    process.returncode = status
    code = os.waitstatus_to_exitcode(status)
    return (signal.Signals(-code).name if code < 0 else code), time.monotonic() - start, usage.ru_maxrss / 2**20


def hung(group):
    """Whether processes of the group have used up their time."""
    ticks = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK") > SECONDS


def try_model(index, weft, cases, keep):
    """The class of what came of model `index`, and the finding in words."""
    rng = random.Random(index)
    case = rng.choice(cases)
    model = onnx.load(os.path.join(case, "model.onnx"), load_external_data=False)
    mutations = mutate(model, rng)
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        path, module, log = (os.path.join(folder, name) for name in ("model.onnx", "model.so", "log"))
        with open(path, "wb") as file:
            file.write(model.SerializeToString())
        steps = [[weft, "compile", path, "-o", module, "--quiet", "--jobs=1"]]
        try:
            inputs = arguments(model, case, folder, rng)
        except (ValueError, TypeError, KeyError, IndexError, NotImplementedError, OverflowError):
            inputs = None
        if inputs is not None:
            steps.append([weft, "run", module, "--threads=2", "--quiet", *inputs])
        for step in steps:
            with open(log, "w") as file:
                code, seconds, size = execute(step, file)
            with open(log, errors="replace") as file:
                text = file.read()
            bad = code not in FINE or size > GIBIBYTES or (code in (1, 3) and "error: " not in text)
            if bad:
                if keep:
                    shutil.copytree(folder, os.path.join(keep, str(index)), dirs_exist_ok=True)
                    with open(os.path.join(keep, str(index), "command"), "w") as file:
                        file.write(" ".join(step).replace(folder, os.path.join(keep, str(index))) + "\n")
                return "finding", (f"{index} {os.path.basename(case)} ({', '.join(mutations)}), {step[1]}: {code}, "
                                   f"{seconds:.1f} s, {size:.1f} GiB: {(text.strip().splitlines() or [''])[0][:300]}")
            if code != 0:
                return f"{step[1]}: {FINE[code]}", None
        return "ran" if inputs is not None else "compiled", None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("weft")
    parser.add_argument("models")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--keep")
    parser.add_argument("--match", default="")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    cases = [os.path.join(options.models, name) for name in sorted(os.listdir(options.models))
             if options.match in name and os.path.exists(os.path.join(options.models, name, "model.onnx"))]
    if not cases:
        sys.exit(f"campaign.py: {options.models}: no models")
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
    classes = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(try_model, i, options.weft, cases, options.keep)
                for i in range(options.first, options.first + options.count)]
        for job in concurrent.futures.as_completed(jobs):
            kind, finding = job.result()
            classes[kind] += 1
            if finding:
                print(finding, flush=True)
    print(", ".join(f"{count} {kind}" for kind, count in classes.most_common()))
    sys.exit(1 if classes["finding"] else 0)


if __name__ == "__main__":
    main()
