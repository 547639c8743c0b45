# A model of two inputs with the same symbols.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import sys

import onnx
from onnx import TensorProto as T
from onnx import helper as h

graph = h.make_graph(
    [h.make_node("Add", ["x", "m"], ["y"], name="node")],
    "shared",
    [h.make_tensor_value_info("x", T.FLOAT, ["batch", "seq", 4]),
     h.make_tensor_value_info("m", T.FLOAT, ["batch", "seq", 1])],
    [h.make_tensor_value_info("y", T.FLOAT, ["batch", "seq", 4])],
)
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
onnx.save(model, sys.argv[1])
