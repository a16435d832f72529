"""Lesions measured on the scan's own voxels, against shapes whose size, place and side are known."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pytest
import torch

from rect_core.anatomy import RegionMap
from rect_core.errors import ScanError
from rect_core.geometry import HOUSE, orientation, parse_axes, turn, turn_affine
from rect_core.preprocess import Frame, GridConfig, Preprocess
from rect_core.types import Lesion, Lesions
from rect_core.volume import StoredGrid, Volume
from rect_localizer import lesions as lesions_module
from rect_localizer.lesions import measure

Shape = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
AXES = ("SPL", "RAS", "LPS", "PIR", "LPI", "ASR")


@dataclass(frozen=True)
class Scan:
    """A chest of two boxes for lungs (100 mm wide each, the right one at x > 0), and where a model grid lies in it."""

    volume: Volume
    regions: RegionMap
    frame: Frame

    def inside(self, shape: Shape) -> np.ndarray:
        """The voxels whose centre lies in a shape given as a function of RAS mm."""
        return shape(*_ras(self.volume))

    def measure(self, *shapes: Shape, findings: tuple[str, ...] = ("lung_nodule",), threshold: float = 0.5) -> Lesions:
        """Lesions of masks that are exactly these shapes, one finding each."""
        prob = torch.stack([self.frame.soften(self.inside(shape)) for shape in shapes])
        return measure(prob, self.frame, self.volume, self.regions, findings=findings, threshold=threshold)


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
        grid_mm: tuple[float, float, float] | None = None,
    ) -> Scan:
        """spacing: (d, h, w) mm; the model grid has the scan's spacing unless grid_mm is given."""
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
        extent = tuple(math.ceil(mm / s) for mm, s in zip(size, grid_mm or spacing, strict=True))
        frame = Preprocess(GridConfig(shape=extent, spacing_mm=grid_mm or spacing)).frame(volume, regions)
        return Scan(volume, regions, frame)

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
    assert lesion.prob > 0.9


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


def test_six_orientations_give_the_same_lesions_in_world_coordinates(make_scan: MakeScan) -> None:
    shape = either(ball((50.0, 12.0, -40.0), 21.0), ball((-40.0, -9.0, 33.0), 14.0))
    first, *others = (make_scan(axes, (3.0, 1.7, 1.3)).measure(shape) for axes in AXES)
    for other in others:
        for one, same in zip(first, other, strict=True):
            assert same.centroid_ras_mm == pytest.approx(one.centroid_ras_mm, abs=1e-6)
            assert (same.side, same.region, same.voxels) == (one.side, one.region, one.voxels)
            assert same.diameter_mm == pytest.approx(one.diameter_mm)


def test_a_mirrored_scan_has_its_lesions_on_the_other_side(make_scan: MakeScan) -> None:
    scan = make_scan()
    prob = scan.frame.soften(scan.inside(ball((50.0, 0.0, 0.0), 20.0)))
    mirrored = measure(prob.flip(2)[None], scan.frame, scan.volume, scan.regions, findings=("lung_nodule",))
    assert only(mirrored).side == "left"
    assert only(mirrored).centroid_ras_mm[0] == pytest.approx(-50.0, abs=0.5)


def test_lesions_are_numbered_largest_first_and_the_crop_holds_their_numbers(make_scan: MakeScan) -> None:
    scan = make_scan()
    small, large = ball((50.0, 0.0, 40.0), 16.0), ball((-50.0, 0.0, -40.0), 30.0)
    found = scan.measure(either(small, large))
    assert [x.id for x in found] == ["lung_nodule-1", "lung_nodule-2"]
    assert [x.side for x in found] == ["left", "right"]
    dense = found.crops["lung_nodule"].dense()
    assert dense.shape == scan.volume.shape
    for number, shape in ((1, large), (2, small)):
        assert np.array_equal(dense == number, scan.inside(shape))
        assert found.items[number - 1].voxels == (dense == number).sum()


