"""Files before they are sent: what the platform would refuse or lose, and how they divide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segtrack.base.content_names import content_name, is_digest
from segtrack.base.errors import DataError, some
from segtrack.base.files import digest
from segtrack.base.labellerr_api import DATASET_BYTES, DATASET_FILES, SUFFIXES, VIDEO_BYTES

CALL_FILES, CALL_BYTES = 900, 15 * 1024**2


@dataclass(frozen=True)
class LocalFile:
    """An image or video to be sent.

    Attributes:
        name: under which the platform knows it: the file's own, with its suffix in lower case and,
            where its digest is known, a part of that (``base.content_names``).
        size: bytes. stamp: changes with the content; its digest where that is known.
    """

    path: Path
    name: str
    size: int
    stamp: str

    @property
    def renamed(self) -> bool:
        """Whether its suffix is in another case on the platform."""
        return self.path.suffix != self.path.suffix.lower()


def check_files(
    paths: Iterable[Path], stamps: Mapping[Path, str] | None = None, data_type: str = "image"
) -> list[LocalFile]:
    """Files that can be sent, by name. ``b.JPG`` goes as ``b.jpg``: the SDK would skip it silently.

    Files of the same bytes have one name, that of the first of them by path.

    Args:
        stamps: digests of the files, where known; size and time of change otherwise.
        data_type: ``image`` or ``video``.

    Raises:
        DataError: lists everything that is wrong: no such file, empty, a suffix that the platform
            does not take, characters that it does not take, a video that is too large, two files
            of one name whose digests are not known.
    """
    problems: dict[str, list[str]] = defaultdict(list)
    named: dict[str, list[LocalFile]] = defaultdict(list)
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
        if data_type == "video" and facts.st_size > VIDEO_BYTES:
            most = f"larger than {VIDEO_BYTES / 1e6:.0f} MB, which is what a video may have; cut or"
            problems[f"{most} compress"].append(f"{path} ({facts.st_size / 1e6:.0f} MB)")
            continue
        stamp = (stamps or {}).get(path) or f"{facts.st_size}-{facts.st_mtime_ns}"
        if data_type == "image":
            name = content_name(name, stamp)
        files.append(LocalFile(path, name, facts.st_size, stamp))
    files = _one_name(files)
    for file in files:
        there = named[file.name]
        if not there or not is_digest(file.stamp) or there[0].stamp != file.stamp:
            there.append(file)
    for name, same in named.items():
        if len(same) > 1:
            where = " and ".join(str(file.path) for file in same)
            problems["same name, the platform would keep only one; rename"].append(
                f"{name} ({where})"
            )
    if problems:
        lines = [f"{why}: {some(names)}" for why, names in problems.items()]
        raise DataError("files that cannot be sent to Labellerr: " + "; ".join(lines))
    if not files:
        raise DataError("nothing to send to Labellerr: the list of files is empty.")
    return sorted(files, key=lambda f: f.name)


def _one_name(files: Sequence[LocalFile]) -> list[LocalFile]:
    """Copies of one picture under the name of the first of them: it is sent once."""
    first: dict[str, str] = {}
    for file in sorted(files, key=lambda file: str(file.path)):
        first.setdefault(file.stamp, file.name)
    return [
        replace(file, name=first[file.stamp]) if is_digest(file.stamp) else file for file in files
    ]


def each_once(files: Iterable[LocalFile]) -> list[LocalFile]:
    """Of several files of one name, which hold the same, the first."""
    return list({file.name: file for file in reversed(list(files))}.values())[::-1]


def contents_code(files: Iterable[LocalFile]) -> str:
    """Stands for what these files hold, whatever they are called: eight hexadecimal digits."""
    return digest(sorted({file.stamp for file in files}))[:8]


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
