"""A run whose video can be counted, and pages on it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import requests

from segtrack.runs import find
from segtrack.settings import MlflowSettings
from segtrack.tracker import TrackRows
from segtrack.view import Library, start_view
from tests.view.made import write_run


@dataclass(frozen=True)
class Served:
    """Pages on runs A and B (``folder-1`` and ``folder-2``)."""

    library: Library
    url: str
    address: str
    folders: tuple[Path, Path]

    def get(self, path: str, **options: object) -> requests.Response:
        return requests.get(self.address + path, timeout=30, **options)  # type: ignore[arg-type]


def as_b(rows: TrackRows) -> TrackRows:
    """B is A, but for track 1 being 21 from frame 70 on, and track 2 lacking in frames 20 to 29."""
    ids = np.where((rows.track_id == 1) & (rows.frame >= 70), 21, rows.track_id)
    kept = np.flatnonzero((ids != 2) | (rows.frame < 20) | (rows.frame > 29))
    order = kept[np.argsort(ids[kept])]
    return replace(
        rows,
        track_id=ids[order],
        class_id=rows.class_id[order],
        score=rows.score[order],
        bbox_xyxy=rows.bbox_xyxy[order],
        tracker_bbox_xyxy=rows.tracker_bbox_xyxy[order],
        rle=[rows.rle[i] for i in order],
        interpolated=rows.interpolated[order],
    )


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("view")
    runs = write_run(folder / "a"), write_run(folder / "b", as_b)
    settings = MlflowSettings(uri=f"sqlite:///{folder / 'none.db'}")
    library = Library(settings, find(settings, [str(run) for run in runs], folder), folder)
    with start_view(library) as view:
        found = Served(library, view.url, view.address, runs)
        for number in (1, 2):
            assert library.video(f"folder-{number}", 1).index.wait(30)
        yield found
    library.close()
