"""The character n-gram model: comparison with an oracle, sum over all spellings."""

from __future__ import annotations

import math
from itertools import product

import pytest

from mtkit.smt.language_model.spelling import ORDER, Spelling
from mtkit.text.vocabulary import CODE_POINTS
from tests.support.lm_oracle import KneserNey

WORDS = ["aba", "ab", "abba", "baba", "bab", "aa", "bbbb", "abab"]


def test_unknown_characters_share_the_oracles_probability_of_unk() -> None:
    spelling, oracle = Spelling.of(WORDS), KneserNey(WORDS, ORDER)
    new = ["abb", "ba", "b☃a", "☃", "aaaaaaaa"]
    for word, found in zip(new, spelling.log_probabilities(new).tolist(), strict=True):
        before, expected = ["<s>"], 0.0
        for c in (*word, "</s>"):
            known = c if c in "ab" or c == "</s>" else "<unk>"
            expected += math.log(oracle.p(known, before))
            expected -= math.log(CODE_POINTS) * (known == "<unk>")
            before.append(known)
        assert found == pytest.approx(expected, abs=1e-5)


def test_all_spellings_sum_to_one() -> None:
    """Spellings shorter than n, and prefixes of longer ones."""
    spelling, n = Spelling.of(WORDS), 5
    shorter = ["".join(c) for k in range(n) for c in product("ab☃", repeat=k)]
    longer = ["".join(c) for c in product("ab☃", repeat=n)]
    total = sum(
        math.exp(log_p + math.log(CODE_POINTS) * word.count("☃"))
        for word, log_p in zip(shorter, spelling.log_probabilities(shorter), strict=True)
    )
    assert 0.3 < total < 1
    scores = spelling.model.score(longer)
    for s in range(len(longer)):
        total += math.exp(scores.log_prob[scores.offsets[s] : scores.offsets[s + 1] - 1].sum())
    assert total == pytest.approx(1, abs=1e-5)


def test_training_without_words_is_no_error() -> None:
    [found] = Spelling.of([]).log_probabilities(["ab"])
    assert -math.inf < found < -2 * math.log(CODE_POINTS)
    assert Spelling.of(WORDS).log_probabilities([]).shape == (0,)
