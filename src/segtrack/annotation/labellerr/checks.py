"""What Labellerr would leave out of a COCO file without a word, looked for before it is sent.

A pre-annotation job completes happily without having applied anything: a box without polygon, a
name in another case, a class that is no question are skipped silently.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segtrack.annotation.labellerr.port import Platform, ProjectRecord, Question
from segtrack.base.content_names import content_tag, without_tag
from segtrack.base.errors import DataError, PlatformError, SettingsError, some
from segtrack.base.json_stream import elements

FILE_BYTES = 25_000_000  # the documentation's 25 MB, in the smaller reading
EDGE = 1.0  # px by which rounding may put a point outside of the image
_LISTED = 10
_ID = re.compile("[A-Za-z0-9_-]+")  # what may stand in a path


def match_questions(
    classes: Sequence[str], questions: Sequence[Question], before: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The question's text, verbatim, of each class: ``car`` may be the question ``Car ``.

    Args:
        before: texts of the questions when images were last sent, by their ids.

    Raises:
        DataError: lists the classes without question, with two, or whose question is no polygon.
    """
    problems = []
    found: dict[str, str] = {}
    texts = {q.name: q for q in questions}
    for name in classes:
        alike = [texts[name]] if name in texts else [q for q in questions if _same(q.name, name)]
        if not alike:
            folded = {q.name.strip().casefold(): q.name for q in questions}
            close = difflib.get_close_matches(name.strip().casefold(), folded, 1)
            hint = f" (near: {folded[close[0]]!r})" if close else ""
            problems.append(f"{name!r} is no question{hint}")
        elif len(alike) > 1:
            problems.append(f"{name!r} may be {' or '.join(repr(q.name) for q in alike)}")
        elif alike[0].kind != "polygon":
            problems.append(f"question {alike[0].name!r} asks for {alike[0].kind}, not polygon")
        else:
            found[name] = alike[0].name
    if problems:
        raise DataError(
            f"classes and the project's template do not fit: {'; '.join(problems)}. The template "
            f"asks for {', '.join(repr(q.name) for q in questions) or 'nothing'}: use a project "
            "with one polygon question per class, or map the names with dataset.classes."
            + "".join(f" Since it was sent, {one}" for one in changed_questions(before, questions))
        )
    return found


def changed_questions(before: Mapping[str, str] | None, questions: Sequence[Question]) -> list[str]:
    """What became of questions whose texts are known, with a way on; new ones are no change."""
    now, found = {q.question_id: q.name for q in questions}, []
    for question_id, text in (before or {}).items():
        if question_id not in now:
            found.append(
                f"question {text!r} was taken out of the template: its labels are not exported. "
                "Put it back on the platform, or go on without the class (dataset.classes)."
            )
        elif now[question_id] != text:
            new = now[question_id]
            found.append(
                f"question {text!r} was changed to {new!r}: the class has that name in what is "
                f"exported. Change it back on the platform, or go on with dataset.classes="
                f"{{{text}: [{new}]}} for the old name."
            )
    return found


def named_project(
    platform: Platform,
    key: str,
    project: str,
    classes: Sequence[str] = (),
    before: Mapping[str, str] | None = None,
) -> ProjectRecord:
    """The project that the setting ``key`` names, by its id or its name.

    Args:
        before: see ``match_questions``.

    Raises:
        SettingsError: there is no such project, or several have the name.
        DataError: its template has not all of ``classes``.
    """
    found = find_project(platform, key, project)
    if classes:
        match_questions(classes, platform.template(found.template_id).questions, before)
    return found


