"""Trajectories on their way back: work on them, exports, and the simulated annotator."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from labellerr_loopback import Emulator, Rates, TrueTrack, annotate_videos
from segtrack.base.polygons import Polygon
from tests.labellerr_loopback.conftest import Api
from tests.labellerr_loopback.video import small_video

FRAMES, SIZE, FPS = 20, (160, 120), 10
EXACT = Rates(shift=0)
ALL = range(FRAMES)


def box(x: float, y: float, width: float = 20.0, height: float = 16.0) -> Polygon:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])


def upper(frame: int) -> Polygon:
    return box(5 + 2.0 * frame, 10)


def lower(frame: int) -> Polygon:
    return box(100 - 2.0 * frame, 80)


def sent(outlines: dict[int, Polygon]) -> dict[str, Any]:
    """As an upload has it."""
    return {
        "startFrame": min(outlines),
        "frames": {
            str(frame): {
                "frame": frame,
                "answer": [{"x": x, "y": y} for x, y in ring.tolist()],
                "timestamp": frame / FPS,
            }
            for frame, ring in outlines.items()
        },
    }


def true(name: str, ring: Any, frames: Iterable[int] = ALL) -> TrueTrack:
    return TrueTrack(name, {frame: ring(frame) for frame in frames})


@pytest.fixture
def project(api: Api) -> str:
    connection = api.upload({"a.mp4": small_video(FRAMES, SIZE, FPS)})
    dataset = api.dataset(connection, "video")
    return api.project([dataset], api.template(["car", "bus"], "video"), "video")


def upload(api: Api, project: str, **tracks: list[dict[str, Any]]) -> None:
    annotations = [
        {"question_name": name, "question_type": "polygon", "answer": answers}
        for name, answers in tracks.items()
    ]
    content = [{"file_name": "a.mp4", "annotations": annotations}]
    status = api.preannotate(project, content, answer_format="video_json")
    assert status["metadata"]["files_not_updated"] == []


def back(api: Api, project: str) -> dict[str, list[dict[int, Polygon]]]:
    """Outlines of the trajectories of each question."""
    (video,) = api.export(project, ["accepted"], export_format="video_json")
    assert video["file_name"] == "a.mp4"
    return {
        one["question_name"]: [
            {
                int(n): np.array([[p["x"], p["y"]] for p in entry["answer"]])
                for n, entry in track["frames"].items()
            }
            for track in one["answer"]
        ]
        for one in video["annotations"]
    }


def test_an_export_has_what_was_uploaded(api: Api, project: str) -> None:
    tracks = [sent({0: upper(0), 1: upper(1)}), {**sent({3: lower(3)}), "name": "mine"}]
    upload(api, project, car=tracks, bus=[sent({5: lower(5)})])
    file = api.files(project)["a.mp4"]
    api.work(project, [{"file_id": file["file_id"], "status": "accepted"}])
    (video,) = api.export(project, ["accepted"], export_format="video_json")
    assert video["labellerr_file_id"] == file["file_id"]
    assert video["labellerr_file_status"] == "accepted"
    assert video["file_metadata"]["total_frames"] == FRAMES
    assert video["file_metadata"]["fps"] == FPS
    ids = {answer["data"]["startFrame"]: answer["answer_id"] for answer in file["answers"]}
    assert [
        {k: v for k, v in one.items() if k != "labellerr_question_id"}
        for one in video["annotations"]
    ] == [
        {
            "question_name": "car",
            "question_type": "polygon",
            "answer": [{**t, "labellerr_answer_id": ids[t["startFrame"]]} for t in tracks],
        },
        {
            "question_name": "bus",
            "question_type": "polygon",
            "answer": [{**sent({5: lower(5)}), "labellerr_answer_id": ids[5]}],
        },
    ]
    one = {"question_ids": [video["annotations"][1]["labellerr_question_id"]]}
    (video,) = api.export(project, ["accepted"], export_format="video_json", **one)
    assert [a["question_name"] for a in video["annotations"]] == ["bus"]


def test_pictures_have_no_trajectories_to_export(api: Api, dataset: str) -> None:
    project = api.project([dataset], api.template(["car"]))
    body = {"export_name": "e", "export_format": "video_json", "statuses": ["accepted"]}
    answer = api.call("POST", "/sdk/export/files", params={"project_id": project}, json=body)
    assert answer.status_code == 400
    assert "video_json needs a video project" in answer.json()["message"]


def test_work_on_trajectories(api: Api, project: str) -> None:
    upload(api, project, car=[sent({0: upper(0)}), sent({1: lower(1)})])
    file = api.files(project)["a.mp4"]
    first, second = (a["answer_id"] for a in file["answers"])
    moved = sent({0: box(1, 1), 2: box(3, 1)})
    work = {
        "file_id": file["file_id"],
        "status": "accepted",
        "answers": [
            {"answer_id": first, "question": "bus", "track": moved},
            {"question": "car", "track": sent({7: box(9, 9)})},
        ],
    }
    assert api.work(project, [work]).status_code == 200
    answers = api.files(project)["a.mp4"]["answers"]
    assert [(a["question"], a["data"], a["source"]) for a in answers] == [
        ("bus", moved, "human"),
        ("car", sent({7: box(9, 9)}), "human"),
    ]
    assert answers[0]["answer_id"] == first and second not in json.dumps(answers)
    before = api.files(project)
    for track in ({}, {"frames": {}}, {"frames": {"x": {"answer": []}}}, {"frames": {"1": {}}}):
        broken = {"file_id": file["file_id"], "answers": [{"question": "car", "track": track}]}
        assert api.work(project, [broken]).status_code == 400
    both = {"question": "car", "track": moved, "polygon": [[0, 0], [1, 0], [1, 1]]}
    answer = api.work(project, [{"file_id": file["file_id"], "answers": [both]}])
    assert answer.status_code == 400 and "not both" in answer.json()["message"]
    assert api.files(project) == before


def reviewed(
    emulator: Emulator, project: str, truth: list[TrueTrack], rates: Rates = EXACT
) -> tuple[dict[str, int], dict[str, int]]:
    done = annotate_videos(emulator.url, project, {"a.mp4": truth}, rates)
    assert done.files == 1
    counts = {kind: count for kind, count in done.counts().items() if count}
    return counts, {kind: count for kind, count in done.slips.items() if count}


def test_accepted_moved_deleted_added(api: Api, emulator: Emulator, project: str) -> None:
    upload(
        api,
        project,
        car=[
            sent({f: upper(f) for f in ALL}),
            sent({f: lower(f) + 4 for f in ALL}),  # IoU .43 with its object
            sent({f: box(130, 40, 12, 12) for f in ALL}),  # nothing is there
        ],
    )
    middle = true("bus", lambda f: box(60, 45), range(4, 16))
    truth = [true("car", upper), true("car", lower), middle]
    counts, slips = reviewed(emulator, project, truth)
    assert counts == {"accepted": 1, "corrected": 1, "deleted": 1, "added": 1}
    assert slips == {}
    found = back(api, project)
    (first, second), (drawn,) = found["car"], found["bus"]
    for frame in ALL:
        np.testing.assert_array_equal(first[frame], upper(frame))
        np.testing.assert_array_equal(second[frame], lower(frame))
    assert list(drawn) == list(range(4, 16))
    again = annotate_videos(emulator.url, project, {"a.mp4": truth}, EXACT)
    assert (again.files, again.actions) == (0, ())  # what is done stays


def test_split_and_joined(api: Api, emulator: Emulator, project: str) -> None:
    """The tracker changed from one object to the other at frame 10, and found the first anew."""
    changed = {f: upper(f) if f < 10 else lower(f) for f in ALL}
    found_anew = {f: upper(f) for f in range(10, 20)}
    upload(api, project, car=[sent(changed), sent(found_anew)])
    truth = [true("car", upper), true("car", lower)]
    counts, slips = reviewed(emulator, project, truth)
    assert (counts, slips) == ({"split": 1, "joined": 1}, {})
    one, other = sorted(back(api, project)["car"], key=lambda track: track[0][0, 1])
    assert sorted(one) == sorted(other) == list(ALL)  # the lower one was missed before
    for frame in ALL:
        np.testing.assert_array_equal(one[frame], upper(frame))
        np.testing.assert_array_equal(other[frame], lower(frame))


def test_identities_that_are_not_mended(api: Api, emulator: Emulator, project: str) -> None:
    halves = [sent({f: lower(f) for f in half}) for half in (range(10), range(10, 20))]
    changed = {f: upper(f) if f < 10 else box(120, 50) for f in ALL}
    upload(api, project, car=[sent(changed), *halves])
    truth = [
        true("car", upper, range(10)),
        true("car", lower),
        true("car", lambda f: box(120, 50), range(10, 20)),
    ]
    counts, slips = reviewed(emulator, project, truth, Rates(shift=0, miss_identity=1))
    assert (counts, slips) == ({"accepted": 3}, {"unsplit": 1, "unjoined": 1})
    lengths = Counter(len(track) for track in back(api, project)["car"])
    assert lengths == {20: 1, 10: 2}


@pytest.mark.parametrize(
    ("slip", "tracks", "counts", "slips"),
    [
        ("miss_correction", [lambda f: lower(f) + 4], {"accepted": 1}, {"unmended": 1}),
        ("miss_deletion", [lambda f: box(130, 40)], {"accepted": 1, "added": 1}, {"left": 1}),
        ("miss_addition", [], {}, {"missed": 1}),
        ("wrong_deletion", [lower], {"deleted": 1}, {"rejected": 1}),
    ],
)
def test_slips(
    api: Api,
    emulator: Emulator,
    project: str,
    slip: str,
    tracks: list[Any],
    counts: dict[str, int],
    slips: dict[str, int],
) -> None:
    if tracks:
        upload(api, project, car=[sent({f: ring(f) for f in ALL}) for ring in tracks])
    rates = Rates(shift=0, **{slip: 1.0})
    assert reviewed(emulator, project, [true("car", lower)], rates) == (counts, slips)


def test_another_class(api: Api, emulator: Emulator, project: str) -> None:
    upload(api, project, car=[sent({f: upper(f) for f in ALL})])
    assert reviewed(emulator, project, [true("bus", upper)]) == ({"corrected": 1}, {})
    assert list(back(api, project)) == ["bus"]


def test_what_is_brief_nobody_sees(api: Api, emulator: Emulator, project: str) -> None:
    """A gap of three frames, another object's outline for two, an object of four frames."""
    outlines = {f: upper(f) for f in ALL if f not in (6, 7, 8)}
    upload(api, project, car=[sent(outlines)])
    truth = [true("car", upper), true("bus", lambda f: box(130, 40), range(4))]
    assert reviewed(emulator, project, truth) == ({"accepted": 1}, {})


