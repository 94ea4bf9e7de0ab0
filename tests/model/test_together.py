"""Videos that share a network: batches of several, equal results, failures, interrupts, time."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.base.rle import encode_box
from segtrack.dataset.sequences import VideoSequence
from segtrack.model import FrameDetections, Predictions, Request, Together, predict_video, together

NAMES = ("car",)


class Bright:
    """Finds one object, whose place is the first pixel of an image; remembers what it was given."""

    imgsz, batch = 64, 8

    def __init__(self):
        self.given, self.fails = [], {}

    def prepare(self, image):
        return image

    def predict(self, images):
        assert threading.current_thread() is threading.main_thread()
        if error := self.fails.get(len(self.given)):
            raise error
        self.given.append([int(image[0, 0, 1]) for image in images])
        return [SimpleNamespace(decode=partial(found_in, image)) for image in images]


def found_in(image, frame):
    x, left_out = int(image[0, 0, 0]) % 20, {"boat": int(image[0, 0, 1])}
    box = np.array([[x, 2, x + 4, 8]], np.float32)
    rle = [encode_box(np.ones((6, 4), bool), 20, 30, (x, 2))]
    score = np.full(1, 0.5, np.float32)
    return FrameDetections(frame, np.zeros(1, np.int16), score, box, rle, left_out)


@pytest.fixture
def detector():
    return Bright()


@pytest.fixture
def network(detector):
    return SimpleNamespace(
        family=SimpleNamespace(
            detector=lambda network, request: detector, compute=lambda network: {"device": "cpu"}
        ),
        weights=SimpleNamespace(trained=True, sha256="0" * 64),
        settings=SimpleNamespace(name="none"),
    )


def frames(video, count):
    """Each says which frame of which video it is."""
    for number in range(count):
        yield np.full((20, 30, 3), (number, video, 0), np.uint8)


def broken(video, count):
    yield from frames(video, count)
    raise DataError(f"{video}.mp4: cannot be read")


def work(shared, folder, video, count, of=frames):
    """One video's prediction."""
    sequence = VideoSequence(f"{video}", Path(f"{video}.mp4"), "", 30, 20, 15.0, count)
    numbers = {}

    def report(name, value, step=0):
        numbers[name] = value

    def done():
        place = folder / f"{video}"
        place.mkdir(parents=True)
        given = shared.network, shared.request, place, report, None, shared.lend
        predict_video(of(video, count), sequence, *given)
        return numbers

    return done


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


def test_on_a_cpu_one_at_a_time(network):
    assert Together(network, Request(NAMES)).most == 1
    network.family.compute = lambda network: {"device": "cuda"}
    assert Together(network, Request(NAMES)).most == together.MOST


def test_videos_share_batches_and_each_is_as_if_alone(network, detector, tmp_path):
    lengths = {1: 5, 2: 19, 3: 12, 4: 1}
    alone = Together(network, Request(NAMES))
    for video, count in lengths.items():
        assert work(alone, tmp_path / "alone", video, count)()["speed/batch"] == 8
    assert all(len(set(batch)) == 1 for batch in detector.given)
    detector.given.clear()
    shared = Together(network, Request(NAMES), most=3)
    works = [work(shared, tmp_path / "shared", *one) for one in lengths.items()]
    done = shared.run(works, sum(lengths.values()))
    assert all(one.result()["detect/detections"] == lengths[i + 1] for i, one in enumerate(done))
    assert {one.result()["speed/batch"] for one in done} == {8}
    assert content(tmp_path / "shared") == content(tmp_path / "alone")
    assert max(len(batch) for batch in detector.given) <= detector.batch
    assert any(len(set(batch)) > 1 for batch in detector.given)
    assert sum(map(len, detector.given)) == sum(lengths.values())
    assert detector.given[-1] == [2] * len(detector.given[-1])  # the longest ends alone
    counted = Predictions.load(tmp_path / "shared" / "3").info.left_out
    assert counted == {"boat": 3 * 12}


def test_shares_are_of_those_that_are_left(detector):
    meeting = together._Meeting(detector, 3, 4)
    done = SimpleNamespace(cancelled=lambda: False, exception=lambda: None)
    shares = [meeting.share()]
    for _ in range(3):
        meeting.note([], done)
        shares.append(meeting.share())
    assert shares == [2, 2, 4, 8]  # of 8 images: four videos, three at once
    detector.batch = 1
    assert meeting.share() == 1


