"""The outcome of a sweep on images: validation chooses, test images tell."""

import csv
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from segtrack import journal as journals
from segtrack.base.metrics import Metric
from segtrack.command.sweep_cells import apart, settings_of
from segtrack.command.sweep_images import conclude_images
from segtrack.evaluation import ImageUnits
from segtrack.evaluation.measurement import measure
from segtrack.settings import EvaluationSettings, MlflowSettings
from tests.evaluation.scenes import Detection, Object, hand_made, write_predictions
from tests.journal.made import empty_mlflow

pytestmark = pytest.mark.usefixtures("blank_figures")

BOX, OTHER = (10, 10, 20, 20), (60, 60, 20, 20)
OBJECTS = [Object(i, 0, box) for i in range(6) for box in (BOX, OTHER)]


@pytest.fixture
def settings(tmp_path: Path, mlflow_template: Path) -> MlflowSettings:
    return empty_mlflow(tmp_path, mlflow_template)


def cell(
    settings: MlflowSettings,
    folder: Path,
    parent: str,
    found: int,
    val: float | None,
    **params: str,
) -> None:
    """A cell that found one car in all six images and the other one in some."""
    cars = [Detection(i, 0, 0.9, BOX) for i in range(6)]
    cars += [Detection(i, 0, 0.8, OTHER) for i in range(found)]
    predictions = write_predictions(folder / "predictions", ("car",), 6, cars)
    (folder / "evaluation").mkdir()
    knobs = EvaluationSettings(gallery=0)
    dataset = hand_made(("car",), 6, OBJECTS)
    measure(dataset, "test", predictions, knobs).units.save(folder / "evaluation" / "units.npz")
    tags = {f"stage.{stage}": f"built in 1.0 s {folder.name}" for stage in ("train", "evaluate")}
    with journals.record(settings, folder.name, tags, parent) as journal:
        journal.params(params)
        journal.artifact(folder / "evaluation" / "units.npz", "evaluation")
        for kind in ("mask", "box") if val else ():
            journal.metric(Metric(f"val/best/{kind}_map50_95", val, 0))


def outcome(
    settings: MlflowSettings,
    folder: Path,
    found: Mapping[str, Sequence[int]],
    val: Mapping[str, float],
    searched_by: Sequence[str] = (),
) -> Path:
    """Run such a sweep over a and seeds; gives the folder of the parent's artifacts."""
    with journals.record(settings, "sweep", {}) as journal:
        for a, seeds in found.items():
            for seed, count in enumerate(seeds):
                where = folder / f"{a}-{seed}"
                params = {"trainer.a": a, "seed": str(seed)}
                cell(settings, where, journal.run_id, count, val.get(a, 0), **params)
        runs = journals.cells(settings, journal.run_id)
        compared = settings_of(runs, ["trainer.a", "seed"])
        defaults = {"trainer.a": 1, "seed": 0}
        trained = apart(compared, "train")
        conclude_images(journal, settings, compared, defaults, trained, searched_by)
    return folder / "artifacts" / settings.experiment / journal.run_id / "artifacts"


def test_validation_chooses_and_test_images_tell(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Recall is 9 of 12, then 11; a=3 finds all 12, but validation did not say so."""
    found = {"1": [3, 3], "2": [5, 5], "3": [6, 6]}
    parent = outcome(settings, tmp_path, found, {"1": 0.3, "2": 0.5, "3": 0.4})
    said = capsys.readouterr().out
    title = "3 settings of 2 seeds each, chosen by validation images, measured on 6 test images"
    assert f"{title}\nthe default is a=1" in said
    with (parent / "images" / "best.csv").open() as file:
        row, boxes = csv.DictReader(file)
    assert (row["metric"], boxes["metric"]) == ("mask_map50_95", "box_map50_95")
    assert row["setting"] == "a=2"
    assert float(row["reference %"]) == pytest.approx(100 * 76 / 101)  # recall to .75 of 101
    assert float(row["test images %"]) == pytest.approx(100 * 92 / 101)
    assert (float(row["val %"]), float(row["val reference %"])) == (50, 30)
    with (parent / "images" / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [one["mask_map50_95 place"].split()[0] for one in rows][1] == "chosen"
    assert (parent / "figures" / "differences_mask_map50_95.png").is_file()


def test_images_of_one_setting_at_a_time_are_in_memory(
    settings: MlflowSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that all are paired with, and those of a setting's two seeds."""
    seen: list[weakref.ref[ImageUnits]] = []
    most: list[int] = []

    def load(path: Path) -> ImageUnits:
        loaded = original(path)
        seen.append(weakref.ref(loaded))
        most.append(sum(one() is not None for one in seen))
        return loaded

    original = ImageUnits.load
    monkeypatch.setattr(ImageUnits, "load", load)
    outcome(settings, tmp_path, {"1": [3, 3], "2": [5, 5], "3": [6, 6]}, {})
    assert most == [1, 2, 2, 3, 2, 3]


def test_without_validation_nothing_tests_the_choice(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = outcome(settings, tmp_path, {"1": [3], "2": [5]}, {"1": 0.3})
    said = capsys.readouterr().out
    assert "2 settings, measured on 6 test images" in said
    assert "nothing tests the choice" in said
    assert "one seed: the noise of training is not in the intervals" in said
    with (parent / "images" / "best.csv").open() as file:
        assert [row["setting"] for row in csv.DictReader(file)] == ["a=2", "a=2"]


def test_what_a_search_drew_by_test_images_was_not_chosen_by_validation(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    val = {"1": 0.3, "2": 0.5}
    outcome(settings, tmp_path, {"1": [3], "2": [5]}, val, ["test/class/car/mask_map50"])
    said = capsys.readouterr().out
    assert "nothing tests the choice" in said and "chosen by" not in said


def test_settings_that_evaluated_the_same_are_not_compared(
    settings: MlflowSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = outcome(settings, tmp_path, {"1": [3]}, {})
    assert capsys.readouterr().out == "" and not (parent / "images").exists()
