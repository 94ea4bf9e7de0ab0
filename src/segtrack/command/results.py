"""``segtrack store ls|verify|gc``: what the store holds, stage by stage.

segtrack store ls             results in the order of the stages, with size and last use
segtrack store verify         read every file and name what is damaged
segtrack store gc --days 30   remove what was not used for so long
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

from segtrack.base.errors import SettingsError
from segtrack.base.saying import say
from segtrack.command.subcommands import Parser
from segtrack.pipeline import all_names
from segtrack.store import Entry, Store

CHOICES = ("ls", "verify", "gc")


def main(words: Sequence[str]) -> int:
    """List results in the order of the stages, look for damage, or remove what was not used.

    Raises:
        SettingsError: an option cannot be used, or there is no store.
        OSError: the store cannot be read or written.
    """
    parser = Parser("store", "ls|verify|gc [options]", __doc__)
    parser.add_argument("what", choices=CHOICES)
    place = os.environ.get("SEGTRACK_STORE", ".segtrack")
    parser.add_argument("--root", default=place, type=Path, help="the store; default: %(default)s")
    parser.add_argument("--days", type=_days, help="gc: without use; default: 30")
    options = parser.parse_args(list(words))
    if options.days is not None and options.what != "gc":
        raise SettingsError("store: --days only goes with gc")
    if not options.root.is_dir():
        raise SettingsError(f"--root {options.root}: no such folder, so no store")
    store = Store(options.root)
    if options.what == "ls":
        return _list(store)
    if options.what == "verify":
        return _verify(store)
    say(f"removed {len(store.collect(30.0 if options.days is None else options.days))} folders")
    return 0


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 0 on")
    return days


def _list(store: Store) -> int:
    found = in_order(list(store.entries()))
    for entry in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        say(f"{entry.name:10} {entry.key}  {entry.size / 1e6:10.1f} MB  used {used}")
    say(f"{sum(entry.size for entry in found) / 1e6:.1f} MB in {store.root}")
    return 0


def _verify(store: Store) -> int:
    damaged = list(store.damaged())
    for folder, why in damaged:
        say(f"{folder.parent.name:10} {folder.name}  {why}")
    if damaged:
        say(f"{len(damaged)} damaged in {store.root}; the command that needs one makes it anew")
        return 1
    say(f"all {len(list(store.entries()))} results are whole in {store.root}")
    return 0


def in_order(entries: list[Entry]) -> list[Entry]:
    """In the order of the stages; what belongs to none of them any more comes last."""
    names = all_names()
    place = {name: number for number, name in enumerate(names)}
    return sorted(entries, key=lambda entry: (place.get(entry.name, len(names)), entry.name))
