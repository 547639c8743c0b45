# Extents that are computed from those of the inputs, each in both orders.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import sys

import onnx
from onnx import TensorProto as T
from onnx import helper as h

node = h.make_node
graph = h.make_graph(
    [
        node("Shape", ["x"], ["s"]),
        node("Split", ["s"], ["a", "b"], num_outputs=2),
        node("Max", ["a", "b"], ["d"]),
        node("Mul", ["d", "a"], ["m"]),
        node("Mul", ["a", "d"], ["n"]),
        node("Add", ["m", "n"], ["o"]),
        node("ConstantOfShape", ["o"], ["y"]),
    ],
    "extents",
    [h.make_tensor_value_info("x", T.FLOAT, ["a", "b"])],
    [h.make_tensor_value_info("y", T.FLOAT, [None])],
)
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=8), sys.argv[1])
