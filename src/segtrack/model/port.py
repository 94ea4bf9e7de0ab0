"""The port of the models: what a family of networks offers, whoever makes it.

A family registers itself where it is defined (``families.register_family``), light to import; what
does the work is imported where the work is done.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from segtrack.base.metrics import Report
from segtrack.model.devices import device_class, first_device
from segtrack.model.families import family_of
from segtrack.model.memory import default_batch
from segtrack.settings import ModelSettings, TrainerSettings, plain, shaping

if TYPE_CHECKING:
    import numpy as np

    from segtrack.model.predictions import FrameDetections, ImageToPredict


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
        model: name of the network that they are of, as the file says; empty where it does not.
    """

    path: Path
    sha256: str
    origin: str
    names: tuple[str, ...]
    imgsz: int
    note: str = ""
    model: str = ""

    @property
    def trained(self) -> bool:
        """Whether there is something to predict with."""
        return self.origin != "scratch"


@dataclass(frozen=True)
class Request:
    """What is wanted of a detector.

    Attributes:
        names: output classes by class id.
        class_map: class of the weights -> output class; those not in it keep their name.
        conf_floor: lowest score to keep. max_det: most detections per image.
        one_class: an object has one class: of boxes of several classes on one object the best alone
            is wanted, where the settings of the model do not say otherwise. Tracking asks for it;
            average precision is defined class by class and does not.
    """

    names: tuple[str, ...]
    class_map: Mapping[str, str] = field(default_factory=dict)
    conf_floor: float = 0.05
    max_det: int = 300
    one_class: bool = False


class RawDetections(Protocol):
    """The detections of one image, their masks perhaps not decoded yet."""

    def decode(self, frame: int) -> FrameDetections:
        """With masks, at the image's own resolution, under the number ``frame``, and with the count
        of what was dropped for its class; called in another thread."""
        ...


class Detector(Protocol):
    """Predicts batches of images with one network, for one request.

    Attributes:
        imgsz: px, longer side of the network's input.
    """

    imgsz: int

    @property
    def batch(self) -> int:
        """Images that it likes to have at once; fewer once memory ran out."""
        ...

    def prepare(self, image: np.ndarray) -> Any:
        """A BGR uint8 image (H, W, 3) as ``predict`` takes it; called in another thread."""
        ...

    def predict(self, images: Sequence[Any]) -> Sequence[RawDetections]:
        """The detections of prepared images, of whatever sizes."""
        ...


class FeatureExtractor(Protocol):
    """What a network sees of whole images, in one pass for a batch of them."""

    @property
    def batch(self) -> int:
        """Images that it likes to have at once."""
        ...

    def prepare(self, image: np.ndarray) -> Any:
        """A BGR uint8 image (H, W, 3) as ``features`` takes it; called in another thread."""
        ...

    def features(self, images: Sequence[Any]) -> np.ndarray:
        """Of prepared images, of whatever sizes, float32 (B, D): the layers that detection works
        on, each averaged over the image."""
        ...


class TrainingData(Protocol):
    """What a training is given of a data set; ``segtrack.dataset.Dataset`` has much more.

    A family reads the YOLO tree, or images and COCO annotations (``category_id`` is the class id).
    """

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def yolo_yaml(self) -> Path: ...

    def iter_images(self, split: str) -> Iterable[ImageToPredict]: ...

    def iter_annotations(self, split: str) -> Iterable[Mapping[str, Any]]: ...


