"""Writes an ONNX model whose weight is transposed while compiling, and another
one that stays as it is."""

import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

weights = np.random.default_rng(1)
graph = helper.make_graph(
    [
        helper.make_node("Gemm", ["x", "w"], ["h"], transB=1),
        helper.make_node("MatMul", ["h", "v"], ["y"]),
    ],
    "gemm",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 40])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 50])],
    [
        numpy_helper.from_array(weights.standard_normal((30, 40), np.float32), "w"),
        numpy_helper.from_array(weights.standard_normal((30, 50), np.float32), "v"),
    ],
)
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), sys.argv[1])
