"""Tracks in tables and in the forms of other libraries, each opened by that library where it is
installed."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest
import supervision as sv
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from segtrack.convert.writers.table import COLUMNS
from tests.convert.conftest import Convert
from tests.convert.test_tracks import COUNT, HEIGHT, WIDTH, results
from tests.dataset.conftest import write_image

NAMES = ("person", "car", "a & <b>")  # by the class ids 0, 2 and 7 of the results


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A results.json whose frames come at times of their own."""
    found = results(tmp_path / "run" / "tracking" / "street")
    content = json.loads(found.read_text())
    for one in content["objects"]:
        one["time_s"] = one["frame"] ** 2 / 10
        one["score"] = 0.5 + one["track_id"] / 16
    found.write_text(json.dumps(content))
    return found


def objects(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())["objects"]  # type: ignore[no-any-return]


def rows(path: Path) -> list[dict[str, Any]]:
    """What a table of the objects holds."""
    return [
        {
            "video": "street", "frame": one["frame"], "time_s": one["time_s"],
            "track_id": one["track_id"], "class_id": NAMES.index(one["class_name"]),
            "class_name": one["class_name"], "score": one["score"],
            **dict(zip(("x1", "y1", "x2", "y2"), one["bbox_xyxy"], strict=True)),
            "interpolated": one["interpolated"], "visible_fraction": None, "crowd": False,
            "ignored": False,
            "rle": one["segmentation"] and one["segmentation"]["counts"],
        }
        for one in objects(path)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["OUT.parquet", "OUT"])
def test_parquet(tmp_path: Path, path: Path, convert: Convert, name: str) -> None:
    done = convert(path, tmp_path / name, "parquet")
    assert (done.pictures, done.things, done.losses) == (COUNT, 14, ())
    file = tmp_path / name if name.endswith(".parquet") else tmp_path / name / "tracks.parquet"
    assert pq.read_table(file).to_pylist() == rows(path)
    assert pl.read_parquet(file).to_dicts() == rows(path)
    said = pq.read_schema(file).metadata
    (video,) = json.loads(said[b"videos"])
    assert (video["name"], video["frame_count"], video["fps"]) == ("street", COUNT, 10)
    assert (video["width"], video["height"]) == (WIDTH, HEIGHT)
    assert json.loads(said[b"classes"]) == dict(zip("012", NAMES, strict=True))


def test_csv(tmp_path: Path, path: Path, convert: Convert) -> None:
    done = convert(path, tmp_path / "OUT.csv", "csv")
    assert done.losses == (
        "12 masks and outlines are written as their boxes: a CSV table has boxes only",
    )
    frame = pd.read_csv(tmp_path / "OUT.csv")
    assert tuple(frame.columns) == COLUMNS
    expected = pd.DataFrame(rows(path))[list(COLUMNS)]
    pd.testing.assert_frame_equal(
        frame.drop(columns="visible_fraction"), expected.drop(columns="visible_fraction"),
        check_dtype=False,
    )  # fmt: skip
    assert frame["visible_fraction"].isna().all()


def test_fiftyones_form(tmp_path: Path, path: Path, convert: Convert) -> None:
    """By ETA's documents and source: its library cannot be installed beside segtrack, and reads the
    form in the next test where it is installed elsewhere."""
    done = convert(path, tmp_path / "out", "fiftyone")
    assert done.losses == (
        "1 marks of interpolated objects are left out: FiftyOne has none",
        "1 videos are not there: give --video FILE, or put each where the labels say",
    )
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["type"] == "eta.core.datasets.LabeledVideoDataset"
    assert manifest["index"] == [{"data": "data/street.mp4", "labels": "labels/street.json"}]
    labels = json.loads((tmp_path / "out" / "labels" / "street.json").read_text())
    found = [
        (frame["frame_number"] - 1, one)
        for number, frame in labels["frames"].items()
        for one in frame["objects"]["objects"]
        if int(number) == frame["frame_number"]
    ]
    assert len(found) == 14
    for (number, one), given in zip(found, objects(path), strict=True):
        assert (number, one["index"], one["label"], one["confidence"]) == (
            given["frame"], given["track_id"], given["class_name"], given["score"],
        )  # fmt: skip
        corners = one["bounding_box"]["top_left"], one["bounding_box"]["bottom_right"]
        box = [value for c in corners for value in (c["x"] * WIDTH, c["y"] * HEIGHT)]
        if given["segmentation"] is None:
            assert box == pytest.approx(given["bbox_xyxy"]) and "mask" not in one
            continue
        packed = zlib.decompress(base64.b64decode(one["mask"]))
        mask = np.load(io.BytesIO(packed), allow_pickle=False)
        whole = np.zeros((HEIGHT, WIDTH), bool)
        x1, y1, x2, y2 = (round(value) for value in box)
        assert box == pytest.approx([x1, y1, x2, y2])
        whole[y1:y2, x1:x2] = mask
        assert (whole == coco_mask.decode(given["segmentation"]).astype(bool)).all()


