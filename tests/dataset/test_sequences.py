"""Tracking input: every layout, names, roles, and what is no sequence."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask

from segtrack.base.errors import DataError, SettingsError
from segtrack.dataset import (
    SequencesSettings,
    VideoSequence,
    read_frames,
    sequences_from,
    signature,
)
from segtrack.dataset.sequence_sources import with_roles
from segtrack.dataset.sequences import from_json, to_json
from segtrack.formats import MOT_CLASSES
from segtrack.scoring.truth_files import read_truth
from tests.dataset.conftest import Prepare, YoloFolder, write_image

MOT17_ROW = "1,1,912,484,97,109,1,1,0.9\n"
MOT15_ROW = "1,1,88,99,61.08,218.56,1,4.4852,5.5016,0\n"
MOTS_ROW = "0 2001 2 48 64 {counts}\n"


def frames(folder: Path, count: int = 3) -> Path:
    for i in range(count):
        write_image(folder / f"{i + 1:06}.jpg", i)
    return folder


def mot(
    root: Path, row: str = MOT17_ROW, info: str = "frameRate=25\n", images: bool = True
) -> Path:
    if images:
        frames(root / "img1")
    for name in ("gt", "det"):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name / f"{name}.txt").write_text(row)
    (root / "seqinfo.ini").write_text(f"[Sequence]\nname={root.name}\nimDir=img1\n{info}")
    return root


def video(path: Path, count: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for i in range(count):
        writer.write(np.full((48, 64, 3), 40 * i, np.uint8))
    writer.release()
    return path


def test_a_motchallenge_folder(tmp_path: Path) -> None:
    (found,) = sequences_from(str(mot(tmp_path / "S-1")))
    assert (found.name, found.path) == ("S-1", tmp_path / "S-1" / "img1")
    assert (found.width, found.height, found.fps, found.frame_count) == (64, 48, 25.0, 3)
    assert found.gt == tmp_path / "S-1" / "gt" / "gt.txt"
    assert found.det == tmp_path / "S-1" / "det" / "det.txt"
    assert (found.gt_format, found.mots, found.role) == ("mot17", None, None)
    assert found.gt_classes == MOT_CLASSES


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (MOT17_ROW, "mot17"),
        (MOT15_ROW, "mot15"),
        ("1,1,466,139,91,193,1\n", "mot15"),
        ("1 1 466 139 91 193 1 1 1\n", "mot17"),
        ("1,1,466,139,91,193,1,1\n", "mot17"),
        ("1,1,466,139,91,193,1,4,0,2\n", "visdrone"),
        ("", "mot15"),
        ("0 2001 2 48 64 abc\n", "kitti_mots"),
        ("0 2001 2 48 64 a;c\n", "kitti_mots"),
    ],
)
def test_ground_truth_formats(tmp_path: Path, row: str, expected: str) -> None:
    (found,) = sequences_from(str(mot(tmp_path / "s", row)))
    assert found.gt_format == expected
    assert (found.mots is not None) == (expected == "kitti_mots")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("MOT20-01", "mot20"), ("mot20-05-half", "mot20"), ("MOT2015", "mot17"), ("S", "mot17")],
)
def test_rules_by_the_sequences_name(tmp_path: Path, name: str, expected: str) -> None:
    (found,) = sequences_from(str(mot(tmp_path / name, MOT17_ROW)))
    assert found.gt_format == expected


def test_labels_of_cvat(tmp_path: Path) -> None:
    rows = "1,1,9,8,7,6,1,1,1\n1,2,9,8,7,6,1,2,1\n"
    folder = mot(tmp_path / "s", rows)
    (folder / "gt" / "labels.txt").write_text("car\r\nsmall truck \r\n\r\n")
    (found,) = sequences_from(str(folder))
    assert (found.gt_format, found.gt_classes) == ("mot17", ((1, "car"), (2, "small truck")))
    (folder / "gt" / "labels.txt").write_text("car\n")
    with pytest.raises(DataError, match=r"gt\.txt, line 2: class ids 2 .* are not among 1 car"):
        sequences_from(str(folder))
    (folder / "gt" / "labels.txt").write_text("car\n\nbus\n")
    with pytest.raises(DataError, match=r"labels\.txt, line 2: no name"):
        sequences_from(str(folder))
    (folder / "gt" / "labels.txt").write_text("car\nbus\n")
    (folder / "gt" / "gt.txt").write_text("1,1,9,8,7,6,1\n")
    with pytest.raises(DataError, match=r"no column for the class, but labels\.txt .* names 2"):
        sequences_from(str(folder))


def test_classes_that_nothing_names(tmp_path: Path) -> None:
    rows = "1,1,9,8,7,6,1,1,1\n1,2,9,8,7,6,-1,0,-1\n1,3,9,8,7,6,-1,14,-1\n"
    with pytest.raises(DataError, match=r"gt\.txt, line 2: class ids 0, 14 \(eighth column\)"):
        sequences_from(str(mot(tmp_path / "s", rows)))


def test_classes_that_are_minus_one_are_none(tmp_path: Path) -> None:
    """As in UAVDT's ``_gt.txt``; that with all columns is not MOTChallenge's."""
    folder = mot(tmp_path / "s", "1,1,9,8,7,6,1,-1,-1\n2,1,9,8,7,6,1,-1,-1\n")
    (sequence,) = sequences_from(str(folder))
    assert (sequence.gt_format, sequence.gt_classes) == ("mot15", ())
    boxes = read_truth(sequence).boxes
    assert boxes is not None and boxes.class_id.tolist() == [1, 1] and boxes.judged.all()
    (folder / "gt" / "gt.txt").write_text("1,1,9,8,7,6,1,2,3\n")
    with pytest.raises(DataError, match="line 1: the ninth column is a visibility"):
        sequences_from(str(folder))
    # Of cars alone, one of which leaves the view; a visible car is one of MOT16's rows.
    (folder / "gt" / "gt.txt").write_text("1,1,9,8,7,6,1,2,1\n2,1,9,8,7,6,2,3,1\n")
    with pytest.raises(DataError, match=r"line 2: columns of UAVDT's .*take its _gt\.txt"):
        sequences_from(str(folder))
    (folder / "gt" / "gt.txt").write_text("1,1,9,8,7,6,1,2,1\n2,1,9,8,7,6,1,3,1\n")
    assert sequences_from(str(folder))[0].gt_format == "mot17"


def test_images_of_another_size_than_the_labels(tmp_path: Path, run: Prepare) -> None:
    info = "frameRate=25\nimWidth={}\nimHeight=48\n"
    folder = mot(tmp_path / "s", info=info.format(640))
    found = run(SequencesSettings(path=str(folder)))
    assert found.codes()["size_differs"] == 1
    folder = mot(tmp_path / "t", info=info.format(64), images=True)
    assert "size_differs" not in run(SequencesSettings(path=str(folder))).codes()
    (folder / "mots").mkdir()
    row = MOTS_ROW.format(counts="a;c")
    (folder / "mots" / "instances.txt").write_text(row.replace(" 48 64 ", " 96 128 "))
    with pytest.raises(DataError, match="masks of 128 x 96 pixels, the frames of t have 64 x 48"):
        sequences_from(str(folder))


def test_boxes_that_seem_to_be_corners(tmp_path: Path, run: Prepare) -> None:
    rows = ["1,1,10,10,60,40,1,1,1", "2,1,40,30,63,47,1,1,1", "3,1,0,0,9,9,1,1,1"]
    folder = mot(tmp_path / "s", "\n".join(rows))
    assert run(SequencesSettings(path=str(folder))).codes()["corners"] == 1
    rows.append("3,2,30,30,20,10,1,1,1")  # which cannot be corners
    (folder / "gt" / "gt.txt").write_text("\n".join(rows))
    assert "corners" not in run(SequencesSettings(path=str(folder))).codes()
    rows[3] = "3,2,30,30,70,40,1,1,1"  # nor can this: the frame is 64 px wide
    (folder / "gt" / "gt.txt").write_text("\n".join(rows))
    assert "corners" not in run(SequencesSettings(path=str(folder))).codes()


def test_a_folder_of_something_else_says_what(tmp_path: Path) -> None:
    (tmp_path / "s.zip").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(DataError, match=r"Of s\.zip: it is a ZIP archive: unpack it"):
        sequences_from(str(tmp_path))


def test_rows_go_by_the_numbers_of_images(tmp_path: Path, run: Prepare) -> None:
    folder = mot(tmp_path / "s", "51,1,9,8,7,6,1,1,1\n53,1,9,8,7,6,1,1,1\n")
    for old, new in ((3, 57), (2, 53), (1, 51)):
        (folder / "img1" / f"{old:06d}.jpg").rename(folder / "img1" / f"{new:06d}.jpg")
    found = run(SequencesSettings(path=str(folder)))
    (sequence,) = found.dataset.sequences
    assert sequence.image_numbers == (51, 53, 57)
    boxes = read_truth(sequence).boxes
    assert boxes is not None and boxes.frame.tolist() == [0, 1]
    assert found.codes()["frame_numbers"] == 1
    (folder / "gt" / "gt.txt").write_text("101,1,9,8,7,6,1,1,1\n")
    with pytest.raises(DataError, match="has frame 101, the sequence has images 51 to 57"):
        run(SequencesSettings(path=str(folder)))


def test_text_only(tmp_path: Path) -> None:
    info = "frameRate=14\nseqLength=418\nimWidth=640\nimHeight=480\n"
    (found,) = sequences_from(str(mot(tmp_path / "s", info=info, images=False)))
    assert found.path is None
    assert (found.width, found.height, found.fps, found.frame_count) == (640, 480, 14.0, 418)
    assert len(found.sha256) == 64


def test_masks_beside_boxes(tmp_path: Path) -> None:
    folder = mot(tmp_path / "s")
    (folder / "mots").mkdir()
    (folder / "mots" / "instances.txt").write_text(MOTS_ROW.format(counts="abc"))
    (found,) = sequences_from(str(folder))
    assert found.mots == folder / "mots" / "instances.txt"
    assert dict(found.mots_classes) == {1: "car", 2: "person", 10: "ignore"}


@pytest.mark.parametrize("root", [".", "training"])
def test_kitti_mots_as_downloaded(tmp_path: Path, root: str) -> None:
    base = tmp_path / root
    frames(base / "image_02" / "0002")
    (base / "instances_txt").mkdir()
    for name, counts in (("0002", "abc"), ("0007", "a;c")):  # a semicolon is a letter of RLE
        text = MOTS_ROW.format(counts=counts)
        (base / "instances_txt" / f"{name}.txt").write_text(text)
    with_frames, text_only = sequences_from(str(tmp_path))
    assert (with_frames.name, with_frames.path) == ("0002", base / "image_02" / "0002")
    assert (with_frames.gt_format, with_frames.mots) == ("kitti_mots", with_frames.gt)
    assert (text_only.name, text_only.path) == ("0007", None)
    assert (text_only.width, text_only.height) == (64, 48)


@pytest.mark.parametrize("root", [".", "training"])
def test_kitti_as_downloaded(tmp_path: Path, root: str) -> None:
    """Images have their numbers in their names, also where some are missing."""
    base = tmp_path / root
    frames(base / "image_02" / "0001")
    for old, new in ((1, 0), (2, 1), (3, 7)):
        place = base / "image_02" / "0001"
        (place / f"{old:06d}.jpg").rename(place / f"{new:06d}.jpg")
    (base / "label_02").mkdir()
    row = "{} 1 Car 0 0 -1.5 10 11 30 32 1 1 1 1 1 1 1\n"
    for name in ("0001", "0002"):
        (base / "label_02" / f"{name}.txt").write_text(row.format(0) + row.format(7))
    (base / "label_02" / "0003.txt").write_text(MOTS_ROW.format(counts="a;c"))
    first, text_only, masks = sequences_from(str(tmp_path))
    assert (first.name, first.gt_format, first.path) == ("0001", "kitti", base / "image_02/0001")
    boxes = read_truth(first).boxes
    assert boxes is not None and boxes.frame.tolist() == [0, 2]
    assert boxes.box.tolist() == [[10, 11, 30, 32]] * 2
    assert (text_only.name, text_only.path, text_only.mots) == ("0002", None, None)
    assert (masks.gt_format, masks.mots) == ("kitti_mots", base / "label_02" / "0003.txt")


def test_masks_in_pictures_are_told(tmp_path: Path) -> None:
    """As CVAT's MOTS PNG has them, with the names of the classes beside."""
    (tmp_path / "instances").mkdir()
    (tmp_path / "instances" / "labels.txt").write_text("car\n")
    write_image(tmp_path / "instances" / "000000.png", 1)
    with pytest.raises(DataError, match="instances: its masks are pictures, as CVAT's MOTS PNG"):
        sequences_from(str(tmp_path))


