#!/usr/bin/env python3
#===- methods.py - The builders of named methods ----------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""What the builders of IR/Methods.h make, against the rules of the papers in float64.

Usage: methods.py WEFT-MOE-METHODS"""

import subprocess
import sys

import numpy as np

import harness
import reference
from harness import check

rng = np.random.default_rng(8)
T, E = 13, 8


def make(name):
    return subprocess.run([sys.argv[1], name], capture_output=True, text=True, check=True).stdout


def route(name, slots, feed=None, **options):
    logits = rng.standard_normal((T, E)).astype(np.float32)
    feed = feed or {}
    ids, weights = reference.route(logits, slots, **feed, **options)
    have = harness.run(harness.compile(make(name)), {"logits": logits, **feed})
    check(name, have, {"r0": ids, "r1": weights}, 2e-5)


bias = {"bias": rng.standard_normal(E).astype(np.float32)}
route("softmax", 3)
route("normalized", 3, normalize="sum")
route("mixtral", 2, score="identity", normalize="softmax")
route("llama4", 1, score="sigmoid", by_logits=True)
route("deepseek2", 3, groups=(4, 2, "max"), scale=16)
route("deepseek3", 3, bias, score="sigmoid", groups=(4, 2, "top2_sum"), normalize="sum", epsilon=1e-20, scale=2.5)
route("kimi", 3, bias, score="sigmoid", normalize="sum", epsilon=1e-20)
route("deepseek4", 3, bias, score="sqrt_softplus", normalize="sum", epsilon=1e-20, scale=1.5)
route("hash", 3, {"table": np.array([rng.permutation(E)[:3] for _ in range(10)], np.int32),
                  "tokens": rng.integers(0, 10, T)}, select="table")
route("top_p", 5, select="top_p", threshold=0.6)
route("expert_choice", E, select="expert_choice", capacity=2)
route("sinkhorn", 2, score="sigmoid", select="sinkhorn", iterations=20)

ids = np.array([rng.permutation(E)[:2] for _ in range(T)], np.int32)
weights = np.abs(rng.standard_normal((T, 2))).astype(np.float32)
for name, feed, options in (("capacity", {"ids": ids}, {"slot_major": True}),
                            ("prioritized", {"ids": ids, "weights": weights}, {"weights": weights, "drop": "least"})):
    want = reference.plan(ids, E, 2 * T, capacity=2, **options)
    have = harness.run(harness.compile(make(name)), feed)
    check(name, have, {f"r{i}": value for i, value in enumerate(want)}, 0)

sys.exit(harness.finish())
