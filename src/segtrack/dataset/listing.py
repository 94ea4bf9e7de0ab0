"""The images that a source names, before they become rows of the catalogue: each file once, with
the splits that it was named in.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterator
from pathlib import Path

from segtrack.dataset.catalogue import Catalogue, ListedImage
from segtrack.dataset.checks import Checks
from segtrack.dataset.pixels import HEAD, OTHERS, SUFFIXES, is_picture
from segtrack.dataset.walking import files_below, is_file
from segtrack.settings import SPLITS

BITS = {split: 1 << i for i, split in enumerate(SPLITS)}
# An image that is named in several splits goes where it does not spoil a score.
PRECEDENCE = ("test", "val", "train", "pool")

LEFT_OUT = "left_out_files"  # a kind of finding
_MOST_SUFFIXES, _SHOWN = 1000, 8
_TABLE = """
CREATE TABLE listed (
    path TEXT PRIMARY KEY, name TEXT, splits INTEGER, size INTEGER, mtime INTEGER,
    wanted TEXT, folded TEXT, label_path TEXT, label_size INTEGER, label_mtime INTEGER);
"""


class Listing:
    """The table of named images in the catalogue's scratch file."""

    def __init__(self, catalogue: Catalogue, checks: Checks, root: Path) -> None:
        self.db = catalogue.db
        self.catalogue = catalogue
        self.checks = checks
        self.root = root
        self.prefix = str(root).rstrip(os.sep) + os.sep
        self.db.execute(_TABLE)

    def add(self, path: str, stat: os.stat_result, splits: int, wanted: str = "") -> bool:
        """Name one image; again for another split adds that.

        Args:
            path: absolute path.
            stat: of the file.
            splits: bits of ``BITS``; 0 where the source does not say.
            wanted: where its label file belongs.

        Returns:
            False for a file name that is not text, which is an error of the data set.
        """
        if not is_text(path):
            hint = "rename it with letters that can be written as UTF-8"
            self.checks.error("file_name", ascii(path), "the name cannot be written as text", hint)
            return False
        if path.startswith(self.prefix):
            name = path[len(self.prefix) :].replace(os.sep, "/")
        else:
            name = Path(os.path.relpath(path, self.root)).as_posix()
        self.db.execute(
            "INSERT INTO listed (path, name, splits, size, mtime, wanted, folded) "
            "VALUES (?,?,?,?,?,?,?) "
            "ON CONFLICT (path) DO UPDATE SET splits = splits | excluded.splits",
            (path, name, splits, stat.st_size, stat.st_mtime_ns, wanted, wanted.casefold()),
        )
        return True

    def finish(self, config: Path) -> None:
        """Give every image at most one split and put all into the catalogue, by name.

        Args:
            config: the file that names the splits, for findings.
        """
        self._undivided(config)
        query = "SELECT path, splits FROM listed WHERE splits & (splits - 1) ORDER BY path"
        for path, mask in self.db.execute(query):
            named = [split for split in SPLITS if mask & BITS[split]]
            kept = next(split for split in PRECEDENCE if split in named)
            message = f"is in {' and '.join(named)}; it is kept in {kept} only"
            self.checks.warn("in_two_splits", path, message, "name it in one split")
        self.catalogue.add(self._rows())

    def _undivided(self, config: Path) -> None:
        """Images that are named for training, with nothing apart to score them on."""
        both = BITS["train"] | BITS["val"]
        query = (
            "SELECT COUNT(*), SUM(splits & ? = ?), SUM(splits & ? != 0) FROM listed "
            "WHERE splits & ? != 0"
        )
        scored = BITS["val"] | BITS["test"]
        values = (both, both, scored, both)
        named, twice, apart = self.db.execute(query, values).fetchone()
        if named and twice == named:
            code, what = "train_is_val", "train and val name the same images"
        elif named and not apart and not self._any(BITS["test"]):
            code, what = "no_val", "names images for train, none for val or test"
        else:
            return
        hint = "name different folders if the images are divided already"
        self.checks.warn(code, str(config), f"{what}; dataset.splits divides them instead", hint)
        self.db.execute("UPDATE listed SET splits = splits & ?", (~both,))

    def _any(self, bit: int) -> bool:
        query = "SELECT 1 FROM listed WHERE splits & ? != 0 LIMIT 1"
        return self.db.execute(query, (bit,)).fetchone() is not None

    def _rows(self) -> Iterator[ListedImage]:
        query = (
            "SELECT name, path, splits, size, mtime, label_path, label_size, label_mtime "
            "FROM listed ORDER BY name"
        )
        for name, path, mask, size, mtime, *label in self.db.execute(query):
            declared = next((split for split in PRECEDENCE if mask & BITS[split]), None)
            label_path, label_size, label_mtime = label
            yield ListedImage(
                name, path, declared, size, mtime, label_path, label_size or 0, label_mtime or 0
            )


