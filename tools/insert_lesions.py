"""Lesions drawn into real chest CTs, with their truth: `python tools/insert_lesions.py SCAN ... --out DIR --cases 20`.

Writes `<case>.nii.gz`, a mask of each inserted finding and a manifest.csv that rect-eval and tools/evaluate.py read.
A label or finding that was not inserted is unknown, since the patient may have it; what else the scan shows of an
inserted finding is taken for none.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rect_core.anatomy import RegionMap, regions
from rect_core.findings import LABEL_OF_LOCALIZED, LABELS
from rect_core.manifest import write_manifest
from rect_core.masks import save_mask, save_volume
from rect_core.read import read_volume
from rect_core.types import ManifestRow
from rect_core.volume import Volume
from rect_data.phantom.insert import INSERTABLE, Insertion, insert
from rect_vlm.sample import sample_path

MASKED = {label: finding for finding, label in LABEL_OF_LOCALIZED.items() if label in INSERTABLE}
"""Labels whose lesions have masks."""
NOTE = "real chest CT with synthetic lesions (rect-data)"


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A scan to draw into; number: its place on the command line."""

    volume: Volume
    regions: RegionMap
    number: int


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="Synthetic lesions in the lungs of real chest CTs, with masks.")
    out.add_argument("scans", nargs="+", metavar="SCAN", help="volume files, or sample:chest")
    out.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    out.add_argument("--cases", type=int, default=20, help="of each scan (default: 20)")
    out.add_argument("--seed", type=int, default=0, help="of the draws (default: 0)")
    out.add_argument("--split", default="valid", help="that the manifest puts them in (default: valid)")
    return out


def main() -> int:
    """0 done, 2 bad usage."""
    options = parser().parse_args()
    try:
        rows = _all(options)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"{len(rows)} cases in {options.out}")
    return 0


def _all(options: argparse.Namespace) -> list[ManifestRow]:
    if options.cases < 1 or options.seed < 0:
        raise ValueError(f"--cases {options.cases} --seed {options.seed}: give at least 1 case and a seed from 0 up")
    if options.out.exists() and any(options.out.iterdir()):
        raise ValueError(f"{options.out.name} is not empty: give a new folder")
    scans = [_read(name, number) for number, name in enumerate(options.scans)]
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for scan in scans:
        for number in range(options.cases):
            rows.append(_one(scan, number, options))
            print(f"{len(rows)}/{len(scans) * options.cases} {rows[-1].case_id}", file=sys.stderr)
    write_manifest(options.out / "manifest.csv", rows)
    return rows


def _read(name: str, number: int) -> Scan:
    volume = read_volume(sample_path(name.removeprefix("sample:")) if name.startswith("sample:") else Path(name))
    return Scan(volume=volume, regions=regions(volume), number=number)


def _one(scan: Scan, number: int, options: argparse.Namespace) -> ManifestRow:
    chance = np.random.default_rng([options.seed, scan.number, number])
    drawn = [label for label in MASKED if chance.random() < 0.5] or [str(chance.choice([*MASKED]))]
    done = insert(scan.volume, scan.regions, drawn, int(chance.integers(1 << 31)))
    name = f"{scan.volume.case_id}_inserted_{scan.number}_{number:03d}"
    save_volume(options.out / f"{name}.nii.gz", done.volume, description=NOTE)
    return ManifestRow(
        case_id=name,
        volume=f"{name}.nii.gz",
        patient=f"{scan.volume.case_id}_{scan.number}",
        scan=name,
        split=options.split,
        spacing_mm=scan.volume.spacing_mm,
        lesions=_masks(done, [MASKED[label] for label in drawn], options.out, name),
        labels=tuple(1.0 if label in drawn else float("nan") for label in LABELS),
    )


def _masks(done: Insertion, findings: list[str], out: Path, name: str) -> dict[str, str]:
    for finding in findings:
        mask = done.lesions.crops[finding].dense()
        save_mask(out / f"{name}_{finding}.nii.gz", mask, done.volume, description=NOTE)
    return {finding: f"{name}_{finding}.nii.gz" for finding in findings}


if __name__ == "__main__":
    sys.exit(main())
