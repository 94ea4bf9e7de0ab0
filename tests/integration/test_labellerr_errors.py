"""What goes wrong with the platform, as a user meets it: one message, an exit code, nothing lost.

Each fault ends the command; the same command after it goes on and makes nothing twice.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from labellerr_loopback import Credentials, Delays, Emulator, Limits, ask, start_emulator
from segtrack.annotation.labellerr import Credentials as Access
from segtrack.annotation.labellerr import transport, uploader
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.port import DatasetRecord, Question, class_questions
from segtrack.annotation.labellerr.transport import Patience, Transport
from segtrack.annotation.labellerr.uploader import upload
from segtrack.base.files import file_digest
from segtrack.command import app, job
from tests.integration.conftest import TINY, Outcome, Project
from tests.integration.loopback import (
    SQUARE,
    There,
    annotate,
    prepared,
    raw_images,
    there,
    with_predictions_of,
)

REMEMBERS = True
Run = Callable[..., Outcome]
PLANTED = {
    "LABELLERR_API_KEY": "key-f00dfeed-88",
    "LABELLERR_API_SECRET": "secret-0badcafe-88",
    "LABELLERR_CLIENT_ID": "client-4711-88",
}
# Retries as in earnest, without the waiting.
QUICK = Patience(tries=4, first=0.01, longest=0.05, retry_after=2.0, connect=2.0, read=10.0)
SIM = [*TINY, "dataset.train=1", "dataset.val=1", "dataset.test=1", "dataset.video_count=0"]
SIM += ["dataset.pool=4", "model.imgsz=192", "model.weights=shipped"]
CHECK, CHECKED = app.require_settings, set[tuple[str, ...]]()
NOTHING = There([], [], 0, [], 0, [], 0)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder, credentials = tmp_path_factory.mktemp("emulator"), Credentials(*PLANTED.values())
    with start_emulator(folder, credentials=credentials, delays=Delays(0, 0, 0)) as emulator:
        yield emulator


@pytest.fixture(autouse=True)
def _account(served: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(transport, "Patience", lambda: QUICK)
    # What costs most of a second each time and is tested elsewhere: the list of all packages, and
    # the check of a command line that was checked before.
    monkeypatch.setattr(job, "environment", lambda: "")
    monkeypatch.setattr(app, "require_settings", check_once)
    served.faults.clear()
    served.faults.calls.clear()
    yield
    served.faults.clear()


def check_once(overrides: Sequence[str], extra: Path | None = None, sweep: bool = False) -> None:
    """``app.require_settings``, but for a command line that was good before."""
    if tuple(overrides) not in CHECKED:
        CHECK(overrides, extra, sweep)
        CHECKED.add(tuple(overrides))


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Of data set and project on the platform, which all tests share."""
    return re.sub(r"\W+", "-", request.node.name)


def push(folder: Path, name: str, served: Emulator, *words: str) -> list[str]:
    """What a user types to send a folder of raw images."""
    given = ["stages=[prepare,push]", "dataset=yolo", f'dataset.path="{folder}"', "labellerr=cloud"]
    given += [f"labellerr.url={served.url}", f'labellerr.name="{name}"', "labellerr.workers=1"]
    return [*given, "dataset.workers=1", *words]


def labels_of(folder: Path, project_id: str, served: Emulator, *words: str) -> list[str]:
    """What a user types to make a data set of finished labels."""
    given = ["stages=[prepare]", "dataset=labellerr", f"dataset.project_id={project_id}"]
    given += [f'dataset.path="{folder}"', "labellerr=cloud", f"labellerr.url={served.url}"]
    splits = "dataset.splits={train: 0, val: 0, test: 1, pool: 0}"
    return [*given, splits, "dataset.workers=1", *words]


def heard(outcome: Outcome) -> str:
    """What stderr has, but for lines that words of a test replace those of ``SIM``."""
    lines = outcome.err.splitlines(keepends=True)
    return "".join(line for line in lines if " gives way to " not in line)