def test_voxels_that_share_only_a_corner_are_one_lesion(make_scan: MakeScan) -> None:
    scan = make_scan(spacing=(5.0, 4.0, 3.0))
    corner = either(ball((46.5, 2.0, 2.5), 2.0), ball((49.5, 6.0, 7.5), 2.0))
    apart = either(ball((46.5, 2.0, 2.5), 2.0), ball((52.5, 2.0, 2.5), 2.0))
    assert len(scan.measure(corner)) == 1
    assert len(scan.measure(apart)) == 2


def test_components_below_the_findings_least_volume_are_dropped(make_scan: MakeScan) -> None:
    scan = make_scan(spacing=(2.5, 1.0, 1.0))
    both = either(ball((50.0, 0.0, 0.0), 9.0), ball((-50.0, 0.0, 0.0), 22.0))
    found = scan.measure(both, both, findings=("lung_nodule", "pleural_effusion"))
    assert [len(found.of(finding)) for finding in found.asked] == [2, 1]
    assert found.crops["pleural_effusion"].labels.any(axis=(1, 2)).all()
    assert found.crops["pleural_effusion"].dense().sum() == found.of("pleural_effusion")[0].voxels


def test_a_finding_without_lesions_has_an_empty_crop_and_was_still_asked(make_scan: MakeScan) -> None:
    found = make_scan().measure(box((500.0,) * 3, (501.0,) * 3))
    assert (found.asked, found.items) == (("lung_nodule",), ())
    assert found.crops["lung_nodule"].labels.size == 0
    assert not found.crops["lung_nodule"].dense().any()


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


def test_probability_is_the_mean_over_the_lesion(make_scan: MakeScan) -> None:
    scan = make_scan()
    prob = 0.8 * scan.frame.soften(scan.inside(box((20.0, -30.0, -30.0), (80.0, 30.0, 30.0))))
    found = measure(prob[None], scan.frame, scan.volume, scan.regions, findings=("lung_nodule",), threshold=0.4)
    assert only(found).prob == pytest.approx(0.8, abs=0.01)


def test_on_a_coarser_model_grid_the_ball_keeps_its_place_and_most_of_its_volume(make_scan: MakeScan) -> None:
    scan = make_scan("LPS", (1.25, 0.8, 0.8), grid_mm=(5.0, 1.5, 1.5))
    lesion = only(scan.measure(ball((50.0, 12.0, -40.0), 30.0)))
    assert lesion.volume_ml == pytest.approx(math.pi / 6 * 27.0, rel=0.05)
    assert lesion.centroid_ras_mm == pytest.approx((50.0, 12.0, -40.0), abs=0.5)
    assert lesion.prob > 0.5


def test_noise_keeps_the_largest_lesions_and_says_how_many_there_were(
    make_scan: MakeScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesions_module, "MOST_INSTANCES", 20)
    scan = make_scan()
    noise = torch.rand(scan.frame.grid.shape, generator=torch.Generator().manual_seed(0)) ** 8
    found = measure(noise[None], scan.frame, scan.volume, scan.regions, findings=("lung_nodule",), threshold=0.6)
    assert len(found) == 20
    assert [x.voxels for x in found] == sorted((x.voxels for x in found), reverse=True)
    (warning,) = found.warnings
    assert "lung nodule: only the 20 largest of" in warning


def test_undefined_probabilities_and_senseless_questions_are_refused(make_scan: MakeScan) -> None:
    scan = make_scan()
    prob = torch.zeros(1, *scan.frame.grid.shape)
    place = (scan.frame, scan.volume, scan.regions)
    with pytest.raises(ScanError, match="lung_nodule holds undefined probabilities"):
        measure(prob * float("nan"), *place, findings=("lung_nodule",))
    with pytest.raises(ValueError, match="1 probability maps for 2 findings"):
        measure(prob, *place, findings=("lung_nodule", "consolidation"))
    for threshold in (0.0, 1.0):
        with pytest.raises(ValueError, match=f"threshold {threshold}"):
            measure(prob, *place, findings=("lung_nodule",), threshold=threshold)
