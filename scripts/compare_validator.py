"""Why ultralytics' validator prints another mask AP than pycocotools does.

    python scripts/compare_validator.py DATA_FOLDER --weights FILE.pt [--imgsz 640] [--json]

DATA_FOLDER is a YOLO data set, of which all images are judged. From segtrack's figure to the
validator's, one thing is changed at a time, in this order, with mask mAP50-95 after each:

    segtrack        its detections, masks at each image's own resolution, pycocotools
    input           the validator's input: images of a batch have one shape, with a wider border
    labels          a box may be several detections, one for each class that scores enough
    quarter         masks and labels on a grid of a quarter of the network's input
    merged          labels that overlap are one map: a pixel belongs to the smallest object there
    interpolation   its own AP: precision between its points is interpolated linearly, and all
                    detections of an image count, not the best 100 of each class

The last is its own figure. Shares depend on the order, as causes do that act together.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from pycocotools import mask as coco_mask

from segtrack.base.errors import SegtrackError
from segtrack.dataset import Dataset, YoloSettings, prepare
from segtrack.evaluation.batches import ImageBatch, image_batches
from segtrack.evaluation.matching import Matcher
from segtrack.evaluation.scores import coco_scores
from segtrack.model import (
    FrameDetections,
    Network,
    Predictions,
    Request,
    model_settings,
    predict_images,
    resolve_weights,
)
from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.prototypes import axis
from segtrack.report import table_text
from segtrack.settings import EvaluationSettings, SplitFractions

LIMITS = EvaluationSettings()


def main(arguments: Sequence[str] | None = None) -> int:
    text = __doc__ or ""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="DATA_FOLDER")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--imgsz", type=int, default=640, help="px of the network's input")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    chosen = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            figures = compared(chosen.folder, chosen.weights, chosen.imgsz, Path(scratch))
    except SegtrackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if chosen.json:
        print(json.dumps(figures))
        return 0
    values = list(figures.values())
    steps = [0.0, *np.diff(values)]
    print(
        table_text(
            [
                {"": name, "mask mAP50-95": f"{value:.4f}", "change": f"{step:+.4f}"}
                for (name, value), step in zip(figures.items(), steps, strict=True)
            ]
        )
    )
    return 0


def compared(folder: Path, weights: Path, imgsz: int, scratch: Path) -> dict[str, float]:
    """Mask mAP50-95 by step."""
    dataset = _prepared(folder, scratch)
    found = {"segtrack": _ap(dataset, _predicted(dataset, weights, imgsz, scratch).frames())}
    seen, figure = _validated(dataset, weights, imgsz, scratch)
    ids = {Path(row.file_name).stem: row.image_id for row in dataset.iter_images("val")}
    seen.sort(key=lambda one: ids[one["name"]])
    for name, key in (("input", "single"), ("labels", "several")):
        found[name] = _ap(dataset, (_at_full_size(one, one[key], ids[one["name"]]) for one in seen))
    for name, merged in (("quarter", False), ("merged", True)):
        matcher = Matcher(len(dataset.names))
        for one in seen:
            matcher.add(_on_grid(one, ids[one["name"]], merged))
        found[name] = _masks(matcher)
    return found | {"interpolation": figure}


def _prepared(folder: Path, scratch: Path) -> Dataset:
    out = scratch / "data"
    out.mkdir()
    splits = SplitFractions(train=0, val=1, test=0, pool=0)
    settings = YoloSettings(path=str(folder), splits=splits)
    prepare(settings, 0, out, lambda *_: None, scratch / "cache")
    return Dataset.load(out)


def _predicted(dataset: Dataset, weights: Path, imgsz: int, scratch: Path) -> Predictions:
    out = scratch / "predictions"
    out.mkdir()
    model = model_settings("yolov8n-seg", weights=str(weights), imgsz=imgsz)
    predict_images(
        dataset.iter_images("val"),
        Network(model, resolve_weights(model, Path), "cpu"),
        Request(dataset.names, dataset.class_map, LIMITS.conf_floor, LIMITS.max_det),
        out,
        lambda *_: None,
    )
    return Predictions.load(out)


def _ap(dataset: Dataset, frames: Iterator[FrameDetections]) -> float:
    matcher = Matcher(len(dataset.names))
    images = dataset.coco_images("val")
    limits = LIMITS.conf_floor, LIMITS.max_det
    for batch in image_batches(images, dataset.iter_annotations("val"), frames, *limits, size=20):
        matcher.add(batch)
    return _masks(matcher)


def _masks(matcher: Matcher) -> float:
    value = coco_scores(matcher.matches("mask"), "mask").overall["mask_map50_95"]
    assert value is not None
    return value


def _validated(
    dataset: Dataset, weights: Path, imgsz: int, scratch: Path
) -> tuple[list[dict[str, Any]], float]:
    """What the validator saw of each image, and its figure."""
    from ultralytics import YOLO
    from ultralytics.data.utils import polygon2mask
    from ultralytics.models.yolo.segment import SegmentationValidator
    from ultralytics.utils import nms

    seen: list[dict[str, Any]] = []

    class Watched(SegmentationValidator):  # type: ignore[misc]
        def postprocess(self, preds: Any) -> Any:
            raw, proto = preds[0] if isinstance(preds[0], tuple) else preds
            self.kept = []
            for several in (False, True):
                rows = nms.non_max_suppression(
                    raw.clone(), self.args.conf, self.args.iou, nc=self.nc, multi_label=several,
                    max_det=self.args.max_det,
                )  # fmt: skip
                self.kept.append([row.clone() for row in rows])
            self.proto = proto
            return super().postprocess(preds)

        def update_metrics(self, preds: Any, batch: Any) -> None:
            for i, pred in enumerate(preds):
                truth = self._prepare_batch(i, batch)
                label = self.dataloader.dataset.labels[self.seen + i]
                assert label["im_file"] == truth["im_file"]
                height, width = truth["imgsz"]
                (gain, _), (left, top) = truth["ratio_pad"]
                h, w = truth["ori_shape"]
                size = np.array([round(w * gain), round(h * gain)])
                alone = [
                    polygon2mask(
                        (height, width), [(s * size + (left, top)).reshape(-1)], downsample_ratio=4
                    )
                    for s in label["segments"]
                ]
                seen.append(
                    {
                        "name": Path(truth["im_file"]).stem,
                        "shape": truth["ori_shape"],
                        "place": (gain, left, top),
                        "single": self.kept[0][i],
                        "several": self.kept[1][i],
                        "proto": self.proto[i],
                        "masks": pred["masks"],
                        "merged": (truth["cls"], truth["masks"]),
                        "alone": (label["cls"][:, 0], np.array(alone)),
                    }
                )
            super().update_metrics(preds, batch)

    data = scratch / "tree" / "data.yaml"
    data.parent.mkdir()
    for kind, suffix in (("images", ".jpg"), ("labels", ".txt")):
        (data.parent / kind).mkdir()
        for row in dataset.iter_images("val"):
            stem = Path(row.file_name).stem
            file = row.path if kind == "images" else row.path.parents[1] / "labels" / f"{stem}.txt"
            (data.parent / kind / f"{stem}{suffix}").symlink_to(file.resolve())
    names = dict(enumerate(dataset.names))
    content = {"path": str(data.parent), "train": "images", "val": "images", "names": names}
    data.write_text(yaml.safe_dump(content))
    model = YOLO(str(weights))
    model.add_callback("on_val_start", lambda validator: library.set_threads())
    result = model.val(
        validator=Watched, data=str(data), imgsz=imgsz, workers=0, plots=False, verbose=False,
        device="cpu", conf=LIMITS.conf_floor, max_det=LIMITS.max_det, project=str(scratch / "val"),
    )  # fmt: skip
    return seen, float(result.seg.map)


def _at_full_size(one: dict[str, Any], rows: torch.Tensor, image_id: int) -> FrameDetections:
    """Detections with masks at the image's own resolution, as segtrack makes them."""
    (gain, x, y), (h, w) = one["place"], one["shape"]
    boxes = rows[:, :4].clone()
    boxes[:, [0, 2]] = ((boxes[:, [0, 2]] - x) / gain).clamp(0, w)
    boxes[:, [1, 3]] = ((boxes[:, [1, 3]] - y) / gain).clamp(0, h)
    _, height, width = one["proto"].shape
    logits = (rows[:, 6:].float() @ one["proto"].float().flatten(1)).reshape(-1, height, width)
    y_axis, x_axis = axis(height, h, 4, gain), axis(width, w, 4, gain)
    rle: list[bytes | None] = []
    for logit, (x1, y1, x2, y2) in zip(
        logits.numpy(), np.ceil(boxes.numpy()).astype(int).tolist(), strict=True
    ):
        if x1 >= x2 or y1 >= y2:
            rle.append(None)
            continue
        left, right = x_axis.span(x1, x2)
        tall = y_axis.enlarge(logit[:, left:right], y1, y2, 0)
        mask = np.zeros((h, w), np.uint8, order="F")
        mask[y1:y2, x1:x2] = x_axis.enlarge(tall.T, x1, x2, left).T > 0
        rle.append(coco_mask.encode(mask)["counts"] if mask.any() else None)
    frame = _frame(image_id, rows, boxes.numpy(), rle)
    return frame.take(np.array([counts is not None for counts in rle], bool))


