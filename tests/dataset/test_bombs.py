"""Files that ask for more than they are worth: each ends in one message, before it is unfolded."""

import base64
import io
import json
import os
import re
import socket
import struct
import time
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from segtrack.base.errors import DataError
from segtrack.dataset import prepare, signature, video, video_stream
from segtrack.dataset.cleaning import clean_polygon
from segtrack.dataset.image_files import MOST_PICTURES, read_image_file
from segtrack.dataset.sequence_sources import sequences_from
from segtrack.dataset.sources.coco import CocoSettings
from segtrack.dataset.sources.cvat import CvatSettings
from segtrack.dataset.sources.images import ImagesSettings
from segtrack.dataset.sources.labelme import LabelmeSettings
from segtrack.dataset.sources.labelstudio import LabelstudioSettings
from segtrack.dataset.sources.supervisely import SuperviselySettings
from segtrack.dataset.sources.yolo import YoloSettings
from segtrack.dataset.video import probe_video
from segtrack.formats import read_mots
from segtrack.settings import DatasetSettings
from tests.dataset.conftest import write_image

HUGE = 40_000  # px a side: 1.6 gigapixels
SQUARE = [[10, 10], [30, 10], [30, 20], [10, 20]]


def png(width: int, height: int, rows: int = 1) -> bytes:
    """A grey PNG of that size, of which ``rows`` are there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes((width + 1) * rows)))
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


def tiff(pages: int, width: int = 1, height: int = 1) -> bytes:
    """A TIFF of so many pages of a grey pixel; of the first the size is told."""
    out = bytearray(b"II*\0" + struct.pack("<I", 8))
    for page in range(pages):
        size = (width, height) if page == 0 else (1, 1)
        tags = [(256, 4, size[0]), (257, 4, size[1]), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
        tags += [(273, 4, 0), (278, 4, size[1]), (279, 4, 1)]
        rows = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
        following = len(out) + 2 + len(rows) + 4 if page < pages - 1 else 0
        out += struct.pack("<H", len(tags)) + rows + struct.pack("<I", following)
    return bytes(out)


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 60, 0, 54, 40, width, height, 1, 24, *(0,) * 6)


def ico(inside: bytes) -> bytes:
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inside), 22) + inside


def webp(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "WEBP", lossless=True)
    data = bytearray(out.getvalue())
    struct.pack_into("<I", data, 21, (width - 1) | (height - 1) << 14)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (png(HUGE, HUGE), f"has {HUGE} x {HUGE} pixels, more than the 200000000 that are allowed"),
        (tiff(1, HUGE, HUGE), f"has {HUGE} x {HUGE} pixels"),
        (bmp(HUGE, HUGE), f"has {HUGE} x {HUGE} pixels"),
        (b"P6 40000 40000 255\n", f"has {HUGE} x {HUGE} pixels"),
        (b"GIF89a" + struct.pack("<HHBBB", HUGE, HUGE, 0, 0, 0) + b"\x2c" + bytes(20), "pixels"),
        (webp(16_000, 16_000), "has 16000 x 16000 pixels"),
        (ico(png(HUGE, HUGE)), f"has {HUGE} x {HUGE} pixels"),
        (png(0, 0), "not readable as an image"),
        (b"", "empty"),
        (b"P7\nWIDTH 40000\nHEIGHT 40000\nDEPTH 3\nMAXVAL 255\nENDHDR\n", "not readable"),
    ],
)
def test_an_image_is_measured_before_it_is_decoded(
    tmp_path: Path, data: bytes, says: str, bomb: Callable[..., str]
) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(data)
    assert re.search(says, bomb(ImagesSettings(path=str(tmp_path / "set"), classes=["car"])))


def test_the_limit_is_a_knob(tmp_path: Path, bomb: Callable[..., str]) -> None:
    write_image(tmp_path / "a.png", 0, 64, 48)
    said = bomb(ImagesSettings(path=str(tmp_path), classes=["car"], max_pixels=3071))
    assert f"{tmp_path / 'a.png'}: has 64 x 48 pixels, more than the 3071 that are allowed" in said
    assert "raise dataset.max_pixels" in said
    for limit in (3072, None):  # what the cache knows of the file is read again
        assert bomb(ImagesSettings(path=str(tmp_path), classes=["car"], max_pixels=limit)) == ""
    said = bomb(ImagesSettings(path=str(tmp_path), classes=["car"], max_pixels=3071))
    assert "more than the 3071" in said


def test_a_file_of_more_bytes_than_pixels_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(100 << 30)  # a hole: it has 100 GB, and none of them on the disk
    found = read_image_file(str(tmp_path / "a.png"), True)
    assert found.error == "has 107374182400 bytes, more than an image of 200000000 pixels"


def test_pages_of_a_tiff_are_not_counted_for_ever(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(20_000))
    begun = time.perf_counter()
    assert read_image_file(str(tmp_path / "a.tif"), False).pictures == MOST_PICTURES
    assert time.perf_counter() - begun < 5


def test_frames_are_measured_too(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(png(HUGE, HUGE))
    with pytest.raises(DataError, match=rf"0\.png: has {HUGE} x {HUGE} pixels.*Scale the frames"):
        probe_video(tmp_path)


def film(path: Path, packets: list[bytes]) -> Path:
    """A MOV whose header says 32 x 24 pixels, of PNG frames of any size."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "gray"
        for i, data in enumerate(packets):
            packet = av.Packet(data)
            packet.stream, packet.is_keyframe, packet.time_base = stream, True, Fraction(1, 25)
            packet.pts = packet.dts = i
            container.mux(packet)
    return path


