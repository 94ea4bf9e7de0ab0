"""What was uploaded to try a model on: a folder of the project for each video or set of pictures.

``outputs/uploads/2026-11-29_14-55-01-123456_video/street.mp4``: the end of the folder's name says
what is in it, and one that begins with a dot is not whole yet.
"""

from __future__ import annotations

import re
import shutil
import time
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from segtrack.base.errors import DataError, SegtrackError
from segtrack.dataset import is_video, probe_video, read_image_file
from segtrack.view.library import Unknown

FOLDER = Path("outputs") / "uploads"
ROOM = 200 << 20  # bytes of the disk that stay free: a run writes its results there
KINDS = ("video", "pictures")
_KEY = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}_(video|pictures)")
_STALE = 86_400  # s after which what was never finished is removed
_LONGEST = 80  # characters of a name


class TooLarge(SegtrackError):
    """There is no room for it on the disk."""


@dataclass(frozen=True)
class Upload:
    """What can be tried.

    Attributes:
        key: its name in addresses, and of its folder.
        kind: of ``KINDS``.
        path: of the video, or of the folder of pictures; below the folder of the project.
        count: of files; size: bytes of all.
    """

    key: str
    kind: str
    path: Path
    count: int
    size: int

    @property
    def name(self) -> str:
        """For people."""
        if self.kind == "video" or self.count == 1:
            return next(iter(files_of(self.path)), self.path).name
        return f"{self.count} pictures"

    @property
    def when(self) -> str:
        """When it came, as ``2026-11-29 14:55``."""
        day, clock = self.key.split("_")[:2]
        return f"{day} {clock[:5].replace('-', ':')}"


class Uploads:
    """The uploads of a project, in ``outputs/uploads`` of the folder where its command is typed."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.folder = project / FOLDER

    def all(self) -> list[Upload]:
        """Those that are whole, newest first."""
        if not self.folder.is_dir():
            return []
        names = sorted((one.name for one in self.folder.iterdir()), reverse=True)
        found = (self._upload(name) for name in names if _KEY.fullmatch(name))
        return [one for one in found if one.count]

    def get(self, key: str) -> Upload:
        """One of them.

        Raises:
            Unknown: there is none of this name.
        """
        if not _KEY.fullmatch(key) or not (self.folder / key).is_dir():
            raise Unknown("this upload is not there any more: upload it again")
        return self._upload(key)

    def begin(self, size: int) -> str:
        """Make room for files of ``size`` bytes together; the key under which they come.

        Raises:
            TooLarge: the disk has not so much.
        """
        self.require_room(size)
        key = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        self._coming(key).mkdir(parents=True)
        for one in self.folder.glob(".*"):
            if time.time() - one.stat().st_mtime > _STALE:
                shutil.rmtree(one, ignore_errors=True)
        return key

    def require_room(self, size: int) -> None:
        """Refuse what does not fit.

        Raises:
            TooLarge: it does not.
        """
        there = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        free = shutil.disk_usage(there).free - ROOM
        if size > free:
            raise TooLarge(
                f"{in_bytes(size)} do not fit: {there} has {in_bytes(max(0, free))} to spare "
                f"({in_bytes(ROOM)} stay free for results). Remove uploads or other files, or "
                "start segtrack view in a folder of a larger disk"
            )

    def place(self, key: str, name: str) -> Path:
        """Where a file of an upload that is coming is to be written.

        Raises:
            Unknown: no such upload is coming.
        """
        folder = self._coming(key)
        if not re.fullmatch(r"[\d_-]{26}", key) or not folder.is_dir():
            raise Unknown("this upload was ended: begin it again")
        return _free(folder, safe_name(name))

    def judge(self, path: Path) -> None:
        """Look at a file that came. What cannot be used is removed.

        Raises:
            DataError: it is neither a video nor a picture, or a video that is not alone.
        """
        try:
            kind = judged(path)
            others = [one for one in files_of(path.parent) if one != path]
            if others and (kind == "video" or judged(others[0]) == "video"):
                raise DataError(
                    f"{path.name}: is left out: a video is tried alone, and {others[0].name} came "
                    "before it"
                )
        except BaseException:  # what nobody could judge would count as a picture
            path.unlink(missing_ok=True)
            raise

    def finish(self, key: str) -> Upload:
        """All files are there.

        Raises:
            DataError: there is none.
        """
        folder = self.place(key, "x").parent
        files = files_of(folder)
        if not files:
            folder.rmdir()
            raise DataError("there is neither a video nor a picture among these files")
        whole = f"{key}_{judged(files[0]) if len(files) == 1 else 'pictures'}"
        folder.rename(self.folder / whole)
        return self._upload(whole)

    def remove(self, key: str) -> None:
        """Delete an upload, also one that is still coming."""
        if re.fullmatch(r"[\d_-]{26}", key):
            shutil.rmtree(self._coming(key), ignore_errors=True)
        else:
            shutil.rmtree(self.folder / self.get(key).key)

    def _coming(self, key: str) -> Path:
        return self.folder / f".{key}"

    def _upload(self, key: str) -> Upload:
        folder, kind = FOLDER / key, key.rpartition("_")[2]
        files = files_of(self.project / folder)
        size = sum(one.stat().st_size for one in files)
        path = folder / files[0].name if kind == "video" and files else folder
        return Upload(key, kind, path, len(files), size)


def judged(path: Path) -> str:
    """What a file is by its content, of ``KINDS``.

    Raises:
        DataError: it is neither.
    """
    image = read_image_file(str(path), decode=True)
    if not image.error and image.pictures == 1:
        return "pictures"
    try:
        probe_video(path)
    except DataError as error:
        if not is_video(path):
            why = image.error if image.error and is_named_picture(path) else "its content is other"
            raise DataError(f"{path.name}: is neither a video nor a picture ({why})") from error
        raise DataError(str(error).replace(str(path), path.name)) from error
    return "video"


def is_named_picture(path: Path) -> bool:
    """Whether its suffix says that it is a picture."""
    return path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def safe_name(given: str) -> str:
    """A file's name of letters, digits, ``_``, ``-`` and ``.``, whatever the browser said."""
    name = PurePosixPath(given.replace("\\", "/")).name
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name)).strip("._-")
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        return name[:_LONGEST] or "unnamed"
    return f"{stem.strip('._-')[:_LONGEST] or 'unnamed'}.{suffix[:10]}"


def in_bytes(size: int) -> str:
    """For people."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1e3:.1f} kB"


def files_of(folder: Path) -> list[Path]:
    """The files of an upload, by name; of a video's path the file itself."""
    if not folder.is_dir():
        return [folder] if folder.is_file() else []
    return sorted(one for one in folder.iterdir() if one.is_file())


def _free(folder: Path, name: str) -> Path:
    """A name that no other file has: ``-2`` behind those that are taken."""
    path, number = folder / name, 2
    while path.exists():
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        number += 1
    return path
