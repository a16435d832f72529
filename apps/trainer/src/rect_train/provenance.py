"""By which command and which code a run was trained: noted when it begins and whenever it goes on."""

import platform
import shlex
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch

SESSIONS: Final = "sessions.jsonl"
"""A line for each time that somebody began a run or went on with it."""


def session() -> dict[str, Any]:
    """What a line of `sessions.jsonl` holds; what is not known is None."""
    commit, modified = commit_of(Path(__file__))
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": command_of(sys.argv),
        "commit": commit,
        "modified": modified,
        "rect_train": version("rect-train"),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def command_of(argv: list[str]) -> str | None:
    """The `rect-train` command of a process; None of one that calls the trainer in another way."""
    program = Path(argv[0]) if argv else Path()
    if program.stem != "rect-train" and program.parts[-3:-1] != ("rect_train", "cli"):
        return None
    return shlex.join(["rect-train", *argv[1:]])


def commit_of(file: Path) -> tuple[str | None, bool | None]:
    """The commit of the git checkout that tracks a file, and whether tracked files differ from it; None where no
    checkout does (an installed package), or there is no git."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(file.parent), *words], capture_output=True, text=True, check=False, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if git("ls-files", "--error-unmatch", "--", file.name) is None or (commit := git("rev-parse", "HEAD")) is None:
        return None, None
    changed = git("status", "--porcelain", "--untracked-files=no")
    return commit, None if changed is None else bool(changed)
