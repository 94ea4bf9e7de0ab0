"""Predictions of very many images or videos, shard by shard, here or in Ray's processes.

A shard is what is written at once and never made again. ``predict_shard`` and ``track_video`` are
functions of a job and a number that leave files in the job's folder; who calls them, this process
(``running``) or actors of Ray (``cluster``), makes no difference to what they write.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
