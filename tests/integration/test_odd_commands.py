"""Commands that cannot mean anything, or name what is not there: each is one message that says what
to do, exit code 2, and leaves nothing; none waits for what is heavy to import."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration import light
from tests.integration.conftest import Project


def _nothing(folder: Path) -> None:
    pass


@dataclass(frozen=True)
class Odd:
    """What is typed (``{here}`` is a folder), what must be said, and what was there before."""

    words: tuple[str, ...]
    said: str
    before: Callable[[Path], object] = _nothing


def odd(*words: str, said: str, before: Callable[[Path], object] = _nothing) -> Odd:
    return Odd(words, said, before)


def file(name: str, content: bytes = b"hello\n" * 100) -> Callable[[Path], object]:
    return lambda here: (here / name).write_bytes(content)


def folder(name: str, mode: int = 0o755) -> Callable[[Path], object]:
    return lambda here: (here / name).mkdir(mode)


def loop(here: Path) -> None:
    (here / "loop").symlink_to("loop")


def preset(name: str, text: str) -> Callable[[Path], object]:
    def make(here: Path) -> None:
        path = here / "c" / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)

    return make


def pipe_as_yaml(here: Path) -> None:
    (here / "d").mkdir()
    os.mkfifo(here / "d" / "data.yaml")


def pipe(here: Path) -> None:
    os.mkfifo(here / "v.mp4")


def database(content: bytes) -> Callable[[Path], object]:
    return lambda here: (here / "mlruns" / "mlflow.db").write_bytes(content)


def no_database(here: Path) -> None:
    (here / "mlruns" / "mlflow.db").unlink()
    (here / "mlruns" / "mlflow.db").mkdir()


def sequences(here: Path) -> None:
    for name in ("A", "B"):
        (here / "seq" / name / "gt").mkdir(parents=True)
        info = "[Sequence]\nframeRate=10\nseqLength=1\nimWidth=64\nimHeight=48\n"
        (here / "seq" / name / "seqinfo.ini").write_text(info)
        (here / "seq" / name / "gt" / "gt.txt").write_text("1,1,10,10,20,20,1,1,1\n")


LONG = "x" * 300
PREPARE = "stages=[prepare]"
TRACK = ("stages=[track]", "model.weights=shipped")
SEQUENCES = ("dataset=sequences", "dataset.path={here}/seq")
ODD = {
    # words
    "misspelt": odd("tracker.track_tresh=1", said="did you mean tracker.track_thresh"),
    "no value": odd("seed", said="seed: has no value: type seed=VALUE"),
    "no key": odd("=3", said="has no key: type KEY=VALUE"),
    "byte order mark": odd("\ufeffseed=1", said="names of all are in ASCII letters"),
    "cut by the shell": odd("see", "d=1", said="d=1: no such setting"),
    "open quote": odd("video='a", said="needs quotes inside the shell's"),
    "line break": odd("store=a\nb", said="needs quotes inside the shell's"),
    "null group": odd("dataset=null", said="dataset=null: must be one of"),
    "number for a group": odd("++tracker=3", said="tracker=3: must be one of"),
    "key below a value": odd("++dataset.path.x=1", said="dataset.path.x=1: no such setting"),
    "list behind two pluses": odd("++seed=[1]", said="must be one value .whole number., not a"),
    "mapping for a number": odd("seed={a: 1}", said="must be one value .whole number., not a"),
    "text for a number": odd("seed=many", said="seed=many: must be a whole number"),
    "too large": odd("seed=99999999999999999999999", said="must lie in 0 to 2147483647"),
    "infinite": odd("trainer.epochs=1e400", said="trainer.epochs=inf: must be a whole number"),
    "NaN": odd("tracker.track_thresh=nan", said="track_thresh=nan: must lie in 0 to 1"),
    "zero": odd("model.imgsz=0", said="model.imgsz=0: must lie in 32 to 4096 px"),
    "truth value": odd("plan=maybe", said="plan=maybe: must be true or false"),
    "empty value": odd("store=", said="store=: is empty; type store=VALUE"),
    "empty experiment": odd("mlflow.experiment=", said="mlflow.experiment=: is empty"),
    "empty list": odd("stages=[]", said="list at least one of prepare"),
    "null list": odd("stages=null", said="stages=null: must not be null"),
    "endless word": odd(f"stages=[{100_000 * 'x'}]", said="x{1000} .* must be one of prepare"),
    "twice": odd("stages=[track,track]", said="track stands there twice"),
    "no such stage": odd("stages=[foo]", said="there is no stage foo; must be one of"),
    "blank class": odd("dataset.classes=['']", said="must be null, a list .person, car."),
    "class twice": odd("dataset.classes=[a,a]", said="names a class twice"),
    "shares": odd("dataset.splits.train=2", said="splits.train=2.0: must lie in 0 to 1"),
    "no such metric": odd("objective=foo", said="objective=foo: there is no such metric"),
    "no such preset": odd("experiment=nope", said="experiment=nope: must be one of"),
    "no such variable": odd("store=${oc.env:SEGTRACK_NO}", said="'SEGTRACK_NO' not found"),
    "interpolated loop": odd("store=${store}", said="Recursive interpolation detected"),
    "code": odd("seed=${oc.decode:__import__}", said="could not be converted to Integer"),
    # words that are no settings
    "a stage": odd(
        "train", said=r"train: is a stage: type stages=\[train\], or several as in stag"
    ),
    "a stage like a command": odd("prepare", "--help", said="prepare: is a stage: type stages="),
    "a folder": odd(
        *("predict", "d", "model.weights=shipped"),
        said="d: is a file or folder; say what it is: type dataset.path=d, video=d or model.weig",
        before=folder("d"),
    ),
    "nearly a stage": odd(
        "evalate", said=r"evalate: is no stage; did you mean evaluate\? Type stages=\[evaluate\]"
    ),
    "nearer to a stage than to a command": odd(
        "prepar", said="prepar: is no stage; did you mean pr"
    ),
    "a setting that a command is like": odd("video", said="video: has no value: type video=VALUE"),
    "no word at all": odd("xyzzy", said="xyzzy: has no value: type xyzzy=VALUE"),
    # of Hydra
    "other configuration": odd("--config-name", "foo", said="--config-name foo: the config"),
    "other folder": odd("--config-path", "x", said="--config-path: the configuration is seg"),
    "no such folder of presets": odd("--config-dir", "x", said="--config-dir x: no such folder"),
    "code for Hydra": odd(
        *("--config-dir", "{here}/c", "hydra/job_logging=x", "plan=true"),
        said="x.yaml: 'class' names code to run",
        before=preset("hydra/job_logging/x", "handlers: {a: {class: logging.FileHandler}}"),
    ),
    "code in a preset": odd(
        *("--config-dir", "{here}/c", "experiment=x"),
        said="x.yaml: '_target_' names code to run",
        before=preset("experiment/x", "hydra: {callbacks: {a: {_target_: os.system}}}"),
    ),
    "package": odd("--package", "x", said="--package x: only goes with --cfg"),
    "mode": odd("hydra.mode=FOO", said="hydra.mode=FOO: must be one of RUN, MULTIRUN"),
    "null folder": odd("hydra.run.dir=null", said="hydra.run.dir=null: .*not Optional"),
    "odd parameters": odd("-m", "hydra.sweeper.params={a: 1}", said="Hydra cannot take this val"),
    "a rerun": odd("--experimental-rerun", "x.pickle", said="reading a pickle runs whatever code"),
    # sweeps
    "one bad cell": odd("-m", "seed=1,x", said="seed=x: must be a whole number"),
    "no cell": odd("-m", "seed=range(1,0)", said="range.1,0.: gives no value, so there is no"),
    "step of 0": odd("-m", "seed=range(0,1,0)", said="arg 3 must not be zero"),
    "nothing fits": odd("-m", "tracker=glob(zz*)", said="glob.zz.*: gives no value"),
    "endless": odd("-m", "seed=range(0,100000000)", said="more than 10000 cells"),
    "drawn": odd("-m", "model.conf_floor=interval(0,1)", said="is for a sweeper that draws val"),
    "all cells wrong": odd("-m", "video=a.mp4,b.mp4", *TRACK, said="a.mp4: this video does not"),
    # videos
    "no video": odd("video=no.mp4", said="no.mp4: this video does not exist"),
    "no match": odd('video="*.mp5"', said="no video or folder matches"),
    "empty video": odd("video=v.mp4", said="an empty file .0 bytes.", before=file("v.mp4", b"")),
    "text as video": odd("video=v.mp4", said="v.mp4: not readable as a vi", before=file("v.mp4")),
    "pipe as video": odd("video=v.mp4", said="a device or a pipe, not a video file", before=pipe),
    "empty folder of videos": odd("video=v", said="v: holds no video, no fr", before=folder("v")),
    "endless name": odd(f"video={LONG}.mp4", said="File name too long"),
    "video after training": odd(
        "video=no.mp4", "stages=[prepare,train,track]", said="no.mp4: this video does not exist"
    ),
    "nobody answers": odd("video=rtsp://127.0.0.1:9/x", said="Connection refused. Check the ad"),
    # data
    "no data": odd("dataset=yolo", "dataset.path=no", PREPARE, said="dataset.path=no: no such f"),
    "file as data": odd(
        *("dataset=yolo", "dataset.path={here}/d.zip", PREPARE),
        said="d.zip: is an archive; unpack it",
        before=file("d.zip"),
    ),
    "loop as data": odd(
        "dataset=yolo", "dataset.path=loop", PREPARE, said="loop: no such folder", before=loop
    ),
    "endless name of data": odd(
        "dataset=yolo", f"dataset.path={LONG}", PREPARE, said="dataset.path=x*: cannot be read"
    ),
    "empty folder of images": odd(
        *("dataset=images", "dataset.path={here}/d", "dataset.classes=[car]"),
        said="/d: no file is there",
        before=folder("d"),
    ),
    "empty folder for CVAT": odd(
        *("dataset=cvat", "dataset.path={here}/d"), said="/d: no file is there", before=folder("d")
    ),
    "empty folder for YOLO": odd(
        *("dataset=yolo", "dataset.path={here}/d"), said="/d is an empty folder", before=folder("d")
    ),
    "a pipe for data.yaml": odd(
        *("dataset=yolo", "dataset.path={here}/d", PREPARE),
        said="data.yaml: .*no file but a folder, a pipe or a device",
        before=pipe_as_yaml,
    ),
    "no JSON": odd(
        *("dataset=coco", "dataset.path={here}", "dataset.annotations=no.json"),
        said="dataset.annotations=no.json: ",
    ),
    "unknown sequence": odd(
        *SEQUENCES,
        "dataset.tuning=[X]",
        said="there is no sequence 'X'; there are A, B",
        before=sequences,
    ),
    "unknown sequence, prepared": odd(
        *SEQUENCES, "dataset.test=[X]", *TRACK, said="no sequence 'X'", before=sequences
    ),
    "sequence for both": odd(
        *SEQUENCES,
        "dataset.tuning=[A]",
        "dataset.test=[A]",
        said="dataset.tuning=A: is the same footage as dataset.test=A",
        before=sequences,
    ),
    "one scene, two detectors": odd(
        *SEQUENCES,
        "dataset.tuning=[MOT17-02-DPM]",
        "dataset.test=[MOT17-02-SDP]",
        said="MOT17-02-DPM: is the same footage as dataset.test=MOT17-02-SDP",
        before=sequences,
    ),
    "nothing reviewed": odd("dataset=reviewed", said="no reviewed version is in the store yet"),
    "no data set": odd("dataset=none", PREPARE, said="prepare needs a data set: dataset=NAME"),
    "no data set for two": odd(
        "dataset=none", "stages=[prepare,export]", said="prepare, export need a data set: dataset="
    ),
    # weights and devices
    "no weights": odd("model.weights=w.pt", said="model.weights=w.pt: no such file"),
    "folder as weights": odd(
        "model.weights=d", said="d: a folder with 0 exported networks", before=folder("d")
    ),
    "no folder of weights": odd("model.weights_folder=no", said="weights_folder=no: no such fol"),
    "no run": odd(
        "model.weights=run:zzz", "stages=[evaluate]", said="id has 32 hexadecimal digits"
    ),
    "run elsewhere": odd(
        "model.weights=run:../x", "stages=[evaluate]", said="32 hexadecimal digits"
    ),
    "odd device": odd("device=cuda:x", said="must be auto, cpu, cuda, mps, a GPU such as 0"),
    "no device": odd("device=[]", said="must be auto, cpu, cuda, mps, a GPU such as 0"),
    # places
    "store in a file": odd("store=s/x", said="store=s/x: .*no folder", before=file("s")),
    "endless store": odd(f"store={LONG}", said="File name too long.; choose another folder"),
    "store in a loop": odd("store=loop/x", said="Too many levels of symbolic", before=loop),
    "store in /proc": odd("store=/proc/x", said="store=/proc/x: cannot write in /proc"),
    "run folder in /proc": odd("hydra.run.dir=/proc/x", said="folder /proc/x: cannot write in"),
    "sweep folder in /proc": odd(
        "-m", "hydra.sweep.dir=/proc/x", "seed=1,2", said="folder /proc/x: cannot write in"
    ),
    "endless run folder": odd(f"hydra.run.dir={LONG}", said="File name too long"),
    "database as text": odd(PREPARE, said="mlflow.db: ", before=database(b"hello\n" * 200)),
    "database as folder": odd(PREPARE, said="mlflow.db: ", before=no_database),
    "no such kind of database": odd("mlflow.uri=foo://bar", PREPARE, said="mlflow.uri=foo://bar: "),
    "artifacts elsewhere": odd(
        "mlflow.artifacts=s3://a/b", PREPARE, said="mlflow.artifacts=s3://a/b: "
    ),
    "artifacts in a file": odd(
        *("mlflow.artifacts={here}/a", PREPARE),
        said="mlflow.artifacts=.*it is no folder",
        before=file("a"),
    ),
    # the platform
    "no platform": odd("stages=[push]", "labellerr=off", said="need the platform: labellerr=cloud"),
    "no account": odd("stages=[push]", "labellerr=cloud", said="missing: LABELLERR_API_KEY"),
    "no project": odd("dataset=labellerr", said="dataset.project_id=null: name the project"),
}


def everything(folder: Path) -> dict[str, bytes | None]:
    """Each path below a folder, files with their content."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("name", ODD)
def test_an_odd_command(
    name: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, here = ODD[name], project.folder
    one.before(here)
    before = everything(here)
    words = [word.replace("{here}", str(here)) for word in one.words]
    told = light.run(words, here, tmp_path / "note")
    assert told.code == 2, told
    lines = told.err.strip().splitlines()
    assert lines[0].startswith("error: "), told
    assert all(line.startswith("  ") for line in lines[1:]), told  # one message
    assert all(len(line) < 2000 for line in lines), told
    assert re.search(one.said, told.err), told
    assert told.heavy == []
    assert everything(here) == before
