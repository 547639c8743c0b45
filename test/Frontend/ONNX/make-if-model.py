#!/usr/bin/env python3
"""Writes ONNX models with an If node, without the onnx package: the few protobuf
fields that they take are written by hand.

squeeze: y = Gemm(squeeze(x, 2), w) for x [n, 4, t] f32, the squeeze being an If.
invalid: y = c ? MatMul(x, w) : MatMul(x, v) for x [n, 4] f32, where v is [8, 1].

Usage: make-if-model.py squeeze|invalid MODEL.onnx
"""
import struct
import sys

FLOAT, INT64, BOOL = 1, 7, 9


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def blob(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def value_info(name, type, dims):
    # TensorShapeProto.dim: dim_value = 1, dim_param = 2.
    shape = b"".join(blob(1, number(1, d) if isinstance(d, int) else blob(2, d)) for d in dims)
    return blob(1, name) + blob(2, blob(1, number(1, type) + blob(2, shape)))


def tensor(name, type, dims, values):
    data = struct.pack(f"<{len(values)}{'f' if type == FLOAT else 'q'}", *values)
    return b"".join(number(1, d) for d in dims) + number(2, type) + blob(8, name) + blob(9, data)


def node(op, name, inputs, outputs, **graphs):
    # AttributeProto: name = 1, g = 6, type = 20 (GRAPH = 5).
    attributes = (blob(5, blob(1, key) + blob(6, g) + number(20, 5)) for key, g in graphs.items())
    return (b"".join(blob(1, i) for i in inputs) + b"".join(blob(2, o) for o in outputs)
            + blob(3, name) + blob(4, op) + b"".join(attributes))


def graph(name, nodes, inputs, outputs, constants=()):
    return (b"".join(blob(1, n) for n in nodes) + blob(2, name)
            + b"".join(blob(5, c) for c in constants)
            + b"".join(blob(11, i) for i in inputs) + b"".join(blob(12, o) for o in outputs))


def branch(op, name, inputs, output):
    return graph(name, [node(op, name, inputs, [output])], [], [blob(1, output)])


weight = tensor("w", FLOAT, [4, 1], [1, 2, 3, 4])
y = [value_info("y", FLOAT, ["n", 1])]
if sys.argv[1] == "squeeze":
    nodes = [
        node("Shape", "shape", ["x"], ["dims"]),
        node("Gather", "gather", ["dims", "axis"], ["extent"]),
        node("Equal", "equal", ["extent", "one"], ["isOne"]),
        node("If", "squeeze", ["isOne"], ["s"],
             then_branch=branch("Squeeze", "drop", ["x", "axis"], "dropped"),
             else_branch=branch("Identity", "keep", ["x"], "kept")),
        node("Gemm", "gemm", ["s", "w"], ["y"]),
    ]
    constants = [weight, tensor("axis", INT64, [1], [2]), tensor("one", INT64, [1], [1])]
    whole = graph("squeeze", nodes, [value_info("x", FLOAT, ["n", 4, "t"])], y, constants)
else:
    nodes = [
        node("If", "choose", ["c"], ["y"],
             then_branch=branch("MatMul", "good", ["x", "w"], "p"),
             else_branch=branch("MatMul", "bad", ["x", "v"], "q")),
    ]
    constants = [weight, tensor("v", FLOAT, [8, 1], [0] * 8)]
    inputs = [value_info("x", FLOAT, ["n", 4]), value_info("c", BOOL, [])]
    whole = graph("invalid", nodes, inputs, y, constants)
model = number(1, 8) + blob(7, whole) + blob(8, blob(1, "") + number(2, 17))
with open(sys.argv[2], "wb") as file:
    file.write(model)
