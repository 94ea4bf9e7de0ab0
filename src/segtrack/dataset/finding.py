"""The image file that another file means by the name that it wrote.

Lists, COCO JSON and the exports of annotation programs name images as they lay on the machine that
wrote them. The file is looked for in this order, for each image by itself; the first that is there
is taken:

1. as written: absolute, or below one of the folders that names begin in;
2. the same with what a program may have done to the text taken back: ``\\`` for ``/``, a URL (its
   path, or the ``d=`` of Label Studio's local files), ``%20`` for a blank;
3. below the data set's folder, the file with the longest common tail: a path of another machine,
   a folder too many or too few, letters in another case or Unicode form;
4. as 3., with another suffix; and without the eight digits that Label Studio puts before a name,
   whose blanks it makes ``_`` and whose other signs it drops.

What is found by 3. and 4. must be the only one with so long a tail. It must not lie elsewhere where
the folder that was named is there (``train/1.jpg`` is missing, rather than ``val/1.jpg``), and no
other name may have led to it.
"""

from __future__ import annotations

import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from segtrack.dataset.checks import Checks
from segtrack.dataset.listing import picture_files
from segtrack.dataset.walking import is_file

_TABLES = """
CREATE TABLE files (path TEXT, name TEXT, stem TEXT, upload TEXT);
CREATE TABLE folders (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE taken (path TEXT PRIMARY KEY, written TEXT) WITHOUT ROWID;
"""
_INDEX = """
CREATE INDEX by_name ON files (name);
CREATE INDEX by_stem ON files (stem);
CREATE INDEX by_upload ON files (upload) WHERE upload IS NOT NULL;
"""
_MOST = 1000  # files of one name that are compared
_UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")  # Label Studio's prefix of an uploaded file
_DROPPED = re.compile(r"[^-\w.]")  # by Django, which Label Studio is made with
RESTORE = "restore the image, mend its name, or name the folder that has it"
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_DRIVE = re.compile(r"^[a-zA-Z]:(?=/)")


class Written(NamedTuple):
    """Where a name stands: the file, its line (0: none), what it is of, for messages, and what to
    do where its image is not there."""

    file: Path
    line: int = 0
    what: str = ""
    hint: str = RESTORE


