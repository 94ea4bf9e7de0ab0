"""The pages in a browser: what a person does with mouse, keys and fingers, and what is seen."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from segtrack.runs import find
from segtrack.settings import MlflowSettings
from segtrack.view import Library, start_view
from tests.browser import Person
from tests.view.conftest import Served
from tests.view.made import FRAMES, HEIGHT, MARKS, WIDTH, number_of, shown_at, write_run

VIDEO = "runs/folder-1/videos/1/"
PICTURE = """
const canvas = document.querySelectorAll("#stage canvas")[arguments[0]];
const copy = document.createElement("canvas");
[copy.width, copy.height] = [canvas.width, canvas.height];
copy.getContext("2d").drawImage(canvas, 0, 0);
return copy.toDataURL("image/png").split(",")[1];
"""
KNOWS = "return performance.getEntriesByType('resource').some((one) => one.name.endsWith('/times'))"


class Viewer(Person):
    """Someone in front of a video. Places are px of the video."""

    def __init__(self, browser: Any) -> None:
        super().__init__(browser, WIDTH, HEIGHT)

    def on_screen(self, place: tuple[float, float]) -> tuple[float, float]:
        """Of the first picture, the whole of which is seen."""
        left, top, width, height = self.browser.execute_script(
            "const b = document.querySelector('#stage canvas').getBoundingClientRect();"
            "return [b.left, b.top, b.width, b.height]"
        )
        scale = min(width / WIDTH, height / HEIGHT)
        x, y = (width - scale * WIDTH) / 2, (height - scale * HEIGHT) / 2
        return left + x + place[0] * scale, top + y + place[1] * scale

    def seen(self, pane: int = 0) -> np.ndarray:
        """The picture with what is drawn in it, BGR, without what is beside it."""
        data = base64.b64decode(self.browser.execute_script(PICTURE, pane))
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        height, width = image.shape[:2]
        scale = min(width / WIDTH, height / HEIGHT)
        x, y = round((width - scale * WIDTH) / 2), round((height - scale * HEIGHT) / 2)
        return np.asarray(image[y : y + round(scale * HEIGHT), x : x + round(scale * WIDTH)])

    def colour(self, place: tuple[float, float], pane: int = 0) -> int:
        """How colourful a place is, 0 for the video's own grey as its codec keeps it."""
        image = self.seen(pane)
        scale = image.shape[1] / WIDTH
        found = int(np.ptp(image[int(place[1] * scale), int(place[0] * scale)]))
        return found if found > 8 else 0

    def frame(self) -> int:
        return int(self.one("#time").text.split("·")[1].split("/")[0])

    def at(self, frame: int) -> None:
        """Wait until a frame is there, its picture and its tracks."""
        self.wait(lambda: self.frame() == frame)
        name = f"#work[data-picture='{frame}'][data-whole='{frame}']"
        self.wait(lambda: self.all(name))

    def go(self, frame: int) -> None:
        script = "const s = document.getElementById('scrub'); s.value = arguments[0];"
        self.browser.execute_script(script + "s.dispatchEvent(new Event('input'))", frame)
        self.at(frame)

    def tracks(self) -> list[str]:
        return [text.split("\n")[0] for text in self.texts("#tracks button")]

    def window(self, width: int, height: int, mobile: bool = False) -> None:
        values = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", values)


@pytest.fixture
def viewer(browser: Any, served: Served) -> Iterator[Viewer]:
    """Whose console stays silent."""
    found = Viewer(browser)
    found.open(served.address + VIDEO)
    found.at(0)
    yield found
    assert found.errors() == []
    browser.get("about:blank")


