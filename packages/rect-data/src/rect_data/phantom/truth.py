"""What a phantom's masks say about it: facts as measured, whatever was intended."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Bool, UInt8, UInt16

from rect_core.findings import LOCALIZED
from rect_core.types import Lesion, Lesions
from rect_data.phantom.facts import Fact, pericardial_severity
from rect_data.phantom.grid import Grid
from rect_data.phantom.parts import LOBES
from rect_data.phantom.written import slices_of

FLUID: Final = ("pericardial_effusion", "pleural_effusion")
"""Findings whose size is a thickness and which lie in no lobe."""

_LEAST_SHARE: Final = 0.15
_MOST_VOXELS: Final = 1_000_000

Masks = Mapping[str, UInt16[np.ndarray, "d h w"]]


def renumber(
    masks: Masks, facts: Sequence[Fact], shape: tuple[int, int, int]
) -> tuple[dict[str, np.ndarray], list[Fact]]:
    """Masks and facts with the instances of every finding numbered from 1, largest first, those without a voxel last;
    a map for each of LOCALIZED."""
    out: dict[str, np.ndarray] = {}
    changed: dict[str, dict[int, int]] = {}
    for finding in LOCALIZED:
        mask = masks.get(finding, np.zeros(shape, np.uint16))
        stated = sorted({i for fact in facts if fact.finding == finding for i in fact.instances})
        slab = slices_of(mask)
        counts = np.bincount(mask[slab].ravel(), minlength=max(stated, default=0) + 1)
        held = [i for i in range(1, len(counts)) if counts[i] or i in stated]
        order = sorted(held, key=lambda i: (-counts[i], i))
        changed[finding] = {old: new for new, old in enumerate(order, 1)}
        table = np.zeros(len(counts), np.uint16)
        table[order] = np.arange(1, len(order) + 1)
        out[finding] = np.zeros(shape, np.uint16)
        out[finding][slab] = table[mask[slab]]
    return out, [_renamed(fact, changed) for fact in facts]


def measured(
    facts: Sequence[Fact], lesions: Lesions, lobes: UInt8[np.ndarray, "d h w"], grid: Grid
) -> tuple[Fact, ...]:
    """Facts with side, lobes, size and number of the lesions of their masks. A fact none of whose instances has a voxel
    keeps what was intended; one of several instances is bilateral where they lie on both sides; pericardial fluid is
    graded by its measured thickness."""
    found = {(x.finding, x.instance): x for x in lesions}
    out = []
    for fact in facts:
        own = [found[fact.finding, i] for i in fact.instances if (fact.finding, i) in found]
        if not own:
            out.append(replace(fact, number=len(fact.instances)) if fact.instances else fact)
            continue
        sides = {x.side for x in own}
        fluid = fact.finding in FLUID
        size = max(_size(x, lesions, grid) for x in own)
        out.append(
            replace(
                fact,
                side=own[0].side if len(sides) == 1 else "bilateral",
                lobes=() if fluid else _lobes(own, lobes, lesions),
                size_mm=size,
                number=len(fact.instances),
                severity=pericardial_severity(size) if fact.finding == FLUID[0] else fact.severity,
            )
        )
    return tuple(out)


def unresolved(facts: Sequence[Fact], drawn: Lesions, written: Lesions, grid: Grid) -> tuple[str, ...]:
    """One sentence for every instance that the grid cannot show, and why: it is too small or lies outside."""
    known = {(x.finding, x.instance): x for x in drawn}
    shown = {(x.finding, x.instance) for x in written}
    voxels = " x ".join(f"{s:g}" for s in grid.spacing_mm)
    out = []
    for fact in facts:
        for number in fact.instances:
            lesion = known.get((fact.finding, number))
            if (fact.finding, number) in shown:
                continue
            if lesion is not None and not _holds(grid, lesion):
                why = "lies outside of the scan"
            else:
                size = fact.size_mm if lesion is None else lesion.diameter_mm
                why = f"{size:.1f} mm is too small for voxels of {voxels} mm"
            out.append(f"{fact.finding}-{number}: {why}: it has no voxel in the mask")
    return tuple(sorted(out))


def _holds(grid: Grid, lesion: Lesion) -> bool:
    """Whether the middle of a lesion lies in the picture."""
    x, y, z = lesion.centroid_ras_mm
    at = grid.index(np.array([[z, -y, -x]]))[0]
    return bool(((at > -0.5) & (at < np.array(grid.shape) - 0.5)).all())


def thickness_mm(mask: Bool[np.ndarray, "d h w"], grid: Grid) -> float:
    """Largest thickness of a layer: the widest ball that fits into it. An axial slice would show a layer that lies flat
    in it far too thick."""
    from scipy import ndimage

    step = 1 if mask.size <= _MOST_VOXELS else 2
    sd, sh, sw = grid.spacing_mm
    padded = np.pad(mask[:, ::step, ::step], 1)
    inside = ndimage.distance_transform_edt(padded, sampling=(sd, sh * step, sw * step))
    return float(2 * inside.max() - (sh + sw) / 2 * step)


def _renamed(fact: Fact, changed: Mapping[str, Mapping[int, int]]) -> Fact:
    if not fact.instances:
        return fact
    return replace(fact, instances=tuple(sorted(changed[fact.finding][i] for i in fact.instances)))


def _size(lesion: Lesion, lesions: Lesions, grid: Grid) -> float:
    if lesion.finding not in FLUID:
        return lesion.diameter_mm
    return thickness_mm(lesions.crops[lesion.finding].labels == lesion.instance, grid)


def _lobes(own: Sequence[Lesion], lobes: UInt8[np.ndarray, "d h w"], lesions: Lesions) -> tuple[str, ...]:
    """Lobes that hold at least 15 % of the voxels, right upper to left lower."""
    crop = lesions.crops[own[0].finding]
    held = np.isin(crop.labels, [x.instance for x in own])
    counts = np.bincount(lobes[crop.box][held], minlength=len(LOBES) + 1)
    return tuple(name for name, n in zip(LOBES, counts[1:], strict=True) if n >= _LEAST_SHARE * held.sum())
