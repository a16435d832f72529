"""The one error of the data package: a file, row or value that cannot be used."""


class DataError(ValueError):
    """One line that names the file, the row where there is one, the value, and what to do."""
