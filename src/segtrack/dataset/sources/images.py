"""A folder of raw images: nothing is labelled, all of it is the split ``pool``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segtrack.dataset.sources.port import (
    Content,
    Place,
    Source,
    chosen_names,
    reading_of,
    register_source,
    required_path,
)
from segtrack.settings import FolderSettings, knob


@dataclass
class ImagesSettings(FolderSettings):
    """Raw images, none of them labelled, to be annotated, reviewed or segmented: the split pool."""

    source: str = "images"
    path: str | None = knob(None, "the folder; searched with all its subfolders")
    classes: Any = knob(
        None,
        "what is to be found in the images, [person, car]: the questions of the template; "
        "null, for the stage segment alone: all that the weights know",
        kind="list",
    )


def _read(settings: ImagesSettings, place: Place) -> Content:
    """Put the images of the folder, with all its subfolders, into the catalogue."""
    from segtrack.dataset.files import read_files
    from segtrack.dataset.listing import BITS, Listing, whole_files

    folder, checks = required_path(settings), place.checks
    root = Path(os.path.normpath(folder.absolute()))
    listing = Listing(place.catalogue, checks, root)
    for path, stat in whole_files(root, checks):
        listing.add(path, stat, BITS["pool"])
    listing.finish(folder)
    read = read_files(place.catalogue, checks, reading_of(settings, place, 0))
    return Content(chosen_names(settings), files_read=read)


register_source(
    Source("images", ImagesSettings, _read, lambda settings: [required_path(settings)], version=2)
)
