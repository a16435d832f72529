"""A case by its number: drawn, scanned, written on its grid, measured, and put into words."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import UInt8, UInt16

from rect_core.findings import LABELS
from rect_core.measure import measure_masks
from rect_core.types import Lesions
from rect_core.volume import Volume
from rect_data.phantom.acquire import acquire
from rect_data.phantom.case import Case
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.draw import draw_scene
from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Grid
from rect_data.phantom.metadata import metadata
from rect_data.phantom.plan import Study, study
from rect_data.phantom.regions import region_map
from rect_data.phantom.report.reasoning import reason
from rect_data.phantom.report.writer import write
from rect_data.phantom.scene import Scene
from rect_data.phantom.settings import Settings
from rect_data.phantom.streams import stream
from rect_data.phantom.truth import measured, renumber, unresolved
from rect_data.phantom.written import Written, cut

DEFAULT: Final = PhantomConfig()


def generate(index: int, config: PhantomConfig = DEFAULT, *, labels: Sequence[str] | None = None) -> Case:
    """The phantom of this number, the same whatever was generated before. labels: names to draw instead of those the
    rules of `config` give. A negative index or an unknown label raises ValueError."""
    if unknown := [label for label in labels or () if label not in LABELS]:
        raise ValueError(f"labels {unknown} are not among the 18: {', '.join(LABELS)}")
    who = study(index)
    wanted = None if labels is None else [label for label in LABELS if label in labels]  # whatever order they came in
    scene = draw_scene(index, config, wanted)
    settings = Settings.of(config, who)
    noise = stream(config.seed, who.patient, who.scan, who.reconstruction, "noise")
    hu = acquire(scene, noise, settings)
    numbered, stated = renumber(scene.instances, scene.facts, scene.grid.shape)
    masks = cut(numbered, scene.parts)
    drawn = _Measured(hu, scene.parts, masks, scene.grid, who.name)
    facts = measured(stated, drawn.lesions, scene.lobes, scene.grid)
    way = Written.of(scene.grid, config, scene.parts)
    lobes = way.nearest(scene.lobes)
    written = drawn if way.same else _written(way, hu, scene.parts, masks, who.name)
    return _case(who, scene, settings, facts, drawn, written, lobes, config)


class _Measured:
    """A scan on one grid with its regions and the lesions measured in them."""

    def __init__(
        self,
        hu: np.ndarray,
        parts: UInt8[np.ndarray, "d h w"],
        masks: dict[str, UInt16[np.ndarray, "d h w"]],
        grid: Grid,
        case_id: str,
    ) -> None:
        stored = grid.stored
        self.grid, self.parts = grid, parts
        self.volume = Volume(hu=hu, affine=stored.house_affine, stored=stored, case_id=case_id)
        self.regions = region_map(parts, grid.spacing_mm)
        self.lesions: Lesions = measure_masks(masks, self.volume, self.regions)


def _written(
    way: Written,
    hu: np.ndarray,
    parts: UInt8[np.ndarray, "d h w"],
    masks: dict[str, UInt16[np.ndarray, "d h w"]],
    case_id: str,
) -> _Measured:
    there = way.nearest(parts)
    resampled = cut({finding: way.instances(mask) for finding, mask in masks.items()}, there)
    return _Measured(way.scan(hu), there, resampled, way.target, case_id)


def _case(
    who: Study,
    scene: Scene,
    settings: Settings,
    facts: tuple[Fact, ...],
    drawn: _Measured,
    written: _Measured,
    lobes: UInt8[np.ndarray, "d h w"],
    config: PhantomConfig,
) -> Case:
    words = stream(config.seed, who.patient, who.scan, "report")
    return Case(
        case_id=who.name,
        study=who,
        patient=scene.patient,
        settings=settings,
        grid=written.grid,
        volume=written.volume,
        regions=written.regions,
        parts=written.parts,
        lobes=lobes,
        lesions=written.lesions,
        labels=tuple(float(label in scene.labels) for label in LABELS),
        facts=facts,
        report=write(facts, scene.labels, scene.patient, scene.traits.contrast > 0, words),
        reasoning=reason(facts, scene.labels, {x.id: x.region for x in drawn.lesions}),
        metadata=metadata(settings, scene.patient, written.grid),
        contrast_hu=scene.traits.contrast,
        warnings=unresolved(facts, drawn.lesions, written.lesions, written.grid),
    )
