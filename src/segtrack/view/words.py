"""What is said of a run in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from segtrack.base.progress import duration
from segtrack.base.words import counted
from segtrack.runs import KeptRun

STATES = ("RUNNING", "FINISHED", "FAILED", "KILLED")
_DONE = {  # by the tag of a stage, what a run that has it did
    "associate": "tracked",
    "evaluate": "evaluated",
    "segment": "segmented",
    "suspect": "looked for wrong labels",
    "select": "selected",
    "export": "exported",
    "train": "trained",
}
_PEOPLE = (  # metric of how many, what was done with them, the tag of the project that has them
    ("push/files", "pushed {}", "images", "labellerr.project"),
    ("suspect/sent_images", "sent {} to be rechecked", "images", "labellerr.recheck_project"),
    ("review/sent_images", "sent {} for review", "images", "labellerr.test_project"),
    ("review/videos", "sent {} for review", "videos", "labellerr.video_project"),
    ("review/images", "pulled {}", "reviewed images", "labellerr.test_project"),
    ("recheck/images", "pulled {}", "rechecked images", "labellerr.recheck_project"),
    ("review/track/sent", "pulled {}", "reviewed tracks", "labellerr.video_project"),
)


def took(run: KeptRun) -> str:
    """How long it ran, or has been running: ``12 min``."""
    if run.started is None or (run.ended is None and not run.running):
        return ""
    seconds = ((run.ended or datetime.now(UTC)) - run.started).total_seconds()
    return duration(max(seconds, 0))


def what_of(run: KeptRun) -> str:
    """What it did, as its tags and metrics have it: ``tracked in 3 videos, trained``."""
    done = [word for stage, word in _DONE.items() if f"stage.{stage}" in run.tags]
    if "live" in run.tags:
        done.insert(0, f"tracked live {run.tags['live']}")
    if "tracked" in done and (count := _videos(run)):
        done[done.index("tracked")] = f"tracked in {count} video{'' if count == 1 else 's'}"
    if people := [text for text, _ in with_people(run)]:
        if run.tags.get("stage.train", "").startswith("reused"):
            done.remove("trained")  # it only asked for the weights
        done += people
    if not done and "stage.prepare" in run.tags:
        done.append("prepared")
    return ", ".join(done)


def with_people(run: KeptRun) -> list[tuple[str, str]]:
    """What it sent to people and took back from them, each with the id of its project."""
    found = []
    for metric, text, of, tag in _PEOPLE:
        if metric in run.metrics:
            said = text.format(counted(int(run.metrics[metric]), of))
            if metric == "push/files" and run.metrics.get("push/sent", 1) == 0:
                said += ", all of them there before"
            found.append((said, run.tags.get(tag, "")))
    return found


def tracked(run: KeptRun) -> bool:
    """Whether it has tracks, as its tags have it."""
    return "stage.associate" in run.tags or "live" in run.tags


def cells_text(cells: Mapping[str, int]) -> str:
    """``sweep of 9 cells: 5 finished, 1 running, 3 to come``."""
    count = sum(cells.values())
    order = [
        status for status in ("FINISHED", "RUNNING", "FAILED", "KILLED", "") if status in cells
    ]
    parts = [f"{cells[one]} {one.lower() or 'to come'}" for one in order]
    return f"sweep of {count} cell{'' if count == 1 else 's'}: {', '.join(parts)}"


def ending(run: KeptRun) -> str:
    """Why a run did not come to its end, in words; empty where it did, or may still."""
    error = run.tags.get("error", "")
    if run.status == "FAILED":
        return f"It failed: {error}" if error else "It failed."
    if run.status != "KILLED":
        return ""
    words = {
        "interrupted": "It was interrupted: Ctrl-C, or a signal that asks to stop.",
        "the process was killed": "Its process is gone: it was killed, or the machine went down.",
    }
    why = words.get(error, f"It was killed: {error}" if error else "It was killed.")
    return f"{why} The same command goes on from there."


def _videos(run: KeptRun) -> int:
    """In how many videos it tracked; 0 where that is not recorded."""
    if (text := run.tags.get("videos", "")).isdecimal():
        return int(text)
    names = (name.split("/") for name in run.metrics if name.startswith("track/video/"))
    return len({parts[2] for parts in names if len(parts) > 3})
