# Arrays to tensors and back, without copies.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import ctypes as c
import weakref
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from . import _ffi, _strings
from ._ffi import Code, Error

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None  # type: ignore[assignment]

# DLPack's (code, bits) of the types that NumPy has.
_NUMPY: Dict[Tuple[int, int], str] = {
    (0, 8): "int8",
    (0, 16): "int16",
    (0, 32): "int32",
    (0, 64): "int64",
    (1, 8): "uint8",
    (1, 16): "uint16",
    (1, 32): "uint32",
    (1, 64): "uint64",
    (2, 16): "float16",
    (2, 32): "float32",
    (2, 64): "float64",
    (5, 64): "complex64",
    (5, 128): "complex128",
    (6, 8): "bool",
}
# Those that ml_dtypes adds, and the integers that hold their bits without it.
_EXTRA: Dict[Tuple[int, int], str] = {
    (4, 16): "bfloat16",
    (10, 8): "float8_e4m3fn",
    (11, 8): "float8_e4m3fnuz",
    (12, 8): "float8_e5m2",
    (13, 8): "float8_e5m2fnuz",
    (14, 8): "float8_e8m0fnu",
}
_CODES = {name: key for key, name in {**_NUMPY, **_EXTRA}.items()}


def dtype_name(dtype: _ffi.Dtype) -> str:
    return _ffi.library().weft_dtype_name(dtype).decode()


def numpy_dtype(dtype: _ffi.Dtype) -> np.dtype:
    """The NumPy type of a tensor's elements. Types below a byte are bytes that
    hold them packed, in one dimension."""
    key = dtype.key
    if key in _NUMPY:
        return np.dtype(_NUMPY[key])
    if key in _EXTRA and ml_dtypes is not None:
        extra = getattr(ml_dtypes, _EXTRA[key], None)
        if extra is not None:
            return np.dtype(extra)
    return np.dtype("uint16" if dtype.bits == 16 else "uint8")


def is_packed(dtype: _ffi.Dtype) -> bool:
    return dtype.bits % 8 != 0


class View:
    """A weft_tensor and what keeps its memory alive."""

    __slots__ = ("tensor", "keep", "shape")

    def __init__(
        self,
        data: int,
        dtype: _ffi.Dtype,
        shape: Sequence[int],
        strides: Optional[Sequence[int]],
        keep: Any,
    ) -> None:
        rank = len(shape)
        dims = (c.c_int64 * rank)(*shape)
        steps = None if strides is None else (c.c_int64 * rank)(*strides)
        self.shape = tuple(shape)
        self.keep = (keep, dims, steps)
        self.tensor = _ffi.Tensor(
            data,
            dtype,
            rank,
            c.cast(dims, c.POINTER(c.c_int64)),
            None if steps is None else c.cast(steps, c.POINTER(c.c_int64)),
        )


def _array_dtype(array: np.ndarray, expected: _ffi.Dtype) -> _ffi.Dtype:
    """The element type of an array. Bits in unsigned integers count as the type
    that is expected where NumPy has no such type."""
    if (
        expected.key not in _NUMPY
        and array.dtype.kind == "u"
        and array.dtype.itemsize == (expected.bits + 7) // 8
    ):
        return expected
    key = _CODES.get(array.dtype.name)
    if key is None:
        # Not a type of the runtime: nothing that it expects equals it.
        return _ffi.Dtype(255, min(255, 8 * array.dtype.itemsize), 1)
    return _ffi.Dtype(key[0], key[1], 1)


def address(array: np.ndarray) -> int:
    """Where the elements of an array lie. `array.ctypes.data` says it too and
    takes three times as long as asking a buffer of bytes."""
    try:
        return c.addressof(c.c_char.from_buffer(array))
    except (BufferError, TypeError, ValueError):  # read-only, empty, no buffer
        return array.ctypes.data


