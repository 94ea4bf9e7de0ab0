#!/usr/bin/env bash
# The whole study. SEGTRACK_DATA holds mot/MOT17-val-half, mot/KITTI-17 and weights/yolov8n-seg.pt.
set -euo pipefail
cd "$(dirname "$0")/../.."
study=experiments/occlusion
out=${1:-outputs/occlusion}  # the cells' folders
rm -rf "$out"
run() { python src/run.py "$@"; }
others=botsort,ocsort,deepocsort,fasttrack,tracktrack
associations=box,mask,box+mask

# Cells of a sweep are numbered in the order of its values.
cells() {
  printf '%s\n' "$1=$2/0" "mask=$2/1" "box+mask=$2/2" \
    "BoT-SORT=$3/0" "OC-SORT=$3/1" "Deep OC-SORT=$3/2" "FastTracker=$3/3" "TrackTrack=$3/4"
}
kept() {  # NAME ARGUMENTS, then the cells as lines
  mapfile -t named
  python $study/kept.py "$@" "${named[@]}"
}

for level in 0.1 0.5 0.9; do
  here=$out/sim_$level
  run -m experiment=occlusion dataset.occlusion=$level "tracker.association=$associations" \
    "hydra.sweep.dir=$here/association"
  run -m experiment=occlusion dataset.occlusion=$level tracker=$others "hydra.sweep.dir=$here/trackers"
  cells box "$here/association" "$here/trackers" | kept "sim_$level"
done

# MOT17: detections and ground truth are text, so there are no masks and no frames to look at.
mot17=(dataset=mot17_half 'dataset.tuning=[]' 'dataset.test=[]' 'stages=[track]'
  tracker.track_thresh=0.6 tracker.low_thresh=0.1 tracker.new_track_thresh=0.7)
run -m "${mot17[@]}" tracker=bytetrack,ocsort,deepocsort,fasttrack "hydra.sweep.dir=$out/mot17"
for tracker in botsort tracktrack; do
  run "${mot17[@]}" tracker=$tracker tracker.gmc_method=none "hydra.run.dir=$out/mot17/$tracker"
done
printf '%s\n' "box=$out/mot17/0" "BoT-SORT=$out/mot17/botsort" "OC-SORT=$out/mot17/1" \
  "Deep OC-SORT=$out/mot17/2" "FastTracker=$out/mot17/3" "TrackTrack=$out/mot17/tracktrack" \
  | kept mot17

# KITTI-17: one sequence, judged by its masks (its boxes leave out many people); weights as pretrained.
copy=$out/KITTI-17
mkdir -p "$copy"
cp -r "$SEGTRACK_DATA"/mot/KITTI-17/{img1,mots,seqinfo.ini} "$copy"
kitti=(dataset=sequences "dataset.path=$copy" dataset.detections=model 'stages=[track]'
  'dataset.classes=[person,car]' "model.weights=$SEGTRACK_DATA/weights/yolov8n-seg.pt"
  tracker.track_thresh=0.25 tracker.low_thresh=0.1 tracker.new_track_thresh=0.35)
run -m "${kitti[@]}" "tracker.association=$associations" "hydra.sweep.dir=$out/kitti/association"
run -m "${kitti[@]}" tracker=$others "hydra.sweep.dir=$out/kitti/trackers"
cells box "$out/kitti/association" "$out/kitti/trackers" | kept kitti_17 --mask

python $study/kept.py --figure "sim_0.1=simulator, occlusion .1" "sim_0.5=simulator, .5" \
  "sim_0.9=simulator, .9" "mot17=MOT17, second halves"

python src/run.py report $study
