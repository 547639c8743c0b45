# What a module says of a function, in Python's terms.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from . import _ffi, _strings, _tensor
from ._ffi import Code, Error

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


def _argument(function: _ffi.Function, struct: _ffi.ArgumentStruct) -> Argument:
    dims: List[Dimension] = []
    for axis in range(struct.rank):
        dim = struct.dims[axis]
        if dim.symbol >= 0:
            dims.append(function.symbols[dim.symbol].name.decode())
        else:
            dims.append(dim.size if dim.size >= 0 else None)
    return Argument(struct.name.decode(), _tensor.dtype_name(struct.dtype), tuple(dims))


class Signature:
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

    def output_shapes(
        self, shapes: Sequence[Tuple[int, ...]]
    ) -> List[Optional[Tuple[int, ...]]]:
        """The shape of each output, where it follows from the inputs' and an array
        can be made for it before the call: not for strings."""
        values: Dict[int, int] = {}
        for struct, given in zip(self.input_structs, shapes):
            if len(given) == struct.rank:
                for axis in range(struct.rank):
                    values.setdefault(struct.dims[axis].symbol, given[axis])
        results: List[Optional[Tuple[int, ...]]] = []
        for struct in self.output_structs:
            shape = []
            for axis in range(struct.rank):
                dim = struct.dims[axis]
                extent = values.get(dim.symbol, -1) if dim.symbol >= 0 else dim.size
                shape.append(extent)
            is_unknown = any(n < 0 for n in shape) or _strings.is_string(struct.dtype)
            results.append(None if is_unknown else tuple(shape))
        return results
