#!/usr/bin/env python3
# ===- peer.py - Runs a model in another runtime ---------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===#
"""The other side of `weft check --against=` and `weft bench --peer=`.

FOLDER holds inputs.json, a list of {"name", "dtype"}, and input_<i>.npy. `run`
writes output_<i>.npy and prints a list of {"name", "quantized", "step", "spread",
"mean_spread"}: whether what an output depends on is rounded to codes of 8 bits or
fewer, what one of its own codes is worth (0: that is not known), and by how much
the peer's own results differ at most and in the mean where it optimizes nothing;
`bench` prints a JSON
object with the times in seconds; `expose` writes exposed.onnx, the model with
every intermediate value as an output, and these values.
"""

import argparse
import json
import os
import sys
import time

import numpy


def read_inputs(folder):
    with open(os.path.join(folder, "inputs.json"), encoding="utf-8") as file:
        entries = json.load(file)
    feed = {}
    for index, entry in enumerate(entries):
        path = os.path.join(folder, f"input_{index}.npy")
        array = numpy.load(path, allow_pickle=False)
        if array.dtype.kind == "V":
            import ml_dtypes

            names = {"bf16": "bfloat16", "f8E4M3FN": "float8_e4m3fn", "f8E5M2": "float8_e5m2"}
            array = array.view(getattr(ml_dtypes, names[entry["dtype"]]))
        feed[entry["name"]] = array
    return feed


class OnnxRuntime:
    def __init__(self, model, threads, optimizes=True):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if not optimizes:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"])
        self.version = onnxruntime.__version__
        self.outputs = [output.name for output in self.session.get_outputs()]

    def run(self, feed):
        return self.session.run(None, feed)


class OpenVino:
    def __init__(self, model, threads):
        import openvino

        core = openvino.Core()
        config = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                  "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(model), "CPU", config)
        self.request = compiled.create_infer_request()
        self.version = openvino.__version__
        self.outputs = [output.any_name for output in compiled.outputs]

    def run(self, feed):
        results = self.request.infer(feed)
        return [results[name] for name in self.outputs]


def expose(arguments, feed):
    """Makes every value that a node of the main graph computes an output, and
    prints what computes it, in order of execution."""
    import onnx
    import onnxruntime

    model = onnx.load(arguments.model)
    final = {output.name: output for output in model.graph.output}
    values = [(name, node) for node in model.graph.node for name in node.output if name]
    del model.graph.output[:]
    model.graph.output.extend(
        final.get(name, onnx.ValueInfoProto(name=name)) for name, _ in values)
    results = OnnxRuntime(model.SerializeToString(), arguments.threads).run(feed)
    entries = []
    del model.graph.output[:]
    for (name, node), value in zip(values, results):
        if not isinstance(value, numpy.ndarray) or value.dtype.kind in "OSU":
            continue  # a sequence, an optional, strings
        numpy.save(os.path.join(arguments.folder, f"output_{len(entries)}.npy"), value)
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(name, kind, [None] * value.ndim))
        entries.append({"value": name, "node": node.name or name, "op": node.op_type})
    onnx.save(model, os.path.join(arguments.folder, "exposed.onnx"))
    print(json.dumps(entries))


# Where these have the scale of their result among their inputs; None: it depends on data.
QUANTIZERS = {"QuantizeLinear": 1, "QLinearConv": 6, "QLinearMatMul": 6, "QLinearAdd": 6,
              "QLinearMul": 6, "QLinearSigmoid": 3, "QLinearLeakyRelu": 3, "QLinearSoftmax": 3,
              "QLinearAveragePool": 3, "QLinearGlobalAveragePool": 3, "QLinearReduceMean": 3,
              "QLinearConcat": 0, "QGemm": 7, "DynamicQuantizeLinear": None,
              "DynamicQuantizeMatMul": None, "DynamicQuantizeLSTM": None, "QAttention": None}
# These give elements of their first input, or what they are worth.
MOVES = {"DequantizeLinear", "Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze",
         "Slice", "Relu", "MaxPool", "Expand", "Gather", "Split"}


