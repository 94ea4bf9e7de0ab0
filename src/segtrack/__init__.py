"""segtrack: segment, track, review and compare street scenes."""

__version__ = "0.1.0"
