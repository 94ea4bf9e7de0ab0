"""The text files of MOTChallenge, KITTI and MOTS, and packed masks, as arrays."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
