"""The simulated annotator at videos: reviews trajectories against known ones.

It plays a video as a person does. An outline belongs to the true object that it fits best in its
frame, and a trajectory to the objects whose outlines it follows one after the other: where that
changes, two objects were taken for one, and it is split there; where several trajectories follow
one object, they are joined. A trajectory that fits its object well is left as it is, one that fits
roughly gets its outlines moved, what follows nothing is deleted, and what no trajectory follows is
drawn. What lasts no longer than ``BRIEF`` outlines nobody notices. Each of these it forgets now and
then, at a stated rate.

Outlines are drawn in the frames in which the uploaded ones stand: every n-th where the file was
thinned.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from labellerr_loopback.annotator import Rates, corrected, match, pages, shifted
from labellerr_loopback.client import ask
from labellerr_loopback.video_pieces import (
    BRIEF,
    SentTrack,
    TrueTrack,
    first_outline,
    pieces_of,
    rate_of,
    rings,
    runs_of,
    smooth,
    step_of,
)
from segtrack.base.labellerr_api import NOT_ASSIGNED
from segtrack.base.polygons import Polygon, mask_iou

TrackKind = Literal["accepted", "corrected", "split", "joined", "deleted", "added"]
SlipKind = Literal["unmended", "left", "missed", "rejected", "unsplit", "unjoined"]


VideoTruth = Mapping[str, Sequence[TrueTrack]]
"""True objects by the file's name in the project."""


@dataclass(frozen=True)
class TrackAction:
    """What became of one uploaded trajectory, or of an object that had none (``added``).

    ``split``: it is part of several now; ``joined``: what it became has parts of others too.
    """

    file_name: str
    class_name: str
    kind: TrackKind


@dataclass(frozen=True)
class VideoRecord:
    """Everything that was done, in the order of file names.

    Attributes:
        slips: how often the annotator was wrong, by kind: ``unmended`` rough outlines left,
            ``left`` a false trajectory kept, ``missed`` an object not drawn for a while, or at all,
            ``rejected`` a good trajectory deleted, ``unsplit`` and ``unjoined`` identities not
            mended.
    """

    actions: tuple[TrackAction, ...]
    slips: Mapping[str, int]
    files: int

    def counts(self) -> dict[str, int]:
        """Number of trajectories of each kind."""
        found = Counter(str(action.kind) for action in self.actions)
        kinds: tuple[TrackKind, ...] = (
            *("accepted", "corrected", "split", "joined", "deleted", "added"),
        )
        return {kind: found[kind] for kind in kinds}


def annotate_videos(
    url: str, project_id: str, truth: VideoTruth, rates: Rates | None = None, seed: int = 0
) -> VideoRecord:
    """Review the videos of a project and set their status to ``accepted``.

    Files of which nothing is known, and those that somebody has worked on, stay as they are. The
    result depends on names, outlines and ``seed`` only.

    Raises:
        DataError: the emulator did not answer, or not with a success.
    """
    rates, actions, slips, count = rates or Rates(), list[TrackAction](), Counter[str](), 0
    target = f"{url}/_emulator/projects/{project_id}/files"
    for page in pages(target, size=1):  # the trajectories of a video may be large
        for file in page:
            name = file["file_name"]
            if file["status"] != NOT_ASSIGNED or name not in truth:
                continue
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            desk = _Desk(file, truth[name], rates, rng)
            answers = desk.answers()
            work = {"file_id": file["file_id"], "status": "accepted", "answers": answers}
            ask("POST", target, json={"files": [work]})
            actions += desk.actions()
            slips.update(desk.slips)
            count += 1
    actions.sort(key=lambda action: action.file_name)
    return VideoRecord(tuple(actions), slips, count)


@dataclass
class _Result:
    """A trajectory as it will be: by frame the uploaded one whose outline it is, and the outline.

    Attributes:
        parts: frame to number of the uploaded trajectory; -1 where it is drawn.
        moved: outlines that are not as they were uploaded.
    """

    target: int
    parts: dict[int, int] = field(default_factory=dict)
    moved: dict[int, Polygon] = field(default_factory=dict)


