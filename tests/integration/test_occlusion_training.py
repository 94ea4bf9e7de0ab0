"""The study of occluded training images: its commands compose, and its tables say what is so."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.evaluation.measurement import measure
from segtrack.report import read_table_csv
from segtrack.settings import EvaluationSettings
from tests.evaluation.scenes import HandMade, random_scene, write_predictions

FOLDER = Path(__file__).resolve().parents[2] / "experiments" / "occlusion_training"
DRAWS = True
NAMES = ("person", "car", "traffic sign")


@pytest.fixture
def study(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import design
    import report

    return design, report


def test_commands(study, tmp_path, monkeypatch):
    """Each arm's training and tests, and seeds go round."""
    design, _ = study
    monkeypatch.setenv("SEGTRACK_DATA", str(tmp_path))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "yolov8n-seg.pt").touch()
    (tmp_path / "images" / "cityscapes640").mkdir(parents=True)
    every = list(design.trainings(tmp_path / "runs", list(design.DOMAINS), range(5)))
    assert len({one.folder for one in every}) == len(every) == 40
    assert [one.seed for one in every] == sorted(one.seed for one in every)
    for domain, of in design.DOMAINS.items():
        first = [one for one in every if one.domain == domain][: len(of.arms)]
        assert [one.arm for one in first] == list(of.arms)
        assert {arm for pair in of.pairs for arm in pair} == set(of.arms)
        for one in first:
            assert check(CONF, one.training(), sweep=False) == []
        first[0].weights.parent.mkdir(parents=True)
        first[0].weights.touch()
        for test in of.tests:
            assert check(CONF, first[0].evaluation(test), sweep=False) == []


def units_of(folder, truth, found):
    images = len(truth.rows)
    predictions = write_predictions(folder, NAMES, images, found)
    return measure(truth, "test", predictions, EvaluationSettings()).units


def test_tests_are_pooled(study, tmp_path):
    """Two tests of two and three images are as one of five."""
    _, report = study
    truth, found = random_scene(3, NAMES, 5)
    parts = []
    for n, chosen in enumerate((range(2), range(2, 5))):
        rows = [replace(truth.rows[i], image_id=i - chosen[0]) for i in chosen]
        objects = [
            {**a, "image_id": a["image_id"] - chosen[0]}
            for a in truth.annotations
            if a["image_id"] in chosen
        ]
        here = [replace(f, image=f.image - chosen[0]) for f in found if f.image in chosen]
        parts.append(units_of(tmp_path / str(n), HandMade(NAMES, rows, objects), here))
    whole, pooled = units_of(tmp_path / "whole", truth, found), report.pooled(parts)
    assert pooled.group.tolist() == [
        *(f"{int(i >= 2)}/{name}" for i, name in enumerate(whole.group.tolist()))
    ]
    for name in ("class_id", "image", "objects"):
        assert np.array_equal(getattr(pooled, name), getattr(whole, name)), name
    for kind, detections in whole.detections.items():
        for name, values in vars(detections).items():
            assert np.array_equal(vars(pooled.detections[kind])[name], values), (kind, name)
    one, other = report.measured([pooled]), report.measured([whole])
    for metric in report.METRICS:
        assert one[metric].score == pytest.approx(other[metric].score, nan_ok=True), metric
        assert one[metric].without.shape == (1, 5)


def test_seeds_are_kept_apart(study, tmp_path):
    _, report = study
    truth, found = random_scene(3, NAMES, 5)
    worse = [f for n, f in enumerate(found) if n % 3]
    seeds = [units_of(tmp_path / str(i), truth, f) for i, f in enumerate((found, worse))]
    both = report.measured(seeds)
    for seed, units in enumerate(seeds):
        alone = report.measured([units])
        for metric in report.METRICS:
            assert both[metric].whole[seed] == pytest.approx(alone[metric].score, nan_ok=True)
            np.testing.assert_allclose(both[metric].without[seed], alone[metric].without[0])


def test_report(study, tmp_path, capsys):
    """Two seeds of every arm on Cityscapes; the third seed, which one arm lacks, is left out."""
    design, report = study
    truth, found = random_scene(3, NAMES, 8)
    of = design.DOMAINS["cityscapes"]
    done = [
        design.Training("cityscapes", arm, seed, tmp_path)
        for seed in range(3)
        for arm in of.arms
        if (arm, seed) != ("plain", 2)
    ]
    for number, one in enumerate(done):
        fewer = [f for n, f in enumerate(found) if (n + number) % (3 + number % 3)]
        one.folder.mkdir(parents=True)
        units_of(tmp_path / "found" / str(number), truth, fewer).save(one.units("test"))
    report.report(done, tmp_path)
    rows = read_table_csv((tmp_path / "cityscapes.csv").read_text())
    assert [(row["metric"], row["to"], row["arm"]) for row in rows] == [
        (metric, a, b) for metric in report.METRICS for a, b in of.pairs
    ]
    of_ap = rows[-len(of.pairs)]
    low, middle, high = (float(of_ap[name]) for name in ("low", "difference", "high"))
    assert low < middle < high
    figure = cv2.imread(str(tmp_path / "cityscapes.png"))
    assert figure is not None and len(np.unique(figure.reshape(-1, 3), axis=0)) > 20
    out = capsys.readouterr().out
    assert "streets: no seed has all arms yet" in out
    assert "cityscapes: 8 test images, 2 seeds" in out
