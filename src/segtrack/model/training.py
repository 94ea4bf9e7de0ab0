"""What every family's training has in common: its folder, its epochs, and how it fails or ends.

A family works in ``run`` and ``tree`` below the folder, which exist only while it works. The
libraries' ``results.csv``, a row an epoch, says how far it came.
"""

from __future__ import annotations

import csv
import gc
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.atomic import whole_file, write_whole
from segtrack.base.errors import DataError, StageError, of_machine, out_of_memory
from segtrack.base.files import file_digest
from segtrack.base.metrics import Report
from segtrack.base.processes import stop_if_asked
from segtrack.base.saying import say
from segtrack.model.memory import free
from segtrack.model.port import Network, TrainingData, Weights
from segtrack.settings import TrainerSettings

FACTS = "train.json"
ROWS = "results.csv"
SCRATCH = ("run", "tree")


@dataclass(frozen=True)
class Training:
    """A finished training's folder.

    Attributes:
        weights: of the best epoch.
        epochs: that were trained. best_epoch: counted from 1.
    """

    folder: Path
    weights: Weights
    epochs: int
    best_epoch: int

    @staticmethod
    def load(folder: Path) -> Training:
        """Open ``folder``.

        Raises:
            DataError: the folder holds no finished training.
        """
        path = folder / FACTS
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise DataError(f"{path}: not readable as a finished training ({error})") from error
        file = folder / raw["file"]
        weights = Weights(file, raw["sha256"], "trained", tuple(raw["names"]), raw["imgsz"])
        return Training(folder, weights, raw["epochs"], raw["best_epoch"])


def finished(folder: Path) -> bool:
    """Whether a training in ``folder`` was finished."""
    return (folder / FACTS).is_file()


@dataclass(frozen=True)
class Done:
    """How far an earlier attempt came.

    Attributes:
        checkpoint: of its last whole epoch. epochs: whole ones. finished: nothing is left to train.
    """

    checkpoint: Path
    epochs: int
    finished: bool


@contextmanager
def reading(checkpoint: Path, run: Path, refusal: Callable[[Exception], str]) -> Iterator[None]:
    """What cannot be read of the training in ``run``, as ``DataError`` that says what to do."""
    try:
        yield
    except Exception as error:  # what is none fails in any way
        if of_machine(error):  # a training of hours is not to be removed for that
            raise
        raise DataError(
            f"{checkpoint}, of a training that was stopped, is {refusal(error)}. Remove {run} to "
            "train from the beginning"
        ) from error


def with_memory(attempt: Callable[[int], None], batch: Callable[[], int]) -> None:
    """Call ``attempt(0)``; where memory runs out, again, with half the images that a step had.

    Args:
        attempt: trains on from the last whole epoch, so many images a step; 0: as the settings say.
        batch: how many images a step had.
    """
    images = 0
    while True:
        try:
            return attempt(images)
        except StageError as error:
            images = batch() // 2
            if not out_of_memory(error) or not images:
                raise
        gc.collect()  # only now: the error held what the training had
        free()
        say(f"warning: out of memory; the training goes on with batches of {images}")


@contextmanager
def failing() -> Iterator[None]:
    """What a library raises within, as ``StageError``."""
    try:
        yield
    except (
        *(RuntimeError, TypeError, ValueError, KeyError, OSError),
        subprocess.SubprocessError,
    ) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a full disk and the like: the caller knows better what to say
        stop_if_asked()
        raise StageError(f"training failed: {one_line(error)}") from error


def one_line(error: Exception) -> str:
    """What it says, shortened."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def keep_best(
    folder: Path,
    save: Callable[[Path], None],
    names: tuple[str, ...],
    imgsz: int,
    best_epoch: int | None,
) -> Training:
    """Put the best weights and ``results.csv`` of a training's ``run`` into ``folder``.

    Args:
        save: writes the weights to the path that it is given.
        names, imgsz: of the weights. best_epoch: from 1; None: the last one.
    """
    shutil.copyfile(folder / "run" / ROWS, folder / ROWS)
    epochs = len(read_rows(folder / ROWS))
    target = folder / "weights" / "best.pt"
    target.parent.mkdir(exist_ok=True)
    with whole_file(target) as partial:
        save(partial)
    weights = Weights(target, file_digest(target), "trained", names, imgsz)
    return Training(folder, weights, epochs, min(best_epoch or epochs, epochs))


def read_rows(path: Path) -> list[dict[str, float]]:
    """The whole rows of results.csv, by column; ``epoch`` counts from 1."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()  # a row that is still being written is none
    rows = csv.DictReader(lines, skipinitialspace=True)
    return [{key.strip(): float(value) for key, value in row.items()} for row in rows]


def keep_rows(path: Path, epochs: int) -> None:
    """Cut results.csv down to the first ``epochs`` epochs, each once."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    kept: dict[int, str] = {}
    for line in lines[1:]:
        epoch = line.split(",")[0].strip()
        if line.endswith("\n") and epoch.isdigit() and int(epoch) <= epochs:
            kept[int(epoch)] = line
    if lines:
        path.write_text("".join([lines[0], *(kept[e] for e in sorted(kept))]), encoding="utf-8")


def write_training(training: Training, network: Network) -> None:
    """Say of ``training.folder`` that it is finished; the last thing that a training does.

    Args:
        training: with weights below its folder.
        network: that it began with.
    """
    weights, start = training.weights, network.weights
    facts = {
        "epochs": training.epochs,
        "best_epoch": training.best_epoch,
        "names": list(weights.names),
        "imgsz": weights.imgsz,
        "model": network.settings.name,
        "start_origin": start.origin,
        "start_sha256": start.sha256,
        "file": weights.path.relative_to(training.folder).as_posix(),
        "sha256": weights.sha256,
    }
    write_whole(training.folder / FACTS, json.dumps(facts, indent=1))


def train(
    data: TrainingData,
    network: Network,
    trainer: TrainerSettings,
    seed: int,
    folder: Path,
    report: Report,
) -> None:
    """Train as the network's family does; ``Training`` opens the folder afterwards.

    Where ``folder`` holds the remains of a killed attempt, the training goes on from there.

    Args:
        data: its ``train`` split is learnt from, ``val`` chooses the epoch.
        network: with the weights to begin with.
        report: gets losses and validation scores with step = epoch, from 1.

    Raises:
        SettingsError: settings or the device are not possible.
        StageError: the training diverged or failed.
    """
    folder = folder.absolute()  # libraries take relative paths for relative to their own folders
    network.family.train(data, network, trainer, seed, folder, report)
    for made in SCRATCH:
        shutil.rmtree(folder / made, ignore_errors=True)
