"""Fetches CT-RATE: `python tools/download_ct_rate.py --root CT-RATE --splits valid --kinds volumes reports labels`.

With --prepare STORE --max-disk-gb N the volumes are fetched, put into the store and deleted, batch after batch. Stopped
runs go on where they were. CT-RATE is gated (CC-BY-NC-SA 4.0): accept its terms on the Hub, then `hf auth login`.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from rect_core.errors import DataError, ScanError
from rect_core.frame import GridConfig
from rect_data import ct_rate
from rect_data.download import KINDS, LICENCE, PREPARED, REPO, Plan, Result, Selection, download, plan
from rect_data.hub import HuggingFaceHub


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="CT-RATE from the Hub, in parts, within a budget of disk.")
    out.add_argument("--root", type=Path, required=True, metavar="DIR", help="gets dataset/, as on the Hub")
    out.add_argument("--splits", nargs="+", default=ct_rate.SPLITS, choices=ct_rate.SPLITS, help="default: both")
    out.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, help="default: all")
    out.add_argument(
        "--dataset-version", type=int, default=2, choices=(1, 2), help="of the volumes (default: 2, in HU)"
    )
    out.add_argument("--limit", type=int, help="only the first volumes, with all that belongs to them")
    out.add_argument("--repo", default=REPO, help=f"data set on the Hub (default: {REPO})")
    out.add_argument("--revision", default="main", help="branch, tag or commit (default: main)")
    out.add_argument("--max-disk-gb", type=float, help="for what is fetched, without the store")
    out.add_argument("--prepare", type=Path, metavar="STORE", help="prepare into this store, then delete")
    base = GridConfig()
    out.add_argument(
        "--size", type=int, nargs=3, default=base.shape, metavar=("D", "H", "W"), help="of the store's grid"
    )
    out.add_argument("--spacing", type=float, nargs=3, default=base.spacing_mm, metavar=("D", "H", "W"), help="mm")
    out.add_argument("--workers", type=int, default=1, help="processes that prepare (default: 1)")
    out.add_argument("--dry-run", action="store_true", help="only say how many files and bytes")
    return out


def main() -> int:
    """0 done, 1 scans lie in the store's quarantine, 2 nothing or not all could be fetched."""
    options = parser().parse_args()
    hub = HuggingFaceHub(options.repo)
    kinds = tuple(kind for kind in KINDS if kind in options.kinds)
    lacking = [kind for kind in KINDS if kind not in (*kinds, "ts_seg")]
    if options.prepare is not None and lacking:
        print(f"error: --prepare reads {', '.join(lacking)} as well: add them to --kinds", file=sys.stderr)
        return 2
    selection = Selection(
        splits=tuple(options.splits), kinds=kinds, version=options.dataset_version, limit=options.limit
    )
    try:
        chosen = plan(hub, selection, revision=options.revision, root=options.root)
        _show(chosen)
        if options.dry_run:
            return 0
        result = _run(hub, chosen, options)
        bad = {} if options.prepare is None else quarantined(options.prepare)
    except (DataError, ScanError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: what is whole is kept, run again to go on", file=sys.stderr)
        return 2
    print(f"{result.fetched} files, {result.size / 1e9:.3g} GB fetched; {result.before} were there or prepared before")
    for case_id, reason in sorted(bad.items()):
        print(f"quarantined: {case_id}: {reason}", file=sys.stderr)
    if bad:
        print(f"to fetch one again, remove its line from {options.root / PREPARED}", file=sys.stderr)
    return 1 if bad else 0


def _show(chosen: Plan) -> None:
    print(f"commit {chosen.commit}: {len(chosen.patients)} patients, {chosen.size / 1e9:.3g} GB")
    for kind, (count, size) in chosen.counts.items():
        print(f"  {kind:<9} {count:7d} files {size / 1e9:10.3f} GB")


def _run(hub: HuggingFaceHub, chosen: Plan, options: argparse.Namespace) -> Result:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    plain = not sys.stderr.isatty()
    budget = None if options.max_disk_gb is None else int(options.max_disk_gb * 1e9)
    with Progress(*columns, disable=plain) as bar:
        task = bar.add_task("CT-RATE", total=chosen.size)

        def progress(done: int, total: int, path: str) -> None:
            bar.update(task, completed=done, description=Path(path).name)
            if plain:
                print(f"{done / 1e9:.3f}/{total / 1e9:.3f} GB {path}", file=sys.stderr, flush=True)

        prepare = None if options.prepare is None else _preparer(options)
        return download(hub, options.root, chosen, max_bytes=budget, prepare=prepare, progress=progress)


def quarantined(store: Path) -> dict[str, str]:
    """The scans that a store has set aside, in this run or before, and why: they are deleted like the others."""
    from rect_core.manifest import read_manifest
    from rect_data.store.layout import MANIFEST
    from rect_data.store.rows import QUARANTINED

    rows = read_manifest(store / MANIFEST) if (store / MANIFEST).is_file() else []
    found = [row for row in rows if row.exclusion.startswith(QUARANTINED)]
    return {row.case_id: row.exclusion.removeprefix(QUARANTINED) for row in found}


def _preparer(options: argparse.Namespace) -> Any:
    """Puts what lies below the root into the store; quarantined scans keep their reason there."""
    from rect_data.readers import CtRate
    from rect_data.store import StoreConfig
    from rect_data.store.prepare import prepare

    pseudo = "ts_seg" in options.kinds
    grid = GridConfig(shape=tuple(options.size), spacing_mm=tuple(options.spacing))
    known = options.repo == REPO
    config = StoreConfig(grid=grid, origin="clinical", licence=LICENCE) if known else StoreConfig(grid=grid)

    def run() -> None:
        reader = CtRate(options.root, options.dataset_version, tuple(options.splits), pseudo_lesions=pseudo)
        prepare(reader, options.prepare, config, workers=options.workers)

    return run


if __name__ == "__main__":
    sys.exit(main())
