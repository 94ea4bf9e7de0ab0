"""A YOLO label file: ``class x1 y1 x2 y2 ...`` per row, as shares of the image."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np

from segtrack.dataset.cleaning import Placed, Remark, clean_polygon, without_copies
from segtrack.dataset.labels import Annotation, Labels, labels_of

# Kinds of findings that are looked at once more when all labels are read.
BOX_ONLY, TRACK_ID, PERHAPS_TRACK_ID = "box_only", "confidence_and_id", "perhaps_track_id"
TRACK_ID_HINT = (
    "a label is a class and a box or a polygon; take the last two columns off, or export labels "
    "instead of tracks"
)
_ROW = "a row is a class id and x y pairs: 0 0.1 0.1 0.5 0.1 0.5 0.5"
_PREDICTED = (
    "labels end behind the box or polygon: take off what stands there, such as a confidence or a "
    "track id"
)
_CORNERS = "a box is its centre, width and height as shares of the image; are these corners?"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_NEAR = 0.02  # share of the image: a polygon that meets an edge has more than one point there


def parse_labels(data: bytes, class_count: int) -> tuple[Labels, list[Remark]]:
    """Read one label file.

    Args:
        data: the file's bytes, UTF-8 or UTF-16 with or without a byte order mark.
        class_count: class ids go from 0 to one less.

    Returns:
        The usable rows in shares of the image, and remarks with line numbers. Rows with errors are
        left out. A row of five numbers is a box (centre, width, height) and becomes a rectangle.
        Of equal rows the first one counts.
    """
    try:
        text = data.decode("utf-16" if data[:2] in _UTF16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not a text file ({error.reason} at byte {error.start})"
        return labels_of([]), [Remark("error", "label_not_text", 0, message, _ROW)]
    remarks: list[Remark] = []
    placed: list[Placed] = []
    for number, words in _rows(text, remarks):
        annotation = _parse_row(words, number, class_count, remarks)
        if annotation:
            placed.append(Placed(annotation, number, f"row {number}"))
    annotations, copies = without_copies(placed)
    left_out = {copy.line for copy in copies}
    return labels_of(annotations), [r for r in remarks if r.line not in left_out] + copies


def _rows(text: str, remarks: list[Remark]) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows as words, without blank ones and a header; commas may separate them."""
    first = True
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        for comma in (",", ";"):
            if comma in line and all(map(_is_number, line.split(comma))):
                words = line.split(comma)
                message, hint = f"has {comma!r} between numbers", "it is read; write blanks"
                remarks.append(Remark("warning", "separator", number, message, hint))
                break
        cells = re.split(r"[\s,;]+", line.strip())
        if first and len(cells) > 1 and not any(map(_is_number, cells)):
            message, hint = f"{line.strip()[:60]!r} is taken as a header", "remove the row"
            remarks.append(Remark("warning", "header_row", number, message, hint))
        else:
            yield number, words
        first = False


def _parse_row(
    words: list[str], line: int, class_count: int, remarks: list[Remark]
) -> Annotation | None:
    values = _numbers(words, line, remarks)
    if values is None:
        return None
    class_id = int(values[0])
    if class_id != values[0] or not 0 <= class_id < class_count:
        message = f"class id {words[0]} is not a whole number from 0 to {class_count - 1}"
        hint = "ids begin with 0; mend the row, or add the class to names in data.yaml"
        remarks.append(Remark("error", "class_id", line, message, hint))
        return None
    coordinates = values[1:]
    odd = _odd_columns(coordinates, words, line)
    if odd is not None and odd.severity == "error":
        remarks.append(odd)
        return None
    is_box = len(coordinates) == 4
    if is_box:
        message = "a box without a polygon; the mask is its rectangle"
        hint = "label with polygons, or leave it so if rough masks will do"
        odd = Remark("warning", BOX_ONLY, line, message, hint)
        coordinates = _rectangle(*coordinates)
    points = np.array(coordinates, np.float64).reshape(-1, 2)
    cleaned = clean_polygon(points, (1.0, 1.0), line, "box" if is_box else "polygon")
    for remark in cleaned.remarks:
        corners = is_box and remark.code in ("clipped", "outside")
        remarks.append(remark._replace(hint=_CORNERS) if corners else remark)
    if cleaned.polygon is None:
        return None
    if odd is not None:
        remarks.append(odd)
    return Annotation(class_id, [cleaned.polygon], cleaned.area)


