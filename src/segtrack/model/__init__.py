"""Weights and predictions."""

from segtrack.model.predict import predict_images, predict_video
from segtrack.model.predictions import Predictions
from segtrack.model.weights import Weights, resolve_weights

__all__ = ["Predictions", "Weights", "predict_images", "predict_video", "resolve_weights"]
