"""The classical route on a real chest CT and on drawn chests with one trouble each."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rect_core.anatomy import LUNG_AIR_MIN_ML, lung_air_ml, regions
from rect_core.errors import ScanError
from rect_core.findings import region_value
from rect_core.geometry import HOUSE, parse_axes, turn
from rect_core.volume import StoredGrid, Volume

SPACING = (4.0, 2.6, 2.6)
SHAPE = (76, 104, 144)
AIR, LUNG, TISSUE, BONE = -1000.0, -850.0, 40.0, 450.0
RIGHT, LEFT = (1, 2, 3), (4, 5, 6)


def volume_of(hu: np.ndarray, spacing: tuple[float, float, float], axes: str = "SPL") -> Volume:
    """A house-ordered array as a scan stored in other axes; the world's origin stays at the house's first voxel."""
    house = np.zeros((4, 4))
    house[2, 0], house[1, 1], house[0, 2], house[3, 3] = spacing[0], -spacing[1], -spacing[2], 1.0
    target = parse_axes(axes)
    whole = StoredGrid(shape=hu.shape, affine=house)
    stored = turn(hu, HOUSE, target)
    grid = StoredGrid(shape=stored.shape, affine=_turned(house, hu.shape, axes))
    assert whole.house_shape == grid.house_shape
    np.testing.assert_allclose(grid.house_affine, house, atol=1e-9)
    return Volume(hu=grid.to_house(np.ascontiguousarray(stored)), affine=house, stored=grid, case_id="scan")


def _turned(affine: np.ndarray, shape: tuple[int, ...], axes: str) -> np.ndarray:
    from rect_core.geometry import turn_affine

    return turn_affine(affine, shape, parse_axes(axes))


def share(labels: np.ndarray, values: tuple[int, ...], where: np.ndarray) -> float:
    """Share of a place that has one of the values."""
    return float(np.isin(labels[where], values).mean())


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


class Chest:
    """A drawn chest; x grows to the patient's left, y to the back, z to the head, in mm from the middle of the body."""

    def __init__(self, spacing: tuple[float, float, float] = SPACING, shape: tuple[int, int, int] = SHAPE) -> None:
        self.spacing = spacing
        z, y, x = (np.arange(n) * s for n, s in zip(shape, spacing, strict=True))
        self.z = z[:, None, None]
        self.y, self.x = (y - 120.0)[None, :, None], (x - x[-1] / 2)[None, None, :]
        self.hu = np.full(shape, AIR)
        self.noise = np.random.default_rng(0).normal(0, 25, shape)
        self.paint(self.ellipse(0, 0, 165, 105), TISSUE)
        for height in range(40, 290, 28):
            ring = self.ellipse(0, 0, 148, 94) & ~self.ellipse(0, 0, 138, 84) & (np.abs(self.z - height) < 6)
            self.paint(ring, BONE)
        self.paint(self.ellipse(0, 72, 17, 17) | (self.ellipse(0, 95, 6, 14)), BONE)
        self.right, self.left = self.lung(-72), self.lung(72)
        self.paint(self.right | self.left, LUNG)
        self.airway = self.tube((280, 0, -5), (300, 0, -5), 8) | self.tube((190, 0, -5), (280, 0, -5), 8)
        self.airway |= self.tube((192, 0, -5), (165, -40, -5), 6) | self.tube((192, 0, -5), (165, 40, -5), 6)
        self.paint(self.airway, AIR)

    def ellipse(self, x: float, y: float, rx: float, ry: float) -> np.ndarray:
        flat = ((self.x - x) / rx) ** 2 + ((self.y - y) / ry) ** 2 <= 1
        return np.broadcast_to(flat, self.hu.shape)

    def ball(self, x: float, y: float, z: float, r: float) -> np.ndarray:
        return np.asarray((self.x - x) ** 2 + (self.y - y) ** 2 + (self.z - z) ** 2 <= r * r)

    def lung(self, x: float) -> np.ndarray:
        height = np.clip((275 - self.z) / 60, 0, 1)
        shape = ((self.x - x) / 56) ** 2 + (self.y / 78) ** 2 <= height
        dome = ((self.x - x) / 50) ** 2 + (self.y / 70) ** 2 + ((self.z - 40) / 60) ** 2 <= 1
        return np.asarray(shape & ~dome & (self.z > 45))

    def tube(self, start: tuple[float, float, float], end: tuple[float, float, float], r: float) -> np.ndarray:
        a, b = np.array(start), np.array(end)
        along = b - a
        t = ((self.z - a[0]) * along[0] + (self.x - a[1]) * along[1] + (self.y - a[2]) * along[2]) / along.dot(along)
        t = np.clip(t, 0, 1)
        gap = (self.z - a[0] - t * along[0]) ** 2 + (self.x - a[1] - t * along[1]) ** 2
        return np.asarray(gap + (self.y - a[2] - t * along[2]) ** 2 <= r * r)

    def paint(self, where: np.ndarray, hu: float) -> None:
        self.hu[where] = hu

    def volume(self) -> Volume:
        return volume_of(np.clip(self.hu + self.noise, -1024, 3000).round().astype(np.int16), self.spacing)


