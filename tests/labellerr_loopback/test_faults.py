"""Each fault that can be asked for, as a client sees it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests

from labellerr_loopback import Credentials, Emulator, Fault, start_emulator
from labellerr_loopback.faults import Faults
from tests.labellerr_loopback.conftest import KNOWN, QUICK, Api, coco, jpeg

RING = [10, 10, 30, 10, 30, 30, 10, 30]
EXPORT = {"export_name": "e", "export_format": "coco_json", "statuses": ["None"]}


@pytest.mark.parametrize(
    ("fault", "hit"),
    [
        (Fault("status"), [True, False, False, False, False]),
        (Fault("status", nth=2), [False, True, False, False, False]),
        (Fault("status", nth=2, times=2), [False, True, True, False, False]),
        (Fault("status", nth=3, times=-1), [False, False, True, True, True]),
        (Fault("delay", path="/other"), [False] * 5),
        (Fault("cut", path="^/data", method="get"), [True, False, False, False, False]),
        (Fault("cut", method="POST"), [False] * 5),
    ],
)
def test_when_a_fault_happens(fault: Fault, hit: list[bool]) -> None:
    faults = Faults()
    faults.add(fault)
    assert [faults.of_call("GET", "/datasets/list") is fault for _ in hit] == hit


def test_things_go_wrong_for_ever_unless_told() -> None:
    faults = Faults()
    faults.add(Fault("job_never_ends"))
    faults.add(Fault("link_expired", times=1))
    assert [faults.of("job_never_ends") is not None for _ in range(3)] == [True] * 3
    assert [faults.of("link_expired") is not None for _ in range(3)] == [True, False, False]
    faults.clear()
    assert faults.of("job_never_ends") is None


@pytest.mark.parametrize(("status", "wait"), [(429, 3), (429, None), (500, None), (503, 1.5)])
def test_status(api: Api, emulator: Emulator, status: int, wait: float | None) -> None:
    emulator.fault("status", path="/datasets/list", status=status, retry_after=wait, nth=2)
    answers = [api.call("GET", "/datasets/list") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, status, 200]
    assert answers[1].headers.get("Retry-After") == (None if wait is None else f"{wait:g}")
    assert "a fault" in answers[1].json()["message"]


def test_expired_credentials(api: Api, emulator: Emulator) -> None:
    emulator.fault("status", status=401, times=-1, message="credentials have expired")
    answer = api.call("GET", "/datasets/list")
    assert (answer.status_code, "expired" in answer.json()["message"]) == (401, True)


def test_answer_lost_after_the_work(api: Api, emulator: Emulator, connection: str) -> None:
    emulator.fault("status", path="/datasets/create", done=True, status=502)
    body = {"dataset_name": "x", "data_type": "image", "path": "local"}
    body["connection_id"] = connection
    options: dict[str, Any] = {"json": body, "params": {"uuid": "u"}}
    assert api.call("POST", "/datasets/create", **options).status_code == 502
    made = api.ask("POST", "/datasets/create", **options)["dataset_id"]
    listed = api.ask("GET", "/datasets/list")["datasets"]
    assert [record["dataset_id"] for record in listed] == [made]


def test_connection_cut_before_the_answer(api: Api, emulator: Emulator) -> None:
    emulator.fault("cut", path="/datasets/list")
    with pytest.raises(requests.ConnectionError):
        api.call("GET", "/datasets/list")
    emulator.fault("cut", path="/create_template", done=True)
    with pytest.raises(requests.ConnectionError):
        api.template(["car"])
    assert len(api.ask("GET", "/annotations/list_questions_templates")) == 1


def test_connection_cut_in_the_middle_of_an_upload(
    api: Api, emulator: Emulator, tmp_path: Path
) -> None:
    data = jpeg(tmp_path, "a") + bytes(300_000)
    links = api.ask("POST", "/connectors/connect/local", json={"file_names": ["a.jpg"]})
    location = api.start(links["resumable_upload_links"]["a.jpg"])
    emulator.fault("cut", path="^/storage/session", method="PUT", after_bytes=100_000)
    with pytest.raises(requests.ConnectionError):
        api.put(location, data)
    headers = {"Content-Range": f"bytes */{len(data)}"}
    state = requests.put(location, headers=headers, timeout=9)
    assert (state.status_code, state.headers["Range"]) == (308, "bytes=0-99999")
    assert api.put(location, data[100_000:], whole=len(data), at=100_000).status_code == 200
    uploads = api.ask("GET", "/_emulator/uploads")
    assert [(u["size"], u["puts"], u["finished"]) for u in uploads] == [(len(data), 1, True)]


def test_delay(api: Api, emulator: Emulator) -> None:
    emulator.fault("delay", path="/datasets/list", seconds=0.6)
    with pytest.raises(requests.ReadTimeout):
        api.call("GET", "/datasets/list", timeout=0.2)
    start = time.monotonic()
    emulator.fault("delay", path="/datasets/list", seconds=0.3)
    assert api.call("GET", "/datasets/list").status_code == 200
    assert time.monotonic() - start >= 0.3


def test_data_set_stuck_and_broken(api: Api, emulator: Emulator, connection: str) -> None:
    emulator.fault("dataset_stuck")
    dataset = api.dataset(connection)
    assert api.ask("GET", f"/datasets/{dataset}")["status_code"] == 100
    emulator.faults.clear()
    assert api.ask("GET", f"/datasets/{dataset}")["status_code"] == 300
    for status in (500, 501):
        emulator.fault("dataset_status", status=status)
        broken = api.ask("GET", f"/datasets/{api.dataset(connection)}")
        assert broken["status_code"] == status
        assert "files_count" not in broken
        emulator.faults.clear()


def test_jobs(api: Api, emulator: Emulator, project: str) -> None:
    content = coco(["a.jpg", "c.jpg"], ["car", "bus "], [(0, 0, RING), (1, 1, RING)])
    emulator.fault("job_never_ends")
    assert api.preannotate(project, content)["status"] == "in_progress"
    assert not any(file["answers"] for file in api.files(project).values())
    emulator.faults.clear()
    emulator.fault("job_fails", message="no disk")
    assert api.preannotate(project, content)["status"] == "failed"
    emulator.faults.clear()
    emulator.fault("files_not_updated", names=("c.jpg",))
    status = api.preannotate(project, content)
    assert status["status"] == "completed"
    assert status["metadata"]["files_not_updated"] == ["c.jpg"]
    assert [len(file["answers"]) for _, file in sorted(api.files(project).items())] == [1, 0, 0]
    emulator.faults.clear()
    emulator.fault("files_not_updated")
    assert api.preannotate(project, content)["metadata"]["files_not_updated"] == ["a.jpg", "c.jpg"]
    emulator.faults.clear()
    emulator.fault("questions_ignored", names=("car",))
    metadata = api.preannotate(project, content)["metadata"]
    assert metadata["questions_ignored"] == ["car"]
    assert metadata["files_not_updated"] == ["a.jpg"]


def test_exports(api: Api, emulator: Emulator, project: str) -> None:
    params = {"project_id": project}
    for kind, expected in (("export_never_ends", "Processing"), ("export_fails", "Failed")):
        emulator.fault(kind)
        report = api.ask("POST", "/sdk/export/files", params=params, json=EXPORT)["report_id"]
        for _ in range(3):
            body = {"report_ids": [report]}
            (status,) = api.ask("POST", "/exports/status", params=params, json=body)
        assert (status["is_completed"], status["export_status"]) == (False, expected)
        query = {**params, "report_id": report}
        assert api.call("GET", "/exports/download", params=query).status_code == 400
        emulator.faults.clear()


def test_expired_link(api: Api, emulator: Emulator) -> None:
    links = api.ask("POST", "/connectors/connect/local", json={"file_names": ["a.jpg"]})
    emulator.fault("link_expired", path="^/storage/upload", times=1)
    link, start = links["resumable_upload_links"]["a.jpg"], {"x-goog-resumable": "start"}
    answer = requests.post(link, headers=start, timeout=9)
    assert (answer.status_code, "ExpiredToken" in answer.text) == (400, True)
    assert api.start(link)


def test_faults_over_http(api: Api) -> None:
    fault = {"kind": "status", "path": "/datasets/list", "status": 503, "times": 2}
    api.ask("POST", "/_emulator/faults", json=fault)
    assert api.call("GET", "/datasets/list").status_code == 503
    (listed,) = api.ask("GET", "/_emulator/faults")
    assert (listed["kind"], listed["status"], listed["seen"]) == ("status", 503, 1)
    api.ask("DELETE", "/_emulator/faults")
    assert api.call("GET", "/datasets/list").status_code == 200
    assert api.ask("GET", "/_emulator/calls") == {"GET /datasets/list": 2}


def test_many_starts_and_stops(tmp_path: Path) -> None:
    for _ in range(3):
        with start_emulator(tmp_path, credentials=KNOWN, delays=QUICK) as running:
            assert Api(running.url).call("GET", "/datasets/list").status_code == 200
        with pytest.raises(requests.ConnectionError):
            Api(running.url).call("GET", "/datasets/list")
    assert "SECRET" not in repr(Credentials("KEY", "SECRET", "CID"))
