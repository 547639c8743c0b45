# A model that casts bf16, in a folder, with two folders of inputs: the bits of bf16 as
# u16, which is how tools without bf16 write them, and numbers of another type.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper as nh

graph = h.make_graph(
    [h.make_node("Cast", ["x"], ["y"], name="node", to=T.FLOAT)],
    "cast",
    [h.make_tensor_value_info("x", T.BFLOAT16, [3])],
    [h.make_tensor_value_info("y", T.FLOAT, [3])],
)
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
onnx.save(model, f"{sys.argv[1]}/m.onnx")
numbers = np.array([1.5, -2, 0.25], np.float32)
for folder, values in (("bits", (numbers.view(np.uint32) >> 16).astype(np.uint16)),
                       ("floats", numbers)):
    os.makedirs(f"{sys.argv[1]}/{folder}")
    with open(f"{sys.argv[1]}/{folder}/input_0.pb", "wb") as file:
        file.write(nh.from_array(values, "x").SerializeToString())
