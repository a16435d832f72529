"""Ground-glass opacity, consolidation and atelectasis."""

from typing import Final

from rect_data.phantom.report.forms import Forms

OPACITY: Final = Forms(
    findings=(
        "{a} {seen} {where}, [|the largest ]measuring {size}.",
        "{where}, there [is|are] {a}, [with a longest diameter of|the largest of which is] {size}.",
        "{a} [reaching|with the largest reaching] {size} in diameter [draws|draw] attention {where}.",
        "The parenchyma window shows {a} {where}; [its longest diameter|the diameter of the largest] is {size}.",
        "There is a hazy loss of aeration {where} in the form of {a}, [|the largest ]{size} in size.",
        "[The {noun} observed {where} measures {size} in its longest diameter.|Of the {a} observed {where}, "
        "the largest measures {size}.]",
        "Vascular structures can be followed through {a} {where}, [|the largest of ]which measures {size}.",
        "There [is|are] {a} measuring [|up to ]{size} {where}.",
        "{where}, {a} {seen} with a long axis of [|up to ]{size}.",
        "When the lungs are evaluated, {a} {seen} {where}, and [its|the largest] size is {size}.",
        "{a} {seen} {where}.",
    ),
    impressions=(
        "Ground-glass [opacity|opacities] {where}.",
        "[Ground-glass density area|Ground-glass density areas] in {lungs}.",
        "Findings in the form of ground-glass [opacity|opacities] in {lungs}; clinical correlation is recommended.",
        "Infiltration of ground-glass density {where}.",
    ),
    doubts=(
        "[It|They] may be secondary to an infectious process.",
        "The appearance is nonspecific; an infectious process cannot be excluded.",
    ),
)

CONSOLIDATION: Final = Forms(
    findings=(
        "{a} {seen} {where}, [|the largest ]measuring {size}.",
        "{where}, there [is|are] {a}, [with a longest diameter of|the largest of which is] {size}.",
        "{a} obscuring the vascular structures {seen} {where}; [its long axis|the long axis of the largest] is {size}.",
        "[The {noun} observed {where} measures {size} in its longest diameter.|Of the {a} observed {where}, "
        "the largest measures {size}.]",
        "{where}, {a} reaching {size} in diameter [draws|draw] attention.",
        "There [is|are] {a} measuring [|up to ]{size} {where}.",
        "The air spaces are filled {where} in the form of {a}, [|the largest ]{size} in size.",
        "In the parenchyma window, {a} of [|up to ]{size} {seen} {where}.",
        "{a} [is|are] present {where}, and [the longest diameter|the longest diameter of the largest] is {size}.",
        "{a} {seen} {where}.",
    ),
    impressions=(
        "Consolidation {where}.",
        "Consolidative [change|changes] in {lungs}.",
        "[Area|Areas] of parenchymal consolidation in {lungs}; correlation with clinical findings is recommended.",
        "Consolidated parenchyma {where}, the largest diameter being {size}.",
    ),
    doubts=(
        "An infectious process may be considered in the etiology.",
        "[It|They] may be secondary to pneumonia.",
    ),
)

ATELECTASIS: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "There [is|are] {a} {where}.",
        "{where}, {a} [draws|draw] attention.",
        "Examination of the parenchyma shows {a} {where}.",
        "A loss of aeration in the form of {a} is observed {where}.",
        "[The density|The densities] {where} [was|were] evaluated as {a}.",
        "{where}, the parenchyma shows {a}.",
        "In the parenchyma window, {a} can be followed {where}.",
        "The changes observed {where} are in the form of {a}.",
        "Among the parenchymal findings [is|are] {a} {where}.",
    ),
    impressions=(
        "Atelectasis {where}.",
        "Atelectatic changes in {lungs}.",
        "Loss of aeration consistent with atelectasis in {lungs}.",
    ),
    doubts=(
        "This may be secondary to shallow inspiration.",
        "[It|They] may be secondary to the position of the patient.",
    ),
)
