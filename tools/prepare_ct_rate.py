"""Puts a data set into a store: `python tools/prepare_ct_rate.py --root CT-RATE --output-dir STORE --workers 8`.

Stopped runs go on where they were; any number of workers and shards gives the same store.
"""

import argparse
import sys
import time
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rect_core.errors import DataError, ScanError
from rect_core.frame import GridConfig
from rect_data.readers import CtRate, FolderCt, Reader
from rect_data.store import StoreConfig
from rect_data.store.one import Outcome
from rect_data.store.prepare import Summary, manifest_only, prepare


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="Scans, regions, masks, labels and reports on one grid, ready to train.")
    source = out.add_mutually_exclusive_group(required=True)
    source.add_argument("--root", type=_path, help="CT-RATE, or phantoms: the folder that holds dataset/")
    source.add_argument("--volume-dir", type=_path, metavar="DIR", help="your own scans, a file or DICOM folder each")
    out.add_argument("--output-dir", type=_path, required=True, metavar="DIR", help="the store: new, or to go on with")
    out.add_argument("--split", default="all", help="train, valid or all (default)")
    out.add_argument("--dataset-version", type=int, choices=(1, 2), default=2, help="of CT-RATE (default: 2, in HU)")
    out.add_argument("--pseudo-lesions", action="store_true", help="with --root: TotalSegmentator's nodules, effusions")
    out.add_argument("--mask-dir", type=_path, metavar="DIR", help="with --volume-dir: masks, <case>_<finding>.nii.gz")
    out.add_argument("--region-dir", type=_path, metavar="DIR", help="with --volume-dir: region maps, <case>.nii.gz")
    out.add_argument("--labels", type=_path, metavar="CSV", help="with --volume-dir: VolumeName and the 18 labels")
    out.add_argument("--reports", type=_path, metavar="CSV", help="with --volume-dir: VolumeName and the reports")
    base = GridConfig()
    out.add_argument("--size", type=int, nargs=3, default=base.shape, metavar=("D", "H", "W"), help="cells of the grid")
    out.add_argument("--spacing", type=float, nargs=3, default=base.spacing_mm, metavar=("D", "H", "W"), help="mm")
    out.add_argument("--format", choices=("store", "npz"), default="store", help="npz: for MedSAM2, not for training")
    out.add_argument("--origin", choices=("unknown", "phantoms", "clinical"), default="unknown",
        help="what the scans are; of tools/make_phantoms.py's it is known")  # fmt: skip
    out.add_argument("--licence", default="", help="of the data, such as CC-BY-NC-SA-4.0; model cards name it")
    out.add_argument("--manifest-only", action="store_true", help="write the table alone and read no scan")
    out.add_argument("--workers", type=int, default=1, help="processes, each with a scan in memory (default: 1)")
    out.add_argument("--shard", type=_shard, default=(0, 1), metavar="I/N", help="the I-th of N parts, from 0")
    out.add_argument("--ray", action="store_true", help="run on the Ray cluster that is there")
    return out


def main() -> int:
    """0 done, 1 scans were quarantined, 2 bad usage, or stopped before the end (run again to go on)."""
    options = parser().parse_args()
    began = time.monotonic()
    try:
        summary = _run(options)
    except (DataError, ScanError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: what is whole is kept, run again to go on", file=sys.stderr)
        return 2
    if summary is None:
        return 0
    for line in summary.lines:
        print(line)
    print(f"{time.monotonic() - began:.0f} s; see {options.output_dir}")
    return 1 if summary.quarantined else 0


def _run(options: argparse.Namespace) -> Summary | None:
    reader = _reader(options)
    rows = [row for row in reader.rows() if options.split in ("all", row.split)]
    if options.manifest_only:
        print(
            f"{len(manifest_only(reader, options.output_dir, rows))} rows in {options.output_dir / 'manifest.parquet'}"
        )
        return None
    config = _config(options)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    plain = not sys.stderr.isatty()
    with Progress(*columns, disable=plain) as bar:
        task = bar.add_task("scans", total=None)

        def progress(done: int, total: int, last: Outcome) -> None:
            bar.update(task, completed=done, total=total, description=last.case_id)
            if plain and (done % 25 == 0 or done == total or last.status == "quarantined"):
                print(
                    f"{done}/{total} {last.case_id} {last.status} {last.reason}".rstrip(), file=sys.stderr, flush=True
                )

        return prepare(
            reader,
            options.output_dir,
            config,
            rows=rows,
            workers=options.workers,
            shard=options.shard,
            ray=options.ray,
            npz=options.format == "npz",
            progress=progress,
        )


def _config(options: argparse.Namespace) -> StoreConfig:
    try:
        grid = GridConfig(shape=tuple(options.size), spacing_mm=tuple(options.spacing))
        return StoreConfig(grid=grid, origin=options.origin, licence=options.licence)
    except ValueError as error:
        raise DataError(str(error)) from error


def _path(text: str) -> Path:
    """Absolute, so that it names the same place in a process of a cluster."""
    return Path(text).absolute()


def _reader(options: argparse.Namespace) -> Reader:
    folders = [name for name in ("mask_dir", "region_dir", "labels", "reports") if vars(options)[name] is not None]
    if options.root is None:
        if options.pseudo_lesions or options.dataset_version != 2:
            raise DataError("--pseudo-lesions and --dataset-version go with --root: they are about CT-RATE")
        return FolderCt(
            options.volume_dir,
            labels=options.labels,
            reports=options.reports,
            masks=options.mask_dir,
            regions=options.region_dir,
        )
    if folders:
        raise DataError(f"--{folders[0].replace('_', '-')} goes with --volume-dir: CT-RATE's tables lie in --root")
    return CtRate(options.root, version=options.dataset_version, pseudo_lesions=options.pseudo_lesions)


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise argparse.ArgumentTypeError(f"{text!r}: give I/N with I from 0 to N - 1, such as 0/3")
    return int(index), int(count)


if __name__ == "__main__":
    sys.exit(main())
