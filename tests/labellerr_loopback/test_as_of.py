"""What the platform's documentation of June 2026 says, against ``--as-of 2026-06``."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from labellerr_loopback import Delays, Emulator, Limits, Quirks, ask, start_emulator
from labellerr_loopback.__main__ import main
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS, sdk_platform
from segtrack.annotation.labellerr.answers import job_record, project_record
from segtrack.annotation.labellerr.coco import AnnotatedImage, Preannotation
from segtrack.annotation.labellerr.credentials import read_credentials
from segtrack.annotation.labellerr.exporting import export_labels
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.port import Job
from segtrack.annotation.labellerr.preannotations import preannotate
from segtrack.annotation.labellerr.push import push
from segtrack.annotation.labellerr.sdk_platform import SdkPlatform
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.labellerr.transport import Transport
from segtrack.base.errors import DataError, PlatformError, SettingsError
from segtrack.settings import LabellerrSettings
from tests.annotation.labellerr.conftest import QUICK, jpeg, unique

CLASSES = ("person", "car")
SQUARE = np.array([[2.0, 3.0], [12.0, 3.0], [12.0, 13.0], [2.0, 13.0]])


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with start_emulator(
        tmp_path_factory.mktemp("today"),
        delays=Delays(0, 0, 0),
        quirks=Quirks(as_of="2026-06"),
        limits=Limits(video_bytes=1000),
    ) as emulator:
        yield emulator


@pytest.fixture
def http(today: Emulator) -> Iterator[HttpPlatform]:
    yield HttpPlatform(Transport(today.url, EMULATOR_CREDENTIALS, QUICK), 20.0)
    today.faults.clear()


@pytest.fixture
def pushed(http: HttpPlatform, tmp_path: Path) -> tuple[str, Session]:
    """A project of three pictures; its id, and the session that pushed it."""
    paths = [tmp_path / "images" / f"{i}.jpg" for i in range(3)]
    for i, path in enumerate(paths):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(jpeg(40 + i))
    session = Session(http, tmp_path / "ledger", LabellerrSettings(timeout=20.0), _quiet)
    return push(session, paths, CLASSES, unique("today")).project_id, session


def _quiet(text: str) -> None:
    pass


def annotate(http: HttpPlatform, project: str, names: list[str], status: str = "accepted") -> None:
    answers = [{"question": "car", "polygon": SQUARE.tolist()}]
    files = [{"file_name": n, "status": status, "answers": answers} for n in names]
    ask("POST", f"{http.http.url}/_emulator/projects/{project}/files", json={"files": files})


def test_unmatched_files_count_as_files_that_did_not_arrive(
    http: HttpPlatform, today: Emulator, pushed: tuple[str, Session], tmp_path: Path
) -> None:
    project, session = pushed
    images = [AnnotatedImage(f"{i}.jpg", 40 + i, 30, (_object(),)) for i in range(3)]

    def send() -> None:
        preannotate(http, project, images, CLASSES, tmp_path / "sent", session.ledger, say=_quiet)

    today.fault("files_not_updated", names=("1.jpg",), times=1)
    with pytest.raises(PlatformError, match=r"completed, but 1 files did not arrive"):
        send()
    send()  # it counts as not done: the next call sends it again


def _object() -> Preannotation:
    return Preannotation("car", (SQUARE,), 0.9)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"unmatched_files": 2, "matched_files": 1}, Job("j", "completed", unmatched=2)),
        ({"unmatched_files": ["a", "b"]}, Job("j", "completed", ("a", "b"))),
        ({"unmatched_files": [{"file_name": "a"}]}, Job("j", "completed", ("a",))),
        ({"files_not_updated": ["a"], "unmatched_files": ["a"]}, Job("j", "completed", ("a",))),
        ({"unmatched_files": 0, "total_annotations": 3}, Job("j", "completed")),
        ({}, Job("j", "completed")),
    ],
)
def test_both_forms_of_a_jobs_metadata_are_read(metadata: dict[str, Any], expected: Job) -> None:
    assert job_record({"status": "completed", "metadata": metadata}, "j") == expected


def test_a_project_names_its_template_by_either_word(
    http: HttpPlatform, pushed: tuple[str, Session]
) -> None:
    answer = http._get(f"/projects/project/{pushed[0]}", {})
    assert "template_id" in answer and "annotation_template_id" not in answer
    project = http.project(pushed[0])
    assert [q.name for q in http.template(project.template_id).questions] == list(CLASSES)
    assert project_record({"annotation_template_id": "t"}).template_id == "t"
    assert project_record({"template_id": "t"}).template_id == "t"


def test_a_video_of_more_than_500_mb_is_refused_before_the_upload(
    http: HttpPlatform, today: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.truncate(500_000_001)
    today.faults.calls.clear()
    with pytest.raises(DataError, match=r"larger than 500 MB.* cut or compress: .*long\.mp4"):
        check_files([path], data_type="video")
    assert not today.faults.calls
    with path.open("wb") as file:
        file.truncate(2000)  # the emulator's own limit, for what gets so far
    connection = http.connect_files(["long.mp4"], None)
    http.send_file(connection.links["long.mp4"], path)
    with pytest.raises(PlatformError, match=r"1 videos have more than 1000 bytes"):
        http._create_dataset("v", connection.connection_id, "video", "u", "")


def test_bulk_assign_takes_stages_and_known_users(
    http: HttpPlatform, pushed: tuple[str, Session]
) -> None:
    project, _ = pushed
    files = {f.file_name: f.file_id for f in http.project_files(project)}
    http.set_status(project, [files["0.jpg"]], "review")
    http.set_status(project, [files["0.jpg"]], "annotation", "annotator@localhost")
    statuses = {f.file_name: f.status for f in http.project_files(project)}
    assert statuses == {"0.jpg": "assigned", "1.jpg": "None", "2.jpg": "None"}
    http.set_status(project, [files["0.jpg"]], "annotation")
    assert {f.status for f in http.project_files(project)} == {"None"}
    with pytest.raises(PlatformError, match="'skipped' is none of annotation, review"):
        http.set_status(project, [files["0.jpg"]], "skipped")
    with pytest.raises(PlatformError, match="no user 'nobody@nowhere' in this workspace"):
        http.set_status(project, [files["0.jpg"]], "review", "nobody@nowhere")


def test_a_question_that_changed_since_the_push_is_named_with_a_way_on(
    http: HttpPlatform, pushed: tuple[str, Session], tmp_path: Path
) -> None:
    project, session = pushed
    annotate(http, project, ["0.jpg"])
    template = http.template(http.project(project).template_id)
    edited = [
        {"question_number": i, "question": text, "option_type": "polygon", "color": q.color}
        | {"question_id": q.question_id}
        for i, (q, text) in enumerate(zip(template.questions, ("person", "vehicle"), strict=True))
    ]
    url = f"{http.http.url}/_emulator/projects/{project}/questions"
    assert ask("POST", url, json={"questions": edited}) == {"version": 2}
    assert http._get(f"/projects/project/{project}", {})["template_version"] == 2
    # Pushing goes no further, and says why and how.
    paths = sorted((tmp_path / "images").iterdir())
    with pytest.raises(DataError, match=r"'car' was changed to 'vehicle'.*Change it back"):
        push(session, paths, CLASSES, http.project(project).name)
    # Finished labels have the new name; it is said.
    said: list[str] = []
    listening = Session(http, session.ledger, session.settings, said.append)
    kept = export_labels(listening, project, tmp_path / "exports")
    assert kept.names == ("person", "vehicle")
    assert said[0].startswith("warning: question 'car' was changed to 'vehicle'")
    assert "dataset.classes={car: [vehicle]}" in said[0]
    ask("POST", url, json={"questions": edited[:1]})
    said.clear()
    export_labels(listening, project, tmp_path / "exports")
    assert said[0].startswith("warning: question 'car' was taken out of the template")


def test_only_what_was_updated_is_exported_again(
    http: HttpPlatform,
    today: Emulator,
    pushed: tuple[str, Session],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("segtrack.annotation.labellerr.merged.MARGIN", 0)
    project, session = pushed
    asked: list[tuple[int, int]] = []  # since, images that came
    download = http.download_export
    start = http.start_export

    def listening(*words: Any, updated_after: int = 0) -> str:
        asked.append((updated_after, 0))
        return start(*words, updated_after=updated_after)

    def counting(project_id: str, report_id: str, path: Path) -> Path:
        download(project_id, report_id, path)
        asked[-1] = (asked[-1][0], path.read_text().count('"labellerr_file_id"'))
        return path

    monkeypatch.setattr(http, "start_export", listening)
    monkeypatch.setattr(http, "download_export", counting)

    def exported() -> tuple[int, int]:
        kept = export_labels(session, project, tmp_path / "exports")
        whole = export_labels(session, project, tmp_path / unique("fresh"))
        assert (kept.digest, kept.annotations) == (whole.digest, whole.annotations)
        since, count = asked[-2]
        assert asked[-1][0] == 0  # of a folder that has nothing yet
        return min(since, 1), count

    annotate(http, project, ["0.jpg", "1.jpg"])
    assert exported() == (0, 2)
    annotate(http, project, ["2.jpg"])
    assert exported() == (1, 1)
    assert exported() == (1, 0)  # nothing changed
    annotate(http, project, ["0.jpg"], "rejected")  # not finished any more
    assert exported() == (1, 1)
    # A platform that does not count a change as an update is found out by the statuses.
    state = today.folder / "state.db"
    with sqlite3.connect(state) as db:
        db.execute("UPDATE project_files SET status = 'accepted' WHERE status = 'rejected'")
    db.close()
    asked.clear()
    kept = export_labels(session, project, tmp_path / "exports")
    assert [since > 0 for since, _ in asked] == [True, False] and kept.images == 3
    # One that knows no such exports gives everything.
    today.fault("status", path="/sdk/export/files", status=400, times=1)
    asked.clear()
    again = export_labels(session, project, tmp_path / "exports")
    assert again.digest == kept.digest and asked[-1] == (0, 3)


def test_rate_limits_s3_and_delete_are_refused_clearly(
    http: HttpPlatform, today: Emulator, pushed: tuple[str, Session]
) -> None:
    project, _ = pushed
    body = {
        "export_name": "x",
        "export_format": "coco_json",
        "statuses": ["accepted"],
        "export_destination": "s3",
    }
    with pytest.raises(PlatformError, match="only 'local' is served here"):
        http.http.call("POST", "/sdk/export/files", {"project_id": project}, body)
    with pytest.raises(PlatformError, match=f"POST /projects/delete/{project}"):
        http.http.call("DELETE", f"/projects/{project}")
    assert http.project(project).project_id == project
    today.fault("status", path="/projects/project", status=429, times=9, retry_after=60.0)
    with pytest.raises(PlatformError, match=r"asks to wait 60 s\. Too many calls at once"):
        http.project(project)


def test_where_credentials_are_found(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"<workspace>\.labellerr\.com/workspace/api-keys"):
        read_credentials(None, tmp_path / ".env", {})


def test_the_command_line_knows_both_dates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--data", str(tmp_path), "--as-of", "2024-01"])
    assert "2025-11" in capsys.readouterr().err


class Made:
    """What a newer SDK gives back: other attributes than the one of November 2025."""

    def __init__(self, **attributes: str) -> None:
        self.__dict__.update(attributes)


def fake_sdk(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., Any]) -> None:
    """Modules in the SDK's place that have all that is looked for, and these functions."""
    for name, members in sdk_platform._NEEDED.items():
        module = ModuleType(name)
        module.__path__ = []  # type: ignore[attr-defined]
        for member in members:
            setattr(module, member, functions.get(member, _anything))
        monkeypatch.setitem(sys.modules, name, module)
    client = sys.modules["labellerr.core.client"]
    monkeypatch.setattr(client, "LabellerrClient", Client)


