"""Pictures of every kind: which file is one, and that each reader sees the same of it."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from segtrack.dataset import CocoSettings, Dataset, ImagesSettings, YoloSettings, read_pixels
from segtrack.dataset.checks import ChecksFailed
from segtrack.dataset.pixels import HEAD, is_picture
from segtrack.settings import SplitFractions
from tests.dataset.conftest import SQUARE, Prepare

SIZE = (64, 48)

# Name of the file, Pillow's name of the format (None: OpenCV's, by the suffix).
KINDS = {
    "a.jpg": "JPEG",
    "b.JPG": "JPEG",
    "c.jfif": "JPEG",
    "d.jpe": "JPEG",
    "e.Jpeg": "JPEG",
    "f": "JPEG",
    "g.photo": "JPEG",
    "h.png": "JPEG",  # another kind than its suffix says
    "i.jpg": "PNG",
    "j.apng": "PNG",
    "k.bmp": "BMP",
    "l.dib": "BMP",
    "m.tiff": "TIFF",
    "n.dat": "TIFF",
    "o.webp": "WEBP",
    "p.avif": "AVIF",
    "q": "AVIF",
    "r.jp2": "JPEG2000",
    "s.ppm": "PPM",
    "t.pnm": "PPM",
    "u.gif": "GIF",
    "v.GIF": "GIF",
    "w.mpo": "MPO",
    "x.tga": "TGA",
    "y.qoi": "QOI",
    "z.pam": None,
    "za.dng": "TIFF",
    "zb.dds": "DDS",
    "zc.pcx": "PCX",
    "aa.v2.1": "JPEG",
}


def content(number: int, form: str | None, **options: object) -> bytes:
    """A picture of smooth noise that differs by ``number``."""
    small = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
    image = cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC)
    if form is None:
        return cv2.imencode(".pam", image)[1].tobytes()
    file = io.BytesIO()
    Image.fromarray(image).save(file, form, **options)
    return file.getvalue()


def write_all(folder: Path) -> None:
    (folder / "images").mkdir(parents=True)
    for number, (name, form) in enumerate(KINDS.items()):
        (folder / "images" / name).write_bytes(content(number, form))


def read_by_ultralytics(dataset: Dataset) -> list[Path]:
    """The images that a training would see, as ultralytics itself finds and checks them."""
    from ultralytics.data import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    from segtrack.model.ultralytics import library  # noqa: F401  before ultralytics

    data = check_det_dataset(str(dataset.yolo_yaml), autodownload=False)
    found = YOLODataset(img_path=data["train"], data=data, task="segment", imgsz=64)
    assert all(len(label["segments"]) == 1 for label in found.labels)
    return [Path(file) for file in found.im_files]


@pytest.mark.parametrize("decode", [True, False])
def test_training_and_prediction_see_each_and_the_same(
    tmp_path: Path, run: Prepare, decode: bool
) -> None:
    write_all(tmp_path / "set")
    (tmp_path / "set" / "labels").mkdir()
    for name in KINDS:
        label = "aa.v2.1.txt" if name == "aa.v2.1" else Path(name).stem + ".txt"
        label = "g.photo.txt" if name == "g.photo" else "n.dat.txt" if name == "n.dat" else label
        (tmp_path / "set" / "labels" / label).write_text(SQUARE)
    (tmp_path / "set" / "data.yaml").write_text("train: images\nnames: [car]\n")
    splits = SplitFractions(1, 0, 0, 0)
    found = run(YoloSettings(path=str(tmp_path / "set"), splits=splits, decode=decode))
    dataset = found.dataset
    assert dataset.counts["train"] == found.reported["data/annotations/train"] == len(KINDS)
    assert found.codes() == {"no_val": 1}
    rows = dataset.images("train")
    assert {row.path.name for row in rows} == set(KINDS)
    files = read_by_ultralytics(dataset)
    from ultralytics.utils.patches import imread

    assert len(files) == len(KINDS)
    for row, file in zip(rows, files, strict=True):  # both in the order of the image's number
        own = read_pixels(row.path)
        assert own is not None and own.shape[1::-1] == (row.width, row.height) == SIZE
        np.testing.assert_array_equal(own, imread(file), err_msg=row.file_name)


def test_all_sources_take_them_alike(tmp_path: Path, run: Prepare) -> None:
    import json

    write_all(tmp_path / "set")
    images = run(ImagesSettings(path=str(tmp_path / "set"), classes=["car"]))
    assert images.dataset.counts["pool"] == len(KINDS)
    box = {"bbox": [4, 4, 20, 20], "segmentation": [[4, 4, 24, 4, 24, 24, 4, 24]], "area": 400}
    coco = {
        "images": [
            {"id": i, "file_name": f"images/{name}", "width": 64, "height": 48}
            for i, name in enumerate(KINDS)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "iscrowd": 0, **box}
            for i in range(len(KINDS))
        ],
        "categories": [{"id": 1, "name": "car"}],
    }
    (tmp_path / "set" / "a.json").write_text(json.dumps(coco))
    settings = CocoSettings(
        path=str(tmp_path / "set"), annotations="a.json", splits=SplitFractions(1, 0, 0, 0)
    )
    dataset = run(settings).dataset
    assert dataset.counts["train"] == len(KINDS)
    assert len(read_by_ultralytics(dataset)) == len(KINDS)


def test_what_is_left_out_is_one_line(tmp_path: Path, run: Prepare) -> None:
    write_all(tmp_path / "set")
    for name in ("v.mp4", "w.mp4", "x.MTS", "raw.nef", "doc.pdf", "deep/none", "a.txt"):
        path = tmp_path / "set" / "images" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"II*\x00 no picture that counts" if name == "raw.nef" else b"nothing")
    for name in ("Thumbs.db", ".DS_Store", "._a.jpg", "@eaDir/a.jpg"):
        path = tmp_path / "set" / "images" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content(99, "JPEG"))
    found = run(ImagesSettings(path=str(tmp_path / "set"), classes=["car"]))
    assert found.dataset.counts["pool"] == len(KINDS)
    (finding,) = [f for f in found.findings() if f["code"] == "left_out_files"]
    assert finding["message"].startswith("7 files are left out, not read as pictures: 2 .mp4")
    for kind in ("1 .mts", "1 .nef", "1 .pdf", "1 no suffix", "1 .txt"):
        assert kind in finding["message"]
    (tmp_path / "set" / "data.yaml").write_text("pool: images\nnames: [car]\n")
    found = run(YoloSettings(path=str(tmp_path / "set")))
    (finding,) = [f for f in found.findings() if f["code"] == "left_out_files"]
    assert finding["message"].startswith("6 files are left out")  # text belongs there


def test_a_folder_of_videos_says_what_was_left_out(tmp_path: Path, run: Prepare) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(ChecksFailed, match=r"holds no image .*1 file is left out.*1 \.mp4.*video="):
        run(ImagesSettings(path=str(tmp_path / "set"), classes=["car"]))


@pytest.mark.parametrize(
    ("name", "form"), [("a.gif", "GIF"), ("a.tif", "TIFF"), ("a.webp", "WEBP"), ("a.png", "PNG")]
)
def test_of_several_pictures_the_first_counts_and_that_is_said(
    tmp_path: Path, run: Prepare, name: str, form: str
) -> None:
    more = [Image.new("RGB", SIZE, colour) for colour in ("red", "green")]
    (tmp_path / "set").mkdir()
    first = content(0, form, save_all=True, append_images=more)
    (tmp_path / "set" / name).write_bytes(first)
    found = run(ImagesSettings(path=str(tmp_path / "set"), classes=["car"]))
    (finding,) = found.findings()
    assert finding["message"] == "holds 3 pictures; the first one counts"
    own = read_pixels(tmp_path / "set" / name)
    alone = Image.open(io.BytesIO(first)).convert("RGB")
    assert own is not None and np.abs(own[..., ::-1].astype(int) - np.asarray(alone)).max() <= 4


def test_a_turned_avif_is_read_upright(tmp_path: Path, run: Prepare) -> None:
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.avif").write_bytes(content(0, "AVIF", exif=exif))
    found = run(ImagesSettings(path=str(tmp_path / "set"), classes=["car"]))
    (row,) = found.dataset.images("pool")
    image = read_pixels(row.path)
    assert image is not None
    assert image.shape[:2] == (row.height, row.width) == SIZE


def test_heic_without_a_reader_says_what_to_install(tmp_path: Path, run: Prepare) -> None:
    from segtrack.dataset.pixels import register_heif

    if register_heif():
        pytest.skip("a reader of HEIC is installed")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    with pytest.raises(ChecksFailed, match=r"IMG_1\.HEIC: HEIC, which needs a package: pip inst"):
        run(ImagesSettings(path=str(tmp_path / "set"), classes=["car"]))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (b"BMW is no bitmap, nor is this one", False),
        (b"P6 is a processor", False),
        (b"P5\n64 48\n255\n", True),
        (b"P3 # by hand\n", True),
        (b"\0\0\0\x18ftypisom\0\0\0\0", False),
        (b"\0\0\0\x18ftypheic\0\0\0\0", True),
        (b"RIFF\0\0\0\0WAVEfmt ", False),
        (b"II*\0\x08\0\0\0", True),
        (b"<html>", False),
    ],
)
def test_first_bytes(data: bytes, expected: bool) -> None:
    assert is_picture(data[:HEAD]) is expected
