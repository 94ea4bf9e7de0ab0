"""The images that a source names, before they become rows of the catalogue: each file once, with
the splits that it was named in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from segtrack.base.errors import DataError
from segtrack.dataset.catalogue import Catalogue, ListedImage
from segtrack.dataset.checks import Checks
from segtrack.dataset.image_files import SUFFIXES
from segtrack.settings import SPLITS

BITS = {split: 1 << i for i, split in enumerate(SPLITS)}
# An image that is named in several splits goes where it does not spoil a score.
PRECEDENCE = ("test", "val", "train", "pool")

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


def image_files(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Images below ``folder``, in no particular order, as a stream.

    Raises:
        DataError: a folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    yield from image_files(Path(entry.path))
                elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 (hot)
                    yield entry
    except PermissionError as error:
        raise DataError(
            f"{folder}: cannot be listed ({error.strerror}); check its rights"
        ) from error


def whole_files(folder: Path, checks: Checks) -> Iterator[tuple[str, os.stat_result]]:
    """Path and stat of each image below ``folder``; broken links are errors of the data set."""
    for entry in image_files(folder):
        if entry.is_file():
            yield entry.path, entry.stat()
        else:
            hint = "restore the file it points to, or remove the link"
            checks.error("missing_image", entry.path, "is a broken link", hint)


def is_text(path: str) -> bool:
    """Whether a file's name is UTF-8, as tables and databases need it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
