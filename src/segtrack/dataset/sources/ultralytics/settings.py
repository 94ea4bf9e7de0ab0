"""What the source ultralytics can be told."""

from __future__ import annotations

from dataclasses import dataclass

from segtrack.settings import DatasetSettings, knob


@dataclass
class UltralyticsSettings(DatasetSettings):
    """A data set that ultralytics downloads by name; needs internet on first use."""

    source: str = "ultralytics"
    path: str | None = knob(None, "where to keep the download; null: in the store")
    name: str = knob("coco128-seg.yaml", "one of ultralytics/cfg/datasets/*.yaml with -seg labels")
