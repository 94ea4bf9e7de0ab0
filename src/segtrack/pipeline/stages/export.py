"""The network as a file for other programs, compared with the network that it was."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtrack import evaluation, model
from segtrack.base.errors import DataError, SettingsError, StageError
from segtrack.base.files import hand_out
from segtrack.base.metrics import Report
from segtrack.pipeline.stage import Ask, Recipe, Result, Stage, register
from segtrack.pipeline.stages.weights import require_model, say_lacking

if TYPE_CHECKING:
    import numpy as np

    from segtrack.dataset import Dataset
    from segtrack.model import ModelFamily, Network, Predictions, Weights
    from segtrack.pipeline.runner import Run
    from segtrack.settings import ExportSettings, Settings

CHECK = "check.json"
CALIBRATION = 300  # images of train; fewer leave the ranges of rare activations to chance
FIGURES = ("mask_map50_95", "mask_map50", "box_map50_95", "box_map50")


def export(ask: Ask) -> Recipe:
    """A file of the chosen format, and figures of how near it comes."""
    settings = ask.settings
    dataset: Dataset = ask("prepare").value
    weights: Weights = ask("weights").value
    family = model.family_of(settings.model)
    form = settings.export.format
    split = next((s for s in ("test", "val") if dataset.counts.get(s)), None)
    if split is None:
        raise DataError(
            "stage export: the data set has neither test nor val images to compare the exported "
            "network on; give it some"
        )
    whole_numbers = settings.export.precision == "int8"
    if whole_numbers and not dataset.counts.get("train"):
        raise DataError(
            "export.precision=int8: the data set has no train images to calibrate with; give it "
            "some, or use export.precision=float32"
        )
    exact = dataclasses.replace(settings.model, **family.original)
    network = model.Network(exact, weights, settings.device)
    model.wanted_classes(weights, model.Request(dataset.names, dataset.class_map))

    def build(folder: Path, report: Report) -> None:
        files = folder / model.SERVED
        files.mkdir()
        known: dict[str, float] = {}
        if whole_numbers:
            images = _calibration(dataset)
            known["calibration_images"] = len(images)
            path = family.export_int8(network, form, files, images)
        else:
            path = family.export(network, form, files)
        request = model.Request(dataset.names, dataset.class_map)
        model.write_served(network, path, request)
        if path.suffix in family.reads:
            _compare(dataset, split, network, path, settings, folder, report, known)

    return Recipe(
        build,
        {"split": split, **network.prediction(_request(dataset, settings))},
        {
            "images": dataset.split_fingerprint(split),
            "weights": weights.sha256,
            **({"train": dataset.split_fingerprint("train")} if whole_numbers else {}),
        },
        (*family.libraries, *_needed(family, settings.export)),
    )


def _calibration(dataset: Dataset) -> list[np.ndarray]:
    """Images all over train, which often lie in the order of their scenes."""
    rows = list(dataset.iter_images("train"))
    count = min(len(rows), CALIBRATION)
    return [model.read_image(rows[i * len(rows) // count]) for i in range(count)]


def _require(ask: Ask) -> None:
    """Look for what the format needs, before hours of work."""
    settings, form = ask.settings, ask.settings.export.format
    if settings.model.weights is not None:
        _require_checkpoint(ask("start").value, model.family_of(settings.model))
    require_model(ask)
    family = model.family_of(settings.model)
    if form not in family.exports:
        there = f"use one of {', '.join(family.exports) or 'none'}"
        raise SettingsError(
            f"export.format={form}: segtrack does not export model={settings.model.name} so; "
            f"{family.exports_else or there}"
        )
    if form == "tensorrt" and settings.mlflow.register:
        raise SettingsError(
            f"mlflow.register={settings.mlflow.register}: MLflow cannot serve an engine; use "
            "export.format=onnx or openvino, or leave mlflow.register out"
        )
    if form == "tensorrt" and model.device_class(settings.device) != "cuda":
        raise SettingsError(
            f"export.format=tensorrt device={settings.device}: an engine is made by the NVIDIA GPU "
            "that is to compute it; give device=cuda on a machine that has one, or use "
            "export.format=onnx"
        )
    if settings.export.precision == "int8" and form not in family.quantizes:
        there = ", ".join(f"export.format={name}" for name in family.quantizes) or "no format"
        raise SettingsError(
            f"export.precision=int8: model={settings.model.name} can be exported so with {there}, "
            f"not with export.format={form}"
        )
    if missing := [name for name in _needed(family, settings.export) if not _installed(name)]:
        extra = {"nncf": "'segtrack[int8]'", "onnx": "'segtrack[onnx]'"}
        extra["onnxruntime"] = extra["onnx"]
        packages = dict.fromkeys(extra.get(name, name) for name in missing)
        eight = settings.export.precision == "int8" and missing == ["nncf"]
        given = "export.precision=int8" if eight else f"export.format={form}"
        raise SettingsError(
            f"{given}: {', '.join(missing)} is not installed; pip install {' '.join(packages)}, or "
            f"{'use export.precision=float32' if eight else 'choose another format'}"
        )


def _require_checkpoint(weights: Weights, family: ModelFamily) -> None:
    if weights.path.suffix in family.reads:
        raise SettingsError(
            f"model.weights={weights.path}: it is an exported network already; export the "
            f"checkpoint ({family.suffix}) that it was made of"
        )


def _needed(family: ModelFamily, chosen: ExportSettings) -> tuple[str, ...]:
    """The distributions that write such a file."""
    more = family.quantizes.get(chosen.format, ()) if chosen.precision == "int8" else ()
    return (*family.exports.get(chosen.format, ()), *more)


def _installed(distribution: str) -> bool:
    try:
        return bool(version(distribution))
    except PackageNotFoundError:
        return False


def _request(dataset: Dataset, settings: Settings) -> model.Request:
    knobs = settings.evaluation
    return model.Request(dataset.names, dataset.class_map, knobs.conf_floor, knobs.max_det)


def _compare(
    dataset: Dataset,
    split: str,
    network: Network,
    path: Path,
    settings: Settings,
    folder: Path,
    report: Report,
    known: Mapping[str, float],
) -> None:
    """Predict the images of the split with both, and report how far they agree, beside what is
    ``known``.

    Raises:
        StageError: they do not.
    """
    request = _request(dataset, settings)
    family = model.family_of(settings.model)
    knobs = dataclasses.replace(settings.model, weights=str(path), **family.written)
    written = model.resolve_weights(knobs, lambda _: path)
    other = model.Network(knobs, written, settings.device)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        predicted = [
            _predictions(dataset, split, one, request, Path(scratch) / name, report)
            for name, one in (("original", network), ("exported", other))
        ]
        images = dataset.iter_images(split)
        sizes = ((image.image_id, image.height, image.width) for image in images)
        score = settings.evaluation.confusion_conf
        found = evaluation.agreement(predicted[0], predicted[1], sizes, score)
        before, after = (
            evaluation.measure(dataset, split, one, settings.evaluation).metrics()
            for one in predicted
        )
    figures: dict[str, float] = {**known, "images": dataset.counts[split], **found.metrics()}
    for name in FIGURES:
        old, new = before[f"{split}/{name}"], after[f"{split}/{name}"]
        if old is not None and new is not None:
            figures |= {name: new, f"{name}_difference": new - old}
    for name, value in figures.items():
        report(f"export/{name}", value)
    text = json.dumps({"split": split, "score": score, **figures}, indent=1)
    (folder / CHECK).write_text(text + "\n", encoding="utf-8")
    # In whole numbers a network can lose much by its nature; how much is what the run states.
    if settings.export.precision == "float32" and found.missing > found.found / 2:
        raise StageError(
            f"export.format={settings.export.format}: the exported network has only "
            f"{found.found - found.missing} of the {found.found} detections of {split} images that "
            "the original has; export another format"
        )


def _predictions(
    dataset: Dataset,
    split: str,
    network: Network,
    request: model.Request,
    folder: Path,
    report: Report,
) -> Predictions:
    def named(name: str, value: float, step: int = 0) -> None:
        if name.startswith("speed/"):
            report(name.replace("/images_", f"/{folder.name}_"), value, step)

    folder.mkdir()
    model.predict_images(dataset.iter_images(split), network, request, folder, named)
    return model.Predictions.load(folder)


def _publish(run: Run, made: Result) -> None:
    """Keep it with the run, as a model that MLflow serves, and say how near it comes."""
    dataset: Dataset = run("prepare").value
    request = model.Request(dataset.names, dataset.class_map)
    say_lacking(run, request, "its AP is 0 where it is labelled")
    files = sorted(file for file in (made.folder / model.SERVED).iterdir() if file.is_file())
    for file in files:
        hand_out(file, run.output / "export" / file.name)
    if (made.folder / CHECK).is_file():
        check: Mapping[str, Any] = json.loads((made.folder / CHECK).read_text(encoding="utf-8"))
        run.say(_sentence(check))
    named = next(file for file in files if file.suffix not in (".json", ".bin"))
    run.say(f"{run.output / 'export' / named.name}")
    family = model.family_of(run.settings.model)
    if named.suffix in family.reads:
        facts = model.served_facts(family.exports[run.settings.export.format])
        run.keep_model(made.folder / model.SERVED, "export", facts)
    else:
        run.keep(made.folder / model.SERVED, "export")
    run.keep(made.folder / CHECK, "export")


def _sentence(check: Mapping[str, Any]) -> str:
    text = (
        f"on {check['images']} {check['split']} images {check['missing']} of {check['detections']} "
        f"detections from a score of {check['score']:g} on are missing"
    )
    if "mask_iou_median" in check:
        text += (
            f"; masks agree by an IoU of {check['mask_iou_median']:.4f} (median; least "
            f"{check['mask_iou_min']:.4f}), boxes within {check['box_px_max']:.2g} px"
        )
    if "mask_map50_95" in check:
        text += (
            f"; mask AP {check['mask_map50_95']:.4f}, {check['mask_map50_95_difference']:+.4f} "
            "beside the original's"
        )
    if (count := check.get("calibration_images")) is not None:
        text += f"; int8, calibrated with {count} of {CALIBRATION} images of train asked for"
        text += " (fewer leave the ranges of rare activations to chance)" * (count < CALIBRATION)
    return text


STAGE = register(
    Stage(
        name="export",
        make=export,
        version=2,
        reads=("export", "evaluation"),
        inputs=("prepare", "weights", "start"),
        require=_require,
        libraries=("pycocotools",),
        publish=_publish,
        after="evaluate",
    )
)
