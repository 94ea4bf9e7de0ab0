"""Fixtures of the tests of comparisons."""

from tests.compare import script, settings

__all__ = ["script", "settings"]
