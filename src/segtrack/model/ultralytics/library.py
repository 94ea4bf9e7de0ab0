"""The one place that imports ultralytics, after making it a quiet guest.

Importing this module imports torch and ultralytics (about 3 s), so others import it inside
functions. Before that it sees to it that the library keeps its settings in a folder of ours
(``$SEGTRACK_HOME/ultralytics``, else a private folder for temporary files) instead of the user's,
installs nothing, sends no usage events, does not look for updates, logs warnings only, and runs no
code that a checkpoint asks for.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from segtrack.base.atomic import settle
from segtrack.base.errors import DataError
from segtrack.base.progress import doing
from segtrack.model.ultralytics.home import USER_THREADS, cores, folder

# What the user said, before this module says more.
_USER_OFFLINE = os.environ.get("YOLO_OFFLINE", "")


def _be_a_quiet_guest() -> None:
    kept = folder()
    with contextlib.suppress(OSError):  # then the library falls back to a folder of its own
        kept.mkdir(parents=True, exist_ok=True)
    os.environ["YOLO_CONFIG_DIR"] = str(kept)
    os.environ["YOLO_AUTOINSTALL"] = "false"
    os.environ["YOLO_VERBOSE"] = "false"
    if "LOCAL_RANK" not in os.environ:  # else trusting() may have told it this process of several
        os.environ.pop("ULTRALYTICS_SAFE_LOAD", None)
    os.environ.setdefault("ULTRALYTICS_SAFE_LOAD", "true")
    os.environ["YOLO_OFFLINE"] = "true"  # no events, no update checks; online() lifts it


_be_a_quiet_guest()

import torch  # noqa: E402
from PIL import Image  # noqa: E402
from ultralytics.cfg import get_cfg  # noqa: E402
from ultralytics.data import base as data_base  # noqa: E402
from ultralytics.data.dataset import YOLODataset  # noqa: E402
from ultralytics.engine import trainer as engine  # noqa: E402
from ultralytics.models.sam import build as sam_build  # noqa: E402
from ultralytics.models.yolo.segment import SegmentationTrainer  # noqa: E402
from ultralytics.nn import tasks  # noqa: E402
from ultralytics.nn.tasks import load_checkpoint, yaml_model_load  # noqa: E402
from ultralytics.utils import LOGGER, SETTINGS, TQDM, patches  # noqa: E402
from ultralytics.utils.callbacks import get_default_callbacks  # noqa: E402
from ultralytics.utils.downloads import attempt_download_asset  # noqa: E402
from ultralytics.utils.patches import torch_save  # noqa: E402

from segtrack.model.ultralytics.unpickle import Refused, read_checkpoint  # noqa: E402

__all__ = [
    "SegmentationTrainer",
    "YOLODataset",
    "architecture",
    "bfloat16_cpu",
    "download",
    "forbidden_network",
    "get_cfg",
    "get_default_callbacks",
    "half_works",
    "load_checkpoint",
    "online",
    "read_content",
    "set_threads",
    "torch_save",
    "trusting",
]

if not USER_THREADS:  # processes started from here shall not inherit the library's one thread
    os.environ.pop("OMP_NUM_THREADS", None)

# Its integrations would take over the caller's MLflow run, open others, or report to its maker.
# dict.update, since the library's own update() would write the settings file.
_OFF = ("sync", "clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb")
dict.update(SETTINGS, dict.fromkeys((*_OFF, "vscode_msg", "openvino_msg"), False))

# Said at every training, and nothing that a reader could act upon: the cache is filled in order.
_NOISE = ("cache='ram' may produce non-deterministic",)


# Its stand-in asks to install a reader of HEIC at each file that is no picture; ours is asked for
# where a file is HEIC (``dataset.pixels``).
Image.open = getattr(patches, "_image_open", Image.open)


def _worth_saying(record: logging.LogRecord) -> bool:
    return not any(noise in str(record.msg) for noise in _NOISE)


def _no_bar(*items: Any, **options: Any) -> Any:
    """The library's progress bar, which it shows at this one place even when told to be quiet."""
    return TQDM(*items, **(options | {"disable": True}))


# Cards whose half precision gives no usable losses (the library's own list).
_BAD_HALF = re.compile(r"1660|1650|1630|\b(t400|t550|t600|t1000|t1200|t2000|k40m)", re.IGNORECASE)
_unpickle = tasks.torch_safe_load


