"""Lung nodules: one alone, a few told one by one, many summed up."""

from typing import Final

from rect_data.phantom.report.forms import Forms

NODULE: Final = Forms(
    findings=(
        "{a} with a diameter of {size} {seen} {where}.",
        "{where}, there <is|was> {a} measuring {size} in diameter.",
        "{a} measuring {size} in its longest diameter draws attention {where}.",
        "{sized} {seen} {where}.",
        "The longest diameter of the {noun} observed {where} is {size}.",
        "There is {a} {where}, and its diameter is <approximately |>{size}.",
        "Evaluation of the parenchyma revealed {a} of {size} {where}.",
        "{a} {seen} {where}; it measures {size}.",
        "{where}, {sized} is noteworthy.",
        "In the parenchyma window, {a} is followed {where} with a size of {size}.",
        "{a} {seen} {where}.",
    ),
    impressions=(
        "[Nodule|Nodules] {where}.",
        "[Pulmonary nodule of {size}|Pulmonary nodules, the largest {size},] in {lungs}.",
        "[Parenchymal nodule|Parenchymal nodules] in {lungs}; follow-up is recommended.",
        "[Nodular lesion|Nodular lesions] {where}[|, the largest] reaching {size}.",
        "Follow-up of the [nodule|nodules] in {lungs} is recommended.",
    ),
    doubts=(
        "[It|They] could not be characterized clearly, and follow-up is recommended.",
        "The appearance may represent [a nodule|nodules], and control examination is recommended.",
    ),
)
"""One nodule; in impressions all of them together."""

FEW: Final = (
    "{n} {nouns} {seen} {where}: {items}.",
    "There are {count} {nouns} {where}, namely {items}.",
    "Pulmonary {nouns} {seen}, {count} in number: {items}.",
    "{where}, {count} {nouns} draw attention; these are {items}.",
)
"""n: in words; count: in words or digits; items: "one of 6 mm in the right upper lobe and one of 4 mm in ..."."""

MANY: Final = (
    "{n} {nouns} {seen} {where}, the largest measuring {size} {largest}.",
    "{where}, there are {count} {nouns}; the largest is {size} in diameter and is located {largest}.",
    "The largest of the {count} {nouns} observed {where} is located {largest}, and its diameter is {size}.",
    "Multiple {nouns} ({count} in total) {seen} {where}. The largest, with a diameter of {size}, is {largest}.",
    "A total of {count} {nouns} {seen} {where}, the largest of which is {size} in size and located {largest}.",
    "With the largest {largest} reaching {size}, a total of {count} {nouns} {seen} {where}.",
    "The parenchyma window shows {count} {nouns} {where}. The largest measures {size} and lies {largest}.",
    "In a total of {count}, {nouns} {seen} {where}; the diameter of the largest one {largest} is {size}.",
    "{n} {nouns} {seen} {where}.",
)
"""where: the lungs; largest: the place of the largest one."""
