"""A few phantoms that all tests share: drawing one takes seconds. Nothing may change them."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from pathlib import Path

import pytest

from rect_data.phantom import Case, PhantomConfig, generate
from rect_data.phantom.facts import Fact
from rect_data.tree.make import make_tree

WRITTEN = PhantomConfig(size=(48, 128, 128), spacing_mm=(6.5, 3.0, 3.0))


@pytest.fixture(scope="session")
def config() -> PhantomConfig:
    """The grid of the tiny models: coarser than what phantoms are drawn on."""
    return WRITTEN


@pytest.fixture(scope="session")
def cases() -> tuple[Case, Case, Case]:
    """Number 3 as the rules draw it, on the drawing grid; number 5 with four of the five masks, written on the grid of
    `config`; number 11 without any finding."""
    masked = ("Pericardial effusion", "Lung nodule", "Lung opacity", "Pleural effusion", "Consolidation")
    return generate(3), generate(5, WRITTEN, labels=masked), generate(11, labels=())


SIGNS = {
    "Medical material": r"pacemaker|catheter|\bport\b|wires|suture|prosthe|\bstent|cannula|\btubes?\b|clips|"
    r"foreign material|medical (device|material)",
    "Arterial wall calcification": r"(?=.*(calcif|plaque|athero))(?=.*(\baorta|aortic|great vessels"
    r"|vascular wall|main vascular))",
    "Cardiomegaly": r"cardiomegaly|(?=.*(heart|cardiac|cardiothoracic))(?=.*(enlarge|increase|larger|widened"
    r"|size|dimension|contour))(?!.*pericardi.* (mm|cm))",
    "Pericardial effusion": r"pericardial[, a-z]*(effusion|fluid|leaves)",
    "Coronary artery wall calcification": r"(?=.*(coronary|heart vessels))(?=.*(calcif|plaque|athero))"
    r"|free of calcification",
    "Hiatal hernia": r"hernia|esophagogastric",
    "Lymphadenopathy": r"lymph",
    "Emphysema": r"emphysem|\bbulla|air cyst",
    "Atelectasis": r"atelecta",
    "Lung nodule": r"nodul",
    "Lung opacity": r"ground-glass(?! nodul)|infiltrat",
    "Pulmonary fibrotic sequela": r"fibro|sequela|scarring",
    "Pleural effusion": r"\bpleural (effusion|fluid|spaces are)|between the pleural leaves",
    "Mosaic attenuation pattern": r"mosaic",
    "Peribronchial thickening": r"peribronchial|bronchial wall|walls of the bronchi",
    "Consolidation": r"consolidat|infiltration was|infiltrative",
    "Bronchiectasis": r"bronchiect|bronchial dilat|dilated bronchi|bronchial calibers|calibers .* bronchi",
    "Interlobular septal thickening": r"\bsepta",
}
DENIAL = re.compile(
    r"\bno\b|\bneither\b|\bnot (detected|observed|seen|present)\b|\b(is|are|of|within|its) (normal|natural)"
    r"|\bare free\b|\bdo not reach\b|\bnatural\b",
)
WORDS = [
    *("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
]
COUNT = re.compile(rf"\b({'|'.join(WORDS)})\b|(?<![\d.])(\d+)(?![\d.]| mm| cm)")
SIZE = re.compile(r"(\d+(?:\.\d+)?) (mm|cm)")
LEVELS = r"(?:upper|middle|lower)(?:(?:, | and )(?:upper|middle|lower))*"
OUTLINED = ("Pericardial effusion", "Pleural effusion", "Consolidation", "Lung opacity", "Lung nodule")
IN_LUNGS = (
    "Emphysema",
    "Atelectasis",
    "Pulmonary fibrotic sequela",
    "Mosaic attenuation pattern",
    "Bronchiectasis",
    "Peribronchial thickening",
    "Interlobular septal thickening",
)


@dataclass(frozen=True)
class Reading:
    """What a sentence says of a finding: side, lobes, sizes in mm, number; total: it sums several up."""

    side: str
    lobes: frozenset[str]
    sizes: tuple[float, ...]
    number: int
    total: bool = False


def sentences_of(text: str) -> list[str]:
    return re.split(r"(?<=[.?]) (?=[A-Z0-9])", text)


def said_lobes(text: str) -> frozenset[str]:
    found = set()
    for levels, where in re.findall(rf"({LEVELS}|all) lobes? of (the right|the left|both) lungs?", text):
        for side in ("right", "left"):
            if where in ("both", f"the {side}"):
                every = ("upper", "middle", "lower") if side == "right" else ("upper", "lower")
                found |= {
                    f"{side} {x} lobe" for x in (every if levels == "all" else re.findall(r"\w+(?=,| |$)", levels))
                }
    found |= {f"{side} {level} lobe" for level in re.findall(r"both (\w+) lobes", text) for side in ("right", "left")}
    found |= {f"{s} {level} lobe" for s, level in re.findall(r"(right|left) (?:lung )?(upper|middle|lower) lobe", text)}
    return frozenset(name for name in found if " and " not in name)


def said_side(text: str) -> str:
    sides = set(re.findall(r"\b(right|left)\b", text))
    if re.search(r"\bboth (lungs|hemithoraces|sides|pleural|upper|lower)|bilateral", text) or len(sides) == 2:
        return "bilateral"
    return "".join(sides)


def said_number(text: str) -> int:
    match = COUNT.search(text)
    return 1 if match is None else WORDS.index(match[1]) + 2 if match[1] else int(match[2])


def said_sizes(text: str) -> tuple[float, ...]:
    return tuple(float(value) * (10 if unit == "cm" else 1) for value, unit in SIZE.findall(text))


def readings(text: str) -> list[Reading]:
    """Each lesion that one positive sentence tells of."""
    sided = re.findall(r"(\d+(?:\.\d+)? [cm]m)(?: in thickness)? on the (right|left)", text)
    if len(sided) == 2:
        return [Reading(side, frozenset(), said_sizes(size), 1) for size, side in sided]
    listed = re.split(r": |namely |these are ", text)
    if len(listed) == 2:
        items = re.split(r", (?=an? |one )| and (?=an? |one )", listed[1])
        return [Reading(said_side(item), said_lobes(item), said_sizes(item), 1) for item in items]
    number = said_number(text)
    return [Reading(said_side(text), said_lobes(text), said_sizes(text), number, number > 1)]


@dataclass
class ReadBack:
    """A report read by keywords: which labels its sentences affirm and deny, and each lesion they describe."""

    positive: dict[str, list[str]] = field(default_factory=dict)
    negative: dict[str, list[str]] = field(default_factory=dict)
    lesions: dict[str, list[Reading]] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str) -> "ReadBack":
        read = cls()
        last = ""
        for sentence in map(str.lower, sentences_of(text)):
            labels = [label for label, sign in SIGNS.items() if re.search(sign, sentence)]
            if not labels and last in read.lesions and sentence.startswith("the largest"):
                before = read.lesions[last].pop()
                read.lesions[last].append(replace(before, lobes=said_lobes(sentence), sizes=said_sizes(sentence)))
            for label in labels:
                denied = DENIAL.search(sentence) is not None
                (read.negative if denied else read.positive).setdefault(label, []).append(sentence)
                told = SIZE.search(sentence) or COUNT.search(sentence) or said_lobes(sentence)
                if not denied and label in OUTLINED and told:
                    read.lesions.setdefault(label, []).extend(readings(sentence))
                last = label
        return read

    def problems(self, facts: Sequence[Fact], labels: Sequence[str]) -> list[str]:
        """What the findings section says otherwise than the facts."""
        found = [f"{label} is not affirmed" for label in labels if label not in self.positive]
        found += [f"{label} is affirmed: {texts}" for label, texts in self.positive.items() if label not in labels]
        found += [f"{label} is denied: {texts}" for label, texts in self.negative.items() if label in labels]
        for label in OUTLINED:
            mine = [fact for fact in facts if fact.label == label]
            told = self.lesions.get(label, [])
            summed_up = label == "Lung nodule" and len(mine) > 1 and len(told) == 1 and told[0].total
            wrong = total_problems(mine, told[0]) if summed_up else lesion_problems(mine, told)
            found += [f"{label}: {what}" for what in wrong]
        for label in IN_LUNGS:
            lobes = {lobe for fact in facts if fact.label == label for lobe in fact.lobes}
            said = {lobe for text in self.positive.get(label, []) for lobe in said_lobes(text)}
            found += [f"{label} in {sorted(said)} for {sorted(lobes)}"] if said != lobes else []
        return found


def lesion_problems(facts: Sequence[Fact], told: Sequence[Reading]) -> list[str]:
    rest, found = list(told), []
    for fact in facts:
        match = next((reading for reading in rest if same(fact, reading)), None)
        if match is None:
            found.append(f"{fact} is not told by {told}")
        else:
            rest.remove(match)
    return [*found, *(f"{reading} is invented" for reading in rest)]


def same(fact: Fact, reading: Reading) -> bool:
    size = not reading.sizes if isnan(fact.size_mm) else any(abs(s - fact.size_mm) <= 0.51 for s in reading.sizes)
    side = "" if fact.label == "Pericardial effusion" else fact.side
    sides = {lobe.split()[0] for lobe in fact.lobes}
    agree = len(sides) == 2 if side == "bilateral" else sides == {side}
    # Where a small part lies in a lung of which no lobe is named, only the side is told.
    lobes = reading.lobes == (set(fact.lobes) if agree else set())
    return size and reading.side == side and lobes and reading.number == fact.number


def total_problems(facts: Sequence[Fact], told: Reading) -> list[str]:
    sides = {fact.side for fact in facts}
    side = "bilateral" if len(sides) > 1 else "".join(sides)
    top = max(fact.size_mm for fact in facts)
    place = {fact.lobes for fact in facts if fact.size_mm > top - 0.01}
    right = {
        "side": told.side == side,
        "number": told.number == sum(fact.number for fact in facts),
        "size": len(told.sizes) == 1 and abs(told.sizes[0] - top) <= 0.51,
        "lobe": tuple(told.lobes) in place,
    }
    return [f"{what} of {told} for {list(facts)}" for what, good in right.items() if not good]


@pytest.fixture(scope="session")
def read_back() -> type[ReadBack]:
    """Reads a report's findings and says where they depart from the facts: `read_back.of(text).problems(...)`."""
    return ReadBack


@pytest.fixture(scope="session")
def phantom_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training cases and one of valid in CT-RATE's layout, 48 x 96 x 96 voxels. Copy it before you change it."""
    root = tmp_path_factory.mktemp("phantoms") / "tree"
    make_tree(root, train=3, valid=1, config=PhantomConfig(size=(48, 96, 96), spacing_mm=(6.0, 4.0, 4.0)))
    return root


@pytest.fixture
def tree_copy(phantom_tree: Path, tmp_path: Path) -> Path:
    """A copy of `phantom_tree` that a test may damage."""
    return Path(shutil.copytree(phantom_tree, tmp_path / "copy"))
