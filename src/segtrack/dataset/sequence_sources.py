"""Finds tracking input: videos, folders of frames, MOTChallenge, KITTI and VisDrone folders."""

from __future__ import annotations

import configparser
import difflib
import glob
import hashlib
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from segtrack.base.addresses import other_address
from segtrack.base.errors import DataError, SettingsError, some
from segtrack.base.files import file_digest
from segtrack.dataset.frame_numbers import image_numbers
from segtrack.dataset.same_footage import require_apart
from segtrack.dataset.sequence_truth import (
    LABELS,
    TruthFile,
    check_frames,
    describe_truth,
    read_labels,
)
from segtrack.dataset.sequences import VideoSequence
from segtrack.dataset.telling import Warn, told_by_kind, unheard
from segtrack.dataset.video_names import is_video, unique_names, videos_among
from segtrack.dataset.walking import files_below
from segtrack.formats import IGNORE_CLASS, MAX_FRAME, VISDRONE_CLASSES, first_row
from segtrack.settings import MAX_PIXELS

DEFAULT_FPS = 30.0
# Voigtlaender et al., "MOTS: Multi-Object Tracking and Segmentation" (2019).
KITTI_MOTS_CLASSES = ((1, "car"), (2, "person"), (10, "ignore"))
_PACKED = (".json", ".zip", ".gz", ".xz")  # what may hold labels in other forms
_MASK_COLUMNS = 6  # frame id class height width RLE
_BOXES = "label_02"  # KITTI's folder of its boxes
_MARKS = ("seqinfo.ini", "img1", "gt", "det", "mots")  # any of these makes a folder a sequence


def sequences_from(pattern: str, warn: Warn | None = None) -> tuple[VideoSequence, ...]:
    """Sequences that a path or glob names.

    Args:
        pattern: a video file; a folder of frames; a MOTChallenge folder (frames in ``img1``, text
            files beside it); a KITTI folder (``label_02``, of masks ``instances_txt``, beside
            ``image_02``, or inside of ``training``); a folder that holds several of these; or a
            glob of them. A path that exists is never read as a glob.
        warn: is told what was odd; the log is, where there is none.

    Returns:
        Sequences in the order of their paths; names made unique.

    Raises:
        DataError: nothing is there, or something named is no video and no sequence.
    """
    with told_by_kind(warn) as told:
        found = [s for path in _expand(pattern, told) for s in _sequences_at(path, told)]
        return unique_names(found, told)


def with_roles(
    found: tuple[VideoSequence, ...], tuning: list[str], test: list[str]
) -> tuple[VideoSequence, ...]:
    """The sequences with their roles in a sweep.

    Raises:
        SettingsError: a name that no sequence has, or the same footage in both lists.
    """
    names = [sequence.name for sequence in found]
    for key, wanted in (("tuning", tuning), ("test", test)):
        for name in wanted:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
                nearest = f" (nearest: {near[0]})" if near else ""
                raise SettingsError(
                    f"dataset.{key}: there is no sequence {name!r}{nearest}; "
                    f"there are {', '.join(names)}"
                )
    require_apart((s for s in found if s.name in tuning), (s for s in found if s.name in test))
    roles = {**dict.fromkeys(tuning, "tuning"), **dict.fromkeys(test, "test")}
    return tuple(replace(s, role=roles.get(s.name)) for s in found)


def paths_of(pattern: str) -> list[Path]:
    """Files and folders that ``sequences_from`` would look into, without opening them.

    Raises:
        DataError: nothing is there.
    """
    return _expand(pattern)


def _expand(pattern: str, warn: Warn = unheard) -> list[Path]:
    literal = Path(pattern).expanduser()
    if literal.exists():
        return [literal]
    if other_address(pattern):
        raise DataError(
            f"{pattern}: addresses of this kind are not read; give the path of a file, or a stream "
            "(rtsp://..., http(s)://...)"
        )
    if "**" in pattern:
        _refuse_circles(literal)
    found = [Path(path) for path in sorted(glob.glob(str(literal), recursive=True))]  # noqa: PTH207
    videos = set(videos_among((p for p in found if not p.is_dir()), pattern, warn))
    found, others = [p for p in found if p.is_dir() or p in videos], found
    if found:
        return found
    if glob.has_magic(pattern):
        named = f"; {some([p.name for p in others], 3)} can be named one by one" if others else ""
        raise DataError(
            f"{pattern}: no video or folder matches this pattern (it begins where the command is "
            f"run; quote it so that the shell leaves it alone){named}"
        )
    raise DataError(
        f"{pattern}: this video does not exist; name a video file, a folder of frames, or a glob "
        "(relative paths begin where the command is run)"
    )


def _refuse_circles(pattern: Path) -> None:
    """``**`` follows links, also round and round."""
    place = pattern
    while glob.has_magic(str(place)):
        place = place.parent
    if place.is_dir():
        deque(files_below(place), maxlen=0)


