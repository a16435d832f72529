"""How the details of findings are told."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Detail:
    """Ways to tell a detail: in front of the noun, behind it, or in a sentence of its own."""

    before: str = ""
    after: str = ""
    also: str = ""


DETAILS: Final[dict[str, Detail]] = {
    "subpleural": Detail(before="subpleural", also="[It is|They are] subpleural in location."),
    "perifissural": Detail(before="perifissural", also="[It lies|They lie] along the fissure."),
    "next to a vessel": Detail(also="[It lies|They lie] next to a vessel."),
    "spiculated": Detail(before="spiculated", also="[Its|Their] contours are spiculated."),
    "patchy": Detail(before="patchy", also="[It is|They are] patchy in character."),
    "central": Detail(before="central", also="[It is|They are] centrally located."),
    "with crazy paving": Detail(
        after=" with a crazy paving pattern", also="A crazy paving pattern is observed at this level."
    ),
    "peripheral": Detail(before="peripheral", also="[It is|They are] peripherally located."),
    "with air bronchograms": Detail(also="Air bronchograms are observed within [it|them]."),
    "segmental": Detail(before="segmental", also="[It shows|They show] a segmental distribution."),
    "rounded": Detail(before="rounded", also="[It is|They are] round in shape."),
    "with fissural extension": Detail(
        after=" extending into the fissure", also="The fluid extends into the interlobar fissure."
    ),
    "with compressive atelectasis": Detail(also="Compressive atelectasis is observed in the adjacent lung."),
    "with volume loss": Detail(after=" with volume loss", also="[It is|They are] accompanied by volume loss."),
    "with traction": Detail(
        after=" causing traction on the adjacent parenchyma", also="Traction on the adjacent parenchyma is noted."
    ),
    "calcified": Detail(before="calcified", also="Calcification accompanies these changes."),
    "basal": Detail(before="basal", also="The thickening is more prominent in the basal parts."),
    "upper": Detail(also="The thickening is more prominent in the upper zones."),
    "diffuse": Detail(before="diffuse", also="The thickening is diffuse."),
    "upper lobe predominance": Detail(
        after=" with upper lobe predominance", also="The changes are more prominent in the upper lobes."
    ),
    "lower lobe predominance": Detail(
        after=" with lower lobe predominance", also="The changes are more prominent in the lower lobes."
    ),
    "with air-fluid level": Detail(also="An air-fluid level is observed in the herniated stomach."),
}
"""The details that change a sentence; places of arteries and lymph nodes and sizes of bullae are told elsewhere."""

IMPLIES: Final = {"with compressive atelectasis": "Atelectasis"}
"""Details that assert a label: they are told only where it is true."""
