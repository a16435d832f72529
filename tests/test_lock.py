"""requirements.lock is what a fresh resolution gives, and holds every requirement that a member declares."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"


def declared() -> list[Requirement]:
    """Third-party requirements of all members, their extras and the root's groups."""
    found: list[str] = []
    for path in [ROOT / "pyproject.toml", *ROOT.glob("[ap]*s/*/pyproject.toml")]:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        groups = [
            *data["project"].get("optional-dependencies", {}).values(),
            *data.get("dependency-groups", {}).values(),
        ]
        found += data["project"]["dependencies"] + [requirement for group in groups for requirement in group]
    return [r for r in map(Requirement, found) if not r.name.startswith("rect-") and r.name != "torch"]


def locked() -> dict[str, list[str]]:
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def test_every_declared_requirement_is_locked_to_a_version_it_allows() -> None:
    versions = locked()
    wrong = [
        f"{requirement} but {versions.get(canonicalize_name(requirement.name), 'nothing')} is locked: run make lock"
        for requirement in declared()
        if not any(requirement.specifier.contains(v) for v in versions.get(canonicalize_name(requirement.name), []))
    ]
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_lock_has_hashes_and_neither_addresses_nor_cuda() -> None:
    text = LOCK.read_text(encoding="utf-8")
    assert text.count("--hash=sha256:") > len(locked())
    assert not re.search(r"://|--(extra-)?index-url|--find-links|^-e ", text, re.MULTILINE)
    assert not [name for name in locked() if re.match(r"torch$|triton|nvidia-|cuda-", name)]


@pytest.mark.slow  # asks the package index
def test_a_fresh_resolution_gives_the_same_lock(tmp_path: Path) -> None:
    subprocess.run(["bash", "tools/lock.sh", str(tmp_path / "fresh.lock")], cwd=ROOT, check=True, timeout=300)
    assert (tmp_path / "fresh.lock").read_text(encoding="utf-8") == LOCK.read_text(encoding="utf-8"), "run make lock"
