"""Settings compared, by hand: what is claimed, what is only shown, and the figure."""

import math
from pathlib import Path

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.base.statistics import Estimate
from segtrack.report import Basis, Comparison, Setting, compare_settings, figure_differences
from segtrack.report.comparison_figure import BEST, DRAWN, TIED, TOLD
from segtrack.report.figures import INK, save_figure

TUNED = Basis("test sequences", "4 tuning sequences", "tuning")
ALL = Basis("sequences")
SCORES = [0.50, 0.62, 0.41, 0.73, 0.55, 0.66, 0.58]  # of seven sequences of equal size
NOISE = [0.01, -0.02, 0.015, -0.01, 0.02, -0.005, -0.01]  # sums to 0


def estimate(*seeds: list[float]) -> Estimate:
    """The score of all is the mean over units of equal size."""
    alone = np.array(seeds)
    units = alone.shape[1]
    left = (alone.sum(axis=1, keepdims=True) - alone) / max(units - 1, 1)
    names = tuple(f"s{u}" for u in range(units))
    return Estimate(names, np.full(units, 100.0), alone.mean(axis=1), left, alone)


def setting(name: str, *seeds: list[float], tuned: float | None = None, default: bool = False):  # type: ignore[no-untyped-def]
    choice = None if tuned is None else {"HOTA": tuned}
    return Setting(name, {"knob": name[-1]}, {"HOTA": estimate(*seeds)}, choice, default)


def plus(points: float, noise: float = 0.0) -> list[float]:
    return [s + points / 100 + noise * n for s, n in zip(SCORES, NOISE, strict=True)]


def tuned(best: float = 3.0, units: int = 7) -> Comparison:
    """The chosen setting is second on the test sequences."""
    return compare_settings(
        [
            setting("a=1", plus(0)[:units], tuned=0.50, default=True),
            setting("a=2", plus(best, 1)[:units], tuned=0.56),
            setting("a=3", plus(best + 1)[:units], tuned=0.53),
            setting("a=4", plus(-5)[:units], tuned=0.40),
        ],
        TUNED,
    )


def test_the_setting_that_tuning_chose_makes_the_claim_on_test() -> None:
    found = tuned()
    gap = found.claims["HOTA"]
    # Squares of the noise sum to 1.35e-3: its SD is .015, over root 7 .00567; t is 2.447.
    half = 2.446912 * 0.015 / math.sqrt(7)
    assert (found.best, found.reference) == ({"HOTA": 1}, 0)
    assert (gap.difference, gap.low, gap.high) == pytest.approx((0.03, 0.03 - half, 0.03 + half))
    assert found.title == "4 settings, chosen by 4 tuning sequences, measured on 7 test sequences"
    assert found.sentence("HOTA") == (
        "a=2 is better than the default on these 7 test sequences by 3.00 HOTA "
        "(95%: +1.61 to +4.39); 0 of 7 test sequences go the other way"
    )
    (row,) = found.summary_rows()
    ends = {key: row.pop(key) for key in ("95% low", "95% high")}
    assert ends == pytest.approx({"95% low": 1.612725, "95% high": 4.387275}, abs=1e-4)
    assert row == {
        "metric": "HOTA",
        "setting": "a=2",
        "test sequences %": pytest.approx(100 * np.mean(SCORES) + 3),
        "reference %": pytest.approx(100 * np.mean(SCORES)),
        "difference": pytest.approx(3),
        "told": "yes",
        "others like it": "1 of 3",
        "tuning %": 56.0,
        "tuning reference %": 50.0,
    }
    assert found.places["HOTA"] == (
        "below it",
        "chosen",
        "cannot be told from it",
        "below it",
    )
    assert found.notes == []


def test_tuning_figures_have_no_interval() -> None:
    rows = tuned().rows()
    assert [row["tuning HOTA %"] for row in rows] == [50.0, 56.0, 53.0, 40.0]
    assert not any("tuning" in key and "95%" in key for row in rows for key in row)
    assert [row["reference"] for row in rows] == ["yes", "no", "no", "no"]
    assert rows[3]["HOTA difference"] == pytest.approx(-5)


def test_what_cannot_be_told_says_how_many_go_the_other_way() -> None:
    found = tuned(best=0.4)
    said, needed = found.sentence("HOTA").split(". ")
    assert said == (
        "a=2 scores 0.40 HOTA higher than the default on these 7 test sequences "
        "(95%: -0.99 to +1.79), but which is better cannot be told from 7 test sequences; "
        "4 of 7 test sequences go the other way"
    )
    # (1.96 + .84)^2 (1.5 / .4)^2 is 110.
    assert needed.startswith("About 110 test sequences like these would tell")


