"""What IN is: images that a data source reads, or tracks; by its files, unless that is said."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segtrack.base.errors import DataError
from segtrack.convert.coco_tracks import has_tracks
from segtrack.convert.cvat_video import is_cvat_video
from segtrack.convert.tracks import results_below
from segtrack.dataset import annotation_files, is_video, layout_of, layout_of_file, what_it_is

IMAGES, PREPARED, RESULTS, CVAT, COCO, TEXT, SEQUENCES = (
    *("images", "prepared", "results", "cvat", "coco", "text", "sequences"),
)
_HEAD = 1 << 16


@dataclass(frozen=True)
class Input:
    """How IN is read.

    Attributes:
        kind: images (by a data source), prepared (a result of the store), or tracks: results, cvat,
            coco, text, sequences.
        paths: the files of tracks, or what was given.
        words: settings that name the data source of images.
    """

    kind: str
    paths: tuple[Path, ...]
    words: tuple[str, ...] = ()

    @property
    def tracks(self) -> bool:
        """Whether it is tracks of videos alone."""
        return self.kind not in (IMAGES, PREPARED)

    @property
    def videos(self) -> bool:
        """Whether it is images that may have videos with ground truth beside them."""
        return self.kind == PREPARED or "dataset=reviewed" in self.words


def input_of(path: Path, track_ids: bool) -> Input:
    """What ``path`` is.

    Args:
        track_ids: the format has room for track ids: COCO that has some is then read as videos.

    Raises:
        DataError: nothing is there, or nothing that segtrack reads.
    """
    if not path.exists():
        raise DataError(f"{path}: is not there; give a folder or file of labels")
    found = _of_folder(path, track_ids) if path.is_dir() else _of_file(path, track_ids)
    if found is None and path.is_dir():
        return Input(SEQUENCES, (path,))
    if found is None:
        hint = "give the folder that holds them, or say what it is: dataset=coco, yolo, ..."
        looks = what_it_is(path) or hint
        raise DataError(f"{path}: is no file of labels that segtrack reads; {looks}")
    return found


def named(path: Path, source: str) -> Input:
    """``path`` as the data source that was said reads it."""
    if source == "sequences":
        return Input(SEQUENCES, (path,))
    words = [f"dataset={source}", f"dataset.path={quoted(path)}"]
    if path.is_file():
        words[1:] = [f"dataset.path={quoted(_home(path))}"]
        words += [f"dataset.annotations={quoted(path)}"] if source == "coco" else []
    return Input(IMAGES, (path,), tuple(words))


def quoted(path: Path) -> str:
    """A path as Hydra's grammar takes any text."""
    text = str(path).replace('"', '\\"')
    return f'"{text}"'


def _of_file(path: Path, track_ids: bool) -> Input | None:
    suffix = path.suffix.lower()
    if suffix == ".xml" and is_cvat_video(path):
        return Input(CVAT, (path,))
    if suffix == ".txt":
        return Input(TEXT, (path,))
    if suffix == ".json" and _is_results(path):
        return Input(RESULTS, (path,))
    if is_video(path):
        raise DataError(f"{path}: is a video, which has no labels; give those, and --video {path}")
    layout = layout_of_file(path, path.parent)
    if layout is None:
        return None
    if not layout.source:
        raise DataError(f"{path}: {layout.says}")
    if layout.source == "coco":
        return Input(COCO, (path,)) if track_ids and has_tracks(path) else named(path, "coco")
    return named(layout.path, layout.source)


def _of_folder(path: Path, track_ids: bool) -> Input | None:
    if (path / "version.json").is_file() and (path / "parent").is_dir():
        return named(path, "reviewed")
    if (path / "dataset.json").is_file() and (path / "images.parquet").is_file():
        return Input(PREPARED, (path,))
    if results := tuple(results_below(path)):
        return Input(RESULTS, results)
    layout = layout_of(path)
    if layout is None:
        return None
    if not layout.source:
        raise DataError(f"{path}: {layout.says}")
    if layout.source == "cvat":
        return _of_cvat(path)
    if layout.source != "coco":
        return named(layout.path, layout.source)
    try:
        files = [one.path for one in annotation_files(path, None)]
    except DataError:  # none of the usual places: the file that says so lies elsewhere
        assert layout.annotations is not None
        return _of_file(layout.annotations, track_ids)
    if track_ids and any(map(has_tracks, files)):
        return Input(COCO, tuple(files))
    return named(path, "coco")


def _of_cvat(path: Path) -> Input:
    """CVAT's XML of videos or of images: they become different things, so not both at once."""
    files = sorted(path.rglob("*.xml"))
    videos = [file for file in files if is_cvat_video(file)]
    if not videos:
        return named(path, "cvat")
    for file in files:
        layout = layout_of_file(file, path) if file not in videos else None
        if layout is not None and layout.source == "cvat":
            raise DataError(
                f"{path}: holds CVAT's XML of images ({file}) and of videos ({videos[0]}); convert "
                "each by itself"
            )
    return Input(CVAT, tuple(videos))


def _home(path: Path) -> Path:
    """The folder that names in a COCO file are relative to, which may lie in ``annotations``."""
    return path.parent.parent if path.parent.name == "annotations" else path.parent


def _is_results(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.read(_HEAD)
    except (OSError, UnicodeDecodeError):
        return False
    return '"schema_version"' in head.lstrip()[:200]
