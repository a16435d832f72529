"""The rules of the house that no package can check alone: layers, declared imports, versions, what code may say."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"]: path.parent
    for path in ROOT.glob("[ap]*s/*/pyproject.toml")
}
PACKAGES = sorted(FOLDERS)
BELOW = {
    "rect-core": set(),
    "rect-encoder": {"rect-core"},
    "rect-classifier": {"rect-core", "rect-encoder"},
    "rect-localizer": {"rect-core", "rect-encoder"},
    "rect-reporter": {"rect-core", "rect-encoder"},
    "rect-data": {"rect-core"},
    "rect-eval": {"rect-core"},
    "rect-tiny": set(),
    "rect-vlm": {"rect-tiny", "rect-core", "rect-encoder", "rect-classifier", "rect-localizer", "rect-reporter"},
    "rect-train": {
        *("rect-core", "rect-encoder", "rect-classifier", "rect-localizer", "rect-reporter"),
        *("rect-vlm", "rect-data", "rect-eval"),
    },
}
"""Which siblings a package may import. A new package is entered by hand: that is the moment to think about layers."""

WHERE_USED = {
    *("PIL", "blosc2", "gdcm", "huggingface_hub", "nibabel", "peft", "pyarrow", "pydicom", "ray", "scipy", "slicerio"),
    "transformers",
}
"""Slow to import or optional: only inside the function that needs them. Pillow is what rect_vlm.render is made of."""


@cache
def project(package: str) -> dict[str, Any]:
    return tomllib.loads((FOLDERS[package] / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def normal(requirement: str) -> str:
    """Name of a requirement such as "rect-core[text]>=0.1,<0.2"."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-").replace(".", "-")


def declared(package: str, *, extras: bool = True) -> set[str]:
    info = project(package)
    lists = [info["dependencies"], *(info.get("optional-dependencies", {}).values() if extras else [])]
    return {normal(requirement) for requirements in lists for requirement in requirements}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=path.name)


def sources(package: str, part: str = "src") -> list[Path]:
    return sorted((FOLDERS[package] / part).rglob("*.py"))


def all_sources() -> list[Path]:
    return [path for package in PACKAGES for path in sources(package)]


def imports(body: ast.AST) -> Iterator[tuple[str, int]]:
    """Dotted name and line of every import, those inside functions included."""
    for node in ast.walk(body):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno


def top_level_imports(module: ast.Module) -> Iterator[tuple[str, int]]:
    """The imports that run when the module is imported: neither in a function nor under TYPE_CHECKING."""
    for node in module.body:
        checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not checking and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from imports(node)


