"""Uploads, data sets, projects: records, paging, deleting, a restart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from labellerr_loopback import Delays, Emulator, Quirks, start_emulator
from tests.labellerr_loopback.conftest import KNOWN, QUICK, Api, coco, jpeg

RING = [10, 10, 30, 10, 30, 30, 10, 30]


def test_dataset_record(api: Api, connection: str) -> None:
    dataset = api.dataset(connection)
    record = api.ask("GET", f"/datasets/{dataset}")
    assert record["status_code"] == 300
    assert record["files_count"] == 3
    assert record["progress"] == "Processing 3/3 files"
    assert record["data_type"] == "image"
    files = api.ask("GET", "/search/files/all", params={"dataset_id": dataset, "size": 9})
    assert sorted(file["file_name"] for file in files["files"]) == ["a.jpg", "b.JPG", "c.jpg"]
    metadata = files["files"][0]["file_metadata"]
    assert (metadata["image_width"], metadata["image_height"]) == (64, 48)


def test_processing_takes_polls(tmp_path: Path) -> None:
    with start_emulator(tmp_path, credentials=KNOWN, delays=Delays(dataset_polls=2)) as running:
        api = Api(running.url)
        connection = api.upload({"a.jpg": jpeg(tmp_path, "a")})
        body = {
            "dataset_name": "x",
            "data_type": "image",
            "connection_id": connection,
            "path": "local",
        }
        dataset = api.ask("POST", "/datasets/create", json=body)["dataset_id"]
        records = [api.ask("GET", f"/datasets/{dataset}") for _ in range(3)]
    assert [record["status_code"] for record in records] == [100, 100, 300]
    assert ["files_count" in record for record in records] == [False, False, True]
    assert records[0]["progress"] == "Processing 0/1 files"


def test_paging(api: Api, connection: str) -> None:
    made = [api.dataset(connection) for _ in range(5)]
    params = {"data_type": "image", "permission_level": "client", "page_size": 2}
    found, last, more = [], None, True
    while more:
        page = api.ask("GET", "/datasets/list", params={**params, "last_dataset_id": last})
        assert len(page["datasets"]) <= 2
        found += [record["dataset_id"] for record in page["datasets"]]
        last, more = page["last_dataset_id"], page["has_more"]
    assert found == made[::-1]
    project = api.project([made[0]], api.template(["car"]))
    names, after = [], None
    for _ in range(2):
        body = {"search_queries": {}, "size": 2, "next_search_after": after}
        page = api.ask("POST", "/search/project_files", params={"project_id": project}, json=body)
        names += [file["file_name"] for file in page["files"]]
        after = page["next_search_after"]
    assert sorted(names) == ["a.jpg", "b.JPG", "c.jpg"]
    assert after is None


def test_an_upload_goes_on_where_it_stopped(api: Api, tmp_path: Path) -> None:
    data = jpeg(tmp_path, "a")
    body = {"file_names": ["a.jpg"]}
    answer = api.ask("POST", "/connectors/connect/local", json=body)
    location = api.start(answer["resumable_upload_links"]["a.jpg"])
    first = api.put(location, data[:100], whole=len(data))
    assert (first.status_code, first.headers["Range"]) == (308, "bytes=0-99")
    headers = {"Content-Range": f"bytes */{len(data)}"}
    state = requests.put(location, headers=headers, timeout=30)
    assert (state.status_code, state.headers["Range"]) == (308, "bytes=0-99")
    wrong = api.put(location, data[50:], whole=len(data), at=50)
    assert wrong.status_code == 400
    assert api.put(location, data[100:], whole=len(data), at=100).status_code == 200
    dataset = api.dataset(answer["temporary_connection_id"])
    file = api.ask("GET", "/search/files/all", params={"dataset_id": dataset})["files"][0]
    project = api.project([dataset], api.template(["car"]))
    links = api.ask(
        "POST",
        "/cdn-web/files_links",
        params={"project_id": project},
        json={"file_ids": [file["file_id"]]},
    )
    assert requests.get(links["fileLinks"][0]["url"], timeout=30).content == data


def test_file_that_is_no_image_does_not_survive(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:  # as ultralytics replaces it in a process that trains too
        raise ModuleNotFoundError("No module named 'pi_heif'")

    monkeypatch.setattr("PIL.Image.open", opened, raising=True)
    broken = api.upload({"broken.jpg": b"no image at all"})
    assert api.ask("GET", f"/datasets/{api.dataset(broken)}")["files_count"] == 0
    monkeypatch.undo()
    connection = api.upload({"a.jpg": jpeg(tmp_path, "a"), "broken.jpg": b"no image at all"})
    assert api.ask("GET", f"/datasets/{api.dataset(connection)}")["files_count"] == 1


def test_same_uuid_creates_once(api: Api, connection: str) -> None:
    first, again, other = (api.dataset(connection, uuid=u) for u in ("u1", "u1", "u2"))
    assert first == again != other
    assert api.template(["car"], uuid="u1") == api.template(["car"], uuid="u1")


def test_without_deduplication_a_retry_creates_twice(tmp_path: Path) -> None:
    quirks = Quirks(dedupe=False)
    with start_emulator(tmp_path, credentials=KNOWN, delays=QUICK, quirks=quirks) as running:
        api = Api(running.url)
        assert api.template(["car"], uuid="u1") != api.template(["car"], uuid="u1")


def test_attach_and_detach(api: Api, dataset: str, project: str, tmp_path: Path) -> None:
    other = api.dataset(api.upload({"d.jpg": jpeg(tmp_path, "d")}))
    params, body = {"project_id": project}, {"attached_datasets": [dataset, other]}
    api.ask("POST", "/actions/jobs/add_datasets_to_project", params=params, json=body)
    assert sorted(api.files(project)) == ["a.jpg", "b.JPG", "c.jpg", "d.jpg"]
    body = {"attached_datasets": [dataset]}
    api.ask("POST", "/actions/jobs/delete_datasets_from_project", params=params, json=body)
    assert sorted(api.files(project)) == ["d.jpg"]
    assert api.ask("GET", f"/projects/project/{project}")["attached_datasets"] == [other]


def test_statuses(api: Api, project: str) -> None:
    files = api.files(project)
    assert {file["status"] for file in files.values()} == {"None"}
    ids = [files[name]["file_id"] for name in ("a.jpg", "c.jpg")]
    params = {"project_id": project}
    body = {"file_ids": ids, "new_status": "review"}
    api.ask("POST", "/actions/files/bulk_assign", params=params, json=body)
    body = {"search_queries": {"status": "review"}, "size": 10}
    found = api.ask("POST", "/search/project_files", params=params, json=body)["files"]
    assert {file["file_id"] for file in found} == set(ids)
    params = {"file_id": ids[0], "project_id": project, "include_answers": "false"}
    record = api.call("GET", "/data/file_data", params=params).json()
    assert (record["file_id"], record["data_type"], record["status"]) == (ids[0], "image", "review")


def test_deleting(api: Api, emulator: Emulator, dataset: str, project: str) -> None:
    objects = [p for p in (emulator.folder / "objects").rglob("*") if p.is_file()]
    assert len(objects) == 3
    api.ask("DELETE", f"/datasets/{dataset}/delete")
    assert api.files(project) == {}
    assert not [p for p in (emulator.folder / "objects").rglob("*") if p.is_file()]
    api.ask("POST", f"/projects/delete/{project}")
    assert api.call("GET", f"/projects/project/{project}").status_code == 404
    assert api.ask("GET", "/project_drafts/projects/detailed_list") == {"projects": []}


def test_list_of_projects_in_its_other_shape(tmp_path: Path) -> None:
    quirks = Quirks(list_projects="list")
    with start_emulator(tmp_path, credentials=KNOWN, quirks=quirks) as running:
        assert Api(running.url).ask("GET", "/project_drafts/projects/detailed_list") == []


def test_templates(api: Api) -> None:
    template = api.template(["car", "bus "])
    path, params = "/annotations/get_template", {"template_id": template}
    record = api.ask("GET", path, params=params)
    assert [q["question"] for q in record["questions"]] == ["car", "bus "]
    assert record["questions"][1]["options"] == [{"option_name": "#000001"}]
    listed = api.ask("GET", "/annotations/list_questions_templates")
    assert [t["template_id"] for t in listed] == [template]


def test_state_survives_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with start_emulator(folder, credentials=KNOWN, delays=QUICK) as running:
        api = Api(running.url)
        connection = api.upload({"a.jpg": jpeg(tmp_path, "a")})
        dataset = api.dataset(connection)
        project = api.project([dataset], api.template(["car"]))
        api.preannotate(project, coco(["a.jpg"], ["car"], [(0, 0, RING)]))
        before = api.files(project)
        body = {"file_names": ["b.jpg"], "temporary_connection_id": connection}
        link = api.ask("POST", "/connectors/connect/local", json=body)["resumable_upload_links"]
        location = api.start(link["b.jpg"])
        data = jpeg(tmp_path, "b")
        assert api.put(location, data[:50], whole=len(data)).status_code == 308
        port = int(running.url.rsplit(":", 1)[1])
    with start_emulator(folder, port=port, credentials=KNOWN, delays=QUICK) as running:
        api = Api(running.url)
        assert api.files(project) == before
        assert api.ask("GET", f"/datasets/{dataset}")["files_count"] == 1
        assert api.put(location, data[50:], whole=len(data), at=50).status_code == 200


def test_the_page_describes_human_work(emulator: Emulator) -> None:
    page = requests.get(f"{emulator.url}/docs", timeout=30)
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) == 3  # script, style and icon, all from here: it works without internet
    for source in sources:
        assert requests.get(f"{emulator.url}{source}", timeout=30).status_code == 200, source
    schema = requests.get(f"{emulator.url}/openapi.json", timeout=30).json()
    assert "post" in schema["paths"]["/_emulator/projects/{project_id}/files"]
    assert "polygon" in schema["components"]["schemas"]["WorkedAnswer"]["properties"]
    assert "POST" in schema["info"]["description"]


@pytest.mark.parametrize("name", ["LABELLERR_API_KEY", "LABELLERR_CLIENT_ID"])
def test_credentials_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "mine")
    with start_emulator(tmp_path) as running:
        assert Api(running.url).call("GET", "/datasets/list").status_code == 401
        header = {name.removeprefix("LABELLERR_").lower(): "mine"}
        params = {"client_id": header.get("client_id", "CID")}
        answer = Api(running.url).call("GET", "/datasets/list", headers=header, params=params)
        assert answer.status_code == 200
        assert "mine" not in repr(running)
