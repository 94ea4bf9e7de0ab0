"""Figures of tracking: their numbers, what is marked, and what is left out."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from segtrack.report.figures import LINES, NEUTRAL, save_figure
from segtrack.scoring import tracking_report
from segtrack.scoring.counts import PLAIN_FIELDS, counts_of
from segtrack.scoring.figures import curve_rows, figure_curves, figure_videos, video_rows
from segtrack.scoring.kits import score_kit
from segtrack.scoring.score import SequenceScores
from segtrack.scoring.switch_sheet import BoxRows, Sighting, sightings, switch_sheet
from segtrack.scoring.timeline import figure_timeline, piece_rows
from segtrack.scoring.truth import Truth
from tests.view.made import write_run


def counts(tp: float, fn: float, fp: float, until: int = 19) -> np.ndarray:
    """Perfect tracks of found objects, that match at the first ``until`` thresholds only."""
    reached = np.arange(19) < until
    hit = tp * reached
    hota = np.stack([hit, tp + fn - hit, tp + fp - hit, hit, hit, hit, 0.8 * hit])
    plain = dict.fromkeys(PLAIN_FIELDS, 0.0)
    plain |= {"CLR_TP": tp, "CLR_FN": fn, "CLR_FP": fp, "IDTP": tp, "IDFN": fn, "IDFP": fp}
    return counts_of(hota, plain)


def scores(name: str, **by_class: np.ndarray) -> SequenceScores:
    return SequenceScores(name, {("box", key): value for key, value in by_class.items()})


class TestCurves:
    def test_values_and_means(self, tmp_path: Path) -> None:
        rows = curve_rows(counts(80, 20, 0, until=10))
        assert [row["alpha"] for row in rows][:3] == [0.05, 0.1, 0.15]
        assert [row["DetA"] for row in rows] == [0.8] * 10 + [0.0] * 9
        assert rows[0]["HOTA"] == pytest.approx(0.8**0.5)
        figure = figure_curves(rows, "T")
        texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert texts[0] == f"HOTA, mean {0.8**0.5 * 10 / 19:.3f}"
        assert texts[1:3] == [f"DetA, mean {0.8 * 10 / 19:.3f}", f"AssA, mean {10 / 19:.3f}"]
        loca = figure.axes[0].lines[3].get_ydata()
        assert np.isnan(loca).tolist() == [False] * 10 + [True] * 9
        save_figure(figure, tmp_path / "curve.png", rows)
        assert len((tmp_path / "curve.csv").read_text().splitlines()) == 20

    def test_real_tracks(self, shared_data: Path, tmp_path: Path) -> None:
        """MOTA of the published figures; the curve's mean is the score."""
        source = shared_data / "mot" / "TUD-Stadtmitte"
        (tmp_path / "gt").mkdir()
        (tmp_path / "gt" / source.name).symlink_to(source)
        (tmp_path / "tracks").mkdir()
        (tmp_path / "tracks" / "TUD-Stadtmitte.txt").symlink_to(source / "results" / "CEM.txt")
        found = score_kit("mot15", tmp_path / "gt", tmp_path / "tracks")
        one, everything = video_rows(found, {})
        assert (one["video"], everything["video"]) == ("TUD-Stadtmitte", "all")
        assert round(100 * one["MOTA"], 1) == 56.4
        assert {k: one[k] for k in ("FP", "FN", "IDSW", "MT")} == {
            "FP": 45,
            "FN": 452,
            "IDSW": 7,
            "MT": 5,
        }
        (total,) = found["TUD-Stadtmitte"].counts.values()
        mean = np.mean([row["HOTA"] for row in curve_rows(total)])
        assert one["HOTA"] == pytest.approx(mean, abs=1e-12)


class TestVideos:
    def test_rows_of_videos_roles_and_all(self) -> None:
        given = {
            "a": scores("a", car=counts(80, 20, 0), bus=counts(0, 0, 50)),  # no bus anywhere
            "b": scores("b", car=counts(10, 90, 0)),
            "c": scores("c", car=counts(0, 0, 5)),
        }
        rows = video_rows(given, {"a": "tuning", "b": "test", "c": "tuning"})
        by_name = {row["video"]: row for row in rows}
        assert list(by_name) == ["a", "b", "c", "tuning", "test", "all"]
        nothing = float("nan")  # "c" has no ground truth
        assert {name: row["MOTA"] for name, row in by_name.items()} == pytest.approx(
            {"a": 0.8, "b": 0.1, "c": nothing, "tuning": 0.75, "test": 0.1, "all": 85 / 200},
            nan_ok=True,
        )
        assert (by_name["a"]["role"], by_name["all"]["role"], by_name["all"]["FN"]) == (
            "tuning",
            "combined",
            110,
        )
        assert video_rows(given, {}, "mask") == []

    def test_dots_and_numbers(self, tmp_path: Path) -> None:
        rows = [
            {"video": "b", "role": "test", "HOTA": 0.5, "MOTA": -3.2, "IDF1": 0.25},
            {"video": "all", "role": "combined", "HOTA": 0.75, "MOTA": float("nan"), "IDF1": 0.5},
            {"video": "all", "HOTA": 0.6, "MOTA": 0.7, "IDF1": 0.1},
        ]
        figure = figure_videos(rows)
        (axes,) = figure.axes
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == ["b (test)", "all", "all"]  # a video may have that name
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        np.testing.assert_array_equal(dots[0].get_xdata(), [0.5, 0.6, 0.75])
        np.testing.assert_array_equal(dots[1].get_xdata(), [-1.0, 0.7, np.nan])
        assert [t.get_text() for t in axes.texts][4:8] == ["● MOTA", "-3.200", "0.700", "n/a"]
        save_figure(figure, tmp_path / "videos.png", rows)
        save_figure(figure_videos([]), tmp_path / "none.png", [])


