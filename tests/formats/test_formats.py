"""Readers and writers of text formats: round trips, and what is said of malformed rows."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from segtrack.base.errors import DataError
from segtrack.dataset.sequences import VideoSequence
from segtrack.formats import (
    KittiTable,
    MotsTable,
    MotTable,
    read_kitti,
    read_mot,
    read_mots,
    read_visdrone,
    write_kitti,
    write_mot,
    write_mots,
)
from segtrack.model.predictions import PredictionsInfo
from segtrack.tracker import (
    TrackRows,
    Tracks,
    TracksInfo,
    TrackSummary,
    TracksWriter,
    read_results,
    write_info,
    write_results,
)

MOT17 = "1,3,794.2,247.5,71.2,174.8,1,1,0.8\n2,3,798,247,70,175,1,1,1\n"
KITTI = "0 1 Car 0 2 -1.57 296.7 161.7 455.2 292.3 2.0 1.8 4.4 -4.5 1.8 13.4 -2.1\n"
PIXELS = np.zeros((4, 5), np.uint8)
PIXELS[1:3, 2:4] = 1
RLE = coco.encode(np.asfortranarray(PIXELS))["counts"].decode()
MOTS = f"0 2001 2 4 5 {RLE}\n"


def same(one: object, other: object) -> None:
    """Two tables have the same columns, value for value."""
    for field in fields(one):  # type: ignore[arg-type]
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, err_msg=field.name)
            assert a.dtype == b.dtype
        else:
            assert a == b, field.name


@pytest.mark.parametrize(
    ("row", "class_id", "visibility", "position"),
    [
        ("1,3,1,2,3,4,.9", None, None, None),
        ("1,3,1,2,3,4,.9,2", 2, None, None),
        ("1,3,1,2,3,4,.9,2,.5", 2, 0.5, None),
        ("1,3,1,2,3,4,1,-1,-1", None, -1, None),
        ("1,3,1,2,3,4,1,-1", None, None, None),
        ("1,3,1,2,3,4,.9,-1,-1,-1", None, None, (-1, -1, -1)),
        ("1,3,1,2,3,4,.9,2,-1,-1", 2, None, None),
        ("1,3,1,2,3,4,.9,2.5,-1,-1", None, None, (2.5, -1, -1)),
        ("1,3,1,2,3,4,1,0,0,0", None, None, (0, 0, 0)),
        ("1 3 1 2 3 4 .9 2", 2, None, None),
        ("1\t3\t1\t2\t3\t4\t.9\t2", 2, None, None),
        ("1, 3, 1, 2, 3, 4, .9, 2,", 2, None, None),
        ("\ufeff1.0,3.0,1,2,3,4,.9,2.0\r", 2, None, None),
    ],
)
def test_what_the_eighth_column_is(
    tmp_path: Path, row: str, class_id: object, visibility: object, position: object
) -> None:
    path = tmp_path / "gt.txt"
    path.write_text(f"{row}\n\n", encoding="utf-8")
    table = read_mot(path)
    assert (table.frame[0], table.track_id[0]) == (0, 3)
    assert table.bbox_xywh.tolist() == [[1, 2, 3, 4]]
    found = [None if c is None else c[0] for c in (table.class_id, table.visibility)]
    assert found == [class_id, visibility]
    assert (None if table.position is None else tuple(table.position[0])) == position


def test_visdrone_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1,0,5,6,7,8,0,0,0,0\n1,0,1,2,3,4,0,0,0,0\n1,3,1,2,3,4,1,4,0,1\n")
    table = read_visdrone(path)
    assert table.class_id is not None and table.class_id.tolist() == [0, 0, 4]
    assert table.conf.tolist() == [0, 0, 1] and table.track_id.tolist() == [0, 0, 3]


def test_more_columns_behind_kittis_score(tmp_path: Path) -> None:
    path = tmp_path / "0000.txt"
    path.write_text(KITTI.replace("-2.1\n", "-2.1 0.8 17\n"))
    table = read_kitti(path)
    assert table.score is not None and table.score.tolist() == [0.8]
    assert table.rotation_y.tolist() == [-2.1]


def test_mot_columns(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text(MOT17)
    table = read_mot(path)
    assert table.frame.tolist() == [0, 1]
    assert table.track_id.tolist() == [3, 3]
    assert table.bbox_xywh[0].tolist() == [794.2, 247.5, 71.2, 174.8]
    assert table.bbox_xyxy[1].tolist() == [798, 247, 868, 422]
    assert table.class_id is not None and table.class_id.tolist() == [1, 1]
    assert table.visibility is not None and table.visibility.tolist() == [0.8, 1]
    assert table.position is None


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_file_has_no_rows(tmp_path: Path, text: str) -> None:
    path = tmp_path / "empty.txt"
    path.write_text(text)
    assert len(read_mot(path).frame) == 0
    assert len(read_kitti(path).frame) == 0
    assert len(read_mots(path).frame) == 0


def test_untidy_but_readable(tmp_path: Path) -> None:
    """Blanks around numbers, a comma too much, blank lines, or no commas at all."""
    path = tmp_path / "t.txt"
    for text in (
        "1, 2, 3, 4, 5, 6, 0.5,\n\n2, 2, 3, 4, 5, 6, 1\n",
        "1 2 3 4 5 6 0.5\n2 2 3 4 5 6 1\n",
    ):
        path.write_text(text)
        assert read_mot(path).conf.tolist() == [0.5, 1]


ROWS = ["1,3,794.2,247.5,71.2,174.8,1,1,0.8", "2,3,798,247,70,175,1,1,1"]


@pytest.mark.parametrize(
    ("separator", "end", "before"),
    [
        (",", "\n", ""),
        (",", "\r\n", ""),
        (",", "\n", "\ufeff"),
        (",", ",\r\n", "\ufeff\r\n"),
        (", ", "\n", ""),
        (" ", "\n", ""),
        ("  ", " \n", "\n"),
        ("\t", "\t\n", ""),
        ("\t", "\r\n", "\ufeff"),
        (",\t", "\n", ""),
        (";", ";\n", ""),
        (",", "\n\n \n", ""),
    ],
)
def test_separators_and_ends(tmp_path: Path, separator: str, end: str, before: str) -> None:
    """The same rows, however they were written; also with floats where whole numbers are meant."""
    path = tmp_path / "t.txt"
    for rows in (ROWS, [row.replace("1,3,", "1.0,3.0,").replace("2,3,", "2e0,3,") for row in ROWS]):
        text = before + "".join(row.replace(",", separator) + end for row in rows)
        path.write_bytes(text.encode())
        table = read_mot(path)
        assert table.frame.tolist() == [0, 1] and table.track_id.tolist() == [3, 3]
        assert table.bbox_xywh.tolist() == [[794.2, 247.5, 71.2, 174.8], [798, 247, 70, 175]]
        assert table.class_id is not None and table.class_id.tolist() == [1, 1]
        assert table.visibility is not None and table.visibility.tolist() == [0.8, 1]


@pytest.mark.parametrize("more", ["", " 0.9", " 0.9 -1", " 0.9 -1 -1 x nan"])
def test_what_follows_the_score_of_kitti_is_not_read(tmp_path: Path, more: str) -> None:
    path = tmp_path / "t.txt"
    text = (KITTI + KITTI.replace("0 1 Car", "1.0 -1 dontcare")).replace("\n", more + "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    table = read_kitti(path)
    assert table.frame.tolist() == [0, 1] and table.kind == ("Car", "DontCare")
    assert table.bbox_xyxy[0].tolist() == [296.7, 161.7, 455.2, 292.3]
    assert (None if table.score is None else table.score.tolist()) == ([0.9, 0.9] if more else None)


def test_detections_have_no_ids(tmp_path: Path) -> None:
    path = tmp_path / "det.txt"
    path.write_text("1,-1,10,20,5,6,0.9\n1,-1,11,20,5,6,0.8\n")
    assert read_mot(path, tracks=False).track_id.tolist() == [-1, -1]
    with pytest.raises(DataError, match="line 1: an id is 0 or more"):
        read_mot(path)


numbers = st.floats(-1e6, 1e6, allow_nan=False).map(float)


@given(
    st.lists(st.tuples(*[numbers] * 5), max_size=5),
    st.sampled_from(["plain", "class", "position"]),
)
@settings(deadline=None, max_examples=30)
def test_mot_round_trip(tmp_path_factory: pytest.TempPathFactory, rows: list, layout: str) -> None:
    values = np.array(rows, np.float64).reshape(-1, 5)
    index = np.arange(len(rows))
    given_table = MotTable(
        index,
        index + 4,
        np.c_[values[:, :2], np.abs(values[:, 2:4])],
        values[:, 4],
        index + 1 if layout == "class" else None,
        np.clip(values[:, 0], -1, 1) if layout == "class" else None,
        values[:, :3] if layout == "position" else None,
    )
    path = tmp_path_factory.mktemp("mot") / "t.txt"
    write_mot(path, given_table)
    if rows:
        same(read_mot(path), given_table)


def test_kitti_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "0000.txt"
    index = np.arange(3)
    rng = np.random.default_rng(0)
    for score in (None, rng.random(3)):
        table = KittiTable(
            index,
            index - 1,
            ("DontCare", "Car", "Person_sitting"),
            *(rng.integers(-1, 3, 3).astype(float) for _ in range(2)),
            rng.random(3),
            np.cumsum(rng.random((3, 2, 2)), axis=1).reshape(3, 4) * 500,
            rng.random((3, 3)),
            rng.random((3, 3)),
            rng.random(3),
            score,
        )
        write_kitti(path, table)
        same(read_kitti(path), table)


@pytest.mark.parametrize("first_frame", [0, 1])
def test_mots_round_trip(tmp_path: Path, first_frame: int) -> None:
    path = tmp_path / "0000.txt"
    frames, classes = np.array([0, 0, 3]), np.array([2, 10, 2])
    table = MotsTable(frames, classes * 1000, classes, 4, 5, (RLE.encode(),) * 3)
    write_mots(path, table, first_frame)
    assert path.read_text().startswith(f"{first_frame} 2000 2 4 5 ")
    same(read_mots(path, first_frame), table)


BAD: list[tuple[Callable[[Path], object], str, str]] = [
    (read_mot, MOT17 + "3,3,1,2,3,4,1,1\n", "line 3: 8 columns"),
    (read_mot, "1,2,3\n", "line 1: 3 columns, 7 to 10 expected"),
    (read_mot, MOT17 + "3,3,9,9,-3,4,1,1,1\n", "line 3: a box has a negative width or height"),
    (read_kitti, KITTI.replace("455.2", "255.2"), "line 1: a box has a negative width"),
    (read_mot, "684,8,73,16,1,4,0,2,\n", "line 1: columns of VisDrone's single images"),
    (read_mot, MOT17 + "3,3,1,2,3,4,1,2,3\n", "line 3: the ninth column is a visibility, 0 to 1"),
    (read_mot, "\n" + MOT17 + "3,3,x1,2,3,4,1,1,1\n", "line 4: 'x1' is not a finite number"),
    (read_mot, MOT17 + "3,3,nan,2,3,4,1,1,1\n", "line 3: 'nan' is not a finite number"),
    (read_mot, MOT17 + "3,3,1,inf,3,4,1,1,1\n", "line 3: 'inf' is not a finite number"),
    (read_mot, MOT17 + "3,3,,2,3,4,1,1,1\n", "line 3: '' is not a finite number"),
    (read_mot, MOT17 + "0,3,1,2,3,4,1,1,1\n", "line 3: frames count from 1: '0,3"),
    (read_mot, MOT17 + "-5,3,1,2,3,4,1,1,1\n", "line 3: frames count from 1: '-5,3"),
    (read_mot, MOT17 + "3.5,3,1,2,3,4,1,1,1\n", "line 3: a frame is a whole number"),
    (read_mot, MOT17 + "\n2,3,1,2,3,4,1,1,1\n", "line 4: id 3 is there twice in the same frame"),
    (read_kitti, KITTI + "0 1 Car\n", "line 2: 3 columns"),
    (read_kitti, KITTI.replace("296.7", "wide"), "line 1: .*'wide'"),
    (read_kitti, KITTI.replace("296.7", "nan"), "line 1: not a finite number"),
    (read_kitti, "-" + KITTI.replace("0 1", "1 1", 1), "line 1: frames count from 0"),
    (read_kitti, KITTI + KITTI, "line 2: id 1 is there twice"),
    (read_mots, MOTS + "1 2001 2 4 5\n", "line 2: 5 columns"),
    (read_mots, MOTS.replace(" 2001 ", " -2001 "), "line 1: an id is 0 or more"),
    (read_mots, MOTS + f"x 2001 2 4 5 {RLE}\n", "line 2: 'x' is not a whole number"),
    (read_mot, "1,3,1,2,3,4,1,1.5\n", "line 1: a class is a whole number"),
    (read_mot, "1,3,1,2,3,4,1_0\n", "line 1: '1_0' is not a finite number"),
    (read_mot, "frame,id,left,top,w,h,conf,class,vis\n" + MOT17, "line 1: names of columns"),
    (read_mot, "# frame id x y w h conf\n", "line 1: names of columns, .*; remove the line"),
    (read_mot, "1,2.5,1,2,3,4,1\n", "line 1: an id is a whole number"),
    (read_mot, "1,1e300,1,2,3,4,1\n", "line 1: an id is a whole number"),
    (read_mot, "1700000000,1,1,2,3,4,1\n", "line 1: frames end at 10000000; a time stamp"),
    (read_kitti, KITTI.replace("0 1", "1700000000 1", 1), "line 1: frames end at 10000000"),
    (read_kitti, KITTI.replace("0 1", "1.5 1", 1), "line 1: a frame is a whole number"),
    (read_mots, f"1.5 2001 2 4 5 {RLE}\n", "line 1: '1.5' is not a whole number"),
    (read_mots, f"inf 2001 2 4 5 {RLE}\n", "line 1: 'inf' is not a whole number"),
    (read_mots, f"{10**20} 2001 2 4 5 {RLE}\n", "line 1: '1000.*' is not a whole number"),
    (read_mots, f"1700000000 2001 2 4 5 {RLE}\n", "line 1: frames end at 10000000"),
    (read_mots, f"-1 2001 2 4 5 {RLE}\n", "line 1: frames count from 0"),
    (read_mots, MOTS + f"1 2001 2 4 6 {RLE}\n", "line 2: another size"),
    (read_mots, f"0 2001 2 5 5 {RLE}\n", "line 1: the mask is no RLE of 5 x 5 pixels"),
    (read_mots, f"0 2001 2 4 5 {RLE}!\n", "line 1: the mask is no RLE"),
    (read_mots, MOTS + MOTS, "line 2: id 2001 is there twice"),
]


@pytest.mark.parametrize(("reader", "text", "message"), BAD)
def test_malformed_rows(
    tmp_path: Path, reader: Callable[[Path], object], text: str, message: str
) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        reader(path)
    assert str(caught.value).startswith(str(path))


def test_a_missing_file(tmp_path: Path) -> None:
    for reader in (read_mot, read_kitti, read_mots):
        with pytest.raises(DataError, match=r"nothing\.txt: not readable"):
            reader(tmp_path / "nothing.txt")


def results_file(folder: Path) -> tuple[Path, list[TrackRows]]:
    """A results.json as the pipeline writes it, and what is in it."""
    frames = [
        TrackRows(
            frame,
            np.array([1, 2]),
            np.array([0, 1], np.int16),
            np.array([0.9, 0.1], np.float32),
            np.array([[0, 0, 2.25, 3], [1, 1, 5, 4]], np.float32),
            [RLE.encode(), None],
            np.array([False, frame == 2]),
            np.array([[-1, 0.5, 2, 3], [1, 1, 6, 4]], np.float32),
        )
        for frame in (0, 2)
    ]
    with TracksWriter(folder / "tracks.parquet") as writer:
        for rows in frames:
            writer.add(rows)
    info = TracksInfo(("person", "car"), 3, 5, 4, 10.0, {"name": "bytetrack"})
    write_info(folder, info, [TrackSummary(i + 1, i, 0, 2, 2, 0.5) for i in range(2)])
    sequence = VideoSequence("street", None, "ab" * 32, 5, 4, 10.0, 3)
    predicted = PredictionsInfo(("person", "car"), 3, 5, 4, 10.0, "", "", 640, 0.05)
    run = dict.fromkeys(("mlflow_run_id", "config_hash", "git_commit")) | {"created_at": "now"}
    write_results(Tracks.load(folder), sequence, predicted, info.tracker, run, folder)
    return folder / "results.json", frames


def test_results_round_trip(tmp_path: Path) -> None:
    path, frames = results_file(tmp_path)
    results = read_results(path)
    assert results.names == {0: "person", 1: "car"}
    assert results.video["name"] == "street" and results.model is None
    assert results.tracker == {"name": "bytetrack"}
    for one, other in zip(results.frames, frames, strict=True):
        same(one, other)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"track_id": 2', '"track_id": 1', r"objects\[1\]: track_id 1 is there twice in frame 0"),
        ('"size": [4, 5]', '"size": [5, 4]', r"objects\[0\]: its RLE has size \[5, 4\]"),
        ('"width": 5', '"width": 100000', r"objects\[0\]: its RLE has size .* \[4, 100000\]"),
        (
            '"counts": "',
            '"counts": "ooooooooooo',
            r"objects\[0\]: its RLE has a number of \d+ digits",
        ),
        ('"track_id": 2', f'"track_id": 1{"0" * 300}', "an id is beyond all numbers"),
        ('"run": {', '"run": {"x": ' + "[" * 100_000 + "], ", "not readable as JSON .nested too"),
        ('"score": 0.9', '"score": "high"', r"at \$\.objects\[0\]\.score: 'high' is not"),
        ("}", "", "not readable as JSON"),
    ],
)
def test_malformed_results(tmp_path: Path, old: str, new: str, message: str) -> None:
    path, _ = results_file(tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_results(path)
