"""Annotation by people: a platform behind a port, and what a review says of predictions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
