"""Finished labels of an annotation project, as a folder on disk that a data set is read from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from segtrack.base.errors import DataError
from segtrack.base.files import file_digest
from segtrack.base.json_stream import elements


@dataclass(frozen=True)
class KeptExport:
    """A folder with ``labels.json`` and ``export.json``; or a file that a person exported.

    Attributes:
        digest: of the labels, class names and pushed files; the same while these are.
        names: class names, in the order of the template's questions; of a person's file, in the
            order of its categories, which are those that somebody has answered.
        images, annotations: how many.
        class_of: class of each category id of ``labels``.
    """

    LABELS: ClassVar[str] = "labels.json"
    FACTS: ClassVar[str] = "export.json"

    folder: Path
    project_id: str
    digest: str
    names: tuple[str, ...]
    images: int
    annotations: int
    class_of: dict[int | str, int]

    @staticmethod
    def load(folder: Path) -> KeptExport:
        """Open ``folder``, or a COCO file as the platform's export gives it to a person.

        Raises:
            DataError: it holds no export.
        """
        if folder.is_file():
            return _of_person(folder)
        path = folder / KeptExport.FACTS
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            facts["names"] = tuple(facts["names"])
            class_of: dict[int | str, int] = {i: i for i in range(len(facts["names"]))}
            return KeptExport(folder, **facts, class_of=class_of)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"dataset.export: {path} is not readable as an export ({error}); give a folder "
                "that an export was kept in, a COCO file that was exported, or null to ask the "
                "platform"
            ) from error

    @property
    def labels(self) -> Path:
        """COCO JSON; images have the digest of the file that was pushed as them."""
        return self.folder if self.folder.is_file() else self.folder / self.LABELS


def _of_person(path: Path) -> KeptExport:
    """COCO JSON that was downloaded from the platform's export page.

    Raises:
        DataError: it is no such file, or nothing in it is labelled.
    """
    counts = {"images": 0, "annotations": 0}
    categories: list[tuple[int, str]] = []
    try:
        for element in elements(path):
            if element.listed and element.key in counts:
                counts[element.key] += 1
            elif element.listed and element.key == "categories":
                categories.append((int(element.value["id"]), str(element.value["name"]).strip()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"dataset.export: {path} is not COCO JSON as Labellerr exports it "
            f"({type(error).__name__}: {error}); export again with the format COCO JSON"
        ) from error
    if not categories or not counts["images"]:
        lacking = "categories" if counts["images"] else "images"
        raise DataError(
            f"dataset.export: {path} has no {lacking}: no file that was exported has a label yet, "
            "or it is no COCO JSON of Labellerr. Export files that are finished."
        )
    categories.sort()
    names = tuple(dict.fromkeys(name for _, name in categories))
    class_of: dict[int | str, int] = {key: names.index(name) for key, name in categories}
    return KeptExport(path, "", file_digest(path)[:32], names, **counts, class_of=class_of)
