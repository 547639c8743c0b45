# ===- weft_test.py - Tests of the weft command -----------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===#
"""Runs weft on a module written by hand and with a compiler that only pretends.

Environment: WEFT (the program), WEFT_TEST_LIBRARIES (the folder of the pretended
libWeft.so), WEFT_TEST_MODULES (the folder of the modules).
"""

import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

WEFT = os.environ["WEFT"]
LIBRARIES = os.environ["WEFT_TEST_LIBRARIES"]
MODULES = os.environ["WEFT_TEST_MODULES"]
MODULE = os.path.join(MODULES, "scale.so")
WRONG = os.path.join(MODULES, "scale-wrong.so")


def proto(dims, values):
    """The bytes of a float TensorProto."""
    data = b"".join(bytes([0x08, d]) for d in dims) + b"\x10\x01"
    raw = struct.pack(f"<{len(values)}f", *values)
    return data + bytes([0x4A, len(raw)]) + raw


class WeftTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.log = self.path("compiler.log")
        self.environment = dict(
            os.environ, XDG_CACHE_HOME=self.path("cache"), WEFT_TEST_LOG=self.log,
            LD_LIBRARY_PATH=LIBRARIES)

    def path(self, *names):
        return os.path.join(self.folder.name, *names)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def weft(self, *arguments, code=0):
        result = subprocess.run([WEFT, *arguments], env=self.environment, timeout=60,
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, code,
                         f"{arguments}: {result.stdout}{result.stderr}")
        return result

    def error(self, *arguments, code):
        result = self.weft(*arguments, code=code)
        self.assertTrue(result.stderr.startswith("weft: error: "), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        return result.stderr[len("weft: error: "):-1]

    def compilations(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return file.read().splitlines()

    def make_case(self, name, model=None, expected=(3, 5, 7)):
        self.write(f"{name}/model.onnx", model or f"copy {MODULE}")
        self.write(f"{name}/test_data_set_0/input_0.pb", proto([1, 3], [1, 2, 3]))
        self.write(f"{name}/test_data_set_0/output_0.pb", proto([1, 3], expected))


class Usage(WeftTest):
    def test_help_of_every_command(self):
        text = self.weft("--help").stdout
        for command in ["compile", "run", "check", "bench", "inspect", "doctor"]:
            self.assertIn(f"\n  {command} ", text)
            self.assertIn(f"Usage: weft {command}", self.weft(command, "--help").stdout)
        text = self.weft("run", "--help").stdout
        self.assertIn("\nInputs:\n  --input=[NAME=]SPEC ", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 80)

    def test_starts_without_the_compiler(self):
        self.environment["LD_DEBUG"] = "files"
        result = self.weft("run", MODULE, "--input=1x3xf32=1")
        self.assertNotIn("libWeft", result.stderr)
        self.assertNotIn("libLLVM", result.stderr)

    def test_wrong_usage(self):
        self.assertEqual(self.error("chek", code=2),
                         "unknown command 'chek'; did you mean 'check'?")
        self.assertEqual(self.error("run", "--inptu=x", MODULE, code=2),
                         "unknown option '--inptu'; did you mean '--input'?")
        self.assertIn("expected one module or model", self.error("run", code=2))
        self.assertIn("needs a value", self.error("run", MODULE, "--input", code=2))
        self.assertIn("takes no value", self.error("run", MODULE, "--no-cache=1", code=2))
        self.assertIn("expected an integer from 0 to 4096, found 'x'",
                      self.error("run", MODULE, "--threads=x", code=2))
        self.assertEqual(self.weft(code=2).stdout, "")

    def test_version(self):
        text = self.weft("--version").stdout
        self.assertIn("runtime ", text)
        self.assertIn("compiler test compiler", text)
        self.assertEqual(self.weft("--list-plugins").stdout, "no plugins\n")


class Run(WeftTest):
    def test_prints_outputs(self):
        result = self.weft("run", MODULE, "--input=2x3xf32=[1 2 3][4 5 6]")
        self.assertEqual(result.stdout, "y: 2x3xf32=[3 5 7][9 11 13]\n")
        result = self.weft("run", MODULE, "--input=x=2x3xf32=1", "--max-elements=2")
        self.assertEqual(result.stdout, "y: 2x3xf32=[3 3...\n")

    def test_writes_outputs(self):
        npy, folder = self.path("y.npy"), self.path("out")
        self.weft("run", MODULE, "--input=1x3xf32=1 2 3", f"--output=@{npy}",
                  f"--output-dir={folder}")
        for path in [npy, os.path.join(folder, "y.npy")]:
            with open(path, "rb") as file:
                data = file.read()
            self.assertIn(b"'shape': (1, 3)", data)
            self.assertEqual(struct.unpack("<3f", data[-12:]), (3, 5, 7))
        self.assertEqual(os.listdir(folder), ["y.npy"])
        self.assertIn("no/y.npy: cannot write the file: No such file or directory",
                      self.error("run", MODULE, "--input=1x3xf32",
                                 f"--output=@{self.path('no/y.npy')}", code=1))
        self.assertIn("No space left on device",
                      self.error("run", MODULE, "--input=1x3xf32",
                                 "--output=@/dev/full", code=1))

    def test_outputs_spare_what_is_read(self):
        copy = self.path("scale.so")
        shutil.copy(MODULE, copy)
        values = self.write("x.bin", struct.pack("<3f", 1, 2, 3))
        for options, what in [
                ([f"--output=@{copy}"], "would overwrite the module or model"),
                ([f"--output=@{self.path('.', 'scale.so')}"], "would overwrite"),
                ([f"--output=@{self.path('y.npy')}", f"--output=y=@{self.path('y.npy')}"],
                 "is where option '--output' goes already"),
                ([f"--output=@{values}"], "what option '--input' reads")]:
            self.assertIn(what, self.error("run", copy, f"--input=1x3xf32=@{values}", *options,
                                           code=1))
        self.weft("run", copy, "--input=1x3xf32")

    def test_full_standard_output(self):
        for arguments in [["run", MODULE, "--input=1x3xf32"], ["inspect", MODULE]]:
            with open("/dev/full", "w", encoding="utf-8") as full:
                result = subprocess.run([WEFT, *arguments], env=self.environment, stdout=full,
                                        stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn("No space left on device", result.stderr)

    def test_inputs_are_checked_before_memory_is_taken(self):
        self.assertIn("'x' is ?x3xf32, found 999999999999x4xf32",
                      self.error("run", MODULE, "--input=999999999999x4xf32", code=2))

    def test_expect(self):
        self.weft("run", MODULE, "--input=1x3xf32=1 2 3", "--expect=1x3xf32=3 5 7")
        result = self.weft("run", MODULE, "--input=1x3xf32=1 2 3",
                           "--expect=y=1x3xf32=3 5 8", code=4)
        self.assertIn("output 'y': element [0, 2] is 7, expected 8", result.stderr)
        self.weft("run", MODULE, "--input=1x3xf32=1 2 3",
                  "--expect=1x3xf32=3 5 8", "--rtol=0.2")

    def test_refusals(self):
        self.assertIn("input 'x' is missing", self.error("run", MODULE, code=2))
        self.assertIn("there is none of that name, expected one of 'x'",
                      self.error("run", MODULE, "--input=z=1x3xf32", code=2))
        self.assertIn("'x' is given twice",
                      self.error("run", MODULE, "--input=x=1x3xf32", "--input=1x3xf32",
                                 code=2))
        self.assertIn("character 9: 1x3xf32 needs 3 values, found 2",
                      self.error("run", MODULE, "--input=1x3xf32=1 2", code=2))
        for spec in ["1x3xf64", "3xf32", "1x4xf32"]:
            self.assertIn("'x'", self.error("run", MODULE, f"--input={spec}", code=2))
        self.assertIn("'x'", self.error("run", MODULE, "--input=1001x3xf32", code=1))
        self.assertIn("'bogus' is no device",
                      self.error("run", MODULE, "--input=1x3xf32", "--device=bogus", code=1))
        self.assertIn("scale_0", self.error("run", MODULE, "--input=1x3xf32=666", code=1))
        self.assertIn("no such file", self.error("run", "none.onnx", code=1).lower())

    def test_truncated_module(self):
        with open(MODULE, "rb") as file:
            data = file.read()
        for size in [5, 64, 1000, len(data) - 1]:
            path = self.write("short.so", data[:size])
            self.assertIn("short.so", self.error("run", path, "--input=1x3xf32", code=1))

    def test_interrupt(self):
        process = subprocess.Popen(
            [WEFT, "run", MODULE, "--input=1x3xf32=777"], env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        self.assertIsNone(process.poll())
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=10)
        self.assertLess(time.monotonic() - start, 1)
        self.assertEqual(process.returncode, 1)
        self.assertIn("weft: error: ", error)


class Cache(WeftTest):
    def test_second_run_compiles_nothing(self):
        model = self.write("m.onnx", f"copy {MODULE}")
        for _ in range(2):
            self.assertEqual(self.weft("run", model, "--input=1x3xf32=1").stdout,
                             "y: 1x3xf32=[3 3 3]\n")
        self.assertEqual(len(self.compilations()), 1)
        self.weft("run", model, "--input=1x3xf32=1", "-O1")  # other options
        self.assertEqual(len(self.compilations()), 2)
        self.assertTrue(self.compilations()[1].endswith(" -O1"))
        self.weft("run", model, "--input=1x3xf32=1", "--no-cache")
        self.assertEqual(len(self.compilations()), 3)
        self.write("m.onnx", f"copy {MODULE} ")  # other content
        self.weft("run", model, "--input=1x3xf32=1")
        self.assertEqual(len(self.compilations()), 4)
        self.assertEqual(len(os.listdir(self.path("cache/weft"))), 3)

    def test_external_data_is_in_the_key(self):
        text = f"copy {MODULE}\n".encode() + b"\x0a\x08location\x12\x05w.bin"
        model = self.write("m.onnx", text)
        self.write("w.bin", "1")
        self.weft("run", model, "--input=1x3xf32")
        self.weft("run", model, "--input=1x3xf32")
        self.assertEqual(len(self.compilations()), 1)
        self.write("w.bin", "12")
        self.weft("run", model, "--input=1x3xf32")
        self.assertEqual(len(self.compilations()), 2)

    def test_damaged_entry_is_replaced(self):
        model = self.write("m.onnx", f"copy {MODULE}")
        self.weft("run", model, "--input=1x3xf32")
        entry, = os.listdir(self.path("cache/weft"))
        self.write(f"cache/weft/{entry}/module.so", "damaged")
        self.weft("run", model, "--input=1x3xf32")
        self.assertEqual(len(self.compilations()), 2)

    def test_entry_without_the_variant_stays(self):
        model = self.write("m.onnx", f"copy {MODULE}")
        self.weft("run", model, "--input=1x3xf32")
        self.environment["WEFT_CPU"] = "z80"
        self.assertIn("has no variant for CPU 'z80' (from WEFT_CPU); it has x86-64",
                      self.error("run", model, "--input=1x3xf32", code=1))
        self.environment["WEFT_CPU"] = "x86-64"
        self.weft("run", model, "--input=1x3xf32")
        self.assertEqual(len(self.compilations()), 1)

    def test_capacity(self):
        self.environment["WEFT_CACHE_SIZE"] = str(os.path.getsize(MODULE) * 5 // 2)
        for name in "abc":
            model = self.write(f"{name}.onnx", f"copy {MODULE}\n# {name}")
            self.weft("run", model, "--input=1x3xf32")
            time.sleep(0.02)
        self.assertEqual(len(os.listdir(self.path("cache/weft"))), 2)

    def test_exit_codes_of_the_compiler(self):
        for code in [1, 3, 70]:
            model = self.write("m.onnx", f"exit {code} node 'a': no")
            result = self.weft("run", model, code=code)
            self.assertEqual(result.stderr, "node 'a': no\n")
        self.assertEqual(os.listdir(self.path("cache/weft")), [])


class Compile(WeftTest):
    def test_summary(self):
        model = self.write("m.onnx", f"copy {MODULE}")
        result = self.weft("compile", model, "-o", self.path("m.so"), "--dim", "batch=4",
                           "-O3")
        self.assertIn("inputs    x: batchx3xf32", result.stdout)
        self.assertIn("kernels   1, of them 0 fallbacks", result.stdout)
        self.assertEqual(result.stderr, "[8/8] module: copied\nwarning: a test\n")
        self.assertEqual(self.compilations(), [f"{model} --dim=batch=4 -O3"])
        result = self.weft("compile", model, "-o", self.path("n.so"), "--quiet")
        self.assertEqual(result.stdout + result.stderr, "warning: a test\n")

    def test_failure(self):
        model = self.write("m.onnx", "exit 3 nothing of this is supported")
        result = self.weft("compile", model, "-o", self.path("m.so"), code=3)
        self.assertEqual(result.stderr, "nothing of this is supported\n")


class Check(WeftTest):
    def check(self, *arguments, code):
        result = self.weft("check", self.path("cases"), "--timeout=5",
                           f"--json={self.path('r.json')}", *arguments, code=code)
        with open(self.path("r.json"), encoding="utf-8") as file:
            report = json.load(file)
        return result.stdout, {case["name"]: case for case in report["cases"]}

    def test_verdicts(self):
        self.make_case("cases/good")
        self.make_case("cases/deep/er/good")
        self.make_case("cases/wrong", f"copy {WRONG}")
        self.make_case("cases/crash", "crash")
        self.make_case("cases/hang", "hang")
        self.make_case("cases/unsupported", "exit 3 no op Foo")
        self.make_case("cases/broken", "exit 1 malformed")
        self.make_case("cases/internal", "exit 70 worker died")
        self.make_case("cases/left_out")
        exclude = self.write("exclude.txt", "# comment\nleft_* needs luck\n")
        text, cases = self.check(f"--exclude={exclude}", "--timeout=1", "--jobs=3", code=4)
        self.assertTrue(text.endswith(
            "2 passed, 5 failed, 1 unsupported, 1 excluded\n"), text)
        verdicts = {name: case["verdict"] for name, case in cases.items()}
        self.assertEqual(verdicts, {
            "good": "passed", "deep/er/good": "passed", "wrong": "failed",
            "crash": "failed", "hang": "failed", "unsupported": "unsupported",
            "broken": "failed", "internal": "failed", "left_out": "excluded"})
        self.assertIn("element [0, 0] is 4, expected 3", cases["wrong"]["reason"])
        self.assertEqual(cases["wrong"]["max_absolute_error"], 3)
        self.assertIn("crashed with signal", cases["crash"]["reason"])
        self.assertEqual(cases["hang"]["reason"], "timed out")
        self.assertEqual(cases["unsupported"]["reason"], "no op Foo")
        self.assertEqual(cases["left_out"]["reason"], "needs luck")

    def test_exit_codes(self):
        self.make_case("cases/good")
        text, _ = self.check(code=0)
        self.assertEqual(text, "1 passed, 0 failed, 0 unsupported, 0 excluded\n")
        self.make_case("cases/unsupported", "exit 3 no")
        self.check(code=3)
        self.check("--filter=go*", code=0)
        self.assertIn("no cases", self.error("check", self.path("cases/good/test_data_set_0"),
                                             code=1))
        self.assertIn("no such file", self.error("check", self.path("none"), code=1))

    def test_model_file_and_several_data_sets(self):
        self.make_case("cases/a")
        self.write("cases/a/test_data_set_1/input_0.pb", proto([1, 3], [0, 0, 0]))
        self.write("cases/a/test_data_set_1/output_0.pb", proto([1, 3], [1, 1, 2]))
        result = self.weft("check", self.path("cases/a/model.onnx"), code=4)
        self.assertIn("test_data_set_1: output 'y': element [0, 2] is 1, expected 2",
                      result.stdout)
        self.assertEqual(len(self.compilations()), 1)

    def test_variants_reach_the_compiler(self):
        self.make_case("cases/a")
        self.check("--variant=dynamic", "-O1", code=0)
        self.check("--variant=constant", code=0)
        model = self.path("cases/a")
        self.assertEqual(self.compilations(), [
            f"{model}/model.onnx -O1 --jobs=1 --all-dynamic",
            f"{model}/model.onnx --jobs=1 --constant-inputs={model}/test_data_set_0"])
        self.assertIn("expected dynamic or constant",
                      self.error("check", model, "--variant=x", code=2))

    def test_nothing_stays_behind(self):
        self.make_case("cases/crash", "crash")
        self.environment["TMPDIR"] = self.path("tmp")
        os.mkdir(self.path("tmp"))
        self.check(code=4)
        self.assertEqual(os.listdir(self.path("tmp")), [])


class Bench(WeftTest):
    def test_figures(self):
        result = self.weft("bench", MODULE, "--iterations=20", "--dim=batch=4",
                           f"--json={self.path('b.json')}", "--threads=1", "--cold")
        self.assertIn("made up: x (4x3xf32)", result.stdout)
        with open(self.path("b.json"), encoding="utf-8") as file:
            figures = json.load(file)
        self.assertEqual(figures["calls"], 20)
        self.assertEqual(figures["threads"], 1)
        self.assertEqual(figures["arena_bytes"], 4 * 64)
        self.assertGreater(figures["gflops"], 0)
        self.assertGreater(figures["cold_load_seconds"], 0)
        order = ["min", "p50", "p90", "p99"]
        times = [figures[f"{name}_seconds"] for name in order]
        self.assertEqual(times, sorted(times))

    def test_baseline(self):
        for p50, code in [(100.0, 0), (1e-12, 4)]:
            path = self.write("b.json", json.dumps({"p50_seconds": p50}))
            self.weft("bench", MODULE, "--iterations=3", f"--baseline={path}", code=code)
        path = self.write("b.json", "{}")
        self.assertIn("no p50_seconds", self.error(
            "bench", MODULE, "--iterations=3", f"--baseline={path}", code=1))

    def test_baseline_of_something_else(self):
        path = self.path("b.json")
        self.weft("bench", MODULE, "--iterations=3", "--threads=1", f"--json={path}")
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
        for name, value, what in [("source_hash", "ff" * 32, "another model"),
                                  ("threads", 3, "has threads 3, this run has 1"),
                                  ("concurrency", 2, "has concurrency 2, this run has 1")]:
            self.write("b.json", json.dumps({**figures, name: value}))
            result = self.weft("bench", MODULE, "--threads=1", f"--baseline={path}", code=1)
            self.assertIn(what, result.stderr)
            self.assertEqual(result.stdout, "")  # before anything is measured

    def test_peers_are_checked_first(self):
        self.assertIn("is a module", self.error("bench", MODULE, "--peer=onnxruntime", code=2))
        self.assertIn("found ''", self.error("bench", MODULE, "--peer=", code=2))
        model = self.write("m.onnx", f"copy {MODULE}")
        self.assertIn("none.json", self.error("bench", model, "--baseline=none.json", code=1))
        self.environment["WEFT_PYTHON"] = "/nonexistent/python"
        for command in [["bench", model, "--peer=openvino"],
                        ["check", model, "--against=onnxruntime"]]:
            self.assertIn("cannot run /nonexistent/python", self.error(*command, code=1))

    def test_concurrency(self):
        result = self.weft("bench", MODULE, "--iterations=50", "--concurrency=3",
                           "--threads=1", "--json=-")
        self.assertEqual(json.loads(result.stdout)["calls"], 150)


class Peers(WeftTest):
    """Against ONNX Runtime, where the Python that weft calls has it."""

    def setUp(self):
        super().setUp()
        python = os.environ.get("WEFT_PYTHON", "python3")
        if subprocess.run([python, "-c", "import onnx, onnxruntime"], check=False,
                          capture_output=True).returncode:
            self.skipTest("no onnx and onnxruntime in Python")
        self.model = self.path("scale.onnx")
        subprocess.run([python, "-c", """
import sys, onnx
graph = onnx.parser.parse_graph(
    "scale (float[batch, 3] x) => (float[batch, 3] y) <float two = {2}, float one = {1}>"
    "{ z = Mul(x, two) y = Add(z, one) }")
model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)],
                               ir_version=8)
onnx.save(model, sys.argv[1])""", self.model], check=True)

    def test_check_against(self):
        self.environment["WEFT_TEST_MODULE"] = MODULE
        self.weft("check", self.model, "--against=onnxruntime", "--dim=batch=5")
        self.environment["WEFT_TEST_MODULE"] = WRONG
        result = self.weft("check", self.model, "--against=onnxruntime", code=4)
        self.assertIn("against onnxruntime: output 'y': element [0, 0] is ", result.stdout)

    def test_bisect(self):
        # The module computes y alone, so that the model with every value as an
        # output does not fit it; what is tested is the way there.
        self.environment["WEFT_TEST_MODULE"] = WRONG
        result = self.weft("check", self.model, "--against=onnxruntime", "--bisect", code=4)
        self.assertIn("; bisect: expected 2 outputs (z, y), the module has 1", result.stdout)
        self.assertTrue(self.compilations()[1].split()[0].endswith("exposed.onnx"))

    def test_bench_peer(self):
        self.environment["WEFT_TEST_MODULE"] = MODULE
        result = self.weft("bench", self.model, "--peer=onnxruntime",
                           "--duration=0.1", "--threads=1", f"--json={self.path('b.json')}")
        self.assertIn("\nonnxruntime ", result.stdout)
        with open(self.path("b.json"), encoding="utf-8") as file:
            peers = json.load(file)["peers"]
        self.assertGreater(peers[0]["p50_seconds"], 0)
        error = self.error("bench", self.model, "--peer=onnxruntime,nonesuch", code=2)
        self.assertIn("found 'nonesuch'", error)
        self.assertEqual(len(self.compilations()), 1)  # it is refused before


class Doctor(WeftTest):
    def test_self_test(self):
        # The module that the compiler gives is not the model that was asked for.
        self.environment["WEFT_TEST_MODULE"] = MODULE
        result = self.weft("doctor", code=1)
        self.assertIn("ok      compiler     test compiler\n", result.stdout)
        self.assertIn("BROKEN  self-test    ", result.stdout)


class Inspect(WeftTest):
    def test_text_and_json(self):
        text = self.weft("inspect", MODULE).stdout
        self.assertIn("  input     x: batchx3xf32", text)
        self.assertIn("  symbol    batch: 0..1000", text)
        description = json.loads(self.weft("inspect", MODULE, "--json").stdout)
        self.assertEqual(description["functions"][0]["inputs"],
                         [{"name": "x", "dtype": "f32", "dims": ["batch", 3]}])
        self.assertEqual(description["kernels"][0]["name"], "scale")
        self.assertGreater(description["kernels"][0]["code_bytes"], 0)
        self.assertTrue(description["variants"][0]["chosen"])

    def test_unknown_kernel(self):
        self.assertIn("did you mean 'scale'?",
                      self.error("inspect", MODULE, "--disassemble=scael", code=2))


if __name__ == "__main__":
    unittest.main()
