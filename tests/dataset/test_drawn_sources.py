"""Exports of LabelMe, CVAT, Label Studio, Supervisely and Datumaro: the same shapes in the words
of each."""

from __future__ import annotations

import base64
import io
import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

from segtrack.base.errors import DataError
from segtrack.dataset.checks import ChecksFailed
from segtrack.dataset.drawn import box, ellipse, split_of
from segtrack.dataset.recognise import recognise
from segtrack.dataset.sources.cvat import CvatSettings
from segtrack.dataset.sources.datumaro import DatumaroSettings
from segtrack.dataset.sources.labelme import LabelmeSettings
from segtrack.dataset.sources.labelstudio import LabelstudioSettings, image_of
from segtrack.dataset.sources.supervisely import SuperviselySettings
from segtrack.settings import SplitFractions
from tests.dataset.conftest import Prepare, Prepared, write_image

SIZE = (64, 48)
SQUARE = [[10.0, 10.0], [30.0, 10.0], [30.0, 20.0], [10.0, 20.0]]  # 200 px
TRIANGLE = [[40.0, 30.0], [60.0, 30.0], [60.0, 40.0]]  # 100 px
BOX = (2.0, 3.0, 12.0, 8.0)  # x, y, w, h: 96 px
PATCH = np.zeros((6, 10), bool)  # a mask: a U with a hole that no polygon has, at 5, 7
PATCH[:, :3] = PATCH[:, 7:] = PATCH[4:] = True
ALL_TRAIN = SplitFractions(train=1.0, val=0.0, test=0.0, pool=0.0)


def whole_patch() -> np.ndarray:
    pixels = np.zeros((SIZE[1], SIZE[0]), bool)
    pixels[7:13, 5:15] = PATCH
    return pixels


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8) * 255).save(out, "PNG")
    return out.getvalue()


def flat(points: list[list[float]]) -> str:
    return ";".join(f"{x},{y}" for x, y in points)


def thing(shape: str, label: str, **rest: Any) -> dict[str, Any]:
    return {"label": label, "shape_type": shape, "group_id": None, "flags": {}, **rest}


def labelme(folder: Path) -> LabelmeSettings:
    x, y, w, h = BOX
    patch = base64.b64encode(png(PATCH)).decode()
    shapes = [
        thing("polygon", "car", points=SQUARE),
        thing("polygon", "person", points=TRIANGLE),
        thing("rectangle", "car", points=[[x + w, y + h], [x, y]]),
        thing("mask", "person", points=[[5, 7], [14, 12]], mask=patch),
        thing("point", "person", points=[[1, 1]]),
    ]
    for i, found in enumerate((shapes, [])):
        content = {
            "version": "5.4.1", "flags": {}, "shapes": found, "imagePath": f"..\\images\\{i}.jpg",
            "imageData": None, "imageHeight": SIZE[1], "imageWidth": SIZE[0],
        }  # fmt: skip
        path = folder / "json" / f"{i}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    return LabelmeSettings(path=str(folder), splits=ALL_TRAIN)