def test_frames_of_a_video_are_measured_by_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (video, video_stream):
        monkeypatch.setattr(module, "MAX_PIXELS", 3000)
    small, large = png(32, 24, 24), png(64, 48, 48)
    with pytest.raises(DataError, match=r"large\.mov: has 64 x 48 pixels, more than the 3000"):
        probe_video(film(tmp_path / "large.mov", [large] * 2))
    grows = probe_video(film(tmp_path / "grows.mov", [small, small, large, large]))
    frames = video.read_frames(grows)
    assert [next(frames).shape, next(frames).shape] == [(24, 32, 3)] * 2
    with pytest.raises(DataError, match=r"grows.mov: .* 2 frames could be read.*near frame 2"):
        next(frames)


def _declaring(count: int, folder: Path) -> Path:
    """A video of two frames whose header says ``count``."""
    data = bytearray(film(folder / "v.mov", [png(32, 24, 24)] * 2).read_bytes())
    struct.pack_into(">I", data, data.find(b"stts") + 12, count)
    (folder / "v.mov").write_bytes(data)
    return folder / "v.mov"


def test_a_video_that_declares_a_thousand_million_frames(tmp_path: Path) -> None:
    found = probe_video(_declaring(10**9, tmp_path))
    frames = video.read_frames(found)
    assert found.frame_count == 10**9 and next(frames).shape == (24, 32, 3)
    assert len(list(frames)) == 1


GT = "1,1,10,10,20,20,1\n"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"seqinfo.ini": "seqLength=999999999"}, "seqlength is '999999999', not .* to 10000000"),
        ({"seqinfo.ini": "seqLength=" + "9" * 5000}, "seqlength is '9{60}'"),
        ({"seqinfo.ini": "imWidth=1000000\nimHeight=1000000"}, "a frame has 1000000 x 1000000"),
        ({"seqinfo.ini": "frameRate=nan"}, "framerate is 'nan'"),
        ({"seqinfo.ini": "frameRate=%(frameRate)s"}, r"framerate is '%\(frameRate\)s'"),
        ({"gt/gt.txt": "1000000000000,1,1,1,2,2,1\n"}, "frames end at 10000000"),
        ({"gt/gt.txt": f"1,1{'0' * 300},1,1,2,2,1\n"}, r"a whole number below 2\^53"),
        ({"gt/gt.txt": "1,1,1e308,1,1e308,2,1\n"}, r"a box ends below 1e\+09 pixels"),
        ({"mots/instances.txt": "1e12 1001 1 9 9 a\n"}, "'1e12' is no frame number"),
    ],
)
def test_a_sequence_of_text(tmp_path: Path, files: dict[str, str], says: str) -> None:
    whole = {"gt/gt.txt": GT} | files
    for name, text in whole.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[Sequence]\n" + text if name == "seqinfo.ini" else text)
    with pytest.raises(DataError, match=says) as refused:
        sequences_from(str(tmp_path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("0 1001 1 100000 100000 PPP", "a frame has 100000 x 100000 pixels"),
        ("0 1001 1 x 100000 PPP", "height and width are .'x', '100000'., not numbers"),
    ],
)
def test_masks_of_absurd_sizes(tmp_path: Path, row: str, says: str) -> None:
    (tmp_path / "instances_txt").mkdir()
    (tmp_path / "instances_txt" / "0001.txt").write_text(row + "\n")
    with pytest.raises(DataError, match=says):
        sequences_from(str(tmp_path))
    if "x" not in row:
        with pytest.raises(DataError, match="line 1: frames of more than 200000000 pixels"):
            read_mots(tmp_path / "instances_txt" / "0001.txt")


