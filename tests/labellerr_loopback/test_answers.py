"""Pre-annotations in, human work, exports out: values, and what is silently left out."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import requests

from labellerr_loopback import Emulator, Quirks, preannotations, start_emulator
from labellerr_loopback.state import State
from labellerr_loopback.writing import Wish, count_files, write_export
from tests.labellerr_loopback.conftest import KNOWN, QUICK, Api, coco, jpeg

RING = [10, 10, 30, 10, 30, 30, 10, 30]
CLASSES = ["car", "bus "]


def answers(api: Api, project: str) -> dict[str, list[tuple[str, Any, Any]]]:
    """Question, polygon and confidence bucket, by file name, where there are any."""
    return {
        name: [(a["question"], a["polygon"], a["conf_bucket"]) for a in file["answers"]]
        for name, file in sorted(api.files(project).items())
        if file["answers"]
    }


def test_what_reaches_a_file(api: Api, project: str) -> None:
    content = coco(["a.jpg", "c.jpg"], CLASSES, [(0, 0, RING), (1, 1, RING)])
    content["annotations"][0]["score"] = 0.75
    status = api.preannotate(project, content, conf_bucket="high")
    assert status["status"] == "completed"
    assert status["metadata"]["questions_ignored"] == []
    assert status["metadata"]["files_not_updated"] == []
    square = [[10, 10], [30, 10], [30, 30], [10, 30]]
    assert answers(api, project) == {
        "a.jpg": [("car", square, "high")],
        "c.jpg": [("bus ", square, "high")],
    }
    file = api.files(project)["a.jpg"]
    assert (file["status"], file["answers"][0]["score"]) == ("None", 0.75)
    assert file["answers"][0]["source"] == "preannotation"


def test_a_name_of_another_case_is_not_updated(api: Api, project: str) -> None:
    content = coco(["a.JPG", "b.jpg", "c.jpg"], CLASSES, [(i, 0, RING) for i in range(3)])
    metadata = api.preannotate(project, content)["metadata"]
    assert metadata["files_not_updated"] == ["a.JPG", "b.jpg"]
    assert list(answers(api, project)) == ["c.jpg"]


def test_names_in_any_case_where_that_is_switched_on(tmp_path: Path) -> None:
    quirks = Quirks(exact_names=False, exact_questions=False, boxes_ignored=False)
    with start_emulator(tmp_path, credentials=KNOWN, delays=QUICK, quirks=quirks) as running:
        api = Api(running.url)
        dataset = api.dataset(api.upload({"b.JPG": jpeg(tmp_path, "b")}))
        project = api.project([dataset], api.template(CLASSES))
        content = coco(["B.jpg"], ["Car", "bus"], [(0, 0, RING), (0, 1, RING)])
        content["annotations"][1] |= {"segmentation": [], "bbox": [1, 2, 3, 4]}
        metadata = api.preannotate(project, content)["metadata"]
        assert metadata["questions_ignored"] == metadata["files_not_updated"] == []
        box = [[1, 2], [4, 2], [4, 6], [1, 6]]
        assert [a[:2] for a in answers(api, project)["b.JPG"]][1] == ("bus ", box)


def test_question_with_a_blank_at_its_end(api: Api, project: str) -> None:
    content = coco(["a.jpg", "c.jpg"], ["car", "bus"], [(0, 0, RING), (0, 1, RING), (1, 1, RING)])
    metadata = api.preannotate(project, content)["metadata"]
    assert metadata["questions_ignored"] == ["bus"]
    assert metadata["files_not_updated"] == ["c.jpg"]


@pytest.mark.parametrize(
    "shape",
    [
        {"segmentation": []},
        {"segmentation": None, "bbox": [1, 2, 3, 4]},
        {"segmentation": {"size": [48, 64], "counts": "abc"}},
        {"segmentation": [[1, 2, 3, 4]]},
        {"segmentation": [[1, 2, 3, 4, 5, 6, 7]]},
        {"segmentation": [["1", "2", "3", "4", "5", "6"]]},
        {"segmentation": [[1, 2, 3, 4, 5, float("nan")]]},
    ],
)
def test_only_polygons_are_taken(api: Api, project: str, shape: dict[str, Any]) -> None:
    content = coco(["a.jpg"], CLASSES, [(0, 0, RING)])
    content["annotations"][0] |= shape
    status = api.preannotate(project, content)
    assert status["status"] == "completed"
    assert status["metadata"]["files_not_updated"] == ["a.jpg"]
    assert answers(api, project) == {}


def test_image_without_objects_is_listed(api: Api, project: str) -> None:
    content = coco(["a.jpg", "c.jpg"], CLASSES, [(0, 0, RING)])
    assert api.preannotate(project, content)["metadata"]["files_not_updated"] == ["c.jpg"]


def test_two_files_of_one_name(api: Api, dataset: str, project: str, tmp_path: Path) -> None:
    other = api.dataset(api.upload({"a.jpg": jpeg(tmp_path, "a")}))
    params, body = {"project_id": project}, {"attached_datasets": [other]}
    api.ask("POST", "/actions/jobs/add_datasets_to_project", params=params, json=body)
    content = coco(["a.jpg"], CLASSES, [(0, 0, RING)])
    assert api.preannotate(project, content)["metadata"]["files_not_updated"] == ["a.jpg"]


def test_answers_are_written_some_at_a_time(
    api: Api, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preannotations, "_AT_ONCE", 3)
    for count in (10, 4, 6):  # each replaces the one before, whole batches or not
        objects = [(i % 2, 0, [i, 1, 30, 1, 30, 30]) for i in range(count)]
        api.preannotate(project, coco(["a.jpg", "c.jpg"], CLASSES, objects))
        found = {name: file["answers"] for name, file in api.files(project).items()}
        assert [a["polygon"][0][0] for a in found["a.jpg"]] == list(range(0, count, 2))
        assert [a["polygon"][0][0] for a in found["c.jpg"]] == list(range(1, count, 2))


def test_buckets_add_up_and_a_second_upload_replaces(api: Api, project: str) -> None:
    low, high = [1, 1, 9, 1, 9, 9], [20, 20, 29, 20, 29, 29]
    api.preannotate(project, coco(["a.jpg"], CLASSES, [(0, 0, low)]), conf_bucket="low")
    for _ in range(2):
        api.preannotate(project, coco(["a.jpg"], CLASSES, [(0, 1, high)]), conf_bucket="high")
    found = answers(api, project)["a.jpg"]
    assert [(question, bucket) for question, _, bucket in found] == [
        ("car", "low"),
        ("bus ", "high"),
    ]


def test_the_same_upload_again_is_the_same_job(api: Api, project: str, emulator: Emulator) -> None:
    params = {"project_id": project, "answer_format": "coco_json", "uuid": "u"}
    content = json.dumps(coco(["a.jpg"], CLASSES, [(0, 0, RING)])).encode()
    jobs = {
        api.ask("POST", "/actions/upload_answers", params=params, files={"file": content})["job_id"]
        for _ in range(3)
    }
    assert len(jobs) == 1
    objects = [p for p in (emulator.folder / "objects").rglob("*") if p.is_file()]
    assert len(objects) == 4  # three images and one upload


def test_by_way_of_a_direct_link(api: Api, project: str) -> None:
    name = f"{project}/coco_json-answers.json"
    query = {"purpose": "pre-annotations", "file_name": name}
    link = api.ask("GET", "/connectors/direct-upload-url", params=query)
    content = json.dumps(coco(["a.jpg"], CLASSES, [(0, 0, RING)])).encode()
    assert requests.put(link, data=content, timeout=9).status_code == 200
    params = {"project_id": project, "answer_format": "coco_json", "gcs_path": name}
    job = api.ask("POST", "/actions/upload_answers", params=params)["job_id"]
    assert api.job(project, job)["status"] == "completed"
    assert list(answers(api, project)) == ["a.jpg"]


def test_coco_export(api: Api, dataset: str, project: str) -> None:
    ring = [1.4, 2.0, 10.6, 2.5, 10.0, 20.49]
    api.preannotate(project, coco(["a.jpg", "c.jpg"], CLASSES, [(0, 1, ring), (1, 0, RING)]))
    files = api.files(project)
    assert api.work(
        project, [{"file_name": name, "status": "accepted"} for name in ("a.jpg", "c.jpg")]
    ).ok
    export = api.export(project, ["accepted"])
    assert set(export) == {"info", "licenses", "images", "annotations", "categories"}
    ordered = sorted(("a.jpg", "c.jpg"), key=lambda name: files[name]["file_id"])
    assert [image["file_name"] for image in export["images"]] == ordered
    assert [image["id"] for image in export["images"]] == [0, 1]
    image = export["images"][ordered.index("a.jpg")]
    assert image["labellerr_file_id"] == files["a.jpg"]["file_id"]
    assert image["labellerr_file_status"] == "accepted"
    assert (image["width"], image["height"]) == (64, 48)
    names = [category["name"] for category in export["categories"]]
    assert sorted(names) == ["bus ", "car"]
    assert export["categories"][names.index("bus ")]["color"] == [0, 0, 1]
    (bus,) = [a for a in export["annotations"] if a["image_id"] == image["id"]]
    assert bus["category_id"] == names.index("bus ")
    assert bus["segmentation"] == [[1, 2, 11, 3, 10, 20]]
    assert bus["bbox"] == [1, 2, 10, 18]
    # 1, 2 -> 11, 3 -> 10, 20: |10 * 18 - 9 * 1| / 2
    assert bus["area"] == 85.5
    assert bus["iscrowd"] == 0
    assert bus["attributes"] == []
    assert bus["labellerr_answer_id"] == files["a.jpg"]["answers"][0]["answer_id"]


def test_export_without_answers_has_no_categories(api: Api, project: str) -> None:
    export = api.export(project, ["None"])
    assert (len(export["images"]), export["annotations"], export["categories"]) == (3, [], [])


def test_export_of_what_changed_since(api: Api, project: str) -> None:
    api.work(project, [{"file_name": "a.jpg", "status": "accepted"}])
    since = api.export(project, ["accepted"])["info"]["date_created"]
    api.work(project, [{"file_name": "c.jpg", "status": "accepted"}])
    export = api.export(project, ["accepted"], updated_after_timestamp=since)
    assert [image["file_name"] for image in export["images"]] == ["c.jpg"]


def test_json_export(api: Api, project: str) -> None:
    api.work(project, [{"file_name": "a.jpg", "status": "review"}])
    (file,) = api.export(project, ["review"], export_format="json")
    assert (file["file_name"], file["file_status"], file["latest_answer"]) == (
        "a.jpg",
        "review",
        [],
    )
    assert file["file_metadata"]["image_width"] == 64


@pytest.mark.parametrize(("where", "top", "response"), [("response", False, True),
                                                        ("top", True, False),
                                                        ("both", True, True)])  # fmt: skip
def test_where_the_export_status_is(tmp_path: Path, where: Any, top: bool, response: bool) -> None:
    quirks = Quirks(export_status=where)
    with start_emulator(tmp_path, credentials=KNOWN, delays=QUICK, quirks=quirks) as running:
        api = Api(running.url)
        dataset = api.dataset(api.upload({"a.jpg": jpeg(tmp_path, "a")}))
        project = api.project([dataset], api.template(CLASSES))
        body = {"export_name": "e", "export_format": "coco_json", "statuses": ["None"]}
        params = {"project_id": project}
        report = api.ask("POST", "/sdk/export/files", params=params, json=body)["report_id"]
        body = {"report_ids": [report]}
        answer = api.call("POST", "/exports/status", params=params, json=body).json()
        assert (bool(answer.get("status")), bool(answer["response"])) == (top, response)
        (status,) = answer["response"] or answer["status"]
        assert (status["report_id"], status["is_completed"]) == (report, True)
        listed = api.ask("GET", "/exports/list", params=params)
        assert [e["report_id"] for e in listed["completed"]] == [report]


def test_human_work(api: Api, project: str) -> None:
    api.preannotate(project, coco(["a.jpg"], CLASSES, [(0, 0, RING), (0, 0, RING[::-1])]))
    kept, moved = (a["answer_id"] for a in api.files(project)["a.jpg"]["answers"])
    triangle = [[1, 1], [5, 1], [5.5, 5]]
    work = [
        {
            "file_name": "a.jpg",
            "status": "accepted",
            "answers": [
                {"answer_id": kept},
                {"answer_id": moved, "polygon": triangle},
                {"question": "bus ", "polygon": triangle},
            ],
        }
    ]
    assert api.work(project, work).ok
    file = api.files(project)["a.jpg"]
    assert file["status"] == "accepted"
    assert [(a["question"], a["source"]) for a in file["answers"]] == [
        ("car", "preannotation"),
        ("car", "human"),
        ("bus ", "human"),
    ]
    assert file["answers"][1]["polygon"] == triangle
    assert api.work(project, [{"file_name": "a.jpg", "answers": []}]).ok
    assert api.files(project)["a.jpg"]["answers"] == []


def test_video(api: Api) -> None:
    from tests.labellerr_loopback.video import small_video

    data = small_video(frames=6, size=(64, 48), fps=10)
    dataset = api.dataset(api.upload({"street.mp4": data}), "video")
    project = api.project([dataset], api.template(["car"], "video"), "video")
    file = api.ask("GET", "/search/files/all", params={"dataset_id": dataset})["files"][0]
    metadata = file["file_metadata"]
    assert (metadata["total_frames"], metadata["fps"], metadata["image_width"]) == (6, 10, 64)
    params = {"file_id": file["file_id"], "dataset_id": dataset, "project_id": project}
    params |= {"frame_start": 1, "frame_end": 3}
    frames = api.call("GET", "/data/video_frames", params=params).json()
    assert sorted(frames) == ["1", "2"]
    assert requests.get(frames["2"], timeout=9).content[:2] == b"\xff\xd8"
    track = {"frames": {"0": {"frame": 0, "answer": [{"x": 1, "y": 1}], "timestamp": 0}}}
    annotation = {"question_name": "car", "question_type": "polygon", "answer": [track, track]}
    other = {**annotation, "question_name": "tram"}
    content = [
        {"file_name": "street.mp4", "annotations": [annotation, other]},
        {"file_name": "no.mp4", "annotations": [annotation]},
    ]
    status = api.preannotate(project, content, answer_format="video_json")
    assert status["metadata"]["questions_ignored"] == ["tram"]
    assert status["metadata"]["files_not_updated"] == ["no.mp4"]
    found = api.files(project)["street.mp4"]["answers"]
    assert [(a["kind"], a["data"]) for a in found] == [("track", track)] * 2
    bad = [{"file_name": "street.mp4", "annotations": [{**annotation, "answer": [{}]}]}]
    part = {"file": json.dumps(bad).encode()}
    query = {"project_id": project, "answer_format": "video_json"}
    assert api.call("POST", "/actions/upload_answers", params=query, files=part).status_code == 400
    where = {"project_id": project, "file_id": file["file_id"]}
    body = {**where, "keyframes": [{"frame_number": n, "is_manual": True} for n in (0, 3)]}
    api.ask("POST", "/actions/add_update_keyframes", json=body)
    body = {**where, "keyframes": [0]}
    api.ask("POST", "/actions/delete_keyframes", json=body)
    left = api.ask("GET", "/_emulator/keyframes", params=where)
    assert [k["frame_number"] for k in left] == [3]


def test_export_of_2500_files_in_flat_memory(tmp_path: Path) -> None:
    state = State(tmp_path)
    question = {"question_id": "q", "question": "car", "color": "#FF0000"}
    with state.change() as db:
        db.execute(
            "INSERT INTO datasets VALUES (1, 'd', 'd', '', 'image', 'c', 0, 300, 0, 0, 0, 0)"
        )
        db.execute("INSERT INTO templates VALUES ('t', 't', 'image', '[]', 0)")
        db.execute("INSERT INTO projects VALUES (1, 'p', 'p', 'image', 't', '{}', 0, NULL, 0)")
        for i in range(2_500):
            file = (f"f{i:05}", f"{i}.jpg")
            db.execute(
                "INSERT INTO files VALUES (?, 'd', 'c', ?, 'o', 9, 64, 48, 'jpg', NULL, NULL,"
                " 'image', 0)",
                file,
            )
            db.execute("INSERT INTO project_files VALUES ('p', ?, ?, 'accepted', NULL, 1)", file)
            db.executemany(
                "INSERT INTO answers (id, project_id, file_id, question_id, kind, data, source)"
                " VALUES (?, 'p', ?, 'q', 'polygon', ?, 'human')",
                [(f"{i}-{k}", file[0], json.dumps(RING)) for k in range(2)],
            )
    wish = Wish("p", "all", ("accepted",), None, 0)
    assert count_files(state, wish) == 2_500
    target = tmp_path / "export.json"
    tracemalloc.start()
    write_export(state, wish, "coco_json", "r", [question], target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    state.close()
    content = json.loads(target.read_text())
    assert (len(content["images"]), len(content["annotations"])) == (2_500, 5_000)
    assert content["annotations"][-1]["image_id"] == 2_499
    assert peak < 400_000  # bytes; the file has 1.5 MB
