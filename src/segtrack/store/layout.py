"""Where what of a result lies at an address."""

from __future__ import annotations

from segtrack.store import record as records


def place_of(name: str, key: str) -> str:
    """The folder of a result."""
    return f"results/{name}/{key}"


def record_path(name: str, key: str) -> str:
    """The record of a result."""
    return f"{place_of(name, key)}/{records.FILE}"


def pack_path(name: str, key: str, digest: str) -> str:
    """The small files of a result with the record of this digest."""
    return f"{place_of(name, key)}/{digest}.tar"


def blob_path(sha256: str) -> str:
    """A large file, by its content."""
    return f"blobs/{sha256[:2]}/{sha256}"


def result_of(path: str) -> tuple[str, str] | None:
    """Stage and key, where a path is that of a record."""
    _top, *rest = path.split("/")
    return (rest[0], rest[1]) if len(rest) == 3 and rest[2] == records.FILE else None
