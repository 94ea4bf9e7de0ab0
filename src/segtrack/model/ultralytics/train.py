"""Training: from a data set and starting weights to the best epoch's weights."""

from __future__ import annotations

import gc
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError, StageError
from segtrack.base.metrics import Report
from segtrack.base.processes import stop_if_asked
from segtrack.model.devices import device_argument
from segtrack.model.port import Network, TrainingData, Weights
from segtrack.model.training import finished, write_training
from segtrack.model.ultralytics.bar import EpochBar
from segtrack.model.ultralytics.data import link_tree
from segtrack.model.ultralytics.epochs import EpochReporter, keep_rows
from segtrack.settings import TrainerSettings

# Settings that ultralytics knows under the same name.
SAME_NAME = (
    *("epochs", "batch", "patience", "freeze", "workers", "cache", "amp", "mask_ratio"),
    *("optimizer", "lr0", "lrf", "momentum", "weight_decay", "warmup_epochs", "cos_lr"),
    *("mosaic", "close_mosaic", "mixup", "copy_paste", "scale", "translate", "degrees", "fliplr"),
    *("hsv_h", "hsv_s", "hsv_v"),
)


def train(
    data: TrainingData,
    network: Network,
    trainer: TrainerSettings,
    seed: int,
    folder: Path,
    report: Report,
) -> None:
    """Train, validating each epoch, and write ``weights/best.pt``, results.csv and train.json.

    Where ``folder`` holds the remains of a killed attempt, the training goes on after its last
    whole epoch. ``run/`` and ``tree/`` exist only while it works.

    Args:
        data: its ``train`` split is learnt from, ``val`` chooses the epoch.
        network: with the weights to begin with; class heads are carried over by class name.
        report: gets losses, learning rate and validation scores with step = epoch, from 1.

    Raises:
        SettingsError: ``trainer.extra`` or ``device`` is not possible.
        DataError: the checkpoint of a killed attempt is damaged, or asks for code.
        StageError: the training diverged or failed.
    """
    from segtrack.model.ultralytics import library

    folder = folder.absolute()  # the library takes relative paths for relative to its own folders
    run, tree = folder / "run", folder / "tree"
    if finished(folder):  # killed while it tidied up
        EpochReporter(folder / "results.csv", trainer.epochs, report, trainer.epochs).catch_up()
        _tidy_up(run, tree)
        return
    with library.trusting(network.settings.trust):
        _train(data, network, trainer, seed, folder, report)
    _tidy_up(run, tree)


def _train(
    data: TrainingData,
    network: Network,
    trainer: TrainerSettings,
    seed: int,
    folder: Path,
    report: Report,
) -> None:
    from segtrack.model.ultralytics.checkpoint import continue_from, finish

    run = folder / "run"
    arguments = _arguments(network.weights, trainer, seed) | {
        "device": device_argument(network.device),
        "data": str(link_tree(data, folder / "tree")),
        "save_dir": str(run),
    }
    done = continue_from(run, trainer)
    if done.epochs == 0:
        shutil.rmtree(run, ignore_errors=True)
    keep_rows(run / "results.csv", done.epochs)
    reporter = EpochReporter(run / "results.csv", trainer.epochs, report, done.epochs)
    reporter.catch_up()
    if not done.finished:
        if done.epochs:
            kept = ("data", "device", "save_dir", "workers", "cache")
            arguments = {key: arguments[key] for key in kept} | {"resume": str(done.checkpoint)}
        _run(arguments, trainer, reporter)
    write_training(finish(run, folder, data.names), network)


def _tidy_up(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _arguments(weights: Weights, trainer: TrainerSettings, seed: int) -> dict[str, Any]:
    """The settings by the names that ultralytics has for them."""
    arguments = {name: getattr(trainer, name) for name in SAME_NAME}
    arguments |= {
        "model": str(weights.path),
        "imgsz": trainer.imgsz or weights.imgsz,
        "seed": seed,
        "deterministic": True,
        "plots": False,
        "exist_ok": True,
        "verbose": False,
    }
    if trainer.optimizer not in ("auto", "SGD", "MuSGD"):
        # The library begins biases at a rate of 0.1, which suits SGD; steps of Adam's size ruin
        # pretrained weights with it. Its own optimizer=auto does the same for AdamW.
        arguments["warmup_bias_lr"] = 0.0
    return arguments | trainer.extra


def _run(arguments: dict[str, Any], settings: TrainerSettings, reporter: EpochReporter) -> None:
    """Train as ``arguments`` say, here or, for several GPUs, in processes of their own."""
    from segtrack.model.ultralytics import library
    from segtrack.model.ultralytics.engine import Trainer

    several = "," in arguments["device"]
    callbacks = library.get_default_callbacks()
    threads = partial(_set_threads, settings.threads)
    callbacks["on_train_epoch_start"].append(threads)
    for moment in ("on_train_batch_end", "on_val_batch_end", "on_fit_epoch_end"):
        callbacks[moment].append(_stop_if_asked)
    if not several:  # a report or a terminal cannot be handed to other processes
        callbacks["on_fit_epoch_end"].append(reporter.catch_up)
        EpochBar().attach(callbacks)
    try:
        engine = Trainer(overrides=arguments, _callbacks=callbacks)
    except (SyntaxError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise SettingsError(
            f"trainer: ultralytics refuses these settings: {error}; see trainer.extra="
            f"{settings.extra}"
        ) from error
    except RuntimeError as error:  # what it says of a data set
        raise StageError(f"training failed: {error}") from error
    try:
        if several:
            reporter.following(engine.train)
        else:
            engine.train()
    except (RuntimeError, TypeError, ValueError, OSError, subprocess.SubprocessError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a full disk and the like: the caller knows better what to say
        raise StageError(f"training failed: {error}") from error
    finally:
        engine.callbacks.clear()
        del engine
        gc.collect()


def _stop_if_asked(_: Any) -> None:
    stop_if_asked()


def _set_threads(count: int | None, _: Any) -> None:
    from segtrack.model.ultralytics import library

    library.set_threads(count)
