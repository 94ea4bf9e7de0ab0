"""The pages for people, by HTTP: who may see them, what they show, what they save and refuse."""

from __future__ import annotations

import html
import io
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

import labellerr_loopback
from labellerr_loopback import Emulator
from tests.labellerr_loopback.conftest import Api, coco, jpeg
from tests.labellerr_loopback.test_refusals import contents
from tests.labellerr_loopback.video import film, small_video

STATIC = Path(labellerr_loopback.__file__).parent / "pages" / "static"
RING = [10, 10, 30, 10, 30, 30, 10, 30]
SQUARE = [[10.0, 10.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0]]
MOVED = [[12.25, 8.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0]]
HTML = {"Accept": "text/html"}
OUTLINE = [{"x": 1.0, "y": 2.0}, {"x": 9.0, "y": 2.0}, {"x": 9.0, "y": 8.0}]


class Page:
    """A person's browser, as far as it speaks HTTP."""

    def __init__(self, emulator: Emulator, project: str) -> None:
        self.home = emulator.page()
        self.project = emulator.page(project)

    def get(self, address: str, **headers: str) -> requests.Response:
        return requests.get(address, headers={**HTML, **headers}, timeout=30)

    def html(self, address: str) -> str:
        answer = self.get(address)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/html")
        return answer.text

    def names(self, query: str = "") -> list[str]:
        """Names of the files in the grid."""
        found = re.findall(r'<span class="name">(.*?)</span>', self.html(self.project + query))
        return [html.unescape(name) for name in found]

    def answers(self, file_id: str) -> dict[str, Any]:
        answer = requests.get(f"{self.project}files/{file_id}/answers", timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["response"]
        return found

    def save(self, file_id: str, revision: int, **change: Any) -> requests.Response:
        body = {"revision": revision, **change}
        return requests.patch(f"{self.project}files/{file_id}/answers", json=body, timeout=30)


@pytest.fixture
def page(emulator: Emulator, project: str) -> Page:
    return Page(emulator, project)


@pytest.fixture
def car(api: Api, project: str, page: Page) -> tuple[str, dict[str, Any]]:
    """A file with one car of score 0.4, and what the page knows of it."""
    api.preannotate(project, scored({"a.jpg": 0.4}))
    file_id = api.files(project)["a.jpg"]["file_id"]
    return file_id, page.answers(file_id)


@pytest.fixture
def video(api: Api, emulator: Emulator, tmp_path: Path) -> tuple[Page, str]:
    """A video of 6 frames with a track of a car on frames 2 to 5."""
    dataset = api.dataset(api.upload({"v.mp4": small_video(6, (64, 48), 10)}), "video")
    project = api.project([dataset], api.template(["car", "bus "], "video"), "video")
    frames = {str(n): {"frame": n, "answer": OUTLINE, "timestamp": n / 10} for n in range(2, 6)}
    answer = [{"startFrame": 2, "frames": frames}]
    annotation = {"question_name": "car", "question_type": "polygon", "answer": answer}
    content = [{"file_name": "v.mp4", "annotations": [annotation]}]
    api.preannotate(project, content, answer_format="video_json")
    return Page(emulator, project), api.files(project)["v.mp4"]["file_id"]


def scored(scores: dict[str, float | None]) -> Any:
    """A car in each file, with its score."""
    content = coco(list(scores), ["car"], [(i, 0, RING) for i in range(len(scores))])
    for annotation, score in zip(content["annotations"], scores.values(), strict=True):
        if score is not None:
            annotation["score"] = score
    return content


def new(question_id: str, points: Any = SQUARE) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "question_id": question_id, "points": points}


