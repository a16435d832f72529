"""`rect render`: redraws the pictures of a saved prediction."""

import argparse
from pathlib import Path

import numpy as np

from rect_core.anatomy.region_map import bounding_box
from rect_core.errors import ScanError
from rect_core.findings import LOCALIZED
from rect_core.folders import check_place, whole_folder
from rect_core.masks import read_mask
from rect_core.read import read_volume
from rect_core.types import MaskCrop
from rect_core.volume import Volume
from rect_vlm.cases import find_cases
from rect_vlm.cli.common import Commands, stdout
from rect_vlm.outputs import read_record
from rect_vlm.render.montage import lesion_crop, overlay
from rect_vlm.render.regions import region_picture


def add_parser(commands: Commands) -> None:
    """Adds the command and its options."""
    command = commands.add_parser("render", help="redraw the overlay, the regions and one crop a lesion")
    command.add_argument("prediction", metavar="PREDICTION", help="folder of one case, as predict wrote it")
    command.add_argument("--scan", required=True, help="the scan it was made from")
    command.add_argument("--finding", choices=LOCALIZED, help="draw this finding only")
    command.add_argument("--window", choices=("lung", "mediastinum"), default="lung")
    command.add_argument("--plane", choices=("axial", "coronal", "sagittal"), help="draw this plane only")
    command.add_argument(
        "--slices", type=_slices, metavar="N,N,...", help="draw these slices (from 0, as stored) of --plane"
    )
    command.add_argument("--out", metavar="DIR", help="where the pictures go (default: PREDICTION/render)")
    command.add_argument("--allow-tilt", action="store_true", help=argparse.SUPPRESS)
    command.add_argument("--force", action="store_true", help="replace pictures that are there already")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draws overlay.png, regions.png and <lesion id>.png."""
    folder = Path(options.prediction)
    if not (folder / "findings.json").exists():
        raise ScanError(
            "file", f"{folder.name!r} holds no findings.json: give the folder of one case that predict wrote"
        )
    if options.slices and not options.plane:
        raise ValueError("--slices needs --plane axial, coronal or sagittal")
    record = read_record(folder)
    cases = find_cases([options.scan])
    if len(cases) > 1:
        raise ScanError("file", f"--scan {Path(options.scan).name!r} holds {len(cases)} scans: name the one scan")
    out = Path(options.out) if options.out else folder / "render"
    check_place(out, force=options.force, ours=_is_pictures)
    volume = read_volume(cases[0].path, case_id=record.case_id, allow_tilt=options.allow_tilt)
    wanted = (options.finding,) if options.finding else record.assessed_masks
    crops = {finding: _crop(folder / "lesions" / f"{finding}.nii.gz", volume) for finding in wanted}
    with whole_folder(out, force=options.force, ours=_is_pictures) as partial:
        picture = overlay(
            volume,
            crops,
            title=record.case_id,
            status=record.weights_status,
            window=options.window,
            plane=options.plane,
            slices=options.slices,
        )
        picture.save(partial / "overlay.png")
        region_picture(volume, read_mask(folder / "regions.nii.gz", volume)).save(partial / "regions.png")
        for lesion in record.lesions:
            if lesion.finding in crops:
                lesion_crop(
                    volume, crops[lesion.finding], lesion, status=record.weights_status, window=options.window
                ).save(partial / f"{lesion.id}.png")
    stdout().print(f"Pictures: {out}/", markup=False, soft_wrap=True)
    return 0


def _crop(path: Path, volume: Volume) -> MaskCrop:
    """The box of a saved mask that holds its instances."""
    labels = read_mask(path, volume)
    if not labels.any():
        return MaskCrop(labels=np.zeros((0, 0, 0), np.uint8), start=(0, 0, 0), shape=volume.shape)
    (d0, d1), (h0, h1), (w0, w1) = bounding_box(labels > 0)
    return MaskCrop(labels=labels[d0:d1, h0:h1, w0:w1], start=(d0, h0, w0), shape=volume.shape)


def _is_pictures(folder: Path) -> bool:
    """Whether a folder holds nothing but the pictures that this command draws."""
    names = {path.name for path in folder.iterdir()}
    return {"overlay.png", "regions.png"} <= names and all(name.endswith(".png") for name in names)


def _slices(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of slice numbers such as 10,20") from None
