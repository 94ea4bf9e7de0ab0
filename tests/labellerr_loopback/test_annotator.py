"""The simulated annotator: what it decides, its error rates, and that a seed repeats it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labellerr_loopback import start_emulator
from labellerr_loopback.annotator import Rates, Record, annotate
from segtrack.base.errors import DataError
from segtrack.base.polygons import mask_iou
from tests.labellerr_loopback.conftest import KNOWN, QUICK, Api, coco, jpeg

CLASSES = ["car", "bus "]


def square(x: float, y: float, side: float = 10) -> Any:
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], float)


def flat(polygon: Any) -> list[float]:
    return [float(v) for v in polygon.reshape(-1)]


TRUTH = {
    "a.jpg": [("car", square(5, 5)), ("bus", square(40, 5)), ("car", square(5, 30))],
    "b.JPG": [],
    "c.jpg": [("car", square(20, 20))],
}
GUESSES = [
    (0, 0, flat(square(5, 5))),  # equals its object
    (0, 1, flat(square(43, 5))),  # 7 of 13 columns: IoU 0.54
    (0, 0, flat(square(40, 30))),  # fits nothing
    (1, 0, flat(square(30, 30))),  # fits nothing
    (2, 1, flat(square(20, 20))),  # the right place, but not the right class
]


def review(api: Api, project: str, **rates: float) -> Record:
    api.preannotate(project, coco(["a.jpg", "b.JPG", "c.jpg"], CLASSES, GUESSES))
    return annotate(api.url, project, TRUTH, Rates(**{"shift": 0.0, **rates}), seed=1)


def test_a_proxy_is_not_asked_for_this_machine(
    api: Api, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert annotate(api.url, project, TRUTH).files == 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "127.0.0.1"])
def test_where_no_emulator_is(url: str) -> None:
    with pytest.raises(DataError, match=f"GET {url}/.*: no answer of an emulator") as caught:
        annotate(url, "p", TRUTH)
    assert caught.value.exit_code == 2 and "\n" not in str(caught.value)


def test_iou_of_masks() -> None:
    iou = mask_iou([square(0, 0), square(5, 0)], [square(0, 0), square(30, 30)], (64, 48))
    np.testing.assert_allclose(iou, [[1, 0], [1 / 3, 0]])


def test_without_errors(api: Api, project: str) -> None:
    record = review(api, project)
    found = [(a.file_name, a.class_name, a.kind) for a in record.actions]
    assert sorted(found) == [
        ("a.jpg", "bus", "corrected"),
        ("a.jpg", "car", "accepted"),
        ("a.jpg", "car", "added"),
        ("a.jpg", "car", "deleted"),
        ("b.JPG", "car", "deleted"),
        ("c.jpg", "bus", "deleted"),
        ("c.jpg", "car", "added"),
    ]
    assert record.files == 3
    assert record.seen() == {"accepted": 1, "corrected": 1, "deleted": 3, "added": 2}
    assert record.seen("bus") == {"accepted": 0, "corrected": 1, "deleted": 1, "added": 0}
    (corrected,) = [a for a in record.actions if a.kind == "corrected"]
    assert corrected.iou_before == pytest.approx(7 / 13)
    assert corrected.iou_after == 1
    files = api.files(project)
    assert {file["status"] for file in files.values()} == {"accepted"}
    # Nothing shifts and nothing is missed, so what is left is the truth.
    for name, objects in TRUTH.items():
        left = sorted((a["question"].strip(), a["polygon"]) for a in files[name]["answers"])
        assert left == sorted((n, polygon.tolist()) for n, polygon in objects)
    assert {a["question"] for a in files["a.jpg"]["answers"]} == {"car", "bus "}


@pytest.mark.parametrize(
    ("rate", "kind", "seen"),
    [
        ("miss_correction", {"unmended": 1}, {"accepted": 2, "corrected": 0}),
        ("miss_deletion", {"left": 3}, {"accepted": 4, "deleted": 0}),
        ("miss_addition", {"missed": 2}, {"added": 0}),
        ("wrong_deletion", {"rejected": 2}, {"accepted": 0, "corrected": 0, "deleted": 5}),
    ],
)
def test_each_error(
    api: Api, project: str, rate: str, kind: dict[str, int], seen: dict[str, int]
) -> None:
    record = review(api, project, **{rate: 1.0})
    assert {k: record.counts()[k] for k in kind} == kind
    expected = {"accepted": 1, "corrected": 1, "deleted": 3, "added": 2, **seen}
    assert record.seen() == expected
    left = sum(len(file["answers"]) for file in api.files(project).values())
    assert left == expected["accepted"] + expected["corrected"] + expected["added"]


def test_a_seed_repeats_it_on_another_platform(tmp_path: Path) -> None:
    """Ids are random there; the decisions must not be."""
    results = []
    for run, seed in enumerate((3, 3, 4)):
        folder = tmp_path / str(run)
        with start_emulator(folder, credentials=KNOWN, delays=QUICK) as running:
            api = Api(running.url)
            files = {name: jpeg(tmp_path, name) for name in TRUTH}
            project = api.project([api.dataset(api.upload(files))], api.template(CLASSES))
            api.preannotate(project, coco(list(TRUTH), CLASSES, GUESSES))
            rates = Rates(shift=1.0, miss_deletion=0.5, miss_addition=0.5, wrong_deletion=0.3)
            record = annotate(running.url, project, TRUTH, rates, seed)
            labels = {
                name: [(a["question"], a["polygon"]) for a in file["answers"]]
                for name, file in sorted(api.files(project).items())
            }
            # NaN is not equal to itself; its text is.
            results.append((repr(record), labels))
    assert results[0] == results[1]
    assert results[0] != results[2]


def test_rates_are_rates(api: Api, tmp_path: Path) -> None:
    """Of 200 false positives about 30 % stay, of 200 objects about 20 % are missed."""
    names = [f"{i}.jpg" for i in range(20)]
    data = jpeg(tmp_path, "x")
    project = api.project(
        [api.dataset(api.upload(dict.fromkeys(names, data)))], api.template(CLASSES)
    )
    places = [(6 * k, 0) for k in range(10)]
    guesses = [(i, 0, flat(square(x, 30, 4))) for i in range(20) for x, _ in places]
    api.preannotate(project, coco(names, CLASSES, guesses))
    truth = {name: [("car", square(x, y, 4)) for x, y in places] for name in names}
    rates = Rates(miss_deletion=0.3, miss_addition=0.2)
    counts = annotate(api.url, project, truth, rates, seed=0).counts()
    assert counts["left"] + counts["deleted"] == counts["missed"] + counts["added"] == 200
    # Three standard deviations of a binomial count.
    assert abs(counts["left"] - 60) < 3 * np.sqrt(200 * 0.3 * 0.7)
    assert abs(counts["missed"] - 40) < 3 * np.sqrt(200 * 0.2 * 0.8)


def test_shift(api: Api, project: str) -> None:
    record = review(api, project, shift=0.5)
    drawn = [a for a in record.actions if a.kind in ("added", "corrected")]
    assert all(0.7 < a.iou_after < 1.001 for a in drawn)
    polygons = [
        a["polygon"]
        for file in api.files(project).values()
        for a in file["answers"]
        if a["source"] == "human"
    ]
    moved = np.abs(np.concatenate(polygons) - np.round(np.concatenate(polygons)))
    assert 0 < moved.mean() < 0.5


def test_what_a_person_has_done_stays(api: Api, project: str) -> None:
    """One file accepted with a bus of its own, one skipped: only the third is simulated."""
    api.preannotate(project, coco(["a.jpg", "b.JPG", "c.jpg"], CLASSES, GUESSES))
    bus = {"question": "bus ", "polygon": square(1, 1).tolist()}
    mine = {"file_name": "a.jpg", "status": "accepted", "answers": [bus]}
    skipped = {"file_name": "c.jpg", "status": "skipped"}
    assert api.work(project, [mine, skipped]).status_code == 200
    before = api.files(project)
    record = annotate(api.url, project, {"b.JPG": []})
    assert (record.files, record.seen()["deleted"]) == (1, 1)
    after = api.files(project)
    assert {name: after[name] for name in ("a.jpg", "c.jpg")} == {
        name: before[name] for name in ("a.jpg", "c.jpg")
    }
    assert (after["b.JPG"]["status"], after["b.JPG"]["answers"]) == ("accepted", [])
    again = annotate(api.url, project, {})
    assert (again.files, again.actions) == (0, ())
    assert api.files(project) == after


def test_a_file_without_truth(api: Api, project: str) -> None:
    with pytest.raises(DataError, match=r"no true objects are known for file 'b\.JPG'"):
        annotate(api.url, project, {name: TRUTH[name] for name in ("a.jpg", "c.jpg")})


def test_unknown_project(api: Api) -> None:
    with pytest.raises(DataError, match="answered 404"):
        annotate(api.url, "nobody", TRUTH)


@pytest.mark.parametrize("rates", [{"miss_deletion": 1.2}, {"match_iou": 0.9}])
def test_impossible_rates(rates: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="rates must be"):
        Rates(**rates)
