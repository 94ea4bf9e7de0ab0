"""``python -m segtrack.store ls|verify|gc``: what the store holds, stage by stage."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from pathlib import Path

from segtrack.pipeline import all_names
from segtrack.store import Entry, Store


def main() -> int:
    """List results in the order of the stages, look for damage, or remove what was not used."""
    parser = argparse.ArgumentParser(prog="python -m segtrack.store")
    parser.add_argument("--root", default=os.environ.get("SEGTRACK_STORE", ".segtrack"), type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ls", help="list results").set_defaults(do=_list)
    verify = commands.add_parser("verify", help="read every file and name what is damaged")
    verify.set_defaults(do=_verify)
    gc = commands.add_parser("gc", help="remove what was not used for a while")
    gc.add_argument("--days", type=_days, default=30.0)
    gc.set_defaults(do=_collect)
    arguments = parser.parse_args()
    if not arguments.root.is_dir():
        print(f"error: --root {arguments.root}: no such folder, so no store", file=sys.stderr)
        return 2
    try:
        code: int = arguments.do(Store(arguments.root), arguments)
        return code
    except OSError as error:
        where = error.filename or arguments.root
        print(f"error: {where}: {error.strerror or error}", file=sys.stderr)
        return 1


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 <= days < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 0 on")
    return days


def _list(store: Store, _: argparse.Namespace) -> int:
    found = in_order(list(store.entries()))
    for entry in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        print(f"{entry.name:10} {entry.key}  {entry.size / 1e6:10.1f} MB  used {used}")
    print(f"{sum(entry.size for entry in found) / 1e6:.1f} MB in {store.root}")
    return 0


def _verify(store: Store, _: argparse.Namespace) -> int:
    damaged = list(store.damaged())
    for folder, why in damaged:
        print(f"{folder.parent.name:10} {folder.name}  {why}")
    if damaged:
        print(f"{len(damaged)} damaged in {store.root}; the command that needs one makes it anew")
        return 1
    print(f"all {len(list(store.entries()))} results are whole in {store.root}")
    return 0


def _collect(store: Store, arguments: argparse.Namespace) -> int:
    print(f"removed {len(store.collect(arguments.days))} folders")
    return 0


def in_order(entries: list[Entry]) -> list[Entry]:
    """In the order of the stages; what belongs to none of them any more comes last."""
    names = all_names()
    place = {name: number for number, name in enumerate(names)}
    return sorted(entries, key=lambda entry: (place.get(entry.name, len(names)), entry.name))
