"""From the drawing grid to the written one, and facts from masks, on small grids."""

from dataclasses import replace

import numpy as np
import pytest

from rect_core.anatomy import RegionMap
from rect_core.findings import LOCALIZED
from rect_core.measure import measure_masks
from rect_core.types import Lesions
from rect_core.volume import Volume
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Grid
from rect_data.phantom.parts import Part
from rect_data.phantom.truth import measured, renumber, thickness_mm, unresolved
from rect_data.phantom.written import Written, cut

SOURCE = Grid(shape=(20, 40, 48), spacing_mm=(3.0, 1.5, 1.5), origin_mm=(-30.0, -29.25, -35.25))
NODULE = Fact(label="Lung nodule", kind="solid nodule", finding="lung_nodule", instances=(1,), size_mm=4.2)


def parts() -> np.ndarray:
    """Two lungs side by side, the right one at low w."""
    out = np.full(SOURCE.shape, np.uint8(Part.FAT))
    out[4:16, 8:32, 4:22], out[4:16, 8:32, 26:44] = Part.RIGHT_LUNG, Part.LEFT_LUNG
    return out


def lesions_of(masks: dict[str, np.ndarray], grid: Grid) -> Lesions:
    labels = np.where(parts() == Part.RIGHT_LUNG, 2, np.where(parts() == Part.LEFT_LUNG, 5, 17)).astype(np.uint8)
    hu = np.zeros(grid.shape, np.int16)
    volume = Volume(hu=hu, affine=grid.stored.house_affine, stored=grid.stored, case_id="x")
    return measure_masks(masks, volume, RegionMap(labels=labels, origin="given"))


def to(spacing: tuple[float, float, float], size: tuple[int, int, int] | None = None) -> Written:
    return Written.of(SOURCE, PhantomConfig(spacing_mm=spacing, size=size), parts())


def test_the_drawing_grid_is_kept_where_it_is_the_written_one() -> None:
    way = to((3.0, 1.5, 1.5))
    hu = np.arange(np.prod(SOURCE.shape)).reshape(SOURCE.shape).astype(np.int16)
    assert way.same
    assert way.scan(hu) is hu


def test_larger_voxels_hold_the_mean() -> None:
    way = to((6.0, 3.0, 3.0))
    hu = np.random.default_rng(0).integers(-1000, 2000, SOURCE.shape).astype(np.int16)
    found = way.scan(hu)
    assert found.shape == (10, 20, 24)
    assert found[3, 4, 5] == pytest.approx(hu[6:8, 8:10, 10:12].mean(), abs=0.51)
    assert found.dtype == np.int16


def test_a_larger_field_is_padded_and_a_smaller_one_cut_without_mixing_voxels() -> None:
    hu = np.random.default_rng(0).integers(-1000, 2000, SOURCE.shape).astype(np.int16)
    wide, small = to((3.0, 1.5, 1.5), (40, 60, 60)).scan(hu), to((3.0, 1.5, 1.5), (16, 20, 20)).scan(hu)
    assert (wide[:8] == -1024).all()
    assert set(hu.ravel()) == set(wide[wide > -1024])
    assert set(small.ravel()) <= set(hu.ravel())


def test_a_mask_keeps_the_voxels_that_it_half_fills() -> None:
    way = to((6.0, 3.0, 3.0))
    mask = np.zeros(SOURCE.shape, np.uint16)
    mask[6:8, 8:10, 10:12] = 1
    mask[8, 20, 20] = 2
    mask[10:12, 20:22, 30] = 3
    found = way.instances(mask)
    assert np.argwhere(found == 1).tolist() == [[3, 4, 5]]
    assert not (found == 2).any()
    assert np.argwhere(found == 3).tolist() == [[5, 10, 15]]


def test_the_target_lies_where_the_source_does() -> None:
    for way in (to((6.5, 3.0, 3.0)), to((5.0, 2.0, 2.0), (16, 32, 64))):
        labels = way.nearest(parts())
        for part in (Part.RIGHT_LUNG, Part.LEFT_LUNG):
            one = SOURCE.point(np.argwhere(parts() == part)).mean(axis=0)
            other = way.target.point(np.argwhere(labels == part)).mean(axis=0)
            assert other == pytest.approx(one, abs=1.5)


