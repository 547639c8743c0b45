# A model compiled by Weft and the figures about it, with ONNX Runtime beside it.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import hashlib
import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy as np
import onnxruntime
import weft

from models import file_hash

# What counts as equal to ONNX Runtime: |difference| <= ABSOLUTE * scale +
# RELATIVE * |expected|, where scale is the output's largest magnitude, at least 1.
RELATIVE = 1e-3
ABSOLUTE = 1e-4

Feed = Dict[str, np.ndarray]


@dataclass
class Figures:
    model: str
    model_bytes: int
    compile_seconds: float = 0.0
    module_bytes: int = 0
    load_seconds: float = 0.0
    p50_seconds: float = 0.0
    peer_p50_seconds: float = 0.0
    timed_input: str = ""
    calls: int = 0
    max_difference: float = 0.0
    is_equal: bool = True


def _compiler_key(model: Path) -> str:
    """What a compiled module depends on: the model and the compiler."""
    digest = hashlib.sha256(file_hash(model).encode())
    tool = Path(os.environ["WEFT_COMPILER"])
    for part in (tool, tool.parent.parent / "lib" / "libWeft.so"):
        digest.update(file_hash(part.resolve()).encode())
    return digest.hexdigest()


def _median_seconds(call: Callable[[], Any], least_seconds: float = 1.0, least_calls: int = 20) -> float:
    """The median time of a call, after three to warm up."""
    for _ in range(3):
        call()
    times: List[float] = []
    while sum(times) < least_seconds or len(times) < least_calls:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


class Subject:
    """A model in both: `run` computes with Weft and compares with ONNX Runtime."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.figures = Figures(model.name, model.stat().st_size)
        self._module_path = folder / (model.stem + ".so")
        self._compile(model)
        self.figures.module_bytes = sum(
            path.stat().st_size for path in folder.glob(model.stem + ".*")
            if path.suffix in (".so", ".safetensors")
        )
        loads = []
        for _ in range(5):
            start = time.perf_counter()
            module = weft.load(self._module_path)
            loads.append(time.perf_counter() - start)
        self.figures.load_seconds = statistics.median(loads)
        self.module = module
        self.input_names = [argument.name for argument in module.inputs]
        self.output_names = [argument.name for argument in module.outputs]
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = weft.usable_threads()
        self._peer = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"])

    def _compile(self, model: Path) -> None:
        """Compiles, unless this compiler has compiled this model before."""
        record = self._module_path.with_suffix(".compiled.json")
        key = _compiler_key(model)
        try:
            before = json.loads(record.read_text())
            if before["key"] == key and self._module_path.is_file():
                self.figures.compile_seconds = before["seconds"]
                return
        except (OSError, ValueError, KeyError):
            pass
        start = time.perf_counter()
        weft.compile(model, self._module_path, quiet=True)
        self.figures.compile_seconds = time.perf_counter() - start
        record.write_text(json.dumps({"key": key, "seconds": self.figures.compile_seconds}))

    def run(self, feed: Feed) -> Dict[str, np.ndarray]:
        """Weft's outputs by name."""
        outputs = dict(zip(self.output_names, self.module(**feed)))
        expected = self._peer.run(self.output_names, feed)
        for name, wanted in zip(self.output_names, expected):
            self._compare(outputs[name], wanted)
        self.figures.calls += 1
        return outputs

    def _compare(self, found: np.ndarray, wanted: np.ndarray) -> None:
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            self.figures.is_equal = False
            self.figures.max_difference = float("inf")
            return
        if not wanted.size:
            return
        difference = np.abs(found.astype(np.float64) - wanted)
        scale = max(1.0, float(np.max(np.abs(wanted))))
        # A NaN compares as unequal.
        if not np.all(difference <= ABSOLUTE * scale + RELATIVE * np.abs(wanted)):
            self.figures.is_equal = False
        self.figures.max_difference = max(self.figures.max_difference, float(np.max(difference)))

    def time(self, feed: Feed, description: str) -> None:
        """Takes the latency of a call, and that of ONNX Runtime with as many threads."""
        self.figures.timed_input = description
        self.figures.p50_seconds = _median_seconds(lambda: self.module(**feed))
        self.figures.peer_p50_seconds = _median_seconds(lambda: self._peer.run(self.output_names, feed))

    def row(self) -> Dict[str, Any]:
        return asdict(self.figures)