class TestPlaying:
    def test_every_frame_is_the_one_that_is_named(self, viewer: Viewer) -> None:
        for frame in (119, 0, 50, 49, 51, 73):
            viewer.go(frame)
            assert number_of(viewer.seen()) == frame

    def test_steps(self, viewer: Viewer) -> None:
        viewer.go(60)
        for key, frame in (("\ue014", 61), ("\ue012", 60), ("\ue012", 59)):
            viewer.press(key)
            viewer.at(frame)
            assert number_of(viewer.seen()) == frame
        viewer.hold("\ue008", "\ue014")  # with shift a second
        viewer.at(59 + 25)
        viewer.press("\ue010")
        viewer.at(FRAMES - 1)
        viewer.press("\ue011")
        viewer.at(0)
        viewer.one("#forth").click()
        viewer.at(1)

    def test_it_plays_and_stops_where_it_says(self, viewer: Viewer) -> None:
        viewer.press(",")  # slowly: it is not to end before somebody stops it
        assert viewer.one("#speed").get_attribute("value") == "0.5"
        viewer.press(" ")
        viewer.wait(lambda: viewer.frame() > 8)
        viewer.press(" ")
        frame = viewer.frame()
        viewer.at(frame)
        assert number_of(viewer.seen()) == frame
        viewer.go(110)
        viewer.press(" ")
        viewer.at(FRAMES - 1)
        viewer.wait(lambda: viewer.one("#play").get_attribute("aria-label") == "Play")

    def test_where_the_browser_cannot_play_it(self, viewer: Viewer, served: Served) -> None:
        film = served.library.video("folder-1", 1).film
        assert film is not None
        film.plays = False
        try:
            viewer.open(served.address + VIDEO)
            for frame in (7, 119, 50):
                viewer.go(frame)
                assert number_of(viewer.seen()) == frame
            viewer.go(0)
            viewer.press(" ")
            viewer.wait(lambda: viewer.frame() > 8)
            viewer.press(" ")
            viewer.at(viewer.frame())
            assert number_of(viewer.seen()) == viewer.frame()
        finally:
            film.plays = True


class TestLayers:
    def test_each_is_switched_by_its_key(self, viewer: Viewer) -> None:
        viewer.go(20)
        inside, edge, label = (55, 75), (40, 75), (44, 57)
        assert viewer.colour(inside) > 40  # in the mask of track 1, which ends at x 70
        assert viewer.colour((75, 70)) == 0 and viewer.colour((150, 150)) == 0
        assert viewer.colour(edge) > 40 and viewer.colour(label) > 40
        viewer.press("1")
        assert viewer.colour(inside) == 0 and viewer.colour(edge) > 40
        viewer.press("2")
        assert viewer.colour(edge) == 0
        viewer.press("3", "4")
        assert viewer.colour(label) == 0
        for layer in ("masks", "boxes", "ids", "labels"):
            assert viewer.one(f"[data-layer={layer}]").get_attribute("aria-pressed") == "false"
        assert viewer.colour((50, 90)) == 0
        viewer.press("5")  # trails: the middle of the lower side, from frame 0 on
        assert viewer.colour((50, 90)) > 40
        assert number_of(viewer.seen()) == 20

    def test_objects_move_with_their_picture(self, viewer: Viewer) -> None:
        for frame in (0, 39, 99):
            viewer.go(frame)
            assert viewer.colour((22 + frame, 75)) > 40  # just inside the left border
            assert viewer.colour((18 + frame, 75)) == 0
        viewer.go(42)  # in its gap
        assert viewer.colour((70, 75)) == 0

    def test_filters(self, viewer: Viewer) -> None:
        viewer.go(40)
        assert viewer.tracks() == ["1 car", "2 person", "4 car", "3 person"]
        viewer.one("[data-class=car]").click()
        assert viewer.tracks() == ["2 person", "3 person"]
        assert viewer.one("#count").text == "2 of 4 tracks"
        assert viewer.colour((270, 35)) == 0 and viewer.colour((208, 125)) > 40
        viewer.one("[data-class=car]").click()
        viewer.one("#ids").send_keys("2-3, 4")
        assert viewer.tracks() == ["2 person", "4 car", "3 person"]
        viewer.one("#length").clear()
        viewer.one("#length").send_keys("20")
        assert viewer.tracks() == ["2 person", "3 person"]
        script = "const s = document.getElementById('score'); s.value = .75;"
        viewer.browser.execute_script(script + "s.dispatchEvent(new Event('input'))")
        assert viewer.tracks() == ["3 person"]
        assert viewer.colour((208, 125)) == 0


