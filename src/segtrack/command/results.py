"""``python -m segtrack.store ls|gc``: what the store holds, stage by stage."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from segtrack.pipeline import all_names
from segtrack.store import Entry, Store


def main() -> int:
    """List results in the order of the stages, or remove what was not used for a while."""
    parser = argparse.ArgumentParser(prog="python -m segtrack.store")
    parser.add_argument("--root", default=os.environ.get("SEGTRACK_STORE", ".segtrack"), type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ls", help="list results")
    gc = commands.add_parser("gc", help="remove what was not used for a while")
    gc.add_argument("--days", type=float, default=30)
    arguments = parser.parse_args()
    if not arguments.root.is_dir():
        print(f"error: --root {arguments.root}: no such folder, so no store", file=sys.stderr)
        return 2
    store = Store(arguments.root)
    if arguments.command == "gc":
        removed = store.collect(arguments.days)
        print(f"removed {len(removed)} folders")
        return 0
    found = in_order(list(store.entries()))
    for entry in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        print(f"{entry.name:10} {entry.key}  {entry.size / 1e6:10.1f} MB  used {used}")
    print(f"{sum(entry.size for entry in found) / 1e6:.1f} MB in {store.root}")
    return 0


def in_order(entries: list[Entry]) -> list[Entry]:
    """In the order of the stages; what belongs to none of them any more comes last."""
    names = all_names()
    place = {name: number for number, name in enumerate(names)}
    return sorted(entries, key=lambda entry: (place.get(entry.name, len(names)), entry.name))
