"""What the server gives is what the run kept, and only to whoever has the address."""

from __future__ import annotations

import http.client
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests

from segtrack.base.errors import DataError
from segtrack.base.names import level
from segtrack.runs import KeptRun, find
from segtrack.runs.places import Folder
from segtrack.settings import MlflowSettings
from segtrack.view import Library, start_view
from segtrack.view.objects import ObjectIndex
from segtrack.view.pictures import Film
from segtrack.view.run_pages import scores_of_video
from tests.view.conftest import Served
from tests.view.made import FRAMES, HEIGHT, MARKS, WIDTH, number_of, write_video

VIDEO = "runs/folder-1/videos/1/"


def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "tracking/clip/results.json").read_text())
    return found


class TestObjects:
    def test_a_window_is_what_results_json_says(self, served: Served) -> None:
        frames: dict[str, Any] = {}
        for first in range(0, FRAMES, 32):
            found = served.get(f"{VIDEO}objects?first={first}&end={first + 32}").json()
            assert found["read"] == 1
            assert all(first <= int(frame) < first + 32 for frame in found["frames"])
            frames |= found["frames"]
        objects = results(served.folders[0])["objects"]
        assert sum(map(len, frames.values())) == len(objects) == 94 + 50 + 60 + 16
        given = {(int(f), row[0]): row for f, rows in frames.items() for row in rows}
        for one in objects:
            row = given[one["frame"], one["track_id"]]
            assert row[1:8] == [one["class_id"], one["score"], *one["bbox_xyxy"], 0]
            x1, y1, x2, y2 = one["bbox_xyxy"]
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            for ring in row[8]:
                points = np.array(ring).reshape(-1, 2)
                cv2.fillPoly(mask, [np.round(points - 0.5).astype(np.int32)], 1)
            true = np.zeros_like(mask)
            true[int(y1) : int(y2), int(x1) : int(x1 + (x2 - x1) * 3 // 4)] = 1
            assert (mask & true).sum() == (mask | true).sum()  # to the pixel: they are boxes

    def test_tracks(self, served: Served) -> None:
        found = served.get(f"{VIDEO}tracks").json()
        assert (found["read"], found["problem"], found["count"]) == (1, "", FRAMES)
        assert found["classes"] == {"0": "car", "1": "person"}
        assert found["tracks"] == [
            [1, 0, 94, 0.6, 0.6, [0, 39, 46, 99]],
            [2, 1, 50, 0.7, 0.7, [10, 59]],
            [3, 1, 60, 0.8, 0.8, [60, 119]],
            [4, 0, 16, 0.9, 0.9, [35, 50]],
        ]

    def test_marks(self, served: Served) -> None:
        assert served.get(f"{VIDEO}marks").json()["marks"] == MARKS

    def test_ground_truth_beside_it(self, served: Served) -> None:
        found = served.get(f"{VIDEO}objects?first=45&end=46").json()["truth"]
        assert found["objects"] == {
            "45": [
                [7, "car", 65, 60, 105, 90, -1, None],
                [8, "person", 200, 100, 220, 150, 2, None],
            ]
        }
        assert found["false"] == {"45": [4]}

    def test_any_layout_of_the_file(self, served: Served, tmp_path: Path) -> None:
        document = results(served.folders[0])
        turned = {
            "objects": sorted(document["objects"], key=lambda one: -one["frame"]),
            **{key: value for key, value in document.items() if key != "objects"},
        }
        own = ObjectIndex(served.folders[0] / "tracking/clip/results.json", tmp_path)
        path = tmp_path / "results.json"
        path.write_text(json.dumps(turned, indent=2))
        other = ObjectIndex(path, tmp_path)
        for index in (own, other):
            index.start()
            assert index.wait(30) and not index.problem
        one, two = own.rows(), other.rows()
        assert one is not None and two is not None and own.video == other.video
        assert np.array_equal(one.frame, two.frame)
        order = [np.lexsort((rows.track_id, rows.frame)) for rows in (one, two)]
        for name in ("track_id", "class_id", "score", "bbox_xyxy", "interpolated"):
            assert np.array_equal(getattr(one, name)[order[0]], getattr(two, name)[order[1]])
        assert own.masks(one.part(order[0])) == other.masks(two.part(order[1]))

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda text: text[: text.index('{"frame": 50')], "up to frame 49"),
            (lambda text: text.replace('"score": 0.7,', "", 1), "an object has no score"),
            (lambda text: text.replace('"frame": 50,', '"frame": "x",', 1), "up to frame"),
        ],
    )
    def test_what_cannot_be_read_is_said(
        self, served: Served, tmp_path: Path, change: Any, said: str
    ) -> None:
        text = (served.folders[0] / "tracking/clip/results.json").read_text()
        path = tmp_path / "results.json"
        path.write_text(change(text))
        index = ObjectIndex(path, tmp_path)
        index.start()
        assert index.wait(30)
        assert said in index.problem and str(path) in index.problem

    @pytest.mark.parametrize("text", ["", "[]", "{", '{"objects": []}', "no JSON"])
    def test_no_results_at_all(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "results.json"
        path.write_text(text)
        with pytest.raises(DataError, match=r"not readable as a results\.json"):
            ObjectIndex(path, tmp_path)

    def test_a_mask_of_another_size(self, served: Served, tmp_path: Path) -> None:
        text = (served.folders[0] / "tracking/clip/results.json").read_text()
        path = tmp_path / "results.json"
        path.write_text(text.replace('"counts": "', '"counts": "zzzz', 1))
        index = ObjectIndex(path, tmp_path)
        index.start()
        assert index.wait(30)
        rows = index.rows(0, 1)
        assert rows is not None
        with pytest.raises(DataError, match="RLE"):
            index.masks(rows)


class TestPictures:
    def test_any_frame_in_any_order(self, served: Served) -> None:
        for frame in (0, 119, 49, 50, 51, 3, 3, 100, 99, 98):
            answer = served.get(f"{VIDEO}frames/{frame}")
            assert answer.headers["content-type"] == "image/jpeg"
            image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
            assert image.shape == (HEIGHT, WIDTH, 3) and number_of(image) == frame

    def test_a_frame_that_is_not_there(self, served: Served) -> None:
        answer = served.get(f"{VIDEO}frames/{FRAMES}")
        assert (answer.status_code, "frame 120" in answer.json()["error"]) == (422, True)

    def test_ranges_of_the_file(self, served: Served) -> None:
        data = (served.folders[0] / "clip.mp4").read_bytes()
        answer = served.get(f"{VIDEO}media", headers={"Range": "bytes=100-299"})
        assert (answer.status_code, answer.content) == (206, data[100:300])
        assert answer.headers["content-range"] == f"bytes 100-299/{len(data)}"
        assert served.get(f"{VIDEO}media").content == data

    def test_times(self, served: Served) -> None:
        found = served.get(f"{VIDEO}times").json()
        assert found == {"fps": 25, "seconds": None, "count": FRAMES}

    @pytest.mark.parametrize(("name", "codec"), [("a.avi", "mpeg4"), ("a.mkv", "libx264")])
    def test_other_files(self, tmp_path: Path, name: str, codec: str) -> None:
        film = Film(write_video(tmp_path / name, codec, 70))
        for frame in (69, 0, 55, 12):
            data, _ = film.picture(frame, small=True)
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            assert number_of(image) == frame
        film.close()

    def test_a_folder_of_frames(self, tmp_path: Path) -> None:
        for number in range(12):
            cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 30, 3), number, np.uint8))
        film = Film(tmp_path)
        assert (film.count, film.plays, film.seconds()) == (12, False, None)
        assert film.picture(10, small=False) == ((tmp_path / "10.png").read_bytes(), "image/png")
        with pytest.raises(DataError, match="frame 12"):
            film.picture(12, small=True)


