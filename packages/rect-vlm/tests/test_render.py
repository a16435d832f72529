"""Pictures: the right side up, the right side left, the right words on them."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from rect_core.geometry import HOUSE, apply_affine, orientation, parse_axes, turn, turn_affine
from rect_core.types import Lesion, MaskCrop
from rect_core.volume import StoredGrid, Volume
from rect_vlm.render.choose import choose_slices, shown, view_box
from rect_vlm.render.montage import lesion_crop, overlay
from rect_vlm.render.panel import Layer, View, paint
from rect_vlm.render.plane import Plane, flat, flat_crop, house_index, position, size_px, stored_index
from rect_vlm.render.regions import region_picture
from rect_vlm.render.style import FINDING_COLOURS, colour_of
from rect_vlm.render.window import LUNG, MEDIASTINUM, Window

SHAPE = (24, 40, 50)
SPACING = (4.0, 2.0, 1.5)
WHOLE = ((0, 24), (0, 40), (0, 50))
MARKER = (18, 8, 9)
"""(d, h, w): superior, anterior, to the patient's right."""

Make = Callable[..., Volume]


@pytest.fixture
def volume() -> Make:
    """A block of lung in air with one bright marker, stored in any orientation."""

    def make(axes: str = "SPL", marker: bool = True) -> Volume:
        house = np.full(SHAPE, -1000, np.int16)
        house[2:22, 4:36, 4:46] = -800
        if marker:
            house[16:21, 6:11, 6:12] = 300
        affine = np.diag([0.0, 0.0, 0.0, 1.0])
        for axis, (world, sign) in enumerate(HOUSE):
            affine[world, axis] = sign * SPACING[axis]
        affine[:3, 3] = (40.0, 30.0, -50.0)
        target = parse_axes(axes)
        stored_affine = turn_affine(affine, SHAPE, target) if target != HOUSE else affine
        stored = turn(house, HOUSE, target)
        i, j, k = stored.shape
        grid = StoredGrid(shape=(i, j, k), affine=stored_affine)
        hu = grid.to_house(np.ascontiguousarray(stored))
        return Volume(hu=hu, affine=grid.house_affine, stored=grid, case_id="case")

    return make


@pytest.fixture
def crop() -> MaskCrop:
    labels = np.zeros((6, 8, 9), np.uint8)
    labels[0:5, 0:5, 0:6] = 1
    labels[5, 7, 8] = 2
    return MaskCrop(labels=labels, start=(16, 6, 6), shape=SHAPE)


@pytest.fixture
def nodule() -> Lesion:
    return Lesion(
        finding="lung_nodule",
        instance=1,
        volume_ml=1.8,
        diameter_mm=10.2,
        short_axis_mm=float("nan"),
        side="right",
        region="right upper zone",
        centroid_ras_mm=(0.0, 0.0, 0.0),
        slices=(16, 20),
        voxels=150,
        prob=0.9,
    )


def empty() -> MaskCrop:
    return MaskCrop(labels=np.zeros((0, 0, 0), np.uint8), start=(0, 0, 0), shape=SHAPE)


def centre(picture: np.ndarray, threshold: int = 200) -> tuple[float, float]:
    """(row, column) of the bright pixels as shares of height and width."""
    rows, columns = np.nonzero(picture >= threshold)
    return float(rows.mean() / picture.shape[0]), float(columns.mean() / picture.shape[1])


@pytest.mark.parametrize("axes", ["SPL", "RAS", "LPS", "PIR", "ALI", "IRP"])
@pytest.mark.parametrize(("plane", "index"), [("axial", 18), ("coronal", 8), ("sagittal", 9)])
def test_a_marker_lies_where_a_radiologist_looks_for_it(volume: Make, axes: str, plane: Plane, index: int) -> None:
    """Anterior or superior on top; the patient's right, or anterior, on the left."""
    scan = volume(axes)
    view = View(plane=plane, box=WHOLE, window=MEDIASTINUM, px_per_mm=2.0)
    row, column = centre(np.asarray(paint(scan, view, index, []).convert("L")))
    assert row < 0.4
    assert column < 0.4


