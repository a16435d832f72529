"""The lines that a growing file has gained since it was last read."""

from pathlib import Path
from typing import Final

_REMEMBERED: Final = 4096


class Tail:
    """Reads on in a file that may not be there yet, may end in a torn line, and may be replaced by a shorter one."""

    def __init__(self, path: Path) -> None:
        self._path, self._at, self._end = path, 0, b""

    def read(self) -> tuple[bool, list[bytes]]:
        """Whether the file is another than the one read until now (all lines come again), and its new whole lines."""
        again, new = self._new()
        if again:
            self._at, self._end = 0, b""
        whole = new[: new.rfind(b"\n") + 1]
        self._at += len(whole)
        self._end = (self._end + whole)[-_REMEMBERED:]
        return again, whole.split(b"\n")[:-1]

    def _new(self) -> tuple[bool, bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._at - len(self._end))
                again = file.read(len(self._end)) != self._end  # what stood before is no longer there
                if again:
                    file.seek(0)
                return again, file.read()
        except FileNotFoundError:
            return self._at > 0, b""
