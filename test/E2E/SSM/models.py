#===- models.py - ONNX models with their data ------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""What tests of raising share: graphs written with inputs and expected outputs, and what is in
their modules after stage model."""

import os
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh


def save(folder, name, nodes, inputs, outputs, consts):
    """The path of the model; `inputs` are (array, dims), `outputs` arrays, by name."""
    graph = h.make_graph(nodes, "g", [h.make_tensor_value_info(k, T.FLOAT, d) for k, (_, d) in inputs.items()],
                         [h.make_tensor_value_info(k, T.FLOAT, [None] * v.ndim) for k, v in outputs.items()],
                         [nh.from_array(np.asarray(v), k) for k, v in consts.items()])
    data = os.path.join(folder, name, "test_data_set_0")
    os.makedirs(data)
    path = os.path.join(folder, name, "model.onnx")
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 20)], ir_version=9), path)
    for kind, arrays in (("input", {k: v for k, (v, _) in inputs.items()}), ("output", outputs)):
        for i, (key, value) in enumerate(arrays.items()):
            with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as file:
                file.write(nh.from_array(value.astype(np.float32), key).SerializeToString())
    return path


def expect(weft, name, path, raised, gone):
    """Ends the test unless `raised` is in the module after stage model and `gone` is not."""
    module = subprocess.run([weft, "compile", path, "--quiet", "--compile-to=model", "--emit=mlir", "-o", "-"],
                            capture_output=True, text=True, check=True).stdout
    for word in raised:
        if word not in module:
            sys.exit(f"{name}: expected {word} after stage model")
    for word in gone:
        if word in module:
            sys.exit(f"{name}: {word} is still there after stage model")
