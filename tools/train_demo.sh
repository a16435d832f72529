#!/usr/bin/env bash
# All of training on two cores, in a quarter of an hour: phantoms, phases 1.1, 1.2 and 2, curves, an export, its scores beside
# those of untrained weights, and predictions of a phantom of another world and of a real CT.
# Usage: tools/train_demo.sh [FOLDER [TRAIN VALID CLS LOC JOINT]]; see tools/train_on_phantoms.sh for the numbers.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-runs/demo}
[ $# -ge 6 ] || set -- "$folder" 120 40 12 3 3
bin=.venv/bin
# Scans as coarse as what the model sees are prepared and scored in half the time. A short phase 2 at a high rate, the
# encoder's above all, would undo phase 1.1.
SPACING="6 3 3" bash tools/train_on_phantoms.sh "$folder" "${@:2:5}" optim.lr=2e-4 optim.encoder=0.1

score() { # WEIGHTS NAME
    $bin/python tools/evaluate.py --checkpoint "$1" --data-dir "$folder/store" --output-dir "$folder/$2" --workers "$(nproc)"
}
score "$folder/weights" scores
score untrained:tiny scores_untrained

OMP_NUM_THREADS=1 $bin/python tools/make_phantoms.py --out "$folder/heldout" --train 0 --valid 1 --seed 8 --workers 1
$bin/rect predict "$(find "$folder/heldout/dataset" -path '*fixed*' -name 'valid_*.nii.gz' | head -n 1)" sample:chest \
    --model "$folder/weights" --out "$folder/predictions" --force
$bin/python tools/check_training.py "$folder"
