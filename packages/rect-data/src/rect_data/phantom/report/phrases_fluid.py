"""Pleural and pericardial effusion."""

from typing import Final

from rect_data.phantom.report.forms import Forms

PLEURAL: Final = Forms(
    findings=(
        "{a} measuring {size} at [its|the] thickest point {seen} {where}.",
        "{where}, there [is|are] {a} with a thickness of [|up to ]{size}.",
        "{a} reaching {size} in thickness {seen} {where}.",
        "[The thickest part of the {noun} observed {where} measures {size}.|Of the {a} observed {where}, "
        "the thickest measures {size}.]",
        "There [is|are] {a} {where}, and [its|the greatest] thickness is {size}.",
        "Between the pleural leaves, {a} {seen} {where} with a thickness of [|up to ]{size}.",
        "{a} [draws|draw] attention {where} ({size} at the thickest point).",
        "The {side} pleural space contains {a} with a thickness of [|up to ]{size}.",
        "{a}, {size} thick at the widest point, {seen} {where}.",
        "{a} {seen} {where}.",
    ),
    impressions=(
        "Pleural effusion {where}.",
        "Pleural fluid {where}, {size} thick.",
        "Effusion between the pleural leaves {where}.",
    ),
    doubts=(
        "[It|They] may be secondary to fluid overload.",
        "Control examination may be considered.",
    ),
)

BOTH_SIDES: Final = (
    "Bilateral {noun} <is|was> observed, measuring {right} on the right and {left} on the left at the thickest point.",
    "{noun} reaching {right} in thickness on the right and {left} on the left {seen}.",
    "In both hemithoraces, there is {noun} with a thickness of {right} on the right and {left} on the left.",
    "The thickness of the {noun} observed on both sides is {left} on the left and {right} on the right.",
    "Between the pleural leaves, {noun} {seen} bilaterally ({right} on the right, {left} on the left).",
    "{noun} {seen} on both sides; its thickest point is {left} on the left and {right} on the right.",
)
"""Pleural effusion of one kind, once on each side."""

BOTH_SIDES_SHORT: Final = (
    "Bilateral pleural effusion.",
    "Pleural fluid on both sides.",
    "Effusion between the pleural leaves in both hemithoraces.",
)

PERICARDIAL: Final = Forms(
    findings=(
        "{a} measuring {size} at [its|the] thickest point {seen}.",
        "There [is|are] {a} with a thickness of [|up to ]{size}.",
        "{a} reaching {size} in thickness {seen}.",
        "[The thickness of the {noun} was measured as {size}.|Of the {a}, the thickest measures {size}.]",
        "Around the heart, {a} of [|up to ]{size} in thickness {seen}.",
        "Between the pericardial leaves, there [is|are] {a}, {size} thick at the widest point.",
        "The pericardial space contains {a} with a thickness of [|up to ]{size}.",
        "{a} {seen} adjacent to the heart; [its|the greatest] thickness is {size}.",
        "When the heart and its surroundings are evaluated, {a} [draws|draw] attention ({size} at the thickest point).",
        "{a} {seen}.",
    ),
    impressions=(
        "Pericardial effusion.",
        "Fluid in the pericardial space, {size} thick.",
        "Effusion between the pericardial leaves.",
    ),
    doubts=(
        "Echocardiographic correlation may be considered.",
        "[It|They] may be secondary to fluid overload.",
    ),
)
