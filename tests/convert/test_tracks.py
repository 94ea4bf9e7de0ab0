"""Tracks of videos, there and back: the objects, their ids and frames are the same."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask

from segtrack.base.errors import DataError, SettingsError
from segtrack.convert import FORMATS, input_of
from segtrack.convert.clips import TrackedClip
from segtrack.convert.conversion import _clips
from segtrack.convert.material import Thing
from segtrack.convert.writers.cvat import _plain
from segtrack.dataset import sequences_from
from segtrack.scoring.truth_files import read_truth
from tests.convert.conftest import Convert, Say, iou, objects, packed, read
from tests.dataset.conftest import Prepare, write_image

WIDTH, HEIGHT, COUNT = 96, 64, 6
BOX_TEXT = "[1, 2, 10, 10]"
CLASSES = {"0": "person", "2": "car", "7": "a & <b>"}


def block(x: int, y: int, w: int, h: int) -> np.ndarray:
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    pixels[y : y + h, x : x + w] = True
    return pixels


def masks() -> dict[tuple[int, int], np.ndarray]:
    """By frame and track: 1 drives with a hole in it, 2 pauses in frame 2, 3 has two parts."""
    found = {}
    for frame in range(COUNT):
        first = block(5 + 4 * frame, 10, 20, 16)
        first[15:19, 10 + 4 * frame : 16 + 4 * frame] = False
        found[frame, 1] = first
        if frame != 2:
            found[frame, 2] = block(60, 5 + 3 * frame, 16, 20)
    found[4, 3] = block(2, 44, 20, 12) | block(30, 44, 10, 12)
    return found


def results(folder: Path, overlap: bool = False) -> Path:
    """A results.json of three tracks with masks, and a fourth, of the same class, of boxes only."""
    rows = []
    for (frame, track), pixels in sorted(masks().items()):
        ys, xs = np.nonzero(pixels)
        box = [float(v) for v in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)]
        rows.append(row(frame, track, 2 if track < 3 else 7, box, packed(pixels)))
    boxes = [row(frame, 4, 0, [70.5, 40.25, 90.5, 60.0], None) for frame in (0, 1)]
    if overlap:
        boxes.append(row(3, 5, 0, [10.0, 10.0, 40.0, 30.0], packed(block(10, 10, 30, 20)), 0.2))
    rows = sorted([*rows, *boxes], key=lambda one: (one["frame"], one["track_id"]))
    ids = sorted({one["track_id"] for one in rows})
    tracks = [summary(i, [one for one in rows if one["track_id"] == i]) for i in ids]
    content = {
        "schema_version": "2.0",
        "video": {"name": "street", "sha256": "0" * 64, "width": WIDTH, "height": HEIGHT,
                  "fps": 10.0, "frame_count": COUNT},
        "model": {"name": "m", "weights_sha256": "0" * 64, "imgsz": 64, "classes": CLASSES},
        "tracker": {"name": "bytetrack"},
        "run": {"mlflow_run_id": None, "config_hash": None, "git_commit": None, "created_at": "x"},
        "objects": rows,
        "tracks": tracks,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    path.write_text(json.dumps(content))
    return path


def row(
    frame: int, track: int, class_id: int, box: list[float], mask: Any, score: float = 0.75
) -> dict[str, Any]:
    return {
        "frame": frame, "time_s": frame / 10, "track_id": track, "class_id": class_id,
        "class_name": CLASSES[str(class_id)], "score": score, "bbox_xyxy": box,
        "tracker_bbox_xyxy": [v + 1 for v in box], "interpolated": track == 4 and frame == 1,
        "segmentation": mask,
    }  # fmt: skip


def summary(track: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    frames = [one["frame"] for one in rows]
    return {
        "track_id": track, "class_id": rows[0]["class_id"], "class_name": rows[0]["class_name"],
        "first_frame": min(frames), "last_frame": max(frames), "frames_seen": len(frames),
        "mean_score": 0.75,
    }  # fmt: skip


def clips_of(path: Path, name: str) -> list[TrackedClip]:
    form = FORMATS[name]
    return _clips(input_of(path, form.holds.track_ids), form)


def by_key(clip: TrackedClip) -> dict[tuple[int, int], tuple[str, Thing]]:
    return {
        (frame, thing.track_id or 0): (clip.names[thing.class_id], thing)
        for frame, things in clip.frames.items()
        for thing in things
    }


def pixels_of(thing: Thing) -> np.ndarray:
    from pycocotools import mask as coco

    from segtrack.convert.fitting import rle_of

    counts = thing.rle or rle_of(thing.polygons, HEIGHT, WIDTH)
    return coco.decode({"size": [HEIGHT, WIDTH], "counts": counts}).astype(bool)


SAID = {
    "coco": [],
    "cvat-video": [
        "6 masks have holes, which are filled: CVAT for video 1.1 has outlines only",
        "1 objects of several parts are joined by lines of no width: CVAT for video 1.1 has one "
        "outline for an object",
        "6 masks are written as the outlines of their pixels: CVAT for video 1.1 has no masks",
        "1 marks of interpolated objects are left out: CVAT for video 1.1 has none",
    ],
    "labelme": ["1 marks of interpolated objects are left out: LabelMe has none"],
    "datumaro": ["1 marks of interpolated objects are left out: Datumaro has none"],
    "mot": [
        "12 masks and outlines are written as their boxes: MOTChallenge has boxes only",
        "14 scores are left out: MOTChallenge has none",
        "1 marks of interpolated objects are left out: MOTChallenge has none",
    ],
    "mots": [
        "2 objects that have no mask are left out: MOTS has masks only",
        "12 scores are left out: MOTS has none",
    ],
}


@pytest.mark.parametrize("name", ["coco", "cvat-video", "mot", "mots"])
def test_there_and_back(tmp_path: Path, convert: Convert, name: str) -> None:
    path = results(tmp_path / "run" / "tracking" / "street")
    done = convert(tmp_path / "run", tmp_path / "out", name)
    assert (done.read, done.pictures) == ("1 video with 6 frames", COUNT)
    losses = [line for line in done.losses if not line.startswith("6 pictures are not there")]
    assert losses == SAID[name]
    (before,) = clips_of(path, name)
    (after,) = clips_of(tmp_path / "out", name)
    assert (after.clip.name, after.clip.width, after.clip.height, after.clip.frame_count) == (
        *("street", WIDTH, HEIGHT, COUNT),
    )
    expected, found = by_key(before), by_key(after)
    if name == "mots":  # ids are class * 1000 + number, and boxes have no mask
        assert {(f, i % 1000) for f, i in found} == {(f, i) for f, i in expected if i != 4}
        found = {(f, i % 1000): value for (f, i), value in found.items()}
        expected = {key: value for key, value in expected.items() if key[1] != 4}
    assert found.keys() == expected.keys()
    for key, (label, thing) in expected.items():
        other = found[key][1]
        assert found[key][0] == label
        np.testing.assert_allclose(other.bbox_xyxy, thing.bbox_xyxy, atol=0.01)
        assert other.score == (thing.score if FORMATS[name].holds.scores else None)
        if name in ("coco", "mots"):
            assert other.rle == thing.rle
        elif name == "cvat-video" and thing.rle:
            # Filled holes of track 1; two parts of track 3 joined.
            assert iou(pixels_of(thing), pixels_of(other)) >= (0.99 if key[1] == 2 else 0.9)


@pytest.mark.parametrize("name", ["coco", "cvat-video", "mot", "mots"])
def test_a_single_file(tmp_path: Path, convert: Convert, name: str) -> None:
    path = results(tmp_path / "run")
    out = tmp_path / f"labels{FORMATS[name].suffix}"
    convert(path, out, name)
    (before,), (after,) = clips_of(path, name), clips_of(out, name)
    kept = [key for key in by_key(before) if name != "mots" or key[1] != 4]
    ids = [(frame, track % 1000) for frame, track in by_key(after)]
    assert sorted(ids) == sorted(kept)


def test_cvat_sees_where_a_track_pauses_and_ends(tmp_path: Path, convert: Convert) -> None:
    from xml.etree import ElementTree

    convert(results(tmp_path), tmp_path / "t.xml", "cvat-video")
    root = ElementTree.parse(tmp_path / "t.xml").getroot()
    tracks = {int(track.attrib["id"]): track for track in root.iter("track")}
    shown = {
        number: [(int(s.attrib["frame"]), s.attrib["outside"], s.tag) for s in track]
        for number, track in tracks.items()
    }
    assert shown[1] == [(frame, "0", "polygon") for frame in range(6)]
    assert [(f, o) for f, o, _ in shown[2]] == [
        *((0, "0"), (1, "0"), (2, "1"), (3, "0"), (4, "0"), (5, "0")),
    ]
    assert shown[3] == [(4, "0", "polygon"), (5, "1", "polygon")]
    assert shown[4] == [(0, "0", "box"), (1, "0", "box"), (2, "1", "box")]
    assert {s.attrib["keyframe"] for track in root.iter("track") for s in track} == {"1"}
    assert root.findtext("meta/task/size") == "6"
    assert [one.findtext("name") for one in root.iter("label")] == ["person", "car", "a & <b>"]


def test_what_xml_cannot_write() -> None:
    assert _plain("a\x01b\ud800c\td & <é>") == "a_b_c\td & <é>"


def test_ground_truth_that_is_scored(tmp_path: Path, convert: Convert) -> None:
    """What is written is a sequence of ``dataset=sequences`` with the same objects."""
    path = results(tmp_path)
    for name in ("mot", "mots"):
        convert(path, tmp_path / name, name)
    (boxes,) = sequences_from(str(tmp_path / "mot"))
    truth = read_truth(boxes).boxes
    assert truth is not None and len(truth.frame) == 14 and truth.judged.all()
    assert dict(truth.names) == {1: "person", 2: "car", 3: "a & <b>"}
    assert (boxes.width, boxes.height, boxes.fps, boxes.frame_count) == (WIDTH, HEIGHT, 10.0, 6)
    (masked,) = sequences_from(str(tmp_path / "mots"))
    whole = read_truth(masked).masks
    assert whole is not None and len(whole.frame) == 12
    assert {dict(whole.names)[i] for i in whole.class_id.tolist()} == {"car", "a & <b>"}


def test_masks_that_begin_later(tmp_path: Path, convert: Convert) -> None:
    """Under a name of MOTSChallenge, whose frames count from 1, too."""
    path = results(tmp_path)
    content = json.loads(path.read_text())
    content["video"]["name"] = "MOTS20-77"
    content["objects"] = [one for one in content["objects"] if one["frame"] > 3]
    path.write_text(json.dumps(content))
    convert(path, tmp_path / "out", "mots")
    (sequence,) = sequences_from(str(tmp_path / "out"))
    truth = read_truth(sequence).masks
    assert truth is not None and sorted(set(truth.frame.tolist())) == [4, 5]
    (after,) = clips_of(tmp_path / "out", "mots")
    assert sorted(after.frames) == [4, 5]


def test_a_text_file_of_masks_alone(tmp_path: Path) -> None:
    """Whose run lengths have a semicolon, which other tables have between columns."""
    pixels = np.zeros((20, 3), np.uint8, order="F")
    pixels[11:, 0] = 1
    counts = mask.encode(pixels)["counts"].decode()
    assert ";" in counts
    (tmp_path / "0001.txt").write_text(f"0 2001 2 20 3 {counts}\n")
    (clip,) = clips_of(tmp_path / "0001.txt", "mots")
    (thing,) = clip.frames[0]
    assert (thing.track_id, thing.bbox_xyxy) == (2001, (0, 11, 1, 20))


def test_videos_of_a_prepared_data_set(tmp_path: Path, run: Prepare, convert: Convert) -> None:
    from segtrack.dataset import SequencesSettings

    convert(results(tmp_path), tmp_path / "given", "mots")
    prepared = run(SequencesSettings(path=str(tmp_path / "given"))).dataset
    done = convert(prepared.folder, tmp_path / "out", "cvat-video")
    assert (done.read, done.things) == ("1 video with 6 frames", 12)
    with pytest.raises(DataError, match="has no images"):
        convert(prepared.folder, tmp_path / "images", "yolo")


def test_masks_of_mots_share_no_pixel(tmp_path: Path, convert: Convert) -> None:
    path = results(tmp_path, overlap=True)
    done = convert(path, tmp_path / "out", "mots")
    assert "1 masks lose pixels that another object has: masks of MOTS are disjoint" in done.losses
    (sequence,) = sequences_from(str(tmp_path / "out"))
    assert read_truth(sequence).masks is not None  # which refuses overlaps
    (after,) = clips_of(tmp_path / "out", "mots")
    rows = {key[1] % 1000: thing for key, (_, thing) in by_key(after).items() if key[0] == 3}
    left = block(10, 10, 30, 20) & ~masks()[3, 1]
    assert (pixels_of(rows[5]) == left).all()


def test_more_classes_than_the_ignore_regions_number(tmp_path: Path, convert: Convert) -> None:
    names = [f"kind {i}" for i in range(12)]
    shapes = [
        {"image_id": 1, "category_id": i, "track_id": i + 1, "bbox": [5 * i, 0, 5, 9],
         "segmentation": packed(block(5 * i, 0, 5, 9)), "iscrowd": 0}
        for i in range(12)
    ]  # fmt: skip
    crowd = {"image_id": 1, "category_id": 0, "bbox": [0, 40, 9, 9], "iscrowd": 1,
             "segmentation": packed(block(0, 40, 9, 9))}  # fmt: skip
    path = coco_file(tmp_path / "c.json", [*shapes, crowd], names)
    convert(path, tmp_path / "out", "mots")
    (after,) = clips_of(tmp_path / "out", "mots")
    assert [label for label, thing in by_key(after).values() if not thing.crowd] == names
    assert sum(thing.crowd for things in after.frames.values() for thing in things) == 1
    (sequence,) = sequences_from(str(tmp_path / "out"))
    truth = read_truth(sequence).masks
    assert truth is not None and len(truth.frame) == 12 and list(truth.regions) == [0]


def coco_file(path: Path, annotations: list[dict[str, Any]], names: list[str]) -> Path:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
        "annotations": [{**one, "id": i} for i, one in enumerate(annotations, 1)],
    }
    path.write_text(json.dumps(content))
    return path


def test_track_ids_among_the_attributes(tmp_path: Path, convert: Convert) -> None:
    """As CVAT's COCO export has them."""
    one = {"image_id": 1, "category_id": 0, "iscrowd": 0, "bbox": [1, 2, 10, 10],
           "segmentation": [[1, 2, 11, 2, 11, 12]], "attributes": {"track_id": 8}}  # fmt: skip
    other = {**one, "attributes": {}, "bbox": [30, 2, 10, 10]}
    path = coco_file(tmp_path / "c.json", [one, other], ["car"])
    done = convert(path, tmp_path / "t.xml", "cvat-video")
    assert done.notes == ("1 annotations without a track id are left out",)
    (after,) = clips_of(tmp_path / "t.xml", "cvat-video")
    assert list(by_key(after)) == [(0, 8)]


