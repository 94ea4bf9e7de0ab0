"""Predictions to the platform: what is sent, what is not, and nothing twice."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from labellerr_loopback import Delays, Emulator, ask, start_emulator
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.transport import Transport
from segtrack.annotation.sent import Reviewed, sent_images, sent_to
from segtrack.base.errors import DataError, PlatformError, SettingsError
from segtrack.dataset import Dataset
from segtrack.model.predictions import (
    FrameDetections,
    Predictions,
    PredictionsInfo,
    PredictionsWriter,
)

from .conftest import QUICK, unique
from .reviews import Numbers, planted_predictions, send, sent_as, small_dataset


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(tmp_path_factory.mktemp("emulator"), delays=Delays(0, 0, 0)) as emulator:
        yield emulator


@pytest.fixture
def platform(served: Emulator) -> HttpPlatform:
    served.faults.clear()
    served.faults.calls.clear()
    return HttpPlatform(Transport(served.url, EMULATOR_CREDENTIALS, QUICK), 20.0)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("data")
    return small_dataset(root / "dataset", root / "cache")


@pytest.fixture(scope="module")
def predictions(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Predictions:
    return planted_predictions(dataset, tmp_path_factory.mktemp("p") / "predictions")


def answers(served: Emulator, project_id: str) -> list[dict[str, object]]:
    url = f"{served.url}/_emulator/projects/{project_id}/files"
    files = ask("GET", url)["files"]
    return [answer for file in files for answer in file["answers"]]


def test_what_is_sent(
    served: Emulator,
    platform: HttpPlatform,
    dataset: Dataset,
    predictions: Predictions,
    tmp_path: Path,
) -> None:
    numbers, name = Numbers(), unique("review")
    sent = send(
        platform, dataset, predictions, tmp_path, name, conf_bucket=True, conf=0.3, report=numbers
    )
    scores = np.concatenate([frame.score for frame in predictions.frames()])
    wanted = scores[scores >= 0.3]
    bands = Counter("low" if s < 0.5 else "high" if s > 0.8 else "medium" for s in wanted.tolist())
    there = answers(served, sent.project_id)
    assert Counter(str(a["conf_bucket"]) for a in there) == bands and len(bands) == 3
    assert (sent.images, sent.objects) == (5, len(wanted))
    assert (numbers["review/sent_images"], numbers["review/sent_objects"]) == (5, len(wanted))
    assert numbers["review/polygon_iou"] > 0.97
    questions = platform.template(platform.project(sent.project_id).template_id).questions
    assert [q.name for q in questions] == list(dataset.names)
    assert questions[0].color == "#E69F00"
    # The test split never leaves.
    names = {file.file_name for file in platform.project_files(sent.project_id)}
    assert names == {sent_as(row) for row in dataset.iter_images("pool")}
    assert Reviewed.load(tmp_path / "review") == sent
    with closing(sent.open()) as db:
        images = list(sent_images(db))
        assert [i.image_id for i in images] == [r.image_id for r in dataset.iter_images("pool")]
        assert sum(len(sent_to(db, image.name)) for image in images) == len(wanted)
        ids = {f.file_name: f.file_id for f in platform.project_files(sent.project_id)}
        assert {image.name: image.file_id for image in images} == ids


def test_the_same_review_twice_sends_nothing(
    served: Emulator,
    platform: HttpPlatform,
    dataset: Dataset,
    predictions: Predictions,
    tmp_path: Path,
) -> None:
    name = unique("review")
    first = send(platform, dataset, predictions, tmp_path, name)
    calls = dict(served.faults.calls)
    second = send(platform, dataset, predictions, tmp_path, name)
    assert second == first
    more = {k: v - calls.get(k, 0) for k, v in served.faults.calls.items()}
    changing = ("/actions/upload_answers", "/create", "/connect/local", "/storage/uploads")
    grown = [k for k, v in more.items() if v and any(part in str(k) for part in changing)]
    assert [k for k in grown if "upload_answers_status" not in str(k)] == []


def test_other_predictions_of_the_same_images(
    platform: HttpPlatform, dataset: Dataset, predictions: Predictions, tmp_path: Path
) -> None:
    """Another project over the same data set."""
    name = unique("pool")
    first = send(platform, dataset, predictions, tmp_path, f"{name} a", dataset_name=name)
    second = send(platform, dataset, predictions, tmp_path, f"{name} b", dataset_name=name)
    assert first.project_id != second.project_id
    assert first.dataset_ids == second.dataset_ids


def test_a_project_of_ones_own(
    served: Emulator,
    platform: HttpPlatform,
    dataset: Dataset,
    predictions: Predictions,
    tmp_path: Path,
) -> None:
    base = send(platform, dataset, predictions, tmp_path, unique("base"))
    texts = [Question(f"{name.title()} ", "#112233") for name in reversed(dataset.names)]
    template = platform.ensure_template(unique("own"), texts)
    project = platform.ensure_project(unique("own"), base.dataset_ids, template.template_id)
    chosen = {"test_project_id": project.project_id, "dataset_name": base.project_name}
    sent = send(platform, dataset, predictions, tmp_path / "own", "unused", **chosen)
    assert (sent.project_id, sent.objects) == (project.project_id, base.objects)
    short = platform.ensure_template(unique("short"), texts[:2])
    other = platform.ensure_project(unique("short"), base.dataset_ids, short.template_id)
    served.faults.calls.clear()
    for project_id, error, says in (
        (other.project_id, DataError, "is no question"),
        ("nope", SettingsError, r"labellerr\.test_project_id=nope: no such project"),
    ):
        # Under a name that is not on the platform yet: nothing may be sent there.
        chosen = {"test_project_id": project_id, "dataset_name": unique("short")}
        with pytest.raises(error, match=says):
            send(platform, dataset, predictions, tmp_path / "short", "unused", **chosen)
        assert not (tmp_path / "short" / "review").exists()
    assert not [call for call in served.faults.calls if call.startswith(("POST", "PUT"))]


def test_what_people_did_is_not_replaced(
    served: Emulator,
    platform: HttpPlatform,
    dataset: Dataset,
    predictions: Predictions,
    tmp_path: Path,
) -> None:
    name = unique("review")
    sent = send(platform, dataset, predictions, tmp_path, name)
    before = answers(served, sent.project_id)
    file = next(iter(platform.project_files(sent.project_id)))
    platform.set_status(sent.project_id, [file.file_id], "accepted")
    chosen = {"test_project_id": sent.project_id, "dataset_name": name}
    # What was sent before is no new pre-annotation.
    again = send(platform, dataset, predictions, tmp_path, name, **chosen)
    assert again.project_id == sent.project_id
    with pytest.raises(DataError, match="somebody has worked on 1 of the images") as caught:
        send(platform, dataset, predictions, tmp_path, name, conf=0.6, **chosen)
    assert "Leave labellerr.test_project_id out" in str(caught.value)
    assert answers(served, sent.project_id) == before


def test_another_pool_is_another_data_set(
    platform: HttpPlatform, dataset: Dataset, predictions: Predictions, tmp_path: Path
) -> None:
    """A project has all files of its data sets: those of an older pool must not be among them."""
    name = unique("pool")
    send(platform, dataset, predictions, tmp_path, f"{name} a", dataset_name=name)
    fewer = list(dataset.iter_images("pool"))[1:]
    sent = send(
        platform,
        dataset,
        predictions,
        tmp_path,
        f"{name} b",
        images=fewer,
        folder="fewer",
        dataset_name=name,
    )
    names = {file.file_name for file in platform.project_files(sent.project_id)}
    assert names == {sent_as(row) for row in fewer}


def test_a_job_that_leaves_files_out(
    served: Emulator,
    platform: HttpPlatform,
    dataset: Dataset,
    predictions: Predictions,
    tmp_path: Path,
) -> None:
    """An error that keeps nothing; the same call then mends it."""
    name = unique("review")
    lost = sent_as(next(dataset.iter_images("pool")))
    served.fault("files_not_updated", names=(lost,), times=1)
    with pytest.raises(PlatformError, match=lost):
        send(platform, dataset, predictions, tmp_path, name)
    assert not list(tmp_path.glob("review*"))
    served.faults.clear()
    assert send(platform, dataset, predictions, tmp_path, name).images == 5


def test_boxes_without_masks(platform: HttpPlatform, dataset: Dataset, tmp_path: Path) -> None:
    row = next(dataset.iter_images("pool"))
    with PredictionsWriter(tmp_path) as writer:
        box = np.array([[2, 3, 20, 30]], np.float32)
        one = np.ones(1, np.float32)
        writer.add(FrameDetections(row.image_id, np.zeros(1, np.int16), one, box, [None]))
        writer.finish(PredictionsInfo(dataset.names, 5))
    with pytest.raises(DataError, match="take a -seg model"):
        send(platform, dataset, Predictions.load(tmp_path), tmp_path, unique("boxes"))
    assert not (tmp_path / "review").exists()


def test_no_predictions_at_all(
    served: Emulator, platform: HttpPlatform, dataset: Dataset, tmp_path: Path
) -> None:
    """Everything is left to be drawn."""
    with PredictionsWriter(tmp_path) as writer:
        writer.finish(PredictionsInfo(dataset.names, 5))
    numbers = Numbers()
    sent = send(
        platform, dataset, Predictions.load(tmp_path), tmp_path, unique("none"), report=numbers
    )
    assert (sent.images, sent.objects, answers(served, sent.project_id)) == (5, 0, [])
    assert "review/polygon_iou" not in numbers


def test_nothing_to_send_and_nothing_sent(
    platform: HttpPlatform, dataset: Dataset, predictions: Predictions, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no pool images"):
        send(platform, dataset, predictions, tmp_path, "x", images=[])
    with pytest.raises(DataError, match="no review was sent from here"):
        Reviewed.load(tmp_path)


def test_no_credentials_on_disk(
    platform: HttpPlatform, dataset: Dataset, predictions: Predictions, tmp_path: Path
) -> None:
    sent = send(platform, dataset, predictions, tmp_path, unique("secret"))
    record = json.loads((sent.folder / "review.json").read_text())
    assert "api_key" not in record and EMULATOR_CREDENTIALS.api_secret not in record.values()
    with closing(sqlite3.connect(sent.folder / "review.db")) as db:
        text = "\n".join(db.iterdump())
    assert "SECRET" not in text
