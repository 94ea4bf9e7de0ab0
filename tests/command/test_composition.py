"""Overrides to typed settings: what composes, and what every kind of mistake is answered with."""

import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from segtrack.command import composed, composition
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.choices import video_choices
from segtrack.command.composition import compose_settings, expand, groups
from segtrack.dataset import Light
from segtrack.pipeline import listed_names
from segtrack.settings import LabellerrMode, Settings
from segtrack.tracker.ultralytics import BotSortSettings, GmcMethod


def messages(*overrides: str) -> list[str]:
    return [str(problem) for problem in check(CONF, overrides)]


def test_every_option_of_every_group_composes_and_is_valid(tmp_path: Path) -> None:
    annotations = tmp_path / "a.json"
    annotations.write_text("{}")
    needs = {
        ("dataset", "yolo"): [f"dataset.path={tmp_path}"],
        ("dataset", "coco"): [f"dataset.path={tmp_path}", f"dataset.annotations={annotations}"],
        ("dataset", "sequences"): [f"dataset.path={tmp_path}"],
        ("dataset", "images"): [f"dataset.path={tmp_path}", "dataset.classes=[car]"],
        ("dataset", "none"): ["stages=[track]", "video=v.mp4", "model.weights=auto"],
        **{
            ("dataset", program): [f"dataset.path={tmp_path}"]
            for program in ("cvat", "datumaro", "labelme", "labelstudio", "supervisely")
        },
        ("dataset", "labellerr"): [f"dataset.path={tmp_path}", "dataset.project_id=p1"],
        ("labellerr", "off"): ["stages=[prepare,train]"],
        ("experiment", "occlusion_training"): ["model.weights=auto"],  # $SEGTRACK_DATA has them
        **{
            ("experiment", name): ["model.weights=auto", f"dataset.path={tmp_path}"]
            for name in ("occlusion_training_real", "cityscapes_models")
        },
    }
    composed = 0
    plugin = "hydra-optuna-sweeper" in {one.metadata["Name"] for one in distributions()}
    for group, options in groups(CONF).items():
        prefix = "+" if group == "experiment" else ""
        for option in options:
            if group == "hparams_search" and not plugin:
                composed += 1
                (lacking,) = messages(f"{group}={option}")
                assert "it comes with pip install 'segtrack[optuna]'" in lacking
                continue
            words = [f"{prefix}{group}={option}", *needs.get((group, option), [])]
            assert messages(*words) == [], words
            assert isinstance(compose_settings(CONF, words), Settings)
            composed += 1
    known = groups(CONF)
    for group, options in {
        "dataset": {"traffic_sim", "yolo", "coco", "mot17_half"},
        "experiment": {"bytetrack_mot17", "occlusion", "occlusion_training", "pretrain_sim"},
        "labellerr": {"off", "emulator", "cloud"},
        "mlflow": {"local", "server"},
        "model": {"yolov8n-seg", "yolo11n-seg", "yolo26n-seg", "yolov9c-seg", "rfdetr-seg-nano"},
        "tracker": {"bytetrack", "botsort"},
        "trainer": {"quick", "standard", "smoke"},
    }.items():
        assert options <= set(known[group]), group
    assert composed == sum(map(len, known.values())) >= 33


def test_raw_images_need_a_folder_and_classes() -> None:
    folder, classes = messages("dataset=images")
    assert folder.startswith("dataset.path=null: dataset=images needs a folder")
    assert classes.startswith("dataset.classes=null: say what is to be found in the images")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("/no/w.pt", "no such file; give a checkpoint's file, shipped, run:<MLflow run id>, scra"),
        ("best.pt", "no such file; give a checkpoint's file"),
        ("runs/yolo26n-seg.pt", "no such file; give a checkpoint's file"),
        ("yolo26n-seg", "no such file, but the name of a network: model=yolo26n-seg model.weigh"),
        ("yolov8s-seg.pt", "no such file, but the name of a network: model=yolov8s-seg model.w"),
        ("rfdetr-seg-nano.pth", "no such file, but the name of a network: model=rfdetr-seg-nano"),
        ("w" * 300, "cannot be read (File name too long)"),
        ("run:1", "an MLflow run's id has 32 hexadecimal digits"),
    ],
)
def test_weights_that_are_not_there(given: str, said: str) -> None:
    (problem,) = messages(f"model.weights={given}")
    assert problem.startswith(f"model.weights={given}: {said}")


