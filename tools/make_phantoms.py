"""Writes a tree of phantoms in CT-RATE's layout: `python tools/make_phantoms.py --out DIR --train 2000 --valid 200`.

Stopped runs go on where they were; any number of workers gives the same voxels.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rect_core.findings import LABELS
from rect_data.phantom.config import COARSEST_MM, PREVALENCE, PhantomConfig
from rect_data.tree.make import make_tree, verify
from rect_data.tree.sheet import contact_sheet


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="Synthetic chest CTs with all 18 labels, masks and reports.")
    out.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder, or one to go on with")
    out.add_argument("--train", type=int, default=2000, help="volumes of the split train (default: 2000)")
    out.add_argument("--valid", type=int, default=200, help="volumes of the split valid (default: 200)")
    out.add_argument("--seed", type=int, default=7, help="another seed, another world (default: 7)")
    out.add_argument("--size", type=int, nargs=3, metavar=("D", "H", "W"), help="voxels (default: the field of view)")
    out.add_argument(
        "--spacing", type=float, nargs=3, default=COARSEST_MM, metavar=("D", "H", "W"), help="voxel size, mm"
    )
    out.add_argument(
        "--prevalence", type=float, metavar="SHARE", help="of cases with each label (default: each as in CT-RATE)"
    )
    out.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    out.add_argument("--verify", action="store_true", help="also check every file against its checksum")
    return out


def main() -> int:
    """0 done, 1 files differ from their checksums, 2 bad usage or a folder that cannot be used, 130 stopped."""
    options = parser().parse_args()
    began = time.monotonic()
    try:
        records = _make(options)
        contact_sheet(options.out / "contact_sheet.png", options.out, records)
    except (ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: run the same command again to go on", file=sys.stderr)
        return 130
    print(f"{len(records)} volumes in {options.out}, {time.monotonic() - began:.0f} s; see contact_sheet.png")
    for i, label in enumerate(LABELS):
        print(f"  {label:<36} {sum(r['labels'][i] for r in records):5d}")
    print(f"  lesions too small for the grid: {sum(len(r['warnings']) for r in records)}")
    wrong = verify(options.out, records) if options.verify else []
    for path in wrong:
        print(f"differs from its checksum: {path}: remove it and run again", file=sys.stderr)
    return 1 if wrong else 0


def _make(options: argparse.Namespace) -> list[dict[str, Any]]:
    shares = PREVALENCE if options.prevalence is None else dict.fromkeys(LABELS, options.prevalence)
    config = PhantomConfig(
        seed=options.seed,
        size=tuple(options.size) if options.size else None,
        spacing_mm=tuple(options.spacing),
        prevalence=dict(shares),
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    plain = not sys.stderr.isatty()
    with Progress(*columns, disable=plain) as bar:
        task = bar.add_task("phantoms", total=options.train + options.valid)

        def progress(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, description=name)
            if plain and (done % 25 == 0 or done == total):
                print(f"{done}/{total} {name}", file=sys.stderr)

        return make_tree(
            options.out,
            train=options.train,
            valid=options.valid,
            config=config,
            workers=options.workers,
            progress=progress,
        )


if __name__ == "__main__":
    sys.exit(main())
