"""The numbers of a review: shares with intervals, auto-accept, tables by class and band."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from segtrack.annotation import review_figures as figures
from segtrack.annotation.matching import Shape
from segtrack.report.figures import save_figure

NAN = float("nan")


def test_auto_accept() -> None:
    score = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, True, True, False, True])
    image = np.arange(6)
    found = figures.auto_accept(score, right, image)
    assert found is not None
    assert (found.score, found.predictions, found.share) == (0.7, 4, 1.0)
    assert found.low == pytest.approx(4 / (4 + 1.959964**2))
    assert figures.statement(found, 6) == (
        "No score is safe yet for accepting predictions unseen: of the 4 (of 6) scored 0.700 or "
        "more, 4 were accepted as they were (100.0%, 95% interval 51.0% to 100.0%); too few to "
        "tell."
    )
    # What is shown is rounded down, so that nothing that was counted lies below it.
    assert figures.least_score(found._replace(score=0.8999)) == 0.899
    # Equal scores are accepted together: the wrong one of 0.8 spoils both.
    assert figures.auto_accept(score, np.array([1, 1, 0, 1, 1, 1], bool), image)[:2] == (0.9, 1)  # type: ignore[index]
    assert figures.auto_accept(score, np.array([0, 1, 1, 1, 1, 1], bool), image) is None
    assert figures.auto_accept(score[:0], right[:0], image[:0]) is None
    many = figures.auto_accept(np.linspace(0.5, 1, 200), np.ones(200, bool), np.arange(200))
    assert many is not None and many.low > 0.95
    assert figures.statement(many, 1200) == (
        "Predictions may be accepted unseen from that score on: of the 200 (of 1,200) scored 0.500 "
        "or more, 200 were accepted as they were (100.0%, 95% interval 98.1% to 100.0%)."
    )
    assert figures.statement(None, 2431) == (
        "No score is safe for accepting predictions unseen: whatever the threshold, fewer than 95% "
        "of the predictions from it on (of 2,431 in all) were accepted as they were."
    )
    assert figures.statement(None, 0) == "No predictions were reviewed."


def test_acceptance_rows_and_figure(tmp_path: Path) -> None:
    score = np.array([0.25, 0.25, 0.29, 0.95, 1.0])
    rows = figures.acceptance_rows(score, np.array([True, False, False, True, True]), np.arange(5))
    assert [row["predictions"] for row in rows] == [0, 0, 3, 0, 0, 0, 0, 0, 0, 2]
    assert rows[2]["share"] == pytest.approx(1 / 3)
    assert (rows[2]["low"], rows[2]["high"]) == pytest.approx((0.061492, 0.792340), abs=1e-5)
    assert rows[2]["mean_score"] == pytest.approx(0.79 / 3)
    assert rows[0]["share"] is None
    best = figures.AutoAccept(0.95, 2, 1.0, 0.34, 1.0)
    save_figure(figures.figure_acceptance(rows, best), tmp_path / "a.png", rows)
    assert cv2.imread(str(tmp_path / "a.png")) is not None
    empty = figures.acceptance_rows(score[:0], np.zeros(0, bool), np.zeros(0, int))
    save_figure(figures.figure_acceptance(empty, None), tmp_path / "b.png", empty)


def test_outcome_rows() -> None:
    found = figures.Outcomes(
        ("car", "bus"),
        np.array([0, 0, 0, 0, 1, 1]),
        np.array([0, 1, 2, 3, 1, 1]),  # accepted, corrected, deleted, added, corrected, corrected
        np.array([0.9, 0.6, 0.3, NAN, 0.8, 0.81]),
        np.array([1.0, 0.7, NAN, NAN, 0.4, 0.6]),
        np.array([NAN, 0.65, NAN, NAN, NAN, NAN]),
        np.array([NAN, 0.95, NAN, NAN, NAN, NAN]),
        np.arange(6),
    )
    rows = {(row["class"], row["band"]): row for row in figures.outcome_rows(found)}
    assert len(rows) == 12
    car = rows["car", "all"]
    assert [car[k] for k in ("sent", "accepted", "corrected", "deleted", "added")] == [
        3,
        1,
        1,
        1,
        1,
    ]
    assert car["precision"] == pytest.approx(2 / 3) and car["recall"] == pytest.approx(2 / 3)
    assert (car["truth_before"], car["truth_after"]) == (0.65, 0.95)
    assert (rows["car", "high"]["accepted"], rows["car", "medium"]["corrected"]) == (1, 1)
    # A band ends where the platform's does: 0.8 is medium.
    assert (rows["bus", "medium"]["sent"], rows["bus", "high"]["sent"]) == (1, 1)
    assert rows["bus", "low"]["sent"] == 0 and rows["bus", "low"]["precision"] is None
    assert rows["car", "low"]["added"] is None
    total = rows["all", "all"]
    assert total["precision"] == pytest.approx(3 / 5) and total["recall"] == pytest.approx(3 / 5)
    assert total["iou_corrected"] == pytest.approx((0.7 + 0.4 + 0.6) / 3)


def test_gallery(tmp_path: Path) -> None:
    image = np.full((60, 100, 3), 128, np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    square = np.array([[10.0, 10.0], [50.0, 10.0], [50.0, 40.0], [10.0, 40.0]])
    pairs = [
        figures.Pair(tmp_path / "a.png", "a", [Shape("car", square, 0.5)], []),
        figures.Pair(tmp_path / "gone.png", "b", [], []),
    ]
    assert figures.write_gallery(pairs, ("car",), tmp_path / "g.jpg") == 1
    sheet = cv2.imread(str(tmp_path / "g.jpg"))
    assert sheet is not None
    left, right = np.array_split(sheet, 2, axis=1)
    coloured = [int((np.ptp(part.astype(int), axis=2) > 60).sum()) for part in (left, right)]
    assert coloured[0] > 1000 and coloured[1] == 0
    assert figures.write_gallery([], ("car",), tmp_path / "none.jpg") == 0
    assert not (tmp_path / "none.jpg").exists()
