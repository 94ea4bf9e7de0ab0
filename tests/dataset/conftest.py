"""Small data sets on disk, and ``prepare`` as one call."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from segtrack.dataset import Dataset, prepare
from segtrack.settings import DatasetSettings

SQUARE = "0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75"


def write_image(path: Path, seed: int, width: int = 64, height: int = 48) -> Path:
    """A JPEG or PNG of noise that differs by ``seed``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), np.uint8)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    path.write_bytes(cv2.imencode(path.suffix.lower(), image)[1].tobytes())
    return path


class YoloFolder:
    """A YOLO data set of ``count`` images, each with one square; tests then change it."""

    def __init__(self, root: Path, count: int = 12, names: str = "[car, person]") -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        for i in range(count):
            write_image(self.image(i), i)
            self.write_label(i, SQUARE)
        self.write_yaml(f"train: images\nval: images\nnames: {names}\n")

    def image(self, number: int) -> Path:
        return self.root / "images" / f"{number:02}.jpg"

    def label(self, number: int) -> Path:
        return self.root / "labels" / f"{number:02}.txt"

    def write_label(self, number: int, text: str) -> None:
        self.label(number).parent.mkdir(exist_ok=True)
        self.label(number).write_text(text + "\n")

    def write_yaml(self, text: str) -> None:
        (self.root / "data.yaml").write_text(text)

    def snapshot(self) -> dict[str, tuple[bytes, int]]:
        """Content and modification time of every file."""
        files = (p for p in sorted(self.root.rglob("*")) if p.is_file())
        return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


@dataclass
class Prepared:
    """What a ``prepare`` gave."""

    dataset: Dataset
    reported: dict[str, float]

    def findings(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self.dataset.folder / "checks.json").read_text())[
            "findings"
        ]
        return found

    def codes(self) -> dict[str, int]:
        """How many findings of each kind."""
        codes = [finding["code"] for finding in self.findings()]
        return {code: codes.count(code) for code in codes}

    def splits(self) -> dict[str, list[str]]:
        """File names by split."""
        return {
            split: [row.file_name for row in self.dataset.iter_images(split)]
            for split in ("train", "val", "test", "pool")
        }


Prepare = Callable[..., Prepared]


@pytest.fixture
def yolo(tmp_path: Path) -> YoloFolder:
    return YoloFolder(tmp_path / "data")


@pytest.fixture
def run(tmp_path: Path) -> Prepare:
    """Calls ``prepare`` into a new folder; the cache lasts for the test."""
    return prepare_into(tmp_path)


def prepare_into(tmp_path: Path) -> Prepare:
    """``prepare`` with a new folder below ``tmp_path`` for each call."""
    count = 0

    def call(settings: DatasetSettings, seed: int = 0) -> Prepared:
        nonlocal count
        count += 1
        folder = tmp_path / f"out-{count}"
        folder.mkdir()
        reported: dict[str, float] = {}

        def report(name: str, value: float, step: int = 0) -> None:
            assert name not in reported
            reported[name] = value

        settings.workers = settings.workers or 1
        prepare(settings, seed, folder, report, tmp_path / "cache")
        # The store renames the folder when it is whole: nothing in it may know its old place.
        moved = folder.rename(tmp_path / f"moved-{count}")
        return Prepared(Dataset.load(moved), reported)

    return call
