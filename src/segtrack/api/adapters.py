"""Detections and tracks in the forms of other libraries, imported when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from segtrack.api.bytetrack import TrackedObjects

if TYPE_CHECKING:
    from collections.abc import Mapping


def from_supervision(detections: Any) -> dict[str, Any]:
    """``supervision.Detections`` as the arguments of ``ByteTrack.update``.

    Detections without a confidence count as sure, those without a class as of one.
    """
    count = len(detections)
    score = detections.confidence
    return {
        "boxes": np.asarray(detections.xyxy, np.float32).reshape(-1, 4),
        "scores": np.ones(count, np.float32) if score is None else np.asarray(score, np.float32),
        "classes": None if detections.class_id is None else np.asarray(detections.class_id),
        "masks": None if detections.mask is None else np.asarray(detections.mask, bool),
    }


def to_supervision(tracked: TrackedObjects) -> Any:
    """Tracked objects as ``supervision.Detections``, with ``tracker_id``."""
    import supervision

    return supervision.Detections(
        xyxy=tracked.boxes,
        confidence=tracked.scores,
        class_id=tracked.classes,
        tracker_id=tracked.track_id,
        mask=_decoded(tracked.masks),
    )


def from_ultralytics(result: Any) -> dict[str, Any]:
    """One of ultralytics' ``Results`` as the arguments of ``ByteTrack.update``.

    Its masks are those of the network's input unless it predicted with ``retina_masks=True``; they
    are drawn again here at the size of the image, from their outlines.
    """
    boxes = result.boxes
    if boxes is None or not len(boxes):
        return {"boxes": np.zeros((0, 4), np.float32), "scores": [], "classes": [], "masks": None}
    masks = None
    if result.masks is not None:
        masks = np.stack([_filled(one, result.orig_shape) for one in result.masks.xy])
    return {
        "boxes": _array(boxes.xyxy).astype(np.float32),
        "scores": _array(boxes.conf).astype(np.float32),
        "classes": _array(boxes.cls).astype(np.int64),
        "masks": masks,
    }


def to_ultralytics(tracked: TrackedObjects, image: np.ndarray, names: Mapping[int, str]) -> Any:
    """Tracked objects as ultralytics' ``Results``, with ``boxes.id``; its ``plot()`` draws them.

    Args:
        image: BGR uint8 (H, W, 3), of the frame.
        names: of the classes by number.
    """
    import torch
    from ultralytics.engine.results import Results

    columns = [tracked.boxes, tracked.track_id[:, None], tracked.scores[:, None]]
    boxes = np.concatenate([*columns, tracked.classes[:, None]], axis=1).astype(np.float32)
    masks = _decoded(tracked.masks)
    shown = None if masks is None else torch.from_numpy(masks.astype(np.float32))
    return Results(image, "", dict(names), torch.from_numpy(boxes), shown)


def _array(values: Any) -> np.ndarray:
    """A tensor of any device, or an array."""
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)


def _filled(outline: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    import cv2

    mask = np.zeros(size, np.uint8)
    if len(outline) > 2:
        cv2.fillPoly(mask, [np.round(outline).astype(np.int32)], 1)
    return mask.astype(bool)


def _decoded(masks: Any) -> np.ndarray | None:
    """Masks in any form of ``ByteTrack.update`` as bool (N, H, W); None where there are none."""
    from pycocotools import mask as coco_mask

    if masks is None or isinstance(masks, np.ndarray):
        return masks if masks is not None and len(masks) else None
    found = [coco_mask.decode(one) if isinstance(one, dict) else one for one in masks]
    size = next((np.shape(one) for one in found if one is not None), None)
    if size is None:
        return None
    empty = np.zeros(size, bool)
    return np.stack([empty if one is None else np.asarray(one, bool) for one in found])
