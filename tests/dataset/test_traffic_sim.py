"""The simulator as a data set: a small one from start to end."""

from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from pycocotools import mask

from segtrack.base.errors import DataError, SettingsError
from segtrack.dataset import Light, TrafficSimSettings, prepare, signature
from segtrack.dataset.licences import count_sources
from segtrack.dataset.sources.traffic_sim.render import FIRST_INDEX
from segtrack.settings import SplitFractions
from tests.dataset.conftest import Prepare, Prepared, prepare_into

SMALL = TrafficSimSettings(
    train=4, val=2, test=2, pool=1, width=161, height=97, video_seconds=0.5, fps=10, light=Light.day
)
CLASSES = ("person", "car", "truck", "bus")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    run = prepare_into(tmp_path_factory.mktemp("traffic"))
    return run(replace(SMALL, splits=SplitFractions()))


def test_images_and_labels(found: Prepared) -> None:
    dataset = found.dataset
    assert dataset.names == CLASSES
    assert dataset.counts == {"train": 4, "val": 2, "test": 2, "pool": 1}
    assert found.splits()["test"] == ["test/sim_test_00000.jpg", "test/sim_test_00001.jpg"]
    for split in dataset.counts:
        coco = dataset.coco(split)
        for row in dataset.iter_images(split):
            assert cv2.imread(str(row.path)).shape == (97, 161, 3)
            for one in (a for a in coco["annotations"] if a["image_id"] == row.image_id):
                pixels = mask.decode(one["segmentation"])
                assert pixels.shape == (97, 161)
                assert pixels.sum() == one["area"]
                assert one["bbox"] == mask.toBbox(one["segmentation"]).tolist()
                assert 0 < one["visible_fraction"] <= 1
    assert sum(len(dataset.coco(s)["annotations"]) for s in dataset.counts) > 10
    assert found.codes().keys() <= {"class_missing", "class_never"}


def test_training_outlines_cover_the_masks(found: Prepared) -> None:
    dataset = found.dataset
    coco = dataset.coco("train")
    rows = []
    for file in sorted((dataset.folder / "yolo/labels/train").iterdir()):
        rows += file.read_text().splitlines()
    judged = [one for one in coco["annotations"] if not one["iscrowd"]]
    assert len(rows) == len(judged) < len(coco["annotations"])  # the ignored ones are not learnt
    covered = total = 0
    for row, one in zip(rows, judged, strict=True):
        class_id, *values = row.split()
        assert int(class_id) == one["category_id"]
        points = np.array(values, float).reshape(-1, 2) * (161, 97)
        drawn = mask.decode(mask.frPyObjects([points.reshape(-1).tolist()], 97, 161))[..., 0]
        exact = mask.decode(one["segmentation"])
        covered += int((drawn & exact).sum())
        total += int((drawn | exact).sum())
    assert covered / total > 0.95


def test_the_video_and_its_ground_truth(found: Prepared) -> None:
    (video,) = found.dataset.sequences
    assert (video.name, video.fps, video.frame_count) == ("sim-0", 10, 5)
    assert (video.width, video.height) == (160, 96)  # H.264 takes even sides
    assert video.path is not None and video.gt is not None and video.mots is not None
    with av.open(str(video.path)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        assert len([frame for frame in file.decode(video=0)]) == 5  # noqa: C416
    every_box = [line.split(",") for line in video.gt.read_text().splitlines()]
    every_mask = [line.split() for line in video.mots.read_text().splitlines()]
    assert {len(row) for row in every_box} == {9}
    # What is too small or hidden to be judged is a distractor in one file, a region in the other.
    ignored = [row for row in every_box if row[7] == "8"]
    regions = [row for row in every_mask if row[2] == "10"]
    assert {row[6] for row in ignored} == {"0"} and {row[1] for row in regions} == {"10000"}
    assert [int(row[0]) for row in regions] == sorted({int(row[0]) - 1 for row in ignored})
    boxes = [row for row in every_box if row[7] != "8"]
    masks = [row for row in every_mask if row[2] != "10"]
    assert len(boxes) == len(masks) > 5
    assert {int(row[0]) for row in boxes} <= set(range(1, 6))
    gt_names, mots_names = dict(video.gt_classes), dict(video.mots_classes)
    numbers: dict[str, str] = {}
    for box, row in zip(boxes, masks, strict=True):
        assert int(row[0]) == int(box[0]) - 1  # MOTChallenge counts frames from 1, MOTS from 0
        assert row[3:5] == ["96", "160"]
        assert gt_names[int(box[7])] == mots_names[int(row[2])]
        assert int(row[1]) // 1000 == int(row[2])
        assert numbers.setdefault(box[1], row[1]) == row[1]  # one object, one id in both files
        bounds = mask.toBbox({"size": [96, 160], "counts": row[5].encode()})
        assert [float(v) for v in box[2:6]] == bounds.tolist()
        assert 0 < float(box[8]) <= 1


def test_the_same_seed_is_the_same_data_set(run: Prepare) -> None:
    one = replace(SMALL, train=2, pool=0, video_count=0, splits=SplitFractions())
    first = run(one).dataset
    assert run(replace(one, workers=2)).dataset.fingerprint == first.fingerprint
    assert run(replace(one, seed=5)).dataset.fingerprint != first.fingerprint
    more = run(replace(one, train=3)).dataset
    assert more.split_fingerprint("train") != first.split_fingerprint("train")
    # A larger training split leaves the others, which scores are compared on, as they are.
    assert more.split_fingerprint("test") == first.split_fingerprint("test")
    assert more.split_fingerprint("val") == first.split_fingerprint("val")


def test_splits_never_share_a_scene() -> None:
    gaps = np.diff(sorted(FIRST_INDEX.values()))
    assert (gaps >= 1_000_000).all()  # the largest split that the settings allow


def test_the_tree_survives_the_move_of_its_folder(found: Prepared) -> None:
    links = list(found.dataset.yolo_yaml.parent.glob("images/*/*"))
    assert len(links) == 9
    assert all(link.is_symlink() and link.exists() for link in links)


def test_sources_and_signature(run: Prepare, tmp_path: Path) -> None:
    project = Path(__file__).resolve().parents[2] / "sources.md"
    one = replace(SMALL, train=1, val=1, test=1, pool=0, video_count=0, splits=SplitFractions())
    assert signature(one) == signature(replace(one, seed=9))  # settings are no files
    dataset = run(replace(one, require_sources=True, sources=str(project))).dataset
    counts = count_sources(dataset, project)
    assert {row and row.pattern: count for row, count in counts.items()} == {"sim:*": 3}
    (tmp_path / "s.md").write_text("nothing")
    with pytest.raises(DataError, match=r"sim:train/sim_train_00000\.jpg has no row"):
        run(replace(one, require_sources=True, sources=str(tmp_path / "s.md")))


def test_wrong_classes_are_refused_before_anything_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("rendered")

    monkeypatch.setattr("segtrack.dataset.sources.traffic_sim.render.render", never)
    settings = TrafficSimSettings(classes=["cat"])
    (tmp_path / "out").mkdir()
    with pytest.raises(SettingsError, match="'cat' is not a class of the data set"):
        prepare(settings, 0, tmp_path / "out", lambda *_: None, tmp_path / "cache")