class TestTracks:
    def test_a_click_chooses_one(self, viewer: Viewer) -> None:
        viewer.go(20)
        viewer.click((210, 120))
        assert viewer.one("#chosen legend").text == "Track 2, person"
        said = "frames 10 to 59 (2.0 s), 50 objects, score 0.70 on average, 0 marks"
        assert viewer.one("#chosen p").text == said
        viewer.press("\ue010")  # to its end
        viewer.at(59)
        viewer.click((150, 150))  # where nothing is
        assert not viewer.one("#chosen").is_displayed()

    def test_from_the_list_and_followed(self, viewer: Viewer) -> None:
        viewer.one("[data-track='3']").click()
        viewer.at(60)
        before = viewer.seen()
        viewer.press("f")
        assert viewer.one("#follow").get_attribute("aria-pressed") == "true"
        viewer.wait(lambda: not np.array_equal(viewer.seen(), before))
        # Nearer, and in the middle: around it is the video's own grey.
        x, y = viewer.seen().shape[1] // 2, viewer.seen().shape[0] // 2
        assert int(np.ptp(viewer.seen()[y, x - 20])) > 40
        viewer.press("\ue00c")
        assert not viewer.one("#follow").is_enabled()

    def test_on_the_timeline(self, viewer: Viewer) -> None:
        from selenium.webdriver import ActionChains

        line = viewer.one("#timeline")
        # Below the strips of marks lie the lanes; track 1 begins first, so its lane is the first.
        width, strips = line.size["width"], 4 * 10 + 2 + 4
        x = round(width * (80.5 / FRAMES) - width / 2)
        y = round(strips + 5 - line.size["height"] / 2)
        ActionChains(viewer.browser).move_to_element_with_offset(line, x, y).click().perform()
        viewer.at(80)
        assert viewer.one("#chosen legend").text == "Track 1, car"
        assert viewer.one("#hover").text == "track 1, car, frames 0 to 99"


class TestMarks:
    def test_from_one_to_the_next_and_back(self, viewer: Viewer) -> None:
        said = [
            "frames 35 to 50: false positive, track 4 (car) is on no object",
            "frames 40 to 45: miss, car 7 is missed",
            "frame 46: fragmentation, car 7 is found again, as track 1",
            "frame 60: id switch, person 8: from track 2 to 3",
            "frames 100 to 109: miss, person 9 is missed",
        ]
        for mark, text in zip(MARKS, said, strict=True):
            viewer.press("n")
            viewer.at(int(str(mark[1])))
            assert viewer.one("#mark").text == text
        viewer.press("p")
        viewer.at(60)
        assert viewer.one("#chosen legend").text == "Track 3, person"

    def test_only_of_kinds_that_are_on(self, viewer: Viewer) -> None:
        assert viewer.texts(".kinds button") == [
            "id switch 1",
            "fragmentation 1",
            "misses 2",
            "false positive 1",
        ]
        viewer.one("[data-kind=miss]").click()
        viewer.one("[data-kind=false]").click()
        viewer.press("n")
        viewer.at(46)

    def test_ground_truth(self, viewer: Viewer) -> None:
        viewer.go(105)
        viewer.press("1", "2", "3", "4")
        assert viewer.colour((68, 150)) == 0
        viewer.press("6")  # over it: what is missed is red
        viewer.wait(lambda: viewer.colour((68, 150)) > 20)
        viewer.press("6")  # beside it
        viewer.wait(lambda: len(viewer.all("#stage canvas")) == 2)
        assert viewer.colour((68, 150)) == 0 and viewer.colour((68, 150), pane=1) > 20
        assert number_of(viewer.seen(0)) == number_of(viewer.seen(1)) == 105
        viewer.press("6")
        assert len(viewer.all("#stage canvas")) == 1