class TestWhoMay:
    @pytest.mark.parametrize("path", ["/", "/review", "/review/", "/review/no/", "/review/TOKEN"])
    def test_no_page_without_the_token(self, emulator: Emulator, path: str) -> None:
        address = emulator.url + path.replace("TOKEN", emulator.token)
        answer = requests.get(address, headers=HTML, timeout=9, allow_redirects=False)
        assert answer.status_code == 403
        assert "segtrack labellerr open" in html.unescape(answer.text)
        assert emulator.token not in answer.text

    def test_nothing_that_belongs_to_a_page_either(self, page: Page, car: Any) -> None:
        file_id, before = car
        wrong = page.project.replace("/review/", "/review/x")
        for name in ("answers", "media", "thumbnail"):
            assert requests.get(f"{wrong}files/{file_id}/{name}", timeout=9).status_code == 403
        body = {"revision": before["revision"], "status": "accepted"}
        answer = requests.patch(f"{wrong}files/{file_id}/answers", json=body, timeout=9)
        assert answer.status_code == 403
        assert page.answers(file_id) == before

    def test_no_other_name_of_this_machine(self, page: Page) -> None:
        assert page.get(page.home, Host="evil.example").status_code == 400

    @pytest.mark.parametrize("origin", ["https://evil.example", "null"])
    def test_no_page_of_another_address(self, page: Page, car: Any, origin: str) -> None:
        file_id, before = car
        body = {"revision": before["revision"], "status": "accepted"}
        address = f"{page.project}files/{file_id}/answers"
        answer = requests.patch(address, json=body, headers={"Origin": origin}, timeout=9)
        assert answer.status_code == 403
        assert page.answers(file_id) == before

    def test_pages_load_nothing_from_elsewhere(self, page: Page, car: Any) -> None:
        for address in (page.home, page.project, f"{page.project}files/{car[0]}/"):
            answer = page.get(address)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "http" not in policy
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            links = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
            assert links and not [link for link in links if ":" in link or link.startswith("//")]

    def test_every_file_of_the_pages_is_served(self, page: Page, car: Any) -> None:
        text = page.html(f"{page.project}files/{car[0]}/")
        loaded = re.findall(r'(?:src|href)="(/review/[^"]+/static/[^"]+)"', text)
        assert len(loaded) == 6
        base = page.home.split("/review/")[0]
        for link in loaded:
            assert requests.get(base + link, timeout=9).status_code == 200
        scripts, seen = ["review.js"], set()
        while scripts:
            seen.add(name := scripts.pop())
            script = requests.get(f"{page.home}static/{name}", timeout=9)
            assert script.headers["content-type"].startswith("text/javascript"), name
            found = set(re.findall(r'from "\./(\w+\.js)"', script.text))
            scripts += found - seen
        assert seen == {path.name for path in STATIC.glob("*.js")}
        for name in ("no.js", "../router.py", "..%2frouter.py"):
            assert requests.get(f"{page.home}static/{name}", timeout=9).status_code == 404