def find_project(platform: Platform, key: str, project: str) -> ProjectRecord:
    """The project of an id or a name.

    Raises:
        SettingsError: there is none, or several have the name.
    """
    if _ID.fullmatch(project):
        try:
            return platform.project(project)
        except PlatformError as error:
            if error.status not in (400, 404):
                raise
    there = list(platform.projects())
    same = [one for one in there if one.name == project]
    if len(same) == 1:
        return platform.project(same[0].project_id)  # the list may be short of details
    if same:
        ids = some([one.project_id for one in same])
        raise SettingsError(f"{key}={project}: {len(same)} projects are called so: {ids}; give one")
    known = f"it has {some([one.name for one in there], 8)}" if there else "it has none yet"
    raise SettingsError(f"{key}={project}: no such project in this account, by id or name; {known}")


class FileNames:
    """Names of the platform's files, to be looked up exactly, by content, or with the case mended.

    What is sent has a part of its content's digest at the end of its name (``base.content_names``):
    the same picture is found again, whatever it is called by now.
    """

    def __init__(self, there: Iterable[str]) -> None:
        self._exact = set(there)
        self._tagged: dict[str, list[str]] = {}
        self._folded: dict[str, list[str]] = {}
        for name in self._exact:
            self._folded.setdefault(name.casefold(), []).append(name)
            if tag := content_tag(name):
                self._tagged.setdefault(tag, []).append(name)

    def __contains__(self, name: str) -> bool:
        return name in self._exact

    def find(self, name: str) -> str | None:
        """The platform's name; None where it has none, or several that differ in case only."""
        if name in self._exact:
            return name
        tag = content_tag(name)
        if tag and (same := self._tagged.get(tag)):
            return min(same)
        plain = without_tag(name) if tag else name
        if tag and plain in self._exact:
            return plain  # sent by an earlier release
        alike = self._folded.get(plain.casefold(), ())
        return alike[0] if len(alike) == 1 else None


