"""The `rect-train` command. Exit codes: 0 done (or stopped by SIGTERM with all saved), 1 a run failed, 2 bad usage."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Final

from rect_train.cli.args import config_from, export_parser, train_parser, watch_parser
from rect_train.cli.progress import progress
from rect_train.guard import RunError
from rect_train.screen import one_line

_TURN_S: Final = 10.0
"""Seconds in which the first process has spoken."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        command = {"export": _export, "plan": _plan, "watch": _watch}.get(words[0]) if words else None
        return command(words[1:]) if command else _train(words)
    except (RunError, MemoryError) as error:
        return _fail(error, one_line(error) or "out of memory: give a smaller --batch-size", 1)
    except (ValueError, OSError, ImportError) as error:
        return _fail(error, one_line(error), 2)
    except KeyboardInterrupt:
        print("rect-train: interrupted; --resume goes on from the last checkpoint", file=sys.stderr)
        return 1


def _fail(error: BaseException, line: str, code: int) -> int:
    """Says what went wrong, and returns the code. Of several processes the first speaks for all, unless what went wrong
    is one's own: the others wait for it, because torchrun ends all as soon as one is gone."""
    from rect_train.world import OwnError, ToldError

    if int(os.environ.get("RANK", "0")) and not isinstance(error, OwnError):
        time.sleep(_TURN_S)
    if not isinstance(error, ToldError):
        print(f"rect-train: error: {line}", file=sys.stderr, flush=True)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        os._exit(code)  # a thread may still wait for a process that is gone
    return code


def _train(words: Sequence[str]) -> int:
    from rect_train.heap import keep_heap
    from rect_train.loop import train

    options = train_parser().parse_args(words)
    config = config_from(options)
    keep_heap()
    with progress() as screen:
        train(config, resume=options.resume, allow=tuple(options.allow_change), screen=screen)
    return 0


def _export(words: Sequence[str]) -> int:
    import torch

    from rect_train.export import export

    options = export_parser().parse_args(words)
    parts = export(
        options.run,
        options.out,
        weights_status=options.weights_status,
        checkpoint=options.checkpoint,
        store=options.store,
        calibrated=not options.no_calibration,
        dtype=torch.bfloat16 if options.dtype == "bf16" else torch.float32,
        say=lambda line: print(line, file=sys.stderr),
    )
    print(f"{options.out}: {', '.join(parts)}")
    return 0


def _plan(words: Sequence[str]) -> int:
    from rect_train.cli.plan import plan

    return plan(words)


def _watch(words: Sequence[str]) -> int:
    from rich.console import Console

    from rect_train.watch.lines import lines
    from rect_train.watch.log import open_logs
    from rect_train.watch.page import write_page
    from rect_train.watch.view import live, view

    options = watch_parser().parse_args(words)
    logs = open_logs(options.runs)
    if options.html:
        write_page(logs, options.html)
        print(options.html)
    elif not sys.stdout.isatty():
        print("\n".join(lines(logs)))
    elif options.once:
        Console().print(view(logs, Console().size))
    else:
        live(logs, Console())
    return 0
