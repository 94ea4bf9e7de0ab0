"""A data source of another package: the whole of what it takes to add one.

    SEGTRACK_PLUGINS=tests.plugins.toy_source python src/run.py dataset=toy stages=[prepare]

Each image is one bright square on grey; every number of the image follows from its index.
"""

from __future__ import annotations

from dataclasses import dataclass

from segtrack.dataset import Content, Place, Source, register_source
from segtrack.settings import DatasetSettings, knob

NAMES = ("dark", "bright")
WIDTH, HEIGHT = 96, 64


@dataclass
class ToySettings(DatasetSettings):
    """Squares on grey, made of numbers: no folder is needed."""

    source: str = "toy"
    count: int = knob(12, "how many images there are", unit="images", low=1, high=1000)
    side: int = knob(16, "of the squares", unit="px", low=4, high=32)


def square(index: int, side: int) -> tuple[int, int, int]:
    """Class id, left and top of the square in an image."""
    return index % 2, 7 * index % (WIDTH - side), 5 * index % (HEIGHT - side)


def _read(settings: ToySettings, place: Place) -> Content:
    import cv2
    import numpy as np

    from segtrack.dataset import Annotation, ListedImage, labels_of, read_image_file

    side = settings.side
    files = [f"toy/{i:03}.png" for i in range(settings.count)]  # inside of the stage's folder
    place.catalogue.add(ListedImage(file, file, declared=None) for file in files)
    for i, file in enumerate(files):
        class_id, x, y = square(i, side)
        image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        image[y : y + side, x : x + side] = (30, 220)[class_id]
        path = place.folder / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        place.catalogue.set_facts(i, read_image_file(str(path), settings.decode))
        right, bottom = x + side, y + side
        outline = np.array([(x, y), (right, y), (right, bottom), (x, bottom)], np.float64)
        drawn = Annotation(class_id, [outline], side * side, (x, y, side, side))
        place.catalogue.set_labels(i, labels_of([drawn]).pack(), relative=False)
    return Content(NAMES, prefix="toy:")


register_source(Source("toy", ToySettings, _read, class_names=lambda settings: NAMES))