def match_file_names(
    names: Iterable[str], there: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """Names as the platform has them: exactly, or with the case mended where that is unique.

    Returns:
        The platform's name of each name that was found, and the names that were not.
    """
    known = FileNames(there)
    pairs = [(name, known.find(name)) for name in names]
    found = {name: other for name, other in pairs if other is not None}
    return found, [name for name, other in pairs if other is None]


def export_classes(
    categories: Sequence[Mapping[str, Any]], questions: Sequence[Question]
) -> dict[int, int]:
    """Class index, in the template's order, of each category id of an export.

    An export without labels has no categories, so the order is never the export's.

    Raises:
        DataError: a category is no question of the template.
    """
    by_id = {q.question_id: i for i, q in enumerate(questions) if q.question_id}
    by_name = {q.name: i for i, q in enumerate(questions)}
    result: dict[int, int] = {}
    for category in categories:
        name = str(category.get("name", ""))
        index = by_id.get(str(category.get("labellerr_question_id", "")), by_name.get(name))
        if index is None:
            raise DataError(
                f"the export's category {name!r} is no question of the project's template "
                f"({', '.join(repr(q.name) for q in questions)}): was the template changed?"
            )
        result[int(category["id"])] = index
    return result


def check_coco(
    path: Path, questions: Sequence[Question], file_names: Collection[str], limit: int = FILE_BYTES
) -> None:
    """Whether the platform would take every image and every annotation of a COCO file.

    Args:
        file_names: those of the project.

    Raises:
        DataError: lists what is wrong: too large, not JSON, no categories or annotations, images
            that are not in the project, categories that are no questions, objects without a
            polygon, run-length masks, polygons outside of their image.
    """
    size = path.stat().st_size
    if size > limit:
        raise DataError(
            f"{path}: {size / 1e6:.1f} MB, Labellerr takes {limit / 1e6:.1f} MB at most; send "
            "it in parts."
        )
    found = _Findings(questions, FileNames(file_names))
    try:
        # Images and categories may come after the annotations that refer to them.
        for element in elements(path):
            if element.listed and element.key in ("images", "categories"):
                found.take(element.key, element.value, element.line)
        for element in elements(path):
            if element.listed and element.key == "annotations":
                found.take(element.key, element.value, element.line)
    except ValueError as error:
        raise DataError(f"{path}: not a COCO file, {error}") from error
    problems = found.end()
    if problems:
        rest = len(problems) - _LISTED
        listed = "; ".join(problems[:_LISTED]) + (f"; and {rest} more" if rest > 0 else "")
        raise DataError(f"{path}: Labellerr would leave out, without saying so: {listed}.")


@dataclass
class _Findings:
    questions: Sequence[Question]
    file_names: FileNames
    problems: list[str] = field(default_factory=list)
    images: dict[Any, Mapping[str, Any]] = field(default_factory=dict)
    categories: set[Any] = field(default_factory=set)
    annotations: int = 0

    def take(self, key: str, value: Any, line: int) -> None:
        if not isinstance(value, Mapping):
            self.problems.append(f"line {line}: {key} holds {type(value).__name__}")
        elif key == "images":
            self._image(value, line)
        elif key == "categories":
            self._category(value, line)
        else:
            self._annotation(value, line)

    def end(self) -> list[str]:
        if not self.categories:
            self.problems.insert(0, "everything, 'categories' is empty or missing")
        elif not self.annotations:
            self.problems.insert(0, "everything, there are no annotations")
        return self.problems

    def _image(self, value: Mapping[str, Any], line: int) -> None:
        name = str(value.get("file_name", ""))
        self.images[value.get("id")] = value
        if name in self.file_names:
            return
        mended = self.file_names.find(name)
        hint = f"; the project has {mended!r}" if mended else ""
        self.problems.append(f"line {line}: image {name!r} is not in the project{hint}")

    def _category(self, value: Mapping[str, Any], line: int) -> None:
        name = str(value.get("name", ""))
        self.categories.add(value.get("id"))
        kinds = {q.name: q.kind for q in self.questions}
        if name not in kinds:
            alike = [q.name for q in self.questions if _same(q.name, name)]
            hint = f"; the template has {alike[0]!r}" if alike else ""
            self.problems.append(f"line {line}: category {name!r} is no question{hint}")
        elif kinds[name] != "polygon":
            self.problems.append(f"line {line}: question {name!r} asks for {kinds[name]}")

    def _annotation(self, value: Mapping[str, Any], line: int) -> None:
        self.annotations += 1
        image = self.images.get(value.get("image_id"))
        rings = value.get("segmentation")
        if image is None:
            problem = f"image_id {value.get('image_id')!r} is no image"
        elif value.get("category_id") not in self.categories:
            problem = f"category_id {value.get('category_id')!r} is no category"
        elif isinstance(rings, Mapping):
            problem = "a run-length mask, not polygons"
        elif not rings or not isinstance(rings, list):
            problem = "a box without polygon"
        elif not all(_is_ring(ring) for ring in rings):
            problem = "a polygon that is not [x1, y1, x2, y2, x3, y3, ...] of finite numbers"
        elif _outside(rings, image):
            problem = "a polygon outside of its image"
        else:
            return
        self.problems.append(f"line {line}: annotation {value.get('id')!r}: {problem}")


def _same(question: str, name: str) -> bool:
    """Equal but for the case and blanks at the ends, where people mistype."""
    return question.strip().casefold() == name.strip().casefold()


def _is_ring(ring: Any) -> bool:
    return (
        isinstance(ring, list)
        and len(ring) >= 6
        and len(ring) % 2 == 0
        and all(isinstance(v, int | float) and math.isfinite(v) for v in ring)
    )


def _outside(rings: Sequence[Sequence[float]], image: Mapping[str, Any]) -> bool:
    width, height = image.get("width"), image.get("height")
    if not isinstance(width, int | float) or not isinstance(height, int | float):
        return False  # COCO wants them, the platform does not
    return any(
        min(ring) < -EDGE or max(ring[0::2]) > width + EDGE or max(ring[1::2]) > height + EDGE
        for ring in rings
    )