class TestTwoRuns:
    def test_where_they_differ(self, served: Served) -> None:
        found = served.get("compare/folder-1/folder-2/1/differences").json()
        assert found["marks"] == [
            [20, 29, 0, 2, "track 2 of A alone"],
            [70, 70, 0, 1, "track 1 of A, 1 of B, is now 21 of B"],
        ]

    def test_their_scores(self, served: Served) -> None:
        page = served.get("compare/folder-1/folder-2/").text
        assert "B scores" in page and "no interval" in page  # of one sequence
        assert page.count("→") == 3

    def test_one_with_itself(self, served: Served) -> None:
        assert served.get("compare/folder-1/folder-1/1/differences").json()["marks"] == []


class TestWhoMayLook:
    @pytest.mark.parametrize("path", ["", "view", "view/", "view/x/", "view/x/static/view.css"])
    def test_without_the_token(self, served: Served, path: str) -> None:
        answer = requests.get(f"{served.url}/{path}", timeout=30)
        assert answer.status_code == 403 and "token" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    def test_under_another_name(self, served: Served) -> None:
        answer = served.get("", headers={"Host": "evil.example"})
        assert answer.status_code == 403 and "Only 127.0.0.1" in answer.text

    def test_from_another_page(self, served: Served) -> None:
        answer = served.get(f"{VIDEO}tracks", headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403

    def test_only_this_machine(self, served: Served) -> None:
        assert served.url.startswith("http://127.0.0.1:")

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("runs/folder-3/", 404),
            ("runs/%2e%2e%2fetc/videos/1/", 404),
            ("runs/folder-1/videos/2/", 404),
            ("runs/folder-1/videos/0/media", 404),
            ("runs/folder-1/videos/-1/", 404),
            ("runs/folder-1/videos/x/", 400),
            ("runs/0123456789abcdef0123456789abcdef/", 404),
            (f"{VIDEO}objects?first=0&end=1000000", 404),
            (f"{VIDEO}objects?first=5&end=5", 404),
            (f"{VIDEO}objects?first=-5&end=5", 400),
            ("static/none.js", 404),
            ("nothing", 404),
        ],
    )
    def test_what_is_not_there(self, served: Served, path: str, status: int) -> None:
        answer = served.get(path)
        assert answer.status_code == status and answer.json()["error"]
        page = served.get(path, headers={"Accept": "text/html"})
        assert page.status_code == status and "This cannot be shown" in page.text

    @pytest.mark.parametrize(
        "path", ["static/../app.py", "static/%2e%2e/app.py", "static//etc/passwd", "../../etc"]
    )
    def test_no_other_file(self, served: Served, path: str) -> None:
        host, port = served.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("GET", served.address.removeprefix(served.url) + path)  # as it stands
        assert connection.getresponse().status in (403, 404)
        connection.close()

    def test_whatever_a_run_is_called_is_text(self, served: Served, tmp_path: Path) -> None:
        folder = tmp_path / "<script>alert(1)<"
        shutil.copytree(served.folders[0], folder)
        settings = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none.db'}")
        library = Library(settings, find(settings, [str(folder)], tmp_path), tmp_path)
        with start_view(library) as view:
            page = requests.get(f"{view.address}runs/folder-1/", timeout=30).text
        assert "<script>alert" not in page and "&lt;script&gt;alert(1)" in page


