# Models of one node that nothing can be made of, in a folder: each with what is
# wrong as its name.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
import sys

import onnx
from onnx import TensorProto as T
from onnx import helper as h


def save(name, kind, *inputs, opset=17, **attributes):
    """`inputs` are pairs of an element type and a shape."""
    names = [f"x{i}" for i in range(len(inputs))]
    graph = h.make_graph(
        [h.make_node(kind, names, ["y"], name="node", **attributes)],
        name,
        [h.make_tensor_value_info(n, t, s) for n, (t, s) in zip(names, inputs)],
        [h.make_empty_tensor_value_info("y")],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, f"{sys.argv[1]}/{name}.onnx")


save("squeeze-axes", "Squeeze", (T.FLOAT, [3]), (T.INT64, [5]))
save("squeeze-extent", "Squeeze", (T.FLOAT, [3]), (T.INT64, [1]))
save("unsqueeze-axes", "Unsqueeze", (T.FLOAT, [3]), (T.INT64, [100]))
save("reshape-scalar", "Reshape", (T.FLOAT, [1, "n", 3]), opset=1)
save("reshape-elements", "Reshape", (T.FLOAT, [2, 3]), (T.INT64, [2**31]))
save("blocks", "DepthToSpace", (T.FLOAT, [1, "c", 2, 2]), blocksize=2**60)
save("space-blocks", "SpaceToDepth", (T.FLOAT, [1, 1, 2, 2]), blocksize=2**60)
save("zero-point", "MatMulInteger", (T.UINT8, [4]), (T.UINT8, [4, 2]), (T.UINT8, [1]), (T.UINT8, [2, 4, 2]))
save("scale", "QLinearMatMul", (T.UINT8, [4]), (T.FLOAT, []), (T.UINT8, []), (T.UINT8, [4, 3]),
     (T.FLOAT, []), (T.UINT8, []), (T.FLOAT, []), (T.UINT8, [0]))
save("scales", "QLinearMatMul", (T.UINT8, [2, 4]), (T.FLOAT, []), (T.UINT8, []), (T.UINT8, [4, 3]),
     (T.FLOAT, []), (T.UINT8, []), (T.FLOAT, []), (T.UINT8, [5]))
save("packed-input", "Identity", (T.FLOAT6E2M3, [2**60, "n", 6]), opset=25)
