#===- modules.py - Compiles and runs modules written by hand -----------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""The way of a module's text through the programs: written, compiled for a target, called
with NumPy arrays. What a program says when it fails is in `Failure`."""

import os
import subprocess

import numpy as np

# The names of element types. Arrays of bf16 and of floats of 8 bits are those of ml_dtypes.
ELEMENTS = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64", "int8": "i8",
            "uint8": "i8", "int16": "i16", "uint16": "i16", "int32": "i32", "uint32": "i32",
            "int64": "i64", "uint64": "i64", "bool": "i1"}


class Failure(Exception):
    """A program failed, with that exit code, or a result depends on the number of threads."""

    def __init__(self, message, code=0):
        super().__init__(message)
        self.code = code


def execute(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False,
                          timeout=600)
    if done.returncode:
        message = done.stderr.strip()[-2000:] or "it said nothing"
        raise Failure(f"{os.path.basename(command[0])} {command[1]} gave {done.returncode}: {message}",
                      done.returncode)
    return done.stdout


def tensor(shape, element):
    """The type of a tensor. Extents that are no numbers are dynamic."""
    return f"tensor<{''.join(f'{s}x' for s in shape)}{element}>"


class Module:
    """A module compiled from `text` in `folder`, which is made. `target` is cpu or emulation."""

    def __init__(self, weft, text, folder, target="cpu", options=()):
        self.weft, self.folder, self.target = weft, folder, target
        self.source, self.path = f"{folder}/m.mlir", f"{folder}/m.so"
        os.makedirs(folder)
        with open(self.source, "w", encoding="utf-8") as file:
            file.write(text)
        execute(weft, "compile", "--quiet", self.source, "-o", self.path, f"--target={target}",
                *options)

    def after(self, stage):
        """The IR after a stage."""
        return execute(self.weft, "compile", "--quiet", self.source, f"--compile-to={stage}",
                       f"--target={self.target}", "-o", "-")

    def call(self, inputs, threads=1):
        """The outputs in the order of the signature, for `inputs` in theirs or by name."""
        arguments, results = [], f"{self.folder}/out{threads}"
        named = inputs.items() if isinstance(inputs, dict) else (("", value) for value in inputs)
        for i, (key, value) in enumerate(named):
            value = np.asarray(value)
            path = f"{self.folder}/in{i}.bin"
            np.ascontiguousarray(value).tofile(path)
            shape = "".join(f"{n}x" for n in value.shape)
            name = f"{key}=" if key else ""
            arguments.append(f"--input={name}{shape}{ELEMENTS[value.dtype.name]}=@{path}")
        names = self.output_names()
        arguments += [f"--output={name}=@{results}-{name}.npy" for name in names]
        if self.target == "emulation":
            arguments.append("--device=emulation")
        execute(self.weft, "run", "--quiet", self.path, f"--threads={threads}", *arguments)
        return [np.load(f"{results}-{name}.npy") for name in names]

    def call_alike(self, inputs, threads=(1, 2)):
        """The outputs, which must be equal in every bit for all numbers of threads."""
        first, *others = [self.call(inputs, count) for count in threads]
        for count, other in zip(threads[1:], others):
            for name, x, y in zip(self.output_names(), first, other):
                if x.shape != y.shape or x.tobytes() != y.tobytes():
                    raise Failure(f"{name} differs for {count} threads")
        return first

    def output_names(self):
        if not hasattr(self, "_names"):
            lines = execute(self.weft, "inspect", self.path).splitlines()
            words = [line.split() for line in lines]
            self._names = [w[1].rstrip(":") for w in words if w and w[0] == "output"]
        return self._names
