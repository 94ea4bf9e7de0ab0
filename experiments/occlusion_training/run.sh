#!/usr/bin/env bash
# The whole study: 40 trainings. SEGTRACK_DATA names the folder that holds weights/yolov8n-seg.pt and
# images/cityscapes640. What was stopped goes on with the same command.
set -euo pipefail
cd "$(dirname "$0")/../.."
study=experiments/occlusion_training

python $study/study.py  # trains what is missing, evaluates, compares; `study.py report` takes what is there
python src/run.py report $study