def _on_grid(one: dict[str, Any], image_id: int, merged: bool) -> ImageBatch:
    """Detections and labels of an image on the validator's grid."""
    classes, masks = (np.asarray(part) for part in one["merged" if merged else "alone"])
    found = np.asfortranarray(one["masks"].numpy().transpose(1, 2, 0).astype(np.uint8))
    image = {"id": image_id, "height": found.shape[0], "width": found.shape[1]}
    truth = []
    for k, mask in zip(classes, masks, strict=True):
        rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
        area = float(coco_mask.area(rle))
        truth.append(
            {
                "image_id": image_id,
                "category_id": int(k),
                "segmentation": rle,
                "area": area,
                "bbox": coco_mask.toBbox(rle).tolist(),
                "iscrowd": 0,
            }
        )
    rows = one["several"]
    rle = [r["counts"] for r in coco_mask.encode(found)]
    return ImageBatch([image], truth, [_frame(image_id, rows, rows[:, :4].numpy(), rle)])


def _frame(
    image_id: int, rows: torch.Tensor, boxes: np.ndarray, rle: list[bytes | None]
) -> FrameDetections:
    score, k = rows[:, 4].numpy(), rows[:, 5].numpy().astype(np.int16)
    return FrameDetections(image_id, k, score, boxes.astype(np.float32), rle)


if __name__ == "__main__":
    sys.exit(main())
