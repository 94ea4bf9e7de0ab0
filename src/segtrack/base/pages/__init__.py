"""What all pages that commands serve on this machine share: who may see them, how they look."""

from pathlib import Path

HOUSE_STYLE = Path(__file__).parent / "static" / "house.css"
"""The stylesheet of them all; those of their own come after it."""
