"""What is proposed to annotators, as stored stages: predictions, or SAM's masks of their boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from segtrack.dataset import Dataset
from segtrack.flow import Flow
from segtrack.metrics import Report
from segtrack.model import Predictions, SamWeights, propose_masks, resolve_sam
from segtrack.settings import Assist, Settings, Stage
from segtrack.store import StageResult


@dataclass
class Proposals:
    """The proposals of one run.

    Attributes:
        predict: predictions of a split for a stage, as a stored stage.
    """

    settings: Settings
    flow: Flow
    predict: Callable[[Stage, str], StageResult]

    def require(self) -> None:
        """Look for what ``make`` will need.

        Raises:
            DataError: the weights of SAM are not there, or are none.
        """
        if self.settings.labellerr.assist is Assist.sam:
            _ = self._sam

    def make(self, dataset: Dataset, splits: Iterable[str]) -> dict[str, Predictions]:
        """The proposals of each of ``splits`` that has images; none where none are wanted.

        Raises:
            SegtrackError: there is nothing to predict with, or an image cannot be read.
        """
        assist, found = self.settings.labellerr.assist, {}
        for split in splits if assist is not None else ():
            if dataset.counts.get(split):
                made = self.predict(Stage.push, split)
                if assist is Assist.sam:
                    made = self._masked(dataset, split, made)
                found[split] = Predictions.load(made.folder)
        return found

    def _masked(self, dataset: Dataset, split: str, predicted: StageResult) -> StageResult:
        sam, conf = self._sam, self.settings.labellerr.conf

        def build(folder: Path, report: Report) -> None:
            predictions = Predictions.load(predicted.folder)
            device, images = self.settings.device, dataset.iter_images(split)
            propose_masks(images, predictions, sam, conf, device, folder, report)

        inputs = {"predictions": predicted.key, "sam": sam.sha256}
        call = self.flow.call("propose", {"conf": conf}, inputs)
        return self.flow.stage(Stage.push, call, build, self.flow.renamed("images", split))

    @cached_property
    def _sam(self) -> SamWeights:
        sam = resolve_sam(self.settings.labellerr.sam, self.settings.model.weights_folder)
        if self.flow.plan is None:
            print(f"sam        {sam.network} {sam.origin}", flush=True)
        self.flow.tag({"sam.sha256": sam.sha256, "sam.origin": sam.origin})
        return sam
