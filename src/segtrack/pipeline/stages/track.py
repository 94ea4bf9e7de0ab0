"""Tracking in every video: trajectories, scores, results.json, annotated videos."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack import counting, model, scoring, tracker
from segtrack import dataset as datasets
from segtrack.base.addresses import is_live
from segtrack.base.errors import DataError, some
from segtrack.base.files import file_digest, hand_out
from segtrack.base.metrics import Metric, read_metrics
from segtrack.base.names import level
from segtrack.pipeline.stage import Ask, Given, Result, Stage, register
from segtrack.pipeline.stages.count import require_rules
from segtrack.pipeline.stages.weights import require_model, say_lacking
from segtrack.pipeline.videos import REPORT, detecting, detections_of

if TYPE_CHECKING:
    from segtrack.dataset import Dataset, VideoSequence
    from segtrack.model import Predictions, Weights
    from segtrack.pipeline.runner import Run, RunFacts
    from segtrack.settings import Settings
    from segtrack.tracker import Tracks

NO_VIDEO = "there is no video to track in; name one with video=FILE, a folder or a glob"


@dataclass(frozen=True)
class Tracked:
    """What one video became.

    Attributes:
        truth, scored: folders of its ground truth and its scores, or None where it has none.
        video: the annotated one, or None.
        metrics: what its stages reported.
    """

    sequence: VideoSequence
    predictions: Predictions
    tracks: Tracks
    truth: Path | None
    scored: Path | None
    video: Path | None
    metrics: tuple[Metric, ...]


def track(ask: Ask) -> Given:
    """All videos, detected together where that pays, then one after the other; or what a camera or
    stream shows, live.

    Raises:
        DataError: there is no video, and nothing else to do either.
    """
    if is_live(ask.settings.video):
        ask("live")
        return Given(None, "live: nothing of it is kept")
    found: tuple[VideoSequence, ...] = ask("sequences").value
    if not found and set(ask.settings.stages) <= {"prepare", "track"}:
        raise DataError(f"stage track: {NO_VIDEO}.")
    by_model = (one for one in found if detecting(ask, one) == "detect")
    ask.together("detect", ({"sequence": one} for one in by_model), then="video")
    done = [one.value for one in ask.each("video", ({"sequence": one} for one in found))]
    count = "1 video" if len(done) == 1 else f"{len(done)} videos"
    return Given(done, count if done else f"nothing to do: {NO_VIDEO}")


def sequences(ask: Ask) -> Given:
    """The videos: those that are named, or the data set's."""
    settings = ask.settings
    if settings.video is not None:
        return Given(datasets.sequences_from(settings.video))
    alone = datasets.source_of(settings.dataset).sequences
    if alone is not None and "prepare" not in ask.listed:
        return Given(alone(settings.dataset))
    return Given(ask("prepare").value.sequences)


def classes(ask: Ask) -> Given:
    """Names of the classes to track, and which name of the weights means which of them.

    They are the data set's where it is prepared for this command or holds the videos, else those of
    ``dataset.classes``, else all that the weights have.
    """
    from segtrack.dataset import parse_classes

    settings = ask.settings
    source = datasets.source_of(settings.dataset)
    if source.sequences is None and ("prepare" in ask.listed or settings.video is None):
        dataset: Dataset = ask("prepare").value
        return Given((dataset.names, dict(dataset.class_map)))
    chosen = parse_classes(settings.dataset.classes)
    if chosen is None:
        weights: Weights = ask("weights").value
        return Given((weights.names, {}))
    return Given((tuple(chosen), {old: new for new, olds in chosen.items() for old in olds}))


def _require(ask: Ask) -> None:
    """What a video names, that a camera or a stream gives frames, and the weights."""
    video = ask.settings.video
    alone = datasets.source_of(ask.settings.dataset).sequences is not None
    if video is not None and is_live(video):
        datasets.LiveStream(video).close()
    elif video is not None or (alone and "prepare" not in ask.listed):
        require_rules(ask.settings, ask("sequences").value)
    require_model(ask)


def _publish_classes(run: Run, made: Result) -> None:
    say_lacking(run, model.Request(*made.value), "none of it can be found")


def video(ask: Ask, sequence: VideoSequence) -> Given:
    """One video: detect, associate, score, render."""
    detected = detections_of(ask, sequence)
    moved = ask("motion", sequence=sequence)
    associated = ask("associate", sequence=sequence)
    truth = ask("truth", sequence=sequence)
    scored = ask("score", sequence=sequence)
    counted = ask("count", sequence=sequence)
    rendered = ask("render", sequence=sequence)
    stored = [
        r for r in (detected, moved, associated, truth, scored, counted) if r.value is not None
    ]
    return Given(
        Tracked(
            sequence,
            detected.value,
            associated.value,
            truth.value,
            scored.value,
            rendered.value,
            tuple(metric for result in stored for metric in read_metrics(result.folder)),
        )
    )


