"""Where a format's files go: one folder that grows, with the pictures in it, or a single file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np

from segtrack.base.errors import DataError
from segtrack.base.names import level
from segtrack.convert.fitting import Losses
from segtrack.convert.material import Clip, Picture

PICTURES = ("copy", "link", "none")
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Out:
    """What a writer fills.

    Attributes:
        path: a new folder; the file itself where ``single``.
        single: labels go into one file, without pictures.
        pictures: of ``PICTURES``: how they come into the folder.
        losses: told of pictures that are not there.
    """

    path: Path
    single: bool
    pictures: str
    losses: Losses
    made: set[Path] = field(default_factory=set)

    def folder(self, *parts: str) -> Path:
        """A folder below, made when it is asked for first."""
        place = self.path.joinpath(*parts)
        if place not in self.made:
            place.mkdir(parents=True, exist_ok=True)
            self.made.add(place)
        return place

    def put(self, picture: Picture, *parts: str, name: str = "") -> None:
        """The picture, below the folder ``parts``, as ``name`` or its own.

        Raises:
            DataError: a frame cannot be coded.
        """
        if self.single or self.pictures == "none":
            return
        if picture.file is None and picture.pixels is None:
            self.losses.add("no_picture")
            return
        target = self.folder(*parts) / (name or picture.name)
        if picture.file is not None:
            _bring(picture.file, target, self.pictures == "link")
            return
        import cv2

        kind, quality = target.suffix or ".jpg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        done, coded = cv2.imencode(kind, np.asarray(picture.pixels), quality)
        if not done:
            raise DataError(f"frame {picture.frame}: cannot be written as {kind}")
        target.write_bytes(coded.tobytes())

    def put_video(self, clip: Clip, folder: str) -> str:
        """The whole video below ``folder``; its name there, also where it is not there."""
        suffix = clip.file.suffix if clip.file is not None else ".mp4"
        name = f"{level(clip.name)}{suffix}"
        if self.pictures != "none" and clip.file is not None:
            _bring(clip.file, self.folder(folder) / name, self.pictures == "link")
        elif self.pictures != "none":
            self.losses.add("no_video")
        return name


def _bring(source: Path, target: Path, link: bool) -> None:
    if link:
        try:
            os.link(source.resolve(), target)
            return
        except OSError:  # another file system, or one without links
            pass
    shutil.copyfile(source, target)


class Texts:
    """Text files that are open together, each begun when it is asked for first. A context manager.

    Attributes:
        begin, end: write what stands before and behind the rows of a file.
    """

    def __init__(
        self,
        begin: Callable[[TextIO], None] = lambda file: None,
        end: Callable[[TextIO], None] = lambda file: None,
    ) -> None:
        self.begin, self.end = begin, end
        self.files: dict[Path, TextIO] = {}
        self.rows: dict[Path, int] = {}
        self._stack = ExitStack()

    def open(self, path: Path) -> TextIO:
        """The file at ``path``."""
        if path not in self.files:
            file = self._stack.enter_context(path.open("w", encoding="utf-8", newline="\n"))
            self.files[path], self.rows[path] = file, 0
            self.begin(file)
        return self.files[path]

    def row(self, path: Path, text: str) -> None:
        """One more element of a JSON list."""
        file = self.open(path)
        file.write((",\n" if self.rows[path] else "\n") + text)
        self.rows[path] += 1

    def __enter__(self) -> Texts:
        return self

    def __exit__(self, *error: object) -> None:
        with self._stack:
            if error[0] is None:
                for file in self.files.values():
                    self.end(file)


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A new text file (UTF-8, line feeds)."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yield file
