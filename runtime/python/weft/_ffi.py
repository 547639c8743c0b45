# ctypes mirror of weft-runtime/module.h and runtime.h.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import ctypes as c
import enum
import os
from pathlib import Path
from typing import Any, List, Optional


class Code(enum.IntEnum):
    """Why a call failed; the canonical codes of absl."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15


class Error(RuntimeError):
    """A failure of the runtime or the compiler: a code and one sentence."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        try:
            self.code = Code(code)
        except ValueError:
            self.code = Code.UNKNOWN
        self.message = message


class Dtype(c.Structure):
    _fields_ = [("code", c.c_uint8), ("bits", c.c_uint8), ("lanes", c.c_uint16)]

    @property
    def key(self) -> tuple:
        return (self.code, self.bits)


class Symbol(c.Structure):
    _fields_ = [("name", c.c_char_p), ("min", c.c_int64), ("max", c.c_int64)]


class Dim(c.Structure):
    _fields_ = [("size", c.c_int64), ("symbol", c.c_int32), ("reserved", c.c_int32)]


class ArgumentStruct(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("dtype", Dtype),
        ("rank", c.c_int32),
        ("dims", c.POINTER(Dim)),
        ("alias", c.c_int32),
        ("reserved", c.c_int32),
    ]


class Function(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("input_count", c.c_uint32),
        ("output_count", c.c_uint32),
        ("symbol_count", c.c_uint32),
        ("reserved", c.c_uint32),
        ("inputs", c.POINTER(ArgumentStruct)),
        ("outputs", c.POINTER(ArgumentStruct)),
        ("symbols", c.POINTER(Symbol)),
        ("workspace_size", c.c_void_p),
        ("invoke", c.c_void_p),
    ]


class Variant(c.Structure):
    _fields_ = [
        ("cpu", c.c_char_p),
        ("features", c.c_char_p),
        ("kernels", c.c_void_p),
    ]


class KernelInfo(c.Structure):
    _fields_ = [("name", c.c_char_p), ("flags", c.c_uint32), ("site", c.c_uint32)]


class Description(c.Structure):
    _fields_ = [
        ("magic", c.c_uint64),
        ("struct_size", c.c_uint32),
        ("abi_major", c.c_uint16),
        ("abi_minor", c.c_uint16),
        ("name", c.c_char_p),
        ("compiler_version", c.c_char_p),
        ("options", c.c_char_p),
        ("source_hash", c.c_uint8 * 32),
        ("weights_hash", c.c_uint8 * 32),
        ("weights", c.c_void_p),
        ("weights_size", c.c_uint64),
        ("weights_file", c.c_char_p),
        ("weight_count", c.c_uint32),
        ("kernel_count", c.c_uint32),
        ("variant_count", c.c_uint32),
        ("site_count", c.c_uint32),
        ("function_count", c.c_uint32),
        ("reserved", c.c_uint32),
        ("weight_table", c.c_void_p),
        ("kernels", c.POINTER(KernelInfo)),
        ("variants", c.POINTER(Variant)),
        ("sites", c.c_void_p),
        ("functions", c.POINTER(Function)),
    ]


class Tensor(c.Structure):
    _fields_ = [
        ("data", c.c_void_p),
        ("dtype", Dtype),
        ("rank", c.c_int32),
        ("dims", c.POINTER(c.c_int64)),
        ("strides", c.POINTER(c.c_int64)),
    ]


class ModuleOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("flags", c.c_uint32),
        ("allocator", c.c_void_p),
        ("log", c.c_void_p),
        ("log_user", c.c_void_p),
        ("weights_path", c.c_char_p),
        ("weights_data", c.c_void_p),
        ("weights_size", c.c_uint64),
        ("cpu", c.c_char_p),
    ]


class ProfileEvent(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("flags", c.c_uint32),
        ("kernel", c.c_char_p),
        ("node", c.c_char_p),
        ("op", c.c_char_p),
        ("begin_ns", c.c_int64),
        ("end_ns", c.c_int64),
    ]


ProfileFn = c.CFUNCTYPE(None, c.c_void_p, c.POINTER(ProfileEvent))


class ContextOptions(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("threads", c.c_int32),
        ("allocator", c.c_void_p),
        ("log", c.c_void_p),
        ("log_user", c.c_void_p),
        ("profile", ProfileFn),
        ("profile_user", c.c_void_p),
        ("parallel", c.c_void_p),
        ("parallel_user", c.c_void_p),
        ("spin_us", c.c_int32),
        ("reserved", c.c_int32),
        ("device", c.c_char_p),
    ]


class Stats(c.Structure):
    _fields_ = [
        ("struct_size", c.c_uint32),
        ("threads", c.c_int32),
        ("workspace_bytes", c.c_uint64),
        ("context_output_bytes", c.c_uint64),
        ("allocations", c.c_uint64),
        ("unbounded_allocations", c.c_uint64),
        ("unbounded_bytes", c.c_uint64),
        ("kernels", c.c_uint64),
        ("parallel_loops", c.c_uint64),
        ("serial_loops", c.c_uint64),
        ("unbounded_peak_bytes", c.c_uint64),
        ("device_workspace_bytes", c.c_uint64),
        ("launches", c.c_uint64),
        ("transfers_to_device", c.c_uint64),
        ("bytes_to_device", c.c_uint64),
        ("transfers_to_host", c.c_uint64),
        ("bytes_to_host", c.c_uint64),
    ]


# DLPack, from its specification.
class DLTensor(c.Structure):
    _fields_ = [
        ("data", c.c_void_p),
        ("device_type", c.c_int32),
        ("device_id", c.c_int32),
        ("rank", c.c_int32),
        ("dtype", Dtype),
        ("dims", c.POINTER(c.c_int64)),
        ("strides", c.POINTER(c.c_int64)),
        ("byte_offset", c.c_uint64),
    ]