@pytest.fixture(scope="module")
def real() -> tuple[Volume, np.ndarray]:
    """The thorax CT of slicerio (10 x 3.05 x 3.05 mm) and its labels: 5 right lung, 6 left lung."""
    import nrrd

    spec = importlib.util.find_spec("slicerio")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "data"
    hu, header = nrrd.read(str(folder / "CTChest4.nrrd"))
    labels, _ = nrrd.read(str(folder / "Segmentation.seg.nrrd"))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = header["space directions"].T, header["space origin"]
    grid = StoredGrid(shape=hu.shape, affine=np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
    house = np.clip(grid.to_house(hu.astype(np.int16)), -1024, None)
    return Volume(hu=house, affine=grid.house_affine, stored=grid, case_id="chest"), grid.to_house(labels)


@pytest.fixture(scope="module")
def found(real: tuple[Volume, np.ndarray]) -> np.ndarray:
    return regions(real[0]).labels


def centroid_ras(labels: np.ndarray, values: tuple[int, ...], volume: Volume) -> np.ndarray:
    points = np.argwhere(np.isin(labels, values)).astype(np.float64)
    return volume.ras_mm(points).mean(axis=0)


def test_each_lung_of_a_real_scan_agrees_with_the_human_labels(
    real: tuple[Volume, np.ndarray], found: np.ndarray
) -> None:
    assert dice(np.isin(found, RIGHT), real[1] == 5) >= 0.97
    assert dice(np.isin(found, LEFT), real[1] == 6) >= 0.97


def test_organs_of_a_real_scan_have_a_plausible_size_and_side(
    real: tuple[Volume, np.ndarray], found: np.ndarray
) -> None:
    volume = real[0]
    bounds = {"airway": (10, 120), "heart": (350, 1000), "spine": (300, 1100), "liver": (800, 3000)}
    for region, (low, high) in bounds.items():
        assert low < float((found == region_value(region)).sum()) * volume.voxel_ml < high, region
    liver, stomach, spine, heart = (
        centroid_ras(found, (region_value(name),), volume) for name in ("liver", "stomach and spleen", "spine", "heart")
    )
    assert liver[0] > spine[0] > stomach[0]
    assert heart[1] > spine[1] + 60
    assert heart[2] > liver[2] + 60


def test_spine_and_ribs_lie_where_a_human_drew_bones(real: tuple[Volume, np.ndarray], found: np.ndarray) -> None:
    in_lung_slices = np.isin(found, (*RIGHT, *LEFT)).any(axis=(1, 2))[:, None, None]
    assert share(found, (15,), (real[1] == 3) & in_lung_slices) > 0.8
    assert share(found, (15, 16), (real[1] == 1) & in_lung_slices) > 0.7


def test_table_and_air_around_a_real_scan_are_outside_the_body(
    real: tuple[Volume, np.ndarray], found: np.ndarray
) -> None:
    below_back = np.zeros(found.shape, bool)
    below_back[:, 108:] = True
    assert share(found, (0,), below_back) == 1.0
    assert 0.3 < float((found > 0).mean()) < 0.7


def test_absent_regions_are_named_and_not_drawn(real: tuple[Volume, np.ndarray]) -> None:
    drawn = regions(real[0])
    absent = {i + 1 for i, here in enumerate(drawn.present) if not here}
    assert absent == {9, 10, 11}
    assert drawn.origin == "classical"


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SPL", "PIR", "ASL", "ILA"])
def test_any_storage_order_gives_the_same_map_and_right_is_at_higher_ras_x(
    axes: str, real: tuple[Volume, np.ndarray], found: np.ndarray
) -> None:
    volume = volume_of(np.ascontiguousarray(real[0].hu), real[0].spacing_mm, axes)
    assert volume.stored.axes == axes
    labels = regions(volume).labels
    np.testing.assert_array_equal(labels, found)
    right, left = (centroid_ras(labels, side, volume) for side in (RIGHT, LEFT))
    assert right[0] - left[0] > 100


def test_a_mirrored_array_swaps_the_sides(real: tuple[Volume, np.ndarray], found: np.ndarray) -> None:
    mirrored = volume_of(np.ascontiguousarray(real[0].hu[:, :, ::-1]), real[0].spacing_mm)
    labels = regions(mirrored).labels[:, :, ::-1]
    assert dice(np.isin(labels, RIGHT), np.isin(found, LEFT)) > 0.99
    assert dice(np.isin(labels, LEFT), np.isin(found, RIGHT)) > 0.99


@pytest.mark.parametrize("degrees", [-10, 10])
def test_a_patient_turned_on_the_table_keeps_lungs_and_spine(
    degrees: int, real: tuple[Volume, np.ndarray], found: np.ndarray
) -> None:
    from scipy import ndimage

    turned = ndimage.rotate(real[0].hu, degrees, axes=(1, 2), reshape=False, order=1, cval=-1000)
    labels = regions(volume_of(turned, real[0].spacing_mm)).labels
    expected = ndimage.rotate(found, degrees, axes=(1, 2), reshape=False, order=0)
    assert dice(np.isin(labels, RIGHT), np.isin(expected, RIGHT)) > 0.97
    assert dice(np.isin(labels, LEFT), np.isin(expected, LEFT)) > 0.97
    assert dice(labels == 15, expected == 15) > 0.8


def test_a_field_of_view_that_cuts_a_lung_keeps_what_it_shows(
    real: tuple[Volume, np.ndarray], found: np.ndarray
) -> None:
    narrow = regions(volume_of(np.ascontiguousarray(real[0].hu[:, :, 24:108]), real[0].spacing_mm)).labels
    for side in (RIGHT, LEFT):
        assert dice(np.isin(narrow, side), np.isin(found[:, :, 24:108], side)) > 0.98


def test_zones_are_thirds_of_each_lung_in_height(found: np.ndarray) -> None:
    for values in (RIGHT, LEFT):
        heights = [int(np.isin(found, (v,)).any(axis=(1, 2)).sum()) for v in values]
        assert max(heights) - min(heights) <= 1
        middles = [float(np.argwhere(found == v)[:, 0].mean()) for v in values]
        assert middles == sorted(middles, reverse=True)


def test_a_plain_chest_is_found_whole() -> None:
    chest = Chest()
    drawn = regions(chest.volume())
    assert dice(np.isin(drawn.labels, RIGHT), chest.right) > 0.96
    assert dice(np.isin(drawn.labels, LEFT), chest.left) > 0.96
    assert share(drawn.labels, (7,), chest.airway & (chest.z > 190)) > 0.95
    assert share(drawn.labels, (15,), chest.ellipse(0, 72, 14, 14) & (chest.z > 60) & (chest.z < 260)) > 0.9


def test_fine_voxels_get_borders_of_their_own() -> None:
    chest = Chest((2.0, 1.3, 1.3), (152, 208, 288))
    labels = regions(chest.volume()).labels
    assert dice(np.isin(labels, RIGHT), chest.right & ~chest.airway) > 0.975
    body = chest.ellipse(0, 0, 165, 105)
    assert dice(labels > 0, body) > 0.995


def test_the_airway_stops_at_an_emphysematous_lung() -> None:
    chest = Chest()
    chest.paint((chest.right | chest.left) & ~chest.airway, -955.0)
    chest.paint(chest.tube((165, -40, -5), (150, -70, 0), 7), -960.0)
    vessels = np.sin(chest.x / 4) * np.sin(chest.y / 4) * np.sin(chest.z / 6) > 0.3
    chest.paint(vessels & (chest.right | chest.left), -800.0)
    labels = regions(chest.volume()).labels
    ml = float((labels == 7).sum()) * float(np.prod(SPACING)) / 1000
    assert 10 < ml < 120
    assert share(labels, RIGHT, chest.right) > 0.93


def test_a_mass_inside_a_lung_and_one_at_the_chest_wall_belong_to_the_lung() -> None:
    chest = Chest()
    inside, at_wall = chest.ball(-70, 0, 170, 25), chest.ball(118, 0, 150, 20) & chest.left
    chest.paint(inside | at_wall, TISSUE)
    labels = regions(chest.volume()).labels
    assert share(labels, RIGHT, inside) > 0.98
    assert share(labels, LEFT, at_wall) > 0.75  # its outermost layer is pleural shell
    assert share(labels, (*LEFT, 14), at_wall) > 0.99


def test_touching_lungs_are_parted_at_the_junction() -> None:
    chest = Chest()
    bridge = (np.abs(chest.x) < 40) & (np.abs(chest.y + 55) < 4) & (np.abs(chest.z - 180) < 30)
    chest.paint(bridge, LUNG)
    labels = regions(chest.volume()).labels
    assert share(labels, RIGHT, chest.right) > 0.97
    assert share(labels, LEFT, chest.left) > 0.97
    assert share(labels, LEFT, bridge & (chest.x < -12)) < 0.05
    assert share(labels, RIGHT, bridge & (chest.x > 12)) < 0.05


def test_lungs_that_nothing_parts_are_divided_at_the_spine_and_it_is_said() -> None:
    chest = Chest()
    wide = (np.abs(chest.x) < 110) & (np.abs(chest.y) < 62) & (chest.z > 50) & ~chest.airway
    chest.paint(wide, LUNG)
    drawn = regions(chest.volume())
    assert any("divided at the spine" in warning for warning in drawn.warnings)
    assert share(drawn.labels, RIGHT, wide & (chest.x < -12)) > 0.95
    assert share(drawn.labels, LEFT, wide & (chest.x > 12)) > 0.95


def test_the_diaphragm_dome_is_not_filled_as_a_hole_of_the_lung() -> None:
    chest = Chest()
    labels = regions(chest.volume()).labels
    dome = ((chest.x - 72) / 45) ** 2 + (chest.y / 65) ** 2 + ((chest.z - 40) / 55) ** 2 <= 1
    assert share(labels, LEFT, dome & (chest.z > 45)) < 0.03
    assert share(labels, (19, 14), dome & (chest.z > 45)) > 0.9


def test_fluid_in_one_chest_half_leaves_the_aerated_rest_and_is_warned_of() -> None:
    chest = Chest()
    fluid = chest.left & (chest.y > -30)
    chest.paint(fluid, 10.0)
    drawn = regions(chest.volume())
    aerated = chest.left & ~fluid
    assert share(drawn.labels, LEFT, aerated) > 0.95
    assert share(drawn.labels, (1, 2, 3, 7), fluid) < 0.01
    assert any("left lung region" in warning for warning in drawn.warnings)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_wholly_opaque_lung_is_absent_and_named_never_guessed(side: str) -> None:
    chest = Chest()
    gone, kept = (chest.right, LEFT) if side == "right" else (chest.left, RIGHT)
    chest.paint(gone, TISSUE)
    drawn = regions(chest.volume())
    absent = RIGHT if side == "right" else LEFT
    assert not any(drawn.present[v - 1] for v in absent)
    assert all(drawn.present[v - 1] for v in kept)
    assert any(f"the {side} lung's regions are absent" in warning for warning in drawn.warnings)


def test_bowel_gas_under_the_left_dome_is_no_lung() -> None:
    chest = Chest()
    gas = chest.ball(75, -20, 70, 22)
    chest.paint(gas, AIR)
    labels = regions(chest.volume()).labels
    assert share(labels, (*RIGHT, *LEFT), gas) < 0.02
    assert share(labels, LEFT, chest.left) > 0.97


def test_a_table_and_a_blanket_stay_outside_the_body() -> None:
    chest = Chest()
    table = (np.abs(chest.y - 119) < 4) & (np.abs(chest.x) < 180) & (chest.z > -1)
    strap = (np.abs(chest.x - 40) < 4) & (chest.y > 90) & (chest.y < 119) & (chest.z > -1) & (chest.hu < -500)
    blanket = chest.ellipse(0, 0, 172, 112) & ~chest.ellipse(0, 0, 168, 108) & (chest.y < 0)
    chest.paint(table | blanket | strap, -100.0)
    labels = regions(chest.volume()).labels
    assert share(labels, (0,), table) > 0.9
    assert share(labels, (0,), blanket & (chest.ellipse(0, 0, 166, 106) == 0)) > 0.95


def test_a_scan_without_lungs_is_refused() -> None:
    chest = Chest()
    chest.paint(chest.ellipse(0, 0, 150, 100) & (chest.hu < -500), TISSUE)
    with pytest.raises(ScanError, match="of lung found"):
        regions(chest.volume())


def head() -> np.ndarray:
    chest = Chest()
    chest.hu[:] = AIR
    chest.paint(chest.ball(0, 0, 150, 95), TISSUE)
    chest.paint(chest.ball(0, 0, 150, 90) & ~chest.ball(0, 0, 150, 84), BONE)
    for x in (-30, 30):
        chest.paint(chest.ball(x, -50, 110, 17), AIR)
        chest.paint(chest.ball(2 * x, 20, 120, 12), -500.0)
    return chest.hu + chest.noise


def legs() -> np.ndarray:
    chest = Chest()
    chest.hu[:] = AIR
    for x in (-80, 80):
        chest.paint(chest.ellipse(x, 0, 70, 70), TISSUE)
    return chest.hu + chest.noise


def belly() -> np.ndarray:
    chest = Chest()
    chest.paint(chest.ellipse(0, 0, 150, 100), TISSUE)
    for x, z, r in ((60, 200, 35), (-60, 120, 30), (0, 60, 32)):
        chest.paint(chest.ball(x, -30, z, r), AIR)
    return chest.hu + chest.noise


@pytest.mark.parametrize("draw", [head, legs, belly])
def test_other_body_parts_hold_less_lung_air_than_the_door_asks_for(draw: Callable[[], np.ndarray]) -> None:
    assert lung_air_ml(np.clip(draw(), -1024, 3000).astype(np.float32), SPACING) < LUNG_AIR_MIN_ML / 3


def test_a_chest_holds_its_volume_of_lung_air(real: tuple[Volume, np.ndarray]) -> None:
    volume, labels = real
    truth = float(np.isin(labels, (5, 6)).sum()) * volume.voxel_ml
    assert lung_air_ml(volume.hu, volume.spacing_mm) == pytest.approx(truth, rel=0.05)
    assert lung_air_ml(volume.hu[:6], volume.spacing_mm) < LUNG_AIR_MIN_ML
    chest = Chest()
    drawn = float((chest.right | chest.left).sum()) * float(np.prod(SPACING)) / 1000
    assert lung_air_ml(chest.volume().hu, SPACING) == pytest.approx(drawn, rel=0.1)