class TestWhatIsShown:
    def test_projects_with_their_progress(self, api: Api, project: str, page: Page) -> None:
        files = api.files(project)
        wish = {"file_ids": [files["a.jpg"]["file_id"]], "new_status": "accepted"}
        api.ask("POST", "/actions/files/bulk_assign", params={"project_id": project}, json=wish)
        text = page.html(page.home)
        assert f'projects/{project}/">streets</a>' in text
        assert "<strong>1 of 3</strong> reviewed" in text
        assert "2 to do" in text and "1 accepted" in text

    def test_an_empty_platform_says_what_fills_it(self, emulator: Emulator) -> None:
        assert "stages=[push]" in Page(emulator, "x").html(emulator.page())

    def test_what_users_named_is_escaped(self, api: Api, emulator: Emulator, dataset: str) -> None:
        name = '<i>car</i> & "co"'
        project = api.project([dataset], api.template([name]))
        page = Page(emulator, project)
        file_id = api.files(project)["a.jpg"]["file_id"]
        for address in (page.project, f"{page.project}files/{file_id}/"):
            text = page.html(address)
            assert "<i>" not in text and html.escape("<i>car</i> &") in text

    def test_the_filters(self, api: Api, project: str, page: Page) -> None:
        content = scored({"a.jpg": 0.3, "b.JPG": 0.6, "c.jpg": 0.9})
        api.preannotate(project, content)
        assert page.names() == page.names("?show=low") == ["a.jpg", "b.JPG", "c.jpg"]
        assert page.names("?show=medium") == ["b.JPG", "c.jpg"]
        assert page.names("?show=high") == ["c.jpg"]
        file = api.files(project)["b.JPG"]
        now = page.answers(file["file_id"])
        assert page.save(file["file_id"], now["revision"], status="accepted").status_code == 200
        assert page.names("?status=accepted") == ["b.JPG"]
        assert page.names("?status=None&show=medium") == ["c.jpg"]
        assert page.names("?status=rejected") == []
        assert "Show all of them" in page.html(page.project + "?status=rejected")

    def test_the_band_that_was_sent_counts_before_the_score(
        self, api: Api, project: str, page: Page
    ) -> None:
        api.preannotate(project, scored({"a.jpg": 0.9}), conf_bucket="low")
        assert page.names("?show=medium") == []
        file_id = api.files(project)["a.jpg"]["file_id"]
        now = page.answers(file_id)
        (answer,) = now["answers"]
        assert answer["band"] == "low"
        put = [{"id": answer["id"], "question_id": answer["question_id"], "points": MOVED}]
        page.save(file_id, now["revision"], put=put)
        assert page.names("?show=high") == ["a.jpg"]  # a person's work is sure

    def test_neighbours_are_those_of_the_filter(self, api: Api, project: str, page: Page) -> None:
        api.preannotate(project, scored({"a.jpg": 0.9, "c.jpg": 0.9}))
        files = {name: file["file_id"] for name, file in api.files(project).items()}
        text = page.html(f"{page.project}files/{files['a.jpg']}/?show=high")
        assert f'href="../{files["c.jpg"]}/?show=high"' in text
        assert "1 of 2" in text
        text = page.html(f"{page.project}files/{files['b.JPG']}/")
        assert f'href="../{files["a.jpg"]}/"' in text and f'href="../{files["c.jpg"]}/"' in text
        assert "2 of 3" in text

    def test_remarks_come_first_the_most_urgent_first(
        self, api: Api, project: str, page: Page
    ) -> None:
        files = {name: file["file_id"] for name, file in api.files(project).items()}
        assert "marked" not in page.html(page.project)
        remarks = [
            {"file_name": "c.jpg", "text": "overlooked: car 0.93", "outline": SQUARE},
            {"file_name": "a.jpg", "text": "a <duplicate>", "outline": None},
            {"file_name": "c.jpg", "text": "spurious", "outline": MOVED},
        ]
        path = f"/_emulator/projects/{project}/remarks"
        assert api.ask("POST", path, json={"remarks": remarks}) == {"remarks": 3}
        assert api.ask("GET", path) == remarks
        assert page.names() == ["c.jpg", "a.jpg", "b.JPG"]
        assert page.names("?marked=1") == ["c.jpg", "a.jpg"]
        text = page.html(page.project)
        assert 'href="?marked=1"' in text and "marked 2" in text
        assert "a &lt;duplicate&gt;" in text and "overlooked: car 0.93" in text
        assert text.count('class="mark" points="') == 2
        text = page.html(f"{page.project}files/{files['c.jpg']}/?marked=1")
        assert f'href="../{files["a.jpg"]}/?marked=1"' in text and "1 of 2" in text
        text = page.html(f"{page.project}files/{files['a.jpg']}/?marked=1")
        assert f'href="../{files["c.jpg"]}/?marked=1"' in text and "2 of 2" in text
        assert [r["text"] for r in page.answers(files["c.jpg"])["remarks"]] == [
            "overlooked: car 0.93",
            "spurious",
        ]
        wrong = {"remarks": [*remarks[:1], {"file_name": "no.jpg", "text": "x"}]}
        assert api.call("POST", path, json=wrong).status_code == 404
        assert api.ask("GET", path) == remarks
        api.ask("POST", path, json={"remarks": []})
        assert page.names("?marked=1") == []

    def test_many_files_come_by_pages(self, api: Api, emulator: Emulator, tmp_path: Path) -> None:
        one = jpeg(tmp_path, "x")
        names = [f"{number:03}.jpg" for number in range(61)]
        dataset = api.dataset(api.upload(dict.fromkeys(names, one)))
        page = Page(emulator, api.project([dataset], api.template(["car"])))
        assert page.names() == names[:60]
        assert page.names("?page=2") == names[60:]
        assert 'rel="next" href="?page=2"' in page.html(page.project)

    def test_pictures_thumbnails_and_videos(
        self, page: Page, car: Any, video: tuple[Page, str], tmp_path: Path
    ) -> None:
        address = f"{page.project}files/{car[0]}/"
        assert requests.get(address + "media", timeout=9).headers["content-type"] == "image/jpeg"
        small = requests.get(address + "thumbnail", timeout=9)
        assert small.headers["content-type"] == "image/jpeg" and len(small.content) > 100
        films, file_id = video
        film = f"{films.project}files/{file_id}/"
        part = requests.get(film + "media", headers={"Range": "bytes=0-9"}, timeout=9)
        assert (part.status_code, len(part.content)) == (206, 10)
        assert requests.get(film + "thumbnail", timeout=9).status_code == 200
        assert requests.get(film + "frames/5", timeout=9).status_code == 200
        assert requests.get(film + "frames/6", timeout=9).status_code == 404
        assert requests.get(address + "frames/0", timeout=9).status_code == 404

    @pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
    def test_each_frame_is_itself(self, tmp_path: Path, codec: str) -> None:
        import av
        from PIL import Image

        from labellerr_loopback.images import frame_jpeg
        from labellerr_loopback.pages.media import frame_times

        (tmp_path / "v.mp4").write_bytes(film(codec))
        with av.open(str(tmp_path / "v.mp4")) as container:
            greys = [int(f.to_ndarray(format="gray")[0, 0]) for f in container.decode(video=0)]
        assert len(set(greys)) == len(greys) == 40
        assert frame_times(tmp_path / "v.mp4") == pytest.approx([n / 20 for n in range(40)])
        for number in (0, 1, 11, 12, 13, 30, 39):
            with Image.open(io.BytesIO(frame_jpeg(tmp_path / "v.mp4", number))) as image:
                assert image.convert("L").getpixel((0, 0)) == pytest.approx(greys[number], abs=2)

    def test_a_kind_of_picture_that_browsers_do_not_show(
        self, api: Api, emulator: Emulator, tmp_path: Path
    ) -> None:
        from PIL import Image

        Image.new("RGB", (64, 48)).save(tmp_path / "t.tiff")
        dataset = api.dataset(api.upload({"t.tiff": (tmp_path / "t.tiff").read_bytes()}))
        project = api.project([dataset], api.template(["car"]))
        page, file = Page(emulator, project), api.files(project)["t.tiff"]
        answer = requests.get(f"{page.project}files/{file['file_id']}/media", timeout=9)
        assert answer.headers["content-type"] == "image/png"

    def test_what_is_not_there_is_said_on_a_page(self, page: Page, car: Any) -> None:
        nowhere = page.project.replace(page.project.rstrip("/").rsplit("/", 1)[1], "nobody")
        for address, status in (
            (nowhere, 404),
            (f"{page.project}files/no/", 404),
            (page.project + "?show=some", 400),
            (page.project + "?page=0", 400),
            (page.home + "elsewhere", 404),
        ):
            answer = page.get(address)
            assert answer.status_code == status
            assert answer.headers["content-type"].startswith("text/html")
            assert "All projects" in answer.text


