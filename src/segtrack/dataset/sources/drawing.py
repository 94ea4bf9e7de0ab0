"""What the sources of drawn shapes have in common; apart from the port, whose sources need none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec

from segtrack.dataset.sources.port import Content, Place, reading_of, required_path
from segtrack.settings import DatasetSettings

if TYPE_CHECKING:
    from segtrack.dataset.drawn import LeftOut, Picture, Shape

P = ParamSpec("P")
# What a value raises that is not as the program writes it: of another kind, missing, not finite.
ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def canvas(settings: DatasetSettings, width: Any, height: Any) -> tuple[int, int]:
    """The width and height that an export declares for an image, on which its masks are drawn.

    Raises:
        ValueError: they are none, or are more than an image may have.
    """
    from segtrack.dataset.image_files import too_large

    size = int(width), int(height)
    if min(size) < 1:
        raise ValueError(f"its image is {width} x {height} pixels")
    if problem := too_large(*size, settings.max_pixels):
        raise ValueError(f"its image {problem}")
    return size


def guarded(
    what: str, read: Callable[P, Shape | None], *args: P.args, **kwargs: P.kwargs
) -> Shape | None:
    """The shape that ``read`` makes; where it cannot, one that says why, so that it alone is lost.

    Args:
        what: it is called in messages, such as "mask 3 of image 1.jpg".
    """
    from segtrack.dataset.drawn import Shape

    try:
        return read(*args, **kwargs)
    except ODD as error:
        why = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return Shape(None, problem=f"{what} cannot be read ({why})")


def joined(shapes: Sequence[Shape]) -> Shape:
    """Shapes of one group, of one class, as one object.

    All their outlines and masks are its parts; a box beside these says nothing more, and boxes
    alone are one box around them all. So Datumaro's and CVAT's own COCO exports have it.
    """
    if len(shapes) == 1:
        return shapes[0]
    crowd = any(one.crowd for one in shapes)
    parts: list[Any] = []
    for one in shapes:
        parts += one.segmentation if isinstance(one.segmentation, list) else [one.segmentation]
    parts = [part for part in parts if part is not None]
    if parts:
        whole = parts[0] if len(parts) == 1 and isinstance(parts[0], dict) else parts
        return shapes[0]._replace(segmentation=whole, bbox_xywh=None, crowd=crowd)
    boxes = [one.bbox_xywh for one in shapes if one.bbox_xywh is not None]
    x, y = (min(box[i] for box in boxes) for i in (0, 1))
    u, v = (max(box[i] + box[i + 2] for box in boxes) for i in (0, 1))
    return shapes[0]._replace(bbox_xywh=[x, y, u - x, v - y], crowd=crowd)


def drawn_content(
    settings: DatasetSettings,
    place: Place,
    pictures: Iterable[Picture],
    left_out: LeftOut,
    suffixes: Sequence[str],
    declared: Sequence[str] = (),
) -> Content:
    """What a source of drawn shapes has: ``pictures`` are read, and what is no object is said.

    Args:
        left_out: what making the pictures counts.
        suffixes: of the export's files.
        declared: classes that the export declares, in its order.
    """
    from segtrack.dataset.drawn import read_drawn

    folder, reading = required_path(settings), reading_of(settings, place, 0)
    catalogue, checks = place.catalogue, place.checks
    names, read = read_drawn(pictures, declared, folder, catalogue, checks, reading, suffixes)
    left_out.say(checks)
    return Content(names, files_read=read)
