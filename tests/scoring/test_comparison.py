"""Cells compared: the best, who is like it, the sensitivity guard and the figure."""

import json
import math
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from segtrack import journal as journals
from segtrack.base.errors import DataError, SettingsError
from segtrack.base.statistics import Interval
from segtrack.report.figures import save_figure
from segtrack.scoring.bootstrap import Units
from segtrack.scoring.comparison import ScoredCell, compare_cells, same_trajectories, verdict
from segtrack.scoring.comparison_figure import BELOW, BEST, TIED, figure_differences
from segtrack.scoring.counts import PLAIN_FIELDS, counts_of
from segtrack.scoring.score import SequenceScores
from segtrack.settings import MlflowSettings

SIZE = 200  # objects in a unit


def units(found: list[float]) -> Units:
    """Units of which the tracker found so many objects, with perfect boxes and ids: HOTA is the
    root of the share, MOTA the share."""
    table = []
    for tp in found:
        hota = np.repeat(np.array([tp, SIZE - tp, 0, tp, tp, tp, tp])[:, None], 19, axis=1)
        plain = dict.fromkeys(PLAIN_FIELDS, 0.0)
        plain |= {"CLR_TP": tp, "CLR_FN": SIZE - tp, "IDTP": tp, "IDFN": SIZE - tp}
        table.append(counts_of(hota, plain))
    counts = np.stack(table)
    return Units("chunks", tuple(f"v#{i:02d}" for i in range(len(table))), counts, counts.sum(0))


def cell(name: str, found: list[float], **more: object) -> ScoredCell:
    return ScoredCell(name, {"tracker.knob": name[-1]}, units(found), **more)  # type: ignore[arg-type]


BASE = [100.0, 120, 80, 160, 140, 60, 100, 120, 90, 110]  # 1,080 of 2,000: MOTA 54 %
NOISE = [6.0, -6, 8, -8, 5, -5, 7, -7, 6, -5]


def planted() -> list[ScoredCell]:
    return [
        cell("knob=1", BASE),
        cell("knob=2", [n + 10 for n in BASE], default=True),
        cell("knob=3", [n + 20 for n in BASE]),
        cell("knob=4", [n + 19.9 + d for n, d in zip(BASE, NOISE, strict=True)]),
    ]


def test_the_best_and_who_is_like_it() -> None:
    found = compare_cells(planted(), samples=500)
    assert found.reference == 1
    assert found.reference_name == "the default (knob=2)"
    assert found.scores["MOTA"] == pytest.approx([0.54, 0.59, 0.64, 0.6400], abs=1e-3)
    assert found.best["MOTA"] == 3 or found.best["MOTA"] == 2
    assert found.tied["MOTA"] == (False, False, True, True)
    gap = found.differences["MOTA"][2]
    assert (gap.difference, gap.low, gap.high) == pytest.approx((0.05,) * 3)
    assert found.differences["MOTA"][1] == Interval(0, 0, 0, 0)
    assert found.differences["MOTA"][0].high == pytest.approx(-0.05)
    rows = {row["metric"]: row for row in found.summary_rows()}
    assert list(rows) == ["HOTA", "MOTA", "IDF1"]
    assert rows["MOTA"]["cells like the best"] == 1
    assert rows["MOTA"]["of other cells"] == 3
    assert rows["MOTA"]["reference %"] == 59.0


def test_rows_are_in_percent_and_say_their_place() -> None:
    found = compare_cells(planted()[:3], metrics=["MOTA"], samples=100)
    first, default, best = found.rows()
    assert first == {
        "cell": "knob=1",
        "tracker.knob": "1",
        "reference": "no",
        "MOTA %": 54.0,
        "MOTA difference": -5.0,
        "MOTA 95% low": -5.0,
        "MOTA 95% high": -5.0,
        "MOTA place": "below the best",
    }
    assert (default["reference"], default["MOTA difference"]) == ("yes", 0.0)
    assert (best["MOTA place"], best["MOTA %"]) == ("best", 64.0)


def test_the_best_is_chosen_by_tuning_only() -> None:
    """On the test sequences the other cell is ahead, which must not matter."""
    cells = [
        cell("knob=1", BASE, test=units([150, 150]), default=True),
        cell("knob=2", [n + 10 for n in BASE], test=units([120, 140])),
    ]
    found = compare_cells(cells, metrics=["MOTA"], samples=200)
    (row,) = found.summary_rows()
    assert row["best cell"] == "knob=2"
    assert (row["score %"], row["difference"]) == (59.0, 5.0)
    assert (row["test score %"], row["test difference"]) == (65.0, -10.0)
    assert (row["test 95% low"], row["test 95% high"]) == (-15.0, -5.0)
    assert found.basis == (
        "paired bootstrap over 10 chunks of the tuning sequences, 2 chunks of the test ones"
    )


def test_without_a_default_the_first_is_the_reference() -> None:
    found = compare_cells([cell("knob=1", BASE), cell("knob=2", BASE)], samples=50)
    assert found.reference == 0
    assert found.reference_name == "the first cell (knob=1; no cell has the default settings)"
    assert found.best == {"HOTA": 0, "MOTA": 0, "IDF1": 0}
    assert found.summary_rows()[0]["cells like the best"] == 1


