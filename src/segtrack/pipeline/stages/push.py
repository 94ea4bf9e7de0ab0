"""Images to the platform, and what is proposed to those who annotate them."""

from __future__ import annotations

import dataclasses
import json
import time
from functools import partial
from typing import TYPE_CHECKING

from segtrack import curation
from segtrack.base.errors import DataError
from segtrack.pipeline.platform import images_of, platform_of
from segtrack.pipeline.stage import Ask, Result, Stage, Visit, register
from segtrack.settings import Assist

if TYPE_CHECKING:
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run

PUSHED = ("train", "val", "pool")  # never the test split: it compares versions honestly


def push(ask: Ask) -> Visit:
    """Send the images of all splits but ``test``; make or find the project they belong to.

    With the stage ``select`` only those that it chose go; with ``labellerr.assist`` predictions go
    with them, to be corrected instead of drawn.

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
    only: frozenset[int] | None = None
    what = f"{sum(counts.values())} images"
    if "select" in ask.listed:
        chosen = curation.read_selection(ask("select").folder)
        only, splits = frozenset(row["image_id"] for row in chosen), ["pool"]
        what = f"{len(only)} selected images"
    proposed = _proposed(ask, splits)  # before anything is sent: it may fail
    do = partial(_push, dataset=dataset, proposed=proposed, only=only)
    return Visit(f"{what}, as far as they are not sent", do)


def _proposed(ask: Ask, splits: list[str]) -> dict[str, Result]:
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
    return dict(zip(splits, found, strict=True))


def _push(
    run: Run, dataset: Dataset, proposed: dict[str, Result], only: frozenset[int] | None
) -> None:
    platform, settings = platform_of(run), run.settings
    started = time.perf_counter()
    done = platform.push(images_of(settings, dataset, *PUSHED, only=only), run.say)
    seconds = time.perf_counter() - started
    for split, found in proposed.items():
        images = images_of(settings, dataset, split, only=only)
        objects = platform.propose(done.project_id, found.key, images, found.value, run.say)
        run.record(f"push/{split}/proposals", objects)
    run.record("push/files", done.files)
    run.record("push/sent", done.sent)
    run.record("speed/push_files", done.sent / seconds)
    run.tag({"labellerr.project": done.project_id})
    text = json.dumps(dataclasses.asdict(done), indent=1)
    (run.output / "push.json").write_text(text, encoding="utf-8")
    run.keep(run.output / "push.json", "push")
    if how := platform.by_hand(done.project_id):
        run.say(how)


def _require(ask: Ask) -> None:
    """Look for the weights that only push needs, before hours of work."""
    if ask.settings.labellerr.assist is Assist.sam:
        ask("sam")


STAGE = register(
    Stage(
        name="push",
        make=push,
        inputs=("prepare", "predict", "propose", "sam", "select"),
        require=_require,
        after="select",
        includes=("prepare",),  # raw data enters there, so that it is read there
        platform=True,
    )
)
