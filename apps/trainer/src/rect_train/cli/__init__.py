"""The `rect-train` command. Exit codes: 0 done (or stopped by SIGTERM with all saved), 1 a run failed, 2 bad usage."""

import sys
from collections.abc import Sequence

from rect_train.cli.args import config_from, export_parser, train_parser
from rect_train.cli.progress import progress
from rect_train.guard import RunError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _export(words[1:]) if words[:1] == ["export"] else _train(words)
    except (RunError, MemoryError) as error:
        print(f"rect-train: error: {one_line(error) or 'out of memory: give a smaller --batch-size'}", file=sys.stderr)
        return 1
    except (ValueError, OSError, ImportError) as error:
        print(f"rect-train: error: {one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("rect-train: interrupted; --resume goes on from the last checkpoint", file=sys.stderr)
        return 1


def _train(words: Sequence[str]) -> int:
    from rect_train.loop import train

    options = train_parser().parse_args(words)
    config = config_from(options)
    with progress() as screen:
        train(config, resume=options.resume, allow=tuple(options.allow_change), screen=screen)
    return 0


def _export(words: Sequence[str]) -> int:
    from rect_train.export import export

    options = export_parser().parse_args(words)
    parts = export(options.run, options.out, weights_status=options.weights_status, checkpoint=options.checkpoint)
    print(f"{options.out}: {', '.join(parts)}")
    return 0


def one_line(error: BaseException) -> str:
    """An error as one line: of a worker's the last line of its traceback, of a file's its name without the folder."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        from pathlib import Path

        return f"{Path(str(error.filename)).name}: {error.strerror}"
    text = str(error)
    if "Original Traceback" in text:
        text = text.strip().splitlines()[-1].partition(": ")[2]
    return " ".join(text.split())
