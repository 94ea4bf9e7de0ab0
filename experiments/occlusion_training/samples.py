"""Draw training images with pasted occluders and their labels, from a training's data.yaml.

python experiments/occlusion_training/samples.py DATA_YAML PICTURE
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import cv2
import numpy as np
import yaml

from segtrack.model.ultralytics import library
from segtrack.model.ultralytics.occluders import OccludingDataset, paste_occluders

SIZE, ZOOM, COLUMNS, COUNT, SHARE = 320, 1.5, 2, 8, 0.5
COLOURS = [(60, 160, 255), (90, 220, 90), (255, 140, 60), (200, 90, 230), (70, 220, 230)]  # BGR
NEW = (255, 255, 255)


def main(data_yaml: Path, picture: Path) -> None:
    description = yaml.safe_load(data_yaml.read_text(encoding="utf-8"))
    dataset = OccludingDataset(
        img_path=str(data_yaml.parent / description["train"]),
        imgsz=SIZE,
        cache=True,
        data={"names": description["names"]},
        task="segment",
        hyp=library.get_cfg(overrides={"task": "segment"}),
    )
    random.seed(0)
    tiles = []
    while len(tiles) < COUNT:
        before = dataset.any_scene()
        after = paste_occluders(before, SHARE, dataset.any_scene)
        if after is before or len(after.outlines) < 5:
            continue
        plain = cv2.resize(after.image, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
        drawn = plain.copy()
        kept = {outline.tobytes() for outline in before.outlines}
        for number, outline in enumerate(after.outlines):
            colour = COLOURS[number % len(COLOURS)] if outline.tobytes() in kept else NEW
            points = ((outline + 0.5) * ZOOM).round().astype(np.int32)
            cv2.polylines(drawn, [points], True, colour, 1, cv2.LINE_AA)
        tiles.append(np.hstack([plain, drawn]))
    rows = [np.hstack(tiles[i : i + COLUMNS]) for i in range(0, COUNT, COLUMNS)]
    cv2.imwrite(str(picture), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
