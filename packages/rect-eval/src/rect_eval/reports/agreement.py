"""Whether side, zone and size that a report states are those of the reference's lesions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rect_core.types import Lesion, Lesions
from rect_eval.labeler import Mention

Verdict = Literal["right", "wrong", "not stated", "no lesion"]

LEAST_MM: Final = 3.0
SHARE: Final = 0.2
"""A stated size agrees within the larger of 3 mm and 20 % of the lesion's diameter."""

SIZED: Final = ("consolidation", "ground_glass_opacity", "lung_nodule")
"""Findings whose stated size is the diameter; that of an effusion is its depth, which is not measured."""

_ZONES: Final = ("upper", "middle", "lower")
_ZONE_OF: Final = {"upper": "upper", "middle": "middle", "lingula": "middle", "lower": "lower"}
_ENDS: Final = {"apical": "upper", "basal": "lower"}
"""Read where no lobe is named: the apical segment of a lower lobe is not the apex of the lung."""
_LOBE: Final = {"upper": ("upper", "middle"), "middle": ("middle", "lower"), "lower": ("lower", "middle")}
"""Zones are thirds of a lung's height: the thirds that a lobe can lie in."""
_LOBAR: Final = re.compile(r"\blob(?:e|ar)|segment|lingul|\b[rl][uml]l\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """What one mention of a finding says about its lesion. "no lesion": the reference has none of this finding, which
    the labels judge, not this."""

    finding: str
    text: str
    side: Verdict
    zone: Verdict
    size: Verdict

    @property
    def lost(self) -> bool:
        """Whether the reference has no lesion to compare with."""
        return "no lesion" in (self.side, self.zone, self.size)


def agree(mentions: Sequence[Mention], lesions: Lesions, text: str = "") -> tuple[Agreement, ...]:
    """One verdict a mention of a finding that the reference outlines (`lesions.asked`); what a report denies, dates
    back, or says without naming a finding that can be outlined is passed over.

    Every stated side and zone has to hold a lesion; the size has to be that of a lesion there. text: of the report,
    which tells lobes from zones: a lobe may lie in two thirds of the lung.
    """
    return tuple(
        _one(mention, lesions.of(mention.finding), text)
        for mention in mentions
        if mention.finding in lesions.asked and counts(mention)
    )


def counts(mention: Mention) -> bool:
    """Whether a mention says that something is there now."""
    present = mention.state in ("present", "uncertain")
    return present and not mention.historical and mention.comparison != "resolved"


def sides_of(mention: Mention) -> frozenset[str]:
    """right, left or both; empty where no side is stated."""
    return frozenset(("right", "left")) if "bilateral" in mention.sides else frozenset(mention.sides)


def _one(mention: Mention, lesions: Sequence[Lesion], text: str) -> Agreement:
    sides = sides_of(mention) if mention.finding != "pericardial_effusion" else frozenset()
    zones = _zones(mention, text) if not lesions or any(map(_zone, lesions)) else []
    sizes = mention.sizes_mm if mention.finding in SIZED else ()
    near = [x for x in lesions if not sides or x.side in (*sides, "bilateral")] or list(lesions)
    inside = [x for x in near if any(_zone(x) in allowed for allowed in zones)] or near
    right = (
        all(any(x.side in (side, "bilateral") for x in lesions) for side in sides),
        all(any(_zone(x) in allowed for x in near) for allowed in zones),
        any(_same_size(max(sizes), x.diameter_mm) for x in inside if sizes),
    )
    verdicts = (
        _verdict(bool(said), good, bool(lesions)) for said, good in zip((sides, zones, sizes), right, strict=True)
    )
    side, zone, size = verdicts
    return Agreement(finding=mention.finding, text=mention.text, side=side, zone=zone, size=size)


def _verdict(stated: bool, right: bool, any_lesion: bool) -> Verdict:
    if not stated:
        return "not stated"
    if not any_lesion:
        return "no lesion"
    return "right" if right else "wrong"


def _zones(mention: Mention, text: str) -> list[tuple[str, ...]]:
    """For each stated place, the zones it can mean."""
    named = [_ZONE_OF[place] for place in mention.places if place in _ZONE_OF]
    named = named or [_ENDS[place] for place in mention.places if place in _ENDS]
    lobar = "lingula" in mention.places or bool(_LOBAR.search(text[slice(*mention.sentence)]))
    return [_LOBE[zone] if lobar else (zone,) for zone in dict.fromkeys(named)]


def _zone(lesion: Lesion) -> str:
    """upper, middle or lower; "" for a lesion that lies in no lung zone."""
    return next((zone for zone in _ZONES if lesion.region.endswith(f"{zone} zone")), "")


def _same_size(stated_mm: float, diameter_mm: float) -> bool:
    return abs(stated_mm - diameter_mm) <= max(LEAST_MM, SHARE * diameter_mm) + 1e-9
