# Modules.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import ctypes as c
import json
import os
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _ffi
from ._context import Context, KernelEvent
from ._ffi import check, library
from ._signature import Argument, Signature


class Module:
    """A compiled model. Immutable, callable from any thread: each thread gets a
    context of its own."""

    def __init__(
        self,
        source: Union[str, "os.PathLike[str]", bytes],
        threads: Optional[int] = None,
        weights: Union[None, str, "os.PathLike[str]"] = None,
        cpu: Optional[str] = None,
        device: Optional[str] = None,
    ) -> None:
        self._handle = c.c_void_p()
        self._threads = threads
        self._device = device
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
            Signature(i, self._description.functions[i])
            for i in range(self._description.function_count)
        ]

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle and _ffi._library is not None:
            _ffi._library.weft_module_release(handle)

    def __reduce__(self) -> Any:
        # A copy would release the same handle again.
        raise TypeError("a weft.Module cannot be copied or pickled; load it again")

    def _find(self, function: Optional[str]) -> Signature:
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
        device: Optional[str] = None,
    ) -> Context:
        """A new context, for one thread at a time."""
        return Context(
            self,
            self._threads if threads is None else threads,
            function,
            profile,
            self._device if device is None else device,
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
        super().__init__(module, module._threads, device=module._device)
        del self.module


def load(
    source: Union[str, "os.PathLike[str]", bytes],
    threads: Optional[int] = None,
    weights: Union[None, str, "os.PathLike[str]"] = None,
    cpu: Optional[str] = None,
    device: Optional[str] = None,
) -> Module:
    """Loads a module file, or the bytes of one. `threads` is that of its
    contexts, by default all that the process may use. `weights` is the path of
    its weights file if that does not lie beside it, `cpu` the variant to take
    instead of the best, `device` where its device kernels run ("cuda:0",
    "emulation")."""
    return Module(source, threads, weights, cpu, device)
