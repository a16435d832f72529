"""Sentences about outlined lesions."""

import math
from collections.abc import Iterator

from rect_core.types import Lesion, Sentence
from rect_reporter.evidence import Item, lesion_ids
from rect_reporter.phrases import MASS_MM, SIDE_PLACES
from rect_reporter.places import contradicts, place, region_side, sides, tally
from rect_reporter.wording import below, count, counted, listed, number, score, sentence, size, slices, volume

DOUBTS = {
    "below": "which the score does not support",
    "undefined": "for which the score is undefined",
    "unscored": "for which there is no score",
}
HEART_REGIONS = ("heart", "other mediastinum", "aorta", "pulmonary artery")


def lesion_sentences(item: Item, verb: str) -> Iterator[Sentence]:
    """Findings of one item that has lesions, and what its score says to them. verb: "observed" or "outlined"."""
    if len(item.lesions) == 1:
        yield _found(_one(item, item.lesions[0], verb), item.lesion_ids)
    else:
        yield _found(_all(item, verb), item.lesion_ids)
        yield _found(_largest(item, item.lesions[0]), lesion_ids(item.lesions[:1]))
        if item.lesion_noun.kind != "fluid":
            yield _found(_rest(item, item.lesions[1:]), lesion_ids(item.lesions[1:]))
    if wrong := tuple(filter(contradicts, item.lesions)):
        yield _found(_contradiction(item, wrong), lesion_ids(wrong), uncertain=True)
    yield from _by_score(item)


def lesion_summary(item: Item) -> Sentence:
    """The impression's line on one item that has lesions."""
    first, noun = item.lesions[0], item.lesion_noun
    if noun.kind == "fluid":
        text = " ".join(filter(None, (noun.name, _fluid_sides(item)))) + _comma(volume(item.lesions))
    elif len(item.lesions) == 1:
        text = f"{noun.name} {place(first)}" + _comma(_sized(item, first) or volume([first]))
    else:
        largest = f"the largest {_sized(item, first) or 'of undefined size'} {place(first)}"
        text = f"{counted(len(item.lesions), noun.many)} {sides(item.lesions)}, {largest}"
    doubt = "" if item.state == "present" else DOUBTS[item.state]
    if item.state == "present" and item.certainty in ("probable", "possible"):
        doubt = f"{item.certainty} by score"
    evidence = (*item.lesion_ids, *item.score_ids)
    return Sentence(
        text=sentence(text + _comma(doubt)), section="impression", evidence=evidence, uncertain=not _sure(item)
    )


def holds_mass(item: Item) -> bool:
    """Whether one of its lesions is a lung mass by its size."""
    return any(_is_mass(item, lesion) for lesion in item.lesions)


def _one(item: Item, lesion: Lesion, verb: str) -> str:
    noun, ml = item.lesion_noun, volume([lesion])
    if noun.kind == "fluid":
        amount = f" of {ml}" if ml else " of undefined volume"
        extent = "; ".join(filter(None, (_extent(lesion), slices(lesion))))
        return f"{noun.one}{amount} is {verb} {_fluid_place(item, lesion)} ({extent})"
    return f"{noun.one}{_measuring(item, lesion)} is {verb} {place(lesion)} ({slices(lesion)})"


def _all(item: Item, verb: str) -> str:
    noun, n, ml = item.lesion_noun, len(item.lesions), volume(item.lesions)
    total = f"{ml} in total" if ml else "with an undefined total volume"
    if noun.kind == "fluid":
        shares = _shares(item.lesions)
        return f"{noun.name} is {verb} {_fluid_sides(item)} in {count(n)} parts, {total}{shares}"
    shares = _side_counts(item.lesions) if noun.kind == "nodule" else f", {total}"
    return f"{counted(n, noun.many)} are {verb} {sides(item.lesions)}{shares}"


def _largest(item: Item, lesion: Lesion) -> str:
    noun = {"fluid": "The largest part", "area": "The largest by volume", "nodule": "The largest"}[
        item.lesion_noun.kind
    ]
    spot = _fluid_place(item, lesion) if item.lesion_noun.kind == "fluid" else place(lesion)
    measured = _measuring(item, lesion).removeprefix(" measuring ")
    known = f"measures {measured}" if size(lesion) else "has no defined diameter"
    return f"{noun} {known} and lies {spot} ({slices(lesion)})"


def _rest(item: Item, lesions: tuple[Lesion, ...]) -> str:
    verb = "The other lies" if len(lesions) == 1 else "The others lie"
    where = place(lesions[0]) if len(lesions) == 1 else tally(lesions)
    return f"{verb} {where}{',' if ' and ' in where else ''}{_range(lesions)}"