def _anything(*_: Any, **__: Any) -> SimpleNamespace:
    return SimpleNamespace()


class Client:
    def __init__(self, *credentials: str) -> None:
        self._session: Any = None

    def close(self) -> None:
        pass


def test_attributes_that_a_newer_sdk_has_not_are_our_error(
    http: HttpPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renamed(*_: Any, **__: Any) -> Made:
        return Made(template_id="t-1")

    def other(*_: Any, **__: Any) -> Made:
        return Made(number="7")

    fake_sdk(
        monkeypatch,
        create_template=renamed,
        create_dataset_from_connection=other,
        create_project=other,
        LabellerrProject=lambda *_: SimpleNamespace(create_local_export=other),
    )
    sdk = SdkPlatform(http.http, 5.0)
    monkeypatch.setattr(sdk, "template", lambda template_id: template_id)
    assert sdk._create_template("t", [], "image", "u") == "t-1"
    for call in (
        lambda: sdk._create_dataset("d", "c", "image", "u", ""),
        lambda: sdk._create_project("p", [], "t", "image", "u"),
        lambda: sdk._create_export("p", "e", ["accepted"], "coco_json"),
        lambda: sdk._assign("p", ["f"], "accepted"),
    ):
        with pytest.raises(PlatformError, match=r"the SDK failed \(AttributeError: .* has no "):
            call()