def _sequences_at(path: Path, warn: Warn) -> Iterator[VideoSequence]:
    from segtrack.dataset.video import probe_video

    if not path.is_dir():
        yield probe_video(path, warn=warn)
        return
    kitti = _kitti_texts(path)
    if kitti is not None:
        yield from _kitti_sequences(path, kitti, warn)
    elif (path / "annotations").is_dir() and (path / "sequences").is_dir():
        yield from _visdrone_sequences(path, warn)
    elif any((path / mark).exists() for mark in _MARKS):
        yield _mot_sequence(path, warn)
    else:
        entries = sorted(path.iterdir())
        files = [p for p in entries if not p.is_dir()]
        if _has_frames(path) and not any(map(is_video, files)):
            yield _plain_frames(path, warn)
            return
        videos = set(videos_among(files, str(path), warn))
        members = [p for p in entries if p in videos or _is_member(p)]
        if not members:
            raise DataError(
                f"{path}: holds no video, no frames and no sequence; a sequence has frames in img1 "
                f"or text files in gt or det{_instead(files)}"
            )
        _tell_folders([p for p in entries if p.is_dir() and p not in members], path, warn)
        for member in members:
            yield from _sequences_at(member, warn)


def _instead(files: list[Path]) -> str:
    """What one of the files is, as the end of a message; empty where that is not known."""
    from segtrack.dataset.strangers import what_it_is

    for file in files:
        if file.suffix.lower() in _PACKED and (looks := what_it_is(file)):
            return f". Of {file.name}: {looks}"
    return ""


def _tell_folders(folders: list[Path], where: Path, warn: Warn) -> None:
    """One warning that names folders in which nothing is looked for; none for hidden ones."""
    names = [p.name for p in folders if not p.name.startswith((".", "__"))]
    if names:
        one = len(names) == 1
        count = "1 folder has" if one else f"{len(names)} folders have"
        message = f"{count} neither frames nor ground truth and is left out: {some(names, 3)}"
        message = message if one else message.replace(" and is ", " and are ")
        hint = f"'{where}/**/*.mp4' looks for videos in all folders"
        warn("no_sequence", str(where), message, hint)


