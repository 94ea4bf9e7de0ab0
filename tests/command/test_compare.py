"""``segtrack compare`` on runs in a database of their own."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from segtrack import journal as journals
from segtrack.base.errors import SettingsError
from segtrack.command.app import main
from segtrack.command.compare import options_of
from segtrack.evaluation.measurement import measure
from segtrack.scoring import PLAIN_FIELDS, SequenceScores, counts_of
from segtrack.settings import EvaluationSettings, MlflowSettings
from tests.evaluation.scenes import Detection, Object, hand_made, write_predictions
from tests.journal.made import empty_mlflow

pytestmark = pytest.mark.usefixtures("blank_figures")

COUNTS, IMAGES = "tracking/*/scores/counts.npz", "evaluation/units.npz"
SIZE = 200  # objects in a sequence: one more or less is half a point of MOTA
BASE = dict.fromkeys("stuvwxy", 100.0)
GAINS = (10, 8, 6, 4, 2, -2, -14)  # objects: differences of 5, 4, 3, 2, 1, -1 and -7 points

NAMES = ("car", "person")
BOX, OTHER = (10, 10, 20, 20), (60, 60, 20, 20)
OBJECTS = [Object(i, k, box) for i in range(6) for k, box in enumerate((BOX, OTHER))]
HALF = 100 * 51 / 101  # precision 1 up to the recall .5


@pytest.fixture
def settings(tmp_path: Path, mlflow_template: Path) -> MlflowSettings:
    return empty_mlflow(tmp_path, mlflow_template)


def kept(
    settings: MlflowSettings,
    folder: Path,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """A run that keeps all of a folder."""
    with journals.record(settings, folder.name, tags or {}) as journal:
        journal.params(params or {})
        journal.artifact(folder)
        whole = OmegaConf.create()
        for key, value in (params or {}).items():
            OmegaConf.update(whole, key, value)
        journal.text(OmegaConf.to_yaml(whole), "config.yaml")
    return journal.run_id


def tracked(
    settings: MlflowSettings,
    folder: Path,
    found: Mapping[str, float],
    kind: str = "box",
    **more: Any,
) -> str:
    """A run that found so many of the 200 cars of each sequence, with perfect places and ids."""
    folder.mkdir()
    for name, tp in found.items():
        path = folder / "tracking" / name / "scores" / "counts.npz"
        path.parent.mkdir(parents=True)
        hota = np.repeat(np.array([tp, SIZE - tp, 0, tp, tp, tp, tp])[:, None], 19, axis=1)
        plain = dict.fromkeys(PLAIN_FIELDS, 0.0) | {"Frames": 50}
        plain |= {"CLR_TP": tp, "CLR_FN": SIZE - tp, "IDTP": tp, "IDFN": SIZE - tp}
        counts = counts_of(hota, plain)[None]
        np.savez(path, name=np.array(name), keys=np.array([(kind, "car")]), counts=counts)
    return kept(settings, folder, **more)


def gained(gains: Sequence[float]) -> dict[str, float]:
    return {name: BASE[name] + gain for name, gain in zip(BASE, gains, strict=False)}


def told(
    capsys: pytest.CaptureFixture[str], settings: MlflowSettings, *words: str, code: int = 0
) -> list[str]:
    """The lines that such a command prints."""
    assert main(["compare", *words, f"mlflow.uri='{settings.uri}'"]) == code
    out = capsys.readouterr()
    return (out.err if code else out.out).splitlines()


def test_a_difference_that_cannot_be_told(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of equal sequences the pseudo-values are the differences: mean 1, SD root of 98 / 6, so that
    the interval is 1 -+ 2.4469 * 4.0415 / root of 7. A t-test of paired values of this size has a
    power of .8 from 131 on."""
    knobs = {"tracker.match_thresh": 0.9, "seed": 0, "mlflow.run_name": "x"}
    a = tracked(settings, tmp_path / "a", BASE, params=knobs)
    changed = knobs | {"tracker.match_thresh": 0.7, "mlflow.run_name": "y"}
    b = tracked(settings, tmp_path / "b", gained(GAINS), params=changed)
    lines = told(capsys, settings, a, b, "--metric", "mota", "--metric", "IDF1")
    assert lines[:2] == [
        "B scores 1.00 MOTA higher than A on these 7 sequences (95%: -2.74 to +4.74), but which "
        "is better cannot be told from 7 sequences; 2 of 7 sequences go the other way.",
        "About 130 sequences like these would tell a difference of this size in 4 of 5 cases.",
    ]
    assert lines[3:6] == [
        f"A  {a} a",
        f"B  {b} b",
        "They differ in tracker.match_thresh (0.9; 0.7).",
    ]
    table = [" ".join(line.split()) for line in lines[7:16]]
    assert table[0] == "metric A % B % B - A 95% low 95% high can be told"
    assert table[2] == "MOTA 50.00 51.00 1.00 -2.74 4.74 no"
    assert table[3].startswith("IDF1 66.67 67.")
    assert table[5] == "sequences objects A MOTA % B MOTA % B - A"
    assert table[7:] == ["s 200 50.00 55.00 5.00", "t 200 50.00 54.00 4.00"]
    assert lines[-2:] == [
        "box scores; jackknife-t over 7 sequences, 6.0 degrees of freedom, each metric by itself",
        "one seed: seed noise is not in the intervals",
    ]


