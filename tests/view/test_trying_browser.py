"""A person drops a video, then pictures, and sees what a model makes of them."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import pytest
import requests

from segtrack.runs import find
from segtrack.settings import MlflowSettings
from segtrack.view import Library, start_view
from tests.browser import Person
from tests.view.made import write_run
from trafficsim import SimulatorKnobs, render_still, render_video

STREET = SimulatorKnobs(width=320, height=192, density=0.8)
FRAMES = 6
ODD = "a=b,c{d} $(x).mp4"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Path:
    """A folder with a database, a video and two pictures of the simulator to upload."""
    folder = tmp_path_factory.mktemp("trying")
    (folder / "mlruns").mkdir()
    shutil.copy2(mlflow_template, folder / "mlruns" / "mlflow.db")
    (folder / "mine").mkdir()
    with av.open(str(folder / "mine" / ODD), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = STREET.width, STREET.height, "yuv420p"
        for frame in render_video(STREET, 7, 3, FRAMES):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, "bgr24")))
        container.mux(stream.encode())
    for index in range(2):
        still = render_still(SimulatorKnobs(density=0.8), 7, index).image
        cv2.imwrite(str(folder / "mine" / f"street {index}.png"), still[:, : 500 + 60 * index])
    (folder / "mine" / "notes.txt").write_text("nothing to see")
    return folder


@pytest.fixture(scope="module")
def address(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    scratch = tmp_path_factory.mktemp("scratch")
    uri, artifacts = f"sqlite:///{project / 'mlruns/mlflow.db'}", project / "mlruns" / "artifacts"
    where = MlflowSettings(uri=uri, artifacts=str(artifacts))
    library = Library(where, find(where, [str(write_run(scratch / "made"))], scratch), scratch)
    words = [f"mlflow.uri={uri}", "model.imgsz=320", "dataset.workers=1", "device=cpu"]
    with start_view(library, settings=words, project=project) as view:
        yield view.address
    library.close()


@pytest.fixture
def person(browser: Any, address: str) -> Iterator[Person]:
    """Whose console stays silent."""
    found = Person(browser, 1, 1)
    found.browser.get(address)
    found.one("[href$='/try/']").click()
    ready(found)
    yield found
    assert found.errors() == []


def look(person: Person, name: str) -> None:
    """Keep what is seen, where somebody wants to look at it."""
    if folder := os.environ.get("SEGTRACK_SCREENSHOTS"):
        person.browser.save_screenshot(f"{folder}/{name}.png")


def ready(person: Person) -> None:
    person.wait(lambda: person.all("#try[data-ready]"))


def uploaded(person: Person, *files: Path) -> None:
    """Choose files, and wait until they are there and chosen."""
    person.browser.execute_script("document.getElementById('try').removeAttribute('data-ready')")
    person.one("#files").send_keys("\n".join(map(str, files)))
    ready(person)
    person.wait(lambda: person.one("#start").is_enabled())


def dropped(person: Person, *paths: Path) -> None:
    """Let a hand drop files and folders on the page, and wait until they are there and chosen."""
    person.browser.execute_script("document.getElementById('try').removeAttribute('data-ready')")
    place = person.one("#drop").rect
    at = {"x": place["x"] + place["width"] / 2, "y": place["y"] + place["height"] / 2}
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        person.browser.execute_cdp_cmd(
            "Input.dispatchDragEvent", {"type": kind, **at, "data": data}
        )
    ready(person)
    person.wait(lambda: person.one("#start").is_enabled())


def finished(person: Person) -> None:
    before = len(person.all("#attempts li"))
    person.one("#start").click()
    person.wait(lambda: len(person.all("#attempts li")) > before)
    first = "#attempts li:first-child:not([data-state=waiting], [data-state=running])"
    person.wait(lambda: person.all(first), 100)
    state = person.one("#attempts li:first-child .state").text
    assert state == "finished", person.one("#attempts li:first-child").text


def test_a_video(person: Person, address: str, project: Path) -> None:
    uploaded(person, project / "mine" / ODD)
    assert person.texts(".uploads .name") == ["a_b_c_d_x.mp4"]
    assert person.texts("#notes li") == [f"{ODD} is called a_b_c_d_x.mp4 here"]
    person.one("[name=score]").send_keys("0.3")
    person.wait(lambda: "tracker.track_thresh=0.3" in person.one("#command").text)
    look(person, "chosen")
    finished(person)
    look(person, "finished")
    command = person.one("#attempts .command").text
    assert command.startswith("segtrack run 'stages=[track]' 'video=\"outputs/uploads/")
    person.one("#attempts .links a").click()
    person.wait(lambda: person.all("#work[data-whole='0']"))
    assert person.one("h1").text == "a_b_c_d_x"
    here = person.browser.current_url
    at = here.partition("runs/")[0] + "runs/" + here.partition("runs/")[2].split("/")[0]
    document = requests.get(f"{at}/videos/1/files/results.json", timeout=30).json()
    assert document["video"]["frame_count"] == FRAMES and document["tracker"]["track_thresh"] == 0.3
    assert len(document["tracks"]) >= 2, "the simulator's cars are found"
    rows = {text.split("\n")[0] for text in person.texts("#tracks button")}
    assert len(rows) == len(document["tracks"])
    with zipfile.ZipFile(io.BytesIO(requests.get(f"{at}/all.zip", timeout=60).content)) as archive:
        names = {name.partition("/")[2] or name for name in archive.namelist()}
        assert names == {
            "results.json", "annotated.mp4", "tracks.csv", "coco.json", "mot.txt", "config.yaml",
        }  # fmt: skip
        kept = json.loads(archive.read("a_b_c_d_x/results.json"))
    assert kept == document


def test_two_pictures(person: Person, address: str, project: Path) -> None:
    mine = project / "mine"
    uploaded(person, mine / "street 0.png", mine / "notes.txt", mine / "street 1.png")
    assert person.one(".uploads .name").text == "2 pictures"
    assert any(note.startswith("notes.txt: is neither") for note in person.texts("#notes li"))
    assert not person.one("[name=tracker]").is_displayed()
    person.one("[name=classes]").send_keys("car, bus")
    person.wait(lambda: "dataset.classes=[car, bus]" in person.one("#command").text)
    finished(person)
    person.one("#attempts .links a").click()
    person.wait(lambda: person.all("#pictures[data-ready]"))
    assert sorted(person.texts(".grid .name")) == ["street_0.png", "street_1.png"]
    at = person.browser.current_url.removesuffix("images/")
    coco = requests.get(f"{at}files/coco.json", timeout=30).json()
    assert [one["width"] for one in coco["images"]] == [500, 560]
    assert {one["name"] for one in coco["categories"]} == {"car", "bus"}
    assert len(person.all("#pictures path.found")) == len(coco["annotations"]) >= 2
    assert all(one["score"] >= 0.25 for one in coco["annotations"])
    table = requests.get(f"{at}files/objects.csv", timeout=30).text.splitlines()
    assert len(table) == 1 + len(coco["annotations"])
    look(person, "pictures")
    person.one(".grid a").click()
    person.wait(lambda: person.all(".one .large path.found"))
    look(person, "picture")
    person.browser.get(at)
    assert person.texts("#downloads a") == ["coco.json", "objects.csv", "All of it as one zip"]
    assert person.one("main code").text.startswith("segtrack 'stages=[segment]' dataset=images ")
    look(person, "run")


def test_a_folder_is_dropped_and_removed(person: Person, project: Path) -> None:
    walk = project / "walk"
    (walk / "first" / "day").mkdir(parents=True)
    for number, folder in enumerate((walk, walk / "first" / "day")):
        shutil.copy2(project / "mine" / f"street {number}.png", folder / "a.png")
    before = person.texts(".uploads .name")
    dropped(person, walk)
    assert person.texts(".uploads .name") == ["2 pictures", *before]
    assert person.texts("#notes li") == ["a.png is called a-2.png here"]
    (folder,) = (f for f in (project / "outputs" / "uploads").iterdir() if (f / "a-2.png").exists())
    assert (folder / "a.png").read_bytes() == (walk / "a.png").read_bytes()
    person.one(".uploads [data-remove]").click()
    person.browser.switch_to.alert.accept()
    person.wait(lambda: person.texts(".uploads .name") == before)
    assert not folder.exists()


def test_on_a_phone_and_what_is_no_video(person: Person, address: str, project: Path) -> None:
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    person.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        wide = "return document.documentElement.scrollWidth"
        assert person.browser.execute_script(wide) <= 390
        look(person, "phone")
        person.one("#files").send_keys(str(project / "mine" / "notes.txt"))
        person.wait(lambda: person.one("#trouble").is_displayed())
        assert person.one("#trouble").text.startswith("notes.txt: is neither a video nor a picture")
        assert not list((project / "outputs" / "uploads").rglob("notes.txt"))
    finally:
        person.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