def test_where_what_chose_is_measured_nothing_tests_the_choice() -> None:
    found = compare_settings(
        [
            setting("a=1", plus(0), default=True),
            setting("a=2", plus(3, 1)),
            setting("a=3", plus(2.5)),
        ],
        ALL,
    )
    gap, alone = found.claims["HOTA"], tuned().claims["HOTA"]
    assert found.best == {"HOTA": 1} and gap.difference == pytest.approx(0.03)
    assert gap.low < alone.low and gap.high > alone.high  # of two settings together
    assert found.title == "3 settings, measured on 7 sequences"
    assert found.notes[0].startswith("nothing tests the choice: ")
    (row,) = found.summary_rows()
    assert row["others like it"] == "1 of 2" and not any("tuning" in key for key in row)
    assert found.places["HOTA"][1] == "best"
    assert "nothing tests the choice" in found.text()


def test_few_units_come_one_by_one_before_any_interval() -> None:
    found, head = tuned(best=0.4, units=3), "HOTA difference of a=2"
    assert found.unit_rows() == [
        {"test sequences": "s0", "weight": 100, head: pytest.approx(1.4)},
        {"test sequences": "s1", "weight": 100, head: pytest.approx(-1.6)},
        {"test sequences": "s2", "weight": 100, head: pytest.approx(1.9)},
    ]
    lines = found.text().splitlines()
    assert lines[:2] == [
        "4 settings, chosen by 4 tuning sequences, measured on 3 test sequences",
        "the default is a=1",
    ]
    assert [line.split()[0] for line in lines[5:8]] == ["s0", "s1", "s2"]
    assert lines[9].startswith(
        "a=2 scores 0.57 HOTA higher than the default on these 3 test sequences"
    )
    assert "fewer than 6 units" in found.text()


def test_seeds_are_part_of_the_interval_and_their_luck_chose_too() -> None:
    one = [setting("a=1", plus(0), tuned=0.5, default=True), setting("a=2", plus(3, 1), tuned=0.6)]
    several = [
        setting("a=1", plus(-1), plus(1), tuned=0.5, default=True),
        setting("a=2", plus(2), plus(4), tuned=0.6),
    ]
    basis = Basis("test images", "validation images", "val", trained=True)
    single, nested = compare_settings(one, basis), compare_settings(several, basis)
    assert single.claims["HOTA"].se == pytest.approx(0.015 / math.sqrt(7))
    # Each side: SD root 2 points over two seeds, so 1 point a side, root 2 of both.
    assert nested.claims["HOTA"].se == pytest.approx(math.sqrt(2) / 100)
    assert "one seed: the noise of training is not in the intervals" in single.notes[0]
    assert "the seeds that were measured are those that chose" in nested.notes[0]
    assert nested.title.startswith("2 settings of 2 seeds each, chosen by validation images")
    assert [row["HOTA SD of seeds"] for row in nested.rows()] == pytest.approx([math.sqrt(2)] * 2)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            [setting("a=1", plus(1), default=True), setting("a=2", plus(0))],
            "a=1, the default, has the best HOTA: nothing to claim",
        ),
        (  # of equal ones the default is taken
            [
                setting("a=1", plus(1)),
                setting("a=2", plus(1), default=True),
                setting("a=3", plus(0)),
            ],
            "a=2, the default, has the best HOTA: nothing to claim",
        ),
        (
            [setting("a=1", plus(0)), setting("a=2", plus(0), default=True)],
            "all settings have exactly the same HOTA: nothing to claim",
        ),
        (
            [setting("a=1", plus(0), tuned=0.5), setting("a=2", plus(1), tuned=0.5)],
            "all settings have exactly the same HOTA on 4 tuning sequences: nothing to claim",
        ),
        (
            [setting("a=1", [math.nan] * 7), setting("a=2", [math.nan] * 7)],
            "no setting has a HOTA: nothing to claim",
        ),
        (
            [
                setting("a=1", plus(0), tuned=0.5, default=True),
                setting("a=2", plus(0), tuned=0.6),
            ],
            "a=2 and the default have exactly the same HOTA on these 7 sequences",
        ),
        (
            [setting("a=1", [0.5]), setting("a=2", [0.6])],
            "a=2 scores +10.00 HOTA beside the first setting on one sequence: no interval; how "
            "sequences differ cannot be seen from one",
        ),
        (
            [
                setting("a=1", plus(0), tuned=0.5, default=True),
                setting("a=2", plus(-2, 1), tuned=0.6),
            ],
            "a=2 is worse than the default on these 7 sequences by 2.00 HOTA "
            "(95%: -3.39 to -0.61); 0 of 7 sequences go the other way",
        ),
    ],
)
def test_sentences(settings: list[Setting], sentence: str) -> None:
    basis = TUNED if "tuning" in sentence else ALL
    assert compare_settings(settings, basis).sentence("HOTA") == sentence


