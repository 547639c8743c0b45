# Files told apart by their bytes.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import html
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np

from measure import Subject
from models import MAGIKA, fetch
from scene import Scene

SOURCE = Path(__file__).resolve().parents[2]
MOST_OF_A_KIND = 25  # files of one ending
SMALLEST = 200  # bytes: less says too little about a kind

# What people call the files with an ending, as the model's labels; a header may
# be C or C++, and TableGen and MLIR the model has never heard of.
EXPECTED = {
    ".c": {"c"}, ".cpp": {"cpp", "c"}, ".h": {"cpp", "c"}, ".hpp": {"cpp", "c"},
    ".py": {"python"}, ".md": {"markdown"}, ".cmake": {"cmake"}, "CMakeLists.txt": {"cmake"},
    ".toml": {"toml"}, ".so": {"elf"}, ".onnx": {"onnx"}, ".npy": {"npy"}, ".wav": {"wav"},
    "LICENSE": {"txt"}, ".sh": {"shell"}, ".pb": set(), ".td": set(), ".mlir": set(),
}
SKIPPED = {".git", "__pycache__", "corpus", "seeds", "venv", "wheels"}


def _features(content: bytes, config: Dict[str, int]) -> np.ndarray:
    """The model's input [2048]: the first and the last bytes of a file, without
    white space at its ends, filled up with a number that is no byte."""
    block = config["block_size"]

    def fill(part: bytes, size: int, is_end: bool) -> np.ndarray:
        numbers = np.full(size, config["padding_token"], np.int32)
        part = part[-size:] if is_end else part[:size]
        if part:
            numbers[slice(-len(part), None) if is_end else slice(0, len(part))] = np.frombuffer(part, np.uint8)
        return numbers

    begin = fill(content[:block].lstrip(), config["beg_size"], False)
    end = fill(content[-block:].rstrip(), config["end_size"], True)
    return np.concatenate((begin, end))


def _kind(path: Path) -> str:
    if path.name in EXPECTED:
        return path.name
    if path.parent.name == "scripts" and not path.suffix:
        return "scripts/*"
    return path.suffix


def _collect(extra: List[Path]) -> Dict[str, List[Path]]:
    """Files of the repository and a few that were made, by what they are."""
    kinds: Dict[str, List[Path]] = defaultdict(list)
    paths = sorted(
        path for path in SOURCE.rglob("*")
        if path.is_file() and not SKIPPED & set(path.relative_to(SOURCE).parts)
        and not path.relative_to(SOURCE).parts[0].startswith("build")
    )
    for path in paths + extra:
        kind = _kind(path)
        if (kind in EXPECTED or kind == "scripts/*") and path.stat().st_size >= SMALLEST:
            kinds[kind].append(path)
    # Evenly spread, so that no folder has them all.
    return {kind: files[:: -(-len(files) // MOST_OF_A_KIND)] for kind, files in sorted(kinds.items())}


def run(models: Path, folder: Path) -> Scene:
    model = fetch(MAGIKA, models)
    config = json.loads((model.parent / "config.min.json").read_text())
    labels = config["target_labels_space"]
    subject = Subject(model, folder)
    # Each its own call: one file, then all of a kind at once.
    kinds = _collect(sorted(models.rglob("*.onnx")) + sorted(folder.glob("*.so")) + sorted(folder.glob("*.wav")))
    rows: List[Tuple[str, Counter, int, int]] = []
    known = right = total = 0
    for kind, files in kinds.items():
        expected = {"shell", "python"} if kind == "scripts/*" else EXPECTED[kind]
        batch = np.stack([_features(path.read_bytes(), config) for path in files])
        (scores,) = subject.run({"bytes": batch}).values()
        found = Counter(labels[index] for index in scores.argmax(-1))
        agreeing = sum(count for label, count in found.items() if label in expected)
        rows.append((kind, found, len(files), agreeing if expected else -1))
        total += len(files)
        if expected:
            known += len(files)
            right += agreeing
    subject.time({"bytes": batch[:1]}, "one file")

    body = "".join(
        f"<tr><td><code>{html.escape(kind)}</code></td><td>{count}</td><td>"
        + ", ".join(f"{html.escape(label)} ({number})" for label, number in found.most_common(4))
        + ("…" if len(found) > 4 else "")
        + f"</td><td>{'unknown to the model' if agreeing < 0 else f'{agreeing} as their name says'}</td></tr>"
        for kind, found, count, agreeing in rows
    )
    return Scene(
        "Files told apart",
        f"{total} files of this repository and of this demo; the model sees their first and last 1024 bytes, not their names.",
        f"{right} of {known} files are what their name says",
        right >= 0.9 * known,
        "<table><thead><tr><th>name</th><th>files</th><th>found to be</th><th></th></tr></thead>"
        f"<tbody>{body}</tbody></table>",
        subject.row(),
    )
