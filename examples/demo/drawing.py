# Drawing without libraries: PNG files and SVG.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import base64
import struct
import zlib
from typing import Iterable, List, Tuple

import numpy as np


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of pixels [height, width, 3 or 4] u8."""
    height, width, channels = pixels.shape
    color_type = {3: 2, 4: 6}[channels]
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # filter 0 before each row
    rows[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b""))


def data_url(mime_type: str, content: bytes) -> str:
    return f"data:{mime_type};base64,{base64.b64encode(content).decode()}"


def polyline(points: Iterable[Tuple[float, float]], attributes: str) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{text}" fill="none" {attributes}/>'


def heat_colors(values: np.ndarray) -> np.ndarray:
    """Colours [height, width, 4] u8 for values in [0, 1]: clear, then yellow to red."""
    values = np.clip(values, 0, 1)
    stops = np.array([0.0, 0.3, 0.6, 1.0])
    channels = [
        np.interp(values, stops, [255, 255, 255, 200]),
        np.interp(values, stops, [240, 220, 120, 0]),
        np.interp(values, stops, [120, 60, 0, 40]),
        np.interp(values, stops, [0, 130, 170, 190]),
    ]
    return np.stack(channels, -1).astype(np.uint8)


def boxes(mask: np.ndarray, least_pixels: int) -> List[Tuple[int, int, int, int]]:
    """The bounding boxes (x0, y0, x1, y1) of the connected areas of a mask [height, width]."""
    parent: List[int] = []

    def root(label: int) -> int:
        while parent[label] != label:
            parent[label] = parent[parent[label]]
            label = parent[label]
        return label

    # Runs of set pixels, joined with those of the row above that they touch.
    runs: List[Tuple[int, int, int, int]] = []  # row, first, last + 1, label
    above: List[Tuple[int, int, int, int]] = []
    for row, line in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], line.astype(np.int8), [0]))))
        here = []
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist()):
            label = len(parent)
            parent.append(label)
            for _, other_first, other_end, other in above:
                if first <= other_end and other_first <= end:
                    parent[root(label)] = root(other)
            here.append((row, first, end, label))
        runs += here
        above = here

    areas = {}
    for row, first, end, label in runs:
        x0, y0, x1, y1, pixels = areas.get(root(label), (first, row, end, row + 1, 0))
        areas[root(label)] = (min(x0, first), min(y0, row), max(x1, end), row + 1, pixels + end - first)
    return [area[:4] for area in areas.values() if area[4] >= least_pixels]
