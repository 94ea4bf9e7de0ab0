"""What is said of a run in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from segtrack.base.progress import duration
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
    if not done and "stage.prepare" in run.tags:
        done.append("prepared")
    return ", ".join(done)


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
