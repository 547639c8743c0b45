# Modules and contexts.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import ctypes as c
import json
import os
import threading
from dataclasses import dataclass
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from . import _ffi, _strings, _tensor
from ._ffi import Code, Error, check, library

Dimension = Union[int, str, None]


@dataclass(frozen=True)
class Argument:
    """An input or output: its name, element type and dimensions, each of them a
    number, the name of a symbol, or None where only the call can tell."""

    name: str
    dtype: str
    dims: Tuple[Dimension, ...]

    @property
    def rank(self) -> int:
        return len(self.dims)


class KernelEvent(NamedTuple):
    """A kernel that ran; times are monotonic, in nanoseconds."""

    kernel: str
    node: str
    op: str
    fallback: bool
    begin_ns: int
    end_ns: int


def _argument(function: _ffi.Function, struct: _ffi.ArgumentStruct) -> Argument:
    dims: List[Dimension] = []
    for axis in range(struct.rank):
        dim = struct.dims[axis]
        if dim.symbol >= 0:
            dims.append(function.symbols[dim.symbol].name.decode())
        else:
            dims.append(dim.size if dim.size >= 0 else None)
    return Argument(struct.name.decode(), _tensor.dtype_name(struct.dtype), tuple(dims))


class _Signature:
    """One function of a module, in Python's terms."""

    def __init__(self, index: int, function: _ffi.Function) -> None:
        self.index = index
        self.function = function
        self.name = function.name.decode()
        self.input_structs = [function.inputs[i] for i in range(function.input_count)]
        self.output_structs = [
            function.outputs[i] for i in range(function.output_count)
        ]
        self.inputs = [_argument(function, s) for s in self.input_structs]
        self.outputs = [_argument(function, s) for s in self.output_structs]
        self.symbols = {
            function.symbols[i].name.decode(): (
                function.symbols[i].min,
                function.symbols[i].max,
            )
            for i in range(function.symbol_count)
        }

    def order(self, args: Sequence[Any], named: Mapping[str, Any]) -> List[Any]:
        """Positional and named inputs in the signature's order."""
        names = [argument.name for argument in self.inputs]
        if len(args) > len(names):
            raise Error(
                Code.INVALID_ARGUMENT,
                f"function '{self.name}' takes {len(names)} inputs, {len(args)} are "
                f"given",
            )
        values = dict(zip(names, args))
        for name, value in named.items():
            if name not in names:
                raise Error(
                    Code.INVALID_ARGUMENT,
                    f"function '{self.name}' has no input '{name}'; it has "
                    + ", ".join(f"'{n}'" for n in names),
                )
            if name in values:
                raise Error(Code.INVALID_ARGUMENT, f"input '{name}' is given twice")
            values[name] = value
        missing = [name for name in names if name not in values]
        if missing:
            raise Error(
                Code.INVALID_ARGUMENT,
                f"function '{self.name}' needs "
                + ", ".join(f"'{n}'" for n in missing)
                + ", which is not given",
            )
        return [values[name] for name in names]

    def output_shape(
        self, index: int, views: Sequence[_tensor.View]
    ) -> Optional[List[int]]:
        """The shape that follows from the inputs', if it does."""
        values: Dict[int, int] = {}
        for struct, view in zip(self.input_structs, views):
            if len(view.shape) == struct.rank:
                for axis in range(struct.rank):
                    values.setdefault(struct.dims[axis].symbol, view.shape[axis])
        struct = self.output_structs[index]
        shape = []
        for axis in range(struct.rank):
            dim = struct.dims[axis]
            extent = values.get(dim.symbol, -1) if dim.symbol >= 0 else dim.size
            if extent < 0:
                return None
            shape.append(extent)
        return shape


Outputs = Union[None, np.ndarray, Sequence[Optional[np.ndarray]], Mapping[str, Any]]


