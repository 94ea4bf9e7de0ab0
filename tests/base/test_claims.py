"""What is said of a difference."""

import math
from dataclasses import replace

import pytest

from segtrack.base.claims import needed, said
from segtrack.base.statistics import Interval
from segtrack.base.words import counted


def gap(
    difference: float, low: float, high: float, *each: float, units: int = 7, se: float = 0.01
) -> Interval:
    return Interval(difference, low, high, se=se, df=units - 1, units=units, spread=0.03, each=each)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            gap(0.0047, 0.0011, 0.0083, 0.1, -0.1, 0.2),
            "B is better than A on these 7 sequences by 0.47 HOTA (95%: +0.11 to +0.83); 1 of 3 "
            "sequences goes the other way",
        ),
        (
            gap(-0.0047, -0.0083, -0.0011, 0.1, -0.1, 0.2),
            "B is worse than A on these 7 sequences by 0.47 HOTA (95%: -0.83 to -0.11); 2 of 3 "
            "sequences go the other way",
        ),
        (
            gap(0.011, -0.009, 0.031, 0.1, math.nan),
            "B scores 1.10 HOTA higher than A on these 7 sequences (95%: -0.90 to +3.10), but "
            "which is better cannot be told from 7 sequences; 0 of 1 sequences go the other way",
        ),
        (gap(0, 0, 0), "B and A have exactly the same HOTA on these 7 sequences"),
        (
            gap(0, -0.01, 0.02),
            "B and A have the same HOTA on these 7 sequences (95%: -1.00 to +2.00); more of them "
            "may differ",
        ),
        (
            gap(0.1, math.nan, math.nan, units=2, se=0),
            "B scores +10.00 HOTA beside A on these 2 sequences, but which is better cannot be "
            "told: the difference stays the same without any of them, so that its noise is not "
            "known",
        ),
        (
            gap(0.01, math.nan, math.nan, units=1, se=math.nan),
            "B scores +1.00 HOTA beside A on one sequence: no interval; how sequences differ "
            "cannot be seen from one",
        ),
        (
            replace(gap(0.01, math.nan, math.nan, units=3, se=math.nan), counted=1),
            "B scores +1.00 HOTA beside A on these 3 sequences, of which one has all that is "
            "scored: no interval; how sequences differ cannot be seen from one",
        ),
        (
            replace(gap(0.01, math.nan, math.nan, units=3, se=math.nan), counted=2),
            "B scores +1.00 HOTA beside A on these 3 sequences: no interval; without one of them "
            "nothing remains to be scored",
        ),
        (
            gap(math.nan, math.nan, math.nan, units=1, se=math.nan),
            "HOTA is of nothing that there is on one sequence, so B and A cannot be compared",
        ),
        (
            gap(math.nan, math.nan, math.nan, se=math.nan),
            "HOTA is of nothing that there is on these 7 sequences, so B and A cannot be compared",
        ),
    ],
)
def test_claim(found: Interval, expected: str) -> None:
    assert said("HOTA", found)[0] == expected


def test_how_many_it_would_take() -> None:
    """A paired t-test of a mean of half a SD has a power of .8 from 34 on (Cohen 1988); of a
    twentieth of a SD from 3,142 on."""
    half = gap(0.015, -0.01, 0.04)
    assert needed(half) == (
        "About 34 sequences like these would tell a difference of this size in 4 of 5 cases"
    )
    assert "About 3,100 images like these" in needed(gap(0.0015, -0.01, 0.013), "images")
    assert "More than 10,000 sequences" in needed(gap(0.0001, -0.01, 0.0102))
    assert needed(gap(0.015, 0.001, 0.03)) == ""
    assert needed(gap(0, -0.01, 0.01)) == ""
    assert needed(Interval(0.1, math.nan, math.nan)) == ""
    assert needed(replace(half, units=2)) == ""


def test_a_claim_by_itself_goes_with_how_many_it_would_take() -> None:
    half = gap(0.015, -0.01, 0.04)
    claim, more = said("HOTA", half)
    assert claim.startswith("B scores 1.50 HOTA higher than A") and more == needed(half)
    assert said("HOTA", half, single=False) == [claim]
    assert len(said("HOTA", gap(0.015, 0.001, 0.03))) == 1


@pytest.mark.parametrize(
    ("count", "of", "expected"),
    [
        (7, "test sequences", "7 test sequences"),
        (1, "test sequences", "1 test sequence"),
        (1, "val groups of images", "1 val group of images"),
        (0, "images", "0 images"),
    ],
)
def test_one_unit_is_no_plural(count: int, of: str, expected: str) -> None:
    assert counted(count, of) == expected