def test_weights_of_sam_are_looked_for_where_they_are_needed(tmp_path: Path) -> None:
    missing = f"model.sam={tmp_path}/mobile_sam.pt"
    assert messages(missing) == []
    (problem,) = messages(missing, "labellerr.assist=sam")
    assert problem.startswith(f"{missing}: no such file; give a checkpoint of SAM, or a name")
    (tmp_path / "mobile_sam.pt").touch()
    assert messages(missing, "labellerr.assist=sam") == []
    assert messages("labellerr.assist=sam") == []  # a name is looked for later
    assert messages("labellerr.assist=sam", "model.sam=''") != []


def test_the_defaults_are_the_embedded_loop() -> None:
    settings = compose_settings(CONF, [])
    asked_for = ("select", "push", "segment", "shards", "suspect", "recheck", "export")
    assert settings.stages == [name for name in listed_names() if name not in asked_for]
    assert settings.labellerr.mode is LabellerrMode.emulator
    assert settings.dataset.source == "traffic_sim"
    assert settings.dataset.light is Light.mixed
    assert settings.tracker.track_thresh == 0.5
    assert settings.model.conf_floor == 0.05


def test_a_changed_experiment_as_the_readme_types_it() -> None:
    settings = compose_settings(CONF, ["model=yolov8s-seg", "tracker.track_thresh=0.4"])
    assert settings.model.name == "yolov8s-seg"
    assert settings.tracker.track_thresh == 0.4


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model=yolov7", "model=yolov7: must be one of .*yolo11l-seg, .*yolov9e-seg; did you mean"),
        ("trakcer=bytetrack", "trakcer=bytetrack: no such setting; did you mean tracker?"),
        ("tracker.track_tresh=0.4", "no such setting; did you mean tracker.track_thresh?"),
        ("track_thresh=0.4", "track_thresh=0.4: no such setting; did you mean tracker.track_thr"),
        ("tracker.match_thresh=abc", "tracker.match_thresh=abc: must be a number"),
        ("trainer.epochs=2.5", "trainer.epochs=2.5: must be a whole number"),
        ("plan=maybe", "plan=maybe: must be true or false"),
        ("dataset.light=dawn", "dataset.light=dawn: must be one of mixed, day, dusk, night"),
        (
            "stages=[prepare,trian]",
            "there is no stage trian; .*did you mean train",
        ),
        ("stages=[track,track]", "track stands there twice; list each stage once"),
        (
            "stages=[detect]",
            "detect cannot be listed, it is made .* one of prepare, select, push",
        ),
        ("stages=[]", "stages=\\[\\]: list at least one of prepare"),
        ("seed=null", "seed=null: must not be null"),
        ("tracker.track_thresh=1.5", "tracker.track_thresh=1.5: must lie in 0 to 1"),
        ("tracker.low_thresh=0.9", "0.9: must lie below tracker.track_thresh=0.5"),
        ("tracker.new_track_thresh=0.4", "must not lie below tracker.track_thresh=0.5"),
        ("tracker.gmc_method=orb", "tracker.gmc_method=orb: no such setting"),
        ("model.conf_floor=0.3", "must not lie above tracker.low_thresh=0.1"),
        ("model.imgsz=100", "model.imgsz=100: must be a multiple of 32 px .*such as 96"),
        ("model=yolo26n-seg.pt", "did you mean yolo26n-seg.; weights in a file are model.weights="),
        ("model=rfdetr-seg-tiny", "tiny: must be one of .*; did you mean rfdetr-seg-nano"),
        ("model.weights=no.pt", "model.weights=no.pt: no such file"),
        ("model.name=yolov8n", "model.name=yolov8n: masks are needed"),
        ("dataset=yolo", "dataset.path=null: dataset=yolo needs a folder"),
        ("dataset.splits.train=0.9", "0.9 \\+ 0.15 \\+ 0.15 \\+ 0: the shares must sum to 1"),
        ("dataset.starting_weights=parent", "=parent: must be one of auto, shipped"),
        ("dataset.classes=car", "dataset.classes=car: must be null, a list"),
        ("dataset.classes=[car,car]", "names a class twice"),
        ("dataset.classes={a: [car], b: [car]}", "puts a class into two merged classes"),
        ("dataset.group_by='('", "must be a regular expression"),
        ("device=gpu", "device=gpu: must be auto, cpu"),
        ("device=true", "device=True: must be auto, cpu"),
        ("device=[0,-1]", "must be auto, cpu"),
        ("device=0,1", "device=0,1: has several values: add -m for a sweep"),
        ("dataset.classes=car,bus", "add -m for a sweep, write a list as \\[car,bus\\], or quote"),
        ("video=https://www.youtube.com/watch?v=x", "a page of youtube.com, .*download it first"),
        ("video=rtsp://cam/live?channel=1", "Hydra's grammar cannot read this .*quotes"),
        ("video=a(b).mp4", "Hydra's grammar cannot read this .*quotes"),
        ("evaluation.visible_bins=[0.5,0.2]", "must be rising edges within 0 to 1"),
        (
            'mlflow.uri="http://ann:secret@host:5000"',
            r"mlflow.uri=http://...@host:5000: a name or password .*MLFLOW_TRACKING_PASSWORD",
        ),
        ("mlflow.uri=foo://bar", "mlflow.uri=foo://bar: must begin with sqlite:///, or for a serv"),
        ("mlflow.uri=mlruns", "mlflow.uri=mlruns: .* plain folder .*sqlite:///mlruns/mlflow.db"),
        ("mlflow.uri=/a/b", "mlflow.uri=/a/b: .* plain folder .*sqlite:////a/b/mlflow.db"),
        ("mlflow.uri=file:///a/b", "mlflow.uri=file:///a/b: .* folder .*sqlite:////a/b/mlflow.db"),
        ("mlflow.uri='sqlite:///:memory:'", "must name a file: sqlite:///mlruns/mlflow.db"),
        ("mlflow.uri=sqlite://", "mlflow.uri=sqlite://: must name a file: sqlite:///mlruns/mlflow"),
        ("mlflow.uri='sqlite:///a.db?mode=ro'", "must name a file: sqlite:///mlruns/mlflow.db"),
        ("mlflow.uri=http://h:5000", "is a server; choose it with mlflow=server mlflow.uri=http:/"),
        ("mlflow.uri=null", "mlflow.uri=null: must not be null"),
        (
            "mlflow.artifacts=gs://bucket/x",
            "must be a folder of this machine or s3://BUCKET/FOLDER",
        ),
        ("mlflow.register=street", "=street: it is the stage export that registers"),
        ("export.format=onxx", "export.format=onxx: must be one of onnx, openvino, tensorrt"),
        ("mlflow.experiment=' '", "mlflow.experiment= : must have 1 to 200 letters"),
        (f"mlflow.experiment={'a' * 600}", "must have 1 to 200 letters"),
        ("trainer.epochs=-1", "trainer.epochs=-1: must lie in 1 to 100000 epochs"),
        ("labellerr=clout", "must be one of cloud, emulator, off; did you mean cloud"),
        (
            "labellerr=off",
            r"labellerr.mode=off: stages=\[review\], stages=\[pull\] need the platform",
        ),
        ("labellerr.url=ftp://host", "labellerr.url=ftp://host: must begin with http:// or https"),
        (
            'labellerr.url="https://key:secret@host"',
            r"labellerr.url=https://...@host: credentials belong into the environment",
        ),
        ("labellerr.statuses=[done]", r"labellerr.statuses=\[done\]: a list of what can be expor"),
        ("labellerr.statuses=[]", r"labellerr.statuses=\[\]: a list of what can be exported: rev"),
        ("labellerr.assist=yolo", "labellerr.assist=yolo: must be one of model, sam"),
        ("labellerr.transport=grpc", "labellerr.transport=grpc: must be one of auto, sdk, http"),
        ("labellerr.annotator.match_iou=0.9", "must not lie above labellerr.annotator.accept_iou"),
        ("labellerr.annotator.miss_addition=2", "miss_addition=2.0: must lie in 0 to 1"),
        ('labellerr.name=" "', "labellerr.name=' ': must be a text in one line, or null"),
        ("labellerr.api_key=x", "labellerr.api_key=x: no such setting"),
    ],
)
def test_a_mistake_is_named_with_key_value_and_what_is_allowed(
    override: str, expected: str
) -> None:
    problems = [str(p) for p in check(CONF, [override], sweep=False)]
    assert len(problems) == 1, problems
    assert re.search(expected, problems[0]), problems[0]


