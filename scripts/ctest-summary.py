"""Sums up CTest's JUnit reports in the words of CTest.

Usage: ctest-summary.py SECONDS REPORT.xml...

Exit code 1 if a test failed.
"""

# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

import os
import sys
import xml.etree.ElementTree as ElementTree


def main():
    seconds, reports = int(sys.argv[1]), sys.argv[2:]
    total, failed, skipped = 0, [], []
    for report in reports:
        if not os.path.exists(report):  # the shell found none: nothing ran
            continue
        part = os.path.splitext(os.path.basename(report))[0]
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            total += 1
            name = f"{case.get('name')} ({part})"
            if case.get("status") == "run":
                continue
            if case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
                skipped.append(name)
            else:
                failed.append(name)
    passed = total - len(failed)
    percent = 100 * passed // total if total else 0
    print(f"\n{percent}% tests passed, {len(failed)} tests failed out of {total}")
    print(f"\nTotal Test time (real) = {seconds} sec, builds included")
    if skipped:
        print("\nThe following tests did not run:")
        print("".join(f"\t{name}\n" for name in skipped), end="")
    if failed:
        print("\nThe following tests FAILED:")
        print("".join(f"\t{name}\n" for name in failed), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
