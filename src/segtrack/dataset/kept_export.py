"""Finished labels of an annotation project, as a folder on disk that a data set is read from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from segtrack.base.errors import DataError


@dataclass(frozen=True)
class KeptExport:
    """A folder with ``labels.json`` and ``export.json``.

    Attributes:
        digest: of the labels, class names and pushed files; the same while these are.
        names: class names, in the order of the template's questions.
        images, annotations: how many.
    """

    LABELS: ClassVar[str] = "labels.json"
    FACTS: ClassVar[str] = "export.json"

    folder: Path
    project_id: str
    digest: str
    names: tuple[str, ...]
    images: int
    annotations: int

    @staticmethod
    def load(folder: Path) -> KeptExport:
        """Open ``folder``.

        Raises:
            DataError: it holds no export.
        """
        path = folder / KeptExport.FACTS
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            facts["names"] = tuple(facts["names"])
            return KeptExport(folder, **facts)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"dataset.export: {path} is not readable as an export ({error}); give a folder "
                "that an export was kept in, or null to ask the platform"
            ) from error

    @property
    def labels(self) -> Path:
        """COCO JSON; images have the path and digest of the local file that was pushed as them."""
        return self.folder / self.LABELS