def test_without_a_default_the_first_is_the_reference() -> None:
    found = compare_settings([setting("a=1", plus(0)), setting("a=2", plus(1))], ALL)
    assert (found.reference, found.reference_name) == (0, "the first setting")
    assert "none of them is the default; compared with the first, a=1" in found.text()
    with pytest.raises(DataError, match="no settings to compare"):
        compare_settings([], ALL)


def test_a_setting_without_a_score_is_never_chosen() -> None:
    nothing = setting("a=2", [math.nan] * 7)
    found = compare_settings([setting("a=1", plus(0)), nothing], ALL)
    assert found.best == {"HOTA": 0}


class TestFigure:
    def test_order_colours_and_scores(self, tmp_path: Path) -> None:
        found = tuned()
        figure = figure_differences(found, "HOTA")
        (axes,) = figure.axes
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert names == ["a=2", "a=3", "a=1 (reference)", "a=4"]
        dots = [line for line in axes.lines if line.get_marker() == "o" and line.get_ms() > 5]
        seen = {round(dot.get_xdata()[0], 6): dot.get_color() for dot in dots}
        assert seen == {3.0: BEST, 4.0: TIED, 0.0: INK, -5.0: TOLD}
        hollow = [line for line in axes.lines if line.get_marker() == "o" and line.get_ms() < 5]
        assert [line.get_xdata()[0] for line in hollow] == pytest.approx([6, 3, 0, -10])
        assert axes.texts[0].get_text() == "60.86 / 56.00"
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert "95% interval, all settings and metrics together" in labels
        assert "95% interval of chosen alone" in labels
        save_figure(figure, tmp_path / "differences.png", found.rows())
        assert (tmp_path / "differences.png").stat().st_size > 10_000
        assert len((tmp_path / "differences.csv").read_text().splitlines()) == 5

    def test_of_many_settings_the_best_and_the_reference(self) -> None:
        many = [setting(f"a={i}", plus(i / 10), default=i == 3) for i in range(60)]
        figure = figure_differences(compare_settings(many, ALL), "HOTA")
        names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert len(names) == DRAWN
        assert (names[0], names[38], names[39]) == ("a=59", "a=21", "a=3 (reference)")
        assert figure.get_suptitle().endswith(
            "60 settings, measured on 7 sequences, the 40 best drawn"
        )

    def test_intervals_far_longer_than_any_difference_are_cut_with_an_arrow(self) -> None:
        (axes,) = figure_differences(tuned(best=0.4, units=3), "HOTA").axes
        assert axes.get_xlim()[1] < 30  # three times what tuning saw in a=4: nothing is cut
        assert not any(line.get_marker() in "<>" for line in axes.lines)
        noisy = [setting("a=1", plus(0)[:2]), setting("a=2", [0.51, 0.61])]
        (axes,) = figure_differences(compare_settings(noisy, ALL), "HOTA").axes
        # Differences of 1 and -1 points: an interval of +-12.7, cut at three points.
        assert axes.get_xlim() == pytest.approx((-3, 3))
        arrows = [(one.get_marker(), round(one.get_xdata()[0], 9)) for one in axes.lines]
        assert [a for a in arrows if a[0] in "<>"] == [("<", -3), (">", 3)]

    def test_one_unit_has_dots_without_whiskers(self, tmp_path: Path) -> None:
        found = compare_settings([setting("a=1", [0.5]), setting("a=2", [0.6])], ALL)
        figure = figure_differences(found, "HOTA")
        labels = [text.get_text() for text in figure.legends[0].get_texts()]
        assert labels == ["best", "single sequences"]
        save_figure(figure, tmp_path / "one.png", found.rows())
        assert found.summary_rows()[0]["others like it"] == "1 of 1"  # nothing is known