def coco_video(path: Path, numbers: list[Any], names: list[str], **rest: Any) -> Path:
    """A video with track 3 in each frame, ten pixels further from image to image."""
    size = {"width": WIDTH, "height": HEIGHT, "video_id": 1}
    images = [
        {"id": i, "file_name": name, **size, **({} if number is None else {"frame_id": number})}
        for i, (number, name) in enumerate(zip(numbers, names, strict=True))
    ]
    annotations = [
        {"id": i, "image_id": i, "category_id": 1, "track_id": 3, "bbox": [10 * i, 1, 5, 6]}
        for i in range(len(images))
    ]
    content = {"images": images, "annotations": annotations}
    rows = {"videos": [{"id": 1, "file_name": "S1"}], "categories": [{"id": 1, "name": "car"}]}
    path.write_text(json.dumps({**rows, **content, **rest}))
    return path


@pytest.mark.parametrize(
    ("numbers", "names", "frames", "count", "note"),
    [
        ([0, 1, 2], "abc", [0, 1, 2], 3, ""),
        ([1, 2, 3], "abc", [0, 1, 2], 3, "frame_id counts from 1"),
        (["1", 2.0, 3], "abc", [0, 1, 2], 3, "frame_id counts from 1"),
        ([1, 3, 4], "abc", [1, 3, 4], 5, "frame_id begins with 1 and is counted from 0"),
        ([None] * 3, "abc", [0, 1, 2], 3, ""),
        ([None] * 3, ["f/11.jpg", "f/9.jpg", "f/10.jpg"], [2, 0, 1], 3, "images are not in the"),
        ([None] * 3, ["f_8.jpg", "f_9.jpg", "f_12.jpg"], [0, 1, 2], 3, "3 images are numbered 8"),
        ([None] * 3, ["x/12.jpg", "y/9.jpg", "z/10.jpg"], [0, 1, 2], 3, ""),
    ],
)
def test_frames_of_coco(
    tmp_path: Path, numbers: list[Any], names: list[str], frames: list[int], count: int, note: str
) -> None:
    """Each box stays with its image, whatever number that has."""
    (clip,) = clips_of(coco_video(tmp_path / "c.json", numbers, names), "coco")
    assert (clip.clip.name, clip.clip.frame_count) == ("S1", count)
    at = {frame: things[0].bbox_xyxy[0] for frame, things in clip.frames.items()}
    assert at == {frame: 10 * i for i, frame in enumerate(frames)}
    assert [one[: len(note)] for one in clip.notes] == [note] * bool(note)


