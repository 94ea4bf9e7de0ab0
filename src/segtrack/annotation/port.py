"""What the stages need of an annotation platform, whichever it is.

    push     images to a project that people annotate       propose  labels to start from
    review   images with predictions, to be corrected       videos   tracked videos likewise
    status   how far people are                             pull     what they made of a review
    labels   finished labels of a project, kept in a folder

``open_platform`` gives the one that the settings name. Nothing is called, and nothing is started,
before one of these needs it. What must be remembered between runs lies in the platform's folder:
giving the same call again, after whatever failure, creates and sends nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from segtrack.base.metrics import Report

if TYPE_CHECKING:
    from segtrack.annotation.returned import Returned
    from segtrack.annotation.sent import Reviewed, SentImage
    from segtrack.annotation.video_returned import ReturnedVideos
    from segtrack.annotation.video_sent import SentVideos
    from segtrack.base.polygons import Polygon
    from segtrack.dataset import Dataset, ImageRow, VideoSequence
    from segtrack.model import Predictions
    from segtrack.tracker import Tracks

Say = Callable[[str], None]
# Classes and outlines of the true objects, by the project's file names.
KnownLabels = Mapping[str, "Sequence[tuple[str, Polygon]]"]


@dataclass(frozen=True)
class ImageSet:
    """Images that go to the platform.

    Attributes:
        name: of the data set, and of what the platform makes of it.
        images: read once; ids are the frames of predictions.
        classes: class names by class id.
        folder: whose name that is, where nobody chose one: others may be called so too.
        beside: digests of all images of the folder, where only some of them go.
    """

    name: str
    images: Iterable[ImageRow]
    classes: tuple[str, ...]
    folder: Path | None = None
    beside: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Remark:
    """What people should know of a place in an image.

    Attributes:
        outline: float64 (n, 2), px x and y; None for the whole image.
    """

    image: ImageRow
    text: str
    outline: Polygon | None = None


@dataclass(frozen=True)
class Pushed:
    """What a push came to.

    Attributes:
        dataset_ids: ready, in the order of their parts; all attached to the project.
        files: images of this push. sent: those that this call sent; the others were there.
        renamed: images that the platform knows with their suffix in lower case.
    """

    project_id: str
    template_id: str
    dataset_ids: tuple[str, ...]
    files: int
    sent: int
    renamed: int


@dataclass(frozen=True)
class VideosSent:
    """What was sent to be reviewed.

    Attributes:
        videos: whose trajectories the platform took; tracks: of all of them.
        kept: what was sent, to be held against what comes back; None where nothing was taken.
    """

    project_id: str
    videos: int
    tracks: int
    kept: SentVideos | None = None


@dataclass(frozen=True)
class Progress:
    """How far people are with a project.

    Attributes:
        files: all of them. untouched: nobody works on them.
        finished: their labels may be taken. by_status: files of each of the platform's statuses.
    """

    project_id: str
    name: str
    files: int
    untouched: int
    finished: int
    by_status: Mapping[str, int]


@dataclass(frozen=True)
class FinishedLabels:
    """Finished labels of a project in a folder that a data set is read from.

    Attributes:
        digest: the same while the labels are.
    """

    project_id: str
    folder: Path
    digest: str
    images: int
    annotations: int


@dataclass(frozen=True)
class Rehearsal:
    """A review by a simulated annotator, who goes by labels that are there.

    Attributes:
        truth: those labels.
        files: that were reviewed now. counts: objects by what was done to them.
    """

    truth: KnownLabels
    files: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class VideoRehearsal:
    """A review of videos by a simulated annotator.

    Attributes:
        files: that were reviewed now. counts: trajectories by what was done to them. slips: how
            often the annotator was wrong, by kind.
    """

    files: int
    counts: Mapping[str, int]
    slips: Mapping[str, int]


class AnnotationPlatform(Protocol):
    """A platform, as one run sees it. Images, classes and predictions are those of a data set.

    All methods that reach it raise ``PlatformError`` where it refuses, is not reached or does not
    finish in time, and ``SettingsError`` where credentials are missing or not usable.
    """

    def check(self, images: Iterable[ImageRow]) -> None:
        """Look for images that the platform would not take; it is not reached.

        Raises:
            DataError: lists them all.
        """
        ...

    def push(self, images: ImageSet, say: Say = print) -> Pushed:
        """Send images and make, or find, the project in which they are annotated.

        Raises:
            DataError: images that cannot be sent, no classes, or a project with other ones.
        """
        ...

    def known_as(self, project_id: str, images: Iterable[ImageRow]) -> list[SentImage]:
        """What a project calls images that were pushed to it; of copies of one the first.

        Raises:
            DataError: the project is without one of them.
        """
        ...

    def propose(
        self, project_id: str, key: str, images: ImageSet, found: Predictions, say: Say = print
    ) -> int:
        """Send predictions as labels to start from, once for each image that nobody works on.

        Args:
            key: of the predictions; other ones must not be added to those that a file has.

        Returns:
            Objects that were sent.

        Raises:
            DataError: the project has other classes, or is without one of the images.
        """
        ...

    def remark(self, project_id: str, remarks: Sequence[Remark]) -> bool:
        """Show remarks to those who annotate a project, in place of earlier ones.

        Args:
            remarks: on images of the project, the most urgent first.

        Returns:
            Whether the platform has a place for remarks.
        """
        ...

    def review(
        self, images: ImageSet, found: Predictions, key: str, report: Report, say: Say = print
    ) -> Reviewed:
        """Send images with their predictions to be reviewed, and verify that all were taken.

        Args:
            key: of the predictions; other ones must not land on what was reviewed already.
            report: gets ``review/sent_images``, ``sent_objects`` and ``polygon_iou``.

        Raises:
            DataError: there are no images, they or their predictions cannot be sent.
        """
        ...

    def review_videos(
        self, name: str, tracked: Iterable[tuple[VideoSequence, Tracks]], say: Say = print
    ) -> VideosSent | None:
        """Send videos with their trajectories to be reviewed; None where there was nothing to send.

        Raises:
            DataError: a video was changed since it was sent, cannot be read, or has more tracks
                than the platform takes.
        """
        ...

    def last_review(self, name: str, contents: Collection[str] = ()) -> Reviewed:
        """What was sent for review last: of these contents, else of this name; or to the project
        that the settings name.

        Args:
            contents: digests of the images that may have been under review, whatever they are
                called by now.

        Raises:
            DataError: nothing was.
        """
        ...

    def pull(self, sent: Reviewed, scratch: Path) -> AbstractContextManager[Returned]:
        """The labels that people made of what was sent; ``scratch`` is as before at the end.

        Raises:
            NothingToExport: nothing is finished yet.
            DataError: what comes back does not fit what was sent.
        """
        ...

    def last_videos(self, name: str, contents: Collection[str] = ()) -> SentVideos | None:
        """Which videos were sent for review last: some of these contents, or of this name.

        Args:
            contents: digests of videos that are at hand, whatever they are called by now.

        Returns:
            None where none were.
        """
        ...

    def pull_videos(
        self, sent: SentVideos, scratch: Path
    ) -> AbstractContextManager[ReturnedVideos]:
        """The trajectories that people made of what was sent; ``scratch`` is as before at the end.

        Raises:
            NothingToExport: nothing is finished yet.
            DataError: what comes back does not fit what was sent.
        """
        ...

    def status(self, project_id: str) -> Progress:
        """How far people are.

        Raises:
            SettingsError: there is no such project.
        """
        ...

    def labels(self, project_id: str) -> FinishedLabels:
        """Ask for a project's finished labels and keep them; it may be named by id or name.

        Raises:
            SettingsError: there is no such project.
            NothingToExport: nothing is finished yet.
            DataError: they are not as the platform gives them.
        """
        ...

    def kept_labels(self, project_id: str) -> FinishedLabels | None:
        """The newest ones that were kept, or None; the platform is not reached."""
        ...

    def rehearse(self, project_id: str, dataset: Dataset, split: str) -> Rehearsal | None:
        """Have a simulated annotator review what nobody did, once.

        Returns:
            None where people do that, or where the split has no labels to go by.
        """
        ...

    def rehearse_videos(
        self, sent: SentVideos, sequences: Iterable[VideoSequence], merge: Mapping[str, str]
    ) -> VideoRehearsal | None:
        """Have a simulated annotator review the videos that nobody did, once.

        Args:
            sequences: with ground truth of masks, by which those of the same content are reviewed;
                the others are left to people.
            merge: the class that a name of the ground truth belongs to, where it is another.

        Returns:
            None where people do that, or where no video has ground truth to go by.
        """
        ...

    def memory(self, name: str) -> Path:
        """A folder for what must be remembered of this account between runs."""
        ...

    def by_hand(self, project_id: str) -> str | None:
        """How a person reviews on a platform that runs on this machine; None on any other."""
        ...

    def close(self) -> None:
        """End what was started for this run."""
        ...
