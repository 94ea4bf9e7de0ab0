"""A network that was chosen, and what of it shapes a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from segtrack.model.families import family_of
from segtrack.model.port import ModelFamily, Request, Weights
from segtrack.settings import ModelSettings, TrainerSettings, plain, shaping


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

    def request(self, names: tuple[str, ...], class_map: Mapping[str, str]) -> Request:
        """What the settings themselves ask for."""
        return Request(names, class_map, self.settings.conf_floor, self.settings.max_det)

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