def test_a_folder_of_frames_warns_that_its_rate_is_a_guess(tmp_path: Path) -> None:
    told: list[tuple[str, str, str, str]] = []
    frames(tmp_path / "walk")
    (found,) = sequences_from(str(tmp_path / "walk"), lambda *words: told.append(words))
    assert (found.name, found.fps, found.frame_count, found.gt) == ("walk", 30.0, 3, None)
    ((code, file, message, hint),) = told
    assert (code, file) == ("no_frame_rate", str(tmp_path / "walk"))
    assert "30 frames/s are assumed" in message
    assert "frameRate" in hint


def test_a_folder_of_several_and_a_glob(tmp_path: Path) -> None:
    mot(tmp_path / "all" / "b")
    frames(tmp_path / "all" / "c")
    video(tmp_path / "all" / "a.avi")
    (tmp_path / "all" / "notes.txt").touch()
    (tmp_path / "all" / "empty").mkdir()
    assert [s.name for s in sequences_from(str(tmp_path / "all"))] == ["a", "b", "c"]
    assert [s.name for s in sequences_from(str(tmp_path / "all" / "[bc]"))] == ["b", "c"]
    assert [s.name for s in sequences_from(str(tmp_path / "**" / "*.avi"))] == ["a"]


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    for place in ("x", "y", "z"):
        video(tmp_path / place / "a.avi")
    names = [s.name for s in sequences_from(str(tmp_path / "*" / "a.avi"))]
    assert names == ["a", "a-2", "a-3"]


