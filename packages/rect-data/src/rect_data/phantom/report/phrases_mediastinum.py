"""Lymph nodes, hiatal hernia and medical material."""

from typing import Final

from rect_data.phantom.report.forms import Forms

NODES: Final = Forms(
    findings=(
        "{a} {seen} {where}, [|the largest ]with a short axis of {size}.",
        "{where}, there [is|are] {a}, [|the largest ]measuring {size} in short axis.",
        "{a} whose short axis reaches {size} {seen} {where}.",
        "[The short axis of the {noun} observed {where} is {size}.|Of the {a} observed {where}, "
        "the largest has a short axis of {size}.]",
        "Examination of the lymph node stations reveals {a} {where}; [its short axis|the short axis of the largest] "
        "is {size}.",
        "Lymphadenopathy is present {where} in the form of {a} ([|largest ]short axis {size}).",
        "{a} compatible with lymphadenopathy {seen} {where}, [|the largest ]{size} in short diameter.",
        "{where}, {a} with a short diameter of [|up to ]{size} [draws|draw] attention.",
        "There [is|are] {a} {where}, reaching {size} in short axis.",
        "{a} {seen} {where}.",
    ),
    impressions=(
        "[Lymphadenopathy|Lymphadenopathies] {where}.",
        "[Enlarged lymph node|Enlarged lymph nodes] with a short axis reaching {size}.",
        "Lymph [node|nodes] of pathological size {where}.",
        "Lymph node enlargement {where}.",
    ),
    doubts=("[It|They] may be reactive.", "Reactive enlargement may be considered in the first place."),
)

HERNIA: Final = Forms(
    findings=(
        "{a} measuring {size} {seen}.",
        "At the level of the esophageal hiatus, {a} with a diameter of {size} {seen}.",
        "There is {a}, {size} in size.",
        "The proximal stomach is herniated into the thorax, and {a} of {size} {seen}.",
        "The diameter of the {noun} observed at the lower end of the esophagus is {size}.",
        "Part of the stomach lies above the diaphragm, consistent with {a} of {size}.",
        "When the esophagogastric junction is evaluated, {a} reaching {size} draws attention.",
        "{sized} {seen} in the lower mediastinum.",
        "{a} {seen}.",
        "At the lower end of the esophagus, there is {a}.",
        "Part of the stomach lies above the diaphragm, consistent with {a}.",
        "The proximal stomach extends through the hiatus in the form of {a}.",
    ),
    impressions=("Hiatal hernia.", "Herniation of the stomach through the esophageal hiatus.", "Hernia at the hiatus."),
    doubts=("Endoscopic correlation may be considered.", "The finding is compatible with hiatal hernia."),
)

DEVICES: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "There [is|are] {a} {where}.",
        "{where}, {a} [draws|draw] attention.",
        "As medical material, {a} {seen} {where}.",
        "The image of {a} is observed {where}.",
        "The presence of {a} {where} is noted.",
        "High-density material belonging to {a} is followed {where}.",
        "It was noted that {a} [was|were] present {where}.",
        "Evaluation of the study area shows {a} {where}.",
    ),
    impressions=("Medical material: {noun}.", "Presence of {a}.", "[Appearance|Appearances] of {a} {where}."),
    doubts=("Clinical correlation is recommended.", "Its evaluation is limited by metallic artifacts."),
)
