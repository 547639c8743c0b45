# Reshape of an empty tensor, one extent of which is free, to a shape that is data.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import sys

import onnx
from onnx import TensorProto as T
from onnx import helper as h

graph = h.make_graph(
    [h.make_node("Reshape", ["x", "shape"], ["y"], allowzero=1)],
    "empty",
    [
        h.make_tensor_value_info("x", T.FLOAT, [0, 3, "n"]),
        h.make_tensor_value_info("shape", T.INT64, [3]),
    ],
    [h.make_tensor_value_info("y", T.FLOAT, ["a", "b", "c"])],
)
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 14)], ir_version=8), sys.argv[1])
