"""The pictures of an evaluation, and what stands behind its figures."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from segtrack.dataset import Dataset, YoloSettings, prepare
from segtrack.evaluation import evaluate
from segtrack.runs import KeptRun
from segtrack.runs.places import Folder
from segtrack.settings import EvaluationSettings, MlflowSettings, SplitFractions
from segtrack.view import Library, start_view
from segtrack.view.images import Pictures
from tests.browser import Person, open_browser
from tests.evaluation.scenes import SIZE, Detection, write_predictions

NAMES = ("car", "person", "bus")
# Objects by picture: class and box x, y, w, h.
OBJECTS = {
    "a.png": [(0, (0, 0, 20, 20)), (1, (60, 60, 20, 20))],
    "b.png": [(0, (10, 10, 30, 30))],
    "c.png": [(2, (40, 40, 30, 30)), (1, (0, 0, 10, 30))],
    "d.png": [],
}
FOUND = [
    Detection(0, 0, 0.9, (0, 0, 20, 20)),  # a: the car,
    Detection(0, 2, 0.8, (60, 60, 20, 20)),  # and the person taken for a bus
    Detection(1, 0, 0.7, (10, 10, 30, 30)),  # b: right
    Detection(2, 1, 0.6, (0, 0, 10, 30)),  # c: the person, no bus
    Detection(3, 0, 0.5, (50, 50, 40, 40)),  # d: where nothing is
]


@dataclass(frozen=True)
class Made(KeptRun):
    """A run whose results lie in a folder instead of a store."""

    kept: dict[str, Path] = field(default_factory=dict)

    def stored(self, stage: str, key: str = "") -> tuple[Path, dict[str, Any]] | None:
        return self.kept[stage], {"inputs": {"predictions": "made"}}


def write_evaluation(folder: Path) -> Made:
    for part in ("images", "labels"):
        (folder / "source" / part).mkdir(parents=True)
    (folder / "source" / "data.yaml").write_text(f"names: {list(NAMES)}\nval: images\n")
    for number, (name, objects) in enumerate(OBJECTS.items()):
        image = np.full((SIZE, SIZE, 3), 60 + number, np.uint8)
        Image.fromarray(image).save(folder / "source" / "images" / name)
        lines = []
        for kind, (x, y, w, h) in objects:
            corners = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]]) / SIZE
            lines.append(f"{kind} " + " ".join(f"{v:.4f}" for v in corners.ravel()))
        label = folder / "source" / "labels" / name.replace(".png", ".txt")
        label.write_text("\n".join(lines) + "\n" * bool(lines))
    source = YoloSettings(
        path=str(folder / "source"),
        splits=SplitFractions(train=0, val=1, test=0, pool=0),
        workers=1,
    )
    for part in ("prepare", "run/evaluation"):
        (folder / part).mkdir(parents=True)
    prepare(source, 0, folder / "prepare", lambda *_: None, folder / "cache")
    dataset = Dataset.load(folder / "prepare")
    found = [Path(row.file_name).name for row in dataset.iter_images("val")]
    assert found == list(OBJECTS)
    predictions = write_predictions(folder / "predict", NAMES, len(OBJECTS), FOUND)
    output = folder / "run/evaluation"
    evaluate(dataset, "val", predictions, EvaluationSettings(), output, lambda *_: None)
    kept = {stage: folder / stage for stage in ("prepare", "evaluate", "predict")}
    return Made(None, "evaluated", Folder(folder / "run"), kept=kept)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pictures")
    assert fields(Made)[-1].name == "kept"
    settings = MlflowSettings(uri=f"sqlite:///{folder / 'none.db'}")
    library = Library(settings, [write_evaluation(folder)], folder)
    with start_view(library) as view:
        yield f"{view.address}runs/folder-1/images/"


def names(page: str) -> list[str]:
    return re.findall(r'<span class="name">images/(.*?)</span>', page)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["d", "a", "c", "b"]),  # by quality: 0, 1/2, 2/3, 1
        ("?sort=missed", ["a", "c", "b", "d"]),
        ("?sort=false", ["a", "d", "b", "c"]),
        ("?sort=objects", ["a", "c", "b", "d"]),
        ("?sort=name", ["a", "b", "c", "d"]),
        ("?sort=suspect", ["d", "a", "c", "b"]),  # nobody judged the labels: as by default
        ("?name=person", ["a", "c"]),
        ("?name=bus&sort=name", ["a", "c"]),
        ("?real=person&predicted=bus", ["a"]),
        ("?real=bus&predicted=", ["c"]),
        ("?real=&predicted=car", ["d"]),
        ("?real=car&predicted=car", ["a", "b"]),
        ("?curve=car&score=0.6&what=tp&sort=name", ["a", "b"]),
        ("?curve=car&score=0.8&what=fn&sort=name", ["b"]),
        ("?curve=car&score=0.4&what=fp&sort=name", ["d"]),
        ("?curve=car&score=0.6&what=fp&sort=name", []),
    ],
)
def test_which_pictures(address: str, query: str, expected: list[str]) -> None:
    page = requests.get(address + query, timeout=30)
    assert page.status_code == 200
    assert names(page.text) == [f"{name}.png" for name in expected]


def test_more_orders_than_are_kept_asked_for_at_once(tmp_path: Path) -> None:
    class Slow(dict[Any, Any]):
        def __setitem__(self, key: Any, value: Any) -> None:
            super().__setitem__(key, value)
            time.sleep(0.002)  # in which others ask for theirs

    run = write_evaluation(tmp_path)
    pictures = Pictures(run, Dataset.load(tmp_path / "prepare"), "val")
    asked = [(sort, name) for sort in pictures.sorts() for name in (None, *NAMES)]
    alone = [pictures.order(*one).tolist() for one in asked]
    pictures._orders = Slow()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: pictures.order(*one).tolist(), asked))
    assert found == alone


def test_numbers(address: str) -> None:
    page = unescape(requests.get(address, timeout=30).text)
    cells = re.findall(r'title="(\w+), found as (\w+)">(\d+)</a>', page)
    assert sorted(cells) == [
        ("bus", "nothing", "1"),
        ("car", "car", "2"),
        ("nothing", "car", "1"),
        ("person", "bus", "1"),
        ("person", "person", "1"),
    ]
    # Cars: 2 of 2 and one false from .5 on, from .75 on 1 of 2.
    assert "car from a score of 0.50 on: precision 0.67, recall 1.00" in page
    assert "car from a score of 0.75 on: precision 1.00, recall 0.50" in page
    point = requests.get(address + "?curve=car&score=0.5&what=tp", timeout=30).text
    assert re.findall(r">(\d) (right|false|missed)</a>", point) == [
        ("2", "right"),
        ("1", "false"),
        ("0", "missed"),
    ]


def test_what_is_drawn(address: str) -> None:
    page = requests.get(address + "?real=person&predicted=bus", timeout=30).text
    shapes = re.findall(r'<path class="([a-z ]+?) *" fill', page)
    assert shapes == ["truth right", "truth wrong picked", "found right", "found wrong picked"]
    assert "M60 60 80 60 80 80 60 80Z" in re.sub(r"\.0(?=[ Z])", "", page)


def test_pictures_themselves(address: str) -> None:
    image = requests.get(f"{address}1/file", timeout=30)
    assert image.headers["content-type"] == "image/png" and image.content[:4] == b"\x89PNG"
    small = requests.get(f"{address}1/small", timeout=30)
    assert small.headers["content-type"] == "image/jpeg"
    for path in ("9/file", "9/", "-1/small"):
        assert requests.get(address + path, timeout=30).status_code == 404
    wrong = requests.get(address + "?sort=none", timeout=30)
    assert wrong.status_code == 400


def test_one_after_the_other(address: str) -> None:
    page = requests.get(f"{address}0/?sort=name", timeout=30).text
    assert "1 of 4" in page and "../1/?sort=name" in page
    assert "missed person" in page and "false bus 0.80" in page


def test_the_matrix_and_the_curves_on_a_phone(address: str, tmp_path: Path) -> None:
    """Names stay whole, and the axes have their ends."""
    with open_browser(tmp_path) as browser:
        person = Person(browser, SIZE, SIZE)
        size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(address + "?real=person&predicted=bus")
        lines = (
            "return [...document.querySelectorAll('.matrix th')].map((cell) => {"
            "const text = document.createRange(); text.selectNodeContents(cell);"
            "return text.getClientRects().length; })"
        )
        assert set(browser.execute_script(lines)) == {1}
        assert browser.execute_script("return document.documentElement.scrollWidth") == 390
        assert person.texts(".curve .tick") == ["0", "0", "0.5", "0.5", "1", "1"]


def test_by_keys(address: str, tmp_path: Path) -> None:
    with open_browser(tmp_path) as browser:
        person = Person(browser, SIZE, SIZE)
        browser.get(address + "?sort=name")
        person.wait(lambda: person.all("#pictures[data-ready]"))
        seen = "return [...document.querySelectorAll('#pictures .grid path')].filter("
        seen += "(p) => getComputedStyle(p).display !== 'none').map((p) => p.classList[0]).join()"
        assert browser.execute_script(seen).count("truth") == 5
        person.press("g")
        assert set(browser.execute_script(seen).split(",")) == {"found"}
        person.press("c")  # what is right no more either
        assert browser.execute_script(seen).count("found") == 2
        person.one(".figures-of summary").click()
        person.one("[title='person, found as bus']").click()
        person.wait(lambda: person.texts(".grid .name") == ["images/a.png"])
        person.one(".grid a").click()
        person.wait(lambda: person.all(".one .large"))
        buttons = person.all("[data-layer]")
        assert [one.get_attribute("aria-pressed") for one in buttons] == ["false", "true", "false"]
        browser.get(address + "0/?sort=name")
        person.press("n")
        person.wait(lambda: person.one("h1").text == "images/b.png")
        assert person.errors() == []
