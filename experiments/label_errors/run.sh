#!/usr/bin/env bash
# The whole study: half an hour on 2 CPU cores. SEGTRACK_DATA names the folder that holds images/coco128-seg,
# images/coco100-val, images/cityscapes640 and weights/yolov8n-seg.pt; cleanlab is in segtrack[peers].
set -euo pipefail
cd "$(dirname "$0")/../.."

python scripts/bench_suspect.py simulator coco100 --seeds 0 1 2
python scripts/bench_suspect.py coco128 cityscapes --seeds 0
python src/run.py report experiments/label_errors
