"""Weights, predictions, and masks by Segment Anything."""

from segtrack.model.predict import predict_images, predict_video
from segtrack.model.predictions import Predictions
from segtrack.model.sam.propose import propose_masks
from segtrack.model.sam.weights import SamWeights, resolve_sam
from segtrack.model.ultralytics.weights import Weights, resolve_weights

__all__ = [
    "Predictions",
    "SamWeights",
    "Weights",
    "predict_images",
    "predict_video",
    "propose_masks",
    "resolve_sam",
    "resolve_weights",
]
