"""Nested mappings, as settings are."""

from __future__ import annotations

from typing import Any


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level with dotted keys; an empty mapping stays a value."""
    if not isinstance(value, dict) or (not value and prefix):
        return {prefix: value}
    rows: dict[str, Any] = {}
    for key, item in value.items():
        rows.update(flatten(item, f"{prefix}.{key}" if prefix else str(key)))
    return rows
