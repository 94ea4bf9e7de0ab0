"""Pre-annotation jobs and exports that end badly, late or never."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import av
import numpy as np
import pytest

from labellerr_loopback import Emulator, Quirks, start_emulator
from segtrack.annotation.labellerr.checks import export_classes
from segtrack.annotation.labellerr.coco import AnnotatedImage, Preannotation
from segtrack.annotation.labellerr.files import check_files
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.port import Question
from segtrack.annotation.labellerr.preannotations import preannotate, send_file
from segtrack.annotation.labellerr.uploader import upload
from segtrack.base.errors import DataError, PlatformError
from tests.annotation.labellerr.conftest import QUESTIONS, adapter, make_project, unique

SQUARE = np.array([[2.0, 3.0], [12.0, 3.0], [12.0, 13.0], [2.0, 13.0]])
Images = Callable[[int], list[Path]]


def objects(*scores: float, name: str = "000.jpg", label: str = "car") -> AnnotatedImage:
    return AnnotatedImage(name, 40, 30, tuple(Preannotation(label, (SQUARE,), s) for s in scores))


def send(
    platform: HttpPlatform,
    project_id: str,
    tmp_path: Path,
    *images: AnnotatedImage,
    **options: bool,
) -> object:
    return preannotate(
        platform,
        project_id,
        images,
        ["car", "bus"],
        tmp_path / "out",
        tmp_path / "ledger",
        **options,
    )


def test_a_job_that_completes_without_updating(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(platform, images(2), tmp_path / "ledger")
    emulator.fault("files_not_updated", names=("001.jpg",), times=1)
    both = [objects(0.9), objects(0.9, name="001.jpg")]
    with pytest.raises(PlatformError) as caught:
        send(platform, project_id, tmp_path, *both)
    assert "completed, but 1 files were not updated (001.jpg)" in str(caught.value)
    assert project_id in str(caught.value)
    # It counts as not done: the next call sends it again, and then never more.
    emulator.faults.clear()
    send(platform, project_id, tmp_path, *both)
    sent = emulator.faults.calls["POST /actions/upload_answers"]
    send(platform, project_id, tmp_path, *both)
    assert emulator.faults.calls["POST /actions/upload_answers"] == sent == 2


def test_questions_that_are_ignored(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(http, images(1), tmp_path / "ledger")
    emulator.fault("questions_ignored", names=("car",), times=1)
    with pytest.raises(PlatformError, match=r"questions were ignored \(car\)"):
        send(http, project_id, tmp_path, objects(0.9))


def test_a_job_that_fails(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(http, images(1), tmp_path / "ledger")
    emulator.fault("job_fails", times=1)
    with pytest.raises(PlatformError, match=f"pre-annotation job .* of project {project_id} fail"):
        send(http, project_id, tmp_path, objects(0.9))
    send(http, project_id, tmp_path, objects(0.9))


def test_a_job_that_never_ends_is_waited_for_again(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(platform, images(1), tmp_path / "ledger")
    emulator.fault("job_never_ends")
    platform.timeout = 0.3
    with pytest.raises(PlatformError, match=r"job .* not finished after 0\.3 s, last state in_pro"):
        send(platform, project_id, tmp_path, objects(0.9))
    emulator.faults.clear()
    platform.timeout = 20.0
    send(platform, project_id, tmp_path, objects(0.9))
    assert emulator.faults.calls["POST /actions/upload_answers"] <= 1


def test_a_job_whose_answer_was_lost_is_not_made_twice(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    """As after a kill: the job was made, and nobody here knows its id."""
    project_id = make_project(http, images(1), tmp_path / "ledger")
    emulator.fault("cut", path="upload_answers$", done=True, times=4)
    with pytest.raises(PlatformError, match="the connection was cut"):
        send(http, project_id, tmp_path, objects(0.9))
    emulator.fault("job_fails", times=1)
    with pytest.raises(PlatformError, match=f"of project {project_id} failed"):
        send(http, project_id, tmp_path, objects(0.9))
    assert jobs(emulator, project_id) == ["failed"]  # the one that was lost
    send(http, project_id, tmp_path, objects(0.9))  # a job that failed is replaced
    assert jobs(emulator, project_id) == ["failed", "completed"]


def jobs(emulator: Emulator, project_id: str) -> list[str]:
    """The status of every job of a project."""
    with closing(sqlite3.connect(emulator.folder / "state.db")) as db:
        query = "SELECT status FROM jobs WHERE project_id = ? ORDER BY rowid"
        return [status for (status,) in db.execute(query, (project_id,))]


def test_confidence_bands_go_up_apart(
    platform: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(platform, images(2), tmp_path / "ledger")
    done = preannotate(
        platform,
        project_id,
        [objects(0.3, 0.95), objects(0.6, name="001.jpg")],
        ["car"],
        tmp_path / "out",
        tmp_path / "ledger",
        buckets=True,
    )
    assert (len(done.jobs), done.images, done.objects) == (3, 3, 3)
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == [f"preannotations-{b}-001.json" for b in ("high", "low", "medium")]


def test_found_before_anything_is_sent(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(http, images(2), tmp_path / "ledger")
    with pytest.raises(DataError, match="'train' is no question"):
        preannotate(http, project_id, [], ["train"], tmp_path / "out", tmp_path / "ledger")
    with pytest.raises(DataError, match=r"1 images are not in project .*unknown\.jpg"):
        send(http, project_id, tmp_path, objects(0.9, name="unknown.jpg"))
    bare = AnnotatedImage("000.jpg", 40, 30, (Preannotation("car", (), 0.9),))
    with pytest.raises(DataError, match=r"000\.jpg: car: a box without polygon"):
        send(http, project_id, tmp_path, bare)
    assert emulator.faults.calls["POST /actions/upload_answers"] == 0


def test_names_are_mended_where_only_the_case_differs(
    http: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(http, images(1), tmp_path / "ledger")
    done = send(http, project_id, tmp_path, objects(0.9, name="000.JPG"))
    assert done.renamed == {"000.JPG": "000.jpg"}  # type: ignore[attr-defined]


def test_what_the_platform_itself_says_of_a_case_that_differs(
    http: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    """Without the checks: the job completes and lists the file."""
    project_id = make_project(http, images(1), tmp_path / "ledger")
    path = tmp_path / "by_hand.json"
    ring = SQUARE.reshape(-1).tolist()
    coco = {
        "images": [{"id": 0, "file_name": "000.JPG"}],
        "categories": [{"id": 0, "name": "car"}],
        "annotations": [{"id": 0, "image_id": 0, "category_id": 0, "segmentation": [ring]}],
    }
    path.write_text(json.dumps(coco))
    with pytest.raises(PlatformError, match=r"1 files were not updated \(000\.JPG\)"):
        send_file(http, project_id, path, tmp_path / "ledger")


@pytest.mark.parametrize("transport", ["http", "sdk"])
@pytest.mark.parametrize("shape", ["response", "top"])
def test_both_shapes_of_export_status(
    transport: str, shape: str, images: Images, tmp_path: Path
) -> None:
    quirks = Quirks(export_status=shape, list_projects="list")  # type: ignore[arg-type]
    with start_emulator(tmp_path / "emulator", quirks=quirks) as emulator:
        platform = adapter(transport, emulator.url)
        project_id = make_project(platform, images(1), tmp_path / "ledger")
        files = [f.file_id for f in platform.project_files(project_id)]
        platform.set_status(project_id, files, "accepted")
        report_id = platform.start_export(project_id, "shapes", ["accepted"])
        assert platform.wait_export(project_id, report_id).status == "Created"
        path = platform.download_export(project_id, report_id, tmp_path / "export.json")
        export = json.loads(path.read_text())
        assert len(export["images"]) == 1
        assert export["annotations"] == []
        # Nobody drew anything: the order of the classes comes from the template.
        template = platform.template(platform.project(project_id).template_id)
        assert [q.name for q in template.questions] == ["car", "bus"]


def test_an_export_that_never_ends_or_fails(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(platform, images(1), tmp_path / "ledger")
    files = [f.file_id for f in platform.project_files(project_id)]
    platform.set_status(project_id, files, "accepted")
    emulator.fault("export_never_ends")
    report_id = platform.start_export(project_id, "slow", ["accepted"])
    with pytest.raises(PlatformError, match=f"export {report_id} .*not finished after 0.3 s"):
        platform.wait_export(project_id, report_id, timeout=0.3)
    emulator.faults.clear()
    emulator.fault("export_fails")
    report_id = platform.start_export(project_id, "bad", ["accepted"])
    with pytest.raises(PlatformError, match=f"export {report_id} of .* failed at the platform"):
        platform.wait_export(project_id, report_id)


def test_an_expired_download_link_is_asked_for_again(
    http: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    project_id = make_project(http, images(1), tmp_path / "ledger")
    files = [f.file_id for f in http.project_files(project_id)]
    http.set_status(project_id, files, "accepted")
    report_id = http.start_export(project_id, "expired", ["accepted"])
    http.wait_export(project_id, report_id)
    emulator.fault("link_expired", times=1)
    path = http.download_export(project_id, report_id, tmp_path / "export.json")
    assert len(json.loads(path.read_text())["images"]) == 1


def test_statuses_that_the_sdk_does_not_know(
    platform: HttpPlatform, images: Images, tmp_path: Path
) -> None:
    """The main line exports five statuses only; the platform has more."""
    project_id = make_project(platform, images(1), tmp_path / "ledger")
    files = [f.file_id for f in platform.project_files(project_id)]
    platform.set_status(project_id, files, "rejected")
    report_id = platform.start_export(project_id, "rejected", ["rejected"])
    platform.wait_export(project_id, report_id)
    with pytest.raises(PlatformError, match="the format must be one of json, coco_json"):
        platform.send_preannotations(project_id, tmp_path / "x.json", "coco")


def test_answers_are_retried_whole(
    platform: HttpPlatform, emulator: Emulator, images: Images, tmp_path: Path
) -> None:
    """A body that was read from a file must not be empty the second time."""
    project_id = make_project(platform, images(1), tmp_path / "ledger")
    emulator.fault("status", path="upload_answers$", status=503, times=2)
    done = preannotate(
        platform, project_id, [objects(0.9)], ["car"], tmp_path / "out", tmp_path / "ledger"
    )
    assert len(done.jobs) == 1
    assert emulator.faults.calls["POST /actions/upload_answers"] == 3


def test_the_order_of_classes_is_the_templates() -> None:
    questions = (Question("car ", "", "q1"), Question("bus", "", "q2"))
    categories = [
        {"id": 0, "name": "renamed", "labellerr_question_id": "q2"},
        {"id": 1, "name": "car "},
    ]
    assert export_classes(categories, questions) == {0: 1, 1: 0}
    assert export_classes([], questions) == {}
    with pytest.raises(DataError, match="'van' is no question"):
        export_classes([{"id": 0, "name": "van"}], questions)


def test_trajectories_of_a_video(platform: HttpPlatform, tmp_path: Path) -> None:
    """``video_json`` goes over HTTP where the SDK's line does not know it."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    name = unique("video")
    files = check_files([path], data_type="video")
    done = upload(platform, files, name, tmp_path / "ledger", data_type="video")
    template = platform.ensure_template(name, QUESTIONS, "video")
    ids = [d.dataset_id for d in done.datasets]
    project = platform.ensure_project(name, ids, template.template_id, "video")
    box = [{"x": float(x), "y": float(y)} for x, y in SQUARE]
    track = {"frames": {"0": {"frame": 0, "answer": box, "timestamp": 0.0}}}
    answer = {"question_name": "car", "question_type": "polygon", "answer": [track]}
    answers = tmp_path / "video.json"
    answers.write_text(json.dumps([{"file_name": "a.mp4", "annotations": [answer]}]))
    job = send_file(platform, project.project_id, answers, tmp_path / "ledger", format="video_json")
    assert (job.status, job.files_not_updated) == ("completed", ())
