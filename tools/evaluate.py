"""Scores a model over a split: `python tools/evaluate.py --checkpoint WEIGHTS --data-dir STORE --split valid
--output-dir DIR --generate-reports --save-visualizations`.

Stopped evaluations go on where they were: predictions of the same weights and settings are not made again.
"""

import argparse
import sys
from pathlib import Path

from rect_eval.cli.terminal import evaluation_lines, show, width
from rect_train.evaluate import Outcome, Wanted, evaluate
from rect_train.evaluate.model import load_model
from rect_train.evaluate.scans import open_scans
from rect_vlm.cli.common import pick_device


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="Predictions over a split, their scores with controls, and a report.")
    out.add_argument("--checkpoint", required=True, help="export, run, Hub id, installed weights, or untrained:tiny")
    out.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="data set, manifest, or store")
    out.add_argument("--split", default="valid", help='one of the data\'s (default: valid); "" is all')
    out.add_argument("--output-dir", type=Path, required=True, metavar="DIR", help="new, or to go on with")
    out.add_argument("--generate-reports", action="store_true", help="write and score reports")
    out.add_argument("--save-visualizations", action="store_true", help="draw every case beside its truth")
    out.add_argument("--source", type=Path, metavar="DIR", help="where the data set of a store is now")
    out.add_argument("--limit", type=_count, help="only the first cases")
    out.add_argument("--device", default="auto", help="auto (default), cpu, cuda")
    out.add_argument("--revision", help="of a Hub id")
    out.add_argument("--weights-status", choices=("synthetic", "clinical-data"), help="of a run that does not say")
    out.add_argument("--workers", type=_count, default=1, help="processes that read masks (default: 1)")
    out.add_argument("--resamples", type=int, default=1000, help="of patients; 0: no intervals (default: 1000)")
    out.add_argument("--no-oracle", action="store_true", help="leave out what the model grid could hold at best")
    out.add_argument("--force", action="store_true", help="begin again where DIR holds an evaluation")
    return out


def main() -> int:
    """0 done, 1 scans were refused (the others are scored, these count as failures), 2 bad usage, 130 stopped."""
    options = parser().parse_args()
    try:
        found = _run(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: what is predicted is kept, run again to go on", file=sys.stderr)
        return 130
    for case_id, why in found.failed.items():
        print(f"failed: {case_id}: {why}", file=sys.stderr)
    show([*evaluation_lines(found.evaluation, width()), ""])
    print(
        f"{found.predicted} predicted, {found.skipped} were there, {len(found.failed)} failed; see {options.output_dir}"
    )
    return 1 if found.failed else 0


def _run(options: argparse.Namespace) -> Outcome:
    scans = open_scans(options.data_dir, options.split, limit=options.limit, source=options.source)
    model = load_model(
        options.checkpoint,
        device=pick_device(options.device),
        revision=options.revision,
        status=options.weights_status,
    )
    wanted = Wanted(
        data=options.data_dir.absolute().name,
        split=options.split,
        reports=options.generate_reports,
        pictures=options.save_visualizations,
        workers=options.workers,
        resamples=options.resamples,
        oracle=not options.no_oracle,
    )
    return evaluate(model, scans, options.output_dir, wanted, force=options.force, progress=_tell)


def _tell(done: int, total: int, name: str) -> None:
    if sys.stderr.isatty() or done % 25 == 0 or done == total:
        print(f"{done}/{total} {name}", file=sys.stderr, flush=True)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 up")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
