"""Noise, blur and streaks, on small boxes of tissue whose picture is known."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from rect_data.phantom.acquire import acquire, outside_circle
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.grain import grain
from rect_data.phantom.grid import Grid
from rect_data.phantom.metadata import COLUMNS, metadata
from rect_data.phantom.patient import Patient, patient_of
from rect_data.phantom.plan import study
from rect_data.phantom.pose import Pose
from rect_data.phantom.scene import Scene
from rect_data.phantom.settings import SHARPNESS, TYPICAL, Settings
from rect_data.phantom.traits import Traits

SOMEBODY = Patient(age=36, sex="M", stature=1.0, build=0.5)
QUIET = replace(TYPICAL, noise_hu=0.0)
MakeScene = Callable[..., Scene]


@pytest.fixture(scope="module")
def make_scene() -> MakeScene:
    def make(
        shape: tuple[int, int, int] = (12, 120, 160), spacing: tuple[float, float, float] = (3.0, 2.0, 2.0)
    ) -> Scene:
        """An ellipse of water in air."""
        grid = Grid(shape=shape, spacing_mm=spacing, origin_mm=(-15.0, -119.0, -159.0))
        pose = Pose.of(SOMEBODY, np.random.default_rng(0))
        traits = Traits.of(SOMEBODY, (), np.random.default_rng(0))
        scene = Scene.empty(grid, SOMEBODY, (), pose, traits)
        _, y, x = grid.axes_mm
        scene.hu[:, ((y / 95) ** 2 + (x / 140) ** 2 < 1)[0]] = 0.0
        return scene

    return make


def correlation(noise: np.ndarray, axis: int) -> float:
    one, other = np.moveaxis(noise, axis, 0)[1:], np.moveaxis(noise, axis, 0)[:-1]
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.mark.parametrize("sharpness", SHARPNESS)
def test_grain_is_correlated_in_the_plane_and_not_across_slices(sharpness: str) -> None:
    grid = Grid(shape=(20, 101, 97), spacing_mm=(3.0, 1.5, 1.5), origin_mm=(0.0, 0.0, 0.0))
    cutoff = {"soft": 0.14, "medium": 0.19, "sharp": 0.25}[sharpness]
    noise = grain(grid, replace(TYPICAL, grain_mm=cutoff), np.random.default_rng(1))
    assert noise.shape == grid.shape
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)
    assert float(noise.std()) == pytest.approx(1, abs=0.03)
    assert correlation(noise, 1) > 0.05
    assert correlation(noise, 2) > 0.05
    assert correlation(noise, 0) == pytest.approx(0, abs=0.02)


def test_grain_has_few_coarse_and_few_fine_details() -> None:
    grid = Grid(shape=(8, 128, 128), spacing_mm=(3.0, 1.5, 1.5), origin_mm=(0.0, 0.0, 0.0))
    noise = grain(grid, TYPICAL, np.random.default_rng(2))
    power = (np.abs(np.fft.fft2(noise)) ** 2).mean(axis=0)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(128, 1.5), np.fft.fftfreq(128, 1.5)))
    low, middle, high = (power[(f > a) & (f < b)].mean() for a, b in ((0.0, 0.02), (0.1, 0.16), (0.4, 0.5)))
    assert low < 0.3 * middle
    assert high < 0.1 * middle


def test_noise_has_the_strength_of_the_settings_and_thick_slices_do_not_lower_it(make_scene: MakeScene) -> None:
    scene = make_scene()
    for thickness in (1.0, 5.0):
        hu = acquire(scene, np.random.default_rng(3), replace(TYPICAL, noise_hu=25.0, slice_mm=thickness))
        assert hu.dtype == np.int16
        assert float(hu[2:-2, 50:70, 70:90].std()) == pytest.approx(25 * 1.15, rel=0.25)


def test_the_middle_of_the_body_is_noisier_than_its_edge_and_the_air(make_scene: MakeScene) -> None:
    hu = acquire(make_scene(), np.random.default_rng(4), TYPICAL).astype(float)
    assert hu[:, 55:65, 75:85].std() > hu[:, 18:24, 75:85].std()
    assert hu[:, 2:8, 2:8].std() < 0.9 * hu[:, 55:65, 75:85].std()


def test_soft_kernels_blur_more_and_sharp_ones_overshoot(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.hu[:, :, 80:] = -800.0
    soft, sharp = (
        acquire(scene, np.random.default_rng(0), replace(QUIET, psf_mm=psf, edge=edge))[6, 60, 70:90].astype(int)
        for psf, edge in ((1.0, 0.0), (0.5, 0.5))
    )
    assert np.abs(np.diff(soft)).max() < np.abs(np.diff(sharp)).max()
    assert soft.max() <= 5
    assert sharp.max() > 15


def test_thick_slices_mix_their_neighbours(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.hu[6:, 40:80, 60:100] = -800.0
    thin, thick = (acquire(scene, np.random.default_rng(0), replace(QUIET, slice_mm=t))[5, 60, 80] for t in (1.0, 5.0))
    assert thin > -30
    assert thick < -60


def test_values_are_those_of_a_scanner_and_padding_lies_outside_the_circle(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.hu[5, 58:62, 78:82] = 9000.0
    hu = acquire(scene, np.random.default_rng(5), replace(TYPICAL, circle=True))
    assert hu.max() == 3071
    assert hu.min() == -1024
    outside = outside_circle(scene.grid)
    assert outside.any()
    assert (hu[:, outside] == -1024).all()


def test_metal_throws_streaks_in_its_own_slices_only(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.hu[6, 50:54, 60:70] = 3500.0
    hu = acquire(scene, np.random.default_rng(6), QUIET).astype(int)
    far = (slice(70, 90), slice(60, 120))
    assert hu[6][far].std() > 15
    assert hu[3][far].std() < 1
    assert hu[6][far].min() < -15 < 15 < hu[6][far].max()


def test_between_two_arms_of_bone_it_is_darker(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.hu[:, 50:66, 4:16] = scene.hu[:, 50:66, 144:156] = 800.0
    hu = acquire(scene, np.random.default_rng(7), QUIET)
    assert hu[6, 58, 80] < -15
    assert hu[6, 90, 80] > -5


def test_settings_depend_on_the_study_and_not_on_what_it_shows() -> None:
    config = PhantomConfig()
    other = replace(config, prevalence=dict.fromkeys(config.prevalence, 0.9))
    for index in range(12):
        assert Settings.of(config, study(index)) == Settings.of(other, study(index))


def test_settings_vary_as_scans_do() -> None:
    found = [Settings.of(PhantomConfig(), study(index)) for index in range(200)]
    assert {s.sharpness for s in found} == set(SHARPNESS)
    assert min(s.noise_hu for s in found) >= 10
    assert max(s.noise_hu for s in found) <= 60
    assert 0.15 < np.mean([s.intercept == -8192 for s in found]) < 0.42
    assert len({s.model for s in found}) > 3


def test_metadata_fills_the_columns_of_ct_rate() -> None:
    config = PhantomConfig()
    grid = Grid(shape=(109, 254, 254), spacing_mm=(3.0, 1.5, 1.5), origin_mm=(-160.0, -180.0, -190.0))
    row = metadata(Settings.of(config, study(0)), replace(patient_of(config, study(0)), age=36, sex="F"), grid)
    assert len(COLUMNS) == 44
    assert tuple(row) == COLUMNS[1:]
    assert (row["PatientAge"], row["PatientSex"], row["XYSpacing"]) == ("036Y", "F", "[1.5, 1.5]")
    assert (row["NumberofSlices"], row["ZSpacing"], row["Rows"]) == ("109", "3", "254")
    assert row["RescaleType"] == "HU"
