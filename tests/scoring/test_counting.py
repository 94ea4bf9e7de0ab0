"""The arithmetic: hand-computed cases, ties, and what must not matter."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from segtrack.base.errors import DataError
from segtrack.scoring.counting import Pairing, count
from segtrack.scoring.counts import ALPHAS, FIELDS, field, per_alpha, summary
from segtrack.scoring.kernels import assign
from segtrack.scoring.matches import (
    NONE,
    ClearMatches,
    Switch,
    read_matches,
    write_matches,
)
from segtrack.scoring.pairings import TrackBoxes, box_pairing
from segtrack.scoring.protocols import Judged
from segtrack.scoring.truth import BoxTruth

# Frames of (ground-truth ids, track ids, similarities).
Frame = tuple[list[int], list[int], list[list[float]]]


def pairing(frames: list[Frame]) -> Pairing:
    gt_start = np.cumsum([0, *(len(gt) for gt, _, _ in frames)])
    track_start = np.cumsum([0, *(len(tracks) for _, tracks, _ in frames)])
    dense = np.zeros((gt_start[-1], track_start[-1]))
    for t, (gt, tracks, sim) in enumerate(frames):
        part = np.array(sim, np.float64).reshape(len(gt), len(tracks))
        dense[gt_start[t] : gt_start[t + 1], track_start[t] : track_start[t + 1]] = part
    row, column = np.nonzero(dense)
    return Pairing(
        gt_start,
        track_start,
        np.array([i for gt, _, _ in frames for i in gt], np.int64),
        np.array([i for _, tracks, _ in frames for i in tracks], np.int64),
        np.arange(gt_start[-1]),
        (
            np.searchsorted(row, np.arange(len(dense) + 1)),
            column.astype(np.int32),
            dense[row, column],
        ),
    )


HIT, FAR = [[0.8]], [[0.3]]
CLEAR_CASES: dict[str, tuple[list[Frame], dict[str, float]]] = {
    "all right": (
        [([1], [7], HIT)] * 4,
        {"MOTA": 1, "MOTP": 0.8, "IDF1": 1, "MT": 1, "sMOTA": 0.8, "Frag": 0},
    ),
    "one id switch": (
        [([1], [7], HIT), ([1], [7], HIT), ([1], [8], HIT)],
        {"IDSW": 1, "MOTA": 2 / 3, "IDF1": 2 / 3, "IDP": 2 / 3, "IDR": 2 / 3, "Frag": 0},
    ),
    "a switch over a gap counts": (
        [([1], [7], HIT), ([1], [], [[]]), ([1], [8], HIT)],
        {"IDSW": 1, "FN": 1, "MOTA": 1 / 3, "PT": 1},
    ),
    "below half is no match": (
        [([1], [7], FAR), ([1], [7], HIT)],
        {"FP": 1, "FN": 1, "MOTA": 0, "PT": 1, "IDF1": 0.5},
    ),
    "half is one": ([([1], [7], [[0.5]])], {"FP": 0, "FN": 0, "MOTA": 1, "IDF1": 1}),
    "fragmented": (
        [([1], [7], HIT), ([1], [7], FAR), ([1], [7], HIT)],
        {"Frag": 1, "IDSW": 0, "FN": 1, "FP": 1, "MOTA": 1 / 3},
    ),
    "last frame's pair is kept though another is nearer": (
        [([1], [7], [[0.6]]), ([1], [7, 8], [[0.6, 0.9]])],
        {"IDSW": 0, "FP": 1, "MOTP": 0.6},
    ),
    "four fifths is not mostly tracked, one fifth is not mostly lost": (
        [([1], [7], HIT)] * 4 + [([1, 2], [7], [[0.0], [0.8]])] + [([2], [], [[]])] * 4,
        {"MT": 0, "PT": 2, "ML": 0},
    ),
    "no tracks": ([([1, 2], [], [[], []])], {"FN": 2, "ML": 2, "MOTA": 0, "HOTA": 0, "LocA": 1}),
    "no ground truth": ([([], [7], [])], {"FP": 1, "MOTA": -1, "HOTA": 0, "IDF1": 0}),
    "nothing at all": ([([], [], [])], {"FP": 0, "FN": 0, "MOTA": 0, "HOTA": 0, "IDF1": 0}),
}


@pytest.mark.parametrize("case", CLEAR_CASES)
def test_by_hand(case: str) -> None:
    frames, expected = CLEAR_CASES[case]
    scores = summary(count(pairing(frames))[0])
    assert {name: float(scores[name]) for name in expected} == pytest.approx(expected)


def test_hota_by_hand() -> None:
    """Two frames right, two with another id, at similarity .52: thresholds .05 to .50 reach it."""
    frames = [([1], [7], [[0.52]])] * 2 + [([1], [8], [[0.52]])] * 2
    counts, _ = count(pairing(frames))
    curves = per_alpha(counts)
    reached = ALPHAS < 0.51
    assert reached.sum() == 10
    # Each pair: TPA 2, FNA 2 (the other half of the object), FPA 0.
    np.testing.assert_allclose(curves["AssA"], np.where(reached, 2 / 4, 0))
    np.testing.assert_allclose(curves["AssPr"], np.where(reached, 1, 0))
    np.testing.assert_allclose(curves["AssRe"], np.where(reached, 0.5, 0))
    np.testing.assert_allclose(curves["DetA"], np.where(reached, 1, 0))
    np.testing.assert_allclose(curves["HOTA"], np.where(reached, np.sqrt(0.5), 0))
    np.testing.assert_allclose(curves["LocA"], np.where(reached, 0.52, 1))
    assert float(summary(counts)["HOTA"]) == pytest.approx(np.sqrt(0.5) * 10 / 19)


def test_switches_are_listed_with_the_ids_of_the_files() -> None:
    frames = [([40], [7], HIT), ([], [9], []), ([40, 50], [7, 9], [[0.1, 0.8], [0.9, 0.1]])]
    counts, matches = count(pairing(frames))
    assert matches.switches() == (Switch(2, 40, 7, 9),)
    assert float(field(counts, "IDSW")) == 1
    assert float(field(counts, "Frames")) == 3
    assert float(field(counts, "GT_IDs")) == 2
    assert counts.shape == (len(FIELDS),)


def counted(matches: ClearMatches) -> dict[str, int]:
    both = ~(matches.missed | matches.false)
    rows = {"CLR_TP": both, "CLR_FN": matches.missed, "CLR_FP": matches.false}
    rows |= {"IDSW": matches.switched, "Frag": matches.fragment}
    return {name: int(which.sum()) for name, which in rows.items()}


def test_matches_by_hand(tmp_path: Path) -> None:
    """Object 40 is followed by 7, missed while 9 follows nothing, found again by 8."""
    frames: list[Frame] = [
        ([40], [7], HIT),
        ([40], [9], [[0.25]]),
        ([40, 50], [8, 9], [[0.75, 0], [0, 0.5]]),
    ]
    counts, found = count(pairing(frames))
    write_matches(tmp_path / "m.parquet", [("box", "car", found), ("mask", "car", found)])
    read = read_matches(tmp_path / "m.parquet")
    assert list(read) == [("box", "car"), ("mask", "car")]
    for one in (found, *read.values()):
        columns = (one.frame, one.gt_id, one.track_id, one.iou, one.old_track, one.fragment)
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == [
            (0, 40, 7, pytest.approx(0.8), NONE, False),
            (1, 40, NONE, pytest.approx(np.nan, nan_ok=True), NONE, False),
            (1, NONE, 9, pytest.approx(np.nan, nan_ok=True), NONE, False),
            (2, 40, 8, pytest.approx(0.75), 7, True),
            (2, 50, 9, pytest.approx(0.5), NONE, False),
        ]
        assert one.of_frame(1).track_id.tolist() == [NONE, 9]
        assert len(one.of_frame(3).frame) == 0
    assert counted(found) == {name: float(field(counts, name)) for name in counted(found)}
    assert counted(found) == {"CLR_TP": 3, "CLR_FN": 1, "CLR_FP": 1, "IDSW": 1, "Frag": 1}


@pytest.mark.parametrize("case", CLEAR_CASES)
def test_the_rows_of_matches_are_the_counts(case: str) -> None:
    counts, found = count(pairing(CLEAR_CASES[case][0]))
    assert counted(found) == {name: float(field(counts, name)) for name in counted(found)}


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_the_rows_of_matches_are_the_counts_of_anything(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames: list[Frame] = []
    for _ in range(12):
        gt, tracks = (rng.permutation(4)[: rng.integers(0, 4)].tolist() for _ in range(2))
        frames.append((gt, tracks, rng.choice([0, 0.4, 0.6, 0.9], (len(gt), len(tracks))).tolist()))
    counts, found = count(pairing(frames))
    assert counted(found) == {name: float(field(counts, name)) for name in counted(found)}
    assert float(field(counts, "MOTP_sum")) == pytest.approx(np.nansum(found.iou))
    for t, (gt, tracks, _) in enumerate(frames):
        one = found.of_frame(t)
        assert sorted(one.gt_id[~one.false].tolist()) == sorted(gt)
        assert sorted(one.track_id[~one.missed].tolist()) == sorted(tracks)


def test_what_is_no_table_of_matches(tmp_path: Path) -> None:
    (tmp_path / "m.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"m\.parquet: not readable as matches"):
        read_matches(tmp_path / "m.parquet")


def test_sums_of_counts_are_scores_of_many_at_once() -> None:
    a = count(pairing([([1], [7], HIT), ([1], [8], HIT)]))[0]
    b = count(pairing([([1], [7], FAR)]))[0]
    both = summary(np.stack([a, b, a + b]))
    assert both["MOTA"].tolist() == pytest.approx([0.5, -1, 0])
    assert both["IDF1"].tolist() == pytest.approx([0.5, 0, 1 / 3])
    assert per_alpha(np.zeros((2, 3, len(FIELDS))))["HOTA"].shape == (2, 3, len(ALPHAS))


matrices = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1))


@given(matrices, st.sampled_from([2, 3, 1000]))
@settings(deadline=None, max_examples=300)
def test_ties_are_broken_as_scipy_breaks_them(shape: tuple[int, int, int], values: int) -> None:
    """TrackEval calls scipy; few different values make ties the rule."""
    rows, columns, seed = shape
    score = np.random.default_rng(seed).integers(0, values, (rows, columns)) / 8
    expected = np.full(rows, -1)
    row, column = linear_sum_assignment(-score)
    expected[row] = column
    np.testing.assert_array_equal(assign(score), expected)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_names_of_ids_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames: list[Frame] = []
    for _ in range(6):
        gt = rng.permutation(4)[: rng.integers(0, 5)].tolist()
        tracks = rng.permutation(5)[: rng.integers(0, 6)].tolist()
        frames.append((gt, tracks, rng.random((len(gt), len(tracks))).tolist()))
    gt_names, track_names = rng.permutation(1000)[:4], rng.permutation(10**9 + np.arange(50))[:5]
    renamed: list[Frame] = [
        (gt_names[gt].tolist() if gt else [], track_names[tracks].tolist() if tracks else [], sim)
        for gt, tracks, sim in frames
    ]
    ours, theirs = count(pairing(frames))[0], count(pairing(renamed))[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=100)
def test_common_frames_are_those_of_the_best_assignment_of_all_ids(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (gt_ids, track_ids), frames = rng.integers(1, 8, 2).tolist(), 12
    together = np.zeros((gt_ids, track_ids), np.int64)
    made: list[Frame] = []
    for _ in range(frames):
        gt = rng.permutation(gt_ids)[: rng.integers(0, gt_ids + 1)]
        tracks = rng.permutation(track_ids)[: rng.integers(0, track_ids + 1)]
        sim = rng.random((len(gt), len(tracks)))
        together[np.ix_(gt, tracks)] += sim >= 0.5
        made.append((gt.tolist(), tracks.tolist(), sim.tolist()))
    row, column = linear_sum_assignment(together, maximize=True)
    assert field(count(pairing(made))[0], "IDTP") == together[row, column].sum()


def test_a_crowd_takes_the_memory_of_the_pairs_that_overlap() -> None:
    """Objects side by side, each of which the next one's track touches too."""
    frames, objects = 5, 400
    frame = np.repeat(np.arange(frames), objects)
    one = np.tile(np.arange(objects), frames)
    box = np.stack([one * 10.0, one * 0.0, one * 10.0 + 10, one * 0.0 + 10], axis=1)
    judged, region = np.ones(len(one), bool), np.empty((0, 4))
    truth = BoxTruth("mot15", (), frame, one, one * 0 + 1, box, judged, region[:, 0], region)
    tracks = TrackBoxes(frame, one, one * 0, box + np.array([2, 0, 2, 0]))
    found = box_pairing(truth, tracks, Judged("person", (1,), (), (0,)), frames)
    first, column, sim = found.pairs
    assert len(column) == frames * (2 * objects - 1)
    assert np.diff(first)[:3].tolist() == [1, 2, 2]
    np.testing.assert_allclose(sim[:3], [8 / 12, 2 / 18, 8 / 12])
    scores = summary(count(found)[0])
    assert (float(scores["MOTA"]), float(scores["IDF1"])) == (1, 1)
