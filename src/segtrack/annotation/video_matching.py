"""What became of trajectories under review, from the outlines before and after alone.

No id of a trajectory is known to survive the platform. What does is every outline that nobody
touched: one that came back with its points is that of its trajectory, whatever happened to others.
Outlines that were moved belong, frame by frame, to the one they overlap most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from segtrack.annotation.matching import ROUNDING_PX, Agreement
from segtrack.annotation.video_outlines import OutlineTrack
from segtrack.base.polygons import Polygon, mask_iou

TrackKind = Literal["accepted", "corrected", "split", "joined", "deleted", "added"]
TRACK_KINDS: tuple[TrackKind, ...] = (
    *("accepted", "corrected", "split", "joined", "deleted", "added"),
)
# Moved outlines make a link where they are half of what two have in common, or of a stretch of at
# least so many: who passes by another for a moment is not a part of it.
_SHARE, _STRETCH = 0.5, 6


@dataclass(frozen=True)
class TrackOutcome:
    """What became of one trajectory.

    Attributes:
        kind: ``accepted``: as it was sent. ``corrected``: one trajectory still, with outlines
            moved, added or removed, or of another class. ``split``: parts of it are in several.
            ``joined``: what it became has parts of others too; who is split and joined counts as
            split. ``deleted``: nothing of it is left. ``added``: came back without having been
            sent.
        track_id: the tracker's; None where it was added.
        became: places of the trajectories that came back with parts of it; of what was added, its
            own.
        untouched, moved, removed: of its outlines that were sent; added: outlines that came new to
            what it became (of what was added, all), counted once where it was joined.
        new_class: where what it became has another one.
    """

    kind: TrackKind
    class_name: str
    track_id: int | None
    became: tuple[int, ...]
    untouched: int
    moved: int
    removed: int
    added: int
    new_class: str | None = None


@dataclass(frozen=True)
class Review:
    """All of one video.

    Attributes:
        outcomes: of what was sent in its order, then what was added.
        parts: by place of a trajectory that came back, the places of those sent that it has
            outlines of.
    """

    outcomes: tuple[TrackOutcome, ...]
    parts: Mapping[int, tuple[int, ...]]


def compare_tracks(
    sent: Sequence[OutlineTrack],
    back: Sequence[OutlineTrack],
    size: tuple[int, int],
    agreement: Agreement | None = None,
) -> Review:
    """Hold what came back against what was sent.

    Args:
        size: width and height of the video in px.
    """
    owner, same = _owners(sent, back, size, (agreement or Agreement()).match_iou)
    links = _links(owner, same, sent, back)
    parts = {j: tuple(sorted(i for i, k in links if k == j)) for j in range(len(back))}
    became = {i: tuple(sorted(j for k, j in links if k == i)) for i in range(len(sent))}
    outcomes = [_outcome(i, one, became[i], parts, owner, same, back) for i, one in enumerate(sent)]
    for j, track in enumerate(back):
        if not parts[j]:
            count = len(track.outlines)
            outcomes.append(TrackOutcome("added", track.class_name, None, (j,), 0, 0, 0, count))
    return Review(tuple(outcomes), parts)


Owner = Mapping[tuple[int, int], int]
"""Place of the sent trajectory by place of the one that came back and frame."""


def _owners(
    sent: Sequence[OutlineTrack], back: Sequence[OutlineTrack], size: tuple[int, int], least: float
) -> tuple[Owner, frozenset[tuple[int, int]]]:
    """Whose outline each one was, and which of them nobody touched."""
    at: dict[int, list[int]] = defaultdict(list)
    for i, one in enumerate(sent):
        for frame in one.outlines:
            at[frame].append(i)
    owner: dict[tuple[int, int], int] = {}
    same: set[tuple[int, int]] = set()
    moved: dict[int, list[int]] = defaultdict(list)
    taken: dict[int, set[int]] = defaultdict(set)
    for j, track in enumerate(back):
        for frame, ring in track.outlines.items():
            found = next(
                (i for i in at[frame]
                 if i not in taken[frame] and _same(sent[i].outlines[frame], ring)),
                None,
            )  # fmt: skip
            if found is None:
                moved[frame].append(j)
            else:
                owner[j, frame] = found
                same.add((j, frame))
                taken[frame].add(found)
    for frame, places in moved.items():
        free = [i for i in at[frame] if i not in taken[frame]]
        before = [sent[i].outlines[frame] for i in free]
        after = [back[j].outlines[frame] for j in places]
        iou = mask_iou(before, after, size)
        order = np.argsort(-iou, axis=None, kind="stable")
        for a, b in zip(*np.unravel_index(order, iou.shape), strict=True):
            if iou[a, b] < least:
                break
            if (places[b], frame) not in owner and free[a] not in taken[frame]:
                owner[places[b], frame] = free[a]
                taken[frame].add(free[a])
    return owner, frozenset(same)


def _same(before: Polygon, after: Polygon) -> bool:
    return before.shape == after.shape and bool(np.abs(before - after).max() <= ROUNDING_PX)


def _links(
    owner: Owner,
    same: frozenset[tuple[int, int]],
    sent: Sequence[OutlineTrack],
    back: Sequence[OutlineTrack],
) -> set[tuple[int, int]]:
    """Pairs (sent, back) of which the second has outlines of the first."""
    sure = {(owner[key], key[0]) for key in same}
    likely: dict[tuple[int, int], list[int]] = defaultdict(list)
    for (j, frame), i in owner.items():
        if (i, j) not in sure:
            likely[i, j].append(frame)
    for (i, j), frames in likely.items():
        common = sent[i].outlines.keys() & back[j].outlines.keys()
        within = [frame for frame in common if min(frames) <= frame <= max(frames)]
        stretch = len(frames) >= _STRETCH and len(frames) >= _SHARE * len(within)
        if stretch or len(frames) >= _SHARE * len(common):
            sure.add((i, j))
    return sure


def _outcome(
    i: int,
    one: OutlineTrack,
    became: tuple[int, ...],
    parts: Mapping[int, tuple[int, ...]],
    owner: Owner,
    same: frozenset[tuple[int, int]],
    back: Sequence[OutlineTrack],
) -> TrackOutcome:
    mine = [key for key, place in owner.items() if place == i and key[0] in became]
    untouched = sum(key in same for key in mine)
    moved = len(mine) - untouched
    removed = len(one.outlines) - len(mine)
    # What is nobody's is counted for the first of those that are joined.
    added = sum(
        (j, frame) not in owner for j in became if parts[j][0] == i for frame in back[j].outlines
    )
    names = {back[j].class_name for j in became} - {one.class_name}
    kind: TrackKind = "corrected"
    if not became:
        kind = "deleted"
    elif len(became) > 1:
        kind = "split"
    elif len(parts[became[0]]) > 1:
        kind = "joined"
    elif not (moved or removed or added or names):
        kind = "accepted"
    new_class = ", ".join(sorted(names)) or None
    return TrackOutcome(
        kind, one.class_name, one.track_id, became, untouched, moved, removed, added, new_class
    )
