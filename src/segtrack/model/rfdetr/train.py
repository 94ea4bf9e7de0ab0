"""Training: from a data set and starting weights to the best epoch's weights."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack.base.errors import SettingsError, StageError
from segtrack.base.metrics import Report
from segtrack.base.processes import stop_if_asked
from segtrack.model.devices import device_argument, loading_processes
from segtrack.model.port import Network, TrainingData
from segtrack.model.rfdetr.settings import arguments_of
from segtrack.model.training import (
    ROWS,
    failing,
    finished,
    one_line,
    with_memory,
    write_training,
)
from segtrack.settings import TrainerSettings

if TYPE_CHECKING:
    import torch

NEEDED = ("pytorch_lightning", "torchmetrics", "faster_coco_eval")
CHATTY = (
    *("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric"),
    "faster_coco_eval.core.cocoeval",
)
PRECISIONS = {"float32": None, "bfloat16": "bf16", "float16": "fp16"}


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
        SettingsError: a package is missing, or ``trainer.extra`` or ``device`` is not possible.
        DataError: the checkpoint of a killed attempt is damaged, or asks for code.
        StageError: the training diverged or failed.
    """
    require()
    from segtrack.model.rfdetr.checkpoint import continue_from, finish
    from segtrack.model.rfdetr.data import coco_tree
    from segtrack.model.rfdetr.epochs import Follower, report_rows

    run, tree = folder / "run", folder / "tree"
    if finished(folder):  # killed while it was tidied up
        report_rows(folder / ROWS, report)
        return
    coco_tree(data, tree)
    arguments = _arguments(network, trainer, seed)
    arguments |= {"dataset_dir": str(tree), "output_dir": str(run)}
    follower = Follower(run / ROWS, trainer.epochs, report)

    def attempt(images: int) -> None:
        done = continue_from(run, trainer)
        if not done.epochs:
            shutil.rmtree(run, ignore_errors=True)
        run.mkdir(exist_ok=True)
        chosen = arguments | (_smaller(arguments, images) if images else {})
        follower.go_on(done.epochs, chosen["batch_size"])
        if not done.finished:
            start = done.checkpoint if done.epochs else None
            with _alone(trainer.threads):
                _run(chosen, network, trainer, data.names, follower, start)

    with_memory(attempt, lambda: follower.batch)
    write_training(finish(run, folder, data.names), network)


def _smaller(arguments: Mapping[str, Any], images: int) -> dict[str, int]:
    """Fewer images at once; the weights wait for as many as before, as in ultralytics."""
    steps = arguments.get("grad_accum_steps", 1) * arguments["batch_size"] // images
    return {"batch_size": images, "grad_accum_steps": steps}


def require() -> None:
    """Look for what a training needs beside the library.

    Raises:
        SettingsError: it is not installed.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"training of RF-DETR needs {', '.join(missing)}: pip install 'segtrack[rfdetr]'"
        )


def precision(device: str, amp: bool) -> str:
    """What a training calculates with on ``device`` (cpu, cuda, mps)."""
    require()
    if device != "cuda" or not amp:
        return "float32"
    import torch

    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return "bfloat16" if native else "float16"


def _arguments(network: Network, trainer: TrainerSettings, seed: int) -> dict[str, Any]:
    """The settings by the names that rfdetr has for them."""
    compute = network.family.compute(network, trainer)
    return {
        "epochs": trainer.epochs,
        "batch_size": trainer.batch,
        "num_workers": loading_processes(trainer.workers, network.device),
        "early_stopping": trainer.patience > 0,
        "early_stopping_patience": max(trainer.patience, 1),
        "amp_dtype": PRECISIONS[compute["precision"]],
        "eval_backend": "faster_coco_eval",  # of its four the one that it imports anyway
        "seed": seed,
        "tensorboard": False,
        "progress_bar": None,
        "checkpoint_interval": trainer.epochs + 1,  # last.ckpt alone, after every epoch
        **arguments_of(trainer),
    }


def _run(
    arguments: dict[str, Any],
    network: Network,
    settings: TrainerSettings,
    names: tuple[str, ...],
    follower: Any,
    start: Path | None,
) -> None:
    """Train as ``arguments`` say, from the network's weights or on from ``start``."""
    from segtrack.model.rfdetr import library

    with library.guest():
        import pytorch_lightning
        from rfdetr.config import SegmentationTrainConfig
        from rfdetr.training import RFDETRDataModule, RFDETRModelModule, build_trainer

        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        imgsz = settings.imgsz or network.weights.imgsz
        config = library.config_of(network.settings.name, len(names), imgsz)
        try:
            training = SegmentationTrainConfig(**arguments)
        except ValueError as error:  # pydantic's
            raise SettingsError(
                f"trainer: rfdetr refuses these settings: {one_line(error)}; see trainer.extra="
                f"{settings.extra}"
            ) from error
        pytorch_lightning.seed_everything(arguments["seed"], workers=True, verbose=False)
        try:
            with failing():
                module = RFDETRModelModule(config, training)
                if start is None and network.weights.trained:
                    _begin(module.model, config, network, names)
                made = build_trainer(
                    training,
                    config,
                    **_place(network.device),
                    logger=False,
                    enable_model_summary=False,
                    deterministic="warn",
                )
                made.callbacks.insert(0, follower)
                made.fit(module, RFDETRDataModule(config, training), ckpt_path=start)
        except SystemExit as error:  # what becomes of an interrupt inside
            stop_if_asked()
            raise StageError("training failed: rfdetr ended the process") from error
    stop_if_asked()


def _begin(model: Any, config: Any, network: Network, names: tuple[str, ...]) -> None:
    """Fill ``model`` with the weights to begin with; its class heads by the names of classes."""
    from segtrack.model.rfdetr import library
    from segtrack.model.rfdetr.weights import read_content

    facts, state = read_content(network.weights.path, network.settings.trust)
    outputs = dict(zip(facts.names, facts.outputs, strict=True))
    shared = [(i, outputs[name]) for i, name in enumerate(names) if name in outputs]
    for key, fresh in model.state_dict().items():
        if "class_embed" in key:
            state[key] = _rows(fresh.clone(), state[key], shared)
    library.fill(model, config, state)


def _rows(fresh: torch.Tensor, known: torch.Tensor, shared: list[tuple[int, int]]) -> torch.Tensor:
    for to, row in shared:
        fresh[to] = known[row]
    return fresh


def _place(device: Any) -> dict[str, Any]:
    """The device as the library's trainer takes it.

    Raises:
        SettingsError: it is several GPUs, or not there.
    """
    place = device_argument(device)
    if "," in place:
        raise SettingsError(f"device={device}: RF-DETR trains on one GPU; name one of them")
    if place.isdigit():
        return {"accelerator": "gpu", "devices": [int(place)]}
    return {"accelerator": place, "devices": 1}


@contextmanager
def _alone(threads: int | None) -> Iterator[None]:
    """Leave torch afterwards as it was found: threads, and whether it must be deterministic."""
    import torch

    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads or before[0])
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
