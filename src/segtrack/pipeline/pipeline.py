"""The order of the stages, and nothing else knows it.

    prepare --> train --> evaluate                              images
       |          |
       |          +--> track: detect > associate > score > results.json > render     video
       |          |      |
     push ...     +--> review ... pull --> next version of the data set              labels

Each stage is a function from settings and upstream results to one folder in the store. A stage that
is not listed never runs: its result comes from the store, or from ``model.weights=...``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segtrack import dataset as datasets
from segtrack import evaluation, model
from segtrack.base.errors import DataError
from segtrack.base.files import digest
from segtrack.base.metrics import Metric
from segtrack.dataset import Dataset
from segtrack.journal.journal import Journal
from segtrack.model import Network, Predictions, Request, Training, Weights
from segtrack.pipeline.flow import Flow, NotBuilt
from segtrack.pipeline.platform import PlatformRun
from segtrack.pipeline.push import Pushing
from segtrack.pipeline.resolve import resolved_settings
from segtrack.pipeline.review import Reviewing
from segtrack.pipeline.track import RunFacts, Tracked, Tracking
from segtrack.settings import PARENT, DatasetSettings, Settings, Stage, plain
from segtrack.store.store import Listener, StageResult, Store

# What changes how fast a result comes, not which.
SPEED_KNOBS = {"workers", "threads", "cache", "name"}
LOCAL_KNOBS = {"workers", "export"}  # an export counts by its content


class Pipeline:
    """One run: the stages over one composed configuration."""

    def __init__(
        self, settings: Settings, store: Store, journal: Journal | None, output: Path, run: RunFacts
    ) -> None:
        self.settings = settings
        listed = list(settings.stages)
        if Stage.push in listed:
            listed.append(Stage.prepare)  # raw data enters there, so that it is read there
        self.flow = Flow(listed, store, journal)
        self.output = output
        self.facts = run
        self.videos: list[Path] = []
        self.tracked: list[Tracked] = []
        self.platform = PlatformRun(settings, self.flow, output)
        self.pushing = Pushing(self.platform, lambda: self.dataset, self._predict_for_people)
        self.reviewing = Reviewing(
            self.platform,
            dataset=lambda: self.dataset,
            resolved=lambda: self.resolved,
            predict=self._predict_for_people,
            tracked=lambda: self.tracked,
        )

    def run(self) -> None:
        """Run the listed stages in their order.

        Raises:
            SegtrackError: settings, data or a stage is at fault; the message says which and how to
                mend it.
        """
        with contextlib.closing(self.platform):
            self.pushing.require()
            self.reviewing.require()
            for stage, step in self._steps().items():
                if stage in self.settings.stages:
                    step()
        for name, count in self.flow.builds.items():
            self.flow.record(Metric(f"builds/{name}", count, 0))

    def plan(self) -> list[str]:
        """A line for each listed stage: there already, to be built and why, or not known yet."""
        lines: list[str] = []
        self.flow.plan, self.flow.journal = lines, None
        self.pushing.require()
        for stage, step in self._steps().items():
            if stage not in self.settings.stages:
                continue
            try:
                step()
            except NotBuilt as missing:
                if str(missing) != stage.name:
                    lines.append(f"{stage.name:10} unknown  follows from {missing}")
        return lines

    def _steps(self) -> dict[Stage, Callable[[], Any]]:
        return {
            Stage.prepare: lambda: self.dataset,
            Stage.push: self.pushing.push,
            Stage.train: lambda: self.weights,
            Stage.evaluate: self.evaluate,
            Stage.track: self.track,
            Stage.review: self.reviewing.review,
            Stage.pull: self.reviewing.pull,
        }

    @functools.cached_property
    def resolved(self) -> DatasetSettings:
        """The settings that ``prepare`` reads, with the export or the version that they mean."""
        return resolved_settings(self.platform)

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The data set in its canonical form."""
        settings = self.resolved

        def build(folder: Path, report: Any) -> None:
            cache = self.flow.store.scratch("files")
            datasets.prepare(settings, self.settings.seed, folder, report, cache)

        call = self.flow.call(
            "prepare",
            {
                "dataset": {k: v for k, v in plain(settings).items() if k not in LOCAL_KNOBS},
                "seed": self.settings.seed,
            },
            {"files": datasets.signature(settings)},
        )
        result = self.flow.stage(Stage.prepare, call, build)
        dataset = Dataset.load(result.folder)
        if dataset.warnings and self.flow.plan is None:
            kinds = ", ".join(line.partition(":")[0] for line in dataset.warnings)
            print(f"prepare    warnings: {kinds}; see {result.folder / 'checks.txt'}", flush=True)
        for name in ("checks.txt", "checks.json", "dataset.json", "contact_sheet.jpg"):
            self.flow.keep(result.folder / name, "data")
        self.flow.tag({"dataset.fingerprint": dataset.fingerprint})
        if self.flow.journal:
            where = settings.path or settings.source
            self.flow.journal.dataset(settings.source, dataset.fingerprint, where, "training")
        return dataset

    @functools.cached_property
    def weights(self) -> Weights:
        """The weights that evaluate and track use: trained ones, or those that were named."""
        named = self.settings.model.weights
        if Stage.train not in self.settings.stages and named not in (None, "scratch"):
            weights = self._start
        else:
            result = self._train()
            weights = Training.load(result.folder).weights
            self.flow.keep(result.folder / "results.csv", "train")
            self.flow.keep(weights.path, "weights")
        self.flow.tag({"weights.sha256": weights.sha256, "weights.origin": weights.origin})
        return weights

    def evaluate(self) -> None:
        """Predict the test split (val where there is none) and compare with its labels."""
        dataset, settings = self.dataset, self.settings
        split = next((s for s in ("test", "val") if dataset.counts.get(s)), None)
        if split is None:
            raise DataError(
                "stage evaluate: the data set has neither test nor val images; give it some, or "
                "leave evaluate out of stages."
            )
        floor, limit = settings.evaluation.conf_floor, settings.evaluation.max_det
        images = dataset.split_fingerprint(split)
        predicted = self._predict(Stage.evaluate, split, floor, limit)
        predictions = Predictions.load(predicted.folder)

        def build(folder: Path, report: Any) -> None:
            evaluation.evaluate(dataset, split, predictions, settings.evaluation, folder, report)

        inputs = {"predictions": predicted.key, "images": images}
        call = self.flow.call(
            "evaluate", {"evaluation": settings.evaluation, "split": split}, inputs
        )
        self.flow.keep(self.flow.stage(Stage.evaluate, call, build).folder, "evaluation")

    def track(self) -> None:
        """Detect, associate, score, write results.json and render, for every video."""
        tracking = Tracking(
            self.settings,
            self.flow,
            self.output,
            self.facts,
            weights=lambda: self.weights,
            dataset=lambda: self.dataset,
        )
        self.tracked = tracking.run()
        self.videos = tracking.videos

    def _predict_for_people(self, stage: Stage, split: str) -> StageResult:
        """Predictions that are sent to the platform; their numbers carry the split's name."""
        knobs, listen = self.settings.model, self.flow.renamed("images", split)
        return self._predict(stage, split, knobs.conf_floor, knobs.max_det, listen)

    def _predict(
        self,
        stage: Stage,
        split: str,
        floor: float,
        limit: int,
        listener: Listener | None = None,
    ) -> StageResult:
        """Predict the images of a split, scores from ``floor`` on, at most ``limit`` an image."""
        dataset, weights, settings = self.dataset, self.weights, self.settings

        def predict(folder: Path, report: Any) -> None:
            network = Network(settings.model, weights, settings.device)
            request = Request(dataset.names, dataset.class_map, floor, limit)
            model.predict_images(dataset.iter_images(split), network, request, folder, report)

        call = self.flow.call(
            "predict",
            {
                "conf_floor": floor,
                "max_det": limit,
                "model": settings.model.name,
                "imgsz": settings.model.imgsz or weights.imgsz,
                "nms_iou": settings.model.nms_iou,
                "names": list(dataset.names),
                "class_map": dict(dataset.class_map),
            },
            {
                "images": dataset.split_fingerprint(split),
                "ids": _ids_digest(dataset, split),
                "weights": weights.sha256,
            },
        )
        return self.flow.stage(stage, call, predict, listener)

    def _train(self) -> StageResult:
        settings = self.settings
        dataset, start = self.dataset, self._start
        if Stage.train in settings.stages and not dataset.counts.get("train"):
            raise DataError(
                f"stage train: data set {settings.dataset.source} has no training images; leave "
                f"train out of stages and name weights with model.weights=FILE."
            )

        def build(folder: Path, report: Any) -> None:
            network = Network(settings.model, start, settings.device)
            model.train(dataset, network, settings.trainer, settings.seed, folder, report)

        knobs = {k: v for k, v in vars(settings.trainer).items() if k not in SPEED_KNOBS}
        call = self.flow.call(
            "train",
            {
                "trainer": knobs,
                "model": settings.model.name,
                "imgsz": settings.trainer.imgsz or settings.model.imgsz,
                "seed": settings.seed,
                "names": list(dataset.names),
            },
            {
                "train": dataset.split_fingerprint("train"),
                "val": dataset.split_fingerprint("val"),
                "weights": start.sha256,
            },
            resumable=True,
        )
        return self.flow.stage(Stage.train, call, build)

    @functools.cached_property
    def _start(self) -> Weights:
        """The weights that were named, or that the data set starts with."""
        chosen, name = self.settings.model.weights, self.settings.model.name
        if chosen is None:
            shipped = name in model.family_of(self.settings.model).shipped
            chosen = self.settings.dataset.starting_weights if shipped else "auto"
            if chosen == PARENT:
                chosen = self.resolved.starting_weights
        wanted = dataclasses.replace(self.settings.model, weights=chosen)
        weights = model.resolve_weights(wanted, self._run_weights)
        if self.flow.plan is None:
            note = f" ({weights.note})" if weights.note else ""
            print(f"weights    {name} {weights.origin}{note}")
        tags = {"weights.start": weights.origin, "weights.start.sha256": weights.sha256}
        self.flow.tag({**tags, **({"weights.note": weights.note} if weights.note else {})})
        return weights

    def _run_weights(self, run_id: str) -> Path:
        from segtrack.journal.journal import run_weights

        return run_weights(self.settings.mlflow, run_id, self.flow.store.scratch("downloads"))


def config_hash(settings: Settings) -> str:
    """Digest of everything that decides results; where they are recorded does not."""
    values = plain(settings)
    for key in ("mlflow", "parent_run", "plan", "store", "objective"):
        values.pop(key)
    return digest(values)[:16]


def _ids_digest(dataset: Dataset, split: str) -> str:
    """Predictions name images by id, and ids move when another split of the data set grows."""
    return digest([image.image_id for image in dataset.iter_images(split)])[:16]