def test_one_cell_is_a_comparison_too() -> None:
    (row,) = compare_cells([cell("knob=1", BASE)], metrics=["MOTA"], samples=20).summary_rows()
    assert (row["best cell"], row["cells like the best"], row["of other cells"]) == ("knob=1", 0, 0)


def test_cells_on_other_units_are_refused() -> None:
    with pytest.raises(DataError, match="no cells to compare"):
        compare_cells([])
    with pytest.raises(DataError, match="not scored on the same chunks: only knob=1 has v#09"):
        compare_cells([cell("knob=1", BASE), cell("knob=2", BASE[:9])])
    with pytest.raises(DataError, match="only one of knob=1 and knob=2 has test sequences"):
        compare_cells([cell("knob=1", BASE, test=units(BASE)), cell("knob=2", BASE)])


@pytest.mark.parametrize(
    ("gap", "expected"),
    [
        (
            Interval(0.0047, 0.0011, 0.0083, 0.99),
            "HOTA: B is better than A by 0.47 points (95% interval +0.11 to +0.83).",
        ),
        (
            Interval(-0.0047, -0.0083, -0.0011, 0.01),
            "HOTA: B is worse than A by 0.47 points (95% interval -0.83 to -0.11).",
        ),
        (
            Interval(0.001, -0.002, 0.004, 0.7),
            "HOTA: A and B cannot be told apart on this data "
            "(+0.10 points, 95% interval -0.20 to +0.40).",
        ),
        (Interval(0.0, 0.0, 0.0, 0.0), "HOTA: A and B score exactly the same."),
        (
            Interval(0.01, math.nan, math.nan, math.nan),
            "HOTA: B differs from A by +1.00 points; with one unit of data nothing can be said "
            "about how sure that is.",
        ),
    ],
)
def test_verdict(gap: Interval, expected: str) -> None:
    assert verdict("HOTA", "A", "B", gap) == expected


class TestSameTrajectories:
    """A grid of a in 1, 2 and b in x, y; the digest says what happened."""

    @staticmethod
    def warn(digests: str, grid: str = "1x 1y 2x 2y") -> list[str]:
        cells = grid.split()
        params = {cell: {"a": int(cell[0]), "b": cell[1]} for cell in cells}
        return same_trajectories(dict(zip(cells, digests, strict=True)), params)

    def test_all_different(self) -> None:
        assert self.warn("pqrs") == []

    def test_a_knob_without_effect(self) -> None:
        assert self.warn("ppqq") == [
            "1x and 1y have byte-identical trajectories: b=x,y had no effect",
            "2x and 2y have byte-identical trajectories: b=x,y had no effect",
        ]

    def test_a_knob_with_an_effect_elsewhere(self) -> None:
        assert self.warn("ppqr") == [
            "1x and 1y have byte-identical trajectories: "
            "b=x,y had no effect here, but has in other cells"
        ]

    def test_neither_knob_has_an_effect(self) -> None:
        assert self.warn("pppp") == [
            "1x, 1y, 2x and 2y have byte-identical trajectories: "
            "a=1,2 had no effect; b=x,y had no effect"
        ]

    def test_two_knobs_that_cancel(self) -> None:
        """1x and 2y are equal, though each knob alone changes something."""
        assert self.warn("pqrp") == [
            "1x and 2y have byte-identical trajectories: a=1,2 had no effect here, but has in "
            "other cells; b=x,y had no effect here, but has in other cells"
        ]

    def test_knobs_that_were_never_varied_alone(self) -> None:
        assert self.warn("pp", "1x 2y") == [
            "1x and 2y have byte-identical trajectories: "
            "a=1,2 was never varied alone; b=x,y was never varied alone"
        ]

    def test_the_same_settings_twice(self) -> None:
        both = {"one": {"a": 1}, "two": {"a": 1}}
        assert same_trajectories({"one": "p", "two": "p"}, both) == [
            "one and two have byte-identical trajectories: they have the same settings"
        ]

    def test_many_cells(self) -> None:
        params = {f"a={i}": {"a": i} for i in range(20)}
        (line,) = same_trajectories(dict.fromkeys(params, "p"), params)
        assert line.startswith("a=0, a=1, a=2, a=3, a=4, a=5 and 14 more cells have byte-identical")
        assert line.endswith("17,18,19 had no effect")

    def test_cells_that_failed_are_left_out(self) -> None:
        params = {name: {"a": name} for name in "123"}
        assert same_trajectories({"1": "p", "3": "q"}, params) == []


