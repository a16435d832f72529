"""Cases to time a training on: a few phantoms, each many times, so that an epoch lasts longer than the measuring."""

import shutil
from pathlib import Path
from typing import Final

from rect_core.frame import GridConfig
from rect_data.phantom.config import PhantomConfig
from rect_data.readers import CtRate
from rect_data.store.layout import CASES, RECORD, StoreConfig
from rect_data.store.prepare import prepare
from rect_data.store.rows import gather
from rect_data.tree.make import make_tree

DRAWN: Final = 12
VALID: Final = 2
"""The least that a training accepts; nothing validates here."""


def write_store(folder: Path, grid: GridConfig, cases: int, workers: int) -> Path:
    """A store of so many training cases, or a few more, on a grid."""
    tree, store = folder / "tree", folder / "store"
    make_tree(tree, train=DRAWN, valid=VALID, config=PhantomConfig(spacing_mm=grid.spacing_mm), workers=workers)
    prepare(CtRate(tree), store, StoreConfig(grid=grid), workers=workers)
    for case in sorted(store.glob(f"{CASES}/train*")):
        for number in range(cases // DRAWN):
            copy = case.with_name(f"{case.name}_{number}")
            shutil.copytree(case, copy)
            record = copy / RECORD
            record.write_text(record.read_text("utf-8").replace(f'"{case.name}"', f'"{copy.name}"'), "utf-8")
    gather(store, [], tree)
    return store