class TestSaving:
    def test_what_is_saved_is_what_an_export_gives(
        self, api: Api, project: str, page: Page, car: tuple[str, dict[str, Any]]
    ) -> None:
        file_id, now = car
        (answer,) = now["answers"]
        bus = now["questions"][1]["id"]
        put = [{"id": answer["id"], "question_id": bus, "points": MOVED}, new(bus)]
        saved = page.save(file_id, now["revision"], put=put, status="accepted")
        assert saved.status_code == 200
        later = page.answers(file_id)
        assert saved.json()["response"] == {"revision": later["revision"]}
        assert later["status"] == "accepted"
        kept, added = later["answers"]
        assert (kept["id"], kept["points"]) == (answer["id"], MOVED)
        assert (kept["score"], kept["source"]) == (0.4, "human")
        assert (added["points"], added["score"]) == (SQUARE, None)
        export = api.export(project, ["accepted"])
        assert [image["file_name"] for image in export["images"]] == ["a.jpg"]
        assert [c["name"] for c in export["categories"]] == ["bus "]
        assert [a["labellerr_answer_id"] for a in export["annotations"]] == [
            answer["id"],
            put[1]["id"],
        ]
        moved = [12, 8, 30, 10, 30, 30, 10, 30]  # whole pixels, as the platform exports them
        assert [a["segmentation"] for a in export["annotations"]] == [[moved], [RING]]

    def test_what_reaches_beyond_the_picture_ends_at_its_border(self, page: Page, car: Any) -> None:
        file_id, now = car
        far = {**new(now["questions"][0]["id"]), "points": [[10, -5], [9999, 9999], [10, 30]]}
        assert page.save(file_id, now["revision"], put=[far]).status_code == 200
        later = page.answers(file_id)
        (kept,) = [one for one in later["answers"] if one["id"] == far["id"]]
        assert kept["points"] == [[10, 0], [64, 48], [10, 30]]

    def test_what_is_put_as_it_was_stays_the_models(self, page: Page, car: Any) -> None:
        file_id, now = car
        (answer,) = now["answers"]
        put = [{key: answer[key] for key in ("id", "question_id", "points")}]
        page.save(file_id, now["revision"], put=put)
        assert page.answers(file_id)["answers"] == now["answers"]

    def test_a_removed_answer_can_be_put_back(self, page: Page, car: Any) -> None:
        file_id, now = car
        (answer,) = now["answers"]
        revision = page.save(file_id, now["revision"], removed=[answer["id"]]).json()["response"]
        assert page.answers(file_id)["answers"] == []
        put = [{key: answer[key] for key in ("id", "question_id", "points")}]
        assert page.save(file_id, **revision, put=put).status_code == 200
        assert page.answers(file_id)["answers"] == [answer]

    def test_a_box(self, api: Api, emulator: Emulator, dataset: str) -> None:
        question = {
            "question_number": 1,
            "question": "sign",
            "option_type": "BoundingBox",
            "color": "#00ff00",
        }
        template = api.ask(
            "POST",
            "/annotations/create_template",
            json={"templateName": "t", "questions": [question]},
            params={"data_type": "image"},
        )["template_id"]
        project = api.project([dataset], template)
        page, file_id = Page(emulator, project), api.files(project)["a.jpg"]["file_id"]
        now = page.answers(file_id)
        (sign,) = now["questions"]
        assert (sign["kind"], sign["colour"]) == ("BoundingBox", "#00ff00")
        corners = [[30.0, 10.0], [10.0, 10.0], [10.0, 25.0], [30.0, 25.0]]
        page.save(file_id, now["revision"], put=[new(sign["id"], corners)], status="accepted")
        (annotation,) = api.export(project, ["accepted"])["annotations"]
        assert annotation["bbox"] == [10, 10, 20, 15]