def test_labels_of_the_platform_need_a_project_a_folder_and_the_platform(tmp_path: Path) -> None:
    project, path = messages("dataset=labellerr")
    assert project.startswith("dataset.path=null: dataset=labellerr needs a folder")
    assert path.startswith("dataset.project_id=null: name the project whose labels are wanted")
    words = ["dataset=labellerr", f"dataset.path={tmp_path}", "stages=[prepare]", "labellerr=off"]
    (problem,) = messages(*words, "dataset.project_id=p")
    assert problem.startswith("labellerr.mode=off: dataset=labellerr need the platform")
    assert messages(*words, f"dataset.export={tmp_path}") == []
    (problem,) = messages(*words, f"dataset.export={tmp_path}/none")
    assert "dataset.export" in problem and "no such file or folder" in problem


@pytest.mark.parametrize("tracker", ["botsort", "deepocsort", "tracktrack"])
def test_appearance_needs_a_model_file(tracker: str, tmp_path: Path) -> None:
    words = [f"tracker={tracker}", "tracker.with_reid=true"]
    (problem,) = messages(*words)
    assert problem.startswith("tracker.model=auto: ")
    assert problem.endswith("name a file, tracker.model=FILE")
    (problem,) = messages(*words, "tracker.model=no.pt")
    assert problem.startswith("tracker.model=no.pt: no such file")
    model = tmp_path / "reid.pt"
    model.touch()
    assert messages(*words, f"tracker.model={model}") == []


