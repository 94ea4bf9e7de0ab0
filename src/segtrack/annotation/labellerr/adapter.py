"""Labellerr as the stages see it: ``segtrack.annotation.port``, by its data sets, jobs and exports.

What must be remembered lies in one folder:

    ledger.db pushed.db   what was sent, and which local file became which of the platform's
    reviews/ACCOUNT/      what was sent for review        videos/ACCOUNT/   videos likewise
    rechecks/ACCOUNT/     labels that were sent to be looked at again
    proposals/            COCO files that were sent       exports/          finished labels
    emulator/             state of a loopback platform that is a run's own
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from segtrack.annotation.labellerr.access import Access
from segtrack.annotation.port import (
    AnnotationPlatform,
    FinishedLabels,
    ImageSet,
    Progress,
    Pushed,
    Rehearsal,
    Remark,
    Say,
    VideoRehearsal,
    VideosSent,
)
from segtrack.base.errors import DataError, some
from segtrack.base.files import digest
from segtrack.base.labellerr_api import NOT_ASSIGNED
from segtrack.base.metrics import Report
from segtrack.settings import LabellerrMode, LabellerrSettings

if TYPE_CHECKING:
    from segtrack.annotation.labellerr.port import Platform
    from segtrack.annotation.labellerr.session import Session
    from segtrack.annotation.returned import Returned
    from segtrack.annotation.sent import Reviewed, SentImage
    from segtrack.annotation.video_returned import ReturnedVideos
    from segtrack.annotation.video_sent import SentVideos
    from segtrack.dataset import Dataset, ImageRow, KeptExport, VideoSequence
    from segtrack.model import Predictions
    from segtrack.tracker import Tracks


def open_platform(settings: LabellerrSettings, folder: Path) -> AnnotationPlatform:
    """The platform that the settings name, to be closed; nothing is called yet.

    Args:
        folder: keeps what must be remembered between runs.
    """
    return Labellerr(settings, folder)


class Labellerr:
    """``AnnotationPlatform``.

    Args:
        folder: keeps what must be remembered between runs.
        platform: taken instead of the one that the settings name.
    """

    def __init__(
        self, settings: LabellerrSettings, folder: Path, platform: Platform | None = None
    ) -> None:
        self.settings, self.folder = settings, folder
        self._access = Access(settings, folder / "emulator")
        self._given = platform

    @cached_property
    def _platform(self) -> Platform:
        return self._given or self._access.platform

    def _session(self, say: Say = print) -> Session:
        from segtrack.annotation.labellerr.session import Session

        return Session(self._platform, self.folder, self.settings, say)

    def check(self, images: Iterable[ImageRow]) -> None:
        from segtrack.annotation.labellerr.files import check_files

        stamps = {row.path: row.sha256 for row in images}
        check_files(stamps, stamps)

    def push(self, images: ImageSet, say: Say = print) -> Pushed:
        from segtrack.annotation.labellerr.push import push

        stamps = {row.path: row.sha256 for row in images.images}
        return push(
            self._session(say),
            stamps,
            images.classes,
            images.name,
            stamps=stamps,
            folder=images.folder,
            beside=images.beside,
        )

    def known_as(self, project_id: str, images: Iterable[ImageRow]) -> list[SentImage]:
        from segtrack.annotation.labellerr.review import known_as

        return known_as(self._platform, project_id, list(images))

    def propose(
        self, project_id: str, key: str, images: ImageSet, found: Predictions, say: Say = print
    ) -> int:
        from segtrack.annotation.labellerr.assist import propose

        session, rows = self._session(say), list(images.images)
        code = self._code(key)
        folder = self.folder / "proposals" / f"{project_id}-{code}"
        return propose(session, project_id, rows, found, images.classes, folder, code).objects

    def remark(self, project_id: str, remarks: Sequence[Remark]) -> bool:
        """Of the platform itself only ``labellerr_file_remarks`` of an export is known: how they
        come about is documented nowhere, so nothing is sent there."""
        if self.settings.mode is not LabellerrMode.emulator:
            return False
        from segtrack.annotation.labellerr.loopback import show_remarks

        show_remarks(self._access.url, project_id, remarks)
        return True

    def review(
        self, images: ImageSet, found: Predictions, key: str, report: Report, say: Say = print
    ) -> Reviewed:
        from segtrack.annotation.labellerr.review import review

        name, code = images.name, self._code(key)
        for earlier in self._sent(name):
            # The same pictures and predictions, sent from a folder that was called otherwise.
            end = f" review {code}"
            if earlier.folder.name.endswith(f"-{code}") and earlier.project_name.endswith(end):
                name = earlier.project_name.removesuffix(end)
        return review(
            self._session(say),
            images.images,
            found,
            images.classes,
            project_name=f"{name} review {code}",
            dataset_name=f"{name} pool",
            folder=self._reviews / f"{_name_key(name)}-{code}",
            report=report,
        )

    def review_videos(
        self, name: str, tracked: Iterable[tuple[VideoSequence, Tracks]], say: Say = print
    ) -> VideosSent | None:
        from segtrack.annotation.labellerr.video_review import review_videos

        return review_videos(self._session(say), tracked, name, self._videos)

    def last_review(self, name: str, contents: Collection[str] = ()) -> Reviewed:
        from segtrack.annotation.sent import contents_of

        wanted, there = self.settings.test_project_id, frozenset(contents)
        named: Reviewed | None = None
        others: list[str] = []
        for sent in self._sent(name):
            others.append(repr(sent.project_name))
            if wanted is not None and sent.project_id != wanted:
                continue
            called = wanted is not None or sent.folder.name.startswith(f"{_name_key(name)}-")
            reviewed = contents_of(sent) if there else frozenset()
            if (reviewed and reviewed <= there) or (called and not there):
                return sent
            named = named or (sent if called else None)
        if named is not None:
            return named  # other pictures than those that are here: it is said what differs
        which = f"project {wanted}" if wanted else f"data set {name!r}"
        raise DataError(
            f"stage pull: nothing of {which} was sent for review from this store; add review to "
            "stages, or correct labellerr.test_project_id, labellerr.name or store."
            + (
                f" What was sent is {some(others, 3)}: pull takes the dataset and dataset.path of "
                "the command that sent it."
                if others
                else ""
            )
        )

    def _sent(self, name: str) -> Iterator[Reviewed]:
        """What was sent for review from here, the last one first.

        Raises:
            DataError: a record is damaged, and of this name; others are passed by.
        """
        from segtrack.annotation.sent import FILE, Reviewed

        records = sorted(self._reviews.glob(f"*/{FILE}"), key=lambda p: -p.stat().st_mtime_ns)
        for record in records:
            try:
                sent = Reviewed.load(record.parent)
                sent.open().close()
            except DataError:
                if record.parent.name.startswith(_name_key(name)):
                    raise
                continue
            yield sent

    def pull(self, sent: Reviewed, scratch: Path) -> AbstractContextManager[Returned]:
        from segtrack.annotation.labellerr.review_export import pull_review

        return pull_review(self._session(), sent, scratch)

    def last_videos(self, name: str, contents: Collection[str] = ()) -> SentVideos | None:
        from segtrack.annotation.video_sent import FILE, SentVideos

        records = sorted(self._videos.glob(f"*/{FILE}"), key=lambda p: -p.stat().st_mtime_ns)
        for record in records:
            sent = SentVideos.load(record.parent)
            known = {video.sha256 for video in sent.videos}
            if sent.name == name or not known.isdisjoint(contents):
                return sent
        return None

    def pull_videos(
        self, sent: SentVideos, scratch: Path
    ) -> AbstractContextManager[ReturnedVideos]:
        from segtrack.annotation.labellerr.video_export import pull_videos

        return pull_videos(self._session(), sent, scratch)

    def status(self, project_id: str) -> Progress:
        from segtrack.annotation.labellerr.checks import named_project

        project = named_project(self._platform, "project", project_id)
        counts = Counter(file.status for file in self._platform.project_files(project_id))
        return Progress(
            project_id,
            project.name,
            counts.total(),
            counts[NOT_ASSIGNED],
            sum(counts[status] for status in self.settings.statuses),
            dict(counts),
        )

    def labels(self, project_id: str) -> FinishedLabels:
        from segtrack.annotation.labellerr.exporting import export_labels

        return _finished(export_labels(self._session(), project_id, self._exports))

    def kept_labels(self, project_id: str) -> FinishedLabels | None:
        from segtrack.annotation.labellerr.exporting import latest_export

        kept = latest_export(self._exports, project_id)
        return _finished(kept) if kept else None

    def rehearse(self, project_id: str, dataset: Dataset, split: str) -> Rehearsal | None:
        if self.settings.mode is not LabellerrMode.emulator:
            return None
        from segtrack.annotation.labellerr.loopback import rehearse, truth_of

        names = [file.file_name for file in self._platform.project_files(project_id)]
        truth = truth_of(dataset, split, names)
        if not any(truth.values()):
            return None  # it would take every prediction for wrong
        return rehearse(self._access.url, project_id, truth, self.settings.annotator)

    def rehearse_videos(
        self, sent: SentVideos, sequences: Iterable[VideoSequence], merge: Mapping[str, str]
    ) -> VideoRehearsal | None:
        if self.settings.mode is not LabellerrMode.emulator:
            return None
        from segtrack.annotation.labellerr.loopback import rehearse_videos

        return rehearse_videos(self._access.url, sent, sequences, merge, self.settings.annotator)

    def memory(self, name: str) -> Path:
        return self.folder / name / self._platform.account

    def by_hand(self, project_id: str) -> str | None:
        if self.settings.mode is not LabellerrMode.emulator:
            return None
        return self._access.by_hand(project_id)

    def close(self) -> None:
        self._access.close()

    def _code(self, key: str) -> str:
        """Stands for predictions and for how they are sent."""
        knobs = self.settings
        return digest([key, knobs.conf, knobs.simplify_px, knobs.conf_bucket])[:8]

    @property
    def _reviews(self) -> Path:
        return self.memory("reviews")

    @property
    def _videos(self) -> Path:
        return self.memory("videos")

    @property
    def _exports(self) -> Path:
        return self.folder / "exports"


def _name_key(name: str) -> str:
    """A name as part of a folder's name."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _finished(kept: KeptExport) -> FinishedLabels:
    return FinishedLabels(kept.project_id, kept.folder, kept.digest, kept.images, kept.annotations)