class TestConflicts:
    def test_the_second_of_two_is_told_and_can_go_on(
        self, page: Page, car: tuple[str, dict[str, Any]]
    ) -> None:
        file_id, seen = car
        (answer,) = seen["answers"]
        bus = seen["questions"][1]["id"]
        assert page.save(file_id, seen["revision"], put=[new(bus)]).status_code == 200
        second = page.save(file_id, seen["revision"], removed=[answer["id"]], status="accepted")
        assert second.status_code == 409
        assert "changed" in second.json()["message"]
        now = second.json()["response"]
        assert now == page.answers(file_id)
        assert (len(now["answers"]), now["status"]) == (2, "None")
        again = page.save(file_id, now["revision"], removed=[answer["id"]])
        assert again.status_code == 200
        assert len(page.answers(file_id)["answers"]) == 1

    @pytest.mark.parametrize("other", ["job", "status", "control"])
    def test_whoever_else_changes_a_file(
        self, api: Api, project: str, page: Page, car: tuple[str, dict[str, Any]], other: str
    ) -> None:
        file_id, seen = car
        if other == "job":
            api.preannotate(project, scored({"a.jpg": 0.8}))
        elif other == "status":
            body = {"file_ids": [file_id], "new_status": "review"}
            path = "/actions/files/bulk_assign"
            api.ask("POST", path, params={"project_id": project}, json=body)
        else:
            work = {"file_id": file_id, "answers": []}
            assert api.work(project, [work]).status_code == 200
        assert page.save(file_id, seen["revision"], status="accepted").status_code == 409

    def test_other_files_do_not_matter(self, api: Api, project: str, page: Page, car: Any) -> None:
        file_id, seen = car
        api.preannotate(project, scored({"c.jpg": 0.8}))
        assert page.save(file_id, seen["revision"], status="accepted").status_code == 200


