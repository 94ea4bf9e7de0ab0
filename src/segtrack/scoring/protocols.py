"""Which rows of a ground truth are judged, class by class, and what excuses a track's box.

Every benchmark has its own rules; they are TrackEval's (its datasets Mot15, MotChallenge2DBox,
Kitti2DBox, KittiMOTS and MOTSChallenge) and, for VisDrone, those of its own toolkit, and one table
says them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

Names = tuple[tuple[int, str], ...]
"""Class ids of a ground truth file and what they are called."""

CLASSLESS = 1
"""Class id of ground truth in a file without classes, MOT15's, whose objects are persons."""
PERSON = "person"
ANY = "object"
"""Scored name where neither side says which of several classes the ground truth is about."""

# Named as the other formats name it: what the benchmark calls pedestrian is a person here.
KITTI_CLASSES: Names = (
    *((1, "car"), (2, "van"), (3, "truck"), (4, PERSON), (5, "person sitting")),
    *((6, "cyclist"), (7, "tram"), (8, "misc")),
)


@dataclass(frozen=True)
class BenchmarkRules:
    """Rules of a benchmark.

    Attributes:
        classes: names of what is judged; None: all that the file names, but what is ignored.
        ignored: by judged class ("" for every class) the names of distractors: a track's box that
            matches one is neither right nor wrong.
        whole_frame: every ground-truth box of a frame takes part in that matching, of whatever
            class; else only those of the class and its distractors.
        unjudged_excuses: a box that matches an object of the class which is marked as not to be
            judged is removed too (KITTI); MOTChallenge leaves it, as a false positive.
        min_height: unmatched boxes up to this many pixels are removed.
        cut_regions: rows of either side that lie in a region with half of their pixels or more are
            removed before anything is matched (VisDrone).
        below_half: what a similarity under .5 counts in the matching.
    """

    classes: tuple[str, ...] | None = None
    ignored: Mapping[str, frozenset[str]] = field(default_factory=dict)
    whole_frame: bool = False
    unjudged_excuses: bool = False
    min_height: float | None = None
    cut_regions: bool = False
    below_half: float = 0.0

    def ignored_names(self, name: str) -> frozenset[str]:
        """Distractors of one judged class."""
        return self.ignored.get("", frozenset()) | self.ignored.get(name, frozenset())


_DISTRACTORS = frozenset({"person on vehicle", "static person", "distractor", "reflection"})

PROTOCOLS: dict[str, BenchmarkRules] = {
    "mot15": BenchmarkRules(),
    # MOT16 and MOT17: only persons are annotated throughout.
    "motchallenge": BenchmarkRules((PERSON,), {"": _DISTRACTORS}, whole_frame=True),
    "mot20": BenchmarkRules(
        (PERSON,), {"": _DISTRACTORS | {"non motorized vehicle"}}, whole_frame=True
    ),
    # The same columns with several classes, each judged on its own: the simulator's.
    "multi_class": BenchmarkRules(ignored={"": frozenset({"distractor"})}),
    "kitti": BenchmarkRules(
        ("car", PERSON),
        {"car": frozenset({"van"}), PERSON: frozenset({"person sitting"})},
        unjudged_excuses=True,
        min_height=25,
    ),
    # evalMOT.m's evalClassSet; eval/dropObjects.m.
    "visdrone": BenchmarkRules(("car", "bus", "truck", PERSON, "van"), cut_regions=True),
    "mots": BenchmarkRules(below_half=-10_000),
}


def box_protocol(gt_format: str, names: Names) -> str:
    """The key in ``PROTOCOLS`` of ground truth in ``gt_format`` whose classes are ``names``.

    Nine columns are MOTChallenge's own where they know its static persons or name no classes.
    """
    if gt_format not in ("mot17", "mot20"):
        return gt_format
    own = not names or any(name == "static person" for _, name in names)
    if not own:
        return "multi_class"
    return "motchallenge" if gt_format == "mot17" else gt_format


@dataclass(frozen=True)
class Judged:
    """One class that is scored.

    Attributes:
        name: what it is called in the scores.
        gt_ids: class ids of the ground truth that are this class.
        ignored_ids: class ids of its distractors.
        track_ids: class ids of the tracks that are this class.
    """

    name: str
    gt_ids: tuple[int, ...]
    ignored_ids: tuple[int, ...]
    track_ids: tuple[int, ...]

    def is_gt(self, class_id: np.ndarray) -> np.ndarray:
        """bool (N,): rows of ground truth that are this class."""
        return np.isin(class_id, self.gt_ids)


def judged_classes(
    rules: BenchmarkRules,
    names: Names,
    track_names: tuple[str, ...],
    merge: Mapping[str, str],
) -> tuple[Judged, ...]:
    """The classes that are scored, those that the tracker lacks among them.

    Args:
        rules: of the benchmark.
        names: of the ground truth's class ids; none: it has no classes.
        track_names: of the tracks' class ids.
        merge: from a name in the ground truth to the name that it is scored under.

    Names of the two sides are the same where they differ in case only: a project says ``Car``, a
    network ``car``.
    """
    merge = _spelt(merge, names)
    if not names:
        return (_classless(track_names, merge.get(PERSON, PERSON)),)
    ignorable: frozenset[str] = frozenset().union(*rules.ignored.values())
    wanted = rules.classes or tuple(name for _, name in names if name not in ignorable)
    result = []
    for scored in dict.fromkeys(merge.get(name, name) for name in wanted):
        parts = [name for name in wanted if merge.get(name, name) == scored]
        ignored: frozenset[str] = frozenset().union(*(rules.ignored_names(name) for name in parts))
        result.append(
            Judged(
                scored,
                tuple(i for i, name in names if name in parts),
                tuple(i for i, name in names if name in ignored),
                tuple(i for i, n in enumerate(track_names) if n.casefold() == scored.casefold()),
            )
        )
    return tuple(result)


def _spelt(merge: Mapping[str, str], names: Names) -> dict[str, str]:
    """``merge`` from the names as the ground truth spells them."""
    folded = {old.casefold(): new for old, new in merge.items()}
    spelt = [name for _, name in names if name.casefold() in folded]
    return {**merge, **{name: folded[name.casefold()] for name in spelt}}


def _classless(track_names: tuple[str, ...], person: str) -> Judged:
    """Persons where the tracker knows them, its one class where it has one, else all together."""
    every = tuple(range(len(track_names)))
    if person in track_names:
        return Judged(person, (CLASSLESS,), (), (track_names.index(person),))
    name = track_names[0] if len(track_names) == 1 else ANY
    return Judged(name, (CLASSLESS,), (), every)
