#!/usr/bin/env bash
# All of training on two cores, in a quarter of an hour: phantoms, phases 1.1, 1.2 and 2, curves, an export, its scores beside
# those of untrained weights, and predictions of a phantom of another world and of a real CT.
# Usage: tools/train_demo.sh [FOLDER [TRAIN VALID CLS LOC JOINT]]; see tools/train_on_phantoms.sh for the numbers.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-runs/demo}
[ $# -ge 6 ] || set -- "$folder" 160 40 10 2 2
bin=.venv/bin
# Scans as coarse as what the model sees are prepared and scored in half the time, and where every label is common a few
# hundred of them teach something. A short phase 2 at a high rate, the encoder's above all, would undo phase 1.1.
PHANTOMS="--spacing 6 3 3 --prevalence 0.35" bash tools/train_on_phantoms.sh "$folder" "${@:2:5}" optim.lr=2e-4 optim.encoder=0.1

score() { # WEIGHTS NAME [OPTION ...]
    $bin/python tools/evaluate.py --checkpoint "$1" --data-dir "$folder/store" --output-dir "$folder/$2" \
        --workers "$(nproc)" "${@:3}"
}
score "$folder/weights" scores
score untrained:tiny scores_untrained --no-oracle # which would be that of the others

OMP_NUM_THREADS=1 $bin/python tools/make_phantoms.py --out "$folder/heldout" --train 0 --valid 1 --seed 8 --workers 1
$bin/rect predict "$(find "$folder/heldout/dataset" -path '*fixed*' -name 'valid_*.nii.gz' | head -n 1)" sample:chest \
    --model "$folder/weights" --out "$folder/predictions" --force
$bin/python tools/check_training.py "$folder"
