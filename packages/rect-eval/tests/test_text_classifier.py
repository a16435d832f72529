"""The learned labeler: what it learns, that it needs numpy alone to be applied, and that its file holds no code."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.text_classifier import TextClassifier, terms_of

Labels = Float[np.ndarray, "n k"]


def corpus(reports: int, seed: int) -> tuple[list[str], Labels]:
    """Reports of one sentence a label, present or denied, in an order of their own."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((reports, len(LABELS))) < 0.4).astype(np.float64)
    texts = []
    for row in labels:
        said = [
            f"{name} is seen." if on else f"No {name.lower()} was found." for name, on in zip(LABELS, row, strict=True)
        ]
        texts.append(" ".join(said[k] for k in rng.permutation(len(LABELS))))
    return texts, labels


@pytest.fixture(scope="module")
def fitted() -> TextClassifier:
    return TextClassifier.fit(*corpus(200, seed=0))


def test_it_reads_reports_that_it_has_not_seen(fitted: TextClassifier) -> None:
    texts, labels = corpus(100, seed=1)
    assert (fitted(texts) == (labels == 1)).mean() > 0.99
    assert fitted.notes == ()


def test_probabilities_are_those_of_scikit_learn(fitted: TextClassifier) -> None:
    texts, labels = corpus(200, seed=0)
    others, _ = corpus(20, seed=2)
    others += ["", "nothing it knows", "Emphysema"]
    tfidf = TfidfVectorizer(analyzer=terms_of, sublinear_tf=True, min_df=2)
    rows = tfidf.fit_transform(texts)
    assert tuple(tfidf.get_feature_names_out()) == fitted.terms
    for k in (0, 9):
        model = LogisticRegression(C=10, class_weight="balanced", max_iter=1000).fit(rows, labels[:, k])
        expected = model.predict_proba(tfidf.transform(others))[:, 1]
        np.testing.assert_allclose(fitted.prob(others)[:, k], expected, atol=1e-5)


def test_a_saved_one_reads_back_the_same(fitted: TextClassifier, tmp_path: Path) -> None:
    path = tmp_path / "labeler.npz"
    fitted.save(path)
    texts, _ = corpus(10, seed=3)
    np.testing.assert_array_equal(TextClassifier.load(path).prob(texts), fitted.prob(texts))
    assert [p.name for p in tmp_path.iterdir()] == ["labeler.npz"]


def test_it_is_applied_without_scikit_learn_and_scipy(fitted: TextClassifier, tmp_path: Path) -> None:
    fitted.save(tmp_path / "labeler.npz")
    code = (
        "import sys; sys.modules.update(sklearn=None, scipy=None)\n"
        "from rect_eval.text_classifier import TextClassifier\n"
        f"print(TextClassifier.load({str(tmp_path / 'labeler.npz')!r})(['Emphysema is seen.'])[0, 7])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


def test_without_scikit_learn_fitting_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    with pytest.raises(ImportError, match=r"rect-eval\[classifier\]"):
        TextClassifier.fit(*corpus(4, seed=0))


def test_a_label_of_one_class_keeps_it_and_says_so(tmp_path: Path) -> None:
    texts, labels = corpus(60, seed=0)
    labels[:, 0], labels[:, 1], labels[:, 2] = 0, 1, np.nan
    fitted = TextClassifier.fit(texts, labels)
    assert [note.split(" in the")[0] for note in fitted.notes] == [
        "Medical material was always absent",
        "Arterial wall calcification was always present",
        "Cardiomegaly was never known",
    ]
    fitted.save(tmp_path / "labeler.npz")
    again = TextClassifier.load(tmp_path / "labeler.npz")
    assert again.notes == fitted.notes
    np.testing.assert_array_equal(again.prob(["Cardiomegaly is seen.", ""])[:, :3], [[0, 1, np.nan]] * 2)
    assert again(["Cardiomegaly is seen."])[0, :3].tolist() == [False, True, False]


def test_a_report_whose_label_is_unknown_still_teaches_the_others() -> None:
    texts, labels = corpus(200, seed=0)
    labels[np.random.default_rng(9).random(labels.shape) < 0.3] = np.nan
    held, truth = corpus(100, seed=1)
    assert (TextClassifier.fit(texts, labels)(held) == (truth == 1)).mean() > 0.97


def test_labels_that_do_not_fit_the_texts_are_refused() -> None:
    texts, labels = corpus(6, seed=0)
    for wrong in (labels[:5], labels[:, :17], labels + 0.5):
        with pytest.raises(ValueError, match="0, 1 or NaN in 6 x 18"):
            TextClassifier.fit(texts, wrong)
    with pytest.raises(ValueError, match="no term occurs in 2 of 6"):
        TextClassifier.fit([""] * 6, labels)


def test_no_text_gives_no_row(fitted: TextClassifier) -> None:
    assert fitted([]).shape == (0, 18)


def test_files_of_other_kinds_are_refused(fitted: TextClassifier, tmp_path: Path) -> None:
    path = tmp_path / "labeler.npz"
    with pytest.raises(DataError, match=r"labeler\.npz: no such"):
        TextClassifier.load(path)
    fitted.save(path)
    whole = path.read_bytes()
    flipped = [whole[:n] + bytes([whole[n] ^ 0xFF]) + whole[n + 1 :] for n in range(100, len(whole), len(whole) // 12)]
    for raw in (b"", b"text", whole[:-200], whole[:1000], *flipped):
        path.write_bytes(raw)
        with pytest.raises(DataError, match=r"labeler\.npz: not a text classifier"):
            TextClassifier.load(path)
    with path.open("wb") as file:
        np.savez(file, about=np.array([{"run": "me"}], dtype=object))
    with pytest.raises(DataError, match=r"labeler\.npz: not a text classifier"):
        TextClassifier.load(path)


def test_one_of_other_labels_is_refused(
    fitted: TextClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted.save(tmp_path / "labeler.npz")
    monkeypatch.setattr("rect_eval.text_classifier.LABELS", LABELS[::-1])
    with pytest.raises(DataError, match="other labels"):
        TextClassifier.load(tmp_path / "labeler.npz")


def test_pairs_of_words_do_not_cross_sentences() -> None:
    found = terms_of("No effusion. Heart is large;\nlungs clear, 6 mm")
    assert {"no effusion", "is large", "lungs clear", "clear mm"} <= set(found)
    assert not {"effusion heart", "large lungs"} & set(found)


@given(texts=st.lists(st.text(max_size=40), max_size=4))
def test_any_text_gives_probabilities(fitted: TextClassifier, texts: list[str]) -> None:
    prob = fitted.prob(texts)
    assert prob.shape == (len(texts), 18)
    assert ((prob >= 0) & (prob <= 1)).all()
