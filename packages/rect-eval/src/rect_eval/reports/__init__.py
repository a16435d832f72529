"""Reports: how they are worded, what they state, whether it is where they say it is, and what the controls get."""

from rect_eval.reports.agreement import Agreement, agree
from rect_eval.reports.bleu import bleu, bleu_each
from rect_eval.reports.ce import Reader, rules_reader
from rect_eval.reports.cider import cider
from rect_eval.reports.contradictions import Contradiction, contradictions
from rect_eval.reports.rouge import rouge_l
from rect_eval.reports.section import reports_section
from rect_eval.reports.statistic import SCORES, ReportScores
from rect_eval.reports.tokens import tokenize

__all__ = [
    "SCORES",
    "Agreement",
    "Contradiction",
    "Reader",
    "ReportScores",
    "agree",
    "bleu",
    "bleu_each",
    "cider",
    "contradictions",
    "reports_section",
    "rouge_l",
    "rules_reader",
    "tokenize",
]
