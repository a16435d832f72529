"""What a report can point at: the ids of a prediction's scores, lesions, searches and checks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rect_core.findings import LABEL_OF_LOCALIZED, slug
from rect_core.types import Lesion, PredictionRecord
from rect_reporter.phrases import BANDS, LESION_NOUNS, NOUNS, Certainty, LesionNoun, Noun

State = Literal["present", "below", "undefined", "unscored"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One assessed finding: what its score says, whether it was looked for as a mask, and the lesions found.

    finding: the mask's name, "" for a label without masks. state: "unscored" where only masks were asked for.
    lesions: as the report names them, largest first.
    """

    label: str
    finding: str
    asked: bool
    lesions: tuple[Lesion, ...]
    state: State
    prob: float
    threshold: float
    calibrated: bool

    @property
    def noun(self) -> Noun:
        """Names of the label; a finding without a score goes by the name of its mask."""
        if self.state == "unscored":
            return Noun(name=self.lesion_noun.name)
        return NOUNS.get(self.label, Noun(name=_lower(self.label)))

    @property
    def lesion_noun(self) -> LesionNoun:
        """Names of its lesions."""
        name = self.finding.replace("_", " ")
        plain = LesionNoun(name=name, one=f"an area of {name}", many=f"areas of {name}", kind="area")
        return LESION_NOUNS.get(self.finding, plain)

    @property
    def certainty(self) -> Certainty:
        """The word for a present label's probability."""
        if not self.calibrated:
            return "scored"
        return next(word for bound, word in BANDS if self.prob >= bound or bound == 0.0)

    @property
    def score_ids(self) -> tuple[str, ...]:
        """The id of its score."""
        return () if self.state == "unscored" else (f"score:{slug(self.label)}",)

    @property
    def search_ids(self) -> tuple[str, ...]:
        """The id of a search that found nothing."""
        return (f"search:{self.finding}",) if self.asked and not self.lesions else ()

    @property
    def lesion_ids(self) -> tuple[str, ...]:
        """The ids of its lesions."""
        return lesion_ids(self.lesions)


def lesion_ids(lesions: Sequence[Lesion]) -> tuple[str, ...]:
    """Evidence ids of lesions."""
    return tuple(f"lesion:{lesion.id}" for lesion in lesions)


def evidence_ids(record: PredictionRecord) -> set[str]:
    """Every id that a report on this prediction may cite.

    "score:<label slug>", "lesion:<lesion id>", "search:<finding>" for a finding that was looked for and not found,
    "check:warning-<n>" for the n-th of `record.warnings` counted from 1, "check:lung_outside", "scope", "weights".
    """
    found = {lesion.finding for lesion in record.lesions}
    return {
        *(f"score:{slug(label)}" for label in record.scores.labels),
        *lesion_ids(record.lesions),
        *(f"search:{finding}" for finding in record.assessed_masks if finding not in found),
        *(f"check:warning-{n}" for n in range(1, len(record.warnings) + 1)),
        *("check:lung_outside", "scope", "weights"),
    }


def collect(record: PredictionRecord) -> tuple[Item, ...]:
    """One item a scored label, in the order of the scores, then findings that have masks but no score."""
    finding_of = {label: finding for finding, label in LABEL_OF_LOCALIZED.items()}
    scores = record.scores
    rows = zip(scores.labels, scores.prob, scores.threshold, strict=True)
    items = [_item(record, label, finding_of.get(label, ""), p, t) for label, p, t in rows]
    seen = {item.finding for item in items}
    extra = dict.fromkeys((*record.assessed_masks, *(lesion.finding for lesion in record.lesions)))
    unscored = (finding for finding in extra if finding not in seen)
    return (*items, *(_item(record, LABEL_OF_LOCALIZED.get(f, f.replace("_", " ")), f, None, None) for f in unscored))


def _item(record: PredictionRecord, label: str, finding: str, prob: float | None, threshold: float | None) -> Item:
    lesions = [lesion for lesion in record.lesions if lesion.finding == finding]
    return Item(
        label=label,
        finding=finding,
        asked=finding in record.assessed_masks or bool(lesions),
        lesions=tuple(sorted(lesions, key=_rank)),
        state=_state(prob, threshold),
        prob=math.nan if prob is None else prob,
        threshold=math.nan if threshold is None else threshold,
        calibrated=record.scores.calibrated,
    )


def _state(prob: float | None, threshold: float | None) -> State:
    if prob is None or threshold is None:
        return "unscored"
    if math.isnan(prob) or math.isnan(threshold):
        return "undefined"
    return "present" if prob >= threshold else "below"


def _rank(lesion: Lesion) -> tuple[float, float, int]:
    """Nodules rank by diameter, as they are reported; everything else by volume; undefined sizes last."""
    by_volume, by_diameter = (-math.inf if math.isnan(x) else x for x in (lesion.volume_ml, lesion.diameter_mm))
    nodule = lesion.finding in LESION_NOUNS and LESION_NOUNS[lesion.finding].kind == "nodule"
    first, second = (by_diameter, by_volume) if nodule else (by_volume, by_diameter)
    return -first, -second, lesion.instance


def _lower(label: str) -> str:
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]
