#!/usr/bin/env bash
# Writes requirements.lock (or the file given): what a fresh resolution of the workspace gives, with hashes, for every platform.
# It resolves a copy, so the uv.lock in the tree neither helps nor changes. torch is left out, and with it the CUDA libraries:
# which build of it fits is the machine's choice (tools/setup.sh takes the CPU's).
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(.venv/bin/python -c "import os, sys; print(os.path.abspath(sys.argv[1]))" "${1:-requirements.lock}")
uv="$PWD/.venv/bin/uv"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar cf - pyproject.toml {apps,packages}/*/pyproject.toml | tar xf - -C "$copy"
cd "$copy"
unset UV_FIND_LINKS VIRTUAL_ENV
export UV_NO_PROGRESS=1
"$uv" lock --quiet
{
    echo "# Made by tools/lock.sh; do not edit. torch is not here: see that script."
    "$uv" export --quiet --frozen --extra dicom --extra eval --extra llm --extra pictures --extra ray --extra sample --extra text --extra track --group test --group rivals --group models --prune torch \
        --no-emit-workspace --no-header --no-annotate
} > resolved
mv resolved "$out"
