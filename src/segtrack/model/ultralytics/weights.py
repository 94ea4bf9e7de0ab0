"""Where a model's weights come from, and what they say about themselves."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segtrack.base.errors import DataError
from segtrack.settings import ModelSettings

SHIPPED = Path(__file__).parent / "yolov8n-seg-sim.pt"
SHIPPED_NAME = "yolov8n-seg"
DOWNLOAD_HOST = ("github.com", 443)
PROBE_SECONDS = 2.0


@dataclass(frozen=True)
class Weights:
    """A checkpoint, or the name of a network that has none yet.

    Attributes:
        path: of the checkpoint; for ``scratch`` the name of the network's description.
        sha256: digest of the file; for ``scratch`` of the network's description and name.
        origin: ``path``, ``shipped``, ``run:<id>``, ``auto:folder``, ``auto:download``,
            ``auto:shipped``, ``trained`` or ``scratch``.
        names: class names by class id; empty for ``scratch``.
        imgsz: px, longer side of the input that it was trained with; 640 for ``scratch``.
        note: what a user should know about the choice, else empty.
    """

    path: Path
    sha256: str
    origin: str
    names: tuple[str, ...]
    imgsz: int
    note: str = ""

    @property
    def trained(self) -> bool:
        """Whether there is something to predict with."""
        return self.origin != "scratch"


def resolve_weights(settings: ModelSettings, run_weights: Callable[[str], Path]) -> Weights:
    """Find the weights that ``settings.weights`` means; null means ``auto``.

    Args:
        settings: of the model.
        run_weights: gives the weights file of an MLflow run by the run's id.

    Raises:
        DataError: the file is missing, is no checkpoint, or has no masks; nothing ships for this
            network; there is no network of that name.
    """
    choice = settings.weights or "auto"
    if choice == "auto":
        return _automatic(settings)
    if choice == "scratch":
        return _scratch(settings.name, "")
    if choice == "shipped":
        return read_weights(_shipped(settings.name), "shipped")
    if choice.startswith("run:"):
        return read_weights(run_weights(choice.removeprefix("run:")), choice)
    return read_weights(Path(choice).expanduser(), "path")


def read_weights(path: Path, origin: str, note: str = "") -> Weights:
    """Read what the checkpoint at ``path`` says about itself.

    Raises:
        DataError: it is missing, unreadable, no YOLO checkpoint, or one without masks.
    """
    if not path.is_file():
        raise DataError(
            f"model.weights={path}: no such file; give a .pt checkpoint, shipped, run:<MLflow run "
            "id>, scratch or auto"
        )
    from segtrack.model.ultralytics import library

    try:
        if path.stat().st_size == 0:
            raise EOFError("the file is empty")
        model, _ = library.load_checkpoint(path)
        names = _class_names(model.names)
        imgsz = model.args["imgsz"]
        imgsz = max(imgsz) if isinstance(imgsz, list | tuple) else int(imgsz)
    except Exception as error:  # a pickle that is none fails in any way
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"model.weights={path}: not an ultralytics YOLO checkpoint ({reason}); give a .pt file "
            "that ultralytics saved"
        ) from error
    if model.task != "segment":
        raise DataError(
            f"model.weights={path}: weights for task {model.task!r}, which predict no masks; give "
            "those of a -seg model, such as yolov8n-seg.pt"
        )
    return Weights(path, file_sha256(path), origin, names, imgsz, note)


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download_weights(file_name: str) -> tuple[Path | None, str]:
    """The library's own download, kept in its folder; where there is none, the reason."""
    from segtrack.model.ultralytics import library

    target = library.folder() / "weights" / file_name
    if target.is_file():
        return target, ""
    if library.forbidden_network():
        return None, "YOLO_OFFLINE forbids a download"
    if not _reachable(DOWNLOAD_HOST, PROBE_SECONDS):
        return None, f"{DOWNLOAD_HOST[0]} does not answer, so there is nothing to download"
    try:
        library.download(file_name, target)
    except Exception as error:  # of the network, of the server, or of a name it does not have
        return None, f"the download failed ({str(error).splitlines()[0]})"
    return target, ""


def _automatic(settings: ModelSettings) -> Weights:
    """A local folder, else a download, else what is shipped, else none; the note says why."""
    file_name = f"{settings.name}.pt"
    missed = "model.weights_folder is not set"
    if settings.weights_folder:
        path = Path(settings.weights_folder).expanduser() / file_name
        if path.is_file():
            return read_weights(path, "auto:folder")
        missed = f"{path} does not exist"
    downloaded, why = download_weights(file_name)
    note = f"model.weights=auto: {missed}; "
    if downloaded:
        return read_weights(downloaded, "auto:download", f"{note}downloaded {file_name}")
    note += f"{why}; "
    if settings.name == SHIPPED_NAME and SHIPPED.is_file():
        return read_weights(SHIPPED, "auto:shipped", f"{note}using the shipped {SHIPPED.name}")
    return _scratch(settings.name, f"{note}nothing to start from, so training begins from scratch")


def _reachable(address: tuple[str, int], seconds: float) -> bool:
    """Whether ``address`` accepts a connection; looking up its name counts into the time too."""
    answers: list[bool] = []

    def probe() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(address, seconds).close()
            answers.append(True)

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers)


def _shipped(name: str) -> Path:
    if name != SHIPPED_NAME:
        raise DataError(
            f"model.weights=shipped: only {SHIPPED_NAME} ships with weights, not {name}; "
            "use model.weights=auto or scratch"
        )
    if not SHIPPED.is_file():
        raise DataError(
            f"model.weights=shipped: {SHIPPED} is missing from this installation; install segtrack "
            "again, or use model.weights=auto or scratch"
        )
    return SHIPPED


def _scratch(name: str, note: str) -> Weights:
    from segtrack.model.ultralytics import library

    config = library.architecture(name)
    config.pop("yaml_file", None)
    text = json.dumps([name, config], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Weights(Path(f"{name}.yaml"), digest, "scratch", (), 640, note)


def _class_names(names: dict[int, str] | list[str]) -> tuple[str, ...]:
    if isinstance(names, dict):
        return tuple(str(names[i]) for i in range(len(names)))
    return tuple(map(str, names))
