# Contexts: calls of a function.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import ctypes as c
import signal
import threading
from _signal import getsignal  # without signal.getsignal's search for an enum
from typing import (
    TYPE_CHECKING,
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

if TYPE_CHECKING:
    from ._module import Module


class KernelEvent(NamedTuple):
    """A kernel that ran; times are monotonic, in nanoseconds."""

    kernel: str
    node: str
    op: str
    fallback: bool
    begin_ns: int
    end_ns: int


Outputs = Union[None, np.ndarray, Sequence[Optional[np.ndarray]], Mapping[str, Any]]


class _Slots:
    """The weft_tensor of each input or output, kept between calls: a call with
    the shapes of the one before writes addresses only."""

    def __init__(self, structs: Sequence[_ffi.ArgumentStruct]) -> None:
        self.structs = structs
        self.array = (_ffi.Tensor * max(len(structs), 1))()
        self.pointer = c.addressof(self.array)
        self.tensors = [self.array[i] for i in range(len(structs))]
        self.dims = [(c.c_int64 * max(s.rank, 1))() for s in structs]
        # NumPy's type of the elements; None where an array needs a closer look.
        self.dtypes = [
            None
            if _tensor.is_packed(s.dtype) or _strings.is_string(s.dtype)
            else _tensor.numpy_dtype(s.dtype)
            for s in structs
        ]
        # What `dims` holds; None where it does not describe the tensor.
        self.shapes: List[Optional[Tuple[int, ...]]] = [None] * len(structs)
        # What lies behind pointers to other memory than `dims`.
        self.views: List[Optional[_tensor.View]] = [None] * len(structs)
        self.has_views = False

    def set_shape(self, index: int, shape: Tuple[int, ...]) -> None:
        """Makes a slot a contiguous tensor of the signature's type; `shape` has
        its rank."""
        struct, tensor, dims = self.structs[index], self.tensors[index], self.dims[index]
        for axis, extent in enumerate(shape):
            dims[axis] = extent
        tensor.dtype = struct.dtype
        tensor.rank = struct.rank
        tensor.dims = c.cast(dims, c.POINTER(c.c_int64))
        tensor.strides = None
        self.shapes[index] = shape
        self.views[index] = None

    def set_view(self, index: int, view: _tensor.View) -> None:
        self.array[index] = view.tensor
        self.shapes[index] = None
        self.views[index] = view
        self.has_views = True

    def take_views(self) -> List[_tensor.View]:
        """Lets go of the memory behind views."""
        if not self.has_views:
            return []
        taken = [view for view in self.views if view is not None]
        self.views = [None] * len(self.views)
        self.has_views = False
        return taken


class Context:
    """What one thread needs to call a function of a module: workspace and worker
    threads. Use one for each thread. Ctrl-C ends a call that the main thread
    makes, if it made the context too."""

    def __init__(
        self,
        module: "Module",
        threads: Optional[int] = None,
        function: Optional[str] = None,
        profile: Optional[Callable[[KernelEvent], None]] = None,
        device: Optional[str] = None,
    ) -> None:
        handle = c.c_void_p()
        self._address = 0
        self.module = module
        self._signature = signature = module._find(function)
        options = _ffi.ContextOptions(struct_size=c.sizeof(_ffi.ContextOptions))
        options.threads = 0 if threads is None else threads
        if device is not None:
            options.device = device.encode()
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
                module._handle, signature.index, c.byref(options), c.byref(handle)
            )
        )
        self._address = handle.value or 0
        self._invoke = library().weft_invoke
        self._inputs = _Slots(signature.input_structs)
        self._outputs = _Slots(signature.output_structs)
        self._output_shapes: List[Optional[Tuple[int, ...]]] = []
        self._busy = threading.Lock()
        # SIGINT's handler when the runtime was told to cancel calls for it. Python
        # itself would act on the signal only after the call.
        self._handler: Any = None
        self._in_main_thread = threading.current_thread() is threading.main_thread()
        if self._in_main_thread:
            self._watch_interrupts()

    def __del__(self) -> None:
        if getattr(self, "_address", 0) and _ffi._library is not None:
            _ffi._library.weft_context_release(self._address)

    def __reduce__(self) -> Any:
        # A copy would release the same context again.
        raise TypeError(
            "a weft.Context cannot be copied or pickled; make another by "
            "Module.context()"
        )

    @property
    def threads(self) -> int:
        return library().weft_context_threads(self._address)

    @property
    def device(self) -> Optional[str]:
        """Where device kernels run: "cuda:0", "emulation" ...; None without any."""
        name = library().weft_context_device(self._address)
        return None if name is None else name.decode()

    @property
    def stats(self) -> Dict[str, int]:
        """Figures of the last call: workspace bytes, kernels, allocations ..."""
        stats = _ffi.Stats(struct_size=c.sizeof(_ffi.Stats))
        check(library().weft_context_stats(self._address, c.byref(stats)))
        return {name: getattr(stats, name) for name, _ in stats._fields_[1:]}

    def cancel(self) -> None:
        """Stops the call in progress, from any thread, and all later ones until
        reset_cancel()."""
        library().weft_context_cancel(self._address)

    def reset_cancel(self) -> None:
        library().weft_context_reset_cancel(self._address)

    def __call__(
        self,
        *args: Any,
        out: Outputs = None,
        as_dict: bool = False,
        copy: bool = True,
        **named: Any,
    ) -> Any:
        """Calls the function. Inputs are NumPy arrays or anything with DLPack, by
        position or name. Contiguous ones are used in place; a strided one is
        copied, or refused by name if `copy` is false. `out` takes the results: an
        array for a single output, a list in output order or a dict by name, with
        None for what is to be allocated. Returns a list of arrays in output
        order, or a dict with `as_dict`."""
        signature = self._signature
        if named or len(args) != len(signature.inputs):
            args = signature.order(args, named)  # type: ignore[assignment]
        results = self._call(args, out, copy)
        if not as_dict:
            return results
        return {o.name: r for o, r in zip(signature.outputs, results)}

    def bind(self, *args: Any, out: Outputs = None, **named: Any) -> "BoundCall":
        """Arguments for many calls. The arrays must be contiguous and are read and
        written in place; `out` names one for each output, where it is not given
        arrays are allocated. No other call of this context may come between."""
        return BoundCall(self, self._signature.order(args, named), out)

    def _call(self, values: Sequence[Any], out: Outputs, copy: bool) -> List[np.ndarray]:
        if not self._busy.acquire(False):
            raise Error(
                Code.FAILED_PRECONDITION,
                "a call with this context is in progress: use one context for each "
                "thread",
            )
        try:
            self._set_inputs(values, copy)
            shapes = self._output_shapes
            arrays = self._set_outputs(out)
            if self._in_main_thread:
                self._watch_interrupts()
            error = self._invoke(
                self._address,
                self._inputs.pointer,
                len(self._inputs.structs),
                self._outputs.pointer,
                len(arrays),
            )
            if error:
                check(error)
            for index, shape in enumerate(shapes):
                if shape is None or arrays[index] is None:
                    arrays[index] = self._result(index, arrays[index])
            return arrays  # type: ignore[return-value]
        finally:
            self._inputs.take_views()
            self._outputs.take_views()
            self._busy.release()

    def _watch_interrupts(self) -> None:
        """Lets SIGINT cancel calls of this thread. A handler that Python has
        installed since then has taken the runtime's place."""
        handler = getsignal(2)  # SIGINT
        if (
            handler is not self._handler
            and threading.current_thread() is threading.main_thread()
        ):
            check(
                library().weft_context_cancel_on_signal(self._address, signal.SIGINT)
            )
            self._handler = handler

    def _set_inputs(self, values: Sequence[Any], copy: bool) -> None:
        slots = self._inputs
        changed = not self._output_shapes
        for index, value in enumerate(values):
            if (
                type(value) is np.ndarray
                and value.dtype is slots.dtypes[index]
                and value.flags.c_contiguous
                and value.ndim == slots.structs[index].rank
            ):
                if value.shape != slots.shapes[index]:
                    # Unknown until all inputs are seen: one may be refused.
                    self._output_shapes = []
                    slots.set_shape(index, value.shape)
                    changed = True
                slots.tensors[index].data = _tensor.address(value)
            else:
                self._output_shapes = []
                view = _tensor.view_input(value, slots.structs[index], copy)
                slots.set_view(index, view)
                changed = True
        if changed:
            self._output_shapes = self._signature.output_shapes(
                [
                    view.shape if view is not None else shape or ()
                    for view, shape in zip(slots.views, slots.shapes)
                ]
            )

    def _allocate(self, index: int) -> Optional[np.ndarray]:
        """A new array for an output, if its shape is known."""
        slots, shape = self._outputs, self._output_shapes[index]
        if shape is None:
            slots.tensors[index].data = None
            return None
        dtype = slots.dtypes[index]
        if dtype is None:
            array = _tensor.allocate_output(slots.structs[index].dtype, shape)
        else:
            array = np.empty(shape, dtype)
        if shape != slots.shapes[index]:
            slots.set_shape(index, shape)
        slots.tensors[index].data = _tensor.address(array)
        return array

    def _set_outputs(self, out: Outputs) -> List[Optional[np.ndarray]]:
        """The caller's arrays, and new ones for those that are not given."""
        if out is None:
            return [self._allocate(i) for i in range(len(self._output_shapes))]
        arrays = self._output_arrays(out)
        slots = self._outputs
        for index, array in enumerate(arrays):
            shape = self._output_shapes[index]
            if array is None:
                arrays[index] = self._allocate(index)
            elif (
                array.dtype is slots.dtypes[index]
                and array.shape == shape
                and array.flags.c_contiguous
            ):
                if shape != slots.shapes[index]:
                    slots.set_shape(index, shape)
                slots.tensors[index].data = _tensor.address(array)
            elif _strings.is_string(slots.structs[index].dtype):
                raise Error(
                    Code.INVALID_ARGUMENT,
                    f"output '{self._signature.outputs[index].name}' is of strings, "
                    f"which cannot be computed into an array",
                )
            else:
                what = f"output '{self._signature.outputs[index].name}'"
                dtype = slots.structs[index].dtype
                view = _tensor.view_array(array, dtype, shape, what)
                slots.set_view(index, view)
        return arrays

    def _output_arrays(self, out: Outputs) -> List[Optional[np.ndarray]]:
        """`out` as one array or None for each output."""
        names = [argument.name for argument in self._signature.outputs]
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
            arrays = [out] if isinstance(out, np.ndarray) else list(out or [])
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

    def _result(self, index: int, array: Optional[np.ndarray]) -> np.ndarray:
        """The array of an output whose shape only the call could tell."""
        struct = self._outputs.structs[index]
        real = _ffi.Tensor()
        check(library().weft_context_output(self._address, index, c.byref(real)))
        shape = tuple(real.dims[i] for i in range(real.rank))
        if _strings.is_string(struct.dtype):
            return _strings.unpack(real.data, shape)
        if array is not None and (array.size == 0 or real.data == array.ctypes.data):
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
            library().weft_context_take_output(self._address, index, c.byref(taken))
        )
        return _tensor.array_of_taken(taken)


