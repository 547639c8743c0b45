# Tests of what the weft command says of models, with the real compiler: refused
# options, warnings, graphs and reports.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import html.parser
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

try:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed")
    sys.exit(77)

WEFT = os.environ["WEFT"]
SVG = "{http://www.w3.org/2000/svg}"


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def save(path, nodes, inputs, outputs, weights=()):
    weights = [onnx.numpy_helper.from_array(w, name) for name, w in weights]
    graph = helper.make_graph(nodes, "a <graph>", inputs, outputs, weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(model, path)


class Page(html.parser.HTMLParser):
    """Checks that tags are balanced and keeps headings and cells."""

    def __init__(self, text):
        super().__init__()
        self.open, self.headings, self.cells = [], [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "img"), tag  # nothing from elsewhere
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)
        elif {"td", "th", "li"} & set(self.open):
            self.cells.append(data)


class DiagnosisTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.model = self.folder / "model.onnx"
        self.output = self.folder / "model.so"
        # y[n, 3] = Relu(x[n, t] * w + b), which is also the residual of z.
        save(
            self.model,
            [
                helper.make_node("MatMul", ["x", "w"], ["xw"], "product"),
                helper.make_node("Add", ["xw", "b"], ["sum"], "bias"),
                helper.make_node("Relu", ["sum"], ["y"], "relu & co"),
                helper.make_node("Exp", ["y"], ["e"], "exp"),
                helper.make_node("Add", ["e", "xw"], ["z"], "residual"),
            ],
            [value("x", ["batch", 32]), value("b", ["batch", 3])],
            [value("y", ["batch", 3]), value("z", ["batch", 3])],
            [("w", np.ones((32, 3), np.float32))],
        )

    def weft(self, *words, code=0):
        done = subprocess.run(
            [WEFT, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def refusal(self, *words, code=1):
        done = self.weft("compile", self.model, "-o", self.output, *words, code=code)
        self.assertFalse(self.output.exists())
        return done.stderr

    def test_dimensions_that_are_not_there(self):
        self.assertIn(
            "--dim gives 'bach', but the inputs' symbolic dimensions are 'batch'",
            self.refusal("--dim=bach=4", code=2),
        )
        self.model = self.folder / "fixed.onnx"
        relu = helper.make_node("Relu", ["x"], ["y"])
        save(self.model, [relu], [value("x", [2])], [value("y", [2])])
        self.assertIn(
            "--dim gives 'batch', but the inputs have no symbolic dimension",
            self.refusal("--dim=batch=4", code=2),
        )
        self.assertIn(
            "--shape gives 'z', but the inputs are 'x'",
            self.refusal("--shape=z:4", code=2),
        )

    def test_dimensions_of_what_is_compiled(self):
        printed, module = self.folder / "m.mlir", self.folder / "m.so"
        self.weft("compile", self.model, "--compile-to=model", "-o", printed)
        self.weft("compile", printed, "-o", module)
        for flag in ("--dim=batch=4", "--shape=x:4x32", "--all-dynamic"):
            said = self.weft("compile", printed, "-o", self.output, flag, code=2).stderr
            name = flag.split("=")[0]
            self.assertIn(f"{name} has no effect on '{printed}', whose inputs and extents", said)
            self.assertFalse(self.output.exists())
        # There it is for inputs that are made up.
        for path in (printed, module):
            short = ["--duration=0.01", "--threads=1"]
            self.weft("bench", path, "--dim=batch=4", *short)
            self.assertIn(
                f"--dim gives 'bach', but '{path}' has the symbolic dimensions 'batch'",
                self.weft("bench", path, "--dim=bach=4", *short, code=2).stderr,
            )
        self.assertIn(
            "option '--cpu=native' has no effect on it",
            self.weft("bench", module, "--dim=batch=4", "--cpu=native", code=2).stderr,
        )

    def test_contradictory_dimensions(self):
        self.assertIn(
            "--dim=batch=5: 'batch' is given as 4..4 before",
            self.refusal("--dim=batch=4", "--dim=batch=5", code=2),
        )
        self.assertIn(
            "another shape of 'x' is given before",
            self.refusal("--shape=x:4x32", "--shape=x:5x32", code=2),
        )
        self.assertIn(
            "input 'x' is given extent 5 in dimension 0 by --shape, but --dim says "
            "that 'batch' is 4",
            self.refusal("--shape=x:5x32", "--dim=batch=4", code=2),
        )
        self.assertIn(
            "input 'b' is given extent 5 in dimension 0, but another input's shape "
            "says that 'batch' is 4",
            self.refusal("--shape=x:4x32", "--shape=b:5x3", code=2),
        )
        same = ("--dim=batch=4", "--dim=batch=4", "--shape=x:4x32", "--shape=b:4x3")
        self.weft("compile", self.model, "-o", self.output, *same)
        self.assertTrue(self.output.exists())

    def test_output_is_checked_first(self):
        nowhere = self.folder / "missing" / "model.so"
        done = self.weft("compile", self.model, "-o", nowhere, code=1)
        self.assertIn(f"there is no folder '{nowhere.parent}'", done.stderr)
        self.assertNotIn("[1/8]", done.stderr)  # before any work
        done = self.weft("compile", self.model, "-o", self.folder, code=1)
        self.assertIn("it is a folder", done.stderr)
        self.assertIn(
            "missing/r.html: cannot be written",
            self.refusal(f"--report={self.folder}/missing/r.html"),
        )

    def test_declared_shape_differs(self):
        relu = helper.make_node("Relu", ["x"], ["y"])
        for declared, warning in (
            ([3], "output 'y' is declared with extent 3 in dimension 0 but computed with 2"),
            ([2, 1], "output 'y' is declared with rank 2 but computed with rank 1"),
            ([2], None),
            (["n"], None),
        ):
            model = self.folder / "declared.onnx"
            save(model, [relu], [value("x", [2])], [value("y", declared)])
            done = self.weft("compile", model, "-o", self.output)
            if warning:
                self.assertIn("warning: " + warning, done.stderr)
            else:
                self.assertNotIn("warning", done.stderr)

    def test_arena(self):
        # Shorter signals than the window have no frames: their extents are negative.
        model = self.folder / "conv.onnx"
        weights = np.ones((5, 3, 20), np.float32), np.ones((4, 5, 9), np.float32)
        save(
            model,
            [
                helper.make_node("Conv", ["x", "w"], ["h"]),
                helper.make_node("Conv", ["h", "v"], ["g"]),
                helper.make_node("Softmax", ["g"], ["y"], axis=1),
            ],
            [value("x", ["n", 3, "length"])],
            [value("y", ["n", 4, None])],
            zip("wv", weights),
        )
        done = self.weft("compile", model, "-o", self.output)
        self.assertRegex(done.stdout, r"arena     [0-9.]+ [kM]?B at n=1, length=32\n")

    def test_quiet_keeps_warnings(self):
        relu = helper.make_node("Relu", ["x"], ["y"])
        model = self.folder / "relu.onnx"
        save(model, [relu], [value("x", [2])], [value("y", [3])])
        run = ("run", model, "--no-cache", "--input=2xf32=1 2")
        for words in (("compile", model, "-o", self.output), run):
            done = self.weft(*words, "--quiet")
            self.assertRegex(done.stderr, r"^warning: [^\n]*\n$")
        self.assertEqual(self.weft("compile", model, "-o", self.output, "--quiet").stdout, "")

    def test_ir_is_not_cached(self):
        # It names files of weights, which can change.
        text = self.folder / "model.mlir"
        self.weft("compile", self.model, "--compile-to=model", "-o", text)
        cache = self.folder / "cache"
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        words = WEFT, "run", text, "--input=x=1x32xf32=1", "--input=b=1x3xf32=1"
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("warning", done.stderr)
        self.assertFalse(cache.exists())

    def test_reader_that_stops(self):
        # Enough text that it does not fit in a pipe.
        words = "compile", self.model, "--emit=mlir", "--compile-to=target", "-o", "-"
        with subprocess.Popen(
            [WEFT, *map(str, words), "--quiet"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            process.stdout.read(1)
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            self.assertEqual(process.wait(), 0)

    def test_check_says_why(self):
        unknown = helper.make_node("Riddle", ["x"], ["y"], domain="org.test")
        model = self.folder / "riddle.onnx"
        save(model, [unknown], [value("x", [2])], [value("y", [2])])
        done = self.weft("check", model, "--against=onnxruntime", code=3)
        self.assertIn("unsupported: riddle.onnx", done.stdout)
        self.assertIn("Riddle", done.stdout)
        done = self.weft("check", model, "--input=2xf32=1", code=2)
        self.assertIn("'--input' needs '--against'", done.stderr)

    def test_graph_as_svg(self):
        done = self.weft("inspect", self.model, "--graph=svg")
        picture = ElementTree.fromstring(done.stdout)
        self.assertEqual(picture.find(f"{SVG}title").text, "a <graph>")
        labels = [text.text for text in picture.iter(f"{SVG}text")]
        self.assertEqual(
            sorted(labels),
            sorted(["x", "b", "MatMul", "Add", "Relu", "Exp", "Add", "y", "z"]),
        )
        details = [group.find(f"{SVG}title").text for group in picture.iter(f"{SVG}g")]
        self.assertIn("Relu 'relu & co'", details)
        self.assertIn("MatMul 'product'\nweight 'w'", details)
        edges = [path for path in picture.findall(f"{SVG}path")]
        self.assertEqual(len(edges), 9)
        # Boxes of a row do not overlap, and all lie in the picture.
        rows = {}
        for box in picture.iter(f"{SVG}rect"):
            if box.get("rx"):
                left, width = float(box.get("x")), float(box.get("width"))
                self.assertGreaterEqual(left, 0)
                self.assertLessEqual(left + width, float(picture.get("width")))
                rows.setdefault(box.get("y"), []).append((left, left + width))
        self.assertGreaterEqual(len(rows), 6)
        for row in rows.values():
            row.sort()
            for (_, right), (left, _) in zip(row, row[1:]):
                self.assertLess(right, left)

    def test_graph_as_dot(self):
        done = self.weft("inspect", self.model, "--graph=dot")
        self.assertTrue(done.stdout.startswith('digraph "a <graph>" {'))
        self.assertEqual(done.stdout.count(" -> "), 9)
        self.assertIn('label="x [batch, 32] ', done.stdout)
        done = self.weft("inspect", self.model, "--graph=png", code=2)
        self.assertIn("expected dot or svg", done.stderr)
        broken = self.folder / "broken.onnx"
        broken.write_bytes(self.model.read_bytes()[:-7])
        self.assertIn("broken.onnx", self.weft("inspect", broken, "--graph=dot", code=1).stderr)

    def test_report(self):
        report = self.folder / "report.html"
        self.weft("compile", self.model, "-o", self.output, f"--report={report}")
        page = Page(report.read_text(encoding="utf-8"))
        self.assertEqual(
            page.headings, ["model", "Stages", "Kernels", "Memory", "Sizes"]
        )
        for stage in "input model fuse tile vector buffer target module".split():
            self.assertIn(stage, page.cells)
        self.assertIn("x: [batch, 32] f32", page.cells)
        nodes = " ".join(page.cells)
        for node in ("product", "relu & co", "residual"):
            self.assertIn(node, nodes)
        self.assertIn("module file", page.cells)

    def test_disassembly(self):
        self.weft("compile", self.model, "-o", self.output)
        text = self.weft("inspect", self.output).stdout
        kernel = text[text.index("\nkernels") :].splitlines()[2].split()[0]
        done = self.weft("inspect", self.output, f"--disassemble={kernel}")
        self.assertRegex(done.stdout, r"(?m)\bret")


if __name__ == "__main__":
    unittest.main()