class Context:
    """What one thread needs to call a function of a module: workspace and worker
    threads. Use one for each thread."""

    def __init__(
        self,
        module: "Module",
        threads: Optional[int] = None,
        function: Optional[str] = None,
        profile: Optional[Callable[[KernelEvent], None]] = None,
    ) -> None:
        self._handle = c.c_void_p()
        self.module = module
        self._signature = module._find(function)
        options = _ffi.ContextOptions(struct_size=c.sizeof(_ffi.ContextOptions))
        options.threads = 0 if threads is None else threads
        if profile is not None:

            def report(_: Any, pointer: Any) -> None:
                event = pointer.contents
                profile(
                    KernelEvent(
                        event.kernel.decode(),
                        event.node.decode(),
                        event.op.decode(),
                        bool(event.flags & 1),
                        event.begin_ns,
                        event.end_ns,
                    )
                )

            self._profile = _ffi.ProfileFn(report)  # kept alive
            options.profile = self._profile
        check(
            library().weft_context_create(
                module._handle,
                self._signature.index,
                c.byref(options),
                c.byref(self._handle),
            )
        )

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle and _ffi._library is not None:
            _ffi._library.weft_context_release(handle)

    @property
    def threads(self) -> int:
        return library().weft_context_threads(self._handle)

    @property
    def stats(self) -> Dict[str, int]:
        """Figures of the last call: workspace bytes, kernels, allocations ..."""
        stats = _ffi.Stats(struct_size=c.sizeof(_ffi.Stats))
        check(library().weft_context_stats(self._handle, c.byref(stats)))
        return {name: getattr(stats, name) for name, _ in stats._fields_[1:]}

    def cancel(self) -> None:
        """Stops the call in progress, from any thread, and all later ones until
        reset_cancel()."""
        library().weft_context_cancel(self._handle)

    def reset_cancel(self) -> None:
        library().weft_context_reset_cancel(self._handle)

    def __call__(
        self,
        *args: Any,
        out: Outputs = None,
        as_dict: bool = False,
        copy: bool = False,
        **named: Any,
    ) -> Any:
        """Calls the function. Inputs are NumPy arrays or anything with DLPack, by
        position or name; strided ones are refused unless `copy` is true. `out`
        takes the results: an array for a single output, a list in output order
        or a dict by name, with None for what is to be allocated. Returns a list
        of arrays in output order, or a dict with `as_dict`."""
        signature = self._signature
        values = signature.order(args, named)
        views = [
            _tensor.view_input(value, struct, copy)
            for value, struct in zip(values, signature.input_structs)
        ]
        arrays = self._output_arrays(out)
        count = len(signature.outputs)
        outputs = (_ffi.Tensor * max(count, 1))()
        keep = []
        for i, struct in enumerate(signature.output_structs):
            array = arrays[i]
            shape = signature.output_shape(i, views)
            if _strings.is_string(struct.dtype):
                if array is not None:
                    raise Error(
                        Code.INVALID_ARGUMENT,
                        f"output '{signature.outputs[i].name}' is of strings, which "
                        f"cannot be computed into an array",
                    )
                continue
            if array is None:
                if shape is None:
                    continue
                array = arrays[i] = _tensor.allocate_output(struct.dtype, shape)
            what = f"output '{signature.outputs[i].name}'"
            view = _tensor.view_array(array, struct.dtype, shape, what)
            if not view.tensor.data:
                view.tensor.data = None
            keep.append(view)
            outputs[i] = view.tensor
        inputs = (_ffi.Tensor * max(len(views), 1))(*[view.tensor for view in views])
        check(
            library().weft_invoke(self._handle, inputs, len(views), outputs, count)
        )
        results = [
            self._result(i, array, outputs[i]) for i, array in enumerate(arrays)
        ]
        if not as_dict:
            return results
        return {o.name: r for o, r in zip(signature.outputs, results)}

    def _output_arrays(self, out: Outputs) -> List[Optional[np.ndarray]]:
        """`out` as one array or None for each output."""
        names = [argument.name for argument in self._signature.outputs]
        if out is None:
            return [None] * len(names)
        if isinstance(out, Mapping):
            unknown = [name for name in out if name not in names]
            if unknown:
                raise Error(
                    Code.INVALID_ARGUMENT,
                    f"there is no output '{unknown[0]}'; there are "
                    + ", ".join(f"'{n}'" for n in names),
                )
            arrays = [out.get(name) for name in names]
        else:
            arrays = [out] if isinstance(out, np.ndarray) else list(out)
        if len(arrays) != len(names):
            raise Error(
                Code.INVALID_ARGUMENT,
                f"function '{self._signature.name}' has {len(names)} outputs, "
                f"{len(arrays)} are given",
            )
        for name, array in zip(names, arrays):
            if array is None:
                continue
            if not isinstance(array, np.ndarray):
                raise Error(
                    Code.INVALID_ARGUMENT,
                    f"output '{name}' is a {type(array).__name__}, expected a NumPy "
                    f"array",
                )
            if not array.flags.writeable:
                raise Error(Code.INVALID_ARGUMENT, f"output '{name}' is read-only")
        return arrays

    def _result(
        self, index: int, array: Optional[np.ndarray], tensor: _ffi.Tensor
    ) -> np.ndarray:
        """The array of an output after the call."""
        struct = self._signature.output_structs[index]
        real = _ffi.Tensor()
        check(library().weft_context_output(self._handle, index, c.byref(real)))
        shape = tuple(real.dims[i] for i in range(real.rank))
        if _strings.is_string(struct.dtype):
            return _strings.unpack(real.data, shape)
        mine = array is not None and (array.size == 0 or real.data == array.ctypes.data)
        if mine and array is not None:
            if _tensor.is_packed(struct.dtype) or array.shape == shape:
                return array
            # The caller's array was larger than the result.
            size = 1
            for extent in shape:
                size *= extent
            if size <= array.size:
                return array.reshape(-1)[:size].reshape(shape)
        taken = c.POINTER(_ffi.DLManagedTensorVersioned)()
        check(
            library().weft_context_take_output(self._handle, index, c.byref(taken))
        )
        return _tensor.array_of_taken(taken)


