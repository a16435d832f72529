"""How runs go, read from what they write: on a terminal, as lines, as a page."""