def test_frames_of_any_number(tmp_path: Path) -> None:
    for name in ("1", "999999999"):
        write_image(tmp_path / "img1" / f"{name}.png", 0)
    (found,) = sequences_from(str(tmp_path))
    assert found.image_numbers == (1, 999_999_999)
    write_image(tmp_path / "img1" / f"2{'0' * 30}.png", 0)  # no number of a frame
    (found,) = sequences_from(str(tmp_path))
    assert (found.image_numbers, found.frame_count) == ((), 3)


def test_a_glob_does_not_follow_circles(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).symlink_to(".")
    with pytest.raises(DataError, match=r"/[ab]: links lead in a circle"):
        sequences_from(f"{tmp_path}/**/*.mp4")


def _loop(folder: Path) -> None:
    (folder / "images" / "again").symlink_to("..")


def _two(folder: Path) -> None:
    (folder / "images" / "b").mkdir()
    (folder / "images" / "c").mkdir()
    (folder / "images" / "b" / "to").symlink_to("../c")
    (folder / "images" / "c" / "to").symlink_to("../b")


def _doubling(folder: Path) -> None:
    """No circle, but two links on every level, to the next: 2^20 ways to the last."""
    for level in range(20):
        (folder / f"images/{level}").mkdir()
        for name in "xy":
            (folder / f"images/{level}/{name}").symlink_to(f"../{level + 1}")
    (folder / "images/20").mkdir()


def _to_the_root(folder: Path) -> None:
    (folder / "images" / "all").symlink_to("/")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_loop, r"images/again: links lead in a circle: it is a link to .*, in which it lies"),
        (_two, r"to: links lead in a circle"),
        (_to_the_root, r"images/all: links lead in a circle: it is a link to /, in which"),
        (_doubling, r"is one of more than 1000 links to"),
    ],
)
def test_links_that_lead_round(
    tmp_path: Path, make: Callable[[Path], None], says: str, bomb: Callable[..., str]
) -> None:
    write_image(tmp_path / "images" / "a.png", 0)
    make(tmp_path)
    (tmp_path / "data.yaml").write_text("train: images\nnames: [car]\n")
    settings = YoloSettings(path=str(tmp_path))
    with pytest.raises(DataError, match=says):
        signature(settings)
    assert re.search(says, bomb(settings))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_pipe, "is no file"),
        (_socket, "is no file"),
        (lambda path: path.symlink_to("/dev/zero"), "is no file"),
        (lambda path: path.symlink_to(path), "is a broken link"),
        (lambda path: path.symlink_to("nowhere"), "is a broken link"),
        (lambda path: path.mkdir(), "holds no image"),
    ],
)
def test_what_is_no_file_is_named_and_not_opened(
    tmp_path: Path, make: Callable[[Path], None], says: str, bomb: Callable[..., str]
) -> None:
    (tmp_path / "set").mkdir()
    make(tmp_path / "set" / "a.jpg")
    said = bomb(ImagesSettings(path=str(tmp_path / "set"), classes=["car"]))
    assert says in said and ("a.jpg" in said or "holds no image" in said)
    assert "is no file" in read_image_file("/dev/zero", True).error


@pytest.mark.parametrize("kind", [CvatSettings, LabelmeSettings, LabelstudioSettings])
def test_a_pipe_among_labels_is_not_opened(
    tmp_path: Path, kind: type[DatasetSettings], bomb: Callable[..., str]
) -> None:
    write_image(tmp_path / "a.png", 0)
    for suffix in ("json", "xml", "yaml"):
        os.mkfifo(tmp_path / f"a.{suffix}")
    assert f"{tmp_path}: no " in bomb(kind(path=str(tmp_path)))


def coco(segmentation: str, size: str = "64") -> str:
    image = f'{{"id": 1, "file_name": "a.png", "width": {size}, "height": 48}}'
    one = f'{{"id": 1, "image_id": 1, "category_id": 1, "segmentation": {segmentation}}}'
    kinds = '"categories": [{"id": 1, "name": "car"}]'
    return f'{{"images": [{image}], {kinds}, "annotations": [{one}]}}'


