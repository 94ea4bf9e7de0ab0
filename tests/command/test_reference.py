"""docs/settings.md is what the declarations say."""

from __future__ import annotations

from pathlib import Path

from segtrack.command.app import CONF
from segtrack.command.keys import walk_class
from segtrack.command.reference import reference
from segtrack.settings import Settings, options

TARGET = Path(__file__).resolve().parents[2] / "docs" / "settings.md"


def test_the_reference_is_current() -> None:
    current = reference(CONF)
    assert TARGET.read_text(encoding="utf-8") == current, (
        "docs/settings.md is not current: python scripts/write_settings_reference.py"
    )


def test_the_reference_has_every_knob_of_every_option() -> None:
    text = reference(CONF)
    keys = {key for key, knob in walk_class(Settings) if not knob.nested}
    for group, known in options().items():
        for node in known.values():
            cls = node if isinstance(node, type) else type(node)
            keys |= {key for key, knob in walk_class(cls, f"{group}.") if not knob.nested}
    assert len(keys) > 150
    assert [key for key in sorted(keys) if f"| `{key}` |" not in text] == []
