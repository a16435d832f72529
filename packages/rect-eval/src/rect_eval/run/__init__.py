"""One evaluation: its options, its result, and the function that makes it."""

from rect_eval.run.compare import Comparison, Difference, compare
from rect_eval.run.evaluate import Loaded, Progress, cohort_of, evaluate, load, score_parts, silent, versions
from rect_eval.run.evaluation import Cohort, Evaluation
from rect_eval.run.options import PARTS, Options, Part, Plain, Thresholds
from rect_eval.run.parts import Parts, split_parts

__all__ = [
    "PARTS",
    "Cohort",
    "Comparison",
    "Difference",
    "Evaluation",
    "Loaded",
    "Options",
    "Part",
    "Parts",
    "Plain",
    "Progress",
    "Thresholds",
    "cohort_of",
    "compare",
    "evaluate",
    "load",
    "score_parts",
    "silent",
    "split_parts",
    "versions",
]