def nested(depth: int) -> str:
    return "[" * depth + "1" + "]" * depth


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (coco(nested(100_000)), "line 1: nested too deeply"),
        (coco(nested(900)), "annotation 1: it is nested too deeply"),
        (coco(nested(60)), "annotation 1: it is nested too deeply"),
        (coco(f'"{nested(900)}"'), "segmentation is nested too deeply"),
        (coco(f'"{nested(100_000)}"'), "segmentation is '"),
        (nested(100_000), "begins with '\\['"),
        ('{"images": [], "categories": [' + nested(5000) + "]}", "nested too deeply"),
        (coco("[[" + "9" * 5000 + "]]"), "4300 digits"),
        (coco("[[1e999, 1, 2, 3, 4, 5]]"), "inf is not a finite number"),
        (coco('{"size": [100000, 100000], "counts": [10000000000]}'), "has size"),
        (coco('{"size": [48, 64], "counts": [3072000000000]}'), "covers 3072000000000 pixels"),
        (coco('{"size": [48, 64], "counts": [-1, 3073]}'), "not whole numbers from 0"),
        (coco('{"size": [48, 64], "counts": "oooooooooooooo0"}'), "a number of 15 digits"),
        (coco('{"size": [48, 64], "counts": "PPPPPP7"}'), "more than 2\\^32|of negative|covers"),
    ],
)
def test_coco_json(tmp_path: Path, text: str, says: str, bomb: Callable[..., str]) -> None:
    write_image(tmp_path / "a.png", 0)
    (tmp_path / "l.json").write_text(text)
    assert re.search(says, bomb(CocoSettings(path=str(tmp_path))))


def test_outlines_without_end(tmp_path: Path, bomb: Callable[..., str]) -> None:
    write_image(tmp_path / "images" / "a.png", 0)
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("train: images\nnames: [car]\n")
    label = tmp_path / "labels" / "a.txt"
    label.write_text("0 " + " ".join(["0 0 1 1 0 1"] * 100_000))
    said = bomb(YoloSettings(path=str(tmp_path)))
    assert "polygon runs more than 1000 times across the image; it is left out" in said
    angle = np.arange(100_000) * (2 * np.pi / 100_000)  # a circle: all pairs of edges are 10^10
    circle = np.stack([np.cos(angle), np.sin(angle)], 1) * 0.4 + 0.5
    cleaned = clean_polygon(circle, (1.0, 1.0), 1, "polygon")
    assert cleaned.remarks == [] and cleaned.area == pytest.approx(0.16 * np.pi, rel=0.005)


def test_many_categories(tmp_path: Path, bomb: Callable[..., str]) -> None:
    write_image(tmp_path / "a.png", 0)
    kinds = ", ".join(f'{{"id": {i}, "name": "car {i}"}}' for i in range(20_000))
    text = '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": ['
    (tmp_path / "l.json").write_text(text + kinds + "]}")
    assert "no usable label of car 0, car 1" in bomb(CocoSettings(path=str(tmp_path)))


def test_names_of_a_yolo_folder(tmp_path: Path, bomb: Callable[..., str]) -> None:
    write_image(tmp_path / "images" / "a.png", 0)
    aliases = "".join(f"l{i}: &l{i} [{','.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 30))
    text = f"l0: &l0 [x]\n{aliases}names: *l29\ntrain: images\n"
    (tmp_path / "data.yaml").write_text(text)
    assert "data.yaml: cannot be read as YAML (its aliases" in bomb(
        YoloSettings(path=str(tmp_path))
    )


WIDE = base64.b64encode(png(96, 9, 9)).decode()
BOMB = base64.b64encode(png(HUGE, HUGE)).decode()
DEFLATED = base64.b64encode(zlib.compress(b"\x89PNG\r\n\x1a\n" + bytes(50_000_000))).decode()


def labelme(width: Any = 64, **shape: Any) -> str:
    shapes = [{"label": "car", "points": SQUARE, "group_id": None, **shape}]
    sizes = {"imageWidth": width, "imageHeight": 48}
    return json.dumps({"shapes": shapes, "imagePath": "a.png", "flags": {}, **sizes})


def supervisely(width: Any = 64, **shape: Any) -> str:
    one = {"classTitle": "car", "geometryType": "polygon", **shape}
    return json.dumps({"size": {"height": 48, "width": width}, "objects": [one]})


def labelstudio(value: dict[str, Any], width: Any = 64) -> str:
    region = {"id": "r", "type": "brushlabels", "original_width": width, "original_height": 48}
    result = [region | {"value": {"brushlabels": ["car"], **value}}]
    return json.dumps([{"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": result}]}])


