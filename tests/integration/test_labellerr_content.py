"""An image is what it holds: renamed and moved folders and files in the loop as it is typed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labellerr_loopback import Delays, Emulator, start_emulator
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.transport import Transport
from tests.dataset.conftest import write_image
from tests.integration.conftest import Outcome, Project
from tests.integration.loopback import annotate

SQUARE = [[20.0, 20.0], [60.0, 20.0], [60.0, 50.0], [20.0, 50.0]]
CLASSES = "dataset.classes=[person,car]"


def photos(folder: Path, numbers: range) -> Path:
    for i in numbers:
        write_image(folder / f"{i:02d}.jpg", i)
    return folder


def pushed(outcome: Outcome) -> str:
    """The line that says where images went."""
    assert outcome.code == 0, outcome.err
    (line,) = [one for one in outcome.out.splitlines() if one.startswith("push       project")]
    return line


def test_a_renamed_folder_with_renamed_files_goes_on_where_it_was(
    project: Project, here: Callable[..., Outcome], tmp_path: Path
) -> None:
    """Push, labels, test split, review, pull and the next version: nothing lost or made twice."""
    folder = project.folder / ".segtrack" / "labellerr" / "emulator"
    with start_emulator(folder, delays=Delays(0, 0, 0)) as emulator:
        _rename_and_go_on(project, here, emulator)


def _rename_and_go_on(project: Project, here: Callable[..., Outcome], emulator: Emulator) -> None:
    at = f"labellerr.url={emulator.url}"
    photos(project.folder / "photos", range(20))
    first = pushed(here("stages=[push]", "dataset=images", "dataset.path=photos", CLASSES, at))
    project_id = first.split(": ")[1].split(",")[0]
    assert "20 files, 20 sent now" in first
    annotate(emulator.url, project_id, {f"{i:02d}.jpg": [SQUARE] for i in range(16)})

    def prepared(path: str) -> dict[str, Any]:
        words = ["stages=[prepare]", "dataset=labellerr", f"dataset.path={path}", at]
        outcome = here(*words, 'dataset.project_id="segtrack photos"')
        assert outcome.code == 0, outcome.err
        return dict(project.runs()[-1].data.metrics)

    before = prepared("photos")
    fingerprint = project.runs()[-1].data.tags["dataset.fingerprint"]
    assert before["data/images/test"] > 0 and before["data/images/pool"] == 4
    loop = ["dataset=labellerr", 'dataset.project_id="segtrack photos"', at]
    loop += ["model.weights=shipped", "model.imgsz=64"]
    sent = here("stages=[review]", *loop, "dataset.path=photos")
    assert sent.code == 0, sent.err
    review_id = project.runs()[-1].data.tags["labellerr.test_project"]

    # The folder is renamed: everything is known, down to the fingerprint of the data set.
    (project.folder / "photos").rename(project.folder / "pictures")
    again = here("stages=[push]", "dataset=images", "dataset.path=pictures", CLASSES, at)
    assert pushed(again).endswith(f"{project_id}, 20 files, 0 sent now")
    assert "these images were pushed as 'segtrack photos' before" in again.out
    assert prepared("pictures") | _speeds(before) == before | _speeds(before)
    assert project.runs()[-1].data.tags["dataset.fingerprint"] == fingerprint
    repeated = here("stages=[review]", *loop, "dataset.path=pictures")
    assert repeated.code == 0, repeated.err
    assert project.runs()[-1].data.tags["labellerr.test_project"] == review_id
    assert "sent 4 of 4" in sent.out and "sent 4" not in repeated.out

    # Files are renamed, and some moved into another folder below.
    moved = project.folder / "pictures" / "below"
    moved.mkdir()
    for path in sorted((project.folder / "pictures").glob("*.jpg")):
        path.rename((moved if int(path.stem) % 2 else path.parent) / f"x{path.name}")
    again = here("stages=[push]", "dataset=images", "dataset.path=pictures", CLASSES, at)
    assert pushed(again).endswith(f"{project_id}, 20 files, 0 sent now")
    now = prepared("pictures")
    for split in ("train", "val", "test", "pool"):
        assert now[f"data/images/{split}"] == before[f"data/images/{split}"]
        assert now[f"data/annotations/{split}"] == before[f"data/annotations/{split}"]
    repeated = here("stages=[review]", *loop, "dataset.path=pictures")
    assert repeated.code == 0, repeated.err
    assert project.runs()[-1].data.tags["labellerr.test_project"] == review_id
    annotate(emulator.url, review_id, {f"{i:02d}.jpg": [SQUARE] for i in range(16, 20)})
    back = here("stages=[pull]", *loop, "dataset.path=pictures")
    assert back.code == 0, back.err
    assert "4 images back, 0 pending" in back.out

    # What is not taken is counted by the platform's words, and a person's own export is taken.
    files = {"skipped": "12", "rejected": "13", "critical": "14"}
    for status, stem in files.items():
        annotate(emulator.url, project_id, {f"{stem}.jpg": []}, status=status)
    outcome = here("stages=[prepare]", *loop, "dataset.path=pictures")
    assert "not taken, by their status: 4 None, 1 critical, 1 rejected, 1 skipped" in outcome.out
    http = HttpPlatform(Transport(emulator.url, EMULATOR_CREDENTIALS), 20.0)
    report = http.start_export(project_id, "by hand", ["accepted"])
    http.wait_export(project_id, report)
    http.download_export(project_id, report, project.folder / "by hand.json")
    words = ["stages=[prepare]", "dataset=labellerr", "dataset.path=pictures"]
    outcome = here(*words, 'dataset.export="by hand.json"')
    assert outcome.code == 0, outcome.err
    mine = project.runs()[-1].data.metrics
    assert sum(mine[f"data/images/{split}"] for split in ("train", "val", "test")) == 13
    assert mine["data/images/pool"] == 7 and mine["data/annotations/train"] > 0

    # The version finds its pictures where a later command has read them.
    (project.folder / "pictures").rename(project.folder / "elsewhere")
    lost = here("stages=[prepare]", "dataset=reviewed")
    assert lost.code == 2
    assert "20 images in all" in lost.err and "let it be read once as it is now" in lost.err
    prepared("elsewhere")
    found = here("stages=[prepare]", "dataset=reviewed")
    assert found.code == 0, found.err
    version = project.runs()[-1].data.metrics
    assert version["data/images/train"] == before["data/images/train"] + 4
    assert version["data/annotations/train"] >= before["data/annotations/train"] + 4
    assert version["data/images/test"] == before["data/images/test"]


def _speeds(metrics: dict[str, Any]) -> dict[str, Any]:
    """Numbers that differ from run to run."""
    return {key: 0 for key in metrics if key.startswith(("speed/", "builds/"))}


def test_two_folders_of_one_name_do_not_share_a_project(
    project: Project, here: Callable[..., Outcome]
) -> None:
    photos(project.folder / "a" / "photos", range(4))
    photos(project.folder / "b" / "photos", range(4, 8))
    words = ["stages=[push]", "dataset=images", CLASSES]
    first = pushed(here(*words, "dataset.path=a/photos"))
    other = here(*words, "dataset.path=b/photos")
    assert other.code == 2 and "another folder of the same name" in other.err
    # Not silently either where they have a picture in common.
    shutil.copy(project.folder / "a/photos/01.jpg", project.folder / "b/photos/copy.jpg")
    shared = here(*words, "dataset.path=b/photos")
    assert shared.code == 2
    assert "shares 1 images with what was pushed as 'segtrack photos'" in shared.err
    assert "a/photos/00.jpg" in shared.err and "labellerr.name=NAME" in shared.err
    # A copy with nothing new in it is the same pictures; a name of its own is a project of its own.
    shutil.copytree(project.folder / "a/photos", project.folder / "copy")
    assert pushed(here(*words, "dataset.path=copy")).split(",")[0] == first.split(",")[0]
    named = pushed(here(*words, "dataset.path=b/photos", "labellerr.name=b"))
    assert "5 files, 5 sent now" in named and named.split(",")[0] != first.split(",")[0]
    # More pictures in the folder, and a picture less, are the folder all the same.
    photos(project.folder / "a" / "photos", range(8, 10))
    (project.folder / "a" / "photos" / "00.jpg").unlink()
    grown = pushed(here(*words, "dataset.path=a/photos"))
    assert grown.split(",")[0] == first.split(",")[0] and "5 files, 2 sent now" in grown


@pytest.mark.parametrize("how", ["same bytes", "same name"])
def test_pictures_of_one_name_or_one_content(
    project: Project, here: Callable[..., Outcome], how: str
) -> None:
    photos(project.folder / "photos" / "x", range(2))
    if how == "same name":
        write_image(project.folder / "photos" / "y" / "00.jpg", 7)
        expected = "3 files, 3 sent now"
    else:
        shutil.copy(project.folder / "photos/x/00.jpg", project.folder / "photos/copy.jpg")
        expected = "2 files, 2 sent now"
    outcome = here("stages=[push]", "dataset=images", "dataset.path=photos", CLASSES)
    assert expected in pushed(outcome)
    assert ("1 files hold the same as others" in outcome.out) is (how == "same bytes")
