"""The stage ``push``: images to the platform, and what is proposed to those who annotate them.

Proposals are stored stages: predictions, or SAM's masks of their boxes.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from segtrack.base.errors import DataError
from segtrack.base.metrics import Report
from segtrack.dataset import Dataset
from segtrack.model import Predictions, Proposing, SamWeights, propose_masks, resolve_sam
from segtrack.pipeline.platform import PlatformRun
from segtrack.report import PALETTE
from segtrack.settings import Assist, Stage
from segtrack.store.store import StageResult

PUSHED = ("train", "val", "pool")  # never the test split: it compares versions honestly


@dataclass
class Pushing:
    """The stage of one run.

    Attributes:
        dataset: called where it is needed only.
        predict: predictions of a split for a stage, as a stored stage.
    """

    run: PlatformRun
    dataset: Callable[[], Dataset]
    predict: Callable[[Stage, str], StageResult]

    def require(self) -> None:
        """Look for the weights that only push needs, before hours of work.

        Raises:
            DataError: the weights of SAM are not there, or are none.
        """
        push = Stage.push in self.run.flow.listed
        if push and self.run.settings.labellerr.assist is Assist.sam:
            _ = self._sam

    def push(self) -> None:
        """Send the images of all splits but ``test``; make or find the project they belong to.

        With ``labellerr.assist`` predictions go with them, to be corrected instead of drawn.

        Raises:
            DataError: there is nothing to send, or files cannot be sent, or nothing can predict.
            PlatformError: the platform refused or failed.
        """
        from segtrack.annotation.labellerr.push import push

        dataset, labellerr = self.dataset(), self.run.settings.labellerr
        counts = {split: dataset.counts.get(split, 0) for split in PUSHED}
        if not sum(counts.values()):
            raise DataError(
                "stage push: the data set has no images outside of the test split, which is never "
                "sent; give it some, or leave push out of stages."
            )
        proposed = self._proposed(dataset, PUSHED)  # before anything is sent: it may fail
        what = f"{sum(counts.values())} images, as far as they are not sent"
        if self.run.planned(Stage.push, what):
            return
        started = time.perf_counter()
        images = (row for split in PUSHED for row in dataset.iter_images(split))
        stamps = {row.path: row.sha256 for row in images}
        done = push(
            self.run.platform,
            stamps,
            dataset.names,
            PALETTE,
            self.run.name(dataset),
            self.run.scratch,
            project_id=labellerr.project_id,
            derived=labellerr.name is None,
            stamps=stamps,
            workers=labellerr.workers,
            timeout=labellerr.timeout,
            say=self.run.say(Stage.push),
        )
        seconds = time.perf_counter() - started
        for split, predictions in proposed.items():
            self._propose(dataset, done.project_id, split, predictions)
        self.run.record("push/files", done.files)
        self.run.record("push/sent", done.sent)
        self.run.record("speed/push_files", done.sent / seconds)
        self.run.flow.tag({"labellerr.project": done.project_id})
        text = json.dumps(dataclasses.asdict(done), indent=1)
        (self.run.output / "push.json").write_text(text, encoding="utf-8")
        self.run.flow.keep(self.run.output / "push.json", "push")

    def _proposed(self, dataset: Dataset, splits: Iterable[str]) -> dict[str, Predictions]:
        """The proposals of each of ``splits`` that has images; none where none are wanted.

        Raises:
            SegtrackError: there is nothing to predict with, or an image cannot be read.
        """
        assist, found = self.run.settings.labellerr.assist, {}
        for split in splits if assist is not None else ():
            if dataset.counts.get(split):
                made = self.predict(Stage.push, split)
                if assist is Assist.sam:
                    made = self._masked(dataset, split, made)
                found[split] = Predictions.load(made.folder)
        return found

    def _masked(self, dataset: Dataset, split: str, predicted: StageResult) -> StageResult:
        sam, conf = self._sam, self.run.settings.labellerr.conf

        def build(folder: Path, report: Report) -> None:
            predictions = Predictions.load(predicted.folder)
            proposing = Proposing(sam, conf, self.run.settings.device)
            propose_masks(dataset.iter_images(split), predictions, proposing, folder, report)

        inputs = {"predictions": predicted.key, "sam": sam.sha256}
        call = self.run.flow.call("propose", {"conf": conf}, inputs)
        return self.run.flow.stage(Stage.push, call, build, self.run.flow.renamed("images", split))

    @cached_property
    def _sam(self) -> SamWeights:
        sam = resolve_sam(self.run.settings.labellerr.sam, self.run.settings.model.weights_folder)
        if self.run.flow.plan is None:
            print(f"sam        {sam.network} {sam.origin}", flush=True)
        self.run.flow.tag({"sam.sha256": sam.sha256, "sam.origin": sam.origin})
        return sam

    def _propose(self, dataset: Dataset, project_id: str, split: str, found: Predictions) -> None:
        from segtrack.annotation.labellerr.assist import propose

        labellerr = self.run.settings.labellerr
        done = propose(
            self.run.platform,
            project_id,
            dataset.images(split),
            found,
            dataset.names,
            self.run.scratch / "proposals" / f"{project_id}-{split}",
            self.run.scratch,
            conf=labellerr.conf,
            simplify_px=labellerr.simplify_px,
            buckets=labellerr.conf_bucket,
            timeout=labellerr.timeout,
            say=self.run.say(Stage.push),
        )
        self.run.record(f"push/{split}/proposals", done.objects)