def _numbers(words: list[str], line: int, remarks: list[Remark]) -> list[float] | None:
    try:
        values = list(map(float, words))
    except ValueError:
        wrong = next(word for word in words if not _is_number(word))
        hint = _ROW
        if wrong is words[0] and len(words) > 1:
            hint = "a row begins with the class id, its position in names; not with the name"
        remarks.append(Remark("error", "not_a_number", line, f"{wrong!r} is not a number", hint))
        return None
    if not all(map(math.isfinite, values)):
        wrong = next(w for w, v in zip(words, values, strict=True) if not math.isfinite(v))
        message = f"{wrong!r} is not a finite number"
        remarks.append(Remark("error", "not_finite", line, message, _ROW))
        return None
    return values


def _odd_columns(values: list[float], words: list[str], line: int) -> Remark | None:
    """What is behind a class and is no box and no polygon, as an error; a warning in doubt."""
    count = len(values)
    if not count:
        return Remark("error", "odd_coordinates", line, "no coordinates", _ROW)
    if count == 5:
        message = "5 coordinates, an odd number: a box and one number more"
        return Remark("error", "odd_coordinates", line, message, _PREDICTED)
    if _is_pose(values):
        message = f"{count} numbers: a box and {(count - 4) // 3} keypoints, which are no mask"
        hint = "export the data set for segmentation or detection"
        return Remark("error", "pose", line, message, hint)
    if count % 2:
        message = f"{count} coordinates, an odd number"
        return Remark("error", "odd_coordinates", line, message, f"{_ROW}; {_PREDICTED}")
    if count == 4:
        if min(values[2:]) >= 0:
            return None
        message = f"the box has the width {words[3]} and the height {words[4]}"
        return Remark("error", "negative_size", line, message, _CORNERS)
    return _track_id(values, words, line)


def _track_id(values: list[float], words: list[str], line: int) -> Remark | None:
    """A confidence and a track id behind a box or a polygon, as trackers write them.

    An id of 2 or more is no share of the image, also where it stands before the confidence. An id
    of 0 or 1 may be an edge of it: there it is in doubt where the rest is a box inside of the
    image, or no other point is near that edge.
    """
    *rest, confidence, number = values
    if not rest:
        return None
    if confidence >= 2 and 0 <= number < 1:
        confidence, number = number, confidence
    if number != int(number) or not 0 <= confidence <= 1 or number < 0:
        return None
    if not all(-_NEAR <= value <= 1 + _NEAR for value in rest):
        return None
    shape = "box" if len(rest) == 4 else "polygon"
    what = f"{words[-2]} and {words[-1]} behind a {shape}"
    if number >= 2:
        message = f"{what} are a confidence and a track id, no point"
        return Remark("error", TRACK_ID, line, message, TRACK_ID_HINT)
    if confidence in (0, 1):
        return None
    far = min(abs(y - number) for y in rest[1::2]) > _NEAR  # from the edge that the id names
    doubt = _inside(*rest) if shape == "box" else far
    if not doubt:
        return None
    message = f"{what} may be a confidence and a track id; they are taken as a point"
    return Remark("warning", PERHAPS_TRACK_ID, line, message, TRACK_ID_HINT)


def _inside(x: float, y: float, width: float, height: float) -> bool:
    low, high = min(x - width / 2, y - height / 2), max(x + width / 2, y + height / 2)
    return min(width, height) > 0 and low >= -_NEAR and high <= 1 + _NEAR


def _is_pose(values: list[float]) -> bool:
    """A box and keypoints of x, y and visibility (0, 1 or 2), one of them visible."""
    flags = values[6::3]
    return (
        len(values) >= 10
        and (len(values) - 4) % 3 == 0
        and all(flag in (0, 1, 2) for flag in flags)
        and 2 in flags
    )


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