def test_time_is_divided_among_those_that_use_it(detector, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(together.time, "perf_counter", lambda: now[0])
    meeting = together._Meeting(detector, 2, 3)
    done = SimpleNamespace(cancelled=lambda: False, exception=lambda: None)
    seen = []
    for _ in range(3):
        now[0] += 10
        seen.append(meeting.clock())
        meeting.note([], done)
    assert seen == [5, 10, 20]


def test_one_that_fails_lets_those_end_that_were_begun(network, tmp_path):
    shared = Together(network, Request(NAMES), most=2)
    rows = [(1, 30, frames), (2, 0, broken), (3, 3, frames), (4, 9, broken)]
    futures = shared.run([work(shared, tmp_path, *row) for row in rows])
    assert Predictions.load(tmp_path / "1").info.frame_count == 30
    assert [str(one.exception()) for one in futures[1:2]] == ["2.mp4: cannot be read"]
    assert [one.cancelled() for one in futures] == [False, False, True, True]
    assert not (tmp_path / "3").exists()


def test_those_that_are_worked_on_at_once_have_all_begun(network, tmp_path, monkeypatch):
    """Also where their threads have not come to it when one fails."""
    monkeypatch.setattr(together, "ThreadPoolExecutor", lambda *_: ThreadPoolExecutor(1))
    shared = Together(network, Request(NAMES), most=3)
    rows = [(1, 0, broken), *((video, 3, frames) for video in (2, 3, 4, 5))]
    futures = shared.run([work(shared, tmp_path, *row) for row in rows])
    assert [one.cancelled() for one in futures] == [False, False, False, True, True]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["1", "2", "3"]


def test_one_that_fails_before_all_are_handed_out(network, tmp_path, monkeypatch):
    class Slow(ThreadPoolExecutor):
        def submit(self, *what):
            given = super().submit(*what)
            time.sleep(0.02)
            return given

    monkeypatch.setattr(together, "ThreadPoolExecutor", Slow)
    shared = Together(network, Request(NAMES), most=1)
    rows = [(1, 0, broken), (2, 3, frames)]
    futures = shared.run([work(shared, tmp_path, *row) for row in rows])
    assert [one.cancelled() for one in futures] == [False, True]


def test_a_video_that_ends_early_keeps_what_was_read(network, tmp_path):
    shared = Together(network, Request(NAMES), most=2)
    works = [work(shared, tmp_path, 1, 9, broken), work(shared, tmp_path, 2, 9)]
    assert [one.exception() for one in shared.run(works)] == [None, None]
    info = Predictions.load(tmp_path / "1").info
    assert (info.frame_count, info.truncated) == (9, "1.mp4: cannot be read")


def test_an_error_of_the_network_is_one_of_every_video_that_asked(network, detector, tmp_path):
    detector.fails[2] = RuntimeError("the card is gone")
    shared = Together(network, Request(NAMES), most=2)
    futures = shared.run([work(shared, tmp_path, video, 40) for video in (1, 2, 3)])
    assert [str(one.exception()) for one in futures[:2]] == ["the card is gone"] * 2
    assert futures[2].cancelled()


def test_an_interrupt_ends_all(network, detector, tmp_path):
    detector.fails[3] = KeyboardInterrupt()
    before = threading.active_count()
    shared = Together(network, Request(NAMES), most=3)
    with pytest.raises(KeyboardInterrupt):
        shared.run([work(shared, tmp_path, video, 40) for video in range(1, 6)])
    assert threading.active_count() == before
    assert not list(tmp_path.rglob("predictions.json"))
    del detector.fails[3]  # and it can be asked again
    assert work(shared, tmp_path / "again", 1, 4)()["detect/detections"] == 4


def test_weights_that_predict_nothing_are_refused_before_any_video(network, tmp_path):
    network.weights = SimpleNamespace(trained=False, path=Path("none.yaml"))
    shared = Together(network, Request(NAMES), most=2)
    with pytest.raises(DataError, match="has not been trained"):
        shared.run([work(shared, tmp_path, video, 4) for video in (1, 2)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["detector.YoloDetector", "card.CardDetector"])
def test_a_real_network_finds_the_same(tiny_weights, tmp_path, monkeypatch, kind):
    """Of three videos, one of another input shape, in float32 on the CPU: byte for byte."""
    from segtrack.model import Network, model_settings
    from segtrack.model.ultralytics import Ultralytics

    module, name = kind.split(".")
    chosen = getattr(import_module(f"segtrack.model.ultralytics.{module}"), name)
    monkeypatch.setattr(Ultralytics, "detector", lambda _, *given: chosen(*given))

    def noise(video, count):
        rng = np.random.default_rng(video)
        shape = (48, 64, 3) if video < 3 else (64, 48, 3)
        for _ in range(count):
            yield rng.integers(0, 255, shape, np.uint8)

    settings = model_settings("yolov8n-seg", batch=4, conf_floor=0.001, max_det=6, backend="torch")
    one = Network(settings, tiny_weights, "cpu")
    request = one.request(("car", "truck"), {})
    for name, most in (("alone", None), ("shared", 3)):
        shared = Together(one, request, most)
        works = [work(shared, tmp_path / name, video, 6 + video, noise) for video in (1, 2, 3)]
        for done in shared.run(works) if most else works:
            done.result() if most else done()
    assert content(tmp_path / "shared") == content(tmp_path / "alone")
    info = Predictions.load(tmp_path / "shared" / "3").info
    assert (info.frame_count, info.width, info.height) == (9, 48, 64)
    assert len(list(Predictions.load(tmp_path / "shared" / "1").frames())) > 0
