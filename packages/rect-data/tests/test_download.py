"""The download of CT-RATE against a hub on disk that can fail, and the real client against a server on this machine."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from rect_core.errors import DataError
from rect_core.manifest import write_manifest
from rect_core.types import ManifestRow
from rect_data import ct_rate
from rect_data.cot.pace import Pace
from rect_data.download import KINDS, Selection, batches, download, plan
from rect_data.hub import Hub, HuggingFaceHub, RemoteFile, Unreachable

QUICK = Pace(first_wait_s=0.0, attempts=3)
VOLUMES = ("train_1_a_1", "train_1_a_2", "train_2_a_1", "train_10_a_1", "valid_1_a_1")
COMMIT = "c0ffee" * 6 + "c0ff"


class FolderHub:
    """A repository in a folder. `fail` holds how often a path breaks off half-way before it comes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.head = folder, COMMIT
        self.fail: Counter[str] = Counter()
        self.asked: list[str] = []
        self.most = 0

    def commit(self, revision: str) -> str:
        return self.head if revision == "main" else revision

    def files(self, folder: str, commit: str) -> list[RemoteFile]:
        found = sorted(path for path in (self.folder / folder).rglob("*") if path.is_file())
        return [
            RemoteFile(
                path.relative_to(self.folder).as_posix(),
                path.stat().st_size,
                hashlib.sha256(path.read_bytes()).hexdigest() if path.suffix == ".gz" else "",
            )
            for path in reversed(found)
        ]

    def fetch(self, file: RemoteFile, commit: str, root: Path) -> None:
        self.asked.append(file.path)
        if self.fail[file.path]:
            self.fail[file.path] -= 1
            raise Unreachable(f"{file.path}: the connection broke")
        (root / file.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.folder / file.path, root / file.path)
        self.most = max(self.most, held(root))


def held(root: Path) -> int:
    return sum(path.stat().st_size for path in (root / "dataset").rglob("*") if path.is_file())


def fill(root: Path) -> Path:
    """A little CT-RATE of 1,000 bytes a volume, 100 a mask, 10 a table."""
    files = {ct_rate.volume_path(name): 1000 for name in VOLUMES}
    files |= {path.replace("_fixed", ""): 900 for path in files}
    files |= {ct_rate.ts_path(task, name): 100 for task in ct_rate.TS_TASKS for name in VOLUMES}
    tables = (*ct_rate.METADATA.values(), *ct_rate.REPORTS.values(), *ct_rate.LABELS.values())
    files |= dict.fromkeys((*tables, "dataset/metadata/no_chest_train.txt", "dataset/metadata/legend.xlsx"), 10)
    files["dataset/train_fixed/notes.txt"] = 7
    for path, size in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes((path.encode() * size)[:size])
    return root


@pytest.fixture
def hub(tmp_path: Path) -> FolderHub:
    return FolderHub(fill(tmp_path / "hub"))


