"""What settings have an effect on: the keys, and groups, that leave results or scores as they are.

``local`` of a knob is another matter: a path is local, as its content counts and not where it lies,
and yet says what a run is of.
"""

from __future__ import annotations

from collections.abc import Sequence

CHANGE_NO_RESULT = (
    *("mlflow", "store", "store_cache", "store_cache_gb", "parent_run", "objective", "plan"),
    *("device", "render", "scale"),
    *("dataset.workers", "dataset.sources", "evaluation.gallery"),
    *("model.batch", "model.trust", "model.weights_folder", "trainer.workers", "trainer.threads"),
    *("labellerr.url", "labellerr.transport", "labellerr.timeout", "labellerr.workers"),
)
"""Where, how fast and how something is done or shown; arithmetic's last digits aside."""

CHANGE_NO_SCORE = (*CHANGE_NO_RESULT, "stages", "labellerr", "suspect", "select", "export")
"""Runs may differ in these, too, and their scores be those of the same settings."""


def among(key: str, keys: Sequence[str]) -> bool:
    """Whether a key is one of those, or lies in a group that is."""
    return any(key == one or key.startswith(f"{one}.") for one in keys)