def fails(outcome: Outcome, project: Project, code: int, *parts: str) -> None:
    """One message and nothing else on stderr, the same in the MLflow run, which is FAILED.

    Wrong input that is found before anything was done leaves no run.
    """
    assert outcome.code == code, outcome.out + outcome.err
    failed = [run for run in project.runs()[-1:] if run.info.status == "FAILED"]
    assert failed or code == 2
    assert heard(outcome).startswith("error: ") and outcome.err.count("error: ") == 1
    for run in failed:
        assert heard(outcome) == f"error: {run.data.tags['error']}\n"
    for part in parts:
        assert re.search(part, outcome.err), outcome.err
    for value in PLANTED.values():
        assert value not in outcome.err + outcome.out


def works(outcome: Outcome, project: Project, *parts: str) -> None:
    assert outcome.code == 0, outcome.out + outcome.err
    assert heard(outcome) == ""
    assert project.runs()[-1].info.status == "FINISHED"
    for part in parts:
        assert re.search(part, outcome.out), outcome.out


class Failure(NamedTuple):
    """What goes wrong with a push, what is said, and how far the push has come all the same."""

    fault: dict[str, Any]
    says: str
    puts: int
    datasets: tuple[int, ...]
    words: tuple[str, ...] = ()


FAILURES = {
    "429": Failure(
        {"kind": "status", "path": "connect/local", "status": 429, "retry_after": 3600.0},
        r"connect/local: .* answered 429 \([^)]*\) and asks to wait 3600 s\. .*labellerr\.workers",
        0,
        (),
    ),
    "cut": Failure(
        {"kind": "cut", "path": "storage/session", "nth": 3, "times": -1, "after_bytes": 100},
        r"2 of 4 files of '.*' could not be sent.*connection was cut.*sends only what is missing",
        2,
        (),
    ),
    "expired": Failure(
        {"kind": "status", "path": "datasets/create", "status": 401, "message": "key expired"},
        r"POST /datasets/create: .* 401 \(key expired\)\. Check LABELLERR_API_KEY, .* expired",
        4,
        (),
    ),
    "stuck": Failure(
        {"kind": "dataset_stuck"},
        r"data set \S+: not finished after 1 s, last state 100 .*labellerr\.timeout",
        4,
        (100,),
        ("labellerr.timeout=1",),
    ),
    "500": Failure(
        {"kind": "status", "path": "projects/create", "times": -1},
        r"POST /projects/create: .* answered 500 .*on the platform's side.*same command again",
        4,
        (300,),
    ),
    "time-out": Failure(
        {"kind": "delay", "path": "detailed_list", "seconds": 0.7, "times": -1},
        r"detailed_list: no answer within 0\.5 s\. .*labellerr\.url .*is not sent again",
        4,
        (300,),
    ),
}


