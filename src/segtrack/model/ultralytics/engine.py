"""ultralytics' trainer with what a training that may be killed at any moment needs.

Importing this module imports ultralytics; a module of its own, since the processes of a training on
several GPUs import the trainer's class by name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from segtrack.base.atomic import settle
from segtrack.base.files import link_or_copy
from segtrack.base.processes import end_with
from segtrack.model.ultralytics.library import SegmentationTrainer, bfloat16_cpu
from segtrack.model.ultralytics.occluders import OccludingDataset


class Trainer(SegmentationTrainer):  # type: ignore[misc]
    """Writes its checkpoints whole or not at all, and leaves the last word to ``train``."""

    best: Path
    last: Path

    def __init__(self, overrides: dict[str, Any], **others: Any) -> None:
        """As the library's, with arguments that it would refuse.

        The processes of a training on several GPUs begin here again, with the same arguments.

        Args:
            overrides: also ``paste_occluders``; and ``ends_with``, the ``lasting_port`` with which
                such processes end: their launcher, killed, would leave them behind.
        """
        theirs = dict(overrides)
        self.paste_occluders: float = theirs.pop("paste_occluders", 0.0)
        port = theirs.pop("ends_with", None)
        if port and "LOCAL_RANK" in os.environ:
            end_with(port)
        super().__init__(overrides=theirs, **others)
        if self.ddp:
            self.args.paste_occluders, self.args.ends_with = self.paste_occluders, port

    def build_dataset(self, img_path: str, mode: str = "train", batch: int | None = None) -> Any:
        """The library's, which for training pastes occluders where it shall."""
        dataset = super().build_dataset(img_path, mode, batch)
        if mode == "train" and self.paste_occluders:
            dataset.__class__ = OccludingDataset  # the library lets nobody name the class
            dataset.paste_occluders = self.paste_occluders
        return dataset

    def get_dataloader(
        self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train"
    ) -> Any:
        """The library's; but processes have the validation images ready when an epoch ends.

        Those that fit into one batch the library would load in this process, with the GPU waiting.
        """
        loader = super().get_dataloader(dataset_path, batch_size, rank, mode)
        count = len(loader.dataset)
        if mode == "val" and self.args.workers and len(loader) == 1 and count > 1:
            loader = super().get_dataloader(dataset_path, -(-count // 2), rank, mode)
        return loader

    def _setup_train(self) -> None:
        """Set up as the library does, and let ``amp`` mean bfloat16 on a CPU that computes in it.

        The library leaves mixed precision to GPUs. Its own autocast works on a CPU as well, where
        bfloat16 needs no scaling of the loss; weights, optimizer and validation stay in float32.
        """
        super()._setup_train()
        if self.device.type == "cpu" and self.args.amp is True and bfloat16_cpu():
            self.amp = True

    def auto_batch(self) -> int:
        """What the card's memory takes, up to the images that a step of the weights waits for."""
        found: int = min(super().auto_batch(), self.args.nbs)
        return int(2 ** (max(found, 1).bit_length() - 1))

    def save_model(self) -> bool:
        """Save ``last.pt`` and, where this epoch is the best so far, ``best.pt`` by renaming.

        The library overwrites both in place, so that a kill at the wrong moment leaves no usable
        checkpoint at all. Where both are the same, the bytes go to the disk once.
        """
        best, last = self.best, self.last
        fresh, better = last.with_suffix(".new"), best.with_suffix(".new")
        self.best = self.last = fresh
        try:
            saved = bool(super().save_model())
        finally:
            self.best, self.last = best, last
        if self.best_fitness == self.fitness:
            link_or_copy(fresh, better)
            settle(better, best)
        settle(fresh, last)  # last: it is what a training continues from
        return saved

    def final_eval(self) -> None:
        """Nothing: the best epoch was validated in its turn, and ``train`` strips the weights."""
