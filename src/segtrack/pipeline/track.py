"""The video half of the pipeline: detect, associate, score, results.json, render.

detect (or the sequence's own detections) --> associate --> score, where there is ground truth
                                                 |
                                                 +--> results.json, mot.txt, mots.txt, annotated.mp4
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from segtrack import dataset as datasets
from segtrack import model, scoring, tracker
from segtrack.base.errors import DataError
from segtrack.base.files import file_digest, link_or_copy
from segtrack.base.metrics import Metric
from segtrack.dataset import Dataset, Sequence
from segtrack.dataset.classes import parse_classes
from segtrack.model import Network, Predictions, Weights
from segtrack.pipeline.flow import Flow
from segtrack.scoring import SequenceScores, Truth
from segtrack.settings import (
    Detections,
    SequencesSettings,
    Settings,
    Stage,
)
from segtrack.store.store import Listener, StageResult
from segtrack.tracker import Tracks
from trafficsim import CLASS_NAMES as SIMULATED_CLASSES

NOT_ASSOCIATION = ("render", "trail")  # knobs of the group tracker that only drawing reads
CHUNK_FRAMES = 50  # of the parts that a bootstrap draws where sequences are few
REPORT = "tracking.json"  # in the run's folder: where the figures' numbers lie


@dataclass(frozen=True)
class RunFacts:
    """What ``results.json`` says about the run that wrote it.

    Attributes:
        sweep: whether this is a cell of a sweep: no video is rendered unless asked for, and the
            figures are left to the parent, which makes them for the cells that matter.
    """

    mlflow_run_id: str
    config_hash: str
    git_commit: str
    created_at: str
    sweep: bool = False


@dataclass(frozen=True)
class Tracked:
    """What one video became.

    Attributes:
        truth, scored: folders of its ground truth and its scores, or None where it has none.
    """

    sequence: Sequence
    tracks: Tracks
    truth: Path | None
    scored: Path | None


@dataclass
class Tracking:
    """The stage ``track`` of one run.

    Attributes:
        weights, dataset: called where they are needed only: detections that a sequence brings along
            need no weights, and a video that is named needs no data set.
        videos: the annotated videos that were written.
    """

    settings: Settings
    flow: Flow
    output: Path
    facts: RunFacts
    weights: Callable[[], Weights]
    dataset: Callable[[], Dataset]
    videos: list[Path] = dataclasses.field(default_factory=list)
    totals: dict[str, list[float]] = dataclasses.field(default_factory=dict)

    def run(self) -> list[Tracked]:
        """Track in every video.

        Raises:
            DataError: there is no video, and nothing else to do either.
        """
        found = self._sequences()
        if not found:
            text = "there is no video to track in; name one with video=FILE, a folder or a glob"
            if set(self.settings.stages) <= {Stage.prepare, Stage.track}:
                raise DataError(f"stage track: {text}.")
            if self.flow.plan is None:
                print(f"track      nothing to do: {text}", flush=True)
        done = [self._track(sequence) for sequence in found]
        if self.flow.plan is not None or not done:
            return done
        for name, values in sorted(self.totals.items()):
            mean = name.startswith("speed/") or name == "track/class_flips"
            self.flow.record(Metric(name, sum(values) / (len(values) if mean else 1), 0))
        digest = hashlib.sha256("".join(_trajectories_digest(one) for one in done).encode())
        self.flow.tag({"tracks.sha256": digest.hexdigest()})
        self._score_all(done)
        return done

    def _track(self, sequence: Sequence) -> Tracked:
        def listen(metric: Metric) -> None:
            self.totals.setdefault(metric.name, []).append(metric.value)
            group, _, rest = metric.name.partition("/")
            name = f"{group}/video/{sequence.name}/{rest}"
            self.flow.record(Metric(name, metric.value, metric.step))

        detected = self._detections(sequence, listen)
        predictions = Predictions.load(detected.folder)
        associated = self._associate(sequence, detected, predictions, listen)
        tracks = Tracks.load(associated.folder)
        truth = self._truth(sequence, listen)
        scored = self._score(truth, associated, tracks, listen) if truth else None
        render = self.settings.tracker.render
        render = not self.facts.sweep if render is None else render
        video = self._render(sequence, tracks, associated) if render and sequence.path else None
        if self.flow.plan is None:
            self._write(sequence, tracks, predictions, scored, video)
        return Tracked(sequence, tracks, truth.folder if truth else None, scored)

    def _sequences(self) -> tuple[Sequence, ...]:
        settings = self.settings
        if settings.video is not None:
            return datasets.sequences_from(settings.video)
        if isinstance(settings.dataset, SequencesSettings) and not self._prepared:
            return datasets.sequences_of(settings.dataset)
        return self.dataset().sequences

    @property
    def _prepared(self) -> bool:
        return Stage.prepare in self.settings.stages

    def _detections(self, sequence: Sequence, listen: Listener) -> StageResult:
        wanted = getattr(self.settings.dataset, "detections", Detections.auto)
        if wanted is Detections.file and sequence.det is None:
            raise DataError(
                f"sequence {sequence.name}: dataset.detections=file, but it has no det/det.txt; "
                "add the file or choose dataset.detections=model"
            )
        brought = wanted is Detections.file or (wanted is Detections.auto and not sequence.path)
        if brought and sequence.det is not None:
            return self._read(sequence, listen)
        return self._detect(sequence, listen)

    def _read(self, sequence: Sequence, listen: Listener) -> StageResult:
        """The detections that the sequence brings along, as predictions."""
        assert sequence.det is not None
        floor = self.settings.model.conf_floor
        det_class = getattr(self.settings.dataset, "det_class", "person")
        name = self._merged.get(det_class, det_class)
        call = self.flow.call(
            "detections",
            {"conf_floor": floor, "names": [name], "frames": sequence.frame_count},
            {"det": file_digest(sequence.det), "fps": sequence.fps},
        )
        return self.flow.stage(
            Stage.track,
            call,
            lambda folder, report: model.read_detections(sequence, name, floor, folder, report),
            listen,
        )

    def _detect(self, sequence: Sequence, listen: Listener) -> StageResult:
        weights, settings = self.weights(), self.settings
        names, class_map = self._classes()

        def build(folder: Path, report: Any) -> None:
            frames = datasets.read_frames(sequence)
            network = Network(settings.model, weights, settings.device)
            request = network.request(names, class_map)
            model.predict_video(frames, sequence, network, request, folder, report)

        knobs = {
            "conf_floor": settings.model.conf_floor,
            "max_det": settings.model.max_det,
            "model": settings.model.name,
            "imgsz": settings.model.imgsz or weights.imgsz,
            "nms_iou": settings.model.nms_iou,
            "names": list(names),
            "class_map": dict(class_map),
        }
        # The frame rate stands in the result, and a folder of frames can change it alone.
        inputs = {"video": sequence.sha256, "fps": sequence.fps, "weights": weights.sha256}
        result = self.flow.stage(
            Stage.track, self.flow.call("detect", knobs, inputs), build, listen
        )
        truncated = Predictions.load(result.folder).info.truncated
        if truncated:
            print(f"warning: {truncated}")
            self.flow.tag({f"truncated.{sequence.name}": truncated})
        return result

    def _associate(
        self, sequence: Sequence, detected: StageResult, predictions: Predictions, listen: Listener
    ) -> StageResult:
        settings = self.settings.tracker
        knobs = {k: v for k, v in vars(settings).items() if k not in NOT_ASSOCIATION}
        inputs: dict[str, Any] = {"predictions": detected.key, "fps": sequence.fps}
        kind = tracker.TRACKERS.get(settings.name)
        motion, looks = None, kind.needs_frames(settings)
        if looks or kind.needs_motion(settings):
            _require_frames(sequence, settings.name, kind.without_frames)
        if kind.needs_motion(settings):
            moved = self._camera_motion(sequence, listen)
            motion = tracker.load_motion(moved.folder)
            inputs["motion"] = moved.key
        if looks:
            inputs["video"] = sequence.sha256
        for number, path in enumerate(kind.files(settings)):
            inputs[f"file {number}"] = _content_digest(path)

        def build(folder: Path, report: Any) -> None:
            frames = datasets.read_frames(sequence) if looks else None
            tracker.associate(predictions, settings, folder, report, frames, motion)

        call = self.flow.call(
            "associate", {"tracker": knobs, "version": kind.version}, inputs, kind.libraries
        )
        return self.flow.stage(Stage.track, call, build, listen)

    def _camera_motion(self, sequence: Sequence, listen: Listener) -> StageResult:
        return self.flow.stage(
            Stage.track,
            self.flow.call("motion", {}, {"video": sequence.sha256}),
            lambda folder, report: tracker.camera_motion(
                datasets.read_frames(sequence), folder, report
            ),
            listen,
        )

    def _truth(self, sequence: Sequence, listen: Listener) -> StageResult | None:
        """The sequence's ground truth, parsed once; None where there is none."""
        if sequence.gt is None and sequence.mots is None:
            return None
        files = {
            "gt": file_digest(sequence.gt) if sequence.gt else "",
            "mots": file_digest(sequence.mots) if sequence.mots else "",
        }
        facts = {
            "name": sequence.name,
            "format": sequence.gt_format,
            "classes": [list(row) for row in sequence.gt_classes],
            "mots_classes": [list(row) for row in sequence.mots_classes],
            "size": [sequence.width, sequence.height],
            "frames": sequence.frame_count,
        }
        return self.flow.stage(
            Stage.track,
            self.flow.call("truth", facts, files),
            lambda folder, report: scoring.build_truth(sequence, folder, report),
            listen,
        )

    def _score(
        self, parsed: StageResult, associated: StageResult, tracks: Tracks, listen: Listener
    ) -> Path:
        """Compare the trajectories with the ground truth."""
        truth = Truth.load(parsed.folder)
        merge, names = self._merged, tracks.info.names

        def build(folder: Path, report: Any) -> None:
            scoring.score_tracks(truth, tracks, names, folder, report, CHUNK_FRAMES, merge)

        call = self.flow.call(
            "score",
            {"merge": merge, "chunk_frames": CHUNK_FRAMES},
            {"tracks": associated.key, "truth": parsed.key},
        )
        return self.flow.stage(Stage.track, call, build, listen).folder

    def _score_all(self, done: Iterable[Tracked]) -> None:
        """Scores over all videos, and what shows where they come from."""
        scored = [one for one in done if one.scored is not None]
        if not scored:
            return
        scores = {one.sequence.name: SequenceScores.load(_there(one.scored)) for one in scored}
        roles = {one.sequence.name: one.sequence.role for one in scored}
        for name, value in scoring.score_metrics(scores, roles).items():
            self.flow.record(Metric(name, value, 0))
        rows = [
            {
                "name": one.sequence.name,
                "role": one.sequence.role,
                "tracks": str(one.tracks.folder.absolute()),
                "truth": str(_there(one.truth).absolute()),
                "scores": str(_there(one.scored).absolute()),
                "video": str(one.sequence.path.absolute()) if one.sequence.path else None,
            }
            for one in scored
        ]
        path = self.output / REPORT
        path.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
        if not self.facts.sweep:
            from segtrack.scoring import write_tracking_report

            folder = self.output / "tracking" / "scores"
            write_tracking_report(path, folder)
            self.flow.keep(folder, "tracking/scores")

    def _render(self, sequence: Sequence, tracks: Tracks, associated: StageResult) -> Path:
        from segtrack.tracker import render

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

    def _write(
        self,
        sequence: Sequence,
        tracks: Tracks,
        predictions: Predictions,
        scored: Path | None,
        video: Path | None,
    ) -> None:
        folder = self.output / "tracking" / sequence.name
        folder.mkdir(parents=True, exist_ok=True)
        run = {k: v for k, v in dataclasses.asdict(self.facts).items() if k != "sweep"}
        resolved = tracks.info.tracker
        tracker.write_results(tracks, sequence, predictions.info, resolved, run, folder)
        if video is not None:
            link_or_copy(video, folder / video.name)
            self.videos.append(folder / video.name)
        if scored is not None:
            (folder / "scores").mkdir(exist_ok=True)
            for name in ("scores.json", "counts.npz"):
                link_or_copy(scored / name, folder / "scores" / name)
        self.flow.keep(folder, f"tracking/{sequence.name}")

    def _classes(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """Names of the classes to track, and which name of the weights means which of them."""
        settings = self.settings
        sequences = isinstance(settings.dataset, SequencesSettings)
        if not sequences and (self._prepared or settings.video is None):
            return self.dataset().names, dict(self.dataset().class_map)
        chosen = self._chosen
        if chosen is None and settings.dataset.source == "traffic_sim":
            chosen = {name: [name] for name in SIMULATED_CLASSES}
        if chosen is None:
            return self.weights().names, {}
        return tuple(chosen), {old: new for new, olds in chosen.items() for old in olds}

    @cached_property
    def _chosen(self) -> dict[str, list[str]] | None:
        return parse_classes(self.settings.dataset.classes)

    @cached_property
    def _merged(self) -> dict[str, str]:
        """The class that is scored, by the name that the ground truth has for it."""
        return {old: new for new, olds in (self._chosen or {}).items() for old in olds}


def _require_frames(sequence: Sequence, name: str, without: str) -> None:
    if sequence.path is None:
        raise DataError(
            f"sequence {sequence.name}: tracker={name} looks at the frames, and there are none; "
            f"add the folder img1, or do without: {without}"
        )


def _trajectories_digest(one: Tracked) -> str:
    return f"{one.sequence.name}:{file_digest(one.tracks.folder / 'tracks.parquet')}\n"


def _content_digest(path: Path) -> str:
    """Of a file, or of all files of a folder (an exported model is one)."""
    path = path.expanduser()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    rows = (f"{p.relative_to(path.parent).as_posix()}:{file_digest(p)}\n" for p in files)
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def _there(path: Path | None) -> Path:
    assert path is not None
    return path