def _is_member(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return path.is_dir() and (any((path / mark).exists() for mark in _MARKS) or _has_frames(path))


def _has_frames(folder: Path) -> bool:
    from segtrack.dataset.frame_folder import is_frame

    return any(is_frame(p) for p in folder.iterdir())


def _plain_frames(folder: Path, warn: Warn, name: str = "") -> VideoSequence:
    message = f"a folder of frames does not say its rate; {DEFAULT_FPS:g} frames/s are assumed"
    hint = "add seqinfo.ini with [Sequence] and frameRate=..."
    warn("no_frame_rate", str(folder), message, hint)
    probed = _probed(folder, DEFAULT_FPS, warn)
    return replace(probed, name=name) if name else probed


def _probed(frames: Path, fps: float, warn: Warn) -> VideoSequence:
    from segtrack.dataset.frame_folder import frame_files
    from segtrack.dataset.video import probe_video

    return replace(probe_video(frames, fps, warn), image_numbers=image_numbers(frame_files(frames)))


def _mot_sequence(folder: Path, warn: Warn) -> VideoSequence:
    info = _seqinfo(folder / "seqinfo.ini")
    frames = folder / info.get("imdir", "img1")
    if not frames.is_dir() and _has_frames(folder):
        frames = folder
    fps = _number(info, "framerate", folder)
    if frames.is_dir() and fps:
        base = replace(_probed(frames, fps, warn), name=folder.resolve().name)
    elif frames.is_dir():
        base = _plain_frames(frames, warn, folder.resolve().name)
    else:
        base = _without_frames(folder, info, fps, warn)
    length = int(_number(info, "seqlength", folder, MAX_FRAME))
    if base.path is not None and length and length != base.frame_count:
        message = f"seqLength is {length}, there are {base.frame_count} images; the images count"
        warn("seq_length", str(folder / "seqinfo.ini"), message, "correct seqLength")
    said = tuple(int(_number(info, key, folder)) for key in ("imwidth", "imheight"))
    if base.path is not None and all(said) and said != (base.width, base.height):
        message = f"says {said[0]} x {said[1]} pixels, the images have {base.width} x {base.height}"
        hint = "text files are taken in pixels of the images; were these resized?"
        warn("size_differs", str(folder / "seqinfo.ini"), message, hint)
    gt = _file(folder / "gt" / "gt.txt")
    mots = _file(folder / "mots" / "instances.txt")
    det = _file(folder / "det" / "det.txt")
    told = describe_truth(gt, base, warn) if gt else TruthFile(None, ())
    of_masks = gt if told.gt_format == "kitti_mots" else mots
    whole = replace(
        base,
        gt=gt,
        gt_format=told.gt_format,
        mots=of_masks,
        det=det,
        gt_classes=told.classes,
        mots_classes=_mask_classes(of_masks) if of_masks else (),
    )
    check_frames(whole, warn)
    return whole


def _mask_classes(path: Path) -> tuple[tuple[int, str], ...]:
    """Names of the class ids of masks: those of ``labels.txt`` beside them, else KITTI-MOTS's.

    Line n names class n, as in CVAT's exports; class 10 is the ignore region whatever is there.
    """
    named = [one for one in read_labels(path.parent / LABELS) if one[0] != IGNORE_CLASS]
    return (*named, (IGNORE_CLASS, "ignore")) if named else KITTI_MOTS_CLASSES


def _without_frames(folder: Path, info: dict[str, str], fps: float, warn: Warn) -> VideoSequence:
    """Text only: enough to associate detections that came along, and to score."""
    texts = [folder / name for name in ("gt/gt.txt", "det/det.txt", "mots/instances.txt")]
    digest = hashlib.sha256()
    for path in texts:
        digest.update(path.read_bytes() if path.is_file() else b"")
    if not any(path.is_file() for path in texts):
        raise DataError(
            f"{folder}: has neither frames in img1 nor gt/gt.txt, det/det.txt or mots/instances.txt"
        )
    width, height = (int(_number(info, key, folder)) for key in ("imwidth", "imheight"))
    _require_size(width, height, folder / "seqinfo.ini")
    if not fps:
        message = f"seqinfo.ini does not say frameRate; {DEFAULT_FPS:g} frames/s are assumed"
        warn("no_frame_rate", str(folder), message, "add frameRate to seqinfo.ini")
    return VideoSequence(
        folder.resolve().name,
        None,
        digest.hexdigest(),
        width,
        height,
        fps or DEFAULT_FPS,
        int(_number(info, "seqlength", folder, MAX_FRAME)),
    )


def _kitti_texts(folder: Path) -> Path | None:
    """Folder of the per-sequence text files in a KITTI or KITTI MOTS download, if it is one.

    Raises:
        DataError: its masks are pictures.
    """
    for name in ("instances_txt", "instances", _BOXES):
        for place in (folder / name, folder / "training" / name):
            if place.is_dir() and any(_texts(place)):
                return place
            if place.is_dir() and name == "instances" and any(place.glob("**/*.png")):
                raise DataError(
                    f"{place}: its masks are pictures, as CVAT's MOTS PNG and the KITTI MOTS "
                    "download have them, which are not read; give text files in instances_txt"
                )
    return None


def _texts(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.txt")) if path.name != LABELS]


def _kitti_sequences(folder: Path, texts: Path, warn: Warn) -> Iterator[VideoSequence]:
    """One for each text file: of masks, or, in ``label_02``, of boxes, which have more columns."""
    for text in _texts(texts):
        boxes = texts.name == _BOXES and len(first_row(text)) != _MASK_COLUMNS
        roots = (texts.parent, folder, folder / "training")
        frames = next(
            (r / n / text.stem for r in roots for n in ("image_02", "images", "train/images")
             if (r / n / text.stem).is_dir()),
            None,
        )  # fmt: skip
        if frames is not None:
            base = _plain_frames(frames, warn, text.stem)
        else:
            height, width = (0, 0) if boxes else _rle_size(text)
            base = VideoSequence(text.stem, None, file_digest(text), width, height, DEFAULT_FPS, 0)
        whole = replace(base, gt=text, gt_format="kitti" if boxes else "kitti_mots")
        if not boxes:
            names = KITTI_MOTS_CLASSES
            whole = replace(whole, mots=text, gt_classes=names, mots_classes=names)
        check_frames(whole, warn)
        yield whole


def _visdrone_sequences(folder: Path, warn: Warn) -> Iterator[VideoSequence]:
    """VisDrone's own layout: images in ``sequences/NAME``, rows in ``annotations/NAME.txt``."""
    for frames in sorted(path for path in (folder / "sequences").iterdir() if path.is_dir()):
        base = _plain_frames(frames, warn)
        gt = _file(folder / "annotations" / f"{frames.name}.txt")
        if gt is not None:
            base = replace(base, gt=gt, gt_format="visdrone", gt_classes=VISDRONE_CLASSES)
            check_frames(base, warn)
        yield base


def _rle_size(text: Path) -> tuple[int, int]:
    words = first_row(text)
    if len(words) != _MASK_COLUMNS:
        raise DataError(f"{text}:1: a row is  frame id class height width RLE, not {words}")
    try:
        height, width = int(words[3]), int(words[4])
    except ValueError:
        raise DataError(f"{text}:1: height and width are {words[3:5]}, not numbers") from None
    _require_size(width, height, text)
    return height, width


def _seqinfo(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        return dict(parser["Sequence"])
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not readable as seqinfo.ini ({str(error).splitlines()[0]}); it holds "
            "[Sequence] and frameRate=..."
        ) from error


def _require_size(width: int, height: int, path: Path) -> None:
    from segtrack.dataset.image_files import too_large

    if problem := too_large(width, height, MAX_PIXELS):
        raise DataError(f"{path}: a frame {problem}; correct its width and height")


def _number(info: dict[str, str], key: str, folder: Path, most: float = 1e9) -> float:
    text = info.get(key, "0")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        allowed = f"not a number from 0 to {most:.0f}"
        raise DataError(f"{folder / 'seqinfo.ini'}: {key} is {text[:60]!r}, {allowed}")
    return value


def _file(path: Path) -> Path | None:
    return path if path.is_file() else None
