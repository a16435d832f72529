"""Diffuse changes of the lungs: emphysema, mosaic attenuation, fibrotic sequelae, septal thickening."""

from typing import Final

from rect_data.phantom.report.forms import Forms

EMPHYSEMA: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "{where}, there [is|are] {a}.",
        "The lung parenchyma shows {a} {where}.",
        "Areas of low attenuation without walls are noted {where}, consistent with {a}.",
        "Parenchymal destruction in the form of {a} {where} draws attention.",
        "Aeration is increased {where} due to {a}.",
        "In the parenchyma window, {a} [stands|stand] out {where}.",
        "The low attenuation areas {where} were evaluated as {a}.",
        "There [is|are] {a} {where}.",
    ),
    impressions=(
        "Emphysema {where}.",
        "Emphysematous changes in {lungs}.",
        "Findings compatible with emphysema in {lungs}.",
    ),
    doubts=(
        "[It|They] may be related to smoking.",
        "Correlation with pulmonary function tests may be considered.",
    ),
)

MOSAIC: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "{where}, there is {a}.",
        "The attenuation of the parenchyma is inhomogeneous {where}, giving rise to {a}.",
        "Aeration is heterogeneous {where}, consistent with {a}.",
        "The lung parenchyma shows {a} {where}.",
        "Areas of different attenuation lie side by side {where} (mosaic attenuation pattern).",
        "In the parenchyma window, {a} draws attention {where}.",
        "Patchy areas of decreased attenuation {where} were evaluated as {a}.",
        "Lobules of low and high density alternate {where}, creating {a}.",
        "There is {a} {where}.",
    ),
    impressions=(
        "Mosaic attenuation {where}.",
        "Mosaic attenuation pattern in {lungs} (small airway disease? small vessel disease?).",
        "Heterogeneous aeration with a mosaic attenuation pattern in {lungs}.",
    ),
    doubts=(
        "This may be secondary to small airway or small vessel disease.",
        "Expiratory air trapping cannot be excluded as its cause.",
    ),
)

SEQUELA: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "{where}, there [is|are] {a}.",
        "Examination of the parenchyma shows {a} {where}.",
        "The linear densities {where} were evaluated as {a}.",
        "A previous process has left {a} {where}.",
        "{where}, {a} [draws|draw] attention.",
        "In the parenchyma window, {a} can be followed {where}.",
        "There [is|are] {a} {where}.",
        "{a} of chronic appearance {seen} {where}.",
    ),
    impressions=(
        "Sequela changes {where}.",
        "Fibrotic sequelae in {lungs}.",
        "Changes of sequela nature, thought to be old, in {lungs}.",
    ),
    doubts=(
        "[It|They] may be secondary to a previous infection.",
        "Comparison with previous examinations, if any, is recommended.",
    ),
)

SEPTAL: Final = Forms(
    findings=(
        "{a} {seen} {where}.",
        "{where}, there [is|are] {a}.",
        "The borders of the secondary lobules are prominent {where} due to {a}.",
        "The interstitium is evident {where} in the form of {a}.",
        "Reticular lines {where} were evaluated as {a}.",
        "Examination of the parenchyma shows {a} {where}.",
        "{where}, {a} [draws|draw] attention.",
        "In the parenchyma window, {a} can be followed {where}.",
        "There [is|are] {a} {where}.",
    ),
    impressions=(
        "Thickening of interlobular septa {where}.",
        "Interlobular septal thickening in {lungs}.",
        "Prominent (thickened) interlobular septa in {lungs}.",
    ),
    doubts=(
        "This may be secondary to interstitial edema.",
        "Early interstitial edema cannot be excluded as its cause.",
    ),
)