class NotFound(Exception):
    """No file is meant by a name, or several may be.

    Attributes:
        code: of the finding, ``missing_image`` or ``same_name``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Found(NamedTuple):
    """An absolute path, and whether the name had to be mended for it."""

    path: Path
    mended: bool


class ImageFinder:
    """Finds images by written names; see the module for the order.

    The tree is looked through only once a name was not right; what was found lies in a temporary
    file, so that memory does not grow with the data set.
    """

    def __init__(self, root: Path, bases: Sequence[Path] = (), inside: bool = False) -> None:
        """Look below ``root``; names begin in ``bases``, in this order, then in ``root``.

        Args:
            inside: ``..`` does not lead out of ``root`` and of the folder that a name begins in.
        """
        self.root, self.inside = _absolute(root), inside
        self.bases = tuple(dict.fromkeys((*map(_absolute, bases), self.root)))
        self._db: sqlite3.Connection | None = None

    def take(
        self, written: str, where: Written, checks: Checks, beside: Sequence[Path] = ()
    ) -> Path | None:
        """The file that is meant, or None; what was odd goes to ``checks``.

        Args:
            written: the name as it was written.
            where: the file that wrote it.
            beside: folders that this name may begin in, before the finder's own.

        Returns:
            An absolute path. None where no file is meant, or several may be: an error was noted.
        """
        name = f"{where.what}{written}"
        try:
            path, mended = self.find(written, beside)
        except NotFound as error:
            checks.error(error.code, str(where.file), f"{name} {error}", where.hint, where.line)
            return None
        if mended:
            message = f"{name} is called {self._shown(path)}; it is taken"
            checks.warn("mended_name", str(where.file), message, "correct the name", where.line)
        return path

    def find(self, written: str, beside: Sequence[Path] = ()) -> Found:
        """The file that is meant.

        Raises:
            NotFound: there is none, several may be meant, or another name led to the same file.
        """
        texts, out = list(readings(written)) if written.strip() else [], ""
        for i, text in enumerate(texts):
            for base in (*map(_absolute, beside), *self.bases):
                path = os.path.normpath(os.path.join(base, text))  # noqa: PTH118 (any text)
                if not os.path.isfile(path):  # noqa: PTH113 (False for names that no file can have)
                    continue
                if not self.inside or os.path.isabs(text) or self._below(path, base):  # noqa: PTH117
                    return Found(Path(path), i > 0)
                out = out or path
        parts = path_parts(texts[-1]) if texts else []
        for column, last in _last_names(parts[-1]) if parts else ():
            near = self._by_tail(column, [*parts[:-1], last])
            if near is not None:
                self._take_once(near, "/".join(parts))
                return Found(Path(near), True)
        if out:
            message = f"leads by .. to {out}, out of {self.root}; choose a folder that holds both"
            raise NotFound("missing_image", message)
        raise NotFound("missing_image", f"does not exist (looked in {self.root})")

    def _below(self, path: str, base: Path) -> bool:
        return any(Path(path).is_relative_to(folder) for folder in (self.root, base))

    def _take_once(self, path: str, text: str) -> None:
        db = self._tree()
        db.execute("INSERT OR IGNORE INTO taken VALUES (?,?)", (path, text))
        (first,) = db.execute("SELECT written FROM taken WHERE path = ?", (path,)).fetchone()
        if first != text:
            message = f"may be {self._shown(Path(path))}, which was taken for {first} already"
            raise NotFound("same_name", message)

    def _by_tail(self, column: str, parts: list[str]) -> str | None:
        """The one file whose folders agree longest with ``parts``, all folded."""
        db, (*folders, last) = self._tree(), parts
        query = f"SELECT path FROM files WHERE {column} = ? ORDER BY path LIMIT {_MOST}"
        paths = [str(path) for (path,) in db.execute(query, (last,))]
        if not paths:
            return None
        tails = [_tail(self._folders(path), folders) for path in paths]
        best = [path for path, tail in zip(paths, tails, strict=True) if tail == max(tails)]
        if len(best) > 1:
            shown = " or ".join(self._shown(Path(path)) for path in best[:2])
            more = f", or {len(best) - 2} more" if len(best) > 2 else ""
            raise NotFound("same_name", f"may be {shown}{more}")
        own = self._folders(best[0])
        for folder in folders[: len(folders) - max(tails)]:
            there = db.execute("SELECT 1 FROM folders WHERE name = ?", (folder,)).fetchone()
            if there and folder not in own:
                shown = self._shown(Path(best[0]))
                message = f"is not in the folder {folder}, which is there; {shown} is another's"
                raise NotFound("missing_image", message)
        return best[0]

    def _folders(self, path: str) -> list[str]:
        return path_parts(os.path.relpath(path, self.root))[:-1]

    def _tree(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = sqlite3.connect("", isolation_level=None)  # a temporary file of its own
            self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA cache_size=-8000;" + _TABLES)
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO files VALUES (?,?,?,?)", self._rows())
            self._db.executescript(_INDEX)  # commits
        return self._db

    def _rows(self) -> Iterator[tuple[str, str, str, str | None]]:
        assert self._db is not None
        last = ""
        for entry in filter(is_file, picture_files(self.root)):
            folder = os.path.dirname(entry.path)  # noqa: PTH120 (hot loop)
            if folder != last:
                last, names = folder, [(name,) for name in self._folders(entry.path)]
                self._db.executemany("INSERT OR IGNORE INTO folders VALUES (?)", names)
            name = folded(entry.name)
            upload = _uploaded(name)
            yield entry.path, name, _stem(name), upload if upload != name else None

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def readings(written: str) -> Iterator[str]:
    """The text as written, then as it may have been before a program changed it."""
    yield written
    texts = [written]
    if written != written.strip():
        texts.append(written.strip())
    texts.append(texts[-1].replace("\\", "/"))
    texts.append(_url_path(texts[-1]))
    texts.append(unquote(texts[-1]))
    texts.append(unicodedata.normalize("NFC", texts[-1]))
    for before, text in pairwise(texts):
        if text != before:
            yield text


def _url_path(text: str) -> str:
    """The path of a URL, below its host; what is no URL stays as it is."""
    if "?" in text and (inner := parse_qs(urlsplit(text).query).get("d")):
        return inner[0]  # /data/local-files/?d=folder/1.jpg
    if not _SCHEME.match(text):
        return text
    split = urlsplit(text)
    if split.scheme == "file":
        return split.path[1:] if _DRIVE.match(split.path[1:]) else split.path
    return split.path.lstrip("/")


def path_parts(text: str) -> list[str]:
    """Folded names of folders and file, without ``.``, ``..`` and a drive."""
    names = _DRIVE.sub("", text.replace("\\", "/")).split("/")
    return [folded(name) for name in names if name not in ("", ".", "..")]


def _last_names(name: str) -> Iterator[tuple[str, str]]:
    """Columns and values by which the file is looked for, in order."""
    short = _UPLOAD.sub("", name)
    yield "name", name
    yield "stem", _stem(name)
    yield "stem", name
    if short != name:
        yield "name", short
        yield "stem", _stem(short)
        yield "upload", short


def _uploaded(name: str) -> str:
    """What Label Studio makes of a file's name, without the digits that it puts before it."""
    return _DROPPED.sub("", name.strip().replace(" ", "_"))


def _tail(have: list[str], wanted: list[str]) -> int:
    """How many folders agree, from the file up."""
    count = 0
    for one, other in zip(reversed(have), reversed(wanted), strict=False):
        if one != other:
            break
        count += 1
    return count


def folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 (hot loop)


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))
