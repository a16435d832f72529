"""The wheels, as a user gets them: built, complete, installed with pip into a bare environment and used from there.

The bare environment has nothing of its own but pip. It sees the third-party libraries of the running one through links,
without any of our packages, so pip resolves our dependencies against real versions and downloads nothing.
"""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "rect-train" if path.parent.name == "trainer" else path.parent.name: path.parent
    for path in ROOT.glob("[ap]*s/*/pyproject.toml")
}
PACKAGES = sorted(FOLDERS)

pytestmark = pytest.mark.slow

WALK = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    assert package.__file__.startswith(sys.prefix), package.__file__
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


def run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    result = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    return result.stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the repository with the wheels in dist/, as the README's `pip install` lines expect."""
    folder = tmp_path_factory.mktemp("shop")
    uv = Path(sys.executable).parent / "uv"
    run(uv, "build", "--quiet", "--all-packages", "--wheel", "--out-dir", folder / "dist", cwd=ROOT)
    return folder


def bare_environment(folder: Path) -> Path:
    """A new virtual environment's bin folder."""
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    # An older setuptools comes along with pip and would hide the one that torch asks for.
    run(folder / "venv" / "bin" / "pip", "uninstall", "--quiet", "--yes", "setuptools", cwd=folder)
    theirs = Path(sysconfig.get_paths()["purelib"])
    libraries = folder / "libraries"
    libraries.mkdir()
    for entry in theirs.iterdir():
        ours = entry.name.startswith(("rect_", "__editable__", "_rect")) or entry.suffix == ".pth"
        if not ours and not entry.name.startswith("pip"):
            (libraries / entry.name).symlink_to(entry)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(f"{libraries}\n", encoding="utf-8")
    return folder / "venv" / "bin"


def pip_lines(dist: Path) -> list[str]:
    """Every `pip install` of the READMEs, the root's first; for a package's folder stands the wheel built from it."""
    texts = [
        path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted(ROOT.glob("[ap]*s/*/README.md")))
    ]
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip().startswith("pip install ")]
    wheels = {package: next(dist.glob(f"{package.replace('-', '_')}-*.whl")) for package in PACKAGES}
    folder = re.compile(r"(?:\./)?packages/(rect-[a-z]+)")
    return [folder.sub(lambda match: str(wheels[match[1]]), line) for line in lines if "# needs the Hub" not in line]


def clean(bin_folder: Path, dist: Path) -> dict[str, str]:
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON", "UV_", "VIRTUAL_ENV"))
    }
    return kept | {
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(dist),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "HF_HUB_OFFLINE": "1",
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_all_of_its_package_and_nothing_else(shop: Path, package: str) -> None:
    source = FOLDERS[package] / "src"
    expected = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    (wheel,) = (shop / "dist").glob(f"{package.replace('-', '_')}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == expected
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]


def test_one_room_installs_alone(shop: Path, tmp_path: Path) -> None:
    bin_folder = bare_environment(tmp_path)
    env = clean(bin_folder, shop / "dist")
    run(bin_folder / "pip", "install", "--quiet", "rect-encoder", cwd=shop, env=env)
    run(bin_folder / "python", "-I", "-c", WALK, "rect_core", "rect_encoder", cwd=tmp_path, env=env)
    absent = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ['rect_vlm', 'rect_classifier'])))"
    run(bin_folder / "python", "-I", "-c", absent, cwd=tmp_path, env=env)


def test_what_the_readmes_install_imports_and_runs_outside_the_repository(shop: Path, tmp_path: Path) -> None:
    bin_folder = bare_environment(tmp_path)
    env = clean(bin_folder, shop / "dist")
    lines = pip_lines(shop / "dist")
    assert any("rect-vlm" in line for line in lines)
    for line in lines:
        run("bash", "-c", line, cwd=shop, env=env)
    modules = [package.replace("-", "_") for package in PACKAGES]
    run(bin_folder / "python", "-I", "-c", WALK, *modules, cwd=tmp_path, env=env)
    assert "predict" in run("rect", "--help", cwd=tmp_path, env=env)
    shown = run(bin_folder / "pip", "list", "--format", "freeze", cwd=tmp_path, env=env)
    assert [package for package in PACKAGES if f"{package}==" not in shown.replace("_", "-")] == []