def at(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def none(wrong: list[str]) -> None:
    """Fails with the whole list, which pytest would cut."""
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_package_has_its_place_in_the_layers() -> None:
    assert set(PACKAGES) == set(BELOW)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down(package: str) -> None:
    allowed = {name.replace("-", "_") for name in BELOW[package] | {package}}
    wrong = [
        f"{at(path, line)} imports {name}"
        for path in sources(package)
        for name, line in imports(tree(path))
        if name.startswith(("rect_", ".")) and name.partition(".")[0] not in allowed
    ]
    none(wrong)
    assert {name for name in declared(package) if name.startswith("rect-")} <= BELOW[package] | {package}


@pytest.mark.parametrize("package", PACKAGES)
def test_tests_import_only_their_package_and_what_it_depends_on(package: str) -> None:
    allowed = {name.replace("-", "_") for name in BELOW[package] & declared(package) | {package}}
    for name in list(allowed - {package.replace("-", "_")}):
        allowed |= {below.replace("-", "_") for below in BELOW[name.replace("_", "-")]}
    wrong = [
        f"{at(path, line)} imports {name}"
        for path in sources(package, "tests")
        for name, line in imports(tree(path))
        if name.startswith("rect_") and name.partition(".")[0] not in allowed
    ]
    none(wrong)


@pytest.mark.parametrize("part", ["src", "tests"])
@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_is_a_declared_dependency(package: str, part: str) -> None:
    owners = packages_distributions()
    wrong = []
    for path in sources(package, part):
        for name, line in imports(tree(path)):
            module = name.partition(".")[0]
            if module in sys.stdlib_module_names or module == package.replace("-", "_"):
                continue
            if part == "tests" and module.startswith("rect_"):
                continue  # the test above says which
            dists = {normal(dist) for dist in owners.get(module, [module])}
            if not dists & declared(package):
                wrong.append(f"{at(path, line)} imports {name} ({', '.join(sorted(dists))} is not declared)")
    none(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_what_only_an_extra_brings_is_imported_where_it_is_used(package: str) -> None:
    owners = packages_distributions()
    optional = declared(package) - declared(package, extras=False)
    wrong = []
    for path in sources(package):
        for name, line in top_level_imports(tree(path)):
            module = name.partition(".")[0]
            heavy = module in WHERE_USED and "render" not in path.parts
            if heavy or {normal(dist) for dist in owners.get(module, [])} & optional:
                wrong.append(f"{at(path, line)} imports {name} at the top")
    none(wrong)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_declared_dependency_is_imported(package: str) -> None:
    owners = packages_distributions()
    modules = {name.partition(".")[0] for path in sources(package) for name, _ in imports(tree(path))}
    used = {normal(dist) for module in modules for dist in owners.get(module, [module])}
    assert sorted(declared(package, extras=False) - used) == []


def test_all_packages_have_one_version_and_bound_their_siblings() -> None:
    versions = {package: project(package)["version"] for package in PACKAGES}
    assert len(set(versions.values())) == 1, versions
    major, minor, *_ = next(iter(versions.values())).split(".")
    bound = f">={major}.{minor},<{major}.{int(minor) + 1}"
    for package in PACKAGES:
        info = project(package)
        lists = [info["dependencies"], *info.get("optional-dependencies", {}).values()]
        siblings = [r for requirements in lists for r in requirements if r.startswith("rect-")]
        assert [r for r in siblings if not r.endswith(bound)] == [], package
        assert info["requires-python"] == ">=3.11", package


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed_described_and_licensed(package: str) -> None:
    folder = FOLDERS[package]
    assert (folder / "src" / package.replace("-", "_") / "py.typed").is_file()
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert project(package)["license-files"] == ["LICENSE"]
    readme = (folder / project(package)["readme"]).read_text(encoding="utf-8")
    assert readme.startswith(f"# {package}\n")
    assert len(readme.split()) > 40, "say what it is, how to install and how to use it"


BLOCKER = """
import sys, time
blocked = {blocked!r}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if any(name == b or name.startswith(b + ".") for b in blocked):
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)
sys.meta_path.insert(0, Blocker())
import gc, torch
gc.disable()  # one pass over torch's own objects takes 0.1 s and comes whenever it comes
before = time.process_time()
import {module}
print(time.process_time() - before)
"""


def run_python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/")
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("module", [package.replace("-", "_") for package in PACKAGES])
def test_a_package_imports_without_the_heavy_libraries(module: str) -> None:
    blocked = ["transformers", "peft", "nibabel", "huggingface_hub", "scipy.ndimage", "pydicom", "gdcm", "matplotlib"]
    run_python(BLOCKER.format(blocked=blocked, module=module))


def test_the_encoder_costs_little_more_to_import_than_torch() -> None:
    # CPU seconds of the best of three: what other programs do on the machine should not count.
    seconds = [float(run_python(BLOCKER.format(blocked=[], module="rect_encoder"))) for _ in range(3)]
    assert min(seconds) <= 0.3, seconds


def test_importing_rect_core_brings_no_library() -> None:
    code = "import sys, rect_core; print({'torch', 'numpy', 'scipy', 'yaml', 'nibabel'} & set(sys.modules))"
    assert run_python(code).strip() == "set()"


def forbidden(node: ast.AST) -> str:
    """What is wrong with one node of a library's code, or nothing."""
    if isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return "future import"
    if isinstance(node, ast.ExceptHandler):
        caught = "" if node.type is None else ast.unparse(node.type)
        return "catches everything" if caught in ("", "Exception", "BaseException") else ""
    if not isinstance(node, ast.Call):
        return ""
    name = ast.unparse(node.func)
    last = name.rpartition(".")[2]
    if any(k.arg == "strict" and ast.unparse(k.value) == "False" for k in node.keywords) and last != "zip":
        return "strict=False"
    if name == "torch.load" or last in ("get_fdata", "permute") or name == "pickle.load":
        return name
    if last == "squeeze" and not node.args and not node.keywords:
        return "bare squeeze()"
    dtypes = all(re.match(r"(torch|np)\.|.*dtype", ast.unparse(arg)) for arg in node.args)
    return "view to a shape" if last == "view" and "." in name and not (node.args and dtypes) else ""


def test_no_library_does_what_the_style_forbids() -> None:
    found = [(path, node, forbidden(node)) for path in all_sources() for node in ast.walk(tree(path))]
    none([f"{at(path, node.lineno)} {what}" for path, node, what in found if what])


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("from __future__ import annotations", True),
        ("try: x\nexcept Exception: pass", True),
        ("try: x\nexcept: pass", True),
        ("try: x\nexcept (OSError, ValueError): pass", False),
        ("model.load_state_dict(state, strict=False)", True),
        ("zip(a, b, strict=False)", False),
        ("torch.load(path)", True),
        ("image.get_fdata()", True),
        ("x.permute(0, 2, 1)", True),
        ("x.view(2, -1)", True),
        ("x.view(torch.uint8)", False),
        ("x.squeeze()", True),
        ("x.squeeze(0)", False),
    ],
)
def test_the_style_check_tells_right_from_wrong(code: str, seen: bool) -> None:
    assert any(forbidden(node) for node in ast.walk(ast.parse(code))) == seen


