"""What to do with a budget of annotation: which labels are probably wrong.

Everything here judges labels by predictions of networks that did not learn from them. What
other choices of images need of predictions (``facts``) and of an image as a whole (``pooling``)
knows nothing of errors.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
