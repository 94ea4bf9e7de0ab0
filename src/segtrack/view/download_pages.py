"""What a run made, to keep: results.json and the annotated video, tables and COCO, all at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, StreamingResponse

from segtrack.base.names import level
from segtrack.convert import COCO, RESULTS, TABLE, Input, convert
from segtrack.runs import KeptRun, KeptVideo
from segtrack.view.library import Library, Unknown
from segtrack.view.zipped import zipped

_MADE = {"tracks.csv": "csv", "coco.json": "coco"}  # formats of ``convert``, by file
RESULTS_FILE = "results.json"
OF_VIDEO = (RESULTS_FILE, "annotated.mp4", "tracks.csv", "coco.json", "mot.txt")
OF_PICTURES = (COCO, TABLE)


def router(library: Library, root: str) -> APIRouter:
    """Routes below ``root``."""
    api = APIRouter()
    making = threading.Lock()

    def of_video(key: str, number: int, name: str) -> Path:
        """A file of a video; what no run keeps is made, once.

        Raises:
            Unknown: there is none.
        """
        kept = library.kept_video(key, number)
        if name not in files_of(kept):
            raise Unknown(f"{kept.name} has no {name[:60]!r}")
        if name in _MADE:
            made = library.scratch / "downloads" / f"{key}-{number}" / name
            with making:
                if not made.is_file():
                    made.parent.mkdir(parents=True, exist_ok=True)
                    convert(Input(RESULTS, (kept.results,)), None, 0, made, _MADE[name], "none")
            return made
        path = kept.results if name == RESULTS_FILE else kept.file(name)
        assert path is not None, "whoever asks has looked"
        return path

    @api.get("/runs/{key}/videos/{number}/files/{name}")
    def video(key: str, number: int, name: str) -> FileResponse:
        path = of_video(key, number, name)
        shown = f"{level(library.kept_video(key, number).name)}-{name}"
        return FileResponse(path, filename=shown)

    @api.get("/runs/{key}/files/{name}")
    def pictures(key: str, name: str) -> FileResponse:
        path = library.run(key).file(f"segment/{name}") if name in OF_PICTURES else None
        if path is None:
            raise Unknown(f"this run has no {name[:60]!r}")
        return FileResponse(path, filename=name)

    @api.get("/runs/{key}/all.zip")
    def everything(key: str) -> StreamingResponse:
        run = library.run(key)

        def files() -> Iterator[tuple[str, Path]]:
            for number, kept in enumerate(run.videos, start=1):
                for name in files_of(kept):
                    yield f"{level(kept.name)}/{name}", of_video(key, number, name)
            for name in files_of_pictures(run):
                if path := run.file(f"segment/{name}"):
                    yield name, path
            if config := run.file("config.yaml"):
                yield config.name, config

        shown = f'attachment; filename="{_ascii(run.name or key)}.zip"'
        headers = {"Content-Disposition": shown}
        return StreamingResponse(zipped(files()), 200, headers, "application/zip")

    return api


def files_of(kept: KeptVideo) -> list[str]:
    """What there is of a video."""
    always = (RESULTS_FILE, *_MADE)
    return [name for name in OF_VIDEO if name in always or kept.has(name)]


def files_of_pictures(run: KeptRun) -> list[str]:
    """What there is of a run's pictures."""
    return [name for name in OF_PICTURES if run.place.names(f"segment/{name}")]


def _ascii(text: str) -> str:
    return level(text).encode("ascii", "ignore").decode() or "run"