@pytest.mark.parametrize("name", ["two words", "a,b=c", "[x] (1)", "straße*", "-dash"])
def test_odd_names_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    video(tmp_path / name / f"{name}.avi")
    (found,) = sequences_from(str(tmp_path / name / f"{name}.avi"))
    assert (found.name, found.frame_count) == (name, 4)
    (found,) = sequences_from(str(tmp_path / name))
    assert found.name == name


@pytest.mark.parametrize(
    ("make", "pattern", "message"),
    [
        (lambda p: None, "no.mp4", r"no\.mp4: this video does not exist; name a video file"),
        (lambda p: None, "*.mp4", r"no video or folder matches this pattern"),
        (lambda p: (p / "e").mkdir(), "e", "holds no video, no frames and no sequence"),
        (lambda p: (p / "v.mp4").touch(), "v.mp4", r"v\.mp4: .*empty file"),
        (lambda p: mot(p / "s", "1,2,3\n"), "s", r"gt\.txt:1: 3 columns; a row is  frame,id"),
        (lambda p: mot(p / "s", info="frameRate=fast\n"), "s", "framerate is 'fast'"),
        (lambda p: (mot(p / "s") / "seqinfo.ini").write_text("x"), "s", "not readable as seqinfo"),
        (lambda p: (p / "s" / "det").mkdir(parents=True), "s", "neither frames in img1 nor gt"),
    ],
)
def test_no_sequence(tmp_path: Path, make: object, pattern: str, message: str) -> None:
    make(tmp_path)  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        sequences_from(str(tmp_path / pattern))


