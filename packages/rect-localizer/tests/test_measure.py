"""Lesions measured on the scan's own voxels, against shapes whose size, place and side are known."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pytest
import torch

from rect_core.anatomy import RegionMap
from rect_core.errors import ScanError
from rect_core.geometry import HOUSE, parse_axes, turn, turn_affine
from rect_core.preprocess import Frame, GridConfig, Preprocess
from rect_core.types import Lesion, Lesions, OutlinePoints
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


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Shape:
    return lambda *p: reduce(np.logical_and, [(a <= q) & (q <= b) for q, a, b in zip(p, low, high, strict=True)])


def either(*shapes: Shape) -> Shape:
    return lambda *p: reduce(np.logical_or, [shape(*p) for shape in shapes])


def only(found: Lesions) -> Lesion:
    assert len(found) == 1
    return found.items[0]


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


TWO = ("lung_nodule", "consolidation")


def points(nodule: float, consolidation: float) -> OutlinePoints:
    return OutlinePoints(findings=TWO, peak=(nodule, consolidation))


@pytest.mark.parametrize("axes", AXES)
def test_a_lesion_below_its_findings_peak_does_not_count_in_any_orientation(make_scan: MakeScan, axes: str) -> None:
    scan = make_scan(axes, (3.0, 1.7, 1.3))
    faint, clear = (scan.frame.soften(scan.inside(ball((x, 0.0, 0.0), 24.0))) for x in (50.0, -50.0))
    prob = torch.maximum(0.8 * faint, clear)[None].expand(2, -1, -1, -1)
    found = measure(prob, scan.frame, scan.volume, scan.regions, findings=TWO, points=points(0.9, 0.7))
    assert [(x.finding, x.side) for x in found.of("lung_nodule")] == [("lung_nodule", "left")]
    assert sorted(x.side for x in found.of("consolidation")) == ["left", "right"]
    assert found.items[0].centroid_ras_mm[0] == pytest.approx(-50.0, abs=0.5)
    assert np.bincount(found.crops["lung_nodule"].dense().ravel())[1:].tolist() == [found.items[0].voxels]


@pytest.mark.parametrize("spacing", [(8.0, 2.0, 2.0), (5.0, 1.0, 1.0), (10.0, 0.8, 0.8), (3.0, 3.0, 3.0)])
def test_a_lesion_that_reaches_its_peak_counts_however_coarse_the_scan(
    make_scan: MakeScan, spacing: tuple[float, float, float]
) -> None:
    scan = make_scan(spacing=spacing, grid_mm=(5.0, 0.75, 0.75) if spacing[1] == 1.0 else (6.5, 3.0, 3.0))
    rng = np.random.default_rng(0)
    shape = scan.frame.grid.shape
    for _ in range(10):
        cells = np.zeros(shape, np.float32)
        centre = [int(rng.integers(n // 3, 2 * n // 3)) for n in shape]
        cells[tuple(slice(c - 1, c + 2) for c in centre)] = rng.uniform(0.3, 0.9, (3, 3, 3))
        cells[tuple(centre)] = 0.97
        prob = torch.from_numpy(cells)[None]
        cut = OutlinePoints(findings=TWO[:1], peak=(0.95,))
        counted, every = (
            measure(prob, scan.frame, scan.volume, scan.regions, findings=TWO[:1], points=points)
            for points in (cut, None)
        )
        assert len(counted) >= min(1, len(every))


def test_a_kept_lesion_is_the_same_with_and_without_its_neighbour(make_scan: MakeScan) -> None:
    scan = make_scan()
    faint, clear = (scan.frame.soften(scan.inside(ball((x, 0.0, 0.0), 20.0))) for x in (60.0, 34.0))
    prob, alone = torch.maximum(0.8 * faint, clear)[None], clear[None]
    cut = OutlinePoints(findings=TWO[:1], peak=(0.95,))
    one, same = (measure(p, scan.frame, scan.volume, scan.regions, findings=TWO[:1], points=cut) for p in (prob, alone))
    assert one.items == same.items
    assert len(measure(prob, scan.frame, scan.volume, scan.regions, findings=TWO[:1])) == 2


@pytest.mark.parametrize("axes", AXES)
def test_a_peak_outside_the_body_does_not_count_in_any_orientation(make_scan: MakeScan, axes: str) -> None:
    scan = make_scan(axes, (3.0, 1.7, 1.3))
    beside = box((-110.0, -79.0, -60.0), (-90.0, -50.0, -40.0))  # the body ends at y = -75
    outside = box((90.0, 76.0, 40.0), (110.0, 79.0, 60.0))
    cut = OutlinePoints(findings=TWO[:1], peak=(0.9,))
    prob = scan.frame.soften(scan.inside(either(beside, outside)))[None]
    found = measure(prob, scan.frame, scan.volume, scan.regions, findings=TWO[:1], points=cut)
    assert [(x.side, x.centroid_ras_mm[1] < 0) for x in found] == [("left", True)]
    assert len(measure(prob, scan.frame, scan.volume, scan.regions, findings=TWO[:1])) == 2


def test_a_threshold_of_the_caller_lets_every_lesion_count(make_scan: MakeScan) -> None:
    scan = make_scan()
    prob = 0.8 * scan.frame.soften(scan.inside(ball((50.0, 0.0, 0.0), 20.0)))[None].expand(2, -1, -1, -1)
    cuts = points(0.9, 0.9)

    def found(threshold: float | None) -> int:
        lesions = measure(prob, scan.frame, scan.volume, scan.regions, findings=TWO, threshold=threshold, points=cuts)
        return len(lesions)

    assert (found(None), found(0.5), found(0.3)) == (0, 2, 2)


def test_points_of_other_findings_are_refused(make_scan: MakeScan) -> None:
    scan = make_scan()
    prob = scan.frame.soften(scan.inside(ball((50.0, 0.0, 0.0), 20.0)))[None]
    with pytest.raises(ValueError, match="operating points are for the findings"):
        measure(prob, scan.frame, scan.volume, scan.regions, findings=("lung_nodule",), points=points(0.9, 0.9))
