"""A curve in text: two by four dots a character."""

from typing import Final

import numpy as np

from rect_train.watch.points import Points
from rect_train.watch.scale import scale_of

_DOTS: Final = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Which bit of a braille character each of its dots is."""


def plot(points: Points, width: int, height: int) -> list[str]:
    """A curve with its axes, in `height` + 2 lines of `width` characters; nothing where no value is known."""
    known = [(step, value) for step, value in points if value == value]
    if not known:
        return []
    scale = scale_of([points])
    ticks = {min(height - 1, int(height * (1 - scale.place(value)))): text for value, text in scale.ticks(height // 2)}
    gutter = max(map(len, ticks.values()))
    across = max(2, width - gutter - 2)
    steps, values = (np.array(column, np.float64) for column in zip(*known, strict=True))
    at = np.interp(np.linspace(steps[0], steps[-1], 2 * across), steps, values)
    rows = np.array([4 * height * (1 - scale.place(value)) for value in at.tolist()]).astype(int)
    dots = np.zeros((4 * height, 2 * across), dtype=bool)
    for column, row in enumerate(rows.tolist()):
        before = rows[column - 1] if column else row
        dots[min(before, row) : max(before, row) + 1, column] = True
    cells = dots.reshape(height, 4, across, 2).transpose(0, 2, 1, 3)
    text = ["".join(chr(0x2800 + int((_DOTS * cell).sum())) for cell in line) for line in cells]
    first, last = f"{known[0][0]:,}", f"{known[-1][0]:,}"
    return [
        *(f"{ticks.get(row, ''):>{gutter}} {'┤' if row in ticks else '│'}{line}" for row, line in enumerate(text)),
        f"{'':{gutter}} └{'─' * across}",
        f"{'':{gutter}}  {first}{last:>{max(1, across - len(first))}}",
    ]
