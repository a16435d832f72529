"""Sides and places of lesions in words."""

from collections import Counter
from collections.abc import Sequence

from rect_core.types import Lesion
from rect_reporter.phrases import MOST_PLACES, PLACES, SIDE_PLACES, ZONE_PLACES
from rect_reporter.wording import count, listed


def region_side(region: str) -> str:
    """ "right" or "left" for a region of one side, else ""."""
    first = region.partition(" ")[0]
    return first if first in ("right", "left") else ""


def contradicts(lesion: Lesion) -> bool:
    """Whether a lesion's region lies on the other side than the lesion."""
    own = region_side(lesion.region)
    return bool(own) and lesion.side in ("right", "left") and own != lesion.side


def place(lesion: Lesion) -> str:
    """Where one lesion lies: "in the right upper zone", "on the left in the region of the heart".

    The side always has the last word: a region of the other side is left out here, and said in a sentence of its own.
    """
    spot = "" if contradicts(lesion) else PLACES.get(lesion.region, "")
    side = SIDE_PLACES.get(lesion.side, "")
    if not side or region_side(lesion.region) == lesion.side:
        return spot or "at an undetermined place"
    if lesion.side in ("right", "left") or not spot:
        return f"{side} {spot}".rstrip()
    return f"{side}, mainly {spot}"


def sides(lesions: Sequence[Lesion]) -> str:
    """Where several lesions lie together: "in both lungs", "on both sides", "on the right and in the midline"."""
    found = {lesion.side for lesion in lesions}
    if "bilateral" in found or {"right", "left"} <= found:
        in_zones = all(lesion.region in ZONE_PLACES for lesion in lesions)
        both = "in both lungs" if in_zones else "on both sides"
        return listed([both, *(SIDE_PLACES[s] for s in ("midline",) if s in found)])
    return listed([phrase for side, phrase in SIDE_PLACES.items() if side in found])


def tally(lesions: Sequence[Lesion]) -> str:
    """Lesions counted by place: "in the right upper zone (two) and in the left lower zone (one)". Of more than
    MOST_PLACES places the commonest are named: "..., in the left lower zone (four) and elsewhere (nine)"."""
    order = {region: i for i, region in enumerate(PLACES)}
    ordered = sorted(lesions, key=lambda lesion: (order.get(lesion.region, len(order)), lesion.side))
    counts = Counter(place(lesion).replace(",", "") for lesion in ordered)
    if len(counts) > MOST_PLACES:
        named = dict(counts.most_common(MOST_PLACES))
        counts = Counter({**named, "elsewhere": len(lesions) - sum(named.values())})
    return listed([f"{where} ({count(n)})" for where, n in counts.items()])
