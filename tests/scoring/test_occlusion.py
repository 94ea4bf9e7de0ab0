"""Who is still the same after an occlusion, and recall by how much of an object is seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtrack.base.statistics import compare
from segtrack.dataset import VideoSequence
from segtrack.report import read_table_csv
from segtrack.scoring.counts import FIELDS
from segtrack.scoring.occlusion import (
    ENOUGH,
    GAPS,
    LEVELS,
    OCCLUSION_FIELDS,
    WINDOW,
    count_occlusions,
    gap_rows,
    kept_shares,
    levels_of,
    numbered_levels,
    visibility_rows,
)
from segtrack.scoring.occlusion_report import write_occlusion_figures
from segtrack.scoring.score import SequenceScores
from segtrack.scoring.truth_files import read_truth
from segtrack.scoring.unit_counts import Units, kept_estimates

SEEN = 0
HIDDEN = LEVELS.index("visible 0-25%")
Row = tuple[int, int, int, bool, int]  # frame, identity, level, judged, followed


def counted(rows: list[Row]) -> np.ndarray:
    table = np.array(sorted(rows), np.int64).reshape(-1, 5)
    frame, identity, level, judged, followed = table.T
    return count_occlusions(
        frame, identity, level, np.full(len(table), 5000.0), judged.astype(bool), followed
    )


def track(text: str, start: int = 0, identity: int = 1) -> list[Row]:
    """A letter a frame: the track that follows it, ``.`` seen by nobody, ``_`` hidden and missed,
    ``*`` hidden and followed by track a, ``~`` plainly there but not judged, space: no row."""
    rows = []
    for frame, letter in enumerate(text, start):
        if letter != " ":
            level = HIDDEN if letter in "_*" else SEEN
            followed = 0 if letter == "*" else ord(letter) - ord("a") if letter.isalpha() else -1
            rows.append((frame, identity, level, letter != "~", followed))
    return rows


@pytest.mark.parametrize(
    ("text", "gap", "what"),
    [
        ("aa___aa", "1-5", "kept"),
        ("aa___bb", "1-5", "switched"),
        ("aa   aa", "1-5", "kept"),  # no rows: as good as hidden
        ("aa_ _ab", "1-5", "kept"),  # the first after it counts
        ("ab___aa", "1-5", "switched"),  # and the last before it
        ("a.___.a", "1-5", "kept"),
        ("..___aa", "1-5", "lost"),
        ("aa___..", "1-5", "lost"),
        ("aa*b*aa", None, None),  # seen for a frame: two occlusions, below
        ("aa***bb", "1-5", "switched"),  # followed while hidden is not asked
        ("a" + "." * (WINDOW - 1) + "_a", "1-5", "kept"),
        ("a" + "." * WINDOW + "_a", "1-5", "lost"),
        ("a_" + "." * (WINDOW - 1) + "a", "1-5", "kept"),
        ("a_" + "." * WINDOW + "a", "1-5", "lost"),
        ("a" + "_" * 5 + "a", "1-5", "kept"),
        ("a" + "_" * 6 + "a", "6-15", "kept"),
        ("a" + "_" * 15 + "b", "6-15", "switched"),
        ("a" + "_" * 16 + "a", "16-30", "kept"),
        ("a" + "_" * 30 + "a", "16-30", "kept"),
        ("a" + "_" * 31 + "a", "31+", "kept"),
        ("aa~~~aa", None, None),  # too small to be judged is not hidden
        ("aa_~_aa", None, None),
        ("aa___", None, None),  # it never comes back
        ("___aa", None, None),
        ("aaaa", None, None),
    ],
)
def test_by_hand(text: str, gap: str | None, what: str | None) -> None:
    rows = {row["gap"]: row for row in gap_rows(counted(track(text)))}
    names = ("kept", "switched", "lost")
    found = [(g, n) for g in GAPS for n in names for _ in range(rows[g][n])]
    if text == "aa*b*aa":
        assert found == [("1-5", "switched")] * 2
        return
    assert found == ([] if gap is None else [(gap, what)])
    assert rows["all"]["occlusions"] == len(found)
    assert rows["all"]["kept_share"] == (None if gap is None else float(what == "kept"))


def test_identities_do_not_mix() -> None:
    """One ends with track a where the next begins; each is its own, in any order of the rows."""
    rows = track("bb__aa") + track("aa__aa", identity=2) + track("a", 9, identity=3)
    assert [row["kept"] for row in gap_rows(counted(rows))] == [1, 0, 0, 0, 1]
    assert [row["switched"] for row in gap_rows(counted(rows))] == [1, 0, 0, 0, 1]
    vector = np.concatenate([np.zeros(len(FIELDS) - len(OCCLUSION_FIELDS)), counted(rows)])
    scores = kept_shares(np.stack([vector, vector * 0]))
    assert scores["Kept"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert scores["Kept 1-5"][0] == 0.5 and np.isnan(scores["Kept 31+"]).all()


def brute(rows: list[Row]) -> list[list[int]]:
    """Occlusions, kept and switched by gap, frame by frame and identity by identity."""
    found = [[0] * 4 for _ in range(3)]
    judged_ones = {row[1] for row in rows if row[3]}
    for one in judged_ones:
        of = {row[0]: row for row in rows if row[1] == one}

        def state(frame: int, of: dict[int, Row] = of) -> str:
            if frame not in of:
                return "hidden"
            _, _, level, judged, _ = of[frame]
            if level < 0:
                return "seen" if judged else "hidden"
            return "hidden" if level == HIDDEN else "seen" if judged else "there"

        begin = None
        for frame in range(max(of) + 1):
            now = state(frame)
            if now == "hidden":
                continue
            if now == "seen" and begin is not None and frame - begin > 1:
                length = frame - begin - 1
                place = 0 if length <= 5 else 1 if length <= 15 else 2 if length <= 30 else 3
                found[0][place] += 1
                past = [t for t in range(begin, begin - WINDOW, -1) if t in of and of[t][4] >= 0]
                later = [t for t in range(frame, frame + WINDOW) if t in of and of[t][4] >= 0]
                if past and later:
                    found[1 if of[past[0]][4] == of[later[0]][4] else 2][place] += 1
            begin = frame if now == "seen" else None
    return found


runs = st.tuples(
    st.sampled_from([None, (0, 1), (0, 0), (3, 1), (3, 0), (-1, 1), (-1, 0), (2, 1)]),
    st.integers(1, 18),
    st.integers(-1, 1),
)


@given(st.lists(st.lists(runs, max_size=9), min_size=1, max_size=3))
@settings(deadline=None)
def test_as_counted_frame_by_frame(identities: list[list]) -> None:  # type: ignore[type-arg]
    rows: list[Row] = []
    for one, pieces in enumerate(identities):
        frame = one
        for kind, length, followed in pieces:
            for t in range(frame, frame + length):
                if kind is not None:
                    level, judged = kind
                    rows.append((t, one, level, bool(judged), followed if judged else -1))
            frame += length
    got = gap_rows(counted(rows))[:-1]
    expected = brute(rows)
    assert [row["occlusions"] for row in got] == expected[0]
    assert [row["kept"] for row in got] == expected[1]
    assert [row["switched"] for row in got] == expected[2]


def test_levels() -> None:
    fractions = np.array([1, 0.75, 0.74, 0.5, 0.49, 0.25, 0.249, 0, -1, 1.1, np.nan])
    assert levels_of(fractions).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, -1, -1, -1]
    assert numbered_levels(np.array([0, 1, 2, 3, -1, 0.5]), 4).tolist() == [4, 5, 6, -1, -1, -1]


def test_recall_by_visibility_and_size() -> None:
    """Hidden objects are large ones: their recall is not compared as if they were like the rest."""
    level = np.repeat([0, 0, 3, 3], [40, 60, 5, 30])
    area = np.repeat([100.0, 10_000, 100, 10_000], [40, 60, 5, 30])
    n = len(level)
    followed = np.where(np.arange(n) % 2 == 0, 7, -1)
    followed[:40] = -1
    judged = np.ones(n, bool)
    rows = visibility_rows(
        count_occlusions(np.arange(n), np.arange(n), level, area, judged, followed)
    )
    assert [row["visibility"] for row in rows] == list(LEVELS[:4])
    seen, _, none, hidden = rows
    assert (seen["objects"], seen["found"], seen["recall"]) == (100, 30, 0.3)
    assert (seen["objects_small"], seen["recall_small"]) == (40, 0)
    assert (seen["recall_large"], seen["recall_medium"]) == (0.5, None)
    # 45 small and 90 large in all.
    assert (
        seen["size_matched"] == pytest.approx((45 * 0 + 90 * 0.5) / 135)
        and seen["comparable"] == "yes"
    )
    assert hidden["recall"] == pytest.approx(18 / 35) and hidden["size_matched"] is None
    assert hidden["comparable"] == "no: 5 small objects" and ENOUGH > 5
    assert none["recall"] is None and none["comparable"] == "no: 0 small, 0 large objects"


BOX = "10,10,40,100"


def sequence(folder: Path, gt: str, gt_format: str) -> VideoSequence:
    path = folder / "gt.txt"
    path.write_text(gt)
    return VideoSequence("a", None, "", 1000, 500, 30.0, 20, path, gt_format)


@pytest.mark.parametrize(
    ("gt_format", "line", "expected"),
    [
        ("mot17", "{t},1," + BOX + ",1,1,0.6\n", [1, 1]),
        ("mot20", "{t},1," + BOX + ",1,1,0.1\n", [3, 3]),
        ("mot17", "{t},1," + BOX + ",1,1,-1\n", [-1, -1]),
        ("mot17", "{t},1," + BOX + ",1,1\n", None),
        ("mot15", "{t},1," + BOX + ",1,-1,-1,-1\n", None),
        ("kitti", "{t} 1 Car 0 2 -10 10 10 50 110 1 1 1 1 1 1 1\n", [6, 6]),
        ("kitti", "{t} 1 Car 0 3 -10 10 10 50 110 1 1 1 1 1 1 1\n", [-1, -1]),
        ("visdrone", "{t},1," + BOX + ",1,4,0,2\n", [9, 9]),
    ],
)
def test_what_files_say(
    gt_format: str, line: str, expected: list[int] | None, tmp_path: Path
) -> None:
    found = read_truth(sequence(tmp_path, "".join(line.format(t=t) for t in (1, 2)), gt_format))
    assert found.boxes is not None
    level = found.boxes.level
    assert (None if level is None else level.tolist()) == expected
    found.save(tmp_path)
    again = type(found).load(tmp_path).boxes
    assert again is not None
    assert (None if again.level is None else again.level.tolist()) == expected


def test_estimates_by_sequence() -> None:
    """Kept 2 of 3, 0 of 1, and none to be kept."""
    none = [0.0] * (len(FIELDS) - len(OCCLUSION_FIELDS))
    texts = ("aa__aa__aa" + "_" * 7 + "b", "aa__bb", "aaa")
    cell = Units(("x", "y", "z"), np.array([[*none, *counted(track(text))] for text in texts]))
    found = kept_estimates(cell)
    assert set(found) == {"Kept", *(f"Kept {gap}" for gap in GAPS)}
    every, short = found["Kept"], found["Kept 1-5"]
    assert (every.names, every.size.tolist(), every.whole.tolist()) == (("x", "y"), [3, 1], [0.5])
    assert every.without[0].tolist() == pytest.approx([0, 2 / 3])
    assert every.alone[0].tolist() == pytest.approx([2 / 3, 0])
    assert (short.size.tolist(), short.whole.tolist()) == ([2, 1], [pytest.approx(2 / 3)])
    assert found["Kept 31+"].names == () and np.isnan(found["Kept 31+"].score)
    gap = compare(every, replace(every, whole=every.whole * 0, without=every.without * 0))
    assert gap.difference == -0.5 and gap.units == 2
    assert gap.low == -1  # t of 1 degree of freedom times its error is more than 4 shares


def test_counts_of_earlier_versions_have_no_occlusions(tmp_path: Path) -> None:
    plain = np.arange(len(FIELDS) - len(OCCLUSION_FIELDS), dtype=np.float64)
    keys = np.array([("box", "car")])
    np.savez(tmp_path / "counts.npz", name=np.array("a"), keys=keys, counts=plain[None])
    found = SequenceScores.load(tmp_path).counts["box", "car"]
    assert len(found) == len(FIELDS) and found[: len(plain)].tolist() == plain.tolist()
    assert gap_rows(found)[-1]["occlusions"] == 0 and visibility_rows(found) == []


def test_figures(tmp_path: Path) -> None:
    """Of all classes together; the CSV has each. What was not known has no figure."""
    none = np.zeros(len(FIELDS) - len(OCCLUSION_FIELDS))
    hidden = np.concatenate([none, counted(track("aa___aa"))])
    counts = {("box", "car"): hidden, ("box", "bus"): 2 * hidden, ("mask", "car"): 0 * hidden}
    write_occlusion_figures(counts, "box", "", tmp_path)
    write_occlusion_figures(counts, "mask", "_masks", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("kept_after_occlusion.csv", "kept_after_occlusion.png"),
        *("recall_by_visibility.csv", "recall_by_visibility.png"),
    ]
    rows = read_table_csv((tmp_path / "kept_after_occlusion.csv").read_text())
    kept = {(row["class"], row["gap"]): row["kept"] for row in rows}
    assert (kept["bus", "all"], kept["all", "1-5"], kept["all", "31+"]) == ("2", "3", "0")
