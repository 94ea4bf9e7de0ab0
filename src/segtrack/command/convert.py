"""``segtrack convert IN OUT --to FORMAT``: labels and tracks in another program's form.

    segtrack convert FOLDER OUT --to cvat-images            a data set of any layout that is read
    segtrack convert FOLDER OUT.json --to coco              the labels alone, in one file
    segtrack convert outputs/RUN OUT --to cvat-video        the tracks of a run's results.json
    segtrack convert results.json OUT --to yolo --video FILE.mp4
    segtrack convert annotations.xml OUT --to mot           CVAT's video as ground truth

IN is a data set (YOLO, COCO, CVAT, LabelMe, Label Studio, Supervisely, Datumaro), a reviewed
version, a results.json or a run's folder, a sequence with ground truth, a text file of MOTChallenge
or MOTS, or CVAT's XML of a video. OUT is a new folder, or a file of labels without pictures, by its
suffix; it is never overwritten. What the format cannot hold is said, one line per kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segtrack.base.errors import SettingsError, nearest
from segtrack.command.app import CONF
from segtrack.command.composition import check, compose_settings
from segtrack.command.subcommands import Parser
from segtrack.convert import FORMATS, PICTURES, convert, input_of, named
from segtrack.settings import DatasetSettings

# All that a source leaves open: nothing is divided here.
_SPLITS = ("train: 1.0", "val: 0.0", "test: 0.0", "pool: 0.0")


def main(words: Sequence[str]) -> int:
    """Convert what ``words`` name.

    Raises:
        SettingsError: an option cannot be used, or OUT is there already.
        DataError: IN cannot be read, or not be written in this format.
    """
    options = options_of(words)
    given, out = Path(options.given).expanduser(), Path(options.out).expanduser()
    sources = [w.partition("=")[2] for w in options.overrides if w.startswith("dataset=")]
    found = (
        named(given, sources[-1])
        if sources
        else input_of(given, FORMATS[options.to].holds.track_ids)
    )
    settings, seed = None, 0
    if found.words:
        settings, seed = _settings([*found.words, *options.overrides])
    elif options.overrides:
        key = options.overrides[0]
        raise SettingsError(f"{key}: settings are for data sets of images; {given} is none")
    video = Path(options.video).expanduser() if options.video else None
    done = convert(found, settings, seed, out, options.to, options.images, video)
    print(f"{given}: {done.read}")
    for line in (*done.notes, *done.losses):
        print(f"  {line}")
    noun = "frames" if found.tracks else "images"
    print(f"{out}: {FORMATS[options.to].title}, {done.pictures} {noun}, {done.things} objects")
    return 0


def options_of(words: Sequence[str]) -> argparse.Namespace:
    """What is behind the word ``convert``; KEY=VALUE is a setting of ``dataset``.

    Raises:
        SettingsError: it cannot be understood.
    """
    parser = Parser("convert", "IN OUT --to FORMAT [options] [dataset.classes=... ...]", __doc__)
    parser.add_argument("given", metavar="IN", help="what is converted")
    parser.add_argument("out", metavar="OUT", help="a new folder or file")
    parser.add_argument("--to", required=True, metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument(
        "--images",
        choices=PICTURES,
        default=PICTURES[0],
        help="how pictures come into OUT: copied, as hard links where that works, or not at all",
    )
    parser.add_argument("--video", help="the video, or folder of frames, that tracks are of")
    settings = [word for word in words if word.startswith(("dataset=", "dataset.", "seed="))]
    options = parser.parse_args([word for word in words if word not in settings])
    options.overrides = settings
    if options.to not in FORMATS:
        near = nearest(options.to, FORMATS)
        hint = f"; did you mean {near}?" if near else ""
        raise SettingsError(f"--to {options.to}: there are {', '.join(FORMATS)}{hint}")
    return options


def _settings(overrides: list[str]) -> tuple[DatasetSettings, int]:
    if not any(word.startswith("dataset.splits") for word in overrides):
        overrides.append(f"dataset.splits={{{', '.join(_SPLITS)}}}")
    # Named twice, a key's last value holds: what was typed stands behind what was found.
    last = {word.partition("=")[0]: word for word in overrides}
    chosen = list(last.values())
    if problems := check(CONF, chosen, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    settings = compose_settings(CONF, chosen)
    return replace(settings.dataset, videos=None), settings.seed
