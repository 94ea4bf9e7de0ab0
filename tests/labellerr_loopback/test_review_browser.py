"""The pages in a browser: what a person does with mouse, keys and fingers is what is kept."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from labellerr_loopback import Emulator, start_emulator
from tests.browser import Person
from tests.labellerr_loopback.conftest import KNOWN, QUICK, Api, coco
from tests.labellerr_loopback.video import FRAMES, HEIGHT, WIDTH, film

CLASSES = ["car", "bus", "person"]
LEFT = [[100.0, 100.0], [200.0, 100.0], [200.0, 200.0], [100.0, 200.0]]
RIGHT = [[400.0, 120.0], [520.0, 120.0], [520.0, 260.0], [400.0, 260.0]]
NEAR = 1.0  # px: the mouse is at whole pixels of the screen, which are half as large or more


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder = tmp_path_factory.mktemp("state")
    with start_emulator(folder, credentials=KNOWN, delays=QUICK) as emulator:
        yield emulator


@pytest.fixture
def person(browser: Any) -> Iterator[Person]:
    """Whose console stays silent; a test that provokes errors asks for them first."""
    found = Person(browser, WIDTH, HEIGHT)
    yield found
    assert found.errors() == []
    browser.get("about:blank")


class Desk:
    """A project of three pictures with two cars each, and a person at the first one."""

    def __init__(self, served: Emulator, person: Person) -> None:
        self.api, self.person = Api(served.url), person
        names = ["a.jpg", "b.jpg", "c.jpg"]
        dataset = self.api.dataset(self.api.upload(dict.fromkeys(names, street())))
        self.project = self.api.project([dataset], self.api.template(CLASSES))
        rings = [np.ravel(ring).tolist() for ring in (LEFT, RIGHT)]
        content = coco(names, CLASSES, [(i, 0, ring) for i in range(3) for ring in rings])
        for annotation, score in zip(content["annotations"], [0.42, 0.91] * 3, strict=True):
            annotation["score"] = score
        self.api.preannotate(self.project, content)
        self.ids = {name: file["file_id"] for name, file in self.files().items()}
        self.home = served.page(self.project)
        self.address = f"{self.home}files/{self.ids['a.jpg']}/"
        person.open(self.address)

    def files(self) -> dict[str, dict[str, Any]]:
        return self.api.files(self.project)

    def answers(self, name: str = "a.jpg") -> list[dict[str, Any]]:
        """What the platform has once the page says that it is saved."""
        self.person.saved()
        found: list[dict[str, Any]] = self.files()[name]["answers"]
        return found

    def outlines(self, name: str = "a.jpg") -> list[Any]:
        return [answer["polygon"] for answer in self.answers(name)]


@pytest.fixture
def desk(served: Emulator, person: Person) -> Desk:
    return Desk(served, person)


def street() -> bytes:
    image = Image.new("RGB", (WIDTH, HEIGHT), (120, 130, 140))
    draw = ImageDraw.Draw(image)
    for ring in (LEFT, RIGHT):
        draw.polygon([tuple(point) for point in ring], fill=(180, 40, 40))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return buffer.getvalue()


def near(points: Any) -> Any:
    return pytest.approx(np.array(points), abs=NEAR)


class TestOutlines:
    def test_a_point_is_dragged(self, desk: Desk) -> None:
        desk.person.click((150, 150))
        desk.person.drag((200, 200), (230, 240))
        changed, other = desk.answers()
        assert np.array(changed["polygon"]) == near([*LEFT[:2], [230, 240], LEFT[3]])
        assert changed["polygon"][:2] == LEFT[:2]  # what was not touched is exactly as it was
        assert (changed["score"], changed["source"]) == (0.42, "human")
        assert (other["polygon"], other["source"]) == (RIGHT, "preannotation")

    def test_a_point_more_and_one_less(self, desk: Desk) -> None:
        person = desk.person
        person.click((150, 150))
        person.drag((150, 100), (150, 60))
        assert np.array(desk.outlines()[0]) == near([LEFT[0], [150, 60], *LEFT[1:]])
        person.right_click((200, 200))
        assert np.array(desk.outlines()[0]) == near([LEFT[0], [150, 60], LEFT[1], LEFT[3]])
        person.right_click((100, 200))
        person.right_click((150, 60))  # three are the least
        assert np.array(desk.outlines()[0]) == near([LEFT[0], [150, 60], LEFT[1]])

    @pytest.mark.parametrize("how", ["first point", "double click", "enter", "button"])
    def test_one_is_drawn(self, desk: Desk, how: str) -> None:
        from selenium.webdriver.common.by import By
        from selenium.webdriver.support.ui import Select

        person = desk.person
        Select(person.browser.find_element(By.ID, "class")).select_by_visible_text("person")
        person.one("#draw").click()
        ring = [(250.0, 40.0), (330.0, 50.0), (320.0, 330.0), (260.0, 320.0)]
        person.click(*ring[: 3 if how == "double click" else 4])
        if how == "first point":
            person.click(ring[0])
        elif how == "double click":
            person.double_click(ring[3])
        elif how == "enter":
            person.press("\ue007")
        else:
            person.one("#finish").click()
        *others, drawn = desk.answers()
        assert [one["polygon"] for one in others] == [LEFT, RIGHT]
        assert np.array(drawn["polygon"]) == near(ring)
        assert (drawn["question"], drawn["score"], drawn["source"]) == ("person", None, "human")
        assert person.one("#selected legend").text == "person"

    def test_drawing_across_others_and_giving_up(self, desk: Desk) -> None:
        person = desk.person
        person.press("d")
        person.click((150, 150), (450, 150), (450, 250))
        person.press("\ue003")  # a point less
        assert person.said().startswith("Click around the object; 1 more point")
        person.press("\ue00c")
        assert desk.outlines() == [LEFT, RIGHT] and person.shapes() == 2

    def test_deleted_undone_and_redone(self, desk: Desk) -> None:
        person = desk.person
        before = desk.answers()
        person.click((150, 150))
        person.press("\ue017")
        assert desk.outlines() == [RIGHT] and person.shapes() == 1
        person.hold("\ue009", "z")
        back = desk.answers()
        assert sorted(back, key=str) == sorted(before, key=str)  # with its score
        person.one("#redo").click()
        assert desk.outlines() == [RIGHT]
        person.one("#undo").click()
        assert len(desk.outlines()) == 2
        assert not person.one("#undo").is_enabled()

    def test_another_class(self, desk: Desk) -> None:
        from selenium.webdriver.support.ui import Select

        person = desk.person
        person.click((450, 200))
        person.press("2")
        assert [one["question"] for one in desk.answers()] == ["car", "bus"]
        assert person.one("#stage path[data-id]:last-of-type").get_attribute("stroke")
        Select(person.one("#class-of")).select_by_visible_text("person")
        assert [one["question"] for one in desk.answers()] == ["car", "person"]
        person.hold("\ue009", "z")
        person.hold("\ue009", "z")
        assert [one["question"] for one in desk.answers()] == ["car", "car"]

    def test_zoomed_and_moved_it_is_still_the_same_pixel(self, desk: Desk) -> None:
        person = desk.person
        before = person.on_screen((200, 200))
        person.wheel((200, 200), -60)
        person.wait(lambda: person.on_screen((300, 200))[0] - person.on_screen((200, 200))[0] > 180)
        person.drag((300, 50), (250, 120))
        assert person.on_screen((200, 200)) != before
        person.click((150, 150))
        person.drag((200, 200), (180, 170))
        moved = desk.outlines()[0][2]
        assert moved == pytest.approx([180, 170], abs=0.6)
        person.press("0")
        assert person.on_screen((200, 200)) == pytest.approx(before, abs=1)

    def test_by_keys_alone(self, desk: Desk) -> None:
        person = desk.person
        person.press("o")
        assert person.one("#selected legend").text == "car 0.42"
        person.press("]", "]", "\ue014", "\ue014")  # the second point, two px to the right
        person.press("\ue015")  # one down
        assert desk.outlines()[0] == [LEFT[0], [202, 101], *LEFT[2:]]
        person.press("\ue016")  # one more after it
        assert desk.outlines()[0][2] == [201, 150.5]
        person.press("\ue017", "\ue00c", "i")
        assert person.one("#selected legend").text == "car 0.91"
        person.press("\ue017")
        assert desk.outlines() == [[LEFT[0], [202, 101], *LEFT[2:]]]

    def test_scores_hide_objects(self, desk: Desk) -> None:
        person = desk.person
        assert person.shapes() == 2
        assert sorted(person.texts("#stage .chip")) == ["car 0.42", "car 0.91"]
        person.one("input[value=medium] + span").click()
        assert person.shapes() == 1
        assert person.one("#count").text == "1 object, 1 less confident hidden, not deleted"
        person.one("input[value=low] + span").click()
        assert person.shapes() == 2
        person.press("l")
        assert person.all("#stage .chip") == []

    def test_a_remark_says_where_to_look(self, desk: Desk) -> None:
        remark = {"file_name": "a.jpg", "text": "overlooked: bus 0.9", "outline": RIGHT}
        path = f"/_emulator/projects/{desk.project}/remarks"
        desk.api.ask("POST", path, json={"remarks": [remark]})
        person = desk.person
        person.open(desk.address)
        before = person.on_screen((460, 190))
        assert len(person.all("#stage path.mark")) == 1
        person.one("#remarks button").click()
        stage = person.one("#stage").rect
        middle = (stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
        assert person.on_screen((460, 190)) == pytest.approx(middle, abs=3) != before
        person.click((460, 190))  # through the mark
        assert person.one("#selected legend").text == "car 0.91"

    def test_a_picture_on_its_side(self, served: Emulator, person: Person) -> None:
        """Turned by its EXIF data: outlines are on what the browser shows."""
        api, exif = Api(served.url), Image.Exif()
        exif[0x0112] = 6
        buffer = io.BytesIO()
        Image.open(io.BytesIO(street())).rotate(90, expand=True).save(buffer, "JPEG", exif=exif)
        dataset = api.dataset(api.upload({"turned.jpg": buffer.getvalue()}))
        project = api.project([dataset], api.template(CLASSES))
        content = coco(["turned.jpg"], CLASSES, [(0, 0, np.ravel(RIGHT).tolist())])
        api.preannotate(project, content)
        (file,) = api.files(project).values()
        person.open(f"{served.page(project)}files/{file['file_id']}/")
        picture = "document.querySelector('.leaflet-image-layer').complete"
        person.wait(lambda: person.browser.execute_script(f"return {picture}"))
        image, shape = (
            person.browser.execute_script(
                "const e = document.querySelector(arguments[0]), b = e.getBoundingClientRect();"
                "return [b.left, b.top, b.right, b.bottom, e.naturalWidth, e.naturalHeight]",
                css,
            )
            for css in (".leaflet-image-layer", "#stage path[data-id]")
        )
        assert image[4:] == [file["width"], file["height"]] == [WIDTH, HEIGHT]
        corners = [*person.on_screen(tuple(RIGHT[0])), *person.on_screen(tuple(RIGHT[2]))]
        assert shape[:4] == pytest.approx(corners, abs=4)

    def test_a_finger(self, desk: Desk) -> None:
        person, browser = desk.person, desk.person.browser
        phone = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        try:
            person.open(desk.address)
            width = "return [document.documentElement.scrollWidth, innerWidth]"
            assert browser.execute_script(width) == [390, 390]
            person.tap((450, 200))
            assert person.one("#selected legend").text == "car 0.91"
            person.drag((400, 120), (380, 80), "touch")
            assert np.array(desk.outlines()[1][0]) == pytest.approx([380, 80], abs=2)
        finally:
            browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
            browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


class TestDecisions:
    def test_accept_reject_skip_and_the_next(self, desk: Desk) -> None:
        person = desk.person
        person.press("a")
        person.wait(lambda: desk.ids["b.jpg"] in person.browser.current_url)
        person.ready()
        person.one("[data-status=rejected]").click()
        person.wait(lambda: desk.ids["c.jpg"] in person.browser.current_url)
        person.ready()
        person.press("s")
        person.wait(lambda: person.said() == "That was the last picture here")
        found = {name: file["status"] for name, file in desk.files().items()}
        assert found == {"a.jpg": "accepted", "b.jpg": "rejected", "c.jpg": "skipped"}
        person.press("t")
        desk.person.saved()
        assert desk.files()["c.jpg"]["status"] == "None"
        person.press("p")
        person.wait(lambda: desk.ids["b.jpg"] in person.browser.current_url)
        person.ready()
        person.press("n")
        person.wait(lambda: desk.ids["c.jpg"] in person.browser.current_url)

    def test_the_next_is_the_next_of_the_filter(self, desk: Desk) -> None:
        person = desk.person
        body = {"file_ids": [desk.ids["b.jpg"]], "new_status": "accepted"}
        where = {"project_id": desk.project}
        desk.api.ask("POST", "/actions/files/bulk_assign", params=where, json=body)
        person.browser.get(desk.home)
        person.one(".choice a[href='?status=None']").click()
        assert len(person.all(".grid li")) == 2
        person.one(".grid a").click()
        person.ready()
        person.press("a")
        person.wait(lambda: desk.ids["c.jpg"] in person.browser.current_url)
        assert person.browser.current_url.endswith("?status=None")

    def test_what_was_just_done_is_saved_before_going_on(self, desk: Desk) -> None:
        person = desk.person
        person.click((150, 150))
        person.press("\ue017", "n")
        person.wait(lambda: desk.ids["b.jpg"] in person.browser.current_url)
        assert [one["polygon"] for one in desk.files()["a.jpg"]["answers"]] == [RIGHT]


class TestConflicts:
    def both(self, desk: Desk) -> None:
        """The other tab deletes the left car; this one then moves a point of it."""
        first = desk.files()["a.jpg"]["answers"][1]["answer_id"]
        work = {"file_id": desk.ids["a.jpg"], "answers": [{"answer_id": first}]}
        assert desk.api.work(desk.project, [work]).status_code == 200
        desk.person.click((150, 150))
        desk.person.drag((200, 200), (230, 240))
        desk.person.wait(lambda: desk.person.one("#conflict").is_displayed())
        assert "in another tab" in desk.person.one("#conflict p").text
        assert desk.person.one("#saved").text == "not saved"
        assert [one["polygon"] for one in desk.files()["a.jpg"]["answers"]] == [RIGHT]
        (error,) = desk.person.errors()
        assert "409" in error

    def test_theirs(self, desk: Desk) -> None:
        self.both(desk)
        desk.person.one("#theirs").click()
        assert desk.person.shapes() == 1 and desk.outlines() == [RIGHT]
        assert not desk.person.one("#conflict").is_displayed()
        desk.person.hold("\ue009", "z")  # and one's own again
        assert len(desk.outlines()) == 2

    def test_mine(self, desk: Desk) -> None:
        self.both(desk)
        desk.person.one("#mine").click()
        saved = {tuple(outline[0]): outline for outline in desk.outlines()}
        assert len(saved) == 2 and saved[400, 120] == RIGHT
        assert saved[100, 100][2] == pytest.approx([230, 240], abs=NEAR)

    def test_two_tabs(self, desk: Desk) -> None:
        browser, person = desk.person.browser, desk.person
        first = browser.current_window_handle
        browser.switch_to.new_window("tab")
        try:
            person.open(desk.address)
            person.click((150, 150))
            person.press("2")
            assert [one["question"] for one in desk.answers()] == ["bus", "car"]
            browser.close()
            browser.switch_to.window(first)
            person.click((450, 200))
            person.press("3")
            person.wait(lambda: person.one("#conflict").is_displayed())
            assert [one["question"] for one in desk.files()["a.jpg"]["answers"]] == ["bus", "car"]
            person.one("#theirs").click()
            person.click((450, 200))
            person.press("3")
            assert [one["question"] for one in desk.answers()] == ["bus", "person"]
        finally:
            browser.switch_to.window(first)
            assert "409" in person.errors()[0]

    def test_a_platform_that_does_not_answer(self, served: Emulator, desk: Desk) -> None:
        served.fault("status", path="/answers", method="PATCH", status=503, times=1)
        person = desk.person
        person.click((150, 150))
        person.press("\ue017")
        person.wait(lambda: person.one("#trouble").is_displayed())
        assert "tried again by itself" in person.one("#trouble").text
        assert desk.outlines() == [RIGHT]
        assert not person.one("#trouble").is_displayed()
        assert "503" in person.errors()[0]


class Cinema:
    """A video with two tracks of cars, on frames 0 to 19 and 25 to 39, and a person at it."""

    def __init__(self, served: Emulator, person: Person, codec: str = "libx264") -> None:
        self.api, self.person = Api(served.url), person
        dataset = self.api.dataset(self.api.upload({"v.mp4": film(codec)}), "video")
        self.project = self.api.project([dataset], self.api.template(CLASSES, "video"), "video")
        tracks = [self.track(range(20), LEFT), self.track(range(25, 40), RIGHT)]
        answer = {"question_name": "car", "question_type": "polygon", "answer": tracks}
        content = [{"file_name": "v.mp4", "annotations": [answer]}]
        self.api.preannotate(self.project, content, answer_format="video_json")
        file_id = self.api.files(self.project)["v.mp4"]["file_id"]
        person.open(f"{served.page(self.project)}files/{file_id}/")
        if codec == "libx264":
            person.wait(lambda: self.video("readyState") == 4)

    def track(self, numbers: range, ring: list[list[float]]) -> dict[str, Any]:
        points = [{"x": x, "y": y} for x, y in ring]
        frames = {str(n): {"frame": n, "answer": points, "timestamp": n / 20} for n in numbers}
        return {"startFrame": numbers[0], "frames": frames}

    def tracks(self) -> list[tuple[str, list[int]]]:
        """Class and frames of each, once the page says that it is saved."""
        self.person.saved()
        answers = self.api.files(self.project)["v.mp4"]["answers"]
        return [(a["question"], [int(n) for n in a["data"]["frames"]]) for a in answers]

    def data(self) -> list[dict[str, Any]]:
        self.person.saved()
        return [one["data"] for one in self.api.files(self.project)["v.mp4"]["answers"]]

    def video(self, what: str) -> Any:
        return self.person.browser.execute_script(f"return document.querySelector('video')?.{what}")

    def frame(self) -> int:
        return int(self.person.one("#time").text.split(" / ")[0])

    def grey(self) -> float:
        """Of the picture that is shown, that of the video or one instead of it."""
        return float(
            self.person.browser.execute_script(
                "const c = document.createElement('canvas'); c.width = c.height = 8;"
                "const p = c.getContext('2d');"
                "const shown = document.querySelector('img.leaflet-image-layer, video');"
                "p.drawImage(shown, 0, 0, 8, 8);"
                "return p.getImageData(0, 0, 8, 8).data[0]"
            )
        )

    def go(self, frame: int) -> None:
        """By keys; waits for the picture."""
        step = frame - self.frame()
        self.person.press(*(["\ue014" if step > 0 else "\ue012"] * abs(step)))
        assert self.frame() == frame
        self.person.wait(lambda: not self.video("seeking"))


@pytest.fixture
def cinema(served: Emulator, person: Person) -> Cinema:
    return Cinema(served, person)


class TestVideos:
    def test_the_picture_is_that_of_the_frame(self, cinema: Cinema) -> None:
        for frame in (0, 1, 2, 7, 8, 19, 39, 38):
            cinema.go(frame)
            cinema.person.wait(lambda f=frame: abs(cinema.grey() - 20 - 5 * f) < 2.5)

    def test_it_plays_with_its_outlines(self, cinema: Cinema) -> None:
        person = cinema.person
        cinema.go(15)
        assert person.shapes() == 1
        person.press(" ")
        person.wait(lambda: person.one("#play").text == "Pause")
        person.wait(lambda: cinema.frame() > 28)
        person.press(" ")
        frame = cinema.frame()
        assert person.one("#play").text == "Play" and frame < FRAMES
        person.wait(lambda: not cinema.video("seeking"))
        assert cinema.grey() == pytest.approx(20 + 5 * frame, abs=2.5)
        assert person.shapes() == 1
        cinema.go(22)
        assert person.shapes() == 0

    def test_one_that_the_browser_does_not_play(self, served: Emulator, person: Person) -> None:
        cinema = Cinema(served, person, "mpeg4")
        person.wait(lambda: person.all("img.leaflet-image-layer"))
        for frame in (0, 1, 13, 39, 30):
            cinema.go(frame)
            person.wait(lambda f=frame: abs(cinema.grey() - 20 - 5 * f) < 2.5)
        person.press(" ")
        person.wait(lambda: cinema.frame() == FRAMES - 1 and person.one("#play").text == "Play")

    def test_split(self, cinema: Cinema) -> None:
        cinema.go(8)
        cinema.person.click((150, 150))
        cinema.person.one("#split").click()
        expected = [("car", [*range(8)]), ("car", [*range(25, 40)]), ("car", [*range(8, 20)])]
        assert cinema.tracks() == expected
        cinema.person.hold("\ue009", "z")
        assert cinema.tracks() == [("car", [*range(20)]), ("car", [*range(25, 40)])]

    def test_join(self, cinema: Cinema) -> None:
        person = cinema.person
        person.click((150, 150))
        person.one("#join").click()
        assert person.said().startswith("Choose the other track")
        person.steady(lambda: person.all("#objects button")[1].click())
        assert cinema.tracks() == [("car", [*range(20), *range(25, 40)])]
        assert person.said() == "car 2 is car 1 now"
        cinema.go(22)
        assert len(person.all("#stage path.ghost")) == 1  # where it was seen last

    def test_join_by_keys(self, cinema: Cinema) -> None:
        person = cinema.person
        for key in "oj":
            person.press(key)
        assert person.said().startswith("Choose the other track")
        person.press("i")
        assert person.said() == "Enter joins car 2 with car 1; Esc stops"
        person.wait(lambda: cinema.frame() == 25)  # where it begins
        person.press("\ue007")  # Enter
        assert cinema.tracks() == [("car", [*range(20), *range(25, 40)])]

    def test_rename_and_another_class(self, cinema: Cinema) -> None:
        person = cinema.person
        person.click((150, 150))
        person.one("#name").send_keys("the red one\t")
        assert cinema.data()[0]["name"] == "the red one"
        assert person.texts("#objects .name")[0] == "the red one"
        person.one("#stage").click()
        person.click((150, 150))
        person.press("2")
        assert [name for name, _ in cinema.tracks()] == ["bus", "car"]

    def test_deleted(self, cinema: Cinema) -> None:
        cinema.person.click((150, 150))
        cinema.person.press("\ue017")
        assert cinema.tracks() == [("car", [*range(25, 40)])]

    def test_an_outline_on_one_frame(self, cinema: Cinema) -> None:
        cinema.go(3)
        cinema.person.click((150, 150))
        cinema.person.drag((200, 200), (230, 240))
        frames = cinema.data()[0]["frames"]
        moved = [[p["x"], p["y"]] for p in frames["3"]["answer"]]
        assert np.array(moved) == near([*LEFT[:2], [230, 240], LEFT[3]])
        assert frames["3"]["timestamp"] == 0.15
        assert [[p["x"], p["y"]] for p in frames["4"]["answer"]] == LEFT

    def test_longer_and_shorter(self, cinema: Cinema) -> None:
        person = cinema.person
        person.click((150, 150))
        cinema.go(23)
        person.one("#extend").click()
        assert cinema.tracks()[0] == ("car", [*range(20), 23])
        person.one("#drop-frame").click()
        assert cinema.tracks()[0] == ("car", [*range(20)])

    def test_one_is_drawn(self, cinema: Cinema) -> None:
        cinema.go(22)
        cinema.person.press("3", "d")
        cinema.person.click((10, 10), (60, 10), (60, 80))
        cinema.person.press("\ue007")
        *_, drawn = cinema.data()
        assert drawn["startFrame"] == 22 and list(drawn["frames"]) == ["22"]
        assert drawn["frames"]["22"]["timestamp"] == 1.1
        assert cinema.tracks()[2] == ("person", [22])
