"""A stage's source may not change unnoticed: the store would serve results of the old code."""

from pathlib import Path

import pytest

from segtrack.pipeline import versions


def test_no_stage_changed_without_a_version_or_an_acknowledgement() -> None:
    assert versions.changed() == [], (
        "the source of these stages changed. If what they produce changed, raise their number in "
        "versions.VERSIONS; then run: python scripts/acknowledge_stages.py"
    )


def test_every_stage_is_watched() -> None:
    assert set(versions.SOURCES) == set(versions.VERSIONS) == set(versions.LIBRARIES)


def test_a_changed_line_is_noticed_and_a_comment_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "evaluation" / "ap.py"
    code.parent.mkdir()
    monkeypatch.setattr(versions, "SOURCE", tmp_path)
    code.write_text('def ap(x):\n    """AP."""\n    return x\n')
    before = versions._source_digest(("evaluation",))
    code.write_text('# a comment\ndef ap(x):\n    """Average precision."""\n    return (x)\n')
    assert versions._source_digest(("evaluation",)) == before
    code.write_text("def ap(x):\n    return x + 1\n")
    assert versions._source_digest(("evaluation",)) != before
