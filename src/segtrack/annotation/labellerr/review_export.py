"""The platform's export of a review, by the names and classes with which it was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from segtrack.annotation.labellerr.checks import export_classes, match_file_names, match_questions
from segtrack.annotation.labellerr.port import Template
from segtrack.annotation.labellerr.push import pushed_questions
from segtrack.annotation.labellerr.session import Session
from segtrack.annotation.returned import Returned, new_returned
from segtrack.annotation.sent import Reviewed, SentImage, sent_images
from segtrack.base.errors import DataError
from segtrack.base.json_stream import elements
from segtrack.base.polygons import Polygon
from segtrack.dataset import clip, joined, signed_area

_SMALLEST = 0.01  # px²: less is a line or a point
_OUTSIDE = 1.0  # px by which rounding may put a point outside of the image


@contextmanager
def pull_review(session: Session, sent: Reviewed, scratch: Path) -> Iterator[Returned]:
    """Export what was reviewed of ``sent`` and read it; see ``AnnotationPlatform.pull``."""
    platform, settings = session.platform, session.settings
    statuses = list(settings.statuses)
    report_id = platform.start_export(sent.project_id, "segtrack review", statuses)
    platform.wait_export(sent.project_id, report_id, settings.timeout)
    raw, work = scratch / "export.json", scratch / "work.db"
    try:
        platform.download_export(sent.project_id, report_id, raw)
        template = platform.template(platform.project(sent.project_id).template_id)
        with closing(sent.open()) as db:
            images = list(sent_images(db))
        before = pushed_questions(session.ledger, platform.account, sent.project_id)
        with read_export(raw, work, images, sent.names, template, before) as back:
            yield back
    finally:
        for left in (raw, work):  # the export names the people who worked on it
            left.unlink(missing_ok=True)


@contextmanager
def read_export(
    path: Path,
    work: Path,
    images: Sequence[SentImage],
    classes: Sequence[str],
    template: Template,
    before: Mapping[str, str] | None = None,
) -> Iterator[Returned]:
    """Join an export with what was sent: by file id, else by name, whose case may differ.

    Args:
        path: COCO JSON as the platform gives it; read as a stream.
        work: scratch file for the labels.
        classes: class names that were sent.
        before: texts of the template's questions when they were sent, by their ids.

    Raises:
        DataError: it is not such a file, has a class that is no question of the template, or the
            template lost one of ``classes``; an image has another size than it had.
    """
    with new_returned(work) as back:
        try:
            _read(path, back, images, classes, template, before)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path.name}: the platform's export is not COCO JSON as it was seen of it "
                f"({type(error).__name__}: {error}); export again."
            ) from error
        back.complete()
        yield back


def _read(
    path: Path,
    back: Returned,
    images: Sequence[SentImage],
    classes: Sequence[str],
    template: Template,
    before: Mapping[str, str] | None,
) -> None:
    questions = match_questions(classes, template.questions, before)
    class_of = {text: name for name, text in questions.items()}
    exported: dict[Any, Mapping[str, Any]] = {}
    categories: list[Mapping[str, Any]] = []
    keys = set()
    for element in elements(path):
        keys.add(element.key)
        if element.listed and element.key == "images":
            exported[element.value["id"]] = element.value
        elif element.listed and element.key == "categories":
            categories.append(element.value)
    if missing := {"images", "annotations"} - keys:
        raise ValueError(f"no {' and no '.join(sorted(missing))}")
    indices = export_classes(categories, template.questions)
    texts = {category: template.questions[i].name for category, i in indices.items()}
    owners = _join(exported, images, back)
    for element in elements(path):
        if not element.listed or element.key != "annotations":
            continue
        value = element.value
        image = owners.get(value["image_id"])
        if image is None:
            continue
        where = f"{image.file_name}: annotation {value.get('id')!r}"
        text = texts.get(value["category_id"])
        if text is None:
            raise DataError(f"{where} has category {value['category_id']!r}, which is not listed.")
        if text not in class_of:
            back.remarks.append(f"{where} answers {text!r}, which is no class; left out")
            continue
        ring = _ring(value.get("segmentation"), image, where, back.remarks)
        if ring is not None:
            back.add(image.name, class_of[text], ring)


def _join(
    exported: Mapping[Any, Mapping[str, Any]], images: Sequence[SentImage], back: Returned
) -> dict[Any, SentImage]:
    by_id = {image.file_id: image for image in images if image.file_id}
    by_name = {image.name: image for image in images}
    names = [str(value.get("file_name", "")) for value in exported.values()]
    mended, _ = match_file_names(names, by_name)
    owners = {}
    for key, value in exported.items():
        name = str(value.get("file_name", ""))
        image = by_id.get(str(value.get("labellerr_file_id", "")))
        if image is None and name in mended:
            image = by_name[mended[name]]
        if image is None:
            back.unknown.append(name)
            continue
        size = (value.get("width"), value.get("height"))
        if None not in size and size != (image.width, image.height):
            raise DataError(
                f"{image.file_name}: {image.width} x {image.height} px when it was sent, "
                f"{size[0]} x {size[1]} px in the export; its labels would not fit."
            )
        owners[key] = image
        back.names.add(image.name)
    return owners


def _ring(value: Any, image: SentImage, where: str, remarks: list[str]) -> Polygon | None:
    """One ring inside of the image; None, with a remark, where nothing is left."""
    if not isinstance(value, list) or not value:
        remarks.append(f"{where} has no polygon; left out")
        return None
    rings = []
    for part in value:
        points = np.asarray(part, np.float64).reshape(-1, 2)
        if len(points) < 3 or not np.isfinite(points).all():
            remarks.append(f"{where} has a polygon of {len(points)} usable points; left out")
            continue
        limit = np.array([image.width, image.height]) + _OUTSIDE
        if (points < -_OUTSIDE).any() or (points > limit).any():
            remarks.append(f"{where} reaches out of the image; cut at its border")
        inside = points
        if (points < 0).any() or (points > limit - _OUTSIDE).any():
            inside = clip(points, (image.width, image.height))
        if len(inside) < 3 or abs(signed_area(inside)) < _SMALLEST:
            remarks.append(f"{where} has no area inside of the image; left out")
            continue
        rings.append(inside)
    if not rings:
        return None
    return rings[0] if len(rings) == 1 else joined(rings)
