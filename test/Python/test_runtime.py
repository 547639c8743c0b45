# Tests of the Python package against the module of test/unit/Runtime.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import copy
import gc
import os
import pickle
import signal
import stat
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path

try:
    import numpy as np
except ImportError:
    print("skipped: NumPy is not installed")
    sys.exit(77)

import weft

MODULES = Path(os.environ["WEFT_TEST_MODULES"])
PLAIN = MODULES / "plain.so"


class Foreign:
    """A tensor of another framework: nothing but DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__()

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OnAGpu(Foreign):
    def __dlpack_device__(self):
        return (2, 0)


class RuntimeTest(unittest.TestCase):
    def setUp(self):
        self.module = weft.load(PLAIN, threads=1)
        self.x = np.arange(12, dtype=np.float32).reshape(3, 4)
        self.bias = np.array([10, 20, 30, 40], np.float32)
        self.y = self.x * np.array([1, 2, 3, 4], np.float32) + self.bias

    def refusal(self, code, action):
        with self.assertRaises(weft.Error) as caught:
            action()
        self.assertEqual(caught.exception.code, code, caught.exception)
        self.assertEqual(str(caught.exception), caught.exception.message)
        return str(caught.exception)

    def test_describes_a_module(self):
        module = self.module
        self.assertEqual(
            module.inputs,
            [
                weft.Argument("x", "float32", ("batch", 4)),
                weft.Argument("bias", "float32", (4,)),
            ],
        )
        self.assertEqual(module.outputs[1], weft.Argument("total", "float32", ()))
        self.assertEqual(module.symbols["batch"][0], 1)
        self.assertEqual(module.options, {"cpu": "x86-64"})
        self.assertEqual(module.cpu, "x86-64")
        self.assertEqual(module.cpus, ["future", "x86-64"])
        self.assertIn("gather", module.functions)
        self.assertEqual(module.compiler_version, "hand-written 1.0")
        self.assertEqual(module.source_hash[:6], "010203")
        self.assertIn("x: float32['batch', 4]", repr(module))
        self.assertRegex(weft.runtime_version(), r"^\d+\.\d+\.\d+$")
        self.assertGreaterEqual(weft.usable_threads(), 1)

    def test_calls_by_position_and_name(self):
        y, total = self.module(self.x, self.bias)
        np.testing.assert_array_equal(y, self.y)
        self.assertEqual(total.shape, ())
        self.assertEqual(total, self.y.sum())
        for results in (
            self.module(bias=self.bias, x=self.x),
            self.module(self.x, bias=self.bias),
        ):
            np.testing.assert_array_equal(results[0], self.y)
        named = self.module(self.x, self.bias, as_dict=True)
        self.assertEqual(list(named), ["y", "total"])

    def test_takes_numbers_and_lists(self):
        y, _ = self.module(self.x.tolist(), [10, 20, 30, 40])
        np.testing.assert_array_equal(y, self.y)
        self.assertIn("input 'x': ", self.refusal(3, lambda: self.module("no", [1])))

    def test_results_are_independent(self):
        first, _ = self.module(self.x, self.bias)
        second, _ = self.module(self.x + 1, self.bias)
        self.assertFalse(np.shares_memory(first, second))
        np.testing.assert_array_equal(first, self.y)

    def test_writes_into_out(self):
        y, total = np.zeros((3, 4), np.float32), np.zeros((), np.float32)
        results = self.module(self.x, self.bias, out=[y, total])
        self.assertIs(results[0], y)
        np.testing.assert_array_equal(y, self.y)
        y[:] = 0
        results = self.module(self.x, self.bias, out={"y": y})
        self.assertIs(results[0], y)
        np.testing.assert_array_equal(y, self.y)
        state = np.zeros(4, np.float32)
        (next_state,) = self.module.context(function="cache")(state, out=state)
        self.assertIs(next_state, state)  # a declared alias
        np.testing.assert_array_equal(state, 1)

    def test_refuses_a_wrong_out(self):
        good = np.zeros((), np.float32)

        def call(y):
            return lambda: self.module(self.x, self.bias, out=[y, good])

        self.assertEqual(
            self.refusal(3, call(np.zeros((2, 4), np.float32))),
            "output 'y': dimension 0 is 2, expected 3 ('batch')",
        )
        frozen = np.zeros((3, 4), np.float32)
        frozen.flags.writeable = False
        self.assertEqual(self.refusal(3, call(frozen)), "output 'y' is read-only")
        self.assertIn("is a list", self.refusal(3, call([1])))
        self.assertIn(
            "strides", self.refusal(3, call(np.zeros((4, 3), np.float32).T))
        )
        self.assertIn(
            "has 2 outputs, 1 are given",
            self.refusal(3, lambda: self.module(self.x, self.bias, out=good)),
        )
        self.assertIn(
            "no output 'z'; there are 'y', 'total'",
            self.refusal(3, lambda: self.module(self.x, self.bias, out={"z": good})),
        )
        self.assertIn(
            "overlaps input 'x'",
            self.refusal(3, call(self.x)),
        )

    def test_refuses_wrong_inputs_by_name(self):
        module = self.module
        cases = [
            (self.x.astype(np.float64), "input 'x' has type float64, expected float32"),
            (self.x[:, :3].copy(), "dimension 1 is 3, not 4"),
            (self.x.reshape(3, 2, 2), "expected [batch, 4]: rank 3, not 2"),
            (self.x.astype(">f4"), "byte order"),
            (np.array([["a"] * 4]), "input 'x' has type <U1, expected float32"),
            (np.array([[None] * 4]), "input 'x' has type object, expected float32"),
        ]
        for value, message in cases:
            text = self.refusal(3, lambda: module(value, self.bias))
            self.assertIn(message, text)
            self.assertIn("input 'x'", text)
        self.assertIn(
            "needs 'bias', which is not given", self.refusal(3, lambda: module(self.x))
        )
        self.assertIn(
            "no input 'z'; it has 'x', 'bias'",
            self.refusal(3, lambda: module(self.x, z=self.x)),
        )
        self.assertIn(
            "input 'x' is given twice",
            self.refusal(3, lambda: module(self.x, x=self.x)),
        )
        self.assertIn(
            "takes 2 inputs, 3 are given",
            self.refusal(3, lambda: module(self.x, self.x, self.x)),
        )

    def test_strided_arrays_are_refused_or_copied(self):
        strided = np.asfortranarray(self.x)
        self.assertIn(
            "input 'x' of shape [3, 4] has strides [1, 3], expected a contiguous",
            self.refusal(3, lambda: self.module(strided, self.bias, copy=False)),
        )
        y, _ = self.module(strided, self.bias)
        np.testing.assert_array_equal(y, self.y)
        y, _ = self.module(self.x[::-1], self.bias)
        reversed_x = np.ascontiguousarray(self.x[::-1])
        np.testing.assert_array_equal(y, self.module(reversed_x, self.bias)[0])
        fields = np.zeros((3, 4), [("a", "f4"), ("b", "i2")])["a"]
        fields[:] = self.x
        self.assertIn(
            "strides of (24, 6) bytes",
            self.refusal(3, lambda: self.module(fields, self.bias, copy=False)),
        )
        y, _ = self.module(fields, self.bias)
        np.testing.assert_array_equal(y, self.y)

    def test_calls_of_changing_shapes(self):
        # What a context keeps between calls must not survive a refused call.
        scale = np.array([1, 2, 3, 4], np.float32)
        context = self.module.context()
        for rows in (3, 5, 0, 5, 1):
            x = np.random.default_rng(rows).random((rows, 4), np.float32)
            if rows:
                y, _ = context(x, self.bias)
                np.testing.assert_array_equal(y, x * scale + self.bias)
            self.refusal(3, lambda: context(np.ones((7, 4), np.float32), self.bias[:2]))
            self.refusal(3, lambda: context(np.ones((7, 4)), self.bias))
            read_only = x.copy()
            read_only.flags.writeable = False
            if rows:
                y, _ = context(read_only, np.repeat(self.bias, 2)[::2])
                np.testing.assert_array_equal(y, x * scale + self.bias)

    def test_a_context_is_for_one_thread_at_a_time(self):
        context = self.module.context(function="busy", threads=1)
        other = threading.Thread(target=lambda: self.refusal(1, context))
        other.start()
        time.sleep(0.1)
        message = self.refusal(weft.Code.FAILED_PRECONDITION, context)
        context.cancel()
        other.join()
        self.assertIn("one context for each thread", message)

    def test_bound_calls(self):
        x, y = self.x.copy(), np.zeros((3, 4), np.float32)
        call = self.module.context().bind(x, self.bias, out=[y, None])
        call.warm_up()
        self.assertIs(call()[0], y)
        np.testing.assert_array_equal(y, self.y)
        x += 1
        call()
        np.testing.assert_array_equal(y, self.module(x, self.bias)[0])
        self.assertEqual(call.outputs[1], y.sum())
        strided = np.asfortranarray(self.x)
        self.assertIn(
            "input 'x' of shape [3, 4] has strides",
            self.refusal(3, lambda: self.module.context().bind(strided, self.bias)),
        )
        sparse = np.zeros(100, np.float32)
        sparse[[3, 50]] = 1
        call = self.module.context(function="nonzero").bind(sparse)
        np.testing.assert_array_equal(call()[0], [3, 50])
        sparse[7] = 1
        np.testing.assert_array_equal(call()[0], [3, 7, 50])

    def test_interrupt_ends_a_call(self):
        for _ in range(2):  # the second call shows that the first left nothing
            context = self.module.context(function="busy", threads=2)
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            began = time.monotonic()
            with self.assertRaises(KeyboardInterrupt):
                context()
            self.assertLess(time.monotonic() - began, 1.2)
            timer.join()

    def test_interrupt_with_another_handler(self):
        # It is installed after the context, does not raise, and still sees the
        # signal; the call is over all the same, and only that one.
        context = self.module.context(function="busy", threads=1)
        seen = []
        before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
        self.addCleanup(signal.signal, signal.SIGINT, before)
        for count in (1, 2):
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            began = time.monotonic()
            self.refusal(weft.Code.CANCELLED, context)
            self.assertGreater(time.monotonic() - began, 0.1)
            timer.join()
            self.assertEqual(seen, [signal.SIGINT] * count)
        y, _ = self.module(self.x, self.bias)
        np.testing.assert_array_equal(y, self.y)

    def test_takes_dlpack(self):
        y, _ = self.module(Foreign(self.x), Foreign(self.bias))
        np.testing.assert_array_equal(y, self.y)
        strided = Foreign(np.asfortranarray(self.x))
        self.assertIn(
            "strides [1, 3]",
            self.refusal(3, lambda: self.module(strided, self.bias, copy=False)),
        )
        y, _ = self.module(strided, self.bias)
        np.testing.assert_array_equal(y, self.y)
        self.assertIn(
            "input 'x' is on device (2, 0), expected the CPU",
            self.refusal(3, lambda: self.module(OnAGpu(self.x), self.bias)),
        )
        # The tensor is given back: its count of references is as before.
        array = self.x.copy()
        before = sys.getrefcount(array)
        self.module(Foreign(array), self.bias)
        gc.collect()
        self.assertEqual(sys.getrefcount(array), before)
        # And out again, as what other frameworks import without a copy.
        np.testing.assert_array_equal(
            np.from_dlpack(self.module(self.x, self.bias)[0]), self.y
        )

    def test_shapes_known_after_the_call(self):
        context = self.module.context(function="nonzero")
        x = np.zeros(1000, np.float32)
        x[[3, 500, 999]] = 1
        (positions,) = context(x)
        np.testing.assert_array_equal(positions, [3, 500, 999])
        self.assertEqual(context.stats["unbounded_allocations"], 1)
        buffer = np.full(10, -1, np.int64)
        (inside,) = context(x, out=buffer)
        self.assertTrue(np.shares_memory(inside, buffer))
        np.testing.assert_array_equal(inside, [3, 500, 999])
        (outside,) = context(x, out=np.zeros(1, np.int64))
        np.testing.assert_array_equal(outside, [3, 500, 999])
        (none,) = context(np.zeros(5, np.float32))
        self.assertEqual(none.shape, (0,))
        # Memory that was handed over outlives everything.
        del context
        gc.collect()
        np.testing.assert_array_equal(positions, [3, 500, 999])

    def test_names_the_failing_node(self):
        context = self.module.context(function="gather")
        data = np.zeros(5, np.float32)
        self.assertEqual(
            self.refusal(
                weft.Code.OUT_OF_RANGE, lambda: context(data, np.array([1, 100]))
            ),
            "node 'gather_3' (Gather): index 100 at position 1 is out of range [0, 4]",
        )

    def test_devices(self):
        module = weft.load(MODULES / "device32.so")
        x = np.arange(100, dtype=np.int64)
        for device in (None, "emulation", "emulation:0"):
            context = module.context(threads=1, device=device)
            self.assertEqual(context.device, "emulation")
            np.testing.assert_array_equal(context(np.array([0]), x)[0], x)
            self.assertEqual(context.stats["launches"], 1)
            self.assertEqual(context.stats["bytes_to_device"], 800)
        with self.assertRaisesRegex(weft.Error, "has no code for 'cuda:0', only for emulation"):
            weft.load(MODULES / "device32.so", device="cuda:0").context()
        self.assertIsNone(self.module.context().device)

    def test_profile(self):
        events = []
        context = self.module.context(profile=events.append)
        context(self.x, self.bias)
        self.assertEqual([event.kernel for event in events], ["affine", "sum"])
        self.assertEqual(events[0].node, "affine_0")
        self.assertTrue(events[1].fallback)
        self.assertGreaterEqual(events[0].end_ns, events[0].begin_ns)

    def test_threads_run_without_the_interpreter_lock(self):
        # A call that never ends would stop this thread too if it held the lock.
        context = self.module.context(function="busy", threads=1)
        errors = []

        def call():
            try:
                context()
            except weft.Error as error:
                errors.append(error.code)

        other = threading.Thread(target=call)
        other.start()
        time.sleep(0.1)
        began = time.monotonic()
        context.cancel()
        other.join()
        self.assertLess(time.monotonic() - began, 1)
        self.assertEqual(errors, [weft.Code.CANCELLED])

    def test_many_threads_share_a_module(self):
        failures = []

        def work(seed):
            x = np.random.default_rng(seed).random((50, 4), np.float32)
            expected = x * np.array([1, 2, 3, 4], np.float32) + self.bias
            for _ in range(100):
                y, _ = self.module(x, self.bias)
                if not np.array_equal(y, expected):
                    failures.append(seed)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_loads_bytes_and_weights(self):
        module = weft.load(PLAIN.read_bytes())
        np.testing.assert_array_equal(module(self.x, self.bias)[0], self.y)
        self.assertIn(
            "weights file '/nonexistent'",
            self.refusal(
                weft.Code.NOT_FOUND,
                lambda: weft.load(MODULES / "external.so", weights="/nonexistent"),
            ),
        )
        self.assertIn(
            "No such file",
            self.refusal(weft.Code.NOT_FOUND, lambda: weft.load("/nonexistent.so")),
        )
        self.assertIn(
            "no ELF file", self.refusal(3, lambda: weft.load(b"x" * 1000))
        )
        self.assertIn(
            "needs quantum-leap",
            self.refusal(weft.Code.UNAVAILABLE, lambda: weft.load(PLAIN, cpu="future")),
        )

    def test_types_that_numpy_lacks(self):
        from weft import _ffi, _tensor

        bfloat = _ffi.Dtype(4, 16, 1)
        bits = np.zeros(3, np.uint16)
        view = _tensor.view_array(bits, bfloat, None, "input 'x'")
        self.assertEqual(view.tensor.dtype.key, (4, 16))
        try:
            import ml_dtypes
        except ImportError:
            self.assertEqual(_tensor.numpy_dtype(bfloat), np.uint16)
        else:
            self.assertEqual(_tensor.numpy_dtype(bfloat), ml_dtypes.bfloat16)
            array = np.zeros(3, ml_dtypes.bfloat16)
            view = _tensor.view_array(array, bfloat, None, "input 'x'")
            self.assertEqual(view.tensor.dtype.key, (4, 16))
        packed = _tensor.allocate_output(_ffi.Dtype(0, 4, 1), [3, 5])
        self.assertEqual((packed.dtype, packed.shape), (np.dtype("uint8"), (8,)))

    def test_inference_session(self):
        session = weft.InferenceSession(PLAIN)
        first = session.get_inputs()[0]
        self.assertEqual(
            (first.name, first.shape, first.type), ("x", ["batch", 4], "tensor(float)")
        )
        self.assertEqual([o.name for o in session.get_outputs()], ["y", "total"])
        feed = {"bias": self.bias, "x": self.x}
        total, y = session.run(["total", "y"], feed)
        np.testing.assert_array_equal(y, self.y)
        self.assertEqual(len(session.run(None, feed)), 2)
        with self.assertRaises(ValueError):
            session.run(["nope"], feed)
        self.assertIn("needs 'x'", self.refusal(3, lambda: session.run(None, {"bias": 0})))
        (y,) = session.run(["y"], {"bias": self.bias, "x": np.asfortranarray(self.x)})
        np.testing.assert_array_equal(y, self.y)
        self.assertEqual(session.get_providers(), ["CPUExecutionProvider"])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for known in (None, [], ["CPUExecutionProvider"], [("WeftExecutionProvider", {})]):
                weft.InferenceSession(PLAIN, providers=known)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            wanted = ["CUDAExecutionProvider", ("Other", {"device": 0}), "CPUExecutionProvider"]
            weft.InferenceSession(PLAIN, providers=wanted)
        (warning,) = caught
        self.assertEqual(warning.filename, __file__)
        self.assertIn(
            "Specified providers 'CUDAExecutionProvider', 'Other' are not in available",
            str(warning.message),
        )
        self.assertEqual(session.get_overridable_initializers(), [])
        self.assertEqual(session.get_modelmeta().custom_metadata_map, {})

    def test_io_binding(self):
        session = weft.InferenceSession(PLAIN)
        binding = session.io_binding()
        binding.bind_cpu_input("x", self.x)
        bias = weft.OrtValue.ortvalue_from_numpy(self.bias)
        binding.bind_ortvalue_input("bias", bias)
        binding.bind_output("total")
        y = np.zeros((3, 4), np.float32)
        binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
        session.run_with_iobinding(binding)
        np.testing.assert_array_equal(y, self.y)
        first = binding.get_outputs()[0].numpy()
        self.assertEqual(binding.copy_outputs_to_cpu()[0], self.y.sum())
        moved = self.x + 1
        binding.bind_input("x", "cpu", 0, np.float32, moved.shape, moved.ctypes.data)
        session.run_with_iobinding(binding)
        np.testing.assert_array_equal(y, self.module(moved, self.bias)[0])
        self.assertFalse(np.shares_memory(first, binding.get_outputs()[0].numpy()))
        self.assertIn(
            "no output 'z'", self.refusal(3, lambda: binding.bind_output("z"))
        )
        self.assertIn(
            "expected 'cpu'", self.refusal(3, lambda: binding.bind_output("y", "cuda"))
        )
        binding.clear_binding_inputs()
        self.assertIn(
            "needs 'x', 'bias'",
            self.refusal(3, lambda: session.run_with_iobinding(binding)),
        )

    def test_handles_are_not_copied(self):
        for value in (self.module, self.module.context()):
            for copier in (copy.copy, copy.deepcopy, pickle.dumps):
                with self.assertRaisesRegex(TypeError, "cannot be copied"):
                    copier(value)

    def test_modules_are_freed(self):
        before = len(gc.get_objects())
        for _ in range(20):
            module = weft.load(PLAIN, threads=2)
            module(self.x, self.bias)
        del module
        gc.collect()
        self.assertLess(len(gc.get_objects()) - before, 400)


class CompileTest(unittest.TestCase):
    """weft.compile with a stand-in for the compiler that notes its arguments."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        script = Path(self.folder.name) / "weft"
        script.write_text(
            "#!/bin/sh\n"
            f'printf "%s\\n" "$@" > "{self.folder.name}/arguments"\n'
            f'cat "$2" > "{self.folder.name}/model"\n'
            'if grep -q unsupported "$2"; then\n'
            '  echo "[1/8] input"; echo "error: node n: op Magic is unsupported"\n'
            "  exit 3\n"
            "fi\n"
            f'cp "{PLAIN}" "$4"\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        os.environ["WEFT_COMPILER"] = str(script)
        self.addCleanup(os.environ.pop, "WEFT_COMPILER")

    def arguments(self):
        return (Path(self.folder.name) / "arguments").read_text().splitlines()

    def test_compiles_and_loads(self):
        module = weft.compile(b"onnx bytes", cpu="native", opt_level=3)
        self.assertEqual(module.name, "test")
        arguments = self.arguments()
        self.assertEqual(arguments[0], "compile")
        self.assertEqual(arguments[2], "-o")
        self.assertEqual(arguments[4:], ["--cpu=native", "-O3"])
        self.assertEqual(
            (Path(self.folder.name) / "model").read_bytes(), b"onnx bytes"
        )
        path = module.path
        self.assertTrue(os.path.exists(path))
        del module
        gc.collect()
        self.assertFalse(os.path.exists(path))  # the temporary folder goes along

    def test_options_and_output(self):
        class Proto:
            def SerializeToString(self):
                return b"a proto"

        output = Path(self.folder.name) / "out.so"
        weft.compile(
            Proto(), output, dim={"batch": 4, "seq": "1..8"}, quiet=True, x=False, y=None
        )
        self.assertEqual(
            self.arguments()[3:],
            [str(output), "--dim=batch=4", "--dim=seq=1..8", "--quiet"],
        )
        self.assertTrue(output.exists())

    def test_options_with_several_values(self):
        output = Path(self.folder.name) / "out.so"
        weft.compile(
            b"onnx bytes",
            output,
            cpu=["x86-64-v3", "x86-64-v4"],
            shape={"x": "1x3"},
            plugin_option=["a.b=1", "a.c=2"],
        )
        self.assertEqual(
            self.arguments()[4:],
            [
                "--cpu=x86-64-v3,x86-64-v4",
                "--shape=x:1x3",
                "--plugin-option=a.b=1",
                "--plugin-option=a.c=2",
            ],
        )
        with self.assertRaisesRegex(TypeError, "option 'target' takes one value"):
            weft.compile(b"onnx bytes", output, target=["cpu", "other"])

    def test_reports_what_the_compiler_said(self):
        with self.assertRaises(weft.CompileError) as caught:
            weft.compile(b"unsupported")
        error = caught.exception
        self.assertEqual(error.exit_code, 3)
        self.assertEqual(error.code, weft.Code.UNIMPLEMENTED)
        self.assertIn("op Magic is unsupported", str(error))
        self.assertIn("[1/8] input", error.output)

    def test_session_compiles_models(self):
        model = Path(self.folder.name) / "m.onnx"
        model.write_bytes(b"onnx")
        session = weft.InferenceSession(model)
        self.assertEqual(session.get_inputs()[0].name, "x")


if __name__ == "__main__":
    unittest.main()