def test_a_trajectory_that_outlives_its_object(api: Api, emulator: Emulator, project: str) -> None:
    """By four frames nobody sees it; by six the rest is cut off."""
    upload(api, project, car=[sent(along(upper, 14)), sent(along(lower, 16))])
    truth = [true("car", upper, range(10)), true("car", lower, range(10))]
    assert reviewed(emulator, project, truth) == ({"accepted": 1, "corrected": 1}, {})
    lengths = {len(track) for track in back(api, project)["car"]}
    assert lengths == {14, 10}


def along(ring: Any, count: int) -> dict[int, Polygon]:
    return {frame: ring(frame) for frame in range(count)}


def test_a_longer_gap_is_filled(api: Api, emulator: Emulator, project: str) -> None:
    outlines = {f: upper(f) for f in ALL if not 6 <= f < 13}
    upload(api, project, car=[sent(outlines)])
    assert reviewed(emulator, project, [true("car", upper)]) == ({"corrected": 1}, {})
    ((track,),) = back(api, project).values()
    assert sorted(track) == list(ALL)


def test_thinned_files_are_worked_on_in_their_frames(
    api: Api, emulator: Emulator, project: str
) -> None:
    """Every second frame; the object that was missed gets outlines there, and nowhere else."""
    upload(api, project, car=[sent({f: upper(f) for f in (*range(0, 20, 2), 19)})])
    counts, _ = reviewed(emulator, project, [true("car", upper), true("bus", lower)])
    assert counts == {"accepted": 1, "added": 1}
    (drawn,) = back(api, project)["bus"]
    assert sorted(drawn) == list(range(0, 20, 2))
    track = api.files(project)["a.mp4"]["answers"][1]["data"]
    assert [entry["timestamp"] for entry in track["frames"].values()] == pytest.approx(
        [frame / FPS for frame in range(0, 20, 2)]
    )


