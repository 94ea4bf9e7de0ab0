"""Predictions of very many images or videos, shard by shard, here or in Ray's processes.

A shard is what is written at once and never made again. ``work.do_shard`` is a function of a job
and a number that leaves files in the job's folder; who calls it, this process (``running``) or an
actor of Ray (``cluster``), makes no difference to what it writes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
