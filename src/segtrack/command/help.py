"""``--help``: what there is to choose and to set, for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segtrack.command.keys import shown
from segtrack.command.subcommands import ABOUT, words_there
from segtrack.settings import Knob, Settings, knobs_of

WIDTH = 100
USAGE = """\
segtrack: segment, track, review, compare.

  segtrack                                             the whole loop, offline
  segtrack model=yolov8s-seg tracker.track_thresh=0.4  one changed experiment
  segtrack -m tracker.track_thresh=0.3,0.4,0.5         a sweep: one run per value
  segtrack experiment=NAME                             a prepared experiment

  --cfg job   print all settings as they would be, and stop     plan=true   what would be done
  --help      this; with other groups chosen, their settings    --version   segtrack's version
  -m          several values make a sweep                       --hydra-help   Hydra's own options

In a checkout python src/run.py is the same command. Words that may stand first, each with --help:
"""


def help_text(folder: Path, overrides: Sequence[str], extra: Path | None = None) -> str:
    """Groups with their options, and every knob of those that are chosen.

    Args:
        folder: of the configuration. overrides: as typed. extra: a further folder.

    Raises:
        SettingsError: the overrides do not compose.
    """
    from segtrack.command.composition import compose_settings, groups

    settings = compose_settings(folder, overrides, extra)
    words = [f"  {word:<12}{ABOUT[word]}" for word in words_there()]
    parts = [USAGE, *words, "\nGroups and their options; type GROUP=OPTION\n"]
    known = groups(folder, *([extra] if extra else []))
    width = max(map(len, known))
    for group, options in known.items():
        head = f"  {group:<{width}}  "
        parts.append(
            textwrap.fill(
                ", ".join(options),
                WIDTH,
                initial_indent=head,
                subsequent_indent=" " * len(head),
                break_on_hyphens=False,
            )
        )
    parts.append("\nSettings; type KEY=VALUE. Other options, and origins: docs/settings.md")
    rows = _rows(settings)
    parts += ["", "General", *rows]
    for name, knob in knobs_of(Settings).items():
        if knob.nested:
            group = getattr(settings, name)
            about = (type(group).__doc__ or knob.effect).partition("\n")[0].strip()
            chosen = getattr(group, "name", None) or getattr(group, "source", None)
            title = name if not isinstance(chosen, str) or "=" in chosen else f"{name}={chosen}"
            parts += ["", *textwrap.wrap(f"{title}: {about}", WIDTH), *_rows(group, f"{name}.")]
    return "\n".join(parts)


def facts(knob: Knob) -> str:
    """What a value may be, in words: choices, range or type."""
    if knob.choices:
        words = ", ".join(knob.choices) + (", null" if knob.optional else "")
    elif knob.range:
        words = knob.range + (", or null" if knob.optional else "")
    else:
        words = knob.words + (f", {knob.unit}" if knob.unit else "")
    return words


def _rows(settings: Any, prefix: str = "") -> list[str]:
    rows: list[str] = []
    for name, knob in knobs_of(type(settings)).items():
        value, key = getattr(settings, name), f"{prefix}{name}"
        if knob.nested:
            rows += _rows(value, f"{key}.") if prefix else []
            continue
        head = f"  {key}={shown(value)}"
        text = f"{knob.effect} [{facts(knob)}]"
        if len(head) <= 36:
            rows.append(
                textwrap.fill(
                    text,
                    WIDTH,
                    initial_indent=f"{head:<38}",
                    subsequent_indent=" " * 38,
                    break_on_hyphens=False,
                )
            )
        else:
            rows.append(head)
            rows.append(
                textwrap.fill(
                    text,
                    WIDTH,
                    initial_indent=" " * 38,
                    subsequent_indent=" " * 38,
                    break_on_hyphens=False,
                )
            )
    return rows
