"""How good are the masks? COCO's figures, curves, confusion, occlusion and the worst images.

All figures are pycocotools', to the last bit, with masks at each image's own resolution; IoUs are
computed by it, and its matching and summary over arrays, so that a million images fit.
ultralytics' validator prints higher figures for masks. On 100 images of COCO val2017 with
YOLOv8n-seg at 640 px it is a mask mAP50-95 of .370 where pycocotools gives .336 (boxes: .444 and
.434). Of the .035, as ``scripts/compare_validator.py`` changes one thing after the other, .022 come
from masks on a grid of a quarter of the network's input, where small errors of the outline vanish;
.011 from boxes that are several detections, one of each class that scores enough; .005 from an
input with a wider border; nothing from overlapping labels that are merged into one map; and -.003
from precision that is interpolated otherwise, over all detections of an image.

We report pycocotools' figure: it is the one that papers and leaderboards print, it judges the mask
that users get, and it does not depend on the network's input size, so that models of different
sizes can be compared by it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
