# What a scene of the demo hands over to the page.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict


@dataclass
class Scene:
    title: str
    description: str
    result: str  # what was found, in one line
    is_as_expected: bool  # whether that is what was put in
    html: str
    figures: Dict[str, Any]  # measure.Figures