def test_a_video_without_numbers_beside_one_from_1_on(tmp_path: Path) -> None:
    images = [
        {"id": i, "video_id": 1 + i // 2} | ({"frame_id": i + 1} if i < 2 else {}) for i in range(4)
    ]
    path = coco_video(tmp_path / "c.json", [0] * 4, "abcd", images=images)
    assert [sorted(clip.frames) for clip in clips_of(path, "coco")] == [[0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ({"images": [{"id": 1, "file_name": "a"}, {"id": "1", "file_name": "b"}]}, "id 1 is there"),
        ({"images": [{"id": i, "frame_id": 5} for i in range(3)]}, "frame_id 5 of an image"),
        ({"images": [{"id": i, "frame_id": -i} for i in range(3)]}, "frame_id -1 of an image"),
        (
            {"images": [{"id": i, "width": 9 + i, "height": 9} for i in range(3)]},
            "image 1 is 10 x 9 pixels, image 0 of the same video 9 x 9; dataset=coco",
        ),
        ({"categories": [{"id": 2, "name": "car"}]}, "category_id 1 is not in categories"),
        (
            {
                "annotations": [
                    {
                        "image_id": 1,
                        "category_id": 1,
                        "track_id": 3,
                        "segmentation": [[1, 1, 9, 1, 9, 1e40]],
                    }
                ]
            },
            "it reaches from 1, 1 to 9, 1e\\+40",
        ),
    ],
)
def test_coco_that_is_no_video(tmp_path: Path, rest: dict[str, Any], says: str) -> None:
    path = coco_video(tmp_path / "c.json", [0, 1, 2], ["a", "b", "c"], **rest)
    with pytest.raises(DataError, match=says):
        clips_of(path, "coco")


def test_values_of_coco_as_programs_write_them(tmp_path: Path) -> None:
    """Read as those of images are."""
    one = {"image_id": "1", "category_id": 0.0, "track_id": "8", "iscrowd": "0", "bbox": BOX_TEXT}
    flat = {"track_id": 9, "segmentation": [1, 2, 11, 2, 11, 12], "bbox": None, "ignore": "0"}
    turned = {"track_id": 10, "bbox": [20, 10, 20, 10], "area": 200,
              "attributes": {"occluded": False, "rotation": 90}}  # fmt: skip
    corners = {"track_id": 11, "bbox": [20, 10, 50, 30], "area": 600}
    both = {"track_id": 12, "bbox": None, "segmentation": [packed(block(3, 4, 5, 6)), [
        20, 20, 30, 20, 30, 30, 20, 30]]}  # fmt: skip
    rows = [one, *({**one, **other} for other in (flat, turned, corners, both))]
    path = coco_file(tmp_path / "c.json", rows, ["car"])
    (clip,) = clips_of(path, "coco")
    found = {thing.track_id: thing for thing in clip.frames[0]}
    assert {key: thing.bbox_xyxy for key, thing in found.items()} == {
        8: (1, 2, 11, 12), 9: (1, 2, 11, 12), 10: pytest.approx((25, 5, 35, 25)),
        11: (20, 10, 50, 30), 12: (3, 4, 30, 30),
    }  # fmt: skip
    assert not any(thing.crowd or thing.ignored for thing in found.values())
    assert [len(found[key].polygons) for key in (8, 9, 10, 12)] == [0, 1, 1, 0]
    whole = block(3, 4, 5, 6) | block(20, 20, 10, 10)
    assert (pixels_of(found[12]) == whole).all()
    path = coco_file(tmp_path / "c.json", [one, {**one, "track_id": 8}], ["car"])
    with pytest.raises(DataError, match="track 8 is there twice in image 1"):
        clips_of(path, "coco")


@pytest.mark.parametrize("none", [-1, None, "-1"])
def test_ids_that_are_none_make_no_tracks(tmp_path: Path, none: Any) -> None:
    """As ByteTrack's converters write for data sets of single images."""
    box = {"image_id": 1, "category_id": 0, "bbox": [1, 2, 10, 10]}
    path = coco_file(tmp_path / "c.json", [{**box, "track_id": none}] * 2, ["car"])
    assert input_of(path, track_ids=True).kind == "images"
    path = coco_file(tmp_path / "c.json", [{**box, "track_id": one} for one in (none, 4)], ["car"])
    (clip,) = clips_of(path, "coco")
    assert [thing.track_id for thing in clip.frames[0]] == [4]
    assert clip.notes == ("1 annotations without a track id are left out",)


def test_images_of_which_one_says_its_size(tmp_path: Path) -> None:
    images = [{"id": i, "frame_id": i, **({"width": 9, "height": 8} if i == 1 else {})}
              for i in range(3)]  # fmt: skip
    (clip,) = clips_of(coco_video(tmp_path / "c.json", [0] * 3, ["a"] * 3, images=images), "coco")
    assert (clip.clip.width, clip.clip.height, clip.clip.frame_count) == (9, 8, 3)


def test_track_ids_far_behind(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i:060}"} for i in range(1 << 16)]
    box = {"image_id": 1, "category_id": 0, "bbox": [1, 2, 10, 10], "track_id": 4}
    content = {"images": images, "annotations": [box], "categories": [{"id": 0, "name": "car"}]}
    (tmp_path / "c.json").write_text(json.dumps(content))
    assert input_of(tmp_path / "c.json", track_ids=True).kind == "coco"


def test_turned_boxes_of_a_video(tmp_path: Path) -> None:
    """Of a task that takes every fifth frame, whose numbers are the video's."""
    meta = TASK.format(1, "one", 64, 48)
    step = "<frame_filter>step=5</frame_filter></task>"
    meta = meta.replace("</task>", f"{LABELS}{step}")
    shape = ('<box frame="{}" keyframe="1" outside="0" occluded="0" xtl="20" ytl="10" xbr="40" '
             'ybr="20" z_order="0" rotation="{}"></box>')  # fmt: skip
    rows = "".join(shape.format(*of) for of in ((10, 90), (15, 0), (30, 180)))
    text = HEAD.format(meta=meta) + f'<track id="0" label="car">{rows}</track></annotations>'
    (tmp_path / "v.xml").write_text(text)
    (clip,) = clips_of(tmp_path / "v.xml", "coco")
    boxes = {frame: things[0].bbox_xyxy for frame, things in clip.frames.items()}
    flat = (20, 10, 40, 20)
    assert boxes == {
        10: pytest.approx((25, 5, 35, 25)), 15: flat, 30: pytest.approx(flat),
    }  # fmt: skip
    assert [len(things[0].polygons) for things in clip.frames.values()] == [1, 0, 1]
    assert clip.notes[0] == "the task has one of 5 frames of its video (step=5)"
    assert clip.notes[1].startswith("2 frames between shapes of a track are not listed")  # 20, 25


def test_single_broken_shapes_of_cvat_are_left_out(tmp_path: Path, convert: Convert) -> None:
    convert(results(tmp_path), tmp_path / "t.xml", "cvat-video")
    text = (tmp_path / "t.xml").read_text()
    (tmp_path / "one.xml").write_text(text.replace('xtl="70.50"', 'xtl="left"', 1))
    done = convert(tmp_path / "one.xml", tmp_path / "one", "mot")
    (note,) = done.notes
    assert note.startswith("1 shapes that cannot be read are left out, a box of track 4 in frame 0")
    assert done.things == 13
    (tmp_path / "two.xml").write_text(text.replace('xtl="70.50"', 'xtl="left"'))
    with pytest.raises(DataError, match=r"two\.xml: 2 of 14 shapes cannot be read"):
        convert(tmp_path / "two.xml", tmp_path / "two", "mot")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("</annotations>", "", "cannot be read as CVAT's XML"),
        ('<track id="1"', '<track id="one"', "invalid literal"),
        ('frame="1"', 'frame="0"', "has two shapes in frame 0"),
        ('xtl="70.50"', 'xtl="90.51"', "a box from 90.51, 40.25 to 90.5, 60"),
        ('ybr="60.00"', 'ybr="1e40"', "a box from 70.5, 40.25 to 90.5, 1e\\+40"),
    ],
)
def test_a_broken_file_of_cvat_is_refused(
    tmp_path: Path, convert: Convert, old: str, new: str, says: str
) -> None:
    convert(results(tmp_path), tmp_path / "t.xml", "cvat-video")
    text = (tmp_path / "t.xml").read_text()
    assert old in text
    (tmp_path / "t.xml").write_text(text.replace(old, new))
    with pytest.raises(DataError, match=says):
        convert(tmp_path / "t.xml", tmp_path / "out", "mot")