def _content(weight: str | Path, safe_only: bool | None = None) -> tuple[Any, str]:
    """The library's one way to a checkpoint's content: prediction, training, resuming, ReID."""
    if not tasks.SAFE_LOAD:
        content, file = _unpickle(weight, safe_only=False)
        return content, file
    file = attempt_download_asset(weight)
    content = read_checkpoint(Path(file))
    if not isinstance(content, dict):
        raise Refused(f"it holds a {type(content).__name__} and nothing about it")
    return content, file


def half_works(device: torch.device | str) -> bool:
    """Whether it is a card that computes well in float16."""
    device = torch.device(device)
    return device.type == "cuda" and not _BAD_HALF.search(torch.cuda.get_device_name(device))


def _computes_in_half(model: torch.nn.Module) -> bool:
    """Whether mixed precision works where the network is: as the library has it, without its
    comparison of two predictions, for which it downloads a network at each training."""
    return half_works(next(model.parameters()).device)


engine.check_amp = _computes_in_half
tasks.SAFE_LOAD = os.environ["ULTRALYTICS_SAFE_LOAD"] != "false"  # it may be imported already
tasks.torch_safe_load = _content
sam_build.torch_load = partial(torch.load, weights_only=True)  # parameters alone
data_base.TQDM = _no_bar
LOGGER.handlers.clear()  # it wrote to stdout; from here on Python's logging decides
LOGGER.propagate = True
LOGGER.setLevel(logging.WARNING)
LOGGER.addFilter(_worth_saying)


@contextlib.contextmanager
def trusting(trust: bool) -> Iterator[None]:
    """Read checkpoints as data meanwhile, or, trusting them, as pickles that may run anything.

    It holds for the processes of a training on several GPUs too: the library's own variable says it
    to them, by which it also decides whether a network's description may hold expressions.
    """
    before = tasks.SAFE_LOAD
    _trust(trust)
    try:
        yield
    finally:
        _trust(not before)


def _trust(trust: bool) -> None:
    tasks.SAFE_LOAD = not trust
    os.environ["ULTRALYTICS_SAFE_LOAD"] = str(not trust).lower()


def read_content(path: Path) -> dict[str, Any]:
    """All that the library saved in a checkpoint, on the CPU.

    Raises:
        Exception: of any kind, where it is no checkpoint that can be read as data.
    """
    content: dict[str, Any] = tasks.torch_safe_load(path)[0]
    return content


def bfloat16_cpu() -> bool:
    """Whether this CPU multiplies in bfloat16 itself; where that is emulated it is slower."""
    known = torch.cpu.get_capabilities()
    return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def set_threads(count: int | None = None) -> None:
    """Calculate with ``count`` CPU threads, by default all.

    The library sets one fewer than there are cores whenever it selects a device, which halves the
    speed of a machine with two; so this is called again after it did.
    """
    torch.set_num_threads(count or cores())


def architecture(name: str) -> dict[str, Any]:
    """The network's description by its name, such as ``yolov8n-seg``.

    Raises:
        DataError: the library knows no such network.
    """
    try:
        config: dict[str, Any] = yaml_model_load(f"{name}.yaml")
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(
            f"model.name={name}: ultralytics knows no such network ({error}); "
            "use a name such as yolov8n-seg, yolov8s-seg or yolo11n-seg"
        ) from error
    return config


def forbidden_network() -> bool:
    """Whether the user forbade the library to use the network (``YOLO_OFFLINE``)."""
    return _USER_OFFLINE.lower() in ("1", "true", "yes", "on")


@contextlib.contextmanager
def online() -> Iterator[None]:
    """Let the library use the network, unless the user forbade it."""
    os.environ["YOLO_OFFLINE"] = _USER_OFFLINE or "false"
    try:
        yield
    finally:
        os.environ["YOLO_OFFLINE"] = "true"


def download(file_name: str, target: Path) -> None:
    """Fetch the published checkpoint ``file_name`` to ``target``, whole or not at all.

    Raises:
        OSError: the network or the server failed, or there is no such file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with online(), tempfile.TemporaryDirectory(dir=target.parent) as partial:
        file = Path(partial) / file_name
        with doing(f"download {file_name}"):
            attempt_download_asset(str(file), retry=0, progress=False)
        if not file.is_file():
            raise OSError(f"{file_name} is not among the published weights")
        settle(file, target)
