"""Which sequences show the same footage: what is chosen on one of them cannot be tested on another.

Names and content both tell. MOT17 has each of its scenes three times, once for each detector, and
MOT16 and MOTS20 have the same scenes under the same numbers, labelled anew: only names tell those.
Copies under other names have the same frames or the same ground truth.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from segtrack.base.errors import SettingsError
from segtrack.base.files import file_digest
from segtrack.dataset.sequences import VideoSequence
from segtrack.settings import Problem

_MOTCHALLENGE = re.compile(r"(?:MOT1[67]|MOTS20)-(\d\d)(?!\d)", re.IGNORECASE)


class Shared(NamedTuple):
    """Names of a tuning and a test sequence, and what they share."""

    tuning: str
    test: str
    what: str

    @property
    def problem(self) -> Problem:
        """Why that cannot be."""
        allowed = (
            f"is the same footage as dataset.test={self.test} ({self.what}): settings that were "
            "chosen on it cannot be tested on it; give both the same role, or leave one out"
        )
        return Problem("dataset.tuning", self.tuning, allowed)


def footage(name: str) -> str:
    """The footage that a sequence of this name shows; the name itself where it says no more.

    ``MOT17-02-DPM``, ``MOT17-02-SDP``, ``MOT16-02`` and ``MOTS20-02`` are all ``MOT17-02``.
    """
    known = _MOTCHALLENGE.match(name)
    return f"MOT17-{known[1]}" if known else name


def shared_name(tuning: Iterable[str], test: Iterable[str]) -> Shared | None:
    """The first two names that mean the same footage."""
    known = {footage(name): name for name in tuning}
    for name in test:
        if (of := footage(name)) in known:
            return Shared(known[of], name, of)
    return None


def require_apart(tuning: Iterable[VideoSequence], test: Iterable[VideoSequence]) -> None:
    """Refuse roles under which a sweep would be tested on what it was tuned on.

    Raises:
        SettingsError: two sequences show the same footage by their names, frames or ground truth.
    """
    tuning, test = list(tuning), list(test)
    both = shared_name((s.name for s in tuning), (s.name for s in test))
    if both is None and tuning:
        known = {mark: s.name for s in tuning for mark, _ in _content(s)}
        found = ((s.name, *mark) for s in test for mark in _content(s) if mark[0] in known)
        both = next((Shared(known[mark], name, what) for name, mark, what in found), None)
    if both is not None:
        raise SettingsError(str(both.problem))


def _content(sequence: VideoSequence) -> Iterator[tuple[str, str]]:
    """Digests of what a sequence holds, and in words what is the same where they are equal."""
    if sequence.path is not None:
        yield sequence.sha256, "the same frames"
    for path in (sequence.gt, sequence.mots):
        if path is not None and path.stat().st_size:
            yield file_digest(path), "the same ground truth"
