"""From what was read to what is written, whole or not at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from segtrack.base.atomic import NEW, newly_made
from segtrack.base.errors import DataError, SettingsError, StageError, place_of, some
from segtrack.base.progress import progress
from segtrack.convert import inputs
from segtrack.convert.clips import TrackedClip, clip_material, with_video
from segtrack.convert.coco_tracks import coco_clips
from segtrack.convert.cvat_video import cvat_clips
from segtrack.convert.fitting import Losses, fitted
from segtrack.convert.formats import FORMATS, Format
from segtrack.convert.images import image_material, turned
from segtrack.convert.inputs import Input
from segtrack.convert.material import Material, Picture
from segtrack.convert.places import Out
from segtrack.convert.tracks import results_clip, sequence_clip, sequence_clips, text_clip
from segtrack.dataset import ChecksFailed, Dataset, prepare
from segtrack.settings import DatasetSettings


@dataclass(frozen=True)
class Conversion:
    """What was done.

    Attributes:
        read: what was found in IN, in words.
        notes: what reading found odd, a line for each kind.
        losses: what the format could not hold, a line for each kind.
        pictures, things: how many were written.
    """

    read: str
    notes: tuple[str, ...]
    losses: tuple[str, ...]
    pictures: int
    things: int


def convert(
    given: Input,
    settings: DatasetSettings | None,
    seed: int,
    target: Path,
    name: str,
    pictures: str = "copy",
    video: Path | None = None,
) -> Conversion:
    """Write what ``given`` names to ``target``, a new folder or file, in the format ``name``.

    Args:
        given: of ``input_of``.
        settings: of the data source, where it is images; their splits take what it leaves open.
        seed: of the splits.
        target: is never overwritten, and appears whole at the end.
        pictures: copy, link (hard links) or none.
        video: the video, or folder of frames, that the tracks are of.

    Raises:
        SettingsError: the format has no file, or the target is taken.
        DataError: what is given cannot be used, or not in this format.
        StageError: the target cannot be written.
    """
    form = FORMATS[name]
    single = target.suffix.lower() == form.suffix != ""
    _refuse(given, form, name, target, single, video)
    losses = Losses()
    try:
        with newly_made(target) as work:
            wanted = pictures != "none" and not (single or form.videos or form.bare)
            material, read, notes = _material(given, settings, seed, work, name, wanted, video)
            if single and form.one_clip and len(material.clips) > 1:
                raise DataError(
                    f"{target}: one {target.suffix} file holds one video, there are "
                    f"{len(material.clips)} ({some([c.name for c in material.clips], 4)}); name a "
                    "folder"
                )
            out = Out(work / NEW, single, pictures, losses)
            if not single:
                out.path.mkdir()
            counts: Counter[str] = Counter()
            whole = fitted(_checked(material, form, name), form.holds, losses)
            form.write(_counted(whole, counts), out)
    except FileExistsError as error:
        raise SettingsError(
            f"{target}: is there already, and is never overwritten; name another, or remove it"
        ) from error
    except OSError as error:
        raise StageError(
            f"{place_of(error) or target}: {error.strerror or error}; nothing was written. Make "
            "room or choose another place"
        ) from error
    return Conversion(
        read, notes, tuple(losses.lines(form.title)), counts["pictures"], counts["things"]
    )


def _refuse(
    given: Input, form: Format, name: str, target: Path, single: bool, video: Path | None
) -> None:
    """What can be told before anything is read."""
    if target.exists() or target.is_symlink():
        raise SettingsError(
            f"{target}: is there already, and is never overwritten; name another, or remove it"
        )
    inside = target.resolve().is_relative_to(given.paths[0].resolve())
    if inside and given.paths[0].is_dir() and given.kind != inputs.RESULTS:
        raise SettingsError(
            f"{target}: lies in {given.paths[0]}, which is only read; name a place outside of it"
        )
    if (
        target.suffix.lower() in (".json", ".xml", ".txt", ".zip", ".yaml", ".csv", ".parquet")
        and not single
    ):
        only = f"; its file ends with {form.suffix}" if form.suffix else ""
        raise SettingsError(f"{target}: {name} is written as a folder{only}")
    if form.tracks and not given.tracks and not given.videos:
        raise _no_tracks(given, name)
    if video is not None and not given.tracks and not (form.tracks and given.videos):
        raise SettingsError(f"--video {video}: goes with tracks; {given.paths[0]} has images")


def _no_tracks(given: Input, name: str) -> DataError:
    others = ", ".join(other for other, form in FORMATS.items() if not form.tracks)
    return DataError(
        f"{given.paths[0]}: is a data set of images, whose objects have no track ids, which "
        f"--to {name} needs; choose {others}"
    )


def _material(
    given: Input,
    settings: DatasetSettings | None,
    seed: int,
    work: Path,
    name: str,
    pictures: bool,
    video: Path | None,
) -> tuple[Material, str, tuple[str, ...]]:
    """What is given, in words, and what was odd about it."""
    form = FORMATS[name]
    if given.tracks:
        return _of_clips(_clips(given, form), pictures, video)
    if given.kind == inputs.PREPARED:
        dataset = Dataset.load(given.paths[0])
    else:
        assert settings is not None
        scratch = work / "prepared"
        scratch.mkdir()
        try:
            prepare(settings, seed, scratch, lambda name, value, step=0: None, work / "cache")
        except ChecksFailed as error:  # its report goes with the working folder
            more = "\nstages=[prepare] with the same data set keeps a report of all of them"
            raise DataError(error.problems + (more if error.more else "")) from error
        dataset = Dataset.load(scratch)
    true = [one for one in dataset.sequences if one.gt is not None or one.mots is not None]
    if form.tracks:
        if not true:
            raise _no_tracks(given, name)
        return _of_clips([sequence_clip(one, _masks(form)) for one in true], pictures, video)
    if not sum(dataset.counts.values()):
        raise DataError(f"{given.paths[0]}: has no images")
    listed = ", ".join(f"{split} {n}" for split, n in dataset.counts.items() if n)
    source = f"dataset={settings.source}" if settings is not None else "a prepared data set"
    notes = tuple(dataset.warnings)
    if count := turned(dataset):
        notes += (f"{count} images are turned by their EXIF orientation, and labels are of that",)
    if true:
        others = ", ".join(other for other, one in FORMATS.items() if one.tracks)
        notes += (f"{len(true)} videos with ground truth are left out; they are for {others}",)
    read = f"{source}, {sum(dataset.counts.values())} images ({listed})"
    return image_material(dataset), read, notes


def _of_clips(
    clips: list[TrackedClip], pictures: bool, video: Path | None
) -> tuple[Material, str, tuple[str, ...]]:
    if video is not None:
        clips = with_video(clips, video)
    material = clip_material(clips, pictures)
    notes = tuple(note for one in clips for note in one.notes)
    frames = sum(clip.frame_count for clip in material.clips)
    count = len(material.clips)
    noun = "1 video" if count == 1 else f"{count} videos"
    return material, f"{noun} with {frames} frames", notes


def _masks(form: Format) -> bool:
    """Whether mask ground truth is of more use to a format than boxes."""
    return form.holds.masks or form.holds.outlines


def _clips(given: Input, form: Format) -> list[TrackedClip]:
    match given.kind:
        case inputs.RESULTS:
            return [results_clip(path) for path in given.paths]
        case inputs.CVAT:
            return [clip for path in given.paths for clip in cvat_clips(path)]
        case inputs.COCO:
            return [clip for path in given.paths for clip in coco_clips(path)]
        case inputs.TEXT:
            return [text_clip(path) for path in given.paths]
        case _:
            return [clip for path in given.paths for clip in sequence_clips(path, _masks(form))]


def _checked(material: Material, form: Format, name: str) -> Material:
    """Refuses videos of unknown size where pixels are to be written."""
    for clip in material.clips:
        if not clip.width * clip.height and not (form.tracks and form.holds.boxes):
            raise DataError(
                f"{clip.name}: nothing says how large its frames are, which --to {name} needs; "
                "give --video FILE"
            )
    return material


def _counted(material: Material, counts: Counter[str]) -> Material:
    """The same, counted as it is written, with a bar, and ended where that is asked for."""

    def stream(pictures: Callable[[], Iterator[Picture]]) -> Iterator[Picture]:
        for picture in progress(pictures(), "convert", None, "pictures"):
            counts["pictures"] += 1
            counts["things"] += len(picture.things)
            yield picture

    return replace(material, pictures=lambda: stream(material.pictures))
