"""What the port promises, of both adapters, against the loopback Labellerr."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import requests

from labellerr_loopback import Emulator, Quirks, start_emulator
from segtrack.annotation.labellerr.coco import AnnotatedImage, Preannotation
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.preannotations import preannotate
from segtrack.annotation.labellerr.uploader import upload
from segtrack.base.errors import PlatformError
from segtrack.base.labellerr_api import REVIEWED
from tests.annotation.labellerr.conftest import QUESTIONS, adapter, make_project, unique

SQUARE = np.array([[2.0, 3.0], [12.0, 3.0], [12.0, 13.0], [2.0, 13.0]])
Images = Callable[[int], list[Path]]


def test_from_images_to_a_downloaded_export(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    paths = images(3)
    project_id = make_project(platform, paths, tmp_path / "ledger")
    files = {f.file_name: f for f in platform.project_files(project_id)}
    assert sorted(files) == ["000.jpg", "001.jpg", "002.jpg"]
    assert {f.status for f in files.values()} == {"None"}
    assert {(f.width, f.height) for f in files.values()} == {(40, 30)}

    car = AnnotatedImage("000.jpg", 40, 30, (Preannotation("car", (SQUARE,), 0.9),))
    bus = AnnotatedImage("001.jpg", 40, 30, (Preannotation("bus", (SQUARE + 5,), 0.6),))
    done = preannotate(
        platform, project_id, [car, bus], ["car", "bus"], tmp_path / "out", tmp_path / "ledger"
    )
    assert (done.images, done.objects, len(done.jobs)) == (2, 2, 1)
    assert done.jobs[0].files_not_updated == ()

    # Pre-annotated files keep their status, so that nobody's work is exported unseen.
    with pytest.raises(PlatformError, match=r"no file has one of the statuses .*No files found"):
        platform.start_export(project_id, "none", REVIEWED)
    chosen = [files["000.jpg"].file_id, files["001.jpg"].file_id]
    platform.set_status(project_id, chosen, "accepted")
    statuses = {f.file_name: f.status for f in platform.project_files(project_id)}
    assert statuses == {"000.jpg": "accepted", "001.jpg": "accepted", "002.jpg": "None"}

    report_id = platform.start_export(project_id, "reviewed", REVIEWED)
    assert platform.wait_export(project_id, report_id).is_completed
    path = platform.download_export(project_id, report_id, tmp_path / "export.json")
    export = json.loads(path.read_text())
    assert sorted(i["file_name"] for i in export["images"]) == ["000.jpg", "001.jpg"]
    names = {c["id"]: c["name"] for c in export["categories"]}
    areas = {names[a["category_id"]]: a["area"] for a in export["annotations"]}
    assert areas == {"car": 100.0, "bus": 100.0}
    assert not list(tmp_path.glob("*.partial"))


def test_ensure_finds_what_is_there(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    name = unique("twice")
    files = check_files(images(2))
    first = upload(platform, files, name, tmp_path / "ledger")
    template = platform.ensure_template(name, QUESTIONS)
    assert [q.name for q in template.questions] == ["car", "bus"]
    assert [q.color for q in template.questions] == ["#E69F00", "#56B4E9"]
    ids = [d.dataset_id for d in first.datasets]
    project = platform.ensure_project(name, ids, template.template_id)
    assert project.dataset_ids == tuple(ids) and project.template_id == template.template_id
    calls = dict(emulator.faults.calls)

    second = upload(platform, files, name, tmp_path / "ledger")
    assert (second.sent, second.datasets) == (0, first.datasets)
    assert platform.ensure_template(name, QUESTIONS) == template
    assert platform.ensure_project(name, ids, template.template_id) == project
    for create in ("datasets/create", "annotations/create_template", "projects/create"):
        assert emulator.faults.calls[f"POST /{create}"] == calls[f"POST /{create}"] == 1

    # Another order of the classes is another template.
    other = platform.ensure_template(name, QUESTIONS[::-1]).template_id
    assert other != template.template_id
    with pytest.raises(PlatformError, match=r"another template .* with labellerr\.name=\.\.\."):
        platform.ensure_project(name, ids, other)


def test_a_lost_ledger_sends_nothing_again(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    name = unique("lost")
    files = check_files(images(2))
    first = upload(platform, files, name, tmp_path / "ledger")
    second = upload(platform, files, name, tmp_path / "another")
    assert (second.sent, second.datasets) == (0, first.datasets)
    other = tmp_path / "images" / "other.jpg"
    other.write_bytes(files[0].path.read_bytes())
    with pytest.raises(PlatformError, match="exists with other files than the 1 to be sent"):
        upload(platform, check_files([other]), name, tmp_path / "third")


@pytest.mark.parametrize("kind", ["status", "cut"])
@pytest.mark.parametrize("transport", ["http", "sdk"])
def test_creates_are_not_doubled_by_lost_answers(
    transport: str, kind: str, images: Images, tmp_path: Path
) -> None:
    """The first call of each kind did its work and its answer was lost; no uuid helps either."""
    with start_emulator(tmp_path / "emulator", quirks=Quirks(dedupe=False)) as emulator:
        platform = adapter(transport, emulator.url)
        for path in ("datasets/create", "create_template", "projects/create"):
            emulator.fault(kind, path=path, done=True)
        project_id = make_project(platform, images(1), tmp_path / "ledger")
        name = platform.project(project_id).name
        assert [d.name for d in platform.datasets()] == [name]
        assert [p.name for p in platform.projects()] == [name]
        assert len(platform._template_ids(name)) == 1


def test_500_three_times_then_success(platform: HttpPlatform, emulator: Emulator) -> None:
    emulator.fault("status", path="create_template", status=500, times=3)
    template = platform.ensure_template(unique("patience"), QUESTIONS)
    assert len(template.questions) == 2
    assert emulator.faults.calls["POST /annotations/create_template"] == 4


def test_500_for_ever(platform: HttpPlatform, emulator: Emulator) -> None:
    emulator.fault("status", path="create_template", status=500, times=-1)
    with pytest.raises(PlatformError, match=r"create_template: .* answered 500.*platform's side"):
        platform.ensure_template(unique("down"), QUESTIONS)
    assert emulator.faults.calls["POST /annotations/create_template"] == 4


def test_questions_are_found_again_with_their_blanks(platform: HttpPlatform) -> None:
    name = unique("blanks")
    questions = (Question("car ", "#E69F00"), Question("Bus", "#56B4E9"))
    template = platform.ensure_template(name, questions)
    assert [q.name for q in template.questions] == ["car ", "Bus"]
    assert platform.ensure_template(name, questions) == template


def test_more_data_sets_are_attached(
    platform: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(platform, images(1), tmp_path / "ledger")
    other = tmp_path / "more.jpg"
    other.write_bytes((tmp_path / "images" / "000.jpg").read_bytes())
    more = upload(platform, check_files([other]), unique("more"), tmp_path / "ledger")
    platform.attach(project_id, [more.datasets[0].dataset_id])
    platform.attach(project_id, [more.datasets[0].dataset_id])
    assert len(platform.project(project_id).dataset_ids) == 2
    assert sorted(f.file_name for f in platform.project_files(project_id)) == [
        "000.jpg",
        "more.jpg",
    ]


def test_deleting(platform: HttpPlatform, images: Images, tmp_path: Path) -> None:
    project_id = make_project(platform, images(1), tmp_path / "ledger")
    (dataset_id,) = platform.project(project_id).dataset_ids
    platform.delete_project(project_id)
    platform.delete_dataset(dataset_id)
    with pytest.raises(PlatformError, match=f"{project_id}: .* 404.*deleted on the platform"):
        platform.project(project_id)
    assert dataset_id not in [d.dataset_id for d in platform.datasets()]


def test_wrong_values_name_the_call_and_the_id(platform: HttpPlatform) -> None:
    with pytest.raises(PlatformError, match="nowhere_at_all_1"):
        platform.attach("nowhere_at_all_1", ["d"])
    with pytest.raises(PlatformError, match="knot"):
        platform.ensure_template(unique("bad"), (Question("car", "#E69F00", kind="knot"),))


def test_links_carry_no_credentials(emulator: Emulator, http: HttpPlatform, images: Images) -> None:
    """Signed links belong to a storage service of somebody else."""
    seen: list[dict[str, str]] = []
    send = http.http._session.send

    def spy(prepared: requests.PreparedRequest, **options: object) -> requests.Response:
        if "/storage/" in str(prepared.url):
            seen.append(dict(prepared.headers))
        return send(prepared, **options)

    http.http._session.send = spy
    connection = http.connect_files(["000.jpg"], None)
    http.send_file(connection.links["000.jpg"], images(1)[0])
    assert len(seen) == 2
    assert not {"api_key", "api_secret", "client_id", "email_id"} & {k for h in seen for k in h}
