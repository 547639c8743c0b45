# Compiles models with the command line tool.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import weakref
from pathlib import Path
from typing import Any, List, Optional, Union

from ._ffi import Code, Error
from ._module import Module


class CompileError(Error):
    """The compiler refused a model. `exit_code` is the tool's: 2 usage, 3 an
    unsupported model, 70 an internal error; `output` is all that it said."""

    def __init__(self, exit_code: int, message: str, output: str) -> None:
        code = {3: Code.UNIMPLEMENTED, 70: Code.INTERNAL}.get(
            exit_code, Code.INVALID_ARGUMENT
        )
        super().__init__(code, message)
        self.exit_code = exit_code
        self.output = output


def _find_compiler() -> str:
    told = os.environ.get("WEFT_COMPILER")
    if told:
        return told
    here = Path(__file__).resolve().parent
    for folder in [here, *list(here.parents)[:5]]:
        for candidate in (folder / "bin" / "weft", folder / "build" / "bin" / "weft"):
            if candidate.is_file() and os.access(candidate, os.X_OK):
                return str(candidate)
    found = shutil.which("weft")
    if found:
        return found
    raise Error(
        Code.NOT_FOUND,
        "the compiler 'weft' was not found: put it into PATH or set WEFT_COMPILER",
    )


_REPEATABLE = ("dim", "shape", "load_plugin", "plugin_option", "compile_flag")


def _flags(options: Any) -> List[str]:
    """`cpu="native"` is --cpu=native, `opt_level=2` is -O2, `quiet=True` is
    --quiet, `dim={"batch": 4}` is --dim=batch=4. A list gives the option once for
    each of its elements; the processors of `cpu` are one list with commas."""
    flags: List[str] = []
    for key, value in options.items():
        name = "--" + key.replace("_", "-")
        if key == "opt_level":
            flags.append(f"-O{int(value)}")
        elif value is True:
            flags.append(name)
        elif value is False or value is None:
            continue
        elif isinstance(value, dict):
            separator = ":" if key == "shape" else "="
            flags += [f"{name}={k}{separator}{v}" for k, v in value.items()]
        elif key == "cpu" and isinstance(value, (list, tuple)):
            flags.append(f"{name}={','.join(value)}")
        elif isinstance(value, (list, tuple)) and key not in _REPEATABLE:
            raise TypeError(f"option '{key}' takes one value, found {value!r}")
        elif isinstance(value, (list, tuple)):
            flags += [f"{name}={v}" for v in value]
        else:
            flags.append(f"{name}={value}")
    return flags


def compile(
    model: Any,
    output: Union[None, str, "os.PathLike[str]"] = None,
    threads: Optional[int] = None,
    **options: Any,
) -> Module:
    """Compiles an ONNX model, given as a path, bytes or onnx.ModelProto, and
    loads the result. It is written to `output`, or to a temporary folder that
    goes with the module. Other options are those of `weft compile`, with
    underscores for hyphens: cpu="x86-64-v4", dim={"batch": 4}, opt_level=3."""
    folder = tempfile.TemporaryDirectory(prefix="weft-")
    if hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    if isinstance(model, (bytes, bytearray, memoryview)):
        path = Path(folder.name) / "model.onnx"
        path.write_bytes(model)
    else:
        path = Path(os.fspath(model))
    target = Path(folder.name) / "model.so" if output is None else Path(output)
    command = [_find_compiler(), "compile", str(path), "-o", str(target)]
    done = subprocess.run(
        command + _flags(options),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        # From the error on: a list of nodes that cannot be imported follows it.
        at = [i for i, line in enumerate(lines) if "error" in line.lower()]
        reason = "\n".join(lines[at[0] :] if at else lines[-1:]) or "it said nothing"
        raise CompileError(
            done.returncode,
            f"'{path}' could not be compiled (exit code {done.returncode}): {reason}",
            done.stdout,
        )
    module = Module(target, threads)
    if output is None:
        weakref.finalize(module, folder.cleanup)
    return module
