"""The store that settings name: a folder, or an address with a folder in front of it."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.base.files import digest, real
from segtrack.settings import Settings, knobs_of
from segtrack.store.store import Store

if TYPE_CHECKING:
    from segtrack.store.shared import SharedStore

_GB = 1e9  # bytes


def is_address(store: str) -> bool:
    """Whether a store is at an address, such as ``s3://bucket/folder``, and no folder."""
    return "://" in store


def store_folder(settings: Settings) -> Path:
    """Where results lie on this machine: the store, or what is in front of it."""
    store = settings.store
    return cache_of(store, settings.store_cache) if is_address(store) else Path(store)


def store_of(settings: Settings) -> Store:
    """The store that settings name; nothing is looked at yet."""
    folder = store_folder(settings)
    if not is_address(settings.store):
        return Store(folder)
    size = settings.store_cache_gb
    return shared_store(settings.store, folder, None if size is None else size * _GB)


def cache_of(address: str, within: str = "") -> Path:
    """The folder in front of an address, which is that of no other one.

    Args:
        within: default: where settings have it.
    """
    knob = knobs_of(Settings)["store_cache"]
    within = within or os.environ.get(knob.env) or str(knob.default)
    address = address.rstrip("/")
    words = re.sub(r"[^\w.-]+", "-", address.split("://", 1)[1])[:60].strip("-")
    return Path(within) / f"{words}-{digest(address)[:8]}"


def shared_store(address: str, folder: Path, limit: float | None = None) -> SharedStore:
    """The store at an address, with a folder in front of it that keeps ``limit`` bytes."""
    return _shared(address, real(folder), limit)


@functools.cache  # it is asked of each run that a page lists, and keeps its connections
def _shared(address: str, folder: Path, limit: float | None) -> SharedStore:
    from segtrack.store.shared import SharedStore

    return SharedStore(address, folder, limit)
