"""Sentences about scores: labels without lesions, explicit negatives, and what could not be scored."""

from collections.abc import Iterator, Sequence

from rect_core.types import Sentence
from rect_reporter.evidence import Item
from rect_reporter.phrases import CERTAINTY_WORDS, COMPARTMENTS, Certainty
from rect_reporter.wording import counted, listed, score, sentence


def present_sentence(item: Item) -> Sentence:
    """A label that reaches its threshold and has no lesion, hedged by its probability."""
    verb = "are" if item.noun.plural else "is"
    kind = "probability" if item.calibrated else "uncalibrated score"
    text = f"{item.noun.subject} {verb} {CERTAINTY_WORDS[item.certainty]} ({kind} {score(item.prob)})"
    if item.search_ids:
        text += f", but {_searched(item)} was outlined on the images, so no side or size can be given"
    uncertain = item.certainty != "observed" or bool(item.search_ids)
    evidence = (*item.score_ids, *item.search_ids)
    return Sentence(text=sentence(text), section="findings", evidence=evidence, uncertain=uncertain)


def undefined_sentence(item: Item) -> Sentence:
    """A label whose score is undefined and that has no lesion."""
    text = f"{item.noun.name} could not be scored"
    evidence = (*item.score_ids, *item.search_ids)
    return Sentence(text=sentence(text), section="findings", evidence=evidence, uncertain=True)


def negative_sentences(items: Sequence[Item], where: str) -> Iterator[Sentence]:
    """One sentence for all labels of a compartment that stay below their thresholds and have no lesion."""
    absent = [item for item in items if is_absent(item)]
    if not absent:
        return
    verb = "were" if len(absent) > 1 or absent[0].noun.plural else "was"
    place = f"{where}, " if where and len(absent) > 1 else ""
    text = f"{place}{listed([item.noun.name for item in absent])} {verb} not detected"
    evidence = tuple(i for item in absent for i in (*item.score_ids, *item.search_ids))
    yield Sentence(text=sentence(text), section="findings", evidence=evidence, negative=True)


def present_summaries(items: Sequence[Item]) -> Iterator[Sentence]:
    """The impression's lines on present labels without lesions, one a certainty; those searched in vain apart."""
    words: tuple[Certainty, ...] = ("observed", "probable", "possible", "scored")
    shown = [item for item in items if item.state == "present" and not item.lesions]
    for word in words:
        group = [item for item in shown if item.certainty == word and not item.search_ids]
        yield from _summary(group, word, "")
    for word in words:
        group = [item for item in shown if item.certainty == word and item.search_ids]
        yield from _summary(group, word, ", but no outline was found")


def negative_summary(items: Sequence[Item]) -> Sentence:
    """The impression's last line: how many of the assessed findings were not detected."""
    absent = [item for item in items if is_absent(item)]
    scored = sum(item.state in ("present", "below") for item in items)
    anything = any(item.lesions or item.state == "present" for item in items)
    if not scored and not anything:
        text = "No finding could be scored"
    elif anything:
        text = {0: "No other finding was assessed", 1: "The other assessed finding was not detected"}.get(
            len(absent), f"None of the other {len(absent)} assessed findings was detected"
        )
    else:
        text = (
            f"None of the {scored} assessed findings was detected"
            if scored > 1
            else "The assessed finding was not detected"
        )
    evidence = tuple(i for item in absent for i in (*item.score_ids, *item.search_ids)) or ("scope",)
    return Sentence(text=sentence(text), section="impression", evidence=evidence, negative=bool(absent))


def undefined_summary(items: Sequence[Item]) -> Iterator[Sentence]:
    """How many findings could not be scored, unless none could, which `negative_summary` has said."""
    undefined = [item for item in items if item.state == "undefined" and not item.lesions]
    if not undefined or all(item.state in ("undefined", "unscored") and not item.lesions for item in items):
        return
    n = len(undefined)
    text = f"{counted(n, 'findings' if n > 1 else 'finding')} could not be scored"
    evidence = tuple(i for item in undefined for i in item.score_ids)
    yield Sentence(text=sentence(text), section="impression", evidence=evidence, uncertain=True)


def is_absent(item: Item) -> bool:
    """Below its threshold, and no lesion says otherwise."""
    return not item.lesions and (item.state == "below" or (item.state == "unscored" and item.asked))


def by_compartment(items: Sequence[Item]) -> Iterator[tuple[str, list[Item]]]:
    """The items in the order of the findings section, with the place that opens a compartment's negatives."""
    known = {label for labels in COMPARTMENTS.values() for label in labels}
    for where, labels in COMPARTMENTS.items():
        inside = [item for item in items if item.label in labels]
        yield where, sorted(inside, key=lambda item: labels.index(item.label))
    yield "", [item for item in items if item.label not in known]


def _summary(group: Sequence[Item], word: Certainty, ending: str) -> Iterator[Sentence]:
    if not group:
        return
    verb = "are" if len(group) > 1 or group[0].noun.plural else "is"
    text = f"{listed([item.noun.subject for item in group])} {verb} {CERTAINTY_WORDS[word]}{ending}"
    evidence = tuple(i for item in group for i in (*item.score_ids, *item.search_ids))
    uncertain = word != "observed" or bool(ending)
    yield Sentence(text=sentence(text), section="impression", evidence=evidence, uncertain=uncertain)


def _searched(item: Item) -> str:
    """Lung opacity is wider than its mask, so what was looked for is named."""
    return f"no {item.lesion_noun.name}"