class ModelFamily(ABC):
    """Networks of one make: where their weights come from, how they predict and are trained.

    Attributes:
        name: of the family.
        models: names of its networks, each an option of the config group ``model``.
        settings: what such an option makes; the family is known by this class.
        version: raise it when other results come out for the same settings and weights.
        libraries: installed distributions whose version shapes results.
        shipped: weights that come with it, by the name of their network.
        suffix: of a checkpoint's file.
        trains_with: knobs of ``trainer`` that it reads; no other one shapes a training of it.
        exports: formats that ``export`` writes, each with the installed distributions that shape
            such a file and compute it.
        exports_else: where a format is not among them, what to use instead; empty: another one.
        quantizes: those of ``exports`` that ``export_int8`` writes, each with the further
            distributions that it takes.
        reads: endings of the exported networks that ``read`` and ``detector`` take as well.
        original: knobs under which a checkpoint is computed as it was trained, without conversion.
        written: knobs under which an exported network is computed as it stands in its file.
        embeds: whether it offers ``extractor``.
    """

    name: ClassVar[str]
    models: ClassVar[tuple[str, ...]]
    settings: ClassVar[type[ModelSettings]]
    version: ClassVar[int] = 1
    libraries: ClassVar[tuple[str, ...]] = ()
    shipped: ClassVar[Mapping[str, Path]] = {}
    suffix: ClassVar[str] = ".pt"
    trains_with: ClassVar[frozenset[str]] = frozenset(f.name for f in fields(TrainerSettings))
    reads: ClassVar[tuple[str, ...]] = ()
    exports: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    exports_else: ClassVar[str] = ""
    quantizes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    original: ClassVar[Mapping[str, Any]] = {}
    written: ClassVar[Mapping[str, Any]] = {}
    embeds: ClassVar[bool] = False

    @abstractmethod
    def read(self, settings: ModelSettings, path: Path, origin: str, note: str = "") -> Weights:
        """Read what the checkpoint at ``path``, which is there, says about itself.

        Neither this nor anything later runs code that the file holds, unless ``settings.trust``.

        Raises:
            DataError: it cannot be read, or is none of this family.
        """

    def require(  # noqa: B027 (most families have nothing to look for)
        self, settings: ModelSettings, device: Any, path: Path | None
    ) -> None:
        """Look, before there is any work, whether predictions can be computed as the settings say.

        Args:
            path: of the weights, where they were named; None: they are yet to come.

        Raises:
            SettingsError: they cannot.
        """

    @abstractmethod
    def scratch(self, settings: ModelSettings, note: str = "") -> Weights:
        """The network before any training.

        Raises:
            DataError: there is no network of that name.
        """

    def download(self, settings: ModelSettings) -> tuple[Path | None, str]:
        """Published weights, fetched; where there are none, None and the reason."""
        return None, f"{self.name} has no weights to download"

    def export(self, network: Network, form: str, folder: Path) -> Path:
        """Write a network of this family, with trained weights, into ``folder``, which is there.

        Args:
            form: one of ``exports``.

        Returns:
            The file, named after the network, which says its classes and the size of its input.

        Raises:
            SettingsError: something is not installed.
        """
        raise NotImplementedError

    def export_int8(
        self, network: Network, form: str, folder: Path, images: Iterable[np.ndarray]
    ) -> Path:
        """As ``export``, in whole numbers of 8 bits.

        Args:
            form: one of ``quantizes``.
            images: to calibrate with, BGR uint8 (H, W, 3), like those to come.
        """
        raise NotImplementedError

    @abstractmethod
    def detector(self, network: Network, request: Request) -> Detector:
        """Load the network; its weights are trained ones.

        Raises:
            DataError: none of its classes is wanted.
        """

    def extractor(self, network: Network) -> FeatureExtractor:
        """Load the network, of a checkpoint, to look at whole images with."""
        raise NotImplementedError

    @abstractmethod
    def train(
        self,
        data: TrainingData,
        network: Network,
        trainer: TrainerSettings,
        seed: int,
        folder: Path,
        report: Report,
    ) -> None:
        """Train from ``network.weights`` on, and leave in ``folder`` what ``Training`` opens.

        Where ``folder`` holds the remains of a killed attempt, the training goes on from there.
        What is in ``run`` and ``tree`` below it is removed afterwards.

        Args:
            data: its ``train`` split is learnt from, ``val`` chooses the epoch.
            trainer: of which it reads what it understands.
            report: gets losses and validation scores with step = epoch, from 1.

        Raises:
            SettingsError: settings are not possible.
            StageError: the training diverged or failed.
        """

    @abstractmethod
    def compute(
        self, network: Network, trainer: TrainerSettings | None = None
    ) -> Mapping[str, str]:
        """What a result is computed with: ``device`` (cpu, cuda, mps) and ``precision``.

        Args:
            trainer: of a training; None for a prediction.

        Raises:
            SettingsError: the device is not there.
        """


@dataclass(frozen=True)
class Network:
    """A network that was chosen: its settings, its weights, and the device that it works on."""

    settings: ModelSettings
    weights: Weights
    device: Any = "auto"

    @property
    def family(self) -> ModelFamily:
        """Who makes it."""
        return family_of(self.settings)

    @property
    def batch_size(self) -> int:
        """How many images are predicted at once, to begin with.

        Raises:
            SettingsError: the device is not there.
        """
        return self.settings.batch or default_batch(first_device(self.device))

    def request(
        self, names: tuple[str, ...], class_map: Mapping[str, str], one_class: bool = False
    ) -> Request:
        """What the settings themselves ask for."""
        floor, limit = self.settings.conf_floor, self.settings.max_det
        return Request(names, class_map, floor, limit, one_class)

    def prediction(self, request: Request) -> dict[str, Any]:
        """All that shapes a prediction beside images and weights: for the key of its result.

        Raises:
            SettingsError: the device is not there.
        """
        return self._facts() | {
            **shaping(self.settings),
            **plain(vars(request)),
            "imgsz": self.settings.imgsz or self.weights.imgsz,
            "compute": dict(self.family.compute(self)),
        }

    def looking(self) -> dict[str, Any]:
        """All that shapes features beside images and weights: for the key of their result.

        Raises:
            SettingsError: the device is not there.
        """
        return self._facts() | {
            "imgsz": self.settings.imgsz or self.weights.imgsz,
            "compute": device_class(self.device),
        }

    def training(self, trainer: TrainerSettings) -> dict[str, Any]:
        """All that shapes a training beside data, seed and starting weights: for the key.

        Raises:
            SettingsError: the device is not there.
        """
        read = self.family.trains_with - {"imgsz"}
        return self._facts() | {
            "trainer": {k: v for k, v in shaping(trainer).items() if k in read},
            "imgsz": trainer.imgsz or self.weights.imgsz,
            "compute": dict(self.family.compute(self, trainer)),
        }

    def _facts(self) -> dict[str, Any]:
        family = self.family
        return {"model": self.settings.name, "family": [family.name, family.version]}


RunWeights = Callable[[str], Path]  # the weights file of an MLflow run, by the run's id
