"""Whether a stage changed without its version: what keeps a store from serving old results.

``stages.json`` holds, for each stage, its version and the digest of the source that makes it.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

from segtrack.base.files import digest

SOURCE = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_name("stages.json")
# Raise a stage's number when its code changes what it produces; tests/test_versions.py watches.
VERSIONS = {
    "prepare": 4,
    "train": 2,
    "predict": 1,
    "propose": 1,
    "evaluate": 2,
    "detect": 1,
    "detections": 1,
    "motion": 1,
    "associate": 2,
    "truth": 1,
    "score": 1,
    "render": 1,
}
# Installed packages whose version shapes what a stage produces.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "prepare": ("opencv-python",),
    "train": ("ultralytics", "torch"),
    "predict": ("ultralytics", "torch"),
    "propose": ("ultralytics", "torch"),
    "evaluate": ("pycocotools",),
    "detect": ("ultralytics", "torch"),
    "detections": (),
    "motion": ("opencv-python",),
    "associate": (),  # and those of the tracker
    "truth": (),
    "score": (),
    "render": ("supervision", "av"),
}
# The folders, files and patterns whose code decides what a stage writes.
SOURCES: dict[str, tuple[str, ...]] = {
    "prepare": ("segtrack/dataset", "trafficsim"),
    "train": ("segtrack/model",),
    "predict": ("segtrack/model",),
    "propose": ("segtrack/model",),
    "detect": ("segtrack/model", "segtrack/dataset/video.py"),
    "evaluate": (
        "segtrack/evaluation",
        "segtrack/report/figures.py",
        "segtrack/report/pictures.py",
        "segtrack/report/labels.py",
    ),
    "detections": ("segtrack/model/brought.py", "segtrack/model/predictions.py"),
    "motion": ("segtrack/tracker/motion.py",),
    "associate": ("segtrack/tracker", "segtrack/base/compiled.py"),
    "truth": ("segtrack/scoring", "segtrack/formats"),
    "score": ("segtrack/scoring", "segtrack/formats"),
    "render": ("segtrack/tracker/video.py", "segtrack/report/labels.py"),
}


def changed() -> list[str]:
    """Stages whose source or version differs from the record."""
    known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return [stage for stage, now in current().items() if known.get(stage) != now]


def write() -> None:
    """Record every stage as it is now."""
    RECORD.write_text(json.dumps(current(), indent=1) + "\n")


def current() -> dict[str, dict[str, object]]:
    """Version and source digest of every stage."""
    return {
        stage: {"version": VERSIONS[stage], "source": _source_digest(places)}
        for stage, places in SOURCES.items()
    }


def _source_digest(places: tuple[str, ...]) -> str:
    files: list[Path] = []
    for place in places:
        path = SOURCE / place
        found = path.rglob("*.py") if path.is_dir() else SOURCE.glob(place)
        files += sorted(found)
    texts = {f.relative_to(SOURCE).as_posix(): _code(f) for f in files}
    return digest(texts)[:16]


def _code(file: Path) -> str:
    """The code without comments, layout and docstrings, which change nothing."""
    tree = ast.parse(file.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
