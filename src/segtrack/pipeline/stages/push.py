"""Images to the platform, and what is proposed to those who annotate them."""

from __future__ import annotations

import dataclasses
import json
import time
from functools import partial
from typing import TYPE_CHECKING

from segtrack.base.errors import DataError
from segtrack.pipeline.platform import platform_of, project_name, scratch_of
from segtrack.pipeline.stage import Ask, Stage, Visit, register
from segtrack.settings import Assist

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.model import Predictions
    from segtrack.pipeline.runner import Run

PUSHED = ("train", "val", "pool")  # never the test split: it compares versions honestly


def push(ask: Ask) -> Visit:
    """Send the images of all splits but ``test``; make or find the project they belong to.

    With ``labellerr.assist`` predictions go with them, to be corrected instead of drawn.

    Raises:
        DataError: there is nothing to send, or nothing can predict.
    """
    dataset: Dataset = ask("prepare").value
    counts = {split: dataset.counts.get(split, 0) for split in PUSHED}
    if not sum(counts.values()):
        raise DataError(
            "stage push: the data set has no images outside of the test split, which is never "
            "sent; give it some, or leave push out of stages."
        )
    splits = [split for split, count in counts.items() if count]
    proposed = _proposed(ask, splits)  # before anything is sent: it may fail
    what = f"{sum(counts.values())} images, as far as they are not sent"
    return Visit(what, partial(_push, dataset=dataset, proposed=proposed))


def _proposed(ask: Ask, splits: list[str]) -> dict[str, Predictions]:
    """The proposals of each split; none where none are wanted."""
    assist, knobs = ask.settings.labellerr.assist, ask.settings.model
    if assist is None:
        return {}
    if assist is Assist.sam:
        found = ask.each("propose", ({"split": split} for split in splits))
    else:
        found = ask.each(
            "predict",
            (
                {"split": s, "floor": knobs.conf_floor, "limit": knobs.max_det, "named": s}
                for s in splits
            ),
        )
    return {split: one.value for split, one in zip(splits, found, strict=True)}


def _push(run: Run, dataset: Dataset, proposed: dict[str, Predictions]) -> None:
    from segtrack.annotation.labellerr.push import push
    from segtrack.report import PALETTE

    labellerr = run.settings.labellerr
    started = time.perf_counter()
    images = (row for split in PUSHED for row in dataset.iter_images(split))
    stamps = {row.path: row.sha256 for row in images}
    done = push(
        platform_of(run),
        stamps,
        dataset.names,
        PALETTE,
        project_name(run.settings, dataset),
        scratch_of(run),
        project_id=labellerr.project_id,
        derived=labellerr.name is None,
        stamps=stamps,
        workers=labellerr.workers,
        timeout=labellerr.timeout,
        say=run.say,
    )
    seconds = time.perf_counter() - started
    for split, predictions in proposed.items():
        _propose(run, dataset, done.project_id, split, predictions)
    run.record("push/files", done.files)
    run.record("push/sent", done.sent)
    run.record("speed/push_files", done.sent / seconds)
    run.tag({"labellerr.project": done.project_id})
    text = json.dumps(dataclasses.asdict(done), indent=1)
    (run.output / "push.json").write_text(text, encoding="utf-8")
    run.keep(run.output / "push.json", "push")


def _propose(run: Run, dataset: Dataset, project_id: str, split: str, found: Predictions) -> None:
    from segtrack.annotation.labellerr.assist import propose

    labellerr = run.settings.labellerr
    done = propose(
        platform_of(run),
        project_id,
        dataset.images(split),
        found,
        dataset.names,
        scratch_of(run) / "proposals" / f"{project_id}-{split}",
        scratch_of(run),
        conf=labellerr.conf,
        simplify_px=labellerr.simplify_px,
        buckets=labellerr.conf_bucket,
        timeout=labellerr.timeout,
        say=run.say,
    )
    run.record(f"push/{split}/proposals", done.objects)


def _require(ask: Ask) -> None:
    """Look for the weights that only push needs, before hours of work."""
    if ask.settings.labellerr.assist is Assist.sam:
        ask("sam")


STAGE = register(
    Stage(
        name="push",
        make=push,
        inputs=("prepare", "predict", "propose", "sam"),
        require=_require,
        after="prepare",
        includes=("prepare",),  # raw data enters there, so that it is read there
        platform=True,
    )
)