def _write_video(
    output: Path, facts: RunFacts, made: Result, sequence: VideoSequence
) -> Callable[[], None]:
    """Writes results.json and the text files beside it."""
    one: Tracked = made.value
    folder = _folder_of(output, sequence)
    folder.mkdir(parents=True, exist_ok=True)
    info, run = one.tracks.info, dataclasses.asdict(facts)
    how = one.tracks, sequence, one.predictions.info, info.tracker, run, folder
    return partial(tracker.write_results, *how)


def _folder_of(output: Path, sequence: VideoSequence) -> Path:
    return output / "tracking" / level(sequence.name)


def _load_apart(settings: Settings) -> Callable[[], None]:
    return partial(tracker.load_compiled, settings.tracker, settings.tracks)


def _publish_video(run: Run, made: Result, sequence: VideoSequence) -> None:
    one: Tracked = made.value
    folder = _folder_of(run.output, sequence)
    run.show("results.json", folder / "results.json")
    if one.video is not None:
        hand_out(one.video, folder / one.video.name)
        run.show("annotated video", folder / one.video.name)
    hand_out(one.tracks.folder / tracker.FLIPS_FILE, folder / tracker.FLIPS_FILE)
    if one.scored is not None:
        (folder / "scores").mkdir(exist_ok=True)
        for name in ("scores.json", "counts.npz", scoring.MATCHES_FILE):
            hand_out(one.scored / name, folder / "scores" / name)
        if one.truth is not None:
            hand_out(one.truth / scoring.TRUTH_FILE, folder / "scores" / scoring.TRUTH_FILE)
    run.keep(folder, f"tracking/{folder.name}")


def _publish(run: Run, made: Result) -> None:
    done: list[Tracked] | None = made.value
    if done is None:
        return
    if not done:
        run.say(f"nothing to do: {NO_VIDEO}")
        return
    run.named("video", (one.sequence.name for one in done))
    run.named("class", (name for one in done for name in one.tracks.info.names))
    totals: dict[str, list[float]] = {}
    for metric in (metric for one in done for metric in one.metrics):
        totals.setdefault(metric.name, []).append(metric.value)
    for name, values in sorted(totals.items()):
        if name.startswith("count/") and len(done) > 1 and not counting.adds_up(name):
            continue
        mean = name.startswith("speed/") or name == "track/class_flips"
        run.record(name, sum(values) / (len(values) if mean else 1))
    rows = (f"{t.sequence.name}:{file_digest(t.tracks.folder / 'tracks.parquet')}\n" for t in done)
    run.tag({"videos": str(len(done))})
    run.tag({"tracks.sha256": hashlib.sha256("".join(rows).encode()).hexdigest()})
    _say_left_out(run, done)
    _publish_scores(run, done, _list(run, done))


def _say_left_out(run: Run, done: list[Tracked]) -> None:
    """What the network found and nobody asked for."""
    counts: Counter[str] = Counter()
    for one in done:
        counts.update(one.predictions.info.left_out)
    if counts:
        floor = run.settings.model.conf_floor
        listed = some([f"{name} {count}" for name, count in counts.most_common()])
        run.say(f"left out, as their class is not wanted (detections from {floor:g} on): {listed}")
        run.tag({"classes.left_out": listed})


def _list(run: Run, done: list[Tracked]) -> Path:
    """Say where the parts of each video lie, for figures and for those that read the run again."""
    rows = [
        {
            "name": one.sequence.name,
            "role": one.sequence.role,
            "tracks": str(one.tracks.folder.absolute()),
            "truth": str(one.truth.absolute()) if one.truth else None,
            "scores": str(one.scored.absolute()) if one.scored else None,
            "video": str(one.sequence.path.absolute()) if one.sequence.path else None,
        }
        for one in done
    ]
    path = run.output / REPORT
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf-8")
    run.keep(path, "")
    return path


def _publish_scores(run: Run, done: list[Tracked], listed: Path) -> None:
    """Scores over all videos, and what shows where they come from."""
    scored = [(one.sequence, one.scored) for one in done if one.scored]
    if not scored:
        return
    scores = {sequence.name: scoring.SequenceScores.load(path) for sequence, path in scored}
    roles = {sequence.name: sequence.role for sequence, _ in scored}
    for name, value in scoring.score_metrics(scores, roles).items():
        run.record(name, value)
    if run.settings.parent_run is None:  # a sweep makes figures for the cells that matter
        folder = run.output / "tracking" / "scores"
        scoring.write_tracking_report(listed, folder)
        run.keep(folder, "tracking/scores")


_STAGES = ("detections", "detect", "motion", "associate", "truth", "score", "count", "render")
STAGE = register(
    Stage(
        name="track",
        make=track,
        inputs=("sequences", "detect", "video", "live", "start"),
        publish=_publish,
        require=_require,
        after="evaluate",
    )
)
for _stage in (
    Stage(name="sequences", make=sequences, inputs=("prepare",), listed=False),
    Stage(
        name="classes",
        make=classes,
        inputs=("prepare", "weights"),
        publish=_publish_classes,
        listed=False,
    ),
    Stage(
        name="video",
        make=video,
        inputs=_STAGES,
        publish=_publish_video,
        write=_write_video,
        load_apart=_load_apart,
        listed=False,
    ),
):
    register(_stage)