def view_array(
    array: np.ndarray, expected: _ffi.Dtype, shape: Optional[Sequence[int]], what: str
) -> View:
    """A view of a NumPy array. `what` names it in messages: "input 'x'"."""
    if array.dtype.hasobject:
        raise Error(
            Code.INVALID_ARGUMENT,
            f"{what} has type {array.dtype}, expected {dtype_name(expected)}",
        )
    if not array.dtype.isnative:
        raise Error(
            Code.INVALID_ARGUMENT,
            f"{what} has the byte order of another machine ({array.dtype.str}); "
            f"convert it with .astype(dtype.newbyteorder('='))",
        )
    dtype = _array_dtype(array, expected)
    if dtype.code == 255:
        raise Error(
            Code.INVALID_ARGUMENT,
            f"{what} has type {array.dtype}, expected {dtype_name(expected)}",
        )
    if is_packed(expected) and shape is not None:
        return View(address(array), dtype, shape, None, array)
    strides = None
    if not array.flags.c_contiguous:
        size = array.dtype.itemsize
        if any(step % size for step in array.strides):
            raise Error(
                Code.INVALID_ARGUMENT,
                f"{what} has strides of {array.strides} bytes, expected a "
                f"contiguous row-major array",
            )
        strides = [step // size for step in array.strides]
    return View(address(array), dtype, array.shape, strides, array)


_get_pointer = c.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = c.c_void_p
_get_pointer.argtypes = [c.py_object, c.c_char_p]
_is_valid = c.pythonapi.PyCapsule_IsValid
_is_valid.restype = c.c_int
_is_valid.argtypes = [c.py_object, c.c_char_p]


def view_dlpack(value: Any, what: str) -> View:
    """A view of another framework's tensor. The capsule stays ours and unused, so
    that its own destructor gives the tensor back."""
    device = getattr(value, "__dlpack_device__", None)
    if device is not None and int(device()[0]) != 1:
        raise Error(
            Code.INVALID_ARGUMENT,
            f"{what} is on device {device()}, expected the CPU; copy it there first",
        )
    try:
        capsule = value.__dlpack__(max_version=(1, 0))
    except TypeError:
        capsule = value.__dlpack__()
    if _is_valid(capsule, b"dltensor_versioned"):
        pointer = _get_pointer(capsule, b"dltensor_versioned")
        managed = c.cast(pointer, c.POINTER(_ffi.DLManagedTensorVersioned)).contents
        if managed.major != 1:
            raise Error(
                Code.UNIMPLEMENTED,
                f"{what} is a DLPack tensor of version {managed.major}, expected 1",
            )
        tensor = managed.tensor
    else:
        pointer = _get_pointer(capsule, b"dltensor")
        tensor = c.cast(pointer, c.POINTER(_ffi.DLManagedTensor)).contents.tensor
    rank = tensor.rank
    shape = [tensor.dims[i] for i in range(rank)]
    strides = [tensor.strides[i] for i in range(rank)] if tensor.strides else None
    data = (tensor.data or 0) + tensor.byte_offset
    dtype = _ffi.Dtype(tensor.dtype.code, tensor.dtype.bits, tensor.dtype.lanes)
    return View(data, dtype, shape, strides, capsule)


def _is_contiguous(view: View) -> bool:
    """Whether a view is row-major without gaps."""
    strides = view.keep[2]
    if strides is None or 0 in view.shape:
        return True
    step = 1
    for axis in reversed(range(len(view.shape))):
        if view.shape[axis] != 1 and strides[axis] != step:
            return False
        step *= view.shape[axis]
    return True


def view_input(value: Any, argument: _ffi.ArgumentStruct, copy: bool) -> View:
    """A view of whatever the caller gave as an input, or of a contiguous copy of
    it where it is strided and `copy` allows that."""
    what = f"input '{argument.name.decode()}'"
    if _strings.is_string(argument.dtype):
        elements, memory = _strings.pack(value, what)
        return View(
            elements.ctypes.data, argument.dtype, elements.shape, None, (elements, memory)
        )
    if not isinstance(value, (np.ndarray, np.generic)) and hasattr(value, "__dlpack__"):
        view = view_dlpack(value, what)
        if not copy or _is_contiguous(view):
            return view
        value = np.from_dlpack(value)
    if not isinstance(value, np.ndarray):
        try:
            # Numbers and lists have no type of their own.
            wanted = (
                None if isinstance(value, np.generic) else numpy_dtype(argument.dtype)
            )
            value = np.asarray(value, wanted)
        except (TypeError, ValueError) as error:
            raise Error(Code.INVALID_ARGUMENT, f"{what}: {error}") from error
    if copy and not value.flags.c_contiguous:
        value = np.ascontiguousarray(value)
    return view_array(value, argument.dtype, None, what)


def allocate_output(dtype: _ffi.Dtype, shape: Sequence[int]) -> np.ndarray:
    count = 1
    for extent in shape:
        count *= extent
    if is_packed(dtype):
        return np.empty((count * dtype.bits + 7) // 8, np.uint8)
    return np.empty(shape, numpy_dtype(dtype))


def array_of_taken(
    managed: "c._Pointer[_ffi.DLManagedTensorVersioned]",
) -> np.ndarray:
    """An array over memory that the runtime handed over; freed with the last
    view of it."""
    contents = managed.contents
    tensor = contents.tensor
    shape = [tensor.dims[i] for i in range(tensor.rank)]
    count = 1
    for extent in shape:
        count *= extent
    size = (count * tensor.dtype.bits + 7) // 8
    address = c.cast(managed, c.c_void_p).value
    if size == 0:
        contents.deleter(address)
        return allocate_output(tensor.dtype, shape)
    memory = (c.c_uint8 * size).from_address(tensor.data)
    weakref.finalize(memory, contents.deleter, address)
    flat = np.frombuffer(memory, np.uint8)
    if is_packed(tensor.dtype):
        return flat
    return flat.view(numpy_dtype(tensor.dtype)).reshape(shape)
