"""What scoring costs: intervals of 18 AUROCs, HD95 of large effusions, reading reports; beside what others would do.

The bootstrap is of 3,000 cases of 1,300 patients x 18 labels with 1,000 resamples; its rival computes each AUROC with
scikit-learn for each of 3 resamples (taken times 1,000 / 3). HD95 is of two bodies of fluid of more than 1,000 ml on
200 x 512 x 512 voxels of 1.5 x 0.7 x 0.7 mm; its rival is MONAI's on the box about both. Reports are 400 texts of up to
900 characters.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64

from benches.timing import Result, Rival, interleave, machine, peak_gb
from rect_eval import label
from rect_eval.classification.ranking import Ranking
from rect_eval.localization import hd95
from rect_eval.reports.constant import ABSENT, PRESENT
from rect_eval.uncertainty import bootstrap

CASES, PATIENTS, LABELS, RESAMPLES, FEW = 3000, 1300, 18, 1000, 3
SHAPE, SPACING_MM = (200, 512, 512), (1.5, 0.7, 0.7)
REPORTS = 400
GOAL_BOOTSTRAP_SECONDS, GOAL_HD95_SECONDS, GOAL_REPORTS_A_SECOND = 20.0, 5.0, 300.0
OURS, SKLEARN = "18 AUROCs, 1,000 resamples", f"18 AUROCs, {FEW} resamples, scikit-learn"
SURFACE, MONAI = "HD95 of two effusions", "HD95 of two effusions, MONAI"
READ = f"{REPORTS} reports read"


def cases() -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "n k"], Int64[np.ndarray, " n"]]:
    """Labels, scores and patients."""
    rng = np.random.default_rng(0)
    labels = (rng.random((CASES, LABELS)) < np.linspace(0.05, 0.45, LABELS)).astype(np.float64)
    patients = np.concatenate([np.arange(PATIENTS), rng.integers(0, PATIENTS, CASES - PATIENTS)])
    return labels, rng.normal(size=labels.shape) + labels, patients


def intervals() -> Rival:
    """Ours: one sort a label, then sums of weights."""
    labels, scores, patients = cases()
    ranked = [Ranking(labels[:, [k]], scores[:, [k]]) for k in range(LABELS)]
    return lambda: bootstrap(
        lambda weights: np.stack([one.scores(weights)[:, 0] for one in ranked], 1), patients, resamples=RESAMPLES
    )


def sklearn_intervals() -> Rival:
    """The usual loop."""
    from sklearn.metrics import roc_auc_score

    labels, scores, patients = cases()
    rows = [np.flatnonzero(patients == patient) for patient in range(PATIENTS)]

    def run() -> list[list[float]]:
        rng = np.random.default_rng(0)
        out = []
        for _ in range(FEW):
            drawn = np.concatenate([rows[patient] for patient in rng.integers(0, PATIENTS, PATIENTS)])
            out.append([float(roc_auc_score(labels[drawn, k], scores[drawn, k])) for k in range(LABELS)])
        return out

    return run


def effusions() -> tuple[Bool[np.ndarray, "d h w"], Bool[np.ndarray, "d h w"]]:
    """Fluid along the back of a chest, true and as a prediction a few millimetres off."""
    d, h, w = (np.arange(n, dtype=np.float32) for n in SHAPE)
    down = np.minimum(1, (d / 100)[:, None, None])

    def crescent(shift: float) -> Bool[np.ndarray, "d h w"]:
        inner = ((h - 240 - shift)[:, None] / 120) ** 2 + ((w - 180)[None] / 105) ** 2
        outer = ((h - 250 - shift)[:, None] / 135) ** 2 + ((w - 180)[None] / 115) ** 2
        fluid: Bool[np.ndarray, "d h w"] = ((outer < 1) & (inner > 1))[None] & (down > 0.15) & (d < 190)[:, None, None]
        return fluid

    return crescent(0), crescent(4)


def surface() -> Rival:
    """Ours, from the whole scan's masks."""
    a, b = effusions()
    return lambda: hd95(a, b, SPACING_MM)


def monai_surface() -> Rival:
    """MONAI's on the box about both, which is the most favourable input."""
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance

    a, b = effusions()
    box = tuple(slice(int(x.min()), int(x.max()) + 1) for x in np.nonzero(a | b))
    one, other = (torch.from_numpy(mask[box])[None, None] for mask in (a, b))
    return lambda: compute_hausdorff_distance(one, other, percentile=95, spacing=list(SPACING_MM))


def reading() -> Rival:
    """Reports whose sentences no report before had, so that nothing is remembered."""
    rng = np.random.default_rng(2)
    sentences = [*PRESENT.values(), *ABSENT.values()]
    counter = iter(range(1 << 40))

    def text() -> str:
        chosen = rng.choice(len(sentences), 14, replace=False)
        return " ".join(f"Series {next(counter)}: {sentences[i]}" for i in chosen)

    return lambda: [label(text()) for _ in range(REPORTS)]


RIVALS = {OURS: intervals, SKLEARN: sklearn_intervals, SURFACE: surface, MONAI: monai_surface, READ: reading}


def run() -> Result:
    """Memory first, then all on the clock with one thread each."""
    torch.set_num_threads(1)
    peaks = {name: peak_gb("benches.evaluation", name) for name in (OURS, SURFACE, MONAI)}
    noted = machine()
    seconds = interleave({name: make() for name, make in RIVALS.items()}, repeats=3)
    ratios = {
        "20 s for the intervals": seconds[OURS] / GOAL_BOOTSTRAP_SECONDS,
        "intervals: ours / scikit-learn": seconds[OURS] / (seconds[SKLEARN] * RESAMPLES / FEW),
        "5 s for HD95": seconds[SURFACE] / GOAL_HD95_SECONDS,
        "HD95: ours / MONAI": seconds[SURFACE] / seconds[MONAI],
        "300 reports a second": seconds[READ] / REPORTS * GOAL_REPORTS_A_SECOND,
        "reports a second": REPORTS / seconds[READ],
        "ml of the fluid": float(effusions()[0].sum() * np.prod(SPACING_MM) / 1000),
    }
    goals = {"20 s for the intervals": 1.0, "5 s for HD95": 1.0, "300 reports a second": 1.0, "HD95: ours / MONAI": 1.0}
    return Result(name="evaluation", machine=noted, seconds=seconds, ratios=ratios, peak_gb=peaks, goals=goals)