def quantization(path, names):
    """For each output: whether it depends on codes of activations, and what one of its own codes
    is worth, 0 if that is not known."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        return [(False, 0.0)] * len(names)
    graph = onnx.load(path, load_external_data=False).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    producers = {name: node for node in graph.node for name in node.output if name}

    def is_quantizer(node):
        # ONNX Runtime quantizes what is multiplied with blocks of codes, too.
        given = {a.name: a.i for a in node.attribute}
        if node.op_type == "MatMulNBits":
            return given.get("accuracy_level") == 4
        if node.op_type == "DequantizeLinear":
            return given.get("block_size", 0) > 0
        # Codes of constants are the same on both sides.
        is_constant = node.op_type == "QuantizeLinear" and node.input[0] in constants
        return node.op_type in QUANTIZERS and not is_constant

    def depends(name):
        seen, todo = set(), [name]
        while todo:
            node = producers.get(todo.pop())
            if node is None or id(node) in seen:
                continue
            if is_quantizer(node):
                return True
            seen.add(id(node))
            todo += node.input
        return False

    def step(name):
        while (node := producers.get(name)) is not None and node.op_type in MOVES:
            name = node.input[0]
        position = QUANTIZERS.get(node.op_type) if node is not None else None
        scale = constants.get(node.input[position]) if position is not None and len(
            node.input) > position else None
        if scale is None or scale.data_location == onnx.TensorProto.EXTERNAL:
            return 0.0
        return float(numpy.max(numpy_helper.to_array(scale), initial=0))

    return [(depends(name), step(name)) for name in names]


def spread(arguments, feed, results):
    """For each output: the largest and the mean finite difference from what the peer computes
    without optimizations, which round elsewhere."""
    if arguments.peer != "onnxruntime":
        return [(0.0, 0.0)] * len(results)
    others = OnnxRuntime(arguments.model, arguments.threads, optimizes=False).run(feed)
    pairs = []
    for x, y in zip(results, others):
        if x.dtype.kind in "OSU" or x.shape != y.shape:
            pairs.append((0.0, 0.0))
            continue
        difference = numpy.abs(x.astype(numpy.float64) - y.astype(numpy.float64))
        difference = difference[numpy.isfinite(difference)]
        pairs.append((float(difference.max(initial=0)), float(difference.mean()) if difference.size else 0.0))
    return pairs


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}


def bench(arguments, feed):
    start = time.perf_counter()
    peer = PEERS[arguments.peer](arguments.model, arguments.threads)
    load = time.perf_counter() - start
    start = time.perf_counter()
    peer.run(feed)
    first = time.perf_counter() - start
    end = time.perf_counter() + max(0.2, arguments.seconds / 5)
    while time.perf_counter() < end:  # warm-up
        peer.run(feed)
    times = []
    end = time.perf_counter() + arguments.seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        peer.run(feed)
        times.append(time.perf_counter() - start)
    times = numpy.array(times)
    percentile = lambda p: float(numpy.percentile(times, p))
    print(json.dumps({
        "name": arguments.peer, "version": peer.version, "threads": arguments.threads,
        "load_seconds": load, "first_call_seconds": first, "calls": len(times),
        "min_seconds": float(times.min()), "p50_seconds": percentile(50),
        "p90_seconds": percentile(90), "p99_seconds": percentile(99),
        "mean_seconds": float(times.mean())}))


def run(arguments, feed):
    peer = PEERS[arguments.peer](arguments.model, arguments.threads)
    results = peer.run(feed)
    for index, value in enumerate(results):
        if not isinstance(value, numpy.ndarray):
            raise TypeError(f"output '{peer.outputs[index]}' is no tensor")
        numpy.save(os.path.join(arguments.folder, f"output_{index}.npy"), value)
    steps = quantization(arguments.model, peer.outputs)
    spreads = [(0.0, 0.0)] * len(results)
    if any(quantized for quantized, _ in steps):
        spreads = spread(arguments, feed, results)
    print(json.dumps([{"name": name, "quantized": quantized, "step": step, "spread": most, "mean_spread": mean}
                      for name, (quantized, step), (most, mean) in zip(peer.outputs, steps, spreads)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "bench", "expose"])
    parser.add_argument("--peer", choices=sorted(PEERS), default="onnxruntime")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("model")
    parser.add_argument("folder")
    arguments = parser.parse_args()
    feed = read_inputs(arguments.folder)
    {"run": run, "bench": bench, "expose": expose}[arguments.action](arguments, feed)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # one line for the caller
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
