"""The embedded simulator as a data set: images, videos and their ground truth."""

from __future__ import annotations

from segtrack.dataset.sources.port import Content, Place, Source, register_source
from segtrack.dataset.sources.traffic_sim.settings import Light, TrafficSimSettings

__all__ = ["Light", "TrafficSimSettings"]


def _read(settings: TrafficSimSettings, place: Place) -> Content:
    from segtrack.dataset.sources.traffic_sim.render import render
    from segtrack.dataset.workers import worker_count

    workers = worker_count(settings.workers)
    videos = render(settings, place.folder, workers, place.catalogue)
    return Content(_class_names(settings), videos, prefix="sim:")


def _class_names(_: TrafficSimSettings) -> tuple[str, ...]:
    from trafficsim import CLASS_NAMES

    return CLASS_NAMES


register_source(
    Source("traffic_sim", TrafficSimSettings, _read, class_names=_class_names, version=4)
)
