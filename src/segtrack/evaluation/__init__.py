"""How good are the masks? COCO's figures, curves, confusion, occlusion and the worst images.

Everything is computed by or from pycocotools, with boxes and masks at each image's own resolution.
ultralytics' validator prints higher figures for masks: it compares them at the resolution of the
network's prototypes (a quarter of the input), where the ragged edges of a predicted mask and of the
polygon blur alike, and thin objects lose their difference. On 100 images of COCO val2017 with
YOLOv8n-seg at 640 px it prints .370 mask mAP50-95 where pycocotools gives about .336 (boxes, .444
against about .434, differ in how precision is interpolated). We report pycocotools' figure: it is
the one that papers and leaderboards print, it judges the mask that users get, it does not change
with the network's input size, and so models of different input sizes can be compared by it.
"""

from segtrack.evaluation.stage import evaluate

__all__ = ["evaluate"]
