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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack import dataset as datasets
from segtrack import evaluation, model, tracker, trainer
from segtrack.dataset import Dataset, Sequence
from segtrack.dataset.classes import parse_classes
from segtrack.dataset.simulator import CLASS_NAMES as SIMULATED_CLASSES
from segtrack.errors import DataError, SettingsError
from segtrack.journal import Journal
from segtrack.metrics import Metric
from segtrack.model import Predictions, Weights
from segtrack.settings import DatasetSettings, Settings, Stage
from segtrack.store import Build, Listener, StageCall, StageResult, Store, digest, link_or_copy
from segtrack.tracker import Tracks

# Raise a stage's number when its code changes what it produces; tests/test_versions.py watches.
VERSIONS = {
    "prepare": 1,
    "train": 1,
    "predict": 1,
    "evaluate": 1,
    "detect": 1,
    "associate": 1,
    "render": 1,
}
LIBRARIES: dict[str, tuple[str, ...]] = {
    "prepare": ("opencv-python",),
    "train": ("ultralytics", "torch"),
    "predict": ("ultralytics", "torch"),
    "evaluate": ("pycocotools",),
    "detect": ("ultralytics", "torch"),
    "associate": ("ultralytics", "lap"),
    "render": ("supervision", "av"),
}
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


class NotBuilt(Exception):
    """While planning: a stage has no result yet, so what follows from it is not known."""