class TestPieces:
    def test_gaps_and_interpolated_rows_make_pieces(self) -> None:
        """Track 1: frames 0 1 | 3 (made) | 4; track 2: frame 1; given in any order."""
        frame = np.array([4, 1, 0, 3, 1])
        track = np.array([1, 1, 1, 1, 2])
        made = np.array([False, False, False, True, False])
        rows = piece_rows(frame, track, np.array([0, 0, 0, 0, 1]), ["car", "bus"], made)
        assert [tuple(row.values()) for row in rows] == [
            (1, "car", 0, 1, False),
            (1, "car", 3, 3, True),
            (1, "car", 4, 4, False),
            (2, "bus", 1, 1, False),
        ]

    def test_no_tracks(self, tmp_path: Path) -> None:
        none = np.array([], int)
        assert piece_rows(none, none, none, []) == []
        figure = figure_timeline([], 0, "empty")
        assert figure.axes[0].get_title(loc="left") == "empty: 0 tracks in 0 frames"
        save_figure(figure, tmp_path / "none.png", [])


def bars(figure) -> LineCollection:  # type: ignore[no-untyped-def]
    """Those of detected pieces."""
    return next(c for c in figure.axes[0].collections if isinstance(c, LineCollection))


class TestTimeline:
    def test_order_gaps_classes_and_switches(self, tmp_path: Path) -> None:
        frame = np.array([5, 6, 0, 1, 3, 4, 2])
        track = np.array([1, 1, 2, 2, 2, 3, 3])
        klass = np.array([0, 0, 0, 0, 0, 1, 1])
        pieces = piece_rows(frame, track, klass, ["car", "bus"])
        figure = figure_timeline(pieces, 10, "street", [(5, 2, 1), (4, 9, 8)])
        (axes,) = figure.axes
        assert [label.get_text() for label in axes.get_yticklabels()] == ["2", "3", "1"]
        ends = [segment.tolist() for segment in bars(figure).get_segments()]
        assert ends == [
            [[4.5, 2], [6.5, 2]],
            [[-0.5, 0], [1.5, 0]],
            [[2.5, 0], [3.5, 0]],
            [[1.5, 1], [2.5, 1]],
            [[3.5, 1], [4.5, 1]],
        ]
        colours = [to_hex(colour).upper() for colour in bars(figure).get_colors()]
        assert colours == [LINES[0], LINES[0], LINES[0], LINES[1], LINES[1]]
        (crosses,) = axes.lines
        assert (list(crosses.get_xdata()), list(crosses.get_ydata())) == ([5], [2])
        ties = axes.collections[2].get_segments()
        assert [tie.tolist() for tie in ties] == [[[5, 0], [5, 2]]]
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        assert texts == ["car (2)", "bus (1)", "id switch"]
        title = axes.get_title(loc="left")
        assert title == "street: 3 tracks in 10 frames, 2 id switches"
        save_figure(figure, tmp_path / "timeline.png", pieces)

    def test_the_longest_of_many(self) -> None:
        """400 tracks of 1 to 400 frames: those of 101 and more are drawn."""
        length = np.arange(1, 401)
        frame = np.concatenate([np.arange(n) for n in length])
        track = np.repeat(length, length)
        pieces = piece_rows(frame, track, np.zeros(len(frame), int), ["car"])
        figure = figure_timeline(pieces, 400, "long")
        assert len(bars(figure).get_segments()) == 300
        assert min(s[1][0] for s in bars(figure).get_segments()) == 100.5
        title = figure.axes[0].get_title(loc="left")
        assert title == "long: the 300 longest of 400 tracks in 400 frames"
        assert figure.get_figheight() < 15

    def test_rare_classes_share_grey(self) -> None:
        ids = np.arange(1, 13)
        names = [f"class {i}" for i in range(13)]
        figure = figure_timeline(piece_rows(ids, ids, ids, names), 20, "v")
        texts = [text.get_text() for text in figure.legends[0].get_texts()]
        assert len(texts) == 8
        assert texts[-1] == "5 other classes (5)"
        colours = [to_hex(colour).upper() for colour in bars(figure).get_colors()]
        assert colours.count(NEUTRAL) == 5


