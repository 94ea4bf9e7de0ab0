"""A prepared data set names files outside of the store; what if they lie elsewhere by now?"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.dataset import Dataset
from segtrack.pipeline import RunFacts, Runner
from segtrack.store.store import Store

FACTS = RunFacts("", "", "", "")


def write_data(folder: Path) -> None:
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True)
    for i in range(8):
        image = np.random.default_rng(i).integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(str(folder / "images" / f"{i}.jpg"), image)
        (folder / "labels" / f"{i}.txt").write_text("0 0.2 0.2 0.8 0.2 0.8 0.8 0.2 0.8\n")
    (folder / "data.yaml").write_text("names: [car]\ntrain: images\n")


def prepare(root: Path, data: Path) -> Runner:
    words = ["dataset=yolo", f"dataset.path={data}", "stages=[prepare]", "dataset.workers=1"]
    runner = Runner(compose_settings(CONF, words), Store(root / "store"), None, root, FACTS)
    runner.run()
    return runner


def test_a_folder_that_was_moved_is_prepared_where_it_is_now(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    write_data(first)
    assert prepare(tmp_path, first).builds == {"prepare": 1}
    shutil.copytree(first, second)  # with their times
    assert prepare(tmp_path, second).builds == {"prepare": 0}
    shutil.rmtree(first)
    moved = prepare(tmp_path, second)
    assert moved.builds == {"prepare": 1}
    dataset = moved.get("prepare", {}).value
    paths = [row.path for split in dataset.counts for row in dataset.iter_images(split)]
    assert len(paths) == 8 and all(path.parent == second / "images" for path in paths)
    assert prepare(tmp_path, second).builds == {"prepare": 0}
    first_key, second_key = (tmp_path / "store" / "results" / "prepare").iterdir()
    kept = [Dataset.load(folder) for folder in (first_key, second_key)]
    assert kept[0].split_fingerprints == kept[1].split_fingerprints  # the same to all that follows
    assert kept[0].fingerprint == kept[1].fingerprint
