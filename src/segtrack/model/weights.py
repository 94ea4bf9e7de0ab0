"""Where a model's weights come from, in the same words for every family."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from segtrack.base.errors import DataError, nearest, some
from segtrack.model.families import family_of
from segtrack.model.port import ModelFamily, Request, RunWeights, Weights
from segtrack.settings import ModelSettings

LONGEST_NAME = 1000  # letters of a class; those of an open vocabulary are whole sentences
FROM_SCRATCH = "nothing to start from, so training begins from scratch"


def resolve_weights(settings: ModelSettings, run_weights: RunWeights) -> Weights:
    """Find the weights that ``settings.weights`` means; null means ``auto``.

    Args:
        settings: of the model.
        run_weights: gives the weights file of an MLflow run by the run's id.

    Raises:
        DataError: the file is missing, is no checkpoint, has no masks, or names its classes so
            that no result can hold it; nothing ships for this network; there is no network of that
            name.
    """
    found = _resolved(settings, run_weights)
    for class_id, name in enumerate(found.names):
        # Whoever wrote the file may have put anything there, half a character too.
        odd = any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)
        if odd or not name.strip() or len(name) > LONGEST_NAME:
            raise DataError(
                f"model.weights={found.path}: class {class_id} has the name {name[:60]!r} of "
                f"{len(name)} letters; a name has 1 to {LONGEST_NAME}, and no control characters: "
                "give other weights"
            )
    return found


def _resolved(settings: ModelSettings, run_weights: RunWeights) -> Weights:
    family, choice = family_of(settings), settings.weights or "auto"
    if choice == "auto":
        return _automatic(family, settings)
    if choice == "scratch":
        return family.scratch(settings)
    if choice == "shipped":
        return family.read(settings, _shipped(family, settings.name), "shipped")
    if choice.startswith("run:"):
        return _read(family, settings, run_weights(choice.removeprefix("run:")), choice)
    return _read(family, settings, Path(choice).expanduser(), "path")


def wanted_classes(weights: Weights, request: Request) -> np.ndarray:
    """Output class id (int64) by class id of the weights; -1 for those that are not wanted.

    Raises:
        DataError: none is wanted.
    """
    wanted = {name: i for i, name in enumerate(request.names)}
    ids = [wanted.get(request.class_map.get(name, name), -1) for name in weights.names]
    if all(i < 0 for i in ids):
        raise DataError(
            f"model.weights={weights.path}: none of its {len(weights.names)} classes "
            f"({some(weights.names)}) is among the wanted classes "
            f"({some(lacking_classes(weights, request))}); name them in "
            "dataset.classes, such as {vehicle: [car, truck]}, or give other weights"
        )
    return np.array(ids, np.int64)


def lacking_classes(weights: Weights, request: Request) -> tuple[str, ...]:
    """The wanted classes that the weights do not know, so that none of them can be found.

    Returns:
        Each with the nearest name that the weights have, ``cra (nearest: car)``. A merged class
        that the weights have under its own name lacks nothing; of others, the parts that they lack.
    """
    known = set(weights.names)
    parts: dict[str, list[str]] = {name: [] for name in request.names}
    for part, name in request.class_map.items():
        parts.setdefault(name, []).append(part)
    missing = []
    for name, merged in parts.items():
        if name not in known or request.class_map.get(name, name) != name:
            missing += [one for one in merged or [name] if one not in known]
    near = {name: nearest(name, weights.names) for name in missing}
    return tuple(f"{name} (nearest: {near[name]})" if near[name] else name for name in missing)


def _read(family: ModelFamily, settings: ModelSettings, path: Path, origin: str) -> Weights:
    if path.is_dir():  # of an exported network
        inside = [file for file in sorted(path.iterdir()) if file.suffix in family.reads]
        if len(inside) != 1:
            wanted = " or ".join(family.reads) or "none"
            raise DataError(
                f"model.weights={path}: a folder with {len(inside)} exported networks ({wanted}); "
                "give the file"
            )
        path = inside[0]
    what = "is no file but a pipe or a device" if path.exists() else "no such file"
    if not path.is_file():
        raise DataError(
            f"model.weights={path}: {what}; give a {family.suffix} checkpoint, shipped, "
            "run:<MLflow run id>, scratch or auto"
        )
    return family.read(settings, path, origin)


def _automatic(family: ModelFamily, settings: ModelSettings) -> Weights:
    """A local folder, else a download, else what is shipped, else none; the note says why."""
    missed = "model.weights_folder is not set"
    if settings.weights_folder:
        path = Path(settings.weights_folder).expanduser() / f"{settings.name}{family.suffix}"
        if path.is_file():
            return family.read(settings, path, "auto:folder")
        missed = f"{path} does not exist"
    downloaded, why = family.download(settings)
    note = f"model.weights=auto: {missed}; "
    if downloaded:
        note += f"downloaded {downloaded.name}"
        return family.read(settings, downloaded, "auto:download", note)
    note += f"{why}; "
    shipped = family.shipped.get(settings.name)
    if shipped is not None and shipped.is_file():
        note += f"using the shipped {shipped.name}"
        return family.read(settings, shipped, "auto:shipped", note)
    return family.scratch(settings, f"{note}{FROM_SCRATCH}")


def _shipped(family: ModelFamily, name: str) -> Path:
    path = family.shipped.get(name)
    if path is None:
        only = ", ".join(family.shipped)
        there = f"only {only} ships with weights, not {name}"
        there = there if only else f"{family.name} ships no weights for {name}"
        raise DataError(f"model.weights=shipped: {there}; use model.weights=auto or scratch")
    if not path.is_file():
        raise DataError(
            f"model.weights=shipped: {path} is missing from this installation; install segtrack "
            "again, or use model.weights=auto or scratch"
        )
    return path
