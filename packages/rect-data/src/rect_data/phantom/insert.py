"""The lung findings of the phantoms drawn into the lungs of a real scan.

The scan keeps its grid, and outside the lesions its voxels. Findings are drawn on voxels of at most COARSEST_MM and
averaged, so that thick slices blur a lesion as they blur everything else, and what covers the scan's noise gets noise
as strong and as grainy as the scan has it there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Final

import numpy as np
from einops import reduce
from jaxtyping import Bool, Float32, Shaped, UInt8, UInt16

from rect_core.anatomy import RegionMap
from rect_core.anatomy.region_map import LEFT_ZONES, RIGHT_ZONES
from rect_core.errors import ScanError
from rect_core.findings import LABEL_OF_LOCALIZED, LABELS
from rect_core.hounsfield import PADDING_HU
from rect_core.measure import measure_masks
from rect_core.types import Lesions
from rect_core.volume import Volume
from rect_data.phantom.acquire import HIGHEST_HU
from rect_data.phantom.facts import Fact
from rect_data.phantom.findings import draw_labels
from rect_data.phantom.grid import Box, Grid
from rect_data.phantom.matched import ScanNoise
from rect_data.phantom.parts import LOBES, REGION_OF_PART, Part
from rect_data.phantom.real import chest_box, finer, scene_of
from rect_data.phantom.rim import around, rim_share
from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream
from rect_data.phantom.truth import measured, renumber, unresolved
from rect_data.phantom.written import cut

INSERTABLE: Final = (
    "Emphysema",
    "Lung nodule",
    "Lung opacity",
    "Pulmonary fibrotic sequela",
    "Pleural effusion",
    "Mosaic attenuation pattern",
    "Consolidation",
    "Interlobular septal thickening",
)
"""Labels whose findings need lungs and no airways or vessels that are known one by one."""

_PROBE_HU: Final = 1.0
_LEAST_LUNG_ML: Final = 100.0
_LEAST_HU: Final = 0.5
"""Smaller changes are none: the voxel stays as it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Insertion:
    """A real scan with lesions in its lungs, and what is known of it.

    volume: the scan, on its own grid and in its own type. regions: pleural fluid now belongs to its pleural shell.
    lobes: 1 to 5 as in `parts.LOBES`, 0 elsewhere. lesions: of the inserted findings alone, on the scan's voxels.
    labels: for each of the 18, 1 where it was inserted; NaN where it was not, for the patient may have it. facts: of
    what was inserted. warnings: lesions that the voxels are too large for.
    """

    volume: Volume
    regions: RegionMap
    lobes: UInt8[np.ndarray, "d h w"]
    lesions: Lesions
    labels: tuple[float, ...]
    facts: tuple[Fact, ...]
    warnings: tuple[str, ...]


def insert(
    volume: Volume,
    regions: RegionMap,
    labels: Sequence[str],
    seed: int,
    lobes: UInt8[np.ndarray, "d h w"] | None = None,
) -> Insertion:
    """Draws findings into the lungs of a scan; the same seed draws the same.

    labels: names out of INSERTABLE, others raise ValueError. seed: 0 and up. lobes: 1 to 5 as in `parts.LOBES` on the
    scan's voxels, such as `rect_core.anatomy.regions.lobes_from_totalsegmentator` gives; None fits the reference
    chest's fissures to the lungs' box. Maps of another size and lobes above 5 raise ValueError, a map (almost) without
    lungs ScanError.
    """
    _check(volume, regions, labels, seed, lobes)
    chosen = tuple(label for label in LABELS if label in labels)
    box, parted = chest_box(volume, regions), finer(volume)
    plain = scene_of(volume, regions, chosen, seed, lobes)
    scene, echo = (_drawn(plain, shift, seed) for shift in (0.0, _PROBE_HU))
    changed = _averaged(scene.hu - plain.hu, parted)
    kept = _averaged(np.clip((echo.hu - scene.hu) / np.float32(_PROBE_HU), 0, 1), parted)
    hu, lung = volume.hu[box].astype(np.float32), _middle(plain.lung(), parted)
    share = rim_share(hu, lung, volume.spacing_mm)
    changed, kept = (around(each, share, lung, volume.spacing_mm, rest) for each, rest in ((changed, 0.0), (kept, 1.0)))
    hu = _noisy(hu, _middle(plain.parts, parted) != Part.OUTSIDE, changed, kept, stream(seed, "noise"))
    return _measured(volume, regions, scene, plain.lobes, hu, np.abs(changed) >= _LEAST_HU, chosen)


def _check(
    volume: Volume,
    regions: RegionMap,
    labels: Sequence[str],
    seed: int,
    lobes: UInt8[np.ndarray, "i j k"] | None,
) -> None:
    if not labels or not set(labels) <= set(INSERTABLE):
        raise ValueError(f"labels {list(labels)} cannot all be inserted; give one or more of {', '.join(INSERTABLE)}")
    if seed < 0:
        raise ValueError(f"seed {seed} is negative: give 0 or more")
    for name, labelled in (("region map", regions.labels), ("lobe map", lobes)):
        if labelled is not None and labelled.shape != volume.shape:
            raise ValueError(
                f"the {name} has {labelled.shape} voxels but the scan {volume.case_id!r} {volume.shape}: "
                "resample the map to the scan's grid first"
            )
    if lobes is not None and lobes.max(initial=0) > len(LOBES):
        raise ValueError(f"the lobe map has the value {lobes.max()}: give 0 to {len(LOBES)}")
    lung_ml = float(regions.lungs.sum()) * volume.voxel_ml
    if 0 < lung_ml < _LEAST_LUNG_ML:  # a map without any is refused by its box
        raise ScanError(
            "regions",
            f"the region map of {volume.case_id!r} holds {lung_ml:.1f} ml of lung, less than {_LEAST_LUNG_ML:.0f}: "
            "give a map of a chest CT",
        )