def test_frames_become_images(tmp_path: Path, run: Prepare, convert: Convert, command: Say) -> None:
    """YOLO of a results.json and the frames that it is of."""
    frames = tmp_path / "frames"
    for i in range(COUNT):
        write_image(frames / f"{i:03}.png", i, WIDTH, HEIGHT)
    path = results(tmp_path / "run")
    lines = command(path, tmp_path / "out", "--to", "yolo", "--video", frames)
    assert lines[0] == f"{path}: 1 video with 6 frames"
    assert lines[-1] == f"{tmp_path / 'out'}: YOLO segmentation, 6 frames, 14 objects"
    assert "  14 track ids are left out: YOLO segmentation has none" in lines
    found = objects(read(run, "yolo", tmp_path / "out"))
    assert sorted(len(ones) for ones in found.values()) == [1, 2, 2, 3, 3, 3]
    assert (tmp_path / "out/images/train/street_000003.png").read_bytes() == (
        frames / "003.png"
    ).read_bytes()
    for name in ("labelme", "datumaro"):
        done = convert(path, tmp_path / name, name, video=frames)
        assert list(done.losses) == SAID[name]
    with pytest.raises(DataError, match="its frames have 20 x 10 pixels, the tracks are of 96 x"):
        write_image(tmp_path / "other" / "0.png", 0, 20, 10)
        convert(path, tmp_path / "new", "yolo", video=tmp_path / "other")


