"""Every ```python and ```bash block of the READMEs runs, in a folder of its own that holds a scan.nii.gz.

Python blocks of one file share their names; `rect` lines run between them, in order. `pip install` lines run in
test_wheels.py, `make` lines are only checked for their target, and what ends in `# needs the Hub` or `# needs a GPU` is
only parsed.
"""

import ast
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import nrrd
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
READMES = [ROOT / "README.md", *sorted(ROOT.glob("[ap]*s/*/README.md"))]
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ONLY_PARSED = ("# needs the Hub", "# needs a GPU")

RUNNER = """
import json, subprocess, sys
namespace = {"__name__": "__main__"}
for kind, where, code in json.load(sys.stdin):
    print(f"--- {where}", flush=True)
    if kind == "python":
        exec(compile(code, where, "exec"), namespace)
    else:
        subprocess.run(["bash", "-euo", "pipefail", "-c", code], check=True)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A Python block or one shell line; line: where it starts in its file."""

    kind: str
    code: str
    line: int


def steps(path: Path) -> list[Step]:
    text = path.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        line = text[: match.start()].count("\n") + 2
        if match[1] == "python":
            found.append(Step(kind="python", code=match[2], line=line))
        else:
            lines = match[2].replace("\\\n", " ").splitlines()
            found += [Step(kind="bash", code=code, line=line) for code in lines if code and not code.startswith("#")]
    return found


def runnable(step: Step) -> str:
    """The code of a step without what is only parsed; a syntax error raises."""
    if step.kind == "bash":
        shlex.split(step.code, comments=True)
        return "" if step.code.endswith(ONLY_PARSED) else step.code
    lines = step.code.splitlines()
    marked = {number for number, text in enumerate(lines, 1) if text.rstrip().endswith(ONLY_PARSED)}
    kept = [
        node for node in ast.parse(step.code).body if not marked & set(range(node.lineno, (node.end_lineno or 0) + 1))
    ]
    return ast.unparse(ast.Module(body=kept, type_ignores=[]))


@pytest.fixture(scope="session")
def scan() -> nib.Nifti1Image:
    """The real chest CT of slicerio as NIfTI."""
    spec = importlib.util.find_spec("slicerio")
    assert spec is not None
    assert spec.origin is not None
    data, header = nrrd.read(str(Path(spec.origin).parent / "data" / "CTChest4.nrrd"))
    affine = np.eye(4)
    affine[:3, :3] = header["space directions"].T
    affine[:3, 3] = header["space origin"]
    assert header["space"] == "left-posterior-superior"
    return nib.Nifti1Image(np.asarray(data, np.int16), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_blocks_of_a_readme_run(path: Path, scan: nib.Nifti1Image, tmp_path: Path) -> None:
    nib.save(scan, tmp_path / "scan.nii.gz")
    plan = []
    for step in steps(path):
        code, where = runnable(step), f"{path.relative_to(ROOT)}:{step.line}"
        if step.kind == "python" or code.startswith(("rect ", "rect-eval ", "rect-train ")):
            plan.append((step.kind, where, code))
        elif code.startswith("make "):
            subprocess.run(
                ["make", "-n", *shlex.split(code, comments=True)[1:]], cwd=ROOT, check=True, capture_output=True
            )
        elif code:
            assert code.startswith(("pip install ", "git clone ", "cd ", "uv sync")), f"{where}: who runs {code!r}?"
    if not plan:
        return
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(plan),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout[-2000:]}\n{result.stderr[-4000:]}"


def test_every_fence_has_a_language_that_is_checked_or_is_plain() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {fence}"
        for path in READMES
        for fence in re.findall(r"^```.+$", path.read_text(encoding="utf-8"), re.MULTILINE)
        if fence not in ("```python", "```bash", "```text", "```json", "```yaml")
    ]
    assert wrong == []


def test_links_inside_the_repository_lead_somewhere() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in READMES
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert wrong == []