def test_a_difference_that_can_be_told_and_json(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Differences of 5, 4, ..., -1 points: 2 -+ 2.4469 * root of 28 / 6 / 7."""
    tags = {"weights.sha256": "same"}
    a = tracked(settings, tmp_path / "a", BASE, tags=tags)
    b = tracked(settings, tmp_path / "b", gained((10, 8, 6, 4, 2, 0, -2)), tags=tags)
    lines = told(capsys, settings, a, b, "--metric", "MOTA")
    assert lines[0] == (
        "B is better than A on these 7 sequences by 2.00 MOTA (95%: +0.00 to +4.00); 1 of 7 "
        "sequences goes the other way."
    )
    assert lines[1] == ""
    assert lines[-1] == "one seed: seed noise is not in the intervals (both have the same weights)"
    (line,) = told(capsys, settings, b, a, "--metric", "MOTA", "--json")
    found = json.loads(line)
    assert (found["a"], found["b"]) == ([b], [a])
    assert (found["kind"], found["of"], found["level"]) == ("box", "sequences", 0.95)
    mota = found["metrics"]["MOTA"]
    assert mota.pop("claim").startswith("B is worse than A on these 7 sequences by 2.00 MOTA")
    each = mota.pop("each")
    assert each[0] == pytest.approx(
        {"name": "s", "objects": 200, "a": 55, "b": 50, "difference": -5}
    )
    assert (mota.pop("a"), mota.pop("b")) == (pytest.approx([52]), pytest.approx([50]))
    assert mota == pytest.approx(
        {
            **{"difference": -2, "low": -3.998, "high": -0.002, "se": 0.8165, "df": 6},
            **{"units": 7, "counted": 7, "seeds": 1, "spread": 2.1602, "told": True, "against": 1},
            "needed": None,
        },
        abs=1e-3,
    )


def test_of_few_sequences_the_table_comes_first(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roles = {"dataset.tuning": ["s", "t", "u"], "dataset.test": ["v", "w", "x", "y"]}
    a = tracked(settings, tmp_path / "a", BASE, params=roles)
    b = tracked(settings, tmp_path / "b", gained(GAINS), params=roles)
    lines = told(capsys, settings, a, b, "--metric", "MOTA", "--sequences", "test")
    assert [line.split()[0] for line in lines[:6]] == ["sequences", "---------", *"vwxy"]
    assert lines[7].startswith("B scores 1.25 MOTA lower than A on these 4 sequences (95%: -7.66")
    assert lines[7].endswith("cannot be told from 4 sequences; 2 of 4 sequences go the other way.")
    assert not any("are for tuning" in line for line in lines)
    lines = told(capsys, settings, a, b)
    assert lines[-1] == (
        "3 of the sequences are for tuning and 4 for test; settings that were chosen on the "
        "former are judged with --sequences test"
    )
    lines = told(capsys, settings, a, b, "--sequences", "s", "--metric", "MOTA")
    assert lines[4] == (
        "B scores +5.00 MOTA beside A on one sequence: no interval; how sequences differ cannot be "
        "seen from one."
    )
    assert lines[-1] == "box scores; no intervals"
    lines = told(capsys, settings, a, a)
    assert lines[0] == "B and A have exactly the same HOTA on these 7 sequences."
    assert "They differ in no setting." in lines


def test_roles_of_many_sequences(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their names are more than MLflow keeps of a parameter."""
    many = [f"a_long_name_of_a_sequence_{i:03}" for i in range(40)]
    roles = {"dataset.tuning": many, "dataset.test": ["v", "w", "x", "y"]}
    a = tracked(settings, tmp_path / "a", BASE, params=roles)
    b = tracked(settings, tmp_path / "b", gained(GAINS), params=roles)
    lines = told(capsys, settings, a, b, "--metric", "MOTA", "--sequences", "test")
    assert lines[7].startswith("B scores 1.25 MOTA lower than A on these 4 sequences")
    assert "They differ in no setting." in lines
    last = roles | {"dataset.tuning": [*many[:-1], "another"]}
    b = tracked(settings, tmp_path / "c", gained(GAINS), params=last)
    assert "They differ in dataset.tuning (long)." in told(capsys, settings, a, b)
    (line,) = told(capsys, settings, a, b, "--json")
    assert json.loads(json.loads(line)["differing"]["dataset.tuning"][1]) == last["dataset.tuning"]


def test_the_parent_of_a_sweep_names_its_cells(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = tracked(settings, tmp_path / "a", BASE)
    tags = {journals.SWEEP_KEYS: '["seed"]'}
    with (
        journals.record(settings, "sweep", tags) as parent,
        journals.record(settings, "cell", {}, parent.run_id) as cell,
    ):
        pass
    assert told(capsys, settings, a, parent.run_id, code=2) == [
        f"error: B: run {parent.run_id} is the parent of a sweep and has no scores of its own; "
        f"compare its cells: {cell.run_id}"
    ]


def test_images_where_one_run_has_nothing_else(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the runs of the demo: the first tracks too, and the simulator counts its test images."""
    both = tmp_path / "both"
    tracked(settings, both, BASE)
    params = {"dataset.test": 80}
    a = evaluated(settings, both, seen(6), params=params)
    b = evaluated(settings, tmp_path / "b", seen(3), params=params)
    for one, other in ((a, b), (b, a)):
        lines = told(capsys, settings, one, other, "--metric", "mask_map50")
        assert "mask_map50" in lines[0]
        assert lines[-2].startswith("image scores; jackknife-t over 6 images")


def test_masks_where_there_are_no_boxes(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = tracked(settings, tmp_path / "a", BASE, kind="mask")
    b = tracked(settings, tmp_path / "b", gained(GAINS), kind="mask")
    lines = told(capsys, settings, a, b, "--metric", "MOTA")
    assert lines[0].startswith("B scores 1.00 MOTA higher than A on these 7 sequences")
    assert lines[-2].startswith("mask scores; ")


def test_what_is_a_setting_and_what_a_metric() -> None:
    metric = "class/=1+1/mask_map50_95"
    options = options_of(["mlflow=server", "a", "--metric", metric, "b", "mlflow.uri=x"])
    assert (options.a, options.b, options.metric) == ("a", "b", [metric])
    assert options.overrides == ["mlflow=server", "mlflow.uri=x"]


def test_runs_that_differ_in_the_seed(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All sequences gain 5 points; seeds are 1 point apart, SD root of 1 / 2: only they vary."""
    runs = {
        f"{side}{seed}": tracked(
            settings,
            tmp_path / f"{side}{seed}",
            gained([gain + 2 * seed] * 7),
            params={"seed": seed, "trainer.lr0": rate},
        )
        for side, gain, rate in (("a", 0, 0.1), ("b", 10, 0.2))
        for seed in (0, 1)
    }
    a, b = (f"{runs[f'{side}0']},{runs[f'{side}1']}" for side in "ab")
    lines = told(capsys, settings, a, b, "--metric", "MOTA")
    assert lines[0].startswith("B is better than A on these 7 sequences by 5.00 MOTA")
    assert [line for line in lines if line.startswith("A  ")] == [
        f"A  {runs['a0']} a0",
        f"A  {runs['a1']} a1",
    ]
    assert "They differ in trainer.lr0 (0.1; 0.2)." in lines
    row = next(line.split() for line in lines if line.startswith("MOTA"))
    # se is the root of 1 / 2 / 2 + 1 / 2 / 2, with 2 degrees of freedom: t is 4.3027
    assert row == ["MOTA", "50.50", "0.71", "55.50", "0.71", "5.00", "1.96", "8.04", "yes"]
    assert lines[-1] == "2 and 2 seeds, whose noise is in the intervals"
    mixed = told(capsys, settings, f"{runs['a0']},{runs['b1']}", b, "--metric", "MOTA")
    assert mixed[-1] == "warning: the runs of A differ not only in seed: trainer.lr0"


def test_many_units_are_shown_on_demand(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = {f"{i:02d}": 100.0 for i in range(30)}
    a = tracked(settings, tmp_path / "a", one)
    b = tracked(settings, tmp_path / "b", {name: 100.0 + int(name) for name in one})
    lines = told(capsys, settings, a, b)
    assert "and 10 smaller ones, which --all shows" in lines
    assert sum(line.split()[1:2] == ["200"] for line in lines) == 20
    lines = told(capsys, settings, a, b, "--all")
    assert sum(line.split()[1:2] == ["200"] for line in lines) == 30


def evaluated(
    settings: MlflowSettings,
    folder: Path,
    found: Sequence[Detection],
    objects: Sequence[Object] = OBJECTS,
    split: str = "test",
    group_by: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> str:
    """A run that keeps what a comparison needs of an evaluation of such detections."""
    predictions = write_predictions(folder / "predictions", NAMES, 6, found)
    (folder / "evaluation").mkdir()
    knobs = replace(EvaluationSettings(), gallery=0)
    dataset = hand_made(NAMES, 6, objects)
    measured = measure(dataset, split, predictions, knobs, group_by)
    measured.units.save(folder / "evaluation" / "units.npz")
    content = {"counts": measured.counts, "metrics": measured.metrics()}
    (folder / "evaluation" / "metrics.json").write_text(json.dumps(content))
    return kept(settings, folder, params)


def seen(images: int, class_id: int = 0) -> list[Detection]:
    """The cars, or persons, of the first images."""
    box = OTHER if class_id else BOX
    return [Detection(i, class_id, 0.9 - i / 100, box) for i in range(images)]


def test_images(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = evaluated(settings, tmp_path / "a", seen(6))
    b = evaluated(settings, tmp_path / "b", [*seen(6), *seen(6, 1)])
    lines = told(capsys, settings, a, b)  # they did not track
    assert lines[0] == (
        "B scores +50.00 mask_map50_95 beside A on these 6 images, but which is better cannot be "
        "told: the difference stays the same without any of them, so that its noise is not known."
    )
    assert "image 0.png        2" in "\n".join(lines)
    more = ["--kind", "image", "--metric", "box_map50", "--metric", "class/car/mask_map50"]
    lines = told(capsys, settings, a, b, *more)
    rows = [line.split() for line in lines if "map50 " in line and "%" not in line][-2:]
    assert rows == [
        ["box_map50", "50.00", "100.00", "50.00", "n/a", "n/a", "no"],
        ["class/car/mask_map50", "100.00", "100.00", "0.00", "n/a", "n/a", "no"],
    ]
    c = evaluated(settings, tmp_path / "c", seen(3))
    (line,) = told(capsys, settings, a, c, "--json", "--metric", "mask_map50")
    row = json.loads(line)["metrics"]["mask_map50"]
    assert (row["a"][0], row["b"][0]) == pytest.approx((50, HALF / 2))
    assert row["low"] < row["difference"] < row["high"]
    assert row["against"] == 0
    grouped = [
        evaluated(settings, tmp_path / f"g{n}", seen(n), group_by=r"(image) [0-2]") for n in (6, 3)
    ]
    lines = told(capsys, settings, *grouped)
    assert lines[-2].startswith("image scores; jackknife-t over 4 groups of images")
    lines = told(capsys, settings, a, grouped[0], code=2)
    assert "Evaluate both with the same dataset.group_by" in lines[0]


def test_what_cannot_be_compared(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = tracked(settings, tmp_path / "a", BASE, params={"seed": 0})
    b = tracked(settings, tmp_path / "b", BASE, params={"seed": 0})
    other = tracked(settings, tmp_path / "c", {"s": 100})
    empty = tracked(settings, tmp_path / "d", {})
    relabelled = evaluated(settings, tmp_path / "e", seen(6), OBJECTS[:-1], split="val")
    images = evaluated(settings, tmp_path / "f", seen(6))
    damaged = evaluated(settings, tmp_path / "g", seen(6))
    (file,) = journals.run_files(settings, damaged, IMAGES, tmp_path)
    file.unlink()
    file.write_bytes(b"PK")
    old = evaluated(settings, tmp_path / "h", seen(6))
    (file,) = journals.run_files(settings, old, IMAGES, tmp_path)
    with np.load(file) as arrays:
        without = {name: arrays[name] for name in arrays.files if name != "group_text"}
    file.unlink()
    np.savez(file, **without)
    for words, message in [
        ([a, other], f"not scored on the same sequences: only {a} has t"),
        ([a, empty], f"run {empty} kept no scores"),
        ([empty, a], f"run {empty} kept no evaluated images"),
        ([a, images], "compare how images were evaluated with --kind image"),
        ([a, "f" * 32], f"{'f' * 32}: no such run in sqlite:///"),
        ([a, f"{b},"], "no such run in sqlite:///"),
        ([a, b, "--kind", "mask"], "no mask scores of s, t"),
        ([a, b, "--metric", "HOTTA"], "--metric HOTTA: there is no such score"),
        ([a, b, "--level", "95"], "--level 95: must be between 0 and 1"),
        ([a, b, "--sequences", "z"], "no scores of z"),
        ([f"{a},{a}", b], f"A: {a} stands there twice"),
        ([f"{a},{b}", a], f"A: of the runs {a},{b} two have the same seed"),
        ([a], "compare: the following arguments are required: B; --help shows how"),
        ([a, b, "--kind", "boxes"], "compare: argument --kind: invalid choice: 'boxes'"),
        ([a, b, "--levle", "0.9"], "compare: unrecognized arguments: --levle"),
        ([a, b, "third"], "compare: unrecognized arguments: third; --help shows how"),
        ([a, b, "mlflow.ury=x"], "did you mean mlflow.uri?"),
        ([images, relabelled], "on the split val with fingerprint"),
        ([images, damaged], "units.npz: not readable as the units of an evaluation"),
        ([images, old], "group_text is not a file in the archive'); evaluate again"),
        ([images, images, "--metric", "HOTA"], "HOTA: there is no such score of images"),
        ([images, images, "--sequences", "v"], "images belong to none"),
    ]:
        (line,) = told(capsys, settings, *words, code=2)
        assert line.startswith("error: ")
        assert message in line


def test_the_word_is_told_from_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["comapre", "A", "B"]) == 2
    expected = "error: comapre: no such command; did you mean compare? A setting is KEY=VALUE\n"
    assert capsys.readouterr().err == expected
    assert main(["compare=3"]) == 2
    assert "compare=3: no such setting" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["compare", "--help"])
    assert stop.value.code == 0
    assert "usage: segtrack compare" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert re.search(r"^  compare +is run B better than run A", capsys.readouterr().out, re.M)


def test_files_of_a_run_from_a_server(
    settings: MlflowSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the artifacts are not on this machine, those that fit are fetched."""
    run = tracked(settings, tmp_path / "a", {"v": 100, "w": 100})
    here = journals.run_files(settings, run, COUNTS, tmp_path)
    monkeypatch.setattr("segtrack.journal.artifacts.local_path", lambda uri: None)
    (tmp_path / "fetched").mkdir()
    fetched = journals.run_files(settings, run, COUNTS, tmp_path / "fetched")
    assert [SequenceScores.load(path.parent).name for path in fetched] == ["v", "w"]
    assert [p.read_bytes() for p in fetched] == [p.read_bytes() for p in here]
    assert journals.run_files(settings, run, "tracking/*", tmp_path / "fetched") == []
    with pytest.raises(SettingsError, match="no such run"):
        journals.run_files(settings, "nothing", COUNTS, tmp_path)
