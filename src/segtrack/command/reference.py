"""``docs/settings.md``: every knob of every option, written from their declarations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from segtrack.command.help import facts
from segtrack.command.keys import shown
from segtrack.settings import Knob, Settings, knobs_of, options

CHOSEN = ("name", "source")  # knobs that say which option it is
HEAD = """\
# Settings

Written by `python scripts/write_settings_reference.py` from the declarations in the code; a test
fails when it is not current. The chosen ones in a terminal: `python src/run.py --help`; with
another option: `python src/run.py tracker=botsort --help`.

Type `KEY=VALUE`, or `GROUP=OPTION` to choose an option. A knob marked `local` changes how fast,
where or how something is shown, or names a file that counts by its content: results are taken from
the store whatever its value.
"""


def reference(folder: Path) -> str:
    """The whole document.

    Args:
        folder: of the configuration, whose files are options that differ from others.
    """
    root = knobs_of(Settings)
    lines = [HEAD, "## General", "", *_table("", [k for k in root.values() if not k.nested])]
    for name, knob in root.items():
        if knob.nested:
            lines += ["", f"## {name}", "", f"{_sentence(knob.effect)}", ""]
            lines += _group(name, knob.nested, folder)
    lines += ["", "## experiment", "", "Prepared experiments: `experiment=NAME`.", ""]
    lines += [f"- {text}" for text in _files(folder / "experiment")]
    return "\n".join(lines) + "\n"


def _group(name: str, base: type, folder: Path) -> Iterator[str]:
    known = {
        option: node if isinstance(node, type) else type(node)
        for option, node in options().get(name, {}).items()
    }
    classes = list(dict.fromkeys(known.values())) or [base]
    files = _files(folder / name)
    single = len(classes) == 1
    if known and single:
        yield f"Options: {', '.join(f'`{option}`' for option in known)}."
        yield ""
    if files:
        yield from (f"- {text}" for text in files)
        yield ""
    common = classes[0] if single else base
    yield from _table(f"{name}.", list(knobs_of(common).values()))
    if single:
        return
    shared = knobs_of(base)
    for cls in classes:
        names = [option for option, kind in known.items() if kind is cls]
        own = [knob for key, knob in knobs_of(cls).items() if shared.get(key) != knob]
        own = [knob for knob in own if knob.name not in shared or knob.name not in CHOSEN]
        yield from ("", f"### {name}={', '.join(names)}", "")
        for paragraph in (cls.__doc__ or "").split("\n\n"):
            about = " ".join(paragraph.split())
            if about and not about.startswith(f"{cls.__name__}("):
                yield from (about.rstrip(".") + ".", "")
        yield from _table(f"{name}.", own) if own else ["Nothing besides."]


def _table(prefix: str, knobs: Sequence[Knob]) -> Iterator[str]:
    yield "| name | default | values | effect | origin of the default |"
    yield "|---|---|---|---|---|"
    for key, knob in _flat(prefix, knobs):
        default = "must be given" if knob.default == "???" else f"`{shown(knob.default)}`"
        if knob.env:
            default += f", or `${knob.env}`"
        effect = knob.effect + (" (local)" if knob.local else "")
        values = facts(knob)
        if knob.range:
            values = f"{knob.words}; {knob.range}"
        cells = (f"`{key}`", default, values, effect, knob.origin)
        yield "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _flat(prefix: str, knobs: Sequence[Knob]) -> Iterator[tuple[str, Knob]]:
    for knob in knobs:
        if knob.nested:
            yield from _flat(f"{prefix}{knob.name}.", list(knobs_of(knob.nested).values()))
        else:
            yield f"{prefix}{knob.name}", knob


def _files(folder: Path) -> list[str]:
    """What each preset says of itself, and what it sets."""
    import yaml

    found = []
    for path in sorted(folder.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        about = []
        for line in text.splitlines():
            if not line.startswith("#") or line.startswith("#   "):
                break
            if "@package" not in line:
                about.append(line.removeprefix("#").strip())
        values: dict[str, Any] = yaml.safe_load(text)
        values.pop("defaults", None)
        sets = ", ".join(f"`{key}={shown(value)}`" for key, value in values.items())
        said = " ".join(about)
        found.append(f"`{path.stem}`: {said}{'' if said.endswith('.') else '.'} Sets {sets}.")
    return found


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