def test_masks_are_cut_to_the_organ_of_their_finding() -> None:
    everywhere = np.ones(SOURCE.shape, np.uint16)
    found = cut({"lung_nodule": everywhere, "pleural_effusion": everywhere}, parts())
    assert found["lung_nodule"].sum() == ((parts() == Part.RIGHT_LUNG) | (parts() == Part.LEFT_LUNG)).sum()
    assert not found["pleural_effusion"].any()


def test_instances_are_numbered_largest_first_in_masks_and_facts() -> None:
    mask = np.zeros(SOURCE.shape, np.uint16)
    mask[5, 10, 10], mask[8:10, 10:14, 10:14] = 1, 4
    facts = [NODULE, replace(NODULE, instances=(4,)), replace(NODULE, instances=(2,))]
    masks, renamed = renumber({"lung_nodule": mask}, facts, SOURCE.shape)
    assert tuple(masks) == LOCALIZED
    assert [fact.instances for fact in renamed] == [(2,), (1,), (3,)]
    assert masks["lung_nodule"][5, 10, 10] == 2
    assert (masks["lung_nodule"] == 1).sum() == 32


def test_facts_get_side_lobes_and_size_of_their_masks() -> None:
    mask = np.zeros(SOURCE.shape, np.uint16)
    mask[8:10, 10:14, 10:14], mask[8:10, 10:14, 30:38] = 1, 2
    lobes = np.zeros(SOURCE.shape, np.uint8)
    lobes[:, :, :24], lobes[:, :, 24:31], lobes[:, :, 31:] = 2, 5, 4
    facts = [replace(NODULE, side="left"), replace(NODULE, instances=(1, 2))]
    one, both = measured(facts, lesions_of({"lung_nodule": mask}, SOURCE), lobes, SOURCE)
    assert (one.side, one.lobes, one.number) == ("right", ("right middle lobe",), 1)
    assert (both.side, both.lobes, both.number) == ("bilateral", ("right middle lobe", "left upper lobe"), 2)
    assert one.size_mm < both.size_mm == pytest.approx(12.8, abs=0.6)


def test_what_the_grid_cannot_show_is_said() -> None:
    drawn = np.zeros(SOURCE.shape, np.uint16)
    drawn[8, 20, 20] = 2
    facts = [NODULE, replace(NODULE, instances=(2,))]
    empty = Lesions(asked=("lung_nodule",), items=())
    grid = replace(SOURCE, spacing_mm=(6.5, 3.0, 3.0))
    assert unresolved(facts, lesions_of({"lung_nodule": drawn}, SOURCE), empty, grid) == (
        "lung_nodule-1: 4.2 mm is too small for voxels of 6.5 x 3 x 3 mm: it has no voxel in the mask",
        "lung_nodule-2: 1.5 mm is too small for voxels of 6.5 x 3 x 3 mm: it has no voxel in the mask",
    )


def test_what_lies_outside_of_the_picture_is_not_called_too_small() -> None:
    drawn = np.zeros(SOURCE.shape, np.uint16)
    drawn[14, 10:20, 5:15] = 1
    low = replace(SOURCE, shape=(8, 40, 48))
    (text,) = unresolved([NODULE], lesions_of({"lung_nodule": drawn}, SOURCE), Lesions(asked=(), items=()), low)
    assert text == "lung_nodule-1: lies outside of the scan: it has no voxel in the mask"


def test_a_layer_is_as_thick_as_it_is_whichever_way_it_lies() -> None:
    grid = Grid(shape=(30, 60, 60), spacing_mm=(3.0, 1.5, 1.5), origin_mm=(0.0, 0.0, 0.0))
    upright, flat = np.zeros(grid.shape, bool), np.zeros(grid.shape, bool)
    upright[4:26, 20:28, 4:56] = True
    flat[12:16, 4:56, 4:56] = True
    assert thickness_mm(upright, grid) == pytest.approx(12, abs=1.6)
    assert thickness_mm(flat, grid) == pytest.approx(12, abs=3.1)


def test_fluid_does_not_move_the_picture() -> None:
    flooded = parts()
    flooded[4:8][flooded[4:8] == Part.RIGHT_LUNG] = Part.RIGHT_PLEURA
    flooded[4:8][flooded[4:8] == Part.LEFT_LUNG] = Part.LEFT_PLEURA
    config = PhantomConfig(spacing_mm=(6.0, 3.0, 3.0), size=(16, 16, 16))
    assert Written.of(SOURCE, config, flooded).target == Written.of(SOURCE, config, parts()).target
