"""What bad input gets: one clear message, the right exit code, and nothing half-written."""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.integration.conftest import LOADED, TINY, Outcome, Project

Run = Callable[..., Outcome]
SQUARE = "0 0.2 0.2 0.8 0.2 0.8 0.8 0.2 0.8"


class Folder:
    """A small YOLO data set that a case then spoils."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("images", "labels"):
            (root / name).mkdir(parents=True)
        for i in range(12):
            image = np.full((48, 64, 3), 20 * i, np.uint8)
            cv2.rectangle(image, (13, 10), (51, 38), (0, 0, 255 - i), -1)
            cv2.imwrite(str(root / "images" / f"{i:02}.jpg"), image)
            self.label(i, SQUARE)
        self.yaml("path: .\ntrain: images\nval: images\nnames: [car, person]\n")

    def label(self, number: int, text: str) -> None:
        (self.root / "labels" / f"{number:02}.txt").write_text(text + "\n")

    def image(self, number: int, content: bytes) -> None:
        (self.root / "images" / f"{number:02}.jpg").write_bytes(content)

    def yaml(self, text: str) -> None:
        (self.root / "data.yaml").write_text(text)

    def snapshot(self) -> dict[str, bytes]:
        files = (p for p in sorted(self.root.rglob("*")) if p.is_file())
        return {p.relative_to(self.root).as_posix(): p.read_bytes() for p in files}


@dataclass(frozen=True)
class Case:
    """What is typed (``{data}`` and ``{here}`` are folders), and what must come back."""

    name: str
    words: tuple[str, ...]
    code: int
    message: str
    spoil: Callable[[Folder], object] = lambda folder: None


def yolo(*words: str) -> tuple[str, ...]:
    return ("dataset=yolo", 'dataset.path="{data}"', "stages=[prepare]", *words)  # the last counts


def coco(name: str) -> tuple[str, ...]:
    words = ('dataset.path="{data}/images"', f'dataset.annotations="{{data}}/{name}"')
    return ("dataset=coco", *words, "stages=[prepare]")


def cut(folder: Folder) -> None:
    whole = (folder.root / "images" / "03.jpg").read_bytes()
    folder.image(3, whole[: len(whole) // 3])


def empty(folder: Folder) -> None:
    for path in folder.root.glob("*/*"):
        path.unlink()


def write(name: str, content: bytes | str) -> Callable[[Folder], object]:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder.root / name).write_bytes(data)


def detection_weights(folder: Folder) -> None:
    _checkpoint(folder, "yolov8n.yaml", {0: "car", 1: "person"})


def other_classes(folder: Folder) -> None:
    _checkpoint(folder, "yolov8n-seg.yaml", {0: "cat", 1: "dog"})


def _checkpoint(folder: Folder, architecture: str, names: dict[int, str]) -> None:
    from ultralytics import YOLO

    from segtrack.model.ultralytics import library

    config = library.architecture(architecture.removesuffix(".yaml")) | {"nc": len(names)}
    model = YOLO(architecture, verbose=False)
    model.model = type(model.model)(config, verbose=False)
    model.model.names, model.model.args, model.model.task = names, {"imgsz": 64}, model.task
    model.save(str(folder.root / "w.pt"))


def video(folder: Folder, frames: int = 5) -> None:
    writer = cv2.VideoWriter(
        str(folder.root / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48)
    )
    noise = np.random.default_rng(0)
    for _ in range(frames):
        writer.write(noise.integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()


def video_and(other: Callable[[Folder], object]) -> Callable[[Folder], object]:
    return lambda folder: (video(folder), other(folder))


TRACK = ("stages=[track]", "model.imgsz=64")
SHIPPED = "model.weights=shipped"
LEARN = "stages=[prepare,train]"
NOT_COCO = '{"images": 3}'
NO_IMAGE = (
    '{"images": [{"id": 1, "file_name": "00.jpg", "width": 64, "height": 48}], "annotations": '
    '[{"id": 5, "image_id": 99, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0, '
    '"segmentation": [[1, 1, 9, 1, 9, 9]]}], "categories": [{"id": 1, "name": "car"}]}'
)
CASES = [
    Case("unknown group option", ("model=yolov9",), 2, "model=yolov9: must be one of"),
    Case("misspelt key", ("tracker.track_tresh=1",), 2, "did you mean tracker.track_thresh"),
    Case("string for a number", ("seed=many",), 2, "seed=many: must be a whole number"),
    Case("threshold above 1", ("tracker.match_thresh=1.2",), 2, "must lie in 0 to 1"),
    Case("low above high", ("tracker.low_thresh=0.6",), 2, "must lie below tracker.track_thr"),
    Case("missing data folder", ("dataset=yolo", "dataset.path=/no/x"), 2, "/no/x: no such folder"),
    Case("empty data set", yolo(), 2, "no image", empty),
    Case("no names", yolo(), 2, r"data\.yaml.*names", lambda f: f.yaml("train: images\n")),
    Case("corrupt JPEG", yolo(), 2, r"03\.jpg", cut),
    Case("zero-byte image", yolo(), 2, r"04\.jpg.*(empty|0 bytes|zero)", lambda f: f.image(4, b"")),
    Case("odd coordinates", yolo(), 2, r"05\.txt:1.*odd", lambda f: f.label(5, SQUARE + " 0.5")),
    Case("NaN", yolo(), 2, r"06\.txt:2.*nan", lambda f: f.label(6, f"{SQUARE}\n0 nan 0 1 0 1 1")),
    Case("class id too high", yolo(), 2, r"07\.txt:1.*9", lambda f: f.label(7, "9" + SQUARE[1:])),
    Case("not COCO", coco("a.json"), 2, r"a\.json", write("a.json", NOT_COCO)),
    Case("not JSON", coco("a.json"), 2, r"a\.json", write("a.json", "labels: none")),
    Case(
        "annotation of no image", coco("a.json"), 2, r"(?s)a\.json.*99", write("a.json", NO_IMAGE)
    ),
    Case("nothing to track in", yolo("stages=[prepare,track]"), 2, "stage track: there is no vid"),
    Case("no video", ('video="{data}/no.mp4"', *TRACK, SHIPPED), 2, r"no\.mp4"),
    Case(
        "zero-byte video",
        ('video="{data}/v.mp4"', *TRACK, SHIPPED),
        2,
        r"v\.mp4.*(empty|0 bytes|zero)",
        write("v.mp4", b""),
    ),
    Case(
        "text named .mp4",
        ('video="{data}/v.mp4"', *TRACK, SHIPPED),
        2,
        r"v\.mp4",
        write("v.mp4", "this is not a video\n" * 50),
    ),
    Case(
        "not a checkpoint",
        ('video="{data}/v.avi"', *TRACK, 'model.weights="{data}/w.pt"'),
        2,
        r"w\.pt.*checkpoint",
        video_and(write("w.pt", "not a checkpoint")),
    ),
    Case(
        "detection-only weights",
        ('video="{data}/v.avi"', *TRACK, 'model.weights="{data}/w.pt"'),
        2,
        r"w\.pt.*(mask|seg)",
        video_and(detection_weights),
    ),
    Case(
        "none of the classes",
        ('video="{data}/v.avi"', *TRACK, 'model.weights="{data}/w.pt"', "dataset.classes=[cta]"),
        2,
        r"none of its 2 classes \(cat, dog\) is .* \(cta \(nearest: cat\)\)",
        video_and(other_classes),
    ),
    Case("no such GPU", yolo(LEARN, "device=[97]"), 2, "there is no GPU 97"),
    Case("no GPU", ('video="{data}/v.avi"', *TRACK, SHIPPED, "device=97"), 2, "no GPU 97", video),
    Case("no such run", yolo(LEARN, "model.weights=run:" + 32 * "0"), 2, "run:0+: no such run"),
    Case(
        "a folder for weights",
        yolo(LEARN, 'model.weights="{data}"'),
        2,
        "a folder with 0 exported net",
    ),
    Case("store=/proc", yolo("store=/proc/x"), 2, "store=/proc/x: cannot write in /proc "),
    Case("a store in a file", yolo("store=/etc/passwd/x"), 2, "/etc/passwd .it is no folder"),
    Case("a file as store", yolo("store=/etc/passwd"), 2, "store=/etc/passwd: .*it is no folder"),
    Case("MLflow in /proc", yolo("mlflow.uri=sqlite:////proc/x/y.db"), 2, "mlflow.uri=.*/proc/x"),
    Case("an output in /proc", yolo("hydra.run.dir=/proc/x"), 2, "folder /proc/x: cannot write"),
    Case(
        "a preset without its data",
        ("dataset=mot17_half", "stages=[track]"),
        2,
        r"dataset\.path: data/mot.*SEGTRACK_DATA",
    ),
    Case("a stage missing", ("stages=[evaluate]", SHIPPED), 2, "add prepare to stages"),
    Case(
        "no training yet",
        ("stages=[prepare,evaluate]",),
        2,
        "lacks weights, and the store has no training of .*: give model.weights=FILE, .*add train",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_bad_input(case: Case, here: Run, project: Project, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data, of [mine] (ü)")
    case.spoil(folder)
    before = folder.snapshot()
    words = [word.format(data=folder.root, here=project.folder) for word in case.words]
    extra = [] if any(word.startswith("dataset=") for word in words) else TINY
    outcome = here(*extra, *words)
    assert outcome.code == case.code, outcome.err + outcome.out
    assert re.search(case.message, outcome.err), outcome.err
    assert "Traceback" not in outcome.err
    assert folder.snapshot() == before  # nothing of the user's was touched
    partial = project.folder / ".segtrack" / "partial"
    assert not [p for p in partial.glob("*/*") if "/train/" not in p.as_posix()]
    worked = bool(project.results())  # only then there is something to record
    runs = project.runs()
    assert [run.info.status for run in runs] == (["FAILED"] if worked else [])
    assert all(run.data.tags["error"] in outcome.err for run in runs)
    assert len(list(project.folder.glob("mlruns/artifacts/*/*"))) == len(runs)
    assert any((project.folder / "outputs").rglob("*")) == worked


def test_settings_errors_make_no_run(here: Run, project: Project) -> None:
    assert here("tracker.track_thresh=2").code == 2
    assert project.runs() == []
    assert not (project.folder / "outputs").exists()


def test_a_truncated_video_is_tracked_as_far_as_it_goes(
    here: Run, project: Project, tmp_path: Path
) -> None:
    folder = Folder(tmp_path / "data")
    video(folder, frames=40)
    whole = (folder.root / "v.avi").read_bytes()
    (folder.root / "v.avi").write_bytes(whole[: len(whole) * 6 // 10])
    outcome = here(f"video={folder.root / 'v.avi'}", *TRACK, SHIPPED)
    assert outcome.code == 0, outcome.err
    assert re.search(r"warning: .*v\.avi", outcome.out), outcome.out
    (run,) = project.runs()
    assert run.info.status == "FINISHED"
    assert "v.avi" in run.data.tags["truncated.v"]


def test_paths_with_special_letters_work(here: Run, project: Project, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "my data, [part 1] (ü=1)")
    video(folder)
    outcome = here(
        "dataset=yolo",
        f'dataset.path="{folder.root}"',
        f'video="{folder.root / "v.avi"}"',
        "stages=[prepare,evaluate,track]",
        SHIPPED,
        "model.imgsz=64",
    )
    assert outcome.code == 0, outcome.err
    (run,) = project.runs()
    assert "tracking/v/results.json" in project.artifacts(run)


def test_an_output_folder_that_cannot_be_written(here: Run, project: Project) -> None:
    (project.folder / "outputs").write_text("a file in the way")
    outcome = here(*TINY, "stages=[prepare]")
    assert outcome.code == 2
    assert re.search("the run's folder outputs: cannot write in", outcome.err), outcome.err
    assert "Traceback" not in outcome.err


def test_a_disk_that_is_full_while_a_result_is_written(project: Project) -> None:
    """A limit on the size of files stands for the full disk: writes fail in the middle."""
    code = (
        "import resource, signal, sys; from segtrack.command.app import main;"
        "from segtrack.dataset import prepare; from segtrack import journal;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "journal.connect.__doc__;"
        "import segtrack.store.store as s; original = s.Store._run\n"
        "def run(self, call, build, *how, **more):\n"
        "    def limited(folder, report):\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"
        "        try: build(folder, report)\n"
        "        finally: resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "    return original(self, call, limited, *how, **more)\n"
        "s.Store._run = run\n"
        "sys.argv[0] = 'src/run.py'; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, *TINY, "stages=[prepare]"]
    done = LOADED.run(command, project.folder)
    assert done.code == 1, done.err
    assert re.search("stage prepare: cannot write", done.err), done.err
    assert "Traceback" not in done.err
    assert project.results() == []
    (run,) = project.runs()
    assert run.info.status == "FAILED"


def test_a_server_that_does_not_answer(here: Run, project: Project) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        words = ("mlflow=server", f"mlflow.uri=http://127.0.0.1:{port}", "mlflow.timeout=1")
        outcome = here(*words, *TINY)
    assert outcome.code == 2
    assert f"http://127.0.0.1:{port}: no MLflow server answers" in outcome.err
    assert project.results() == []


def test_two_processes_at_once_on_an_empty_folder(tmp_path: Path) -> None:
    project = Project(tmp_path)
    both = [project.start(*TINY, "stages=[prepare]") for _ in range(2)]
    errors = [process.communicate(timeout=200)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    runs = project.runs()
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    assert sorted(run.data.metrics["builds/prepare"] for run in runs) == [0.0, 1.0]
