"""The `rect` command. Exit codes: 0 done, 1 a scan failed (the others are done and saved), 2 bad usage."""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from rect_core.errors import ScanError
from rect_vlm.cli import doctor, info, predict, render, rooms

DESCRIPTION = (
    "One chest CT in; findings, measured lesions and a report with its evidence out. "
    "Research software, not a medical device."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    options = parser().parse_args(argv)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a case id that the terminal cannot show ends no run
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader of our output has gone, as `| head` does: nothing more to tell, not even when Python closes
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (ScanError, ValueError, OSError) as error:
        print(f"rect {options.command}: error: {one_line(error)}", file=sys.stderr)
        return 2
    except MemoryError:
        print(f"rect {options.command}: error: out of memory: use a machine with more of it", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"rect {options.command}: stopped; finished scans are saved", file=sys.stderr)
        return 130
    return code


class OneLineParser(argparse.ArgumentParser):
    """Bad usage is told in one line, as every other problem is; --help has the rest."""

    def error(self, message: str) -> NoReturn:
        """Prints the line and exits with 2."""
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    from rect_vlm.runinfo import versions

    top = OneLineParser(prog="rect", description=DESCRIPTION)
    top.add_argument("--version", action="version", version=f"rect {versions()['rect-vlm']}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (predict, rooms, render, info, doctor):
        module.add_parser(commands)
    return top


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """A batch system's SIGTERM ends a run as Ctrl-C does, so that nothing half-written stays."""
    del number, frame
    raise KeyboardInterrupt


def one_line(error: BaseException) -> str:
    """An error as one line, without the path of the folder a file lies in."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        from pathlib import Path

        return f"{Path(str(error.filename)).name}: {error.strerror}"
    return " ".join(str(error).split())
