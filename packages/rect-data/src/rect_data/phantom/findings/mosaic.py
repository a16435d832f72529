"""Mosaic attenuation: a patchwork of darker and brighter secondary lobules with borders as sharp as theirs, and thinner
vessels where it is dark (Fleischner glossary, Hansell 2008, doi:10.1148/radiol.2462070712)."""

from typing import Final

import numpy as np

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.extent import lobes_of, lung_voxels, points_of, side_of
from rect_data.phantom.findings.lobules import Lobules
from rect_data.phantom.findings.waves import Waves
from rect_data.phantom.scene import Scene

_SHARES: Final = (0.12, 0.5)
_DARKEST: Final = -975.0
_VESSEL: Final = -740.0
"""Brighter than this is a vessel, or partly one."""


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Darkens clusters of lobules and brightens the rest a little."""
    voxels = lung_voxels(scene)
    lobules = Lobules(rng.uniform(14, 19), rng, jitter=0.3)
    share, drop = rng.uniform(*_SHARES), float(np.clip(40 * rng.lognormal(0.45, 0.35), 40, 110))
    number = lobules.number(points_of(scene, voxels))
    drops = _drops(lobules, number, share, rng) * np.float32(drop)
    dark, hu = drops[number], scene.hu.ravel()[voxels]
    vessel = np.clip(hu - np.float32(_VESSEL), 0, 300)
    hu += np.where(dark > 0, -0.6 * dark - 0.35 * vessel, np.float32(0.4 * drop))
    scene.hu.ravel()[voxels] = np.maximum(hu, np.float32(_DARKEST))
    lobes = lobes_of(scene, voxels, (dark > 0).astype(np.float32), least=0.08)
    severity = "mild" if share * drop < 25 else "moderate" if share * drop < 40 else "severe"
    scene.facts.append(
        Fact(
            label="Mosaic attenuation pattern",
            kind="mosaic attenuation",
            side=side_of(lobes),
            lobes=lobes,
            severity=severity,
        )
    )


def _drops(lobules: Lobules, number: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """How dark each lobule is, 0 or about 1: a share of the lobules of the lungs, in clusters of a few centimetres."""
    score = Waves(rng.uniform(45, 80), rng).at(lobules.middles_mm)
    score += rng.normal(0, 0.3, lobules.size).astype(np.float32)
    present = np.bincount(number, minlength=lobules.size) > 0
    depth = rng.uniform(0.8, 1.15, lobules.size).astype(np.float32)
    return np.where(score > np.quantile(score[present], 1 - share), depth, np.float32(0))
