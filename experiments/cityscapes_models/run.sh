#!/usr/bin/env bash
# The whole study. SEGTRACK_DATA holds images/cityscapes640 and weights/yolov8n-seg.pt. What was stopped goes on with
# the same command, and what is finished is in the store.
set -euo pipefail
cd "$(dirname "$0")/../.."
study=experiments/cityscapes_models
out=${1:-outputs/cityscapes_models}  # what the runs print, which names them
coco=$SEGTRACK_DATA/weights/yolov8n-seg.pt
merged='dataset.classes={person: [person, rider], car: [car], truck: [truck], bus: [bus], motorcycle: [motorcycle], bicycle: [bicycle]}'
settings=(experiment=cityscapes_models trainer.threads=1)
mkdir -p "$out"
runs=()

run() {  # NAME SETTINGS
  local name=$1
  shift
  python src/run.py "${settings[@]}" "$@" | tee "$out/$name.txt"
}
id() { sed -nE 's/^run .* \(([0-9a-f]{32})\)$/\1/p' "$out/$1.txt"; }  # of a run in MLflow
evaluate() { run "$@" 'stages=[prepare,evaluate]'; }

# Two trainings of one thread each share two cores better than one of two threads has them.
run apart_tuned & apart=$!
run merged_tuned "$merged" & both=$!
wait $apart
wait $both
evaluate apart_coco "model.weights=$coco"
evaluate merged_coco "model.weights=$coco" "$merged"
evaluate merged_apart "model.weights=run:$(id apart_tuned)" "$merged"  # its riders count as persons

for name in apart_coco apart_tuned merged_coco merged_tuned merged_apart; do
  runs+=("$name=$(id $name)")
done
python $study/report.py "${runs[@]}"

python src/run.py report $study
