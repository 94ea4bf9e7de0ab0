"""What a tracker is judged by: its trajectories in the frames that people saw, as text files."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from segtrack.base.names import level
from segtrack.dataset import VideoSequence
from segtrack.tracker import (
    TrackRows,
    Tracks,
    TrackSummary,
    TracksWriter,
    mot_lines,
    mots_ids,
    mots_lines,
    write_info,
)


def thinned(tracks: Tracks, every: int, folder: Path) -> Tracks:
    """The trajectories in every n-th frame, numbered on."""
    folder.mkdir(parents=True)
    seen: dict[int, list[tuple[int, float, int]]] = {}
    with TracksWriter(folder / "tracks.parquet") as writer:
        for rows in tracks.frames():
            if rows.frame % every:
                continue
            kept = replace(rows, frame=rows.frame // every)
            writer.add(kept)
            _note(kept, seen)
    info = replace(
        tracks.info,
        frame_count=-(-tracks.info.frame_count // every),
        fps=tracks.info.fps / every,
    )
    summary = [
        TrackSummary(
            track_id,
            found[0][2],
            found[0][0],
            found[-1][0],
            len(found),
            math.fsum(score for _, score, _ in found) / len(found),
        )
        for track_id, found in sorted(seen.items())
    ]
    write_info(folder, info, summary)
    return Tracks.load(folder)


def _note(rows: TrackRows, seen: dict[int, list[tuple[int, float, int]]]) -> None:
    columns = (rows.track_id.tolist(), rows.score.tolist(), rows.class_id.tolist())
    for track_id, score, class_id in zip(*columns, strict=True):
        seen.setdefault(track_id, []).append((rows.frame, score, class_id))


def write_lines(tracks: Tracks, folder: Path, name: str) -> None:
    """As the tracker's own text files: boxes and masks."""
    ids = mots_ids(tracks.summary())
    for kind in ("mot", "mots"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    height, width = tracks.info.height, tracks.info.width
    boxes, masks = (folder / kind / f"{name}.txt" for kind in ("mot", "mots"))
    with boxes.open("w", encoding="utf-8") as box_file, masks.open("w", encoding="utf-8") as file:
        for rows in tracks.frames():
            box_file.writelines(mot_lines(rows))
            if ids is not None:
                file.writelines(mots_lines(rows, ids, height, width))
    if ids is None:
        masks.unlink()


def seqinfo(sequence: VideoSequence) -> str:
    """``seqinfo.ini`` of a sequence, as MOTChallenge has it."""
    return (
        f"[Sequence]\nname={level(sequence.name)}\nframeRate={sequence.fps:g}\n"
        f"seqLength={sequence.frame_count}\nimWidth={sequence.width}\nimHeight={sequence.height}\n"
    )


def scores_of(tracks: Tracks) -> dict[tuple[int, int], float]:
    """Score 0..1 of every object, by the id of its trajectory and its frame."""
    columns = tracks.columns("track_id", "frame", "score")
    track_id, frame, score = (column.tolist() for column in columns)
    keys = zip(track_id, frame, strict=True)
    return {(int(i), int(t)): float(s) for (i, t), s in zip(keys, score, strict=True)}
