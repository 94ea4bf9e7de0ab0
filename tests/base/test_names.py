"""Names that users gave: valid everywhere, distinct, the same in every run."""

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

from segtrack.base.names import (
    LONGEST,
    LONGEST_LEVEL,
    inside,
    level,
    paired,
    path,
    shown,
    storable,
    whole,
)

ODD = [
    *("", " ", ".", "..", "../up", "/abs", "end/", "a//b", "a/b", "a\\b", "truck / van", "./x"),
    *("🚗", "🚶", "🚗🚗", "car (small)", "car [small]", "a\nb", "a\n", "\ta", "a\0b", "a\x01b"),
    *("x" * 300, "汽" * 120, "-dash", "trail  ", " lead", "dot.", ".hidden", "cafe\u0301", "a:b"),
    *("=1+1", "$x$", "{class}", "%s", "*", "[x", "'q'", "<b>", "\udcff.mp4", "a--12345678"),
]
KEPT = [
    "car",
    "Car",
    "traffic light",
    "汽车",
    "café",
    "a..b",
    "a--b",
    "x" * 100,
    "_",
    "MOT17-02",
    "0.5",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_is_valid_everywhere_stays_as_it_is(text: str) -> None:
    assert level(text) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("truck / van", "truck _ van--6c8e9aa0"),
        ("..", "unnamed--5ec1f7e7"),
        ("", "unnamed--e3b0c442"),
        ("-dash", "dash--b693fbbf"),
        ("cafe\u0301", "café--81ef060b"),
        ("x" * 300, "x" * 90 + "--0d4e2ca9"),
        ("a--12345678", "a--12345678--8a276f9d"),  # looks like one of ours
    ],
)
def test_names_that_runs_are_compared_by_do_not_change(text: str, name: str) -> None:
    assert level(text) == name


def test_all_are_distinct() -> None:
    texts = ODD + KEPT
    texts += [level(text) for text in ODD]  # a class may have the name that another was given
    assert len({level(text) for text in texts}) == len(set(texts))


@pytest.mark.parametrize("text", ODD)
def test_mlflow_and_file_systems_take_them(text: str) -> None:
    for name in (
        f"val/class/{level(text)}/mask_map50",
        f"track/video/{level(text)}/count/{level(text)}",
    ):
        check(name)
    check(whole(text))
    assert posixpath.normpath(f"a/{level(text)}/b") == f"a/{level(text)}/b"


@given(st.text(), st.text())
def test_of_any_text(one: str, other: str) -> None:
    name = level(one)
    assert (name == level(other)) == (one == other)
    assert "/" not in name and "\\" not in name and name not in ("", ".", "..")
    assert name[0] not in "-. " and len(name.encode()) <= LONGEST_LEVEL
    check(name)
    check(f"track/video/{name}/count/{level(other)}")
    check(whole(f"{one}/{other}"))
    assert whole(f"a/{name}") == f"a/{name}", "what is mended is not mended again"


def test_a_name_with_levels_is_mended_level_by_level() -> None:
    assert whole("my/metric: a") == "my/metric: a"
    assert whole("my/car (small)/x") == path("my", "car (small)", "x")
    long = [whole("/".join([letter * 90] * 4)) for letter in "ab"]
    assert [len(name) for name in long] == [LONGEST, LONGEST] and long[0] != long[1]


def test_a_metric_is_found_by_the_original() -> None:
    names = ["car", "truck / van", "van", "clip (1)"]
    assert inside(names, "test/class/truck / van/mask_map50") == (
        f"test/class/{level('truck / van')}/mask_map50"
    )
    assert inside(names, "track/video/clip (1)/count/truck / van") == (
        f"track/video/{level('clip (1)')}/count/{level('truck / van')}"
    )
    assert inside(names, "test/class/car/mask_map50") == "test/class/car/mask_map50"
    assert inside([""], "track//hota") == f"track/{level('')}/hota"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("car", "car"),
        ("a\nb\t", "a_b_"),
        ("🚗", "🚗"),
        ("\udcff", "_"),
        ("x" * 80 + "end", "x" * 39 + "…" + "x" * 17 + "end"),
    ],
)
def test_a_text_for_one_line(text: str, line: str) -> None:
    assert shown(text) == line and len(shown(text)) <= 60


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("car", "car"),
        ("\ud83d\ude97", "🚗"),
        ("a\ud83d\ude97b", "a🚗b"),
        ("a\ud83d", "a\\ud83d"),
        ("é", "é"),
    ],
)
def test_halves_of_a_character(text: str, whole: str) -> None:
    assert paired(text) == whole


def test_a_value_for_a_database() -> None:
    assert storable("a\udcffb\0ü🚗") == "a\\udcffb\\0ü🚗"


def check(name: str) -> None:
    """MLflow's own rules."""
    for validate in (_validate_metric_name, _validate_param_name, _validate_tag_name):
        validate(name)
    assert 0 < len(name) <= LONGEST
    assert not name.endswith("\n")  # which MLflow's rule overlooks
