# ONNX Runtime's way to call a model.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import ctypes as c
import os
import warnings
from typing import (
    Any,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Union,
)

import numpy as np

from ._compile import compile as compile_model
from ._ffi import Code, Error
from ._module import Module
from ._signature import Argument

_ONNX_NAMES = {
    "float32": "float",
    "float64": "double",
    "float8_e4m3fn": "float8e4m3fn",
    "float8_e4m3fnuz": "float8e4m3fnuz",
    "float8_e5m2": "float8e5m2",
    "float8_e5m2fnuz": "float8e5m2fnuz",
}


class NodeArg(NamedTuple):
    """An input or output as ONNX Runtime describes it."""

    name: str
    shape: List[Union[int, str, None]]
    type: str


class ModelMetadata(NamedTuple):
    """What the ONNX file says of itself, as ONNX Runtime shows it."""

    producer_name: str = ""
    graph_name: str = ""
    domain: str = ""
    description: str = ""
    graph_description: str = ""
    version: int = 0
    custom_metadata_map: Mapping[str, str] = {}


def _node_arg(argument: Argument) -> NodeArg:
    name = _ONNX_NAMES.get(argument.dtype, argument.dtype)
    return NodeArg(argument.name, list(argument.dims), f"tensor({name})")


def _check_device(device_type: str, device_id: int) -> None:
    if device_type != "cpu" or device_id != 0:
        raise Error(
            Code.INVALID_ARGUMENT,
            f"device '{device_type}' number {device_id} is asked for, expected 'cpu' "
            f"number 0",
        )


def _array_at(
    address: int, element_type: Any, shape: Sequence[int], what: str
) -> np.ndarray:
    """An array over a caller's memory."""
    if element_type is None or shape is None:
        raise Error(
            Code.INVALID_ARGUMENT, f"{what}: an address needs element_type and shape"
        )
    dtype = np.dtype(element_type)
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    if size == 0:
        return np.empty(shape, dtype)
    memory = (c.c_uint8 * size).from_address(address)
    return np.frombuffer(memory, np.uint8).view(dtype).reshape(shape)


class OrtValue:
    """An array by the name that ONNX Runtime gives it."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    @staticmethod
    def ortvalue_from_numpy(
        array: np.ndarray, device_type: str = "cpu", device_id: int = 0
    ) -> "OrtValue":
        _check_device(device_type, device_id)
        return OrtValue(array)

    def numpy(self) -> np.ndarray:
        return self._array

    def shape(self) -> List[int]:
        return list(self._array.shape)

    def data_ptr(self) -> int:
        return self._array.ctypes.data

    def device_name(self) -> str:
        return "cpu"

    def is_tensor(self) -> bool:
        return True


class IOBinding:
    """Inputs and outputs that stay bound between calls of
    InferenceSession.run_with_iobinding(). An output that is bound without memory
    gets a new array in each call."""

    def __init__(self, session: "InferenceSession") -> None:
        self._session = session
        self._inputs: Dict[str, Any] = {}
        self._outputs: Dict[str, Optional[np.ndarray]] = {}
        self._results: Dict[str, np.ndarray] = {}
        self._context = session._module.context()

    def _known(self, name: str, arguments: List[Argument], kind: str) -> None:
        names = [argument.name for argument in arguments]
        if name not in names:
            raise Error(
                Code.INVALID_ARGUMENT,
                f"there is no {kind} '{name}'; there are "
                + ", ".join(f"'{n}'" for n in names),
            )

    def bind_cpu_input(self, name: str, arr_on_cpu: np.ndarray) -> None:
        self._known(name, self._session._module.inputs, "input")
        self._inputs[name] = arr_on_cpu

    def bind_input(
        self,
        name: str,
        device_type: str,
        device_id: int,
        element_type: Any,
        shape: Sequence[int],
        buffer_ptr: int,
    ) -> None:
        _check_device(device_type, device_id)
        array = _array_at(buffer_ptr, element_type, shape, f"input '{name}'")
        self.bind_cpu_input(name, array)

    def bind_ortvalue_input(self, name: str, ortvalue: OrtValue) -> None:
        self.bind_cpu_input(name, ortvalue.numpy())

    def bind_output(
        self,
        name: str,
        device_type: str = "cpu",
        device_id: int = 0,
        element_type: Any = None,
        shape: Optional[Sequence[int]] = None,
        buffer_ptr: Optional[int] = None,
    ) -> None:
        _check_device(device_type, device_id)
        self._known(name, self._session._module.outputs, "output")
        self._outputs[name] = (
            None
            if buffer_ptr is None
            else _array_at(
                buffer_ptr, element_type, shape or (), f"output '{name}'"
            )
        )

    def bind_ortvalue_output(self, name: str, ortvalue: OrtValue) -> None:
        self._known(name, self._session._module.outputs, "output")
        self._outputs[name] = ortvalue.numpy()

    def synchronize_inputs(self) -> None:
        """Nothing to wait for: all memory is the CPU's."""

    def synchronize_outputs(self) -> None:
        """Nothing to wait for: all memory is the CPU's."""

    def clear_binding_inputs(self) -> None:
        self._inputs.clear()

    def clear_binding_outputs(self) -> None:
        self._outputs.clear()
        self._results.clear()

    def get_outputs(self) -> List[OrtValue]:
        return [OrtValue(self._results[name]) for name in self._outputs]

    def copy_outputs_to_cpu(self) -> List[np.ndarray]:
        return [self._results[name].copy() for name in self._outputs]

    def _run(self) -> None:
        names = self._session._output_names
        values = self._session._signature.order((), self._inputs)
        arrays = [self._outputs.get(name) for name in names]
        self._results = dict(zip(names, self._context(*values, out=arrays)))