class Pipeline:
    """One run: the stages over one composed configuration."""

    def __init__(
        self, settings: Settings, store: Store, journal: Journal | None, output: Path, run: RunFacts
    ) -> None:
        self.settings = settings
        self.store = store
        self.journal = journal
        self.output = output
        self.facts = run
        self.builds: dict[str, int] = {}
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
        for name, count in self.builds.items():
            self._record(Metric(f"builds/{name}", count, 0))

    def plan(self) -> list[str]:
        """A line for each listed stage: there already, to be built and why, or not known yet."""
        lines: list[str] = []
        self._plan_lines = lines
        self.journal = None
        for stage, step in self._steps().items():
            if stage not in self.settings.stages:
                continue
            try:
                step()
            except NotBuilt as missing:
                if str(missing) != stage.name:
                    lines.append(f"{stage.name:10} unknown  follows from {missing}")
        return lines

    _plan_lines: list[str] | None = None

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
            cache = self.store.scratch("files")
            datasets.prepare(settings, self.settings.seed, folder, report, cache)

        call = self._call(
            "prepare",
            {"dataset": settings, "seed": self.settings.seed},
            {"files": datasets.signature(settings)},
        )
        result = self._stage(Stage.prepare, call, build)
        dataset = Dataset.load(result.folder)
        for name in ("checks.txt", "checks.json", "dataset.json", "contact_sheet.jpg"):
            self._keep(result.folder / name, "data")
        if self.journal:
            self.journal.tags({"dataset.fingerprint": dataset.fingerprint})
            where = settings.path or settings.source
            self.journal.dataset(settings.source, dataset.fingerprint, where, "training")
        return dataset

    @functools.cached_property
    def weights(self) -> Weights:
        """The weights that evaluate and track use: trained ones, or those that were named."""
        named = self.settings.model.weights
        if Stage.train not in self.settings.stages and named not in (None, "scratch"):
            weights = self._start()
        else:
            result = self._train()
            weights = trainer.Training.load(result.folder).weights
            self._keep(result.folder / "results.csv", "train")
            self._keep(weights.path, "weights")
        if self.journal:
            self.journal.tags({"weights.sha256": weights.sha256, "weights.origin": weights.origin})
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

        call = self._call(
            "predict",
            {"conf_floor": floor, "max_det": limit, **self._prediction_settings(weights, dataset)},
            {"images": images, "weights": weights.sha256},
        )
        predicted = self._stage(Stage.evaluate, call, predict)
        predictions = Predictions.load(predicted.folder)

        def build(folder: Path, report: Any) -> None:
            evaluation.evaluate(dataset, split, predictions, settings.evaluation, folder, report)

        inputs = {"predictions": predicted.key, "images": images}
        call = self._call("evaluate", {"evaluation": settings.evaluation, "split": split}, inputs)
        self._keep(self._stage(Stage.evaluate, call, build).folder, "evaluation")

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
            self._record(Metric(name, sum(values) / (len(values) if mean else 1), 0))

    def _track_one(self, sequence: Sequence, totals: dict[str, list[float]]) -> None:
        settings = self.settings

        def listen(metric: Metric) -> None:
            totals.setdefault(metric.name, []).append(metric.value)
            group, _, rest = metric.name.partition("/")
            name = f"{group}/video/{sequence.name}/{rest}"
            self._record(Metric(name, metric.value, metric.step))

        detected = self._detect(sequence, listen)
        predictions = Predictions.load(detected.folder)
        knobs = {k: v for k, v in vars(settings.tracker).items() if k not in ("render", "trail")}
        call = self._call(
            "associate", {"tracker": knobs}, {"predictions": detected.key, "fps": sequence.fps}
        )
        associated = self._stage(
            Stage.track,
            call,
            lambda folder, report: tracker.associate(predictions, settings.tracker, folder, report),
            listen,
        )
        tracks = Tracks.load(associated.folder)
        folder = self.output / "tracking" / sequence.name
        folder.mkdir(parents=True, exist_ok=True)
        run = {k: v for k, v in dataclasses.asdict(self.facts).items() if k != "sweep"}
        if self._plan_lines is None:
            info = predictions.info
            tracker.write_results(tracks, sequence, info, _plain(settings.tracker), run, folder)
        render = settings.tracker.render
        if (not self.facts.sweep if render is None else render) and sequence.path is not None:
            self._render(sequence, tracks, associated, folder)
        self._keep(folder, f"tracking/{sequence.name}")

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
        call = self._call(
            "detect",
            {**floor, **self._prediction_settings(weights, None, names, class_map)},
            {"video": sequence.sha256, "weights": weights.sha256},
        )
        result = self._stage(Stage.track, call, build, listen)
        truncated = Predictions.load(result.folder).info.truncated
        if truncated:
            print(f"warning: {truncated}")
            if self.journal:
                self.journal.tags({f"truncated.{sequence.name}": truncated})
        return result

    def _render(
        self, sequence: Sequence, tracks: Tracks, associated: StageResult, folder: Path
    ) -> None:
        from segtrack.report.video import render

        def build(target: Path, report: Any) -> None:
            path = target / "annotated.mp4"
            frames = _readable(datasets.read_frames(sequence))
            trail = self.settings.tracker.trail
            render(frames, tracks, tracks.info.names, sequence.fps, path, trail)

        call = self._call(
            "render",
            {"trail": self.settings.tracker.trail},
            {"tracks": associated.key, "video": sequence.sha256},
        )
        result = self._stage(Stage.track, call, build)
        link_or_copy(result.folder / "annotated.mp4", folder / "annotated.mp4")
        self.videos.append(folder / "annotated.mp4")

    def _train(self) -> StageResult:
        settings = self.settings
        dataset, start = self.dataset, self._start()
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
        call = self._call(
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
        return self._stage(Stage.train, call, build)

    @functools.cache  # noqa: B019  one pipeline per run
    def _start(self) -> Weights:
        """The weights that were named, or that the data set starts with."""
        chosen, name = self.settings.model.weights, self.settings.model.name
        if chosen is None:
            shipped = name == "yolov8n-seg"
            chosen = self.settings.dataset.starting_weights if shipped else "auto"
        wanted = dataclasses.replace(self.settings.model, weights=chosen)
        weights = model.resolve_weights(wanted, self._run_weights)
        print(
            f"weights: {name} from {weights.origin}" + (f" ({weights.note})" * bool(weights.note))
        )
        if self.journal:
            tags = {"weights.start": weights.origin, "weights.start.sha256": weights.sha256}
            self.journal.tags({**tags, **({"weights.note": weights.note} if weights.note else {})})
        return weights

    def _run_weights(self, run_id: str) -> Path:
        from segtrack.journal import run_weights

        return run_weights(self.settings.mlflow, run_id, self.store.scratch("downloads"))

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

    def _call(
        self,
        name: str,
        settings: Mapping[str, Any],
        inputs: Mapping[str, Any],
        resumable: bool = False,
    ) -> StageCall:
        plain = {key: _plain(value) for key, value in settings.items()}
        texts = {key: str(value) for key, value in inputs.items()}
        return StageCall(name, VERSIONS[name], plain, texts, LIBRARIES[name], resumable)

    def _stage(
        self, stage: Stage, call: StageCall, build: Build, listener: Listener | None = None
    ) -> StageResult:
        """Take the result from the store, or build it where its stage is listed."""
        listener = listener or self._record
        found = self.store.find(call)
        if self._plan_lines is not None:
            line = f"{call.name:10} " + (f"hit      {call.key}" if found else "")
            self._plan_lines.append(line if found else self._plan_miss(stage, call))
            if not found:
                raise NotBuilt(stage.name)
        if found is None and stage not in self.settings.stages:
            raise SettingsError(_missing(stage))
        result = self.store.run(call, build, listener)
        self.builds[call.name] = self.builds.get(call.name, 0) + (not result.hit)
        verb = "reused" if result.hit else f"built in {result.seconds:.1f} s"
        print(f"{call.name:10} {verb}", flush=True)
        if self.journal:
            self.journal.tags({f"stage.{call.name}": f"{verb} {call.key}"})
        return result

    def _plan_miss(self, stage: Stage, call: StageCall) -> str:
        if stage not in self.settings.stages:
            return f"{call.name:10} missing  {_missing(stage)}"
        return f"{call.name:10} build    {self.store.explain(call)}"

    def _record(self, metric: Metric) -> None:
        if self.journal:
            self.journal.metric(metric)

    def _keep(self, path: Path, folder: str) -> None:
        """Keep a file or a folder as an artifact; the store's own notes are left out."""
        if self.journal and path.exists():
            self.journal.artifact(path, folder)


def config_hash(settings: Settings) -> str:
    """Digest of everything that decides results; where they are recorded does not."""
    plain = _plain(settings)
    for key in ("mlflow", "parent_run", "plan", "store", "objective"):
        plain.pop(key)
    return digest(plain)[:16]


def _plain(value: Any) -> Any:
    """Settings as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.value if hasattr(value, "value") else value


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


def _missing(stage: Stage) -> str:
    mend = {
        Stage.train: "name trained weights with model.weights=FILE",
        Stage.prepare: "name a video with video=FILE and weights with model.weights=FILE",
    }.get(stage, "leave out what follows from it")
    return (
        f"stage {stage.name} is not listed in stages, and the store has no result of it for these "
        f"settings: add {stage.name} to stages, or {mend}."
    )


def _readable(frames: Iterator[Any]) -> Iterator[Any]:
    """The frames up to where the video is damaged; detection has said so already."""
    try:
        yield from frames
    except DataError:
        return
