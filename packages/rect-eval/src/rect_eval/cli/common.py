"""Options that several commands share, and how bad usage is told."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NoReturn

from rect_core.errors import DataError
from rect_core.frame import GridConfig
from rect_core.types import OperatingPoints
from rect_eval.run.options import PARTS, Options, Thresholds

GRIDS: Final = {
    "tiny": GridConfig(shape=(48, 128, 128), spacing_mm=(6.5, 3.0, 3.0)),
    "base": GridConfig(),
}
"""Model grids for the oracle Dice: those of the encoders rect-encoder-tiny and rect-encoder-base."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What a command is about, its options, and what it does."""

    about: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class OneLineParser(argparse.ArgumentParser):
    """Bad usage is told in one line, as every other problem is; --help has the rest."""

    hint = ""

    def error(self, message: str) -> NoReturn:
        """Prints the line, with the option that was probably meant, and exits with 2."""
        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        words = message.split() if message.startswith("unrecognized arguments") else []
        found = [nearest(word.partition("=")[0], known) for word in words if word.startswith("--")]
        hints = [f"did you mean {name}?" for name in found if name] or [self.hint]
        told = " ".join([message.rstrip("."), *(f"({hint})" for hint in hints if hint)])
        self.exit(2, f"{self.prog}: error: {told} (see {self.prog} --help)\n")


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that a mistyped one is nearest to, "" where none is near."""
    return next(iter(get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)), "")


def choice(*known: str) -> Callable[[str], str]:
    """One of some words, for argparse."""

    def read(text: str) -> str:
        if text in known:
            return text
        near = nearest(text, known)
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one of {', '.join(known)}" + (f" (did you mean {near}?)" if near else "")
        )

    return read


def several(*known: str) -> Callable[[str], tuple[str, ...]]:
    """Some of some words, with commas between them, for argparse."""

    def read(text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(choice(*known)(word.strip()) for word in text.split(",")))

    return read


def share(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def at_least(lowest: int) -> Callable[[str], int]:
    """A whole number, for argparse."""

    def read(text: str) -> int:
        if not text.removeprefix("-").isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {lowest} up")
        return int(text)

    return read


def add_evaluation(parser: argparse.ArgumentParser) -> None:
    """What is scored, by which rules, and how sure."""
    add_cases(parser)
    what = parser.add_argument_group("what is scored")
    what.add_argument("--only", type=several(*PARTS), default=(), metavar="PARTS", help=f"some of {','.join(PARTS)}")
    what.add_argument(
        "--protocol",
        type=choice("rect", "vlm3d"),
        default="rect",
        metavar="rect|vlm3d",
        help="vlm3d: its rules exactly",
    )
    units = "scan", "reconstruction"
    what.add_argument(
        "--unit", type=choice(*units), default="scan", metavar="|".join(units), help="what counts once (default: scan)"
    )
    what.add_argument("--labeler", default="rules", metavar="rules|FILE|FOLDER", help="what reads the reports")
    what.add_argument(
        "--reference",
        type=choice("report", "labels"),
        default="report",
        metavar="report|labels",
        help="what a generated report is compared with (default: the reference report)",
    )
    what.add_argument("--meteor-jar", default="", metavar="FILE", help="its jar, or pycocoevalcap; needs Java")
    what.add_argument(
        "--grid", type=choice(*GRIDS), metavar="|".join(GRIDS), help="model grid of the oracle Dice (default: none)"
    )
    _add_thresholds(parser)
    sure = parser.add_argument_group("how sure")
    sure.add_argument(
        "--resamples", type=at_least(0), default=1000, metavar="N", help="of patients; 0: no intervals (default: 1000)"
    )
    kinds = "percentile", "bca"
    sure.add_argument("--interval", type=choice(*kinds), default="percentile", metavar="|".join(kinds), help="its kind")
    sure.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="of everything drawn (default: 0)")
    sure.add_argument("--workers", type=at_least(1), default=1, metavar="N", help="processes that read masks")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def add_cases(parser: argparse.ArgumentParser) -> None:
    """Which cases of the truth count."""
    cases = parser.add_argument_group("cases")
    cases.add_argument("--split", default="", metavar="NAME", help="only this split of the truth")
    cases.add_argument("--allow-missing", action="store_true", help="missing predictions count as failures")


def _add_thresholds(parser: argparse.ArgumentParser) -> None:
    cuts = parser.add_argument_group(
        "thresholds (default: the predictions' own, else 0.5)"
    ).add_mutually_exclusive_group()
    cuts.add_argument("--threshold", type=share, metavar="P", help="one cut for all labels")
    cuts.add_argument(
        "--thresholds", metavar="FILE[:objective]", help="operating_points.json: its calibration and its cuts"
    )
    cuts.add_argument(
        "--fit-on-scored", default="", metavar="OBJECTIVE", help="fit on the scored cases: flatters, and says so"
    )


def options_of(given: argparse.Namespace) -> Options:
    """The options of an evaluation, from what `add_evaluation` read."""
    return Options(
        protocol=given.protocol,
        unit=given.unit,
        split=given.split,
        only=given.only,
        thresholds=thresholds_of(given.threshold, given.thresholds or "", given.fit_on_scored),
        allow_missing=given.allow_missing,
        labeler=given.labeler,
        reference=given.reference,
        resamples=given.resamples,
        interval=given.interval,
        seed=given.seed,
        workers=given.workers,
        grid=GRIDS[given.grid] if given.grid else None,
        grid_name=given.grid or "",
        meteor=given.meteor_jar,
    )


def thresholds_of(cut: float | None, named: str, fit_here: str) -> Thresholds:
    """named: FILE or FILE:objective of operating points; a file with one objective needs no name."""
    if not named:
        return Thresholds(cut=cut, fit_here=fit_here)
    path, objective = Path(named), ""
    if not path.is_file():
        place, _, objective = named.rpartition(":")
        path = Path(place or named)
    if not path.is_file():
        raise DataError(f"--thresholds {path.name!r} is not a file: give an operating_points.json")
    try:
        points = OperatingPoints.load(path)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"--thresholds {path.name}: no operating points ({why}): fit them again") from error
    if not objective and len(points.thresholds) == 1:
        objective = next(iter(points.thresholds))
    if objective not in points.thresholds:
        near = nearest(objective, points.thresholds) or next(iter(points.thresholds), "")
        raise DataError(
            f"--thresholds {path.name}: which cuts? It has {', '.join(points.thresholds) or 'none'}: "
            f"write {path.name}:{near}"
        )
    return Thresholds(points=points, objective=objective, source=path.name)
