"""What gets a 4xx with a message, and changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from labellerr_loopback import Delays, Emulator, Limits, start_emulator
from labellerr_loopback.__main__ import main
from labellerr_loopback.server import HOST
from segtrack.base.errors import SettingsError
from tests.labellerr_loopback.conftest import HEADERS, KNOWN, QUICK, Api, coco, jpeg

NOWHERE = "00000000-0000-0000-0000-000000000000"
EXPORT = {"export_name": "e", "export_format": "coco_json", "statuses": ["accepted"]}
ROTATIONS = {
    "annotation_rotation_count": 1,
    "review_rotation_count": 1,
    "client_review_rotation_count": 1,
}


def contents(folder: Path) -> list[Any]:
    """Every row of every table, and the names of all objects."""
    with sqlite3.connect(folder / "state.db") as db:
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        rows = [row for table in sorted(tables) for row in db.execute(f"SELECT * FROM {table}")]
    return [rows, sorted(p.name for p in (folder / "objects").rglob("*") if p.is_file())]


@pytest.fixture
def unchanged(emulator: Emulator, project: str) -> Iterator[str]:
    before = contents(emulator.folder)
    yield project
    assert contents(emulator.folder) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"api_key": "no"},
        {"api_secret": "no"},
        {"client_id": "no"},
        {"api_key": ""},
        {"api_key": "\xe9"},
    ],
)
def test_wrong_credentials(api: Api, headers: dict[str, str]) -> None:
    answer = api.call("GET", "/datasets/list", headers=headers)
    assert answer.status_code == 401
    assert next(iter(headers)) in answer.json()["message"]


def test_client_id_in_the_query(api: Api) -> None:
    only_query = {k: v for k, v in HEADERS.items() if k != "client_id"}
    url = f"{api.url}/datasets/list"
    assert requests.get(url, headers=only_query, timeout=9).status_code == 401
    good = requests.get(url, headers=only_query, params={"client_id": "CID"}, timeout=9)
    assert good.status_code == 200
    bad = requests.get(url, headers=HEADERS, params={"client_id": "other"}, timeout=9)
    assert bad.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "params", "body"),
    [
        ("GET", f"/datasets/{NOWHERE}", {}, None),
        ("DELETE", f"/datasets/{NOWHERE}/delete", {}, None),
        ("GET", "/search/files/all", {"dataset_id": NOWHERE}, None),
        ("GET", "/data/file_data", {"file_id": NOWHERE}, None),
        ("GET", "/data/video_frames", {"file_id": NOWHERE}, None),
        ("GET", "/annotations/get_template", {"template_id": NOWHERE}, None),
        ("GET", "/projects/project/nobody_knows_it_1", {}, None),
        ("POST", "/projects/delete/nobody_knows_it_1", {}, None),
        ("POST", "/projects/rotations/add", {"project_id": NOWHERE}, ROTATIONS),
        ("GET", "/actions/upload_answers_status", {"project_id": "P", "job_id": NOWHERE}, None),
        ("POST", "/sdk/export/files", {"project_id": NOWHERE}, EXPORT),
        ("POST", "/exports/status", {"project_id": "P"}, {"report_ids": [NOWHERE]}),
        ("GET", "/exports/download", {"project_id": "P", "report_id": NOWHERE}, None),
        ("POST", "/cdn-web/files_links", {"project_id": "P"}, {"file_ids": [NOWHERE]}),
        ("POST", "/search/project_files", {"project_id": NOWHERE}, {}),
        ("GET", f"/_emulator/projects/{NOWHERE}/files", {}, None),
        ("GET", "/connectors/direct-upload-url", {"purpose": "pre-annotations",
                                                  "file_name": "x/y.json"}, None),
        ("GET", "/no/such/call", {}, None),
    ],
)  # fmt: skip
def test_unknown_ids(
    api: Api, unchanged: str, method: str, path: str, params: dict[str, str], body: Any
) -> None:
    params = {k: unchanged if v == "P" else v for k, v in params.items()}
    answer = api.call(method, path, params=params, json=body)
    assert answer.status_code == 404, answer.text
    assert answer.json()["message"].startswith("404")


@pytest.mark.parametrize(
    ("path", "params", "body"),
    [
        ("/connectors/connect/local", {}, {"file_names": []}),
        ("/connectors/connect/local", {}, {"file_names": ["a.jpg"],
                                           "temporary_connection_id": "../up"}),
        ("/datasets/create", {}, {"dataset_name": "", "data_type": "image"}),
        ("/datasets/create", {}, {"dataset_name": "x", "data_type": "smell",
                                  "connection_id": "x", "path": "local"}),
        ("/annotations/create_template", {"data_type": "image"}, {"templateName": "t",
                                                                  "questions": []}),
        ("/annotations/create_template", {"data_type": "image"},
         {"templateName": "t", "questions": [{"question_number": 1, "question": "car",
                                              "option_type": "circle"}]}),
        ("/annotations/create_template", {"data_type": "image"},
         {"templateName": "t", "questions": [{"question_number": 1, "question": "car",
                                              "option_type": "polygon"}]}),
        ("/projects/create", {}, {"project_name": "p", "attached_datasets": [NOWHERE],
                                  "data_type": "image", "annotation_template_id": NOWHERE,
                                  "rotations": ROTATIONS}),
        ("/actions/jobs/add_datasets_to_project", {"project_id": "P"},
         {"attached_datasets": [NOWHERE]}),
        ("/sdk/export/files", {"project_id": "P"}, {**EXPORT, "export_format": "csv"}),
        ("/sdk/export/files", {"project_id": "P"}, {**EXPORT, "statuses": ["finished"]}),
        ("/search/project_files", {"project_id": "P"}, {"search_queries": {"colour": "red"}}),
        ("/actions/upload_answers", {"project_id": "P", "answer_format": "png"}, None),
        ("/actions/upload_answers", {"project_id": "P", "answer_format": "coco_json"}, None),
        ("/actions/upload_answers", {"project_id": "P", "answer_format": "video_json"}, None),
        ("/_emulator/faults", {}, {"kind": "earthquake"}),
        ("/_emulator/faults", {}, {"kind": "status", "path": "("}),
    ],
)  # fmt: skip
def test_bad_bodies(api: Api, unchanged: str, path: str, params: dict[str, str], body: Any) -> None:
    params = {k: unchanged if v == "P" else v for k, v in params.items()}
    answer = api.call("POST", path, params=params, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_malformed_json(api: Api, unchanged: str, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    params = {"project_id": unchanged, "data_type": "image"}
    described = api.call("GET", "/openapi.json").json()["paths"]
    paths = [path for path, calls in described.items() if takes_json(calls)]
    assert len(paths) == 18
    for path in paths:
        path = path.replace("{project_id}", unchanged)
        answer = api.call("POST", path, data=body, headers=headers, params=params)
        assert answer.status_code == 400, (path, answer.text)


def takes_json(calls: dict[str, Any]) -> bool:
    content = calls.get("post", {}).get("requestBody", {}).get("content", {})
    return "application/json" in content


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/actions/files/bulk_assign", r'{"file_ids": ["\ud800"], "new_status": "review"}'),
        ("/search/project_files", r'{"search_queries": {"file_name": ["\ud800"]}}'),
        ("/search/project_files", '{"search_queries": {"status": [' + '"a", ' * 1000 + '"a"]}}'),
        ("/actions/add_update_keyframes",
         '{"project_id": "P", "file_id": "F",'
         ' "keyframes": [{"frame_number": 9223372036854775808}]}'),
        ("/annotations/create_template?data_type=image",
         '{"templateName": "t", "questions": [{"question_number": 1, "question": "car",'
         ' "option_type": "polygon", "options": [{"option_name": "#000000", "x": NaN}]}]}'),
        ("/sdk/export/files",
         r'{"export_name": "\ud800", "export_format": "json", "statuses": ["None"]}'),
        ("/sdk/export/files", '{"export_name": "e", "export_format": "json", "statuses": ["None"],'
         ' "updated_after_timestamp": 9223372036854775808}'),
        ("/_emulator/faults", '{"kind": "delay", "seconds": 1e400}'),
        ("/_emulator/projects/P/files",
         '{"files": [{"file_id": "F", "answers": [{"question": "car",'
         ' "polygon": [[1e300, 1], [2, 2], [3, 1]]}]}]}'),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_or_given_back(
    api: Api, unchanged: str, path: str, body: str
) -> None:
    file_id = api.files(unchanged)["a.jpg"]["file_id"]
    body = body.replace('"P"', f'"{unchanged}"').replace('"F"', f'"{file_id}"')
    headers = {"content-type": "application/json"}
    params = {"project_id": unchanged}
    path = path.replace("/P/", f"/{unchanged}/")
    answer = api.call("POST", path, data=body, headers=headers, params=params)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize(
    "content",
    [b"", b"not json", b"[]", b"{}", b'{"images": [1]}', b'{"images": {}}',
     b'{"images": [{"id": [], "file_name": "a.jpg"}]}', b'{"images": [{"file_name": "a.jpg"}]}',
     b'{"images": [{"id": 0, "file_name": "a.jpg"}], "annotations": [{}]}',
     b'{"images": [{"id": 0, "file_name": "\\ud800"}]}',
     b'{"images": [{"id": 0, "file_name": "a.jpg"}'],
)  # fmt: skip
def test_malformed_coco(api: Api, unchanged: str, content: bytes) -> None:
    params = {"project_id": unchanged, "answer_format": "coco_json"}
    answer = api.call("POST", "/actions/upload_answers", params=params, files={"file": content})
    assert answer.status_code == 400, answer.text
    assert "coco_json" in answer.json()["message"] or "file" in answer.json()["message"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..", ".", "", "/etc/passwd", "a/b.jpg", "a\\b.jpg", "a\x00.jpg",
     "x" * 300 + ".jpg"],
)  # fmt: skip
def test_path_traversal(api: Api, emulator: Emulator, unchanged: str, name: str) -> None:
    body = {"file_names": ["good.jpg", name]}
    assert api.call("POST", "/connectors/connect/local", json=body).status_code == 400
    params = {"purpose": "pre-annotations", "file_name": f"{unchanged}/{name}"}
    assert api.call("GET", "/connectors/direct-upload-url", params=params).status_code == 400
    everything = {p.name for p in emulator.folder.parent.iterdir()}
    assert not {"passwd", "b.jpg"} & everything


@pytest.mark.parametrize("path", ["/storage/files/..%2f..%2fstate.db", "/..%2fstate.db"])
def test_no_way_to_other_files(api: Api, path: str) -> None:
    assert api.call("GET", path).status_code in (403, 404)


def test_oversized_bodies(tmp_path: Path) -> None:
    limits = Limits(body_bytes=1000, annotation_bytes=2000, upload_bytes=5000, work_bytes=1000)
    with start_emulator(tmp_path, credentials=KNOWN, delays=QUICK, limits=limits) as running:
        api = Api(running.url)
        connection = api.upload({"a.jpg": jpeg(tmp_path, "a")})
        project = api.project([api.dataset(connection)], api.template(["car"]))
        before = contents(tmp_path)
        names = {"file_names": ["x" * 50 + str(i) for i in range(100)]}
        assert api.call("POST", "/connectors/connect/local", json=names).status_code == 413
        # A body that does not tell its length is counted.
        chunks = iter([b'{"file_names": ["', b"x" * 900, b"y" * 900, b'"]}'])
        headers = {"content-type": "application/json"}
        answer = api.call("POST", "/connectors/connect/local", data=chunks, headers=headers)
        assert answer.status_code in (400, 413)
        params = {"project_id": project, "answer_format": "coco_json"}
        large = {"file": b'{"images": [' + b" " * 3000 + b"]}"}
        answer = api.call("POST", "/actions/upload_answers", params=params, files=large)
        assert answer.status_code == 413
        work = [{"file_name": "a.jpg", "status": "accepted"} for _ in range(100)]
        assert api.work(project, work).status_code == 413
        assert contents(tmp_path) == before
        links = api.ask("POST", "/connectors/connect/local", json={"file_names": ["b.jpg"]})
        location = api.start(links["resumable_upload_links"]["b.jpg"])
        query = {"purpose": "pre-annotations", "file_name": f"{project}/answers.json"}
        direct = api.ask("GET", "/connectors/direct-upload-url", params=query)
        assert requests.put(direct, data=b"[]", timeout=9).status_code == 200
        before = contents(tmp_path)
        for size in (9000, 3000):  # the first is refused by its length, the other as it comes
            for data in (b"x" * size, iter([b"x" * 1000] * (size // 1000))):
                assert requests.put(direct, data=data, timeout=9).status_code == 413
        span = {"Content-Range": "bytes 0-8999/9000"}
        for data in (b"x" * 9000, iter([b"x" * 1000] * 9)):
            assert requests.put(location, data=data, headers=span, timeout=9).status_code == 413
        span = {"Content-Range": "bytes 0-99/200"}
        for data in (b"x" * 50, b"x" * 150):  # not what the range says
            assert requests.put(location, data=data, headers=span, timeout=9).status_code == 400
        assert contents(tmp_path) == before


def test_sizes_of_data_sets(tmp_path: Path) -> None:
    for limits in (Limits(dataset_files=2), Limits(dataset_bytes=1000)):
        folder = tmp_path / str(limits.dataset_files)
        with start_emulator(folder, credentials=KNOWN, limits=limits) as running:
            api = Api(running.url)
            connection = api.upload({n: jpeg(tmp_path, n) for n in ("a.jpg", "b.jpg", "c.jpg")})
            body = {"dataset_name": "x", "data_type": "image", "path": "local"}
            body["connection_id"] = connection
            answer = api.call("POST", "/datasets/create", json=body)
            assert answer.status_code == 400
            assert "a data set takes" in answer.json()["message"]


def test_data_set_of_nothing_or_of_other_files(api: Api) -> None:
    body = {"dataset_name": "x", "data_type": "image", "path": "local", "connection_id": "none"}
    assert api.call("POST", "/datasets/create", json=body).status_code == 404
    body["connection_id"] = api.upload({"notes.txt": b"text"})
    answer = api.call("POST", "/datasets/create", json=body)
    assert (answer.status_code, "notes.txt" in answer.text) == (400, True)
    links = api.ask("POST", "/connectors/connect/local", json={"file_names": ["a.jpg"]})
    body["connection_id"] = links["temporary_connection_id"]
    assert "no uploaded files" in api.call("POST", "/datasets/create", json=body).text


def test_project_of_a_data_set_in_processing(tmp_path: Path) -> None:
    delays = Delays(dataset_polls=100)
    with start_emulator(tmp_path, credentials=KNOWN, delays=delays) as running:
        api = Api(running.url)
        dataset = api.dataset(api.upload({"a.jpg": jpeg(tmp_path, "a")}))
        body = {
            "project_name": "p",
            "attached_datasets": [dataset],
            "data_type": "image",
            "annotation_template_id": api.template(["car"]),
            "rotations": ROTATIONS,
        }
        answer = api.call("POST", "/projects/create", json=body)
        assert answer.status_code == 400
        # The older client prints these.
        assert answer.json()["error"][0]["field"] == "attached_datasets"


def test_empty_file(api: Api) -> None:
    links = api.ask("POST", "/connectors/connect/local", json={"file_names": ["a.jpg"]})
    location = api.start(links["resumable_upload_links"]["a.jpg"])
    headers = {"Content-Range": "bytes 0--1/0"}
    assert requests.put(location, data=b"", headers=headers, timeout=9).status_code == 400


def test_signed_links(api: Api) -> None:
    links = api.ask("POST", "/connectors/connect/local", json={"file_names": ["a.jpg"]})
    link = links["resumable_upload_links"]["a.jpg"]
    start = {"x-goog-resumable": "start"}
    assert requests.post(link[:-1] + "x", headers=start, timeout=9).status_code == 403
    assert requests.post(link, timeout=9).status_code == 400
    for digits in ("9", "9" * 5000):  # Python reads no whole number of so many digits
        later = link.replace("expires=", f"expires={digits}")
        assert requests.post(later, headers=start, timeout=9).status_code == 403
    headers = {"Content-Range": f"bytes 0-{'9' * 5000}/{'9' * 5000}"}
    assert requests.put(api.start(link), headers=headers, timeout=9).status_code == 400


def test_work_is_whole_or_not_at_all(api: Api, unchanged: str) -> None:
    good = {"file_name": "a.jpg", "status": "accepted", "answers": []}
    triangle = [[1, 1], [5, 1], [5, 5]]
    for bad in (
        {"file_name": "z.jpg", "status": "accepted"},
        {"file_name": "c.jpg", "status": "done"},
        {"file_name": "c.jpg", "answers": [{"question": "tram", "polygon": triangle}]},
        {"file_name": "c.jpg", "answers": [{"question": "car", "polygon": triangle[:2]}]},
        {"file_name": "c.jpg", "answers": [{"answer_id": NOWHERE}]},
        {"file_name": "c.jpg", "colour": "red"},
    ):
        assert api.work(unchanged, [good, bad]).status_code in (400, 404)
    nan = '{"files": [{"file_name": "a.jpg", "answers": [{"question": "car", "polygon": '
    nan += "[[NaN, 1], [2, 2], [3, 1]]}]}]}"
    answer = api.call("POST", f"/_emulator/projects/{unchanged}/files", data=nan)
    assert answer.status_code == 400


def test_bulk_assign_is_whole_or_not_at_all(api: Api, unchanged: str) -> None:
    ids = [api.files(unchanged)["a.jpg"]["file_id"], NOWHERE]
    body = {"file_ids": ids, "new_status": "review"}
    params = {"project_id": unchanged}
    answer = api.call("POST", "/actions/files/bulk_assign", params=params, json=body)
    assert answer.status_code == 404


def test_export_of_nothing(api: Api, unchanged: str) -> None:
    params = {"project_id": unchanged}
    answer = api.call("POST", "/sdk/export/files", params=params, json=EXPORT)
    assert answer.status_code == 400
    assert "No files found" in answer.json()["message"]


def test_only_this_machine(
    emulator: Emulator, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    assert HOST == "127.0.0.1"
    assert emulator.url.startswith("http://127.0.0.1:")
    answer = api.call("GET", "/_emulator/faults", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    answer = api.call("GET", "/_emulator/faults", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    port = int(emulator.url.rsplit(":", 1)[1])
    with (
        pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}"),
        start_emulator(emulator.folder / "other", port=port),
    ):
        pass
    assert main(["--port", str(port), "--data", str(emulator.folder / "other")]) == 2
    assert str(port) in capsys.readouterr().err


def test_preannotations_of_another_project(api: Api, project: str, unchanged: str) -> None:
    params = {"project_id": NOWHERE, "answer_format": "coco_json"}
    content = coco(["a.jpg"], ["car"], [])
    part = {"file": str(content)}
    answer = api.call("POST", "/actions/upload_answers", params=params, files=part)
    assert answer.status_code == 404