def test_the_scores_of_a_video_are_its_own(tmp_path: Path) -> None:
    """Not those of the run, which are over all of its videos."""
    metrics = {"track/hota": 0.5, "test/mask_map50_95": 0.4}
    run = KeptRun("1" * 32, "run", Folder(tmp_path), metrics=metrics)
    run.metrics[f"track/video/{level('a/b')}/hota"] = 0.625
    run.metrics[f"track/video/{level('a/b')}/mask_hota"] = 0.7
    assert scores_of_video(run, "a/b") == [("HOTA", "62.5"), ("mask HOTA", "70.0")]
    assert scores_of_video(run, "c") == []


def test_the_page_of_a_video_has_its_scores(served: Served, tmp_path: Path) -> None:
    settings = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none.db'}")
    (run,) = find(settings, [str(served.folders[0])], tmp_path)
    assert isinstance(run, KeptRun)
    own = f"track/video/{level(run.videos[0].name)}/hota"
    library = Library(settings, [replace(run, metrics={"track/hota": 0.5, own: 0.625})], tmp_path)
    with start_view(library) as view:
        page = requests.get(view.address + VIDEO, timeout=30).text
    assert "HOTA <b>62.5</b>" in page and "50.0" not in page
    library.close()


def test_a_video_whose_file_is_not_known(served: Served, tmp_path: Path) -> None:
    path = served.folders[0] / "tracking/clip/results.json"
    alone = tmp_path / "clip.json"
    shutil.copy(path, alone)
    settings = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none.db'}")
    named = find(settings, [str(alone)], tmp_path)
    about = Library(settings, named, tmp_path).video("folder-1", 1).about()
    assert (about["film"], "--video FILE" in about["noFilm"], about["truth"]) == (
        False,
        True,
        False,
    )
    for given in (served.folders[0] / "clip.mp4", served.folders[0]):
        library = Library(settings, named, tmp_path, given)
        assert library.video("folder-1", 1).about()["plays"]
        library.close()


def test_no_error_shows_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = MlflowSettings(uri=f"sqlite:///{tmp_path / 'none.db'}")
    library = Library(settings, [], tmp_path)

    def get(self: Library, key: str) -> Any:
        raise DataError("postgresql://me:hunter2@db/runs: does not answer")

    monkeypatch.setattr(Library, "get", get)
    with start_view(library) as view:
        for accept in ("text/html", "application/json"):
            answer = requests.get(f"{view.address}runs/a/", headers={"Accept": accept}, timeout=30)
            assert answer.status_code == 422 and "hunter2" not in answer.text
            assert "@db/runs: does not answer" in answer.text
    library.close()
