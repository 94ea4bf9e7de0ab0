"""MOTChallenge text files: ``frame,id,x,y,w,h,conf`` and what the year adds.

MOT15 adds a 3D position (``x,y,z``, -1 where there is none), MOT16 and later ones a class and a
visibility. "MOT16: A Benchmark for Multi-Object Tracking" (Milan et al., 2016), section 4. What
trackers write has the class alone (8 columns), or before ``-1,-1`` (10), too. Where the class is -1
throughout, as in UAVDT's ``_gt.txt``, there is none.

VisDrone's rows look alike but are others: ``frame,id,x,y,w,h,score,category,truncation,occlusion``
(github.com/VisDrone/VisDrone2018-MOT-toolkit, README).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from segtrack.base.errors import some
from segtrack.formats.tables import (
    read_numbers,
    refuse_row,
    require,
    require_boxes,
    require_frames,
    require_ids,
    require_unique,
    write_rows,
)

# "MOT16", table 2.
MOT_CLASSES = (
    *((1, "person"), (2, "person on vehicle"), (3, "car"), (4, "bicycle"), (5, "motorcycle")),
    *((6, "non motorized vehicle"), (7, "static person"), (8, "distractor"), (9, "occluder")),
    *((10, "occluder on the ground"), (11, "full occluder"), (12, "reflection"), (13, "crowd")),
)
VISDRONE_CLASSES = (
    *((0, "ignored region"), (1, "person"), (2, "people"), (3, "bicycle"), (4, "car"), (5, "van")),
    *((6, "truck"), (7, "tricycle"), (8, "awning tricycle"), (9, "bus"), (10, "motorcycle")),
    (11, "others"),
)
PLAIN_COLUMNS = 7
CLASS_COLUMNS = 9
POSITION_COLUMNS = 10


@dataclass(frozen=True)
class MotTable:
    """Rows of one sequence, in the order of the file.

    Attributes:
        frame: int64 (N,), from 0 where the file counts from ``first``.
        track_id: int64 (N,); -1 in detections.
        bbox_xywh: float64 (N, 4), pixels.
        conf: float64 (N,), a score; of ground truth 0 means "not to be judged".
        class_id: int64 (N,), or None where the file has no such column.
        visibility: float64 (N,) in 0..1, -1 where not known, or None.
        position: float64 (N, 3), metres, or None.
        occlusion: float64 (N,), VisDrone's level (0 none, 1 up to half, 2 more), or None.
    """

    frame: np.ndarray
    track_id: np.ndarray
    bbox_xywh: np.ndarray
    conf: np.ndarray
    class_id: np.ndarray | None = None
    visibility: np.ndarray | None = None
    position: np.ndarray | None = None
    occlusion: np.ndarray | None = None

    @property
    def bbox_xyxy(self) -> np.ndarray:
        """float64 (N, 4), corners in pixels."""
        return np.concatenate(
            [self.bbox_xywh[:, :2], self.bbox_xywh[:, :2] + self.bbox_xywh[:, 2:]], axis=1
        )


def read_mot(path: Path, tracks: bool = True, first: int = 1) -> MotTable:
    """Read ground truth, a tracker's output or detections.

    Args:
        path: a file of 7 columns (no more than a confidence), 8 (a class too), 9 (MOT16 and later)
            or 10 (MOT15; the eighth is a class where ``-1,-1`` follows it, unless it is -1 too).
        tracks: rows have ids; False for detections, whose ids are all -1.
        first: number of the first frame.

    Raises:
        DataError: a malformed row (number of columns, not a number, a frame before ``first``, an
            id that is no whole number, the same id twice in a frame, a visibility above 1), or
            columns of VisDrone or UAVDT; with path, line and value.
    """
    table = read_numbers(path, PLAIN_COLUMNS, POSITION_COLUMNS)
    if _looks_like_visdrone_image(table):
        refuse_row(
            path,
            0,
            "columns of VisDrone's single images (left,top,width,height,score,category,truncation,"
            "occlusion), which have neither frames nor ids",
        )
    if _looks_like_visdrone(table):
        refuse_row(
            path,
            int(np.argmax(table[:, 7] > 1)),
            "columns of VisDrone, whose eighth is its own category: segtrack score --format "
            "visdrone, or dataset=sequences on a folder with VisDrone's annotations and sequences",
        )
    return _mot_table(path, table, tracks, first)


def read_visdrone(path: Path, tracks: bool = True, first: int = 1) -> MotTable:
    """Read VisDrone's 10 columns; ``conf`` is its score, ``class_id`` its category.

    Arguments and errors as in ``read_mot``.
    """
    table = read_numbers(path, POSITION_COLUMNS, POSITION_COLUMNS)
    known = np.isin(table[:, 7], [i for i, _ in VISDRONE_CLASSES])
    require(path, known, "no category of VisDrone (0 to 11) in the eighth column")
    regions = table[:, 7] == 0  # their ids are 0, or -1, several times in a frame
    _require_rows(path, table, True, tracks, first, ~regions)
    return replace(_columns(table, first, class_column=True), occlusion=table[:, 9])


def is_visdrone(path: Path) -> bool:
    """Whether the rows of a file are VisDrone's rather than MOTChallenge's.

    Raises:
        DataError: no table of numbers.
    """
    return _looks_like_visdrone(read_numbers(path, PLAIN_COLUMNS, POSITION_COLUMNS))


def require_classes(
    path: Path, class_id: np.ndarray, names: Sequence[tuple[int, str]], masks: bool = False
) -> None:
    """Raise a DataError where ground truth, of boxes or masks, has class ids that nothing names."""
    unknown = sorted(set(np.unique(class_id).tolist()) - {i for i, _ in names})
    if unknown:
        row = int(np.argmax(np.isin(class_id, unknown)))
        or_name = ", or name them in labels.txt beside this file, a line for each from 1 on"
        known = dict(names)  # regions may be named and added
        refuse_row(
            path,
            row,
            f"class ids {some([str(i) for i in unknown])} ({'third' if masks else 'eighth'} column)"
            f" are not among {', '.join(f'{i} {name}' for i, name in known.items())}; correct them"
            f"{'' if masks else or_name}",
        )


def _looks_like_visdrone(table: np.ndarray) -> bool:
    """Ten columns of which the last four can only be score, category, truncation, occlusion.

    MOT15's are a confidence and a place in metres, or -1 three times.
    """
    if table.shape[1] != POSITION_COLUMNS or not len(table):
        return False
    return _fits_visdrone(table[:, 6:]) and bool(
        (table[:, 7] > 1).any() or (table[:, 8:] > 0).any()
    )


def _looks_like_uavdt(table: np.ndarray) -> bool:
    """Nine columns of which the last can be UAVDT's, with an object that leaves the view.

    In MOT16's truth the seventh is 0 or 1.
    """
    allowed = ((1, 2, 3), (1, 2, 3, 4), (1, 2, 3))
    fits = all(np.isin(table[:, 6 + i], kinds).all() for i, kinds in enumerate(allowed))
    return fits and bool((table[:, 6] > 1).any())


def _looks_like_visdrone_image(table: np.ndarray) -> bool:
    """Eight columns of which the last four can only be as in VisDrone's rows.

    As MOTChallenge's they would be boxes of 1 px and less.
    """
    if table.shape[1] != 8 or not len(table):
        return False
    return _fits_visdrone(table[:, 4:]) and bool((table[:, 5] > 1).any())


def _fits_visdrone(columns: np.ndarray) -> bool:
    """Whether four columns can be score, category, truncation, occlusion."""
    allowed = ((0, 1), range(12), (0, 1), (0, 1, 2))
    return all(np.isin(columns[:, i], list(kinds)).all() for i, kinds in enumerate(allowed))


def _mot_table(path: Path, table: np.ndarray, tracks: bool, first: int) -> MotTable:
    columns = table.shape[1]
    has_class = columns in (8, CLASS_COLUMNS) and not (len(table) and (table[:, 7] == -1).all())
    if columns == CLASS_COLUMNS and has_class and tracks:
        problem = "the ninth column is a visibility, 0 to 1 or -1; are these columns of MOT16?"
        require(path, table[:, 8] <= 1, problem)
        if _looks_like_uavdt(table):
            refuse_row(
                path,
                int(np.argmax(table[:, 6] > 1)),
                "columns of UAVDT's _gt_whole.txt, the last out-of-view, occlusion, category; "
                "take its _gt.txt",
            )
    if columns == POSITION_COLUMNS and len(table):
        # Trackers that write a class before the ones that MOT15 has for "no place".
        whole = (table[:, 7] == np.floor(table[:, 7])).all()
        has_class = bool(whole and (table[:, 8:] == -1).all() and (table[:, 7] != -1).all())
    _require_rows(path, table, has_class, tracks, first)
    return _columns(table, first, has_class)


def _require_rows(
    path: Path,
    table: np.ndarray,
    has_class: bool,
    tracks: bool,
    first: int,
    unique: np.ndarray | None = None,
) -> None:
    require_frames(path, table[:, 0], first)
    require_ids(path, table[:, 1])
    require_boxes(path, table[:, 2:6], table[:, 4:6])
    if has_class:
        require(path, table[:, 7] == np.floor(table[:, 7]), "a class is a whole number")
    if tracks:
        who = np.ones(len(table), bool) if unique is None else unique
        track_id = table[:, 1].astype(np.int64)
        require(path, (track_id >= 0) | ~who, "an id is 0 or more")
        require_unique(path, table[:, 0].astype(np.int64), track_id, who)


def _columns(table: np.ndarray, first: int, class_column: bool) -> MotTable:
    columns = table.shape[1]
    return MotTable(
        table[:, 0].astype(np.int64) - first,
        table[:, 1].astype(np.int64),
        table[:, 2:6],
        table[:, 6],
        table[:, 7].astype(np.int64) if class_column else None,
        table[:, 8] if columns == CLASS_COLUMNS else None,
        table[:, 7:10] if columns == POSITION_COLUMNS and not class_column else None,
    )


def write_mot(path: Path, table: MotTable) -> None:
    """Write 7 columns, 8 where the table has classes, 9 with visibility, 10 with positions."""
    columns = [table.frame + 1, table.track_id, *table.bbox_xywh.T, table.conf]
    if table.class_id is not None:
        columns += [table.class_id, *([] if table.visibility is None else [table.visibility])]
    elif table.position is not None:
        columns += list(table.position.T)
    write_rows(path, zip(*(column.tolist() for column in columns), strict=True))
