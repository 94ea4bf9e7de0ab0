"""The figures and tables of a run's tracking scores, made from what the run left behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from segtrack import dataset as datasets
from segtrack.base.names import level
from segtrack.report import save_figure, table_csv
from segtrack.scoring import SequenceScores, Truth, combined, detection_averaged, has_objects
from segtrack.scoring.figures import curve_rows, figure_curves, figure_videos, video_rows
from segtrack.scoring.occlusion_report import write_occlusion_figures
from segtrack.scoring.switch_sheet import BoxRows, sightings, switch_sheet
from segtrack.scoring.timeline import figure_timeline, piece_rows
from segtrack.tracker import TRACKER_BOX, Tracks

KINDS = {"box": "", "mask": "_masks"}  # of scores, and what their files' names end with
TIMELINES = 20  # videos that get a timeline of their own


def write_tracking_report(report: Path, folder: Path) -> None:
    """Write the figures, each with its numbers as CSV, into ``folder``.

    ``hota_over_alpha``, ``videos``, ``timeline_<video>`` as .png and .csv, those of
    ``occlusion_report``; ``id_switches.csv``, and ``id_switches_<video>.jpg`` where the video's
    frames are at hand.

    Args:
        report: ``tracking.json`` of a run's folder: for each video its name, role, and where its
            trajectories, ground truth and scores lie; those without scores are left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = scored_rows(report)
    scores = {row["name"]: SequenceScores.load(Path(row["scores"])) for row in rows}
    roles = {row["name"]: row["role"] for row in rows}
    counts = combined(scores.values())
    for kind, ending in KINDS.items():
        if not any(key[0] == kind for key in counts):
            continue
        total = detection_averaged(counts, kind)
        if has_objects(total):
            curves = curve_rows(total)
            title = "HOTA over localisation thresholds" + (", masks" if ending else "")
            name = f"hota_over_alpha{ending}.png"
            save_figure(figure_curves(curves, title), folder / name, curves)
        videos = video_rows(scores, roles, kind)
        title = "Scores of each video" + (", masks" if ending else "")
        save_figure(figure_videos(videos, title=title), folder / f"videos{ending}.png", videos)
        write_occlusion_figures(counts, kind, ending, folder)
    switches = [
        {"video": row["name"], **switch}
        for row in rows
        for switch in _switches(Path(row["scores"]))
    ]
    columns = ("video", "frame", "kind", "class_name", "gt_id", "old_track", "new_track")
    listed = [{key: switch[key] for key in columns} for switch in switches]
    head = ",".join(columns) + "\n"  # a run without switches says so by an empty table
    text = table_csv(listed) if listed else head
    (folder / "id_switches.csv").write_text(text, encoding="utf-8")
    for row in rows[:TIMELINES]:
        _timeline(row, folder)


def scored_rows(report: Path) -> list[dict[str, Any]]:
    """The videos of a ``tracking.json`` that were scored."""
    rows: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))
    return [row for row in rows if row["scores"] is not None]


def _switches(scores: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((scores / "events.json").read_text())["switches"]
    return found


def _timeline(row: Mapping[str, Any], folder: Path) -> None:
    tracks = Tracks.load(Path(row["tracks"]))
    columns = ["frame", "track_id", "class_id", "interpolated", *TRACKER_BOX]
    frame, track_id, class_id, interpolated, *corners = tracks.columns(*columns)
    pieces = piece_rows(frame, track_id, class_id, tracks.info.names, interpolated)
    found = _switches(Path(row["scores"]))
    truth = Truth.load(Path(row["truth"])).boxes
    kind = "box" if truth else "mask"
    found = [one for one in found if one["kind"] == kind]
    marks = [(one["frame"], one["old_track"], one["new_track"]) for one in found]
    figure = figure_timeline(pieces, tracks.info.frame_count, row["name"], marks)
    save_figure(figure, folder / f"timeline_{level(row['name'])}.png", pieces)
    if found and row["video"]:
        boxes = BoxRows(frame, track_id, np.stack(corners, axis=1))
        objects = BoxRows(truth.frame, truth.track_id, truth.box) if truth else None
        switches = [(s["frame"], s["gt_id"], s["old_track"], s["new_track"]) for s in found]
        info = tracks.info
        size = (info.width, info.height, info.fps, info.frame_count)
        video = datasets.VideoSequence(row["name"], Path(row["video"]), "", *size)
        frames = islice(datasets.read_frames(video), info.frame_count)
        target = folder / f"id_switches_{level(row['name'])}.jpg"
        switch_sheet(sightings(switches, boxes, objects), frames, target)
