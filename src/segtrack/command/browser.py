"""The address of a local page, and the browser that shows it."""

from __future__ import annotations

import os
import sys
import webbrowser

from segtrack.base.saying import say


def open_page(address: str, only_print: bool) -> None:
    """Print an address, and open it where a browser would have somewhere to be shown."""
    say(address)
    if not only_print and _display():
        webbrowser.open(address)


def _display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
