"""The life of every track of a video, as one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from segtrack.base.names import shown as shown_name
from segtrack.report import INK, LINES, NEUTRAL, STYLE, Row


def piece_rows(
    frame: np.ndarray,
    track_id: np.ndarray,
    class_id: np.ndarray,
    names: Sequence[str],
    interpolated: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Every unbroken piece of every track, by track and then by frame.

    Args:
        frame, track_id, class_id: int (N,) of the objects, in any order; frames from 0.
        names: of the classes by class id.
        interpolated: bool (N,), where no detection stands behind a row; such rows are pieces of
            their own.

    Returns:
        Rows with ``track_id``, ``class_name``, ``first_frame``, ``last_frame`` (both included) and
        ``interpolated``.
    """
    if not len(frame):
        return []
    made = np.zeros(len(frame), bool) if interpolated is None else interpolated
    order = np.lexsort((frame, track_id))
    frame, track_id, class_id, made = (a[order] for a in (frame, track_id, class_id, made))
    new = (np.diff(track_id) != 0) | (np.diff(frame) != 1) | (made[1:] != made[:-1])
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    ends = np.concatenate([starts[1:] - 1, [len(frame) - 1]])
    return [
        {
            "track_id": int(track_id[start]),
            "class_name": names[int(class_id[start])],
            "first_frame": int(frame[start]),
            "last_frame": int(frame[end]),
            "interpolated": bool(made[start]),
        }
        for start, end in zip(starts, ends, strict=True)
    ]


def figure_timeline(
    pieces: Sequence[Row],
    frame_count: int,
    video: str,
    switches: Sequence[tuple[int, int, int]] = (),
    most: int = 300,
) -> Figure:
    """A line per track over the frames, in order of appearance, coloured by class.

    Gaps are gaps, interpolated pieces are thin, and an id switch is a cross on the track that took
    over, tied to the one that lost the object.

    Args:
        pieces: of ``piece_rows``.
        frame_count: of the video.
        video: its name, for the title.
        switches: frame, old and new track id of each.
        most: tracks drawn; of more, the longest, as the title then says.
    """
    tracks, total = _chosen(pieces, most)
    row_of = {track: y for y, track in enumerate(tracks)}
    drawn = [piece for piece in pieces if piece["track_id"] in row_of]
    pitch = float(np.clip(12.0 / max(len(tracks), 1), 0.04, 0.22))  # inches
    height = 1.9 + max(1.0, pitch * len(tracks))
    colours, groups = _classes(drawn)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10.0, height), layout="constrained")
        axes: Any = figure.add_subplot()
        for made, width, alpha in ((False, 0.62, 1.0), (True, 0.22, 0.75)):
            some = [piece for piece in drawn if piece["interpolated"] == made]
            bars = LineCollection(
                [_bar(piece, row_of[piece["track_id"]]) for piece in some],
                colors=[colours[piece["class_name"]] for piece in some],
                linewidths=float(np.clip(width * pitch * 72, 0.7, 8)),
                alpha=alpha,
                capstyle="butt",
            )
            axes.add_collection(bars)
        marked = _draw_switches(axes, switches, row_of, min(6.0, 20 * pitch + 2.5))
        axes.set_xlim(-0.5, max(frame_count, 1) - 0.5)
        axes.set_ylim(len(tracks) - 0.3, -0.7)
        axes.set_xlabel("frame")
        if pitch >= 0.12:
            size = min(8.0, 50 * pitch)
            axes.set_yticks(range(len(tracks)), [str(track) for track in tracks], fontsize=size)
            axes.set_ylabel("track id, in order of appearance")
        else:
            axes.set_yticks([])
            axes.set_ylabel("tracks, in order of appearance")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.set_title(_title(shown_name(video), len(tracks), total, frame_count, len(switches)))
        _timeline_legend(figure, groups, drawn, marked)
        return figure


def _chosen(pieces: Sequence[Row], most: int) -> tuple[list[int], int]:
    """The tracks to draw in order of appearance, and how many there are."""
    length: dict[int, int] = {}
    first: dict[int, int] = {}
    for piece in pieces:
        track, start = piece["track_id"], piece["first_frame"]
        length[track] = length.get(track, 0) + piece["last_frame"] - start + 1
        first[track] = min(first.get(track, start), start)
    longest = sorted(length, key=lambda track: (-length[track], track))[:most]
    return sorted(longest, key=lambda track: (first[track], track)), len(length)


def _classes(drawn: Sequence[Row]) -> tuple[dict[str, str], dict[str, tuple[str, int]]]:
    """Colour of each class, and legend entries with their colours and numbers of tracks.

    The classes with the most tracks have colours, the rest share grey.
    """
    tracks: dict[str, set[int]] = {}
    for piece in drawn:
        tracks.setdefault(piece["class_name"], set()).add(piece["track_id"])
    ranked = sorted(tracks, key=lambda name: (-len(tracks[name]), name))
    named = len(LINES) if len(ranked) <= len(LINES) else len(LINES) - 1
    colours = {n: LINES[i] if i < named else NEUTRAL for i, n in enumerate(ranked)}
    groups = {name: (colours[name], len(tracks[name])) for name in ranked[:named]}
    rest = ranked[named:]
    if rest:
        groups[f"{len(rest)} other classes"] = NEUTRAL, sum(len(tracks[name]) for name in rest)
    return colours, groups


def _bar(piece: Row, y: int) -> list[tuple[float, float]]:
    """A frame is as wide as the distance to the next, so that one frame can be seen too."""
    return [(piece["first_frame"] - 0.5, y), (piece["last_frame"] + 0.5, y)]


def _draw_switches(
    axes: Any, switches: Sequence[tuple[int, int, int]], row_of: Mapping[int, int], size: float
) -> int:
    ties, crosses = [], []
    for frame, old, new in switches:
        if new in row_of:
            crosses.append((frame, row_of[new]))
            if old in row_of:
                ties.append([(frame, row_of[old]), (frame, row_of[new])])
    axes.add_collection(LineCollection(ties, colors=INK, linewidths=0.6, alpha=0.45, zorder=3))
    if crosses:
        x, y = zip(*crosses, strict=True)
        axes.plot(x, y, "x", color=INK, ms=size, mew=1.3, ls="none", zorder=4)
    return len(crosses)


def _timeline_legend(
    figure: Figure, groups: Mapping[str, tuple[str, int]], drawn: Sequence[Row], marked: int
) -> None:
    handles = [
        Line2D([], [], color=colour, lw=5, label=f"{shown_name(name, 40)} ({count})")
        for name, (colour, count) in groups.items()
    ]
    if any(piece["interpolated"] for piece in drawn):
        handles.append(Line2D([], [], color=INK, lw=1.5, label="interpolated"))
    if marked:
        handles.append(Line2D([], [], color=INK, marker="x", ls="none", label="id switch"))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=9)


def _title(video: str, shown: int, total: int, frames: int, switches: int) -> str:
    what = f"{total} tracks" if total != 1 else "1 track"
    if shown < total:
        what = f"the {shown} longest of {total} tracks"
    text = f"{video}: {what} in {frames} frames"
    if switches:
        text += f", {switches} id switch{'es' if switches > 1 else ''}"
    return text