def test_roles() -> None:
    found = tuple(
        VideoSequence(name, None, "", 1, 1, 1.0, 1) for name in ("MOT17-02", "MOT17-04", "MOT17-05")
    )
    named = with_roles(found, ["MOT17-02"], ["MOT17-05"])
    assert [s.role for s in named] == ["tuning", None, "test"]
    with pytest.raises(SettingsError, match=r"no sequence 'MOT17-2' \(nearest: MOT17-02\)"):
        with_roles(found, ["MOT17-2"], [])
    with pytest.raises(SettingsError, match="MOT17-04: is the same footage as"):
        with_roles(found, ["MOT17-04"], ["MOT17-04", "MOT17-05"])


def test_json_keeps_a_sequence_and_survives_the_move_of_its_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "partial" / "v.mp4", tmp_path / "elsewhere.txt"
    sequence = VideoSequence(
        "v", inside, "ab", 4, 3, 29.97, 7, outside, "mot17", gt_classes=((1, "a"),)
    )
    row = to_json(sequence, tmp_path / "partial")
    assert row["path"] == "v.mp4"
    moved = from_json(row, tmp_path / "final")
    assert moved == replace(sequence, path=tmp_path / "final" / "v.mp4")


def test_paths_as_typed_are_relative_to_where_the_command_is_run(
    tmp_path: Path, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = video(tmp_path / "clips" / "a.avi")
    monkeypatch.chdir(tmp_path)
    (found,) = run(SequencesSettings(path="clips")).dataset.sequences
    assert found.path == clip
    assert sum(1 for _ in read_frames(found)) == 4


def test_prepare_of_sequences(tmp_path: Path, run: Prepare) -> None:
    mot(tmp_path / "all" / "b")
    video(tmp_path / "all" / "a.avi")
    frames(tmp_path / "all" / "c")
    settings = SequencesSettings(
        path=str(tmp_path / "all"), tuning=["b"], test=["a"], classes={"vehicle": ["car", "bus"]}
    )
    found = run(settings)
    assert [(s.name, s.role) for s in found.dataset.sequences] == [
        ("a", "test"),
        ("b", "tuning"),
        ("c", None),
    ]
    assert found.dataset.names == ("vehicle",)
    assert found.dataset.class_map == {"car": "vehicle", "bus": "vehicle"}
    assert sum(found.dataset.counts.values()) == 0
    assert found.reported["data/sequences"] == 3
    assert found.codes() == {"no_frame_rate": 1}
    assert not (found.dataset.folder / "contact_sheet.jpg").exists()
    (tmp_path / "all" / "b" / "gt" / "gt.txt").write_text(MOT17_ROW.replace("912", "911"))
    assert run(settings).dataset.fingerprint != found.dataset.fingerprint
    with pytest.raises(DataError, match=r"dataset=sequences needs dataset\.path"):
        run(SequencesSettings())


def test_videos_beside_images(tmp_path: Path, run: Prepare) -> None:
    from segtrack.dataset import YoloSettings

    folder = YoloFolder(tmp_path / "data")
    video(tmp_path / "clips" / "x.avi")
    settings = YoloSettings(path=str(folder.root), videos=str(tmp_path / "clips" / "*.avi"))
    first = signature(settings)
    dataset = run(settings).dataset
    assert [s.name for s in dataset.sequences] == ["x"]
    assert dataset.counts["train"] == 8
    video(tmp_path / "clips" / "y.avi")
    assert signature(settings) != first


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ("car\nperson\n", ((1, "car"), (2, "person"))),
        ("\ufeffcar\r\nperson", ((1, "car"), (2, "person"))),
        ("traffic light\n Bus \n\n", ((1, "traffic light"), (2, "Bus"))),
        ("\n".join(name for _, name in MOT_CLASSES), MOT_CLASSES),
        ("pedestrian\na\nb\nc\nd\nnon_mot\nStatic_Person\n", MOT_CLASSES),
        ("", MOT_CLASSES),
    ],
)
def test_spellings_of_labels(tmp_path: Path, labels: str, classes: object) -> None:
    """A list of its own in any spelling; MOTChallenge's own keeps that benchmark's rules."""
    folder = mot(tmp_path / "MOT20-01")
    (folder / "gt" / "labels.txt").write_bytes(labels.encode())
    told: list[str] = []
    (found,) = sequences_from(str(folder), lambda code, *_: told.append(code))
    assert found.gt_classes == classes
    own = classes == MOT_CLASSES
    assert found.gt_format == ("mot20" if own else "mot17")
    assert told == (["mot20"] if own else [])  # which rules hold is said


