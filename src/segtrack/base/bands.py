"""Bands of confidence, by which people filter predictions and reports divide them."""

from __future__ import annotations

BANDS = ("low", "medium", "high")
LOW_BELOW, HIGH_ABOVE = 0.5, 0.8


def band_of(score: float | None) -> str:
    """Band of a confidence 0..1: low below 0.5, high above 0.8; a person's work is high."""
    if score is None or score > HIGH_ABOVE:
        return "high"
    return "low" if score < LOW_BELOW else "medium"
