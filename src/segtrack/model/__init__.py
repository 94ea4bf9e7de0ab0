"""Weights and predictions."""

from segtrack.model.predictions import Predictions
from segtrack.model.weights import Weights, resolve_weights

__all__ = ["Predictions", "Weights", "resolve_weights"]
