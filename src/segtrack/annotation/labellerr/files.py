"""Files before they are sent: what the platform would refuse or lose, and how they divide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.errors import DataError, some
from segtrack.base.files import digest
from segtrack.base.labellerr_api import DATASET_BYTES, DATASET_FILES, SUFFIXES

CALL_FILES, CALL_BYTES = 900, 15 * 1024**2


@dataclass(frozen=True)
class LocalFile:
    """An image or video to be sent.

    Attributes:
        name: under which the platform knows it: the file's own, its suffix in lower case.
        size: bytes. stamp: changes with the content.
    """

    path: Path
    name: str
    size: int
    stamp: str

    @property
    def renamed(self) -> bool:
        """Whether the platform knows it by another name than the folder does."""
        return self.name != self.path.name


def check_files(
    paths: Iterable[Path], stamps: Mapping[Path, str] | None = None, data_type: str = "image"
) -> list[LocalFile]:
    """Files that can be sent, by name. ``b.JPG`` goes as ``b.jpg``: the SDK would skip it silently.

    Args:
        stamps: digests of the files, where known; size and time of change otherwise.
        data_type: ``image`` or ``video``.

    Raises:
        DataError: lists everything that is wrong: no such file, empty, a suffix that the platform
            does not take, characters that it does not take, two files of one name.
    """
    problems: dict[str, list[str]] = defaultdict(list)
    named: dict[str, list[Path]] = defaultdict(list)
    files: list[LocalFile] = []
    for path in paths:
        suffix = path.suffix.lower()
        name = path.name[: len(path.name) - len(suffix)] + suffix
        if suffix not in SUFFIXES[data_type]:
            accepted = ", ".join(SUFFIXES[data_type])
            problems[f"only {accepted} are accepted; convert"].append(str(path))
            continue
        if not name.isprintable() or "\\" in name or '"' in name:
            problems["rename, the name has characters that do not travel"].append(repr(path.name))
            continue
        if not path.is_file():
            problems["no such file"].append(str(path))
            continue
        facts = path.stat()
        if facts.st_size == 0:
            problems["empty (0 bytes); remove or replace"].append(str(path))
            continue
        named[name].append(path)
        stamp = (stamps or {}).get(path) or f"{facts.st_size}-{facts.st_mtime_ns}"
        files.append(LocalFile(path, name, facts.st_size, stamp))
    for name, same in named.items():
        if len(same) > 1:
            where = " and ".join(str(p) for p in same)
            problems["same name, the platform would keep only one; rename"].append(
                f"{name} ({where})"
            )
    if problems:
        lines = [f"{why}: {some(names)}" for why, names in problems.items()]
        raise DataError("files that cannot be sent to Labellerr: " + "; ".join(lines))
    if not files:
        raise DataError("nothing to send to Labellerr: the list of files is empty.")
    return sorted(files, key=lambda f: f.name)


def files_code(files: Sequence[LocalFile]) -> str:
    """Stands for these files: eight hexadecimal digits of a digest of names and contents."""
    return digest([[file.name, file.stamp] for file in files])[:8]


def split(
    files: Sequence[LocalFile], count: int = DATASET_FILES, size: int = DATASET_BYTES
) -> Iterator[list[LocalFile]]:
    """Divide files, in their order, into parts of at most ``count`` files and ``size`` bytes.

    A file that is larger than ``size`` is a part of its own.
    """
    part: list[LocalFile] = []
    total = 0
    for file in files:
        if part and (len(part) == count or total + file.size > size):
            yield part
            part, total = [], 0
        part.append(file)
        total += file.size
    if part:
        yield part
