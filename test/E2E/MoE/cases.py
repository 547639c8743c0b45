#!/usr/bin/env python3
#===- cases.py - The moe dialect against NumPy ------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Compiles and runs functions of moe operations, and compares them with sequential
references in float64 that were written from the formulas."""

import sys

try:
    import numpy  # noqa: F401
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

import harness
import routing  # noqa: F401
import computing  # noqa: F401
import experts  # noqa: F401
import placement  # noqa: F401

try:
    import onnx  # noqa: F401
except ImportError:
    pass
else:
    import models  # noqa: F401
    import forms  # noqa: F401
    import groups  # noqa: F401
    import capacity  # noqa: F401
    import inputs  # noqa: F401

sys.exit(harness.finish())
