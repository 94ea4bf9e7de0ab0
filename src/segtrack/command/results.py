"""``segtrack store ls|verify|gc|push``: what the store holds, stage by stage.

segtrack store ls             results in the order of the stages, with size and last use
segtrack store verify         read every file and name what is damaged
segtrack store gc --days 30   remove what was not used for so long
segtrack store push           send to an address what waits for it in the cache
segtrack store ls --root s3://BUCKET/FOLDER
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

from segtrack.base.addresses import no_place
from segtrack.base.errors import SettingsError
from segtrack.base.saying import say
from segtrack.base.words import counted
from segtrack.command.subcommands import Parser
from segtrack.pipeline import all_names
from segtrack.store import Entry, Far, Store, cache_of, is_address, shared_store, waiting_text

CHOICES = ("ls", "verify", "gc", "push")


def main(words: Sequence[str]) -> int:
    """List results in the order of the stages, look for damage, or remove what was not used.

    Raises:
        SettingsError: an option cannot be used, or there is no store.
        StageError: the address of a store does not answer.
        OSError: the store cannot be read or written.
    """
    parser = Parser("store", "ls|verify|gc|push [options]", __doc__)
    parser.add_argument("what", choices=CHOICES, metavar="|".join(CHOICES))
    place = os.environ.get("SEGTRACK_STORE", ".segtrack")
    parser.add_argument("--root", default=place, help="the store; default: %(default)s")
    parser.add_argument("--cache", help="push: the folder that store_cache names")
    parser.add_argument("--days", type=_days, help="gc: without use; default: 30")
    options = parser.parse_args(list(words))
    if options.days is not None and options.what != "gc":
        raise SettingsError("store: --days only goes with gc")
    if options.cache is not None and options.what != "push":
        raise SettingsError("store: --cache only goes with push")
    days = 30.0 if options.days is None else options.days
    if slip := no_place(options.root):
        raise SettingsError(f"--root {options.root}: {slip}")
    if is_address(options.root):
        return _at_address(options.what, options.root, options.cache or "", days)
    if options.what == "push":
        raise SettingsError(f"--root {options.root}: push sends to an address: --root s3://...")
    if not Path(options.root).is_dir():
        raise SettingsError(f"--root {options.root}: no such folder, so no store")
    store = Store(Path(options.root))
    if options.what == "ls":
        return _list(list(store.entries()), str(store.root))
    if options.what == "verify":
        damaged = [(one.parent.name, one.name, why) for one, why in store.damaged()]
        return _verified(damaged, len(list(store.entries())), str(store.root))
    say(f"removed {len(store.collect(days))} folders")
    return 0


def _at_address(what: str, address: str, cache: str, days: float) -> int:
    if what == "push":
        store = shared_store(address, cache_of(address, cache))
        store.reach(write=True)
        sent, waiting = store.send_waiting()
        say(f"sent {counted(sent, 'results')} to {store.far.address}")
        if waiting:
            say(waiting_text(waiting, store.root))
        return 1 if waiting else 0
    far = Far(address)
    far.reach()
    if what == "ls":
        return _list(list(far.entries()), far.address)
    if what == "verify":
        return _verified(list(far.damaged()), len(list(far.entries())), far.address)
    results, files = far.collect(days)
    say(f"removed {counted(results, 'results')} and {counted(files, 'files')} that none names")
    return 0


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 0 on")
    return days


def _list(entries: list[Entry], where: str) -> int:
    found = in_order(entries)
    for entry in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        say(f"{entry.name:10} {entry.key}  {entry.size / 1e6:10.1f} MB  used {used}")
    size = sum(entry.size for entry in found) / 1e6
    say(f"{size:.1f} MB in {where}" if found else f"no results in {where}")
    return 0


def _verified(damaged: list[tuple[str, str, str]], count: int, where: str) -> int:
    for name, key, why in damaged:
        say(f"{name:10} {key}  {why}")
    if damaged:
        say(f"{len(damaged)} damaged in {where}; the command that needs one makes it anew")
        return 1
    say(f"all {count} results are whole in {where}" if count else f"no results in {where}")
    return 0


def in_order(entries: list[Entry]) -> list[Entry]:
    """In the order of the stages; what belongs to none of them any more comes last."""
    names = all_names()
    place = {name: number for number, name in enumerate(names)}
    return sorted(entries, key=lambda entry: (place.get(entry.name, len(names)), entry.name))