def rows(*lines: tuple[int, int, float]) -> BoxRows:
    """Frame, identity and left edge of boxes of 20 x 40 pixels."""
    table = np.array(lines, float)
    x = table[:, 2]
    box = np.stack([x, np.full(len(x), 30.0), x + 20, np.full(len(x), 70.0)], axis=1)
    return BoxRows(table[:, 0].astype(int), table[:, 1].astype(int), box)


class TestSwitches:
    TRACKS = rows((0, 1, 10), (1, 1, 12), (2, 1, 80), (3, 2, 16), (4, 2, 18))
    TRUTH = rows((0, 7, 10), (1, 7, 12), (2, 7, 14), (3, 7, 16), (4, 7, 18))

    def test_the_old_track_where_it_was_last_on_the_object(self) -> None:
        """Track 1 left the object in frame 2 for something else."""
        ((before, after),) = sightings([(3, 7, 1, 2)], self.TRACKS, self.TRUTH)
        assert before == Sighting(1, 1, (12, 30, 32, 70))
        assert after == Sighting(3, 2, (16, 30, 36, 70))
        ((before, _),) = sightings([(3, 7, 1, 2)], self.TRACKS)
        assert before.frame == 2  # without ground truth its last frame

    def test_tracks_that_are_not_there_are_left_out(self) -> None:
        assert sightings([(3, 7, 9, 2), (2, 7, 1, 2), (0, 7, 1, 1)], self.TRACKS, self.TRUTH) == []

    def test_sheet(self, tmp_path: Path) -> None:
        """The object is green before and red after: its colour is inside the boxes drawn."""
        read: list[int] = []

        def frames() -> Iterator[np.ndarray]:
            for number in range(100):
                read.append(number)
                image = np.full((120, 200, 3), 255, np.uint8)
                image[30:70, 12:32] = (0, 200, 0) if number == 1 else (0, 0, 200)
                yield image

        pairs = sightings([(3, 7, 1, 2)], self.TRACKS, self.TRUTH)
        assert switch_sheet(pairs, frames(), tmp_path / "sheet.png")
        assert read == [0, 1, 2, 3]  # no further than needed
        sheet = cv2.imread(str(tmp_path / "sheet.png"))
        middle = sheet.shape[1] // 2
        green, red = ((sheet == colour).all(axis=2) for colour in ((0, 200, 0), (0, 0, 200)))
        assert green[:, :middle].sum() > 3000 < red[:, middle:].sum()
        assert not green[:, middle:].any() and not red[:, :middle].any()

    def test_nothing_to_show(self, tmp_path: Path) -> None:
        pairs = sightings([(3, 7, 1, 2)], self.TRACKS, self.TRUTH)
        assert not switch_sheet([], [np.zeros((9, 9, 3), np.uint8)], tmp_path / "none.png")
        assert not switch_sheet(pairs, [], tmp_path / "none.png")
        assert not (tmp_path / "none.png").exists()

    def test_many_are_spread_over_the_video(self, tmp_path: Path) -> None:
        """Of 50 switches 10; objects at the border and larger than the image do no harm."""
        boxes = [
            (-30.0, -5.0, 10.0, 50.0),
            (-50.0, -50.0, 250.0, 250.0),
            (150.0, 90.0, 260.0, 99.0),
        ]
        pairs = [
            (Sighting(i, 1, boxes[i % 3]), Sighting(i + 1, 2, boxes[(i + 1) % 3]))
            for i in range(50)
        ]
        used: list[int] = []

        def frames() -> Iterator[np.ndarray]:
            for number in range(60):
                used.append(number)
                yield np.full((100, 200, 3), number, np.uint8)

        assert switch_sheet(pairs, frames(), tmp_path / "many.png", most=10)
        assert used[-1] == 50
        sheet = cv2.imread(str(tmp_path / "many.png"))
        assert sheet.shape[1] > 3 * 600


def test_the_timeline_has_the_switches_of_the_scores_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of boxes where these are scored, whatever masks have."""
    run = write_run(tmp_path / "run", source=False)
    scores = run / "tracking" / "clip" / "scores"
    row = {"name": "clip", "role": None, "tracks": str(run / "store"), "truth": str(scores)}
    report = run / "tracking.json"
    report.write_text(json.dumps([{**row, "scores": str(scores), "video": None}]))
    seen: list[int] = []

    def spied(pieces: Any, frames: int, name: str, switches: Any) -> Any:
        seen.append(len(switches))
        return figure_timeline(pieces, frames, name, switches)

    monkeypatch.setattr(tracking_report, "figure_timeline", spied)
    tracking_report.write_tracking_report(report, tmp_path / "boxes")
    events = json.loads((scores / "events.json").read_text())
    for switch in events["switches"]:
        switch["kind"] = "mask"
    (scores / "events.json").write_text(json.dumps(events))
    tracking_report.write_tracking_report(report, tmp_path / "masks")
    replace(Truth.load(scores), boxes=None).save(tmp_path)
    report.write_text(json.dumps([{**json.loads(report.read_text())[0], "truth": str(tmp_path)}]))
    tracking_report.write_tracking_report(report, tmp_path / "masks alone")
    assert seen == [1, 0, 1]
