# The demo's page: one file, nothing loaded from elsewhere.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import html
import os
import platform
from pathlib import Path
from typing import Any, Dict, List

import onnxruntime
import weft

from measure import ABSOLUTE, RELATIVE

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --paper: #fdfcf9; --quiet: #6a7280; --line: #d9dde3;
        --accent: #b3541e; --found: #f3d9b8; --good: #2e7d4f; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #15181d; --quiet: #98a1ad; --line: #333a44; --accent: #f0a36b;
          --found: #54402a; --good: #7fcf9c; --bad: #ff8a80; } }
body { margin: 2rem auto; max-width: 64rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
       font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 2rem; margin-bottom: 0; } h2 { margin-top: 3rem; }
p, td, th { color: inherit; } .quiet { color: var(--quiet); }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } td, th { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
svg { width: 100%; height: auto; display: block; } audio { width: 100%; margin-top: .5rem; }
svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); }
.found { fill: var(--found); } .wave { stroke: var(--ink); stroke-width: 1; }
.curve { stroke: var(--accent); stroke-width: 1.6; } .threshold { stroke: var(--line); stroke-dasharray: 4 4; }
.truth { stroke: var(--good); stroke-width: 4; } .box { fill: none; stroke: #b3261e; stroke-width: 2; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); font-size: 13px; }
"""

COLUMNS = ["model", "size", "compile", "module", "load", "p50 latency", "ONNX Runtime p50", "input timed",
           "largest difference"]


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _row(outcome: Dict[str, Any]) -> str:
    if "error" in outcome:
        cells = [html.escape(outcome["model"]),
                 f'<td colspan="{len(COLUMNS) - 1}" class="bad">{html.escape(outcome["error"])}</td>']
        return f"<tr><td>{cells[0]}</td>{cells[1]}</tr>"
    row = outcome["figures"]
    cells = [
        outcome["model"],
        f"{row['model_bytes'] / 1e6:.1f} MB",
        f"{row['compile_seconds']:.1f} s",
        f"{row['module_bytes'] / 1e6:.1f} MB",
        f"{1e3 * row['load_seconds']:.2f} ms",
        f"{1e3 * row['p50_seconds']:.2f} ms",
        f"{1e3 * row['peer_p50_seconds']:.2f} ms",
        row["timed_input"],
    ]
    kind = "good" if row["is_equal"] else "bad"
    return ("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
            + f'<td class="{kind}">{row["max_difference"]:.1e} in {row["calls"]} calls</td></tr>')


def _section(outcome: Dict[str, Any]) -> str:
    if "error" in outcome:
        detail = f"<pre>{html.escape(outcome['output'][-4000:])}</pre>" if outcome["output"] else ""
        return (f"<section><h2>{html.escape(outcome['title'])}</h2>"
                f'<p class="bad">{html.escape(outcome["error"])}</p>{detail}</section>')
    kind = "bad" if outcome["verdict"] else "good"
    return (f"<section><h2>{html.escape(outcome['title'])}</h2><p>{html.escape(outcome['description'])}</p>"
            f'{outcome["html"]}<p class="{kind}">{html.escape(outcome["verdict"] or outcome["result"])}</p></section>')


def write_page(path: Path, outcomes: List[Dict[str, Any]]) -> None:
    good = sum(not outcome["verdict"] for outcome in outcomes)
    header = "".join(f"<th>{name}</th>" for name in COLUMNS)
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Weft: three models at work</title><style>{STYLE}</style></head><body>"
        "<h1>Three models at work</h1>"
        '<p class="quiet">ONNX files from public Python packages, compiled by Weft into native modules.</p>'
        f'<p class="{"good" if good == len(outcomes) else "bad"}">{good} of {len(outcomes)} models compile, '
        "equal ONNX Runtime and find what is there.</p>"
        + "".join(_section(outcome) for outcome in outcomes)
        + f'<section><h2>Figures</h2><div class="wide"><table><thead><tr>{header}</tr></thead><tbody>'
        + "".join(_row(outcome) for outcome in outcomes)
        + "</tbody></table></div>"
        f'<p class="quiet">{html.escape(_cpu())}, {weft.usable_threads()} threads for each; '
        f"ONNX Runtime {onnxruntime.__version__}, Weft {weft.runtime_version()}. Latency is the median of at least "
        "20 calls and one second, from Python. Equal means that every output of every call is within "
        f"{ABSOLUTE:g} times its scale plus {RELATIVE:g} of the value.</p></section></body></html>\n"
    )
    temporary = path.with_suffix(".new")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
