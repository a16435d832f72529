"""Heart size and the calcification of arteries."""

from typing import Final

from rect_data.phantom.report.forms import Forms

CARDIOMEGALY: Final = Forms(
    findings=(
        "{a} {seen}.",
        "Heart size is {mildly}increased.",
        "The heart is {mildly}larger than normal.",
        "The cardiothoracic ratio was measured as {ratio} and is increased in favor of the heart.",
        "With a cardiothoracic ratio of {ratio}, the heart is {mildly}enlarged.",
        "The cardiothoracic index has increased in favor of the heart ({ratio}).",
        "The transverse diameter of the heart is {mildly}increased.",
        "When the heart is evaluated, {a} draws attention.",
        "The contours of the heart are {mildly}widened, consistent with cardiomegaly.",
        "An increase in cardiac dimensions is noted, in favor of cardiomegaly.",
    ),
    impressions=("Cardiomegaly.", "Increase in heart size.", "Enlarged heart."),
    doubts=(
        "Shallow inspiration may contribute to this appearance.",
        "Echocardiographic correlation may be considered.",
    ),
)

ARTERIAL: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "There are {a} {where}.",
        "Calcifications {seen} in the walls of {place}.",
        "{where}, {a} draw attention.",
        "Evaluation of the vascular structures reveals {a} {where}.",
        "Atherosclerotic changes are present with {a} {where}.",
        "The vascular walls are calcified {where}, consistent with atherosclerosis.",
        "Calcified atheroma can be followed along the walls of {place}.",
        "The course of {place} is marked by {a}.",
    ),
    impressions=(
        "Calcific atheroma plaques {where}.",
        "Atherosclerotic vascular wall calcifications.",
        "Atherosclerosis with calcified plaques {where}.",
    ),
    doubts=("These are thought to be atherosclerotic in nature.", "These are compatible with atherosclerosis."),
)

CORONARY: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "There are {a} {where}.",
        "Calcifications {seen} in the walls of {place}.",
        "{where}, {a} draw attention.",
        "Evaluation of the heart reveals {a} {where}.",
        "Atherosclerotic changes of the heart vessels are present with {a} {where}.",
        "Calcified atheroma can be followed along {place}.",
        "The traces of {place} are calcified, consistent with atherosclerosis.",
        "High-density plaques of calcific nature {seen} {where}.",
    ),
    impressions=(
        "Calcific plaques {where}.",
        "Coronary atherosclerosis with wall calcification.",
        "Coronary artery calcifications.",
    ),
    doubts=("Cardiac motion limits their evaluation.", "These are compatible with coronary atherosclerosis."),
)

BOTH_ARTERIES: Final = (
    "{a} are observed in {vessels} and {coronary}.",
    "There are {a} in the walls of {vessels} and in {coronary}.",
    "In {vessels} and {coronary}, {a} draw attention.",
    "Evaluation of the vascular structures reveals {a} in {coronary} and {vessels}.",
)
"""Calcification of great vessels and coronary arteries in one sentence."""
