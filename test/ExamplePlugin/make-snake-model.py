#!/usr/bin/env python3
"""Writes an ONNX model: Y = Snake(X, alpha) of the domain com.example.audio, with
X [1, 2, t] and a constant alpha [2] = [2, 0], all f32. Without the onnx package:
the few protobuf fields it takes are written by hand.

Usage: make-snake-model.py MODEL.onnx
"""
import struct
import sys


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


def value_info(name, dims):
    shape = b""
    for dim in dims:
        # TensorShapeProto.dim: dim_value = 1, dim_param = 2.
        shape += blob(1, number(1, dim) if isinstance(dim, int) else blob(2, dim))
    tensor = number(1, 1) + blob(2, shape)  # elem_type FLOAT, shape
    return blob(1, name) + blob(2, blob(1, tensor))


node = (
    blob(1, "X") + blob(1, "alpha") + blob(2, "Y")
    + blob(3, "snake_0") + blob(4, "Snake") + blob(7, "com.example.audio")
)
alpha = number(1, 2) + number(2, 1) + blob(8, "alpha") + blob(9, struct.pack("<2f", 2, 0))
graph = (
    blob(1, node) + blob(2, "snake") + blob(5, alpha)
    + blob(11, value_info("X", [1, 2, "t"])) + blob(12, value_info("Y", [1, 2, "t"]))
)
model = (
    number(1, 8) + blob(7, graph)
    + blob(8, blob(1, "") + number(2, 17))
    + blob(8, blob(1, "com.example.audio") + number(2, 1))
)
with open(sys.argv[1], "wb") as file:
    file.write(model)
