#!/usr/bin/env bash
# The whole study. SEGTRACK_DATA names the folder that holds mot/MOT17-val-half.
set -euo pipefail
cd "$(dirname "$0")/../.."
study=experiments/bytetrack_mot17

python src/run.py -m experiment=bytetrack_mot17 'dataset.tuning=[]' 'dataset.test=[]' tracker.track_thresh=0.4,0.5,0.6 \
  tracker.match_thresh=0.7,0.8,0.9 tracker.new_track_thresh=null mlflow.run_name=bytetrack_mot17_thresholds
python scripts/collect_study.py bytetrack_mot17_thresholds $study --name thresholds

python src/run.py -m experiment=bytetrack_mot17 tracker.track_thresh=0.4,0.5,0.6 tracker.match_thresh=0.7,0.8,0.9 \
  tracker.new_track_thresh=null mlflow.run_name=bytetrack_mot17_split
python scripts/collect_study.py bytetrack_mot17_split $study --name split

python src/run.py report $study
