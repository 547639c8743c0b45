# Models with strings, through the Python package.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The oracle is NumPy and Python's own str; onnxruntime, where it is installed,
says the same of the normalizer."""

import os
import sys
import unittest

try:
    import numpy as np
    import onnx
    from onnx import TensorProto as T
    from onnx import helper as h
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

import weft

N = h.make_node


def texts(*values):
    return np.array(values, object)


def model(nodes, inputs, outputs, initializers=(), opset=20):
    """`inputs` and `outputs` are (name, type, dims)."""
    graph = h.make_graph(
        nodes,
        "strings",
        [h.make_tensor_value_info(*value) for value in inputs],
        [h.make_tensor_value_info(*value) for value in outputs],
        list(initializers),
    )
    return h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=10)


def simple_case(text, convert):
    """Case mapping of one code point to one, as the builtins have it."""
    mapped = (convert(letter) for letter in text)
    return "".join(m if len(m) == 1 else c for m, c in zip(mapped, text))


def normalize(words, stop=(), sensitive=False, action="NONE"):
    def lower(text):
        return simple_case(text, str.lower)

    key = (lambda text: text) if sensitive else lower
    left = [w for w in words if key(w) not in {key(s) for s in stop}] or [""]
    if action == "NONE":
        return left
    return [simple_case(w, str.lower if action == "LOWER" else str.upper) for w in left]


WORDS = ["Monday", "tuesday", "MONDAY", "", "Straße", "ÄÖÜ", "ΑΒΓ", "ёж", "ǅ", "日本", "𐐀x", "a" * 1000]


class StringsTest(unittest.TestCase):
    def run_model(self, proto, *inputs, threads=2):
        return weft.compile(proto, threads=threads)(*inputs)

    def test_normalizer(self):
        for rank in (1, 2):
            for action in ("NONE", "LOWER", "UPPER"):
                for sensitive in (0, 1):
                    for stop in ((), ("monday", "日本"), ("Monday", "äöü", "")):
                        node = N(
                            "StringNormalizer", ["x"], ["y"], case_change_action=action,
                            is_case_sensitive=sensitive, **({"stopwords": list(stop)} if stop else {}),
                        )
                        dims = ["n"] if rank == 1 else [1, "n"]
                        module = weft.compile(
                            model([node], [("x", T.STRING, dims)], [("y", T.STRING, None)]), threads=2
                        )
                        for words in (WORDS, WORDS[:1], ["x"]):
                            with self.subTest(rank=rank, action=action, sensitive=sensitive, stop=stop):
                                x = texts(*words).reshape([len(words)] if rank == 1 else [1, -1])
                                (y,) = module(x)
                                expected = normalize(words, stop, bool(sensitive), action)
                                self.assertEqual(y.ravel().tolist(), expected)
                                self.assertEqual(y.ndim, rank)

    def test_every_letter(self):
        letters = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
        for action, convert in (("LOWER", str.lower), ("UPPER", str.upper)):
            node = N("StringNormalizer", ["x"], ["y"], case_change_action=action)
            module = weft.compile(model([node], [("x", T.STRING, ["n"])], [("y", T.STRING, ["n"])]))
            # Many in each string: a million arrays' elements are slow to make.
            blocks = ["".join(letters[i : i + 997]) for i in range(0, len(letters), 997)]
            (y,) = module(texts(*blocks))
            wrong = [
                (hex(ord(c)), hex(ord(a)), hex(ord(e)))
                for block, found in zip(blocks, y)
                for c, a, e in zip(block, found, simple_case(block, convert))
                if a != e and unicode_is_known(c)
            ]
            self.assertEqual(wrong, [])

    def test_bytes_that_are_not_utf8(self):
        node = N("StringNormalizer", ["x"], ["y"], case_change_action="UPPER")
        proto = model([node], [("x", T.STRING, ["n"])], [("y", T.STRING, ["n"])])
        raw = [b"a\xffb", b"\xc3", b"\xe2\x82", b"\xed\xa0\x80a", b"\xf4\x90\x80\x80z", b"\xc0\xafq"]
        (y,) = self.run_model(proto, np.array(raw, object))
        found = [text.encode(errors="surrogateescape") for text in y]
        self.assertEqual(found, [text.upper() for text in raw])

    def test_moving(self):
        x = texts("a", "bb", "", "dddd", "e", "ff").reshape(2, 3)
        indices = np.array([2, 0, 0], np.int64)
        table = h.make_tensor("table", T.STRING, [3], [b"one", b"", "drei ü".encode()])
        nodes = [
            N("Transpose", ["x"], ["t"]),
            N("Gather", ["t", "i"], ["g"]),
            N("Equal", ["x", "e"], ["same"]),
            N("Where", ["same", "w", "x"], ["replaced"]),
            N("Gather", ["table", "i"], ["named"]),
            N("Concat", ["named", "named"], ["twice"], axis=0),
            N("StringConcat", ["x", "w"], ["joined"]),
            N("Shape", ["x"], ["shape"]),
        ]
        proto = model(
            nodes,
            [("x", T.STRING, ["r", "c"]), ("i", T.INT64, ["k"]), ("e", T.STRING, []), ("w", T.STRING, [1])],
            [(name, kind, None) for name, kind in (
                ("g", T.STRING), ("same", T.BOOL), ("replaced", T.STRING), ("twice", T.STRING),
                ("joined", T.STRING), ("shape", T.INT64))],
            [table],
        )
        g, same, replaced, twice, joined, shape = self.run_model(
            proto, x, indices, np.array("bb", object), texts("++")
        )
        np.testing.assert_array_equal(g, x.T[indices])
        np.testing.assert_array_equal(same, x == "bb")
        np.testing.assert_array_equal(replaced, np.where(x == "bb", "++", x))
        self.assertEqual(twice.tolist(), ["drei ü", "one", "one"] * 2)
        np.testing.assert_array_equal(joined, x + "++")
        self.assertEqual(shape.tolist(), [2, 3])

    def test_empty(self):
        proto = model([N("Identity", ["x"], ["y"])], [("x", T.STRING, ["n", 2])], [("y", T.STRING, ["n", 2])])
        (y,) = self.run_model(proto, np.empty((0, 2), object))
        self.assertEqual(y.shape, (0, 2))

    def test_loop_and_constant(self):
        body = h.make_graph(
            [N("StringConcat", ["s", "suffix"], ["t"]), N("Identity", ["c"], ["d"])],
            "body",
            [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("c", T.BOOL, []),
             h.make_tensor_value_info("s", T.STRING, [2])],
            [h.make_tensor_value_info("d", T.BOOL, []), h.make_tensor_value_info("t", T.STRING, [2])],
        )
        nodes = [
            N("Constant", [], ["suffix"], value_string="-x"),
            N("Constant", [], ["start"], value_strings=["p", "q"]),
            N("Loop", ["trips", "", "start"], ["y"], body=body),
        ]
        proto = model(nodes, [("trips", T.INT64, [])], [("y", T.STRING, [2])])
        for trips in (0, 1, 5):
            (y,) = self.run_model(proto, np.array(trips, np.int64))
            self.assertEqual(y.tolist(), [s + "-x" * trips for s in "pq"])

    def test_outputs_as_inputs(self):
        # What a call gave is read by the next one, whose strings replace it.
        node = N("StringConcat", ["x", "x"], ["y"])
        module = weft.compile(model([node], [("x", T.STRING, [1])], [("y", T.STRING, [1])]))
        context = module.context(threads=1)
        x = texts("ab")
        for power in range(1, 8):
            (x,) = context(x)
            self.assertEqual(x.tolist(), ["ab" * 2**power])

    def test_refused(self):
        proto = model([N("Add", ["x", "x"], ["y"])], [("x", T.STRING, [1])], [("y", T.STRING, [1])])
        with self.assertRaisesRegex(weft.Error, "does not take strings"):
            weft.compile(proto)
        proto = model([N("Cast", ["x"], ["y"], to=T.STRING)], [("x", T.FLOAT, [1])], [("y", T.STRING, [1])])
        with self.assertRaisesRegex(weft.Error, "string"):
            weft.compile(proto)
        identity = weft.compile(
            model([N("Identity", ["x"], ["y"])], [("x", T.STRING, [1])], [("y", T.STRING, [1])])
        )
        with self.assertRaisesRegex(weft.Error, "input 'x' has type float32, expected string"):
            identity(np.zeros(1, np.float32))
        with self.assertRaisesRegex(weft.Error, "element of type int"):
            identity(texts(3))
        with self.assertRaisesRegex(weft.Error, "cannot be computed into an array"):
            identity(texts("a"), out=[np.empty(1, object)])


def unicode_is_known(letter):
    """The table's version of Unicode has the letter and its other case."""
    import unicodedata

    return all(
        unicodedata.ucd_3_2_0.category(c) != "Cn" for c in (letter, letter.lower()[0], letter.upper()[0])
    )


if __name__ == "__main__":
    unittest.main()