def _contradiction(item: Item, lesions: tuple[Lesion, ...]) -> str:
    if len(lesions) > 1:
        return f"The sides and the regions of {count(len(lesions))} {item.lesion_noun.many} disagree"
    lesion = lesions[0]
    name = f"{item.lesion_noun.name} {lesion.instance}"
    return f"The side ({lesion.side}) and the region ({lesion.region}) of {name} disagree"


def _range(lesions: tuple[Lesion, ...]) -> str:
    if len(lesions) == 1:
        return f" and measures {size(lesions[0])}" if size(lesions[0]) else ""
    found = sorted(lesion.diameter_mm for lesion in lesions if not math.isnan(lesion.diameter_mm))
    if not found:
        return ""
    low, high = number(found[0]), number(found[-1])
    some = "" if len(found) == len(lesions) else " where measurable"
    return f" and measure {low} mm{some}" if low == high else f" and measure {low} to {high} mm{some}"


def _measuring(item: Item, lesion: Lesion) -> str:
    ml = volume([lesion]) if item.lesion_noun.kind != "nodule" else ""
    if not size(lesion):
        return f" of {ml}" if ml else " of undefined size"
    return f" measuring {_sized(item, lesion)}" + (f" ({ml})" if ml else "")


def _sized(item: Item, lesion: Lesion) -> str:
    """Its size, "" where undefined, and that a nodule of this size is a mass."""
    return f"{size(lesion)} (a mass by its size)" if _is_mass(item, lesion) else size(lesion)


def _is_mass(item: Item, lesion: Lesion) -> bool:
    return item.lesion_noun.kind == "nodule" and lesion.diameter_mm > MASS_MM


def _extent(lesion: Lesion) -> str:
    return f"{size(lesion)} in the axial plane" if size(lesion) else ""


def _fluid_place(item: Item, lesion: Lesion) -> str:
    """Fluid around the heart has a place of its own, so only a side that stands out is named; fluid of the pleura lies
    outside the lung, whatever zone of it a region map says it covers."""
    if item.finding == "pleural_effusion" and region_side(lesion.region):
        return SIDE_PLACES.get(lesion.side, "") or place(lesion)
    if item.finding != "pericardial_effusion" or lesion.region not in HEART_REGIONS:
        return place(lesion)
    return f"mainly on the {lesion.side}" if lesion.side in ("right", "left") else "around the heart"


def _fluid_sides(item: Item) -> str:
    if len(item.lesions) == 1:
        return _fluid_place(item, item.lesions[0])
    around = item.finding == "pericardial_effusion" and all(x.region in HEART_REGIONS for x in item.lesions)
    sided = {x.side for x in item.lesions} in ({"right"}, {"left"})
    return "around the heart" if around and not sided else sides(item.lesions)


def _shares(lesions: tuple[Lesion, ...]) -> str:
    by_side = {side: [x for x in lesions if x.side == side] for side in ("right", "left")}
    if not all(by_side.values()) or sum(map(len, by_side.values())) != len(lesions) or not volume(lesions):
        return ""
    return " (" + listed([f"{volume(part)} on the {side}" for side, part in by_side.items()]) + ")"


def _side_counts(lesions: tuple[Lesion, ...]) -> str:
    by_side = {side: sum(x.side == side for x in lesions) for side in ("right", "left")}
    if not all(by_side.values()) or sum(by_side.values()) != len(lesions):
        return ""
    return ", " + listed([f"{count(n)} on the {side}" for side, n in by_side.items()])


def _by_score(item: Item) -> Iterator[Sentence]:
    """What the score of an outlined finding says; never left out, whether it agrees or not."""
    name = f"the score of {item.label.lower()}"
    if item.state == "unscored":
        yield _found("There is no score for this finding", item.lesion_ids, uncertain=True)
        return
    text = {
        "present": f"{name} {supports(item)}",
        "below": f"{name} {below(item.prob, item.threshold)}, so score and outline disagree",
        "undefined": f"{name} is undefined, so nothing but the outline supports this finding",
    }[item.state]
    yield _found(text, (*item.score_ids, *item.lesion_ids), uncertain=not _sure(item))


def _sure(item: Item) -> bool:
    return item.state == "present" and item.certainty == "observed"


def supports(item: Item) -> str:
    """How a present score backs an outline: "supports the outline (probability 0.97)"."""
    if item.certainty == "scored":
        return f"is above its threshold (uncalibrated score {score(item.prob)})"
    word = "supports the outline" if item.certainty == "observed" else f"makes it {item.certainty}"
    return f"{word} (probability {score(item.prob)})"


def _found(text: str, evidence: tuple[str, ...], uncertain: bool = False) -> Sentence:
    return Sentence(text=sentence(text), section="findings", evidence=evidence, uncertain=uncertain)


def _comma(text: str) -> str:
    return f", {text}" if text else ""