_PROVIDER = "CPUExecutionProvider"


def _warn_of_providers(providers: Any) -> None:
    """Says, as ONNX Runtime does, which providers are not there. A provider is a
    name, or a pair of name and options."""
    names = [entry[0] if isinstance(entry, tuple) else entry for entry in providers or []]
    unknown = [name for name in names if name not in (_PROVIDER, "WeftExecutionProvider")]
    if unknown:
        several = len(unknown) > 1
        warnings.warn(
            f"Specified provider{'s' if several else ''} "
            f"{', '.join(repr(name) for name in unknown)} "
            f"{'are' if several else 'is'} not in available provider names. "
            f"Available providers: '{_PROVIDER}'",
            stacklevel=3,
        )


class InferenceSession:
    """Takes a module, or an ONNX model, which is compiled first. `options` are
    those of weft.compile()."""

    def __init__(
        self,
        path_or_bytes: Union[str, "os.PathLike[str]", bytes],
        sess_options: Any = None,
        providers: Any = None,
        provider_options: Any = None,
        **options: Any,
    ) -> None:
        _warn_of_providers(providers)
        threads = getattr(sess_options, "intra_op_num_threads", 0) or None
        if isinstance(path_or_bytes, bytes):
            is_module = path_or_bytes[:4] == b"\x7fELF"
        else:
            with open(path_or_bytes, "rb") as file:
                is_module = file.read(4) == b"\x7fELF"
        if is_module:
            self._module = Module(path_or_bytes, threads)
        else:
            self._module = compile_model(path_or_bytes, threads=threads, **options)
        self._signature = self._module._find(None)
        self._input_names = [argument.name for argument in self._signature.inputs]
        self._output_names = [argument.name for argument in self._signature.outputs]

    def get_inputs(self) -> List[NodeArg]:
        return [_node_arg(argument) for argument in self._module.inputs]

    def get_outputs(self) -> List[NodeArg]:
        return [_node_arg(argument) for argument in self._module.outputs]

    def get_overridable_initializers(self) -> List[NodeArg]:
        """None: a module's weights are constants."""
        return []

    def get_modelmeta(self) -> ModelMetadata:
        found = self._module.options.get("metadata", {})
        known = {key: found[key] for key in ModelMetadata._fields if key in found}
        return ModelMetadata(**known)

    def get_providers(self) -> List[str]:
        return [_PROVIDER]

    def get_provider_options(self) -> Dict[str, Dict[str, str]]:
        return {_PROVIDER: {}}

    def io_binding(self) -> IOBinding:
        return IOBinding(self)

    def run_with_iobinding(self, iobinding: IOBinding, run_options: Any = None) -> None:
        iobinding._run()

    def run(
        self,
        output_names: Optional[Sequence[str]],
        input_feed: Mapping[str, Any],
        run_options: Any = None,
    ) -> List[np.ndarray]:
        names = self._input_names
        # By position: an input's name may be one of the call's own keywords.
        if len(input_feed) == len(names) and all(n in input_feed for n in names):
            values: Sequence[Any] = [input_feed[name] for name in names]
        else:
            values = self._signature.order((), input_feed)
        results: List[np.ndarray] = self._module(*values)
        if not output_names:
            return results
        try:
            return [results[self._output_names.index(name)] for name in output_names]
        except ValueError:
            unknown = [n for n in output_names if n not in self._output_names]
            raise ValueError(
                f"there is no output '{unknown[0]}'; there are {self._output_names}"
            ) from None
