# Text found in a picture.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np

from drawing import boxes, data_url, heat_colors, png
from measure import Subject
from models import RAPIDOCR, fetch
from scene import Scene

# Both sides are multiples of 32, as the model wants them.
WIDTH, HEIGHT = 960, 640

# Font, size, x and baseline of the line's start, color, text.
LINES = [
    ("DejaVu-Serif-Bold", 64, 48, 92, "#1c2f4a", "Weft finds text"),
    ("Liberation-Sans", 30, 52, 150, "#333333", "in several fonts and sizes,"),
    ("Liberation-Serif-Italic", 38, 470, 204, "#7a1f1f", "slanted with serifs,"),
    ("DejaVu-Sans-Mono", 24, 52, 264, "#145214", "$ weft run model.onnx --threads=2"),
    ("DejaVu-Sans-Bold", 46, 560, 330, "#fdf6e3", "light on dark"),
    ("Liberation-Sans-Narrow", 34, 60, 390, "#5b3a8c", "narrow letters close together"),
    ("DejaVu-Sans-Condensed", 20, 60, 452, "#222222", "and quite small ones, twenty pixels high"),
    ("Liberation-Mono-Bold", 40, 420, 524, "#0b5e6b", "0123456789"),
    ("DejaVu-Sans-ExtraLight", 44, 60, 600, "#111111", "thin strokes, too"),
]

FOUND = 0.3  # what the heat must reach for text


def _imagemagick() -> str:
    """ImageMagick's program: `magick` since version 7, `convert` before."""
    for name in ("magick", "convert-im6.q16", "/usr/bin/convert", "convert"):
        program = shutil.which(name)
        if program:
            said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stdout
            if "Version: ImageMagick" in said:
                return program
    raise RuntimeError("ImageMagick was not found; scripts/setup demo installs it")


def _render() -> np.ndarray:
    """The picture, [HEIGHT, WIDTH, 3] u8, in the order red, green, blue."""
    command = [_imagemagick(), "-size", f"{WIDTH}x{HEIGHT}", "gradient:#f7f1e1-#c9d8e6", "-depth", "8",
               # Things that are no text: a dark panel, a disc, a curve, stripes.
               "-fill", "#2b3a4a", "-draw", "rectangle 520,272 920,352",
               "-fill", "#d9a441", "-draw", "circle 820,90 820,30",
               "-fill", "none", "-stroke", "#7f9a6b", "-strokewidth", "6",
               "-draw", "bezier 620,600 700,400 820,640 930,420",
               "-stroke", "#9aa7b4", "-strokewidth", "3",
               "-draw", "line 690,560 930,620", "-draw", "line 690,575 930,635", "-stroke", "none"]
    for font, size, x, y, color, text in LINES:
        command += ["-font", font, "-pointsize", str(size), "-fill", color, "-annotate", f"+{x}+{y}", text]
    done = subprocess.run([*command, "rgb:-"], check=False, capture_output=True)
    if done.returncode:
        raise RuntimeError(f"ImageMagick failed: {done.stderr.decode(errors='replace').strip()}")
    return np.frombuffer(done.stdout, np.uint8).reshape(HEIGHT, WIDTH, 3)


def _model_input(picture: np.ndarray) -> Dict[str, np.ndarray]:
    """[1, 3, HEIGHT, WIDTH] f32 in [-1, 1], blue first: the model was trained on
    pictures as OpenCV reads them."""
    scaled = picture[:, :, ::-1].astype(np.float32) / 255
    return {"x": np.ascontiguousarray(((scaled - 0.5) / 0.5).transpose(2, 0, 1)[None])}


Box = Tuple[int, int, int, int]


def _is_found(line: Tuple[str, int, int, int, str, str], found: List[Box]) -> bool:
    """Whether a box covers the first letters of the line at half their height."""
    _, size, x, baseline, _, _ = line
    probe_x, probe_y = x + 1.2 * size, baseline - 0.3 * size
    return any(x0 <= probe_x < x1 and y0 <= probe_y < y1 for x0, y0, x1, y1 in found)


def _is_text(box: Box) -> bool:
    """Whether the box lies on a line that was written."""
    x0, y0, x1, y1 = box
    center_x, center_y = (x0 + x1) / 2, (y0 + y1) / 2
    return any(
        x - size <= center_x <= x + size * len(text) and baseline - 1.3 * size <= center_y <= baseline + 0.6 * size
        for _, size, x, baseline, _, text in LINES
    )


def run(models: Path, folder: Path) -> Scene:
    subject = Subject(fetch(RAPIDOCR, models), folder)
    picture = _render()
    feed = _model_input(picture)
    (heat,) = subject.run(feed).values()
    heat = heat[0, 0]
    subject.time(feed, f"a picture of {WIDTH}x{HEIGHT}")

    found = boxes(heat > FOUND, least_pixels=60)
    seen = sum(_is_found(line, found) for line in LINES)
    extra = sum(not _is_text(box) for box in found)
    rectangles = "".join(
        f'<rect x="{x0 - 4}" y="{y0 - 4}" width="{x1 - x0 + 8}" height="{y1 - y0 + 8}" class="box"/>'
        for x0, y0, x1, y1 in found
    )
    html = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="The picture with the heat map of text over it">'
        f'<image width="{WIDTH}" height="{HEIGHT}" href="{data_url("image/png", png(picture))}"/>'
        f'<image width="{WIDTH}" height="{HEIGHT}" href="{data_url("image/png", png(heat_colors(heat)))}"/>'
        f"{rectangles}</svg>"
    )
    return Scene(
        "Text in a picture",
        "Drawn by ImageMagick in several fonts and sizes, with a few things that are not text. "
        "Over it lies the model's output, a probability for each pixel, and a frame around each area.",
        f"{seen} of {len(LINES)} lines found, {extra} false alarms",
        seen == len(LINES) and extra == 0,
        html,
        subject.row(),
    )
