"""Runs `weft check` and holds its figures: a test of conformance.

Usage: run.py --weft WEFT --minimum N [--cases LIST --root DIR] [ARGUMENT...]

The arguments go to `weft check`. With --cases, the cases are the folders of
--root that the file names, one a line. Fails when a case fails, and when fewer
than N pass: what is unsupported may only become less.
"""

# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile


def read_cases(path, root):
    with open(path, encoding="utf-8") as lines:
        names = [line.split("#")[0].strip() for line in lines]
    cases = [os.path.join(root, name) for name in names if name]
    for case in cases:
        if not os.path.isdir(case):
            sys.exit(f"{path}: there is no folder {case}")
    return cases


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--weft", required=True)
    parser.add_argument("--minimum", type=int, required=True)
    parser.add_argument("--cases")
    parser.add_argument("--root", default="")
    options, arguments = parser.parse_known_args()
    if options.cases:
        arguments += read_cases(options.cases, options.root)

    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        command = [options.weft, "check", "--quiet", f"--json={report}", *arguments]
        code = subprocess.run(command, check=False).returncode
        # 0: all passed, 3: some are unsupported, 4: some failed.
        if code not in (0, 3, 4) or not os.path.exists(report):
            sys.exit(f"weft check ended with exit code {code}: {' '.join(command)}")
        with open(report, encoding="utf-8") as file:
            cases = json.load(file)["cases"]

    by_verdict = collections.defaultdict(list)
    for case in cases:
        by_verdict[case["verdict"]].append(case)
    # Without the file's name, so that equal reasons are counted together.
    reasons = collections.Counter(
        re.sub(r"/\S+/model\.onnx: ", "", case["reason"]) for case in by_verdict["unsupported"]
    )
    for reason, count in reasons.most_common(40):
        print(f"unsupported {count:3}x {reason}")
    for case in by_verdict["failed"]:
        print(f"FAILED {case['name']}: {case['reason']}")
    slowest = sorted(cases, key=lambda case: -case.get("compile_seconds", 0))[:5]
    for case in slowest:
        print(f"slowest to compile: {case['name']} {case.get('compile_seconds', 0):.1f} s")

    passed = len(by_verdict["passed"])
    if by_verdict["failed"]:
        sys.exit(f"{len(by_verdict['failed'])} cases failed")
    if passed < options.minimum:
        sys.exit(f"{passed} cases passed, expected at least {options.minimum}")
    if passed > options.minimum:
        print(f"{passed} cases passed: the minimum of {options.minimum} can be raised")


if __name__ == "__main__":
    main()
