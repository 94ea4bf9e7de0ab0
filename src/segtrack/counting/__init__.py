"""What trajectories cross, where they stay and how fast they are; of cameras that stand still."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
