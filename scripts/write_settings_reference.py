"""Write docs/settings.md from the declarations of the settings: run it after changing a knob."""

from __future__ import annotations

from pathlib import Path

from segtrack.command.app import CONF
from segtrack.command.reference import reference

TARGET = Path(__file__).resolve().parents[1] / "docs" / "settings.md"

if __name__ == "__main__":
    TARGET.write_text(reference(CONF), encoding="utf-8")
    print(TARGET)
