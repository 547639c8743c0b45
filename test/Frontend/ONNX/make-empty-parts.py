# Models that put parts together of which some are empty, in a folder.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import sys

import onnx
from onnx import TensorProto as T
from onnx import helper as h


def info(name, shape, dtype=T.FLOAT):
    return h.make_tensor_value_info(name, dtype, shape)


def save(name, nodes, inputs):
    graph = h.make_graph(nodes, name, inputs, [h.make_empty_tensor_value_info("y")])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, f"{sys.argv[1]}/{name}.onnx")


save("last", [h.make_node("Concat", ["x", "z"], ["y"], axis=1)], [info("x", ["n", 4]), info("z", ["n", 0])])
save("all", [h.make_node("Concat", ["x", "z"], ["y"], axis=0)], [info("x", [1, 2, 0]), info("z", [2, "a", "b"])])
body = h.make_graph([h.make_node("Identity", ["v"], ["w"])], "body", [info("v", [0])], [info("w", [0])])
save("scan", [h.make_node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1)], [info("x", ["n", 0])])
