"""Whether ``objective`` can be a metric of this command, before hours of work that make it.

It chooses settings, so that it must not be of what is to test the choice.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from segtrack.dataset import source_of
from segtrack.pipeline.stage import STAGES
from segtrack.settings import SPLITS, Problem, Settings

_SUMMARY = (
    *("map50_95", "map50", "map75", "map_small", "map_medium", "map_large"),
    *("ar1", "ar10", "ar100", "ar_small", "ar_medium", "ar_large"),
)
_KINDS = ("mask", "box")
IMAGES = (*(f"{k}_{name}" for k in _KINDS for name in _SUMMARY), "mask_f1", "mask_f1_conf")
VALIDATED = tuple(
    f"{kind}_{name}" for kind in _KINDS for name in ("map50_95", "map50", "precision", "recall")
)
"""What training records of the split val, beside losses."""
_LOSSES = ("box_loss", "seg_loss", "cls_loss", "dfl_loss")
_SCORES = (
    *("hota", "deta", "assa", "loca", "mota", "motp", "idf1", "idp", "idr", "idsw", "fp", "fn"),
    *("frag", "mt", "pt", "ml", "mask_hota", "motsa", "smotsa", "mask_idf1"),
    *("kept_after_occlusion", "mask_kept_after_occlusion"),
)
_FOUND = ("tracks", "objects", "class_flips", "interpolated", "camera_unknown", "detections")
TRACKS = (*_SCORES, *_FOUND)
TUNED = (
    *("hota", "mota", "idf1", "idsw", "mask_hota", "motsa", "smotsa", "mask_idf1"),
    *("kept_after_occlusion", "mask_kept_after_occlusion"),
)
"""Those of ``TRACKS`` that are also recorded of parts: of roles, classes and videos."""
_ERRORS = ("idsw", "fp", "fn", "frag", "ml", "class_flips", "camera_unknown")
"""Those of ``TRACKS`` that are the better the fewer they are."""
_STRATA = {
    "class": tuple(
        f"{k}_{name}" for k in _KINDS for name in ("map50_95", "map50", "map75", "ar100")
    ),
    "visible": ("mask_recall50", "mask_recall50_conf"),
    **dict.fromkeys(("hidden", "clear"), ("mask_recall_p80",)),
}
_OUTCOMES = (
    *("sent", "accepted", "corrected", "deleted", "added", "accepted_share", "iou_corrected"),
    *("truth_before", "truth_after", "precision", "recall"),
)
_REVIEW = (
    *("images", "pending", "sent_images", "sent_objects", "polygon_iou", "videos", "video_tracks"),
    *("auto_accept_from", "auto_accept_share", "auto_accept_low"),
)
_SUSPECTS = (
    *("images", "labels", "shown_share", "suspects", "suspect_images"),
    *("sent_images", "sent_labels"),
    *("overlooked", "badly_located", "swapped", "spurious", "duplicate"),
)
_SELECTED = (
    *("images", "candidates", "copies", "groups", "uncertainty", "uncertainty_of_all"),
    *("distance", "farthest_left"),
)
_IMAGE_SETS = ("images", *SPLITS)
_DETECTIONS = tuple(f"{of}_detections" for of in _IMAGE_SETS)
_SPEED = (
    *("predict_ms", "around_ms", "camera_motion_ms", "associate_ms", "score_ms", "truth_ms"),
    *("live_fps", "files_read", "prepare_images", "push_files"),
    *("gpu_load_percent", "gpu_memory_mb", "batch", "batch_too_large"),
    *(f"{of}_{name}_ms" for of in _IMAGE_SETS for name in ("predict", "around", "propose")),
    *(f"{of}_{name}" for of in _IMAGE_SETS for name in ("batch", "batch_too_large")),
)
RECORDED: dict[str, dict[str, Iterable[str]]] = {
    "val": {"": (*IMAGES, *VALIDATED, *_LOSSES), "best": (*VALIDATED, *_LOSSES), **_STRATA},
    "test": {"": IMAGES, **_STRATA},
    "track": {
        **{"": TRACKS, "class_averaged": _SCORES, "live": ("frames", "dropped")},
        **{**dict.fromkeys(("tuning", "test", "class"), TUNED), "video": (*TUNED, *_FOUND)},
    },
    "train": {"": (*_LOSSES, "lr", "sem_loss", "batch")},
    "speed": {"": _SPEED, "video": _SPEED},
    "data": {"": ("warnings", "sequences"), "images": SPLITS, "annotations": SPLITS},
    "builds": {"": STAGES},
    "detect": {"": ("detections", *_DETECTIONS), "video": ("detections",)},
    "propose": {"": tuple(f"{of}_masks" for of in _IMAGE_SETS)},
    "suspect": {"": _SUSPECTS},
    "select": {"": _SELECTED},
    "segment": {"": ("images", "objects")},
    "push": {"": ("files", "sent"), **dict.fromkeys(SPLITS, ("proposals",))},
    "review": {"": (*_REVIEW, *_OUTCOMES), "class": _OUTCOMES, "band": _OUTCOMES},
}
"""What names begin with, then what stands next in names of three parts and more, and what they end
with. Between the last two stands the name of a class, a video, ...; behind ``count`` it comes last.
"""
MADE_BY = {"test": "evaluate", "track": "track"}


def objective_problems(settings: Settings) -> Iterator[Problem]:
    """A name that is misspelt, or of a stage that is not listed.

    Stages of other packages record what they like: where there are such, nothing is refused.
    """
    ours = all(STAGES.get(name).make.__module__.startswith("segtrack.") for name in STAGES)
    objectives = dict.fromkeys(settings.objectives)
    for wanted in objectives if ours else ():
        yield from _problems(settings, wanted)
    if len(objectives) < len(settings.objectives):
        yield Problem("objective", f"[{','.join(settings.objectives)}]", "names one of them twice")
    if settings.prune is None:
        return
    names = settings.objectives
    if len(names) != 1 or not names[0].startswith("val/") or "train" not in settings.stages:
        allowed = "needs stage train and one objective that each epoch has, as val/mask_map50_95"
        yield Problem("prune", settings.prune, allowed)


def minimised(name: str) -> bool:
    """Whether a metric is the better the lower it is, as losses, errors and times are."""
    group, last = name.partition("/")[0], name.rpartition("/")[2]
    return last.endswith("_loss") or last in _ERRORS or (group == "speed" and last.endswith("_ms"))


def _problems(settings: Settings, wanted: str) -> Iterator[Problem]:
    group, _, rest = wanted.partition("/")
    if group not in RECORDED or not rest:
        yield Problem("objective", wanted, f"there is no such metric{_near(wanted)}")
    elif group in MADE_BY and MADE_BY[group] not in settings.stages:
        stage = MADE_BY[group]
        yield Problem("objective", wanted, f"is made by {stage}: add {stage} to stages")
    else:
        found: list[Problem] = []
        if group == "track":
            head, _, last = rest.rpartition("/")
            found += _role_problems(settings, wanted, head, last)
        elif "train" in settings.stages and getattr(settings.dataset, "val", None):
            found += val_problems(wanted)  # of data sets that are read, the stage train says it
        yield from found or _unknown(wanted)


def _unknown(wanted: str) -> Iterator[Problem]:
    """A name that no stage records, with those that are most like it or all that there are."""
    group, *middle, last = wanted.split("/")
    parts = RECORDED[group]
    part = middle[0] if middle else ""
    if (group == "track" and "count" in middle) or last in list(parts.get(part, ())):
        return
    near = difflib.get_close_matches(part, parts, n=1) if part not in parts else [part]
    names = list(parts[near[0]]) if near else []
    close = [last] if last in names else difflib.get_close_matches(last, names, n=2)
    if close:
        before = [group, *near, *middle[1:]] if middle else [group]
        right = " or ".join("/".join([*before, one]) for one in close)
        yield Problem("objective", wanted, f"there is no such metric; did you mean {right}?")
        return
    there = f"there are {', '.join(f'{group}/{one}/' for one in parts if one)}"
    if names:
        there = f"{group}/{near[0]}/".replace("//", "/") + f" has {', '.join(names)}"
    yield Problem("objective", wanted, f"there is no such metric; {there}")


def val_problems(wanted: str) -> Iterator[Problem]:
    """An objective of test images, where training records scores of validation images.

    Not all that test images are scored in is recorded of those too, so that another may be nearest.
    """
    group, _, figure = wanted.partition("/")
    if group == "test":
        kind = "box" if figure.rpartition("/")[2].startswith("box_") else "mask"
        near = figure if figure in VALIDATED else f"{kind}_{_SUMMARY[0]}"
        allowed = f"is of the images that test the choice; choose by val/{near}"
        yield Problem("objective", wanted, allowed)


def objective_warnings(settings: Settings) -> Iterator[str]:
    """What to know of an objective that is of the test data, where nothing else could choose."""
    for wanted in settings.objectives:
        if wanted.startswith(("test/", "track/test/")):
            mend = "dataset.tuning=[...]"
            mend = mend if wanted.startswith("track/") else "a split val and training"
            yield (
                f"objective={wanted}: chooses by the data that tests it, so that nothing tests the "
                f"choice; with {mend} something would"
            )


def _role_problems(settings: Settings, wanted: str, head: str, last: str) -> Iterator[Problem]:
    """A score of sequences that test, where there are others to choose by."""
    roles = source_of(settings.dataset).roles(settings.dataset)
    if settings.video is not None or not roles.tuning:
        return
    part, _, name = head.partition("/")
    instead = f"track/tuning/{last}" if last in TUNED else "track/tuning/hota"
    if part == "test" or (part == "video" and name in roles.test):
        allowed = f"is of the sequences that test the choice; choose by {instead}"
        yield Problem("objective", wanted, allowed)
        return
    of_all = part not in ("tuning", "video") and last in _SCORES
    if roles.test and of_all and (part or last not in TUNED):  # without a part, tuning is taken
        allowed = f"is of all sequences, those that test the choice too; choose by {instead}"
        yield Problem("objective", wanted, allowed)


def _near(wanted: str) -> str:
    known = [
        f"{group}/{name}" for group in ("val", "test", "track") for name in RECORDED[group][""]
    ]
    last = wanted.rpartition("/")[2]
    whole = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
    found = whole or [name for name in known if name.rpartition("/")[2] == last.lower()]
    return f"; did you mean {found[0]}?" if found else "; metrics are named like track/hota"
