"""Whether ``objective`` can be a metric of this command, before hours of work that make it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from segtrack.pipeline.stage import STAGES
from segtrack.settings import Problem, Settings

_FIGURES = (
    *("map50_95", "map50", "map75", "map_small", "map_medium", "map_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large", "precision", "recall"),
)
IMAGES = (
    *(f"{kind}_{figure}" for kind in ("mask", "box") for figure in _FIGURES),
    *("mask_f1", "mask_f1_conf", "mask_recall50", "mask_recall50_conf", "mask_ap50"),
    *("box_loss", "seg_loss", "cls_loss", "dfl_loss", "sem_loss"),
)
TRACKS = (
    *("hota", "deta", "assa", "loca", "mota", "motp", "idf1", "idp", "idr", "idsw", "fp", "fn"),
    *("frag", "mt", "pt", "ml", "mask_hota", "motsa", "smotsa", "mask_idf1"),
    *("tracks", "objects", "class_flips", "interpolated", "camera_unknown", "detections"),
)
LAST = {"val": IMAGES, "test": IMAGES, "track": TRACKS}  # what names of these groups end with
MADE_BY = {"test": "evaluate", "track": "track"}
OTHERS = ("train", "speed", "data", "builds", "detect", "propose", "push", "review")


def objective_problems(settings: Settings) -> Iterator[Problem]:
    """A name that is misspelt, or of a stage that is not listed.

    Stages of other packages record what they like, and what is not like any known name is looked
    for among the metrics at the end.
    """
    wanted = settings.objective
    ours = all(STAGES.get(name).make.__module__.startswith("segtrack.") for name in STAGES)
    if wanted is None or not ours:
        return
    group, _, rest = wanted.partition("/")
    if group not in (*LAST, *OTHERS) or not rest:
        yield Problem("objective", wanted, f"there is no such metric{_near(wanted)}")
    elif group in MADE_BY and MADE_BY[group] not in settings.stages:
        stage = MADE_BY[group]
        yield Problem("objective", wanted, f"is made by {stage}: add {stage} to stages")
    elif group in LAST and not rest.startswith("count/"):
        head, _, last = rest.rpartition("/")
        close = difflib.get_close_matches(last, LAST[group], n=2, cutoff=0.6)
        if close and last not in LAST[group]:
            right = ["/".join(part for part in (group, head, one) if part) for one in close]
            allowed = f"there is no such metric; did you mean {' or '.join(right)}?"
            yield Problem("objective", wanted, allowed)


def _near(wanted: str) -> str:
    known: Sequence[str] = [f"{g}/{last}" for g, names in LAST.items() for last in names]
    last = wanted.rpartition("/")[2]
    whole = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
    found = whole or [name for name in known if name.rpartition("/")[2] == last.lower()]
    return f"; did you mean {found[0]}?" if found else "; metrics are named like track/hota"
