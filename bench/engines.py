# What bench/compare.py measures: one runtime and one model in one process.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A child of compare.py. It reads requests as lines of JSON and answers each with
one line: `load` once, then `results` and any number of `measure`. Between them it
is blocked in a read and takes no time from the others."""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

# Swept before each cold call: three times the last-level cache of this class of
# machine, so that neither weights nor activations are left in it.
SWEPT_BYTES = 96 << 20


class Weft:
    def __init__(self, request, inputs):
        sys.path.insert(0, str(Path(__file__).parent.parent / "runtime" / "python"))
        import weft

        module = weft.load(request["module"], threads=request["threads"])
        call = module.context().bind(**inputs)
        call()
        self.run, self.outputs = call, call.outputs
        self.names = [output.name for output in module.outputs]
        self.version = f"{module.compiler_version}; runtime {weft.runtime_version()}"
        self.options = {"options": module.options, "variant": module.cpu}
        self.options["options"].pop("metadata", None)


class OnnxRuntime:
    def __init__(self, request, inputs):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = request["threads"]
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # The dimensions that Weft's module was compiled for.
        shapes = {name: array.shape for name, array in inputs.items()}
        plain = onnxruntime.InferenceSession(
            request["model"], options, providers=["CPUExecutionProvider"]
        )
        fixed = {}
        for argument in plain.get_inputs():
            for dim, extent in zip(argument.shape, shapes[argument.name]):
                if isinstance(dim, str):
                    fixed[dim] = extent
        for dim, extent in fixed.items():
            options.add_free_dimension_override_by_name(dim, extent)
        session = onnxruntime.InferenceSession(
            request["model"], options, providers=["CPUExecutionProvider"]
        )
        self.names = [output.name for output in session.get_outputs()]
        self.outputs = session.run(None, inputs)
        binding = session.io_binding()
        self._inputs = inputs
        for name, array in inputs.items():
            binding.bind_cpu_input(name, array)
        self._values = []
        for name, array in zip(self.names, self.outputs):
            value = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            binding.bind_ortvalue_output(name, value)
            self._values.append(value)
        self.run = lambda: session.run_with_iobinding(binding)
        self.version = onnxruntime.__version__
        self.options = {
            "intra_op_num_threads": request["threads"],
            "inter_op_num_threads": 1,
            "spinning": True,
            "free_dimensions": fixed,
        }


class OpenVino:
    def __init__(self, request, inputs):
        import openvino

        core = openvino.Core()
        model = core.read_model(request["model"])
        model.reshape({name: list(array.shape) for name, array in inputs.items()})
        self.options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": request["threads"],
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = core.compile_model(model, "CPU", self.options)
        infer = compiled.create_infer_request()
        for name, array in inputs.items():
            infer.set_tensor(name, openvino.Tensor(array, shared_memory=True))
        self._inputs = inputs
        infer.infer()
        self.names = [output.any_name for output in compiled.outputs]
        self.outputs = [infer.get_tensor(output).data for output in compiled.outputs]
        self.run = infer.infer
        self.version = openvino.__version__


ENGINES = {"weft": Weft, "onnxruntime": OnnxRuntime, "openvino": OpenVino}


def measure(engine, request):
    """Medians of the calls of a block, in seconds."""
    clock, run = time.perf_counter, engine.run
    for _ in range(2):
        run()
    times = []
    begin = clock()
    while len(times) < request["calls"] or clock() - begin < request["seconds"]:
        start = clock()
        run()
        times.append(clock() - start)
    answer = {"hot": statistics.median(times), "calls": len(times)}
    if request["cold_calls"]:
        memory = engine.__dict__.setdefault(
            "swept", np.ones(SWEPT_BYTES // 8, np.int64)
        )
        times = []
        for _ in range(request["cold_calls"]):
            memory += 1
            start = clock()
            run()
            times.append(clock() - start)
        answer["cold"] = statistics.median(times)
    return answer


def main():
    # Libraries may print; the answers go where nothing else does.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    engine = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "load":
                with np.load(request["inputs"]) as archive:
                    inputs = {name: archive[name] for name in archive.files}
                start = time.perf_counter()
                engine = ENGINES[request["engine"]](request, inputs)
                answer = {
                    "load_and_first_call": time.perf_counter() - start,
                    "version": engine.version,
                    "options": engine.options,
                }
            elif request["do"] == "results":
                engine.run()
                np.savez(request["file"], *engine.outputs)
                answer = {"names": engine.names}
            else:
                answer = measure(engine, request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