class TestVideos:
    def test_times_of_frames_and_tracks(self, video: tuple[Page, str]) -> None:
        page, file_id = video
        now = page.answers(file_id)
        assert now["times"] == pytest.approx([n / 10 for n in range(6)])
        (answer,) = now["answers"]
        assert answer["kind"] == "track" and list(answer["track"]["frames"]) == list("2345")

    def test_a_track_in_two_and_one_more(self, api: Api, video: tuple[Page, str]) -> None:
        page, file_id = video
        now = page.answers(file_id)
        (answer,) = now["answers"]
        frames, bus = answer["track"]["frames"], now["questions"][1]["id"]
        first = {"startFrame": 2, "frames": {n: frames[n] for n in "23"}, "name": "my car"}
        second = {"startFrame": 4, "frames": {n: frames[n] for n in "45"}}
        alone = {"startFrame": 0, "frames": {"0": {"frame": 0, "answer": OUTLINE}}}
        put = [
            {"id": answer["id"], "question_id": answer["question_id"], "track": first},
            {"id": str(uuid.uuid4()), "question_id": bus, "track": second},
            {"id": str(uuid.uuid4()), "question_id": bus, "track": alone},
        ]
        assert page.save(file_id, now["revision"], put=put).status_code == 200
        found = page.answers(file_id)["answers"]
        assert [one["track"] for one in found] == [first, second, alone]
        assert [one["question_id"] for one in found] == [answer["question_id"], bus, bus]
        shown = api.files(page.project.rstrip("/").rsplit("/", 1)[1])["v.mp4"]["answers"]
        assert [one["data"] for one in shown] == [first, second, alone]

    def test_a_start_is_where_the_frames_start(self, video: tuple[Page, str]) -> None:
        page, file_id = video
        now = page.answers(file_id)
        (answer,) = now["answers"]
        frames = {"4": answer["track"]["frames"]["4"], "3": answer["track"]["frames"]["3"]}
        track = {"startFrame": 0, "frames": frames}
        put = [{"id": answer["id"], "question_id": answer["question_id"], "track": track}]
        assert page.save(file_id, now["revision"], put=put).status_code == 200
        (later,) = page.answers(file_id)["answers"]
        assert later["track"]["startFrame"] == 3 and list(later["track"]["frames"]) == ["3", "4"]


