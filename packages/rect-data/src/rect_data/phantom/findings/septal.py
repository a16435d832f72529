"""Thickened interlobular septa: thin lines 1 to 2 cm apart that outline polygons in the outer lung and meet the pleura
at right angles (Fleischner glossary, Hansell 2008, doi:10.1148/radiol.2462070712)."""

from typing import Final

import numpy as np
from jaxtyping import Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.extent import Flat, lobes_of, points_of, side_of
from rect_data.phantom.findings.lobules import Lobules
from rect_data.phantom.findings.sheets import slab
from rect_data.phantom.findings.waves import Waves
from rect_data.phantom.paint import upsample
from rect_data.phantom.scene import Scene

_ZONES: Final = ("basal", "upper", "diffuse")
_REACH_MM: Final = 25.0
_MANTLE_MM: Final = 9.0
"""Down to this depth the septa run straight in from the pleura."""

_SEPTUM_HU: Final = 10.0


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints the mesh where the zone and a patchy field want it."""
    zone, thick = _ZONES[int(rng.choice(3, p=(0.55, 0.15, 0.3)))], rng.uniform(0.8, 1.4)
    extent = float(np.clip(rng.exponential(0.45), 0.1, 1.2))
    voxels, share = _zone(scene, rng, zone, extent)
    wall = Lobules(rng.uniform(14, 20), rng).wall_mm(_pushed_out(scene, voxels))
    alpha = share * np.maximum(slab(wall, thick), 0.35 * _fissure(scene, voxels))
    hu = scene.hu.ravel()[voxels]
    scene.hu.ravel()[voxels] = hu + alpha * np.maximum(_SEPTUM_HU - hu, 0)
    lobes = lobes_of(scene, voxels, alpha, least=0.06)
    scene.facts.append(
        Fact(
            label="Interlobular septal thickening",
            kind="septal thickening",
            side=side_of(lobes),
            lobes=lobes,
            severity="mild" if extent < 0.5 else "moderate" if extent < 0.9 else "severe",
            details=(zone,),
        )
    )


def _zone(scene: Scene, rng: np.random.Generator, zone: str, extent: float) -> tuple[Flat, Float32[np.ndarray, " n"]]:
    """The voxels of the outer lung that may hold septa, and how far they do (0 to 1)."""
    depth, edge, waves = scene.depth_mm().ravel(), rng.normal(-35, 10), (Waves(70.0, rng), Waves(26.0, rng))
    voxels = np.flatnonzero((depth > 0) & (depth < _REACH_MM))
    z = scene.z.ravel()[voxels]
    height = {"basal": (edge - z) / 12, "upper": (z - edge - 45) / 12, "diffuse": np.full_like(z, 2)}[zone]
    keep = height > -1
    voxels, height = voxels[keep], height[keep]
    patches, gaps = (wave.at(points_of(scene, voxels)) for wave in waves)
    share = np.clip(height, 0, 1) * np.clip(0.8 * patches + 1.6 * extent - 0.6, 0, 1) * np.clip(0.8 + gaps, 0, 1)
    share *= np.clip((_REACH_MM - depth[voxels]) / 8, 0, 1)
    keep = share > 0.06
    return voxels[keep], share[keep].astype(np.float32)


def _pushed_out(scene: Scene, voxels: Flat) -> Float32[np.ndarray, "n 3"]:
    """Points (mm) of voxels moved along the pleura's normal as if they lay _MANTLE_MM farther out, or on the pleura:
    walls of cells looked up there stand upright on the pleura."""
    from scipy import ndimage

    depth, (sz, sy, sx) = scene.depth_mm()[:, ::2, ::2], scene.grid.spacing_mm
    smooth = ndimage.gaussian_filter(depth, (5 / sz, 2.5 / sy, 2.5 / sx), truncate=3.0)
    d, h, w = np.unravel_index(voxels, scene.grid.shape)
    normal = np.stack([g[d, h // 2, w // 2] for g in np.gradient(smooth, sz, 2 * sy, 2 * sx)], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.float32(0.3))
    inward = np.minimum(upsample(smooth, scene.grid.shape).ravel()[voxels], _MANTLE_MM)[:, None]
    return np.asarray(points_of(scene, voxels) - normal * inward, np.float32)


def _fissure(scene: Scene, voxels: Flat) -> Float32[np.ndarray, " n"]:
    """1 in voxels above or before another lobe of the same lung."""
    lobes, (_, h, w) = scene.lobes.ravel(), scene.grid.shape
    own, beside = lobes[voxels], np.zeros(len(voxels), bool)
    for step in (h * w, w):
        other = lobes[np.maximum(voxels - step, 0)]
        beside |= (other > 0) & (other != own) & ((other > 3) == (own > 3))
    return beside.astype(np.float32)
