"""A folder of raw images: nothing is labelled, all of it is the split ``pool``."""

from __future__ import annotations

import os
from pathlib import Path

from segtrack.dataset.catalogue import Catalogue
from segtrack.dataset.checks import Checks
from segtrack.dataset.sources.listing import BITS, Listing, whole_files


def list_images(folder: Path, catalogue: Catalogue, checks: Checks) -> None:
    """Put the images of a folder, with all its subfolders, into the catalogue."""
    root = Path(os.path.normpath(folder.absolute()))
    listing = Listing(catalogue, checks, root)
    for path, stat in whole_files(root, checks):
        listing.add(path, stat, BITS["pool"])
    listing.finish(folder)