def test_the_cameras_motion_is_a_closed_choice() -> None:
    for method in ("none", "sparseOptFlow", "orb", "sift", "ecc"):
        words = ["tracker=botsort", f"tracker.gmc_method={method}"]
        assert messages(*words) == []
        chosen = compose_settings(CONF, words).tracker
        assert isinstance(chosen, BotSortSettings)
        assert chosen.gmc_method is GmcMethod[method]
    (problem,) = messages("tracker=botsort", "tracker.gmc_method=flow")
    assert problem == (
        "tracker.gmc_method=flow: must be one of none, sparseOptFlow, orb, sift, ecc"
    )


def test_all_problems_come_at_once() -> None:
    problems = messages(
        "model=yolov9",
        "tracker.track_tresh=0.4",
        "tracker.match_thresh=abc",
        "tracker.low_thresh=0.9",
        "seed=-1",
        "video=a(b",
    )
    keys = [problem.partition("=")[0] for problem in problems]
    assert sorted(keys) == [
        "model",
        "seed",
        "tracker.low_thresh",
        "tracker.match_thresh",
        "tracker.track_tresh",
        "video",
    ]


def test_every_cell_of_a_sweep_is_checked() -> None:
    problems = messages("tracker.track_thresh=0.3,0.4,7", "seed=0,1,-1")
    assert problems == [
        "seed=-1: must lie in 0 to 2147483647",
        "tracker.track_thresh=7.0: must lie in 0 to 1",
    ]