def say_unnamed(folder: Path, listing: Listing, by: str) -> None:
    """One line of the pictures below ``folder`` that ``by`` does not name: they are left out."""
    count, first = 0, ""
    folder = Path(os.path.normpath(folder))  # as listed paths are
    for entry in picture_files(folder):
        query = "SELECT 1 FROM listed WHERE path = ?"
        if is_text(entry.path) and listing.db.execute(query, (entry.path,)).fetchone() is None:
            count, first = count + 1, min(first or entry.path, entry.path)
    if count:
        noun = "picture is" if count == 1 else "pictures are"
        example = os.path.relpath(first, folder)
        message = f"{count} {noun} left out, not named in {by}, such as {example}"
        hint = "nothing needs to be done if that is meant"
        listing.checks.warn("unnamed_images", str(folder), message, hint)


class LeftOut:
    """Counts the files of a folder that are no pictures, by suffix."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, str] = {}

    def add(self, path: str) -> None:
        """Count one file."""
        suffix = os.path.splitext(path)[1].lower() or "no suffix"  # noqa: PTH122 (hot loop)
        if suffix not in self.counts and len(self.counts) >= _MOST_SUFFIXES:
            suffix = "others"
        self.counts[suffix] += 1
        self.first.setdefault(suffix, path)

    def say(self, folder: Path, checks: Checks, aside: Container[str] = ()) -> None:
        """One line of all of them, but of the suffixes ``aside``."""
        said = [(s, n) for s, n in self.counts.most_common() if s not in aside]
        if not said:
            return
        count = sum(n for _, n in said)
        kinds = ", ".join(f"{n} {suffix}" for suffix, n in said[:_SHOWN])
        more = f" and {len(said) - _SHOWN} kinds more" if len(said) > _SHOWN else ""
        example = os.path.relpath(self.first[said[0][0]], folder)
        noun = "file is" if count == 1 else "files are"
        message = f"{count} {noun} left out, not read as pictures: {kinds}{more}, such as {example}"
        hint = "save pictures as JPEG or PNG; videos are given by video= or dataset.videos="
        checks.warn(LEFT_OUT, str(folder), message, hint)


def picture_files(folder: Path, left_out: LeftOut | None = None) -> Iterator[os.DirEntry[str]]:
    """Pictures below ``folder``, in no particular order, as a stream.

    By their suffix, or, where that says nothing, by their first bytes.

    Args:
        folder: searched with all its subfolders.
        left_out: counts the other files.

    Raises:
        DataError: a folder cannot be listed, or links lead round in a circle.
    """
    for entry in files_below(folder):
        if _is_image(entry):
            yield entry
        elif left_out is not None:
            left_out.add(entry.path)


def whole_files(
    folder: Path, checks: Checks, aside: Container[str] = ()
) -> Iterator[tuple[str, os.stat_result]]:
    """Path and stat of each picture below ``folder``.

    Broken links and pipes are errors of the data set; other files are said in one line, but those
    of the suffixes ``aside``, which belong there.
    """
    left_out = LeftOut()
    for entry in picture_files(folder, left_out):
        if is_file(entry):
            yield entry.path, entry.stat()
        elif os.path.exists(entry.path):  # noqa: PTH110 (hot loop)
            checks.error("missing_image", entry.path, "is no file (a pipe, a device)", "remove it")
        else:
            hint = "restore the file it points to, or remove the link"
            checks.error("missing_image", entry.path, "is a broken link", hint)
    left_out.say(folder, checks, aside)


def _is_image(entry: os.DirEntry[str]) -> bool:
    suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 (hot loop)
    if suffix in SUFFIXES:
        return True
    if suffix in OTHERS or not is_file(entry):  # a pipe would never end
        return False
    try:
        with open(entry.path, "rb") as file:  # noqa: PTH123 (hot loop)
            return is_picture(file.read(HEAD))
    except OSError:
        return False


def is_text(path: str) -> bool:
    """Whether a file's name is UTF-8, as tables and databases need it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