def test_labels_that_name_a_class_twice(tmp_path: Path) -> None:
    folder = mot(tmp_path / "s")
    (folder / "gt" / "labels.txt").write_text("car\nbus\ncar\n")
    with pytest.raises(DataError, match=r"labels\.txt, line 3: 'car' is line 1 too"):
        sequences_from(str(folder))


@pytest.mark.parametrize(
    ("name", "rows", "frames_of_rows", "told"),
    [
        ("s", (0, 1, 2), [0, 1, 2], []),
        ("s", (1, 2, 3), [0, 1, 2], []),  # as MOTSChallenge counts, or the last would be missing
        ("MOTS20-02", (1, 2), [0, 1], []),
        ("s", (1, 2), [1, 2], ["mask_frames"]),
    ],
)
def test_first_frame_of_masks(
    tmp_path: Path, name: str, rows: tuple[int, ...], frames_of_rows: list[int], told: list[str]
) -> None:
    folder = frames(tmp_path / name / "img1").parent
    counts = mask.encode(np.asfortranarray(np.ones((48, 64), np.uint8)))["counts"].decode()
    (folder / "gt").mkdir()
    text = "".join(f"{row} 2001 2 48 64 {counts}\n" for row in rows)
    (folder / "gt" / "gt.txt").write_text(text)
    (folder / "seqinfo.ini").write_text("[Sequence]\nframeRate=10\n")
    said: list[str] = []
    (found,) = sequences_from(str(folder), lambda code, *_: said.append(code))
    masks = read_truth(found).masks
    assert masks is not None and masks.frame.tolist() == frames_of_rows and said == told
    (folder / "gt" / "gt.txt").write_text(text.replace(f"{rows[-1]} 2001", "4 2001"))
    with pytest.raises(DataError, match="has frame 4, the sequence has frames"):
        sequences_from(str(folder))  # before anything is detected
    (folder / "gt" / "gt.txt").write_text(text + "time 2001 2 48 64 a\n")
    with pytest.raises(DataError, match=r"gt\.txt, line \d: 'time' is no frame number"):
        sequences_from(str(folder))


def test_detections_that_mean_other_frames_are_said(tmp_path: Path) -> None:
    folder = mot(tmp_path / "s", "51,1,9,8,7,6,1,1,1\n")
    for number in (3, 2, 1):
        old = folder / "img1" / f"{number:06d}.jpg"
        old.rename(old.with_name(f"{number + 50:06d}.jpg"))
    (folder / "det" / "det.txt").write_text("1,-1,9,8,7,6,1\n")
    told: list[tuple[str, str]] = []
    sequences_from(str(folder), lambda code, file, *_: told.append((code, Path(file).name)))
    assert told == [("frame_numbers", "gt.txt"), ("frame_numbers", "det.txt")]
    (folder / "det" / "det.txt").write_text("nonsense\n")  # matters to those only who ask for it
    sequences_from(str(folder), lambda *_: None)


@pytest.mark.parametrize("address", ["file:///videos/a.mp4", "FTP://host/a.mp4", "s3://b/a.mp4"])
def test_an_address_that_is_not_read_is_said(address: str) -> None:
    with pytest.raises(DataError, match=f"^{address}: addresses of this kind are not read; give"):
        sequences_from(address)
