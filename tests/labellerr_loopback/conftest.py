"""A running emulator, and a small client that speaks the API as its documentation has it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from labellerr_loopback import Credentials, Delays, Emulator, start_emulator
from labellerr_loopback.control_token import token_header
from labellerr_loopback.guard import CONTROL

KNOWN = Credentials("KEY", "SECRET", "CID")
HEADERS = {"api_key": "KEY", "api_secret": "SECRET", "client_id": "CID", "source": "sdk"}
QUICK = Delays(0, 0, 0)


@dataclass(frozen=True)
class Api:
    """Calls with good credentials; ``ask`` expects success and returns ``response``."""

    url: str

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        params = {"client_id": "CID", **options.pop("params", {})}
        control = token_header(self.url) if path.startswith(CONTROL) else {}
        headers = {**HEADERS, **control, **options.pop("headers", {})}
        options = {"timeout": 30, "headers": headers, "params": params, **options}
        return requests.request(method, self.url + path, **options)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self.call(method, path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()["response"]

    def upload(self, files: dict[str, bytes], connection: str | None = None) -> str:
        body = {"file_names": list(files)}
        if connection:
            body["temporary_connection_id"] = connection
        answer = self.ask("POST", "/connectors/connect/local", json=body)
        for name, link in answer["resumable_upload_links"].items():
            location = self.start(link)
            assert self.put(location, files[name]).status_code == 200
        return str(answer["temporary_connection_id"])

    def start(self, link: str) -> str:
        answer = requests.post(link, headers={"x-goog-resumable": "start"}, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.headers["Location"]

    def put(self, location: str, data: bytes, whole: int | None = None, at: int = 0) -> Any:
        size = len(data) if whole is None else whole
        text = f"bytes {at}-{at + len(data) - 1}/{size}"
        return requests.put(location, data=data, headers={"Content-Range": text}, timeout=30)

    def dataset(self, connection: str, data_type: str = "image", **more: Any) -> str:
        body = {
            "dataset_name": "streets",
            "dataset_description": "",
            "data_type": data_type,
            "connection_id": connection,
            "path": "local",
            "client_id": "CID",
            "es_multimodal_index": False,
        }
        answer = self.ask("POST", "/datasets/create", json=body, params=more)
        dataset = str(answer["dataset_id"])
        for _ in range(9):
            if self.ask("GET", f"/datasets/{dataset}")["status_code"] != 100:
                break
        return dataset

    def template(self, classes: list[str], data_type: str = "image", **more: Any) -> str:
        questions = [
            {
                "question_number": i + 1,
                "question": name,
                "option_type": "polygon",
                "required": False,
                "options": [{"option_name": f"#0000{i:02X}"}],
            }
            for i, name in enumerate(classes)
        ]
        body = {"templateName": "classes", "questions": questions}
        params = {"data_type": data_type, **more}
        path = "/annotations/create_template"
        return str(self.ask("POST", path, json=body, params=params)["template_id"])

    def project(self, datasets: list[str], template: str, data_type: str = "image") -> str:
        body = {
            "project_name": "streets",
            "attached_datasets": datasets,
            "data_type": data_type,
            "annotation_template_id": template,
            "rotations": {
                "annotation_rotation_count": 1,
                "review_rotation_count": 1,
                "client_review_rotation_count": 1,
            },
            "use_ai": False,
            "created_by": None,
        }
        return str(self.ask("POST", "/projects/create", json=body)["project_id"])

    def preannotate(self, project: str, content: Any, **more: str) -> dict[str, Any]:
        """The job's status once it ended."""
        params = {"project_id": project, "answer_format": "coco_json", **more}
        params.setdefault("uuid", str(uuid.uuid4()))
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        part = {"file": ("answers.json", text, "application/octet-stream")}
        job = self.ask("POST", "/actions/upload_answers", params=params, files=part)["job_id"]
        for _ in range(9):
            status = self.job(project, job)
            if status["status"] != "in_progress":
                break
        return status

    def job(self, project: str, job: str) -> dict[str, Any]:
        params = {"project_id": project, "job_id": job}
        status: dict[str, Any] = self.ask("GET", "/actions/upload_answers_status", params=params)
        return status

    def files(self, project: str) -> dict[str, dict[str, Any]]:
        """What people see, by file name."""
        answer = self.ask("GET", f"/_emulator/projects/{project}/files", params={"size": 1000})
        return {file["file_name"]: file for file in answer["files"]}

    def work(self, project: str, files: list[dict[str, Any]]) -> requests.Response:
        return self.call("POST", f"/_emulator/projects/{project}/files", json={"files": files})

    def export(self, project: str, statuses: list[str], **more: Any) -> Any:
        """The downloaded file."""
        body = {
            "export_name": "wish",
            "export_description": "",
            "export_format": "coco_json",
            "statuses": statuses,
            "export_destination": "local",
            "question_ids": ["all"],
            **more,
        }
        params = {"project_id": project}
        report = self.ask("POST", "/sdk/export/files", params=params, json=body)["report_id"]
        for _ in range(9):
            wish = {"report_ids": [report]}
            if self.ask("POST", "/exports/status", params=params, json=wish)[0]["is_completed"]:
                break
        params["report_id"] = report
        link = self.ask("GET", "/exports/download", params=params)["url"]
        answer = requests.get(link, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()


def jpeg(folder: Path, name: str, size: tuple[int, int] = (64, 48)) -> bytes:
    path = folder / f"made-{uuid.uuid4()}.jpg"
    Image.new("RGB", size, (len(name) * 7 % 256, 90, 90)).save(path)
    return path.read_bytes()


def coco(images: list[str], classes: list[str], objects: list[tuple[int, int, Any]]) -> Any:
    """``objects``: index of the image, index of the class, ring."""
    return {
        "images": [
            {"id": i, "file_name": name, "width": 64, "height": 48} for i, name in enumerate(images)
        ],
        "annotations": [
            {"id": k, "image_id": i, "category_id": c, "segmentation": [ring], "iscrowd": 0}
            for k, (i, c, ring) in enumerate(objects)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(classes)],
    }


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with start_emulator(tmp_path / "state", credentials=KNOWN, delays=QUICK) as running:
        yield running


@pytest.fixture
def api(emulator: Emulator) -> Api:
    return Api(emulator.url)


@pytest.fixture
def connection(api: Api, tmp_path: Path) -> str:
    return api.upload({name: jpeg(tmp_path, name) for name in ("a.jpg", "b.JPG", "c.jpg")})


@pytest.fixture
def dataset(api: Api, connection: str) -> str:
    return api.dataset(connection)


@pytest.fixture
def project(api: Api, dataset: str) -> str:
    return api.project([dataset], api.template(["car", "bus "]))


@contextlib.contextmanager
def serving(
    folder: Path, port: int = 0, cwd: Path | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The emulator as a process: its address, and the process, which is killed at the end."""
    command = [sys.executable, "-m", "labellerr_loopback", "--port", str(port)]
    command += ["--data", str(folder), "--polls", "0"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LABELLERR_")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, text=True, env=environment, cwd=cwd) as process:
        assert process.stdout is not None
        try:
            match = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
            assert match is not None
            yield match[0], process
        finally:
            process.kill()
