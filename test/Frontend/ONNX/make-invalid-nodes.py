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


def save_nodes(name, nodes):
    """A model of an input x of floats, counts n and a condition c."""
    graph = h.make_graph(
        nodes,
        name,
        [h.make_tensor_value_info("x", T.FLOAT, [2, 3]), h.make_tensor_value_info("n", T.INT64, []),
         h.make_tensor_value_info("c", T.BOOL, [])],
        [h.make_tensor_value_info("y", T.FLOAT, None)],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, f"{sys.argv[1]}/{name}.onnx")


# Sequences where tensors are expected: as an operand, as a position, as a condition.
construct = h.make_node("SequenceConstruct", ["x"], ["s"])
for kind, inputs in (("Relu", ["s"]), ("Softmax", ["s"]), ("Concat", ["x", "s"]),
                     ("SequenceConstruct", ["s"]), ("SequenceAt", ["s", "s"]), ("If", ["s"]),
                     ("Loop", ["s", "c", "x"]), ("Loop", ["n", "s", "x"])):
    at = len(inputs) - 1 - inputs[::-1].index("s")
    save_nodes(f"sequence-{kind}-{at}", [construct, h.make_node(kind, inputs, ["y"], name="node")])
body = h.make_graph(
    [h.make_node("SequenceConstruct", ["d"], ["e"]), h.make_node("Relu", ["v"], ["w"])],
    "body",
    [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("d", T.BOOL, []),
     h.make_tensor_value_info("v", T.FLOAT, [2, 3])],
    [h.make_tensor_value_info("e", T.BOOL, []), h.make_tensor_value_info("w", T.FLOAT, [2, 3])],
)
save_nodes("sequence-condition", [h.make_node("Loop", ["n", "c", "x"], ["y"], name="node", body=body)])