class Module:
    """A compiled model. Immutable, callable from any thread: each thread gets a
    context of its own."""

    def __init__(
        self,
        source: Union[str, "os.PathLike[str]", bytes],
        threads: Optional[int] = None,
        weights: Union[None, str, "os.PathLike[str]"] = None,
        cpu: Optional[str] = None,
    ) -> None:
        self._handle = c.c_void_p()
        self._threads = threads
        self._local = threading.local()
        self._keep: List[Any] = []
        options = _ffi.ModuleOptions(struct_size=c.sizeof(_ffi.ModuleOptions))
        if weights is not None:
            options.weights_path = os.fsencode(weights)
        if cpu is not None:
            options.cpu = cpu.encode()
        lib = library()
        if isinstance(source, (bytes, bytearray, memoryview)):
            self.path: Optional[str] = None
            data = bytes(source)
            error = lib.weft_module_load_memory(
                data, len(data), c.byref(options), c.byref(self._handle)
            )
        else:
            self.path = os.fspath(source)
            error = lib.weft_module_load_file(
                os.fsencode(source), c.byref(options), c.byref(self._handle)
            )
        check(error)
        self._description = lib.weft_module_description(self._handle).contents
        self._signatures = [
            _Signature(i, self._description.functions[i])
            for i in range(self._description.function_count)
        ]

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle and _ffi._library is not None:
            _ffi._library.weft_module_release(handle)

    def _find(self, function: Optional[str]) -> _Signature:
        if function is None:
            return self._signatures[0]
        index = c.c_uint32()
        check(
            library().weft_module_find_function(
                self._handle, function.encode(), c.byref(index)
            )
        )
        return self._signatures[index.value]

    @property
    def name(self) -> str:
        return self._description.name.decode()

    @property
    def compiler_version(self) -> str:
        return self._description.compiler_version.decode()

    @property
    def options(self) -> Dict[str, Any]:
        """The options that the model was compiled with."""
        return json.loads(self._description.options)

    @property
    def source_hash(self) -> str:
        """SHA-256 of the model's file, in hexadecimal."""
        return bytes(self._description.source_hash).hex()

    @property
    def cpu(self) -> str:
        """The variant in use, by LLVM's name of the CPU."""
        return library().weft_module_variant(self._handle).contents.cpu.decode()

    @property
    def cpus(self) -> List[str]:
        """All variants in the module, best first."""
        variants = self._description.variants
        return [
            variants[i].cpu.decode() for i in range(self._description.variant_count)
        ]

    @property
    def functions(self) -> List[str]:
        return [signature.name for signature in self._signatures]

    @property
    def inputs(self) -> List[Argument]:
        return list(self._signatures[0].inputs)

    @property
    def outputs(self) -> List[Argument]:
        return list(self._signatures[0].outputs)

    @property
    def symbols(self) -> Dict[str, Tuple[int, int]]:
        """Symbolic dimensions with their least and largest value."""
        return dict(self._signatures[0].symbols)

    def context(
        self,
        threads: Optional[int] = None,
        function: Optional[str] = None,
        profile: Optional[Callable[[KernelEvent], None]] = None,
    ) -> Context:
        """A new context, for one thread at a time."""
        return Context(
            self, self._threads if threads is None else threads, function, profile
        )

    def __call__(self, *args: Any, **named: Any) -> Any:
        """Calls the first function; see Context.__call__."""
        context = getattr(self._local, "context", None)
        if context is None:
            # Without a reference back, or the module would never be freed.
            context = self._local.context = _OwnContext(self)
        return context(*args, **named)

    def __repr__(self) -> str:
        def show(arguments: Sequence[Argument]) -> str:
            return ", ".join(
                f"{a.name}: {a.dtype}{list(a.dims)}".replace("None", "?")
                for a in arguments
            )

        return (
            f"<weft.Module '{self.name}' ({show(self.inputs)}) -> "
            f"({show(self.outputs)})>"
        )


class _OwnContext(Context):
    """A context that its module holds, and which therefore does not hold it. The
    runtime keeps the module's code alive for it."""

    def __init__(self, module: Module) -> None:
        super().__init__(module, module._threads)
        del self.module


def load(
    source: Union[str, "os.PathLike[str]", bytes],
    threads: Optional[int] = None,
    weights: Union[None, str, "os.PathLike[str]"] = None,
    cpu: Optional[str] = None,
) -> Module:
    """Loads a module file, or the bytes of one. `threads` is that of its
    contexts, by default all that the process may use. `weights` is the path of
    its weights file if that does not lie beside it, `cpu` the variant to take
    instead of the best."""
    return Module(source, threads, weights, cpu)
