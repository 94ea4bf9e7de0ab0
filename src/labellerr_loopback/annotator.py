"""A simulated annotator for the emulator: reviews pre-annotations against a known truth.

It goes through the files of a project. A pre-annotation that fits its object well is accepted as
it is, one that fits roughly is corrected, one that fits nothing is deleted, and objects without one
are drawn; each of these it forgets now and then, at a stated rate. What it did is recorded, so that
a review report can be held against it.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from labellerr_loopback.client import ask
from segtrack.base.errors import DataError
from segtrack.base.labellerr_api import NOT_ASSIGNED
from segtrack.base.polygons import Polygon, mask_iou

Truth = Mapping[str, Sequence[tuple[str, Polygon]]]
Kind = Literal[
    "accepted", "corrected", "deleted", "added", "unmended", "left", "rejected", "missed"
]
# What a review can see of each kind, comparing the labels with the predictions alone.
SEEN = {
    "accepted": "accepted",
    "unmended": "accepted",
    "left": "accepted",
    "corrected": "corrected",
    "deleted": "deleted",
    "rejected": "deleted",
    "added": "added",
}
_PAGE = 100
_STEPS = 4  # points per edge of the truth, to which vertices move


@dataclass(frozen=True)
class Rates:
    """How an annotator works; rates are probabilities 0..1 per object.

    Attributes:
        accept_iou: a pre-annotation with at least this mask IoU is left as it is.
        match_iou: one with less fits nothing.
        shift: standard deviation in px of every coordinate that the annotator sets.
        miss_correction: a rough outline is accepted as it is.
        miss_deletion: a false positive is left.
        miss_addition: an object without pre-annotation is not drawn.
        wrong_deletion: a pre-annotation that fits is deleted, and its object not drawn.
        miss_identity: of videos, where a trajectory goes on with another object, or an object with
            another trajectory, it is not split or joined.
    """

    accept_iou: float = 0.85
    match_iou: float = 0.3
    shift: float = 0.5
    miss_correction: float = 0.0
    miss_deletion: float = 0.0
    miss_addition: float = 0.0
    wrong_deletion: float = 0.0
    miss_identity: float = 0.0

    def __post_init__(self) -> None:
        rates = (
            *(self.miss_correction, self.miss_deletion, self.miss_addition),
            *(self.wrong_deletion, self.miss_identity),
        )
        if not all(0 <= r <= 1 for r in rates) or not 0 < self.match_iou <= self.accept_iou <= 1:
            raise ValueError(f"rates must be 0..1 and 0 < match_iou <= accept_iou <= 1: {self}")


@dataclass(frozen=True)
class Action:
    """What was done to one object.

    Attributes:
        kind: ``accepted``, ``corrected``, ``deleted`` and ``added`` are right; ``unmended`` is a
            rough outline accepted, ``left`` a false positive kept, ``rejected`` a good one deleted,
            ``missed`` an object that stayed without a label.
        iou_before: mask IoU of the pre-annotation with its object, NaN where it has none.
        iou_after: the same of the label that is left, NaN where there is none.
        score, conf_bucket: of the pre-annotation, None where there was none.
    """

    file_name: str
    class_name: str
    kind: Kind
    iou_before: float
    iou_after: float
    score: float | None = None
    conf_bucket: str | None = None


@dataclass(frozen=True)
class Record:
    """Everything that was done, in the order of file names."""

    actions: tuple[Action, ...]
    files: int

    def counts(self, class_name: str | None = None) -> dict[str, int]:
        """Number of actions of each kind, of one class or of all."""
        actions = (a for a in self.actions if class_name in (None, a.class_name))
        found = Counter(str(action.kind) for action in actions)
        return {kind: found[kind] for kind in (*SEEN, "missed")}

    def seen(self, class_name: str | None = None) -> dict[str, int]:
        """The same as a review sees it: accepted, corrected, deleted, added."""
        totals = dict.fromkeys(("accepted", "corrected", "deleted", "added"), 0)
        for kind, count in self.counts(class_name).items():
            if kind in SEEN:
                totals[SEEN[kind]] += count
        return totals


@dataclass(frozen=True)
class _File:
    """What becomes of one file: the answers to send, and the record."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


