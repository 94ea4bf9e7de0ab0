"""Raw images: nothing labelled, all of it pool."""

from __future__ import annotations

from pathlib import Path

import pytest

from segtrack.base.errors import DataError
from segtrack.dataset import ImagesSettings, YoloSettings, signature
from tests.dataset.conftest import Prepare, YoloFolder, write_image


def test_a_folder_of_images_is_the_pool(tmp_path: Path, run: Prepare) -> None:
    for i, name in enumerate(("a.jpg", "sub/b.png", "sub/deep/a.jpg")):
        write_image(tmp_path / "photos" / name, i)
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    settings = ImagesSettings(path=str(tmp_path / "photos"), classes=["person", "car"])
    done = run(settings)
    assert done.splits()["pool"] == ["a.jpg", "sub/b.png", "sub/deep/a.jpg"]
    assert sum(done.dataset.counts.values()) == 3
    assert done.dataset.names == ("person", "car")
    assert done.codes() == {"left_out_files": 1}
    before = signature(settings)
    write_image(tmp_path / "photos" / "new.jpg", 7)
    assert signature(settings) != before


def test_merged_classes_are_the_questions(tmp_path: Path, run: Prepare) -> None:
    write_image(tmp_path / "photos" / "a.jpg", 0)
    classes = {"vehicle": ["car", "truck"], "person": ["person"]}
    dataset = run(ImagesSettings(path=str(tmp_path / "photos"), classes=classes)).dataset
    assert dataset.names == ("vehicle", "person")
    assert dict(dataset.class_map) == {"car": "vehicle", "truck": "vehicle", "person": "person"}


def test_a_folder_without_images_and_a_yolo_folder_without_labels(
    tmp_path: Path, run: Prepare, yolo: YoloFolder
) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        run(ImagesSettings(path=str(tmp_path / "photos"), classes=["car"]))
    for i in range(12):
        yolo.label(i).unlink()
    with pytest.raises(DataError, match="yet to be labelled belong into the split pool"):
        run(YoloSettings(path=str(yolo.root)))
