"""BLEU, ROUGE-L and CIDEr beside pycocoevalcap, sacrebleu and rouge-score."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from rect_eval.reports import bleu, bleu_each, cider, rouge_l
from rect_eval.reports.ngrams import count, vocabulary
from rect_eval.reports.rouge import common

Texts = list[tuple[list[str], list[str]]]
WORDS = st.sampled_from(
    ["the", "lung", "no", "effusion", "nodule", "5", "mm", "émphysème", "気胸", "ground-glass", "-lrb-"]
)
PAIRS = st.lists(
    st.tuples(st.lists(WORDS, max_size=14), st.lists(WORDS, min_size=1, max_size=14)), min_size=1, max_size=6
)
REPORT = ["no", "pleural", "effusion", "is", "seen", "in", "the", "left", "lung"]
EDGES: list[Texts] = [
    [([], ["no", "effusion"])],
    [(["no"], ["no"])],
    [(["effusion"], REPORT)],
    [(REPORT, REPORT), (REPORT, REPORT)],
    [(["no"] * 12, ["no", "no", "effusion"]), (REPORT, ["no"])],
    [(["Ünal", "気胸", "²"], ["ünal", "気胸", "²"]), ([], REPORT)],
    [(["a", "b"], ["c", "d"]), (["x"], ["y"])],
    [(REPORT * 5, REPORT), (REPORT, REPORT * 5)],
]


def _split(pairs: Texts) -> tuple[list[list[str]], list[list[str]]]:
    return [h for h, _ in pairs], [r for _, r in pairs]


def _coco(pairs: Texts) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    return {i: [" ".join(r)] for i, (_, r) in enumerate(pairs)}, {i: [" ".join(h)] for i, (h, _) in enumerate(pairs)}


def _with_edges(test):  # type: ignore[no-untyped-def]
    for pairs in EDGES:
        test = example(pairs)(test)
    return given(PAIRS)(test)


@_with_edges
def test_bleu_is_that_of_pycocoevalcap(pairs: Texts) -> None:
    corpus, each = Bleu(4).compute_score(*_coco(pairs), verbose=0)
    np.testing.assert_allclose(bleu(*_split(pairs)), corpus, rtol=0, atol=1e-6)
    np.testing.assert_allclose(bleu_each(*_split(pairs)), np.transpose(each), rtol=0, atol=1e-6)


@_with_edges
def test_rouge_l_is_that_of_pycocoevalcap(pairs: Texts) -> None:
    np.testing.assert_allclose(rouge_l(*_split(pairs)), Rouge().compute_score(*_coco(pairs))[1], rtol=0, atol=1e-6)


@_with_edges
def test_cider_is_that_of_pycocoevalcap(pairs: Texts) -> None:
    mean, each = Cider().compute_score(*_coco(pairs))
    found = cider(*_split(pairs))
    np.testing.assert_allclose(found, each, rtol=0, atol=1e-6)
    assert found.mean() == pytest.approx(mean, abs=1e-6)


@given(PAIRS)
def test_bleu_4_is_that_of_sacrebleu_where_every_order_matches(pairs: Texts) -> None:
    """The definitions part where no n-gram of an order matches: sacrebleu gives 0, pycocoevalcap a small number."""
    pairs = [*pairs, (REPORT, REPORT)]
    hypotheses, references = ([" ".join(x) for x in side] for side in _split(pairs))
    theirs = BLEU(tokenize="none", smooth_method="none", force=True).corpus_score(hypotheses, [references])
    assert bleu(*_split(pairs))[3] == pytest.approx(theirs.score / 100, abs=1e-6)


@given(
    st.lists(
        st.tuples(st.text("abcde ", max_size=20), st.text("abcde ", min_size=1, max_size=20)), min_size=1, max_size=4
    )
)
def test_rouge_l_with_equal_weights_is_that_of_rouge_score(pairs: list[tuple[str, str]]) -> None:
    """The definitions differ in beta: rouge-score weighs precision and recall alike, pycocoevalcap recall 1.2 times."""
    pairs = [(h, f"a {r}") for h, r in pairs]
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    theirs = [scorer.score(target=r, prediction=h)["rougeL"].fmeasure for h, r in pairs]
    ours = rouge_l([h.split() for h, _ in pairs], [r.split() for _, r in pairs], beta=1.0)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


@given(st.lists(WORDS, max_size=80), st.lists(WORDS, max_size=80))
def test_the_common_subsequence_is_that_of_the_textbook(one: Sequence[str], other: Sequence[str]) -> None:
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    for i, a in enumerate(one, 1):
        for j, b in enumerate(other, 1):
            table[i, j] = table[i - 1, j - 1] + 1 if a == b else max(table[i - 1, j], table[i, j - 1])
    assert common(one, other) == table[-1, -1]


def test_an_empty_report_scores_zero() -> None:
    assert bleu([[]], [REPORT]).tolist() == [0.0] * 4
    assert rouge_l([[]], [REPORT]).tolist() == [0.0]
    assert cider([[], REPORT], [REPORT, ["nodule"]])[0] == 0.0


def test_an_identical_report_scores_full_marks() -> None:
    texts = [REPORT, ["a", "nodule", "of", "5", "mm", "in", "the", "right", "lung"]]
    np.testing.assert_allclose(bleu(texts, texts), 1.0, atol=1e-6)
    np.testing.assert_allclose(rouge_l(texts, texts), 1.0)
    np.testing.assert_allclose(cider(texts, texts), 10.0)


def test_without_a_reference_bleu_and_rouge_are_undefined() -> None:
    assert np.isnan(bleu([REPORT], [[]])).all()
    assert np.isnan(rouge_l([REPORT], [[]])).all()


def test_a_single_reference_makes_nothing_rare_so_that_cider_is_zero() -> None:
    assert cider([REPORT], [REPORT]).tolist() == [0.0]


def test_rows_of_counted_texts_may_be_asked_for_in_any_order_and_twice() -> None:
    texts = [REPORT, ["no"], ["strange", "strange"]]
    known = vocabulary([REPORT])
    picked, again = count(texts, known).rows(np.array([2, 0, 0])), count([texts[2], REPORT, REPORT], known)
    np.testing.assert_array_equal(picked.strange, again.strange)
    np.testing.assert_array_equal(picked.total, again.total)
    assert all((a != b).nnz == 0 for a, b in zip(picked.known, again.known, strict=True))