def test_a_video_file_gives_the_frames(
    tmp_path: Path, run: Prepare, convert: Convert, shared_data: Path
) -> None:
    from segtrack.dataset import probe_video

    video = shared_data / "videos" / "centertrack_nuscenes_mini.mp4"
    path = results(tmp_path)
    content = json.loads(path.read_text())
    probed = probe_video(video)
    content["video"] |= {"width": probed.width, "height": probed.height}
    for one in content["objects"]:
        one["segmentation"] = None
    path.write_text(json.dumps(content))
    convert(path, tmp_path / "out", "coco", video=video)
    dataset = read(run, "coco", tmp_path / "out")
    assert sum(dataset.counts.values()) == COUNT
    rows = [r for r, _ in dataset.iter_labelled()]
    assert {(r["width"], r["height"]) for r in rows} == {(probed.width, probed.height)}


def test_sequences_with_ground_truth(tmp_path: Path, convert: Convert, shared_data: Path) -> None:
    """KITTI-17 has boxes and, of other objects, masks."""
    given = shared_data / "mot" / "KITTI-17"
    boxes = convert(given, tmp_path / "b", "mot", pictures="none")
    masked = convert(given, tmp_path / "m", "cvat-video", pictures="none")
    assert boxes.things == len((given / "gt" / "gt.txt").read_text().splitlines())
    rows = [line.split() for line in (given / "mots" / "instances.txt").read_text().splitlines()]
    crowds = sum(words[2] == "10" for words in rows)
    assert masked.things == len(rows) - crowds
    assert f"{crowds} regions of many objects are left out" in " ".join(masked.losses)
    (before,), (after,) = clips_of(given, "mot"), clips_of(tmp_path / "b", "mot")
    assert {k: t.bbox_xyxy for k, (_, t) in by_key(before).items()} == {
        k: t.bbox_xyxy for k, (_, t) in by_key(after).items()
    }


