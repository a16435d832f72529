"""One phantom, drawn: patient, pose, anatomy, findings."""

from collections.abc import Sequence

from rect_data.phantom import anatomy, findings
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.field import field_of_view
from rect_data.phantom.patient import labels_of, patient_of
from rect_data.phantom.plan import study
from rect_data.phantom.pose import Pose
from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream
from rect_data.phantom.traits import Traits


def draw_scene(index: int, config: PhantomConfig, labels: Sequence[str] | None = None) -> Scene:
    """The scene of a case before acquisition. labels: force these instead of drawing them from the rules."""
    scene, seed = draw_anatomy(index, config, labels)
    findings.draw(scene, seed)
    return scene


def draw_anatomy(index: int, config: PhantomConfig, labels: Sequence[str] | None = None) -> tuple[Scene, int]:
    """The chest of a case, shaped for its labels but without their findings, and the seed of these."""
    who = study(index)
    patient = patient_of(config, who)
    found = labels_of(config, who) if labels is None else tuple(labels)
    body, scan = (config.seed, who.patient), (config.seed, who.patient, who.scan)
    pose = Pose.of(patient, stream(*body, "pose"))
    traits = Traits.of(patient, found, stream(*scan, "traits"))
    scene = Scene.empty(field_of_view(config, pose, stream(*scan, "field")), patient, found, pose, traits)
    anatomy.draw(scene, int(stream(*body, "anatomy").integers(1 << 62)))
    return scene, int(stream(*scan, "findings").integers(1 << 62))
