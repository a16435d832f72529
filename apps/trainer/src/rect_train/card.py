"""Model cards: the README.md of a component and of the whole, with the Hub's front matter."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Final

from rect_core.types import SYNTHETIC, OperatingPoints, OutlinePoints, WeightsStatus
from rect_localizer import THRESHOLD
from rect_train.calibrate import Fitted
from rect_train.facts import Metric, RunFacts, command_without_folders, config_text

CLINICAL: Final = "Trained on clinical data, whose licence applies to these weights; not for clinical use."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    """What a component is. others: beginnings of the scores that are another component's."""

    title: str
    library: str
    task: str
    about: str
    load: str
    others: tuple[str, ...] = ()


_KINDS: Final[Mapping[str, _Kind]] = {
    "encoder": _Kind(
        title="ReCT-VLM vision encoder",
        library="rect_encoder",
        task="image-feature-extraction",
        about="Turns a chest CT into tokens (patches, 20 anatomical regions, one for the whole scan) for the heads, or "
        "into one vector. Slice-aware and region-aware attention; needs torch and einops, no transformers.",
        load='from rect_encoder import embed\n\nvector = embed("scan.nii.gz", model="FOLDER_OR_HUB_ID")',
    ),
    "classifier": _Kind(
        title="ReCT-VLM classifier",
        library="rect_classifier",
        task="image-classification",
        about="Scores 18 findings from the tokens of its encoder: the cosine of what a finding's prompt sees in the "
        "scan with the prompt itself. `logits` are raw; `prob` went through the operating points beside the weights, "
        "where there are some.",
        load='from rect_classifier import classify\n\nscores = classify("scan.nii.gz", model="FOLDER_OR_HUB_ID")\n'
        "print(scores.probabilities, scores.logits)",
        others=("dice", "macro_dice", "specificity_of_empty", "hidden_error"),
    ),
    "localizer": _Kind(
        title="ReCT-VLM localizer",
        library="rect_localizer",
        task="image-segmentation",
        about="Outlines five findings (pericardial and pleural effusion, consolidation, ground-glass opacity, lung "
        "nodule) on the scan's own voxels, from the scan and the tokens of its encoder.",
        load='from rect_localizer import localize\n\nlesions = localize("scan.nii.gz", model="FOLDER_OR_HUB_ID")',
        others=("macro_auroc", "auroc", "macro_auprc", "auprc", "macro_f1", "f1", "hidden_error"),
    ),
    "whole": _Kind(
        title="ReCT-VLM",
        library="rect_vlm",
        task="image-to-text",
        about="One chest CT in; 18 findings with probabilities, outlined and measured lesions of five of them, and a "
        "report whose every sentence names its evidence out. Holds `encoder/`, `classifier/` and `localizer/`, each of "
        "which loads alone.",
        load='from rect_vlm import ReCTVLM\n\nout = ReCTVLM.from_pretrained("FOLDER_OR_HUB_ID").predict("scan.nii.gz")'
        '\nprint(out.report)\nout.save("predictions")',
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """What a card says of an export besides its run. fingerprints, parameters: of each component in it; fitted: on this
    split, None: not asked for."""

    status: WeightsStatus
    fingerprints: Mapping[str, str]
    parameters: Mapping[str, int]
    fitted: Fitted | None
    split: str

    @property
    def scores(self) -> OperatingPoints | None:
        """Of the classifier."""
        return self.fitted and self.fitted.scores

    @property
    def outlines(self) -> OutlinePoints | None:
        """Of the localizer."""
        return self.fitted and self.fitted.outlines


def card(part: str, run: RunFacts, export: Export) -> str:
    """The README.md of a component ("encoder", "classifier", "localizer") or of the "whole"."""
    kind = _KINDS[part]
    banner = CLINICAL if export.status == "clinical-data" else f"{SYNTHETIC.capitalize()}."
    sections = {
        "How to load it": f"```python\n{kind.load}\n```" + _needs(part),
        "Intended use and limits": _limits(run, export),
        "Data": _data(run),
        "Training": _training(run),
        "Metrics": _metrics(kind, run),
        **({"Calibration": _calibration(export)} if part in ("classifier", "whole") else {}),
        **({"Peaks of outlines": _peaks(export)} if part in ("localizer", "whole") else {}),
        "Fingerprints": _fingerprints(part, export),
    }
    text = "\n\n".join(f"## {heading}\n\n{body}" for heading, body in sections.items())
    opening = f"**{banner}** Research software, not a medical device."
    return f"{_front(kind, run, export)}\n# {kind.title}\n\n{opening}\n\n{kind.about}\n\n{text}\n"


def _front(kind: _Kind, run: RunFacts, export: Export) -> str:
    tags = ["chest-ct", "medical-imaging", "3d", "rect-vlm", export.status]
    if export.status == "clinical-data":
        stated = run.store.licence if run.store else ""
        licence = f"license: other\nlicense_name: {json.dumps(stated or 'licence of the training data')}"
    else:
        licence = "license: apache-2.0"
    listed = "\n".join(f"- {tag}" for tag in tags)
    return f"---\n{licence}\nlibrary_name: {kind.library}\npipeline_tag: {kind.task}\ntags:\n{listed}\n---\n"


def _needs(part: str) -> str:
    if part in ("encoder", "whole"):
        return ""
    return "\n\nIt reads the tokens of its own encoder, which its config.json names; another one is refused."


def _limits(run: RunFacts, export: Export) -> str:
    grid = run.config.sizes.encoder.grid
    size = " x ".join(map(str, grid.shape)), " x ".join(f"{mm:g}" for mm in grid.spacing_mm)
    synthetic = "- What phantoms teach and how phantoms score says nothing about patients.\n"
    return (
        "For research on chest CT in Hounsfield units. Nothing here may decide about a patient.\n\n"
        + ("" if export.status == "clinical-data" else synthetic)
        + f"- It sees a grid of {size[0]} cells of {size[1]} mm (depth, height, width) around the lungs; what is "
        "smaller than a cell, or outside, it does not see.\n"
        "- It assesses 18 findings and outlines five of them. Pneumothorax, embolism, dissection, fracture and all "
        "else are not assessed: that nothing was found never means that nothing is there."
    )


def _data(run: RunFacts) -> str:
    lines = [f"- Kinds of scans that the weights have seen, earlier runs included: {', '.join(run.origins)}."]
    if run.store is None:
        lines.append(f"- Store `{run.config.data.store.name}`; how many cases it had is not known.")
        lines.append("- Licence of the data: not known.")
        return "\n".join(lines)
    used = {run.config.data.train: "trained on", run.config.data.valid: "validated on"}
    store = run.store.name
    lines += [
        f"- Store `{store}`, split `{split}`: {scans} scans of {patients} patients, {used.get(split, 'unused')}."
        for split, (scans, patients) in run.store.splits.items()
    ]
    if run.store.excluded:
        lines.append(f"- {run.store.excluded} rows of its manifest are excluded.")
    lines.append(f"- Licence of the data: {run.store.licence or 'the store states none'}.")
    if run.sources:
        lines.append("- The data of the runs that it began from are not counted here.")
    return "\n".join(lines)


def _training(run: RunFacts) -> str:
    config = run.config
    begun = [f"the {part} from `{source}`" for part, source in run.sources.items()]
    lines = [
        f"- Phase {config.phase}, tasks {', '.join(config.asked)}; preset `{config.preset}`"
        + (", with sizes of its own" if config.model else "") + f"; seed {config.seed}; precision {config.precision}.",
        f"- Checkpoint `{run.run}`" + ("; averaged weights (EMA)." if config.optim.ema else "."),
        f"- It began with {', '.join(begun)}." if begun else "- It began with weights drawn from the seed.",
        *_sessions(run),
    ]  # fmt: skip
    config_block = f"<details><summary>config</summary>\n\n```json\n{config_text(config)}\n```\n\n</details>"
    return "\n".join(lines) + f"\n\n{config_block}"


def _sessions(run: RunFacts) -> list[str]:
    if not run.sessions:
        return ["- Command, commit and versions: not known."]
    lines = []
    for said in run.sessions:
        command = f"`{command_without_folders(said['command'])}`" if said["command"] else "not known"
        changed = {True: " with local changes", False: "", None: ""}[said["modified"]]
        commit = f"`{said['commit']}`{changed}" if said["commit"] else "not known"
        versions = f"rect-train {said['rect_train']}, torch {said['torch']}, Python {said['python']}"
        lines.append(f"- Command: {command}; commit: {commit}; {versions}.")
    return list(dict.fromkeys(lines))


def _metrics(kind: _Kind, run: RunFacts) -> str:
    mine = [metric for metric in run.metrics if not metric.name.startswith(kind.others)] if kind.others else run.metrics
    if not mine:
        return "Not known: the run has logged no validation of this part."
    chosen = " This checkpoint was chosen by these scores, which flatters them a little." if run.best else ""
    rows = "\n".join(_row(metric) for metric in mine)
    return (
        f"Validation after step {run.validated} on split `{run.config.data.valid}`, on the model grid.{chosen} The "
        "control is the score that another patient's scan would get.\n\n"
        f"| score | value | 95 % interval, by patient | control: another patient's scan |\n|---|---|---|---|\n{rows}"
    )


def _row(metric: Metric) -> str:
    known = not (isnan(metric.low) or isnan(metric.high))
    interval = f"{metric.low:.3f} to {metric.high:.3f}" if known else "not known"
    value = "undefined" if isnan(metric.value) else f"{metric.value:.3f}"
    control = "not measured" if isnan(metric.mismatched) else f"{metric.mismatched:.3f}"
    return f"| {metric.name} | {value} | {interval} | {control} |"


def _calibration(export: Export) -> str:
    if (points := export.scores) is None:
        return f"Not calibrated. {_why(export, 'label')}"
    cuts = ", ".join(f"`{name}`" for name in points.thresholds)
    return (
        f"Platt scaling and cuts, fitted on {points.fitted_on}\n\nIn `operating_points.json`; cuts for {cuts}, of "
        "which `f1` decides unless another is asked for. Score them on other patients than those that they were fitted "
        "on."
    )


def _peaks(export: Export) -> str:
    if (points := export.outlines) is None:
        return f"Every lesion from a probability of 0.5 on counts. {_why(export, 'mask')}"
    rows = "\n".join(f"| {name.replace('_', ' ')} | {_peak(peak)} |" for name, peak in points.peaks.items())
    return (
        "A lesion is outlined from a probability of 0.5 on and counts where it reaches the peak of its finding in some "
        f"cell of the model grid, fitted on {points.fitted_on}\n\n| finding | peak |\n|---|---|\n{rows}\n\nIn "
        "`operating_points.json`; a threshold of your own lets every lesion count. The metrics above were taken "
        "without peaks."
    )


def _peak(peak: float) -> str:
    return f"{peak:.6f}" if peak > THRESHOLD else "every lesion counts"


def _why(export: Export, what: str) -> str:
    """Why there are no operating points."""
    if export.fitted is None:
        return "Its operating points were not asked for."
    return f"Split `{export.split}` of its store has no known {what}."


def _fingerprints(part: str, export: Export) -> str:
    shown = export.fingerprints if part == "whole" else {
        name: seal for name, seal in export.fingerprints.items() if name in (part, "encoder")
    }  # fmt: skip
    rows = "\n".join(f"| {name} | {export.parameters[name]:,} | `{seal}` |" for name, seal in shown.items())
    return f"| component | parameters | SHA-256 of its tensors as bfloat16 |\n|---|---|---|\n{rows}"