def test_a_setting_with_fewer_seeds_is_named_and_borrows_their_noise() -> None:
    found = compare_settings(
        [
            setting("a=1", plus(0), plus(4), plus(-4), default=True),
            setting("a=2", plus(3, 1)),
            setting("a=3", plus(1), plus(2), plus(0)),
        ],
        Basis("sequences", trained=True),
    )
    assert found.fewer == ["a=2"]
    assert found.title == "3 settings, measured on 7 sequences"
    (line,) = (note for note in found.notes if "seed" in note)
    assert line == (
        "fewer seeds than the others: a=2; where a setting has one, the noise of its seeds is "
        "taken from the others"
    )
    gap = found.claims["HOTA"]
    lent = (2 * 0.04**2 + 2 * 0.01**2) / 4  # SD of the others over seeds, together
    assert gap.se == pytest.approx(math.sqrt(0.015**2 / 7 + lent * (1 + 1 / 3)))


def test_claims_that_hold_together_name_no_number_of_units() -> None:
    """It would be that of a single comparison."""
    settings = []
    for name, best in (("a=1", 0.5), ("a=2", 0.6)):
        values = estimate(plus(0.2, 1) if name == "a=2" else plus(0))
        measured = {"HOTA": values, "MOTA": values}
        settings.append(Setting(name, {}, measured, dict.fromkeys(measured, best), name == "a=1"))
    found = compare_settings(settings, TUNED)
    assert found.moved == ["HOTA", "MOTA"]
    assert "cannot be told" in found.sentence("HOTA")
    assert "About" not in found.sentence("HOTA")


def by_metric(**tuned: list[float]) -> Comparison:
    """The default a=1, and settings that differ from it by a point more each; four sequences."""
    count = len(next(iter(tuned.values())))
    return compare_settings(
        [
            Setting(
                f"a={i + 1}",
                {},
                {m: estimate(plus(i, i)[:4]) for m in tuned},
                {m: scores[i] for m, scores in tuned.items()},
                i == 0,
            )
            for i in range(count)
        ],
        TUNED,
    )


def test_the_table_of_units_says_of_which_setting_each_column_is() -> None:
    """HOTA chose a=2, MOTA a=3, and IDF1 the default: it has nothing to show."""
    found = by_metric(HOTA=[0.5, 0.6, 0.4], MOTA=[0.5, 0.4, 0.6], IDF1=[0.6, 0.5, 0.4])
    assert found.unit_rows()[0] == {
        "test sequences": "s0",
        "weight": 100,
        "HOTA difference of a=2": pytest.approx(2),
        "MOTA difference of a=3": pytest.approx(4),
    }
    hota, _, idf1 = found.summary_rows()
    assert hota["difference"] == pytest.approx(0.875) and hota["told"] == "no"
    assert all(math.isnan(idf1[key]) for key in ("difference", "95% low", "95% high"))
    assert idf1["told"] is None
    (line,) = (one.split() for one in found.text().splitlines() if one.startswith("IDF1 "))
    assert line[:8] == ["IDF1", "a=1", "56.50", "56.50", *["n/a"] * 4]
    assert found.notes == [
        "the intervals of HOTA and MOTA hold together",
        "fewer than 6 units: look at each of them before any interval",
    ]


def test_of_few_units_without_a_table_nothing_sends_to_it() -> None:
    found = by_metric(HOTA=[0.6, 0.5])
    assert found.unit_rows()[0] == {"test sequences": "s0", "weight": 100}
    assert found.notes == [] and "weight" not in found.text()


def test_of_one_unit_nothing_is_said_of_intervals() -> None:
    basis = Basis("test sequences", "1 tuning sequence", "tuning", trained=True)
    settings = [
        Setting(name, {}, dict.fromkeys(("HOTA", "MOTA"), estimate([score])), None, name == "a=1")
        for name, score in (("a=1", 0.5), ("a=2", 0.6))
    ]
    found = compare_settings(settings, basis)
    assert found.title == "2 settings, measured on 1 test sequence"
    assert found.notes == ["nothing tests the choice: what chose is what is measured"]


@pytest.mark.parametrize(
    ("metrics", "count", "end"),
    [
        (("HOTA",), 2, "measured"),
        (("HOTA", "MOTA"), 2, "those of the two metrics together"),
        (("HOTA", "MOTA", "IDF1"), 2, "those of the three metrics together"),
        (("HOTA", "MOTA"), 3, "those of all 3 settings (HOTA and MOTA) together"),
    ],
)
def test_what_intervals_hold_over(metrics: tuple[str, ...], count: int, end: str) -> None:
    settings = [
        Setting(f"a={i}", {}, {m: estimate(plus(i, i)) for m in metrics}) for i in range(count)
    ]
    (note,) = compare_settings(settings, ALL).notes
    assert note.startswith("nothing tests the choice: ") and note.endswith(end)
