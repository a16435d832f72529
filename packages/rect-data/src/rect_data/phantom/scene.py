"""The canvas a phantom is drawn on: tissue in HU, who owns each voxel, landmarks, trees, masks and facts."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8, UInt16

from rect_core.findings import LOCALIZED
from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Box, Grid
from rect_data.phantom.parts import LOBES, LUNGS, Part
from rect_data.phantom.patient import Patient
from rect_data.phantom.pose import Pose
from rect_data.phantom.traits import Traits

AIR_HU: Final = -1000.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tube:
    """A centreline [n 3] of physical (z, y, x) mm with a radius at each point; kind and lobe say what it is."""

    points: Float[np.ndarray, "n 3"]
    radii: Float[np.ndarray, " n"]
    kind: str
    lobe: str = ""
    order: int = 0
    """0 for a trunk, 1 for its branches and so on."""


@dataclass(slots=True)
class Scene:
    """Everything there is to a phantom while it is drawn. Arrays are [d h w] on the drawing grid."""

    grid: Grid
    patient: Patient
    labels: tuple[str, ...]
    pose: Pose
    traits: Traits
    hu: Float32[np.ndarray, "d h w"]
    parts: UInt8[np.ndarray, "d h w"]
    lobes: UInt8[np.ndarray, "d h w"]
    z: Float32[np.ndarray, "d h w"]
    """Reference coordinates of each voxel: z, y and x."""
    y: Float32[np.ndarray, "d h w"]
    x: Float32[np.ndarray, "d h w"]
    landmarks: dict[str, Float[np.ndarray, " 3"]] = field(default_factory=dict)
    """Physical (z, y, x) mm of named points; `anatomy` says which there are."""
    tubes: dict[str, list[Tube]] = field(default_factory=dict)
    """Centrelines by kind: "airway", "artery", "vein" inside the lungs; "aorta", "coronary" and others outside."""
    facts: list[Fact] = field(default_factory=list)
    instances: dict[str, UInt16[np.ndarray, "d h w"]] = field(default_factory=dict)
    _depth: Float32[np.ndarray, "d h w"] | None = None

    @classmethod
    def empty(cls, grid: Grid, patient: Patient, labels: tuple[str, ...], pose: Pose, traits: Traits) -> "Scene":
        """Air everywhere."""
        z, y, x = pose.fields(grid)
        hu = np.full(grid.shape, AIR_HU, np.float32)
        none = np.zeros(grid.shape, np.uint8)
        return cls(grid, patient, labels, pose, traits, hu, none, none.copy(), z, y, x)

    def blend(
        self, box: Box, alpha: Float32[np.ndarray, "a b c"], hu: float | np.ndarray, part: Part | None = None
    ) -> None:
        """Covers a share `alpha` (0..1) of each voxel of a box with tissue of `hu`; where it covers half and more, the
        voxel belongs to `part` (None: keeps its owner)."""
        target = self.hu[box]
        target += alpha * (hu - target)
        if part is not None:
            owner = self.parts[box]
            owner[alpha >= 0.5] = part
            if part not in LUNGS:
                self.lobes[box][alpha >= 0.5] = 0

    def lung(self, box: Box | None = None) -> Bool[np.ndarray, "a b c"]:
        """Voxels of both lungs, of a box or of the whole scan."""
        parts = self.parts if box is None else self.parts[box]
        return np.asarray(parts - np.uint8(LUNGS[0]) < len(LUNGS))

    def depth_mm(self) -> Float32[np.ndarray, "d h w"]:
        """Distance of each lung voxel from the nearest voxel that is no lung (0 outside), to about a voxel; found once,
        when it is first asked for."""
        if self._depth is None:
            from rect_data.phantom.paint import depth_of

            self._depth = depth_of(self.lung(), self.grid)
        return self._depth

    def forget_depth(self) -> None:
        """To be called when the lungs have lost voxels: `depth_mm` is found anew."""
        self._depth = None

    def mark(self, finding: str, box: Box, mask: Bool[np.ndarray, "a b c"]) -> int:
        """Adds one lesion to the masks of a localized finding and returns its number (1 and up). A lesion that covers
        no voxel still gets a number: it is then reported as unresolved. Later lesions lie on top."""
        if finding not in LOCALIZED:
            raise ValueError(f"{finding!r} has no masks; these have: {', '.join(LOCALIZED)}")
        if finding not in self.instances:
            self.instances[finding] = np.zeros(self.grid.shape, np.uint16)
        number = 1 + max((i for f in self.facts if f.finding == finding for i in f.instances), default=0)
        number = max(number, int(self.instances[finding].max()) + 1)
        self.instances[finding][box][mask] = number
        return number

    def lobe_at(self, index: Int[np.ndarray, " 3"]) -> str:
        """Name of the lobe of a voxel, or ""."""
        value = int(self.lobes[tuple(index)])
        return LOBES[value - 1] if value else ""
