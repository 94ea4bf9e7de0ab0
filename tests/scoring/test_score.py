"""Scores of trajectories: the rules of each ground truth, the files of the stage, combination."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco

from segtrack.base.errors import DataError
from segtrack.dataset.sequence_sources import KITTI_MOTS_CLASSES
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.sources.traffic_sim.render import GT_CLASSES, MOTS_CLASSES
from segtrack.formats import MOT_CLASSES
from segtrack.scoring.combine import combined, score_metrics
from segtrack.scoring.counts import FIELDS
from segtrack.scoring.kits import score_kit
from segtrack.scoring.score import SequenceScores, score_tracks
from segtrack.scoring.truth import Truth
from segtrack.scoring.truth_files import build_truth
from segtrack.tracker.motfiles import mot_lines
from segtrack.tracker.tracks import TrackRows, Tracks, TracksInfo, TracksWriter, write_info
from tests.scoring import made
from tests.tracker.conftest import Reported

HEIGHT, WIDTH = 60, 90
NAMES = ("person", "car", "bus", "dog")
BASE = VideoSequence("street", None, "", WIDTH, HEIGHT, 10.0, 0)
Object = tuple[int, int, int, tuple[float, float, float, float]]  # frame, id, class, xyxy


def rle(box: tuple[float, ...]) -> bytes:
    x1, y1, x2, y2 = (int(v) for v in box)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y1:y2, x1:x2] = 1
    return bytes(coco.encode(np.asfortranarray(mask))["counts"])


def tracks_of(folder: Path, objects: list[Object], masks: bool = False, **info: object) -> Tracks:
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"names": NAMES, "frame_count": 3, "width": WIDTH, "height": HEIGHT, "fps": 10.0}
    with TracksWriter(folder / "tracks.parquet") as writer:
        for frame in sorted({one[0] for one in objects}):
            rows = sorted((one for one in objects if one[0] == frame), key=lambda one: one[1])
            box = np.array([one[3] for one in rows], np.float32)
            writer.add(
                TrackRows(
                    frame,
                    np.array([one[1] for one in rows]),
                    np.array([one[2] for one in rows], np.int16),
                    np.linspace(0.9, 0.5, len(rows)).astype(np.float32),
                    box + 1000,  # scored are the boxes of the tracker, as published ones are
                    [rle(one[3]) if masks else None for one in rows],
                    np.zeros(len(rows), bool),
                    box,
                )
            )
    write_info(folder, TracksInfo(tracker={}, **{**facts, **info}), [])  # type: ignore[arg-type]
    return Tracks.load(folder)


def scored(
    folder: Path,
    text: str,
    objects: list[Object],
    merge: dict[str, str] | None = None,
    **changes: object,
) -> SequenceScores:
    """Scores of boxes, ground truth as text (mot17 with the simulator's classes by default)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gt.txt").write_text(text)
    facts: dict[str, object] = {"gt_format": "mot17", "gt_classes": GT_CLASSES, **changes}
    sequence = replace(BASE, gt=folder / "gt.txt", **facts)  # type: ignore[arg-type]
    return _scored(folder, sequence, tracks_of(folder, objects), merge)


def _scored(
    folder: Path,
    sequence: VideoSequence,
    tracks: Tracks,
    merge: dict[str, str] | None = None,
) -> SequenceScores:
    report = Reported()
    build_truth(sequence, folder, report)
    truth = Truth.load(folder)
    score_tracks(truth, tracks, tracks.info.names, folder, report, merge)
    assert set(report) == {"speed/truth_ms", "speed/score_ms"}
    return SequenceScores.load(folder)


def totals(scores: SequenceScores, kind: str = "box") -> dict[str, tuple[int, int, int]]:
    """True positives, misses, false positives by class."""
    return {
        name: tuple(int(counts[FIELDS.index(f)]) for f in ("CLR_TP", "CLR_FN", "CLR_FP"))  # type: ignore[misc]
        for (of, name), counts in scores.counts.items()
        if of == kind
    }


A, B, C = (0.0, 0.0, 10.0, 20.0), (30.0, 0.0, 40.0, 20.0), (60.0, 0.0, 70.0, 20.0)
SIM = (
    "1,1,0,0,10,20,1,1,1\n"  # a person
    "1,2,30,0,10,20,1,3,1\n"  # a car
    "1,3,60,0,10,20,0,8,0.1\n"  # too hidden to be judged
)


def test_classes_are_judged_alone(tmp_path: Path) -> None:
    """A car's box on the person is a false positive of cars; the person is missed."""
    scores = scored(tmp_path, SIM, [(0, 1, 1, A), (0, 2, 1, B)])
    assert totals(scores) == {
        "person": (0, 1, 0),
        "car": (1, 0, 1),
        "truck": (0, 0, 0),
        "bus": (0, 0, 0),
    }


@pytest.mark.parametrize("class_id", [0, 1, 2])
def test_whatever_matches_a_distractor_is_removed(tmp_path: Path, class_id: int) -> None:
    scores = scored(tmp_path, SIM, [(0, 1, 0, A), (0, 2, 1, B), (0, 3, class_id, C)])
    assert totals(scores) == {
        "person": (1, 0, 0),
        "car": (1, 0, 0),
        "truck": (0, 0, 0),
        "bus": (0, 0, 0),
    }


def test_a_distractor_excuses_one_box_only(tmp_path: Path) -> None:
    scores = scored(tmp_path, SIM, [(0, 1, 0, A), (0, 2, 1, B), (0, 3, 1, C), (0, 4, 1, C)])
    assert totals(scores)["car"] == (1, 0, 1)


def test_of_motchallenge_persons_only(tmp_path: Path) -> None:
    """Cars are not judged; an unmarked person is neither a hit nor excused."""
    text = SIM.replace("1,3,60", "1,4,15,0,10,20,0,1,1\n1,3,60")
    objects: list[Object] = [(0, 1, 0, A), (0, 2, 1, B), (0, 3, 0, C), (0, 4, 0, (15, 0, 25, 20))]
    scores = scored(tmp_path, text, objects, gt_classes=MOT_CLASSES)
    assert totals(scores) == {"person": (1, 0, 1)}


def test_mot15_has_persons_and_no_classes(tmp_path: Path) -> None:
    text = "1,1,0,0,10,20,1,-1,-1,-1\n1,2,30,0,10,20,0,-1,-1,-1\n"
    objects: list[Object] = [(0, 1, 0, A), (0, 2, 1, B)]
    scores = scored(tmp_path, text, objects, gt_format="mot15", gt_classes=())
    assert totals(scores) == {"person": (1, 0, 0)}


def test_merged_classes(tmp_path: Path) -> None:
    """The model's vehicles are the ground truth's cars, trucks and buses."""
    merge = dict.fromkeys(("car", "truck", "bus"), "vehicle")
    text = SIM + "1,5,0,30,10,20,1,15,1\n"
    tracks = tracks_of(
        tmp_path,
        [(0, 1, 0, A), (0, 2, 1, B), (0, 3, 1, (0, 30, 10, 50)), (0, 4, 1, C)],
        names=("person", "vehicle"),
    )
    (tmp_path / "gt.txt").write_text(text)
    sequence = replace(
        BASE, gt=tmp_path / "gt.txt", gt_format="mot17", gt_classes=GT_CLASSES
    )  # fmt: skip
    scores = _scored(tmp_path, sequence, tracks, merge=merge)
    assert totals(scores) == {"person": (1, 0, 0), "vehicle": (2, 0, 0)}


def test_files_of_the_stage(tmp_path: Path) -> None:
    text = "".join(f"{t},1,0,0,10,20,1,1,1\n" for t in (1, 2, 4)) + "4,2,30,0,10,20,1,3,1\n"
    objects: list[Object] = [(0, 5, 0, A), (1, 6, 0, A), (3, 6, 0, A), (3, 7, 3, B)]
    scores = scored(tmp_path, text, objects)
    document = json.loads((tmp_path / "scores.json").read_text())
    assert document["sequence"] == scores.name == "street"
    assert document["frames"] == 4  # though the container says 3
    assert document["left_out"] == ["dog"]
    assert document["missing"] == ["truck"]
    person = document["box"]["person"]
    assert person["MOTA"] == pytest.approx(2 / 3)
    assert person["IDSW"] == 1 and len(person["per_alpha"]["HOTA"]) == 19
    assert document["box"]["car"]["FN"] == 1
    events = json.loads((tmp_path / "events.json").read_text())
    assert events["switches"] == [
        {
            "kind": "box",
            "class_name": "person",
            "frame": 1,
            "gt_id": 1,
            "old_track": 5,
            "new_track": 6,
        }
    ]


def test_no_tracks_and_no_ground_truth(tmp_path: Path) -> None:
    assert totals(scored(tmp_path / "a", SIM, []))["person"] == (0, 1, 0)
    empty = scored(tmp_path / "b", "", [(0, 1, 0, A)])
    assert totals(empty)["person"] == (0, 0, 1)
    said = score_metrics({"b": empty}, {})
    assert "track/hota" not in said and "track/video/b/mota" not in said
    assert said["track/fp"] == 1  # a count needs no ground truth
    kept = score_metrics({"a": scored(tmp_path / "d", SIM, [(0, 1, 0, A)]), "b": empty}, {})
    assert kept["track/video/a/hota"] == pytest.approx(0.5**0.5)  # one of two is found
    assert "track/video/b/hota" not in kept
    assert kept["track/mota"] == 0  # of both together: one found, one invented
    nothing = scored(tmp_path / "c", "", [])
    assert totals(nothing)["person"] == (0, 0, 0)


def test_another_videos_tracks(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(SIM)
    sequence = replace(BASE, gt=tmp_path / "gt.txt", gt_format="mot17", gt_classes=GT_CLASSES)
    tracks = tracks_of(tmp_path, [(0, 1, 0, A)], width=640, height=480)
    with pytest.raises(DataError, match="tracks of 640 x 480 pixels, the ground truth of street"):
        _scored(tmp_path, sequence, tracks)
    with pytest.raises(DataError, match="the sequence has no ground truth"):
        build_truth(BASE, tmp_path, Reported())
    with pytest.raises(DataError, match="not readable as ground truth"):
        Truth.load(tmp_path / "nowhere")
    with pytest.raises(DataError, match="not readable as scores"):
        SequenceScores.load(tmp_path / "nowhere")


def test_the_same_as_from_the_text_file(tmp_path: Path) -> None:
    """Digit for digit: boxes that float32 cannot hold are scored as mot.txt writes them."""
    objects = made.rows(3, 30)
    found = made.tracked(objects, 3)
    rng = np.random.default_rng(0)
    rows: list[Object] = []
    for row in found:
        x, y, width, height = (v + float(rng.random()) / 3 for v in row.box)
        rows.append((row.frame, row.track_id, 0, (x, y, x + width, y + height)))
    gt = tmp_path / "gt" / "street" / "gt" / "gt.txt"
    made.write(gt, made.mot_gt(objects, 3, classes=True))
    tracks = tracks_of(tmp_path / "tracks", rows)
    lines = [line for frame in tracks.frames() for line in mot_lines(frame)]
    made.write(tmp_path / "texts" / "street.txt", lines)
    sequence = replace(BASE, gt=gt, gt_format="mot17", gt_classes=MOT_CLASSES)
    ours = _scored(tmp_path / "tracks", sequence, tracks).counts["box", "person"]
    theirs = score_kit("mot17", tmp_path / "gt", tmp_path / "texts")["street"]
    np.testing.assert_array_equal(ours[:-4], theirs.counts["box", "pedestrian"][:-4])


def mask_text(rows: list[tuple[int, int, tuple[float, ...]]]) -> str:
    return "".join(
        f"{frame} {full_id} {full_id // 1000} {HEIGHT} {WIDTH} {rle(box).decode()}\n"
        for frame, full_id, box in rows
    )


def test_masks_by_hand(tmp_path: Path) -> None:
    """MOTSA and sMOTSA: IoU 1 and .75 are hits, a mask in the ignore region is no mistake."""
    half = (30.0, 0.0, 40.0, 10.0)
    three_quarters = (30.0, 0.0, 40.0, 15.0)
    text = mask_text(
        [(0, 2001, A), (0, 2002, B), (0, 10_000, C), (1, 2001, A), (1, 2002, B), (1, 10_000, C)]
    )
    (tmp_path / "mots.txt").write_text(text)
    inside, half_inside = (60.0, 0.0, 70.0, 10.0), (55.0, 0.0, 65.0, 10.0)
    tracks = tracks_of(
        tmp_path,
        [
            *((0, 1, 0, A), (0, 2, 0, three_quarters), (0, 3, 0, inside)),
            *((1, 1, 0, A), (1, 2, 0, half), (1, 4, 0, half_inside)),
        ],
        masks=True,
    )
    sequence = replace(BASE, mots=tmp_path / "mots.txt", mots_classes=KITTI_MOTS_CLASSES)
    scores = _scored(tmp_path, sequence, tracks)
    # IoU .5 is a hit as well; half of the last mask outside of the region makes it a mistake.
    assert totals(scores, "mask") == {"car": (0, 0, 0), "person": (4, 0, 1)}
    values = score_metrics({"street": scores}, {})
    assert values["track/motsa"] == pytest.approx((4 - 1) / 4)
    assert values["track/smotsa"] == pytest.approx((1 + 0.75 + 1 + 0.5 - 1) / 4)
    assert values["track/mask_idf1"] == pytest.approx(4 / (4 + 0.5))
    assert values["track/class/person/motsa"] == values["track/motsa"]
    assert "track/hota" not in values and "track/class/car/motsa" not in values


def test_overlapping_masks_of_tracks_are_cut_by_score(tmp_path: Path) -> None:
    """As in mots.txt: the first, with the higher score, keeps the shared pixels."""
    (tmp_path / "mots.txt").write_text(mask_text([(0, 2001, A), (0, 2002, (10, 0, 20, 20))]))
    tracks = tracks_of(tmp_path, [(0, 1, 0, A), (0, 2, 0, (5, 0, 20, 20))], masks=True)
    sequence = replace(BASE, mots=tmp_path / "mots.txt", mots_classes=KITTI_MOTS_CLASSES)
    values = score_metrics({"street": _scored(tmp_path, sequence, tracks)}, {})
    assert values["track/smotsa"] == pytest.approx(1)


def test_overlapping_masks_of_ground_truth_are_refused(tmp_path: Path) -> None:
    text = mask_text([(0, 2001, A), (1, 2001, A), (1, 2002, (5, 0, 15, 20))])
    (tmp_path / "mots.txt").write_text(text)
    sequence = replace(BASE, mots=tmp_path / "mots.txt", mots_classes=KITTI_MOTS_CLASSES)
    with pytest.raises(DataError, match=r"mots.txt, line 3: the mask of id 2002 overlaps that of"):
        build_truth(sequence, tmp_path, Reported())


def test_both_kinds_are_kept(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(SIM)
    (tmp_path / "mots.txt").write_text(mask_text([(0, 2001, A), (0, 1001, B), (0, 10_000, C)]))
    sequence = replace(
        BASE,
        gt=tmp_path / "gt.txt",
        gt_format="mot17",
        gt_classes=GT_CLASSES,
        mots=tmp_path / "mots.txt",
        mots_classes=MOTS_CLASSES,
    )
    tracks = tracks_of(tmp_path, [(0, 1, 0, A), (0, 2, 1, B), (0, 3, 2, C)], masks=True)
    values = score_metrics({"street": _scored(tmp_path, sequence, tracks)}, {})
    for name in ("hota", "mota", "idf1", "mask_hota", "motsa", "smotsa", "mask_idf1"):
        assert values[f"track/{name}"] == 1, name


def test_names_of_metrics(tmp_path: Path) -> None:
    """Three videos, two of them to tune on; trucks and buses are in none."""
    good = scored(tmp_path / "a", SIM, [(0, 1, 0, A), (0, 2, 1, B)])
    bad = scored(tmp_path / "b", SIM, [(0, 1, 0, A), (0, 2, 2, B)])
    other = scored(tmp_path / "c", SIM, [(0, 2, 1, B)])
    roles = {"a": "tuning", "b": "tuning", "c": "test"}
    values = score_metrics({"a": good, "b": bad, "c": other}, roles)
    assert set(combined([good, bad, other])) == {("box", "person"), ("box", "car")}
    assert values["track/mota"] == pytest.approx(4 / 6)
    assert values["track/fn"] == 2 and values["track/fp"] == 0  # nobody has buses
    assert values["track/class_averaged/mota"] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert values["track/class/person/idf1"] == pytest.approx(2 / 2.5)
    assert values["track/video/a/mota"] == 1
    assert values["track/video/b/mota"] == pytest.approx(0.5)
    assert values["track/tuning/mota"] == pytest.approx(0.75)
    assert values["track/test/mota"] == pytest.approx(0.5)
    headline = {name.removeprefix("track/") for name in values if name.count("/") == 1}
    assert headline == {
        *("hota", "deta", "assa", "loca", "mota", "motp", "idf1", "idp", "idr"),
        *("idsw", "fp", "fn", "frag", "mt", "pt", "ml"),
    }
    assert not any(name.startswith("track/tuning") for name in score_metrics({"a": good}, {}))
    assert score_metrics({}, {}) == {}


def test_the_ground_truth_is_known_again(tmp_path: Path) -> None:
    """By its boxes, not by how many there are; scores of before say nothing of it."""
    first = scored(tmp_path / "a", SIM, [])
    assert scored(tmp_path / "b", SIM, [(0, 1, 0, A)]).truth == first.truth
    assert set(first.truth) == {"box"}
    moved = re.sub(r"^(\d+,\d+,)(\d+)", lambda m: f"{m[1]}{int(m[2]) + 1}", SIM, flags=re.MULTILINE)
    other = scored(tmp_path / "c", moved, [])
    assert other.truth != first.truth and totals(other) == totals(first)
    with np.load(tmp_path / "a" / "counts.npz") as file:
        arrays = {key: values for key, values in file.items() if key != "truth"}
    np.savez(tmp_path / "a" / "counts.npz", **arrays)
    assert SequenceScores.load(tmp_path / "a").truth == {}


def test_names_that_differ_in_case_only(tmp_path: Path) -> None:
    """A project says Car, a network car; neither is renamed."""
    names = ((1, "Person"), (3, "CAR"), (8, "distractor"))
    scores = scored(tmp_path, SIM, [(0, 1, 0, A), (0, 2, 1, B)], gt_classes=names)
    assert totals(scores) == {"Person": (1, 0, 0), "CAR": (1, 0, 0)}
    document = json.loads((tmp_path / "scores.json").read_text())
    assert (document["missing"], document["left_out"]) == ([], ["bus", "dog"])
    merge = {"car": "vehicle", "person": "person"}
    scores = scored(tmp_path, SIM, [(0, 1, 0, A)], merge=merge, gt_classes=names)
    assert set(totals(scores)) == {"person", "vehicle"}


def test_scores_of_what_is_not_there_are_null(tmp_path: Path) -> None:
    scored(tmp_path, SIM, [(0, 1, 0, A), (0, 4, 2, C)])
    document = json.loads((tmp_path / "scores.json").read_text())["box"]
    assert document["person"]["HOTA"] == pytest.approx(1)
    assert (
        document["bus"]["HOTA"] is document["bus"]["MOTA"] is document["bus"]["per_alpha"] is None
    )
    assert document["bus"]["FP"] == document["bus"]["MT"] == 0
