"""Agreement, compared with sacreBLEU's chrF and with manual results."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from mtkit.combination.agreement import BETA, agreement

TEXTS = st.lists(st.text("ab c", min_size=6, max_size=12), min_size=1, max_size=5)


def chrf(text: str, other: str) -> float:
    """Return the mean of F over n-gram orders; sacreBLEU takes F of the mean P and R."""
    rows = np.array(CHRF()._extract_corpus_statistics([text], [[other]])[0]).reshape(6, 3)
    scores = []
    for own, theirs, both in rows[(rows[:, :2] > 0).all(1)].tolist():
        p, r = both / own, both / theirs
        scores.append((1 + BETA**2) * p * r / (BETA**2 * p + r) if both else 0.0)
    return float(np.mean(scores)) if scores else 0.0


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.text("ab c", min_size=6, max_size=12))
def test_for_a_list_of_one_it_is_chrf(texts: list[str], other: str) -> None:
    listed = np.zeros((len(texts) + 1, 1), np.bool_)
    listed[-1] = True
    result = agreement([*texts, other], np.array([0, len(listed)]), listed)
    expected = [chrf(text, other) for text in (*texts, other)]
    assert result[:, 0] == pytest.approx(expected)


def test_agreement_with_a_list_of_two() -> None:
    texts, listed = ["a", "b", "a"], np.array([[True], [True], [False]])
    # The expected count of "a" is 1/2: matches 1/2, P = 1/2, R = 1/2 of a total of 1.
    assert agreement(texts, np.array([0, 3]), listed)[:, 0] == pytest.approx([0.5, 0.5, 0.5])


def test_sentences_and_lists_do_not_mix() -> None:
    texts = ["ab", "ab", "cd", "ab"]
    listed = np.array([[True, False], [False, False], [True, True], [False, False]])
    result = agreement(texts, np.array([0, 2, 4]), listed)
    assert result.tolist() == [[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]


def test_spaces_are_ignored_and_empty_text_scores_0() -> None:
    texts = ["a b c", "abc", "", " "]
    listed = np.array([[True], [False], [False], [False]])
    result = agreement(texts, np.array([0, 4]), listed)
    assert result[:, 0].tolist() == [1.0, 1.0, 0.0, 0.0]
