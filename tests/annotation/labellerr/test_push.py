"""From image files to a project, once, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labellerr_loopback import Emulator
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.push import PushedFile, push, pushed_files, pushed_project
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.port import Pushed
from segtrack.base.errors import DataError, SettingsError
from segtrack.report.pictures import PALETTE
from segtrack.settings import LabellerrSettings
from tests.annotation.labellerr.conftest import QUESTIONS, jpeg, unique

CLASSES = ("person", "car")


def _push(
    platform: HttpPlatform,
    paths: list[Path],
    name: str,
    ledger: Path,
    classes: tuple[str, ...] = CLASSES,
    folder: Path | None = None,
    **knobs: str,
) -> Pushed:
    session = Session(platform, ledger, LabellerrSettings(**knobs), lambda text: None)  # type: ignore[arg-type]
    return push(session, paths, classes, name, folder=folder)


def test_a_push_makes_a_project_with_one_polygon_question_per_class(
    platform: HttpPlatform, images: Callable[[int], list[Path]], tmp_path: Path
) -> None:
    paths, name, ledger = images(3), unique("push"), tmp_path / "ledger"
    done = _push(platform, paths, name, ledger)
    assert (done.files, done.sent, done.renamed, len(done.dataset_ids)) == (3, 3, 0, 1)
    project = platform.project(done.project_id)
    assert (project.name, project.dataset_ids) == (name, done.dataset_ids)
    template = platform.template(project.template_id)
    assert [(q.name, q.color, q.kind) for q in template.questions] == [
        ("person", PALETTE[0], "polygon"),
        ("car", PALETTE[1], "polygon"),
    ]
    files = {f.file_name: f.file_id for f in platform.project_files(done.project_id)}
    assert sorted(files) == ["000.jpg", "001.jpg", "002.jpg"]
    assert pushed_project(ledger, platform.account, name) == done.project_id
    assert pushed_project(ledger, platform.account, "another") is None
    with pushed_files(ledger, platform.account) as find:
        assert find(files["001.jpg"]) == PushedFile(paths[1], None)
        assert find("unknown") is None
    with pushed_files(tmp_path / "nowhere", platform.account) as find:
        assert find(files["001.jpg"]) is None


def test_the_same_push_creates_nothing_and_more_images_come_to_the_same_project(
    platform: HttpPlatform,
    emulator: Emulator,
    images: Callable[[int], list[Path]],
    tmp_path: Path,
) -> None:
    paths, name, ledger = images(5), unique("push"), tmp_path / "ledger"
    first = _push(platform, paths[:3], name, ledger)
    emulator.faults.calls.clear()
    again = _push(platform, paths[:3], name, ledger)
    assert again == Pushed(first.project_id, first.template_id, first.dataset_ids, 3, 0, 0)
    assert not [call for call in emulator.faults.calls if "create" in call or "upload" in call]
    more = _push(platform, paths, name, ledger)
    assert more.project_id == first.project_id
    assert (more.files, more.sent) == (5, 2)
    assert more.dataset_ids[0] == first.dataset_ids[0] and len(more.dataset_ids) == 2
    assert len(list(platform.project_files(first.project_id))) == 5


def test_the_project_is_known_where_templates_cannot_be_listed(
    http: HttpPlatform, emulator: Emulator, images: Callable[[int], list[Path]], tmp_path: Path
) -> None:
    """Older platforms have no such list; the ledger has the project, and so its template."""
    emulator.fault("status", path="list_questions_templates", status=404, times=-1)
    paths, name, ledger = images(3), unique("push"), tmp_path / "ledger"
    first = _push(http, paths[:2], name, ledger)
    emulator.faults.calls.clear()
    assert _push(http, paths, name, ledger).project_id == first.project_id
    assert emulator.faults.calls["POST /annotations/create_template"] == 0
    # Another class is found before the images that come with it are sent.
    emulator.faults.calls.clear()
    more = [*paths, tmp_path / "more.jpg"]
    more[-1].write_bytes(jpeg())
    with pytest.raises(DataError, match=r"'bus' is no question.*labellerr\.name"):
        _push(http, more, name, ledger, (*CLASSES, "bus"))
    assert not [call for call in emulator.faults.calls if call.startswith(("POST", "PUT"))]
    # A project that was deleted on the platform is made anew.
    emulator.faults.clear()
    http.delete_project(first.project_id)
    assert _push(http, paths, name, ledger).project_id != first.project_id


def test_two_folders_of_one_name_do_not_end_in_one_project(
    http: HttpPlatform, emulator: Emulator, images: Callable[[int], list[Path]], tmp_path: Path
) -> None:
    paths, name, ledger = images(2), unique("images"), tmp_path / "ledger"
    other = tmp_path / "b" / "images" / "street.jpg"
    other.parent.mkdir(parents=True)
    other.write_bytes(jpeg())

    def from_folder(files: list[Path]) -> Pushed:
        return _push(http, files, name, ledger, folder=tmp_path)

    first = from_folder(paths)
    emulator.faults.calls.clear()
    with pytest.raises(DataError, match="another folder of the same name") as caught:
        from_folder([other])
    assert "none of the 1 images is among the 2" in str(caught.value)
    assert f'labellerr.name="{name}"' in str(caught.value)
    assert not emulator.faults.calls
    assert from_folder([*paths, other]).project_id == first.project_id  # it grew
    assert _push(http, [other], name, ledger).project_id == first.project_id  # it was named


def test_a_named_project_is_attached_to_and_must_have_the_classes(
    http: HttpPlatform, images: Callable[[int], list[Path]], tmp_path: Path, emulator: Emulator
) -> None:
    there = _push(http, images(1), unique("push"), tmp_path / "a")
    other = tmp_path / "other.jpg"
    other.write_bytes(jpeg())
    done = _push(http, [other], unique("push"), tmp_path / "b", project_id=there.project_id)
    assert done.project_id == there.project_id
    names = sorted(f.file_name for f in http.project_files(there.project_id))
    assert names == ["000.jpg", "other.jpg"]
    template = http.ensure_template(unique("template"), QUESTIONS)  # car and bus
    project = http.ensure_project(unique("p"), there.dataset_ids, template.template_id)
    emulator.faults.calls.clear()
    with pytest.raises(DataError, match="'person' is no question"):
        _push(http, images(2), unique("push"), tmp_path / "c", project_id=project.project_id)
    assert not [call for call in emulator.faults.calls if call.startswith("POST")]
    with pytest.raises(SettingsError, match=r"labellerr\.project_id=nope: no such project"):
        _push(http, images(2), unique("push"), tmp_path / "c", project_id="nope")


def test_nothing_is_sent_where_something_is_wrong(
    http: HttpPlatform, images: Callable[[int], list[Path]], tmp_path: Path, emulator: Emulator
) -> None:
    paths = images(2)
    twin = tmp_path / "twin" / "000.jpg"
    twin.parent.mkdir()
    twin.write_bytes(jpeg())
    for wrong in ([*paths, twin], [*paths, tmp_path / "gone.jpg"], []):
        with pytest.raises(DataError):
            _push(http, wrong, unique("push"), tmp_path / "ledger")
    with pytest.raises(DataError, match="names no classes"):
        _push(http, paths, unique("push"), tmp_path / "ledger", ())
    assert not emulator.faults.calls


def test_an_upper_case_suffix_goes_in_lower_case_and_is_known_by_its_id(
    http: HttpPlatform, tmp_path: Path
) -> None:
    path = tmp_path / "b.JPG"
    path.write_bytes(jpeg())
    done = _push(http, [path], unique("push"), tmp_path / "ledger")
    assert done.renamed == 1
    (file,) = http.project_files(done.project_id)
    assert file.file_name == "b.jpg"
    with pushed_files(tmp_path / "ledger", http.account) as find:
        assert find(file.file_id) == PushedFile(path, None)
