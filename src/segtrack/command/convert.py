"""``segtrack convert IN OUT --to FORMAT``: labels and tracks in another program's form.

    segtrack convert FOLDER OUT --to cvat-images            a data set of any layout that is read
    segtrack convert FOLDER OUT.json --to coco              the labels alone, in one file
    segtrack convert outputs/RUN OUT --to cvat-video        the tracks of a run's results.json
    segtrack convert RUN OUT.parquet --to parquet           the same by a run's id or name
    segtrack convert RUN OUT --to coco                      the labels that a run of pull brought
    segtrack convert results.json OUT --to yolo --video FILE.mp4
    segtrack convert annotations.xml OUT --to mot           CVAT's video as ground truth

IN is a data set (YOLO, COCO, CVAT, LabelMe, Label Studio, Supervisely, Datumaro), a reviewed
version, a results.json, a run (its id, name or folder: its tracks, else the labels that it pulled),
a sequence with ground truth, a text file of MOTChallenge or MOTS, or CVAT's XML of a video. OUT is
a new folder, or a file of labels without pictures, by its suffix; it is never overwritten. What the
format cannot hold is said, one line per kind.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from segtrack.base.errors import SettingsError, nearest, some
from segtrack.base.saying import say
from segtrack.command.app import CONF
from segtrack.command.checking import check
from segtrack.command.composition import compose_settings
from segtrack.command.subcommands import Parser
from segtrack.convert import (
    FORMATS,
    PICTURES,
    RESULTS,
    Input,
    convert,
    input_of,
    named,
    results_below,
)
from segtrack.runs import KeptSweep, find
from segtrack.settings import DatasetSettings

_MLFLOW = ("mlflow=", "mlflow.")  # settings that say where runs are recorded
# All that a source leaves open: nothing is divided here.
_SPLITS = ("train: 1.0", "val: 0.0", "test: 0.0", "pool: 0.0")


def main(words: Sequence[str]) -> int:
    """Convert what ``words`` name.

    Raises:
        SettingsError: an option cannot be used, or OUT is there already.
        DataError: IN cannot be read, or not be written in this format.
    """
    options = options_of(words)
    with tempfile.TemporaryDirectory() as scratch:  # what is fetched of a run lies there
        _convert(options, Path(scratch))
    return 0


def _convert(options: argparse.Namespace, scratch: Path) -> None:
    given, out = Path(options.given).expanduser(), Path(options.out).expanduser()
    sources = [w.partition("=")[2] for w in options.overrides if w.startswith("dataset=")]
    if sources:
        found = named(given, sources[-1])
    elif _is_run_without_tracks(given):
        found = _of_run(options, scratch)
    elif os.sep in options.given or os.path.lexists(given):
        found = input_of(given, FORMATS[options.to].holds.track_ids)
    else:
        found = _of_run(options, scratch)
    settings, seed = None, 0
    if found.words:
        settings, seed = _settings([*found.words, *options.overrides])
    elif others := [word for word in options.overrides if not word.startswith(_MLFLOW)]:
        key = others[0]
        raise SettingsError(f"{key}: settings are for data sets of images; {given} is none")
    video = Path(options.video).expanduser() if options.video else None
    done = convert(found, settings, seed, out, options.to, options.images, video)
    say(f"{given}: {done.read}")
    for line in (*done.notes, *done.losses):
        say(f"  {line}")
    noun = "frames" if found.tracks else "images"
    say(f"{out}: {FORMATS[options.to].title}, {done.pictures} {noun}, {done.things} objects")


def _of_run(options: argparse.Namespace, scratch: Path) -> Input:
    """The results of a run that is named by its id or name, or by its folder: its tracks, else the
    labels that it pulled.

    Raises:
        SettingsError: there is no such run, or it has neither.
    """
    words = [word for word in options.overrides if word.startswith(_MLFLOW)]
    if problems := check(CONF, words, sweep=False):
        raise SettingsError("; ".join(map(str, problems)))
    given = options.given
    try:
        (run,) = find(compose_settings(CONF, words).mlflow, [given], scratch)
    except SettingsError as error:
        if os.path.lexists(given):
            raise
        raise SettingsError(f"{given}: there is no such file or folder, and {error}") from error
    if isinstance(run, KeptSweep):
        cells = some([one.label for one in run.cells], 4) or "it has none"
        raise SettingsError(f"{given}: is the parent of a sweep; convert one of its cells: {cells}")
    if run.videos:
        return Input(RESULTS, tuple(video.results for video in run.videos))
    version = run.tags.get("dataset.next_version")
    if version is None:
        raise SettingsError(
            f"{given}: the run tracked in no video and pulled no labels, so that there is nothing "
            "to convert; give one that did, or the folder of its data set"
        )
    folder = Path(run.tags["store"]) / "reviewed" / version
    if not folder.is_dir():
        raise SettingsError(f"{given}: the labels that it pulled are gone from {folder}")
    return named(folder, "reviewed")


def _is_run_without_tracks(path: Path) -> bool:
    return (path / ".hydra").is_dir() and not any(results_below(path))


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
    settings = [
        word for word in words if word.startswith(("dataset=", "dataset.", "seed=", *_MLFLOW))
    ]
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