class DLManagedTensor(c.Structure):
    _fields_ = [
        ("tensor", DLTensor),
        ("manager", c.c_void_p),
        ("deleter", c.c_void_p),
    ]


class DLManagedTensorVersioned(c.Structure):
    _fields_ = [
        ("major", c.c_uint32),
        ("minor", c.c_uint32),
        ("manager", c.c_void_p),
        ("deleter", c.CFUNCTYPE(None, c.c_void_p)),
        ("flags", c.c_uint64),
        ("tensor", DLTensor),
    ]


def _candidates() -> List[str]:
    """Where the library may lie: told by the user, in the wheel, in a build or
    install tree around the package, where the dynamic linker finds it."""
    name = "libweft-runtime.so.0"
    told = os.environ.get("WEFT_RUNTIME_LIBRARY")
    if told:
        return [told]
    here = Path(__file__).resolve().parent
    found = [here / "lib" / name]
    for parent in list(here.parents)[:5]:
        found += [parent / name, parent / "lib" / name, parent / "build" / "lib" / name]
    return [str(path) for path in found if path.is_file()] + [name]


_SIGNATURES = {
    "weft_runtime_api_version": (c.c_uint32, []),
    "weft_runtime_version": (c.c_char_p, []),
    "weft_error_code": (c.c_int32, [c.c_void_p]),
    "weft_error_message": (c.c_char_p, [c.c_void_p]),
    "weft_error_free": (None, [c.c_void_p]),
    "weft_module_load_file": (
        c.c_void_p,
        [c.c_char_p, c.POINTER(ModuleOptions), c.POINTER(c.c_void_p)],
    ),
    "weft_module_load_memory": (
        c.c_void_p,
        [c.c_char_p, c.c_size_t, c.POINTER(ModuleOptions), c.POINTER(c.c_void_p)],
    ),
    "weft_module_release": (None, [c.c_void_p]),
    "weft_module_description": (c.POINTER(Description), [c.c_void_p]),
    "weft_module_variant": (c.POINTER(Variant), [c.c_void_p]),
    "weft_module_find_function": (
        c.c_void_p,
        [c.c_void_p, c.c_char_p, c.POINTER(c.c_uint32)],
    ),
    "weft_dtype_name": (c.c_char_p, [Dtype]),
    "weft_context_create": (
        c.c_void_p,
        [c.c_void_p, c.c_uint32, c.POINTER(ContextOptions), c.POINTER(c.c_void_p)],
    ),
    "weft_context_release": (None, [c.c_void_p]),
    "weft_context_threads": (c.c_int32, [c.c_void_p]),
    "weft_context_device": (c.c_char_p, [c.c_void_p]),
    # Addresses, not pointers: converting those takes longer than the call.
    "weft_invoke": (
        c.c_void_p,
        [c.c_void_p, c.c_void_p, c.c_uint32, c.c_void_p, c.c_uint32],
    ),
    "weft_context_bind_input": (
        c.c_void_p,
        [c.c_void_p, c.c_uint32, c.POINTER(Tensor)],
    ),
    "weft_context_bind_output": (
        c.c_void_p,
        [c.c_void_p, c.c_uint32, c.POINTER(Tensor)],
    ),
    "weft_context_run": (c.c_void_p, [c.c_void_p]),
    "weft_context_output": (c.c_void_p, [c.c_void_p, c.c_uint32, c.POINTER(Tensor)]),
    "weft_context_take_output": (
        c.c_void_p,
        [
            c.c_void_p,
            c.c_uint32,
            c.POINTER(c.POINTER(DLManagedTensorVersioned)),
        ],
    ),
    "weft_context_cancel": (None, [c.c_void_p]),
    "weft_context_reset_cancel": (None, [c.c_void_p]),
    "weft_context_cancel_on_signal": (c.c_void_p, [c.c_void_p, c.c_int32]),
    "weft_context_warm_up": (c.c_void_p, [c.c_void_p]),
    "weft_context_stats": (c.c_void_p, [c.c_void_p, c.POINTER(Stats)]),
    "weft_usable_threads": (c.c_int32, []),
}

_API_MAJOR = 0
_library: Optional[Any] = None


def library() -> Any:
    """The runtime library, loaded at its first use."""
    global _library
    if _library is not None:
        return _library
    reasons = []
    for path in _candidates():
        try:
            loaded = c.CDLL(path)
            break
        except OSError as error:
            reasons.append(str(error))
    else:
        raise Error(
            Code.NOT_FOUND,
            "the runtime library was not found; set WEFT_RUNTIME_LIBRARY to its "
            "path: " + "; ".join(reasons),
        )
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype = result
        function.argtypes = arguments
    major = loaded.weft_runtime_api_version() >> 16
    if major != _API_MAJOR:
        raise Error(
            Code.FAILED_PRECONDITION,
            f"the runtime library has API version {major}, expected {_API_MAJOR}",
        )
    _library = loaded
    return loaded


def check(error: Optional[int]) -> None:
    """Raises and frees an error of the library; does nothing for success."""
    if not error:
        return
    lib = library()
    code = lib.weft_error_code(error)
    message = lib.weft_error_message(error).decode("utf-8", "replace")
    lib.weft_error_free(error)
    raise Error(code, message)


def runtime_version() -> str:
    return library().weft_runtime_version().decode()


def usable_threads() -> int:
    """Threads that a context takes by default: affinity and cgroup limits."""
    return library().weft_usable_threads()
