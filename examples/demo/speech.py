# Speech found in a sound.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
from __future__ import annotations

import io
import subprocess
import wave
from pathlib import Path
from typing import List, Tuple

import numpy as np

from drawing import data_url, polyline
from measure import Subject
from models import SILERO_VAD, fetch
from scene import Scene

RATE = 16000  # samples a second
WINDOW = 512  # samples of a call
CONTEXT = 64  # samples before the window that the model is given again

# Silence in seconds, then what is said.
SCRIPT = [
    (1.6, "en-us", "Weft turns a model into a small native module."),
    (1.8, "en-gb", "This sound was made by a synthesiser, between stretches of noise."),
    (1.2, "de", "Gesprochen wird hier auch deutsch."),
    (2.0, "es", "Y para terminar, algo de espanol."),
]
SILENCE_AT_END = 1.5

Span = Tuple[float, float]  # seconds


def _say(voice: str, text: str) -> np.ndarray:
    """Speech at 16 kHz, peak 1."""
    wav = subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "--stdout", text],
                         check=True, capture_output=True).stdout
    # The synthesiser writes to a pipe, so that the header has no length.
    data = wav[wav.index(b"data") + 8:]
    rate = int.from_bytes(wav[24:28], "little")
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float64)
    # Band-limited resampling: the spectrum up to the new rate's limit.
    count = len(samples) * RATE // rate
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    resampled = np.fft.irfft(spectrum, count)
    resampled = np.trim_zeros(np.where(np.abs(resampled) < 1e-3 * np.abs(resampled).max(), 0, resampled))
    return resampled / np.abs(resampled).max()


def _make_sound() -> Tuple[np.ndarray, List[Span]]:
    """The sound, and where speech is in it."""
    pieces: List[np.ndarray] = []
    spans: List[Span] = []
    position = 0
    for silence, voice, text in SCRIPT:
        pieces.append(np.zeros(int(silence * RATE)))
        speech = 0.5 * _say(voice, text)
        position += len(pieces[-1])
        spans.append((position / RATE, (position + len(speech)) / RATE))
        position += len(speech)
        pieces.append(speech)
    pieces.append(np.zeros(int(SILENCE_AT_END * RATE)))
    sound = np.concatenate(pieces)
    sound = sound[: len(sound) // WINDOW * WINDOW]
    random = np.random.default_rng(7)
    # Noise whose spectrum falls with frequency, as in a street.
    spectrum = np.fft.rfft(random.standard_normal(len(sound)))
    frequencies = np.fft.rfftfreq(len(sound), 1 / RATE)
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(frequencies, 60)), len(sound))
    # It swells and ebbs, louder where nobody speaks.
    level = 0.03 * (1.2 + np.sin(np.arange(len(sound)) / RATE * 1.7))
    for start, end in spans:
        level[int(start * RATE): int(end * RATE)] *= 0.5
    sound = sound + noise / noise.std() * level
    return np.clip(sound, -1, 1).astype(np.float32), spans


def _spans(probabilities: np.ndarray) -> List[Span]:
    """Where speech is: above 0.5, until it stays below 0.35 for 0.1 s."""
    spans: List[Span] = []
    start, below = None, 0
    seconds = WINDOW / RATE
    for index, probability in enumerate(probabilities):
        if start is None:
            if probability >= 0.5:
                start, below = index, 0
        elif probability < 0.35:
            below += 1
            if below * seconds >= 0.1:
                spans.append((start * seconds, (index + 1 - below) * seconds))
                start = None
        else:
            below = 0
    if start is not None:
        spans.append((start * seconds, len(probabilities) * seconds))
    # A breath is no end.
    joined: List[Span] = []
    for span in spans:
        if joined and span[0] - joined[-1][1] < 0.5:
            joined[-1] = (joined[-1][0], span[1])
        else:
            joined.append(span)
    return joined


def _overlap(a: Span, b: Span) -> float:
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def _draw(sound: np.ndarray, probabilities: np.ndarray, truth: List[Span], found: List[Span]) -> str:
    width, seconds = 1000, len(sound) / RATE

    def x(time: float) -> float:
        return time / seconds * width

    parts = [f'<svg viewBox="0 0 {width} 250" role="img" aria-label="The sound over time with the speech found in it">']
    for start, end in found:
        parts.append(f'<rect x="{x(start):.1f}" y="0" width="{x(end) - x(start):.1f}" height="215" class="found"/>')
    columns = np.array_split(sound, width)
    parts.append('<path class="wave" d="' + "".join(
        f"M{i},{75 - 70 * part.max():.1f}V{75.5 - 70 * part.min():.1f}" for i, part in enumerate(columns)) + '"/>')
    step = WINDOW / RATE
    parts.append(polyline(((x((i + 0.5) * step), 205 - 45 * p) for i, p in enumerate(probabilities)), 'class="curve"'))
    parts.append('<line x1="0" x2="1000" y1="182.5" y2="182.5" class="threshold"/>')
    parts.append('<text x="4" y="157">probability of speech</text>')
    for (start, end), (_, _, text) in zip(truth, SCRIPT):
        parts.append(f'<line x1="{x(start):.1f}" x2="{x(end):.1f}" y1="219" y2="219" class="truth"/>')
        parts.append(f'<text x="{x(start):.1f}" y="232"><title>{text}</title>{text[:34]}…</text>')
    for second in range(0, int(seconds) + 1, 2):
        parts.append(f'<text x="{x(second):.1f}" y="248">{second} s</text>')
    parts.append("</svg>")
    return "".join(parts)


def _wav(sound: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def run(models: Path, folder: Path) -> Scene:
    subject = Subject(fetch(SILERO_VAD, models), folder)
    sound, truth = _make_sound()
    padded = np.concatenate((np.zeros(CONTEXT, np.float32), sound))
    state = np.zeros((2, 1, 128), np.float32)
    probabilities = []
    for start in range(0, len(sound), WINDOW):
        feed = {
            "input": padded[None, start: start + CONTEXT + WINDOW].copy(),
            "state": state,
            "sr": np.array(RATE, np.int64),
        }
        probability, state = subject.run(feed).values()
        probabilities.append(float(probability[0, 0]))
    subject.time(feed, "32 ms of sound")

    found = _spans(np.array(probabilities))
    # An utterance is found when most of it is, and nothing else may be.
    heard = sum(any(_overlap(span, other) > 0.6 * (span[1] - span[0]) for other in found) for span in truth)
    extra = sum(all(_overlap(span, other) == 0 for other in truth) for span in found)
    (folder / "speech.wav").write_bytes(_wav(sound))
    html = (
        _draw(sound, np.array(probabilities), truth, found)
        + f'<audio controls src="{data_url("audio/wav", _wav(sound))}"></audio>'
    )
    return Scene(
        "Speech in a sound",
        "Spoken by espeak-ng between stretches of noise; lines below the curve show where. "
        "The shaded spans are what the model found.",
        f"{heard} of {len(truth)} utterances found, {extra} false alarms",
        heard == len(truth) and extra == 0,
        html,
        subject.row(),
    )
