"""The annotation platform."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from segtrack.base.labellerr_api import REVIEWED
from segtrack.settings.knobs import Group, Problem, knob


class LabellerrMode(Enum):
    off = "off"
    emulator = "emulator"
    cloud = "cloud"


class TransportChoice(Enum):
    """How the platform is spoken to; auto takes the SDK where it is installed."""

    auto = "auto"
    sdk = "sdk"
    http = "http"


class Assist(Enum):
    """Whose masks are proposed for the images that are pushed."""

    model = "model"
    sam = "sam"


@dataclass
class AnnotatorSettings:
    """The emulator's simulated annotator, who reviews from the ground truth of the pool split and
    of the videos."""

    accept_iou: float = knob(
        0.85, "mask IoU from which a prediction is left as it is", low=0.01, high=1
    )
    match_iou: float = knob(0.3, "below it a prediction fits no object", low=0.01, high=1)
    shift: float = knob(
        0.5, "standard deviation of every point that is set", unit="px", low=0, high=100
    )
    miss_correction: float = knob(
        0.05, "rate per object: a rough outline is accepted as it is", low=0, high=1
    )
    miss_deletion: float = knob(0.05, "rate per object: a false positive is left", low=0, high=1)
    miss_addition: float = knob(
        0.05, "rate per object: an object without prediction is not drawn", low=0, high=1
    )
    wrong_deletion: float = knob(
        0.02, "rate per object: a good prediction is deleted", low=0, high=1
    )
    miss_identity: float = knob(
        0.05,
        "of videos, rate per change: a trajectory that goes on with another object, or an object "
        "with another trajectory, is not split or joined",
        low=0,
        high=1,
    )
    seed: int = knob(0, "of the annotator's slips", low=0, high=2**31 - 1)


@dataclass
class LabellerrSettings(Group):
    """The annotation platform. Credentials are never settings: they come from the environment."""

    mode: LabellerrMode = knob(
        LabellerrMode.off,
        "off: no platform, so leave push, review and pull out of stages; emulator: a Labellerr on "
        "this machine, state in the store; cloud: Labellerr itself",
    )
    url: str | None = knob(
        None,
        "address of the platform; null with the emulator: started by the run on a free port",
        local=True,
    )
    transport: TransportChoice = knob(
        TransportChoice.auto,
        "how the platform is spoken to; auto takes the SDK where it is installed",
        local=True,
    )
    timeout: float = knob(
        1800.0,
        "what a data set, a job or an export may take",
        unit="s",
        low=1,
        high=604800,
        local=True,
    )
    workers: int = knob(
        8, "files sent at the same time", unit="calls at the same time", low=1, high=64, local=True
    )
    name: str | None = knob(
        None, "of data set and project; null: the data set's own name (its folder's)"
    )
    project_id: str | None = knob(
        None, "push: attach to this project instead of making one; null: make one"
    )
    test_project_id: str | None = knob(
        None,
        "review and pull: a Test Project that is there; null: review makes one, pull takes that",
    )
    statuses: list[str] = knob(
        lambda: list(REVIEWED),
        "pull and dataset=labellerr: of the files whose labels are taken",
    )
    conf: float = knob(
        0.25, "predictions below are not sent, for review or as proposals", low=0, high=1
    )
    conf_bucket: bool = knob(
        True,
        "send low (below 0.5), medium and high (above 0.8) confidence apart, to filter by",
    )
    simplify_px: float = knob(
        0.5,
        "how far a simplified polygon may leave the mask's outline (Douglas-Peucker)",
        unit="px",
        low=0,
        high=100,
    )
    videos: bool = knob(
        False,
        "review also sends the .mp4 videos that track, listed in the same command, worked on, with "
        "their trajectories (video_json); whole files go up, which may be gigabytes. pull brings "
        "back what was made of them, with or without it",
    )
    assist: Assist | None = knob(
        None,
        "push sends proposals for annotators: model (its own masks), or sam (Segment Anything's "
        "masks of the model's boxes); null: none. A file gets them once, while its status is None; "
        "labels that the data set has make no difference, since push does not send them",
    )
    annotator: AnnotatorSettings = knob(
        AnnotatorSettings, "who reviews in the emulator, and how well"
    )

    def problems(self) -> Iterator[Problem]:
        """What is wrong between the knobs."""
        yield from self._access_problems()
        unknown = [status for status in self.statuses if status not in REVIEWED]
        if unknown or not self.statuses:
            shown = f"[{','.join(unknown or self.statuses)}]"
            allowed = f"a list of what can be exported: {', '.join(REVIEWED)}"
            yield Problem("labellerr.statuses", shown, allowed)
        rates = self.annotator
        if rates.match_iou > rates.accept_iou:
            allowed = f"must not lie above labellerr.annotator.accept_iou={rates.accept_iou:g}"
            yield Problem("labellerr.annotator.match_iou", rates.match_iou, allowed)
        for key in ("name", "project_id", "test_project_id"):
            value = getattr(self, key)
            if value is not None and (not value.strip() or not value.isprintable()):
                yield Problem(
                    f"labellerr.{key}", repr(value), "must be a text in one line, or null"
                )

    def _access_problems(self) -> Iterator[Problem]:
        if self.mode is LabellerrMode.off:
            return
        if self.url is None:
            if self.mode is LabellerrMode.cloud:
                yield Problem("labellerr.url", None, "labellerr=cloud needs the platform's address")
            return
        parts = urlsplit(self.url)
        if parts.username or parts.password:
            allowed = "credentials belong into the environment, not into the address"
            yield Problem("labellerr.url", f"{parts.scheme}://...@{parts.hostname}", allowed)
        elif parts.scheme not in ("http", "https") or not parts.hostname:
            yield Problem("labellerr.url", self.url, "must begin with http:// or https://")