def annotate(
    url: str,
    project_id: str,
    truth: Truth,
    rates: Rates | None = None,
    seed: int = 0,
    partly: bool = False,
) -> Record:
    """Review the files of a project of the emulator and set their status to ``accepted``.

    Files that somebody has worked on, by their status, stay as they are. The result depends on
    names, polygons and ``seed`` only, not on ids or on the order of files.

    Args:
        url: of a running emulator.
        truth: by file name, class names with polygons float64 (N, 2), px of the image.
        partly: leave files alone that ``truth`` does not have.

    Raises:
        DataError: a file of the project has no entry in ``truth``, unless ``partly``; the emulator
            did not answer, or not with a success.
    """
    rates, actions, count = rates or Rates(), [], 0
    target = f"{url}/_emulator/projects/{project_id}/files"
    for page in pages(target):
        work = []
        for file in page:
            name = file["file_name"]
            if file["status"] != NOT_ASSIGNED:
                continue
            if name not in truth and partly:
                continue
            if name not in truth:
                text = f"project {project_id}: no true objects are known for file {name!r}"
                raise DataError(f"{text}; give an empty list where it has none")
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            done = _review(file, truth[name], rates, rng)
            work.append({"file_id": file["file_id"], "status": "accepted", "answers": done.answers})
            actions += done.actions
            count += 1
        if work:
            ask("POST", target, json={"files": work})
    # Sorting is stable: the actions within a file keep their order.
    return Record(tuple(sorted(actions, key=lambda action: action.file_name)), count)


def _review(
    file: Mapping[str, Any],
    objects: Sequence[tuple[str, Polygon]],
    rates: Rates,
    rng: np.random.Generator,
) -> _File:
    size = (int(file["width"]), int(file["height"]))
    # Ids differ from run to run; the order of decisions must not.
    guesses = sorted(file["answers"], key=lambda a: (a["question"], a["polygon"] or []))
    guesses = [guess for guess in guesses if guess["polygon"]]
    outlines = [np.asarray(guess["polygon"], float) for guess in guesses]
    iou = mask_iou(outlines, [polygon for _, polygon in objects], size)
    classes = [name.strip() for name, _ in objects]
    for i, guess in enumerate(guesses):
        for j, name in enumerate(classes):
            iou[i, j] *= guess["question"].strip() == name
    pairs = match(iou, rates.match_iou)
    # Answers of another kind (boxes, tracks) are not judged.
    kept = [{"answer_id": a["answer_id"]} for a in file["answers"] if not a["polygon"]]
    done = _File(kept)
    for i, (guess, outline) in enumerate(zip(guesses, outlines, strict=True)):
        if i in pairs:
            target, before = objects[pairs[i]][1], float(iou[i, pairs[i]])
            _judge_true(done, file, guess, outline, target, before, size, rates, rng)
        else:
            _judge_false(done, file, guess, rates, rng)
    for j, (name, polygon) in enumerate(objects):
        if j in pairs.values():
            continue
        if rng.random() < rates.miss_addition:
            done.actions.append(_action(file, name.strip(), "missed"))
            continue
        drawn = shifted(polygon, size, rates.shift, rng)
        after = float(mask_iou([drawn], [polygon], size)[0, 0])
        question = _question(file, name)
        done.answers.append({"question": question, "polygon": drawn.tolist()})
        done.actions.append(_action(file, name.strip(), "added", after=after))
    return done


