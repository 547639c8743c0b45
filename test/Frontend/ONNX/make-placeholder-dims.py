# A model whose exporter calls every free dimension "?", equal or not.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import sys

import onnx
from onnx import TensorProto as T
from onnx import helper as h

graph = h.make_graph(
    [h.make_node("MatMul", ["x", "w"], ["y"])],
    "placeholders",
    [
        h.make_tensor_value_info("x", T.FLOAT, ["?", "?"]),
        h.make_tensor_value_info("w", T.FLOAT, ["None", "n"]),
    ],
    [h.make_tensor_value_info("y", T.FLOAT, ["?", "?"])],
)
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), sys.argv[1])
