#!/usr/bin/env bash
# The whole study. SEGTRACK_DATA names the folder that holds images/cityscapes640 and weights/yolov8n-seg.pt. What was
# stopped goes on with the same command, and what is finished is in the store.
set -euo pipefail
cd "$(dirname "$0")/../.."
study=experiments/what_to_annotate

python scripts/bench_select.py simulator cityscapes --seeds 3 --out $study
python src/run.py report $study