@pytest.fixture
def compositions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The words of each composition from here on; none is kept of before."""
    found: list[tuple[str, ...]] = []

    def compose(config: str, overrides: list[str], **more: Any) -> DictConfig:
        found.append(tuple(overrides))
        return original(config, overrides=overrides, **more)

    original = composed.compose
    monkeypatch.setattr(composed, "compose", compose)
    monkeypatch.setattr(composed, "_kept", {})
    return found


def test_a_large_sweep_is_checked_with_one_composition_for_each_choice_of_groups(
    compositions: list[tuple[str, ...]],
) -> None:
    assert messages("seed=range(0,20)", "model=yolov8n-seg,yolov8s-seg") == []
    # The first says which sweeper there is.
    assert compositions == [(), ("model=yolov8n-seg",), ("model=yolov8s-seg",)]


def test_the_same_words_are_composed_once(
    compositions: list[tuple[str, ...]], tmp_path: Path
) -> None:
    file = tmp_path / "experiment" / "mine.yaml"
    file.parent.mkdir()
    found = []
    for seed in (1, None, 23):
        if seed is not None:
            file.write_text(f"# @package _global_\nseed: {seed}\n")
        found.append(compose_settings(CONF, ["experiment=mine"], tmp_path))
    assert [one.seed for one in found] == [1, 1, 23] and found[0] is not found[1]
    assert compositions == [("experiment=mine",)] * 2  # and again since the file has changed
    with composition.composing(CONF, None):
        for _ in range(2):
            config = composed.composed([], hydra=True)
            assert (config.seed, config.hydra.job.name) == (0, "segtrack")
            config.seed = 7  # is of who asked
        assert "hydra" not in composed.composed([])
    assert len(compositions) == 3


def test_a_call_composes_its_own_words_and_what_it_chooses(
    compositions: list[tuple[str, ...]],
) -> None:
    """However many there are in a loop; the choices of groups are composed once for all of them."""
    for name in ("a.mp4", "b.mp4"):
        words = ["stages=[track]", f"video={name}", "model.weights=shipped"]
        words += [f"{group}={option}" for group, option in video_choices(CONF, words).items()]
        assert messages(*words) == []
        compose_settings(CONF, words)
    own = [words for words in compositions if any(word.startswith("video=") for word in words)]
    assert len(own) == 2 and len(compositions) == 2 + 2


def test_cells_carry_what_distinguishes_them() -> None:
    cells = expand(["model=yolov8n-seg", "tracker.track_thresh=0.3,0.4", "seed=range(0,2)"])
    assert [cell.swept for cell in cells] == [
        {"tracker.track_thresh": "0.3", "seed": "0"},
        {"tracker.track_thresh": "0.3", "seed": "1"},
        {"tracker.track_thresh": "0.4", "seed": "0"},
        {"tracker.track_thresh": "0.4", "seed": "1"},
    ]
    assert cells[1].overrides == ("model=yolov8n-seg", "tracker.track_thresh=0.3", "seed=1")


@pytest.mark.parametrize("name", ["a b.mp4", "clip (1).mp4", "x=1,y.mp4", "[ü] straße.mp4"])
def test_paths_with_special_letters_work_in_quotes(name: str) -> None:
    override = f'video="{name}"'
    assert messages(override) == []
    assert compose_settings(CONF, [override]).video == name


def test_classes_take_a_list_or_a_mapping() -> None:
    merged = compose_settings(CONF, ["dataset.classes={vehicle: [car, truck], person: [person]}"])
    assert merged.dataset.classes == {"vehicle": ["car", "truck"], "person": ["person"]}
    assert compose_settings(CONF, ["dataset.classes=[car]"]).dataset.classes == ["car"]


def test_variables_of_the_environment_take_the_place_of_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SEGTRACK_STORE", raising=False)
    monkeypatch.delenv("SEGTRACK_WEIGHTS", raising=False)
    settings = compose_settings(CONF, ["model=yolov8s-seg"])
    assert (settings.store, settings.model.weights_folder) == (".segtrack", None)
    monkeypatch.setenv("SEGTRACK_STORE", "/results")
    monkeypatch.setenv("SEGTRACK_WEIGHTS", "/weights")
    settings = compose_settings(CONF, ["model=yolov8s-seg"])
    assert (settings.store, settings.model.weights_folder) == ("/results", "/weights")
    settings = compose_settings(CONF, ["store=here", "model.weights_folder=there"])
    assert (settings.store, settings.model.weights_folder) == ("here", "there")


def test_presets_hold_their_differences_and_nothing_is_lost() -> None:
    quick = compose_settings(CONF, ["trainer=quick"]).trainer
    assert (quick.epochs, quick.optimizer, quick.lr0, quick.cache) == (3, "AdamW", 0.0005, True)
    assert (quick.batch, quick.patience, quick.fliplr) == (16, 50, 0.5)
    standard = compose_settings(CONF, ["trainer=standard"]).trainer
    assert (standard.epochs, standard.imgsz, standard.workers) == (100, 640, None)
    local, server = (compose_settings(CONF, [f"mlflow={m}"]).mlflow for m in ("local", "server"))
    assert (local.artifacts, server.artifacts, server.timeout) == ("mlruns/artifacts", None, 5.0)
    modes = ("cloud", "emulator")
    sends = [compose_settings(CONF, [f"labellerr={m}"]).labellerr.videos for m in modes]
    assert sends == [False, True]
    assert compose_settings(CONF, []).dataset.starting_weights == "shipped"


def test_a_plugin_that_cannot_be_imported_is_one_line() -> None:
    code = "from segtrack.command.app import main; raise SystemExit(main(['--cfg', 'job']))"
    command = [sys.executable, "-c", code]
    environment = os.environ | {"SEGTRACK_PLUGINS": "no_such_plugin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: SEGTRACK_PLUGINS=no_such_plugin: this plugin cannot be imported")


def test_a_reader_that_has_enough_ends_the_command_without_a_word() -> None:
    """As ``segtrack --help | head -1`` does."""
    command = [sys.executable, "-m", "segtrack", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
