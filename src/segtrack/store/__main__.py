"""``python -m segtrack.store ls|gc``."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from segtrack.store.store import Store


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m segtrack.store")
    parser.add_argument("--root", default=os.environ.get("SEGTRACK_STORE", ".segtrack"), type=Path)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("ls", help="list results")
    gc = commands.add_parser("gc", help="remove what was not used for a while")
    gc.add_argument("--days", type=float, default=30)
    arguments = parser.parse_args()
    store = Store(arguments.root)
    if arguments.command == "gc":
        removed = store.collect(arguments.days)
        print(f"removed {len(removed)} folders")
        return 0
    total = 0
    for entry in store.entries():
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
        print(f"{entry.name:10} {entry.key}  {entry.size / 1e6:10.1f} MB  used {used}")
        total += entry.size
    print(f"{total / 1e6:.1f} MB in {store.root}")
    return 0


if __name__ == "__main__":
    raise SystemExit(_main())
