"""scripts/compare_runs.py --kind image on runs in a database of their own."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from segtrack import journal as journals
from segtrack.evaluation import evaluate
from segtrack.settings import EvaluationSettings, MlflowSettings
from tests.evaluation.scenes import Detection, Object, hand_made, write_predictions

NAMES = ("car", "person")
IMAGES = 6
BOX, OTHER = (10, 10, 20, 20), (60, 60, 20, 20)
OBJECTS = [Object(i, k, box) for i in range(IMAGES) for k, box in enumerate((BOX, OTHER))]
HALF = 100 * 51 / 101


def recorded(
    settings: MlflowSettings,
    folder: Path,
    found: Sequence[Detection],
    objects: Sequence[Object] = OBJECTS,
    split: str = "test",
) -> str:
    """A run whose evaluation of such detections was kept as the pipeline keeps it."""
    predictions = write_predictions(folder / "predictions", NAMES, IMAGES, found)
    (folder / "evaluation").mkdir()
    dataset = hand_made(NAMES, IMAGES, objects)
    knobs = replace(EvaluationSettings(), gallery=0)
    evaluate(dataset, split, predictions, knobs, folder / "evaluation", lambda *_: None)
    with journals.record(settings, folder.name, {}) as journal:
        journal.artifact(folder / "evaluation" / "units.npz", "evaluation")
    return journal.run_id


def cars(images: int) -> list[Detection]:
    """The cars of the first images."""
    return [Detection(i, 0, 0.9 - i / 100, BOX) for i in range(images)]


def persons(images: int) -> list[Detection]:
    return [Detection(i, 1, 0.9 - i / 100, OTHER) for i in range(images)]


def test_two_runs(
    script: ModuleType,
    settings: MlflowSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = f"mlflow.uri='{settings.uri}'"
    a = recorded(settings, tmp_path / "a", cars(6))
    b = recorded(settings, tmp_path / "b", [*cars(6), *persons(6)])
    words = [a, b, "--kind", "image", "--samples", "200"]

    assert script.main([*words, "--json", where]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["a"], figures["b"], figures["kind"]) == (a, b, "image")
    assert figures["units"] == {"of": "images", "count": 6}
    (row,) = figures["metrics"].values()
    sentence = "mask_map50_95: B is better than A by 50.00 points (95% interval +50.00 to +50.00)."
    assert row.pop("verdict") == sentence
    assert row == pytest.approx(
        {"a": 50, "b": 100, "difference": 50, "low": 50, "high": 50, "share_above_0": 1}
    )

    more = ["--metric", "box_map50", "--metric", "class/car/mask_map50"]
    assert script.main([*words, *more, where]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "image scores; paired bootstrap, 200 draws of 6 images"
    assert lines[6].split() == ["box_map50", "50.00", "100.00", "50.00", "50.00", "50.00", "1.00"]
    assert lines[-2].startswith("box_map50: B is better than A by 50.00 points")
    assert lines[-1] == "class/car/mask_map50: A and B score exactly the same."

    c = recorded(settings, tmp_path / "c", cars(3))
    assert script.main([a, c, *words[2:], "--json", "--metric", "mask_map50", where]) == 0
    row = json.loads(capsys.readouterr().out)["metrics"]["mask_map50"]
    assert (row["a"], row["b"]) == pytest.approx((50, HALF / 2))
    assert -50 <= row["low"] < row["difference"] < row["high"] <= 0


def test_runs_that_cannot_be_compared(
    script: ModuleType,
    settings: MlflowSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    where = f"mlflow.uri='{settings.uri}'"
    a = recorded(settings, tmp_path / "a", cars(6))
    relabelled = recorded(settings, tmp_path / "b", cars(6), OBJECTS[:-1], split="val")
    damaged = recorded(settings, tmp_path / "c", cars(6))
    (file,) = journals.run_files(settings, damaged, script.IMAGES, tmp_path)
    file.unlink()
    file.write_bytes(b"PK")
    with journals.record(settings, "empty", {}) as journal:
        pass
    first = hand_made(NAMES, IMAGES, OBJECTS).split_fingerprint("test")
    second = hand_made(NAMES, IMAGES, OBJECTS[:-1]).split_fingerprint("val")
    differ = (
        f"{a} on the split test with fingerprint {first[:16]} (6 images, 12 objects), "
        f"{relabelled} on the split val with fingerprint {second[:16]} (6 images, 11 objects)"
    )
    for words, message in [
        ([a, relabelled], differ),
        ([a, journal.run_id], f"run {journal.run_id} kept no evaluated images"),
        ([a, damaged], "units.npz: not readable as the units of an evaluation"),
        ([a, "f" * 32], f"{'f' * 32}: no such run in sqlite:///"),
        ([a, a, "--metric", "HOTA"], "HOTA: there is no such score of images"),
        ([a, a, "--samples", "0"], "samples must be 1 or more"),
        ([a, a, "--sequences", "v"], "images belong to none"),
        ([a, a, "third"], "third: has no value: type third=VALUE"),
        ([a, a, "mlflow.ury=x"], "did you mean mlflow.uri?"),
    ]:
        assert script.main([*words, "--kind", "image", where]) == 2
        assert message in capsys.readouterr().err
    assert script.main([a, a, where]) == 2
    assert "compare how images were evaluated with --kind image" in capsys.readouterr().err
