# Tests of the Python package with the real compiler.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import os
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy as np
    import onnx
    from onnx import helper
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed")
    sys.exit(77)

import weft


def linear_model():
    """z[batch, 3] = x[batch, 4] * weights + 1, and which of x are not zero."""
    weights = np.arange(12, dtype=np.float32).reshape(4, 3)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "weights"], ["product"]),
            helper.make_node("Add", ["product", "one"], ["z"]),
            helper.make_node("NonZero", ["x"], ["positions"]),
        ],
        "linear",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 4])],
        [
            helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["batch", 3]),
            helper.make_tensor_value_info(
                "positions", onnx.TensorProto.INT64, [2, None]
            ),
        ],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.ones((), np.float32), "one"),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    model.producer_name, model.domain, model.model_version = "a test", "org.test", 7
    for key, value in (("labels", "cat\ndog"), ('quote "', "caf\u00e9")):
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    return model, weights


class SessionTest(unittest.TestCase):
    def setUp(self):
        self.model, self.weights = linear_model()

    def check(self, module):
        for rows in (1, 5, 2):
            x = np.random.default_rng(rows).standard_normal((rows, 4), np.float32)
            x[0, 1] = 0
            z, positions = module(x)
            np.testing.assert_allclose(z, x @ self.weights + 1, rtol=1e-5, atol=1e-5)
            np.testing.assert_array_equal(positions, np.nonzero(x))

    def test_compiles_whatever_holds_a_model(self):
        self.check(weft.compile(self.model))
        self.check(weft.compile(self.model.SerializeToString(), threads=2))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "m.onnx"
            onnx.save(self.model, path)
            output = Path(folder) / "out.so"
            self.check(weft.compile(path, output, opt_level=2, jobs=1))
            self.check(weft.load(output))
            fixed = weft.compile(str(path), dim={"batch": 3})
            self.assertEqual(fixed.inputs[0].dims, (3, 4))

    def test_session(self):
        session = weft.InferenceSession(self.model.SerializeToString())
        self.assertEqual(
            session.get_modelmeta(),
            weft.ModelMetadata(
                producer_name="a test",
                graph_name="linear",
                domain="org.test",
                version=7,
                custom_metadata_map={"labels": "cat\ndog", 'quote "': "caf\u00e9"},
            ),
        )
        x = np.ones((2, 4), np.float32)
        (z,) = session.run(["z"], {"x": x[:, ::-1]})  # strided
        np.testing.assert_allclose(z, x @ self.weights + 1)
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output("positions")
        binding.bind_output("z")
        session.run_with_iobinding(binding)
        positions, z = binding.copy_outputs_to_cpu()
        np.testing.assert_array_equal(positions, np.nonzero(x))
        np.testing.assert_allclose(z, x @ self.weights + 1)

    def test_refused_model(self):
        self.model.graph.node[0].op_type = "MatMulOfTomorrow"
        with self.assertRaises(weft.CompileError) as caught:
            weft.compile(self.model)
        self.assertEqual(caught.exception.exit_code, 3)
        self.assertIn("MatMulOfTomorrow", caught.exception.output)


if __name__ == "__main__":
    unittest.main()