@pytest.mark.parametrize("axes", ["SPL", "RAS", "LPS", "PIR", "ALI", "IRP"])
def test_slice_labels_name_the_stored_slice_and_its_place_in_mm(volume: Make, axes: str) -> None:
    scan = volume(axes)
    world_of: dict[Plane, int] = {"axial": 2, "coronal": 1, "sagittal": 0}
    for plane, index in (("axial", 18), ("coronal", 8), ("sagittal", 9)):
        number = stored_index(scan, plane, index)
        assert house_index(scan, plane, number) == index
        world = world_of[plane]
        axis = [w for w, _ in orientation(scan.stored.affine)].index(world)
        point = np.zeros((1, 3))
        point[0, axis] = number
        there = apply_affine(scan.stored.affine, point)[0, world]
        assert position(scan, plane, index) == f"{'xyz'[world]} {there:.1f} mm"


def test_the_same_scan_in_two_orientations_gives_the_same_pixels(volume: Make) -> None:
    view = View(plane="coronal", box=WHOLE, window=LUNG, px_per_mm=2.0)
    first, second = (np.asarray(paint(volume(axes), view, 8, [])) for axes in ("LPS", "ALI"))
    assert np.array_equal(first, second)


def test_pixels_are_square(volume: Make) -> None:
    assert size_px(volume(), "axial", WHOLE, 2.0) == (150, 160)
    assert size_px(volume(), "coronal", WHOLE, 2.0) == (150, 192)
    assert size_px(volume(), "sagittal", WHOLE, 2.0) == (160, 192)


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_boxed_mask_cuts_like_the_full_mask(crop: MaskCrop, plane: Plane) -> None:
    part = ((3, 20), (7, 40), (0, 11))
    for index in (0, 7, 9, 18, 21, 23):
        for box in (WHOLE, part):
            assert np.array_equal(flat_crop(crop, plane, index, box), flat(crop.dense(), plane, index, box))


def test_windows_map_their_ends_to_black_and_white() -> None:
    hu = np.array([[-2000, -1350, -600, 150, 3000]], np.int16)
    assert LUNG.gray(hu).tolist() == [[0, 0, 128, 255, 255]]
    assert MEDIASTINUM.gray(np.array([[-160.0, 240.0]], np.float32)).tolist() == [[0, 255]]
    with pytest.raises(ValueError, match="window width 0"):
        Window(name="none", center=0, width=0)


def test_an_outline_encloses_its_mask_and_leaves_the_rest_alone(volume: Make, crop: MaskCrop) -> None:
    scan, colour = volume(marker=False), (240, 228, 66)
    view = View(plane="axial", box=WHOLE, window=LUNG, px_per_mm=3.0)
    mask = flat_crop(crop, "axial", 18, WHOLE) > 0
    plain, drawn = (np.asarray(paint(scan, view, 18, x)).astype(int) for x in ([], [Layer(mask=mask, colour=colour)]))
    rows, columns = np.nonzero((plain != drawn).any(axis=2))
    assert rows.min() / 6 == pytest.approx(6, abs=0.5)
    assert (rows.max() + 1) / 6 == pytest.approx(11, abs=0.5)
    assert columns.min() / 4.5 == pytest.approx(6, abs=0.5)
    assert (columns.max() + 1) / 4.5 == pytest.approx(12, abs=0.5)
    assert (drawn == colour).all(axis=2).any()


def test_a_single_voxel_is_never_lost(volume: Make, crop: MaskCrop) -> None:
    scan = volume(marker=False)
    view = View(plane="axial", box=WHOLE, window=LUNG, px_per_mm=0.8)
    layer = Layer(mask=flat_crop(crop, "axial", 21, WHOLE) == 2, colour=(255, 0, 0))
    drawn = np.asarray(paint(scan, view, 21, [layer])).astype(int)
    assert (drawn[..., 0] - drawn[..., 1]).max() > 60


def test_chosen_slices_show_the_lesions_first(volume: Make, crop: MaskCrop) -> None:
    scan = volume()
    axial = choose_slices(scan, {"lung_nodule": crop}, "axial", 2, None)
    assert len(axial) == 2
    assert axial[0] == 21
    assert 16 <= axial[1] < 21
    assert shown({"lung_nodule": crop}, {"axial": axial}) == (2, 2)
    assert shown({"lung_nodule": crop}, {"axial": (0,)}) == (0, 2)


def test_without_lesions_slices_spread_through_the_lungs(volume: Make) -> None:
    lungs = ((4, 20), (4, 36), (4, 46))
    chosen = choose_slices(volume(), {"lung_nodule": empty()}, "axial", 4, lungs)
    assert list(chosen) == sorted(chosen, reverse=True)
    assert all(4 <= index < 20 for index in chosen)
    assert min(-np.diff(chosen)) >= 2


