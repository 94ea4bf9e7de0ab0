"""Association of detections to trajectories, their scores, and what is written of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