def _judge_false(
    done: _File,
    file: Mapping[str, Any],
    guess: Mapping[str, Any],
    rates: Rates,
    rng: np.random.Generator,
) -> None:
    """A pre-annotation that fits nothing: deleted, or left by mistake."""
    kind: Kind = "left" if rng.random() < rates.miss_deletion else "deleted"
    if kind == "left":
        done.answers.append({"answer_id": guess["answer_id"]})
    done.actions.append(_action(file, guess["question"].strip(), kind, guess))


def _judge_true(
    done: _File,
    file: Mapping[str, Any],
    guess: Mapping[str, Any],
    outline: Polygon,
    target: Polygon,
    before: float,
    size: tuple[int, int],
    rates: Rates,
    rng: np.random.Generator,
) -> None:
    """A pre-annotation that fits an object: accepted, corrected, or treated wrongly."""
    name, answer_id = guess["question"].strip(), guess["answer_id"]
    if rng.random() < rates.wrong_deletion:
        done.actions.append(_action(file, name, "rejected", guess, before))
    elif before >= rates.accept_iou or rng.random() < rates.miss_correction:
        kind: Kind = "accepted" if before >= rates.accept_iou else "unmended"
        done.answers.append({"answer_id": answer_id})
        done.actions.append(_action(file, name, kind, guess, before, before))
    else:
        moved = corrected(outline, target, size, rates, rng)
        after = float(mask_iou([moved], [target], size)[0, 0])
        done.answers.append({"answer_id": answer_id, "polygon": moved.tolist()})
        done.actions.append(_action(file, name, "corrected", guess, before, after))


def match(iou: NDArray[np.float64], least: float) -> dict[int, int]:
    """Pairs one to one, the highest IoU first."""
    pairs: dict[int, int] = {}
    order = np.argsort(-iou, axis=None, kind="stable")
    for i, j in zip(*np.unravel_index(order, iou.shape), strict=True):
        if iou[i, j] < least:
            break
        if i not in pairs and j not in pairs.values():
            pairs[int(i)] = int(j)
    return pairs


def corrected(
    outline: Polygon,
    target: Polygon,
    size: tuple[int, int],
    rates: Rates,
    rng: np.random.Generator,
) -> Polygon:
    """The vertices moved to the true outline; drawn anew where they are too few or fold over."""
    steps = np.arange(_STEPS)[:, None, None] / _STEPS
    on_edges = (target + steps * (np.roll(target, -1, 0) - target)).reshape(-1, 2)
    distance = np.linalg.norm(outline[:, None] - on_edges, axis=2)
    moved = shifted(on_edges[distance.argmin(1)], size, rates.shift, rng)
    if len(moved) >= 3 and mask_iou([moved], [target], size)[0, 0] >= rates.accept_iou:
        return moved
    return shifted(target, size, rates.shift, rng)


def shifted(
    polygon: Polygon, size: tuple[int, int], shift: float, rng: np.random.Generator
) -> Polygon:
    """Every coordinate off by a normal error, inside of the image."""
    moved: Polygon = np.clip(polygon + rng.normal(0, shift, polygon.shape), 0, size)
    return moved


def _action(
    file: Mapping[str, Any],
    class_name: str,
    kind: Kind,
    guess: Mapping[str, Any] | None = None,
    before: float = np.nan,
    after: float = np.nan,
) -> Action:
    guess = guess or {}
    score, bucket = guess.get("score"), guess.get("conf_bucket")
    return Action(file["file_name"], class_name, kind, before, after, score, bucket)


def _question(file: Mapping[str, Any], name: str) -> str:
    """The question's own text for a class, which may have blanks around it."""
    questions: list[str] = file["questions"]
    return {text.strip(): text for text in questions}.get(name.strip(), name)


def pages(target: str, size: int = _PAGE) -> Iterator[list[dict[str, Any]]]:
    """The files of a project with their answers, some at a time, each with the questions' texts."""
    after: str | None = ""
    while after is not None:
        page = ask("GET", target, params={"size": size, "after": after})
        yield [{**file, "questions": page["questions"]} for file in page["files"]]
        after = page["after"]
