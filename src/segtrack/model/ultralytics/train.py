"""Training: from a data set and starting weights to the best epoch's weights."""

from __future__ import annotations

import gc
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from segtrack.base.errors import SettingsError, StageError
from segtrack.base.metrics import Report
from segtrack.base.processes import lasting_port, stop_if_asked
from segtrack.model.devices import device_argument, loading_processes
from segtrack.model.epoch_work import EpochWork
from segtrack.model.port import Network, TrainingData, Weights
from segtrack.model.training import ROWS, failing, finished, with_memory, write_training
from segtrack.model.ultralytics.data import link_tree
from segtrack.model.ultralytics.epochs import EpochReporter
from segtrack.settings import TrainerSettings

# Settings that ultralytics knows under the same name.
SAME_NAME = (
    *("epochs", "patience", "freeze", "amp", "compile", "mask_ratio"),
    *("optimizer", "lr0", "lrf", "momentum", "weight_decay", "warmup_epochs", "cos_lr"),
    *("mosaic", "close_mosaic", "mixup", "copy_paste", "scale", "translate", "degrees", "fliplr"),
    *("hsv_h", "hsv_s", "hsv_v"),
)
# What a training that goes on is told again.
CONTINUED = ("data", "device", "save_dir", "workers", "cache", "paste_occluders")


def train(
    data: TrainingData,
    network: Network,
    trainer: TrainerSettings,
    seed: int,
    folder: Path,
    report: Report,
) -> None:
    """Train, validating each epoch, and write ``weights/best.pt``, results.csv and train.json.

    As ``ModelFamily.train``; class heads are carried over by class name.

    Raises:
        SettingsError: ``trainer.extra`` or ``device`` is not possible.
        DataError: the checkpoint of a killed attempt is damaged, or asks for code.
        StageError: the training diverged or failed.
    """
    from segtrack.model.ultralytics import library
    from segtrack.model.ultralytics.checkpoint import continue_from, finish

    run = folder / "run"
    if finished(folder):  # killed while it was tidied up
        EpochReporter(folder / ROWS, trainer.epochs, report).go_on(trainer.epochs)
        return
    device = device_argument(network.device)
    arguments = (
        _arguments(network.weights, trainer, seed)
        | _of_machine(trainer, device)
        | {
            "device": device,
            "data": str(link_tree(data, folder / "tree")),
            "save_dir": str(run),
            "paste_occluders": trainer.paste_occluders,  # known to our trainer alone
        }
    )
    reporter = EpochReporter(run / ROWS, trainer.epochs, report)

    def attempt(images: int) -> None:
        done = continue_from(run, trainer)
        if not done.epochs:
            shutil.rmtree(run, ignore_errors=True)
        reporter.go_on(done.epochs)
        chosen = arguments
        if done.epochs:  # the rest stands in the checkpoint
            chosen = {key: arguments[key] for key in CONTINUED} | {"resume": str(done.checkpoint)}
        if not done.finished:
            _run(chosen | ({"batch": images} if images else {}), trainer, reporter)

    with library.trusting(network.settings.trust):
        with_memory(attempt, lambda: reporter.batch)
        write_training(finish(run, folder, data.names), network)


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


def _of_machine(trainer: TrainerSettings, device: str) -> dict[str, Any]:
    """What suits the machine, where the settings leave it open."""
    cards = len(device.split(",")) if device[0].isdigit() else 0
    batch, cache = trainer.batch, trainer.cache
    if batch == "auto":
        batch = -1 if cards == 1 else 16 * max(cards, 1)
    workers = loading_processes(trainer.workers, device)
    if cache is None:  # with several cards each process would keep all images
        cache = cards == 1
    return {"batch": batch, "workers": workers, "cache": cache}


def _run(arguments: dict[str, Any], settings: TrainerSettings, reporter: EpochReporter) -> None:
    """Train as ``arguments`` say, here or, for several GPUs, in processes that end with it."""
    if "," in arguments["device"]:
        with lasting_port() as port:
            _run_engine(arguments | {"ends_with": port}, settings, reporter)
    else:
        _run_engine(arguments, settings, reporter)


def _run_engine(
    arguments: dict[str, Any], settings: TrainerSettings, reporter: EpochReporter
) -> None:
    from segtrack.model.ultralytics import library
    from segtrack.model.ultralytics.engine import Trainer

    several = "ends_with" in arguments
    callbacks = library.get_default_callbacks()
    threads = partial(_set_threads, settings.threads)
    callbacks["on_train_epoch_start"].append(threads)
    for moment in ("on_train_batch_end", "on_val_batch_end", "on_fit_epoch_end"):
        callbacks[moment].append(_stop_if_asked)
    if not several:  # a report or a terminal cannot be handed to other processes
        callbacks["on_train_epoch_start"].append(reporter.see_batch)
        callbacks["on_train_epoch_end"].append(reporter.note_batch)
        callbacks["on_fit_epoch_end"].append(reporter.catch_up)
        _show(EpochWork(), callbacks)
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
        with failing():
            reporter.following(engine.train) if several else engine.train()
    finally:
        engine.callbacks.clear()
        del engine
        gc.collect()


def _show(work: EpochWork, callbacks: dict[str, list[Any]]) -> None:
    """Let ``work`` follow a training through its callbacks."""

    def train(trainer: Any) -> None:
        work.begin(trainer.epoch + 1, trainer.epochs, len(trainer.train_loader))

    def validate(trainer: Any) -> None:
        work.begin(trainer.epoch + 1, trainer.epochs, len(trainer.test_loader), "validation")

    callbacks["on_train_epoch_start"].append(train)
    callbacks["on_train_epoch_end"].append(validate)
    for moment in ("on_train_batch_end", "on_val_batch_end"):
        callbacks[moment].append(lambda _: work.advance())
    for moment in ("on_fit_epoch_end", "teardown"):
        callbacks[moment].append(lambda _: work.end())


def _stop_if_asked(_: Any) -> None:
    stop_if_asked()


def _set_threads(count: int | None, _: Any) -> None:
    from segtrack.model.ultralytics import library

    library.set_threads(count)
