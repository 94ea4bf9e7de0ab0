"""YAML of strangers: small files that stand for very much."""

from pathlib import Path

import pytest

from segtrack.base.yaml_text import LARGEST, read_yaml

STEPS = [(a, chr(ord(a) + 1)) for a in "abcdefg"]
LAUGHS = "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in STEPS)
MERGES = "".join(f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}]}}\n" for a, b in STEPS)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &a [x]\n" + LAUGHS, f"aliases stand for more than {LARGEST} characters"),
        ("a: &a {x: 1}\n" + MERGES, f"aliases stand for more than {LARGEST} characters"),
        (f"a: &a {'x' * 2000}\nb: [{','.join(['*a'] * 1000)}]", "aliases stand for more than"),
        ("a: &a [*a]", "an alias in itself"),
        ("a: &a {b: {<<: *a}}", "an alias in itself"),
        ("a: " + "[" * 3000 + "]" * 3000, "nested too deeply"),
        ("a: " + "[" * 60 + "]" * 60, "nested too deeply"),
        ("#" + "x" * LARGEST, f"it has {LARGEST + 1} bytes, more than {LARGEST}"),
        ("a: " + "9" * 5000, "a number of 5000 characters"),
        ("a: 2001-99-99", "month must be in 1..12"),
        ("a: !!int ''", "string index out of range"),
        ("a: !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("a: [", "expected the node content"),
        ("? [a]\n: b", "found unhashable key"),
    ],
)
def test_what_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=says) as refused:
        read_yaml(tmp_path / "a.yaml")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_aliases_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a [1, 2]\nb: *a\nc: &c {d: *a}\ne: {<<: *c, f: 3}")
    node, value = read_yaml(tmp_path / "a.yaml")
    assert node is not None
    assert value == {"a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}, "e": {"d": [1, 2], "f": 3}}
    (tmp_path / "a.yaml").write_text("")
    assert read_yaml(tmp_path / "a.yaml") == (None, None)


def test_a_number_without_end_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("t: 1" + 100_000 * ":1")
    with pytest.raises(ValueError, match="a number of 200001 characters"):
        read_yaml(path)