def _drawn(plain: Scene, shift_hu: float, seed: int) -> Scene:
    """A copy of a scene, brighter by shift_hu, with its findings drawn into it."""
    scene = replace(
        plain,
        hu=plain.hu + np.float32(shift_hu),
        parts=plain.parts.copy(),
        lobes=plain.lobes.copy(),
        facts=[],
        instances={},
    )
    draw_labels(scene, seed)
    return scene


def _noisy(
    hu: Float32[np.ndarray, "d h w"],
    body: Bool[np.ndarray, "d h w"],
    changed: Float32[np.ndarray, "d h w"],
    kept: Float32[np.ndarray, "d h w"],
    rng: np.random.Generator,
) -> Float32[np.ndarray, "d h w"]:
    """The scan with its changes; where only a share of its own noise was kept, other noise makes up for the rest."""
    d, h, w = hu.shape
    lost = np.sqrt(1 - np.minimum(kept, 1) ** 2)
    return np.asarray(hu + changed + lost * ScanNoise.of(hu, body).draw((d, h, w), rng), np.float32)


def _measured(
    volume: Volume,
    regions: RegionMap,
    scene: Scene,
    lobes: UInt8[np.ndarray, "i j k"],
    drawn: Float32[np.ndarray, "a b c"],
    changed: Bool[np.ndarray, "a b c"],
    chosen: tuple[str, ...],
) -> Insertion:
    """Everything on the voxels of the scan. lobes: before fluid took their place."""
    box, parted = chest_box(volume, regions), finer(volume)
    grid = Grid(shape=volume.shape, spacing_mm=volume.spacing_mm, origin_mm=(0.0, 0.0, 0.0))
    numbered, facts = renumber(scene.instances, scene.facts, scene.grid.shape)
    masks = {
        finding: _whole(_shared(mask, parted), volume, box)
        for finding, mask in cut(numbered, scene.parts).items()
        if LABEL_OF_LOCALIZED[finding] in chosen
    }
    fluid = masks["pleural_effusion"] > 0 if "pleural_effusion" in masks else np.zeros(volume.shape, bool)
    known = _flooded(regions, fluid)
    whole_lobes = np.where(fluid, np.uint8(0), _whole(_middle(lobes, parted), volume, box))
    changed_volume = _with(volume, box, drawn, changed)
    lesions = measure_masks(masks, changed_volume, known)
    return Insertion(
        volume=changed_volume,
        regions=known,
        lobes=whole_lobes,
        lesions=lesions,
        labels=tuple(1.0 if label in chosen else nan for label in LABELS),
        facts=measured(facts, lesions, whole_lobes, grid),
        warnings=unresolved(facts, lesions, lesions, grid),
    )


def _flooded(regions: RegionMap, fluid: Bool[np.ndarray, "d h w"]) -> RegionMap:
    """The regions with fluid in place of lung."""
    labels = regions.labels.copy()
    for zones, part in ((RIGHT_ZONES, Part.RIGHT_PLEURA), (LEFT_ZONES, Part.LEFT_PLEURA)):
        labels[fluid & np.isin(labels, zones)] = REGION_OF_PART[part]
    return RegionMap(labels=labels, origin=regions.origin, warnings=regions.warnings)


def _with(volume: Volume, box: Box, drawn: Float32[np.ndarray, "a b c"], changed: Bool[np.ndarray, "a b c"]) -> Volume:
    """The scan with other HU where it was changed."""
    hu = volume.hu.copy()
    values = np.clip(drawn[changed], PADDING_HU, HIGHEST_HU)
    hu[box][changed] = np.rint(values).astype(np.int16) if hu.dtype == np.int16 else values
    return replace(volume, hu=hu)


def _whole(crop: Shaped[np.ndarray, "a b c"], volume: Volume, box: Box) -> Shaped[np.ndarray, "d h w"]:
    out = np.zeros(volume.shape, crop.dtype)
    out[box] = crop
    return out


def _shared(numbers: UInt16[np.ndarray, "a b c"], parted: tuple[int, int, int]) -> UInt16[np.ndarray, "d h w"]:
    """Each instance where it fills at least half of a voxel."""
    out = np.zeros(_middle(numbers, parted).shape, np.uint16)
    for number in np.unique(numbers[numbers > 0]):
        out[_averaged((numbers == number).astype(np.float32), parted) >= 0.5] = number
    return out


def _averaged(values: Float32[np.ndarray, "a b c"], parted: tuple[int, int, int]) -> Float32[np.ndarray, "d h w"]:
    a, b, c = parted
    return np.asarray(reduce(values, "(d a) (h b) (w c) -> d h w", "mean", a=a, b=b, c=c), np.float32)


def _middle(values: Shaped[np.ndarray, "a b c"], parted: tuple[int, int, int]) -> Shaped[np.ndarray, "d h w"]:
    """The value in the middle of each voxel of the scan."""
    a, b, c = parted
    return values[a // 2 :: a, b // 2 :: b, c // 2 :: c]
