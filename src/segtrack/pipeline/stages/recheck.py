"""The images whose labels are most suspect, to people, with the reasons."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from segtrack import curation
from segtrack.base.words import counted
from segtrack.pipeline.platform import platform_of, project_name
from segtrack.pipeline.stage import Ask, Result, Stage, Visit, register
from segtrack.report import write_csv

if TYPE_CHECKING:
    from segtrack.curation import Recheck
    from segtrack.dataset import Dataset
    from segtrack.pipeline.runner import Run

FILE = "recheck.csv"


def recheck(ask: Ask) -> Visit:
    """Send images with their labels as they are to a project of their own."""
    dataset: Dataset = ask("prepare").value
    settings = ask.settings.suspect
    found = ask("suspect")
    chosen = curation.to_recheck(dataset, found.value, settings.send, settings.least)
    if not chosen.images:
        return Visit(idle="no images to send: outside of the test split nothing was judged")
    do = partial(_send, dataset=dataset, found=found, chosen=chosen)
    return Visit(f"the {len(chosen.images)} most suspect images and their labels", do)


def _send(run: Run, dataset: Dataset, found: Result, chosen: Recheck) -> str:
    from segtrack.annotation import ImageSet, Remark, Suspect, keep_recheck

    platform, settings = platform_of(run), run.settings
    folder = run.scratch("labellerr") / "suspects" / found.key
    folder.mkdir(parents=True, exist_ok=True)
    labels = curation.write_labels(dataset, chosen, folder, found.folder, settings.labellerr.conf)
    name = project_name(settings, dataset)
    images = ImageSet(f"{name} suspects {found.key[:8]}", chosen.images, dataset.names)
    done = platform.push(images, run.say)
    key = f"labels {found.key}"
    objects = platform.propose(done.project_id, key, images, labels, run.say)
    remarks = [Remark(one.image, one.text, one.outline) for one in chosen.reasons]
    shown = platform.remark(done.project_id, remarks)
    suspects = (
        Suspect(
            *(one.image, one.position, one.row["kind"], one.row["suspicion"]),
            *(one.text, one.outline),
        )
        for one in chosen.reasons
        if one.row["suspicion"] >= settings.suspect.least  # else it is the worst of its image only
    )
    outline = settings.labellerr.simplify_px
    keep_recheck(platform, done, name, dataset, chosen.images, suspects, found.key, outline)
    _list(run, chosen, done.project_id)
    run.record("suspect/sent_images", done.files)
    run.record("suspect/sent_labels", objects)
    run.tag({"labellerr.recheck_project": done.project_id})
    run.say(
        f"{counted(done.files, 'images')}, {counted(objects, 'labels')}, "
        f"{counted(len(remarks), 'reasons')}: {done.project_id}"
    )
    if chosen.kept_back:
        run.say(f"{chosen.kept_back} images of the test split are kept back: it is never sent")
    if not shown:
        run.say(
            "this platform has no documented way for remarks: the reasons are in "
            f"{run.output / FILE}, and suspect labels have the lowest confidence"
        )
    if how := platform.by_hand(done.project_id):
        run.say(f"{how}; then the same command with stages=[pull]")
    return done.project_id


def _list(run: Run, chosen: Recheck, project_id: str) -> None:
    """The reasons beside the run, by the images' own names."""
    columns = ("file_name", "kind", "suspicion", "reason", "x1", "y1", "x2", "y2")
    path = run.output / FILE
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = ([project_id, *(one.row[name] for name in columns)] for one in chosen.reasons)
        write_csv(file, ("project", *columns), rows)
    run.keep(path, "suspect")


STAGE = register(
    Stage(
        name="recheck",
        make=recheck,
        inputs=("prepare", "suspect"),
        after="suspect",
        platform=True,
    )
)
