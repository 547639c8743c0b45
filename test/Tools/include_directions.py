#!/usr/bin/env python3
"""Checks which folders include headers of which.

A folder includes its own headers and those of the folders that its line in
ALLOWED names; these lie below it, so that there are no cycles.
"""

import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

STAGES = ["Model", "Fuse", "Tile", "Vector", "Buffer"]
TRANSFORMS = ["transforms/Printing"] + [f"transforms/{stage}" for stage in STAGES]

# From the lowest folder to the highest; what is in a folder belongs to the
# longest entry that it begins with. Everybody may include what modules and
# runtime agree on (include/weft-runtime).
ALLOWED = {
    "include/weft-runtime": [],
    "lib/Base": [],
    "runtime": ["lib/Base"],
    "lib/Frontend/ONNX/Reader": ["lib/Base"],
    "lib/Tensor": ["lib/Base", "lib/Frontend/ONNX/Reader"],
    "include/weft": [],
    "include/weft/Frontend": ["include/weft"],
    "include/weft/Session.h": ["include/weft", "include/weft/Frontend"],
    "include/weft/compiler.h": [],
    "lib/Support": ["include/weft"],
    "lib/Plugin": ["include/weft", "lib/Base"],
    "lib/Package": ["lib/Base"],
    "dialects": ["include/weft", "lib/Base"],
    "lib/Frontend/ONNX": ["include/weft", "include/weft/Frontend", "lib/Base",
                          "lib/Frontend/ONNX/Reader", "lib/Support", "dialects"],
    # The stages' passes: a stage may use what belongs to earlier ones.
    "transforms/Printing": ["include/weft", "lib/Base", "lib/Package", "dialects"],
    **{f"transforms/{stage}": ["include/weft", "dialects"]
       + [f"transforms/{earlier}" for earlier in STAGES[:i]] for i, stage in enumerate(STAGES)},
    "transforms": ["include/weft"] + TRANSFORMS,
    "targets": ["include/weft", "lib/Package", "dialects"] + TRANSFORMS,
    "lib/Session": ["include/weft", "include/weft/Session.h", "lib/Base", "lib/Frontend/ONNX",
                    "lib/Package", "lib/Support", "dialects", "targets"] + TRANSFORMS,
    "lib/CAPI": ["include/weft", "include/weft/Session.h", "include/weft/compiler.h"],
    # The command starts without LLVM.
    "tools/weft": ["include/weft/compiler.h", "lib/Base", "lib/Tensor"],
    "tools": ["include/weft", "lib/Session", "transforms/Printing"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def layer_of(path):
    """The longest entry of ALLOWED that `path`, relative to the root, is in."""
    layers = [layer for layer in ALLOWED if path == layer or path.startswith(layer + "/")]
    return max(layers, key=len, default=None)


def resolve(root, source, name):
    """The included file relative to `root`, or None if it is none of the project's."""
    for folder in (source.parent, root, root / "lib", root / "include"):
        file = (folder / name).resolve()
        if file.is_file() and file.is_relative_to(root):
            return file.relative_to(root).as_posix()
    # What TableGen writes lies where its source does.
    if name.endswith(".inc") and layer_of(name):
        return name
    return None


def check(root):
    """A line for each include that goes the wrong way, and for folders without a line."""
    root = root.resolve()
    problems = []
    for top in ("include", "lib", "dialects", "transforms", "targets", "runtime", "tools"):
        for source in sorted((root / top).rglob("*")):
            if source.suffix not in (".h", ".cpp", ".c"):
                continue
            path = source.relative_to(root).as_posix()
            layer = layer_of(path)
            if layer is None:
                problems.append(f"{path}: its folder has no line in ALLOWED")
                continue
            for name in INCLUDE.findall(source.read_text()):
                target = resolve(root, source, name)
                other = layer_of(target) if target else None
                if other not in (None, layer, "include/weft-runtime", *ALLOWED[layer]):
                    problems.append(f'{path}: includes "{name}", but {layer} must not use {other}')
    return problems


class IncludeDirections(unittest.TestCase):

    def test_tree(self):
        self.assertEqual(check(ROOT), [])

    def test_layers_are_in_order(self):
        """No folder may use one that comes after it, so that there are no cycles."""
        order = list(ALLOWED)
        for layer, used in ALLOWED.items():
            for other in used:
                if not other.startswith(layer + "/"):
                    self.assertLess(order.index(other), order.index(layer), (layer, other))

    def check_file(self, path, text):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for header in ("lib/Session/RunStage.h", "include/weft/Session.h",
                           "transforms/Tile/Passes.h", "dialects/Weft/IR/Weft.h"):
                (root / header).parent.mkdir(parents=True, exist_ok=True)
                (root / header).write_text("")
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
            return check(root)

    def test_refuses(self):
        for path, name in [("transforms/Model/A.cpp", "Session/RunStage.h"),
                           ("transforms/Model/A.cpp", "weft/Session.h"),
                           ("transforms/Model/A.cpp", "transforms/Tile/Passes.h"),
                           ("dialects/Weft/IR/A.h", "transforms/Tile/Passes.h.inc"),
                           ("lib/Package/A.cpp", "dialects/Weft/IR/Weft.h")]:
            problems = self.check_file(path, f'#include "{name}"\n')
            self.assertEqual(len(problems), 1, (path, name))
            self.assertIn(f'{path}: includes "{name}"', problems[0])
        self.assertEqual(self.check_file("lib/New/A.cpp", ""),
                         ["lib/New/A.cpp: its folder has no line in ALLOWED"])

    def test_accepts(self):
        for path, name in [("transforms/Vector/A.cpp", "transforms/Tile/Passes.h"),
                           ("lib/Session/A.cpp", "transforms/Tile/Passes.h.inc"),
                           ("lib/Session/A.cpp", "weft/Session.h"),
                           ("lib/Session/A.cpp", "mlir/IR/BuiltinOps.h")]:
            self.assertEqual(self.check_file(path, f'#include "{name}"\n'), [])


if __name__ == "__main__":
    unittest.main()
