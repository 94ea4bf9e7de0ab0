"""The command line: compose, check, run, sweep; and its exit codes. What Python may use of it
stands here."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
