# Models with shapes that no memory holds: one of an input, one of what a node gives.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import sys

import onnx
from onnx import TensorProto as T
from onnx import helper as h


def save(path, nodes, inputs, rank):
    graph = h.make_graph(
        nodes,
        "large",
        [h.make_tensor_value_info(name, T.FLOAT, shape) for name, shape in inputs],
        [h.make_tensor_value_info("y", T.FLOAT, ["?"] * rank)],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


prefix = sys.argv[1]
save(prefix + "62.onnx", [h.make_node("Relu", ["x"], ["y"])], [("x", [2**62])], 1)
save(prefix + "63.onnx", [h.make_node("Relu", ["x"], ["y"])], [("x", [2**63 - 1, 1])], 2)
save(prefix + "dim.onnx", [h.make_node("Relu", ["x"], ["y"])], [("x", ["b", 4])], 2)
save(prefix + "empty.onnx", [h.make_node("Relu", ["x"], ["y"])], [("x", [0, 2**40])], 2)
save(prefix + "strides.onnx", [h.make_node("Relu", ["x"], ["y"])], [("x", [0, 2**40, 2**40])], 3)
save(
    prefix + "outer.onnx",
    [h.make_node("Mul", ["a", "c"], ["y"], name="outer")],
    [("a", [2**24, 1]), ("c", [1, 2**24])],
    2,
)
