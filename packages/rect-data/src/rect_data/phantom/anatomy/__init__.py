"""The reference chest, drawn from the outside in; later parts lie on top of earlier ones.

Reference millimetres are (z, y, x) toward Superior, Posterior, Left, with the carina at the origin; `Scene.z/y/x` hold
them for every voxel, `Scene.pose` converts points. Each module's `draw(scene, rng)` paints its organs and notes the
landmarks and tubes that findings hold on to.
"""

from rect_data.phantom.anatomy import (
    abdomen,
    body,
    bones,
    great_vessels,
    heart,
    lungs,
    mediastinum,
    parenchyma,
    table,
    thorax,
)
from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream


def draw(scene: Scene, seed: int) -> None:
    """Paints the whole chest; every part has a random stream of its own."""
    for part in (
        body,
        abdomen,
        bones,
        table,
        thorax,
        parenchyma,
        mediastinum,
        heart,
        great_vessels,
        lungs,
    ):
        part.draw(scene, stream(seed, part.__name__.rpartition(".")[2]))
