# ONNX Runtime's way to call a model.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

import numpy as np

from ._compile import compile as compile_model
from ._module import Argument, Module

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


def _node_arg(argument: Argument) -> NodeArg:
    name = _ONNX_NAMES.get(argument.dtype, argument.dtype)
    return NodeArg(argument.name, list(argument.dims), f"tensor({name})")


class InferenceSession:
    """Takes a module, or an ONNX model, which is compiled first."""

    def __init__(
        self,
        path_or_bytes: Union[str, "os.PathLike[str]", bytes],
        sess_options: Any = None,
        providers: Any = None,
        **options: Any,
    ) -> None:
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

    def get_inputs(self) -> List[NodeArg]:
        return [_node_arg(argument) for argument in self._module.inputs]

    def get_outputs(self) -> List[NodeArg]:
        return [_node_arg(argument) for argument in self._module.outputs]

    def get_providers(self) -> List[str]:
        return ["CPUExecutionProvider"]

    def run(
        self,
        output_names: Optional[Sequence[str]],
        input_feed: Mapping[str, Any],
        run_options: Any = None,
    ) -> List[np.ndarray]:
        # By position: an input's name may be one of the call's own keywords.
        values = self._module._find(None).order((), input_feed)
        results: Dict[str, np.ndarray] = self._module(*values, as_dict=True)
        if not output_names:
            return list(results.values())
        unknown = [name for name in output_names if name not in results]
        if unknown:
            raise ValueError(
                f"there is no output '{unknown[0]}'; there are {list(results)}"
            )
        return [results[name] for name in output_names]