class TestRefused:
    @pytest.fixture
    def unchanged(self, emulator: Emulator, car: Any) -> Iterator[None]:
        before = contents(emulator.folder)
        yield
        assert contents(emulator.folder) == before

    @pytest.mark.parametrize(
        ("change", "status", "said"),
        [
            ({"put": [new("no")]}, 400, "no question 'no'"),
            ({"put": [{"points": SQUARE[:2]}]}, 400, "points"),
            ({"put": [{"points": [*SQUARE, [1, 2, 3]]}]}, 400, "points"),
            ({"put": [{"points": [*SQUARE, [1e9, 0]]}]}, 400, "points"),
            ({"put": [{"points": [[5, 5], [9, 9], [13, 13]]}]}, 400, "no area"),
            ({"put": [{"points": [[70, 5], [99, 5], [99, 20]]}]}, 400, "no area within the pic"),
            ({"put": [{}]}, 400, "takes an outline"),
            ({"put": [{"track": {"startFrame": 0, "frames": {}}}]}, 400, "frames"),
            ({"put": [{"id": "../x", "points": SQUARE}]}, 400, "id"),
            ({"put": [{"points": SQUARE}], "removed": [str(uuid.uuid4())]}, 404, "not on this"),
            ({"put": [{"points": SQUARE}], "status": "fine"}, 400, "status 'fine'"),
            ({"put": [{"points": SQUARE, "score": 1}]}, 400, "score"),
            ({"revision": -1}, 400, "revision"),
            ({"revision": 2**70}, 400, "revision"),
            ({"answers": []}, 400, "answers"),
        ],
    )
    def test_nothing_is_changed(
        self, page: Page, car: Any, unchanged: None, change: Any, status: int, said: str
    ) -> None:
        file_id, now = car
        question = now["questions"][0]["id"]
        filled = {"id": str(uuid.uuid4()), "question_id": question}
        put = {"put": [{**filled, **one} for one in change["put"]]} if "put" in change else {}
        body = {"revision": now["revision"], **change, **put}
        answer = page.save(file_id, **body)
        assert answer.status_code == status, answer.text
        assert said in answer.json()["message"]

    def test_an_answer_of_another_file(self, api: Api, project: str, page: Page, car: Any) -> None:
        file_id, now = car
        other = api.files(project)["c.jpg"]["file_id"]
        (answer,) = now["answers"]
        put = [{"id": answer["id"], "question_id": answer["question_id"], "points": MOVED}]
        revision = page.answers(other)["revision"]
        assert page.save(other, revision, put=put).status_code == 404
        assert page.save(other, revision, removed=[answer["id"]]).status_code == 404
        assert page.answers(file_id) == now

    @pytest.mark.parametrize(
        ("frames", "said"),
        [
            ({"6": {"frame": 6, "answer": OUTLINE}}, "frame '6'"),
            ({"1": {"frame": 2, "answer": OUTLINE}}, "frame '1'"),
            ({"x": {"frame": 1, "answer": OUTLINE}}, "frame 'x'"),
            ({"1": {"frame": 1, "answer": OUTLINE[:2]}}, "answer"),
            ({"1": {"frame": 1, "answer": OUTLINE[:2] + OUTLINE[:1]}}, "frame 1: the outline has"),
            ({"1": {"frame": 1, "answer": {"xmin": 1, "ymin": 1, "xmax": 2, "ymax": 2}}}, "takes"),
        ],
    )
    def test_frames_that_are_none(self, video: tuple[Page, str], frames: Any, said: str) -> None:
        page, file_id = video
        now = page.answers(file_id)
        track = {"startFrame": 1, "frames": frames}
        put = [{"id": str(uuid.uuid4()), "question_id": now["questions"][0]["id"], "track": track}]
        answer = page.save(file_id, now["revision"], put=put)
        assert answer.status_code == 400
        assert said in answer.json()["message"]
        assert page.answers(file_id) == now
