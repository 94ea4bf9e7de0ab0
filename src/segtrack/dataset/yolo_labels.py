"""A YOLO label file: ``class x1 y1 x2 y2 ...`` per row, as shares of the image."""

from __future__ import annotations

import math

import numpy as np

from segtrack.dataset.cleaning import Remark, clean_polygon
from segtrack.dataset.labels import Annotation, Labels, labels_of

_ROW = "a row is a class id and x y pairs: 0 0.1 0.1 0.5 0.1 0.5 0.5"


def parse_labels(data: bytes, class_count: int) -> tuple[Labels, list[Remark]]:
    """Read one label file.

    Args:
        data: the file's bytes, UTF-8 with or without a byte order mark.
        class_count: class ids go from 0 to one less.

    Returns:
        The usable rows in shares of the image, and remarks with line numbers. Rows with errors are
        left out. A row of five numbers is a box (centre, width, height) and becomes a rectangle.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not a text file ({error.reason} at byte {error.start})"
        return labels_of([]), [Remark("error", "label_not_text", 0, message, _ROW)]
    remarks: list[Remark] = []
    annotations: list[Annotation] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            annotation = _parse_row(line.split(), number, class_count, remarks)
            if annotation:
                annotations.append(annotation)
    return labels_of(annotations), remarks


def _parse_row(
    words: list[str], line: int, class_count: int, remarks: list[Remark]
) -> Annotation | None:
    try:
        values = list(map(float, words))
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        remarks.append(Remark("error", "not_a_number", line, f"{wrong!r} is not a number", _ROW))
        return None
    if not all(map(math.isfinite, values)):
        wrong = next(w for w, v in zip(words, values, strict=True) if not math.isfinite(v))
        message = f"{wrong!r} is not a finite number"
        remarks.append(Remark("error", "not_finite", line, message, _ROW))
        return None
    class_id = int(values[0])
    if class_id != values[0] or not 0 <= class_id < class_count:
        message = f"class id {words[0]} is not a whole number from 0 to {class_count - 1}"
        hint = "mend the row, or add the class to names in data.yaml"
        remarks.append(Remark("error", "class_id", line, message, hint))
        return None
    coordinates = values[1:]
    if len(coordinates) % 2 or not coordinates:
        message = (
            f"{len(coordinates)} coordinates, an odd number" if coordinates else "no coordinates"
        )
        remarks.append(Remark("error", "odd_coordinates", line, message, _ROW))
        return None
    if len(coordinates) == 4:
        message = "a box without a polygon; the mask is its rectangle"
        hint = "label with polygons, or leave it so if rough masks will do"
        remarks.append(Remark("warning", "box_only", line, message, hint))
        coordinates = _rectangle(*coordinates)
    points = np.array(coordinates, np.float64).reshape(-1, 2)
    cleaned = clean_polygon(points, (1.0, 1.0), line, "polygon")
    remarks.extend(cleaned.remarks)
    if cleaned.polygon is None:
        return None
    return Annotation(class_id, [cleaned.polygon], cleaned.area)


def _rectangle(x: float, y: float, width: float, height: float) -> list[float]:
    left, right = x - width / 2, x + width / 2
    top, bottom = y - height / 2, y + height / 2
    return [left, top, right, top, right, bottom, left, bottom]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
