"""Which trackers there are, and what each says of itself."""

import pytest

from segtrack.settings import TrackerSettings
from segtrack.tracker import TRACKERS
from segtrack.tracker.bytetrack import ByteTrackSettings
from segtrack.tracker.ultralytics import BotSortSettings, GmcMethod, OcSortSettings


def test_every_tracker_registers_itself_under_the_name_in_its_settings() -> None:
    assert {"bytetrack", "botsort", "ocsort", "deepocsort", "fasttrack", "tracktrack"} <= set(
        TRACKERS
    )
    for name in TRACKERS:
        kind = TRACKERS.get(name)
        assert (kind.name, kind.settings().name) == (name, name)
        assert kind.version >= 1


def test_what_shapes_one_tracker_does_not_count_for_another() -> None:
    libraries = {name: TRACKERS.get(name).libraries for name in ("bytetrack", "ocsort", "botsort")}
    assert libraries["bytetrack"] == ()
    assert libraries["ocsort"] == ("ultralytics", "lap")
    assert set(libraries["botsort"]) - set(libraries["ocsort"]) == {"opencv-python", "torch"}


@pytest.mark.parametrize(
    ("chosen", "moves", "files"),
    [
        (ByteTrackSettings(), False, []),
        (ByteTrackSettings(camera_motion=True), True, []),
        (OcSortSettings(), False, []),
        (BotSortSettings(model="reid.pt"), False, []),
        (BotSortSettings(model="reid.pt", with_reid=True), False, ["reid.pt"]),
        (BotSortSettings(gmc_method=GmcMethod.orb), False, []),
    ],
)
def test_what_a_tracker_needs(chosen: TrackerSettings, moves: bool, files: list[str]) -> None:
    kind = TRACKERS.get(chosen.name)
    assert kind.needs_motion(chosen) is moves
    assert [str(path) for path in kind.files(chosen)] == files
