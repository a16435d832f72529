"""Lesions measured on the scan's own voxels, against shapes whose size, place and side are known."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pytest

from rect_core.anatomy import RegionMap
from rect_core.geometry import HOUSE, orientation, parse_axes, turn, turn_affine
from rect_core.measure import measure_masks
from rect_core.measure.components import components, find_runs
from rect_core.types import Lesion, Lesions, MaskCrop
from rect_core.volume import StoredGrid, Volume

Shape = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
AXES = ("SPL", "RAS", "LPS", "PIR", "LPI", "ASR")


@dataclass(frozen=True)
class Scan:
    """A chest of two boxes for lungs (100 mm wide each, the right one at x > 0)."""

    volume: Volume
    regions: RegionMap

    def inside(self, shape: Shape) -> np.ndarray:
        """The voxels whose centre lies in a shape given as a function of RAS mm."""
        return shape(*_ras(self.volume))

    def measure(self, *shapes: Shape, findings: tuple[str, ...] = ("lung_nodule",)) -> Lesions:
        """Lesions of masks that are exactly these shapes, one finding each, every piece a lesion."""
        masks = {finding: pieces(self.inside(shape)) for finding, shape in zip(findings, shapes, strict=True)}
        return measure_masks(masks, self.volume, self.regions)


def pieces(mask: np.ndarray) -> np.ndarray:
    """The connected pieces of a mask, numbered largest first."""
    runs = find_runs(mask)
    labels = np.zeros(mask.shape, np.uint8)
    labels[mask] = np.repeat(components(runs, mask.shape) + 1, runs.length)
    return labels


MakeScan = Callable[..., Scan]


def _ras(volume: Volume) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and z of the voxels' centres as an open grid: the phantom's axes are those of the body."""
    d, h, w = volume.shape
    index = np.zeros((max(volume.shape), 3))
    index[:] = np.arange(len(index))[:, None]
    x, y, z = volume.ras_mm(index).T
    return x[None, None, :w], y[None, :h, None], z[:d, None, None]


@pytest.fixture(scope="module")
def make_scan() -> MakeScan:
    def make(
        axes: str = "SPL",
        spacing: tuple[float, float, float] = (5.0, 2.0, 2.0),
    ) -> Scan:
        """spacing: (d, h, w) mm."""
        size = (200.0, 160.0, 240.0)
        shape = tuple(round(mm / s) for mm, s in zip(size, spacing, strict=True))
        affine = np.zeros((4, 4))
        affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = spacing[0], -spacing[1], -spacing[2], 1.0
        affine[:3, 3] = [
            x * (n - 1) / 2 for x, n in zip((spacing[2], spacing[1], -spacing[0]), shape[::-1], strict=True)
        ]
        there = parse_axes(axes)
        stored = turn(np.zeros(shape, np.int16), HOUSE, there)
        grid = StoredGrid(shape=stored.shape, affine=turn_affine(affine, shape, there))
        volume = Volume(hu=grid.to_house(stored), affine=grid.house_affine, stored=grid, case_id="phantom")
        labels = _chest(*_ras(volume))
        regions = RegionMap(labels=labels, origin="given")
        return Scan(volume, regions)

    return make


