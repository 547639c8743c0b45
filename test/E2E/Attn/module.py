"""Modules of one operation, compiled and run.

A tensor is a NumPy array with the names of its dimensions; with `dynamic` these are
symbols of the module, else constants."""

import os
import subprocess
import tempfile

import numpy as np

try:
    from ml_dtypes import bfloat16  # its kind is V2
except ImportError:  # pragma: no cover
    bfloat16 = None

NAMES = {"f2": "f16", "f4": "f32", "f8": "f64", "i4": "i32", "i8": "i64", "i1": "i8",
         "V2": "bf16"}


class Runner:
    """Compiles and runs; counts and collects failures."""

    def __init__(self, weft, only=""):
        self.weft = weft
        self.only = only  # what names of cases contain
        self.folder = tempfile.TemporaryDirectory()
        self.count = 0
        self.failures = []
        self.refused = {}  # sentences by case, see check

    def fail(self, name, text):
        self.failures.append(name)
        print("FAIL", name, text)

    def module(self, name, inputs, outputs, body, dynamic):
        """`inputs` are name: (array, dimensions), `outputs` name: (type, dimensions). In `body`
        {t:x} is the type of x, and the results are called as the outputs are."""
        sizes = {}
        for array, dims in inputs.values():
            sizes.update(zip(dims, array.shape))

        def type_of(element, dims):
            extents = "".join(f"{'?' if dynamic and not isinstance(d, int) else sizes.get(d, d)}x"
                              for d in dims)
            return f"tensor<{extents}{element}>"

        types, arguments = {}, []
        if dynamic:
            arguments += [f'%d_{s}: index {{weft.symbol = "{s}"}}' for s in sorted(
                s for s in sizes if not isinstance(s, int))]
        for key, (array, dims) in inputs.items():
            types[key] = type_of(NAMES[kind_of(array)], dims)
            names = ", ".join(f'"{d}"' if dynamic and not isinstance(d, int) else
                              str(sizes.get(d, d)) for d in dims)
            arguments.append(f'%{key}: {types[key]} {{weft.name = "{key}", weft.dims = [{names}]}}')
        results = []
        for key, (element, dims) in outputs.items():
            types[key] = type_of(element, dims)
            results.append(f'{types[key]} {{weft.name = "{key}"}}')
        for key, text in types.items():
            body = body.replace(f"{{t:{key}}}", text)
        names = ", ".join(f"%{key}" for key in outputs)
        kinds = ", ".join(types[key] for key in outputs)
        return (f"func.func @main({', '.join(arguments)}) -> ({', '.join(results)}) {{\n"
                f"{body}  return {names} : {kinds}\n}}\n")

    def compile(self, name, text, flags=()):
        """The path of the module, or None."""
        at = os.path.join(self.folder.name, name)
        os.makedirs(at, exist_ok=True)
        with open(f"{at}/m.mlir", "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([self.weft, "compile", "--quiet", f"{at}/m.mlir", "-o", f"{at}/m.so",
                               *flags], capture_output=True, text=True, check=False)
        if done.returncode:
            self.fail(name, done.stderr + text)
            return None
        return at

    def run(self, at, feed, outputs, threads):
        """The outputs, or what was said instead."""
        arguments = []
        for key, value in feed.items():
            np.save(f"{at}/{key}.npy", value if value.ndim == 0 else np.ascontiguousarray(value))
            arguments.append(f"--input={key}=@{at}/{key}.npy")
        for key in outputs:
            arguments.append(f"--output={key}=@{at}/out-{key}.npy")
        done = subprocess.run([self.weft, "run", "--quiet", f"{at}/m.so", f"--threads={threads}",
                               *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            return done.stderr
        return {key: np.load(f"{at}/out-{key}.npy") for key in outputs}

    def refuses(self, name, inputs, outputs, body, dynamic, message, threads=(1, 2)):
        """Calls fail with that message."""
        at = self.compile(name, self.module(name, inputs, outputs, body, dynamic))
        if at is None:
            return
        for count in threads:
            have = self.run(at, {key: x for key, (x, _) in inputs.items()}, list(outputs), count)
            if not isinstance(have, str) or message not in have:
                self.fail(name, f"expected '{message}', got {have}")
        self.count += 1

    def check(self, name, inputs, outputs, body, want, rtol, atol, modes=(False, True),
              threads=(1, 2)):
        """Static and dynamic shapes, several threads, against `want`."""
        if self.only not in name:
            return
        feed = {key: array for key, (array, _) in inputs.items()}
        for dynamic in modes:
            full = f"{name}-{'dynamic' if dynamic else 'static'}"
            if name in self.refused:
                self.refuses(full, inputs, outputs, body, dynamic, self.refused[name])
                # Without the check, kernels keep to the range by themselves.
                before, after = body.rsplit(" -> ", 1)
                at = self.compile(full, self.module(full, inputs, outputs,
                                                    f"{before} {{weft.checked}} -> {after}", dynamic))
            else:
                at = self.compile(full, self.module(full, inputs, outputs, body, dynamic))
            if at is None:
                continue
            first = None
            for count in threads:
                have = self.run(at, feed, outputs, count)
                if isinstance(have, str):
                    self.fail(full, have)
                    break
                if first is None:
                    first = have
                for key, value in have.items():
                    if value.tobytes() != first[key].tobytes():
                        self.fail(full, f"{key} depends on the number of threads")
                    wide = (value.view(bfloat16) if value.dtype.kind == "V" else value).astype(np.float64)
                    expected = np.asarray(want[key], np.float64)
                    if wide.shape != expected.shape:
                        self.fail(full, f"{key}: shape {wide.shape}, expected {expected.shape}")
                    elif not np.allclose(wide, expected, rtol=rtol, atol=atol, equal_nan=True):
                        worst = np.nanmax(np.abs(wide - expected)) if wide.size else 0
                        self.fail(full, f"{key} differs by up to {worst}")
            self.count += 1


def kind_of(array):
    return array.dtype.str[1:]
