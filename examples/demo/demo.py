# The demo: three real models at work, and a page about them.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Usage: demo.py FOLDER

Writes FOLDER/index.html. Needs WEFT_COMPILER and WEFT_RUNTIME_LIBRARY;
scripts/demo sets them and builds what they name. Exit code 1 if a model could
not be compiled or run, differs from ONNX Runtime, or did not find what is there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List

import weft

from page import write_page

SCENES = ["speech", "text", "files"]  # modules beside this one
HEADINGS = {
    "speech": ("Speech in a sound", "silero_vad.onnx"),
    "text": ("Text in a picture", "ch_PP-OCRv4_det_infer.onnx"),
    "files": ("Files told apart", "magika (model.onnx)"),
}
SCENE_SECONDS = 900


def first_error(output: str) -> str:
    """The compiler's first error and the line after it, without the file's path."""
    lines = output.splitlines()
    for index, line in enumerate(lines):
        if line.startswith("error: "):
            text = re.sub(r"^error: (\S+\.onnx: )?", "", line)
            return " ".join([text, *(more.strip() for more in lines[index + 1 : index + 2] if text.endswith(":"))])
    return lines[-1] if lines else "it said nothing"


def run_scene(name: str, folder: Path) -> None:
    """Runs a scene in this process and writes its outcome."""
    outcome: Dict[str, Any] = {}
    try:
        scene = importlib.import_module(name).run(folder / "models", folder)
        outcome = asdict(scene)
    except weft.CompileError as error:
        outcome = {"error": f"does not compile (exit code {error.exit_code}): {first_error(error.output)}",
                   "output": error.output}
    except Exception as error:  # the page reports whatever went wrong
        outcome = {"error": f"{type(error).__name__}: {error}", "output": traceback.format_exc()}
    (folder / f"{name}.json").write_text(json.dumps(outcome))


def scene_outcome(name: str, folder: Path) -> Dict[str, Any]:
    """Runs a scene in a process of its own, so that nothing in it ends the demo."""
    path = folder / f"{name}.json"
    path.unlink(missing_ok=True)
    try:
        done = subprocess.run([sys.executable, __file__, str(folder), f"--scene={name}"],
                              timeout=SCENE_SECONDS, check=False)
        code: Any = done.returncode
    except subprocess.TimeoutExpired:
        code = f"none after {SCENE_SECONDS} s"
    if not path.is_file():
        outcome = {"error": f"the process ended with exit code {code} and no result", "output": ""}
    else:
        outcome = json.loads(path.read_text())
    title, model = HEADINGS[name]
    if "figures" in outcome:
        outcome["figures"]["model"] = model
    return {"title": title, "model": model, **outcome}


def verdict(outcome: Dict[str, Any]) -> str:
    """Empty if all is well, else what is not."""
    if "error" in outcome:
        return outcome["error"]
    if not outcome["figures"]["is_equal"]:
        return "differs from ONNX Runtime by more than the tolerance"
    if not outcome["is_as_expected"]:
        return f"did not find what is there: {outcome['result']}"
    return ""


def print_table(outcomes: List[Dict[str, Any]]) -> None:
    print(f"\n{'model':28} {'compile':>9} {'module':>9} {'load':>9} {'p50':>9} {'ORT p50':>9} {'difference':>11}")
    for outcome in outcomes:
        if "error" in outcome:
            print(f"{outcome['model']:28} FAILED: {outcome['error']}")
            continue
        row = outcome["figures"]
        print(f"{outcome['model']:28} {row['compile_seconds']:7.1f} s {row['module_bytes'] / 1e6:6.1f} MB "
              f"{1e3 * row['load_seconds']:6.2f} ms {1e3 * row['p50_seconds']:6.2f} ms "
              f"{1e3 * row['peer_p50_seconds']:6.2f} ms {row['max_difference']:11.1e}   {row['timed_input']}")
    print()
    for outcome in outcomes:
        problem = verdict(outcome)
        print(f"{outcome['title']}: {'FAILED: ' + problem if problem else outcome['result']}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scene", choices=SCENES)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.scene:
        run_scene(arguments.scene, folder)
        return 0
    outcomes = []
    for name in SCENES:
        print(f"{HEADINGS[name][0]} ({HEADINGS[name][1]}) ...", flush=True)
        outcomes.append(scene_outcome(name, folder))
    for outcome in outcomes:
        outcome["verdict"] = verdict(outcome)
    page = folder / "index.html"
    write_page(page, outcomes)
    print_table(outcomes)
    print(f"\nThe page: {page}")
    return 1 if any(outcome["verdict"] for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