def test_a_push_that_fails_again_and_again_goes_on_where_it_was(
    here: Run,
    project: Project,
    served: Emulator,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [f"{name}-{i}.jpg" for i in range(4)]
    words = push(raw_images(tmp_path / "raw", files), name, served)
    monkeypatch.setenv("LABELLERR_API_SECRET", "typo-0badcafe")
    outcome = here(*words)
    fails(outcome, project, 1, r"answered 401 \(Invalid api_secret\)\. Check LABELLERR_API_KEY")
    assert "typo-0bad" not in outcome.err + outcome.out
    assert there(served.folder, name) == NOTHING
    monkeypatch.setenv("LABELLERR_API_SECRET", PLANTED["LABELLERR_API_SECRET"])
    for kind, failure in FAILURES.items():
        served.fault(**failure.fault)
        patience = replace(QUICK, read=0.5, tries=2) if kind == "time-out" else QUICK
        monkeypatch.setattr(transport, "Patience", lambda patience=patience: patience)
        fails(here(*words, *failure.words), project, 1, failure.says)
        served.faults.clear()
        found = there(served.folder, name)
        assert (found.puts, tuple(found.datasets)) == (failure.puts, failure.datasets), kind
        assert found.projects == []
    works(here(*words), project, "4 files, 0 sent now")
    found = there(served.folder, name)
    assert (found.datasets, found.files, found.puts) == ([300], files, 4)
    assert (len(found.projects), found.templates, found.attached) == (1, 1, 4)


def test_a_data_set_whose_processing_fails_is_sent_once_more(
    here: Run, project: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    files = [f"{name}-{i}.jpg" for i in range(2)]
    words = push(raw_images(tmp_path / "raw", files), name, served)
    for status, why in ((500, "no permission"), (501, "not found")):
        served.fault("dataset_status", status=status)
        says = rf"data set \S+ \({name}\) failed with status {status} \({why}.*same command again"
        fails(here(*words), project, 1, says)
        served.faults.clear()
    works(here(*words), project, "2 files, 2 sent now")
    found = there(served.folder, name)
    assert (found.datasets, found.files, found.puts) == ([500, 501, 300], files, 6)
    assert (len(found.projects), found.templates, found.attached) == (1, 1, 2)


def test_a_push_that_is_slowed_down_succeeds_and_the_same_push_again_does_nothing(
    here: Run, project: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    files = [f"{name}-{i}.jpg" for i in range(3)]
    words = push(raw_images(tmp_path / "raw", files), name, served)
    served.fault("status", path="connect/local", status=429, retry_after=1)
    served.fault("status", path="detailed_list", status=429, times=3)
    served.fault("status", path="create_template", status=500, times=3)
    served.fault("cut", path="datasets/create", done=True)
    served.fault("cut", path="storage/session", nth=2, after_bytes=100)
    begin = time.monotonic()
    works(here(*words), project, "3 files, 3 sent now")
    assert time.monotonic() - begin > 1.0  # as it was asked to
    found = there(served.folder, name)
    assert (found.datasets, found.files, found.puts) == ([300], files, 3)
    assert (len(found.projects), found.templates, found.attached) == (1, 1, 3)
    assert served.faults.calls["POST /annotations/create_template"] == 4
    served.faults.calls.clear()
    works(here(*words), project, "3 files, 0 sent now")
    assert there(served.folder, name) == found
    changing = re.compile(r"create|upload|session|connect")
    assert [call for call in served.faults.calls if changing.search(call)] == []


def test_a_store_that_cannot_be_written(
    here: Run, project: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    words = push(raw_images(tmp_path / "raw", [f"{name}.jpg"]), name, served)
    pushed = project.folder / ".segtrack" / "labellerr" / "pushed.db"
    pushed.mkdir(parents=True)
    says = r"cannot write or read in \.segtrack: unable to open database file"
    fails(here(*words), project, 1, says)
    pushed.rmdir()
    works(here(*words), project, "1 file, 0 sent now")
    found = there(served.folder, name)
    assert (found.datasets, found.puts, found.attached) == ([300], 1, 1)


def test_files_that_cannot_be_sent_are_named_before_anything_is_sent(
    here: Run, project: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    folder = raw_images(tmp_path / "raw", ["a.jpg", "one/a.JPG", "b.bmp", "c.jpg", "d.bmp"])
    images, words = folder / "images", push(folder, name, served)
    whole = (images / "c.jpg").read_bytes()
    (images / "c.jpg").write_bytes(b"")
    fails(here(*words), project, 2, rf"{images}/c\.jpg: the file is empty \(0 bytes\)")
    (images / "c.jpg").write_bytes(whole)
    suffix = rf"only \.jpg, \.jpeg, \.png, \.tiff are accepted; convert: {images}/b\.bmp, "
    fails(here(*words), project, 2, suffix + rf"{images}/d\.bmp")
    # Review would send them at the end: it says so before the training, which misses images too.
    fails(here(*words, "stages=[prepare,train,review]"), project, 2, suffix)
    assert not served.faults.calls
    assert there(served.folder, name) == NOTHING
    (images / "b.bmp").unlink()
    (images / "d.bmp").unlink()
    works(here(*words), project, "3 files, 3 sent now")  # two of one name are two pictures


def test_more_files_than_a_data_set_takes_are_two_of_one_project(
    here: Run, project: Project, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a hundredth of the platform's own limit; that of 2,500 files is ``test_files.py``'s."""
    monkeypatch.setattr(uploader, "Limits", partial(uploader.Limits, dataset_files=25))
    files = [f"{name}-{i:02}.png" for i in range(30)]
    account, limits = Credentials(*PLANTED.values()), Limits(dataset_files=25)
    with start_emulator(
        tmp_path / "small", credentials=account, delays=Delays(0, 0, 0), limits=limits
    ) as served:
        words = push(raw_images(tmp_path / "raw", files), name, served, "dataset.decode=false")
        works(here(*words, "labellerr.workers=8"), project, "30 files, 30 sent now")
        found = there(served.folder, name)
        assert (found.datasets, found.files, found.puts) == ([300, 300], files, 30)
        (project_id,) = found.projects
        assert (found.attached, found.templates) == (30, 1)
        assert sorted(d.files_count for d in attached(http(served), project_id)) == [5, 25]


def http(served: Emulator) -> HttpPlatform:
    return HttpPlatform(Transport(served.url, Access(*PLANTED.values()), QUICK), 20.0)


def attached(platform: HttpPlatform, project_id: str) -> list[DatasetRecord]:
    return [platform.dataset(i) for i in platform.project(project_id).dataset_ids]


def test_a_project_that_does_not_fit(
    here: Run, project: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    car, boxes = Question("car", "#E69F00"), Question("person", "#56B4E9", kind="BoundingBox")
    short = project_of(served, tmp_path, f"{name}-short", [car])
    boxed = project_of(served, tmp_path, f"{name}-boxed", [car, boxes])
    before = there(served.folder, name)
    served.faults.calls.clear()
    words = push(raw_images(tmp_path / "raw", [f"{name}-more.jpg"]), f"{name} more", served)
    misfit = "classes and the project's template do not fit"
    for project_id, says in (
        (short, rf"{misfit}: 'person' is no question\. The template asks for 'car'"),
        (boxed, rf"{misfit}: question 'person' asks for BoundingBox, not polygon"),
        ("nope", r"labellerr\.project_id=nope: no such project in this account"),
    ):
        fails(here(*words, f"labellerr.project_id={project_id}"), project, 2, says)
    assert not [call for call in served.faults.calls if call.startswith(("POST", "PUT"))]
    assert there(served.folder, name) == before
    works(here(*words), project, "1 file, 1 sent now")


def project_of(
    served: Emulator, tmp_path: Path, name: str, questions: Sequence[Question], count: int = 1
) -> str:
    """A project that somebody else made, of images ``NAME-0.jpg`` and so on; returns its id."""
    platform = http(served)
    folder = raw_images(tmp_path / "theirs", [f"{name}-{i}.jpg" for i in range(count)])
    files = check_files((folder / "images").iterdir())
    done = upload(platform, files, name, tmp_path / "their ledger", say=lambda text: None)
    template = platform.ensure_template(name, questions)
    ids = [d.dataset_id for d in done.datasets]
    return platform.ensure_project(name, ids, template.template_id).project_id


def test_a_question_with_a_blank_at_its_end_and_a_suffix_in_upper_case(
    here: Run, project: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    """``b.JPG`` goes as ``b.jpg`` to a project that asks for ``car ``, and comes back as ours."""
    questions = [Question("car ", "#E69F00"), Question("Person", "#56B4E9")]
    project_id = project_of(served, tmp_path, name, questions)
    folder = raw_images(tmp_path / "raw", ["deep/b.JPG"])
    words = push(folder, f"{name} more", served, f"labellerr.project_id={project_id}")
    works(here(*words), project, "1 files go with their suffix in lower case", "1 sent now")
    # Another image, called like that, must not get its labels.
    raw_images(folder, ["deep/b.JPG", "b.jpg"])
    annotate(served.url, project_id, {"b.jpg": [SQUARE]}, "car ")
    words = labels_of(folder, project_id, served, "dataset.unlabelled=ignore")
    works(here(*words), project, "1 image, 1 label")
    found = prepared(project.folder)
    assert [i["file_name"] for i in found["images"]] == ["images/deep/b.JPG"]
    assert [c["name"] for c in found["categories"]] == ["car", "Person"]
    (label,) = found["annotations"]
    assert label["category_id"] == 0
    assert np.reshape(label["segmentation"], (-1, 2)).tolist() == SQUARE


def test_finished_labels_that_do_not_come(
    here: Run, project: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    project_id = project_of(served, tmp_path, name, class_questions(["car"], ["#E69F00"]), 3)
    files = [f"{name}-{i}.jpg" for i in range(3)]
    words = labels_of(tmp_path / "theirs", project_id, served)
    fails(
        here(*words, f"dataset.project_id={project_id}x"),
        project,
        2,
        rf"dataset\.project_id={project_id}x: no such project in this account",
    )
    fails(
        here(*words), project, 1, rf"project {project_id}: no file has .*\(No files found\)\. Rev"
    )
    # All that was reviewed is empty: such an export has no categories.
    annotate(served.url, project_id, {files[0]: []})
    fails(here(*words), project, 2, "no usable label of car in 3 images")
    annotate(served.url, project_id, {name: [SQUARE] for name in files})
    served.fault("export_never_ends")
    outcome = here(*words, "labellerr.timeout=1")
    fails(outcome, project, 1, rf"export \S+ of project {project_id}: not finished after 1 s")
    served.faults.clear()
    exports = project.folder / ".segtrack" / "labellerr" / "exports" / project_id
    assert len(list(exports.iterdir())) == 1  # the empty one, and nothing half
    works(here(*words), project, "3 images, 3 labels")


def test_an_export_that_does_not_fit_the_images_here(
    here: Run, project: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    project_id = project_of(served, tmp_path, name, class_questions(["car"], ["#E69F00"]), 3)
    reaching = [[40.0, 10.0], [90.0, 10.0], [90.0, 30.0], [40.0, 30.0]]
    outside = [[70.0, 10.0], [90.0, 10.0], [90.0, 30.0], [70.0, 30.0]]
    labels = {f"{name}-0.jpg": [SQUARE], f"{name}-1.jpg": [reaching, outside]}
    annotate(served.url, project_id, {**labels, f"{name}-2.jpg": [SQUARE]})
    folder = tmp_path / "theirs"
    (folder / "images" / f"{name}-2.jpg").unlink()
    said = r"\nprepare    warnings: clipped, missing_image, outside; see .*checks\.txt\n"
    works(here(*labels_of(folder, project_id, served)), project, "3 images, 4 labels", said)
    found = prepared(project.folder)
    assert [i["file_name"] for i in found["images"]] == [f"images/{n}" for n in labels]
    rings = [np.reshape(a["segmentation"], (-1, 2)) for a in found["annotations"]]
    assert [ring.max(0).tolist() for ring in rings] == [[50, 40], [64, 30]]
    (report,) = project.folder.glob(".segtrack/results/prepare/*/checks.txt")
    warnings = report.read_text()
    assert f"{name}-2.jpg is labelled, but not in {folder}" in warnings
    for says in (
        r"annotation \d reaches out of the image \(x 40 to 90, y 10 to 30\); it is clipped",
        r"annotation \d lies outside of the image \(x 70 to 90, y 10 to 30\); it is left out",
    ):
        assert re.search(says, warnings)
    raw_images(tmp_path / "elsewhere", ["another.jpg"])
    (tmp_path / "elsewhere" / "data.yaml").unlink()
    outcome = here(*labels_of(tmp_path / "elsewhere", project_id, served))
    fails(outcome, project, 2, "none of the export's 3 images is in .*elsewhere")


@pytest.fixture(scope="module")
def reference(
    tmp_path_factory: pytest.TempPathFactory, new_project: Callable[[Path], Project]
) -> Project:
    """A review that nothing disturbed, with the run's own emulator."""
    project = new_project(tmp_path_factory.mktemp("reference"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.folder)
        patch.setattr("sys.argv", ["src/run.py"])
        assert app.main([*SIM, "stages=[prepare,review,pull]"]) == 0
    return project


@pytest.fixture
def predicted(reference: Project, project: Project) -> Project:
    """A project whose store has the data set and the predictions of ``reference``, no more."""
    return with_predictions_of(reference, project)


def review_numbers(run: Any) -> dict[str, float]:
    return {k: v for k, v in run.data.metrics.items() if k.startswith("review/")}


def test_a_review_whose_job_leaves_files_out_or_never_ends(
    here: Run, predicted: Project, reference: Project, served: Emulator, name: str
) -> None:
    words = [*SIM, f"labellerr.url={served.url}", f"labellerr.name={name}"]
    review, reviews = [*words, "stages=[prepare,review]"], predicted.folder.glob
    (picture,) = reviews(".segtrack/results/prepare/*/images/pool/sim_pool_00000.jpg")
    sent_as = f"sim_pool_00000-{file_digest(picture)[:12]}.jpg"
    served.fault("files_not_updated", times=1, names=(sent_as,))
    outcome = here(*review)
    fails(outcome, predicted, 1, rf"completed, but 1 files were not updated \({sent_as}\)")
    (project_id,) = there(served.folder, name).projects
    assert f"of project {project_id} completed" in outcome.err
    assert not list(reviews(".segtrack/labellerr/reviews/*/*/review.json"))
    served.faults.clear()
    served.fault("job_never_ends")
    outcome = here(*review, "labellerr.timeout=1")
    fails(outcome, predicted, 1, rf"job \S+ of project {project_id}: not finished after 1 s")
    served.faults.clear()
    works(here(*review), predicted)
    jobs = there(served.folder, name).jobs
    assert jobs == ["completed"] * 4  # low, medium and high, and the one that left a file out
    served.fault("export_never_ends")
    pull = [*words, "stages=[prepare,pull]"]
    outcome = here(*pull, "labellerr.timeout=1")
    fails(outcome, predicted, 1, rf"export \S+ of project {project_id}: not finished after 1 s")
    assert [p.suffix for p in reviews(".segtrack/labellerr/pulls/*")] == [".lock"]
    assert not list(reviews(".segtrack/reviewed/*"))
    served.faults.clear()
    works(here(*pull), predicted, "4 images back, 0 pending")
    found = there(served.folder, name)
    assert (found.datasets, len(found.projects), found.templates) == ([300], 1, 1)
    assert found.jobs == jobs
    expected = review_numbers(reference.runs()[-1])
    numbers = [review_numbers(run) for run in predicted.runs()]
    sent = {k: v for k, v in expected.items() if k in numbers[-3]}
    assert {**numbers[-3], **numbers[-1]} == expected and len(sent) == 3


def test_a_review_that_people_have_not_done_yet(
    here: Run, predicted: Project, served: Emulator, name: str, tmp_path: Path
) -> None:
    """On the platform itself: no error in the run that sent it; later it is one."""
    words = [*SIM, "labellerr=cloud", f"labellerr.url={served.url}", f"labellerr.name={name}"]
    waiting = r"no file has one of the statuses .* \(No files found\)\. Review or accept some"
    outcome = here(*words, "stages=[prepare,review,pull]")
    works(outcome, predicted, rf"\npull       nothing to do yet: project \S+: {waiting}")
    (project_id,) = there(served.folder, name).projects
    pull = [*words, "stages=[prepare,pull]"]
    fails(here(*pull), predicted, 1, rf"project {project_id}: {waiting}")
    # All objects of one file deleted: such an export has no categories.
    annotate(served.url, project_id, {"sim_pool_00000.jpg": []})
    works(here(*pull), predicted, "1 image back, 3 pending; 0 accepted, 0 corrected")
    # A polygon that reaches out, and an image that this review did not send.
    platform = http(served)
    project_of(served, tmp_path, f"{name} strange", [Question("car", "#E69F00")])
    strange = [d.dataset_id for d in platform.datasets() if d.name == f"{name} strange"]
    platform.attach(project_id, strange)
    reaching = [[150.0, 80.0], [250.0, 80.0], [250.0, 120.0], [150.0, 120.0]]
    labels = {"sim_pool_00001.jpg": [reaching], f"{name} strange-0.jpg": [SQUARE]}
    annotate(served.url, project_id, labels)
    outcome = here(*pull)
    works(outcome, predicted, "2 images back, 2 pending")
    assert f"1 exported images were not sent by this review, e.g. {name} strange-0" in outcome.out
    assert "1 labels need a look, e.g. pool/sim_pool_00001.jpg: annotation" in outcome.out
    assert "reaches out of the image; cut at its border" in outcome.out
    version = predicted.runs()[-1].data.tags["dataset.next_version"]
    labels = predicted.folder / ".segtrack" / "reviewed" / version / "labels.coco.json"
    found = json.loads(labels.read_text())
    assert len(found["images"]) == 2
    (label,) = found["annotations"]
    assert np.reshape(label["segmentation"], (-1, 2)).max(0).tolist() == [192, 120]


def test_a_pool_without_labels_is_reviewed_by_people_only(
    here: Run, predicted: Project, reference: Project, tmp_path: Path
) -> None:
    folder = unlabelled_pool(reference, tmp_path / "streets")
    words = ["dataset=yolo", f'dataset.path="{folder}"', "dataset.workers=1"]
    words += ["model.imgsz=192", "model.weights=shipped"]
    outcome = here(*words, "stages=[prepare,track,review,pull]")
    works(outcome, predicted, "track      nothing to do: there is no video to track in")
    assert "annotator" not in outcome.out
    (line,) = [x for x in outcome.out.splitlines() if x.startswith("pull")]
    says = r"nothing is reviewed yet, and the pool split has no labels from which a reviewer could"
    up = "keep the platform up in another terminal, `segtrack labellerr up`, and review on its page"
    assert re.search(rf"nothing to do yet: project \S+: {says} be simulated: {up}", line)
    assert predicted.runs()[-1].data.metrics["review/sent_objects"] > 0
    pull = [*words, "stages=[pull]"]
    outcome = here(*pull)
    fails(outcome, predicted, 1, says, r"same command with stages=\[pull\], or .*=cloud")
    # What it says to do: the platform is kept up, a file reviewed, and pulled.
    project_id = re.search(r"`segtrack labellerr open (\S+)`", outcome.err)
    assert project_id is not None
    command = [sys.executable, "-m", "segtrack", "labellerr", "up"]
    with subprocess.Popen(
        command, cwd=predicted.folder, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert url is not None
        target = f"{url[0]}/_emulator/projects/{project_id[1]}/files"
        files = ask("GET", target)["files"]
        assert {file["status"] for file in files} == {"None"}
        annotate(url[0], project_id[1], {"b.jpg": [SQUARE]})
        process.terminate()
    works(here(*pull), predicted, "1 image back, 3 pending; .* 1 added")
    version = predicted.runs()[-1].data.tags["dataset.next_version"]
    facts = json.loads(
        (predicted.folder / ".segtrack" / "reviewed" / version / "version.json").read_text()
    )
    assert facts["images"] == ["images/pool/b.jpg"]


def unlabelled_pool(reference: Project, folder: Path) -> Path:
    """A YOLO data set of one labelled image and of four in the pool, one of them ``B.JPG``."""
    (source,) = reference.folder.glob(".segtrack/results/prepare/*")
    for name, where in (("train", "images/train"), ("pool", "images/pool")):
        shutil.copytree(source / "images" / name, folder / where)
    first, second, *_ = sorted((folder / "images" / "pool").iterdir())
    first.rename(first.with_name("a.jpg"))
    second.rename(second.with_name("b.jpg"))
    (folder / "labels" / "train").mkdir(parents=True)
    for path in (folder / "images" / "train").iterdir():
        label = folder / "labels" / "train" / f"{path.stem}.txt"
        label.write_text("0 0.2 0.2 0.8 0.2 0.8 0.8\n")
    names = json.loads((source / "dataset.json").read_text())["names"]
    text = (
        f"train: images/train\nval: images/train\npool: images/pool\nnames: {json.dumps(names)}\n"
    )
    (folder / "data.yaml").write_text(text)
    return folder
