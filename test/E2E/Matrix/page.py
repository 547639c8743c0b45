#===- page.py - The matrix as a picture -------------------------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""A page of its own for the verdicts of a run: for each target a field of elements by
structures, in which each operation has a square whose green part is the share of
its cells (over all scales) that passed. Pointing at a square lists its cells."""

import html

SIDE = 11  # of a square, in pixels
COLORS = {"passed": "#2e8b57", "failed": "#c0392b", "none": "#e6e6e6"}


def square(x, y, verdicts, title):
    tip = f"<title>{html.escape(title)}</title>"
    if not verdicts:
        return (f'<rect x="{x}" y="{y}" width="{SIDE - 1}" height="{SIDE - 1}" '
                f'fill="{COLORS["none"]}">{tip}</rect>')
    share = sum(error is None for error in verdicts) / len(verdicts)
    height = (SIDE - 1) * share
    return (f'<g>{tip}<rect x="{x}" y="{y}" width="{SIDE - 1}" height="{SIDE - 1}" '
            f'fill="{COLORS["failed"]}"/><rect x="{x}" y="{y + SIDE - 1 - height:.1f}" '
            f'width="{SIDE - 1}" height="{height:.1f}" fill="{COLORS["passed"]}"/></g>')


def field(axes, verdicts):
    """The picture of one target; `verdicts` by key (element, scales, structure, operation)."""
    elements, scales, structures, operations = axes
    left, top, gap = 110, 70, 6
    width = len(operations) * SIDE + gap
    parts = []
    for column, structure in enumerate(structures):
        x = left + column * width
        parts.append(f'<text x="{x}" y="{top - 8}" transform="rotate(-35 {x} {top - 8})">'
                     f"{html.escape(structure)}</text>")
    for row, element in enumerate(elements):
        y = top + row * SIDE
        parts.append(f'<text x="{left - 6}" y="{y + SIDE - 2}" text-anchor="end">'
                     f"{html.escape(element)}</text>")
        for column, structure in enumerate(structures):
            for i, operation in enumerate(operations):
                keys = [(element, s, structure, operation) for s in scales]
                found = {k: verdicts[k] for k in keys if k in verdicts}
                lines = [f"{element}, {structure}, {operation}"]
                lines += [f"{k[1]}: {error or 'passed'}" for k, error in found.items()]
                if not found:
                    lines.append("no cell, or not in this run")
                parts.append(square(left + column * width + i * SIDE, y, list(found.values()),
                                    "\n".join(lines)))
    return (f'<svg width="{left + len(structures) * width}" '
            f'height="{top + len(elements) * SIDE + 4}">{"".join(parts)}</svg>')


def write(path, axes, results, seconds):
    """`results`: verdicts by target."""
    sections = []
    for target, verdicts in results.items():
        passed = sum(error is None for error in verdicts.values())
        sections.append(f"<h2>{html.escape(target)}: {passed} of {len(verdicts)} cells passed, "
                        f"{seconds[target]:.0f} s</h2>{field(axes, verdicts)}")
    operations = ", ".join(axes[3])
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Weft: the matrix of formats</title>
<style>body {{ font: 13px sans-serif; margin: 24px }} text {{ font-size: 9px }}</style></head>
<body><h1>Every number format in every operation</h1>
<p>Rows are elements, columns structures; the squares of a field are, from the left, {operations}.
The green part of a square is the share of its scales that passed, red failed, grey has no cell or
was not run.</p>{"".join(sections)}</body></html>
""")
