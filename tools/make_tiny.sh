#!/usr/bin/env bash
# Trains rect-tiny from nothing, puts it into its package and scores it on what it has never seen: phantoms of another world,
# in thick slices, and the sample CT with inserted lesions. A killed one goes on: call it again.
# Usage: tools/make_tiny.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-runs/rect-tiny}
bin=.venv/bin
bash tools/train_on_phantoms.sh "$folder" 900 150 4 0 5 optim.encoder=0.5

weights=packages/rect-tiny/src/rect_tiny/weights
rm -rf "$weights"
cp -r "$folder/weights" "$weights"

OMP_NUM_THREADS=1 $bin/python tools/make_phantoms.py --out "$folder/heldout" --train 0 --valid 60 --seed 11 --spacing 5 2 2 \
    --workers "$(nproc)"
[ -f "$folder/inserted/manifest.csv" ] || rm -rf "$folder/inserted"
[ -d "$folder/inserted" ] || $bin/python tools/insert_lesions.py sample:chest --cases 20 --out "$folder/inserted"
for data in heldout inserted; do
    $bin/python tools/evaluate.py --checkpoint "$folder/weights" --data-dir "$folder/$data" --output-dir "$folder/scores_$data" \
        --workers "$(nproc)" --generate-reports --save-visualizations
done
