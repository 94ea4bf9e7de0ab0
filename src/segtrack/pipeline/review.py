"""The stages ``review`` and ``pull``: predictions to people, and their labels back.

review: predictions --> Test Project   people review          pull: labels --> report, next version
        tracked videos --> video project
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labellerr_loopback.annotator import Rates, annotate
from segtrack.base.errors import DataError, NothingToExport
from segtrack.base.files import digest
from segtrack.dataset import Dataset
from segtrack.model import Predictions
from segtrack.pipeline.platform import PlatformRun
from segtrack.pipeline.track import Tracked
from segtrack.settings import (
    DatasetSettings,
    LabellerrMode,
    Stage,
)
from segtrack.store.store import StageResult

if TYPE_CHECKING:
    from labellerr_loopback.annotator import Truth
    from segtrack.annotation.labellerr.sent import Reviewed


@dataclass
class Reviewing:
    """The two stages of one run.

    Attributes:
        dataset, resolved: called where they are needed only; the latter gives the settings that
            the data set was read with.
        predict: predictions of a split for a stage, as a stored stage.
        tracked: the videos that this run worked on.
    """

    run: PlatformRun
    dataset: Callable[[], Dataset]
    resolved: Callable[[], DatasetSettings]
    predict: Callable[[Stage, str], StageResult]
    tracked: Callable[[], list[Tracked]]
    _reviewed: Reviewed | None = None

    def require(self) -> None:
        """Look for pool images that review cannot send, before hours of work.

        Raises:
            DataError: there are some; lists them all.
        """
        from segtrack.annotation.labellerr.files import check_files

        if Stage.review in self.run.flow.listed and self.dataset().counts.get("pool"):
            check_files(row.path for row in self.dataset().iter_images("pool"))

    def review(self) -> None:
        """Send the pool split with its predictions to a Test Project, and the tracked videos.

        Raises:
            DataError: the images, predictions or videos cannot be sent.
            PlatformError: the platform refused, failed or left something out.
        """
        dataset = self.dataset()
        videos = self.run.settings.labellerr.videos and Stage.track in self.run.flow.listed
        predicted = None
        if not self._nothing(dataset, Stage.review):
            predicted = self.predict(Stage.review, "pool")
        what = [f"predictions of {dataset.counts['pool']} pool images"] if predicted else []
        what += ["tracked .mp4 videos"] if videos else []
        if not what or self.run.planned(Stage.review, ", ".join(what)):
            return
        if predicted:
            self._review_images(dataset, predicted)
        if videos:
            self._review_videos(dataset)

    def _review_images(self, dataset: Dataset, predicted: StageResult) -> None:
        from segtrack.annotation.labellerr.review import review

        labellerr, name = self.run.settings.labellerr, self.run.name(dataset)
        # Other predictions of the same images must not land on what was reviewed already.
        what = [predicted.key, labellerr.conf, labellerr.simplify_px, labellerr.conf_bucket]
        code = digest(what)[:8]
        self._reviewed = review(
            self.run.platform,
            dataset.iter_images("pool"),
            Predictions.load(predicted.folder),
            dataset.names,
            project_name=f"{name} review {code}",
            project_id=labellerr.test_project_id,
            folder=self._reviews / f"{_key(name)}-{code}",
            ledger=self.run.scratch,
            report=self.run.record,
            dataset_name=f"{name} pool",
            conf=labellerr.conf,
            buckets=labellerr.conf_bucket,
            simplify_px=labellerr.simplify_px,
            workers=labellerr.workers,
            timeout=labellerr.timeout,
            say=self.run.say(Stage.review),
        )
        self.run.flow.tag({"labellerr.test_project": self._reviewed.project_id})

    def _review_videos(self, dataset: Dataset) -> None:
        from segtrack.annotation.labellerr.video_review import review_videos

        labellerr = self.run.settings.labellerr
        done = review_videos(
            self.run.platform,
            [(one.sequence, one.tracks) for one in self.tracked()],
            name=self.run.name(dataset),
            folder=self.run.scratch / "videos" / self.run.platform.account,
            ledger=self.run.scratch,
            simplify_px=labellerr.simplify_px,
            workers=labellerr.workers,
            timeout=labellerr.timeout,
            say=self.run.say(Stage.review),
        )
        if done is not None:
            self.run.record("review/videos", done.videos)
            self.run.record("review/video_tracks", done.tracks)
            self.run.flow.tag({"labellerr.video_project": done.project_id})

    def pull(self) -> None:
        """Take reviewed labels back, report on them, and make the next version of the data set.

        In the emulator the simulated annotator reviews what nobody did by hand, once; without
        labels in the pool split it has nothing to go by and leaves everything to people. Nothing
        reviewed yet is no error in the run that sent it.

        Raises:
            DataError: nothing was sent for review, or what comes back does not fit.
            NothingToExport: what an earlier run sent is not reviewed yet.
            PlatformError: the platform refused or failed.
        """
        from segtrack.annotation.labellerr.next_version import next_version, require_same_pictures
        from segtrack.annotation.labellerr.pull import pull
        from segtrack.annotation.labellerr.sent import sent_images

        dataset, labellerr = self.dataset(), self.run.settings.labellerr
        if self._nothing(dataset, Stage.pull):
            return
        if self.run.planned(Stage.pull, "reviewed labels are asked for"):
            return
        sent = self._sent(dataset)
        with contextlib.closing(sent.open()) as db:  # before anybody is simulated by their labels
            images = ((image.file_name, image.sha256) for image in sent_images(db))
            require_same_pictures(dataset, images, sent.folder)
        truth = self._annotate(dataset, sent.project_id)
        folder = self.run.scratch / "pulls" / sent.folder.name
        try:
            review = pull(
                self.run.platform,
                sent.folder,
                folder,
                self.run.record,
                statuses=labellerr.statuses,
                truth=truth,
                timeout=labellerr.timeout,
                say=self.run.say(Stage.pull),
            )
        except NothingToExport as error:
            waiting = self._waiting(error, sent.project_id, truth)
            if self._reviewed is None:
                raise waiting from error
            print(f"pull       nothing to do yet: {waiting}", flush=True)
            return
        self.run.flow.keep(folder, "review")
        self.run.flow.tag({"labellerr.test_project": sent.project_id})
        start = self.resolved().starting_weights
        version = next_version(dataset, review, self.run.versions, start)
        self.run.flow.keep(version / "version.json", "review")
        self.run.flow.tag({"dataset.next_version": version.name})
        print(f"pull       next version {version.name}: train on it with dataset=reviewed")

    def _sent(self, dataset: Dataset) -> Reviewed:
        """What was sent for review: by this run, to the named project, or last."""
        from segtrack.annotation.labellerr.sent import FILE, Reviewed

        if self._reviewed is not None:
            return self._reviewed
        name, wanted = self.run.name(dataset), self.run.settings.labellerr.test_project_id
        pattern = f"{_key(name)}-*/{FILE}" if wanted is None else f"*/{FILE}"
        records = sorted(self._reviews.glob(pattern), key=lambda p: -p.stat().st_mtime_ns)
        for record in records:
            sent = Reviewed.load(record.parent)
            if wanted in (None, sent.project_id):
                return sent
        which = f"project {wanted}" if wanted else f"data set {name!r}"
        raise DataError(
            f"stage pull: nothing of {which} was sent for review from this store; add review to "
            "stages, or correct labellerr.test_project_id, labellerr.name or store."
        )

    def _waiting(
        self, error: NothingToExport, project_id: str, truth: Truth | None
    ) -> NothingToExport:
        """What is said where nobody has reviewed anything yet."""
        if self.run.settings.labellerr.mode is not LabellerrMode.emulator or truth is not None:
            return error
        return NothingToExport(
            f"project {project_id}: nothing is reviewed yet, and the pool split has no labels from "
            f"which a reviewer could be simulated: {self.run.access.by_hand(project_id)}."
        )

    def _annotate(self, dataset: Dataset, project_id: str) -> Truth | None:
        labellerr = self.run.settings.labellerr
        if labellerr.mode is not LabellerrMode.emulator:
            return None
        from segtrack.annotation.labellerr.simulated import truth_of

        truth = truth_of(dataset, "pool")
        if not any(truth.values()):
            return None  # it would take every prediction for wrong
        knobs = dataclasses.asdict(labellerr.annotator)
        seed = knobs.pop("seed")
        done = annotate(self.run.access.url, project_id, truth, Rates(**knobs), seed)
        if done.files:
            counts = {kind: count for kind, count in done.counts().items() if count}
            shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
            print(f"annotator  {done.files} images simulated: {shown or 'nothing to do'}")
        return truth

    @property
    def _reviews(self) -> Path:
        return self.run.scratch / "reviews" / self.run.platform.account

    def _nothing(self, dataset: Dataset, stage: Stage) -> bool:
        if dataset.counts.get("pool"):
            return False
        if self.run.flow.plan is None:
            print(f"{stage.name:10} no images: the data set's pool split is empty", flush=True)
        return True


def _key(name: str) -> str:
    """A name as part of a folder's name."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]
