"""Are the phantoms a giveaway? What a reader without eyes, given HU histograms or scanner settings alone, would score.

A logistic regression on the HU histogram of each of the 20 true regions, and one on the acquisition settings, are
trained on 600 phantoms and scored on 200. Seconds are per case and core, without waiting.
`python -m benches.phantom_ranges` prints sizes, HU and volumes of the same cases against normal ranges.
"""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from statistics import median
from typing import Any, Final

import numpy as np
import torch

from benches.giveaway import giveaway
from benches.timing import Result, Rival, machine, peak_gb
from rect_core.findings import REGIONS
from rect_data.phantom import Case, PhantomConfig, generate
from rect_data.phantom.settings import SCANNERS, SHARPNESS

TRAIN, TEST = 600, 200
HU_DEFINED: Final = (
    "Medical material",
    "Arterial wall calcification",
    "Coronary artery wall calcification",
    "Emphysema",
)
"""Metal, calcium and air: HU itself defines these, so a histogram may see them. They do not count."""

EDGES: Final = (
    -2000,
    -980,
    -950,
    -900,
    -850,
    -800,
    -700,
    -550,
    -350,
    -150,
    -80,
    -20,
    20,
    50,
    80,
    130,
    200,
    300,
    500,
    4000,
)
WORDS: Final = {
    "manufacturer": sorted({maker for maker, _, _ in SCANNERS}),
    "model": [model for _, model, _ in SCANNERS],
    "sharpness": SHARPNESS,
}


def one() -> Rival:
    """One phantom, drawn and measured, nothing written."""
    return lambda: generate(1)


RIVALS = {"generate": one}


def run() -> Result:
    """About a second of the machine's every core for each second it reports, 800 times."""
    noted = machine()
    cases = survey(TRAIN + TEST)
    labels = np.stack([case["labels"] for case in cases])
    ratios: dict[str, float] = {}
    for name in ("histograms", "settings"):
        each = giveaway(np.stack([case[name] for case in cases]), labels, TRAIN)
        counted = [value for label, value in each.items() if label not in HU_DEFINED or name == "settings"]
        ratios[f"{name}: macro AUROC"] = float(np.nanmean(counted))
        ratios |= {f"{name}: {label}": value for label, value in each.items()}
    ratios["seconds a case and core"] = median(case["seconds"] for case in cases)
    return Result(
        name="phantom",
        machine=noted,
        seconds={"generate": ratios["seconds a case and core"]},
        ratios=ratios,
        peak_gb={"generate": peak_gb("benches.phantom", "generate")},
        goals={"histograms: macro AUROC": 0.85, "settings: macro AUROC": 0.55, "seconds a case and core": 3.0},
    )


def survey(count: int) -> list[dict[str, Any]]:
    """`look` at the first cases of the default world, on every core."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(look, range(count), chunksize=5))


def look(index: int) -> dict[str, Any]:
    """What the regressions see of one case."""
    torch.set_num_threads(1)
    began = time.thread_time()
    case = generate(index, PhantomConfig())
    seconds = time.thread_time() - began
    return {
        "labels": np.array(case.labels),
        "histograms": histograms(case),
        "settings": settings_of(case),
        "seconds": seconds,
    }


def histograms(case: Case) -> np.ndarray:
    """Share of each region's voxels in each bin of HU, all zero for an absent region."""
    bins = np.digitize(case.volume.hu, EDGES[1:-1]).astype(np.int64)
    wide = len(EDGES) - 1
    counts = np.bincount((case.regions.labels * wide + bins).ravel(), minlength=wide * (len(REGIONS) + 1))
    table = np.asarray(counts.reshape(len(REGIONS) + 1, wide)[1:], np.float64)
    return np.asarray((table / np.maximum(table.sum(axis=1, keepdims=True), 1)).ravel())


def settings_of(case: Case) -> np.ndarray:
    """How the scan was made and how much it shows, as numbers; words as one column each."""
    own = asdict(case.settings)
    words = [float(own[name] == choice) for name, choices in WORDS.items() for choice in choices]
    own = {name: value for name, value in own.items() if name not in WORDS}
    own.pop("kernel")  # one kernel a sharpness and model
    year = float(own.pop("date")[:4])
    reach = [n * s for n, s in zip(case.volume.shape, case.volume.spacing_mm, strict=True)]
    return np.array([*map(float, own.values()), *words, year, *reach, case.contrast_hu > 0])