def _chest(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    zone = np.where(z > 30, 1, np.where(z > -30, 2, 3)) + np.where(x > 0, 0, 3)
    lung = (abs(x) > 10) & (abs(x) < 110) & (abs(y) < 70) & (abs(z) < 90)
    labels = np.where(lung, zone, np.where((abs(x) < 10) & (abs(y) < 40), 8, 20))
    return np.where(abs(y) > 75, 0, labels).astype(np.uint8)


def ball(centre: tuple[float, float, float], diameter: float) -> Shape:
    return ellipsoid(centre, (diameter / 2,) * 3)


def ellipsoid(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Shape:
    return lambda *p: sum(((q - c) / r) ** 2 for q, c, r in zip(p, centre, radii, strict=True)) <= 1


def cylinder(centre: tuple[float, float, float], radius: float, length: float) -> Shape:
    x, y, z = centre
    return lambda a, b, c: ((a - x) ** 2 + (b - y) ** 2 <= radius**2) & (abs(c - z) <= length / 2)


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Shape:
    return lambda *p: reduce(np.logical_and, [(a <= q) & (q <= b) for q, a, b in zip(p, low, high, strict=True)])


def either(*shapes: Shape) -> Shape:
    return lambda *p: reduce(np.logical_or, [shape(*p) for shape in shapes])


def only(found: Lesions) -> Lesion:
    assert len(found) == 1
    return found.items[0]


@pytest.mark.parametrize("axes", AXES)
def test_a_ball_has_its_volume_diameter_place_and_side_however_the_scan_is_stored(
    make_scan: MakeScan, axes: str
) -> None:
    lesion = only(make_scan(axes, (2.5, 1.0, 1.0)).measure(ball((50.0, 12.0, -40.0), 30.0)))
    assert lesion.volume_ml == pytest.approx(math.pi / 6 * 27.0, rel=0.03)
    assert lesion.diameter_mm == pytest.approx(30.0, abs=1.0)
    assert lesion.short_axis_mm == pytest.approx(30.0, abs=1.0)
    assert lesion.centroid_ras_mm == pytest.approx((50.0, 12.0, -40.0), abs=0.3)
    assert (lesion.side, lesion.region) == ("right", "right lower zone")
    assert math.isnan(lesion.prob)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (5.0, 0.8, 0.8), (2.0, 1.5, 1.0)])
def test_an_ellipsoid_has_its_two_in_plane_axes_on_every_spacing(
    make_scan: MakeScan, spacing: tuple[float, float, float]
) -> None:
    lesion = only(make_scan(spacing=spacing).measure(ellipsoid((-60.0, 0.0, 2.5), (12.0, 24.0, 20.0))))
    assert lesion.volume_ml == pytest.approx(4 / 3 * math.pi * 12 * 24 * 20 / 1000, rel=0.03)
    assert lesion.diameter_mm == pytest.approx(48.0, abs=spacing[1])
    assert lesion.short_axis_mm == pytest.approx(24.0, abs=spacing[2])
    assert (lesion.side, lesion.region) == ("left", "left middle zone")


