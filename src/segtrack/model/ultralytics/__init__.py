"""Training of YOLO-seg models."""

from segtrack.model.ultralytics.train import Training, train

__all__ = ["Training", "train"]