def test_frames_that_last_as_long_as_they_like(browser: Any, tmp_path: Path) -> None:
    """A file without a rate of its own, as phones and screen recorders write them."""
    run, settings = (
        write_run(tmp_path / "a", irregular=True),
        MlflowSettings(uri=f"sqlite:///{tmp_path / 'none.db'}"),
    )
    library = Library(settings, find(settings, [str(run)], tmp_path), tmp_path)
    viewer = Viewer(browser)
    with start_view(library) as view:
        viewer.open(view.address + VIDEO)
        viewer.at(0)
        viewer.wait(lambda: viewer.browser.execute_script(KNOWS))
        for frame in (119, 0, 50, 49, 51, 73, 2, 9, 10, 22, 7, 8):
            viewer.go(frame)
            assert number_of(viewer.seen()) == frame
        for frame in range(9, 34):
            viewer.press("\ue014")
            viewer.at(frame)
            assert number_of(viewer.seen()) == frame
        for frame in range(32, 20, -1):
            viewer.press("\ue012")
            viewer.at(frame)
            assert number_of(viewer.seen()) == frame
        times = shown_at()
        viewer.hold("\ue008", "\ue014")  # with shift a second, however many frames that has
        later = max(f for f in range(FRAMES) if times[f] <= times[21] + 1000)
        viewer.at(later)
        assert number_of(viewer.seen()) == later
        viewer.press(" ")
        viewer.wait(lambda: viewer.frame() > later + 12)
        viewer.press(" ")
        frame = viewer.frame()
        viewer.at(frame)
        assert number_of(viewer.seen()) == frame
        shown = float(viewer.one("#time").text.split()[0].rpartition(":")[2])
        assert shown == pytest.approx(times[frame] / 1000, abs=0.006)
        assert viewer.errors() == []
        browser.get("about:blank")
    library.close()


def test_two_runs_in_step(viewer: Viewer, served: Served) -> None:
    viewer.open(served.address + "compare/folder-1/folder-2/1/")
    viewer.wait(lambda: viewer.all("[data-kind=differ]"))
    viewer.go(25)
    assert number_of(viewer.seen(0)) == number_of(viewer.seen(1)) == 25
    assert viewer.colour((208, 125), 0) > 40 and viewer.colour((208, 125), 1) == 0
    for kind in ("switch", "fragment", "miss", "false"):
        viewer.one(f"[data-kind={kind}]").click()
    viewer.go(30)
    viewer.press("n")
    viewer.at(70)
    assert viewer.one("#mark").text.startswith("frame 70: difference, track 1 of A")
    assert viewer.one("#chosen legend").text == "Track 1, car"
    assert "HOTA" in viewer.one(".gaps").text


@pytest.mark.parametrize("path", ["", "runs/folder-1/", VIDEO, "compare/folder-1/folder-2/1/"])
def test_on_a_phone_in_the_dark(viewer: Viewer, served: Served, path: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    viewer.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    viewer.window(390, 844, mobile=True)
    try:
        viewer.browser.get(served.address + path)
        if "videos" in path or path.endswith("1/"):
            viewer.wait(lambda: viewer.all("#work[data-ready]") or path == "runs/folder-1/")
        wide = "return document.documentElement.scrollWidth"
        assert viewer.browser.execute_script(wide) == 390
        ground = "return getComputedStyle(document.body).backgroundColor"
        assert viewer.browser.execute_script(ground) == "rgb(21, 24, 28)"
    finally:
        viewer.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        viewer.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_by_keys_alone(viewer: Viewer, served: Served) -> None:
    """From the first page to a playing video, and the list of keys."""
    viewer.browser.get(served.address)
    viewer.browser.execute_script("document.querySelector('.cards a').focus()")
    viewer.press("\ue007")
    viewer.wait(lambda: viewer.all(".grid a"))
    viewer.browser.execute_script("document.querySelector('.grid a').focus()")
    viewer.press("\ue007")
    viewer.ready()
    viewer.press("?")
    assert viewer.one("#keys").is_displayed()
    viewer.press("\ue00c")
    viewer.press("k")  # the last in the picture
    assert viewer.one("#chosen legend").text == "Track 1, car"
