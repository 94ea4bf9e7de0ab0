"""The ledger and the platform brought together before a push: either may have lost something.

A data set carries a code of the names and contents of its files in its description, by which it is
known again without a ledger, and told from another folder of the same name and file names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from segtrack.annotation.labellerr.checks import FileNames
from segtrack.annotation.labellerr.files import LocalFile
from segtrack.annotation.labellerr.ledger import Ledger
from segtrack.annotation.labellerr.port import FAILED, DatasetRecord, Platform
from segtrack.base.content_names import is_digest
from segtrack.base.errors import DataError, PlatformError
from segtrack.base.files import digest

_DESCRIPTION = "segtrack files {}"
_CODE = re.compile(_DESCRIPTION.format("([0-9a-f]{16})"))


def label_of(name: str, part: int) -> str:
    """What the data set of a part of a push is called."""
    return name if part == 1 else f"{name} {part}"


def describe(files: Sequence[LocalFile]) -> str:
    """The description of a data set of these files; empty where not all contents are known."""
    if not files or not all(is_digest(file.stamp) for file in files):
        return ""
    pairs = sorted((file.name, file.stamp) for file in files)
    return _DESCRIPTION.format(digest(pairs)[:16])


def require_same(found: DatasetRecord, files: Sequence[LocalFile]) -> None:
    """
    Raises:
        DataError: the data set, which has files of these names, holds other pictures.
    """
    there, here = _CODE.search(found.description), describe(files)
    if there and here and there[0] != here:
        raise DataError(
            f"data set {found.name!r} ({found.dataset_id}) of this account has files of the same "
            f"{len(files)} names, but other pictures: is this another folder of the same name? "
            "Give it a name of its own with labellerr.name=NAME."
        )


def forget_deleted(platform: Platform, book: Ledger, name: str) -> None:
    """People delete data sets on the platform; processing that failed cannot be mended either."""
    for part in book.parts(name):
        if not part.dataset_id:
            continue
        try:
            gone = platform.dataset(part.dataset_id).status_code >= FAILED
        except PlatformError as error:
            if error.status != 404:
                raise
            gone = True
        if gone:
            book.drop(name, part.part)


def find_unknown(
    platform: Platform,
    book: Ledger,
    files: Sequence[LocalFile],
    name: str,
    data_type: str,
    timeout: float | None,
) -> None:
    """Note data sets of this push that the ledger does not know: it was lost, or another one's.

    Only those whose description says that they hold some of ``files``.
    """
    known, contents = book.files(name), book.called(name)
    fresh = {
        file.name: file for file in files if file.name not in known and file.stamp not in contents
    }
    part = max((one.part for one in book.parts(name)), default=0)
    if not describe(list(fresh.values())):
        return
    listed = {d.name: d for d in platform.datasets(data_type) if d.status_code < FAILED}
    while found := listed.get(label_of(name, part := part + 1)):
        platform.wait_dataset(found.dataset_id, timeout)
        names = sorted({file.file_name for file in platform.dataset_files(found.dataset_id)})
        # A picture that was renamed since goes on under the name by which it was sent.
        known_by = FileNames(names)
        as_there = {known_by.find(one): file for one, file in fresh.items()}
        members = [replace(as_there[one], name=one) for one in names if one in as_there]
        noted = _CODE.search(found.description)
        if len(members) < len(names) or (noted and describe(members) not in found.description):
            return
        if not noted and len(members) < len(fresh):  # of an earlier release: names are all there is
            return
        book.add(name, part, [(file.name, file.stamp) for file in members])
        book.finish(name, part, found.dataset_id)
        gone = {file.stamp for file in members}
        fresh = {one: file for one, file in fresh.items() if file.stamp not in gone}