def test_more_slices_than_the_scan_has_are_not_invented(volume: Make) -> None:
    assert len(choose_slices(volume(), {}, "axial", 99, None)) == SHAPE[0]


def test_the_view_leaves_out_air_and_keeps_every_mask(volume: Make, crop: MaskCrop) -> None:
    scan = volume()
    assert view_box(scan, {}, None)[1] != (0, 40)
    box = view_box(scan, {"lung_nodule": crop}, ((4, 6), (30, 32), (30, 32)))
    for (first, stop), start, size in zip(box, crop.start, crop.labels.shape, strict=True):
        assert first <= start
        assert stop >= start + size


@pytest.mark.parametrize("plane", [None, "axial", "coronal", "sagittal"])
def test_an_overlay_is_about_1800_pixels_wide(volume: Make, crop: MaskCrop, plane: Plane | None) -> None:
    crops = {"lung_nodule": crop, "consolidation": empty()}
    picture = overlay(volume(), crops, title="a" * 200, status="clinical-data", plane=plane)
    assert isinstance(picture, Image.Image)
    assert picture.mode == "RGB"
    assert 1200 <= picture.width <= 2000


def test_untrained_weights_put_a_banner_on_every_picture(volume: Make, crop: MaskCrop, nodule: Lesion) -> None:
    def red(picture: Image.Image) -> bool:
        return bool((np.asarray(picture)[:140] == (166, 28, 28)).all(axis=2).mean() > 0.1)

    crops = {"lung_nodule": crop}
    assert red(overlay(volume(), crops, title="case", status="untrained"))
    assert red(overlay(volume(), crops, title="case", status="synthetic"))
    assert not red(overlay(volume(), crops, title="case", status="clinical-data"))
    assert red(lesion_crop(volume(), crop, nodule, status="untrained"))


def test_an_overlay_of_one_finding_shows_no_other(volume: Make, crop: MaskCrop) -> None:
    crops = {"lung_nodule": crop, "consolidation": crop}
    picture = np.asarray(overlay(volume(), crops, title="case", status="clinical-data", finding="lung_nodule"))
    assert (picture == FINDING_COLOURS["lung_nodule"]).all(axis=2).any()
    assert not (picture == FINDING_COLOURS["consolidation"]).all(axis=2).any()
    with pytest.raises(KeyError):
        overlay(volume(), crops, title="case", status="clinical-data", finding="emphysema")


def test_asked_slices_are_stored_slice_numbers(volume: Make) -> None:
    scan = volume("LPI")
    assert house_index(scan, "axial", 0) == SHAPE[0] - 1
    with pytest.raises(ValueError, match="axial slice 24 is not in this scan: give 0 to 23"):
        overlay(scan, {}, title="case", status="clinical-data", plane="axial", slices=(24,))
    with pytest.raises(ValueError, match="need a plane"):
        overlay(scan, {}, title="case", status="clinical-data", slices=(2,))


def test_a_lesion_crop_shows_three_planes_with_its_outline(volume: Make, crop: MaskCrop, nodule: Lesion) -> None:
    picture = np.asarray(lesion_crop(volume(), crop, nodule, status="clinical-data"))
    third = picture.shape[1] // 3
    yellow = (picture[:700] == FINDING_COLOURS["lung_nodule"]).all(axis=2)
    assert all(yellow[:, i * third : (i + 1) * third].any() for i in range(3))


def test_a_lesion_that_its_mask_does_not_hold_is_refused(volume: Make, nodule: Lesion) -> None:
    with pytest.raises(KeyError, match="lung_nodule-1 has no voxel in its mask"):
        lesion_crop(volume(), empty(), nodule, status="clinical-data")


def test_regions_are_drawn_on_the_scan_they_belong_to(volume: Make) -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:22, 4:36, 4:20] = 1
    labels[2:22, 4:36, 30:46] = 4
    assert region_picture(volume(), labels).width > 1200
    with pytest.raises(ValueError, match="regions have"):
        region_picture(volume(), labels[1:])


def test_findings_keep_distinct_colours() -> None:
    asked = ("mass", "lung_nodule", "cavity")
    assert len({colour_of(name, asked) for name in asked}) == 3
    assert len(set(FINDING_COLOURS.values())) == 5