def test_ground_truth_of_kitti_and_visdrone(tmp_path: Path, convert: Convert) -> None:
    rest = "0 0 0 10 20 30 40 1 1 1 0 0 0 0"
    kitti = tmp_path / "kitti" / "gt"
    kitti.mkdir(parents=True)
    rows = [f"0 4 Car {rest}", f"2 5 Cyclist {rest}", f"1 -1 DontCare {rest}"]
    (kitti / "gt.txt").write_text("\n".join(rows) + "\n")
    done = convert(tmp_path / "kitti", tmp_path / "k", "mot")
    assert done.notes == ("1 regions that nobody should care about are left out",)
    (clip,) = clips_of(tmp_path / "k", "mot")
    assert {key: label for key, (label, _) in by_key(clip).items()} == {
        (0, 4): "Car", (2, 5): "Cyclist",
    }  # fmt: skip
    drone = tmp_path / "drone"
    write_image(drone / "sequences" / "uav" / "0000001.jpg", 0, WIDTH, HEIGHT)
    write_image(drone / "sequences" / "uav" / "0000002.jpg", 1, WIDTH, HEIGHT)
    (drone / "annotations").mkdir()
    (drone / "annotations" / "uav.txt").write_text(
        "1,3,5,6,20,10,1,4,0,0\n2,3,6,6,20,10,1,4,0,1\n1,0,50,6,20,10,0,0,0,0\n"
    )
    done = convert(drone, tmp_path / "d", "cvat-video")
    assert done.notes == ("1 regions of VisDrone that nothing is judged in are left out",)
    assert (tmp_path / "d" / "uav" / "images" / "frame_000001.jpg").is_file()
    (clip,) = clips_of(tmp_path / "d", "cvat-video")
    assert {k: (label, thing.bbox_xyxy) for k, (label, thing) in by_key(clip).items()} == {
        (0, 3): ("car", (5, 6, 25, 16)), (1, 3): ("car", (6, 6, 26, 16)),
    }  # fmt: skip


