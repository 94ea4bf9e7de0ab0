"""What can be said of labels only once all of them are read."""

from __future__ import annotations

from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks, Finding
from segtrack.dataset.labels import packed_class_ids
from segtrack.dataset.yolo_labels import (
    BOX_ONLY,
    PERHAPS_TRACK_ID,
    TRACK_ID,
    TRACK_ID_HINT,
)


def check_labels(catalogue: Catalogue, checks: Checks) -> None:
    """Boxes in place of masks, in one sentence; and whether every label ends in a track id."""
    kinds = {code: (count, first) for code, count, first in checks.summary("warning")}
    if not kinds.keys() & {BOX_ONLY, PERHAPS_TRACK_ID}:
        return
    total = sum(len(packed_class_ids(blob)) for (blob,) in catalogue.rows("labels") if blob)
    boxes, first = kinds.get(BOX_ONLY, (0, None))
    if first is not None:
        message = (
            f"{boxes} of {total} labels are boxes without an outline, this one first: their masks "
            "are rectangles, and rectangles are what is learned from them"
        )
        hint = "label with polygons, or leave it so if rough masks will do"
        found = Finding("warning", BOX_ONLY, first.file, first.line, message, hint)
        checks.replace(BOX_ONLY, found)
    doubtful, first = kinds.get(PERHAPS_TRACK_ID, (0, None))
    if first is not None and doubtful >= total - boxes:
        message = (
            f"each of the {doubtful} labels ends like this one, in a share and {_last(first)}: a "
            "confidence and a track id"
        )
        found = Finding("error", TRACK_ID, first.file, first.line, message, TRACK_ID_HINT)
        checks.replace(PERHAPS_TRACK_ID, found)


def _last(finding: Finding) -> str:
    return finding.message.split(" behind ")[0].rsplit(" ", 1)[-1]
