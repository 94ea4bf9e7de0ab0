"""The order of the stages, and nothing else knows it.

    prepare --> train --> evaluate                              images
       |          |
       |          +--> track: detect > associate > results.json > render     video

Each stage is a function from settings and upstream results to one folder in the store. A stage that
is not listed never runs: its result comes from the store, or from ``model.weights=...``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack import dataset as datasets
from segtrack import evaluation, model, tracker, trainer
from segtrack.dataset import Dataset, Sequence
from segtrack.dataset.classes import parse_classes
from segtrack.dataset.simulator import CLASS_NAMES as SIMULATED_CLASSES
from segtrack.errors import DataError
from segtrack.flow import Flow, NotBuilt
from segtrack.journal import Journal
from segtrack.metrics import Metric
from segtrack.model import Predictions, Weights
from segtrack.settings import DatasetSettings, Settings, Stage, plain
from segtrack.store import Listener, StageResult, Store, digest, link_or_copy
from segtrack.tracker import Tracks

# What changes how fast a result comes, not which.
SPEED_KNOBS = {"workers", "threads", "cache", "name"}


@dataclass(frozen=True)
class RunFacts:
    """What ``results.json`` says about the run that wrote it.

    Attributes:
        sweep: whether this is a cell of a sweep (no video is rendered unless asked for).
    """

    mlflow_run_id: str
    config_hash: str
    git_commit: str
    created_at: str
    sweep: bool = False


class Pipeline:
    """One run: the stages over one composed configuration."""

    def __init__(
        self, settings: Settings, store: Store, journal: Journal | None, output: Path, run: RunFacts
    ) -> None:
        self.settings = settings
        self.flow = Flow(settings.stages, store, journal)
        self.output = output
        self.facts = run
        self.videos: list[Path] = []

    def run(self) -> None:
        """Run the listed stages in their order.

        Raises:
            SegtrackError: settings, data or a stage is at fault; the message says which and how to
                mend it.
        """
        for stage, step in self._steps().items():
            if stage in self.settings.stages:
                step()
        for name, count in self.flow.builds.items():
            self.flow.record(Metric(f"builds/{name}", count, 0))

    def plan(self) -> list[str]:
        """A line for each listed stage: there already, to be built and why, or not known yet."""
        lines: list[str] = []
        self.flow.plan, self.flow.journal = lines, None
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
            Stage.train: lambda: self.weights,
            Stage.evaluate: self.evaluate,
            Stage.track: self.track,
        }

    @functools.cached_property
    def dataset(self) -> Dataset:
        """The data set in its canonical form."""
        settings = self.settings.dataset

        def build(folder: Path, report: Any) -> None:
            cache = self.flow.store.scratch("files")
            datasets.prepare(settings, self.settings.seed, folder, report, cache)

        call = self.flow.call(
            "prepare",
            {
                "dataset": {k: v for k, v in plain(settings).items() if k != "workers"},
                "seed": self.settings.seed,
            },
            {"files": datasets.signature(settings)},
        )
        result = self.flow.stage(Stage.prepare, call, build)
        dataset = Dataset.load(result.folder)
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
            weights = trainer.Training.load(result.folder).weights
            self.flow.keep(result.folder / "results.csv", "train")
            self.flow.keep(weights.path, "weights")
        self.flow.tag({"weights.sha256": weights.sha256, "weights.origin": weights.origin})
        return weights

    def evaluate(self) -> None:
        """Predict the test split (val where there is none) and compare with its labels."""
        dataset, weights, settings = self.dataset, self.weights, self.settings
        split = next((s for s in ("test", "val") if dataset.counts.get(s)), None)
        if split is None:
            raise DataError(
                "stage evaluate: the data set has neither test nor val images; give it some, or "
                "leave evaluate out of stages."
            )
        floor, limit = settings.evaluation.conf_floor, settings.evaluation.max_det
        images = dataset.split_fingerprint(split)

        def predict(folder: Path, report: Any) -> None:
            model.predict_images(
                dataset.iter_images(split),
                weights,
                settings.model,
                dataset.names,
                dataset.class_map,
                floor,
                limit,
                settings.device,
                folder,
                report,
            )

        call = self.flow.call(
            "predict",
            {"conf_floor": floor, "max_det": limit, **self._prediction_settings(weights, dataset)},
            {"images": images, "ids": _ids_digest(dataset, split), "weights": weights.sha256},
        )
        predicted = self.flow.stage(Stage.evaluate, call, predict)
        predictions = Predictions.load(predicted.folder)

        def build(folder: Path, report: Any) -> None:
            evaluation.evaluate(dataset, split, predictions, settings.evaluation, folder, report)

        inputs = {"predictions": predicted.key, "images": images}
        call = self.flow.call(
            "evaluate", {"evaluation": settings.evaluation, "split": split}, inputs
        )
        self.flow.keep(self.flow.stage(Stage.evaluate, call, build).folder, "evaluation")

    def track(self) -> None:
        """Detect, associate, write results.json and render, for every video."""
        found = self._sequences()
        if not found:
            raise DataError(
                "stage track: there is no video to track in. Name one with video=FILE, folder or "
                "glob, or leave track out of stages."
            )
        totals: dict[str, list[float]] = {}
        for sequence in found:
            self._track_one(sequence, totals)
        for name, values in sorted(totals.items()):
            mean = name.startswith("speed/")
            self.flow.record(Metric(name, sum(values) / (len(values) if mean else 1), 0))

    def _track_one(self, sequence: Sequence, totals: dict[str, list[float]]) -> None:
        settings = self.settings

        def listen(metric: Metric) -> None:
            totals.setdefault(metric.name, []).append(metric.value)
            group, _, rest = metric.name.partition("/")
            name = f"{group}/video/{sequence.name}/{rest}"
            self.flow.record(Metric(name, metric.value, metric.step))

        detected = self._detect(sequence, listen)
        predictions = Predictions.load(detected.folder)
        knobs = {k: v for k, v in vars(settings.tracker).items() if k not in ("render", "trail")}
        call = self.flow.call(
            "associate", {"tracker": knobs}, {"predictions": detected.key, "fps": sequence.fps}
        )
        associated = self.flow.stage(
            Stage.track,
            call,
            lambda folder, report: tracker.associate(predictions, settings.tracker, folder, report),
            listen,
        )
        tracks = Tracks.load(associated.folder)
        folder = self.output / "tracking" / sequence.name
        render = (
            not self.facts.sweep if settings.tracker.render is None else settings.tracker.render
        )
        video = self._render(sequence, tracks, associated) if render and sequence.path else None
        if self.flow.plan is not None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        run = {k: v for k, v in dataclasses.asdict(self.facts).items() if k != "sweep"}
        resolved = tracks.info.tracker
        tracker.write_results(tracks, sequence, predictions.info, resolved, run, folder)
        if video is not None:
            link_or_copy(video, folder / video.name)
            self.videos.append(folder / video.name)
        self.flow.keep(folder, f"tracking/{sequence.name}")

    def _detect(self, sequence: Sequence, listen: Listener) -> StageResult:
        weights, settings = self.weights, self.settings
        names, class_map = self._classes()

        def build(folder: Path, report: Any) -> None:
            frames = datasets.read_frames(sequence)
            model.predict_video(
                frames,
                sequence,
                weights,
                settings.model,
                names,
                class_map,
                settings.device,
                folder,
                report,
            )

        floor = {"conf_floor": settings.model.conf_floor, "max_det": settings.model.max_det}
        call = self.flow.call(
            "detect",
            {**floor, **self._prediction_settings(weights, None, names, class_map)},
            # The frame rate stands in the result, and a folder of frames can change it alone.
            {"video": sequence.sha256, "fps": sequence.fps, "weights": weights.sha256},
        )
        result = self.flow.stage(Stage.track, call, build, listen)
        truncated = Predictions.load(result.folder).info.truncated
        if truncated:
            print(f"warning: {truncated}")
            self.flow.tag({f"truncated.{sequence.name}": truncated})
        return result

    def _render(self, sequence: Sequence, tracks: Tracks, associated: StageResult) -> Path:
        from segtrack.report.video import render

        def build(target: Path, report: Any) -> None:
            path = target / "annotated.mp4"
            frames = datasets.read_frames(sequence)
            trail = self.settings.tracker.trail
            render(frames, tracks, tracks.info.names, sequence.fps, path, trail)

        call = self.flow.call(
            "render",
            {"trail": self.settings.tracker.trail},
            {"tracks": associated.key, "video": sequence.sha256},
        )
        return self.flow.stage(Stage.track, call, build).folder / "annotated.mp4"

    def _train(self) -> StageResult:
        settings = self.settings
        dataset, start = self.dataset, self._start
        if Stage.train in settings.stages and not dataset.counts.get("train"):
            raise DataError(
                f"stage train: data set {settings.dataset.source} has no training images; leave "
                f"train out of stages and name weights with model.weights=FILE."
            )

        def build(folder: Path, report: Any) -> None:
            trainer.train(
                dataset,
                start,
                settings.model,
                settings.trainer,
                settings.seed,
                settings.device,
                folder,
                report,
            )

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
            shipped = name == "yolov8n-seg"
            chosen = self.settings.dataset.starting_weights if shipped else "auto"
        wanted = dataclasses.replace(self.settings.model, weights=chosen)
        weights = model.resolve_weights(wanted, self._run_weights)
        if self.flow.plan is None:
            note = f" ({weights.note})" if weights.note else ""
            print(f"weights    {name} {weights.origin}{note}")
        tags = {"weights.start": weights.origin, "weights.start.sha256": weights.sha256}
        self.flow.tag({**tags, **({"weights.note": weights.note} if weights.note else {})})
        return weights

    def _run_weights(self, run_id: str) -> Path:
        from segtrack.journal import run_weights

        return run_weights(self.settings.mlflow, run_id, self.flow.store.scratch("downloads"))

    def _sequences(self) -> tuple[Sequence, ...]:
        if self.settings.video is not None:
            return datasets.sequences_from(self.settings.video)
        return self.dataset.sequences

    def _classes(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """Names of the classes to track, and which name of the weights means which of them."""
        if Stage.prepare in self.settings.stages or self.settings.video is None:
            return self.dataset.names, self.dataset.class_map
        return _classes_without_data(self.settings.dataset, self.weights.names)

    def _prediction_settings(
        self,
        weights: Weights,
        dataset: Dataset | None,
        names: tuple[str, ...] = (),
        class_map: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        if dataset is not None:
            names, class_map = dataset.names, dataset.class_map
        return {
            "model": self.settings.model.name,
            "imgsz": self.settings.model.imgsz or weights.imgsz,
            "nms_iou": self.settings.model.nms_iou,
            "names": list(names),
            "class_map": dict(class_map or {}),
        }


def config_hash(settings: Settings) -> str:
    """Digest of everything that decides results; where they are recorded does not."""
    values = plain(settings)
    for key in ("mlflow", "parent_run", "plan", "store", "objective"):
        values.pop(key)
    return digest(values)[:16]


def _classes_without_data(
    settings: DatasetSettings, weights_names: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The classes to track where no data set says them: chosen ones, else all of the weights."""
    chosen = parse_classes(settings.classes)
    if chosen is None and settings.source == "traffic_sim":
        chosen = {name: [name] for name in SIMULATED_CLASSES}
    if chosen is None:
        return weights_names, {}
    return tuple(chosen), {old: new for new, olds in chosen.items() for old in olds}


def _ids_digest(dataset: Dataset, split: str) -> str:
    """Predictions name images by id, and ids move when another split of the data set grows."""
    return digest([image.image_id for image in dataset.iter_images(split)])[:16]
