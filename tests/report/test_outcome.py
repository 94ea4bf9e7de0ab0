"""What a comparison leaves for reports, and reads back."""

from __future__ import annotations

import pytest

from segtrack.report import Basis, Outcome, compare_settings
from segtrack.report.document import Difference, Number, shown_cell
from tests.report.test_comparison import plus, setting, tuned


def test_it_is_read_back_as_it_was() -> None:
    outcome = Outcome.of(tuned())
    assert Outcome.read(outcome.json()) == outcome
    claim = outcome.claims["HOTA"]
    assert (claim.setting, claim.like, claim.told) == ("a=2", 1, True)
    assert (outcome.reference, outcome.choice) == ("a=1", "tuning")
    assert claim.difference == pytest.approx(3) and claim.sentence.startswith("a=2 is better than")
    assert outcome.settings["a=1"]["HOTA"].difference is None
    assert outcome.settings["a=3"]["HOTA"].choice == 53
    places = [row["HOTA"].place for row in outcome.settings.values()]
    assert places == ["below it", "chosen", "cannot be told from it", "below it"]


def test_its_tables_have_the_best_bold_and_the_reference_always() -> None:
    outcome = Outcome.of(tuned())
    table = outcome.settings_table()
    assert table.columns == ("setting", "tuning HOTA %", "HOTA %", "HOTA difference")
    assert [row[0] for row in table.rows] == ["a=3", "a=2", "a=1 (reference)", "a=4"]
    shown = [[shown_cell(cell) for cell in row] for row in table.rows]
    assert [row[1].bold for row in shown] == [False, True, False, False]  # what tuning chose
    assert [row[2].bold for row in shown] == [True, False, False, False]
    # Differences without any noise have no interval.
    assert [row[3].star for row in shown] == [False, True, False, False]
    short = outcome.settings_table(most=2)
    assert [row[0] for row in short.rows] == ["a=3", "a=1 (reference)"]
    assert "2 more settings are not shown" in short.notes
    assert not any(isinstance(c, Number) and c.bold for row in short.rows for c in row)


def test_seeds_have_their_sd_and_one_unit_no_interval() -> None:
    both = [setting("a=1", [0.5], [0.52], default=True), setting("a=2", [0.6], [0.6])]
    outcome = Outcome.of(compare_settings(both, Basis("sequences")))
    rows = {str(row[0]): row for row in outcome.settings_table().rows}
    # The SD of .50 and .52 is .02 over root 2.
    assert shown_cell(rows["a=1 (reference)"][1]).text == "51.00 ± 1.41"
    gap = rows["a=2"][2]
    assert isinstance(gap, Difference) and not gap.told
    assert shown_cell(gap).text.startswith("+9.00")
    assert Outcome.read(outcome.json()) == outcome and plus(0)