def test_only_commands_print() -> None:
    wrong = [
        at(path, node.lineno)
        for path in all_sources()
        if not any(part.startswith("cli") for part in path.relative_to(ROOT).parts)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    none(wrong)


def test_files_and_functions_stay_short() -> None:
    code = [*all_sources(), *sorted((ROOT / "tools").rglob("*.py"))]
    files = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in code}
    functions = {
        f"{at(path, node.lineno)} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in code
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in files.items() if lines > 400} == {}
    assert {name: lines for name, lines in functions.items() if lines > 50} == {}


def tracked() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


# Written apart so that this file does not contain what it looks for.
PLACES = re.compile(
    "|".join(
        [
            *(
                rf"(?<![\w.-])/{a}{b}/\w"
                for a, b in [("wo", "rk"), ("ro", "ot"), ("ho", "me"), ("Us", "ers"), ("t", "mp")]
            ),
            "[A-Z]:" + r"\\Users",
            r"\.\./sha" + "red",
            *(re.escape(f"{a}.{b}") for a, b in [("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org")]),
            re.escape("download.pytorch" + ".org"),
        ]
    )
)


def test_no_tracked_file_names_a_machine_path_or_a_package_registry() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines = enumerate(text.splitlines(), 1)
        found += [f"{at(path, number)} {match.group()}" for number, line in lines if (match := PLACES.search(line))]
    none(found)


def test_the_pattern_of_places_finds_some() -> None:
    for text in ["/ho" + "me/me/x", "see ../sha" + "red/x", "https://py" + "pi.org/simple", "'/t" + "mp/x'"]:
        assert PLACES.search(text), text
    for text in ["a/home", "rect_core/work/x", "https://example.org", "tmp_path / 'x'"]:
        assert not PLACES.search(text), text


def test_no_large_file_is_tracked() -> None:
    weights = ROOT / "packages" / "rect-tiny" / "src" / "rect_tiny" / "weights"
    large = [path for path in tracked() if path.stat().st_size > 1_000_000]
    assert [path.name for path in large if weights not in path.parents] == []
    assert sum(path.stat().st_size for path in large) <= 25_000_000
