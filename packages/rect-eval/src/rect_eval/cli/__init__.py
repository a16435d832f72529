"""The `rect-eval` command. Exit codes: 0 done, 1 done but predictions were missing (or, in `audit`, a control reaches a
score), 2 bad usage or input, 130 stopped."""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from rect_eval.cli.audit import COMMAND as AUDIT
from rect_eval.cli.common import Command, OneLineParser, nearest
from rect_eval.cli.compare import COMMAND as COMPARE
from rect_eval.cli.fit import COMMAND as FIT
from rect_eval.cli.label import COMMAND as LABEL
from rect_eval.cli.score import COMMAND as SCORE
from rect_eval.cli.terminal import printable

COMMANDS: Final[dict[str, Command]] = {
    "compare": COMPARE,
    "audit": AUDIT,
    "fit-thresholds": FIT,
    "label": LABEL,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    name = words[0] if words and words[0] in COMMANDS else ""
    command = COMMANDS[name] if name else SCORE
    options = parser_of(name, words).parse_args(words[1:] if name else words)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a case id that the terminal cannot show ends no run
    return _run(command, options, f"rect-eval {name}".strip())


def _run(command: Command, options: argparse.Namespace, program: str) -> int:
    try:
        code = command.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader of our output has gone, as `| head` does: nothing more to tell, not even when Python closes
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except ModuleNotFoundError:
        raise  # a broken installation; what an extra brings is asked for in a sentence
    except (ValueError, OSError, ImportError) as error:
        print(f"{program}: error: {one_line(error)}", file=sys.stderr)
        return 2
    except MemoryError:
        print(f"{program}: error: out of memory: use fewer --workers, or a machine with more of it", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{program}: stopped; nothing was written", file=sys.stderr)
        return 130
    return code


def parser_of(name: str, words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of one command, "" being the evaluation itself."""
    command = COMMANDS[name] if name else SCORE
    parser = OneLineParser(
        prog=f"rect-eval {name}".strip(),
        description=command.about,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=None if name else _others(),
    )
    if not name:
        from importlib.metadata import version

        parser.add_argument("--version", action="version", version=f"rect-eval {version('rect-eval')}")
        parser.hint = _meant(words)
    command.add(parser)
    return parser


def _others() -> str:
    lines = [f"  rect-eval {name:<16}{command.about.splitlines()[0]}" for name, command in COMMANDS.items()]
    return "\n".join(["other commands (each has its own --help):", *lines])


def _meant(words: Sequence[str]) -> str:
    """The command that the first word nearly is, unless it is there as a file."""
    first = words[0] if words else ""
    near = "" if not first or first.startswith("-") or Path(first).exists() else nearest(first, COMMANDS)
    return f"did you mean `rect-eval {near}`?" if near else ""


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """A batch system's SIGTERM ends a run as Ctrl-C does, so that nothing half-written stays."""
    del number, frame
    raise KeyboardInterrupt


def one_line(error: BaseException) -> str:
    """An error as one line, without the path of the folder a file lies in."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    return printable(" ".join(str(error).split()))