def test_key_frames_alone_are_said(tmp_path: Path, convert: Convert) -> None:
    """Of a program that leaves interpolating to CVAT."""
    convert(results(tmp_path), tmp_path / "t.xml", "cvat-video")
    text = (tmp_path / "t.xml").read_text()
    first, rest = text.split('<track id="2"')
    shapes = [line for line in first.splitlines(True) if not re.search(r' frame="[123]"', line)]
    (tmp_path / "keys.xml").write_text("".join(shapes) + '<track id="2"' + rest)
    done = convert(tmp_path / "keys.xml", tmp_path / "out", "mot")
    assert done.things == 11 and done.notes[0].startswith(
        "3 frames between shapes of a track are not listed and stay empty"
    )


def test_several_videos_in_one_file(tmp_path: Path, convert: Convert) -> None:
    for name in ("a", "b"):
        results(tmp_path / "run" / "tracking" / name)
    convert(tmp_path / "run", tmp_path / "all", "coco")
    clips = clips_of(tmp_path / "all", "coco")
    assert [clip.clip.name for clip in clips] == ["street", "street_2"]
    assert by_key(clips[0]).keys() == by_key(clips[1]).keys()
    with pytest.raises(DataError, match=r"one \.xml file holds one video, there are 2"):
        convert(tmp_path / "run", tmp_path / "t.xml", "cvat-video")
    convert(tmp_path / "run", tmp_path / "folders", "mot")
    assert sorted(p.name for p in (tmp_path / "folders").iterdir()) == ["street", "street_2"]


def test_settings_are_for_images(tmp_path: Path, command: Say) -> None:
    path = results(tmp_path)
    with pytest.raises(SettingsError, match="settings are for data sets of images"):
        command(path, tmp_path / "out", "--to", "mot", "dataset.layered=true")


@pytest.mark.parametrize(
    ("confs", "scores"), [((-1, -1), (None, None)), ((-1, 0.5), (-1, 0.5)), ((1, 0), (None, None))]
)
def test_what_the_seventh_column_is(
    tmp_path: Path, confs: tuple[float, ...], scores: tuple[float | None, ...]
) -> None:
    """-1 in all rows is no score, as programs write it that have none."""
    text = "".join(f"{i + 1},5,1,2,3,4,{conf},-1,-1,-1\n" for i, conf in enumerate(confs))
    (tmp_path / "t.txt").write_text(text)
    (clip,) = clips_of(tmp_path / "t.txt", "coco")
    assert tuple(clip.frames[i][0].score for i in range(2)) == scores


