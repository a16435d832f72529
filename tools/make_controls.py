"""Reports for rect-eval's `--control`: what a writer gets that knows the truth (ceilings).

`python tools/make_controls.py round-trip TRUTH --out DIR` writes, for each reference with labels, the report that our
evidence writer makes of exactly these labels: no report of ours can read better than this one.
`python tools/make_controls.py second-report PHANTOMS --out DIR` writes a second report of the same facts of phantoms:
what another author who knows everything would score.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from math import isnan
from pathlib import Path

from rect_core.config import from_dict
from rect_core.findings import LABELS
from rect_core.types import FindingScores, PredictionRecord
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.generate import generate
from rect_data.phantom.report.writer import write
from rect_data.phantom.streams import stream
from rect_eval.io import read_truth
from rect_reporter import write_report


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="Ceilings for rect-eval: reports by a writer that knows the truth.")
    out.add_argument("kind", choices=("round-trip", "second-report"))
    out.add_argument("truth", type=Path, help="what rect-eval takes as truth; for second-report a tree of phantoms")
    out.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder: <case>/report.txt")
    out.add_argument("--split", default="valid", help="cases of this split (default: valid)")
    return out


def main() -> int:
    """0 done, 2 bad input."""
    options = parser().parse_args()
    try:
        options.out.mkdir(parents=True)
        count = _write(options.out, _round_trip(options) if options.kind == "round-trip" else _second(options))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{count} reports in {options.out}")
    return 0


def _write(out: Path, texts: Iterator[tuple[str, str]]) -> int:
    count = 0
    for case_id, text in texts:
        (out / case_id).mkdir()
        (out / case_id / "report.txt").write_text(text + "\n", encoding="utf-8")
        count += 1
    return count


def _round_trip(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    for case_id, truth in read_truth(options.truth, split=options.split).items():
        known = [(label, value) for label, value in zip(LABELS, truth.labels, strict=True) if not isnan(value)]
        if known:
            yield case_id, write_report(_certain(case_id, dict(known))).text


def _certain(case_id: str, labels: dict[str, float]) -> PredictionRecord:
    """The prediction of somebody who knows the labels and nothing else."""
    scores = FindingScores(
        labels=tuple(labels),
        logits=tuple(20.0 if value else -20.0 for value in labels.values()),
        prob=tuple(labels.values()),
        threshold=(0.5,) * len(labels),
        calibrated=True,
    )
    return PredictionRecord(
        case_id=case_id, weights_status="clinical-data", scores=scores, assessed_masks=(), lesions=()
    )


def _second(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    settings = options.truth / "phantoms.json"
    if not settings.is_file():
        raise ValueError(f"{options.truth.name} holds no phantoms.json: give a tree of tools/make_phantoms.py")
    config = from_dict(PhantomConfig, json.loads(settings.read_text(encoding="utf-8")))
    for path in sorted((options.truth / "phantoms").glob(f"{options.split}_*.json")):
        index = json.loads(path.read_text(encoding="utf-8"))["index"]
        case = generate(index, config)
        rng = stream(config.seed, index, "second report")
        text = write(case.facts, case.positive, case.patient, case.contrast_hu > 0, rng)
        yield path.stem, f"Findings:\n{text.findings}\n\nImpression:\n{text.impressions}"


if __name__ == "__main__":
    sys.exit(main())
