#!/usr/bin/env python3
# Compares Weft with other runtimes.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares Weft with ONNX Runtime (and OpenVINO where it is installed) by the
protocol that bench/README.md explains, and prints how many times as fast Weft is.

MODEL is an .onnx file, a folder with model.onnx and inputs/*.npy, or matmul-N or
matmul-N-runtime: a product of two NxN f32 matrices, the second a constant or an
input, which is made here. The default is matmul-1024 and matmul-1024-runtime."""

import argparse
import datetime
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("onnxruntime", "openvino")
# A round in which the CPU did less than this part of what it does else is noise.
SLOW_ROUND = 0.93
# An engine that differs by more from itself shows that a session is void.
SAME = 0.01
PROBE_MILLISECONDS = 30


class Failure(Exception):
    """Ends the program with its sentence."""


class Child:
    """A process that is asked by lines and answers by lines."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            code = self.process.wait()
            raise Failure(f"{self.process.args} ended with code {code}") from None
        if "error" in answer:
            raise Failure(answer["error"])
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Engine(Child):
    def __init__(self, name, case, threads):
        super().__init__([sys.executable, "-B", ROOT / "bench" / "engines.py"])
        self.name = name
        try:
            self.loaded = self.request(
                do="load",
                engine=name,
                model=str(case.model),
                module=str(case.module),
                inputs=str(case.inputs),
                threads=threads,
            )
        except Failure as failure:
            self.close()
            raise Failure(f"{name} cannot run {case.name}: {failure}") from None

    def request(self, **request):
        return self.ask(json.dumps(request))


class Case:
    """A model with inputs and the module that Weft makes of it."""

    def __init__(self, text, arguments, folder):
        self.flops = None
        words = text.split("-")
        if words[0] == "matmul" and len(words) > 1 and words[1].isdigit():
            self.name = text
            self._make_matmul(int(words[1]), words[2:] == ["runtime"], folder)
            given = {}
        else:
            path = Path(text)
            self.model = path / "model.onnx" if path.is_dir() else path
            self.name = path.name if path.is_dir() else path.stem
            if not self.model.is_file():
                raise Failure(f"'{text}': there is no such model")
            given = {
                file.stem: np.load(file)
                for file in (self.model.parent / "inputs").glob("*.npy")
                if path.is_dir()
            }
        arrays = self._inputs(given, dict(arguments.dim))
        self.inputs = folder / f"{self.name}.npz"
        np.savez(self.inputs, **arrays)
        self.module = folder / f"{self.name}.so"
        shapes = [
            f"--shape={name}:{'x'.join(map(str, array.shape)) if array.ndim else ''}"
            for name, array in arrays.items()
            if array.ndim
        ]
        command = [arguments.weft, "compile", self.model, "-o", self.module, "--quiet"]
        done = subprocess.run(
            [str(word) for word in command + shapes + arguments.compile_option],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Failure(f"{self.name} does not compile:\n{done.stdout}")

    def _make_matmul(self, size, at_run_time, folder):
        import onnx
        from onnx import TensorProto, helper

        random = np.random.default_rng(size)
        b = random.standard_normal((size, size), np.float32) / np.float32(size**0.5)
        value = lambda name: helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [size, size]
        )
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["a", "b"], ["c"])],
            "matmul",
            [value("a"), value("b")] if at_run_time else [value("a")],
            [value("c")],
            [] if at_run_time else [onnx.numpy_helper.from_array(b, "b")],
        )
        self.model = folder / f"{self.name}.onnx"
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
        )
        onnx.save(model, self.model)
        self.flops = 2 * size**3

    def _inputs(self, given, dims):
        """The arrays that lie beside the model, else f32 normal and integers 0 or
        1, so that indices are in range."""
        import onnxruntime

        session = onnxruntime.InferenceSession(
            str(self.model), providers=["CPUExecutionProvider"]
        )
        random = np.random.default_rng(1)
        kinds = {"float": "float32", "double": "float64"}
        arrays = {}
        for argument in session.get_inputs():
            if argument.name in given:
                arrays[argument.name] = np.ascontiguousarray(given[argument.name])
                continue
            shape = [
                dim if isinstance(dim, int) else dims.get(dim, 1)
                for dim in argument.shape
            ]
            name = argument.type[len("tensor(") : -1]
            dtype = np.dtype(kinds.get(name, name))
            if dtype.kind == "f":
                arrays[argument.name] = random.standard_normal(shape).astype(dtype)
            else:
                arrays[argument.name] = random.integers(0, 2, shape).astype(dtype)
        return arrays


def compare_results(case, engines, arguments, folder):
    """Largest error of each peer's results against Weft's, as a part of what is
    allowed: at most 1."""
    results = []
    for engine in engines:
        file = folder / f"{case.name}-{engine.name}.npz"
        engine.request(do="results", file=str(file))
        with np.load(file) as archive:
            results.append([archive[name] for name in archive.files])
        file.unlink()
    worst = {}
    for engine, values in zip(engines[1:], results[1:]):
        if len(values) != len(results[0]):
            raise Failure(f"{case.name}: {engine.name} has another count of outputs")
        errors = [0.0]
        for mine, other in zip(results[0], values):
            if mine.shape != other.shape or mine.dtype != other.dtype:
                raise Failure(
                    f"{case.name}: weft gives {mine.dtype}{list(mine.shape)}, "
                    f"{engine.name} {other.dtype}{list(other.shape)}"
                )
            if not other.size:
                continue
            wide = np.float64 if mine.dtype.kind in "fV" else np.int64
            mine, other = mine.astype(wide), other.astype(wide)
            if not (np.isfinite(mine).all() and np.isfinite(other).all()):
                raise Failure(f"{case.name}: a result is not finite")
            # The absolute part is relative to the output's scale.
            allowed = arguments.atol * max(1.0, float(np.abs(other).max()))
            allowed = allowed + arguments.rtol * np.abs(other)
            wrong = np.abs(mine - other)
            with np.errstate(divide="ignore", invalid="ignore"):
                errors.append(float(np.where(wrong, wrong / allowed, 0).max()))
        worst[engine.name] = max(errors)
        if worst[engine.name] > 1:
            raise Failure(
                f"{case.name}: weft and {engine.name} differ by "
                f"{worst[engine.name]:.3g} times what rtol {arguments.rtol:g} and atol "
                f"{arguments.atol:g} allow"
            )
    return worst


def run_rounds(engines, peaks, threads, count, arguments):
    """Blocks of each engine in turn, in alternating order, with the machine's
    peaks beside them."""
    rounds = []
    quiet = 0.0 if arguments.quick else 0.06
    for number in range(count):
        order = list(range(len(engines)))
        if number % 2:
            order.reverse()
        measured = [None] * len(engines)
        for index in order:
            if quiet:
                # Pools of others stop spinning, the clock of the CPU settles.
                time.sleep(quiet)
            measured[index] = engines[index].request(
                do="measure",
                seconds=0.02 if arguments.quick else 0.2,
                calls=2 if arguments.quick else 5,
                cold_calls=0 if arguments.no_cold else 1 if arguments.quick else 3,
            )
        probe = peaks.ask(f"{threads} {5 if arguments.quick else PROBE_MILLISECONDS}")
        rounds.append({"engines": measured, "peaks": probe})
    return rounds


def keep_steady(rounds):
    """The rounds whose multiply-adds were near the session's median, and how many
    were not."""
    rates = [entry["peaks"]["fma_gflops"] for entry in rounds]
    if None in rates:
        return rounds, 0
    limit = SLOW_ROUND * float(np.median(rates))
    kept = [entry for entry, rate in zip(rounds, rates) if rate >= limit]
    return kept, len(rounds) - len(kept)


def spread(values):
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {"median": float(middle), "p10": float(low), "p90": float(high)}


def summarise(rounds, index, flops):
    """Figures of engine `index` against engine 0: ratios above 1 say how many
    times as fast engine 0 is."""
    figures = {}
    for kind in ("hot", "cold"):
        if kind not in rounds[0]["engines"][0]:
            continue
        mine = np.array([entry["engines"][0][kind] for entry in rounds])
        other = np.array([entry["engines"][index][kind] for entry in rounds])
        figures[kind] = {
            "ratio": spread(other / mine),
            "weft_seconds": float(np.median(mine)),
            "peer_seconds": float(np.median(other)),
        }
        peak = [entry["peaks"]["fma_gflops"] for entry in rounds]
        if flops and None not in peak:
            rate = np.array(peak) * 1e9
            figures[kind]["weft_share_of_peak"] = float(np.median(flops / mine / rate))
            figures[kind]["peer_share_of_peak"] = float(np.median(flops / other / rate))
    return figures


def run_session(case, peers, threads, arguments, folder):
    """All children fresh: an engine against itself, then against its peers."""
    children, peaks = [], Child([arguments.peaks, "--serve"])
    try:
        for name in ("weft", "weft", *peers):
            children.append(Engine(name, case, threads))
        worst = compare_results(case, [children[0], *children[2:]], arguments, folder)
        same = run_rounds(children[:2], peaks, threads, arguments.aa_rounds, arguments)
        children.pop(1).close()
        rounds = run_rounds(children, peaks, threads, arguments.rounds, arguments)
        loaded = {child.name: child.loaded for child in children}
    finally:
        for child in [*children, peaks]:
            child.close()
    same, _ = keep_steady(same)
    kept, dropped = keep_steady(rounds)
    itself = summarise(same, 1, None)["hot"]["ratio"]["median"]
    return {
        "model": case.name,
        "threads": threads,
        "itself": itself,
        "void": abs(itself - 1) > SAME,
        "dropped_rounds": dropped,
        "rounds": len(rounds),
        "largest_error": worst,
        "engines": loaded,
        "peers": {
            name: summarise(kept, index + 1, case.flops)
            for index, name in enumerate(peers)
        },
        "peaks": {
            name: spread([entry["peaks"][name] for entry in rounds])
            for name, value in rounds[0]["peaks"].items()
            if name != "threads" and value is not None
        },
        "raw": rounds,
    }


def print_session(number, session):
    for peer, figures in session["peers"].items():
        hot = figures["hot"]
        cold = figures.get("cold")
        line = (
            f"{session['model']:<22} {session['threads']:>2} {number:>2}  {peer:<11} "
            f"{hot['weft_seconds'] * 1e3:>9.3f} {hot['peer_seconds'] * 1e3:>9.3f}  "
            f"{hot['ratio']['median']:>5.2f} ({hot['ratio']['p10']:.2f}-"
            f"{hot['ratio']['p90']:.2f})  "
            + (f"{cold['ratio']['median']:>5.2f}" if cold else "    -")
            + f"  {session['itself']:>6.3f}  {session['dropped_rounds']:>2}"
        )
        if "weft_share_of_peak" in hot:
            line += (
                f"  peak {hot['weft_share_of_peak']:.2f}, "
                f"peer {hot['peer_share_of_peak']:.2f}"
            )
        print(line + ("  VOID" if session["void"] else ""), flush=True)


def print_figures(sessions):
    """The median session of each model, threads and peer, of those that are not
    void."""
    print("\nfigure: the median of the sessions that are not void")
    groups = {}
    for session in sessions:
        for peer, figures in session["peers"].items():
            key = (session["model"], session["threads"], peer)
            ratio = None if session["void"] else figures["hot"]["ratio"]["median"]
            groups.setdefault(key, []).append(ratio)
    for (model, threads, peer), ratios in groups.items():
        good = [ratio for ratio in ratios if ratio is not None]
        figure = f"{np.median(good):.2f}x {peer}" if good else "none: all are void"
        note = "" if len(good) >= 3 else f"  ({len(good)} of {len(ratios)} sessions)"
        print(f"{model:<22} {threads:>2} threads  {figure}{note}")


def machine():
    cpu = platform.processor()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    return {
        "cpu": cpu,
        "usable_cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load": os.getloadavg(),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(),
    }


def dimension(text):
    name, _, value = text.partition("=")
    if not name or not value.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is no NAME=N")
    return name, int(value)


def count_list(text):
    counts = [int(word) for word in text.split(",") if word.isdigit() and int(word)]
    if len(counts) != text.count(",") + 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of counts")
    return counts


def parse(words):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL")
    add("--threads", type=count_list, default=[1, 2], help="default: 1,2")
    add("--sessions", type=int, default=3, help="restarts of all children (default: 3)")
    add("--rounds", type=int, default=15, help="of a session (default: 15)")
    add("--aa-rounds", type=int, help="of Weft against itself (default: as --rounds)")
    add("--peer", help="onnxruntime, openvino or both by comma (default: installed)")
    add("--dim", type=dimension, action="append", default=[], metavar="NAME=N")
    add("--rtol", type=float, default=1e-3)
    add("--atol", type=float, default=1e-4, help="times the output's scale")
    add("--no-cold", action="store_true", help="leaves out calls with cold caches")
    add("--quick", action="store_true", help="a try of everything; gives no figure")
    add("--json", metavar="FILE", help="writes all figures and rounds")
    add("--build", type=Path, default=ROOT / "build", help="default: build")
    add("--compile-option", action="append", default=[], metavar="OPTION",
        help="for weft compile")  # fmt: skip
    arguments = parser.parse_args(words)
    if arguments.quick:
        arguments.sessions, arguments.rounds = 1, 3
    arguments.aa_rounds = arguments.aa_rounds or arguments.rounds
    if min(arguments.sessions, arguments.rounds, arguments.aa_rounds) < 1:
        parser.error("--sessions and --rounds must be at least 1")
    arguments.weft = arguments.build / "bin" / "weft"
    arguments.peaks = arguments.build / "bin" / "peaks"
    for program in (arguments.weft, arguments.peaks):
        if not program.is_file():
            parser.error(f"'{program}' is missing: build it, or say --build=DIR")
    installed = [name for name in PEERS if importlib.util.find_spec(name)]
    if arguments.peer is None:
        arguments.peers = installed
    else:
        arguments.peers = arguments.peer.split(",")
    for name in arguments.peers:
        if name not in installed:
            parser.error(f"'{name}' is not installed; there are {installed}")
    if "onnxruntime" not in installed:
        parser.error("onnxruntime is not installed; it describes the models' inputs")
    library = arguments.build / "lib" / "libweft-runtime.so.0"
    os.environ.setdefault("WEFT_RUNTIME_LIBRARY", str(library))
    arguments.models = arguments.models or ["matmul-1024", "matmul-1024-runtime"]
    return arguments


def main(words):
    arguments = parse(words)
    report = {
        "machine": machine(),
        "arguments": words,
        "quick": arguments.quick,
        "sessions": [],
        "failures": {},
    }
    if arguments.quick:
        print("quick: the numbers below are no figures")
    print(
        "model                  th  s  peer          weft ms   peer ms  times as fast"
        "        cold  itself  dropped"
    )
    with tempfile.TemporaryDirectory(prefix="weft-compare-") as name:
        folder = Path(name)
        for text in arguments.models:
            try:
                case = Case(text, arguments, folder)
                for number in range(arguments.sessions):
                    for threads in arguments.threads:
                        session = run_session(
                            case, arguments.peers, threads, arguments, folder
                        )
                        report["sessions"].append(session)
                        print_session(number + 1, session)
            except Failure as failure:
                report["failures"][text] = str(failure)
                print(f"error: {failure}", file=sys.stderr, flush=True)
    report["machine"]["load_at_end"] = os.getloadavg()
    if not arguments.quick:
        print_figures(report["sessions"])
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(report, indent=1), encoding="utf-8")
    return 1 if report["failures"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