class TestFigure:
    def test_order_colours_and_scores(self, tmp_path: Path) -> None:
        found = compare_cells(planted(), samples=200)
        figure = figure_differences(found, "MOTA")
        (axes,) = figure.axes
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert set(names[:2]) == {"knob=3", "knob=4"}
        assert names[2:] == ["knob=2 (reference)", "knob=1"]
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        assert [dot.get_color() for dot in dots] == [BEST, TIED, BELOW, BELOW]
        assert dots[3].get_xdata()[0] == pytest.approx(-5)
        assert [text.get_text() for text in axes.texts][2:4] == ["59.00", "54.00"]
        save_figure(figure, tmp_path / "differences.png", found.rows())
        assert (tmp_path / "differences.png").stat().st_size > 10_000
        assert len((tmp_path / "differences.csv").read_text().splitlines()) == 5

    def test_of_many_cells_the_best_and_the_reference(self) -> None:
        many = [cell(f"knob={i}", [n + i for n in BASE], default=i == 3) for i in range(60)]
        figure = figure_differences(compare_cells(many, samples=20), "HOTA")
        names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert len(names) == 40
        assert (names[0], names[38], names[39]) == ("knob=59", "knob=21", "knob=3 (reference)")
        assert figure.axes[0].get_title(loc="left").endswith("40 of 60 cells")

    def test_one_unit_has_dots_without_whiskers(self, tmp_path: Path) -> None:
        cells = [cell("knob=1", [100], test=units([90])), cell("knob=2", [120], test=units([80]))]
        found = compare_cells(cells, samples=20)
        save_figure(figure_differences(found), tmp_path / "one.png", found.rows())
        assert found.summary_rows()[0]["cells like the best"] == 1  # nothing is known


class TestCompareRuns:
    """scripts/compare_runs.py on runs in a database of their own."""

    @staticmethod
    def run(settings: MlflowSettings, folder: Path, found: dict[str, list[float]]) -> str:
        """A run with box scores of the class car in the layout of ``SequenceScores.load``."""
        folder.mkdir()
        for name, numbers in found.items():
            path = folder / "tracking" / name / "scores" / "counts.npz"
            path.parent.mkdir(parents=True)
            of = units(numbers)
            keys = np.array([("box", "car")])
            arrays = {"counts": of.whole[None], "chunks": of.counts[None]}
            np.savez(path, name=np.array(name), keys=keys, **arrays)
        with journals.record(settings, folder.name, {}) as journal:
            journal.artifact(folder)
        return journal.run_id

    def test_two_runs(
        self,
        script: ModuleType,
        settings: MlflowSettings,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        first = {"v": BASE[:5], "w": BASE[5:]}
        a = self.run(settings, tmp_path / "a", first)
        b = self.run(settings, tmp_path / "b", {k: [n + 10 for n in v] for k, v in first.items()})
        where = f"mlflow.uri='{settings.uri}'"
        words = [a, b, "--metric", "mota", "--samples", "100"]
        assert script.main([*words, "--json", where]) == 0
        figures = json.loads(capsys.readouterr().out)
        assert figures["units"] == {"of": "chunks", "count": 10}
        (row,) = figures["metrics"].values()
        sentence = "MOTA: B is better than A by 5.00 points (95% interval +5.00 to +5.00)."
        assert row.pop("verdict") == sentence
        assert row == pytest.approx(
            {"a": 54, "b": 59, "difference": 5, "low": 5, "high": 5, "share_above_0": 1}
        )
        assert script.main([*words, where]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[2] == "box scores; paired bootstrap, 100 draws of 10 chunks"
        assert lines[-1] == sentence
        assert lines[6].split() == ["MOTA", "54.00", "59.00", "5.00", "5.00", "5.00", "1.00"]

        other = self.run(settings, tmp_path / "c", {"v": BASE[:5]})
        empty = self.run(settings, tmp_path / "d", {})
        for pair, message in [
            ([a, other], f"not scored on the same chunks: only {a} has w#001"),
            ([a, empty], f"run {empty} kept no scores"),
            ([a, "f" * 32], f"{'f' * 32}: no such run in sqlite:///"),
            ([a, b, "--kind", "mask"], "no mask scores of v, w"),
            ([a, b, "--metric", "HOTTA"], "--metric HOTTA: there is no such score"),
            ([a, b, "--level", "95"], "level between 0 and 1"),
        ]:
            assert script.main([*pair, where]) == 2
            assert message in capsys.readouterr().err

    def test_files_of_a_run_from_a_server(
        self, settings: MlflowSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the artifacts are not on this machine, those that fit are fetched."""
        run = self.run(settings, tmp_path / "a", {"v": BASE, "w": BASE})
        pattern = "tracking/*/scores/counts.npz"
        here = journals.run_files(settings, run, pattern, tmp_path)
        monkeypatch.setattr("segtrack.journal.artifacts.local_path", lambda uri: None)
        (tmp_path / "fetched").mkdir()
        fetched = journals.run_files(settings, run, pattern, tmp_path / "fetched")
        assert [SequenceScores.load(path.parent).name for path in fetched] == ["v", "w"]
        assert [p.read_bytes() for p in fetched] == [p.read_bytes() for p in here]
        assert journals.run_files(settings, run, "tracking/*", tmp_path / "fetched") == []
        with pytest.raises(SettingsError, match="no such run"):
            journals.run_files(settings, "nothing", pattern, tmp_path)
