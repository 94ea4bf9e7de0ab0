"""Words that cannot mean anything: each is one line, exit code 2, and no work."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import zipfile
from pathlib import Path

import pytest

from segtrack.base.errors import SettingsError
from segtrack.command.app import CONF, _options_first, main
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.folders import require_writable
from segtrack.command.help import help_text
from segtrack.command.keys import formerly, normalised, replaced, unknown

NAMES = ("dataset", "experiment", "local", "model", "tracker", "trainer")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("+trainer.eopchs=1", "trainer.eopchs=1: no such setting; did you mean trainer.epochs?"),
        (
            "++tracker.track_tresh=0.4",
            "tracker.track_tresh=0.4: no such setting; did you mean tracker.track_thresh?",
        ),
        ("+x._target_=os.system", "x._target_=os.system: no such setting"),
        ("+seed.x=1", "seed.x=1: no such setting; did you mean seed?"),
        ("~trainer.epochs", "~trainer.epochs: a setting cannot be deleted; give it another value"),
        ("~tracker", "~tracker: a group cannot be left out; choose one of .*bytetrack"),
        ("~trainer.ephocs", "~trainer.ephocs: no such setting; did you mean trainer.epochs?"),
        ("tracker={track_tresh: 0.4}", "did you mean tracker.track_thresh?"),
        ("dataset.splits={tarin: 1}", "did you mean dataset.splits.train?"),
        ("dataset.splits=", "is a group of settings: dataset.splits.NAME=VALUE"),
        ("tracker.gmc_method=orb", "it is one of tracker=botsort, tracker=deepocsort, tracker=tra"),
        ("tracker.name=botsort", "cannot be set alone; choose tracker=botsort"),
        ("trainer.extra={dropuot: 0.1}", "trainer.extra.dropuot=0.1: .*did you mean dropout?"),
        ("trainer.extra={epochs: 3}", "is a knob of its own: trainer.epochs=3"),
        ("trainer.extra.seed=3", "segtrack says this itself; leave it out"),
        ("trainer.extra.plots=true", "segtrack says this itself; leave it out"),
        ("trainer.extra=3", "must be a mapping: trainer.extra={name: value}"),
        ("trainer.extra=null", "trainer.extra=null: must not be null"),
        ("store=", "store=: is empty; type store=VALUE, such as store=.segtrack"),
        ("store=s3:/bucket/x", "store=s3:/bucket/x: begins like an address: s3://BUCKET"),
        ("store=s3://", "store=s3://: names no bucket"),
        ("mlflow.artifacts=s3:/b", "mlflow.artifacts=s3:/b: begins like an address"),
        ("scale.ray=lokal", "scale.ray=lokal: must be local, auto, or HOST:PORT"),
        ("scale.ray=true", "scale.ray=True: must be local, auto, or HOST:PORT"),
        ("scale.ray=host:port", "must be local, auto, or HOST:PORT"),
        ("hparams_search=tracker", "hparams_search=tracker: .*a single run: add -m"),
        ("hydra/launcher=basic", "hydra/launcher=basic: .*a single run: add -m"),
        ("mlflow.uri=", "mlflow.uri=: is empty; type mlflow.uri=VALUE"),
        ("dataset.path=", "dataset.path=: is empty; type .* or dataset.path=null for none"),
        ("tracker.class_aware=", "is empty; type .* such as tracker.class_aware=false"),
        ("tracker=null", "tracker=null: must be one of botsort, bytetrack"),
        ("model=", "model=: must be one of"),
        ("tracker=[bytetrack,botsort]", "must be one of .*; choose one"),
        ("trainer=base", "trainer=base: must be one of quick, smoke, standard"),
        ("stages=prepare", r"stages=prepare: must be a list: stages=\[prepare\]"),
        ("stages=[[prepare]]", "must be a list whose items are each a text"),
        ("evaluation.visible_bins=[null]", "must be a list whose items are each a number"),
        ("seed=null", "seed=null: must not be null; type seed=VALUE, such as seed=0"),
        ("tracker.track_thresh=[0.4]", r"must be one value \(number\), not a list"),
        ("seed={a: 1}", r"must be one value \(whole number\), not a mapping"),
        ("trainer.optimizer=adam", "must be one of auto, SGD, MuSGD, Adam, "),
        ("seed", "seed: has no value: type seed=VALUE"),
        ("=3", "has no key: type KEY=VALUE"),
        ("ü=1", "ü=1: no such setting"),
        ("trainer.extra={dropout:", "a bracket is not closed, perhaps since the shell has cut"),
        ("0.1}", "is the rest of a word that the shell has cut at a space"),
        ("+hydra.foo=1", "no such setting of Hydra"),
        ("hydra.job.nam=x", "no such setting of Hydra; did you mean hydra.job.name?"),
        ("hydra.run.dir=", "hydra.run.dir=: is empty"),
        ("experiment=oclusion", "did you mean occlusion?"),
        ("store=${oc.env:SEGTRACK_NO_SUCH}", "Environment variable 'SEGTRACK_NO_SUCH' not found"),
        ("tracker.render=true", "is now called render.enabled: type render.enabled=VALUE"),
    ],
)
def test_a_word_that_means_nothing_is_one_line_and_exit_code_2(
    word: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word]) == 2
    out, err = capsys.readouterr()
    head, line = err.strip().splitlines()
    assert out == ""
    assert head == "error: 1 problem with the settings:"
    assert re.search(expected, line), line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-m", "++tracker.track_tresh=0.4,0.6"], ["0.4: no such setting; did"]),
        (["-m", "tracker.track_tresh=interval(0,1)"], ["did you mean tracker.track_thresh?"]),
        (["-m", "tracker.track_thresh="], ["tracker.track_thresh=: is empty"]),
        (["-m", "tracker=bytetrack,null"], ["tracker=null: must be one of"]),
        (["-m", "trainer.extra={dropout: 0.1},{dropuot: 0.1}"], ["did you mean dropout?"]),
    ],
)
def test_cells_of_a_sweep_too(
    words: list[str], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    lines = capsys.readouterr().err.strip().splitlines()[1:]
    assert len(lines) == len(expected)
    for line, part in zip(lines, expected, strict=True):
        assert part in line


def test_a_plus_changes_nothing() -> None:
    words = ["+seed=1", "++tracker.track_thresh=0.2", "+experiment=occlusion", "+tracker=botsort"]
    bare = [word.lstrip("+") for word in words]
    assert normalised(words, NAMES) == bare
    assert check(CONF, words, sweep=False) == []
    assert compose_settings(CONF, words) == compose_settings(CONF, bare)


def test_mappings_need_no_plus() -> None:
    def extra(*words: str) -> dict[str, object]:
        assert check(CONF, words, sweep=False) == []
        return compose_settings(CONF, words).trainer.extra

    assert extra() == {"nbs": 16}
    assert extra("trainer.extra={dropout: 0.1}") == {"nbs": 16, "dropout": 0.1}
    assert extra("trainer.extra.nbs=32") == {"nbs": 32}
    assert extra("~trainer.extra.nbs") == {}
    assert extra("trainer=smoke", "trainer.extra={nbs: 8}") == {"nbs": 8}
    words = ["dataset.classes={a: [car]}", "dataset.classes={b: [bus]}"]
    assert check(CONF, words, sweep=False) == []
    assert compose_settings(CONF, words).dataset.classes == {"b": ["bus"]}  # the later one alone
    words = ["tracker={track_thresh: 0.4}", "dataset.splits={train: 0.6, val: 0.25}"]
    assert check(CONF, words, sweep=False) == []
    settings = compose_settings(CONF, words)
    assert settings.tracker.name == "bytetrack"
    assert vars(settings.dataset.splits) == {"train": 0.6, "val": 0.25, "test": 0.15, "pool": 0.0}


def test_an_experiment_may_be_left_out_again() -> None:
    assert normalised(["experiment=null", "~experiment", "seed=1"], NAMES) == ["seed=1"]
    assert compose_settings(CONF, ["experiment=null"]) == compose_settings(CONF, [])


def test_the_last_word_about_an_experiment_holds() -> None:
    assert normalised(["+experiment=demo", "seed=1", "~experiment"], NAMES) == ["seed=1"]
    assert normalised(["experiment=demo", "experiment=null"], NAMES) == []
    assert normalised(["~experiment", "experiment=demo"], NAMES) == ["experiment=demo"]


@pytest.mark.parametrize(
    ("words", "lost"),
    [
        (["seed=1", "seed=2", "seed=2"], ["seed=1 gives way to seed=2"]),
        (["seed=1", "++seed=2", "+seed=3"], ["seed=1 gives way to seed=2", "seed=2 gives way"]),
        (["seed=1", "seed=1", "tracker.track_thresh=0.5", "tracker.track_thresh=0.50"], []),
        (["model=yolov8n-seg", "model=yolov8s-seg"], ["model=yolov8n-seg gives way to model=yo"]),
        (["experiment=demo", "~experiment"], ["experiment=demo gives way to experiment=null"]),
        (["experiment=demo", "trainer.epochs=3"], []),  # what a file sets is set anew on purpose
        (["stages=[track]", "stages=[prepare,track]"], ["stages=[track] gives way to stages=["]),
        (["hydra.run.dir=a", "hydra.run.dir=b"], ["hydra.run.dir=a gives way to hydra.run.dir=b"]),
        (
            ["trainer={epochs: 3, lr0: 0.1}", "trainer.epochs=2"],
            ["trainer.epochs=3 gives way to trainer.epochs=2"],
        ),
        (["dataset.splits={train: 0.5}", "dataset.splits={val: 0.3}"], []),  # both hold
        (
            ["dataset.classes={a: [car]}", "dataset.classes={b: [bus]}"],
            ["dataset.classes={a: [car]} gives way to dataset.classes={b: [bus]}"],
        ),
        (["seed=1,2", "seed=3"], []),  # is refused
    ],
)
def test_what_a_later_word_replaces_is_said(words: list[str], lost: list[str]) -> None:
    found = replaced(words)
    assert [text[: len(start)] for text, start in zip(found, lost, strict=True)] == lost
    assert all(text.endswith(", which stands behind it in the command") for text in found)


def test_a_run_says_what_a_later_word_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["stages=[prepare]", "plan=true", "seed=1", "+seed=2"]
    line = "seed=1 gives way to seed=2, which stands behind it in the command\n"
    for command in (words, ["-m", *words]):
        assert main(command) == 0
        assert capsys.readouterr().err == line
    assert main([*words, "--cfg", "job"]) == 0
    shown = capsys.readouterr()
    assert "seed: 2" in shown.out and shown.err == ""


def test_a_wrong_key_in_a_file_is_named_with_the_right_one(tmp_path: Path) -> None:
    folder = tmp_path / "trainer"
    folder.mkdir()
    (folder / "mine.yaml").write_text("defaults: [smoke, _self_]\nephocs: 3\n")
    (problem,) = check(CONF, ["trainer=mine"], tmp_path)
    assert str(problem) == (
        "trainer=mine: trainer/mine: trainer.ephocs: no such setting; did you mean trainer.epochs?"
    )
    (folder / "mine.yaml").write_text("defaults: [smoke, _self_]\nepochs: 3\n")
    assert check(CONF, ["trainer=mine"], tmp_path) == []
    (folder / "mine.yaml").write_text("defaults: [base, _self_]\nname: mine\n")
    (problem,) = check(CONF, ["trainer=mine"], tmp_path)
    assert str(problem).startswith("trainer.epochs=???: must be given")


def test_configurations_are_not_unfolded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aliases = "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 20))
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("a0: &a0 [x]\n" + aliases)
    assert main(["--config-dir", str(tmp_path), "dataset=mine"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --config-dir: {tmp_path}/dataset/mine.yaml: cannot be read")
    assert "its aliases stand for more than" in line


def test_keys_of_earlier_versions_lead_to_todays() -> None:
    table = formerly()
    assert table["tracker.render"] == "render.enabled"
    for old, new in table.items():
        assert unknown(old, [], {}) == f"is now called {new}: type {new}=VALUE"


def test_help_names_every_group_and_every_knob_that_is_chosen() -> None:
    text = help_text(CONF, ["tracker=botsort", "seed=7"])
    assert max(map(len, text.splitlines())) <= 100
    text = " ".join(text.split())
    for part in (
        "labellerr cloud, emulator, off",
        " seed=7 of splits, training",
        "tracker=botsort: BoT-SORT",
        " tracker.appearance_thresh=0.8 least",
        " dataset.splits.train=0.7 share",
        "[0 to 1024 processes]",
        "tracker.gmc_method=sparseOptFlow",
    ):
        assert part in text, part
    assert "schema" not in text


def test_version_is_segtracks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"segtrack \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        (["seed=1,2", "-m", "model=x"], ["-m", "seed=1,2", "model=x"]),
        (["a=1", "--config-dir", "x", "b=2"], ["--config-dir", "x", "a=1", "b=2"]),
        (["a=1", "a=1"], ["a=1", "a=1"]),
    ],
)
def test_options_may_stand_anywhere(typed: list[str], first: list[str]) -> None:
    from hydra._internal.utils import get_args_parser

    options = get_args_parser().parse_intermixed_args(typed)
    words = _options_first(typed, options.overrides)
    assert words == first
    assert get_args_parser().parse_args(words) == options


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("seed=1,2,1", "seed=1: stands there twice; name each value once"),
        ("tracker.track_thresh=0.5,0.50", "0.5: stands there twice; name each"),
        ("tracker.track_thresh=1,1.0", "1.0: stands there twice, once as 1"),
        ("model=yolov8n-seg,yolov8n-seg", "model=yolov8n-seg: stands there twice"),
        ("video=a.mp4,b.mp4,a.mp4", "a.mp4: stands there twice"),
    ],
)
def test_no_cell_of_a_sweep_runs_twice(word: str, message: str) -> None:
    found = [str(problem) for problem in check(CONF, [word])]
    assert len(found) == 1 and message in found[0]


@pytest.mark.parametrize("word", ["seed=1,2", "seed=range(0,3)", "render.enabled=true,false,null"])
def test_different_values_are_cells(word: str) -> None:
    assert check(CONF, [word]) == []


@pytest.mark.parametrize("more", [[], ["--cfg", "job"], ["-m", "seed=1,2"], ["plan=true"]])
def test_no_pickle_is_run_again(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, marker = tmp_path / "config.pickle", tmp_path / "ran"
    path.write_bytes(b"cposix\nsystem\n(S'touch %s'\ntR." % str(marker).encode())
    assert main([f"--experimental-rerun={path}", *more]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: --experimental-rerun={path}: not supported")
    assert said.count("\n") == 1 and not marker.exists()


def test_weights_that_hold_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, before there is a run, and nothing ran; ``model.trust`` alone decides."""
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("w.pt", "w") as archive:
        evil = b"\x80\x02cposix\nsystem\nX\x09\x00\x00\x00touch ran\x85R."
        archive.writestr("w/data.pkl", evil)
    for word in ("model.weights=w.pt", f"model.weights={tmp_path / 'w.pt'}"):
        assert main([word, "stages=[prepare,evaluate]"]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "refused: it asks for posix.system" in said
        assert "nothing was executed" in said and "model.trust=true" in said
    assert [path.name for path in tmp_path.iterdir()] == ["w.pt"]


def test_output_that_cannot_be_written_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["--version"]) == 2
    assert capsys.readouterr().err == (
        "error: cannot write to standard output (No space left on device); make room or send it "
        "elsewhere\n"
    )


def test_a_folder_that_is_not_in_utf8_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Parquet, SQLite and MLflow cannot write its name down."""
    odd = tmp_path / os.fsdecode(b"b\xff")
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(odd)
    assert main(["stages=[prepare]", f"hydra.run.dir={tmp_path}/plain"]) == 2
    assert capsys.readouterr().err == (
        f"error: the working folder: {tmp_path}/b\\xff is not written in UTF-8; rename it, or work "
        "in another folder\n"
    )
    assert not list(odd.iterdir())
    with pytest.raises(
        SettingsError, match=r"store=x: .*b\\xff/store is not written in UTF-8; choose"
    ):
        require_writable(odd / "store", "store=x", "choose another")
