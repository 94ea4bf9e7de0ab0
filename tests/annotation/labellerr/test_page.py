"""From a click on the page to the pulled label."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from labellerr_loopback import Delays, Emulator, start_emulator
from segtrack.annotation import Review, Reviewed
from segtrack.annotation.labellerr import EMULATOR_CREDENTIALS
from segtrack.annotation.labellerr.http_platform import HttpPlatform
from segtrack.annotation.labellerr.transport import Transport
from segtrack.base.content_names import without_tag
from segtrack.dataset import Dataset
from segtrack.model.predictions import Predictions
from tests.browser import Person, open_browser

from . import videos
from .conftest import QUICK
from .reviews import Numbers, planted_predictions, send, small_dataset, take_back
from .test_pull_videos import Desk as VideoDesk
from .test_pull_videos import Object, along, close, lower, tracked, upper

WIDTH, HEIGHT = 480, 270
DRAWN = [[200.0, 100.0], [260.0, 105.0], [250.0, 160.0]]


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Predictions]:
    root = tmp_path_factory.mktemp("predicted")
    dataset = small_dataset(root / "dataset", root / "cache")
    return dataset, planted_predictions(dataset, root / "predictions")


class Desk:
    """Predictions of five images on the page, and the way back."""

    def __init__(self, emulator: Emulator, predicted: Any, root: Path) -> None:
        self.root = root
        self.platform = HttpPlatform(Transport(emulator.url, EMULATOR_CREDENTIALS, QUICK), 20.0)
        self.sent: Reviewed = send(self.platform, *predicted, root, "page")
        self.home = emulator.page(self.sent.project_id)
        files = self.platform.project_files(self.sent.project_id)
        self.ids = {without_tag(file.file_name): file.file_id for file in files}

    def page(self, name: str) -> str:
        return f"{self.home}files/{self.ids[name]}/"

    def file(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{self.page(name)}answers", timeout=30).json()
        return found["response"]  # type: ignore[no-any-return]

    def save(self, name: str, **change: Any) -> None:
        body = {"revision": self.file(name)["revision"], **change}
        answer = requests.patch(f"{self.page(name)}answers", json=body, timeout=30)
        assert answer.status_code == 200, answer.text

    def pull(self) -> Review:
        return take_back(self.platform, self.sent.folder, self.root / "pull", Numbers())

    def labels(self, review: Review) -> dict[str, list[tuple[str, list[int]]]]:
        """Class and outline of each label, by file name."""
        coco = json.loads((review.folder / "labels.coco.json").read_text())
        names = {image["id"]: Path(image["file_name"]).name for image in coco["images"]}
        classes = {category["id"]: category["name"] for category in coco["categories"]}
        found: dict[str, list[Any]] = {name: [] for name in names.values()}
        for one in coco["annotations"]:
            label = (classes[one["category_id"]], one["segmentation"][0])
            found[names[one["image_id"]]].append(label)
        return found

    def saved(self, name: str) -> list[tuple[str, list[int]]]:
        """The same of what the page shows, in whole pixels as exports have it."""
        file = self.file(name)
        classes = {question["id"]: question["name"] for question in file["questions"]}
        return [
            (classes[one["question_id"]], np.floor(np.ravel(one["points"]) + 0.5).tolist())
            for one in file["answers"]
        ]


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with start_emulator(tmp_path / "emulator", delays=Delays(0, 0, 0)) as running:
        yield running


@pytest.fixture
def desk(emulator: Emulator, predicted: Any, tmp_path: Path) -> Desk:
    return Desk(emulator, predicted, tmp_path)


def test_what_the_page_saves_is_pulled(desk: Desk) -> None:
    as_it_was, changed, rejected, *_ = sorted(desk.ids)
    desk.save(as_it_was, status="accepted")
    desk.save(rejected, status="rejected")
    file = desk.file(changed)
    gone, moved, reclassed = file["answers"][:3]
    grown = [*moved["points"][:-1], [moved["points"][-1][0], moved["points"][-1][1] + 3.4]]
    other = next(q["id"] for q in file["questions"] if q["id"] != reclassed["question_id"])
    put = [
        {"id": moved["id"], "question_id": moved["question_id"], "points": grown},
        {"id": reclassed["id"], "question_id": other, "points": reclassed["points"]},
        {"id": str(uuid.uuid4()), "question_id": other, "points": DRAWN},
    ]
    desk.save(changed, put=put, removed=[gone["id"]], status="accepted")
    review = desk.pull()
    assert review.images == 2
    labels = desk.labels(review)
    assert set(labels) == {as_it_was, changed}
    for name in labels:
        assert Counter(map(str, labels[name])) == Counter(map(str, desk.saved(name)))


def test_clicks_come_back_as_labels(desk: Desk, tmp_path: Path) -> None:
    first, second, *_ = sorted(desk.ids)
    with open_browser(tmp_path) as browser:
        person = Person(browser, WIDTH, HEIGHT)
        person.open(desk.page(first))
        before = desk.file(first)["answers"]
        person.press("o", "\ue017")  # the first object is deleted
        person.saved()
        assert len(desk.file(first)["answers"]) == len(before) - 1
        person.press("d")
        person.click(*DRAWN)
        person.press("\ue007", "2")
        person.saved()
        person.press("a")
        person.wait(lambda: desk.ids[second] in browser.current_url)
        assert person.errors() == []
    review = desk.pull()
    assert review.images == 1
    (labels,) = desk.labels(review).values()
    assert Counter(map(str, labels)) == Counter(map(str, desk.saved(first)))
    name, outline = labels[-1]
    assert name == desk.file(first)["questions"][1]["name"]
    assert np.array(outline) == pytest.approx(np.ravel(DRAWN), abs=1.5)


def test_two_tracks_that_changed_places_are_put_right(
    http: HttpPlatform, emulator: Emulator, tmp_path: Path
) -> None:
    """The same by clicks as ``test_two_identities_that_changed_places``, with the same scores."""
    half, rest = range(5), range(5, 10)
    objects = (
        Object(1, 0, along(upper, half) | along(lower, rest)),
        Object(2, 0, along(lower, half) | along(upper, rest)),
    )
    tracks = tracked(tmp_path / "tracks", objects, ("person",))
    desk = VideoDesk(http, emulator, tmp_path, [tracks])
    grid = emulator.page(desk.sent.project_id)
    with open_browser(tmp_path) as browser:
        person = Person(browser, videos.WIDTH, videos.HEIGHT)
        browser.get(grid)
        person.one(".grid a").click()
        person.ready()
        person.press(*["\ue014"] * 5)
        for name in ("person 1", "person 2"):
            click_track(person, name)
            person.one("#split").click()
        for first, second in (("person 1", "person 4"), ("person 2", "person 3")):
            click_track(person, first)
            person.one("#join").click()
            click_track(person, second)
        person.saved()
        assert person.texts("#objects .name") == ["person 1", "person 2"]
        person.press("a")
        person.wait(lambda: person.one("#status").text == "accepted")
        person.saved()
        assert person.errors() == []
    _, numbers = desk.pull()
    close(numbers, hota=(1 / 3) ** 0.5, mota=0.9, idf1=0.5, idsw=2, deta=1, assa=1 / 3)
    close(numbers, split=2, accepted=0, joined=0)


def click_track(person: Person, name: str) -> None:
    """A click on its row in the list."""

    def click() -> None:
        rows = person.all("#objects button")
        next(row for row in rows if row.text == name).click()

    person.steady(click)
