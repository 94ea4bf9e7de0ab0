"""A local page on what runs kept: videos with their tracks, two runs at once, pictures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