def names(chosen: object, root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*.nii.gz"))


def test_the_folder_hub_is_a_hub(hub: FolderHub) -> None:
    assert isinstance(hub, Hub)


def test_a_plan_counts_files_and_bytes_of_each_kind_and_fetches_nothing(hub: FolderHub) -> None:
    chosen = plan(hub, Selection())
    assert chosen.counts == {
        "metadata": (4, 40),
        "reports": (2, 20),
        "labels": (2, 20),
        "volumes": (5, 5000),
        "ts_seg": (15, 1500),
    }
    assert (chosen.size, chosen.commit, hub.asked) == (6580, COMMIT, [])
    order = [group[0].path.rpartition("/")[2].partition("_a_")[0] for group in chosen.patients]
    assert order == ["train_1", "train_2", "train_10", "valid_1"], "patients are not in the order of their numbers"


def test_splits_versions_kinds_and_a_limit_choose(hub: FolderHub) -> None:
    valid = plan(hub, Selection(splits=("valid",)))
    paths = [file.path for file in (*valid.tables, *(f for group in valid.patients for f in group))]
    assert valid.counts["volumes"] == (1, 1000)
    assert "dataset/metadata/legend.xlsx" in paths
    assert not [path for path in paths if "train" in path]
    first = plan(hub, Selection(kinds=("volumes",), version=1, limit=3))
    assert [file.path for group in first.patients for file in group] == [
        ct_rate.volume_path(name).replace("_fixed", "") for name in ("train_1_a_1", "train_1_a_2", "train_2_a_1")
    ]
    both = plan(hub, Selection(kinds=("volumes", "ts_seg"), limit=2))
    assert both.counts == {"volumes": (2, 2000), "ts_seg": (6, 600)}


def test_wrong_choices_and_empty_folders_are_refused(hub: FolderHub) -> None:
    with pytest.raises(DataError, match="no split is named 'test'"):
        Selection(splits=("train", "test"))
    with pytest.raises(DataError, match=f"some of {', '.join(KINDS)}"):
        Selection(kinds=())
    with pytest.raises(DataError, match="version 3"):
        Selection(version=3)
    shutil.rmtree(hub.folder / "dataset/valid")
    with pytest.raises(DataError, match="dataset/valid: holds no volumes"):
        plan(hub, Selection(version=1))


def test_everything_arrives_and_a_second_run_fetches_nothing(hub: FolderHub, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    hub.fail[ct_rate.volume_path("train_2_a_1")] = 2
    result = download(hub, root, plan(hub, Selection()), pace=QUICK)
    assert (result.fetched, result.size, result.before) == (28, 6580, 0)
    for path in root.joinpath("dataset").rglob("*.*"):
        assert path.read_bytes() == (hub.folder / path.relative_to(root)).read_bytes()
    again = download(hub, root, plan(hub, Selection(), root=root), pace=QUICK)
    assert (again.fetched, again.before) == (0, 28)


def test_a_broken_line_ends_the_run_and_the_next_goes_on_with_the_rest(hub: FolderHub, tmp_path: Path) -> None:
    root, broken = tmp_path / "root", ct_rate.volume_path("train_2_a_1")
    hub.fail[broken] = 99
    with pytest.raises(Unreachable, match="connection broke"):
        download(hub, root, plan(hub, Selection(kinds=("volumes",))), pace=QUICK)
    assert hub.asked.count(broken) == 3
    (root / ct_rate.volume_path("train_1_a_1")).write_bytes(b"half")  # as a crash of the disk leaves it
    hub.fail.clear()
    hub.asked.clear()
    download(hub, root, plan(hub, Selection(kinds=("volumes",)), root=root), pace=QUICK)
    assert len(hub.asked) == 4
    assert ct_rate.volume_path("train_1_a_2") not in hub.asked


@pytest.mark.parametrize("wrong", [b"short", b"x" * 1000])
def test_a_file_that_is_not_the_listed_one_is_removed_and_refused(hub: FolderHub, tmp_path: Path, wrong: bytes) -> None:
    chosen = plan(hub, Selection(kinds=("volumes",)))
    path = ct_rate.volume_path("train_1_a_1")
    (hub.folder / path).write_bytes(wrong)
    with pytest.raises(DataError, match=r"train_1_a_1\.nii\.gz: came with"):
        download(hub, tmp_path / "root", chosen)
    assert not (tmp_path / "root" / path).exists()


def test_a_begun_folder_keeps_its_commit(hub: FolderHub, tmp_path: Path) -> None:
    root = tmp_path / "root"
    download(hub, root, plan(hub, Selection(kinds=("labels",)), root=root))
    hub.head = "d" * 40
    assert plan(hub, Selection(kinds=("labels",)), root=root).commit == COMMIT
    with pytest.raises(DataError, match="begun with commit"):
        plan(hub, Selection(kinds=("labels",)), revision="e" * 40, root=root)


def test_batches_are_prepared_and_deleted_within_the_budget(hub: FolderHub, tmp_path: Path) -> None:
    root, seen = tmp_path / "root", []
    chosen = plan(hub, Selection())
    result = download(hub, root, chosen, max_bytes=2700, prepare=lambda: seen.append(names(chosen, root)))
    assert hub.most <= 2700
    assert result.batches == len(seen) == 3
    assert sorted({name for batch in seen for name in batch}) == sorted(f"{name}.nii.gz" for name in VOLUMES)
    assert names(chosen, root) == []
    assert (root / ct_rate.LABELS["train"]).is_file(), "the tables are kept"
    assert not (root / "dataset" / "train_fixed").exists(), "empty folders are left behind"
    again = download(hub, root, plan(hub, Selection(), root=root), max_bytes=2700, prepare=lambda: seen.append([]))
    assert (again.fetched, again.batches, len(seen)) == (0, 0, 3)


def test_a_run_that_ends_while_preparing_loses_no_volume_and_prepares_none_twice(
    hub: FolderHub, tmp_path: Path
) -> None:
    root, seen = tmp_path / "root", Counter[str]()
    chosen = plan(hub, Selection(kinds=("volumes",)))

    def stop() -> None:
        if seen:
            raise KeyboardInterrupt
        seen.update(names(chosen, root))

    with pytest.raises(KeyboardInterrupt):
        download(hub, root, chosen, max_bytes=2000, prepare=stop)
    first = root / ct_rate.volume_path("train_1_a_1")
    first.parent.mkdir(parents=True)
    first.write_bytes(b"x" * 1000)  # as after a kill between the record and the deletion
    download(hub, root, chosen, max_bytes=2000, prepare=lambda: seen.update(names(chosen, root)))
    assert seen == Counter(f"{name}.nii.gz" for name in VOLUMES)
    assert len(hub.asked) == len(VOLUMES)


def test_a_budget_that_cannot_hold_is_refused_before_anything_is_fetched(hub: FolderHub, tmp_path: Path) -> None:
    chosen = plan(hub, Selection())
    with pytest.raises(DataError, match="this patient needs"):
        batches(chosen, set(), 1000)
    with pytest.raises(DataError, match="choose less, or --prepare"):
        download(hub, tmp_path / "root", chosen, max_bytes=3000)
    with pytest.raises(DataError, match="give --max-disk-gb"):
        download(hub, tmp_path / "root", chosen, prepare=lambda: None)
    assert hub.asked == []


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    hub: FolderHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr("rect_data.download.shutil.disk_usage", lambda _: usage(10_000, 9_000, 1_000))
    with pytest.raises(DataError, match="to fetch at once but 1e-06 GB free"):
        download(hub, tmp_path / "root", plan(hub, Selection()))
    assert hub.asked == []


@pytest.mark.parametrize("path", ["../up.nii.gz", "/etc/x", "a/../../b", "", "a\\..\\b"])
def test_a_path_that_leads_out_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(DataError, match="leads out"):
        RemoteFile(path, 1)


# The real client


class HubServer(BaseHTTPRequestHandler):
    """As much of the Hub as one data set needs; `refusal` is a status and an error code instead."""

    refusal: tuple[int, str] | None = None
    folder = Path()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.refusal is not None:
            status, code = self.refusal
            return self.send(status, b'{"error": "secret words"}', {"X-Error-Code": code} if code else {})
        if path.startswith("/api/datasets/me/set/revision/"):
            return self.send(200, json.dumps({"id": "me/set", "sha": COMMIT}).encode())
        if path.startswith(f"/api/datasets/me/set/tree/{COMMIT}/"):
            below = self.folder / path.split(f"{COMMIT}/", 1)[1]
            found = [p for p in sorted(below.rglob("*")) if p.is_file()]
            rows = [
                {"type": "file", "oid": "0", "size": p.stat().st_size, "path": p.relative_to(self.folder).as_posix()}
                for p in found
            ]
            return self.send(200, json.dumps(rows).encode())
        data = (self.folder / path.split(f"resolve/{COMMIT}/", 1)[1]).read_bytes()
        etag = hashlib.sha256(data).hexdigest()
        return self.send(200, data, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[HuggingFaceHub, type[HubServer]]]:
    """The real client and the handler it talks to."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    handler = type("Here", (HubServer,), {"folder": fill(tmp_path / "hub"), "refusal": None})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield HuggingFaceHub("me/set", endpoint=f"http://127.0.0.1:{server.server_port}"), handler
        server.shutdown()
        thread.join()


def test_the_real_client_lists_and_fetches(real: tuple[HuggingFaceHub, type[HubServer]], tmp_path: Path) -> None:
    hub, handler = real
    chosen = plan(hub, Selection(kinds=("labels", "volumes"), splits=("valid",)))
    result = download(hub, tmp_path / "root", chosen)
    assert (chosen.commit, result.fetched, result.size) == (COMMIT, 2, 1010)
    path = ct_rate.volume_path("valid_1_a_1")
    assert (tmp_path / "root" / path).read_bytes() == (handler.folder / path).read_bytes()


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        (403, "GatedRepo", "is gated and this account has no access.*hf auth login"),
        (401, "", "HTTP 401.*hf auth login"),
        (403, "", "HTTP 403.*hf auth login"),
        (404, "RevisionNotFound", "is not in me/set"),
    ],
)
def test_a_refusal_says_how_to_get_access(
    real: tuple[HuggingFaceHub, type[HubServer]],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str,
    why: str,
) -> None:
    hub, handler = real
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    handler.refusal = (status, code)
    with pytest.raises(DataError, match=why) as caught:
        hub.commit("main")
    assert not isinstance(caught.value, Unreachable)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_storage_clients_own_error_can_be_tried_again_and_its_signed_address_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("Data processing error: CAS service error: https://cas.example/x?Signature=secret")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fails)
    with pytest.raises(Unreachable, match="run again") as caught:
        HuggingFaceHub("me/set").fetch(RemoteFile("a", 1), COMMIT, tmp_path)
    assert "secret" not in str(caught.value)


def test_offline_and_unreachable_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set"):
        HuggingFaceHub("me/set").commit("main")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(Unreachable):
        HuggingFaceHub("me/set", endpoint="http://127.0.0.1:9").commit("main")


# The tool


def tool(*arguments: object) -> "subprocess.CompletedProcess[str]":
    path = Path(__file__).resolve().parents[3] / "tools" / "download_ct_rate.py"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, str(path), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_what_preparing_reads_must_be_fetched_too(tmp_path: Path) -> None:
    done = tool("--root", tmp_path, "--kinds", "volumes", "ts_seg", "--prepare", tmp_path / "s", "--max-disk-gb", "1")
    assert done.returncode == 2
    assert done.stderr == "error: --prepare reads metadata, reports, labels as well: add them to --kinds\n"


def test_progress_counts_what_was_prepared_before(hub: FolderHub, tmp_path: Path) -> None:
    chosen = plan(hub, Selection(kinds=("labels", "volumes")))
    seen: list[tuple[int, int]] = []
    for _ in range(2):
        download(
            hub, tmp_path, chosen, max_bytes=2700, prepare=lambda: None, progress=lambda *x: seen.append((x[0], x[1]))
        )
        assert seen[-1] == (chosen.size, chosen.size)


def test_scans_that_an_earlier_run_set_aside_are_still_named(tmp_path: Path) -> None:
    spec = spec_from_file_location("download_ct_rate", Path(__file__).parents[3] / "tools" / "download_ct_rate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.quarantined(tmp_path) == {}
    bad = ManifestRow(
        case_id="a", volume="v", patient="a", scan="a", split="train", spacing_mm=(1.0, 1.0, 1.0), exclusion="no chest"
    )
    rows = [bad, replace(bad, case_id="b", patient="b", exclusion="quarantined: b.nii.gz: 3 voxels are NaN")]
    write_manifest(tmp_path / "manifest.parquet", rows)
    assert module.quarantined(tmp_path) == {"b": "b.nii.gz: 3 voxels are NaN"}
