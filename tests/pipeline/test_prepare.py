"""A prepared data set names files outside of the store; what if they lie elsewhere by now?"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from segtrack.base.errors import DataError
from segtrack.command.app import CONF
from segtrack.command.composition import compose_settings
from segtrack.dataset import Dataset, require_unchanged
from segtrack.pipeline import RunFacts, Runner
from segtrack.pipeline.stages.train import keep_if_unchanged
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


def prepare(root: Path, data: Path, *more: str) -> Runner:
    words = ["dataset=yolo", f"dataset.path={data}", "stages=[prepare]", *more]
    words.append("dataset.workers=1")
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


@pytest.mark.parametrize("change", ["cut", "other", "gone"])
def test_pictures_that_changed_since_they_were_prepared(tmp_path: Path, change: str) -> None:
    data = tmp_path / "data"
    write_data(data)
    dataset = prepare(tmp_path, data).get("prepare", {}).value
    splits = tuple(dataset.counts)
    require_unchanged(dataset, *splits)
    file = next(iter(dataset.iter_images("train"))).path
    content = file.read_bytes()
    file.touch()  # is the same picture
    require_unchanged(dataset, *splits)
    if change == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-100] if change == "cut" else content[:-1] + b"x")
    told = "is gone since the data" if change == "gone" else "was changed since the data set was pr"
    with pytest.raises(DataError, match=rf"{file}: {told}"):
        require_unchanged(dataset, *splits)


def test_nothing_goes_on_from_what_other_pictures_taught(tmp_path: Path) -> None:
    data, made = tmp_path / "data", tmp_path / "made"
    write_data(data)
    dataset = prepare(tmp_path, data).get("prepare", {}).value
    (made / "run").mkdir(parents=True)
    (made / "last.pt").touch()
    keep_if_unchanged(dataset, made)
    assert len(list(made.iterdir())) == 2
    next(iter(dataset.iter_images("train"))).path.write_bytes(b"another")
    with pytest.raises(DataError, match="was changed since"):
        keep_if_unchanged(dataset, made)
    assert not list(made.iterdir())


def test_a_copy_is_prepared_anew_where_the_first_was_changed(tmp_path: Path) -> None:
    """The result names the files of the first folder, whose content is another one by now."""
    first, second = tmp_path / "first", tmp_path / "second"
    write_data(first)
    prepare(tmp_path, first)
    shutil.copytree(first, second)
    (first / "images" / "3.jpg").write_bytes(b"no picture any more")
    moved = prepare(tmp_path, second)
    assert moved.builds == {"prepare": 1}
    dataset = moved.get("prepare", {}).value
    rows = [row for split in dataset.counts for row in dataset.iter_images(split)]
    assert {row.path.parent for row in rows} == {second / "images"}


def test_videos_that_moved_twice_are_found(tmp_path: Path) -> None:
    data, now = tmp_path / "data", tmp_path / "0"
    write_data(data)
    (now / "img1").mkdir(parents=True)
    shutil.copy2(data / "images" / "0.jpg", now / "img1" / "000001.jpg")
    for place in ("a", "b", "c"):
        (tmp_path / place).mkdir()
        now = now.rename(tmp_path / place / "video")
        dataset = prepare(tmp_path, data, f"dataset.videos={now}").get("prepare", {}).value
        assert [one.path for one in dataset.sequences] == [now / "img1"]


def test_an_image_that_went_from_one_folder_to_another_counts(tmp_path: Path) -> None:
    data, train, val = (tmp_path / name for name in ("data", "train", "val"))
    write_data(data)
    for folder in (train, val):
        write_data(folder)
    for i in range(8):
        (val if i < 6 else train).joinpath("images", f"{i}.jpg").unlink()
        (val if i < 6 else train).joinpath("labels", f"{i}.txt").unlink()
    text = f"names: [car]\ntrain: {train / 'images'}\nval: {val / 'images'}\n"
    (data / "data.yaml").write_text(text)
    assert prepare(tmp_path, data).get("prepare", {}).value.counts["val"] == 2
    for file in ("images/0.jpg", "labels/0.txt"):
        (train / file).rename(val / file)
    assert prepare(tmp_path, data).get("prepare", {}).value.counts["val"] == 3
