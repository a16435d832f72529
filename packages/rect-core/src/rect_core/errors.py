"""The errors of bad input: a scan that the door refuses, and a table, row or value that cannot be used."""


class ScanError(ValueError):
    """A scan, mask or output place that cannot be used. The message is one line: what, which value, what to do.

    check: name of the failed check, one of the rows of `rect doctor`.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check

    def __reduce__(self) -> tuple[type["ScanError"], tuple[str, str]]:
        """Both parts, so that it crosses from a worker process to its parent."""
        return type(self), (self.check, str(self))


class DataError(ValueError):
    """One line that names the file, the row where there is one, the value, and what to do."""
