"""The tree of links that a training reads."""

import types

import pytest
import yaml

from segtrack.base.errors import DataError
from segtrack.model.ultralytics.data import link_tree


def test_links_and_copies(drawn, tmp_path):
    cut = drawn.folder / "images" / "train" / "3.jpg"
    cut.write_bytes(cut.read_bytes()[:-2])
    path = link_tree(drawn, tmp_path / "tree")
    description = yaml.safe_load(path.read_text())
    assert description == {
        "path": str(tmp_path / "tree"),
        "train": "images/train",
        "val": "images/val",
        "names": {0: "car", 1: "person"},
    }
    images = sorted((tmp_path / "tree" / "images" / "train").iterdir())
    assert [i.name for i in images] == [f"{i}.jpg" for i in range(8)]
    assert [i.name for i in images if not i.is_symlink()] == ["3.jpg"]
    assert images[3].read_bytes() == cut.read_bytes()
    assert images[0].resolve() == (drawn.folder / "images" / "train" / "0.jpg").resolve()
    labels = sorted((tmp_path / "tree" / "labels" / "val").iterdir())
    assert [label.resolve() for label in labels] == sorted(
        (drawn.folder / "labels" / "val").resolve().iterdir()
    )


def test_folders_below_a_split(drawn, tmp_path):
    for kind, name in (("images", "0.jpg"), ("labels", "0.txt")):
        split = drawn.folder / kind / "train"
        (split / "clip").mkdir()
        (split / name).rename(split / "clip" / name)
    link_tree(drawn, tmp_path / "tree")
    assert (tmp_path / "tree" / "images" / "train" / "clip" / "0.jpg").is_symlink()
    assert (tmp_path / "tree" / "labels" / "train" / "clip" / "0.txt").is_symlink()


def test_remains_are_replaced(drawn, tmp_path):
    for _ in range(2):
        path = link_tree(drawn, tmp_path / "tree")
        (tmp_path / "tree" / "labels" / "train.cache").write_text("old")
    link_tree(drawn, tmp_path / "tree")
    assert path.exists()
    assert not (tmp_path / "tree" / "labels" / "train.cache").exists()


def test_without_val_the_training_images_stand_in(drawn, tmp_path):
    description = yaml.safe_load(drawn.yolo_yaml.read_text())
    del description["val"]
    drawn.yolo_yaml.write_text(yaml.safe_dump(description))
    tree = yaml.safe_load(link_tree(drawn, tmp_path / "tree").read_text())
    assert tree["val"] == "images/train"


def test_nothing_to_train_on(drawn, tmp_path):
    drawn.yolo_yaml.write_text("train: images/nowhere\nnames: [car]\n")
    with pytest.raises(DataError, match=r"data.yaml: the train split has no images"):
        link_tree(drawn, tmp_path / "tree")


@pytest.mark.parametrize("text", ["- 1\n", "a: [\n", ""])
def test_unreadable_description(tmp_path, text):
    (tmp_path / "data.yaml").write_text(text)
    data = types.SimpleNamespace(names=("car",), yolo_yaml=tmp_path / "data.yaml")
    with pytest.raises(DataError, match=r"data.yaml: not readable as a YOLO data set"):
        link_tree(data, tmp_path / "tree")
