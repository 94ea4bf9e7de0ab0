"""segtrack: segment, track, review and compare street scenes."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("segtrack")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "unknown"
