"""What can be said of the images once all facts and splits are known."""

from __future__ import annotations

from segtrack.base.errors import some
from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.classes import ClassMap
from segtrack.dataset.coco_annotations import UNREADABLE_ERROR
from segtrack.dataset.labels import packed_class_ids

SMALLEST_SIDE = 10  # px; ultralytics leaves out images with a smaller side
_SHOWN = 3
# Why there is no label: it was left out, or not found.
_DROPPED = ("outside", "few_points", "zero_area", "endless", "left_out", "image_without_label")


def index_content(catalogue: Catalogue) -> None:
    """Make looking for equal images quick."""
    catalogue.db.execute("CREATE INDEX by_content ON images (sha256)")


def check_images(catalogue: Catalogue, checks: Checks) -> None:
    """Equal images, odd pixel formats, rotation by EXIF."""
    _check_duplicates(catalogue, checks)
    query = (
        "SELECT path, mode, orientation, width, height FROM images WHERE width > 0 AND "
        f"(mode != 'RGB' OR orientation != 1 OR width < {SMALLEST_SIDE} "
        f"OR height < {SMALLEST_SIDE}) ORDER BY image_id"
    )
    for path, mode, orientation, width, height in catalogue.db.execute(query):
        _check_mode(path, mode, checks)
        if orientation != 1:
            message = f"EXIF orientation {orientation} turns it to {width} x {height}"
            hint = "labels must be for the turned image; save it upright to be sure"
            checks.warn("exif_rotation", path, message, hint)
        if min(width, height) < SMALLEST_SIDE:
            message = f"is {width} x {height} pixels"
            hint = f"training leaves out images with a side under {SMALLEST_SIDE} pixels"
            checks.warn("tiny_image", path, message, hint)


def check_classes(catalogue: Catalogue, checks: Checks, classes: ClassMap, where: str) -> None:
    """No label at all (an error), and classes that a split lacks.

    Args:
        where: the data set's path, for findings.
    """
    ids = classes.ids()
    seen: dict[str, set[int]] = {}
    for split, blob in catalogue.rows("split, labels"):
        found = seen.setdefault(split, set())
        if blob:
            found.update(packed_class_ids(blob).tolist())
    outputs = {split: {int(ids[i]) for i in found} - {-1} for split, found in seen.items()}
    everywhere = set().union(*outputs.values())
    if not everywhere and set(seen) == {"pool"}:
        return  # raw images: what is to be found in them is yet to be said
    if not everywhere and UNREADABLE_ERROR in {code for code, *_ in checks.summary("error")}:
        return  # which says why
    if not everywhere:
        of = f" of {', '.join(classes.names[:20])}" if classes.names else ""
        message = f"no usable label{of} in {catalogue.count()} images"
        hint = (
            "check dataset.path and dataset.classes; warnings say which labels were left out. "
            "Images that are yet to be labelled belong into the split pool, as with dataset=images"
        )
        dropped = {code: first for code, _, first in checks.summary("warning")}
        example = next((dropped[code] for code in _DROPPED if code in dropped), None)
        hint += f"; for example {example}" if example is not None else ""
        checks.error("no_labels", where, message, hint)
        return
    for split in ("train", "val", "test"):
        if split in outputs:
            missing = [classes.names[i] for i in sorted(everywhere - outputs[split])]
            if missing:
                message = f"the {split} split has no {some(missing, 20)}"
                which = "this class" if len(missing) == 1 else "these classes"
                hint = f"scores of {which} mean nothing there; add images or merge classes"
                checks.warn("class_missing", where, message, hint)
    never = [n for i, n in enumerate(classes.names) if i not in everywhere]
    if never:
        message = f"no image has {some(never, 20)}"
        checks.warn("class_never", where, message, "leave them out by dataset.classes")


def _check_duplicates(catalogue: Catalogue, checks: Checks) -> None:
    query = (
        "SELECT sha256, COUNT(*) FROM images WHERE LENGTH(sha256) > 0 GROUP BY sha256 "
        "HAVING COUNT(*) > 1 ORDER BY MIN(image_id)"
    )
    same = "SELECT path, split FROM images WHERE sha256 = ? ORDER BY image_id"
    for sha, count in catalogue.db.execute(query):
        members = catalogue.db.execute(same, (sha,)).fetchall()
        splits = sorted({str(split) for _, split in members})
        more = f" and {count - 1 - _SHOWN} more" if count - 1 > _SHOWN else ""
        others = ", ".join(f"{path} ({split})" for path, split in members[1 : 1 + _SHOWN]) + more
        first, own = members[0]
        if len(splits) > 1:
            message = f"({own}) has the same content as {others}: the splits are not independent"
            checks.warn("leakage", first, message, "keep it in one split")
        else:
            message = f"({own}) has the same content as {others}"
            checks.warn("duplicate_image", first, message, "remove all but one")


def _check_mode(path: str, mode: str, checks: Checks) -> None:
    base, _, depth = mode.partition(";")
    if depth.startswith("16") or base == "I":
        hint = "it is read with 8 bits per channel; convert it yourself if the range matters"
        checks.warn("bit_depth", path, f"has 16 bits per channel (mode {mode})", hint)
    if base in ("1", "L", "LA", "I", "F"):
        hint = "it is read as three equal channels"
        checks.warn("grayscale", path, f"is grayscale (mode {mode})", hint)
    if base in ("RGBA", "LA", "PA", "RGBa", "La"):
        hint = "the transparency is left out when it is read"
        checks.warn("alpha_channel", path, f"has an alpha channel (mode {mode})", hint)
