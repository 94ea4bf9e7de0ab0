"""Labels and trajectories in the forms of other programs: what is read, fitted, and written."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
