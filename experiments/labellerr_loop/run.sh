#!/usr/bin/env bash
# The whole study. SEGTRACK_DATA names the folder that holds images/coco128-seg, images/coco100-val and
# weights/yolov8n-seg.pt. What is given behind it are settings of every training and evaluation.
set -euo pipefail
cd "$(dirname "$0")/../.."
study=experiments/labellerr_loop
out=outputs/labellerr_loop
coco=$SEGTRACK_DATA/weights/yolov8n-seg.pt
C=person,bicycle,car,motorcycle,bus,truck
E=http://127.0.0.1:8110
D="dataset=labellerr dataset.project_id=streets dataset.path=$out/streets labellerr.url=$E labellerr.name=streets"
S="dataset.splits={train: 0.85, val: 0.15, test: 0, pool: 0}"
T="trainer.epochs=6 trainer.imgsz=640 trainer.lr0=0.0001 trainer.freeze=10"

rm -rf $out
python scripts/make_loop_folder.py --raw "$SEGTRACK_DATA/images/coco128-seg" --labelled "$SEGTRACK_DATA/images/coco100-val" \
  --pool 60 --out $out/streets
python -m labellerr_loopback --port 8110 --data $out/platform &
trap "kill $! 2>/dev/null || true" EXIT
until (exec 3<>/dev/tcp/127.0.0.1/8110) 2>/dev/null; do sleep 0.2; done

python src/run.py stages=[push] dataset=images dataset.path=$out/streets/raw "dataset.classes=[$C]" labellerr.url=$E \
  labellerr.name=streets | tee $out/push.txt
P=$(sed -nE 's/^push +project streets: ([^,]+),.*/\1/p' $out/push.txt)
python scripts/annotate.py --url $E --project $P --labels "$SEGTRACK_DATA/images/coco128-seg" --classes $C --shift 0.5
# A: before. B: fine-tuned on what was annotated, its predictions on the pool reviewed. C: the same with the reviewed pool.
python src/run.py stages=[prepare,evaluate] $D "$S" "model.weights=$coco" mlflow.run_name=labellerr_loop_A "$@"
python src/run.py stages=[prepare,train,evaluate,review,pull] $D "$S" "model.weights=$coco" $T mlflow.run_name=labellerr_loop_B "$@"
python src/run.py stages=[prepare,train,evaluate] dataset=reviewed "model.weights=$coco" $T mlflow.run_name=labellerr_loop_C "$@"
python src/run.py compare labellerr_loop_A labellerr_loop_B --kind image
python src/run.py compare labellerr_loop_B labellerr_loop_C --kind image

python scripts/collect_study.py labellerr_loop_B $study --name review
python src/run.py report $study
