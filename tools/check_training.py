"""Whether training taught anything: `python tools/check_training.py FOLDER`, after tools/train_demo.sh.

Losses of each run must fall, and AUROC and Dice on the validation split must lie above the 95 % interval of untrained
weights. The split is that which the export's operating points were fitted on. Exits with 1 where they do not.
"""

import argparse
import json
import sys
from pathlib import Path

from rect_eval.output import load

RUNS = ("classify", "localize", "joint")
SCORES = (("classification", "macro_auroc"), ("localization", "macro_dice"))


def main() -> int:
    """0 learned, 1 not, 2 bad usage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="of tools/train_demo.sh")
    folder = parser.parse_args().folder
    try:
        found = [*losses(folder), *scores(folder)]
    except (OSError, ValueError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    for line, good in found:
        print(f"{'yes' if good else 'NO ':<4}{line}")
    return 0 if all(good for _, good in found) else 1


def losses(folder: Path) -> list[tuple[str, bool]]:
    """The mean of the first and of the last tenth of each run's steps."""
    found = []
    for name in (name for name in RUNS if (folder / name).is_dir()):
        rows = [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text("utf-8").splitlines()]
        loss = [row["loss"] for row in rows if row.get("loss") is not None]
        some = max(1, len(loss) // 10)
        first, last = sum(loss[:some]) / some, sum(loss[-some:]) / some
        found.append((f"{name}: loss fell from {first:.3f} to {last:.3f} in {len(loss)} steps", last < first))
    return found


def scores(folder: Path) -> list[tuple[str, bool]]:
    """Each score beside that of untrained weights."""
    ours, theirs = (load(folder / name / "metrics.json") for name in ("scores", "scores_untrained"))
    found = []
    for part, name in SCORES:
        mine, other = (next(s for s in each.sections if s.name == part).scores[name] for each in (ours, theirs))
        line = f"{part}: {name} {mine.value:.3f} ({mine.low:.3f} to {mine.high:.3f}) against {other.value:.3f} "
        found.append((f"{line}({other.low:.3f} to {other.high:.3f}) untrained", mine.value > other.high))
    return found


if __name__ == "__main__":
    sys.exit(main())
