"""scripts/compare_boxes.py: the figures behind docs/results.md."""

from pathlib import Path

import pytest

from scripts.compare_boxes import compared, main
from segtrack.tracker import Tracks, write_results
from tests.tracker.test_results import PREDICTED, RUN, SEQUENCE, TRACKER, small

__all__ = ["small"]


def test_both_boxes_against_the_extent_of_the_mask(
    small: Tracks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Masks of 3x4 and 5x6 pixels; the tracker's boxes lie 0.5 px to the lower right of the own."""
    folder = tmp_path / "run" / "tracking" / "street"
    folder.mkdir(parents=True)
    write_results(small, SEQUENCE, PREDICTED, TRACKER, RUN, folder)
    own, tracked = compared(tmp_path / "run")
    assert (own["objects"], tracked["objects"]) == (2, 2)  # the third has no mask
    assert own["IoU median"] == f"{(12 / 13 + 1) / 2:.3f}"
    assert tracked["IoU median"] == f"{(8.75 / 16.25 + 27 / 61.5) / 2:.3f}"
    assert own["HOTA"] == "-"
    assert main([str(tmp_path / "run")]) == 0
    assert "tracker's" in capsys.readouterr().out


def test_a_folder_of_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 2
    assert "holds no tracking/*/results.json" in capsys.readouterr().err
