"""Several processes give what one gives, and a process that dies is reported by the name of its case."""

import operator
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rect_core.errors import DataError
from rect_core.masks import save_mask
from rect_core.volume import StoredGrid, Volume
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.localization import localize_section
from rect_eval.localization.pool import run

DIES_ONCE = "import os, pathlib; p = pathlib.Path({!r})\nif not p.exists():\n    p.touch()\n    os._exit(9)"


def test_two_processes_score_as_one_does(tmp_path: Path) -> None:
    grid = StoredGrid(shape=(8, 9, 10), affine=np.diag([-0.8, -0.8, 2.0, 1.0]))
    shape = grid.house_shape
    place = Volume(hu=np.zeros(shape, np.int16), affine=grid.house_affine, stored=grid, case_id="x")
    truths, predictions = [], []
    for n in range(3):
        paths = [tmp_path / f"{n}_{kind}.nii.gz" for kind in "tp"]
        for path in paths:
            ids = np.random.default_rng(len(truths)).integers(0, 2, shape).astype(np.uint8)
            save_mask(path, ids, place, description="test")
        truths.append(Truth(case_id=f"c{n}", patient=f"p{n}", scan="s", lesions={"lung_nodule": paths[0]}))
        predictions.append(Predicted(case_id=f"c{n}", lesions={"lung_nodule": paths[1]}))
    pairs = Pairs(truths=tuple(truths), predictions=tuple(predictions))
    told: list[int] = []
    one, two = (
        localize_section(pairs, grid=None, workers=n, resamples=0, progress=lambda done, _: told.append(done))
        for n in (1, 2)
    )
    np.testing.assert_array_equal([row[4:-1] for row in one.cases.rows], [row[4:-1] for row in two.cases.rows])
    assert [row[0] for row in two.cases.rows] == ["c0", "c1", "c2"]
    assert told == [1, 2, 3, 1, 2, 3]


def test_a_process_that_dies_is_named_and_one_that_died_once_is_forgiven(tmp_path: Path) -> None:
    once = partial(exec, DIES_ONCE.format(str(tmp_path / "mark")))
    jobs = {"good": partial(abs, -1), "once": once}
    assert run(jobs, operator.call, workers=2) == {"good": 1, "once": None}
    with pytest.raises(DataError, match=r"case 'always': the process that scored it died"):
        run({"good": partial(abs, -1), "always": partial(os._exit, 9)}, operator.call, workers=2)


def test_an_error_of_a_case_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run({"a": partial(abs, -1), "b": partial(divmod, 1, 0)}, operator.call, workers=1)
