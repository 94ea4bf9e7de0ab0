"""What a run is called: what makes it differ from others, in so many letters as a table has room.

``yolov8s-seg track video=crossing track_thresh=0.4``: how far it went, then what was chosen. What
changes no result is left out, and of a path only its end is said, as much of it as tells the cells
of a sweep apart.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from segtrack.base.names import short, shown
from segtrack.settings import CHANGE_NO_RESULT, override_words
from segtrack.settings import among as belongs

MOST = 60  # letters of a name; all that was typed is in the run's tags
MOST_OF_CELL = 150  # of a cell's, whose every word tells it from others
MOST_VALUE = 48  # letters of a value in it
_SHORT_VALUE = 24  # where nothing has to be told apart
_FIRST = ("experiment", "model", "stages")  # said by their values alone, before all others
_INPUTS = ("video", "dataset", "dataset.path")
_VIDEOS = ("video", "dataset.videos")
_SUFFIX = re.compile(r"(?<=.)\.(?=\d*[A-Za-z])[A-Za-z0-9]{1,5}\Z")


def run_name(model: str, tracker: str, values: Mapping[str, str]) -> str:
    """Of a single command: experiment or model, the last stage, what else was set; or the tracker.

    Args:
        model, tracker: names of the chosen ones.
        values: texts of the overrides, by key.
    """
    typed = dict(_typed(values))
    told = {key: text for key, text in typed.items() if not belongs(key, CHANGE_NO_RESULT)}
    words = _words("", model, told, {})
    if len(" ".join(words)) > MOST:  # what is read must not be among what there is no room for
        told = dict(sorted(told.items(), key=lambda one: one[0] not in _INPUTS))
        words = _words("", model, told, {})
    return _within([*words, tracker] if words == [model] else words)


def cell_name(
    called: str, model: str, swept: Mapping[str, str], among: Mapping[str, Sequence[str]]
) -> str:
    """Of a sweep's cell: the sweep's name or the model, and all that varies.

    Args:
        called: the name that the sweep was given, or nothing.
        model: name of the chosen one.
        swept: texts of this cell's values, by key.
        among: values of all cells, by key, from which this one's must be told apart.
    """
    return _within(_words(called, model, swept, among), MOST_OF_CELL)


def _words(
    called: str, model: str, values: Mapping[str, str], among: Mapping[str, Sequence[str]]
) -> list[str]:
    alone = {key: text for key, text in values.items() if key in _FIRST and text[:1] != "{"}
    first = [one for one in (called, alone.get("experiment", "")) if one]
    if "model" in alone or not first:
        first.append(model)
    if stages := re.findall(r"[^\[\]\s,'\"]+", alone.get("stages", "")):
        first.append(stages[-1])
    keys = [key for key in values if key not in alone]
    alike = Counter(map(leaf, keys))
    names = {key: leaf(key) if alike[leaf(key)] == 1 else key for key in keys}
    return [*first, *(f"{names[key]}={_label(key, values[key], among)}" for key in keys)]


def _typed(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """As on a command line, where from Python a group came as a mapping of its knobs."""
    for key, text in values.items():
        if "." in key or text[:1] != "{":
            yield key, text
            continue
        group: Any = OverridesParser.create().parse_override(f"{key}={text}").value()
        for name, value in group.items():
            (word,) = override_words({f"{key}.{name}": value})
            yield f"{key}.{name}", word.partition("=")[2]


def sweep_name(keys: Iterable[str]) -> str:
    """Of a sweep's parent: the keys that vary."""
    return _within(["sweep", *map(leaf, keys)])


def leaf(key: str) -> str:
    """The last part of a key, as it stands in names."""
    return key.rpartition(".")[2]


def labels(key: str, values: Sequence[str]) -> dict[str, str]:
    """A short text for each of several values of a key; distinct as the values are.

    Of paths the end, with as many folders as needed; of videos without their suffix, where that is
    enough.
    """
    distinct = list(dict.fromkeys(values))
    deepest = max((len(_parts(value)) for value in distinct), default=1)
    for depth in range(0 if key in _VIDEOS else 1, deepest + 1):  # 0: the end without its suffix
        found = {value: shown(_end(value, depth), MOST_VALUE) for value in distinct}
        if len(set(found.values())) == len(distinct):
            return found
    return {one: f"{shown(_end(one, 1), MOST_VALUE - 9)}-{_digest(one)}" for one in distinct}


def _label(key: str, value: str, among: Mapping[str, Sequence[str]]) -> str:
    value = short(value)
    text = labels(key, [value, *among.get(key, ())])[value]
    return text if among else shown(text, _SHORT_VALUE)


def _parts(value: str) -> list[str]:
    """The parts of a path or an address; of any other value itself, without quotes around."""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    if value[:1] in ("[", "{"):
        return [value]
    address = value.partition("://")[2] or value
    return [part for part in re.split(r"[\\/]+", address) if part] or [value]


def _end(value: str, depth: int) -> str:
    parts, count = _parts(value), max(depth, 1)
    if any(c in parts[-1] for c in "*?") and len(parts) > count:
        count += 1  # a glob says nothing without its folder
    text = "/".join(parts[-count:])
    return text if depth else _SUFFIX.sub("", text)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _within(words: Sequence[str], most: int = MOST) -> str:
    """As many words as there is room for, and how many more there are."""
    text = shown(words[0], most - 5)
    for number, word in enumerate(words[1:], start=1):
        rest = f" +{len(words) - number - 1}" if number < len(words) - 1 else ""
        if len(text) + 1 + len(word) + len(rest) > most:
            return f"{text} +{len(words) - number}"
        text += f" {word}"
    return text
