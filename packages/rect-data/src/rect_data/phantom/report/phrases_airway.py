"""Bronchi: bronchiectasis and peribronchial thickening."""

from typing import Final

from rect_data.phantom.report.forms import Forms

BRONCHIECTASIS: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "{where}, there [is|are] {a}.",
        "The bronchi are dilated {where}, consistent with {a}.",
        "Bronchial calibers are wider than the accompanying arteries {where}, which was evaluated as {a}.",
        "Examination of the airways shows {a} {where}.",
        "Dilatation of the bronchi in the form of {a} is observed {where}.",
        "{where}, {a} [draws|draw] attention.",
        "In the parenchyma window, {a} can be followed {where}.",
        "There [is|are] {a} {where}.",
    ),
    impressions=(
        "Bronchiectasis {where}.",
        "Bronchiectatic changes in {lungs}.",
        "Dilated bronchi (bronchiectasis) in {lungs}.",
    ),
    doubts=(
        "The appearance is compatible with bronchiectasis in the first place.",
        "[It|They] may be secondary to a previous infection.",
    ),
)

PERIBRONCHIAL: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "{where}, there [is|are] {a}.",
        "The bronchial walls are thickened {where}, consistent with {a}.",
        "Examination of the airways shows {a} {where}.",
        "Bronchial wall thickness is {mildly}increased {where} (peribronchial thickening).",
        "{where}, {a} [draws|draw] attention.",
        "The bronchovascular structures are prominent {where} because of {a}.",
        "In the parenchyma window, {a} can be followed {where}.",
        "An increase in the thickness of the bronchial walls attracts attention {where}.",
        "Bronchi with thick walls are seen {where}; the appearance was evaluated as {a}.",
        "Soft tissue surrounds the bronchi like a cuff {where} (peribronchial thickening).",
        "There [is|are] {a} {where}.",
    ),
    impressions=(
        "Peribronchial thickening {where}.",
        "Thickened bronchial walls in {lungs}.",
        "Bronchial wall thickening in {lungs}; an airway inflammation may be considered.",
    ),
    doubts=("This may be secondary to bronchitis.", "An airway inflammation cannot be excluded as its cause."),
)