class BoundCall:
    """A function with arguments bound once: calling it costs what the C call
    does. `outputs` are its results; those whose shape only the call can tell are
    renewed by each call."""

    def __init__(self, context: Context, values: Sequence[Any], out: Outputs) -> None:
        self._context = context
        self._values = list(values)  # kept alive
        with context._busy:
            context._set_inputs(values, False)
            self._shapes = list(context._output_shapes)
            self.outputs = context._set_outputs(out)
            # Views of arrays that had to be converted are kept alive, too.
            self._views = context._inputs.take_views() + context._outputs.take_views()
            lib = library()
            for slots, bind in (
                (context._inputs, lib.weft_context_bind_input),
                (context._outputs, lib.weft_context_bind_output),
            ):
                for index, tensor in enumerate(slots.tensors):
                    unbound = slots is context._outputs and not tensor.data
                    bind_to = None if unbound else c.byref(tensor)
                    check(bind(context._address, index, bind_to))
        self._unknown = [i for i, shape in enumerate(self._shapes) if shape is None]
        self._arrays = list(self.outputs)
        self._run = lib.weft_context_run
        self._address = context._address

    def warm_up(self) -> None:
        """Takes memory and wakes threads, so that the first call is as fast as the
        next ones. Computes nothing."""
        check(library().weft_context_warm_up(self._address))

    def __call__(self) -> List[np.ndarray]:
        """Calls the function and returns `outputs`."""
        if self._context._in_main_thread:
            self._context._watch_interrupts()
        error = self._run(self._address)
        if error:
            check(error)
        for index in self._unknown:
            self.outputs[index] = self._context._result(index, self._arrays[index])
        return self.outputs  # type: ignore[return-value]
