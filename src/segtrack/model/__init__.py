"""Weights, predictions, and masks by Segment Anything."""

import os

import lazy_loader

# Threads of torch that wait for each other sleep: spinning, which is the default, they take the
# cores from whatever else runs, and a training beside one busy process is several times slower.
# Here, since the library reads it when it is loaded, and everything that loads it is below.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