def cvat(mask: str, width: str = "64") -> str:
    image = f'<image id="0" name="a.png" width="{width}" height="48">{mask}</image>'
    return f"<annotations><meta/>{image}</annotations>"


LAUGH = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))


@pytest.mark.parametrize(
    ("kind", "file", "text", "says"),
    [
        (LabelmeSettings, "a.json", nested(100_000), "nested too deeply"),
        (LabelmeSettings, "a.json", labelme(shape_type="mask", mask=BOMB), "a mask is no PNG"),
        (
            LabelmeSettings,
            "a.json",
            labelme(shape_type="mask", mask=WIDE),
            "96 x 9 pixels on 64",
        ),
        (LabelmeSettings, "a.json", labelme(10**9, shape_type="mask", mask=BOMB), "10{9} x 48"),
        (LabelmeSettings, "a.json", labelme(points=[[1e999, 1]], shape_type="circle"), "shape 1 "),
        (SuperviselySettings, "ann/a.png.json", nested(100_000), "nested too deeply"),
        (
            SuperviselySettings,
            "ann/a.png.json",
            supervisely(geometryType="bitmap", bitmap={"origin": [0, 0], "data": DEFLATED}),
            "a mask is no PNG",
        ),
        (
            SuperviselySettings,
            "ann/a.png.json",
            supervisely(10**9, points={"exterior": SQUARE, "interior": [SQUARE]}),
            "has 10{9} x 48 pixels",
        ),
        (LabelstudioSettings, "l.json", '[{"result": ' + nested(100_000) + "}]", "too deeply"),
        (LabelstudioSettings, "l.json", labelstudio({"rle": [255] * 99}, 10**9), "has 10{9} x 48"),
        (LabelstudioSettings, "l.json", labelstudio({"rle": [255] * 99}), "covers 1073741823"),
        (LabelstudioSettings, "l.json", labelstudio({"rle": [10**30]}), "OverflowError"),
        (CvatSettings, "l.xml", cvat("", "1" + "0" * 9), "has 10{9} x 48 pixels"),
        (
            CvatSettings,
            "l.xml",
            f"<!DOCTYPE a [<!ENTITY l0 'lol'>{LAUGH}]>" + cvat("<x>&l9;</x>"),
            "amplification",
        ),
        (
            CvatSettings,
            "l.xml",
            cvat('<mask label="car" left="0" top="0" width="9" height="9" rle="999999999999"/>'),
            "covers 999999999999 pixels",
        ),
        (
            CvatSettings,
            "l.xml",
            cvat('<mask label="car" left="inf" top="0" width="9" height="9" rle="81"/>'),
            "OverflowError",
        ),
    ],
)
def test_drawn_shapes(
    tmp_path: Path,
    kind: type[DatasetSettings],
    file: str,
    text: str,
    says: str,
    bomb: Callable[..., str],
) -> None:
    write_image(tmp_path / "a.png", 0)
    (tmp_path / "ann").mkdir()
    (tmp_path / file).write_text(text)
    (tmp_path / "meta.json").write_text('{"classes": [{"title": "car"}]}')
    assert re.search(says, bomb(kind(path=str(tmp_path))))


@pytest.fixture
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """``prepare``, which has to refuse within seconds; its message, empty where it went well."""
    cache = tmp_path_factory.mktemp("cache")

    def refused(settings: DatasetSettings) -> str:
        settings.workers = 1
        begun = time.perf_counter()
        try:
            prepare(settings, 0, tmp_path_factory.mktemp("out"), lambda *_: None, cache)
        except DataError as error:
            assert time.perf_counter() - begun < 10
            return str(error)
        return ""

    return refused


def test_a_pipe_for_a_list_of_images(tmp_path: Path, bomb: Callable[..., str]) -> None:
    (tmp_path / "data.yaml").write_text("train: l.txt\nval: l.txt\nnames: [car]\n")
    os.mkfifo(tmp_path / "l.txt")
    assert re.search(r"l\.txt", bomb(YoloSettings(path=str(tmp_path))))