def test_unknown_videos_are_left_to_people(api: Api, emulator: Emulator, project: str) -> None:
    upload(api, project, car=[sent({0: upper(0)})])
    done = annotate_videos(emulator.url, project, {"b.mp4": [true("car", upper)]}, EXACT)
    assert done.files == 0
    assert api.files(project)["a.mp4"]["status"] == "None"


def test_the_same_seed_does_the_same(api: Api, emulator: Emulator, project: str) -> None:
    rates = Rates(shift=0.7, miss_correction=0.5, miss_addition=0.5, miss_identity=0.5)
    changed = {f: upper(f) if f < 10 else lower(f) + 3 for f in ALL}
    tracks = [sent(changed), sent({f: upper(f) + 5 for f in range(10, 20)})]
    truth = {"a.mp4": [true("car", upper), true("car", lower)]}
    found = []
    for seed in (3, 3, 4):
        file_id = api.files(project)["a.mp4"]["file_id"]
        answers = [{"question": "car", "track": track} for track in tracks]
        fresh = {"file_id": file_id, "status": "None", "answers": answers}
        assert api.work(project, [fresh]).status_code == 200
        done = annotate_videos(emulator.url, project, truth, rates, seed)
        found.append((done, [a["data"] for a in api.files(project)["a.mp4"]["answers"]]))
        tracks.reverse()  # nor does their order matter
    assert found[0] == found[1] != found[2]