class _Desk:
    """One video under review."""

    def __init__(
        self,
        file: Mapping[str, Any],
        objects: Sequence[TrueTrack],
        rates: Rates,
        rng: np.random.Generator,
    ) -> None:
        self.name: str = file["file_name"]
        self.size = (int(file["width"]), int(file["height"]))
        self.objects, self.rates, self.rng = objects, rates, rng
        self.slips: Counter[str] = Counter()
        self.questions = {text.strip(): text for text in file["questions"]}
        tracks = [a for a in file["answers"] if a["kind"] == "track" and rings(a["data"])]
        self.kept = [a["answer_id"] for a in file["answers"] if a not in tracks]
        # Ids differ from run to run; the order of decisions must not.
        tracks.sort(key=lambda a: (a["question"], *first_outline(rings(a["data"]))))
        self.sent = [
            SentTrack(a["answer_id"], a["question"], a["data"], rings(a["data"])) for a in tracks
        ]
        self.step = step_of(self.sent)
        self.rate = rate_of(self.sent)
        self.results: list[_Result] = []
        self._look()
        self._assign()
        self._draw()

    def answers(self) -> list[dict[str, Any]]:
        """What is sent to the platform: the whole list of the file's answers."""
        found: list[dict[str, Any]] = [{"answer_id": answer_id} for answer_id in self.kept]
        used: set[int] = set()
        for result in self.results:
            most = Counter(i for i in result.parts.values() if i >= 0 and i not in used)
            first = most.most_common(1)[0][0] if most else -1
            question = self._question(result, first)
            if first >= 0 and self._as_sent(result, first):
                found.append({"answer_id": self.sent[first].answer_id})
            else:
                track = self._track(result, self.sent[first].data if first >= 0 else {})
                answer = {"question": question, "track": track}
                if first >= 0:
                    answer["answer_id"] = self.sent[first].answer_id
                found.append(answer)
            used.add(first)
        return found

    def actions(self) -> Iterator[TrackAction]:
        """What became of each trajectory, and what was added."""
        of: dict[int, list[_Result]] = defaultdict(list)
        for result in self.results:
            for i in sorted(set(result.parts.values()) - {-1}):
                of[i].append(result)
        for i, one in enumerate(self.sent):
            name = one.question.strip()
            kind: TrackKind
            if not of[i]:
                kind = "deleted"
            elif len(of[i]) > 1:
                kind = "split"
            elif set(of[i][0].parts.values()) - {-1, i}:
                kind = "joined"
            else:
                kind = "accepted" if self._as_sent(of[i][0], i) else "corrected"
            yield TrackAction(self.name, name, kind)
        for result in self.results:
            if not set(result.parts.values()) - {-1}:
                yield TrackAction(self.name, self.objects[result.target].class_name, "added")

    def _look(self) -> None:
        """Which object every outline follows."""
        frames = sorted({frame for one in self.sent for frame in one.outlines})
        for frame in frames:
            rows = [i for i, one in enumerate(self.sent) if frame in one.outlines]
            columns = [j for j, one in enumerate(self.objects) if frame in one.outlines]
            iou = mask_iou(
                [self.sent[i].outlines[frame] for i in rows],
                [self.objects[j].outlines[frame] for j in columns],
                self.size,
            )
            for a, b in match(iou, self.rates.match_iou).items():
                self.sent[rows[a]].owner[frame] = columns[b]
                self.sent[rows[a]].iou[frame] = float(iou[a, b])
        for one in self.sent:
            smooth(one, self.objects)
        best: dict[tuple[int, int], int] = {}  # one object, one outline
        for i, one in enumerate(self.sent):
            for frame, target in list(one.owner.items()):
                other = best.setdefault((frame, target), i)
                if other == i:
                    continue
                worse = min(i, other, key=lambda k: self.sent[k].iou.get(frame, 0.0))
                best[frame, target] = i + other - worse
                del self.sent[worse].owner[frame]
        for one in self.sent:
            if one.owner.keys() <= one.stray:
                one.owner.clear()

    def _assign(self) -> None:
        """Pieces of trajectories to the objects that they follow."""
        rates, rng = self.rates, self.rng
        home: dict[int, _Result] = {}  # of an object
        last: dict[int, _Result] = {}  # of an uploaded trajectory
        rejected = [rng.random() < rates.wrong_deletion for _ in self.sent]
        pieces = [
            (frames[0], i, target, frames)
            for i, one in enumerate(self.sent)
            for target, frames in pieces_of(one)
        ]
        for _, i, target, frames in sorted(pieces):
            if rejected[i]:
                continue
            before, there = last.get(i), home.get(target)
            taken = set(frames)
            if (
                before is not None
                and before.target != target
                and not taken & before.parts.keys()
                and rng.random() < rates.miss_identity
            ):
                result = before
                self.slips["unsplit"] += 1
            elif there is not None and not taken & there.parts.keys():
                result = there
                if set(there.parts.values()) - {i} and rng.random() < rates.miss_identity:
                    result = self._new(target)
                    self.slips["unjoined"] += 1
            else:
                result = self._new(target)
            home[target] = result if result.target == target else home.get(target, result)
            last[i] = result
            self._take(result, i, target, frames)
        for i, one in enumerate(self.sent):
            if one.owner:
                self.slips["rejected"] += rejected[i]
            elif rng.random() < rates.miss_deletion:
                result = self._new(-1)
                result.parts = dict.fromkeys(one.outlines, i)
                self.slips["left"] += 1

    def _take(self, result: _Result, i: int, target: int, frames: Sequence[int]) -> None:
        """The outlines of a piece, moved where they fit too badly."""
        one, outlines = self.sent[i], self.objects[target].outlines
        known = [one.iou.get(f, 0.0) for f in frames if f not in one.stray]
        fits = not known or float(np.median(known)) >= self.rates.accept_iou
        if not fits and self.rng.random() < self.rates.miss_correction:
            fits = True
            self.slips["unmended"] += 1
        for frame in frames:
            result.parts[frame] = i
            iou = one.iou.get(frame, 0.0)
            good = iou >= (self.rates.match_iou if fits else self.rates.accept_iou)
            if not good and frame in outlines and frame not in one.stray:
                result.moved[frame] = corrected(
                    one.outlines[frame], outlines[frame], self.size, self.rates, self.rng
                )

    def _draw(self) -> None:
        """Outlines of objects where no trajectory follows them."""
        rates, rng = self.rates, self.rng
        covered: dict[int, set[int]] = defaultdict(set)
        for sent in self.sent:  # of what was deleted too: its object is not drawn anew
            for frame, target in sent.owner.items():
                covered[target].add(frame)
        for target, one in enumerate(self.objects):
            frames = [f for f in sorted(one.outlines) if f % self.step == 0]
            for run in runs_of([f for f in frames if f not in covered[target]], frames):
                if len(run) <= BRIEF:
                    continue
                if rng.random() < rates.miss_addition:
                    self.slips["missed"] += 1
                    continue
                homes = [r for r in self.results if r.target == target]
                free = [r for r in homes if not set(run) & r.parts.keys()]
                result = free[0] if free else self._new(target)
                for frame in run:
                    result.parts[frame] = -1
                    drawn = shifted(one.outlines[frame], self.size, rates.shift, rng)
                    result.moved[frame] = drawn

    def _new(self, target: int) -> _Result:
        self.results.append(_Result(target))
        return self.results[-1]

    def _question(self, result: _Result, first: int) -> str:
        if result.target < 0:
            return self.sent[first].question
        name = self.objects[result.target].class_name.strip()
        return str(self.questions.get(name, name))

    def _as_sent(self, result: _Result, i: int) -> bool:
        one = self.sent[i]
        same = not result.moved and result.parts == dict.fromkeys(one.outlines, i)
        return same and self._question(result, i) == one.question

    def _track(self, result: _Result, data: Mapping[str, Any]) -> dict[str, Any]:
        """In the form of ``video_json``, with what else came with the trajectory that it was."""
        frames: dict[str, Any] = {}
        for frame in sorted(result.parts):
            i = result.parts[frame]
            old = self.sent[i].data["frames"][str(frame)] if i >= 0 else {}
            entry = {**old, "frame": frame}
            if frame in result.moved:
                points = result.moved[frame].round(2).tolist()
                entry["answer"] = [{"x": x, "y": y} for x, y in points]
            if "timestamp" not in entry and self.rate:
                entry["timestamp"] = round(frame / self.rate, 6)
            frames[str(frame)] = entry
        rest = {key: value for key, value in data.items() if key not in ("frames", "startFrame")}
        return {**rest, "startFrame": min(result.parts), "frames": frames}
