# Arrays of strings.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import ctypes as c
from typing import Any, Sequence, Tuple

import numpy as np

from . import _ffi
from ._ffi import Code, Error

DTYPE_CODE = 64  # WEFT_DTYPE_STRING


def is_string(dtype: _ffi.Dtype) -> bool:
    return dtype.code == DTYPE_CODE


def pack(value: Any, what: str) -> Tuple[np.ndarray, np.ndarray]:
    """The elements of a tensor of strings (addresses, of the array's shape) and
    the memory that they point into. Takes what NumPy makes an array of str, or
    of bytes that are UTF-8."""
    array = np.asarray(value)
    if array.dtype.kind not in "USO":
        raise Error(
            Code.INVALID_ARGUMENT, f"{what} has type {array.dtype}, expected string"
        )
    texts = []
    for element in array.ravel().tolist():
        if isinstance(element, str):
            element = element.encode()
        if not isinstance(element, bytes):
            raise Error(
                Code.INVALID_ARGUMENT,
                f"{what} has an element of type {type(element).__name__}, "
                f"expected str",
            )
        texts.append(element)
    # A size in eight bytes, then the text up to the next multiple of eight.
    parts, offsets, position = [], [], 0
    for text in texts:
        padded = -len(text) % 8
        parts.append(len(text).to_bytes(8, "little") + text + bytes(padded))
        offsets.append(position)
        position += len(parts[-1])
    memory = np.frombuffer(bytearray(b"".join(parts)) or bytearray(8), np.uint8)
    elements = np.array(offsets, np.uint64) + np.uint64(memory.ctypes.data)
    return elements.reshape(array.shape), memory


def unpack(data: int, shape: Sequence[int]) -> np.ndarray:
    """An array of str from the elements at `data`."""
    result = np.empty(shape, object)
    flat = result.reshape(-1)
    addresses = (c.c_uint64 * flat.size).from_address(data) if flat.size else ()
    for i, address in enumerate(addresses):
        size = c.c_int64.from_address(address).value if address else 0
        text = c.string_at(address + 8, size) if size else b""
        flat[i] = text.decode(errors="surrogateescape")
    return result