def test_yolo_of_cvat(tmp_path: Path, command: Say) -> None:
    """YOLO 1.1: obj.data names the list of images, which has the labels beside it."""
    folder = tmp_path / "in" / "obj_train_data"
    folder.mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(folder / "frame_000000.PNG")
    (folder / "frame_000000.txt").write_text("1 0.5 0.5 0.25 0.5\n")
    for name, text in (
        ("obj.names", "car\nbus\n"), ("train.txt", "data/obj_train_data/frame_000000.PNG\n"),
        ("obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n"),
    ):  # fmt: skip
        (tmp_path / "in" / name).write_text(text)
    said = command(tmp_path / "in", tmp_path / "o.json", "--to", "coco")
    assert "dataset=yolo, 1 images" in said[0]
    content = json.loads((tmp_path / "o.json").read_text())
    (row,) = content["annotations"]
    names = {one["id"]: one["name"] for one in content["categories"]}
    assert (names[row["category_id"]], row["bbox"]) == ("bus", [24, 12, 16, 24])


def test_a_text_file_of_unknown_size(tmp_path: Path, convert: Convert) -> None:
    text = tmp_path / "tracks.txt"
    text.write_text("1,7,10,20,30,40,0.5,-1,-1,-1\n3,7,12,20,30,40,0.25,-1,-1,-1\n")
    with pytest.raises(DataError, match="nothing says how large its frames are"):
        convert(text, tmp_path / "out", "coco")
    convert(text, tmp_path / "out.txt", "mot")
    assert (tmp_path / "out.txt").read_text() == "1,7,10,20,30,40,1,1\n3,7,12,20,30,40,1,1\n"


HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta>{meta}</meta>"""
TASK = """<task><id>{0}</id><name>{1}</name><size>5</size><mode>interpolation</mode>
<image_quality>70</image_quality><original_size><width>{2}</width><height>{3}</height>
</original_size></task>"""
LABELS = "<labels><label><name>car</name></label></labels>"


def track(number: int, task: int, x: int) -> str:
    boxes = "".join(
        f'<box frame="{frame}" keyframe="1" outside="0" xtl="{x}" ytl="1" xbr="{x + 9}" ybr="9"/>'
        for frame in range(2)
    )
    return f'<track id="{number}" label="car" task_id="{task}">{boxes}</track>'


def test_the_tasks_of_a_project_of_cvat(tmp_path: Path, convert: Convert) -> None:
    """Each is a video of its own."""
    tasks = "".join(TASK.format(*of) for of in ((1, "one", 320, 240), (2, "two", 640, 480)))
    meta = f"<project><id>1</id><name>all</name><tasks>{tasks}</tasks>{LABELS}</project>"
    text = HEAD.format(meta=meta) + track(0, 1, 10) + track(1, 2, 300) + "</annotations>"
    (tmp_path / "annotations.xml").write_text(text)
    convert(tmp_path / "annotations.xml", tmp_path / "all", "coco")
    clips = clips_of(tmp_path / "all", "coco")
    assert [(c.clip.name, c.clip.width, c.clip.frame_count, list(by_key(c))) for c in clips] == [
        ("one", 320, 5, [(0, 0), (1, 0)]), ("two", 640, 5, [(0, 1), (1, 1)]),
    ]  # fmt: skip


def test_images_of_a_video_task_are_images(tmp_path: Path, command: Say) -> None:
    """ "for images" and "for video" of one task say both that it is of a video."""
    meta = TASK.format(1, "one", 64, 48).replace("</task>", f"{LABELS}</task>")
    Image.new("RGB", (64, 48)).save(tmp_path / "frame_000000.jpg")
    box = '<box label="car" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    image = f'<image id="0" name="frame_000000" width="64" height="48">{box}</image>'
    (tmp_path / "images.xml").write_text(HEAD.format(meta=meta) + image + "</annotations>")
    said = command(tmp_path, tmp_path.parent / "out.json", "--to", "coco")
    assert "dataset=cvat, 1 images" in said[0]
    text = HEAD.format(meta=meta) + track(0, 1, 10) + "</annotations>"
    (tmp_path / "video.xml").write_text(text)
    with pytest.raises(DataError, match=r"of images \(.*images\.xml\) and of videos \(.*video\."):
        command(tmp_path, tmp_path.parent / "both.json", "--to", "coco")


def test_a_folder_of_no_known_layout_is_not_told_of_frame_rates(
    tmp_path: Path, convert: Convert, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of masks in colours, as CVAT's "Segmentation mask"."""
    for folder in ("JPEGImages", "SegmentationClass"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        Image.new("RGB", (64, 48)).save(tmp_path / "in" / folder / "a.png")
    with pytest.raises(DataError, match="holds no labels that segtrack reads"):
        convert(tmp_path / "in", tmp_path / "out", "coco")
    assert capfd.readouterr().err == ""


def test_yolo_of_label_studio(tmp_path: Path, command: Say) -> None:
    """Without a data.yaml; notes.json has the names once more."""
    given = tmp_path / "in"
    for folder in ("images", "labels"):
        (given / folder).mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(given / "images" / "0a1b2c3d-a.png")
    (given / "labels" / "0a1b2c3d-a.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.6\n")
    (given / "classes.txt").write_text("car\n")
    (given / "notes.json").write_text('{"categories": [{"id": 0, "name": "car"}], "info": {}}')
    assert "dataset=yolo, 1 images" in command(given, tmp_path / "o.json", "--to", "coco")[0]
