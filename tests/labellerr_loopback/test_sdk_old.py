"""The SDK of September 2025 (1.0.1) cannot tell either: one client, from files to the export."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from labellerr_loopback import Delays, Emulator, start_emulator
from tests.labellerr_loopback.conftest import KNOWN, Api, coco, jpeg

if find_spec("labellerr") is None:
    pytest.skip("labellerr-sdk 1.0.1 is not installed", allow_module_level=True)
if find_spec("labellerr.core") is not None:
    pytest.skip("the installed labellerr-sdk is its main line, not 1.0.1", allow_module_level=True)

RING = [10, 10, 30, 10, 30, 30, 10, 30]
WISH = {
    "export_name": "labels",
    "export_description": "all",
    "export_format": "coco_json",
    "statuses": ["accepted"],
}


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    """Nothing is ready at the first look, so that the SDK has to poll."""
    with start_emulator(tmp_path / "state", credentials=KNOWN, delays=Delays(2, 2, 2)) as running:
        yield running


def connect(url: str, monkeypatch: pytest.MonkeyPatch, secret: str = "SECRET") -> Any:
    module = importlib.import_module("labellerr.client")
    monkeypatch.setattr(module.constants, "BASE_URL", url)  # before the client, which keeps a copy
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    hurried = SimpleNamespace(time=time.time, sleep=lambda seconds: None)  # it sleeps 5 s a poll
    for user in (module, importlib.import_module("labellerr.utils")):
        monkeypatch.setattr(user, "time", hurried)
    return module.LabellerrClient("KEY", secret)


@pytest.fixture
def client(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    return connect(emulator.url, monkeypatch)


def wanted(**more: Any) -> dict[str, Any]:
    question = {
        "question_number": 1,
        "question": "car",
        "question_id": "q1",
        "option_type": "polygon",
        "required": False,
        "options": [{"option_name": "#FF8000"}],
    }
    return {
        "client_id": "CID",
        "dataset_name": "streets",
        "dataset_description": "",
        "data_type": "image",
        "created_by": "someone@example.org",
        "project_name": "p",
        "annotation_guide": [question],
        "autolabel": False,
        **more,
    }


def made(client: Any, **more: Any) -> str:
    done = client.initiate_create_project(wanted(**more))
    assert done["status"] == "success"
    return str(done["project_id"]["response"]["project_id"])


@pytest.fixture
def project(client: Any, tmp_path: Path) -> str:
    paths = [tmp_path / name for name in ("a.jpg", "b.JPG")]
    for path in paths:
        path.write_bytes(jpeg(tmp_path, path.name))
    return made(client, files_to_upload=[str(path) for path in paths])


def answers(folder: Path, names: list[str]) -> str:
    path = folder / "answers.json"
    objects = [(i, 0, RING) for i in range(len(names))]
    path.write_text(json.dumps(coco(names, ["car"], objects)))
    return str(path)


def test_a_project_of_files(client: Any, project: str, api: Api, emulator: Emulator) -> None:
    files = api.files(project)
    assert sorted(files) == ["a.jpg", "b.JPG"]
    assert {(f["width"], f["height"], f["status"]) for f in files.values()} == {(64, 48, "None")}
    record = api.ask("GET", f"/projects/project/{project}")
    assert (record["project_name"], record["created_by"]) == ("p", "someone@example.org")
    assert emulator.faults.calls["GET /datasets/{id}"] == 3  # twice in processing, then ready
    template = {"template_id": record["annotation_template_id"]}
    (question,) = api.ask("GET", "/annotations/get_template", params=template)["questions"]
    assert (question["question_id"], question["question"]) == ("q1", "car")
    listed = client.get_all_project_per_client_id("CID")["response"]
    assert [p["project_id"] for p in listed["projects"]] == [project]
    (dataset,) = client.get_all_dataset("CID", "image", project, "client")["response"]["datasets"]
    assert (dataset["dataset_id"], dataset["files_count"]) == (record["attached_datasets"][0], 2)
    client.client_id, client.project_id = "CID", project
    client.rotation_config = {**record["rotations"], "client_review_rotation_count": 0}
    assert client.update_rotation_count() == {"msg": "project rotation configuration updated"}
    changed = api.ask("GET", f"/projects/project/{project}")["rotations"]
    assert changed == client.rotation_config != record["rotations"]


def test_a_project_of_a_folder(client: Any, api: Api, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "b.JPG", "more/c.png", "notes.txt"):
        (folder / name).write_bytes(jpeg(tmp_path, name))
    # b.JPG is skipped by the SDK itself.
    assert sorted(api.files(made(client, folder_to_upload=str(folder)))) == ["a.jpg", "c.png"]


def test_pre_annotations(client: Any, project: str, api: Api, tmp_path: Path) -> None:
    path = answers(tmp_path, ["a.jpg", "B.jpg"])
    status = client.upload_preannotation_by_project_id(project, "CID", "coco_json", path)
    assert status["response"]["status"] == "completed"
    assert status["response"]["metadata"]["files_not_updated"] == ["B.jpg"]
    assert status["response"]["metadata"]["activity_id"] == client.job_id
    (answer,) = api.files(project)["a.jpg"]["answers"]
    assert answer["polygon"] == [[10, 10], [30, 10], [30, 30], [10, 30]]


def test_pre_annotations_by_a_direct_link(
    client: Any, project: str, api: Api, emulator: Emulator, tmp_path: Path
) -> None:
    path = answers(tmp_path, ["a.jpg", "b.JPG"])
    future = client.upload_preannotation_by_project_id_async(project, "CID", "coco_json", path)
    status = future.result(timeout=30)
    assert status["response"]["metadata"] == {
        "questions_ignored": [],
        "files_not_updated": [],
        "activity_id": client.job_id,
    }
    assert [len(f["answers"]) for f in api.files(project).values()] == [1, 1]
    calls = emulator.faults.calls
    assert calls["GET /connectors/direct-upload-url"] == 1
    assert calls["GET /actions/upload_answers_status"] == 3


def test_exports(client: Any, project: str, api: Api, tmp_path: Path) -> None:
    error = importlib.import_module("labellerr.exceptions").LabellerrError
    with pytest.raises(error, match="No files found"):
        client.create_local_export(project, "CID", dict(WISH))
    client.upload_preannotation_by_project_id(
        project, "CID", "coco_json", answers(tmp_path, ["a.jpg"])
    )
    ids = [file["file_id"] for file in api.files(project).values()]
    api.work(project, [{"file_id": i, "status": "accepted"} for i in ids])
    report = client.create_local_export(project, "CID", dict(WISH))["response"]["report_id"]
    seen = [
        json.loads(client.check_export_status(project, [report], "CID"))["status"][0]
        for _ in range(3)
    ]
    assert [item["is_completed"] for item in seen] == [False, False, True]
    assert [item["export_status"] for item in seen] == ["Processing", "Processing", "Created"]
    link = json.loads(client.fetch_download_url(project, "u1", report, "CID"))["url"]
    content = requests.get(link, timeout=9).json()
    assert sorted(image["file_name"] for image in content["images"]) == ["a.jpg", "b.JPG"]
    assert [a["segmentation"] for a in content["annotations"]] == [[RING]]
    assert [(c["name"], c["color"]) for c in content["categories"]] == [("car", [255, 128, 0])]


def test_wrong_credentials(
    emulator: Emulator, project: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    error = importlib.import_module("labellerr.exceptions").LabellerrError
    stranger = connect(emulator.url, monkeypatch, secret="wrong")
    with pytest.raises(error, match="401: Unauthorized: Invalid api_secret"):
        stranger.initiate_create_project(wanted(files_to_upload=[str(tmp_path / "a.jpg")]))
    with pytest.raises(error, match="Invalid api_secret"):
        stranger.create_local_export(project, "CID", dict(WISH))
    with pytest.raises(error, match="Invalid api_secret"):
        stranger.upload_preannotation_by_project_id(
            project, "CID", "coco_json", answers(tmp_path, ["a.jpg"])
        )
    with pytest.raises(error, match="Invalid client_id"):
        connect(emulator.url, monkeypatch).get_all_project_per_client_id("someone else")


def test_what_the_platform_refuses_is_named(client: Any, tmp_path: Path) -> None:
    """The client prints field and message of every error of ``/projects/create``."""
    error = importlib.import_module("labellerr.exceptions").LabellerrError
    with pytest.raises(error, match="Field 'attached_datasets': no data set 'nothing'"):
        template = client.create_annotation_guideline(
            "CID", wanted()["annotation_guide"], "t", "image"
        )
        rotations = {
            "annotation_rotation_count": 1,
            "review_rotation_count": 1,
            "client_review_rotation_count": 1,
        }
        client.create_project("p", "image", "CID", "nothing", template, rotations)
