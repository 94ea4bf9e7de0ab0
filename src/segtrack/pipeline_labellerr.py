"""The platform half of the pipeline: push, review, pull, and the data sets that come from there.

push: images --> project               people annotate        dataset=labellerr: labels --> prepare
review: predictions --> Test Project   people review          pull: labels --> report, next version
        tracked videos --> video project

Nothing here is answered from the store, since people change the platform meanwhile. What must be
remembered lies in the store's folder ``labellerr``: ids of what was sent, exports, reviews, and
the emulator's own state. Versions of a data set lie in ``reviewed``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from segtrack.dataset import Dataset
from segtrack.errors import DataError, NothingToExport, SettingsError
from segtrack.flow import Flow, NotBuilt
from segtrack.labellerr import Platform
from segtrack.labellerr.access import Access
from segtrack.labellerr.annotator import Rates, annotate
from segtrack.metrics import Metric
from segtrack.model import Predictions, Weights
from segtrack.pipeline_proposals import Proposals
from segtrack.pipeline_track import Tracked
from segtrack.report.overlay import PALETTE
from segtrack.settings import (
    PARENT,
    DatasetSettings,
    LabellerrDatasetSettings,
    LabellerrMode,
    ReviewedSettings,
    Settings,
    Stage,
    UltralyticsSettings,
)
from segtrack.store import StageResult, digest

if TYPE_CHECKING:
    from segtrack.labellerr.annotator import Truth
    from segtrack.labellerr.sent import Reviewed

PUSHED = ("train", "val", "pool")  # never the test split: it compares versions honestly


@dataclass
class Labelling:
    """The platform stages of one run; ``close`` ends the emulator that it started.

    Attributes:
        weights, dataset: called where they are needed only.
        predict: predictions of a split for a stage, as a stored stage.
        tracked: the videos that this run worked on.
    """

    settings: Settings
    flow: Flow
    output: Path
    weights: Callable[[], Weights]
    dataset: Callable[[], Dataset]
    predict: Callable[[Stage, str], StageResult]
    tracked: Callable[[], list[Tracked]]
    _reviewed: Reviewed | None = None

    def close(self) -> None:
        """End the emulator."""
        self._access.close()

    def require(self) -> None:
        """Look for what only push and review need, before hours of work.

        Raises:
            DataError: weights are not there, or no weights of SAM; pool images cannot be sent.
        """
        if Stage.push in self.flow.listed:
            self._proposals.require()
        if Stage.review in self.flow.listed and self.flow.plan is None:
            from segtrack.labellerr.files import check_files

            if self.dataset().counts.get("pool"):
                check_files(row.path for row in self.dataset().iter_images("pool"))

    def push(self) -> None:
        """Send the images of all splits but ``test``; make or find the project they belong to.

        With ``labellerr.assist`` predictions go with them, to be corrected instead of drawn.

        Raises:
            DataError: there is nothing to send, or files cannot be sent, or nothing can predict.
            PlatformError: the platform refused or failed.
        """
        from segtrack.labellerr.push import push

        dataset, labellerr = self.dataset(), self.settings.labellerr
        counts = {split: dataset.counts.get(split, 0) for split in PUSHED}
        if not sum(counts.values()):
            raise DataError(
                "stage push: the data set has no images outside of the test split, which is never "
                "sent; give it some, or leave push out of stages."
            )
        proposed = self._proposals.make(dataset, PUSHED)  # before anything is sent: it may fail
        if self._planned(Stage.push, f"{sum(counts.values())} images, as far as they are not sent"):
            return
        started = time.perf_counter()
        stamps = dict(_stamps(dataset, PUSHED))
        done = push(
            self._platform,
            stamps,
            dataset.names,
            PALETTE,
            self._name(dataset),
            self._scratch,
            project_id=labellerr.project_id,
            stamps=stamps,
            workers=labellerr.workers,
            timeout=labellerr.timeout,
            say=self._say(Stage.push),
        )
        seconds = time.perf_counter() - started
        for split, predictions in proposed.items():
            self._propose(dataset, done.project_id, split, predictions)
        self._record("push/files", done.files)
        self._record("push/sent", done.sent)
        self._record("speed/push_files", done.sent / seconds)
        self.flow.tag({"labellerr.project": done.project_id})
        text = json.dumps(dataclasses.asdict(done), indent=1)
        (self.output / "push.json").write_text(text, encoding="utf-8")
        self.flow.keep(self.output / "push.json", "push")

    def review(self) -> None:
        """Send the pool split with its predictions to a Test Project, and the tracked videos.

        Raises:
            DataError: the images, predictions or videos cannot be sent.
            PlatformError: the platform refused, failed or left something out.
        """
        dataset = self.dataset()
        videos = self.settings.labellerr.videos and Stage.track in self.flow.listed
        predicted = None
        if not self._nothing(dataset, Stage.review):
            predicted = self.predict(Stage.review, "pool")
        what = [f"predictions of {dataset.counts['pool']} pool images"] if predicted else []
        what += ["tracked .mp4 videos"] if videos else []
        if not what or self._planned(Stage.review, ", ".join(what)):
            return
        if predicted:
            self._review_images(dataset, predicted)
        if videos:
            self._review_videos(dataset)

    def _review_images(self, dataset: Dataset, predicted: StageResult) -> None:
        from segtrack.labellerr.review import review

        labellerr, name = self.settings.labellerr, self._name(dataset)
        # Other predictions of the same images must not land on what was reviewed already.
        what = [predicted.key, labellerr.conf, labellerr.simplify_px, labellerr.conf_bucket]
        code = digest(what)[:8]
        self._reviewed = review(
            self._platform,
            dataset.iter_images("pool"),
            Predictions.load(predicted.folder),
            dataset.names,
            project_name=f"{name} review {code}",
            project_id=labellerr.test_project_id,
            folder=self._reviews / f"{_key(name)}-{code}",
            ledger=self._scratch,
            report=self._record,
            dataset_name=f"{name} pool",
            conf=labellerr.conf,
            buckets=labellerr.conf_bucket,
            simplify_px=labellerr.simplify_px,
            workers=labellerr.workers,
            timeout=labellerr.timeout,
            say=self._say(Stage.review),
        )
        self.flow.tag({"labellerr.test_project": self._reviewed.project_id})

    def _review_videos(self, dataset: Dataset) -> None:
        from segtrack.labellerr.video_review import review_videos

        labellerr = self.settings.labellerr
        done = review_videos(
            self._platform,
            [(one.sequence, one.tracks) for one in self.tracked()],
            name=self._name(dataset),
            folder=self._scratch / "videos" / self._platform.account,
            ledger=self._scratch,
            simplify_px=labellerr.simplify_px,
            workers=labellerr.workers,
            timeout=labellerr.timeout,
            say=self._say(Stage.review),
        )
        if done is not None:
            self._record("review/videos", done.videos)
            self._record("review/video_tracks", done.tracks)
            self.flow.tag({"labellerr.video_project": done.project_id})

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
        from segtrack.labellerr.next_version import next_version
        from segtrack.labellerr.pull import pull

        dataset, labellerr = self.dataset(), self.settings.labellerr
        if self._nothing(dataset, Stage.pull):
            return
        if self._planned(Stage.pull, "reviewed labels are asked for"):
            return
        sent = self._sent(dataset)
        truth = self._annotate(dataset, sent.project_id)
        folder = self._scratch / "pulls" / sent.folder.name
        try:
            review = pull(
                self._platform,
                sent.folder,
                folder,
                self._record,
                statuses=labellerr.statuses,
                truth=truth,
                timeout=labellerr.timeout,
                say=self._say(Stage.pull),
            )
        except NothingToExport as error:
            waiting = self._waiting(error, sent.project_id, truth)
            if self._reviewed is None:
                raise waiting from error
            print(f"pull       nothing to do yet: {waiting}", flush=True)
            return
        self.flow.keep(folder, "review")
        self.flow.tag({"labellerr.test_project": sent.project_id})
        start = self.resolved.starting_weights
        version = next_version(dataset, review, self._versions, start)
        self.flow.keep(version / "version.json", "review")
        self.flow.tag({"dataset.next_version": version.name})
        print(f"pull       next version {version.name}: train on it with dataset=reviewed")

    @cached_property
    def resolved(self) -> DatasetSettings:
        """The settings that ``prepare`` reads, with the export or the version that they mean.

        Raises:
            SettingsError: there is no such version, or no export and prepare is not listed.
            PlatformError: the platform has no export to give.
        """
        settings = self.settings.dataset
        if isinstance(settings, ReviewedSettings):
            from segtrack.dataset.sources.reviewed import parents_start

            path = Path(settings.path) if settings.path else self._newest_version()
            start = settings.starting_weights
            start = parents_start(path.expanduser()) if start == PARENT else start
            return dataclasses.replace(settings, path=str(path), starting_weights=start)
        if isinstance(settings, LabellerrDatasetSettings) and settings.export is None:
            return dataclasses.replace(settings, export=str(self._export(settings)))
        return settings

    def _export(self, settings: LabellerrDatasetSettings) -> Path:
        from segtrack.labellerr.exporting import export_labels, latest_export
        from segtrack.labellerr.push import pushed_files

        project_id, root = str(settings.project_id), self._scratch / "exports"
        if self.flow.plan is not None or Stage.prepare not in self.flow.listed:
            # The last one that was asked for: what is not listed does not run.
            kept = latest_export(root, project_id)
            if kept is not None:
                return kept.folder
            if self.flow.plan is not None:
                self.flow.plan.append(
                    f"prepare    platform  the export of {project_id} comes first"
                )
                raise NotBuilt(Stage.prepare.name)
            raise SettingsError(
                f"dataset=labellerr: no export of project {project_id} is in the store; add "
                "prepare to stages."
            )
        platform, labellerr = self._platform, self.settings.labellerr
        with pushed_files(self._scratch, platform.account) as find:
            kept = export_labels(
                platform, project_id, labellerr.statuses, root, find, timeout=labellerr.timeout
            )
        print(f"export     {kept.images} images, {kept.annotations} labels of {project_id}")
        self.flow.tag({"labellerr.project": project_id, "labellerr.export": kept.digest})
        return kept.folder

    def _newest_version(self) -> Path:
        kept = [p for p in self._versions.glob("[!.]*/") if p.suffix != ".partial"]
        newest = max(kept, key=lambda folder: folder.stat().st_mtime_ns, default=None)
        if newest is None:
            raise SettingsError(
                "dataset=reviewed: no reviewed version is in the store yet; make one with "
                "stages=[...,review,pull], or name one with dataset.path=FOLDER."
            )
        return newest

    def _sent(self, dataset: Dataset) -> Reviewed:
        """What was sent for review: by this run, to the named project, or last."""
        from segtrack.labellerr.sent import FILE, Reviewed

        if self._reviewed is not None:
            return self._reviewed
        name, wanted = self._name(dataset), self.settings.labellerr.test_project_id
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
        if self.settings.labellerr.mode is not LabellerrMode.emulator or truth is not None:
            return error
        return NothingToExport(
            f"project {project_id}: nothing is reviewed yet, and the pool split has no labels from "
            f"which a reviewer could be simulated: {self._access.by_hand(project_id)}."
        )

    def _annotate(self, dataset: Dataset, project_id: str) -> Truth | None:
        labellerr = self.settings.labellerr
        if labellerr.mode is not LabellerrMode.emulator:
            return None
        from segtrack.labellerr.simulated import truth_of

        truth = truth_of(dataset, "pool")
        if not any(truth.values()):
            return None  # it would take every prediction for wrong
        knobs = dataclasses.asdict(labellerr.annotator)
        seed = knobs.pop("seed")
        done = annotate(self._access.url, project_id, truth, Rates(**knobs), seed)
        if done.files:
            counts = {kind: count for kind, count in done.counts().items() if count}
            shown = ", ".join(f"{count} {kind}" for kind, count in counts.items())
            print(f"annotator  {done.files} images simulated: {shown or 'nothing to do'}")
        return truth

    def _propose(self, dataset: Dataset, project_id: str, split: str, found: Predictions) -> None:
        from segtrack.labellerr.assist import propose

        labellerr = self.settings.labellerr
        done = propose(
            self._platform,
            project_id,
            dataset.images(split),
            found,
            dataset.names,
            self._scratch / "proposals" / f"{project_id}-{split}",
            self._scratch,
            conf=labellerr.conf,
            simplify_px=labellerr.simplify_px,
            buckets=labellerr.conf_bucket,
            timeout=labellerr.timeout,
            say=self._say(Stage.push),
        )
        self._record(f"push/{split}/proposals", done.objects)

    @cached_property
    def _proposals(self) -> Proposals:
        return Proposals(self.settings, self.flow, self.predict)

    @cached_property
    def _access(self) -> Access:
        return Access(self.settings.labellerr, self._scratch / "emulator")

    @property
    def _platform(self) -> Platform:
        return self._access.platform

    @property
    def _scratch(self) -> Path:
        return self.flow.store.scratch("labellerr")

    @property
    def _reviews(self) -> Path:
        return self._scratch / "reviews" / self._platform.account

    @property
    def _versions(self) -> Path:
        return self.flow.store.scratch("reviewed")

    def _name(self, dataset: Dataset) -> str:
        """Of data set and project. What is rendered or reviewed has no folder of its own name."""
        settings = self.settings.dataset
        if self.settings.labellerr.name is not None:
            return self.settings.labellerr.name
        if isinstance(settings, UltralyticsSettings):
            return f"segtrack {Path(settings.name).stem}"
        if isinstance(settings, ReviewedSettings) or settings.path is None:
            return f"segtrack {settings.source} {dataset.fingerprint[:8]}"
        return f"segtrack {Path(settings.path).expanduser().resolve().name}"

    def _nothing(self, dataset: Dataset, stage: Stage) -> bool:
        if dataset.counts.get("pool"):
            return False
        if self.flow.plan is None:
            print(f"{stage.name:10} no images: the data set's pool split is empty", flush=True)
        return True

    def _planned(self, stage: Stage, what: str) -> bool:
        if self.flow.plan is None:
            return False
        self.flow.plan.append(f"{stage.name:10} platform {what}; never taken from the store")
        return True

    def _record(self, name: str, value: float, step: int = 0) -> None:
        self.flow.record(Metric(name, float(value), step))

    def _say(self, stage: Stage) -> Callable[[str], None]:
        return lambda text: print(f"{stage.name:10} {text.removeprefix('review: ')}", flush=True)


def _key(name: str) -> str:
    """A name as part of a folder's name."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _stamps(dataset: Dataset, splits: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Path and digest of the images of some splits, as a stream."""
    with pq.ParquetFile(dataset.folder / "images.parquet") as file:
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, ["path", "split", "sha256"]).to_pylist():
                if row["split"] in splits:
                    yield dataset.folder / row["path"], row["sha256"].hex()
