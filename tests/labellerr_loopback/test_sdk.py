"""The official SDK cannot tell: its own calls, from a folder of images to the exported labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from labellerr_loopback import Emulator, Quirks, start_emulator
from tests.labellerr_loopback.conftest import HEADERS, KNOWN, QUICK, Api, coco, jpeg
from tests.labellerr_loopback.video import small_video

pytest.importorskip("labellerr.core", reason="the extra 'labellerr' (the SDK) is not installed")

RING = [10, 10, 30, 10, 30, 30, 10, 30]


def connect(url: str, monkeypatch: pytest.MonkeyPatch, secret: str = "SECRET") -> Any:
    from labellerr.client import LabellerrClient
    from labellerr.core import constants

    monkeypatch.setattr(constants, "BASE_URL", url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return LabellerrClient("KEY", secret, "CID")


@pytest.fixture
def client(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Any:
    return connect(emulator.url, monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a.jpg", "b.JPG", "c.jpeg", "notes.txt"):
        (images / name).write_bytes(jpeg(tmp_path, name))
    return images


@pytest.fixture
def project(client: Any, folder: Path) -> Iterator[Any]:
    from labellerr.core import schemas
    from labellerr.core.annotation_templates import create_template
    from labellerr.core.datasets import create_dataset_from_local
    from labellerr.core.projects import create_project
    from labellerr.core.schemas.annotation_templates import (
        AnnotationQuestion,
        CreateTemplateParams,
        QuestionType,
    )

    config = schemas.DatasetConfig(dataset_name="streets", data_type="image")
    dataset = create_dataset_from_local(client, config, folder_to_upload=str(folder))
    assert dataset.status()["status_code"] == 300
    question = AnnotationQuestion(
        question_number=1,
        question="car",
        question_type=QuestionType.polygon,
        required=False,
        color="#FF8000",
    )
    template = create_template(
        client, CreateTemplateParams(template_name="t", data_type="image", questions=[question])
    )
    rotations = schemas.RotationConfig(
        annotation_rotation_count=1, review_rotation_count=1, client_review_rotation_count=1
    )
    params = schemas.CreateProjectParams(project_name="p", data_type="image", rotations=rotations)
    yield create_project(client, params, [dataset], template)


def test_the_whole_way(client: Any, project: Any, api: Api, tmp_path: Path) -> None:
    from labellerr.core.datasets import LabellerrDataset, list_datasets
    from labellerr.core.projects import list_projects

    assert project.status()["status_code"] == 300
    assert [p.project_id for p in list_projects(client)] == [project.project_id]
    (listed,) = list_datasets(client, "image", "client", page_size=-1)
    # b.JPG is skipped by the SDK itself.
    assert listed["files_count"] == 2
    files = LabellerrDataset(client, listed["dataset_id"]).fetch_files(page_size=1)
    assert sorted(f.metadata["image_width"] for f in files) == [64, 64]
    upload = tmp_path / "answers.json"
    upload.write_text(json.dumps(coco(["a.jpg", "C.jpeg"], ["car"], [(0, 0, RING), (1, 0, RING)])))
    status = project.upload_preannotations("coco_json", str(upload), conf_bucket="high")
    assert status["response"]["status"] == "completed"
    assert status["response"]["metadata"]["files_not_updated"] == ["C.jpeg"]
    ids = [f["file_id"] for f in project.list_files({}, size=10)["response"]["files"]]
    project.bulk_assign_files(ids, "accepted")
    wish = {
        "export_name": "labels",
        "export_description": "all",
        "export_format": "coco_json",
        "statuses": ["accepted"],
    }
    export = project.create_local_export(wish)
    (item,) = export.status(interval=0.1, timeout=10)["status"]
    assert item["export_status"] == "Created"
    query = {"project_id": project.project_id, "report_id": export.report_id}
    link = api.ask("GET", "/exports/download", params=query)["url"]
    content = requests.get(link, timeout=9).json()
    assert content["info"]["description"] == "labels"
    assert [a["segmentation"] for a in content["annotations"]] == [[RING]]
    assert [(c["name"], c["color"]) for c in content["categories"]] == [("car", [255, 128, 0])]
    (dataset,) = project.attached_datasets
    project.detach_dataset_from_project(dataset)
    assert project.status()["attached_datasets"] == []
    project.attach_dataset_to_project(dataset)
    assert project.status()["attached_datasets"] == [dataset]


def test_wrong_credentials(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    from labellerr.core.exceptions import LabellerrError
    from labellerr.core.projects import list_projects

    with pytest.raises(LabellerrError, match="401"):
        list_projects(connect(emulator.url, monkeypatch, secret="wrong"))


def test_a_retry_creates_once(client: Any, api: Api, emulator: Emulator) -> None:
    """The SDK sends a POST again after 502, with the same uuid."""
    emulator.fault("status", path="/create_template", status=502, done=True)
    question = {"question_number": 1, "question": "car", "option_type": "polygon"}
    body = {"templateName": "t", "questions": [{**question, "color": "#000000"}]}
    url = f"{api.url}/annotations/create_template?client_id=CID&data_type=image&uuid=u1"
    assert client.make_request("POST", url, json=body)["response"]["template_id"]
    assert emulator.faults.calls["POST /annotations/create_template"] == 2
    assert len(api.ask("GET", "/annotations/list_questions_templates")) == 1


def test_export_that_fails_or_finds_nothing(project: Any, emulator: Emulator) -> None:
    from labellerr.core.exceptions import LabellerrError

    wish = {
        "export_name": "labels",
        "export_description": "all",
        "export_format": "coco_json",
        "statuses": ["accepted"],
    }
    with pytest.raises(LabellerrError, match="No files found"):
        project.create_local_export(dict(wish))
    ids = [f["file_id"] for f in project.list_files({}, size=10)["response"]["files"]]
    project.bulk_assign_files(ids, "accepted")
    emulator.fault("export_fails")
    (item,) = project.create_local_export(wish).status(interval=0.1, timeout=10)["status"]
    assert item["export_status"] == "Failed"


def test_shapes_that_the_main_line_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labellerr.core.projects import list_projects

    quirks = Quirks(list_projects="list")
    with start_emulator(tmp_path, credentials=KNOWN, delays=QUICK, quirks=quirks) as running:
        client = connect(running.url, monkeypatch)
        with pytest.raises(TypeError):
            list_projects(client)


def test_video_project(client: Any, api: Api) -> None:
    from labellerr.core.files import LabellerrFile
    from labellerr.core.projects import LabellerrProject
    from labellerr.core.schemas import KeyFrame

    data = small_video(frames=4, size=(64, 48), fps=10)
    dataset = api.dataset(api.upload({"street.mp4": data}), "video")
    made = api.project([dataset], api.template(["car"], "video"), "video")
    file = api.ask("GET", "/search/files/all", params={"dataset_id": dataset})["files"][0]
    project = LabellerrProject(client, made)
    frame = KeyFrame(frame_number=2, is_manual=True, method="manual", source="manual")
    assert project.add_or_update_keyframes(file["file_id"], [frame])["response"] == {"keyframes": 1}
    project.delete_keyframes(file["file_id"], [2])
    video = LabellerrFile(client, file["file_id"], project_id=made)
    frames = video.get_frames(0, 2)
    assert sorted(frames) == ["0", "1"]
    assert requests.get(frames["1"], headers=HEADERS, timeout=9).content[:2] == b"\xff\xd8"
