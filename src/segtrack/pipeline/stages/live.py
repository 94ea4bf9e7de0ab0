"""Tracking in a camera or a stream while it runs: nothing of it is kept in the store."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segtrack import dataset as datasets
from segtrack import model, tracker
from segtrack.base.addresses import stream_name
from segtrack.base.errors import some
from segtrack.base.names import level
from segtrack.base.saying import say
from segtrack.base.secrets import without_secrets
from segtrack.pipeline.stage import Ask, Stage, Visit, register
from segtrack.pipeline.videos import wants_video

if TYPE_CHECKING:
    from segtrack.model import Weights
    from segtrack.pipeline.runner import Run


def live(ask: Ask) -> Visit:
    """Detect and track until the stream ends, ``video_seconds`` are over, or Ctrl-C."""
    settings = ask.settings
    assert settings.video is not None
    weights: Weights = ask("weights").value
    one_by_one = dataclasses.replace(settings.model, batch=1)
    network = model.Network(one_by_one, weights, settings.device)
    request = network.request(*ask("classes").value)
    model.wanted_classes(weights, request)

    def do(run: Run) -> None:
        detector = model.load_detector(network, request)
        predicted = model.PredictionsInfo(
            names=request.names,
            frame_count=0,
            model_name=settings.model.name,
            weights_sha256=weights.sha256,
            imgsz=detector.imgsz,
            conf_floor=request.conf_floor,
        )
        trail = settings.render.trail if wants_video(settings) else None
        follows = settings.tracker, settings.tracks
        how = tracker.LiveTracker(detector, predicted, *follows, trail, settings.device)
        _track(run, how)

    return Visit(f"live from {without_secrets(settings.video)}: nothing of it is kept", do)


def _track(run: Run, how: tracker.LiveTracker) -> None:
    settings = run.settings
    assert settings.video is not None
    name, limit = stream_name(settings.video), settings.video_seconds
    folder = run.output / "tracking" / level(name)
    folder.mkdir(parents=True, exist_ok=True)
    reasons: list[str] = []
    with datasets.LiveStream(settings.video, tell=run.say) as stream, _interrupt(stream, reasons):
        size = f"{stream.width}x{stream.height}"
        run.say(f"{stream.name}: {size}, {stream.fps:g} frames/s; Ctrl-C ends it")

        def stop(seconds: float) -> bool:
            if limit is not None and seconds >= limit and not reasons:
                reasons.append(f"video_seconds={limit:g}")
            return bool(reasons)

        video = tracker.LiveVideo(name, stream.width, stream.height, stream.fps)
        facts = dataclasses.asdict(run.facts)
        done = tracker.track_live(video, stream.frames(), how, facts, folder, stop)
        ended = reasons[0] if reasons else stream.ended
    _say(run, stream, done, ended)
    run.record("track/objects", done.objects)
    run.record("track/tracks", sum(done.tracks.values()))
    for class_name, count in sorted(done.tracks.items()):
        run.record(f"track/count/{level(class_name)}", count)
    run.named("class", how.predicted.names)
    run.record("track/live/frames", done.frames)
    run.record("track/live/dropped", stream.dropped)
    run.record("speed/live_fps", done.frames / max(done.seconds, 1e-6))
    run.tag({"live": stream.name, "live.ended": ended})
    if done.left_out:
        counts = sorted(done.left_out.items(), key=lambda item: -item[1])
        listed = some([f"{class_name} {count}" for class_name, count in counts])
        run.say(f"left out, as their class is not wanted: {listed}")
        run.tag({"classes.left_out": listed})
    run.show("results.json", folder / "results.json")
    if (folder / "annotated.mp4").is_file():
        run.show("annotated video", folder / "annotated.mp4")
    run.keep(folder, f"tracking/{folder.name}")


def _say(run: Run, stream: datasets.LiveStream, done: tracker.LiveSummary, ended: str) -> None:
    pace = done.frames / max(done.seconds, 1e-6)
    run.say(f"ended by {ended}: {done.frames} frames in {done.seconds:.1f} s ({pace:.1f} frames/s)")
    if stream.dropped:
        share = stream.dropped / (stream.dropped + done.frames)
        run.say(
            f"{stream.dropped} frames ({share:.0%}) were dropped, since the model is slower than "
            "the stream; a smaller model.imgsz or model keeps up better"
        )
    if stream.reconnected:
        run.say(f"the connection was lost and made again {stream.reconnected} times")
    if stream.resized:
        run.say(f"{stream.resized} frames of another size were scaled to the first one's")


@contextmanager
def _interrupt(stream: datasets.LiveStream, reasons: list[str]) -> Iterator[None]:
    """The first Ctrl-C ends the stream and lets the run record it; the second one is usual."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def first(number: int, frame: object) -> None:
        reasons.append("Ctrl-C")
        stream.end()
        signal.signal(signal.SIGINT, before)
        say("\nlive       ending; Ctrl-C again stops at once")

    before = signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


STAGE = register(Stage(name="live", make=live, inputs=("weights", "classes"), listed=False))
