# Tests of compare.py: what it computes from rounds, and a quick run of it all.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

try:
    import numpy as np
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing.name} is not installed")
    sys.exit(77)

BENCH = Path(__file__).resolve().parent.parent.parent / "bench"
sys.path.insert(0, str(BENCH))
import compare  # noqa: E402

BUILD = os.environ["WEFT_BUILD"]


def make_round(mine, other, rate):
    times = [{"hot": mine}, {"hot": other}]
    return {"engines": times, "peaks": {"threads": 1, "fma_gflops": rate}}


class FiguresTest(unittest.TestCase):
    def test_ratios_are_taken_in_each_round(self):
        # The machine halves its speed in the second round: the ratio stays.
        rounds = [make_round(1.0, 2.0, 100), make_round(2.0, 4.0, 50)]
        hot = compare.summarise(rounds, 1, flops=20e9)["hot"]
        self.assertEqual(hot["ratio"], {"median": 2.0, "p10": 2.0, "p90": 2.0})
        self.assertAlmostEqual(hot["weft_share_of_peak"], 0.2)
        self.assertAlmostEqual(hot["peer_share_of_peak"], 0.1)

    def test_slow_rounds_are_dropped(self):
        rounds = [make_round(1, 2, rate) for rate in (100, 99, 101, 92, 50, 94, 200)]
        kept, dropped = compare.keep_steady(rounds)
        self.assertEqual(dropped, 2)
        self.assertNotIn(50, [entry["peaks"]["fma_gflops"] for entry in kept])
        rounds = [make_round(1, 2, None)]
        self.assertEqual(compare.keep_steady(rounds), (rounds, 0))


class RunTest(unittest.TestCase):
    def compare(self, *words):
        return subprocess.run(
            [sys.executable, "-B", BENCH / "compare.py", f"--build={BUILD}", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    def test_quick_run(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "figures.json"
            done = self.compare(
                "--quick", "--peer=onnxruntime", f"--json={file}", "matmul-48",
                "matmul-48-runtime",
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("no figures", done.stdout)
            report = json.loads(file.read_text(encoding="utf-8"))
        self.assertEqual(
            [(s["model"], s["threads"]) for s in report["sessions"]],
            [(m, t) for m in ("matmul-48", "matmul-48-runtime") for t in (1, 2)],
        )
        for session in report["sessions"]:
            self.assertEqual(len(session["raw"]), 3)
            self.assertLessEqual(session["largest_error"]["onnxruntime"], 1)
            self.assertEqual(session["engines"]["weft"]["options"]["variant"],
                             session["engines"]["weft"]["options"]["options"]["cpu"])
            for kind in ("hot", "cold"):
                figures = session["peers"]["onnxruntime"][kind]
                self.assertGreater(figures["weft_seconds"], 0)
                self.assertGreater(figures["ratio"]["median"], 0)
            self.assertGreater(session["peaks"]["read_gbytes"]["median"], 0)

    def test_results_are_compared_first(self):
        done = self.compare(
            "--quick", "--threads=1", "--rtol=0", "--atol=0", "matmul-300"
        )
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("weft and onnxruntime differ by inf times", done.stderr)

    def test_refusals(self):
        for words, sentence in (
            (["--peer=abacus"], "'abacus' is not installed"),
            (["--threads=0"], "is no list of counts"),
            (["--dim=batch"], "is no NAME=N"),
            (["--rounds=0"], "must be at least 1"),
        ):
            done = self.compare(*words)
            self.assertEqual(done.returncode, 2)
            self.assertIn(sentence, done.stderr)
        done = self.compare("nothing-here")
        self.assertEqual(done.returncode, 1)
        self.assertIn("'nothing-here': there is no such model", done.stderr)


class SpreadTest(unittest.TestCase):
    def test_percentiles(self):
        figures = compare.spread(np.arange(11))
        self.assertEqual(figures, {"median": 5.0, "p10": 1.0, "p90": 9.0})


if __name__ == "__main__":
    unittest.main()
