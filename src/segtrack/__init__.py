"""segtrack: segment, track, review and compare street scenes.

From Python: docs/python.md. What stands here is loaded when it is first used.
"""

from importlib.metadata import PackageNotFoundError, version

import lazy_loader

try:
    __version__ = version("segtrack")
except PackageNotFoundError:  # a checkout that is not installed
    __version__ = "unknown"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