@pytest.mark.slow
def test_fiftyones_own_importer(tmp_path: Path, path: Path, convert: Convert) -> None:
    python = os.environ.get("FIFTYONE_PYTHON")
    if python is None:
        pytest.skip("FIFTYONE_PYTHON names no Python of an environment with fiftyone")
    video = tmp_path / "street.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(COUNT):
            picture = av.VideoFrame.from_ndarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8), "bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    convert(path, tmp_path / "out", "fiftyone", video=video)
    words = [python, "scripts/format_peers.py", "fiftyone", str(tmp_path / "out")]
    apart = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=apart)
    (line,) = (line for line in done.stdout.splitlines() if line.startswith('{"reader": "fiftyone'))
    found = json.loads(line)["objects"]
    assert len(found) == 14
    size = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
    for (name, *facts, x1, y1, x2, y2, pixels), given in zip(found, objects(path), strict=True):
        assert name == "street"
        assert facts == [given[k] for k in ("frame", "track_id", "class_name", "score")]
        box, mask = np.array([x1, y1, x2, y2]) * size, given["segmentation"]
        if mask is None:
            assert box == pytest.approx(given["bbox_xyxy"]) and pixels is None
        else:
            assert pixels == coco_mask.area(mask)
            x, y, w, h = coco_mask.toBbox(mask)
            assert box == pytest.approx([x, y, x + w, y + h])


def test_fiftyone_takes_the_whole_video(
    tmp_path: Path, path: Path, convert: Convert, shared_data: Path
) -> None:
    video = shared_data / "videos" / "centertrack_nuscenes_mini.mp4"
    content = json.loads(path.read_text())
    content["video"] |= {"width": 800, "height": 448}
    for one in content["objects"]:
        one["segmentation"] = None
    from segtrack.dataset import probe_video

    probed = probe_video(video)
    content["video"] |= {"width": probed.width, "height": probed.height}
    path.write_text(json.dumps(content))
    done = convert(path, tmp_path / "out", "fiftyone", video=video)
    assert not any("videos are not there" in line for line in done.losses)
    assert (tmp_path / "out" / "data" / "street.mp4").read_bytes() == video.read_bytes()


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    for i in range(COUNT):
        write_image(tmp_path / "frames" / f"{i:03}.png", i, WIDTH, HEIGHT)
    return tmp_path / "frames"


def test_coco_by_pycocotools_and_supervision(
    tmp_path: Path, path: Path, convert: Convert, frames: Path
) -> None:
    convert(path, tmp_path / "out", "coco", video=frames)
    file = tmp_path / "out" / "annotations" / "instances_default.json"
    read = COCO(str(file))
    found = {
        (read.imgs[one["image_id"]]["frame_id"], one["track_id"]): one for one in read.anns.values()
    }
    assert len(found) == 14
    for given in objects(path):
        one = found[given["frame"], given["track_id"]]
        x1, y1, x2, y2 = given["bbox_xyxy"]
        assert one["bbox"] == pytest.approx([x1, y1, x2 - x1, y2 - y1])
        assert read.cats[one["category_id"]]["name"] == given["class_name"]
        assert one["score"] == given["score"]
        if given["segmentation"]:
            expected = coco_mask.decode(given["segmentation"])
            assert (read.annToMask(one) == expected).all()
    data = sv.DetectionDataset.from_coco(
        str(tmp_path / "out" / "images" / "default"), str(file), force_masks=False
    )
    assert tuple(data.classes) == NAMES and len(data) == COUNT
    for name, _, detections in data:
        frame = int(Path(name).stem.rsplit("_", 1)[-1])
        own = [given for given in objects(path) if given["frame"] == frame]
        boxes = np.array([given["bbox_xyxy"] for given in own])
        assert detections.xyxy == pytest.approx(boxes, abs=1e-4)
        assert [NAMES[i] for i in detections.class_id] == [given["class_name"] for given in own]


def test_yolo_by_supervision(tmp_path: Path, path: Path, convert: Convert, frames: Path) -> None:
    out = tmp_path / "out"
    convert(path, out, "yolo", video=frames)
    places = (out / "images" / "train", out / "labels" / "train", out / "data.yaml")
    data = sv.DetectionDataset.from_yolo(*map(str, places), force_masks=True)
    assert tuple(data.classes) == NAMES and len(data) == COUNT
    for name, _, detections in data:
        frame = int(Path(name).stem.rsplit("_", 1)[-1])
        own = [given for given in objects(path) if given["frame"] == frame]
        assert [NAMES[i] for i in detections.class_id] == [given["class_name"] for given in own]
        boxes = np.array([given["bbox_xyxy"] for given in own])
        assert detections.xyxy == pytest.approx(boxes, abs=1.01)  # it draws whole pixels


def test_mot_by_trackeval(tmp_path: Path, path: Path, convert: Convert) -> None:
    """Ground truth and tracks that are the same: every object is found."""
    import trackeval

    convert(path, tmp_path / "gt", "mot")
    (tmp_path / "trackers" / "own" / "data").mkdir(parents=True)
    convert(path, tmp_path / "trackers" / "own" / "data" / "street.txt", "mot")
    data = trackeval.datasets.MotChallenge2DBox(
        {
            "GT_FOLDER": str(tmp_path / "gt"), "TRACKERS_FOLDER": str(tmp_path / "trackers"),
            "SKIP_SPLIT_FOL": True, "SEQ_INFO": {"street": COUNT}, "DO_PREPROC": False,
            "PRINT_CONFIG": False, "OUTPUT_FOLDER": str(tmp_path),
        }
    )  # fmt: skip
    raw = data.get_raw_seq_data("own", "street")
    assert [len(ids) for ids in raw["gt_ids"]] == [3, 3, 1, 2, 3, 2]
    assert [sorted(ids) for ids in raw["tracker_ids"]] == [sorted(ids) for ids in raw["gt_ids"]]
    first = [given["bbox_xyxy"] for given in objects(path) if given["frame"] == 0]
    expected = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in first]
    assert np.asarray(raw["gt_dets"][0]) == pytest.approx(np.array(expected), abs=0.01)
