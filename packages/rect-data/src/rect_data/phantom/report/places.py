"""Where a finding is, in words: "in the lower lobes of both lungs", "on the right", "in the aortic arch"."""

from collections.abc import Sequence
from typing import Final

from rect_data.phantom.facts import Fact
from rect_data.phantom.parts import LOBES
from rect_data.phantom.report.pen import Pen
from rect_data.phantom.report.words import listed

LUNGS: Final = {"right": "the right lung", "left": "the left lung", "bilateral": "both lungs"}
SIDED_NODES: Final = ("paratracheal", "hilar", "axillary")
"""Stations that there are two of; the others need no side."""

DEVICES: Final = {
    "pacemaker": "the {side}anterior chest wall",
    "port catheter": "the {side}anterior chest wall",
    "sternal wires": "the sternum",
    "valve prosthesis": "the heart",
    "tracheostomy tube": "the trachea",
    "nasogastric tube": "the esophagus",
    "chest tube": "the {side}hemithorax",
}


def side_of(fact: Fact) -> str:
    """Right, left, bilateral, or "" where a side says nothing."""
    return fact.side if fact.side in LUNGS else ""


def lungs(fact: Fact) -> str:
    """The side alone: "the right lung", "both lungs"; "the lung parenchyma" where it has none."""
    return LUNGS.get(fact.side, "the lung parenchyma")


def lung_place(fact: Fact, pen: Pen) -> str:
    """Its lobes, or its side where it names no lobe or one of the other side."""
    lobes = [lobe for lobe in LOBES if lobe in fact.lobes]
    right = [lobe.split()[1] for lobe in lobes if lobe.startswith("right")]
    left = [lobe.split()[1] for lobe in lobes if lobe.startswith("left")]
    side = "bilateral" if right and left else "right" if right else "left"
    if not lobes or (side_of(fact) and side != fact.side):
        return lungs(fact)
    if len(lobes) == len(LOBES):
        return "all lobes of both lungs"
    shared = [level for level in right if level in left]
    parts = [_of_both(shared, pen)] if shared else []
    for name, levels in (("right", right), ("left", left)):
        rest = [level for level in levels if level not in shared]
        parts += [_of_one(name, rest, pen)] if rest else []
    return listed(parts)


def _of_both(levels: Sequence[str], pen: Pen) -> str:
    if len(levels) > 1:
        return f"the {listed(levels)} lobes of both lungs"
    return pen.pick((f"the {levels[0]} lobes of both lungs", f"both {levels[0]} lobes"))


def _of_one(side: str, levels: Sequence[str], pen: Pen) -> str:
    if len(levels) == 3:
        return f"all lobes of the {side} lung"
    if len(levels) > 1:
        return f"the {listed(levels)} lobes of the {side} lung"
    level = levels[0]
    return pen.pick(
        (f"the {level} lobe of the {side} lung", f"the {side} {level} lobe", f"the {side} lung {level} lobe")
    )


def pleural_where(fact: Fact, pen: Pen) -> str:
    """On which side of the chest."""
    if fact.side == "bilateral":
        return pen.pick(("on both sides", "in both hemithoraces", "in both pleural spaces"))
    if not side_of(fact):
        return "in the pleural space"
    return pen.pick((f"on the {fact.side}", f"in the {fact.side} hemithorax", f"in the {fact.side} pleural space"))


def vessel_place(fact: Fact) -> str:
    """The arteries of its details."""
    return f"the {listed(fact.details)}" if fact.details else "the main vascular structures"


def coronary_place(fact: Fact, pen: Pen) -> str:
    """The coronary arteries of its details: "the left anterior descending and right coronary arteries"."""
    names = [name.removesuffix(" artery").removesuffix(" coronary") for name in fact.details]
    if not names or len(names) == 3:
        return pen.pick(("all three coronary arteries", "the coronary arteries")) if names else "the coronary arteries"
    return f"the {listed(names)} coronary arter{'y' if len(names) == 1 else 'ies'}"


def stations(facts: Sequence[Fact]) -> list[str]:
    """The lymph node stations of some facts, each once, with its side where there are two of it."""
    names = [
        f"{side_of(fact)} {station}".strip() if station in SIDED_NODES else station
        for fact in facts
        for station in fact.details
    ]
    pairs = {f"{side} {station}": f"bilateral {station}" for station in SIDED_NODES for side in ("right", "left")}
    both = [pair for name, pair in pairs.items() if name in names and name.startswith("right")]
    both = [pair for pair in both if pair in names or pair.replace("bilateral", "left") in names]
    return list(dict.fromkeys(pairs[name] if pairs.get(name) in both else name for name in names))


def node_place(names: Sequence[str], pen: Pen) -> str:
    """Of lymph nodes at these stations."""
    if not names:
        return "the mediastinum"
    several = len(names) > 1 or names[0].startswith("bilateral")
    return f"the {listed(names)} {pen.pick(('region', 'station', 'area'))}{'s' if several else ''}"


def device_where(fact: Fact, pen: Pen) -> str:
    """Where a device lies as far as its kind and side say."""
    side = f"{fact.side} " if fact.side in ("right", "left") else ""
    if fact.kind == "coronary stent":
        return f"in {coronary_place(fact, pen)}"
    if fact.side == "bilateral":
        return "on both sides"
    if fact.kind in DEVICES:
        return "in " + DEVICES[fact.kind].format(side=side)
    return f"on the {fact.side}" if side else "in the study area"