def cvat(folder: Path) -> CvatSettings:
    x, y, w, h = BOX
    runs, value = [0], False
    for pixel in PATCH.reshape(-1).tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    (folder / "annotations.xml").write_text(
        f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>car</name><type>any</type></label><label><name>person</name></label>
<label><name>left foot</name><parent>skeleton</parent></label></labels></task></meta>
<image id="0" name="0.jpg" width="64" height="48">
<polygon label="car" source="manual" occluded="0" points="{flat(SQUARE)}" z_order="0"></polygon>
<polygon label="person" points="{flat(TRIANGLE)}"><attribute name="a">1</attribute></polygon>
<box label="car" xtl="{x}" ytl="{y}" xbr="{x + w}" ybr="{y + h}"/>
<mask label="person" rle="{", ".join(map(str, runs))}" left="5" top="7" width="10" height="6"/>
<points label="person" points="1,1"/></image>
<image id="1" name="1.jpg" width="64" height="48"></image></annotations>"""
    )
    return CvatSettings(path=str(folder), splits=ALL_TRAIN)


def thi_ng(words: np.ndarray) -> list[int]:
    """Packs words as single runs: sizes of 1, 4, 8 and 16 bits for their lengths."""
    bits = [f"{len(words):032b}", f"{7:05b}", *(f"{size - 1:04b}" for size in (1, 4, 8, 16))]
    ends = np.flatnonzero(np.diff(words)) + 1
    for run in np.split(words, ends):
        for at in range(0, len(run), 1 << 16):
            part = run[at : at + (1 << 16)]
            if len(part) == 2 and part[0]:  # two words that are not packed
                bits.append(f"0{0:02b}{1:01b}" + "".join(f"{word:08b}" for word in part))
            else:
                bits.append(f"1{3:02b}{len(part) - 1:016b}{part[0]:08b}")
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]


def region(kind: str, number: int, label: str, **value: Any) -> dict[str, Any]:
    return {
        "id": f"r{number}", "type": f"{kind}labels", "original_width": 64, "original_height": 48,
        "image_rotation": 0, "from_name": "label", "to_name": "image",
        "value": {**value, f"{kind}labels": [label]},
    }  # fmt: skip


def regions() -> list[dict[str, Any]]:
    percent = [[[x / 0.64, y / 0.48] for x, y in points] for points in (SQUARE, TRIANGLE)]
    x, y, w, h = BOX
    spot = {"x": x / 0.64, "y": y / 0.48, "width": w / 0.64, "height": h / 0.48, "rotation": 0}
    rgba = np.repeat(whole_patch().astype(np.uint8)[..., None] * 255, 4, axis=2).reshape(-1)
    return [
        region("polygon", 1, "car", points=percent[0]),
        region("polygon", 2, "person", points=percent[1]),
        region("rectangle", 3, "car", **spot),
        region("brush", 4, "person", format="rle", rle=thi_ng(rgba)),
        region("keypoint", 5, "person", x=1, y=1, width=0.5),
    ]


def labelstudio(folder: Path) -> LabelstudioSettings:
    done = {"id": 1, "was_cancelled": False, "ground_truth": False, "result": regions()}
    images = ["/data/upload/1/0a1b2c3d-0.jpg", "/data/local-files/?d=set/images/1.jpg"]
    tasks = [
        {"id": 1, "annotations": [done], "data": {"image": images[0]}},
        {"id": 2, "annotations": [{**done, "result": []}], "data": {"image": images[1]}},
    ]
    (folder / "project-1.json").write_text(json.dumps(tasks))
    return LabelstudioSettings(path=str(folder), splits=ALL_TRAIN)


def labelstudio_min(folder: Path) -> LabelstudioSettings:
    values = [{**r["value"], "original_width": 64, "original_height": 48} for r in regions()]
    tasks = [
        {"image": "/data/upload/1/0a1b2c3d-0.jpg", "id": 1, "label": values, "annotator": 1},
        {"image": "/data/upload/1/0a1b2c3d-1.jpg", "id": 2, "annotator": 1},
    ]
    (folder / "min.json").write_text(json.dumps(tasks))
    return LabelstudioSettings(path=str(folder), splits=ALL_TRAIN)


def drawn(label: str, kind: str, points: Any = ()) -> dict[str, Any]:
    exterior = {"exterior": points, "interior": []}
    return {"classTitle": label, "geometryType": kind, "points": exterior}


def supervisely(folder: Path) -> SuperviselySettings:
    x, y, w, h = BOX
    data = base64.b64encode(zlib.compress(png(PATCH))).decode()
    objects = [
        drawn("car", "polygon", SQUARE),
        drawn("person", "polygon", TRIANGLE),
        drawn("car", "rectangle", [[x, y], [x + w, y + h]]),
        drawn("person", "bitmap") | {"bitmap": {"data": data, "origin": [5, 7]}},
        drawn("person", "point", [[1, 1]]),
    ]
    (folder / "meta.json").write_text(
        json.dumps({"classes": [{"title": "car", "shape": "any"}, {"title": "person"}], "tags": []})
    )
    (folder / "ds" / "ann").mkdir(parents=True)
    (folder / "images").rename(folder / "ds" / "img")
    for i, found in enumerate((objects, [])):
        content = {"size": {"width": 64, "height": 48}, "tags": [], "objects": found}
        (folder / "ds" / "ann" / f"{i}.jpg.json").write_text(json.dumps(content))
    return SuperviselySettings(path=str(folder), splits=ALL_TRAIN)


def datumaro(folder: Path) -> DatumaroSettings:
    def annotation(kind: str, label: int, **value: Any) -> dict[str, Any]:
        return {"id": 0, "type": kind, "attributes": {}, "group": 0, "label_id": label, **value}

    whole = coco.encode(np.asfortranarray(whole_patch().astype(np.uint8)))
    mask = {"counts": whole["counts"].decode(), "size": [48, 64]}
    found = [
        annotation("polygon", 0, points=[v for p in SQUARE for v in p], z_order=0),
        annotation("polygon", 1, points=[v for p in TRIANGLE for v in p], z_order=0),
        annotation("bbox", 0, bbox=list(BOX), z_order=0),
        annotation("mask", 1, rle=mask, z_order=0),
        annotation("points", 1, points=[1.0, 1.0], visibility=[2], z_order=0),
    ]
    labels = [{"name": name, "parent": "", "attributes": []} for name in ("car", "person")]
    items = [
        {"id": str(i), "annotations": one, "image": {"path": f"{i}.jpg", "size": [48, 64]}}
        for i, one in enumerate((found, []))
    ]
    content = {
        "dm_format_version": "1.0", "media_type": 2, "infos": {}, "items": items,
        "categories": {"label": {"labels": labels, "label_groups": [], "attributes": []}},
    }  # fmt: skip
    (folder / "annotations").mkdir()
    (folder / "annotations" / "default.json").write_text(
        json.dumps({"dm_format_version": "1.0", **content})
    )
    return DatumaroSettings(path=str(folder), splits=ALL_TRAIN)


WRITERS = [labelme, cvat, labelstudio, labelstudio_min, supervisely, datumaro]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(2):
        write_image(tmp_path / "set" / "images" / f"{i}.jpg", i, *SIZE)
    return tmp_path / "set"


def labels_of_first(done: Prepared) -> list[tuple[str, float, list[float], Any]]:
    """Class, area, box and segmentation of each object of the first image, by area."""
    found = done.dataset.coco("train")
    first = next(i["id"] for i in found["images"] if i["file_name"].endswith("0.jpg"))
    return sorted(
        (
            (done.dataset.names[a["category_id"]], a["area"], a["bbox"], a["segmentation"])
            for a in found["annotations"]
            if a["image_id"] == first
        ),
        key=lambda row: float(row[1]),
    )


@pytest.mark.parametrize("write", WRITERS)
def test_the_same_shapes_from_every_program(
    folder: Path, run: Prepare, write: Callable[[Path], Any]
) -> None:
    done = run(write(folder))
    assert done.dataset.names == ("car", "person")
    assert done.dataset.counts == {"train": 2, "val": 0, "test": 0, "pool": 0}
    patch, bbox, triangle, square = labels_of_first(done)
    np.testing.assert_array_equal(coco.decode(patch[3]).astype(bool), whole_patch())
    assert patch[:3] == ("person", PATCH.sum(), [5.0, 7.0, 10.0, 6.0])
    assert bbox[:2] == ("car", pytest.approx(96)) and bbox[2] == pytest.approx(BOX)
    assert triangle[:2] == ("person", pytest.approx(100))
    assert square[:2] == ("car", pytest.approx(200))
    assert square[2] == pytest.approx([10, 10, 20, 10])
    codes = done.codes()
    assert codes["left_out"] == 1 and codes["box_only"] == 1
    left = next(f for f in done.findings() if f["code"] == "left_out")
    assert left["message"].startswith("1 ") and left["message"].endswith("are left out")


@pytest.mark.parametrize("write", WRITERS)
def test_images_without_labels_are_the_pool(
    folder: Path, run: Prepare, write: Callable[[Path], Any]
) -> None:
    settings = write(folder)
    home = folder / "ds" / "img" if (folder / "ds").is_dir() else folder / "images"
    write_image(home / "new.jpg", 9, *SIZE)
    done = run(settings)
    assert [name.rsplit("/", 1)[-1] for name in done.splits()["pool"]] == ["new.jpg"]
    assert done.codes()["unlabelled"] == 1


@pytest.mark.parametrize("write", WRITERS)
def test_labels_of_an_image_that_is_not_there(
    folder: Path, run: Prepare, write: Callable[[Path], Any]
) -> None:
    settings = write(folder)
    next(folder.rglob("1.jpg")).unlink()
    with pytest.raises(DataError, match=r"1\.jpg does not exist"):
        run(settings)


@pytest.mark.parametrize("write", WRITERS)
def test_a_folder_is_recognised(folder: Path, write: Callable[[Path], Any]) -> None:
    settings = write(folder)
    assert f"dataset={settings.source} dataset.path={folder}" in recognise(folder)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.json", '{"images": [{"file_name": "a.jpg"}]}', "dataset=coco"),
        ("a.json", '{"categories": [], "annotations": [], "images": []}', "dataset=coco"),
        ("sub/data.yaml", "train: images\nnames: [car]\n", "dataset=yolo"),
        ("a.xml", "<annotation><object><bndbox></bndbox></object></annotation>", "Pascal VOC"),
        ("via.json", '{"a": {"regions": [{"shape_attributes": {}}]}}', "VGG"),
        ("a.json", '[{"image": "a.jpg", "annotations": [{"coordinates": {}}]}]', ""),  # CreateML
        ("a.json", '{"anything": 1}', ""),
        ("a.json", "[1, 2]", ""),
    ],
)
def test_hints_for_other_layouts(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    hint = recognise(tmp_path)
    assert (says in hint) if says else hint == ""


def test_parts_of_one_object(folder: Path, run: Prepare) -> None:
    shapes = [
        thing("polygon", "car", points=SQUARE) | {"group_id": 7},
        thing("polygon", "car", points=TRIANGLE) | {"group_id": 7},
        thing("polygon", "person", points=TRIANGLE) | {"group_id": 7},
    ]
    settings = labelme(folder)
    path = folder / "json" / "0.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shapes": shapes}))
    found = labels_of_first(run(settings))
    assert [(name, pytest.approx(area)) for name, area, *_ in found] == [
        ("person", 100),
        ("car", 300),
    ]
    text = cvat(folder).path
    xml = folder / "annotations.xml"
    grouped = xml.read_text().replace("<polygon ", '<polygon group_id="3" ')
    xml.write_text(grouped.replace('label="person"', 'label="car"'))
    found = labels_of_first(run(CvatSettings(path=text, splits=ALL_TRAIN)))
    assert [pytest.approx(area) for _, area, *_ in found] == [PATCH.sum(), 96, 300]


@pytest.mark.parametrize("write", [labelme, cvat, datumaro])
def test_masks_of_a_group_are_one_object(
    folder: Path, run: Prepare, write: Callable[[Path], Any]
) -> None:
    """A polygon, a box and a mask of one class, all in one group, and all of one class."""
    settings = write(folder)
    path = next(iter([*folder.rglob("0.json"), *folder.rglob("*.xml"), *folder.rglob("*.json")]))
    text = path.read_text().replace('"group_id": null', '"group_id": 4')
    text = text.replace('"group": 0', '"group": 4').replace('label="', 'group_id="4" label="')
    text = text.replace('"label": "person"', '"label": "car"').replace(
        '"label_id": 1', '"label_id": 0'
    )
    path.write_text(text.replace('label="person"', 'label="car"'))
    done = run(settings)
    ((name, area, _, mask),) = labels_of_first(done)
    pixels = coco.decode(mask).astype(bool)
    assert name == "car" and pixels[whole_patch()].all()
    assert pixels[14, 20] and pixels[33, 58]  # of the square and of the triangle
    boxed = write is labelme  # where a box is a shape like others; elsewhere it is around them
    assert pixels[4, 3] == boxed
    assert area == pytest.approx(PATCH.sum() + 300 + (96 - 40) * boxed, abs=60)
    assert "rle_in_list" not in done.codes()


def test_boxes_of_a_group_are_one_box(folder: Path, run: Prepare) -> None:
    settings, xml = cvat(folder), folder / "annotations.xml"
    sides = ('xtl="4" ytl="4" xbr="8" ybr="8"', 'xtl="20" ytl="6" xbr="30" ybr="12"')
    boxes = "".join(f'<box label="car" group_id="1" {one}/>' for one in sides)
    head, _, rest = xml.read_text().partition("<polygon")
    xml.write_text(head + boxes + rest[rest.index("</image>") :])
    ((_, _, bbox, _),) = labels_of_first(run(settings))
    assert bbox == pytest.approx([4, 4, 26, 8])


@pytest.mark.parametrize("write", [cvat, datumaro])
def test_the_nearest_comes_last(folder: Path, run: Prepare, write: Callable[[Path], Any]) -> None:
    """By its z_order: the program lists shapes in the order in which they were drawn."""
    settings = write(folder)
    path = next(iter([*folder.rglob("*.xml"), *folder.rglob("*.json")]))
    text = path.read_text().replace('z_order="0"', 'z_order="1"', 1)
    path.write_text(text.replace('"z_order": 0', '"z_order": 1', 1))
    found = run(settings).dataset.coco("train")["annotations"]
    assert found[-1]["area"] == pytest.approx(200)


def test_folders_and_subsets_give_the_split(folder: Path, run: Prepare) -> None:
    settings = labelme(folder)
    (folder / "valid").mkdir()
    (folder / "json" / "1.json").rename(folder / "valid" / "1.json")
    assert run(settings).splits()["val"] == ["images/1.jpg"]
    settings_of_cvat = cvat(folder)
    xml = folder / "annotations.xml"
    xml.write_text(xml.read_text().replace('id="1" name', 'id="1" subset="Test" name'))
    assert run(settings_of_cvat).splits()["test"] == ["images/1.jpg"]
    assert [split_of(f) for f in (["a", "Training"], ["train", "VALID", "x"], [])] == [
        *("train", "val", None)
    ]


def test_an_ellipse_and_a_turned_box() -> None:
    points = np.array(ellipse((20, 10), (8, 4), 90)).reshape(-1, 2)
    assert np.ptp(points, axis=0) == pytest.approx([8, 16], rel=1e-3)
    x, y = points.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    assert area == pytest.approx(math.pi * 32, rel=2e-3)
    # 90 degrees clockwise around the left top: it then hangs to the left of the pivot
    turned = np.array(box((10, 10), (4, 2), 90, (10, 10))).reshape(-1, 2)
    assert turned == pytest.approx(np.array([[10, 10], [10, 14], [8, 14], [8, 10]]))


def test_a_polygon_with_a_hole(folder: Path, run: Prepare) -> None:
    settings = supervisely(folder)
    hole = [[12, 12], [20, 12], [20, 18], [12, 18]]
    path = folder / "ds" / "ann" / "0.jpg.json"
    content = json.loads(path.read_text())
    content["objects"] = content["objects"][:1]
    content["objects"][0]["points"]["interior"] = [hole]
    path.write_text(json.dumps(content))
    ((name, area, _, rle),) = labels_of_first(run(settings))
    assert (name, area) == ("car", 200 - 48)
    pixels = coco.decode(rle)
    assert pixels[12:18, 12:20].sum() == 0 and pixels[10:20, 10:30].sum() == 152


def test_pixels_of_supervisely(folder: Path, run: Prepare) -> None:
    """Whole numbers name pixels: 10 to 19 are ten of them, and an outline runs along centres."""
    settings = supervisely(folder)
    path = folder / "ds" / "ann" / "0.jpg.json"
    content = json.loads(path.read_text())
    square = [[10, 10], [29, 10], [29, 19], [10, 19]]
    content["objects"] = [
        drawn("car", "rectangle", [[10, 20], [19, 29]]),
        drawn("person", "rectangle", [[10.0, 20.0], [19.0, 29.0]]),
        drawn("car", "polygon", square),
    ]
    path.write_text(json.dumps(content))
    assert [(name, area, box) for name, area, box, _ in labels_of_first(run(settings))] == [
        ("person", 81, [10, 20, 9, 9]),
        ("car", 100, [10, 20, 10, 10]),
        ("car", 171, [10.5, 10.5, 19, 9]),
    ]
    content["objects"][2]["points"]["interior"] = [[[12, 12], [17, 12], [17, 17], [12, 17]]]
    path.write_text(json.dumps(content))
    pixels = coco.decode(labels_of_first(run(settings))[-1][3])
    assert pixels[11:19, 11:29].sum() + 25 == 8 * 18 and pixels[13:17, 13:17].sum() == 0


def test_several_polygons_of_supervisely_are_one_object(folder: Path, run: Prepare) -> None:
    settings = supervisely(folder)
    path = folder / "ds" / "ann" / "0.jpg.json"
    content = json.loads(path.read_text())
    parts = [{"exterior": SQUARE, "interior": []}, {"exterior": TRIANGLE}]
    content["objects"] = [{"classTitle": "car", "geometryType": "multipolygon", "parts": parts}]
    path.write_text(json.dumps(content))
    ((name, area, box, polygons),) = labels_of_first(run(settings))
    assert (name, area, box) == ("car", 300, [10, 10, 50, 30])
    assert polygons == [[v for point in one for v in point] for one in (SQUARE, TRIANGLE)]
    content["objects"][0]["parts"][0]["interior"] = [[[12, 12], [20, 12], [20, 18], [12, 18]]]
    path.write_text(json.dumps(content))
    ((_, area, _, _),) = labels_of_first(run(settings))
    assert area == pytest.approx(300 - 48, abs=10)  # as COCO draws the triangle


def test_what_was_left_out_is_told_where_nothing_is_left(folder: Path, run: Prepare) -> None:
    settings = labelme(folder)
    path = folder / "json" / "0.json"
    content = json.loads(path.read_text())
    content["shapes"] = [thing("quadrilateral", "car", points=SQUARE)]
    path.write_text(json.dumps(content))
    ((name, area, _, _),) = labels_of_first(run(settings))
    assert (name, area) == ("car", 200)
    content["shapes"][0]["shape_type"] = "linestrip"
    path.write_text(json.dumps(content))
    with pytest.raises(ChecksFailed, match="1 shapes of type linestrip are left out"):
        run(settings)


def test_turned_shapes_of_cvats_datumaro(folder: Path, run: Prepare) -> None:
    settings = datumaro(folder)
    path = folder / "annotations" / "default.json"
    content = json.loads(path.read_text())
    shape = {"group": 0, "z_order": 0, "label_id": 0}
    turned = {"attributes": {"occluded": False, "rotation": 90.0}}
    content["items"][0]["annotations"] = [
        {**shape, **turned, "type": "bbox", "bbox": [20, 10, 20, 10]},
        {**shape, **turned, "type": "ellipse", "points": [20, 14, 40, 26]},
        {**shape, "attributes": {"rotation": 90.0}, "type": "bbox", "bbox": [2, 2, 10, 4]},
    ]
    path.write_text(json.dumps(content))
    boxes = [box for _, _, box, _ in labels_of_first(run(settings))]
    assert boxes[0] == [2, 2, 10, 4]  # not CVAT's: whose degrees these are nobody knows
    assert boxes[1] == pytest.approx([24, 10, 12, 20], abs=0.05)
    assert boxes[2] == pytest.approx([25, 5, 10, 20])


def test_values_of_datumaro_as_text_and_floats(folder: Path, run: Prepare) -> None:
    settings = datumaro(folder)
    path = folder / "annotations" / "default.json"
    content = json.loads(path.read_text())
    first = content["items"][0]["annotations"][0]
    content["items"][0]["annotations"] = [
        {**first, "label_id": 1.0, "attributes": {"is_crowd": "false"}},
        {**first, "label_id": "0", "attributes": {"is_crowd": True}},
    ]
    path.write_text(json.dumps(content))
    dataset = run(settings).dataset
    rows = dataset.coco("train")["annotations"]
    found = [(dataset.names[row["category_id"]], row["iscrowd"]) for row in rows]
    assert found == [("person", 0), ("car", 1)]


def two_images(folder: Path, tags: tuple[str, str], data: dict[str, Any]) -> LabelstudioSettings:
    """A task of two images with a box on each, 10 and 20 px wide."""
    spot = {"x": 10, "y": 10, "height": 50, "rotation": 0}
    found = [
        region("rectangle", i, "car", width=width / 0.64, **spot) | {"to_name": tag}
        for i, (tag, width) in enumerate(zip(tags, (10, 20), strict=True))
    ]
    tasks = [{"id": 7, "annotations": [{"id": 1, "result": found}], "data": data}]
    (folder / "project.json").write_text(json.dumps(tasks))
    return LabelstudioSettings(path=str(folder), splits=ALL_TRAIN)


def test_several_images_in_a_task(folder: Path, run: Prepare) -> None:
    data = {"left": "0.jpg", "right": "/data/local-files/?d=images/1.jpg"}
    found = run(two_images(folder, ("left", "right"), data)).dataset.coco("train")
    names = {one["id"]: Path(one["file_name"]).name for one in found["images"]}
    widths = {names[a["image_id"]]: a["bbox"][2] for a in found["annotations"]}
    assert widths == pytest.approx({"0.jpg": 10, "1.jpg": 20})
    # One that has no region on its first image.
    tasks = json.loads((folder / "project.json").read_text())
    tasks[0]["annotations"][0]["result"] = tasks[0]["annotations"][0]["result"][1:]
    (folder / "project.json").write_text(json.dumps(tasks))
    done = run(LabelstudioSettings(path=str(folder), splits=ALL_TRAIN)).dataset
    assert done.counts == {"train": 1, "val": 0, "test": 0, "pool": 1}
    assert [Path(one["file_name"]).name for one in done.coco("train")["images"]] == ["1.jpg"]


def test_a_tag_that_is_called_like_another_key(folder: Path, run: Prepare) -> None:
    """Of <Image name="image" value="$url"/>, where the data have a title under ``image``."""
    data = {"image": "crossing 17", "url": "/data/local-files/?d=images/1.jpg"}
    found = run(two_images(folder, ("image", "image"), data)).dataset.coco("train")
    assert [Path(one["file_name"]).name for one in found["images"]] == ["1.jpg"]
    assert [a["bbox"][2] for a in found["annotations"]] == pytest.approx([10, 20])
    # A tag's own key counts before the usual ones.
    data = {"left": "/data/local-files/?d=images/1.jpg", "image": "0.jpg"}
    found = run(two_images(folder, ("left", "left"), data)).dataset.coco("train")
    assert [Path(one["file_name"]).name for one in found["images"]] == ["1.jpg"]


@pytest.mark.parametrize(
    ("tags", "change", "says"),
    [
        (("a", "b"), {}, r"task 7: cannot be read \(its regions are on several images \(a, b\)"),
        (("a", "a"), {}, r"its data name several images \(left, right\); make a task of each"),
        (("left", "left"), {"item_index": 1}, r"its regions are on pages \(item_index\)"),
    ],
)
def test_regions_whose_image_is_not_said(
    folder: Path, run: Prepare, tags: tuple[str, str], change: dict[str, Any], says: str
) -> None:
    settings = two_images(folder, tags, {"left": "0.jpg", "right": "1.jpg"})
    tasks = json.loads((folder / "project.json").read_text())
    tasks[0]["annotations"][0]["result"][1] |= change
    (folder / "project.json").write_text(json.dumps(tasks))
    with pytest.raises(ChecksFailed, match=says):
        run(settings)


def test_the_newest_annotation_of_a_task_counts(folder: Path, run: Prepare) -> None:
    settings = labelstudio(folder)
    path = folder / "project-1.json"
    tasks = json.loads(path.read_text())
    one = tasks[0]["annotations"][0]
    older = {**one, "updated_at": "2024-01-01T00:00:00Z", "result": regions()[:1]}
    newer = {**one, "updated_at": "2024-06-01T00:00:00Z", "result": regions()[1:2]}
    cancelled = {**one, "updated_at": "2025-01-01T00:00:00Z", "was_cancelled": True}
    tasks[0]["annotations"] = [newer, older, cancelled]
    tasks[1] = {**tasks[1], "annotations": [], "predictions": [one]}
    path.write_text(json.dumps(tasks))
    done = run(settings)
    assert [name for name, *_ in labels_of_first(done)] == ["person"]
    assert [n.rsplit("/", 1)[-1] for n in done.splits()["pool"]] == ["1.jpg"]
    (message,) = [f["message"] for f in done.findings() if f["code"] == "left_out"]
    assert "1 tasks without an annotation are left out" in message
    assert "newer or the ground truth" in message


def test_a_shape_and_its_label_in_two_results(folder: Path, run: Prepare) -> None:
    settings = labelstudio(folder)
    path = folder / "project-1.json"
    tasks = json.loads(path.read_text())
    x, y, w, h = BOX
    spot = {"x": x / 0.64, "y": y / 0.48, "width": w / 0.64, "height": h / 0.48, "rotation": 0}
    size = {"original_width": 64, "original_height": 48}
    tasks[0]["annotations"][0]["result"] = [
        {"id": "q", "type": "rectangle", "value": spot, **size},
        {"id": "q", "type": "labels", "value": {**spot, "labels": ["bus"]}, **size},
        {"id": "z", "type": "choices", "value": {"choices": ["night"]}},
    ]
    path.write_text(json.dumps(tasks))
    done = run(settings)
    ((name, area, bbox, _),) = labels_of_first(done)
    assert (name, area) == ("bus", pytest.approx(96)) and bbox == pytest.approx(BOX)
    assert [f["message"] for f in done.findings() if f["code"] == "left_out"] == [
        "1 results of type choices are left out"
    ]


def with_results(folder: Path, *results: Any) -> LabelstudioSettings:
    settings = labelstudio(folder)
    path = folder / "project-1.json"
    tasks = json.loads(path.read_text())
    tasks[0]["annotations"][0]["result"] = list(results)
    path.write_text(json.dumps(tasks))
    return settings


def left_out(done: Prepared) -> list[str]:
    return [f["message"] for f in done.findings() if f["code"] == "left_out"]


def test_bitmasks_and_vectors_of_label_studio(folder: Path, run: Prepare) -> None:
    """A bitmask is listed twice, as its shape and as its label; an open vector is a line."""
    rgba = np.zeros((48, 64, 4), np.uint8)
    rgba[whole_patch()] = (255, 0, 0, 255)
    out = io.BytesIO()
    Image.fromarray(rgba).save(out, "PNG")
    url = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    mask = region("bitmask", 1, "person", imageDataURL=url)
    corners = [{"id": str(i), "x": x / 0.64, "y": y / 0.48, "isBezier": False}
               for i, (x, y) in enumerate(TRIANGLE)]  # fmt: skip
    curved = [{**corners[0], "isBezier": True}, *corners[1:]]
    settings = with_results(
        folder,
        {**mask, "type": "bitmask"},
        mask,
        region("vector", 2, "car", vertices=corners, closed=True),
        region("vector", 3, "car", vertices=corners, closed=False),
        region("vector", 4, "car", vertices=curved, closed=True),
    )
    done = run(settings)
    patch, triangle = labels_of_first(done)
    assert patch[0] == "person" and (coco.decode(patch[3]).astype(bool) == whole_patch()).all()
    assert triangle[:2] == ("car", pytest.approx(100))
    assert left_out(done) == ["2 regions of type vectorlabels are left out"]


def test_what_label_studio_has_besides_regions(folder: Path, run: Prepare) -> None:
    one, other = regions()[:2]
    one["value"]["polygonlabels"] = ["car", "taxi"]
    relation = {"from_id": "r1", "to_id": "r2", "type": "relation", "direction": "right"}
    unknown = region("hologram", 9, "car", depth=3)
    done = run(with_results(folder, one, other, relation, unknown))
    assert [name for name, *_ in labels_of_first(done)] == ["person", "car"]
    assert left_out(done) == [
        "1 further labels of a region (an object has one class); 1 relations between regions; "
        "1 results of type hologramlabels are left out"
    ]


def test_tasks_without_an_annotation_are_said_with_what_to_do(folder: Path, run: Prepare) -> None:
    settings, path = labelstudio(folder), folder / "project-1.json"
    tasks = json.loads(path.read_text())
    tasks[1]["annotations"] = []
    path.write_text(json.dumps(tasks))
    done = run(settings)
    (hint,) = [f["hint"] for f in done.findings() if f["code"] == "left_out"]
    assert left_out(done) == [
        "1 regions of type keypointlabels (only polygons, masks, ellipses and boxes are objects); "
        "1 tasks without an annotation are left out"
    ]
    assert "submit it in Label Studio" in hint


def test_json_min_whose_first_tasks_have_no_object(folder: Path, run: Prepare) -> None:
    settings, path = labelstudio_min(folder), folder / "min.json"
    first, second = json.loads(path.read_text())
    path.write_text("\ufeff" + json.dumps([second | {"note": "x" * 9000}, first]))
    assert "dataset=labelstudio" in recognise(folder)
    assert len(labels_of_first(run(settings))) == 4


def test_what_label_studio_makes_of_a_name(folder: Path, run: Prepare) -> None:
    settings = labelstudio(folder)
    (folder / "images" / "0.jpg").rename(folder / "images" / "Main street (2) 0.jpg")
    path = folder / "project-1.json"
    path.write_text(path.read_text().replace("0a1b2c3d-0.jpg", "0a1b2c3d-Main_street_2_0.jpg"))
    assert len(labels_of_first(run(settings))) == 4


def test_projects_of_videos_are_refused_as_such(folder: Path, run: Prepare) -> None:
    settings: Any = labelstudio(folder)
    tasks = [{"id": 1, "data": {"video": "/data/upload/1/a.mp4"}, "annotations": [{"result": []}]}]
    (folder / "project-1.json").write_text(json.dumps(tasks))
    with pytest.raises(DataError, match=r"project-1\.json: is a project of videos, which is not"):
        run(settings)
    (folder / "project-1.json").unlink()
    settings, meta = supervisely(folder), folder / "meta.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | {"projectType": "videos"}))
    with pytest.raises(DataError, match=r"meta\.json: is a project of videos, which is not"):
        run(settings)


def test_a_picture_inside_of_labelmes_json(folder: Path, run: Prepare) -> None:
    settings, path = labelme(folder), folder / "json" / "0.json"
    path.write_text(path.read_text().replace('"imageData": null', '"imageData": "/9j/4AA"'))
    (folder / "images" / "0.jpg").unlink()
    with pytest.raises(DataError, match=r"0\.jpg does not exist .* labelme_export_json"):
        run(settings)


BROKEN: list[tuple[Callable[[Path], Any], str, str, str, str]] = [
    (labelme, "json/0.json", "{", "", "cannot be read as JSON"),
    (cvat, "annotations.xml", "</annotations>", "", "cannot be read as XML"),
    (cvat, "annotations.xml", 'width="64"', 'width="-"', "image 0.jpg: cannot be read"),
    (cvat, "annotations.xml", "<image id", '<track id="0" label="car"/><image id', "for video"),
    (labelstudio, "project-1.json", '"result": [', '"klasse": [', "task 1: cannot be read"),
    (supervisely, "ds/ann/0.jpg.json", '"width": 64', '"width": 0', "no annotation of Supervisely"),
    (supervisely, "meta.json", '"classes"', '"klasses"', "no meta.json of Supervisely"),
    (datumaro, "annotations/default.json", '"categories": {', '"categories": ', "JSON"),
    (datumaro, "annotations/default.json", '"size": [48, 64]}}', '"size": 3}}', "an item cannot"),
    (datumaro, "annotations/default.json", '"label": {', '"labels": {', "KeyError: 'label'"),
]


@pytest.mark.parametrize(("write", "file", "old", "new", "says"), BROKEN)
def test_a_broken_export_is_refused_with_its_file(
    folder: Path,
    run: Prepare,
    write: Callable[[Path], Any],
    file: str,
    old: str,
    new: str,
    says: str,
) -> None:
    settings = write(folder)
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=says) as caught:
        run(settings)
    assert Path(file).name in str(caught.value)


# The mask of each export, broken as programs, editors and people break them, and another shape.
Change = tuple[str, str]
BROKEN_SHAPES: list[tuple[Callable[[Path], Any], str, Change, Change, str]] = [
    (
        labelme,
        "json/0.json",
        ('"mask": "iV', '"mask": "aa'),
        ('"points": [[14.0,', '"points": [["a",'),
        "shape 4 cannot be read (a mask is no PNG",
    ),
    (
        cvat,
        "annotations.xml",
        ('rle="', 'rle="7, '),
        ('xtl="2.0"', 'xtl="left"'),
        "mask 4 of image 0.jpg cannot be read (its mask covers 67 pixels",
    ),
    (
        labelstudio,
        "project-1.json",
        ('"rle": [', '"rle": [9, '),
        ('"width": 18.75', '"width": "w"'),
        "region r4 cannot be read (a brush mask covers",
    ),
    (
        supervisely,
        "ds/ann/0.jpg.json",
        ('"data": "', '"data": "AAAA'),
        ('"exterior": [[10.0,', '"exterior": [["x",'),
        "object 4 cannot be read (a mask is no PNG",
    ),
    (
        datumaro,
        "annotations/default.json",
        ('"rle": {', '"lre": {'),
        ('"bbox": [', '"bbox": ["x", '),
        "annotation 4 cannot be read (KeyError: 'rle')",
    ),
]


@pytest.mark.parametrize(("write", "file", "mask", "other", "says"), BROKEN_SHAPES)
def test_a_broken_shape_is_left_out_and_two_refuse_the_export(
    folder: Path,
    run: Prepare,
    write: Callable[[Path], Any],
    file: str,
    mask: tuple[str, str],
    other: tuple[str, str],
    says: str,
) -> None:
    settings = write(folder)
    path = folder / file
    text = path.read_text()
    assert mask[0] in text and other[0] in text
    path.write_text(text.replace(*mask, 1))
    done = run(settings)
    assert [row[0] for row in labels_of_first(done)] == ["car", "person", "car"]
    (finding,) = [f for f in done.findings() if f["code"] == "bad_shape"]
    assert finding["severity"] == "warning" and finding["file"].endswith(Path(file).name)
    assert finding["message"].startswith(says)
    path.write_text(text.replace(*mask, 1).replace(*other, 1))
    with pytest.raises(DataError, match=r"2 of 4 annotations cannot be read \(bad_shape 2\)"):
        run(settings)


def test_each_file_of_many_images_is_judged_by_itself(folder: Path, run: Prepare) -> None:
    """One in twenty of each, not of all: what a good file has does not excuse a bad one."""
    settings = cvat(folder)
    good = (folder / "annotations.xml").read_text()
    for i in range(2):
        write_image(folder / "images" / f"more-{i}.jpg", 20 + i, *SIZE)
    shapes = "".join(
        f'<box label="car" xtl="{x}" ytl="{y}" xbr="{x + 5}" ybr="{y + 5}"/>'
        for x in range(0, 50, 6) for y in range(0, 40, 6)
    )  # fmt: skip
    images = (
        good[good.index("<image") :].replace("0.jpg", "more-0.jpg").replace("1.jpg", "more-1.jpg")
    )
    head = good[: good.index("<image")]
    (folder / "good.xml").write_text(head + images.replace("</image>", f"{shapes}</image>"))
    bad = good.replace('rle="', 'rle="7, ').replace('xtl="2.0"', 'xtl="left"')
    (folder / "annotations.xml").write_text(bad)
    with pytest.raises(DataError, match=r"annotations\.xml: 2 of 4 annotations cannot be read"):
        run(settings)
    (folder / "annotations.xml").write_text(good.replace('rle="', 'rle="7, '))
    assert run(settings).codes()["bad_shape"] == 1


def test_groups_of_datumaro_are_one_object(folder: Path, run: Prepare) -> None:
    settings = datumaro(folder)
    path = folder / "annotations" / "default.json"
    text = path.read_text().replace('"label_id": 1', '"label_id": 0')
    path.write_text(text.replace('"group": 0', '"group": 5', 3))  # two outlines and their box
    assert [row[1] for row in labels_of_first(run(settings))] == [
        pytest.approx(PATCH.sum()), pytest.approx(300)
    ]  # fmt: skip
    crowd = text.replace('"attributes": {}', '"attributes": {"is_crowd": true}', 1)
    path.write_text(crowd)
    found = run(settings).dataset.coco("train")["annotations"]
    assert sorted(a["iscrowd"] for a in found) == [0, 0, 0, 1]


def test_subsets_of_datumaro_are_splits(folder: Path, run: Prepare) -> None:
    settings = datumaro(folder)
    (folder / "annotations" / "default.json").rename(folder / "annotations" / "val.json")
    write_image(folder / "images" / "t.jpg", 7, *SIZE)
    content = json.loads((folder / "annotations" / "val.json").read_text())
    content["items"] = [{"id": "t", "annotations": [], "image": {"path": "t.jpg"}}]
    (folder / "annotations" / "train.json").write_text(json.dumps(content))
    assert run(settings).dataset.counts == {"train": 1, "val": 2, "test": 0, "pool": 0}


def test_an_alpha_mask_of_supervisely_is_a_mask(folder: Path, run: Prepare) -> None:
    settings = supervisely(folder)
    path = folder / "ds" / "ann" / "0.jpg.json"
    path.write_text(path.read_text().replace('"bitmap",', '"alpha_mask",'))
    pixels = coco.decode(labels_of_first(run(settings))[0][3]).astype(bool)
    assert (pixels == whole_patch()).all()


def test_a_mask_that_reaches_out_of_its_image_is_cut_off(folder: Path, run: Prepare) -> None:
    settings = supervisely(folder)
    path = folder / "ds" / "ann" / "0.jpg.json"
    path.write_text(path.read_text().replace('"origin": [5, 7]', '"origin": [-7, -4]'))
    mask = labels_of_first(run(settings))[0][3]
    pixels = coco.decode(mask).astype(bool)
    assert pixels[:2, :3].tolist() == PATCH[4:, 7:].tolist() and pixels.sum() == 6


@pytest.mark.parametrize("write", [labelme, cvat, labelstudio, supervisely, datumaro])
def test_files_of_labels_are_not_called_left_out(
    folder: Path, run: Prepare, write: Callable[[Path], Any]
) -> None:
    assert "left_out_files" not in run(write(folder)).codes()


@pytest.mark.parametrize("name", [None, "", "  "])
def test_a_shape_without_a_class_is_said(folder: Path, run: Prepare, name: str | None) -> None:
    settings = labelme(folder)
    path = folder / "json" / "0.json"
    content = json.loads(path.read_text())
    content["shapes"].append(thing("polygon", name, points=TRIANGLE))  # type: ignore[arg-type]
    path.write_text(json.dumps(content))
    done = run(settings)
    said = [f["message"] for f in done.findings() if "without a class" in f["message"]]
    assert said == ["1 shapes without a class are left out"]
    assert not {"", "None"} & set(done.dataset.names)


KINDS = {
    labelme: LabelmeSettings,
    cvat: CvatSettings,
    labelstudio: LabelstudioSettings,
    supervisely: SuperviselySettings,
    datumaro: DatumaroSettings,
}


@pytest.mark.parametrize(
    ("write", "kind"),
    [(write, kind) for write in KINDS for kind in KINDS.values() if KINDS[write] is not kind],
)
def test_the_folder_of_another_program_is_refused(
    folder: Path, run: Prepare, write: Callable[[Path], Any], kind: Any
) -> None:
    write(folder)
    with pytest.raises(DataError, match=f"dataset={write.__name__}"):
        run(kind(path=str(folder)))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"text": "a.b c", "shot": "http://h/x/1.jpg?token=a"}, "http://h/x/1.jpg?token=a"),
        ({"note": "s.", "picture": "/data/upload/3/a b.PNG"}, "/data/upload/3/a b.PNG"),
        ({"image": "s3://b/1", "x": "y.jpg"}, "y.jpg"),
        ({"image": "s3://b/1.jpg", "x": "y.jpg"}, "s3://b/1.jpg"),
        ({"x": "b/y.jpg", "mask": "masks/y.png"}, "b/y.jpg"),
        ({"image": "s3://b/1", "x": "y.txt"}, "s3://b/1"),
    ],
)
def test_the_image_of_a_task(data: dict[str, str], name: str) -> None:
    assert image_of(data) == name


def test_two_files_for_one_image(folder: Path, run: Prepare) -> None:
    settings = labelme(folder)
    copy = json.loads((folder / "json" / "0.json").read_text()) | {"shapes": []}
    (folder / "json" / "copy.json").write_text(json.dumps(copy))
    done = run(settings)
    assert done.codes()["labelled_twice"] == 1
    assert len(labels_of_first(done)) == 4
