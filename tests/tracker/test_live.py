"""results.json of a stream is whole at every moment, on a full disk too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segtrack.model import PredictionsInfo
from segtrack.tracker import TrackRows, TracksInfo, live, validate_results
from segtrack.tracker.live import LiveResults
from segtrack.tracker.postprocess import Tally

RUN = {
    **dict.fromkeys(("mlflow_run_id", "config_hash", "git_commit")),
    "created_at": "2024-01-01T00:00:00+00:00",
}
PREDICTED = PredictionsInfo(("car",), 0, "net", "ab" * 32, imgsz=64, conf_floor=0.1)


def rows(frame: int) -> TrackRows:
    box = np.array([[1.0, 2, 3, 4]], np.float32)
    one = np.ones(1, np.int64)
    none = np.zeros(1, np.int16)
    return TrackRows(frame, one, none, np.ones(1, np.float32), box, [None], none > 0, box)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LiveResults:
    monkeypatch.setattr(live, "FLUSH_S", 0.0)
    monkeypatch.setattr(live, "WORTH", 0)
    info = TracksInfo(("car",), 0, 64, 48, 25.0, {"name": "bytetrack"})
    return LiveResults(tmp_path, "cam", info, PREDICTED, RUN, Tally(1))


def add(results: LiveResults, frame: int) -> None:
    found = rows(frame)
    results._tally.add(frame, found.track_id, found.class_id, found.score)
    results.add(found, frame + 1, frame / 25)


def document(folder: Path) -> dict[str, Any]:
    validate_results(folder / "results.json")
    content: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return content


def test_whole_after_every_frame(results: LiveResults, tmp_path: Path) -> None:
    assert document(tmp_path)["objects"] == []
    for frame in range(4):
        add(results, frame)
        content = document(tmp_path)
        assert [one["frame"] for one in content["objects"]] == list(range(frame + 1))
        assert content["video"]["frame_count"] == frame + 1
        assert content["tracks"][0]["frames_seen"] == frame + 1
    results.close()
    assert len(document(tmp_path)["objects"]) == 4
    assert len((tmp_path / "mot.txt").read_text().splitlines()) == 4


class Full:
    """A file on a disk with room for so many bytes more, which it fills before it says so."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room, self.refused = file, room, 0

    def write(self, text: bytes) -> int:
        end = self.file.seek(0, 2)
        at = self.file.seek(self.place)
        fits = min(len(text), end + self.room - at)
        if fits <= 0:
            self.refused += 1
            raise OSError(28, "No space left on device")
        done = int(self.file.write(text[:fits]))
        self.room -= max(0, at + done - end)
        self.place += done
        return done

    def seek(self, place: int) -> int:
        self.place = place
        return place

    def truncate(self) -> int:
        self.room += self.file.seek(0, 2) - self.place
        return int(self.file.truncate(self.place))

    def close(self) -> None:
        self.file.close()


def test_a_full_disk_leaves_what_was_whole(results: LiveResults, tmp_path: Path) -> None:
    for frame in range(3):
        add(results, frame)
    results._file = full = Full(results._file, 60)  # type: ignore[assignment]
    with pytest.raises(OSError, match="No space left"):
        add(results, 3)
    assert full.refused == 1
    assert [one["frame"] for one in document(tmp_path)["objects"]] == [0, 1, 2]
    full.room = 10_000
    add(results, 4)
    assert [one["frame"] for one in document(tmp_path)["objects"]] == [0, 1, 2, 3, 4]
    results.close()