def test_an_oblique_ellipse_is_measured_along_its_own_axes(make_scan: MakeScan) -> None:
    def tilted(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        along, across = (x - 60 + y) / math.sqrt(2), (x - 60 - y) / math.sqrt(2)
        return (along / 30) ** 2 + (across / 10) ** 2 + ((z - 2.5) / 20) ** 2 <= 1

    lesion = only(make_scan(spacing=(5.0, 1.0, 1.0)).measure(tilted))
    assert lesion.diameter_mm == pytest.approx(60.0, abs=1.0)
    assert lesion.short_axis_mm == pytest.approx(20.0, abs=1.0)


def test_a_cylinder_is_as_wide_as_its_disc_not_as_long_as_its_axis(make_scan: MakeScan) -> None:
    lesion = only(make_scan(spacing=(2.0, 1.0, 1.0)).measure(cylinder((60.0, 0.0, 0.0), 10.0, 120.0)))
    assert lesion.diameter_mm == pytest.approx(20.0, abs=1.0)
    assert lesion.volume_ml == pytest.approx(math.pi * 100 * 120 / 1000, rel=0.03)


def test_one_voxel_is_as_wide_as_itself(make_scan: MakeScan) -> None:
    lesion = only(make_scan(spacing=(5.0, 4.0, 3.0)).measure(ball((46.5, 2.0, 2.5), 2.0)))
    assert lesion.voxels == 1
    assert lesion.volume_ml == pytest.approx(0.06)
    assert (lesion.diameter_mm, lesion.short_axis_mm) == pytest.approx((4.0, 3.0))


@pytest.mark.parametrize("axes", AXES)
def test_slices_count_along_the_stored_axis_that_runs_feet_to_head(make_scan: MakeScan, axes: str) -> None:
    scan = make_scan(axes, (4.0, 2.0, 2.0))
    first, last = only(scan.measure(ball((50.0, 0.0, -40.0), 24.0))).slices
    stored = scan.volume.stored.to_stored(scan.inside(ball((50.0, 0.0, -40.0), 24.0)))
    axis = [world for world, _ in orientation(scan.volume.stored.affine)].index(2)
    held = np.flatnonzero(stored.any(tuple(i for i in range(3) if i != axis)))
    assert (first, last) == (held[0], held[-1])


def test_a_pericardial_effusion_is_midline(make_scan: MakeScan) -> None:
    around = box((-20.0, -30.0, -20.0), (8.0, 30.0, 20.0))
    lesion = only(make_scan().measure(around, findings=("pericardial_effusion",)))
    assert lesion.side == "midline"
    assert lesion.region == "heart"


def test_a_lesion_in_both_lungs_is_bilateral_from_a_fifth_on(make_scan: MakeScan) -> None:
    scan = make_scan()
    across = box((-60.0, -20.0, -20.0), (60.0, 20.0, 20.0))
    barely = box((-14.0, -20.0, -20.0), (60.0, 20.0, 20.0))
    assert only(scan.measure(across, findings=("consolidation",))).side == "bilateral"
    assert only(scan.measure(barely, findings=("consolidation",))).side == "right"


def test_beside_the_lungs_the_midline_of_the_body_decides(make_scan: MakeScan) -> None:
    scan = make_scan()
    place = {"right": (40.0, 72.5), "left": (-40.0, 72.5), "midline": (0.0, 72.5)}
    for side, (x, y) in place.items():
        lesion = only(scan.measure(ellipsoid((x, y, 0.0), (10.0, 2.0, 20.0))))
        assert (lesion.side, lesion.region) == (side, "rest of the body")


def test_a_lesion_that_only_grazes_a_lung_takes_the_side_it_lies_on(make_scan: MakeScan) -> None:
    scan = make_scan()
    grazing = either(box((20.0, 71.0, -60.0), (90.0, 75.0, 60.0)), box((-11.0, 68.0, -5.0), (30.0, 72.5, 5.0)))
    lesion = only(scan.measure(grazing, findings=("consolidation",)))
    assert lesion.side == "right"
    right = scan.regions.labels.copy()
    right[(right >= 1) & (right <= 3) & scan.inside(grazing)] = 20
    only_left = replace(scan, regions=RegionMap(labels=right, origin="given"))
    assert only(only_left.measure(grazing, findings=("consolidation",))).side == "right"


@pytest.mark.parametrize("x", [30.0, 90.0])
def test_with_one_lung_alone_the_middle_of_the_body_decides(make_scan: MakeScan, x: float) -> None:
    scan = make_scan()
    labels = scan.regions.labels.copy()
    labels[(labels >= 4) & (labels <= 6)] = 20
    alone = replace(scan, regions=RegionMap(labels=labels, origin="given"))
    beside = ellipsoid((x, 72.5, 0.0), (10.0, 2.0, 20.0))
    assert only(alone.measure(beside)).side == "right"
    assert only(alone.measure(ellipsoid((-x, 72.5, 0.0), (10.0, 2.0, 20.0)))).side == "left"


@pytest.mark.parametrize("axes", AXES)
def test_effusions_lie_on_their_own_side_or_around_the_heart(make_scan: MakeScan, axes: str) -> None:
    scan = make_scan(axes)
    right = box((20.0, -75.0, -85.0), (105.0, -50.0, 0.0))
    left = box((-105.0, -75.0, -85.0), (-20.0, -50.0, -30.0))
    heart = box((-8.0, -30.0, -40.0), (8.0, 30.0, 20.0))
    found = scan.measure(either(right, left), heart, findings=("pleural_effusion", "pericardial_effusion"))
    one, other, around = found.items
    assert [x.side for x in found] == ["right", "left", "midline"]
    assert one.centroid_ras_mm == pytest.approx((62.5, -62.5, -42.5), abs=1.5)
    assert other.centroid_ras_mm == pytest.approx((-62.5, -62.5, -57.5), abs=1.5)
    assert around.centroid_ras_mm == pytest.approx((0.0, 0.0, -10.0), abs=1.5)


def test_the_midline_is_that_of_the_chest_wherever_the_scanner_puts_it(make_scan: MakeScan) -> None:
    scan = make_scan()
    there = scan.volume.stored.affine.copy()
    there[0, 3] += 300.0
    grid = replace(scan.volume.stored, affine=there)
    moved = replace(scan, volume=replace(scan.volume, stored=grid, affine=grid.house_affine))
    for side, x in {"right": 340.0, "left": 260.0, "midline": 300.0}.items():
        lesion = only(moved.measure(ellipsoid((x, 72.5, 0.0), (10.0, 2.0, 20.0))))
        assert lesion.side == side
        assert lesion.centroid_ras_mm == pytest.approx((x, 72.5, 0.0), abs=1.5)


def test_a_pleural_effusion_is_named_after_the_pleura_or_lung_it_touches(make_scan: MakeScan) -> None:
    scan = make_scan()
    mostly_outside = box((60.0, 66.0, -60.0), (100.0, 75.0, -40.0))
    found = scan.measure(mostly_outside, mostly_outside, findings=("pleural_effusion", "consolidation"))
    assert [x.region for x in found] == ["right lower zone", "rest of the body"]


def test_what_lies_in_no_region_says_so(make_scan: MakeScan) -> None:
    assert only(make_scan().measure(box((20.0, 77.0, 0.0), (40.0, 79.0, 20.0)))).region == "outside the body"


def test_given_numbers_are_kept_whatever_their_order_and_size(make_scan: MakeScan) -> None:
    scan = make_scan()
    large, small = scan.inside(ball((50.0, 0.0, 0.0), 30.0)), scan.inside(ball((-50.0, 0.0, 0.0), 9.0))
    touching = scan.inside(box((50.0, 15.0, -5.0), (60.0, 25.0, 5.0))) & ~large
    mask = np.where(large, 7, 2 * small + 9 * touching).astype(np.uint16)
    found = measure_masks({"lung_nodule": mask, "consolidation": 0 * mask}, scan.volume, scan.regions)
    assert found.asked == ("lung_nodule", "consolidation")
    assert {x.instance: x.voxels for x in found} == {2: small.sum(), 7: large.sum(), 9: touching.sum()}
    assert found.crops["consolidation"].labels.size == 0
    assert np.array_equal(found.crops["lung_nodule"].dense(), mask)


def test_a_crop_is_measured_as_the_mask_it_stands_for(make_scan: MakeScan) -> None:
    scan = make_scan("LPS")
    whole = scan.measure(either(ball((50.0, 12.0, -40.0), 21.0), ball((-40.0, -9.0, 33.0), 14.0)))
    again = measure_masks(whole.crops, scan.volume, scan.regions)
    assert [replace(x, prob=0.0) for x in again] == [replace(x, prob=0.0) for x in whole]


def test_a_mask_of_another_scan_is_refused(make_scan: MakeScan) -> None:
    scan = make_scan()
    crop = MaskCrop(labels=np.ones((1, 1, 1), np.uint8), start=(0, 0, 0), shape=(2, 3, 4))
    with pytest.raises(ValueError, match=r"lung_nodule: the mask has \(2, 3, 4\) voxels but the scan 'phantom'"):
        measure_masks({"lung_nodule": crop}, scan.volume, scan.regions)
