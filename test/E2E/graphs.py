#===- graphs.py - Small ONNX graphs as cases for `weft check` ----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Builds ONNX graphs as exporters write them, and writes them as folders of a
model and data sets that `weft check` runs, with results of onnxruntime."""

import itertools
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper


_numbers = itertools.count(1)


class Graph:
    """A graph under construction. `g.Add(x, y)` appends a node and gives the
    name of its result; NumPy arrays and numbers become initializers, None an
    input left out. `outs=n` gives n names."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def name(self, base):
        # Bodies see the names around them: none is used twice.
        return f"{base}_{next(_numbers)}"

    def constant(self, value):
        value = np.asarray(value)
        if value.dtype == np.float64:
            value = value.astype(np.float32)
        name = self.name("constant")
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def operand(self, value):
        return "" if value is None else value if isinstance(value, str) else self.constant(value)

    def node(self, kind, *inputs, outs=1, domain="", **attributes):
        names = [self.name(f"/{kind}") for _ in range(outs)]
        self.nodes.append(helper.make_node(
            kind, [self.operand(i) for i in inputs], names, name=names[0], domain=domain,
            **attributes))
        return names[0] if outs == 1 else names

    def __getattr__(self, kind):
        if kind.startswith("_"):
            raise AttributeError(kind)
        return lambda *inputs, **attributes: self.node(kind, *inputs, **attributes)

    def branch(self, *results, inputs=()):
        """The nodes as the body of an If, Loop or Scan. `results` are names with
        types; `inputs` are values infos of (name, type, shape)."""
        return helper.make_graph(
            self.nodes, self.name("body"),
            [helper.make_tensor_value_info(*i) for i in inputs],
            [helper.make_tensor_value_info(n, t, s) for n, t, s in results], self.initializers)


class Cases:
    """A folder of cases. Extents that differ between the data sets of a case are
    symbolic in its model, and those that vary alike have one symbol."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        self.count = 0

    def add(self, name, build, *sets, opset=17, domains=(), expected=None):
        """`build(graph, *names)` appends the nodes and gives the names of the
        results; each of `sets` has the inputs by name. `expected(**inputs)` takes
        the place of onnxruntime."""
        graph = Graph()
        results = build(graph, *sets[0])
        results = [results] if isinstance(results, str) else list(results)
        infos = []
        for key, value in sets[0].items():
            shape = []
            for axis, extent in enumerate(value.shape):
                extents = [s[key].shape[axis] for s in sets]
                shape.append(extent if len(set(extents)) == 1
                             else "s" + "_".join(map(str, extents)))
            infos.append(helper.make_tensor_value_info(
                key, helper.np_dtype_to_tensor_dtype(value.dtype), shape))
        opsets = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]

        def model(outputs):
            body = helper.make_graph(graph.nodes, name, infos, outputs, graph.initializers)
            return helper.make_model(body, opset_imports=opsets, ir_version=8)

        path = f"{self.root}/{self.count:03d}_{name}"
        self.count += 1
        session = None
        if not expected:
            options = ort.SessionOptions()
            options.log_severity_level = 4
            untyped = model([helper.make_empty_tensor_value_info(r) for r in results])
            session = ort.InferenceSession(untyped.SerializeToString(), options)
        for number, inputs in enumerate(sets):
            values = session.run(None, inputs) if session else expected(**inputs)
            values = [np.asarray(v) for v in values]
            os.makedirs(f"{path}/test_data_set_{number}")
            for kind, pairs in (("input", inputs.items()), ("output", zip(results, values))):
                for i, (key, value) in enumerate(pairs):
                    with open(f"{path}/test_data_set_{number}/{kind}_{i}.pb", "wb") as file:
                        file.write(numpy_helper.from_array(value, key).SerializeToString())
        typed = [helper.make_tensor_value_info(
            r, helper.np_dtype_to_tensor_dtype(v.dtype), [None] * v.ndim)
            for r, v in zip(results, values)]
        onnx.save(model(typed), f"{path}/model.onnx")

    def check(self, weft, *options, allowed=(0,)):
        """Runs `weft check` on the folder; ends the program if it fails."""
        run = subprocess.run([weft, "check", self.root, *options], capture_output=True, text=True)
        print(run.stdout[-6000:], run.stderr[-3000:])
        if run.returncode not in allowed:
            sys.exit(f"weft check {' '.join(options)} gave {run.returncode}")

    def model(self, name):
        """The path of the model of a case."""
        return next(f"{self.root}/{p}/model.onnx" for p in sorted(os.listdir(self.root))
                    if p[4:] == name)

    def save(self, inputs):
        """Options of weft for inputs by name."""
        options = []
        for key, value in inputs.items():
            np.save(f"{self.root}/{key}.npy", value)
            options.append(f"--input={key}=@{self.root}/{key}.npy")
        return options

    def figures(self, weft, path, inputs):
        """All numbers and names, however deep, that `weft bench` tells of one call."""
        run = subprocess.run([weft, "bench", "--quiet", path, *self.save(inputs),
                              "--iterations=1", "--threads=1", "--json=-"],
                             capture_output=True, text=True, timeout=120)
        if run.returncode:
            sys.exit(run.stdout + run.stderr)
        found = {}

        def walk(value):
            if isinstance(value, dict):
                found.update((k, v) for k, v in value.items() if not isinstance(v, (dict, list)))
                for v in value.values():
                    walk(v)
            elif isinstance(value, list):
                for v in value:
                    walk(v)

        walk(json.loads(run.stdout))
        return found
