"""The `rect` command. Exit codes: 0 done, 1 a scan failed (the others are done and saved), 2 bad usage."""

import argparse
import sys
from collections.abc import Sequence

from rect_core.errors import ScanError
from rect_vlm.cli import doctor, info, predict, render, rooms

DESCRIPTION = (
    "One chest CT in; findings, measured lesions and a report with its evidence out. "
    "Research software, not a medical device."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    options = parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except (ScanError, ValueError, OSError) as error:
        print(f"rect {options.command}: error: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"rect {options.command}: stopped; finished scans are saved", file=sys.stderr)
        return 130
    return code


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    from rect_vlm.runinfo import versions

    top = argparse.ArgumentParser(prog="rect", description=DESCRIPTION)
    top.add_argument("--version", action="version", version=f"rect {versions()['rect-vlm']}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (predict, rooms, render, info, doctor):
        module.add_parser(commands)
    return top


def one_line(error: BaseException) -> str:
    """An error as one line, without the path of the folder a file lies in."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        from pathlib import Path

        return f"{Path(str(error.filename)).name}: {error.strerror}"
    return " ".join(str(error).split())
