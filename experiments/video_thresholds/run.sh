#!/usr/bin/env bash
# The whole study. SEGTRACK_DATA names the folder that holds images/cityscapes640, mot/KITTI-17 and weights/yolov8n-seg.pt.
set -euo pipefail
cd "$(dirname "$0")/../.."
study=experiments/video_thresholds
out=outputs/video_thresholds
coco=$SEGTRACK_DATA/weights/yolov8n-seg.pt

python src/run.py stages=[prepare,evaluate] dataset=yolo "dataset.path=$SEGTRACK_DATA/images/cityscapes640" "model.weights=$coco" \
  'dataset.classes={person: [person, rider], car: [car], truck: [truck], bus: [bus], bicycle: [bicycle], motorcycle: [motorcycle]}' \
  mlflow.run_name=video_thresholds_cityscapes
curves=(--file evaluation/figures/mask_recall_confidence.csv recall.csv
  --file evaluation/figures/mask_precision_confidence.csv precision.csv
  --file evaluation/figures/mask_f1_confidence.png f1.png)
python scripts/collect_study.py video_thresholds_cityscapes $study "${curves[@]}" --name cityscapes

# The box file leaves out many of the people whom the masks have: without gt/ the masks judge.
rm -rf $out
mkdir -p $out/KITTI-17
cp -r "$SEGTRACK_DATA"/mot/KITTI-17/{img1,mots,seqinfo.ini} $out/KITTI-17
for size in 640 1248; do
  python src/run.py -m dataset=sequences dataset.path=$out/KITTI-17 dataset.detections=model stages=[track] \
    'dataset.classes=[person,car]' "model.weights=$coco" model.imgsz=$size \
    tracker.track_thresh=0.15,0.2,0.25,0.3,0.4,0.5,0.6 mlflow.run_name=video_thresholds_$size
  python scripts/collect_study.py video_thresholds_$size $study --file comparison.csv cells.csv --name kitti_$size
done

python src/run.py report $study
