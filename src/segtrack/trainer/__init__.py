"""Training of YOLO-seg models."""

from segtrack.trainer.train import Training, train

__all__ = ["Training", "train"]
